"""Assignment 5 with RMSNorm: the gradient of the norm, and what is often written instead."""

import numpy as np

from ...backward import d_layer_norm, sum_rows
from ..a2_operations.a2_variants import rms_norm
from ..assignment import FLOATS, normal, question, sizes


def d_rms_norm(dy: np.ndarray, x: np.ndarray, g: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """dy, x: [..., n_embd] -> dx [..., n_embd], dg [n_embd].

    Source: Zhang & Sennrich 2019, section 4, differentiated.
    """
    # normed = x / rms,  rms = sqrt(mean(x^2) + 1e-5)
    rms = np.sqrt(np.vecdot(x, x)[..., None] / x.shape[-1] + 1e-5)
    normed = x / rms
    # y = normed * g
    dnormed = dy * g
    # A change of x along itself changes its length alone, which the norm removes
    along = np.vecdot(dnormed, normed)[..., None] / x.shape[-1]
    return (dnormed - along * normed) / rms, sum_rows(dy * normed)


def norm_with(dx_of, dy, x, g, eps=1e-5):
    """d_rms_norm with another dx, made of dnormed, normed and the root mean square."""
    rms = np.sqrt((x * x).mean(axis=-1, keepdims=True) + eps)
    return dx_of(dy * g, x / rms, rms), sum_rows(dy * x / rms)


def along(d, normed):
    """The mean of d * normed in each row: [..., n] -> [..., 1]."""
    return (d * normed).mean(axis=-1, keepdims=True)


def root_constant(dy, x, g):
    """The root mean square depends on x too: this is the gradient as if it were a constant."""
    return norm_with(lambda d, normed, rms: d / rms, dy, x, g)


def mean_subtracted(dy, x, g):
    """RMSNorm subtracts no mean from x, and its gradient has none subtracted either."""
    less = lambda d, n, rms: (d - d.mean(axis=-1, keepdims=True) - n * along(d, n)) / rms
    return norm_with(less, dy, x, g)


def gradient_of_layer_norm(dy, x, g):
    """This is the gradient of layer norm, which subtracts the mean of x."""
    return d_layer_norm(dy, x, g)[:2]


def sum_instead_of_mean(dy, x, g):
    """The gradient's part along the normed vector has a mean over the n_embd numbers, not a sum."""
    n = x.shape[-1]
    return norm_with(lambda d, normed, rms: (d - n * normed * along(d, normed)) / rms, dy, x, g)


def not_divided(dy, x, g):
    """x is divided by the root mean square, and so is its gradient."""
    return norm_with(lambda d, normed, rms: d - normed * along(d, normed), dy, x, g)


def no_eps(dy, x, g):
    """The 1e-5 under the root belongs to the root mean square here too."""
    return norm_with(lambda d, n, rms: (d - n * along(d, n)) / rms, dy, x, g, eps=0.0)


def gain_forgotten(dy, x, g):
    """On its way to x the gradient passes the gain: multiply dy with g first."""
    _, dg = d_rms_norm(dy, x, g)
    return d_rms_norm(dy, x, np.ones_like(g))[0], dg


def gain_not_summed(dy, x, g):
    """All rows share g: dg is the sum over the rows, of the shape of g."""
    dx, _ = d_rms_norm(dy, x, g)
    return dx, dy * rms_norm(x, np.ones_like(g))


def gain_from_x(dy, x, g):
    """g multiplies the normed vector, and not x: dg is the sum of dy * normed."""
    dx, _ = d_rms_norm(dy, x, g)
    return dx, sum_rows(dy * x)


NORM_MISTAKES = (
    *(root_constant, mean_subtracted, gradient_of_layer_norm, sum_instead_of_mean, not_divided),
    *(no_eps, gain_forgotten, gain_not_summed, gain_from_x),
)


@question(d_rms_norm, 5, NORM_MISTAKES)
def norm_gradients(ask, rng):
    """x, through the root too; gain"""
    for dtype in FLOATS:
        n_embd = int(rng.integers(4, 7))
        # Vectors so small that what is added to the mean square shows
        x = 0.01 * (1.0 + normal(rng, (*sizes(rng, 2), n_embd), dtype))
        ask(d_rms_norm, normal(rng, x.shape, dtype), x, normal(rng, (n_embd,), dtype))
    for x in (
        normal(rng, (4, 4)),
        normal(rng, (5,)),
        np.zeros((2, 4)),
        1e-3 * normal(rng, (2, 4)),
        1e3 + normal(rng, (2, 4)),
        normal(rng, (2, 2, 3, 4)),
    ):
        ask(d_rms_norm, normal(rng, x.shape), x, normal(rng, x.shape[-1:]))
