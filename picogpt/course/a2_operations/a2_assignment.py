"""Assignment 2: the operations of GPT-2, and all of them together."""

from pathlib import Path

import numpy as np

from ...ops import cross_entropy, gelu, layer_norm, linear, softmax
from ..assignment import Assignment, normal, sizes, together
from .a2_1_ops import (
    gelu_keeps_float32,
    gelu_values,
    layer_norm_values,
    linear_values,
    softmax_of_large_numbers,
    softmax_values,
)
from .a2_2_loss import cross_entropy_of_the_unlikely, cross_entropy_refuses, cross_entropy_values


def small_network(x, targets, ln, fc, proj):
    hidden = gelu(linear(layer_norm(x, **ln), **fc))
    logits = linear(hidden, **proj)
    return softmax(logits), cross_entropy(logits, targets)


def network_inputs(rng):
    """x, targets, and the parameters ln, fc and proj, all float32."""
    *batch, n_embd, n_hidden, n_vocab = sizes(rng, 5)
    ln = {name: normal(rng, (n_embd,), np.float32) for name in "gb"}
    fc, proj = (
        {"w": normal(rng, shape, np.float32), "b": normal(rng, shape[1:], np.float32)}
        for shape in ((n_embd, n_hidden), (n_hidden, n_vocab))
    )
    x = normal(rng, (*batch, n_embd), np.float32)
    return x, rng.integers(n_vocab, size=batch), ln, fc, proj


@together(3)
def all_operations(ask, rng):
    """A small network and its loss, from your own functions"""
    ask(small_network, *network_inputs(rng))


A2 = Assignment(
    name="a2",
    hours=3,
    folder=Path(__file__).parent,
    title="the operations",
    functions=(gelu, softmax, layer_norm, linear, cross_entropy),
    questions=(
        gelu_values,
        gelu_keeps_float32,
        softmax_values,
        softmax_of_large_numbers,
        layer_norm_values,
        linear_values,
        cross_entropy_values,
        cross_entropy_of_the_unlikely,
        cross_entropy_refuses,
        all_operations,
    ),
)
