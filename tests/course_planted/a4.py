"""Assignment 4: see __init__.py."""

import numpy as np

from picogpt.course.a4_decoding.a4_reference import (
    append_to_cache,
    cached_attention,
    cached_gpt2,
    choose_token,
    draw,
    generate,
    new_cache,
)
from picogpt.course.a4_decoding.a4_typical import choose_typical, keep_typical
from picogpt.course.a4_decoding.a4_window import window_gpt2
from picogpt.course.a4_decoding.a4_window_cache import append_to_window
from picogpt.decoding.sampling import keep_top_k, keep_top_p
from picogpt.model import merge_heads, split_heads
from picogpt.ops import linear, softmax

from . import right, wrong


@wrong("a4", draw)
def falls_through_to_the_last(logits, u):
    total = 0.0
    for i, p in enumerate(softmax(logits)):
        total += p
        if u < total:
            return i
    return len(logits) - 1


@wrong("a4", draw)
def falls_through_in_its_type(logits, u):
    total = logits.dtype.type(0.0)
    for i, p in enumerate(softmax(logits)):
        total = total + p
        if total > u:
            return i
    return len(logits) - 1


@wrong("a4", draw)
def argmax_of_the_sums(logits, u):
    return int(np.argmax(np.cumsum(softmax(logits)) > u))


@wrong("a4", draw)
def argmax_or_last(logits, u):
    above = np.cumsum(softmax(logits)) > u
    return int(np.argmax(above)) if above.any() else len(logits) - 1


@wrong("a4", draw)
def search_cut_to_the_last(logits, u):
    found = np.searchsorted(np.cumsum(softmax(logits)), u, side="right")
    return int(min(found, len(logits) - 1))


@wrong("a4", draw)
def up_to_and_including(logits, u):
    ends = np.cumsum(softmax(logits), dtype=np.float64)
    return int(np.argmax(ends / ends[-1] >= u))


@wrong("a4", draw)
def no_maximum(logits, u):
    e = np.exp(logits)
    allowed = np.flatnonzero(logits > -np.inf)
    ends = np.cumsum(e[allowed] / e.sum(), dtype=np.float64)
    return int(allowed[min(np.searchsorted(ends, u, side="right"), len(allowed) - 1)])


def in_order(logits):
    order = np.argsort(-logits, kind="stable")
    return order, np.cumsum(softmax(logits)[order])


def first_ones(logits, order, n):
    kept = np.full_like(logits, -np.inf)
    kept[order[:n]] = logits[order[:n]]
    return kept


@wrong("a4", keep_top_p)
def argmax_of_what_reaches_p(logits, top_p):
    order, sums = in_order(logits)
    return first_ones(logits, order, np.argmax(sums >= top_p) + 1)


@wrong("a4", keep_top_p)
def first_nonzero(logits, top_p):
    order, sums = in_order(logits)
    return first_ones(logits, order, np.nonzero(sums >= top_p)[0][0] + 1)


@wrong("a4", keep_top_p)
def search_without_the_next(logits, top_p):
    order, sums = in_order(logits)
    return first_ones(logits, order, np.searchsorted(sums, top_p))


@wrong("a4", keep_top_p)
def at_least_two(logits, top_p):
    order, sums = in_order(logits)
    return first_ones(logits, order, max(2, np.searchsorted(sums, top_p) + 1))


@wrong("a4", keep_top_p)
def a_large_number_instead_of_infinity(logits, top_p):
    kept = keep_top_p(logits, top_p)
    return np.where(np.isfinite(kept), kept, -1e9).astype(logits.dtype)


@wrong("a4", keep_top_p)
def own_softmax_overflows(logits, top_p):
    e = np.exp(logits)
    order = np.argsort(-logits, kind="stable")
    return first_ones(logits, order, np.searchsorted(np.cumsum(e[order] / e.sum()), top_p) + 1)


@wrong("a4", keep_top_k)
def unique_values(logits, top_k):
    values = np.unique(logits)
    return np.where(logits < values[-min(top_k, len(values))], -np.inf, logits).astype(logits.dtype)


@wrong("a4", keep_top_k)
def more_than_k_is_k(logits, top_k):
    k = min(top_k, len(logits) - 1)
    return np.where(logits < np.sort(logits)[-k], -np.inf, logits).astype(logits.dtype)


@wrong("a4", keep_top_k)
def above_the_next(logits, top_k):
    if top_k >= len(logits):
        return logits
    return np.where(logits > np.sort(logits)[-top_k - 1], logits, -np.inf).astype(logits.dtype)


@wrong("a4", keep_top_k)
def with_a_tolerance_of_ties_only_at_the_top(logits, top_k):
    if top_k == 1:
        return first_ones(logits, np.argsort(-logits, kind="stable"), 1)
    return keep_top_k(logits, top_k)


@wrong("a4", append_to_cache)
def last_place_refused(cache, layer, k, v):
    if cache["n_past"] + k.shape[-2] >= cache["k"].shape[-2]:
        raise ValueError
    return append_to_cache(cache, layer, k, v)


@wrong("a4", append_to_cache)
def first_position_left_out(cache, layer, k, v):
    found = append_to_cache(cache, layer, k, v)
    return found if cache["n_past"] else (k[:, 1:], v[:, 1:])


@wrong("a4", append_to_cache)
def last_position_overwritten_at_the_end(cache, layer, k, v):
    n_past = min(cache["n_past"], cache["k"].shape[-2] - k.shape[-2] - 1)
    return append_to_cache(cache | {"n_past": max(n_past, 0)}, layer, k, v)


@wrong("a4", cached_gpt2)
def full_context_refused(ids, wte, wpe, h, ln_f, *, n_head, cache):
    if cache["n_past"] + len(ids) >= len(wpe):
        raise ValueError
    return cached_gpt2(ids, wte, wpe, h, ln_f, n_head=n_head, cache=cache)


@wrong("a4", cached_attention)
def mask_for_the_first_reading_only(x, c_attn, c_proj, *, n_head, cache, layer):
    q, k, v = (split_heads(part, n_head) for part in np.split(linear(x, **c_attn), 3, axis=-1))
    k, v = append_to_cache(cache, layer, k, v)
    scores = q @ k.swapaxes(-1, -2) / q.shape[-1] ** 0.5
    if not cache["n_past"]:
        scores = np.where(np.tri(len(x), dtype=bool), scores, -np.inf)
    return linear(merge_heads(softmax(scores) @ v), **c_proj)


@wrong("a4", new_cache)
def room_for_one_less(params, n_head):
    cache = new_cache(params, n_head)
    return cache | {"k": cache["k"][:, :, 1:], "v": cache["v"][:, :, 1:]}


@wrong("a4", generate)
def one_token_at_least(ids, n_new, read, choose):
    return generate(ids, max(n_new, 1), read, choose)


@wrong("a4", generate)
def prompt_read_token_by_token(ids, n_new, read, choose):
    for token in ids[:-2]:
        read([token])
    return generate(ids[-1:], n_new, read, choose)


@wrong("a4", generate)
def nothing_is_none(ids, n_new, read, choose):
    return generate(ids, n_new, read, choose) or None


@wrong("a4", choose_token)
def cold_is_greedy(logits, u, *, temperature, top_k, top_p):
    if temperature < 0.7:
        return int(logits.argmax())
    return choose_token(logits, u, temperature=temperature, top_k=top_k, top_p=top_p)


@wrong("a4", choose_token)
def greedy_after_top_p_of_nothing(logits, u, *, temperature, top_k, top_p):
    return choose_token(logits, u, temperature=temperature, top_k=top_k or None, top_p=None)


@wrong("a4", choose_token)
def temperature_of_two_at_most(logits, u, *, temperature, top_k, top_p):
    return choose_token(logits, u, temperature=min(temperature, 2.0), top_k=top_k, top_p=top_p)


@wrong("a4", choose_token)
def greedy_by_size(logits, u, *, temperature, top_k, top_p):
    if temperature == 0:
        return int(np.abs(logits).argmax())
    return choose_token(logits, u, temperature=temperature, top_k=top_k, top_p=top_p)


@wrong("a4-typical", keep_typical)
def argmax_of_typical_sums(logits, typical_p):
    with np.errstate(all="ignore"):
        p = softmax(logits)
        surprise = -np.log(p)
        order = np.argsort(np.abs(surprise - np.nansum(p * surprise)), kind="stable")
    return first_ones(logits, order, np.argmax(np.cumsum(p[order]) >= typical_p) + 1)


@wrong("a4-typical", choose_typical)
def greedy_below_one(logits, u, *, temperature, top_k, typical_p):
    if temperature < 1:
        return int(logits.argmax())
    return choose_typical(logits, u, temperature=temperature, top_k=top_k, typical_p=typical_p)


@wrong("a4-window", append_to_window)
def place_of_the_second_round_only(cache, layer, k, v):
    n_window, n_past = cache["k"].shape[-2], cache["n_past"]
    if n_past < n_window:
        return append_to_window(cache, layer, k, v)
    place = n_past - n_window
    cache["k"][layer, :, place : place + 1], cache["v"][layer, :, place : place + 1] = k, v
    return cache["k"][layer], cache["v"][layer]


@wrong("a4-window", window_gpt2)
def window_of_one_sees_nothing(ids, wte, wpe, h, ln_f, *, n_head, cache):
    logits = window_gpt2(ids, wte, wpe, h, ln_f, n_head=n_head, cache=cache)
    return logits * 0.0 if cache["k"].shape[-2] == 1 else logits


@right("a4", draw)
def draw_in_a_loop(logits, u):
    allowed = [i for i, x in enumerate(logits) if x > -np.inf]
    total = 0.0
    for i, p in zip(allowed, softmax(logits[allowed].astype(np.float64)), strict=True):
        total += p
        if u < total:
            return i
    return allowed[-1]


@right("a4", draw)
def draw_by_search(logits, u):
    ends = np.cumsum(softmax(logits).astype(np.float64))
    last = np.flatnonzero(np.isfinite(logits))[-1]
    return min(np.searchsorted(ends / ends[-1], u, side="right"), last)


@right("a4", keep_top_k)
def top_k_by_partition(logits, top_k):
    if top_k >= logits.size:
        return logits.copy()
    kept = logits.copy()
    kept[logits < np.partition(logits, -top_k)[-top_k]] = -np.inf
    return kept


@right("a4", keep_top_p)
def top_p_by_search(logits, top_p):
    order, sums = in_order(logits)
    return first_ones(logits, order, min(np.searchsorted(sums, top_p) + 1, len(logits)))


@right("a4", keep_top_p)
def top_p_in_a_loop(logits, top_p):
    kept, total = np.full_like(logits, -np.inf), 0.0
    p = softmax(logits)
    for i in np.argsort(p)[::-1]:
        if total >= top_p:
            break
        kept[i] = logits[i]
        total += p[i]
    return kept


@right("a4", generate)
def generate_lazily(ids, n_new, read, choose):
    logits = read(list(ids))
    for n in range(n_new):
        token = choose(logits[-1])
        yield token
        if n + 1 < n_new:
            logits = read([token])


@right("a4", new_cache)
def cache_of_ones(params, n_head):
    n_embd = params["wte"].shape[1]
    shape = len(params["h"]), n_head, len(params["wpe"]), n_embd // n_head
    return dict(
        n_past=0, k=np.ones(shape, params["wte"].dtype), v=np.ones(shape, params["wte"].dtype)
    )


@right("a4", choose_token)
def choose_with_defaults(logits, u, temperature=1.0, top_k=None, top_p=None):
    if not temperature:
        return np.argmax(logits)
    logits = logits / temperature
    logits = keep_top_k(logits, top_k) if top_k else logits
    logits = keep_top_p(logits, top_p) if top_p else logits
    return draw(logits, u)


@wrong("a4", generate)
def never_asks_what_to_choose(ids, n_new, read, choose):
    return generate(ids, n_new, read, lambda logits: int(np.argmax(logits)))


@wrong("a4", generate)
def asks_twice(ids, n_new, read, choose):
    return generate(ids, n_new, read, lambda logits: (choose(logits), choose(logits))[1])


@wrong("a4", generate)
def token_0_ends_the_text(ids, n_new, read, choose):
    written = generate(ids, n_new, read, choose)
    return written[: written.index(0) + 1] if 0 in written else written


@wrong("a4", generate)
def twenty_tokens_at_most(ids, n_new, read, choose):
    return generate(ids, min(n_new, 20), read, choose)


@wrong("a4", draw)
def u_kept_from_the_end(logits, u):
    return draw(logits, min(u, 0.999))


@wrong("a4", keep_top_p)
def ties_with_the_last_are_kept(logits, top_p):
    least = min(x for x in keep_top_p(logits, top_p) if x > -np.inf)
    return np.where(logits >= least, logits, -np.inf).astype(logits.dtype)


@wrong("a4", keep_top_k)
def close_ones_are_kept(logits, top_k):
    least = min(keep_top_k(logits, top_k), key=lambda x: (x == -np.inf, x))
    return np.where((logits >= least) | np.isclose(logits, least), logits, -np.inf).astype(
        logits.dtype
    )


@wrong("a4", choose_token)
def nearly_zero(logits, u, *, temperature, top_k, top_p):
    return choose_token(logits, u, temperature=temperature or 1e-5, top_k=top_k, top_p=top_p)


@wrong("a4", new_cache)
def one_cache_for_all(params, n_head, _kept={}):  # noqa: B006 - the mistake
    return _kept.setdefault(
        (len(params["h"]), n_head, params["wpe"].dtype), new_cache(params, n_head)
    )


@wrong("a4", cached_attention)
def float64_comes_out(x, c_attn, c_proj, *, n_head, cache, layer):
    return cached_attention(x, c_attn, c_proj, n_head=n_head, cache=cache, layer=layer).astype(
        float
    )
