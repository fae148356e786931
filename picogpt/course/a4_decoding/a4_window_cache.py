"""Assignment 4 with a window, first half: the cache holds the last few positions of a text."""

import numpy as np

from ..a3_model.a3_inputs import random_params
from ..assignment import FLOATS, normal, question
from .a4_1_cache import where_in_the_cache
from .a4_reference import new_cache


def new_window(params: dict, n_head: int, n_window: int) -> dict:
    """An empty cache for n_window positions: {"k": keys, "v": values, "n_past": 0}.

    params: the tree of GPT-2's parameters. Keys and values are two arrays of the parameters' dtype,
    [n_layer, n_head, n_window, n_head_dim] each. n_past is the number of positions that have been
    read, which will be more than the arrays hold.
    """
    shape = (len(params["h"]), n_head, n_window, params["wpe"].shape[-1] // n_head)
    dtype = params["wpe"].dtype
    return {"k": np.zeros(shape, dtype), "v": np.zeros(shape, dtype), "n_past": 0}


def append_to_window(
    cache: dict, layer: int, k: np.ndarray, v: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Write a layer's k, v [n_head, 1, n_head_dim] of position n_past into the window.

    Position i has the place i modulo n_window, so that in a full window a new position takes the
    place of the oldest. Returns that layer's keys and values of the positions that are in the
    window now, as they lie there: [n_head, n, n_head_dim] each, where n grows from 1 to n_window
    and stays. n_past stays as it is: it moves on only when all layers have written.
    """
    n_window = cache["k"].shape[-2]
    place = cache["n_past"] % n_window
    cache["k"][layer, :, place : place + 1] = k
    cache["v"][layer, :, place : place + 1] = v
    n = min(cache["n_past"] + 1, n_window)
    return cache["k"][layer, :, :n], cache["v"][layer, :, :n]


def one_array_twice(params, n_head, n_window):
    """Keys and values are the same array: what is written into one appears in the other."""
    cache = new_window(params, n_head, n_window)
    return {**cache, "v": cache["k"]}


def room_for_all(params, n_head, n_window):
    """There is room for n_window positions, and not for n_ctx."""
    return new_cache(params, n_head)


def always_float64(params, n_head, n_window):
    """np.zeros and np.empty make float64, unless they are told the dtype of the parameters."""
    cache = new_window(params, n_head, n_window)
    return {"k": cache["k"].astype(float), "v": cache["v"].astype(float), "n_past": 0}


def seen_from_outside(params, n_head, n_window):
    cache = new_window(params, n_head, n_window)
    arrays = {name: [cache[name].dtype.name, *cache[name].shape] for name in ("k", "v")}
    shared = bool(np.shares_memory(cache["k"], cache["v"]))
    return {**arrays, "n_past": cache["n_past"], "k and v share memory": shared}


@question(new_window, 1, (one_array_twice, room_for_all, always_float64))
def new_window_sizes(ask, rng):
    """Room for n_window positions"""
    for dtype in FLOATS:
        ask(seen_from_outside, *random_params(rng, n_layer=2, dtype=dtype), int(rng.integers(3, 6)))


def put(cache, layer, k, v, place):
    """Write k and v at some place. Returns all that should be there."""
    n_window = cache["k"].shape[-2]
    n = min(cache["n_past"] + 1, n_window)
    cache["k"][layer, :, place : place + 1], cache["v"][layer, :, place : place + 1] = k, v
    return cache["k"][layer, :, :n], cache["v"][layer, :, :n]


def behind_the_end(cache, layer, k, v):
    """You write behind the end of the window: the place of position i is i modulo n_window."""
    return put(cache, layer, k, v, cache["n_past"])


def index_behind_the_end(cache, layer, k, v):
    """You write behind the window's end: the place of position i is i modulo n_window."""
    cache["k"][layer, :, cache["n_past"]] = k[:, 0]
    cache["v"][layer, :, cache["n_past"]] = v[:, 0]
    return append_to_window(cache, layer, k, v)


def newest_overwritten(cache, layer, k, v):
    """In a full window you overwrite the newest position: the oldest is what has to go."""
    return put(cache, layer, k, v, min(cache["n_past"], cache["k"].shape[-2] - 1))


def first_overwritten(cache, layer, k, v):
    """In a full window you always write at place 0, where the oldest position stands only once."""
    n_past, n_window = cache["n_past"], cache["k"].shape[-2]
    return put(cache, layer, k, v, n_past if n_past < n_window else 0)


def one_place_too_far(cache, layer, k, v):
    """The place of position n_past is n_past modulo n_window: yours is one further."""
    return put(cache, layer, k, v, (cache["n_past"] + 1) % cache["k"].shape[-2])


def all_shifted(cache, layer, k, v):
    """You shift the window for each token, which copies all of it: overwrite the oldest instead.
    The order in which keys lie does not matter to attention."""
    if cache["n_past"] < cache["k"].shape[-2]:
        return append_to_window(cache, layer, k, v)
    for name, new in (("k", k), ("v", v)):
        cache[name][layer] = np.concatenate([cache[name][layer, :, 1:], new], axis=-2)
    return cache["k"][layer], cache["v"][layer]


def all_room_returned(cache, layer, k, v):
    """While the window is not full, only the places that are filled are returned."""
    append_to_window(cache, layer, k, v)
    return cache["k"][layer], cache["v"][layer]


def cut_after_the_newest(cache, layer, k, v):
    """In a full window all places count, those behind the newest position too: they are older."""
    append_to_window(cache, layer, k, v)
    end = cache["n_past"] % cache["k"].shape[-2] + 1
    return cache["k"][layer, :, :end], cache["v"][layer, :, :end]


def moves_on(cache, layer, k, v):
    """n_past stays: the next layer still has to write the same position."""
    found = append_to_window(cache, layer, k, v)
    cache["n_past"] += 1
    return found


def appended(cache, layer, k, v):
    cache = {"k": cache["k"].copy(), "v": cache["v"].copy(), "n_past": cache["n_past"]}
    all_k, all_v = append_to_window(cache, layer, k, v)
    returned = {"returned k": all_k, "returned v": all_v}
    return {**returned, "k": cache["k"], "v": cache["v"], "n_past": cache["n_past"]}


def used_window(rng, params, n_head, n_past, n_window=4):
    """A window of which n_past positions have been read, after texts that have filled it before."""
    cache = new_window(params, n_head, n_window)
    full = {name: normal(rng, cache[name].shape, cache[name].dtype) for name in "kv"}
    return {**full, "n_past": n_past}


APPEND_MISTAKES = (
    *(behind_the_end, index_behind_the_end, newest_overwritten, first_overwritten),
    *(one_place_too_far, all_shifted, all_room_returned, cut_after_the_newest, moves_on),
)


@question(append_to_window, 2, APPEND_MISTAKES)
def append_values(ask, rng):
    """In the place of the oldest"""
    for layer, n_past in ((0, 0), (0, 1), (1, 4), (1, 5), (0, 10), (0, 40), (1, 63)):
        cache = used_window(rng, *random_params(rng, n_layer=2), n_past)
        _, n_head, _, n_head_dim = cache["k"].shape
        k, v = normal(rng, (n_head, 1, n_head_dim)), normal(rng, (n_head, 1, n_head_dim))
        ask(appended, cache, layer, k, v, clue=where_in_the_cache)
