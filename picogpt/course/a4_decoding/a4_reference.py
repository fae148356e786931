"""What assignment 4 asks for, where the library's own form does not suit students.

The cache is a dict here, and each method of model.KVCache a function, so that each can be written,
checked and replaced by itself. The random number and the model are arguments, so that a function's
result follows from what is passed to it.
"""

from collections.abc import Callable

import numpy as np

from ...decoding.sampling import keep_top_k, keep_top_p
from ...model import embed, merge_heads, multilayer_perceptron, split_heads, unembed
from ...ops import causal_attention, layer_norm, linear, softmax


def new_cache(params: dict, n_head: int) -> dict:
    """An empty cache: {"k": keys, "v": values, "n_past": 0}.

    params: the tree of GPT-2's parameters. Keys and values are two arrays of the parameters' dtype,
    [n_layer, n_head, n_ctx, n_head_dim] each, with room for all positions that the model knows. Up
    to position n_past they are filled; what stands after it means nothing.
    """
    n_ctx, n_embd = params["wpe"].shape
    shape = (len(params["h"]), n_head, n_ctx, n_embd // n_head)
    dtype = params["wpe"].dtype
    return {"k": np.zeros(shape, dtype), "v": np.zeros(shape, dtype), "n_past": 0}


def append_to_cache(
    cache: dict, layer: int, k: np.ndarray, v: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Write a layer's new k, v [n_head, n_seq, n_head_dim] after its n_past old ones.

    Returns that layer's keys and values, old and new: [n_head, n_past + n_seq, n_head_dim] each.
    n_past stays as it is: it moves on only when all layers have written.
    """
    end = cache["n_past"] + k.shape[-2]
    cache["k"][layer, :, cache["n_past"] : end] = k
    cache["v"][layer, :, cache["n_past"] : end] = v
    return cache["k"][layer, :, :end], cache["v"][layer, :, :end]


def cached_attention(
    x: np.ndarray, c_attn: dict, c_proj: dict, *, n_head: int, cache: dict, layer: int
) -> np.ndarray:
    """Multi-head causal self-attention with a cache: [n_seq, n_embd] -> [n_seq, n_embd].

    The n_seq positions of x follow those of the cache. Each attends to all old positions, and to
    the new ones up to its own. Their keys and values join the cache, as append_to_cache does it.
    """
    q, k, v = (split_heads(part, n_head) for part in np.split(linear(x, **c_attn), 3, axis=-1))
    k, v = append_to_cache(cache, layer, k, v)
    return linear(merge_heads(causal_attention(q, k, v)), **c_proj)


def cached_gpt2(
    ids, wte: np.ndarray, wpe: np.ndarray, h: list[dict], ln_f: dict, *, n_head: int, cache: dict
) -> np.ndarray:
    """GPT-2 with a cache: ids [n_seq] -> logits [n_seq, n_vocab], scores for the token after each.

    The ids follow the cache's n_past positions, and join them. A text that is read in pieces has
    the same logits as one that is read at once.
    """
    x = embed(ids, wte, wpe, cache["n_past"])
    for layer, block in enumerate(h):
        normed = layer_norm(x, **block["ln_1"])
        x = x + cached_attention(normed, **block["attn"], n_head=n_head, cache=cache, layer=layer)
        x = x + multilayer_perceptron(layer_norm(x, **block["ln_2"]), **block["mlp"])
    cache["n_past"] += len(ids)
    return unembed(x, wte, ln_f)


def draw(logits: np.ndarray, u: float) -> int:
    """The id of one token, drawn with the probabilities softmax(logits): [n_vocab] -> id.

    u: a random number, 0 <= u < 1. On the line from 0 to 1 each token has a piece as long as its
    probability, side by side in the order of the ids; u falls on the piece of the one that is
    drawn. A token of probability 0 has no piece, and is never drawn.
    """
    allowed = np.flatnonzero(logits > -np.inf)
    ends = np.cumsum(softmax(logits[allowed]), dtype=np.float64)
    return int(allowed[np.searchsorted(ends / ends[-1], u, side="right")])


def choose_token(
    logits: np.ndarray, u: float, *, temperature: float, top_k: int | None, top_p: float | None
) -> int:
    """The id of the next token, from the logits for it and a random number u: [n_vocab] -> id.

    A temperature of 0 takes the likeliest token. Otherwise, in this order: the logits are divided
    by the temperature; keep_top_k, unless top_k is None; keep_top_p, unless top_p is None; draw.
    """
    if temperature == 0:
        return int(logits.argmax())
    logits = logits / temperature
    if top_k is not None:
        logits = keep_top_k(logits, top_k)
    if top_p is not None:
        logits = keep_top_p(logits, top_p)
    return draw(logits, u)


def generate(
    ids: list[int],
    n_new: int,
    read: Callable[[list[int]], np.ndarray],
    choose: Callable[[np.ndarray], int],
) -> list[int]:
    """Write n_new tokens after the prompt ids: -> their ids.

    read(ids): the model reads on, and returns logits [n_seq, n_vocab], scores for the token after
    each of the ids. It remembers what it has read (in its cache), so every token is read once. The
    last new one is not read: nobody asks what comes after it.
    choose(logits): a token's id, from the logits [n_vocab] for it.
    """
    written = []
    for _ in range(n_new):
        token = choose(read(ids)[-1])
        written.append(token)
        ids = [token]
    return written
