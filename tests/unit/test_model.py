"""The model, against transformers' values and by its properties."""

import numpy as np
import pytest
from small_model import CONFIG, GOLDEN, IDS, PARAMS, run
from support import error, random_params

from picogpt.config import activation_shapes, flatten, param_shapes, unflatten
from picogpt.kv_cache import KVCache
from picogpt.tap import edit, record


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


@pytest.mark.parametrize("t", [0, 7, 19])
def test_causality(t):
    changed = IDS.copy()
    changed[:, t] = (changed[:, t] + 1) % CONFIG.n_vocab
    before, after = run(IDS), run(changed)
    if t:
        assert error(after[:, :t], before[:, :t]) < 1e-6
    assert (before[:, t:] != after[:, t:]).any(axis=-1).all()


def test_batch_equals_single():
    batch = run(np.stack([IDS, IDS[::-1]]))  # [2, 2, 20]
    assert error(batch[0, 0], run(IDS[0])) < 1e-6
    assert error(batch[1, 0], run(IDS[1])) < 1e-6
    assert error(batch[1, 1], batch[0, 0]) < 1e-6


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
