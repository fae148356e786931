"""The exercises of notebooks 5 and 6: generation, and the files of a checkpoint."""

import math

import numpy as np

from ...decoding.sampling import keep_min_p
from ...kv_cache import KVCache
from ...model import gpt2
from ...ops import softmax
from ...weights.sstable import read_varint
from ...weights.tf_bundle import read_index
from ..texts import TALE
from .verdict import NotYet, expect, numbers


def check_5_1(function) -> None:
    """Min-p, from the logits alone."""
    rng = np.random.default_rng(1)
    for min_p in (0.01, 0.1, 0.5, 1.0):
        logits = rng.standard_normal(100).astype(np.float32) * 3
        expected = keep_min_p(logits.copy(), min_p)
        found = function(logits.copy(), min_p)
        expect(np.asarray(found).dtype != bool, "expected logits, not which of them are kept")
        found = numbers(found, (100,))
        n, kept = np.isfinite(expected).sum(), np.isfinite(found).sum()
        expect(kept == n, f"min_p = {min_p} should keep {n} of 100 tokens, not {kept}")
        right = (np.isfinite(found) == np.isfinite(expected)).all()
        expect(right, "the right number of tokens, but not the right ones")
        same = np.allclose(found, expected, atol=1e-5)
        expect(same, "the right tokens, but their logits must stay as they are")


def check_5_2(function, *examples) -> None:
    """The temperature at which a draw is as uncertain as one among n tokens. examples: logits."""
    for logits in examples:
        for n in (2, 10, 100):
            temperature = float(numbers(function(logits.astype(float), n)))
            positive = 0 < temperature < math.inf
            expect(positive, f"the temperature is {temperature}, expected a positive number")
            p = softmax(logits.astype(float) / temperature)
            p = p[p > 0]
            found = math.exp(-(p * np.log(p)).sum())
            close = math.isclose(found, n, rel_tol=2e-3)
            expect(close, f"at your temperature the perplexity is {found:.4g}, expected {n}")


class CountingCache(KVCache):
    """A cache that counts the positions that are computed into it."""

    n_read = 0

    def append(self, layer, k, v):
        self.n_read += k.shape[-2] if layer == 0 else 0
        return super().append(layer, k, v)


def check_5b_1(function, model) -> None:
    """Greedy ids after a text that is cut back, with the cache."""
    ids = model.tokenizer.encode(TALE)[:50]
    cache = CountingCache(model.config)
    gpt2(ids, **model.params, n_head=model.config.n_head, cache=cache, at=-1)
    cache.n_read = 0
    found = numbers(function(list(ids), cache, 20, 8), None)
    expect(len(found) > 0, "no answer yet")
    expect(len(found) == 8, f"{len(found)} tokens, expected 8")
    text = ids[:30]
    for token in found:
        logits = model(text)[-1]
        best = logits[int(token)] > logits.max() - 1e-3
        expect(best, f"token {len(text) - 30} is not what greedy decoding writes there")
        text = [*text, int(token)]
    expect(
        cache.n_read > 0, "right, but the cache was not used: work on the one that you are given"
    )
    expect(cache.n_read == 8, f"right, but {cache.n_read} tokens were read, and 8 are enough")
    expect(cache.n_past == 37, f"{cache.n_past} positions are filled at the end, not 37")


def check_6_1(function) -> None:
    """A varint."""
    for number in (300, 1, 127, 128, 0, 856, 2**32, 2**63):
        written = function(number)
        expect(written is not None, "no answer yet")
        kind = type(written).__name__
        expect(isinstance(written, bytes | bytearray), f"expected bytes, not {kind}")
        if number:
            expect(len(written) > 0, "no answer yet" if number == 300 else f"{number}: no byte")
        expect(len(written) > 0, "0 takes a byte, too")
        n_bytes = max(1, -(-number.bit_length() // 7))
        expect(
            len(written) == n_bytes,
            f"{number} became {len(written)} bytes, {written.hex(' ')}, expected {n_bytes}",
        )
        backwards = sum((byte & 127) << 7 * i for i, byte in enumerate(reversed(written)))
        expect(
            n_bytes == 1 or backwards != number,
            f"{number} became {written.hex(' ')}: the lowest seven bits come first",
        )
        more = [byte >> 7 for byte in written]
        expect(
            more == [1] * (n_bytes - 1) + [0],
            f"{number} became {written.hex(' ')}: the eighth bit says that another byte follows",
        )
        value, _ = read_varint(bytes(written), 0)
        expect(value == number, f"{number} became {written.hex(' ')}, which is read as {value}")


def tensor_name(answer) -> str:
    """A name, which may be bytes, as the keys of the index are."""
    expect(answer is not None, "no answer yet")
    expect(isinstance(answer, str | bytes), f"expected a name, not {answer!r:.50}")
    return answer.decode() if isinstance(answer, bytes) else answer


def check_6_2(answer, folder) -> None:
    """The tensor to which byte 40,000 belongs."""
    name, index = tensor_name(answer), read_index(folder / "model.ckpt")
    expect(name in index, f"no tensor is called {name!r}")
    entry = index[name]
    expect(entry.offset <= 40_000, "this one begins after byte 40,000")
    expect(entry.offset + entry.size > 40_000, "this one ends before byte 40,000")


def check_6_3(function, folder) -> None:
    """The tensor in which a bit was flipped."""
    data = (folder / "model.ckpt.data-00000-of-00001").read_bytes()
    index = read_index(folder / "model.ckpt")
    for name in (min(index), max(index), "model/wpe"):
        damaged = bytearray(data)
        damaged[index[name].offset + index[name].size // 2] ^= 4
        try:
            found = tensor_name(function(damaged))
        except NotYet as missing:
            raise NotYet(f"{missing}, when {name} was damaged") from None
        expect(found in index, f"no tensor is called {found!r}")
        expect(
            found == name, f"you say {found}, but in the data that it was given {name} is damaged"
        )
