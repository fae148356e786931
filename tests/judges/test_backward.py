"""Gradients and AdamW steps of whole models against PyTorch and transformers, live."""

import numpy as np
import pytest
from support import error, random_params
from torch_training import torch_gradients, torch_losses

from picogpt.backward import loss_and_gradients
from picogpt.config import Config, activation_shapes, flatten
from picogpt.tap import dropout_tap
from picogpt.train.adamw import adamw, clip_gradients, is_matrix, zero_moments

SMALL = [
    Config(n_vocab=100, n_ctx=32, n_embd=48, n_head=4, n_layer=3),
    Config(n_vocab=257, n_ctx=16, n_embd=40, n_head=1, n_layer=1),
    Config(n_vocab=300, n_ctx=64, n_embd=36, n_head=12, n_layer=5),
]
BUNDLED = Config(n_vocab=4096, n_ctx=256, n_embd=256, n_head=8, n_layer=6)


def draw(config: Config, seed: int, n_seq: int, tied: bool = True):
    """Parameters, ids and targets [3, n_seq]."""
    params = random_params(config, seed)
    if not tied:
        params["lm_head"] = random_params(config, seed + 1000)["wte"]
    text = np.random.default_rng(seed).integers(config.n_vocab, size=(3, n_seq + 1))
    return params, text[:, :-1], text[:, 1:]


def masks_of(config: Config, rate: float, seed: int, n_seq: int) -> list[np.ndarray]:
    """The masks that the seed draws, in the order of the forward pass."""
    drop = dropout_tap(rate, np.random.default_rng(seed))
    shapes = activation_shapes(config, n_seq, batch=(3,))
    masks = [drop(name, np.ones(shape, np.float32)) for name, shape in shapes.items()]
    return [mask for mask in masks if mask.min() == 0]


@pytest.mark.parametrize("config", [*SMALL, BUNDLED])
@pytest.mark.parametrize("tied", [True, False])
@pytest.mark.parametrize("dropout", [0.0, 0.2])
def test_gradients(config, tied, dropout):
    n_seq = min(config.n_ctx, 100)
    params, ids, targets = draw(config, 0, n_seq, tied)
    rng = np.random.default_rng(1)
    loss, grads = loss_and_gradients(ids, targets, params, config.n_head, dropout=dropout, rng=rng)
    masks = masks_of(config, dropout, 1, n_seq) if dropout else []
    assert len(masks) == (1 + 3 * config.n_layer if dropout else 0)
    their_loss, expected = torch_gradients(config, params, ids, targets, masks)
    assert loss == pytest.approx(their_loss, rel=1e-6)
    for path, g in flatten(grads).items():
        assert error(g, expected[path]) < 1e-5, path


@pytest.mark.parametrize("config", SMALL)
@pytest.mark.parametrize("tied", [True, False])
@pytest.mark.parametrize("max_norm", [None, 0.5])
@pytest.mark.parametrize("decays", [is_matrix, lambda path, x: path.startswith("h.0.")])
def test_ten_steps(config, tied, max_norm, decays):
    params, ids, targets = draw(config, 1, config.n_ctx, tied)
    rates = {"lr": 1e-3, "betas": (0.9, 0.99), "eps": 1e-8, "weight_decay": 1.0}
    expected = torch_losses(config, params, ids, targets, 10, decays, max_norm, **rates)
    flat = flatten(params)
    moments, losses = zero_moments(flat), []
    for step in range(1, 11):
        loss, grads = loss_and_gradients(ids, targets, params, config.n_head)
        grads = flatten(grads)
        if max_norm is not None:
            assert clip_gradients(grads, max_norm) > max_norm
        adamw(flat, grads, moments, step, decays=decays, **rates)
        losses.append(loss)
    assert losses == pytest.approx(expected, rel=2e-5)
    assert losses[-1] < 0.9 * losses[0]
