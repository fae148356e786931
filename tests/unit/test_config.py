"""The sizes and the tables of names and shapes. That the tables are true: test_model.py."""

import math

import numpy as np
import pytest

from picogpt.config import SIZES, Config, flatten, param_shapes, unflatten

SMALL = {"n_vocab": 10, "n_ctx": 8, "n_embd": 6, "n_head": 3, "n_layer": 2}


@pytest.mark.parametrize("key", SMALL)
@pytest.mark.parametrize("value", [0, -1, 1.5, "12", None, True])
def test_every_size_is_a_positive_integer(key, value):
    with pytest.raises(ValueError, match=f"{key} is {value!r}, expected a positive integer"):
        Config(**(SMALL | {key: value}))


def test_heads_divide_the_width():
    with pytest.raises(ValueError, match="n_head 4 does not divide n_embd 6"):
        Config(**(SMALL | {"n_head": 4}))


@pytest.mark.parametrize(
    ("size", "n_bytes", "n_tensors"),
    [
        # the released data files hold 4 bytes a parameter, and nothing else
        ("124M", 497759232, 148),
        ("355M", 1419292672, 292),
        ("774M", 3096120320, 436),
        ("1558M", 6230444800, 580),
    ],
)
def test_parameters_of_the_released_models(size, n_bytes, n_tensors):
    shapes = param_shapes(SIZES[size])
    assert len(shapes) == n_tensors
    assert 4 * sum(math.prod(shape) for shape in shapes.values()) == n_bytes


def test_unflatten_inverts_flatten():
    flat = {path: np.zeros(shape) for path, shape in param_shapes(Config(**SMALL)).items()}
    tree = unflatten(flat)
    assert tree["h"][1]["attn"]["c_attn"]["w"] is flat["h.1.attn.c_attn.w"]
    again = flatten(tree)
    assert list(again) == list(flat)
    assert all(again[path] is flat[path] for path in flat)
