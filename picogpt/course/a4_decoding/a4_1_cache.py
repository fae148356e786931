"""Assignment 4, first half: the KV cache, and what is often written instead."""

import math

import numpy as np

from ...model import merge_heads, multilayer_perceptron, split_heads
from ...ops import causal_attention, layer_norm, linear, softmax
from ..a3_model.a3_inputs import random_params
from ..assignment import FLOATS, normal, question
from .a4_reference import append_to_cache, cached_attention, new_cache


def one_array_twice(params, n_head):
    """Keys and values are the same array: what is written into one appears in the other."""
    cache = new_cache(params, n_head)
    return {**cache, "v": cache["k"]}


def always_float64(params, n_head):
    """np.zeros and np.empty make float64, unless they are told the dtype of the parameters."""
    cache = new_cache(params, n_head)
    return {"k": cache["k"].astype(float), "v": cache["v"].astype(float), "n_past": 0}


def positions_before_heads(params, n_head):
    """The heads come before the positions, as split_heads makes them."""
    cache = new_cache(params, n_head)
    return {"k": cache["k"].swapaxes(1, 2), "v": cache["v"].swapaxes(1, 2), "n_past": 0}


def only_one_layer(params, n_head):
    """Each layer has keys and values of its own: the first axis is n_layer."""
    cache = new_cache(params, n_head)
    return {"k": cache["k"][0], "v": cache["v"][0], "n_past": 0}


def whole_vectors(params, n_head):
    """A key has n_head_dim numbers: n_embd divided by n_head."""
    cache = new_cache(params, n_head)
    wide = {name: np.tile(cache[name], n_head) for name in "kv"}
    return {**wide, "n_past": 0}


def seen_from_outside(params, n_head):
    cache = new_cache(params, n_head)
    arrays = {name: [cache[name].dtype.name, *cache[name].shape] for name in ("k", "v")}
    shared = bool(np.shares_memory(cache["k"], cache["v"]))
    again = bool(np.shares_memory(cache["k"], new_cache(params, n_head)["k"]))
    shares = {"k and v share memory": shared, "two caches share memory": again}
    return {**arrays, "n_past": cache["n_past"], **shares}


NEW_MISTAKES = (
    *(one_array_twice, always_float64, positions_before_heads),
    *(only_one_layer, whole_vectors),
)


@question(new_cache, 1, NEW_MISTAKES)
def new_cache_sizes(ask, rng):
    """Room for all positions"""
    for dtype in FLOATS:
        ask(seen_from_outside, *random_params(rng, n_layer=2, dtype=dtype))


def used_cache(rng, params, n_head, n_past=None):
    """A cache with a few old positions, after which stands what other texts have left there."""
    cache = new_cache(params, n_head)
    full = {name: normal(rng, cache[name].shape, cache[name].dtype) for name in "kv"}
    return {**full, "n_past": int(rng.integers(2, 4)) if n_past is None else n_past}


def where_in_the_cache(got, expected):
    """The first place in which the student's cache is not ours."""
    for name in "kv":
        mine, ours = got[name] if isinstance(got, dict) else None, expected[name]
        if isinstance(mine, np.ndarray) and mine.shape == ours.shape:
            wrong = ~np.isclose(mine, ours)
            for layer, _, position, _ in np.argwhere(wrong)[:1]:
                place = f'Look at cache["{name}"] in layer {layer}, at position {position}'
                return f"{place}: it is not what it should be."
    return None


def write(cache, layer, k, v, at):
    """Write k and v at some position. Returns all up to their end."""
    end = at + k.shape[-2]
    cache["k"][layer, :, at:end], cache["v"][layer, :, at:end] = k, v
    return cache["k"][layer, :, :end], cache["v"][layer, :, :end]


def overwrites_position_0(cache, layer, k, v):
    """You write at position 0, over the old ones; the new ones come after them, from n_past on."""
    return write(cache, layer, k, v, 0)


def overwrites_the_last(cache, layer, k, v):
    """Old positions are 0 to n_past - 1, so that n_past is the first free one, not n_past - 1."""
    return write(cache, layer, k, v, max(cache["n_past"] - 1, 0))


def leaves_a_gap(cache, layer, k, v):
    """The first free position is n_past, and not n_past + 1."""
    return write(cache, layer, k, v, cache["n_past"] + 1)


def only_new_returned(cache, layer, k, v):
    """What is returned are the old and the new keys and values, and not the new ones alone."""
    append_to_cache(cache, layer, k, v)
    return k, v


def all_room_returned(cache, layer, k, v):
    """You return the room that is not filled yet, too: cut at n_past + n_seq."""
    append_to_cache(cache, layer, k, v)
    return cache["k"][layer], cache["v"][layer]


def always_first_layer(cache, layer, k, v):
    """Each layer has a place of its own in the cache: write into that of `layer`."""
    return append_to_cache(cache, 0, k, v)


def moves_on(cache, layer, k, v):
    """n_past stays: the next layer still has to write at the same positions."""
    found = append_to_cache(cache, layer, k, v)
    cache["n_past"] += k.shape[-2]
    return found


def not_kept(cache, layer, k, v):
    """What you return is right, but the new ones are not in the cache for the next time."""
    n_past = cache["n_past"]
    old = cache["k"][layer, :, :n_past], cache["v"][layer, :, :n_past]
    return np.concatenate([old[0], k], axis=-2), np.concatenate([old[1], v], axis=-2)


def appended(cache, layer, k, v):
    cache = {"k": cache["k"].copy(), "v": cache["v"].copy(), "n_past": cache["n_past"]}
    all_k, all_v = append_to_cache(cache, layer, k, v)
    returned = {"returned k": all_k, "returned v": all_v}
    return {**returned, "k": cache["k"], "v": cache["v"], "n_past": cache["n_past"]}


APPEND_MISTAKES = (
    *(overwrites_position_0, overwrites_the_last, leaves_a_gap, only_new_returned),
    *(all_room_returned, always_first_layer, moves_on, not_kept),
)


@question(append_to_cache, 2, APPEND_MISTAKES)
def append_values(ask, rng):
    """After the old positions, in the layer's place"""
    for layer, dtype in ((1, np.float64), (0, np.float32)):
        cache = used_cache(rng, *random_params(rng, n_layer=2, dtype=dtype))
        _, n_head, _, n_head_dim = cache["k"].shape
        shape = (n_head, int(rng.integers(1, 4)), n_head_dim)
        k, v = normal(rng, shape, dtype), normal(rng, shape, dtype)
        ask(appended, cache, layer, k, v, clue=where_in_the_cache)
        # The first positions, the last one, the last two, and all at once
        n_ctx = cache["k"].shape[-2]
        for n_past, n_seq in ((0, 2), (n_ctx - 1, 1), (n_ctx - 2, 2), (0, n_ctx)):
            k, v = (normal(rng, (n_head, n_seq, n_head_dim), dtype) for _ in range(2))
            ask(appended, cache | {"n_past": n_past}, layer, k, v, clue=where_in_the_cache)


def heads_of(x, c_attn, n_head):
    """q, k and v, [n_head, n_seq, n_head_dim] each."""
    return (split_heads(part, n_head) for part in np.split(linear(x, **c_attn), 3, axis=-1))


def masked(q, k, v, c_proj, mask):
    """Attention with some mask, to the end."""
    weights = softmax(q @ k.swapaxes(-1, -2) / math.sqrt(q.shape[-1]) + mask)
    return linear(merge_heads(weights @ v), **c_proj)


def past_not_seen(x, c_attn, c_proj, *, n_head, cache, layer):
    """The queries see the new positions only: take the keys and values that come back."""
    q, k, v = heads_of(x, c_attn, n_head)
    append_to_cache(cache, layer, k, v)
    return linear(merge_heads(causal_attention(q, k, v)), **c_proj)


def mask_without_past(x, c_attn, c_proj, *, n_head, cache, layer):
    """Your mask is off by the cache's length: row i stands at position n_past + i, and not i."""
    q, k, v = heads_of(x, c_attn, n_head)
    k, v = append_to_cache(cache, layer, k, v)
    future = np.triu(np.ones((q.shape[-2], k.shape[-2])), k=1)
    return masked(q, k, v, c_proj, np.where(future, -np.inf, 0.0).astype(x.dtype))


def no_mask(x, c_attn, c_proj, *, n_head, cache, layer):
    """One new position may see everything, but of several none may see those after it."""
    q, k, v = heads_of(x, c_attn, n_head)
    return masked(q, *append_to_cache(cache, layer, k, v), c_proj, 0.0)


def nothing_kept(x, c_attn, c_proj, *, n_head, cache, layer):
    """The result is right, but the new keys and values are not in the cache afterwards."""
    copy = {"k": cache["k"].copy(), "v": cache["v"].copy(), "n_past": cache["n_past"]}
    return cached_attention(x, c_attn, c_proj, n_head=n_head, cache=copy, layer=layer)


def layer_not_passed(x, c_attn, c_proj, *, n_head, cache, layer):
    """You write into the place of layer 0, whatever `layer` is."""
    return cached_attention(x, c_attn, c_proj, n_head=n_head, cache=cache, layer=0)


def attention_moves_on(x, c_attn, c_proj, *, n_head, cache, layer):
    """n_past stays: the next layer still has to write at the same positions."""
    y = cached_attention(x, c_attn, c_proj, n_head=n_head, cache=cache, layer=layer)
    cache["n_past"] += len(x)
    return y


def keys_and_values_swapped(x, c_attn, c_proj, *, n_head, cache, layer):
    """append_to_cache takes the keys first, and then the values."""
    q, k, v = heads_of(x, c_attn, n_head)
    v, k = append_to_cache(cache, layer, v, k)
    return linear(merge_heads(causal_attention(q, k, v)), **c_proj)


def no_projection(x, c_attn, c_proj, *, n_head, cache, layer):
    """The projection c_proj at the end is missing."""
    q, k, v = heads_of(x, c_attn, n_head)
    return merge_heads(causal_attention(q, *append_to_cache(cache, layer, k, v)))


def attended(x, c_attn, c_proj, n_head, cache, layer):
    cache = {"k": cache["k"].copy(), "v": cache["v"].copy(), "n_past": cache["n_past"]}
    y = cached_attention(x, c_attn, c_proj, n_head=n_head, cache=cache, layer=layer)
    return {"returned": y, "k": cache["k"], "v": cache["v"], "n_past": cache["n_past"]}


ATTENTION_MISTAKES = (
    *(past_not_seen, mask_without_past, no_mask, nothing_kept, layer_not_passed),
    *(attention_moves_on, keys_and_values_swapped, no_projection),
)


@question(cached_attention, 3, ATTENTION_MISTAKES)
def attention_values(ask, rng):
    """New queries see old and new keys"""
    params, n_head = random_params(rng, n_layer=2)
    n_ctx = len(params["wpe"])
    for layer, n_seq, n_past in ((1, 3, None), (0, 1, None), (1, 2, 0), (0, 2, n_ctx - 2)):
        cache = used_cache(rng, params, n_head, n_past)
        x = normal(rng, (n_seq, params["wte"].shape[-1]))
        ask(attended, x, **params["h"][layer]["attn"], n_head=n_head, cache=cache, layer=layer)
    # Scores so large that a mask of -10,000 would hide nothing; and float32
    attn, cache = params["h"][1]["attn"], used_cache(rng, params, n_head, n_past=0)
    x = 300.0 * normal(rng, (n_ctx, params["wte"].shape[-1]))
    ask(attended, x, **attn, n_head=n_head, cache=cache, layer=1)
    params, n_head = random_params(rng, n_layer=2, dtype=np.float32)
    cache = used_cache(rng, params, n_head)
    x = normal(rng, (2, params["wte"].shape[-1]), np.float32)
    ask(attended, x, **params["h"][1]["attn"], n_head=n_head, cache=cache, layer=1)


def through_blocks(x, h, n_head, cache, layers):
    """The stream after all blocks; layers: which place in the cache each one takes."""
    for layer, block in zip(layers, h, strict=True):
        normed = layer_norm(x, **block["ln_1"])
        x = x + cached_attention(normed, **block["attn"], n_head=n_head, cache=cache, layer=layer)
        x = x + multilayer_perceptron(layer_norm(x, **block["ln_2"]), **block["mlp"])
    return x
