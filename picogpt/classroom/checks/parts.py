"""The exercises of notebooks 2 to 4: the small parts, attention, the forward pass."""

import math
from difflib import get_close_matches

import numpy as np

from ...model import gpt2
from ...ops import causal_attention, layer_norm
from ...tap import edit, record
from .verdict import expect, numbers


def check_2_1(function) -> None:
    """Layer norm of a list."""
    x, g, b = [3.0, 1.0, 4.0, 1.0, 5.0], [1.0, 2.0, 1.0, 2.0, 1.0], [0.0, 0.0, 0.5, 0.5, 0.0]
    found = numbers(function(x.copy(), g.copy(), b.copy()), (5,))
    expect(not np.array_equal(found, x), "no answer yet")
    centred, variance = np.array(x) - np.mean(x), np.var(x)
    standard = centred / math.sqrt(variance)
    for wrong, why in (
        (standard * math.sqrt(4 / 5) * g + b, "the variance is divided by n, not by n - 1"),
        (centred / variance * g + b, "divide by the root of the variance"),
        (np.array(x) / math.sqrt(variance) * g + b, "the mean has to be subtracted"),
        (standard + b, "the gain is missing"),
        (standard * g, "the bias is missing"),
        (standard, "gain and bias are missing"),
    ):
        expect(not np.allclose(found, wrong, atol=1e-4), why)
    expected = layer_norm(*map(np.array, (x, g, b)))
    expect(
        np.allclose(found, expected, atol=1e-5),
        f"for x = {x}, g = {g}, b = {b} expected {expected.round(2)}, not {found.round(2)}",
    )
    small = numbers(function([0.0, 0.002], [1.0, 1.0], [0.0, 0.0]), (2,))
    expected = layer_norm(np.array([0.0, 0.002]), np.ones(2), np.zeros(2))
    expect(np.allclose(small, expected, atol=1e-3), "wrong for a very small vector: see epsilon")


def check_2_2(gain, bias) -> None:
    """Mean 5 and standard deviation 2."""
    gain, bias = numbers(gain), numbers(bias)
    x = np.random.default_rng(2).standard_normal((4, 300)) * 7 + 1
    y = layer_norm(x, np.full(300, gain), np.full(300, bias))
    expect(np.allclose(y.mean(axis=-1), 5), f"the mean is {y.mean():.6g}")
    std = y.std(axis=-1)
    expect(np.allclose(std, 2, atol=1e-3), f"the standard deviation is {std.mean():.6g}")


def check_2_3(function) -> None:
    """How many rows are nearest to themselves, by the dot product."""
    table = np.array([[3.0, 0.0], [0.0, 1.0], [0.0, 4.0], [1.0, 0.0], [-1.0, -1.0]])
    for n, expected, why in (
        (2, 1, "of the first two, only row 0: row 1 has a larger product with row 2"),
        (5, 3, "rows 0, 2 and 4"),
        (4, 2, "n says how many rows to ask about; all rows are candidates"),
    ):
        found = numbers(function(table.copy(), n))
        expect(
            found == expected,
            f"for the table {table.astype(int).tolist()} and n = {n} you count {found:g},"
            f" expected {expected}: {why}",
        )


def check_3_1(function) -> None:
    """Attention as a loop."""
    q, k, v = np.random.default_rng(1).standard_normal((3, 7, 16))
    found = numbers(function(q.copy(), k.copy(), v.copy()), (7, 16))
    expect(found.any(), "no answer yet")
    expect(np.allclose(found[0], v[0]), "the first position sees itself alone, with weight 1")
    for divisor in (1, 16, 7**0.5, 7):  # causal_attention itself divides by 4
        wrong = causal_attention(4 / divisor * q, k, v)
        expect(not np.allclose(found, wrong), "the scores are to be divided by the root of d")
    expect(not np.allclose(found, causal_attention(k, q, v)), "keys and queries are exchanged")
    expect(np.allclose(found, causal_attention(q, k, v)), "some position's output is wrong")


def check_3_2(answer, maps) -> None:
    """The head with the smallest mean entropy over the last five positions."""
    expect(np.size(answer) == 2, "expected a pair, (block, head)")
    pair = tuple(int(i) for i in numbers(answer, (2,)))
    expect(all(0 <= i < n for i, n in zip(pair, maps.shape)), f"there is no head {pair}")
    rows = maps[:, :, -5:]
    entropy = -(rows * np.log(rows + 1e-9)).sum(axis=-1).mean(axis=-1)
    expect(entropy[pair] < entropy.min() + 1e-5, "another head is sharper")


def check_3_3(edits, model, ids) -> None:
    """Edits after which the order of the earlier tokens makes no difference."""
    expect(isinstance(edits, dict), "expected a dictionary, {name: function}")
    expect(edits, "no answer yet")

    def answer(earlier) -> np.ndarray:
        """What the heads of the first block say at the last position."""
        seen = {}
        change, keep = edit(edits), record(seen)
        model([*earlier, ids[-1]], tap=lambda name, x: keep(name, change(name, x)))
        for name in edits.keys() - seen.keys():
            near = get_close_matches(name, seen, n=3)
            expect(False, f"the model has no activation {name}; it has {', '.join(near or seen)}")
        return seen["h.0.attn.heads"][:, -1]

    earlier = [int(i) for i in ids[:-1]]
    forwards, backwards = answer(earlier), answer(earlier[::-1])
    others = answer([(i + 1) % model.config.n_vocab for i in earlier])
    size = np.abs(forwards).max()
    expect(size > 1e-3, "the heads must give an answer")
    expect(
        np.abs(forwards - backwards).max() < 1e-4 * size,
        "the order still makes a difference, perhaps by way of the values",
    )
    expect(np.abs(forwards - others).max() > 1e-3 * size, "the words must still make a difference")


class Watched(np.ndarray):
    """An array that notes the shapes of all that is computed with it."""

    __array_priority__ = 1.0  # so that np.dot(x, watched) is one, too

    def __array_finalize__(self, source):
        self.shapes = getattr(source, "shapes", [])
        self.shapes.append(self.shape)

    def __array_function__(self, function, types, args, kwargs):
        result = super().__array_function__(function, types, args, kwargs)
        self.shapes.append(np.shape(result))
        return result


def check_4_1(function, model, ids) -> None:
    """The logits of the last position, without those of the others."""
    config = model.config
    params = model.params | {"wte": np.roll(model.params["wte"], 1, axis=0)}  # not the model's own
    wte = params["wte"].view(Watched)
    found = function(ids[:5], **(params | {"wte": wte}), n_head=config.n_head)
    expect(found is not None, "no answer yet")
    found, shape = np.asarray(found), (config.n_vocab,)
    expect(
        found.shape == shape,
        f"for five ids the shape is {list(found.shape)}, expected {list(shape)}",
    )
    expected = gpt2(ids[:5], **params, n_head=config.n_head)[-1]
    same = np.abs(found - expected).max() < 1e-4 * np.ptp(expected)
    expect(same, "these are not the last position's logits")
    logits = [x for x in wte.shapes if config.n_vocab in x and config.n_embd not in x]
    one_row = all(math.prod(x) == config.n_vocab for x in logits)
    expect(one_row, "right, but other rows were computed as well")


def check_4_2(function) -> None:
    """The length at which attention's scores cost as much as the matrices."""
    for n_embd in (768, 1024, 1600):
        n_seq = numbers(function(n_embd))
        ratio = 4 * n_seq * n_embd / (2 * 12 * n_embd**2)
        expect(
            math.isclose(ratio, 1),
            f"at yours the scores cost {ratio:.3f} times as much, for n_embd = {n_embd}",
        )


class Counting:
    """A model that counts its calls."""

    def __init__(self, model):
        self.model, self.n_calls = model, 0

    def __call__(self, *args, **kwargs):
        self.n_calls += 1
        return self.model(*args, **kwargs)

    def __getattr__(self, name):
        return getattr(self.model, name)


def check_4_3(function, model) -> None:
    """Two texts of different length in one call."""
    rng = np.random.default_rng(3)
    short, long = (rng.integers(model.config.n_vocab, size=n).tolist() for n in (7, 12))
    counting = Counting(model)
    answers = function(counting, short.copy(), long.copy())
    expect(answers is not None and len(answers) == 2, "expected two rows of logits")
    for answer, text, name in zip(answers, (short, long), ("short", "long"), strict=True):
        found, expected = numbers(answer, (model.config.n_vocab,)), model(text)[-1]
        same = np.abs(found - expected).max() < 1e-4 * np.ptp(expected)
        expect(same, f"the {name} text's logits differ from those it gets alone")
    expect(counting.n_calls > 0, "ask the model that your function is given")
    expect(counting.n_calls == 1, f"right, but the model was called {counting.n_calls} times")
