"""The exercises of notebooks 7, 11 and 12, answered well and badly."""

import math
from collections import Counter

import numpy as np
import pytest
from answers import cases, in_place, judge

from picogpt.backward import d_gelu
from picogpt.classroom.checks import training
from picogpt.ops import gelu

# 7.1: the backward pass of GELU

A = math.sqrt(2 / math.pi)


def product_rule(dy, x):
    p = (1 + np.tanh(A * (x + 0.044715 * x**3))) / 2
    return dy * (p + x * 2 * p * (1 - p) * A * (1 + 3 * 0.044715 * x**2))


def by_tanh(dy, x):
    t = np.tanh(A * (x + 0.044715 * x * x * x))
    return dy * (0.5 * (1 + t) + 0.5 * x * (1 - t * t) * A * (1 + 0.134145 * x * x))


def measured(dy, x):
    return (gelu(x + 1e-5) - gelu(x - 1e-5)) / 2e-5 * dy


def by_numbers(dy, x):
    return [float(product_rule(one, np.float64(number))) for one, number in zip(dy, x)]


def half_a_rule(dy, x):
    return dy * (1 + np.tanh(A * (x + 0.044715 * x**3))) / 2


# 7.2: means of three and of five rows


def weighted(first, second):
    return {path: (3 * first[path] + 5 * second[path]) / 8 for path in first}


def in_a_loop(first, second):
    whole = {}
    for path in first:
        whole[path] = 0.375 * first[path] + 0.625 * second[path]
    return whole


def by_average(first, second):
    return {p: np.average([first[p], second[p]], axis=0, weights=[3, 5]) for p in first}


def into_the_first(first, second):
    for path, gradient in first.items():
        gradient *= 3 / 8
        gradient += second[path] * 5 / 8
    return first


def by_sums(first, second):
    sums = {path: x * 3 for path, x in first.items()}
    sums = {path: x + second[path] * 5 for path, x in sums.items()}
    return {path: (x / 8).tolist() for path, x in sums.items()}


# 7.3: early stopping


def by_places(losses, patience):
    best = 0
    for i, loss in enumerate(losses):
        if loss < losses[best]:
            best = i
        if i - best == patience:
            return i + 1, best
    return len(losses), best


def by_counting(losses, patience):
    best, waited, n = 0, 0, 0
    for n, loss in enumerate(losses, start=1):  # noqa: B007 - n is used afterwards
        if loss < losses[best] or n == 1:
            best, waited = n - 1, 0
        else:
            waited += 1
            if waited >= patience:
                break
    return [n, best]


def by_minimum(losses, patience):
    n = 1
    while n < len(losses) and n - 1 - losses.index(min(losses[:n])) < patience:
        n += 1
    return n, losses.index(min(losses[:n]))


def by_numpy(losses, patience):
    best = [int(np.argmin(losses[: i + 1])) for i in range(len(losses))]
    waited = np.arange(len(losses)) - best
    over = np.flatnonzero(waited == patience)
    end = int(over[0]) if len(over) else len(losses) - 1
    return np.array([end + 1, best[end]])


def recursive(losses, patience, n=1):
    best = losses.index(min(losses[:n]))
    if n == len(losses) or n - 1 - best == patience:
        return n, best
    return recursive(losses, patience, n + 1)


def stopping(worse, patience_more=0):
    """Early stopping with another idea of what is worse: worse(loss, losses, best, i)."""

    def stop(losses, patience):
        best, waited = 0, 0
        for i in range(1, len(losses)):
            waited = waited + 1 if worse(losses[i], losses, best, i) else 0
            best = i if losses[i] < losses[best] else best
            if waited == patience + patience_more:
                return i + 1, best
        return len(losses), best

    return stop


def ties_are_better(losses, patience):
    best = 0
    for i, loss in enumerate(losses):
        best = i if loss <= losses[best] else best
        if i - best == patience:
            return i + 1, best
    return len(losses), best


# 11.1 and 11.2: shares of each collection, the most frequent label


def row_by_row(confusion):
    return [confusion[i][i] / sum(confusion[i]) for i in range(len(confusion))]


# 12.2: groups of rows


def by_reshape(x, n_bits, n):
    groups = x.reshape(-1, n, x.shape[-1])
    scales = np.abs(groups).max(axis=1, keepdims=True) / (2 ** (n_bits - 1) - 1)
    return (np.rint(groups / scales).astype(np.int8) * scales).reshape(x.shape)


def by_slices(x, n_bits, n):
    result = np.empty_like(x)
    for i in range(0, len(x), n):
        result[i : i + n] = by_reshape(x[i : i + n], n_bits, n)
    return result


def by_split(x, n_bits, n):
    return np.concatenate([by_reshape(part, n_bits, n) for part in np.split(x, len(x) // n)])


def column_by_column(x, n_bits, n):
    columns = []
    for column in x.T:
        for i in range(0, len(column), n):
            scale = max(map(abs, column[i : i + n])) / (2 ** (n_bits - 1) - 1)
            columns += [round(float(number / scale)) * scale for number in column[i : i + n]]
    return np.array(columns).reshape(x.T.shape).T


TABLE = {
    training.check_7_1: (
        [product_rule, by_tanh, measured, by_numbers, lambda dy, x: in_place(dy, d_gelu(dy, x))],
        [
            (half_a_rule, "half of the product rule"),
            (lambda dy, x: product_rule(1.0, x), "dy is missing"),
            (lambda dy, x: None, "no answer yet"),
            (lambda dy, x: product_rule(dy, x).sum(), "the shape is []"),
            (lambda dy, x: dy * gelu(x), "not the slope measured"),
            (lambda dy, x: product_rule(x, dy), "not the slope measured"),
        ],
    ),
    training.check_7_2: (
        [weighted, in_a_loop, by_average, into_the_first, by_sums],
        [
            (lambda a, b: {p: (a[p] + b[p]) / 2 for p in a}, "not the gradient of the mean"),
            (lambda a, b: {p: (5 * a[p] + 3 * b[p]) / 8 for p in a}, "not the gradient"),
            (lambda a, b: {p: a[p] + b[p] for p in a}, "not the gradient of the mean"),
            (lambda a, b: {p: 3 * a[p] + 5 * b[p] for p in a}, "not the gradient of the mean"),
            (lambda a, b: {"w": weighted(a, b)["w"]}, "expected the paths w, b"),
            (lambda a, b: None, "expected a dictionary, not NoneType"),
            (lambda a, b: {p: x.sum(axis=0) for p, x in weighted(a, b).items()}, "the shape"),
        ],
    ),
    training.check_7_3: (
        [by_places, by_counting, by_minimum, by_numpy, recursive],
        [
            (lambda losses, patience: (len(losses), 0), "look at all"),
            (lambda losses, patience: None, "no answer yet"),
            (lambda losses, patience: by_places(losses, patience)[0], "the shape is []"),
            (lambda losses, patience: by_places(losses, patience)[::-1], "look at all"),
            (lambda losses, patience: by_places(losses, patience + 1), "the 1 is never seen"),
            (lambda losses, patience: by_places(losses, patience - 1), "the 1 is never seen"),
            (ties_are_better, "as good is not better"),
            (lambda losses, patience: by_places(losses, 2), "not yet three"),
            (lambda losses, patience: by_places(losses, min(patience, 2)), "not yet three"),
            (lambda losses, patience: by_places(losses, max(patience, 2)), "one worse one"),
            (lambda losses, patience: np.add(by_places(losses, patience), [0, 0.7]), "expected"),
            (stopping(lambda loss, losses, best, i: loss >= losses[i - 1]), "lower than 4.5"),
            (lambda losses, patience: (by_places(losses, 2)[0], min(losses)), "look at all"),
        ],
    ),
    training.check_11_1: (
        [
            row_by_row,
            lambda m: np.diag(m) / m.sum(axis=1),
            lambda m: (m / m.sum(axis=1, keepdims=True)).diagonal(),
            lambda m: np.array([m[i, i] / m[i].sum() for i in range(5)]),
            lambda m: np.diagonal(m) / np.einsum("ij->i", m),
            lambda m: tuple(row[i] / np.sum(row) for i, row in enumerate(m)),
        ],
        [
            (lambda m: np.zeros(5), "no answer yet"),
            (lambda m: np.diag(m) / m.sum(axis=0), "the rows are the truth"),
            (lambda m: 100 * np.diag(m) / m.sum(axis=1), "shares, not percentages"),
            (lambda m: np.diag(m) / m.sum(), "a row sums to"),
            (lambda m: m.max(axis=1) / m.sum(axis=1), "a row sums to"),
            (lambda m: np.trace(m) / m.sum(), "the shape is []"),
            (lambda m: m / m.sum(axis=1, keepdims=True), "the shape is [5, 5]"),
        ],
    ),
    training.check_11_2: (
        [
            lambda labels, n: [Counter(labels).most_common(1)[0][0]] * n,
            lambda labels, n: [max(set(labels), key=labels.count) for _ in range(n)],
            lambda labels, n: np.full(n, np.bincount(labels).argmax()),
            lambda labels, n: (max(labels, key=labels.count),) * n,
            lambda labels, n: np.repeat(np.argmax(np.bincount(labels)), n),
        ],
        [
            (lambda labels, n: [0] * n, "2 occurs most often in [2, 1, 2]"),
            (lambda labels, n: [min(labels)] * n, "2 occurs most often"),
            (lambda labels, n: [max(labels)] * n, "0 occurs most often"),
            (lambda labels, n: [sorted(labels)[len(labels) // 2]] * n, "0 occurs most often"),
            (lambda labels, n: max(labels, key=labels.count), "expected a list"),
            (lambda labels, n: [2], "1 answers, expected 4"),
            (lambda labels, n: [labels[0]] * n, "3 occurs most often"),
            (lambda labels, n: None, "no answer yet"),
        ],
    ),
    training.check_12_1: (
        [
            lambda n_layer, n_embd, n, n_texts: 4 * n_layer * n_embd * n * n_texts,
            lambda *sizes: 4 * math.prod(sizes),
            lambda *sizes: np.prod([2, 2, *sizes], dtype=np.int64),
            lambda n_layer, n_embd, n, n_texts: (
                2 * np.dtype("f2").itemsize * n_layer * n_embd * n * n_texts
            ),
            lambda *sizes: 2.0 * 2 * np.prod(np.array(sizes, float)),
        ],
        [
            (lambda n_layer, n_embd, n, n_texts: n_layer * n_embd * n, "a key and a value"),
            (lambda *sizes: 2 * math.prod(sizes), "a key and a value"),
            (lambda *sizes: 8 * math.prod(sizes), "a key and a value"),
            (
                lambda n_layer, n_embd, n, n_texts: 4 * n_layer * n_embd * n,
                "every text has its own",
            ),
            (lambda n_layer, n_embd, n, n_texts: 4 * n_embd * n * n_texts, "every block"),
            (lambda *sizes: None, "no answer yet"),
        ],
    ),
    training.check_12_2: (
        [
            by_reshape,
            by_slices,
            by_split,
            column_by_column,
            lambda x, b, n: in_place(x, by_split(x, b, n)),
        ],
        [
            (lambda x, n_bits, n: by_reshape(x, n_bits, len(x)), "n_bits = 4, n = 16"),
            (lambda x, n_bits, n: x, "n_bits = 4, n = 16"),
            (lambda x, n_bits, n: by_reshape(x, 4, n), "n_bits = 3, n = 8"),
            (lambda x, n_bits, n: by_reshape(x, n_bits, 16), "n_bits = 4, n = 64"),
            (lambda x, n_bits, n: by_reshape(x, n_bits, n)[0], "the shape is [5]"),
            (lambda x, n_bits, n: by_reshape(x, 8, n), "n_bits = 4, n = 16"),
            (lambda x, n_bits, n: None, "no answer yet"),
        ],
    ),
}


@pytest.mark.parametrize(("check", "answer", "more", "said"), cases(TABLE))
def test_an_answer(check, answer, more, said, capsys):
    judge(check, answer, more, said, capsys)
