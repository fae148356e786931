"""The backward pass, against central differences, PyTorch's gradients, and by its properties."""

from pathlib import Path

import numpy as np
import pytest
from support import error, part_of

from picogpt import backward, model, ops
from picogpt.backward import d_gpt2, loss_and_gradients
from picogpt.config import Config, activation_shapes, flatten, unflatten
from picogpt.model import gpt2
from picogpt.tap import dropout_tap, record

GOLDEN = np.load(Path(__file__).parents[1] / "reference" / "backward.npz")
CONFIG = Config(n_vocab=30, n_ctx=12, n_embd=16, n_head=2, n_layer=2)  # as in make_backward.py
IDS, TARGETS = GOLDEN["ids"], GOLDEN["targets"]  # [2, 10]
DROPPED = {"embed"} | {
    f"h.{i}.{name}" for i in range(2) for name in ("attn.weights", "attn.c_proj", "mlp.c_proj")
}


PARAMS = unflatten(part_of(GOLDEN, "params/"))
UNTIED = PARAMS | {"lm_head": GOLDEN["lm_head"]}


def to_type(params: dict, dtype) -> dict:
    return unflatten({path: x.astype(dtype) for path, x in flatten(params).items()})


def central_differences(f, x: np.ndarray, places=None, h: float = 1e-5) -> np.ndarray:
    """df/dx of f() -> float, which reads the float64 array x, by moving each number both ways.

    places: the flat indices of the numbers to move, by default all; x is left as it was.
    """
    flat = x.flat
    places = range(x.size) if places is None else places
    d = []
    for i in places:
        before = flat[i]
        flat[i] = before + h
        above = f()
        flat[i] = before - h
        d.append((above - f()) / (2 * h))
        flat[i] = before
    return np.array(d)


def relative_error(actual: np.ndarray, expected: np.ndarray) -> float:
    """max |actual - expected| over max |expected|, of as many numbers."""
    assert actual.size == expected.size
    return np.abs(actual.reshape(-1) - expected).max() / np.abs(expected).max()


def draw(*shape, seed=0) -> np.ndarray:
    return np.random.default_rng([seed, *shape]).standard_normal(shape)


MASK = np.random.default_rng(0).choice([0, 1.5], size=(2, 3, 5, 5))


def masked(name, x):
    return x * MASK.astype(x.dtype) if name == "weights" else x


def attention_case(drop):
    def case(dy, q, k, v):
        seen = {}
        ops.causal_attention(q, k, v, tap=record(seen))
        return backward.d_causal_attention(dy, q, k, v, seen["weights"], drop)

    return case


# Each op: the forward function, its arguments, and (dy, *arguments) -> the gradients of all.
CASES = {
    "gelu": (ops.gelu, {"x": draw(3, 7) * 2}, backward.d_gelu),
    "softmax": (
        ops.softmax,
        {"x": draw(3, 7)},
        lambda dy, x: backward.d_softmax(dy, ops.softmax(x)),
    ),
    "layer_norm": (
        ops.layer_norm,
        {"x": draw(2, 3, 8) * 3 + 2, "g": draw(8), "b": draw(8, seed=1)},
        lambda dy, x, g, b: backward.d_layer_norm(dy, x, g),
    ),
    "linear": (
        ops.linear,
        {"x": draw(2, 3, 8), "w": draw(8, 5), "b": draw(5)},
        lambda dy, x, w, b: backward.d_linear(dy, x, w),
    ),
    "causal_attention": (
        ops.causal_attention,
        {name: draw(2, 3, 5, 4, seed=i) for i, name in enumerate("qkv")},
        attention_case(backward.no_tap),
    ),
    "causal_attention_dropped": (
        lambda q, k, v: ops.causal_attention(q, k, v, tap=masked),
        {name: draw(2, 3, 5, 4, seed=i) for i, name in enumerate("qkv")},
        attention_case(masked),
    ),
    "embed": (
        lambda wte, wpe: model.embed([[1, 3, 1], [0, 1, 4]], wte, wpe),
        {"wte": draw(6, 8), "wpe": draw(5, 8)},
        lambda dy, wte, wpe: backward.d_embed(dy, [[1, 3, 1], [0, 1, 4]], wte, wpe),
    ),
}


@pytest.mark.parametrize("op", CASES)
def test_op_against_central_differences(op):
    forward, arguments, backward_of = CASES[op]
    dy = draw(*forward(**arguments).shape, seed=9)
    grads = backward_of(dy, **arguments)
    grads = grads if isinstance(grads, tuple) else (grads,)
    for grad, x in zip(grads, arguments.values(), strict=True):
        expected = central_differences(lambda: (dy * forward(**arguments)).sum(), x)
        assert relative_error(grad, expected) < 1e-8


def test_cross_entropy_against_central_differences():
    logits, targets = 3 * draw(2, 4, 6), np.array([[0, 5, 3, 3], [1, 1, 2, 0]])
    expected = central_differences(lambda: ops.cross_entropy(logits, targets), logits)
    assert relative_error(backward.d_cross_entropy(logits, targets), expected) < 1e-8


@pytest.mark.parametrize("params", [PARAMS, UNTIED], ids=["tied", "untied"])
@pytest.mark.parametrize("dropout", [0.0, 0.3])
def test_whole_model_against_central_differences(params, dropout):
    params = to_type(params, np.float64)

    def run():  # the same seed draws the same masks again
        rng = np.random.default_rng(5)
        return loss_and_gradients(IDS, TARGETS, params, 2, dropout=dropout, rng=rng)

    _, grads = run()
    rng = np.random.default_rng(6)
    for path, x in flatten(params).items():
        places = rng.choice(x.size, size=5, replace=False)
        expected = central_differences(lambda: run()[0], x, places)
        g = flatten(grads)[path]
        assert np.abs(g.reshape(-1)[places] - expected).max() < 1e-8 * np.abs(g).max(), path


@pytest.mark.parametrize("case", ["tied", "untied"])
def test_gradients_equal_pytorch(case):
    params = UNTIED if case == "untied" else PARAMS
    loss, grads = loss_and_gradients(IDS, TARGETS, params, CONFIG.n_head)
    assert loss == pytest.approx(float(GOLDEN[f"{case}/loss"]), rel=1e-6)
    grads = flatten(grads)
    assert grads.keys() == flatten(params).keys()
    for path, g in grads.items():
        assert error(g, GOLDEN[f"{case}/{path}"]) < 5e-6, path


def test_gradients_with_given_masks_equal_pytorch():
    masks, activations = part_of(GOLDEN, "masks/"), {}
    assert masks.keys() == DROPPED
    drop = lambda name, x: x * masks[name] if name in masks else x
    tap = lambda name, x: drop(name, record(activations)(name, x))
    logits = gpt2(IDS, **PARAMS, n_head=2, tap=tap)
    assert ops.cross_entropy(logits, TARGETS) == pytest.approx(float(GOLDEN["dropped/loss"]), 1e-6)
    dlogits = backward.d_cross_entropy(logits, TARGETS)
    for path, g in flatten(d_gpt2(dlogits, IDS, activations, PARAMS, 2, drop)).items():
        assert error(g, GOLDEN[f"dropped/{path}"]) < 5e-6, path


@pytest.mark.parametrize("op", CASES)
def test_op_keeps_float32_and_leaves_its_arguments_alone(op):
    forward, arguments, backward_of = CASES[op]
    arguments = {name: x.astype(np.float32) for name, x in arguments.items()}
    dy = draw(*forward(**arguments).shape).astype(np.float32)
    for x in (dy, *arguments.values()):
        x.flags.writeable = False
    grads = backward_of(dy, **arguments)
    assert {g.dtype for g in (grads if isinstance(grads, tuple) else [grads])} == {np.dtype("f4")}


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("dropout", [0.0, 0.5])
def test_whole_model_keeps_the_dtype_and_leaves_the_parameters_alone(dtype, dropout):
    params = to_type(UNTIED, dtype)
    for x in flatten(params).values():
        x.flags.writeable = False
    rng = np.random.default_rng(0)
    loss, grads = loss_and_gradients(IDS, TARGETS, params, 2, dropout=dropout, rng=rng)
    assert type(loss) is float
    assert {g.dtype for g in flatten(grads).values()} == {np.dtype(dtype)}
    shapes = {path: x.shape for path, x in flatten(params).items()}
    assert {path: g.shape for path, g in flatten(grads).items()} == shapes


def test_backward_leaves_the_activations_alone():
    activations = {}
    logits = gpt2(IDS, **PARAMS, n_head=2, tap=record(activations))
    dlogits = backward.d_cross_entropy(logits, TARGETS)
    for x in (dlogits, *activations.values()):
        x.flags.writeable = False
    d_gpt2(dlogits, IDS, activations, PARAMS, 2)


def test_gradient_of_a_batch_is_the_mean_of_its_members():
    _, batch = loss_and_gradients(IDS, TARGETS, PARAMS, 2)
    members = [loss_and_gradients(i, t, PARAMS, 2)[1] for i, t in zip(IDS, TARGETS)]
    for path, g in flatten(batch).items():
        mean = (flatten(members[0])[path] + flatten(members[1])[path]) / 2
        assert error(g, mean) < 1e-5, path


def test_tokens_and_positions_that_do_not_occur_have_no_gradient():
    _, grads = loss_and_gradients(IDS, TARGETS, UNTIED, 2)
    unused = np.setdiff1d(np.arange(CONFIG.n_vocab), IDS)
    assert len(unused)
    assert not grads["wte"][unused].any()
    assert not grads["wpe"][10:].any()


def test_dropout_drops_where_gpt2_does():
    drop = dropout_tap(0.5, np.random.default_rng(0))
    changed = set()
    for name, shape in activation_shapes(CONFIG, 10).items():
        x = np.ones(shape, np.float32)
        if not np.array_equal(drop(name, x), x):
            changed.add(name)
    assert changed == DROPPED


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_dropout_keeps_the_mean(dtype):
    x = np.full((400, 500), 3, dtype)
    dropped = dropout_tap(0.2, np.random.default_rng(0))("embed", x)
    assert dropped.dtype == dtype
    assert np.array_equal(np.unique(dropped), np.array([0, 3.75], dtype))
    # the number of survivors has a standard deviation of sqrt(0.2 * 0.8 / 200000) = 0.0009
    assert (dropped > 0).mean() == pytest.approx(0.8, abs=0.004)


def test_dropout_draws_a_mask_for_each_place_and_keeps_it():
    drop = dropout_tap(0.5, np.random.default_rng(0))
    x = np.ones((4, 100), np.float32)
    first, second = drop("h.0.mlp.c_proj", x), drop("h.1.mlp.c_proj", x)
    assert not np.array_equal(first, second)
    assert not np.array_equal(first[0], first[1])
    assert np.array_equal(drop("h.0.mlp.c_proj", 2 * x), 2 * first)


def test_dropout_is_drawn_from_the_generator():
    run = lambda seed: loss_and_gradients(
        IDS, TARGETS, PARAMS, 2, dropout=0.2, rng=np.random.default_rng(seed)
    )[0]
    assert run(1) == run(1)
    assert run(1) != run(2)


def test_cross_entropy_of_large_numbers():
    logits = np.float32([[1e4, 0, -1e4]])
    assert ops.cross_entropy(logits, [0]) == 0.0
    assert ops.cross_entropy(logits, [2]) == 2e4


def test_cross_entropy_of_a_model_that_knows_nothing():
    loss = ops.cross_entropy(np.zeros((2, 3, 50), np.float32), np.zeros((2, 3), int))
    assert loss == pytest.approx(np.log(50), rel=1e-6)


def test_cross_entropy_leaves_the_logits_alone():
    logits = draw(2, 5)
    logits.flags.writeable = False
    ops.cross_entropy(logits, [1, 2])
    backward.d_cross_entropy(logits, [1, 2])


@pytest.mark.parametrize(
    ("targets", "message"),
    [
        ([[0, 1, 5]], r"target 5 is not in the vocabulary \(0 to 4\)"),
        ([[0, -1, 2]], r"target -1 is not in the vocabulary \(0 to 4\)"),
        ([0, 1, 2], r"targets are \[3\], expected \[1, 3\]"),
    ],
)
def test_bad_targets(targets, message):
    with pytest.raises(ValueError, match=message):
        ops.cross_entropy(np.zeros((1, 3, 5), np.float32), targets)


def test_bad_ids():
    with pytest.raises(ValueError, match="id 30 is not in the vocabulary"):
        loss_and_gradients([30], [0], PARAMS, 2)
