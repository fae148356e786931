"""Assignment 3 with ALiBi: positions are told by the distance of query and key, not learned."""

import math
from dataclasses import replace

import numpy as np

from ...model import (
    embed,
    gpt2,
    merge_heads,
    multilayer_perceptron,
    self_attention,
    split_heads,
    transformer_block,
    unembed,
)
from ...ops import causal_attention, causal_mask, layer_norm, linear, softmax
from ..assignment import normal, question, together
from .a3_1_attention import attention_values, self_attention_values
from .a3_assignment import A3, block_values
from .a3_inputs import random_params


def alibi_bias(n_head: int, n_seq: int, n_past: int, dtype: np.dtype) -> np.ndarray:
    """What is added to each head's scores: -> [n_head, n_seq, n_past + n_seq].

    Row i is the query at position n_past + i. For a key d positions before it the bias of head h
    (0, 1, ...) is -d * slope, where the slope is 2^(-8 (h + 1) / n_head): far keys count less, in
    each head to another degree. For the keys that come later it is minus infinity.

    Source: Press et al. 2022, section 3.
    """
    distance = (n_past + np.arange(n_seq))[:, None] - np.arange(n_past + n_seq)
    slopes = 2.0 ** (-8.0 * np.arange(1, n_head + 1) / n_head)
    bias = np.where(distance >= 0, -slopes[:, None, None] * distance, -np.inf)
    return bias.astype(dtype)


def alibi_attention(q: np.ndarray, k: np.ndarray, v: np.ndarray) -> np.ndarray:
    """Each position's mean of the values up to it, weighted by fit and by distance.

    q: [..., n_head, n_seq, n_head_dim]; k, v: [..., n_head, n_past + n_seq, n_head_dim], where
    the queries are those of the last n_seq positions; returns what has the shape of q.

        softmax(q k^T / sqrt(n_head_dim) + alibi_bias) v
    """
    n_head, n_seq, n_head_dim = q.shape[-3:]
    scores = (q * (1.0 / math.sqrt(n_head_dim))) @ k.swapaxes(-1, -2)
    scores += alibi_bias(n_head, n_seq, k.shape[-2] - n_seq, scores.dtype)
    return softmax(scores) @ v


def alibi_self_attention(x: np.ndarray, c_attn: dict, c_proj: dict, *, n_head: int) -> np.ndarray:
    """Multi-head causal self-attention with ALiBi: [..., n_seq, n_embd] -> [..., n_seq, n_embd]."""
    q, k, v = (split_heads(part, n_head) for part in np.split(linear(x, **c_attn), 3, axis=-1))
    return linear(merge_heads(alibi_attention(q, k, v)), **c_proj)


def alibi_block(
    x: np.ndarray, ln_1: dict, attn: dict, ln_2: dict, mlp: dict, *, n_head: int
) -> np.ndarray:
    """Attention, then the perceptron, each adding to the residual stream: [..., n_seq, n_embd].

    The norm comes first in each branch, and attention is that of alibi_self_attention.
    """
    x = x + alibi_self_attention(layer_norm(x, **ln_1), **attn, n_head=n_head)
    return x + multilayer_perceptron(layer_norm(x, **ln_2), **mlp)


def embed_tokens(ids, wte: np.ndarray) -> np.ndarray:
    """What each token is, and nothing about where it stands: ids [..., n_seq] -> [..., n_embd].

    wte: [n_vocab, n_embd]. Raises ValueError if an id is not in the vocabulary.
    """
    ids = np.asarray(ids)
    if ids.min() < 0 or ids.max() >= len(wte):
        raise ValueError("an id is not in the vocabulary")
    return wte[ids]


def alibi_gpt2(ids, wte: np.ndarray, h: list[dict], ln_f: dict, *, n_head: int) -> np.ndarray:
    """GPT-2 with ALiBi: ids [..., n_seq] -> logits [..., n_seq, n_vocab].

    Raises ValueError for an id outside the vocabulary. There is no largest number of positions.
    """
    x = embed_tokens(ids, wte)
    for block in h:
        x = alibi_block(x, **block, n_head=n_head)
    return unembed(x, wte, ln_f)


def mask_alone(n_head, n_seq, n_past, dtype):
    """The distance is missing: this is the causal mask alone."""
    return np.tile(causal_mask(n_seq, n_past, dtype), (n_head, 1, 1))


def far_keys_favoured(n_head, n_seq, n_past, dtype):
    """The sign is wrong: a key that is far away gets a lower score, and not a higher one."""
    return np.where((b := alibi_bias(n_head, n_seq, n_past, dtype)) > -np.inf, -b, b)


def future_not_masked(n_head, n_seq, n_past, dtype):
    """The future is not masked: later keys get minus infinity."""
    distance = (n_past + np.arange(n_seq))[:, None] - np.arange(n_past + n_seq)
    slopes = 2.0 ** (-8.0 * np.arange(1, n_head + 1) / n_head)
    return (-slopes[:, None, None] * distance).astype(dtype)


def past_forgotten(n_head, n_seq, n_past, dtype):
    """Row i stands at position n_past + i, and not i."""
    bias = alibi_bias(n_head, n_seq, 0, dtype)
    return np.concatenate([bias, np.full((n_head, n_seq, n_past), -np.inf, dtype)], axis=-1)


def slopes_from_one(n_head, n_seq, n_past, dtype):
    """The first head's slope is 2^(-8 / n_head), and not 1: count the heads from 1."""
    return (alibi_bias(n_head, n_seq, n_past, np.float64) * 2.0 ** (8.0 / n_head)).astype(dtype)


def same_slope(n_head, n_seq, n_past, dtype):
    """Each head has a slope of its own."""
    return np.tile(alibi_bias(n_head, n_seq, n_past, dtype)[:1], (n_head, 1, 1))


def bias(n_head, n_seq, n_past, kind):
    return alibi_bias(n_head, n_seq, n_past, np.dtype(kind))


BIAS_MISTAKES = (
    *(mask_alone, far_keys_favoured, future_not_masked, past_forgotten),
    *(slopes_from_one, same_slope),
)


@question(alibi_bias, 3, BIAS_MISTAKES)
def bias_values(ask, rng):
    """Minus slope times distance, and no future"""
    n_head, n_seq, n_past = map(int, rng.permutation(np.arange(2, 5)))
    for past, kind in ((0, "float32"), (n_past, "float64")):
        ask(bias, n_head, n_seq, past, kind)
    n_seq, n_past = map(int, rng.integers(20, 90, size=2))
    for n_head in (1, 8):
        ask(bias, n_head, n_seq, 0, "float64")
        ask(bias, n_head, 1, n_past, "float32")


def no_bias(q, k, v):
    """This is attention without ALiBi: what is added to the scores is alibi_bias."""
    return causal_attention(q, k, v)


def bias_scaled_too(q, k, v):
    """Only q k^T is divided by sqrt(n_head_dim), and not the bias."""
    scale = math.sqrt(q.shape[-1])
    scores = q @ k.swapaxes(-1, -2)
    return softmax((scores + alibi_bias_of(q, k)) / scale) @ v


def bias_after_the_softmax(q, k, v):
    """The bias is added to the scores, before the softmax."""
    n_past = k.shape[-2] - q.shape[-2]
    mask = causal_mask(q.shape[-2], n_past, q.dtype)
    weights = softmax(q @ k.swapaxes(-1, -2) / math.sqrt(q.shape[-1]) + mask)
    return (weights + np.maximum(alibi_bias_of(q, k), -1e9)) @ v


def alibi_bias_of(q, k):
    """The bias for queries q and keys k."""
    return alibi_bias(q.shape[-3], q.shape[-2], k.shape[-2] - q.shape[-2], q.dtype)


alibi_attention_values = replace(
    attention_values,
    function=alibi_attention,
    mistakes=(no_bias, bias_scaled_too, bias_after_the_softmax),
)


def plain_attention(x, c_attn, c_proj, *, n_head):
    """This is self-attention without ALiBi: call alibi_attention."""
    return self_attention(x, c_attn, c_proj, n_head=n_head)


def no_projection(x, c_attn, c_proj, *, n_head):
    """The projection c_proj at the end is missing."""
    q, k, v = (split_heads(part, n_head) for part in np.split(linear(x, **c_attn), 3, axis=-1))
    return merge_heads(alibi_attention(q, k, v))


alibi_self_attention_values = replace(
    self_attention_values,
    function=alibi_self_attention,
    mistakes=(plain_attention, no_projection),
)


def plain_block(x, ln_1, attn, ln_2, mlp, *, n_head):
    """This is the block without ALiBi: call alibi_self_attention."""
    return transformer_block(x, ln_1, attn, ln_2, mlp, n_head=n_head)


def norm_after_the_sum(x, ln_1, attn, ln_2, mlp, *, n_head):
    """You normalise after each sum; GPT-2 normalises what goes into each branch."""
    x = layer_norm(x + alibi_self_attention(x, **attn, n_head=n_head), **ln_1)
    return layer_norm(x + multilayer_perceptron(x, **mlp), **ln_2)


alibi_block_values = replace(
    block_values, function=alibi_block, mistakes=(plain_block, norm_after_the_sum)
)


@question(embed_tokens, 1)
def token_values(ask, rng):
    """The token's row of wte"""
    for shape in ((5,), (3, 4)):
        ask(embed_tokens, rng.integers(6, size=shape), normal(rng, (6, 2)))
    ask(embed_tokens, [5, 0, 5], normal(rng, (6, 2)))  # the first, the last, one twice


def ids_not_checked(ids, wte):
    """NumPy takes the id -1 from the end: look at the smallest and the largest id first."""
    return wte[ids]


@question(embed_tokens, 1, (ids_not_checked,))
def token_refuses(ask, rng):
    """An id outside the vocabulary is a ValueError"""
    ask.accepts(embed_tokens, np.array([0, 5, 0]), normal(rng, (6, 2)))
    for wrong in (-1, 6, -6, 1000):
        for place in (0, 2, 4):
            ids = rng.integers(6, size=5)
            ids[place] = wrong
            ask.refuses(embed_tokens, ids, normal(rng, (6, 2)))


def no_last_norm(ids, wte, h, ln_f, *, n_head):
    """The layer norm ln_f before the logits is missing."""
    x = embed_tokens(ids, wte)
    for block in h:
        x = alibi_block(x, **block, n_head=n_head)
    return x @ wte.T


def blocks_not_chained(ids, wte, h, ln_f, *, n_head):
    """Each block takes what the block before it has made, and not the embeddings again."""
    return alibi_gpt2(ids, wte, h[-1:], ln_f, n_head=n_head)


def random_model(rng, n_layer, dtype=np.float64):
    """Parameters without wpe, and ids of several shapes."""
    params, n_head = random_params(rng, n_layer, dtype)
    del params["wpe"]
    ids = [rng.integers(len(params["wte"]), size=shape) for shape in ((6,), (2, 4))]
    return {**params, "n_head": n_head}, ids


@question(alibi_gpt2, 3, (no_last_norm, blocks_not_chained))
def alibi_gpt2_values(ask, rng):
    """From ids to logits"""
    model, several = random_model(rng, n_layer=2)
    for ids in several:
        ask(alibi_gpt2, ids, **model)
    ask(alibi_gpt2, [int(several[0][0])], **model)
    ask(alibi_gpt2, rng.integers(len(model["wte"]), size=30), **model)  # more than n_ctx
    ask.refuses(alibi_gpt2, np.append(several[0], -1), **model)


@together(4)
def whole_alibi_model(ask, rng):
    """GPT-2 with ALiBi from your own functions"""
    model, several = random_model(rng, n_layer=3, dtype=np.float32)
    for ids in several:
        ask(alibi_gpt2, ids, **model)


A3_ALIBI = A3.variant(
    "alibi",
    "attention and GPT-2, with ALiBi",
    {
        causal_mask: alibi_bias,
        causal_attention: alibi_attention,
        self_attention: alibi_self_attention,
        transformer_block: alibi_block,
        embed: embed_tokens,
        gpt2: alibi_gpt2,
    },
    (
        *(bias_values, alibi_attention_values, alibi_self_attention_values),
        *(alibi_block_values, token_values, token_refuses, alibi_gpt2_values, whole_alibi_model),
    ),
)
