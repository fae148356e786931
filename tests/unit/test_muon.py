"""Muon: by what the singular value decomposition says about its steps."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from support import error, random_params

from picogpt.config import Config, flatten
from picogpt.train.muon import is_hidden_matrix, muon, orthogonalize

RNG = np.random.default_rng(0)


def step(x, gradients, **options) -> np.ndarray:
    """What the matrix x becomes by a step for each gradient."""
    params, momentum = {"w": x.copy()}, {"w": np.zeros_like(x)}
    with ThreadPoolExecutor(2) as pool:
        for g in gradients:
            muon(params, {"w": g}, momentum, pool=pool, **options)
    return params["w"]


@pytest.mark.parametrize("shape", [(8, 24), (24, 8), (16, 16), (1, 5)])
@pytest.mark.parametrize("scale", [1e-6, 1.0, 1e6])
def test_every_direction_becomes_about_as_long_as_the_others(shape, scale):
    g = (scale * RNG.standard_normal(shape)).astype(np.float32)
    u, _, vt = np.linalg.svd(g, full_matrices=False)
    found = u.T @ orthogonalize(g) @ vt.T
    lengths = np.diag(found)
    assert lengths.min() > 0.6
    assert lengths.max() < 1.25
    assert np.abs(found - np.diag(lengths)).max() < 1e-3  # the directions are what they were
    assert orthogonalize(g).dtype == np.float32


def test_a_gradient_of_zeros_moves_nothing():
    x = RNG.standard_normal((3, 4))
    assert np.array_equal(step(x, [np.zeros_like(x)], lr=0.1, weight_decay=0.0), x)


def test_the_length_of_a_gradient_means_nothing():
    x, g = RNG.standard_normal((2, 6, 9))
    assert error(step(x, [1e4 * g], lr=0.1), step(x, [g], lr=0.1)) < 1e-6


def test_the_length_of_a_step():
    x, g = RNG.standard_normal((2, 64, 256))
    change = x - step(x, [g], lr=0.01, weight_decay=0.0)
    assert np.sqrt((change * change).mean()) == pytest.approx(0.2 * 0.01, rel=0.2)
    assert (change * g).sum() > 0  # against the gradient


def test_weights_decay_apart_from_the_gradient():
    x, g = RNG.standard_normal((2, 6, 9))
    change = step(x, [g], lr=0.1, weight_decay=0.0) - x
    assert error(step(x, [g], lr=0.1, weight_decay=0.5), 0.95 * x + change) < 1e-12


def test_momentum_looks_ahead():
    x, first, second = RNG.standard_normal((3, 6, 9))
    m = 0.05 * first
    after = x - 0.1 * 0.2 * 3.0 * orthogonalize(0.95 * m + 0.05 * first)
    m = 0.95 * m + 0.05 * second
    after -= 0.1 * 0.2 * 3.0 * orthogonalize(0.95 * m + 0.05 * second)
    assert error(step(x, [first, second], lr=0.1, weight_decay=0.0), after) < 1e-12


def test_it_is_for_the_matrices_of_the_blocks():
    flat = flatten(random_params(Config(n_vocab=7, n_ctx=4, n_embd=4, n_head=2, n_layer=2), 0))
    found = {path for path, x in flat.items() if is_hidden_matrix(path, x)}
    names = ("attn.c_attn.w", "attn.c_proj.w", "mlp.c_fc.w", "mlp.c_proj.w")
    assert found == {f"h.{i}.{name}" for i in range(2) for name in names}
