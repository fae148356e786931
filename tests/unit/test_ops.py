"""The ops, against PyTorch's values and by their properties."""

import numpy as np
import pytest
from small_model import GOLDEN
from support import error, part_of

from picogpt import ops
from picogpt.tap import record

OPS = ["gelu", "softmax", "layer_norm", "linear", "causal_attention", "log_softmax"]


def golden(op: str) -> tuple[dict, np.ndarray]:
    """The arguments of an op, and PyTorch's result."""
    values = part_of(GOLDEN, f"ops/{op}/")
    expected = values.pop("out")
    return values, expected


@pytest.mark.parametrize("op", OPS)
def test_equals_pytorch(op):
    arguments, expected = golden(op)
    assert error(getattr(ops, op)(**arguments), expected) < 1e-6


@pytest.mark.parametrize("op", OPS)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_keeps_the_dtype(op, dtype):
    arguments, _ = golden(op)
    assert getattr(ops, op)(**{k: x.astype(dtype) for k, x in arguments.items()}).dtype == dtype


@pytest.mark.parametrize("op", OPS)
def test_leaves_its_arguments_alone(op):
    arguments, _ = golden(op)
    for x in arguments.values():
        x.flags.writeable = False
    before = {k: x.copy() for k, x in arguments.items()}
    getattr(ops, op)(**arguments)
    assert all(np.array_equal(x, before[k]) for k, x in arguments.items())


def test_gelu_is_the_tanh_form():
    # At x = 3 the two forms differ by 4.1e-4 (tanh form 2.996363, erf form 2.995950).
    assert ops.gelu(np.float64([3.0])) == pytest.approx([2.9963626], abs=1e-6)


def test_softmax_of_large_numbers():
    weights = ops.softmax(np.float32([[1e4, 1e4, -1e4]]))
    assert weights.tolist() == [[0.5, 0.5, 0.0]]


def test_log_softmax_is_finite_where_softmax_is_not():
    logprobs = ops.log_softmax(np.float32([[1e4, 1e4, -1e4], [0, 0, 0]]))
    expected = [[-np.log(2), -np.log(2), -2e4 - np.log(2)], [-np.log(3)] * 3]
    assert logprobs == pytest.approx(np.array(expected), rel=1e-6)


def test_token_logprobs():
    arguments, expected = golden("log_softmax")
    logits = arguments["x"]
    targets = np.random.default_rng(0).integers(17, size=(3, 5))
    logprobs = ops.token_logprobs(logits, targets)
    picked = [[expected[i, j, targets[i, j]] for j in range(5)] for i in range(3)]
    assert error(logprobs, np.array(picked)) < 1e-6
    assert logprobs.dtype == np.float32
    for target in range(17):  # no dimension but the vocabulary
        assert ops.token_logprobs(logits[0, 0], target) == pytest.approx(
            expected[0, 0, target], abs=1e-5
        )


@pytest.mark.parametrize(
    ("targets", "message"),
    [
        ([0, 17], r"target 17 is not in the vocabulary \(0 to 16\)"),
        ([-1, 0], "target -1 is not in the vocabulary"),
        ([0, 1, 2], r"targets are \[3\], expected \[2\]"),
        ([[0, 1]], r"targets are \[1, 2\], expected \[2\]"),
    ],
)
def test_bad_targets(targets, message):
    with pytest.raises(ValueError, match=message):
        ops.token_logprobs(np.zeros((2, 17), np.float32), targets)
    with pytest.raises(ValueError, match="target 17 is not"):
        ops.token_logprobs(np.zeros(17, np.float32), 17)


def test_layer_norm_of_a_constant_vector_is_its_bias():
    b = np.arange(4, dtype=np.float32)
    assert np.array_equal(ops.layer_norm(np.full(4, 7, np.float32), np.ones(4, np.float32), b), b)


def test_layer_norm_guards_under_the_root():
    # variance 1e-6: outside the root the guard would leave a norm of about 0.99, not 0.30
    x = np.float64([1e-3, -1e-3])
    expected = 1e-3 / np.sqrt(1e-6 + 1e-5)
    assert ops.layer_norm(x, np.ones(2), np.zeros(2))[0] == pytest.approx(expected, rel=1e-12)


def test_causal_mask():
    inf = np.inf
    assert ops.causal_mask(2, 1, np.dtype("f4")).tolist() == [[0, 0, -inf], [0, 0, 0]]
    assert ops.causal_mask(3, 0, np.dtype("f4")).tolist() == [
        [0, -inf, -inf],
        [0, 0, -inf],
        [0, 0, 0],
    ]


def test_attention_weights_are_causal_probabilities():
    arguments, _ = golden("causal_attention")
    seen = {}
    ops.causal_attention(**arguments, tap=record(seen))
    weights = seen["weights"]
    assert np.allclose(weights.sum(axis=-1), 1, atol=1e-6)
    assert np.array_equal(weights, np.tril(weights))
    assert (np.diagonal(weights, axis1=-2, axis2=-1) > 0).all()


@pytest.mark.parametrize("n_seq", range(1, 10))
def test_attention_of_the_last_positions(n_seq):
    arguments, expected = golden("causal_attention")
    arguments["q"] = arguments["q"][..., -n_seq:, :]
    assert error(ops.causal_attention(**arguments), expected[..., -n_seq:, :]) < 1e-6
