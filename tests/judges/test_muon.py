"""Muon against PyTorch's, live."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import torch
from support import error

from picogpt.train.muon import muon, orthogonalize

SHAPES = {"c_attn": (32, 96), "c_proj": (128, 32), "square": (32, 32)}


@pytest.fixture(autouse=True)
def float32(monkeypatch):
    """PyTorch iterates in bfloat16, which keeps two or three digits; here in the given type."""
    monkeypatch.setattr(torch.Tensor, "bfloat16", lambda x: x.clone())


@pytest.mark.parametrize("name", SHAPES)
def test_orthogonalize(name):
    g = np.random.default_rng(0).standard_normal(SHAPES[name])
    theirs = torch.optim._muon._zeropower_via_newtonschulz
    expected = theirs(torch.tensor(g), (3.4445, -4.7750, 2.0315), 5, 1e-7)
    assert error(orthogonalize(g), expected.numpy()) < 1e-9


@pytest.mark.parametrize("decay", [0.0, 0.1])
def test_ten_steps(decay):
    rng = np.random.default_rng(1)
    params = {name: rng.standard_normal(shape) for name, shape in SHAPES.items()}
    theirs = {name: torch.nn.Parameter(torch.tensor(x)) for name, x in params.items()}
    rates = {"lr": 0.02, "weight_decay": decay, "momentum": 0.95}
    optimizer = torch.optim.Muon(theirs.values(), adjust_lr_fn="match_rms_adamw", **rates)
    momentum = {name: np.zeros_like(x) for name, x in params.items()}
    with ThreadPoolExecutor(2) as pool:
        for _ in range(10):
            grads = {name: rng.standard_normal(shape) for name, shape in SHAPES.items()}
            for name, x in theirs.items():
                x.grad = torch.tensor(grads[name])
            optimizer.step()
            muon(params, grads, momentum, pool=pool, lr=0.02, weight_decay=decay)
    for name, x in theirs.items():
        assert error(params[name], x.detach().numpy()) < 1e-9, name
