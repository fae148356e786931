"""The model, against transformers' values and by its properties."""

from pathlib import Path

import numpy as np
import pytest
from support import error, random_params

from picogpt import model
from picogpt.config import Config, activation_shapes, flatten, param_shapes, unflatten
from picogpt.model import KVCache, RowCaches, attention_in_blocks, gpt2
from picogpt.ops import causal_attention
from picogpt.tap import edit, record

GOLDEN = np.load(Path(__file__).parents[1] / "reference" / "model.npz")
CONFIG = Config(n_vocab=80, n_ctx=24, n_embd=24, n_head=3, n_layer=2)  # as in make_model.py
PARAMS = unflatten(
    {k.removeprefix("params/"): GOLDEN[k] for k in GOLDEN if k.startswith("params/")}
)
IDS = GOLDEN["ids"]  # [2, 20]


def run(ids, params=PARAMS, **kwargs) -> np.ndarray:
    return gpt2(ids, **params, n_head=CONFIG.n_head, **kwargs)


def test_logits_equal_transformers():
    assert error(run(IDS), GOLDEN["logits"]) < 1e-5


def test_greedy_ids_equal_transformers():
    ids = IDS[0, :4].tolist()
    for _ in GOLDEN["greedy"]:
        ids.append(int(run(ids)[-1].argmax()))
    assert ids[4:] == GOLDEN["greedy"].tolist()


def test_every_parameter_matters():
    logits = run(IDS)
    for path, x in flatten(PARAMS).items():
        changed = unflatten(flatten(PARAMS) | {path: x[::-1]})
        assert error(run(IDS, changed), logits) > 1e-3, path


def test_table_of_parameters_is_true():
    assert {path: x.shape for path, x in flatten(PARAMS).items()} == param_shapes(CONFIG)


@pytest.mark.parametrize("batch", [(), (2,), (2, 1)])
@pytest.mark.parametrize("n_past", [0, 7])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_table_of_activations_is_true(batch, n_past, dtype):
    params = unflatten({path: x.astype(dtype) for path, x in flatten(PARAMS).items()})
    ids = np.broadcast_to(IDS[0], (*batch, 20))
    cache = KVCache(CONFIG, batch, dtype)
    if n_past:
        run(ids[..., :n_past], params, cache=cache)
    seen = {}
    run(ids[..., n_past : n_past + 5], params, cache=cache, tap=record(seen))
    shapes = activation_shapes(CONFIG, n_seq=5, n_past=n_past, batch=batch)
    assert [(name, x.shape) for name, x in seen.items()] == list(shapes.items())
    assert {x.dtype for x in seen.values()} == {np.dtype(dtype)}


def test_random_weights_make_attention_choose():
    seen = {}
    run(IDS, tap=record(seen))
    for layer in range(CONFIG.n_layer):
        last_row = seen[f"h.{layer}.attn.weights"][..., -1, :]  # of 20 weights
        assert (last_row.max(axis=-1) > 2 / 20).all()


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
    cache.n_past = 10
    assert error(run(IDS[0, 10:], cache=cache), run(IDS[0])[10:]) < 1e-6


@pytest.mark.parametrize("block", [1, 3, 7, 100])
@pytest.mark.parametrize("n_past", [0, 5])
def test_attention_in_blocks_equals_attention(block, n_past, monkeypatch):
    monkeypatch.setattr(model, "QUERY_BLOCK", block)
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


@pytest.mark.parametrize("t", [0, 7, 19])
def test_causality(t):
    changed = IDS.copy()
    changed[:, t] = (changed[:, t] + 1) % CONFIG.n_vocab
    before, after = run(IDS), run(changed)
    assert np.array_equal(before[:, :t], after[:, :t])
    assert (before[:, t:] != after[:, t:]).any(axis=-1).all()


def test_batch_equals_single():
    batch = run(np.stack([IDS, IDS[::-1]]))  # [2, 2, 20]
    assert error(batch[0, 0], run(IDS[0])) < 1e-6
    assert error(batch[1, 0], run(IDS[1])) < 1e-6
    assert np.array_equal(batch[0, 0], batch[1, 1])


def test_untied_head():
    head = random_params(CONFIG, seed=5)["wte"]
    seen = {}
    logits = run(IDS, PARAMS | {"lm_head": head}, tap=record(seen))
    assert error(logits, seen["ln_f"] @ head.T) < 1e-6
    assert error(logits, run(IDS)) > 1e-2


def test_recorded_activations_stay_true():
    seen, copies = {}, {}

    def tap(name, x):
        seen[name], copies[name] = x, x.copy()
        return x

    run(IDS, tap=tap)
    assert all(np.array_equal(seen[name], copies[name]) for name in seen)


def test_every_edit_reaches_the_logits():
    expected = run(IDS)
    for name in activation_shapes(CONFIG, 20):
        edited = run(IDS, tap=edit({name: lambda x: x[..., ::-1]}))
        assert error(edited, expected) > 1e-4, name


def test_an_edited_key_enters_the_cache():
    cache = KVCache(CONFIG)
    tap = edit({"h.0.attn.k": np.zeros_like})
    run(IDS[0, :5], cache=cache, tap=tap)
    assert not cache.k[0, :, :5].any()
    assert cache.v[0, :, :5].all()


@pytest.mark.parametrize(
    ("ids", "message"),
    [
        ([80], r"id 80 is not in the vocabulary \(0 to 79\)"),
        ([[0, 1], [2, -1]], r"id -1 is not in the vocabulary"),
        ([], r"ids are float64 \[0\], expected integers \[..., n_seq\]"),
        ([1.0], r"ids are float64 \[1\], expected integers"),
        (3, r"ids are int64 \[\], expected integers"),
        ("text", r"expected integers"),
        ([0] * 25, r"25 tokens do not fit into n_ctx = 24"),
    ],
)
def test_bad_ids(ids, message):
    with pytest.raises(ValueError, match=message):
        run(ids)


def test_no_room_after_the_cache():
    cache = KVCache(CONFIG)
    run([0] * 20, cache=cache)
    with pytest.raises(ValueError, match="25 tokens do not fit into n_ctx = 24"):
        run([0] * 5, cache=cache)
    assert cache.n_past == 20
