"""The cores share a long text, and nothing but rounding shows it."""

import numpy as np
import pytest
from support import error, random_params

from picogpt import model, threads
from picogpt.config import Config
from picogpt.kv_cache import KVCache
from picogpt.threads import n_blas_threads, on_threads, one_blas_thread

CONFIG = Config(n_vocab=50, n_ctx=300, n_embd=24, n_head=3, n_layer=2)
PARAMS = random_params(CONFIG, seed=3)
IDS = np.random.default_rng(0).integers(0, 50, 290)


@pytest.fixture
def two_threads(monkeypatch):
    """Whatever the machine has, or the environment asks for."""
    monkeypatch.setattr(threads, "n_blas_threads", lambda: 2)


@pytest.mark.parametrize("shape", [(), (1,), (5,)])
@pytest.mark.parametrize("n_read", [0, 20])
def test_a_long_text_is_what_it_is_without_threads(two_threads, monkeypatch, shape, n_read):
    ids = np.broadcast_to(IDS, (*shape, len(IDS))).copy()
    ids += np.arange(5)[: shape[0], None] if shape else 0
    ids %= 50
    results = []
    for many in (100, 1000):
        monkeypatch.setattr(model, "MANY_POSITIONS", many)
        cache = KVCache(CONFIG, shape)
        if n_read:
            model.gpt2(ids[..., :n_read], **PARAMS, n_head=3, cache=cache)
        logits = model.gpt2(ids[..., n_read:], **PARAMS, n_head=3, cache=cache)
        results.append((logits, cache.k[..., : len(IDS), :], cache.v[..., : len(IDS), :]))
    for ours, expected in zip(*results, strict=True):
        assert ours.shape == expected.shape and error(ours, expected) < 1e-5


def test_long_texts_go_this_way_alone(monkeypatch):
    seen = []
    whole = model.threaded_block

    def threaded_block(x, **parameters):
        seen.append(x.shape[-2])
        return whole(x, **parameters)

    monkeypatch.setattr(model, "threaded_block", threaded_block)
    model.gpt2(IDS[: model.MANY_POSITIONS - 1], **PARAMS, n_head=3)
    model.gpt2(IDS, **PARAMS, n_head=3, tap=lambda name, x: x)
    assert seen == []
    model.gpt2(IDS, **PARAMS, n_head=3)
    assert seen == [len(IDS)] * 2


def test_parts(two_threads):
    parts = []

    def double(x, y):
        parts.append((len(x), len(y)))
        return 2 * x

    x = np.arange(15).reshape(5, 3)
    assert np.array_equal(on_threads(double, x, x), 2 * x)
    assert sorted(parts) == [(2, 2), (3, 3)]
    assert np.array_equal(on_threads(double, x[:1], x[:1]), 2 * x[:1])
    assert parts[2:] == [(1, 1)]


def test_products_have_their_threads_again():
    before = n_blas_threads()
    with one_blas_thread():
        assert n_blas_threads() == 1
    assert n_blas_threads() == before
    with pytest.raises(ZeroDivisionError), one_blas_thread():
        raise ZeroDivisionError
    assert n_blas_threads() == before


def test_another_blas_has_one_part(monkeypatch):
    monkeypatch.setattr(threads, "openblas", lambda: None)
    parts = []
    on_threads(lambda x: parts.append(len(x)) or x, np.zeros(4))
    assert parts == [4]
    with one_blas_thread():
        assert n_blas_threads() == 1
