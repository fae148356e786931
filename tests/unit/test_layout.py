"""Where the weights of a small model lie in memory."""

import numpy as np
from support import random_params

from picogpt.config import Config, flatten
from picogpt.ops import gelu
from picogpt.weights import layout
from picogpt.weights.compact import CompactMatrix, compact
from picogpt.weights.layout import laid_out

CONFIG = Config(n_vocab=50, n_ctx=20, n_embd=12, n_head=3, n_layer=2)


def test_the_numbers_are_the_same():
    params = random_params(CONFIG, seed=1)
    found = flatten(laid_out(params))
    assert list(found) == list(flatten(params))
    for path, x in flatten(params).items():
        assert found[path].dtype == np.float32
        assert np.array_equal(found[path], x), path


def test_matrices_lie_along_their_longer_side():
    found = flatten(laid_out(random_params(CONFIG, seed=1)))
    for path in ("wte", "h.0.mlp.c_proj.w"):  # more rows than columns
        assert found[path].T.flags.c_contiguous, path
    for path in ("wpe", "h.1.attn.c_attn.w", "h.1.mlp.c_fc.w"):  # wpe: its rows are looked up
        assert found[path].flags.c_contiguous, path


def test_all_lie_in_one_block():
    arrays = flatten(laid_out(random_params(CONFIG, seed=1))).values()
    assert len({id(x.base) for x in arrays}) == 1
    addresses = [x.ctypes.data for x in arrays]
    assert all((address - addresses[0]) % 64 == 0 for address in addresses)
    ends = [address + x.nbytes for address, x in zip(addresses, arrays, strict=True)]
    assert all(end <= begin for end, begin in zip(ends, addresses[1:], strict=False))


def test_an_activation_function_stays():
    params = random_params(CONFIG, seed=1)
    params["h"][1]["mlp"]["act"] = gelu
    assert laid_out(params)["h"][1]["mlp"]["act"] is gelu


def test_large_and_compact_models_are_left_alone(monkeypatch):
    params = random_params(CONFIG, seed=1)
    compacted = params | {"wte": compact("wte", params["wte"], "int8")}
    assert isinstance(compacted["wte"], CompactMatrix)
    assert laid_out(compacted) is compacted
    monkeypatch.setattr(layout, "MAX_BYTES", 1000)
    assert laid_out(params) is params
