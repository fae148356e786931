"""Assignment 3, first half: attention, and what is often written instead."""

import math

import numpy as np

from ...model import merge_heads, self_attention, split_heads
from ...ops import causal_attention, causal_mask, linear, softmax
from ..assignment import normal, question
from .a3_inputs import random_input, random_params


def who_sees_what(got, expected):
    """The first place where the student's weights are not 0 and ours are, or the other way."""
    if not (isinstance(got, np.ndarray) and got.shape == expected.shape):
        return None
    if len(places := np.argwhere((got != 0) & (expected == 0))):
        return "Row {} attends to column {}, which comes later.".format(*places[0][-2:])
    if len(places := np.argwhere((got == 0) & (expected != 0))):
        return "Row {} does not attend to column {}, which it may see.".format(*places[0][-2:])
    return None


def who_is_masked(got, expected):
    """The same for masks, where minus infinity is what may not be seen."""
    if not (isinstance(got, np.ndarray) and got.shape == expected.shape):
        return None
    return who_sees_what(1.0 * (got != -np.inf), 1.0 * (expected == 0))


def one_too_few(n_seq, n_past, dtype):
    """Each row may see its own position too: your mask begins one column too early."""
    return np.triu(np.full((n_seq, n_past + n_seq), -np.inf, dtype), k=n_past)


def one_too_many(n_seq, n_past, dtype):
    """Your mask begins one column too late."""
    return np.triu(np.full((n_seq, n_past + n_seq), -np.inf, dtype), k=n_past + 2)


def past_forgotten(n_seq, n_past, dtype):
    """Row i stands at position n_past + i, and not i: it sees n_past columns more."""
    return np.triu(np.full((n_seq, n_past + n_seq), -np.inf, dtype), k=1)


def past_instead_of_future(n_seq, n_past, dtype):
    """You have hidden the past, and not the future."""
    return np.tril(np.full((n_seq, n_past + n_seq), -np.inf, dtype), k=n_past - 1)


def ones_and_zeros(n_seq, n_past, dtype):
    """What is added to the scores is 0 where one may look, and minus infinity where not."""
    return np.tril(np.ones((n_seq, n_past + n_seq), dtype), k=n_past)


def not_infinite(n_seq, n_past, dtype):
    """A large number such as -1e10 is not minus infinity: scores can be large too."""
    return np.triu(np.full((n_seq, n_past + n_seq), -1e10, dtype), k=n_past + 1)


MASK_MISTAKES = (
    *(one_too_few, one_too_many, past_forgotten, past_instead_of_future),
    *(ones_and_zeros, not_infinite),
)


def mask(n_seq, n_past, kind):
    return causal_mask(n_seq, n_past, np.dtype(kind))


@question(causal_mask, 2, MASK_MISTAKES)
def mask_values(ask, rng):
    """0 for what may be seen, minus infinity for the future"""
    n_seq = int(rng.integers(3, 6))
    for n_past, kind in ((0, "float32"), (int(rng.integers(1, 4)), "float64")):
        ask(mask, n_seq, n_past, kind, clue=who_is_masked)
    # A single row; more rows than columns before them, and fewer
    few, many = int(rng.integers(2, 5)), int(rng.integers(50, 1000))
    ask(mask, 1, many, "float32", clue=who_is_masked)
    for n_seq, n_past in ((few, many % 50 + 7), (many % 50 + 7, few)):
        ask(mask, n_seq, n_past, "float64", clue=who_is_masked)
    # Two rows; the same shape in each type
    for n_seq, kind in ((2, "float32"), (3, "float16"), (3, "float32"), (3, "float64")):
        ask(mask, n_seq, 1, kind, clue=who_is_masked)


def scores_of(q, k):
    """q k^T / sqrt(n_head_dim) and the mask of what may not be seen: [..., n_seq, n_keys]."""
    mask = causal_mask(q.shape[-2], k.shape[-2] - q.shape[-2], q.dtype)
    return q @ k.swapaxes(-1, -2) / math.sqrt(q.shape[-1]), mask


def no_scale(q, k, v):
    """The scores are not divided by sqrt(n_head_dim)."""
    return causal_attention(q * math.sqrt(q.shape[-1]), k, v)


def root_of_scale_forgotten(q, k, v):
    """The scores are divided by sqrt(n_head_dim), and not by n_head_dim."""
    return causal_attention(q / math.sqrt(q.shape[-1]), k, v)


def scaled_after_the_softmax(q, k, v):
    """The scale belongs before the softmax: after it the weights no longer sum to 1."""
    return no_scale(q, k, v) / math.sqrt(q.shape[-1])


def no_mask(q, k, v):
    """Later positions are seen: the mask is missing, or a finite number stands in it."""
    return softmax(scores_of(q, k)[0]) @ v


def masked_after_the_softmax(q, k, v):
    """The mask belongs before the softmax: set to 0 after it, the weights do not sum to 1."""
    scores, mask = scores_of(q, k)
    return np.where(mask == 0, softmax(scores), 0.0) @ v


def zero_instead_of_infinity(q, k, v):
    """A score of 0 is not invisible, its exponential is 1: the mask is added, not multiplied."""
    scores, mask = scores_of(q, k)
    return softmax(np.where(mask == 0, scores, 0.0)) @ v


def softmax_over_queries(q, k, v):
    """The softmax runs over the keys, which are the last axis, so that each row sums to 1."""
    scores, mask = scores_of(q, k)
    return softmax((scores + mask).swapaxes(-1, -2)).swapaxes(-1, -2) @ v


def keys_instead_of_values(q, k, v):
    """What is averaged are the values v, and not the keys."""
    return causal_attention(q, k, k)


ATTENTION_MISTAKES = (
    *(no_scale, root_of_scale_forgotten, scaled_after_the_softmax, no_mask),
    *(masked_after_the_softmax, zero_instead_of_infinity, softmax_over_queries),
    keys_instead_of_values,
)


@question(causal_attention, 4, ATTENTION_MISTAKES)
def attention_values(ask, rng):
    """The mean of what each position may see, weighted"""
    n_head, n_seq, n_head_dim, n_past = map(int, rng.permutation(np.arange(2, 6)))
    for past in (0, n_past):
        n_keys = past + n_seq
        q = 2.0 * normal(rng, (n_head, n_seq, n_head_dim))
        k = 2.0 * normal(rng, (n_head, n_keys, n_head_dim))
        # With these values the result is the weights themselves
        ask(ask.function, q, k, np.tile(np.eye(n_keys), (n_head, 1, 1)), clue=who_sees_what)
        ask(ask.function, q, k, normal(rng, (n_head, n_keys, n_head_dim)))
    # Scores so large that their exponentials overflow, and that no finite mask outweighs them
    for factor in (40.0, 1e6):
        ask(ask.function, factor * q, factor * k, normal(rng, (n_head, n_keys, n_head_dim)))
    # The first position sees itself alone, however low its score
    k = np.concatenate([-q[:, :1], k[:, 1:n_seq]], axis=1)
    for factor in (1.0, 40.0, 1e6):
        ask(ask.function, factor * q, factor * k, normal(rng, (n_head, n_seq, n_head_dim)))
    # A batch; one query alone, with old keys and without; equal scores
    q, k, v = (normal(rng, (2, n_head, n, 4)) for n in (3, 5, 5))
    ask(ask.function, q, k, v)
    ask(ask.function, q[0, :, :1], k[0], v[0])
    ask(ask.function, q[0, :, :1], k[0, :, :1], v[0, :, :1])
    ask(ask.function, np.zeros_like(q), k, v)
    # Scores that no finite number outweighs; large values; digits that float32 loses
    large = np.array([[[1e20], [1.0]]])
    ask(ask.function, large, np.array([[[-1e20], [1e20]]]), np.array([[[1.0], [2.0]]]))
    one, two, three = (normal(rng, (1, 3, 4)) for _ in range(3))
    ask(ask.function, one, two, 1e5 + 1e3 * three)
    for n_head_dim in (3, 5):
        ask(ask.function, *(3.0 * normal(rng, (1, 4, n_head_dim)) for _ in range(3)))


def leaks_float64(q, k, v):
    """Something makes float64 of float32: np.sqrt(n_head_dim), where math.sqrt would not, or a mask
    without a dtype?"""
    scores, mask = scores_of(q, k)
    return softmax(scores * np.float64(1.0) + mask) @ v


def type_of_attention(q, k, v):
    return causal_attention(q, k, v).dtype.name


@question(causal_attention, 1, (leaks_float64,))
def attention_keeps_float32(ask, rng):
    """float32 in, float32 out"""
    for shape in ((3, 2), (2, 3, 2), (1, 2, 3, 2)):
        ask(type_of_attention, *(normal(rng, shape, np.float32) for _ in range(3)))


def positions_mixed(x, n_head):
    """A reshape alone mixes positions: first [..., n_seq, n_head, n_head_dim], then swap axes."""
    return x.reshape(*x.shape[:-2], n_head, x.shape[-2], -1)


def not_swapped(x, n_head):
    """The heads have to come before the positions: swap two axes."""
    return x.reshape(*x.shape[:-1], n_head, -1)


def interleaved(x, n_head):
    """Head 0 is the first n_head_dim numbers side by side, and not every n_head-th number."""
    return np.moveaxis(x.reshape(*x.shape[:-1], -1, n_head), -1, -3)


@question(split_heads, 1, (positions_mixed, not_swapped, interleaved))
def split_values(ask, rng):
    """The heads side by side become an axis"""
    n_head, n_head_dim, n_seq, n_batch = map(int, rng.permutation(np.arange(2, 6)))
    for batch in ((), (n_batch,)):
        ask(ask.function, normal(rng, (*batch, n_seq, n_head * n_head_dim)), n_head)
    # One head; heads of one number; as many heads as positions; a single position
    for n_seq, n_embd, n_head in ((3, 4, 1), (3, 4, 4), (2, 4, 2), (1, 6, 3)):
        ask(ask.function, normal(rng, (n_seq, n_embd)), n_head)


def not_swapped_back(x):
    """The positions have to come before the heads again: swap two axes, then reshape."""
    return x.reshape(*x.shape[:-3], x.shape[-2], -1)


def numbers_before_heads(x):
    """Within a position, each head's numbers stay side by side: swap only heads and positions."""
    x = np.moveaxis(x, -3, -1)
    return x.reshape(*x.shape[:-2], -1)


@question(merge_heads, 1, (not_swapped_back, numbers_before_heads))
def merge_values(ask, rng):
    """The inverse of split_heads"""
    n_head, n_head_dim, n_seq, n_batch = map(int, rng.permutation(np.arange(2, 6)))
    for batch in ((), (n_batch,)):
        ask(ask.function, normal(rng, (*batch, n_head, n_seq, n_head_dim)))
    for shape in ((1, 3, 4), (4, 3, 1), (2, 2, 2), (3, 1, 2)):
        ask(ask.function, normal(rng, shape))


def attend(x, c_attn, c_proj, n_head, order=(0, 1, 2)):
    """self_attention with q, k and v taken from another third of c_attn's result."""
    parts = np.split(linear(x, **c_attn), 3, axis=-1)
    q, k, v = (split_heads(parts[i], n_head) for i in order)
    return linear(merge_heads(causal_attention(q, k, v)), **c_proj)


def queries_and_keys_swapped(x, c_attn, c_proj, *, n_head):
    """c_attn gives the queries first, then the keys, then the values."""
    return attend(x, c_attn, c_proj, n_head, (1, 0, 2))


def values_first(x, c_attn, c_proj, *, n_head):
    """c_attn gives the queries, the keys and the values in this order: yours begins with v."""
    return attend(x, c_attn, c_proj, n_head, (1, 2, 0))


def no_projection(x, c_attn, c_proj, *, n_head):
    """The projection c_proj at the end is missing."""
    identity = {"w": np.eye(x.shape[-1]), "b": np.zeros(x.shape[-1])}
    return attend(x, c_attn, identity, n_head)


def one_large_head(x, c_attn, c_proj, *, n_head):
    """This is one head of n_embd numbers: split q, k and v into n_head heads."""
    return attend(x, c_attn, c_proj, 1)


def heads_before_thirds(x, c_attn, c_proj, *, n_head):
    """Split c_attn's result into q, k and v first, and then each of them into heads."""
    heads = split_heads(linear(x, **c_attn), n_head)
    merged = merge_heads(causal_attention(*np.split(heads, 3, axis=-1)))
    return linear(merged, **c_proj)


SELF_ATTENTION_MISTAKES = (
    *(queries_and_keys_swapped, values_first, no_projection, one_large_head),
    heads_before_thirds,
)


@question(self_attention, 3, SELF_ATTENTION_MISTAKES)
def self_attention_values(ask, rng):
    """Queries, keys and values, heads, projection"""
    params, n_head = random_params(rng, n_layer=1)
    x = random_input(rng, params)
    for stream in (x, x[0], x[:, :1], 2.0 * x, x[:, None]):
        ask(ask.function, stream, **params["h"][0]["attn"], n_head=n_head)
    ask(ask.function, x, **params["h"][0]["attn"], n_head=1)
    params, n_head = random_params(rng, n_layer=1, dtype=np.float32)
    x = random_input(rng, params).astype(np.float32)
    ask(ask.function, x, **params["h"][0]["attn"], n_head=n_head)
