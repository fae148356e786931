"""The exercises of notebooks 7, 11 and 12: training, fine-tuning, smaller models."""

import numpy as np

from ...backward import d_gelu
from ...ops import gelu
from .verdict import expect, numbers


def check_7_1(function) -> None:
    """The backward pass of GELU."""
    x, dy = np.random.default_rng(1).standard_normal((2, 20))
    found = numbers(function(dy.copy(), x.copy()), (20,))
    expected = d_gelu(dy, x)
    expect(not np.allclose(found, d_gelu(np.ones(20), x)), "dy is missing: it is a factor of dx")
    half = np.allclose(found, dy * gelu(x) / x)
    expect(not half, "half of the product rule: the term with p' is missing")
    expect(np.abs(found - expected).max() < 1e-6, "this is not the slope measured on the function")


def check_7_2(function) -> None:
    """The mean over eight rows, from the means of three and of five."""
    rng = np.random.default_rng(2)
    rows = {path: rng.standard_normal((8, *shape)) for path, shape in (("w", (3, 4)), ("b", (4,)))}
    first, second = ({path: x[part].mean(axis=0) for path, x in rows.items()} for part in (slice(3), slice(3, 8)))  # fmt: skip
    found = function(dict(first), dict(second))
    expect(isinstance(found, dict), f"expected a dictionary, not {type(found).__name__}")
    expect(set(found) == set(rows), f"expected the paths {', '.join(rows)}")
    for path, x in rows.items():
        mine = numbers(found[path], x.shape[1:])
        error = np.abs(mine - x.mean(axis=0)).max()
        expect(error < 1e-6, "not the gradient of the mean over all eight rows")


def check_7_3(function) -> None:
    """Early stopping."""
    for losses, patience, expected, why in (
        ([5, 4, 3, 2], 2, (4, 3), "the loss keeps falling: look at all of them"),
        ([5, 4, 6, 7, 1], 2, (4, 1), "after two worse ones in a row the 1 is never seen"),
        ([5, 4, 6, 3, 4, 4], 2, (6, 3), "a better one begins the count anew"),
        ([5, 4, 4, 4], 2, (4, 1), "as good is not better"),
        ([5, 3, 4.5, 4, 1], 2, (4, 1), "4 is lower than 4.5, but not than the best, 3"),
        ([5, 4, 6, 7, 1], 3, (5, 4), "two worse ones are not yet three"),
        ([5, 4, 6, 1], 1, (3, 1), "one worse one is enough"),
    ):
        found = tuple(numbers(function(list(losses), patience), (2,)).tolist())
        asked = f"{losses} with patience {patience}, expected {expected}"
        expect(found == expected, f"({found[0]:g}, {found[1]:g}) for {asked}: {why}")


def check_11_1(function) -> None:
    """The share of right answers of each collection."""
    confusion = np.array(
        [[3, 1, 0, 0, 0], [0, 4, 1, 0, 0], [2, 0, 6, 0, 2], [0, 2, 0, 1, 0], [0, 0, 0, 0, 7]]
    )
    found = numbers(function(confusion.astype(float)), (5,))
    expect(found.any(), "no answer yet")
    rows, columns = (np.diag(confusion) / confusion.sum(axis=axis) for axis in (1, 0))
    expect(not np.allclose(found, columns), "the rows are the truth, the columns the answers")
    expect(not np.allclose(found, 100 * rows), "shares, not percentages")
    expect(np.allclose(found, rows), "a row sums to the passages of one collection")


def check_11_2(function) -> None:
    """Always the most frequent label."""
    for labels, n in (
        ([2, 1, 2], 4),
        ([0, 3, 3, 3, 1], 1),
        ([4, 0, 0, 4, 4, 1], 3),
        ([0, 4, 0, 3, 0, 2, 1, 4], 2),
    ):
        expected = max(labels, key=labels.count)
        found = numbers(function(list(labels), n), None)
        expect(len(found) == n, f"{len(found)} answers, expected {n}")
        expect((found == expected).all(), f"{expected} occurs most often in {labels}")


def check_12_1(function) -> None:
    """The bytes of a cache in float16."""
    for sizes, expected, why in (
        ((1, 1, 1, 1), 4, "a key and a value, of two bytes each"),
        ((12, 768, 1024, 1), 37_748_736, "every block and every position has its own"),
        ((48, 1600, 100, 8), 245_760_000, "every text has its own"),
    ):
        found = numbers(function(*sizes))
        expect(found == expected, f"{found:,g} for {sizes}, expected {expected:,}: {why}")


def check_12_2(function) -> None:
    """A scale for each group of rows of a column."""
    x = np.random.default_rng(0).standard_normal((64, 5)).astype(np.float32)
    for n_bits, n in ((4, 16), (4, 64), (3, 8)):
        groups = x.reshape(-1, n, 5)
        scales = np.abs(groups).max(axis=1, keepdims=True) / (2 ** (n_bits - 1) - 1)
        expected = (np.rint(groups / scales) * scales).reshape(x.shape)
        found = numbers(function(x.copy(), n_bits, n), x.shape)
        why = f"n_bits = {n_bits}, n = {n}: each group of rows has scales of its own"
        expect(np.allclose(found, expected, atol=1e-5), why)
