"""Assignment 5, the gradient of attention and of the perceptron, and what is often written."""

import math

import numpy as np

from ...backward import (
    SAVED,
    d_causal_attention,
    d_linear,
    d_multilayer_perceptron,
    d_self_attention,
    d_softmax,
)
from ...config import unflatten
from ...model import merge_heads, split_heads, transformer_block
from ...ops import causal_attention
from ...tap import record
from ..a3_model.a3_inputs import random_input, random_params
from ..assignment import FLOATS, normal, question


def attention_with(dscores_of, scale, dy, q, k, v, weights):
    """d_causal_attention with another gradient of the scores, dscores_of(dweights, weights)."""
    dscores = dscores_of(dy @ v.swapaxes(-1, -2), weights) * scale
    return dscores @ k, dscores.swapaxes(-1, -2) @ q, weights.swapaxes(-1, -2) @ dy


def no_scale(dy, q, k, v, weights):
    """The scores are divided by sqrt(n_head_dim), and so are dq and dk: the scale is missing."""
    return attention_with(d_softmax, 1.0, dy, q, k, v, weights)


def root_of_scale_forgotten(dy, q, k, v, weights):
    """dq and dk are divided by sqrt(n_head_dim), and not by n_head_dim."""
    return attention_with(d_softmax, 1.0 / q.shape[-1], dy, q, k, v, weights)


def values_scaled_too(dy, q, k, v, weights):
    """The scale is that of the scores, on the way to q and k: dv has none."""
    dq, dk, dv = d_causal_attention(dy, q, k, v, weights)
    return dq, dk, dv / math.sqrt(q.shape[-1])


def softmax_left_out(dy, q, k, v, weights):
    """Between the weights and the scores stands the softmax: go back through it with d_softmax."""
    scale = 1.0 / math.sqrt(q.shape[-1])
    return attention_with(lambda dweights, weights: dweights, scale, dy, q, k, v, weights)


def softmax_without_its_sum(dy, q, k, v, weights):
    """The softmax's gradient is more than dweights * weights: call d_softmax."""
    scale = 1.0 / math.sqrt(q.shape[-1])
    return attention_with(np.multiply, scale, dy, q, k, v, weights)


def weights_not_transposed(dy, q, k, v, weights):
    """Row i of y has read value j with weights[i, j], so dv[j] gathers column j: transpose them."""
    dq, dk, _ = d_causal_attention(dy, q, k, v, weights)
    return dq, dk, weights @ dy


def scores_not_transposed(dy, q, k, v, weights):
    """Key j stands in column j of the scores: for dk they are transposed."""
    dq, _, dv = d_causal_attention(dy, q, k, v, weights)
    dscores = d_softmax(dy @ v.swapaxes(-1, -2), weights)
    return dq, dscores @ q / math.sqrt(q.shape[-1]), dv


def queries_and_keys_swapped(dy, q, k, v, weights):
    """The gradients are returned in the order dq, dk, dv."""
    dq, dk, dv = d_causal_attention(dy, q, k, v, weights)
    return dk, dq, dv


ATTENTION_MISTAKES = (
    *(no_scale, root_of_scale_forgotten, values_scaled_too, softmax_left_out),
    *(softmax_without_its_sum, weights_not_transposed, scores_not_transposed),
    queries_and_keys_swapped,
)


@question(d_causal_attention, 4, ATTENTION_MISTAKES)
def attention_gradients(ask, rng):
    """Queries, keys and values"""
    n_head_dim = int(rng.choice([2, 4]))
    for heads, dtype in zip(((), (2,), (2, 3)), (*FLOATS, np.float64), strict=True):
        q, k, v, dy = normal(rng, (4, *heads, 3, n_head_dim), dtype)
        seen = {}
        causal_attention(2.0 * q, k, v, tap=record(seen))
        ask(d_causal_attention, dy, 2.0 * q, k, v, seen["weights"])
    # A single position; sharp weights, but not so sharp that rounding is all that is left
    for n_seq, factor in ((1, 1.0), (4, 4.0)):
        q, k, v, dy = normal(rng, (4, 2, n_seq, 3))
        causal_attention(factor * q, k, v, tap=record(seen))
        ask(d_causal_attention, dy, factor * q, k, v, seen["weights"])


def heads_gradients(dy, seen, c_proj, n_head):
    """Back through c_proj and the heads: dq, dk, dv, and the gradients of c_proj."""
    dmerged, *dc_proj = d_linear(dy, seen["merged"], c_proj["w"])
    kept = (seen[name] for name in ("q", "k", "v", "weights"))
    dheads = d_causal_attention(split_heads(dmerged, n_head), *kept)
    return dheads, {"c_proj": dict(zip("wb", dc_proj))}


def joined_with(join, dy, x, seen, c_attn, c_proj, n_head):
    """d_self_attention with another way to put dq, dk and dv side by side, join([dq, dk, dv])."""
    dheads, grads = heads_gradients(dy, seen, c_proj, n_head)
    dx, *dc_attn = d_linear(join(dheads), x, c_attn["w"])
    return dx, {"c_attn": dict(zip("wb", dc_attn)), **grads}


def keys_first(dy, x, seen, c_attn, c_proj, *, n_head):
    """c_attn gives queries, keys and values in this order, and so their gradients are joined."""
    return joined_with(
        lambda d: np.concatenate([merge_heads(d[i]) for i in (1, 0, 2)], axis=-1),
        *(dy, x, seen, c_attn, c_proj, n_head),
    )


def joined_before_merged(dy, x, seen, c_attn, c_proj, *, n_head):
    """Merge the heads of dq, of dk and of dv first, and then put the three side by side."""
    return joined_with(
        lambda d: merge_heads(np.concatenate(d, axis=-1)),
        *(dy, x, seen, c_attn, c_proj, n_head),
    )


def positions_mixed(dy, x, seen, c_attn, c_proj, *, n_head):
    """A reshape alone mixes positions: merge_heads swaps two axes first."""
    return joined_with(
        lambda d: np.concatenate([part.reshape(x.shape) for part in d], axis=-1),
        *(dy, x, seen, c_attn, c_proj, n_head),
    )


def projection_read_x(dy, x, seen, c_attn, c_proj, *, n_head):
    """What c_proj has read is seen["merged"], and not x."""
    return d_self_attention(dy, x, seen | {"merged": x}, c_attn, c_proj, n_head=n_head)


def attention_read_merged(dy, x, seen, c_attn, c_proj, *, n_head):
    """What c_attn has read is x, and not seen["merged"]."""
    return d_self_attention(dy, seen["merged"], seen, c_attn, c_proj, n_head=n_head)


def projection_left_out(dy, x, seen, c_attn, c_proj, *, n_head):
    """Before dy reaches the heads, it goes back through c_proj: split what comes out of it."""
    identity = {"w": np.eye(x.shape[-1], dtype=x.dtype)}
    return d_self_attention(dy, x, seen, c_attn, identity, n_head=n_head)


SELF_ATTENTION_MISTAKES = (
    *(keys_first, joined_before_merged, positions_mixed, projection_read_x),
    *(attention_read_merged, projection_left_out),
)


def recorded(block, x, params, n_head):
    """What a block computes of x, as far as its gradient needs it: a tree of activations."""
    activations = {}
    block(x, **params, n_head=n_head, tap=record(activations))
    return unflatten({name: a for name, a in activations.items() if name.endswith(SAVED)})


def random_block(rng, dtype, n_head=None):
    """dy, x, what a block has computed of x, its parameters, and n_head."""
    params, n_head = random_params(rng, 1, dtype, n_head)
    x = random_input(rng, params).astype(dtype)
    (block,) = params["h"]
    seen = recorded(transformer_block, x, block, n_head)
    return normal(rng, x.shape, dtype), x, seen, block, n_head


@question(d_self_attention, 3, SELF_ATTENTION_MISTAKES)
def self_attention_gradients(ask, rng):
    """Projection, heads, queries, keys and values"""
    for n_head, dtype in ((2, np.float64), (3, np.float64), (None, np.float32)):
        dy, _, seen, block, n_head = random_block(rng, dtype, n_head)
        ask(ask.function, dy, seen["ln_1"], seen["attn"], **block["attn"], n_head=n_head)


def gelu_of_its_result(dy, x, seen, c_fc, c_proj):
    """GELU's gradient needs what GELU was given, seen["c_fc"], and not what it has made of it."""
    return d_multilayer_perceptron(
        dy, x, {"gelu": seen["gelu"], "c_fc": seen["gelu"]}, c_fc, c_proj
    )


def gelu_left_out(dy, x, seen, c_fc, c_proj):
    """Between the two linear layers stands the GELU: go back through it with d_gelu."""
    dhidden, *dc_proj = d_linear(dy, seen["gelu"], c_proj["w"])
    dx, *dc_fc = d_linear(dhidden, x, c_fc["w"])
    return dx, {"c_fc": dict(zip("wb", dc_fc)), "c_proj": dict(zip("wb", dc_proj))}


def projection_read_c_fc(dy, x, seen, c_fc, c_proj):
    """What c_proj has read is seen["gelu"], and not seen["c_fc"]."""
    return d_multilayer_perceptron(
        dy, x, {"gelu": seen["c_fc"], "c_fc": seen["c_fc"]}, c_fc, c_proj
    )


@question(d_multilayer_perceptron, 1, (gelu_of_its_result, gelu_left_out, projection_read_c_fc))
def multilayer_perceptron_gradients(ask, rng):
    """Linear, GELU, linear, from the end to the beginning"""
    for dtype in FLOATS:
        dy, _, seen, block, _ = random_block(rng, dtype)
        ask(ask.function, dy, seen["ln_2"], seen["mlp"], **block["mlp"])
