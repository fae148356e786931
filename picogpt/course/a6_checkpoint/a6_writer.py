"""Assignment 6, the other way round: what a checkpoint's bytes are, written in memory.

From these the questions make what the student's functions are to read.
"""

from typing import NamedTuple

import numpy as np

from ...weights.crc32c import mask
from ...weights.sstable import MAGIC
from .a6_reference import crc32c

FLOAT32 = 1
PARTS = ("attn/c_attn/b", "attn/c_attn/w", "attn/c_proj/w", "ln_1/b", "ln_1/g", "mlp/c_fc/w")
NAMES = [f"model/h{i}/{part}" for i in range(12) for part in PARTS]


def little(n: int, n_bytes: int) -> bytes:
    return n.to_bytes(n_bytes, "little")


def varint(n: int) -> bytes:
    written = b""
    while n >= 0x80:
        written += bytes([n & 0x7F | 0x80])
        n >>= 7
    return written + bytes([n])


def field(number: int, value: int | bytes) -> bytes:
    """A field of a message. A zero is not written at all, as Protocol Buffers has it."""
    if isinstance(value, bytes):
        return varint(number << 3 | 2) + varint(len(value)) + value
    return varint(number << 3) + varint(value) if value else b""


def fixed32(number: int, value: int) -> bytes:
    return varint(number << 3 | 5) + little(value, 4)


def entry_message(
    shape: tuple[int, ...], offset: int, size: int, crc: int, dtype: int = FLOAT32, shard: int = 0
) -> bytes:
    """A BundleEntryProto; crc: as it is to be stored."""
    dims = b"".join(field(2, field(1, n)) for n in shape)
    place = field(3, shard) + field(4, offset) + field(5, size)
    return field(1, dtype) + field(2, dims) + place + fixed32(6, crc)


def restart_array(restarts: list[int]) -> bytes:
    return b"".join(little(n, 4) for n in [*restarts, len(restarts)])


def block(entries: list[tuple[bytes, bytes]], every: int = 16) -> bytes:
    """The contents of a block; every: how many entries from one restart point to the next."""
    written, restarts, previous = b"", [], b""
    for i, (key, value) in enumerate(entries):
        if i % every == 0:
            restarts.append(len(written))
            previous = b""
        pairs = zip(previous, key, strict=False)
        n_shared = next(
            (n for n, (a, b) in enumerate(pairs) if a != b), min(len(previous), len(key))
        )
        rest = key[n_shared:]
        written += varint(n_shared) + varint(len(rest)) + varint(len(value)) + rest + value
        previous = key
    return written + restart_array(restarts or [0])


def stored_crc(data: bytes) -> bytes:
    return little(mask(crc32c(data)), 4)


def sealed(contents: bytes, kind: int = 0) -> bytes:
    """A block with its trailer; kind: how it claims to be compressed."""
    covered = contents + bytes([kind])
    return covered + stored_crc(covered)


def footer(metaindex: tuple[int, int], index: tuple[int, int], magic: int = MAGIC) -> bytes:
    handles = b"".join(varint(n) for n in (*metaindex, *index))
    return handles.ljust(40, b"\0") + little(magic, 8)


def table(entries: list[tuple[bytes, bytes]], n_per_block: int) -> bytes:
    """A whole table of sorted entries."""
    file, index = b"", []
    for i in range(0, len(entries), n_per_block):
        part = entries[i : i + n_per_block]
        contents = block(part)
        separator = part[-1][0] + b"\0"  # after this block's last key, and before any other
        index.append((separator, varint(len(file)) + varint(len(contents))))
        file += sealed(contents)
    handles = []
    for contents in (block([]), block(index, every=1)):
        handles.append((len(file), len(contents)))
        file += sealed(contents)
    return file + footer(*handles)


class Stored(NamedTuple):
    """A tensor as it lies in a file."""

    shape: tuple[int, ...]
    data: bytes
    dtype: int = FLOAT32
    shard: int = 0


def stored(x: np.ndarray, shard: int = 0) -> Stored:
    return Stored(x.shape, x.astype("<f4").tobytes(), shard=shard)


def bundle(
    tensors: dict[str, Stored], n_per_block: int, said: int | None = None
) -> tuple[bytes, list[bytes]]:
    """The index and the files of data of a checkpoint; said: a wrong number of files."""
    shards = [b""] * (1 + max(x.shard for x in tensors.values()))
    header = field(1, said or len(shards)) + field(3, field(1, 1))  # and the version of the format
    entries = [(b"", header)]
    for name in sorted(tensors):
        shape, data, dtype, shard = tensors[name]
        place = len(shards[shard]), len(data)
        message = entry_message(shape, *place, mask(crc32c(data)), dtype, shard)
        entries.append((name.encode(), message))
        shards[shard] += data
    return table(entries, n_per_block), shards


def random_names(rng: np.random.Generator, n: int) -> list[str]:
    """n names of tensors, in the order of a checkpoint."""
    return sorted(map(str, rng.choice(NAMES, n, replace=False)))


def names_with_umlauts(rng: np.random.Generator, n: int) -> list[str]:
    """The same, of which the last one looks different in UTF-8 and in other encodings."""
    return [*random_names(rng, n - 1), f"model/größe_{rng.integers(10, 100)}"]


def random_entries(rng: np.random.Generator, n: int) -> list[tuple[bytes, bytes]]:
    """Names and values, in the order of a table."""
    return [(name.encode(), rng.bytes(rng.integers(1, 7))) for name in random_names(rng, n)]


def random_tensor(rng: np.random.Generator, n_dims: int) -> np.ndarray:
    """float32 numbers, in a shape of different sizes."""
    shape = rng.permutation(np.arange(2, 3 + n_dims))[:n_dims]
    return rng.standard_normal(shape).astype(np.float32)
