"""Assignment 4 with a window, second half: attention and GPT-2 on such a cache."""

import numpy as np

from ...model import embed, merge_heads, multilayer_perceptron, split_heads, unembed
from ...ops import causal_attention, layer_norm, linear
from ..a3_model.a3_inputs import random_params
from ..assignment import normal, question, together
from .a4_1_cache import heads_of, masked
from .a4_assignment import A4, random_ids
from .a4_reference import (
    append_to_cache,
    cached_attention,
    cached_gpt2,
    choose_token,
    generate,
    new_cache,
)
from .a4_window_cache import (
    append_to_window,
    append_values,
    new_window,
    new_window_sizes,
    used_window,
)


def window_attention(
    x: np.ndarray, c_attn: dict, c_proj: dict, *, n_head: int, cache: dict, layer: int
) -> np.ndarray:
    """Multi-head self-attention of one position to those in the window: [1, n_embd] -> same.

    It attends to itself and to what the window holds of those before it. Its keys and values join
    the window first, as append_to_window does it.
    """
    q, k, v = (split_heads(part, n_head) for part in np.split(linear(x, **c_attn), 3, axis=-1))
    k, v = append_to_window(cache, layer, k, v)
    return linear(merge_heads(causal_attention(q, k, v)), **c_proj)


def window_gpt2(
    ids, wte: np.ndarray, wpe: np.ndarray, h: list[dict], ln_f: dict, *, n_head: int, cache: dict
) -> np.ndarray:
    """GPT-2 with a window: ids [n_seq] -> logits [n_seq, n_vocab], scores for the token after each.

    The ids follow the n_past positions that have been read, and are read one after the other. In
    each layer a position attends to the last n_window positions, itself included.
    """
    rows = []
    for token in ids:
        x = embed([token], wte, wpe, cache["n_past"])
        for layer, block in enumerate(h):
            y = layer_norm(x, **block["ln_1"])
            x = x + window_attention(y, **block["attn"], n_head=n_head, cache=cache, layer=layer)
            x = x + multilayer_perceptron(layer_norm(x, **block["ln_2"]), **block["mlp"])
        cache["n_past"] += 1
        rows.append(unembed(x, wte, ln_f))
    return np.concatenate(rows)


def past_not_seen(x, c_attn, c_proj, *, n_head, cache, layer):
    """The query sees its own position only: take the keys and values that come back."""
    q, k, v = heads_of(x, c_attn, n_head)
    append_to_window(cache, layer, k, v)
    return linear(merge_heads(causal_attention(q, k, v)), **c_proj)


def masked_by_place(x, c_attn, c_proj, *, n_head, cache, layer):
    """You mask keys by their places in the window: all of them belong to earlier positions."""
    q, k, v = heads_of(x, c_attn, n_head)
    k, v = append_to_window(cache, layer, k, v)
    place = cache["n_past"] % cache["k"].shape[-2]
    return masked(q, k, v, c_proj, np.where(np.arange(k.shape[-2]) > place, -np.inf, 0.0))


def layer_not_passed(x, c_attn, c_proj, *, n_head, cache, layer):
    """You write into the place of layer 0, whatever `layer` is."""
    return window_attention(x, c_attn, c_proj, n_head=n_head, cache=cache, layer=0)


def attention_moves_on(x, c_attn, c_proj, *, n_head, cache, layer):
    """n_past stays: the next layer still has to write the same position."""
    y = window_attention(x, c_attn, c_proj, n_head=n_head, cache=cache, layer=layer)
    cache["n_past"] += 1
    return y


def no_projection(x, c_attn, c_proj, *, n_head, cache, layer):
    """The projection c_proj at the end is missing."""
    q, k, v = heads_of(x, c_attn, n_head)
    return merge_heads(causal_attention(q, *append_to_window(cache, layer, k, v)))


def attended(x, c_attn, c_proj, n_head, cache, layer):
    cache = {"k": cache["k"].copy(), "v": cache["v"].copy(), "n_past": cache["n_past"]}
    y = window_attention(x, c_attn, c_proj, n_head=n_head, cache=cache, layer=layer)
    return {"returned": y, "k": cache["k"], "v": cache["v"], "n_past": cache["n_past"]}


ATTENTION_MISTAKES = (
    *(past_not_seen, masked_by_place, layer_not_passed),
    *(attention_moves_on, no_projection),
)


@question(window_attention, 3, ATTENTION_MISTAKES)
def attention_values(ask, rng):
    """A query sees what the window holds"""
    params, n_head = random_params(rng, n_layer=2)
    for layer, n_past in ((1, 2), (0, 5), (1, 0), (0, 12), (1, 40)):
        cache = used_window(rng, params, n_head, n_past)
        x = normal(rng, (1, params["wte"].shape[-1]))
        ask(attended, x, **params["h"][layer]["attn"], n_head=n_head, cache=cache, layer=layer)


def read_through(ids, wte, wpe, h, ln_f, n_head, cache, place=None, layers=None):
    """window_gpt2, with another position for a token's embedding, or other places of the layers."""
    rows = []
    for token in ids:
        n_past = cache["n_past"]
        x = embed([token], wte, wpe, n_past if place is None else place(n_past))
        for layer, block in zip(layers or range(len(h)), h, strict=True):
            y = layer_norm(x, **block["ln_1"])
            x = x + window_attention(y, **block["attn"], n_head=n_head, cache=cache, layer=layer)
            x = x + multilayer_perceptron(layer_norm(x, **block["ln_2"]), **block["mlp"])
        cache["n_past"] += 1
        rows.append(unembed(x, wte, ln_f))
    return np.concatenate(rows)


def all_at_once(ids, wte, wpe, h, ln_f, *, n_head, cache):
    """The ids are read one after the other: several would overwrite what the first of them need."""
    x = embed(ids, wte, wpe, cache["n_past"])
    for layer, block in enumerate(h):
        y = layer_norm(x, **block["ln_1"])
        x = x + window_attention(y, **block["attn"], n_head=n_head, cache=cache, layer=layer)
        x = x + multilayer_perceptron(layer_norm(x, **block["ln_2"]), **block["mlp"])
    cache["n_past"] += len(ids)
    return unembed(x, wte, ln_f)


def positions_in_the_window(ids, wte, wpe, h, ln_f, *, n_head, cache):
    """embed is told the position in the text, n_past, and not the place in the window."""
    n_window = cache["k"].shape[-2]
    return read_through(ids, wte, wpe, h, ln_f, n_head, cache, place=lambda n: n % n_window)


def positions_from_0(ids, wte, wpe, h, ln_f, *, n_head, cache):
    """Your positions are all 0: the next id stands at position n_past, tell embed so."""
    return read_through(ids, wte, wpe, h, ln_f, n_head, cache, place=lambda n: 0)


def same_place_for_all(ids, wte, wpe, h, ln_f, *, n_head, cache):
    """Each block needs its own part of the cache: pass its number as `layer`."""
    return read_through(ids, wte, wpe, h, ln_f, n_head, cache, layers=[0] * len(h))


def never_moves_on(ids, wte, wpe, h, ln_f, *, n_head, cache):
    """n_past has to move on after each id, or the next one overwrites its keys and values."""
    rows = []
    for token in ids:
        rows.append(window_gpt2([token], wte, wpe, h, ln_f, n_head=n_head, cache=cache))
        cache["n_past"] -= 1
    return np.concatenate(rows)


def last_logits_only(ids, wte, wpe, h, ln_f, *, n_head, cache):
    """The logits after each of the ids are wanted, and not only those after the last one."""
    return window_gpt2(ids, wte, wpe, h, ln_f, n_head=n_head, cache=cache)[-1]


def read_in_pieces(pieces, params, n_head, n_window):
    cache = new_window(params, n_head, n_window)
    logits = [window_gpt2(ids, **params, n_head=n_head, cache=cache) for ids in pieces]
    return {"logits of each piece": logits, "n_past": cache["n_past"]}


GPT2_MISTAKES = (
    *(all_at_once, positions_in_the_window, positions_from_0, same_place_for_all),
    *(never_moves_on, last_logits_only),
)


@question(window_gpt2, 3, GPT2_MISTAKES)
def gpt2_values(ask, rng):
    """Each position sees the last n_window"""
    params, n_head = random_params(rng, n_layer=2)
    for lengths in ((2, 1, 3), (1, 4, 2)):
        pieces = [random_ids(rng, params, n) for n in lengths]
        ask(read_in_pieces, pieces, params, n_head, 3)
    n_ctx = len(params["wpe"])
    for n_window in (1, n_ctx, 2 * n_ctx):  # to the last position that there is
        ask(read_in_pieces, [random_ids(rng, params, n_ctx)], params, n_head, n_window)


def text_with_window(prompt, n_new, numbers, params, n_head, n_window, temperature, top_k, top_p):
    cache = new_window(params, n_head, n_window)
    numbers = iter(numbers)

    def read(ids):
        return window_gpt2(ids, **params, n_head=n_head, cache=cache)

    def choose(logits):
        settings = {"temperature": temperature, "top_k": top_k, "top_p": top_p}
        return choose_token(logits, next(numbers), **settings)

    tokens = list(generate(prompt, n_new, read, choose))
    return {"tokens": tokens, "n_past": cache["n_past"]}


@together(3)
def whole_text_with_window(ask, rng):
    """Text from your own window and sampler"""
    params, n_head = random_params(rng, n_layer=2)
    for temperature, top_k, top_p in ((0.0, None, None), (1.5, 6, 0.9)):
        prompt, numbers = random_ids(rng, params, 4), rng.random(8).tolist()
        ask(text_with_window, prompt, 5, numbers, params, n_head, 3, temperature, top_k, top_p)


A4_WINDOW = A4.variant(
    "window",
    "the KV cache and decoding, with a window",
    {
        new_cache: new_window,
        append_to_cache: append_to_window,
        cached_attention: window_attention,
        cached_gpt2: window_gpt2,
    },
    (new_window_sizes, append_values, attention_values, gpt2_values, whole_text_with_window),
)
