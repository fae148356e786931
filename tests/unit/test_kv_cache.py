"""The cache of keys and values: with it or without, the logits are the same."""

import numpy as np
import pytest
from small_model import CONFIG, IDS, run
from support import error

from picogpt import kv_cache
from picogpt.kv_cache import KVCache, RowCaches, attention_in_blocks
from picogpt.ops import causal_attention
from picogpt.tap import edit, record


@pytest.mark.parametrize("split", range(1, 20))
def test_cached_equals_uncached_for_every_split(split):
    expected = run(IDS)
    cache = KVCache(CONFIG, batch=(2,))
    parts = [run(IDS[:, :split], cache=cache), run(IDS[:, split:], cache=cache)]
    assert error(np.concatenate(parts, axis=1), expected) < 1e-6
    assert cache.n_past == 20


def test_cached_token_by_token():
    cache = KVCache(CONFIG)
    rows = [run(IDS[0, i : i + 1], cache=cache) for i in range(20)]
    assert error(np.concatenate(rows), run(IDS[0])) < 1e-6


def caches_of(*parts) -> list[KVCache]:
    """A cache for each part, which has passed through the model."""
    caches = [KVCache(CONFIG) for _ in parts]
    for part, cache in zip(parts, caches, strict=True):
        run(part, cache=cache)
    return caches


@pytest.mark.parametrize("n_seq", [1, 3])
def test_rows_of_different_lengths_equal_each_alone(n_seq):
    n_past = [1, 9, 17, 4]
    parts = [IDS[0, :1], IDS[1, :9], IDS[0, 3:20], IDS[1, 5:9]]
    caches = caches_of(*parts)
    following = np.random.default_rng(0).integers(CONFIG.n_vocab, size=(4, 2 * n_seq))
    expected = [run([*part, *new])[-2 * n_seq :] for part, new in zip(parts, following)]
    rows = RowCaches(caches)
    for i in (0, n_seq):
        logits = run(following[:, i : i + n_seq], cache=rows)
        assert error(logits, np.stack(expected)[:, i : i + n_seq]) < 1e-6
    assert [cache.n_past for cache in caches] == [n + 2 * n_seq for n in n_past]
    assert rows.n_past.tolist() == [[n + 2 * n_seq] for n in n_past]


def test_no_room_in_one_row():
    caches = caches_of(IDS[0, :3], [0] * 24)
    with pytest.raises(ValueError, match="25 tokens do not fit into n_ctx = 24"):
        run([[1], [2]], cache=RowCaches(caches))
    assert [cache.n_past for cache in caches] == [3, 24]


def test_activations_of_rows():
    seen = {}
    run([[1], [2]], cache=RowCaches(caches_of(IDS[0, :3], IDS[1, :6])), tap=record(seen))
    alone = {}
    run([2], cache=caches_of(IDS[1, :6])[0], tap=record(alone))
    assert np.array_equal(seen["wpe"][1], alone["wpe"])
    for name in ("embed", "h.0.attn.heads", "h.1.resid", "logits"):
        assert error(seen[name][1], alone[name]) < 1e-6


def test_a_copy_goes_on_by_itself():
    (first,) = caches_of(IDS[0, :10])
    second = first.copy()
    parts = {first: IDS[0, 10:], second: IDS[1, 10:]}
    logits = {first: [], second: []}
    for i in range(10):  # in turns
        for cache, part in parts.items():
            logits[cache].append(run(part[i : i + 1], cache=cache))
    for cache, part in parts.items():
        assert error(np.concatenate(logits[cache]), run([*IDS[0, :10], *part])[10:]) < 1e-6
        assert cache.n_past == 20
    assert second.k.dtype == second.v.dtype == np.float32


def test_what_is_taken_back_from_a_cache_is_overwritten():
    (cache,) = caches_of([*IDS[0, :10], 1, 2, 3])
    cache.rewind(10)
    assert error(run(IDS[0, 10:], cache=cache), run(IDS[0])[10:]) < 1e-6


@pytest.mark.parametrize("n_past", [-1, 14])
def test_a_cache_goes_back_to_what_it_holds(n_past):
    (cache,) = caches_of(IDS[0, :13])
    with pytest.raises(ValueError, match=f"to position {n_past}, expected 0 to 13"):
        cache.rewind(n_past)
    assert cache.n_past == 13


@pytest.mark.parametrize("block", [1, 3, 7, 100])
@pytest.mark.parametrize("n_past", [0, 5])
def test_attention_in_blocks_equals_attention(block, n_past, monkeypatch):
    monkeypatch.setattr(kv_cache, "QUERY_BLOCK", block)
    rng = np.random.default_rng(0)
    k, v = rng.standard_normal((2, 2, 3, n_past + 9, 8), np.float32)
    q = 2 * rng.standard_normal((2, 3, 9, 8), np.float32)
    assert error(attention_in_blocks(q, k, v), causal_attention(q, k, v)) < 1e-6


def test_a_failed_pass_leaves_the_cache_as_it_was():
    cache = KVCache(CONFIG)
    run(IDS[0, :10], cache=cache)

    def interrupt(x):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run(IDS[0, 5:10], cache=cache, tap=edit({"h.1.ln_1": interrupt}))
    assert error(run(IDS[0, 10:], cache=cache), run(IDS[0])[10:]) < 1e-6


def test_an_edited_key_enters_the_cache():
    cache = KVCache(CONFIG)
    tap = edit({"h.0.attn.k": np.zeros_like})
    run(IDS[0, :5], cache=cache, tap=tap)
    assert not cache.k[0, :, :5].any()
    assert cache.v[0, :, :5].all()


def test_no_room_after_the_cache():
    cache = KVCache(CONFIG)
    run([0] * 20, cache=cache)
    with pytest.raises(ValueError, match="25 tokens do not fit into n_ctx = 24"):
        run([0] * 5, cache=cache)
    assert cache.n_past == 20
