"""Assignment 5, the gradients of the operations, and what is often written instead."""

import math

import numpy as np

from ...backward import d_gelu, d_layer_norm, d_linear, d_softmax, sum_rows
from ...ops import softmax
from ..assignment import FLOATS, normal, question, sizes


def bias_not_summed(dy, x, w):
    """b is added to every row: its gradient is the sum of the rows of dy, of the shape of b."""
    dx, dw, _ = d_linear(dy, x, w)
    return dx, dw, dy


def bias_summed_over_one_axis(dy, x, w):
    """db is the sum over all leading axes, and not over the first alone: make rows of them."""
    dx, dw, _ = d_linear(dy, x, w)
    return dx, dw, dy.sum(axis=0)


def bias_averaged(dy, x, w):
    """db is the sum of the rows of dy, and not their mean."""
    dx, dw, db = d_linear(dy, x, w)
    return dx, dw, db / (dy.size // dy.shape[-1])


def weights_not_transposed(dy, x, w):
    """dx is dy @ w.T: what w has taken from n_in to n_out, its transpose takes back."""
    _, dw, db = d_linear(dy, x, w)
    return dy @ w, dw, db


def gradient_transposed(dy, x, w):
    """dw has the shape of w: it is x.T @ dy, and not dy.T @ x."""
    dx, dw, db = d_linear(dy, x, w)
    return dx, dw.T, db


def a_matrix_for_each_member(dy, x, w):
    """All members of a batch share w: dw is summed over them too, and has the shape of w."""
    dx, _, db = d_linear(dy, x, w)
    return dx, x.swapaxes(-1, -2) @ dy, db


LINEAR_MISTAKES = (
    *(bias_not_summed, bias_summed_over_one_axis, bias_averaged, weights_not_transposed),
    *(gradient_transposed, a_matrix_for_each_member),
)


@question(d_linear, 3, LINEAR_MISTAKES)
def linear_gradients(ask, rng):
    """x, w and b, where all rows share w and b"""
    n_in, n_out = map(int, rng.permutation([3, 4]))
    for leading, dtype in zip(((2, 2), ()), FLOATS, strict=True):
        dy, x = (normal(rng, (*leading, n), dtype) for n in (n_out, n_in))
        ask(d_linear, dy, x, normal(rng, (n_in, n_out), dtype))
    # A square matrix, a single number, three axes before the last one
    for leading, n_in, n_out in (((2,), 3, 3), ((1,), 1, 1), ((2, 3, 2), 2, 3)):
        dy, x = (normal(rng, (*leading, n)) for n in (n_out, n_in))
        ask(d_linear, dy, x, normal(rng, (n_in, n_out)))


def tanh_and_slope(x):
    """Of GELU, 0.5 * x * (1 + tanh(u)): tanh(u), and du/dx."""
    c = math.sqrt(2.0 / math.pi)
    return np.tanh(c * (x + 0.044715 * x * x * x)), c * (1.0 + 3.0 * 0.044715 * x * x)


def erf_form(dy, x):
    """This is the derivative of the exact GELU, of the error function; GPT-2 has the tanh form."""
    p = (0.5 * (1.0 + np.vectorize(math.erf)(x / math.sqrt(2.0)))).astype(x.dtype)
    return dy * (p + x * np.exp(-0.5 * x * x) / math.sqrt(2.0 * math.pi))


def first_term_only(dy, x):
    """x stands twice in the product, before the bracket and in it: the product rule's second term
    is missing, x times the derivative of the bracket."""
    tanh, _ = tanh_and_slope(x)
    return dy * 0.5 * (1.0 + tanh)


def second_term_only(dy, x):
    """x stands twice in the product, before the bracket and in it: the product rule's first term is
    missing, the bracket itself."""
    tanh, slope = tanh_and_slope(x)
    return dy * 0.5 * x * (1.0 - tanh * tanh) * slope


def argument_forgotten(dy, x):
    """The chain rule goes on inside tanh: the derivative of its argument is missing."""
    tanh, _ = tanh_and_slope(x)
    return dy * 0.5 * (1.0 + tanh + x * (1.0 - tanh * tanh))


def three_forgotten(dy, x):
    """The derivative of x^3 is 3 x^2: the 3 is missing."""
    tanh, _ = tanh_and_slope(x)
    slope = math.sqrt(2.0 / math.pi) * (1.0 + 0.044715 * x * x)
    return dy * 0.5 * (1.0 + tanh + x * (1.0 - tanh * tanh) * slope)


def tanh_not_squared(dy, x):
    """The derivative of tanh is 1 - tanh^2: the square is missing."""
    tanh, slope = tanh_and_slope(x)
    return dy * 0.5 * (1.0 + tanh + x * (1.0 - tanh) * slope)


def dy_forgotten(dy, x):
    """This is the derivative alone: by the chain rule it is multiplied with dy."""
    return d_gelu(np.ones_like(dy), x)


GELU_MISTAKES = (
    *(erf_form, first_term_only, second_term_only, argument_forgotten, three_forgotten),
    *(tanh_not_squared, dy_forgotten),
)


@question(d_gelu, 2, GELU_MISTAKES)
def gelu_gradient(ask, rng):
    """Product rule and chain rule"""
    for dtype in FLOATS:
        shape = sizes(rng, 2)
        ask(d_gelu, normal(rng, shape, dtype), 2.0 * normal(rng, shape, dtype))
    ask(d_gelu, normal(rng, (7,)), np.array([0.0, -5.0, 5.0, -40.0, 40.0, -1e4, 1e4]))


def sum_not_subtracted(dy, y):
    """All x of a row share the sum that each y is divided by: what comes through it, the row's sum
    of dy * y, is still to be subtracted from dy."""
    return dy * y


def diagonal_only(dy, y):
    """Each y depends on every x of its row: it changes by y (1 - y) with its own x, and
    by -y_i y_j with each of the others."""
    return dy * y * (1.0 - y)


def plain_sum_subtracted(dy, y):
    """What is subtracted from dy is the sum of dy * y, and not of dy."""
    return (dy - dy.sum(axis=-1, keepdims=True)) * y


def mean_subtracted(dy, y):
    """What is subtracted from dy is the sum of dy * y, and not the mean."""
    return (dy - (dy * y).mean(axis=-1, keepdims=True)) * y


def whole_sum_subtracted(dy, y):
    """The sum runs over each row alone, and not over the whole array."""
    return (dy - (dy * y).sum()) * y


def not_multiplied(dy, y):
    """The difference is still to be multiplied with y."""
    return dy - (dy * y).sum(axis=-1, keepdims=True)


def softmax_again(dy, y):
    """y is the result of the softmax already, and not what it was given."""
    return d_softmax(dy, softmax(y))


SOFTMAX_MISTAKES = (
    *(sum_not_subtracted, diagonal_only, plain_sum_subtracted, mean_subtracted),
    *(whole_sum_subtracted, not_multiplied, softmax_again),
)


@question(d_softmax, 2, SOFTMAX_MISTAKES)
def softmax_gradient(ask, rng):
    """Each row's numbers share a sum"""
    for n, dtype in zip((3, 2), FLOATS, strict=True):
        shape = sizes(rng, n)
        ask(d_softmax, normal(rng, shape, dtype), softmax(normal(rng, shape, dtype)))
    # Probabilities of 0 and 1, as a mask makes them; a row of one number
    ask(d_softmax, normal(rng, (2, 3)), np.array([[1.0, 0.0, 0.0], [0.25, 0.75, 0.0]]))
    ask(d_softmax, normal(rng, (3, 1)), np.ones((3, 1)))
    ask(d_softmax, normal(rng, (3, 3)), softmax(normal(rng, (3, 3))))


def normed_and_std(x, eps=1e-5):
    """What layer norm has made of x before gain and bias, and what it has divided by."""
    std = np.sqrt(x.var(axis=-1, keepdims=True) + eps)
    return (x - x.mean(axis=-1, keepdims=True)) / std, std


def norm_with(dx_of, dy, x, g, eps=1e-5):
    """d_layer_norm with another dx, made of dnormed, normed and std."""
    normed, std = normed_and_std(x, eps)
    return dx_of(dy * g, normed, std), sum_rows(dy * normed), sum_rows(dy)


def mean_of(x):
    return x.mean(axis=-1, keepdims=True)


def both_constant(dy, x, g):
    """Mean and variance depend on x too: this is the gradient as if they were constants."""
    return norm_with(lambda d, normed, std: d / std, dy, x, g)


def variance_constant(dy, x, g):
    """The variance depends on x too: what comes through it, the gradient's part along the normed
    vector, is still to be subtracted."""
    return norm_with(lambda d, normed, std: (d - mean_of(d)) / std, dy, x, g)


def mean_constant(dy, x, g):
    """The mean depends on x too: what comes through it, the mean of the gradient, is still to be
    subtracted."""
    return norm_with(lambda d, normed, std: (d - normed * mean_of(d * normed)) / std, dy, x, g)


def gain_forgotten(dy, x, g):
    """On its way to x the gradient passes the gain: multiply dy with g first."""
    dx, _, _ = d_layer_norm(dy, x, np.ones_like(g))
    return dx, *d_layer_norm(dy, x, g)[1:]


def not_divided(dy, x, g):
    """x is divided by the standard deviation, and so is its gradient."""
    return norm_with(lambda d, n, std: d - mean_of(d) - n * mean_of(d * n), dy, x, g)


def sums_instead_of_means(dy, x, g):
    """What is subtracted are means over the n_embd numbers, and not sums."""
    n_embd = x.shape[-1]
    return norm_with(
        lambda d, n, std: (d - n_embd * mean_of(d) - n * n_embd * mean_of(d * n)) / std, dy, x, g
    )


def no_eps(dy, x, g):
    """The 1e-5 under the root belongs to the standard deviation here too."""
    return norm_with(
        lambda d, n, std: (d - mean_of(d) - n * mean_of(d * n)) / std, dy, x, g, eps=0.0
    )


def gain_and_bias_not_summed(dy, x, g):
    """All rows share g and b: dg and db are sums over the rows, of the shape of g."""
    dx, _, _ = d_layer_norm(dy, x, g)
    normed, _ = normed_and_std(x)
    return dx, dy * normed, dy


def summed_over_one_axis(dy, x, g):
    """dg and db are sums over all leading axes, and not over the first alone."""
    dx, dg, db = gain_and_bias_not_summed(dy, x, g)
    return dx, dg.sum(axis=0), db.sum(axis=0)


def gain_from_x(dy, x, g):
    """g multiplies the normed vector, and not x: dg is the sum of dy * normed."""
    dx, _, db = d_layer_norm(dy, x, g)
    return dx, sum_rows(dy * x), db


NORM_MISTAKES = (
    *(both_constant, variance_constant, mean_constant, gain_forgotten, not_divided),
    *(sums_instead_of_means, no_eps, gain_and_bias_not_summed, summed_over_one_axis, gain_from_x),
)


@question(d_layer_norm, 5, NORM_MISTAKES)
def norm_gradients(ask, rng):
    """x, through the mean and the variance too; gain and bias"""
    for dtype in FLOATS:
        n_embd = int(rng.integers(4, 7))
        # Vectors so small that what is added to the variance shows
        x = 0.01 * (1.0 + normal(rng, (*sizes(rng, 2), n_embd), dtype))
        ask(d_layer_norm, normal(rng, x.shape, dtype), x, normal(rng, (n_embd,), dtype))
    # Usual numbers, one vector alone, equal numbers, a mean beside which the variance is small
    for x in (
        normal(rng, (4, 4)),
        normal(rng, (5,)),
        np.full((2, 4), 3.0),
        3e4 + normal(rng, (2, 4)),
        normal(rng, (2, 2, 3, 4)),
    ):
        ask(d_layer_norm, normal(rng, x.shape), x, normal(rng, x.shape[-1:]))
