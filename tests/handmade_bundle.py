"""A tensor bundle written by hand, for what TensorFlow does not write at this size or at all."""

from pathlib import Path

import numpy as np

from picogpt.weights.crc32c import crc32c_plain, mask

FLOAT32 = 1
MAGIC = bytes.fromhex("57fb808b247547db")


def varint(n: int) -> bytes:
    out = b""
    while n >= 0x80:
        out += bytes([n & 0x7F | 0x80])
        n >>= 7
    return out + bytes([n])


def message(*fields: tuple[int, int | bytes]) -> bytes:
    """(number, value) pairs: an int becomes a varint, bytes a length-delimited field."""
    out = b""
    for number, value in fields:
        if isinstance(value, int):
            out += varint(number << 3) + varint(value)
        else:
            out += varint(number << 3 | 2) + varint(len(value)) + value
    return out


def fixed32(number: int, value: int) -> bytes:
    return varint(number << 3 | 5) + value.to_bytes(4, "little")


def shape_message(shape) -> bytes:
    return message(*[(2, message((1, n))) for n in shape])


def entry(x: np.ndarray, offset: int = 0, shard: int = 0, dtype: int = FLOAT32, **changed) -> bytes:
    """The entry of array x; `changed` replaces its shape or size."""
    shape, size = changed.get("shape", x.shape), changed.get("size", x.nbytes)
    crc = mask(crc32c_plain(x.tobytes()))
    place = message((1, dtype), (2, shape_message(shape)), (3, shard), (4, offset), (5, size))
    return place + fixed32(6, crc)


def block_contents(entries: list[tuple[bytes, bytes]], every: int = 16) -> bytes:
    """Entries with shared prefixes, and a restart point at every so many."""
    out, restarts, previous = b"", [], b""
    for i, (key, value) in enumerate(entries):
        shared = 0
        if i % every == 0:
            restarts.append(len(out))
        else:
            while shared < len(previous) and previous[: shared + 1] == key[: shared + 1]:
                shared += 1
        out += varint(shared) + varint(len(key) - shared) + varint(len(value))
        out += key[shared:] + value
        previous = key
    restarts = restarts or [0]
    return out + b"".join(n.to_bytes(4, "little") for n in [*restarts, len(restarts)])


def sealed(contents: bytes, compression: int = 0) -> bytes:
    """A block with its trailer."""
    block = contents + bytes([compression])
    return block + mask(crc32c_plain(block)).to_bytes(4, "little")


def footer(metaindex: tuple[int, int], index: tuple[int, int]) -> bytes:
    handles = b"".join(varint(n) for n in [*metaindex, *index])
    return handles.ljust(40, b"\0") + MAGIC


def table(blocks: list[list[tuple[bytes, bytes]]], compression: int = 0) -> bytes:
    """A file of one data block for each list of entries."""
    return table_of_contents(
        [block_contents(entries) for entries in blocks],
        [entries[-1][0] for entries in blocks],
        compression,
    )


def table_of_contents(
    contents: list[bytes], separators: list[bytes], compression: int = 0
) -> bytes:
    """A file of data blocks given as raw contents, each listed in the index under its separator."""
    file, index = b"", []
    for content, separator in zip(contents, separators, strict=True):
        index.append((separator, varint(len(file)) + varint(len(content))))
        file += sealed(content, compression)
    handles = []
    for content in (block_contents([]), block_contents(index, every=1)):
        handles.append((len(file), len(content)))
        file += sealed(content)
    return file + footer(*handles)


def write_bundle(prefix: Path, tensors: dict[str, np.ndarray]) -> None:
    """One shard, and an index of one block, of float32 arrays."""
    entries, data = {}, b""
    for name in sorted(tensors):
        entries[name] = entry(tensors[name], offset=len(data))
        data += tensors[name].tobytes()
    write_index(prefix, entries)
    Path(f"{prefix}.data-00000-of-00001").write_bytes(data)


def write_index(prefix: Path, entries: dict[str, bytes], header: bytes = message((1, 1))) -> None:
    """An index of one block."""
    named = [(name.encode(), value) for name, value in sorted(entries.items())]
    Path(f"{prefix}.index").write_bytes(table([[(b"", header), *named]]))
