"""The exercises of notebooks 5 and 6, answered well and badly."""

import math

import numpy as np
import pytest
from answers import MODEL, cases, in_place, judge

from picogpt.classroom.checks import writing
from picogpt.classroom.texts import DATA
from picogpt.decoding.sampling import keep_min_p
from picogpt.model import gpt2
from picogpt.ops import softmax
from picogpt.weights.crc32c import crc32c, crc32c_plain, unmask
from picogpt.weights.tf_bundle import read_index

# 5.1: min-p


def by_where(logits, min_p):
    return np.where(logits < logits.max() + math.log(min_p), -np.inf, logits)


def by_loop(logits, min_p):
    least = max(logits) + np.log(min_p)
    return [z if z >= least else -math.inf for z in logits]


def by_subtraction(logits, min_p):
    result = logits.copy()
    result[logits - logits.max() < np.float32(np.log(min_p))] = -np.inf
    return result


def by_softmax(logits, min_p):
    p = softmax(logits.astype(float))
    return np.where(p >= min_p * p.max(), logits, -np.inf)


def strictly(logits, min_p):
    return np.where(logits > logits.max() + math.log(min_p), logits, -np.inf)


def kept_alone(logits, min_p):
    return logits[logits >= logits.max() + math.log(min_p)]


# 5.2: a temperature for a perplexity

SURE, UNSURE = (np.random.default_rng(4).standard_normal(400) * size for size in (4, 1.5))


def uncertainty(logits, temperature):
    p = softmax(logits / temperature)
    p = p[p > 0]
    return math.exp(-(p * np.log(p)).sum())


def by_halving(logits, n):
    low, high = 1e-3, 1e3
    for _ in range(60):
        middle = math.sqrt(low * high)
        low, high = (middle, high) if uncertainty(logits, middle) < n else (low, middle)
    return middle


def by_halving_the_range(logits, n):
    low, high = 1e-6, 100.0
    while high - low > 1e-7:
        middle = (low + high) / 2
        if uncertainty(logits, middle) < n:
            low = middle
        else:
            high = middle
    return low


def by_grid(logits, n):
    low, high = -3.0, 3.0
    for _ in range(12):
        grid = np.linspace(low, high, 12)
        i = int(np.searchsorted([uncertainty(logits, 10**t) for t in grid], n))
        low, high = grid[i - 1], grid[i]
    return 10**high


def by_inverse(logits, n):
    low, high = 1e-3, 1e3  # of 1 / T
    for _ in range(80):
        middle = (low + high) / 2
        low, high = (middle, high) if uncertainty(logits, 1 / middle) > n else (low, middle)
    return 1 / low


def by_secant(logits, n):
    t = [0.0, 0.1]
    for _ in range(200):
        y = [math.log(uncertainty(logits, math.exp(x))) - math.log(n) for x in t]
        if abs(y[1]) < 1e-6:
            break
        step = -y[1] * (t[1] - t[0]) / (y[1] - y[0])
        t = [t[1], t[1] + float(np.clip(step, -0.5, 0.5))]
    return np.array([math.exp(t[1])])


# 5.3: going back with the cache


def forward(ids, cache):
    return gpt2(ids, **MODEL.params, n_head=MODEL.config.n_head, cache=cache, at=-1)


def rewound(ids, cache, n_back, n_new):
    kept = ids[:-n_back]
    cache.rewind(len(kept) - 1)
    new, last = [], kept[-1]
    for _ in range(n_new):
        last = int(forward([last], cache).argmax())
        new.append(last)
    return new


def as_array(ids, cache, n_back, n_new):
    return np.array(rewound(ids, cache, n_back, n_new))


def appending(ids, cache, n_back, n_new):
    del ids[-n_back:]
    n = len(ids)
    cache.rewind(n - 1)
    while len(ids) < n + n_new:
        ids.append(forward(ids[-1:], cache).argmax())
    return ids[n:]


def by_slices(ids, cache, n_back, n_new):
    ids = list(ids[: len(ids) - n_back])
    cache.rewind(cache.n_past - n_back - 1)
    for _ in range(n_new):
        ids += [int(np.argmax(forward([ids[-1]], cache)))]
    return tuple(ids[-n_new:])


def with_all_rows(ids, cache, n_back, n_new):
    token, found = ids[-n_back - 1], []
    cache.rewind(len(ids) - n_back - 1)
    for _ in range(n_new):
        logits = gpt2([token], **MODEL.params, n_head=3, cache=cache)
        token = int(logits[-1].argmax())
        found.append(token)
    return found


def without_the_cache(ids, cache, n_back, n_new):
    text = list(ids[:-n_back])
    for _ in range(n_new):
        text.append(int(MODEL(text)[-1].argmax()))
    return text[-n_new:]


def read_again(ids, cache, n_back, n_new):
    cache.rewind(0)
    new = [int(forward(ids[:-n_back], cache).argmax())]
    while len(new) < n_new:
        new.append(int(forward(new[-1:], cache).argmax()))
    return new


def one_too_many(ids, cache, n_back, n_new):
    new = rewound(ids, cache, n_back, n_new)
    forward(new[-1:], cache)
    return new


def forgotten(ids, cache, n_back, n_new):
    new = rewound(ids, cache, n_back, n_new)
    cache.rewind(10)
    return new


def not_rewound(ids, cache, n_back, n_new):
    return rewound(ids, cache, 1, n_new)


# 6.1: varints


def by_loop_of_seven(number):
    written = []
    while number >= 128:
        written.append(128 | number & 127)
        number >>= 7
    return bytes([*written, number])


def by_bytearray(number):
    written = bytearray()
    while True:
        number, low = divmod(number, 128)
        written.append(low + (128 if number else 0))
        if not number:
            return written


def by_recursion(number):
    if number < 128:
        return bytes([number])
    return bytes([number % 128 + 128]) + by_recursion(number // 128)


def by_text(number):
    bits = f"{number:b}"
    bits = bits.zfill(-(-len(bits) // 7) * 7)
    parts = [bits[i : i + 7] for i in range(0, len(bits), 7)][::-1]
    return bytes(int("1" + part, 2) for part in parts[:-1]) + bytes([int(parts[-1], 2)])


def by_length(number):
    n = max(1, (number.bit_length() + 6) // 7)
    return b"".join(
        ((number >> 7 * i & 127) | (i < n - 1) << 7).to_bytes(1, "little") for i in range(n)
    )


def nothing_for_zero(number):
    return by_loop_of_seven(number) if number else b""


def always_more(number):
    return bytes(byte | 128 for byte in by_loop_of_seven(number))


def big_endian(number):
    *first, last = by_loop_of_seven(number)[::-1]
    return bytes([*(byte | 128 for byte in first), last & 127])


# 6.2 and 6.3: whose bytes these are

TINY = DATA / "tiny"
INDEX = read_index(TINY / "model.ckpt")
OWNER = next(name for name, e in INDEX.items() if e.offset <= 40_000 < e.offset + e.size)
LATER = next(name for name, e in INDEX.items() if e.offset > 40_000)
EARLIER = next(name for name, e in INDEX.items() if e.offset + e.size <= 40_000)
ORIGINAL = (TINY / "model.ckpt.data-00000-of-00001").read_bytes()


def by_checksum(data):
    for name, e in INDEX.items():
        if crc32c(data[e.offset : e.offset + e.size]) != unmask(e.crc32c):
            return name


def by_plain_checksum(data):
    wrong = [
        name
        for name, e in INDEX.items()
        if crc32c_plain(bytes(data[e.offset : e.offset + e.size])) != unmask(e.crc32c)
    ]
    return wrong[0]


def by_comparing(data):
    place = next(i for i, (a, b) in enumerate(zip(data, ORIGINAL, strict=True)) if a != b)
    return next(name for name, e in INDEX.items() if e.offset <= place < e.offset + e.size)


def by_numpy(data):
    (places,) = np.nonzero(np.frombuffer(data, np.uint8) != np.frombuffer(ORIGINAL, np.uint8))
    return max((e.offset, name) for name, e in INDEX.items() if e.offset <= places[0])[1]


def as_bytes(data):
    return by_checksum(data).encode()


def masked(data):
    for name, e in INDEX.items():
        if crc32c(data[e.offset : e.offset + e.size]) != e.crc32c:
            return name


TABLE = {
    writing.check_5_1: (
        [
            by_where,
            by_loop,
            by_subtraction,
            by_softmax,
            keep_min_p,
            lambda z, p: in_place(z, by_where(z, p)),
        ],
        [
            (lambda logits, min_p: logits, "should keep"),
            (lambda logits, min_p: None, "no answer yet"),
            (strictly, "min_p = 1.0 should keep 1 of 100 tokens, not 0"),
            (kept_alone, "expected [100]"),
            (lambda z, p: np.where(z >= p * z.max(), z, -np.inf), "should keep"),
            (lambda z, p: by_where(z, p)[::-1], "but not the right ones"),
            (lambda z, p: by_where(z, p) - z.max(), "must stay as they are"),
            (lambda z, p: np.isfinite(by_where(z, p)), "expected logits"),
            (lambda z, p: softmax(by_where(z, p)), "should keep"),
        ],
    ),
    writing.check_5_2: (
        [by_halving, by_halving_the_range, by_grid, by_inverse, by_secant],
        [
            (lambda logits, n: 1.0, "the perplexity is"),
            (lambda logits, n: None, "no answer yet"),
            (lambda logits, n: 0, "expected a positive number"),
            (lambda logits, n: -by_halving(logits, n), "expected a positive number"),
            (lambda logits, n: 1 / by_halving(logits, n), "the perplexity is"),
            (lambda logits, n: by_halving(logits, n + 0.1), "expected 2"),
            (lambda logits, n: math.inf, "expected a positive number"),
        ],
        SURE,
        UNSURE,
    ),
    writing.check_5b_1: (
        [rewound, as_array, appending, by_slices, with_all_rows],
        [
            (lambda *_: [], "no answer yet"),
            (lambda *_: None, "no answer yet"),
            (not_rewound, "token 0 is not what greedy decoding writes there"),
            (read_again, "right, but 37 tokens were read"),
            (forgotten, "10 positions are filled at the end, not 37"),
            (one_too_many, "right, but 9 tokens were read"),
            (without_the_cache, "right, but the cache was not used"),
            (lambda ids, cache, back, n: rewound(ids, cache, back, n - 1), "7 tokens, expected 8"),
        ],
        MODEL,
    ),
    writing.check_6_1: (
        [by_loop_of_seven, by_bytearray, by_recursion, by_text, by_length],
        [
            (lambda number: b"", "no answer yet"),
            (nothing_for_zero, "0 takes a byte, too"),
            (always_more, "the eighth bit says that another byte follows"),
            (lambda number: by_loop_of_seven(number)[::-1], "the lowest seven bits come first"),
            (big_endian, "the lowest seven bits come first"),
            (lambda number: None, "no answer yet"),
            (lambda number: list(by_loop_of_seven(number)), "expected bytes, not list"),
            (lambda number: number.to_bytes(9, "little"), "expected 2"),
            (lambda number: by_loop_of_seven(number ^ 1), "which is read as 301"),
            (lambda number: f"{number:b}", "expected bytes, not str"),
        ],
    ),
    writing.check_6_2: (
        [OWNER, OWNER.encode(), str(np.str_(OWNER)), np.str_(OWNER), f"{OWNER}"],
        [
            (None, "no answer yet"),
            (LATER, "this one begins after byte 40,000"),
            (EARLIER, "this one ends before byte 40,000"),
            (OWNER.removeprefix("model/"), "no tensor is called"),
            (40_000, "expected a name"),
            (INDEX[OWNER], "expected a name"),
        ],
        TINY,
    ),
    writing.check_6_3: (
        [by_checksum, by_plain_checksum, by_comparing, by_numpy, as_bytes],
        [
            (lambda data: None, "no answer yet"),
            (masked, "is damaged"),
            (lambda data: OWNER, "is damaged"),
            (lambda data: by_checksum(data).removeprefix("model/"), "no tensor is called"),
            (lambda data: 7, "expected a name"),
            (lambda data: min(INDEX), "is damaged"),
        ],
        TINY,
    ),
}


@pytest.mark.parametrize(("check", "answer", "more", "said"), cases(TABLE))
def test_an_answer(check, answer, more, said, capsys):
    judge(check, answer, more, said, capsys)
