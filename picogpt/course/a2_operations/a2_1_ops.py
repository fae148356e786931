"""Assignment 2, GELU, softmax, layer norm, linear, and what is often written instead."""

import math

import numpy as np

from ...ops import gelu, layer_norm, linear, softmax
from ..assignment import FLOATS, normal, question, sizes


def erf_form(x):
    """This is the exact GELU, with the error function; GPT-2 was trained with the tanh form."""
    return x * 0.5 * (1.0 + np.vectorize(math.erf)(x / math.sqrt(2.0))).astype(x.dtype)


def sigmoid_form(x):
    """This is x * sigmoid(1.702 x), a coarser approximation than the tanh form."""
    return x / (1.0 + np.exp(-1.702 * x))


def square_instead_of_cube(x):
    """The term with 0.044715 is the cube of x, and not its square."""
    return 0.5 * x * (1.0 + np.tanh(math.sqrt(2.0 / math.pi) * (x + 0.044715 * x * x)))


def no_root(x):
    """The factor before the bracket is sqrt(2 / pi): the root is missing."""
    return 0.5 * x * (1.0 + np.tanh(2.0 / math.pi * (x + 0.044715 * x * x * x)))


def gelu_in_digits(x):
    return np.asarray(gelu(x), np.float64)  # of which type they are is another question's matter


def gelu_of_transposed(x):
    return gelu(x.T)


def gelu_twice(x, y):
    first = gelu(x)
    return [gelu(y), first]


@question(gelu, 2, (erf_form, sigmoid_form, square_instead_of_cube, no_root))
def gelu_values(ask, rng):
    """The tanh form"""
    for n in (1, 3):
        ask(gelu, 2.0 * normal(rng, sizes(rng, n)))
    # Where it is flat or straight, and its one zero
    ask(gelu, np.array([0.0, -6.0, 6.0, -40.0, 40.0, -1e4, 1e4, *rng.uniform(-9.0, 9.0, 2)]))
    # Not quite flat or straight yet; float32; columns; two calls
    for x in ([3.5, 4.01, 4.5], [-4.01, -4.5, -5.05]):
        ask(gelu, np.array(x))
    for number in (-2.0, -2.1):
        ask(gelu_in_digits, np.array([number], np.float32))
    ask(gelu_of_transposed, normal(rng, (2, 3)))
    ask(gelu_twice, normal(rng, (2, 3)), normal(rng, (2, 3)))


def leaks_float64(x):
    """A NumPy scalar such as np.sqrt(2 / np.pi) makes float64 of float32; math.sqrt does not."""
    return 0.5 * x * (1.0 + np.tanh(np.sqrt(2.0 / np.pi) * (x + 0.044715 * x * x * x)))


def type_of_gelu(x):
    return gelu(x).dtype.name


@question(gelu, 1, (leaks_float64,))
def gelu_keeps_float32(ask, rng):
    """float32 in, float32 out"""
    for n in (1, 2):
        ask(type_of_gelu, normal(rng, sizes(rng, n), np.float32))


def sums_everything(x):
    """The sum runs over the whole array, and not over each row alone."""
    e = np.exp(x - x.max())
    return e / e.sum()


def sums_columns(x):
    """The sum runs over the first axis instead of the last."""
    e = np.exp(x - x.max())
    return e / e.sum(axis=0)


def not_divided(x):
    """Each row has to be divided by its sum."""
    return np.exp(x - x.max(axis=-1, keepdims=True))


def no_exponential(x):
    """The exponential is missing: what is divided by its sum is x itself."""
    return x / x.sum(axis=-1, keepdims=True)


def softmax_twice(x, y):
    first = softmax(x)
    return [softmax(y), first]


@question(softmax, 2, (sums_everything, sums_columns, not_divided, no_exponential))
def softmax_values(ask, rng):
    """Each row sums to 1"""
    for n in (1, 2, 3):
        for dtype in FLOATS:
            ask(softmax, normal(rng, sizes(rng, n), dtype))
    ask(softmax, np.full((2, 3), float(rng.normal())))
    ask(softmax, normal(rng, (3, 1)))  # a row of one number
    ask(softmax, normal(rng, (2, 3, 2, 3)))
    ask(softmax, np.array([0.0, -15.0]))
    ask(softmax_twice, normal(rng, (2, 3)), normal(rng, (2, 3)))


def maximum_not_subtracted(x):
    """exp(1000) is infinite: subtract each row's maximum first, which changes no quotient."""
    e = np.exp(x)
    return e / e.sum(axis=-1, keepdims=True)


def whole_maximum_subtracted(x):
    """Subtract the maximum of each row: below that of the whole array a row may underflow to 0."""
    e = np.exp(x - x.max())
    return e / e.sum(axis=-1, keepdims=True)


def changed_by_shift(x, shift):
    """What a shift changes, which is nothing.

    Who is wrong about small numbers pays for that alone, as long as probabilities come out.
    """
    known = np.array([[0.125, 0.25, 0.625], [0.5, 0.25, 0.25]])
    small, large = softmax(np.log(known)), softmax(np.log(known) + 1000.0)
    if not np.allclose(small, known) and large.min() >= 0.0 and large.max() <= 1.0:
        return np.zeros_like(x)
    return np.round(softmax(x + shift) - softmax(x), 6) + 0.0


@question(softmax, 1, (maximum_not_subtracted, whole_maximum_subtracted))
def softmax_of_large_numbers(ask, rng):
    """Large numbers do not overflow"""
    x = normal(rng, (2, 4))
    for high, low in ((1000.0, 1000.0), (1000.0, -1000.0), (-5000.0, -2000.0)):
        ask(changed_by_shift, x, np.array([[high], [low]]))
    # Wherever the largest number stands, it is to be subtracted, and not the mean or the first
    far = np.array([[0.0, -1.0, -3000.0, -4000.0], [-9000.0, 0.0, -1.0, 0.0]])
    for shift in (rng.uniform(2000.0, 4000.0), -rng.uniform(500.0, 700.0)):
        ask(changed_by_shift, rng.permuted(far, axis=1), np.array([[shift], [shift]]))
        ask(changed_by_shift, np.array([-3000.0, 0.0, -1.0]), np.array([shift]))
        ask(changed_by_shift, np.array([0.0, -1.0, -3000.0]), np.array([shift]))
    x = rng.integers(-20, 20, size=(3, 4)).astype(np.float32)  # which a shift does not round
    ask(changed_by_shift, x, np.full((3, 1), 110.0, np.float32))


def divides_by_n_minus_1(x, g, b):
    """Your variance divides by n - 1; it is the mean of the squares, which divides by n (ddof=0)."""
    variance = x.var(axis=-1, keepdims=True) * x.shape[-1] / (x.shape[-1] - 1)
    return (x - x.mean(axis=-1, keepdims=True)) / np.sqrt(variance + 1e-5) * g + b


def eps_outside_the_root(x, g, b):
    """Your 1e-5 stands outside the root: it is added to the variance, before the root is taken."""
    return (x - x.mean(axis=-1, keepdims=True)) / (x.std(axis=-1, keepdims=True) + 1e-5) * g + b


def no_eps(x, g, b):
    """The 1e-5 that is added to the variance is missing."""
    return (x - x.mean(axis=-1, keepdims=True)) / x.std(axis=-1, keepdims=True) * g + b


def smaller_eps(x, g, b):
    """The number that is added to the variance is 1e-5, and not 1e-6."""
    variance = x.var(axis=-1, keepdims=True)
    return (x - x.mean(axis=-1, keepdims=True)) / np.sqrt(variance + 1e-6) * g + b


def root_forgotten(x, g, b):
    """You divide by the variance; its root is what brings the variance to 1."""
    return (x - x.mean(axis=-1, keepdims=True)) / (x.var(axis=-1, keepdims=True) + 1e-5) * g + b


def mean_not_subtracted(x, g, b):
    """The mean is not subtracted from x."""
    return x / np.sqrt(x.var(axis=-1, keepdims=True) + 1e-5) * g + b


def gain_forgotten(x, g, b):
    """The gain g is missing."""
    return layer_norm(x, np.ones_like(g), b)


def bias_forgotten(x, g, b):
    """The bias b is missing."""
    return layer_norm(x, g, np.zeros_like(b))


def whole_array_normalised(x, g, b):
    """Mean and variance are those of the whole array, and not of each vector alone."""
    return (x - x.mean()) / np.sqrt(x.var() + 1e-5) * g + b


def layer_norm_twice(x, y, g, b):
    first = layer_norm(x, g, b)
    return [layer_norm(y, g, b), first]


@question(
    layer_norm,
    4,
    (
        divides_by_n_minus_1,
        eps_outside_the_root,
        no_eps,
        smaller_eps,
        root_forgotten,
        mean_not_subtracted,
        gain_forgotten,
        bias_forgotten,
        whole_array_normalised,
    ),
)
def layer_norm_values(ask, rng):
    """Mean 0, variance 1, then gain and bias"""
    for dtype in FLOATS:
        *batch, n_embd = sizes(rng, 3)
        # Vectors so small that what is added to the variance shows
        x = 0.01 * (1.0 + normal(rng, (*batch, n_embd), dtype))
        ask(layer_norm, x, normal(rng, (n_embd,), dtype), normal(rng, (n_embd,), dtype))
    g, b = normal(rng, (4,)), normal(rng, (4,))
    ask(layer_norm, normal(rng, (4,)), g, b)
    # A vector of equal numbers, and a mean beside which the variance is easily lost
    ask(layer_norm, np.full((2, 4), 3.0), g, b)
    ask(layer_norm, 1e6 + normal(rng, (2, 4)), g, b)
    ask(layer_norm, normal(rng, (3, 1)), g[:1], b[:1])
    ask(layer_norm_twice, normal(rng, (2, 4)), normal(rng, (2, 4)), g, b)


def weights_transposed(x, w, b):
    """w is [n_in, n_out] as it is: no transpose."""
    return x @ w.T + b


def no_bias(x, w, b):
    """The bias b is missing."""
    return x @ w


def bias_inside(x, w, b):
    """The bias is added after the product, to each row of x @ w."""
    return (x + b) @ w


def elementwise(x, w, b):
    """* multiplies number by number; the matrix product is @."""
    return x * w + b


def linear_twice(x, y, w, b):
    first = linear(x, w, b)
    return [linear(y, w, b), first]


@question(linear, 2, (weights_transposed, no_bias, bias_inside, elementwise))
def linear_values(ask, rng):
    """x @ w + b"""
    for dtype in FLOATS:
        *batch, n_in, n_out = sizes(rng, 4)
        for x in normal(rng, (n_in,), dtype), normal(rng, (*batch, n_in), dtype):
            ask(linear, x, normal(rng, (n_in, n_out), dtype), normal(rng, (n_out,), dtype))
    w, b = normal(rng, (3, 3)), normal(rng, (3,))
    for n in (2, 3):
        ask(linear, normal(rng, (n, 3)), w, b)
    ask(linear_twice, normal(rng, (2, 3)), normal(rng, (2, 3)), w, b)
    ask(linear, normal(rng, (2, 1)), normal(rng, (1, 1)), normal(rng, (1,)))
