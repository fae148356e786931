"""The references of assignment 4 say what the library says, each in a form of its own."""

import numpy as np
import pytest
from support import error, random_params

from picogpt import model
from picogpt.config import Config
from picogpt.course.a4_decoding.a4_reference import (
    cached_gpt2,
    choose_token,
    draw,
    generate,
    new_cache,
)
from picogpt.course.a4_decoding.a4_window import window_gpt2
from picogpt.course.a4_decoding.a4_window_cache import new_window
from picogpt.decoding import sampling

CONFIG = Config(n_vocab=11, n_ctx=12, n_embd=6, n_head=2, n_layer=2)
PARAMS = random_params(CONFIG, seed=0)
IDS = [3, 1, 4, 1, 5, 9, 2, 6, 5, 3]
PIECES = [IDS[:4], IDS[4:5], IDS[5:7], IDS[7:]]


def in_pieces(read, cache) -> np.ndarray:
    """Logits of all IDS [10, n_vocab], read in pieces."""
    return np.concatenate([read(ids, **PARAMS, n_head=2, cache=cache) for ids in PIECES])


def test_the_cache_holds_what_the_librarys_holds():
    ours, librarys = new_cache(PARAMS, 2), model.KVCache(CONFIG)
    logits = in_pieces(cached_gpt2, ours)
    assert error(logits, in_pieces(model.gpt2, librarys)) < 1e-6
    assert ours["n_past"] == librarys.n_past == len(IDS)
    for name in "kv":
        expected = getattr(librarys, name)
        assert (ours[name].shape, ours[name].dtype) == (expected.shape, expected.dtype)
        assert error(ours[name][..., : len(IDS), :], expected[..., : len(IDS), :]) < 1e-6


def test_a_window_as_long_as_the_text_is_none():
    logits = in_pieces(window_gpt2, new_window(PARAMS, 2, len(IDS)))
    assert error(logits, model.gpt2(IDS, **PARAMS, n_head=2)) < 1e-6


@pytest.mark.parametrize("n_window", [1, 2, 4])
def test_each_layer_looks_back_to_the_beginning_of_the_window(n_window):
    def last_logits(ids):
        cache = new_window(PARAMS, 2, n_window)
        return window_gpt2(ids, **PARAMS, n_head=2, cache=cache)[-1]

    reach = CONFIG.n_layer * (n_window - 1)
    expected = last_logits(IDS)
    for i in range(len(IDS)):
        seen = i >= len(IDS) - 1 - reach
        changed = last_logits([*IDS[:i], 7, *IDS[i + 1 :]])
        assert np.array_equal(changed, expected) != seen


@pytest.mark.parametrize("seed", range(20))
def test_the_same_number_draws_the_same_token(seed):
    rng = np.random.default_rng(seed)
    logits = rng.standard_normal(9)
    logits[rng.integers(9)] = -np.inf
    u = np.random.default_rng(seed).random()
    assert draw(logits, u) == sampling.draw(logits, np.random.default_rng(seed))


SETTINGS = [
    {"temperature": 0.0, "top_k": 3, "top_p": 0.5},
    {"temperature": 1.0, "top_k": None, "top_p": None},
    {"temperature": 0.7, "top_k": 4, "top_p": None},
    {"temperature": 1.5, "top_k": 5, "top_p": 0.7},
]


@pytest.mark.parametrize("settings", SETTINGS)
def test_the_same_numbers_write_the_same_text(settings):
    cache, numbers = new_cache(PARAMS, 2), np.random.default_rng(1)

    def read(ids):
        return cached_gpt2(ids, **PARAMS, n_head=2, cache=cache)

    def choose(logits):
        return choose_token(logits, numbers.random(), **settings)

    written = generate([3, 1, 4], 9, read, choose)

    ids, rng = [3, 1, 4], np.random.default_rng(1)
    for _ in range(9):
        logits = model.gpt2(ids, **PARAMS, n_head=2)[-1]
        ids.append(sampling.choose_token(logits, ids, sampling.Sampling(**settings), rng))
    assert written == ids[3:]
