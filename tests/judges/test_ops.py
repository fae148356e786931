"""Every op against PyTorch, live, on drawn shapes and values."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from support import error

from picogpt import ops


@pytest.fixture(params=range(5))
def draw(request):
    rng = np.random.default_rng(request.param)
    return lambda *shape: 3 * rng.standard_normal(shape, dtype=np.float32)


BATCHES = [(), (1,), (3,), (2, 3)]


@pytest.mark.parametrize("batch", BATCHES)
def test_gelu(draw, batch):
    x = draw(*batch, 50)
    assert error(ops.gelu(x), F.gelu(torch.tensor(x), approximate="tanh").numpy()) < 1e-6


@pytest.mark.parametrize("batch", BATCHES)
def test_softmax(draw, batch):
    x = draw(*batch, 50)
    assert error(ops.softmax(x), torch.softmax(torch.tensor(x), -1).numpy()) < 1e-6


@pytest.mark.parametrize("batch", BATCHES)
def test_layer_norm(draw, batch):
    x, g, b = draw(*batch, 5, 768), draw(768), draw(768)
    expected = F.layer_norm(torch.tensor(x), [768], torch.tensor(g), torch.tensor(b), eps=1e-5)
    assert error(ops.layer_norm(x, g, b), expected.numpy()) < 1e-6


@pytest.mark.parametrize("batch", BATCHES)
def test_linear(draw, batch):
    x, w, b = draw(*batch, 5, 768), draw(768, 30), draw(30)
    expected = torch.tensor(x) @ torch.tensor(w) + torch.tensor(b)
    assert error(ops.linear(x, w, b), expected.numpy()) < 1e-6


@pytest.mark.parametrize("batch", BATCHES)
def test_causal_attention(draw, batch):
    q, k, v = (draw(*batch, 4, 33, 16) for _ in range(3))
    # PyTorch's fused kernel wants exactly four dimensions; leading ones are independent
    four = [torch.tensor(x.reshape(-1, 4, 33, 16)) for x in (q, k, v)]
    expected = F.scaled_dot_product_attention(*four, is_causal=True).numpy().reshape(q.shape)
    assert error(ops.causal_attention(q, k, v), expected) < 1e-6
