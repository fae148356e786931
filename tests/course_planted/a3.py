"""Assignment 3: see __init__.py."""

import math

import numpy as np

from picogpt.course.a3_model.a3_alibi import alibi_bias, alibi_gpt2, embed_tokens
from picogpt.course.a3_model.a3_parallel import parallel_gpt2
from picogpt.model import embed, gpt2, merge_heads, self_attention, split_heads, unembed
from picogpt.ops import causal_attention, causal_mask, linear, softmax

from . import right, wrong


def attention(q, k, v, mask=-np.inf, weigh=softmax, late=0):
    n_seq, n_keys = q.shape[-2], k.shape[-2]
    scores = q @ k.swapaxes(-1, -2) / math.sqrt(q.shape[-1])
    future = np.triu(np.ones((n_seq, n_keys), bool), k=n_keys - n_seq + 1 + late)
    return weigh(np.where(future, mask, scores)) @ v


def no_maximum(x):
    e = np.exp(x)
    return e / e.sum(axis=-1, keepdims=True)


@wrong("a3", causal_attention)
def softmax_without_the_maximum(q, k, v):
    return attention(q, k, v, weigh=no_maximum)


@wrong("a3", causal_attention)
def mask_of_minus_100(q, k, v):
    return attention(q, k, v, mask=-100.0)


@wrong("a3", causal_attention)
def mask_of_minus_10000(q, k, v):
    return attention(q, k, v, mask=-1e4)


@wrong("a3", causal_attention)
def minus_100_added(q, k, v):
    mask = np.maximum(causal_mask(q.shape[-2], k.shape[-2] - q.shape[-2], q.dtype), -100.0)
    return softmax(q @ k.swapaxes(-1, -2) / math.sqrt(q.shape[-1]) + mask) @ v


@wrong("a3", causal_attention)
def scores_clipped(q, k, v):
    return attention(q, k, v, weigh=lambda x: softmax(np.clip(x, -500, 500)))


@wrong("a3", causal_attention)
def a_little_added_to_each_sum(q, k, v):
    def weigh(x):
        e = np.exp(x - x.max(axis=-1, keepdims=True))
        return e / (e.sum(axis=-1, keepdims=True) + 1e-6)

    return attention(q, k, v, weigh=weigh)


@wrong("a3", causal_attention)
def one_query_sees_everything_but_itself(q, k, v):
    if q.shape[-2] == 1:
        return attention(q, k, v, late=-1)
    return causal_attention(q, k, v)


@wrong("a3", causal_attention)
def two_axes_only_transposed(q, k, v):
    return (
        softmax(q @ k.T / math.sqrt(q.shape[-1])) @ v
        if q.ndim == 2
        else attention(q, k, v, late=0) * (q.ndim < 4)
    )


@wrong("a3", causal_mask)
def past_of_ten_at_most(n_seq, n_past, dtype):
    return (
        causal_mask(n_seq, n_past, dtype)
        if n_past < 5
        else np.zeros((n_seq, n_past + n_seq), dtype)
        + np.triu(np.full((n_seq, n_past + n_seq), -np.inf, dtype), k=n_past)
    )


@wrong("a3", causal_mask)
def large_but_finite(n_seq, n_past, dtype):
    return np.maximum(causal_mask(n_seq, n_past, dtype), np.finfo(dtype).min)


@wrong("a3", split_heads)
def one_head_has_no_axis(x, n_head):
    return split_heads(x, n_head) if n_head > 1 else x


@wrong("a3", merge_heads)
def axes_of_size_1_dropped(x):
    return merge_heads(x).squeeze()


@wrong("a3", self_attention)
def always_two_heads_or_three(x, c_attn, c_proj, *, n_head):
    return self_attention(x, c_attn, c_proj, n_head=max(n_head, 2))


@wrong("a3", embed)
def exactly_n_ctx_refused(ids, wte, wpe):
    if np.shape(ids)[-1] >= len(wpe):
        raise ValueError
    return embed(ids, wte, wpe)


@wrong("a3", embed)
def last_token_refused(ids, wte, wpe):
    if np.max(ids) >= len(wte) - 1:
        raise ValueError
    return embed(ids, wte, wpe)


@wrong("a3", embed)
def too_many_ids_cut(ids, wte, wpe):
    return embed(np.asarray(ids)[..., : len(wpe)], wte, wpe)


@wrong("a3", embed)
def batch_taken_for_positions(ids, wte, wpe):
    if len(ids) > len(wpe):
        raise ValueError
    ids = np.asarray(ids)
    if ids.min() < 0 or ids.max() >= len(wte):
        raise ValueError
    return wte[ids] + wpe[np.arange(ids.shape[-1]) % len(wpe)]


@wrong("a3", embed)
def only_minus_one_refused(ids, wte, wpe):
    if np.min(ids) == -1:
        raise ValueError
    return embed(np.where(np.asarray(ids) < 0, 0, ids), wte, wpe)


@wrong("a3", embed)
def first_id_checked(ids, wte, wpe):
    first = np.ravel(ids)[0]
    if not 0 <= first < len(wte):
        raise ValueError
    return embed(np.clip(ids, 0, len(wte) - 1), wte, wpe)


@wrong("a3", gpt2)
def too_long_texts_cut(ids, wte, wpe, h, ln_f, *, n_head):
    return gpt2(np.asarray(ids)[..., : len(wpe)], wte, wpe, h, ln_f, n_head=n_head)


@wrong("a3", gpt2)
def last_positions_kept(ids, wte, wpe, h, ln_f, *, n_head):
    return gpt2(np.asarray(ids)[..., -len(wpe) :], wte, wpe, h, ln_f, n_head=n_head)


@wrong("a3", gpt2)
def strange_ids_clipped(ids, wte, wpe, h, ln_f, *, n_head):
    return gpt2(np.clip(ids, 0, len(wte) - 1), wte, wpe, h, ln_f, n_head=n_head)


@wrong("a3", gpt2)
def full_context_refused(ids, wte, wpe, h, ln_f, *, n_head):
    if np.shape(ids)[-1] == len(wpe):
        raise ValueError
    return gpt2(ids, wte, wpe, h, ln_f, n_head=n_head)


@wrong("a3-parallel", parallel_gpt2)
def too_long_parallel_texts_cut(ids, wte, wpe, h, ln_f, *, n_head):
    return parallel_gpt2(np.asarray(ids)[..., : len(wpe)], wte, wpe, h, ln_f, n_head=n_head)


@wrong("a3-alibi", alibi_bias)
def distance_of_one_byte(n_head, n_seq, n_past, dtype):
    return np.maximum(alibi_bias(n_head, n_seq, n_past, dtype), -10.0)


@wrong("a3-alibi", alibi_gpt2)
def sixteen_positions_at_most(ids, wte, h, ln_f, *, n_head):
    return alibi_gpt2(np.asarray(ids)[..., :16], wte, h, ln_f, n_head=n_head)


@wrong("a3-alibi", embed_tokens)
def strange_tokens_clipped(ids, wte):
    if np.min(ids) < 0:
        raise ValueError
    return wte[np.minimum(ids, len(wte) - 1)]


@right("a3", causal_mask)
def mask_by_comparison(n_seq, n_past, dtype):
    rows, columns = np.indices((n_seq, n_past + n_seq))
    mask = np.zeros((n_seq, n_past + n_seq), dtype)
    mask[columns > rows + n_past] = -np.inf
    return mask


@right("a3", causal_attention)
def attention_by_einsum(q, k, v):
    scores = np.einsum("...id,...jd->...ij", q, k) * q.shape[-1] ** -0.5
    scores = scores + causal_mask(q.shape[-2], k.shape[-2] - q.shape[-2], q.dtype)
    return np.einsum("...ij,...jd->...id", softmax(scores), v)


@right("a3", causal_attention)
def attention_row_by_row(q, k, v):
    n_past = k.shape[-2] - q.shape[-2]
    rows = []
    for i in range(q.shape[-2]):
        seen = slice(0, n_past + i + 1)
        scores = (q[..., i : i + 1, :] @ np.swapaxes(k[..., seen, :], -1, -2)) / math.sqrt(
            q.shape[-1]
        )
        rows.append(softmax(scores) @ v[..., seen, :])
    return np.concatenate(rows, axis=-2)


@right("a3", split_heads)
def heads_by_slices(x, n_head):
    size = x.shape[-1] // n_head
    return np.stack([x[..., i * size : (i + 1) * size] for i in range(n_head)], axis=-3)


@right("a3", self_attention)
def attention_head_by_head(x, c_attn, c_proj, n_head):
    q, k, v = (split_heads(part, n_head) for part in np.split(linear(x, **c_attn), 3, -1))
    heads = [
        causal_attention(q[..., i, :, :], k[..., i, :, :], v[..., i, :, :]) for i in range(n_head)
    ]
    return linear(np.concatenate(heads, axis=-1), **c_proj)


@right("a3", embed)
def embed_by_loops(ids, wte, wpe):
    ids = np.array(ids)
    if ids.shape[-1] > wpe.shape[0]:
        raise ValueError("too long")
    if not all(0 <= i < wte.shape[0] for i in ids.flat):
        raise ValueError("strange id")
    return np.take(wte, ids, axis=0) + wpe[np.arange(ids.shape[-1])]


@right("a3", gpt2)
def gpt2_with_an_optional_argument(ids, wte, wpe, h, ln_f, *, n_head, cache=None):
    from picogpt.model import transformer_block

    x = embed(ids, wte, wpe)
    for block in h:
        x = transformer_block(x, **block, n_head=n_head)
    return unembed(x, wte, ln_f)


@wrong("a3", causal_mask)
def two_rows_see_all(n_seq, n_past, dtype):
    mask = causal_mask(n_seq, n_past, dtype)
    return mask if n_seq > 2 else np.zeros_like(mask)


@wrong("a3", causal_mask)
def kept_whatever_the_type(n_seq, n_past, dtype, _kept={}):  # noqa: B006 - the mistake
    return _kept.setdefault((n_seq, n_past), causal_mask(n_seq, n_past, dtype))


@wrong("a3", causal_attention)
def single_scale(q, k, v):
    scale = np.float64(np.float32(1.0 / math.sqrt(q.shape[-1])))
    return causal_attention(q * (scale * math.sqrt(q.shape[-1])).astype(q.dtype), k, v)


@wrong("a3", causal_attention)
def float64_for_heads(q, k, v):
    return causal_attention(q, k, v).astype(np.float64 if q.ndim > 2 else q.dtype)


@wrong("a3", self_attention)
def one_batch_axis_alone(x, c_attn, c_proj, *, n_head):
    if x.ndim > 3:
        raise ValueError("too many axes")
    return self_attention(x, c_attn, c_proj, n_head=n_head)


@wrong("a3", self_attention)
def float64_for_float32(x, c_attn, c_proj, *, n_head):
    return self_attention(x, c_attn, c_proj, n_head=n_head).astype(np.float64)


@wrong("a3", embed)
def texts_counted_as_positions(ids, wte, wpe):
    if len(ids) > len(wpe):
        raise ValueError("too many positions")
    return embed(ids, wte, wpe)


@wrong("a3", embed)
def first_positions_kept(ids, wte, wpe, _kept={}):  # noqa: B006 - the mistake
    x = embed(ids, wte, wpe)
    positions = _kept.setdefault((x.shape, x.dtype), wpe[: x.shape[-2]])
    return embed(ids, wte, 0.0 * wpe) + positions


@wrong("a3", gpt2)
def two_blocks_at_most(ids, wte, wpe, h, ln_f, *, n_head):
    return gpt2(ids, wte, wpe, h[:2], ln_f, n_head=n_head)


@wrong("a3", gpt2)
def last_block_left_out(ids, wte, wpe, h, ln_f, *, n_head):
    return gpt2(ids, wte, wpe, h[:3], ln_f, n_head=n_head)


@wrong("a3", gpt2)
def logits_kept_by_shape(ids, wte, wpe, h, ln_f, *, n_head, _kept={}):  # noqa: B006 - the mistake
    logits = gpt2(ids, wte, wpe, h, ln_f, n_head=n_head)
    return _kept.setdefault((logits.shape, logits.dtype), logits)
