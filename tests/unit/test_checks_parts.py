"""The exercises of notebooks 2 to 4, answered well and badly."""

import math
import statistics

import numpy as np
import pytest
from answers import MODEL, TOKENIZER, cases, judge

from picogpt import lens
from picogpt.classroom.checks import parts
from picogpt.model import merge_heads, split_heads
from picogpt.ops import causal_attention, causal_mask, gelu, layer_norm, linear, softmax
from picogpt.tap import record

# 2.1: layer norm of a list


def by_sums(x, g, b):
    n = len(x)
    mean = sum(x) / n
    std = math.sqrt(sum((i - mean) ** 2 for i in x) / n + 1e-5)
    return [(i - mean) / std * j + k for i, j, k in zip(x, g, b, strict=True)]


def by_statistics(x, g, b):
    mean, variance = statistics.mean(x), statistics.pvariance(x)
    return [(x[i] - mean) / (variance + 1e-5) ** 0.5 * g[i] + b[i] for i in range(len(x))]


def by_array(x, g, b):
    x = np.array(x)
    return (x - x.mean()) / np.sqrt(x.var() + 1e-5) * g + b


def inside_the_list(x, g, b):
    x[:] = by_sums(x, g, b)
    return x


def by_generator(x, g, b):
    return (number for number in by_sums(x, g, b))


def norm(x, g, b, ddof=0, inside=1e-5, outside=0.0):
    x = np.array(x)
    return list((x - x.mean()) / (np.sqrt(x.var(ddof=ddof) + inside) + outside) * g + b)


# 2.3: how many rows are nearest to themselves


def by_argmax(wte, n):
    return int(((wte[:n] @ wte.T).argmax(axis=-1) == np.arange(n)).sum())


def row_by_row(wte, n):
    count = 0
    for i in range(n):
        products = [sum(wte[i] * row) for row in wte]
        count += products.index(max(products)) == i
    return count


def by_lengths(wte, n):
    directions = wte / np.linalg.norm(wte, axis=-1, keepdims=True)
    return by_argmax(directions, n)


# 3.1: attention as a loop


def one_by_one(q, k, v):
    output = np.zeros_like(v)
    for i in range(len(q)):
        output[i] = softmax(k[: i + 1] @ q[i] / math.sqrt(q.shape[-1])) @ v[: i + 1]
    return output


def with_numbers(q, k, v):
    rows = []
    for i in range(len(q)):
        scores = [math.exp(q[i].dot(k[j]) / 4) for j in range(i + 1)]
        rows.append(
            [sum(s * v[j, c] for j, s in enumerate(scores)) / sum(scores) for c in range(16)]
        )
    return rows


def backwards_in_place(q, k, v):
    for i in reversed(range(len(q))):
        v[i] = softmax(k[: i + 1] @ q[i] / 4) @ v[: i + 1]
    return v


def with_mask(q, k, v):
    return softmax(q @ k.T / 4 + causal_mask(7, 0, np.float64)) @ v


def by_einsum(q, k, v):
    scores = np.where(np.tri(7), np.einsum("id,jd->ij", q, k) / 4, -np.inf)
    return np.einsum("ij,jd->id", softmax(scores), v)


def uniform(q, k, v):
    return np.array([v[: i + 1].mean(axis=0) for i in range(7)])


# 3.2 and 3.3: maps and edits

IDS = TOKENIZER.encode("The king loved the youngest princess more than gold.")
SEEN: dict = {}
MODEL(IDS, tap=record(SEEN))
MAPS = lens.attention_maps(SEEN, MODEL.config.n_layer)
ENTROPY = -(MAPS[:, :, -5:] * np.log(MAPS[:, :, -5:] + 1e-9)).sum(axis=-1).mean(axis=-1)
SHARPEST = divmod(int(ENTROPY.argmin()), 3)
BLUNTEST = divmod(int(ENTROPY.argmax()), 3)
WPE = MODEL.params["wpe"]

# 4.1: the last row of the logits


def last(ids, wte, wpe, h, ln_f, n_head, finish):
    x = wte[ids] + wpe[: len(ids)]
    for block in h:
        attn, mlp = block["attn"], block["mlp"]
        qkv = np.split(linear(layer_norm(x, **block["ln_1"]), **attn["c_attn"]), 3, axis=-1)
        q, k, v = (split_heads(part, n_head) for part in qkv)
        x = x + linear(merge_heads(causal_attention(q, k, v)), **attn["c_proj"])
        x = x + linear(gelu(linear(layer_norm(x, **block["ln_2"]), **mlp["c_fc"])), **mlp["c_proj"])
    return finish(layer_norm(x, **ln_f), wte)


def ending(finish):
    """forward_last with its last line: finish(x, wte), where x is [n_seq, n_embd] after ln_f."""
    return lambda ids, **params: last(ids, finish=finish, **params)


# 4.3: two texts in one call


def filled_with(token):
    def both(model, short, long):
        rows = [short + [token] * (len(long) - len(short)), long]
        logits = model(rows)
        return logits[0, len(short) - 1], logits[1, -1]

    return both


def as_one_array(model, short, long):
    rows = np.full((2, len(long)), model.tokenizer.endoftext)
    rows[0, : len(short)], rows[1] = short, long
    return model(rows)[[0, 1], [len(short) - 1, len(long) - 1]]


def growing(model, short, long):
    n = len(short)
    while len(short) < len(long):
        short.append(7)
    logits = model(np.array([short, long]))
    return [logits[0][n - 1], logits[1][len(long) - 1]]


def with_zeros(model, short, long):
    x = np.pad(short, (0, len(long) - len(short)))
    return tuple(row[n - 1] for row, n in zip(model([x, long]), (len(short), len(long))))


def on_the_left(model, short, long):
    logits = model([[0] * (len(long) - len(short)) + short, long])
    return logits[0, -1], logits[1, -1]


def at_the_end(model, short, long):
    logits = model([short + [0] * (len(long) - len(short)), long])
    return logits[:, -1]


def in_two_calls(model, short, long):
    return model(short)[-1], model(long)[-1]


TABLE = {
    parts.check_2_1: (
        [by_sums, by_statistics, by_array, inside_the_list, by_generator, norm],
        [
            (lambda x, g, b: x, "no answer yet"),
            (lambda x, g, b: None, "no answer yet"),
            (lambda x, g, b: norm(x, g, b, ddof=1), "by n, not by n - 1"),
            (lambda x, g, b: norm(x, [1.0] * len(x), b), "the gain is missing"),
            (lambda x, g, b: norm(x, g, [0.0] * len(x)), "the bias is missing"),
            (lambda x, g, b: norm(x, 1.0, 0.0), "gain and bias are missing"),
            (lambda x, g, b: norm(x, g, b, inside=0.0), "see epsilon"),
            (lambda x, g, b: norm(x, g, b, inside=0.0, outside=1e-5), "see epsilon"),
            (
                lambda x, g, b: list(np.array(x) / np.std(x) * g + b),
                "the mean has to be subtracted",
            ),
            (lambda x, g, b: list((np.array(x) - np.mean(x)) / np.var(x) * g + b), "the root"),
            (lambda x, g, b: sum(x), "the shape is []"),
            (lambda x, g, b: norm(x, g, b, inside=1.0), "b = [0.0, 0.0, 0.5, 0.5, 0.0] expected ["),
        ],
    ),
    parts.check_2_2: (
        [(2, 5), (2.0, 5.0), (np.float32(2), np.int64(5)), ([2], [5]), (-2, 5), (np.array(2), 5)],
        [
            ((None, None), "no answer yet"),
            ((5, 2), "the mean is 2"),
            ((2, None), "no answer yet"),
            ((2, 5.004), "the mean is 5.004"),
            ((4, 5), "the standard deviation is 4"),
            ((2.02, 5), "the standard deviation is 2.02"),
            (("2", "x"), "expected a number"),
        ],
    ),
    parts.check_2_3: (
        [
            by_argmax,
            row_by_row,
            lambda wte, n: np.sum(np.argmax(np.inner(wte[:n], wte), axis=1) == range(n)),
            lambda wte, n: sum((wte @ wte[i]).argmax() == i for i in range(n)),
            lambda wte, n: np.count_nonzero(
                np.einsum("id,vd->iv", wte[:n], wte).argmax(1) == np.r_[:n]
            ),
        ],
        [
            (lambda wte, n: None, "no answer yet"),
            (lambda wte, n: by_argmax(wte[:n], n), "row 1 has a larger product"),
            (
                lambda wte, n: n,
                "for the table [[3, 0], [0, 1], [0, 4], [1, 0], [-1, -1]] and n = 2",
            ),
            (lambda wte, n: by_argmax(wte, len(wte)), "of the first two"),
            (by_lengths, "of the first two"),
            (lambda wte, n: by_argmax(wte, n) / n, "of the first two"),
        ],
    ),
    parts.check_3_1: (
        [one_by_one, with_numbers, backwards_in_place, with_mask, by_einsum, causal_attention],
        [
            (lambda q, k, v: np.zeros_like(v), "no answer yet"),
            (lambda q, k, v: one_by_one(4 * q, k, v), "divided by the root of d"),
            (lambda q, k, v: softmax(q @ k.T / 4) @ v, "sees itself alone"),
            (lambda q, k, v: one_by_one(q / 4, k, v), "divided by the root of d"),
            (lambda q, k, v: one_by_one(4 * q / len(q), k, v), "divided by the root of d"),
            (lambda q, k, v: one_by_one(4 * q / len(q) ** 0.5, k, v), "divided by the root of d"),
            (uniform, "some position's output is wrong"),
            (lambda q, k, v: one_by_one(k, q, v), "keys and queries are exchanged"),
            (lambda q, k, v: one_by_one(q, k, v)[-1], "the shape is [16]"),
            (lambda q, k, v: one_by_one(q, k, k), "sees itself alone"),
        ],
    ),
    parts.check_3_2: (
        [
            SHARPEST,
            list(SHARPEST),
            np.array(SHARPEST),
            np.unravel_index(ENTROPY.argmin(), (2, 3)),
            tuple(map(float, SHARPEST)),
        ],
        [
            (None, "expected a pair"),
            (BLUNTEST, "another head is sharper"),
            (int(ENTROPY.argmin()), "expected a pair"),
            ((9, 9), "there is no head (9, 9)"),
            ((-1, -1), "there is no head"),
            (("a", "b"), "expected numbers"),
        ],
        MAPS,
    ),
    parts.check_3_3: (
        [
            {"wpe": lambda x: 0 * x},
            {"wpe": np.zeros_like},
            {"wpe": lambda x: np.repeat(x[:1], len(x), axis=0)},
            {"embed": lambda x: x - WPE[: len(x)]},
            {"wpe": lambda x: x[np.zeros(len(x), int)]},
            {"wpe": lambda x: np.full_like(x, 0.1)},
        ],
        [
            ({}, "no answer yet"),
            (None, "expected a dictionary"),
            ({"embed": lambda x: 0 * x}, "the words must still make a difference"),
            ({"h.0.attn.v": np.ones_like}, "the words must still make a difference"),
            ({"h.0.attn.v": lambda x: 0 * x}, "the heads must give an answer"),
            ({"h.0.attn.q": lambda x: 0 * x}, "the order still makes a difference"),
            ({"wte": lambda x: x[:1] + 0 * x}, "the order"),
            ({"position": lambda x: 0 * x}, "no activation position; it has "),
            ({"embd": lambda x: 0 * x}, "no activation embd; it has embed"),
        ],
        MODEL,
        IDS,
    ),
    parts.check_4_1: (
        [
            ending(lambda x, wte: x[-1] @ wte.T),
            ending(lambda x, wte: wte @ x[-1]),
            ending(lambda x, wte: np.dot(x[-1], wte.T)),
            ending(lambda x, wte: np.matmul(wte, x[-1])),
            ending(lambda x, wte: np.einsum("d,vd->v", x[-1], wte)),
            ending(lambda x, wte: (x[-1:] @ wte.T)[0]),
            ending(lambda x, wte: wte.dot(x[-1])),
            ending(lambda x, wte: np.vecdot(x[-1], wte)),
            ending(lambda x, wte: [float(row @ x[-1]) for row in wte]),
        ],
        [
            (ending(lambda x, wte: x @ wte.T), "for five ids the shape is [5, 400]"),
            (ending(lambda x, wte: (x @ wte.T)[-1]), "other rows were computed"),
            (ending(lambda x, wte: np.dot(x, wte.T)[-1]), "other rows were computed"),
            (ending(lambda x, wte: np.einsum("td,vd->tv", x, wte)[-1]), "other rows were"),
            (ending(lambda x, wte: (wte @ x.T)[:, -1]), "other rows were computed"),
            (ending(lambda x, wte: (x[-2:] @ wte.T)[-1]), "other rows were computed"),
            (ending(lambda x, wte: (x[None] @ wte.T)[0, -1]), "other rows were computed"),
            (lambda ids, **params: MODEL(ids)[-1], "not the last position's logits"),
            (ending(lambda x, wte: x[0] @ wte.T), "not the last position's logits"),
            (ending(lambda x, wte: softmax(x[-1] @ wte.T)), "not the last position's logits"),
            (ending(lambda x, wte: None), "no answer yet"),
        ],
        MODEL,
        np.array(IDS),
    ),
    parts.check_4_2: (
        [
            lambda n_embd: 6 * n_embd,
            lambda n_embd: 24 * n_embd**2 / (4 * n_embd),
            lambda n_embd: np.float64(6.0) * n_embd,
            lambda n_embd: next(n for n in range(20_000) if 4 * n * n_embd == 24 * n_embd**2),
            lambda n_embd: [n_embd * 6],
        ],
        [
            (lambda n_embd: None, "no answer yet"),
            (lambda n_embd: 12 * n_embd, "cost 2.000 times as much"),
            (lambda n_embd: 3 * n_embd, "cost 0.500 times"),
            (lambda n_embd: 4608, "for n_embd = 1024"),
            (lambda n_embd: 6 * n_embd + 1, "cost 1.000 times"),
            (lambda n_embd: 0, "cost 0.000 times"),
        ],
    ),
    parts.check_4_3: (
        [filled_with(0), filled_with(TOKENIZER.endoftext), as_one_array, growing, with_zeros],
        [
            (lambda model, short, long: (None, None), "no answer yet"),
            (lambda model, short, long: None, "expected two rows"),
            (on_the_left, "the short text's logits differ from those"),
            (at_the_end, "the short text's logits differ from those"),
            (in_two_calls, "the model was called 2 times"),
            (lambda _, short, long: filled_with(0)(MODEL, short, long), "ask the model that"),
            (lambda model, short, long: filled_with(0)(model, long, short), "ValueError"),
            (lambda model, short, long: filled_with(0)(model, short, long)[::-1], "the short"),
        ],
        MODEL,
    ),
}


@pytest.mark.parametrize(("check", "answer", "more", "said"), cases(TABLE))
def test_an_answer(check, answer, more, said, capsys):
    judge(check, answer, more, said, capsys)
