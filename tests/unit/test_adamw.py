"""AdamW and the clipping of gradients, against PyTorch and by their properties."""

from pathlib import Path

import numpy as np
import pytest
from support import part_of, random_params

from picogpt.backward import loss_and_gradients
from picogpt.config import Config, flatten, unflatten
from picogpt.train.adamw import adamw, clip_gradients, is_matrix, zero_moments

GOLDEN = np.load(Path(__file__).parents[1] / "reference" / "backward.npz")
N_HEAD = 2
# As in make_backward.py
RECIPES = {
    "llm.c": {
        "lr": 1e-3,
        "betas": (0.9, 0.999),
        "eps": 1e-8,
        "weight_decay": 0.5,
        "decays": lambda path, x: True,
    },
    "groups": {"lr": 3e-3, "betas": (0.9, 0.95), "eps": 1e-8, "weight_decay": 5.0},
    "clipped": {"lr": 3e-3, "betas": (0.9, 0.95), "eps": 1e-3, "weight_decay": 0.1},
}


def golden_params() -> dict:
    """A fresh copy of the golden parameters, path -> array."""
    return part_of(GOLDEN, "params/")


def train(flat: dict, ids, targets, n_steps: int, max_norm: float = np.inf, **options) -> list:
    """The loss before each step of the parameters in flat, which are trained in place."""
    moments, losses = zero_moments(flat), []
    for step in range(1, n_steps + 1):
        loss, grads = loss_and_gradients(ids, targets, unflatten(flat), N_HEAD)
        grads = flatten(grads)
        clip_gradients(grads, max_norm)
        adamw(flat, grads, moments, step, **options)
        losses.append(loss)
    return losses


@pytest.mark.parametrize("recipe", RECIPES)
def test_ten_losses_equal_pytorch(recipe):
    max_norm = 0.1 if recipe == "clipped" else np.inf
    ids, targets = GOLDEN["ids"], GOLDEN["targets"]
    losses = train(golden_params(), ids, targets, 10, max_norm, **RECIPES[recipe])
    assert losses == pytest.approx(GOLDEN[f"losses/{recipe}"].tolist(), rel=2e-6)


def golden_step(step: int) -> dict:
    """The drawn gradients of one golden step."""
    g = GOLDEN["adamw/grads"][step]
    return {"w": g[:12].reshape(3, 4).copy(), "b": g[12:].copy()}


def test_five_steps_equal_pytorch():
    params = {"w": GOLDEN["adamw/w"], "b": GOLDEN["adamw/b"]}
    moments = zero_moments(params)
    for step in range(5):
        options = {"lr": 0.1, "betas": (0.8, 0.9), "eps": 0.05, "weight_decay": 0.3}
        adamw(params, golden_step(step), moments, step + 1, **options)
    for name, x in params.items():
        assert np.allclose(x, GOLDEN[f"adamw/{name}_after"], rtol=1e-12, atol=0)


def test_clipping_equals_pytorch():
    grads = golden_step(4)
    assert clip_gradients(grads, 2.0) == pytest.approx(float(GOLDEN["clip/norm"]), rel=1e-12)
    for name, g in grads.items():  # PyTorch divides by the norm plus 1e-6
        assert np.allclose(g, GOLDEN[f"clip/{name}"], rtol=1e-6, atol=0)


def test_clipping_leaves_short_gradients_alone():
    grads = {"a": np.float32([3]), "b": np.float32([[0, 4]])}
    assert clip_gradients(grads, 5.0) == 5.0
    assert grads["a"].tolist() == [3] and grads["b"].tolist() == [[0, 4]]


def test_clipping_reports_gradients_that_are_not_numbers():
    assert np.isnan(clip_gradients({"a": np.float32([1, np.nan])}, 1.0))


def test_a_large_tensor_moves_as_one():
    # adamw goes through a large tensor in pieces, which must cover it and not overlap
    rng = np.random.default_rng(0)
    x, g = rng.standard_normal((2, 1000, 101))
    expected = x.copy()
    for row, g_row in zip(expected, g):
        adamw({"x": row}, {"x": g_row}, zero_moments({"x": row}), 1, lr=0.1, weight_decay=0.0)
    adamw({"x": x}, {"x": g}, zero_moments({"x": x}), 1, lr=0.1, weight_decay=0.0)
    assert np.array_equal(x, expected)


def test_a_tensor_that_is_not_contiguous_moves_too():
    x = np.ones((50, 40), np.float32).T
    adamw({"x": x}, {"x": np.ones_like(x)}, zero_moments({"x": x}), 1, lr=0.1)
    assert (x < 1).all()


def test_default_decay_is_of_matrices_embeddings_included():
    config = Config(n_vocab=5, n_ctx=3, n_embd=4, n_head=2, n_layer=1)
    params = flatten(random_params(config, seed=0))
    decayed = {path for path, x in params.items() if is_matrix(path, x)}
    assert decayed == {"wte", "wpe"} | {path for path in params if path.endswith(".w")}


def test_decay_is_apart_from_the_gradient():
    params = {"w": np.ones((2, 2), np.float32), "b": np.ones(2, np.float32)}
    grads = {path: np.zeros_like(x) for path, x in params.items()}
    adamw(params, grads, zero_moments(params), 1, lr=0.1, weight_decay=0.5)
    assert np.allclose(params["w"], 0.95)
    assert np.array_equal(params["b"], [1, 1])


def test_steps_are_of_the_tree_and_keep_float32():
    config = Config(n_vocab=5, n_ctx=3, n_embd=4, n_head=2, n_layer=1)
    tree = random_params(config, seed=0)
    flat, before = flatten(tree), {path: x.copy() for path, x in flatten(tree).items()}
    grads = {path: np.ones_like(x) for path, x in flat.items()}
    kept = {path: g.copy() for path, g in grads.items()}
    moments = zero_moments(flat)
    adamw(flat, grads, moments, 1, lr=0.1)
    for path, x in flatten(tree).items():
        assert x is flat[path] and x.dtype == np.float32
        assert (x != before[path]).all()
        assert np.array_equal(grads[path], kept[path])
    assert {m.dtype for m in flatten(moments).values()} == {np.dtype("f4")}


def test_parameters_left_out_stay():
    params, grads = golden_params(), golden_params()
    before = {path: x.copy() for path, x in params.items()}
    part = {path: x for path, x in params.items() if path.startswith("h.1.")}
    adamw(part, grads, zero_moments(part), 1, lr=0.1)
    moved = {path for path, x in params.items() if not np.array_equal(x, before[path])}
    assert moved == set(part)


def test_a_batch_can_be_overfitted():
    losses = train(
        golden_params(), GOLDEN["ids"], GOLDEN["targets"], 150, lr=0.01, weight_decay=0.0
    )
    assert losses[0] > 4
    assert losses[-1] < 0.01
