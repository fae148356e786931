"""Tensors from a TensorFlow checkpoint (a "tensor bundle", version 2), without TensorFlow.

A bundle is an index and one or more files of data, called shards. The index, `model.ckpt.index`,
is a sorted table (sstable.py): for each tensor's name it holds a short message, a BundleEntryProto,
which says what type and shape the tensor has and where its bytes are. The shards,
`model.ckpt.data-00000-of-00001`, are nothing but those bytes, so a float32 tensor can be used in
place: the file is mapped into memory, and the tensor is a view of it.

A tensor can also be in parts, each with its own entry: training on several machines cuts large
variables along an axis.

Source: tensorflow/core/util/tensor_bundle. Whatever does not fit raises CheckpointError.
"""

import math
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

import numpy as np

from .crc32c import crc32c, unmask
from .errors import CheckpointError
from .sstable import read_table
from .tf_messages import ENTRY, HEADER, VERSION, read_extents, read_message, read_shape, single

# Names of types in tensorflow/core/framework/types.proto.
DTYPES = {1: "float32", 2: "float64", 3: "int32", 4: "uint8", 5: "int16", 6: "int8", 7: "string"}
DTYPES |= {8: "complex64", 9: "int64", 10: "bool", 14: "bfloat16", 19: "float16"}
ITEM_SIZES = {"float32": 4, "float16": 2, "bfloat16": 2}  # the types read here


@dataclass(frozen=True)
class Entry:
    """What the index says about one tensor; sizes and offsets as found, not yet checked."""

    dtype: str
    shape: tuple[int, ...]
    shard: str  # what its file's name ends with, "data-00000-of-00001"
    offset: int  # of its first byte in the shard
    size: int  # in bytes
    crc32c: int  # of these bytes, masked as in the index
    parts: tuple["Part", ...] = ()  # if there are any, the tensor has no bytes of its own

    @property
    def shards(self) -> set[str]:
        """Where it lies, as a whole or in parts."""
        return {part.entry.shard for part in self.parts} or {self.shard}


class Part(NamedTuple):
    """A part of a partitioned tensor: its place in the whole, and what the index says about it."""

    place: tuple[slice, ...]
    entry: Entry


def read_header(data: bytes) -> int:
    """The number of shards, from the BundleHeaderProto that the index has under the key ""."""
    header = read_message(data, HEADER)
    if single(header, "endianness", 0) != 0:
        raise CheckpointError("the bundle is big-endian, expected little-endian")
    version = read_message(single(header, "version", b""), VERSION)
    min_consumer = single(version, "min_consumer", 0)
    if min_consumer > 1:
        raise CheckpointError(f"the bundle is for readers of version {min_consumer}, expected 1")
    return single(header, "num_shards", 0)


def read_entry(data: bytes, num_shards: int) -> Entry:
    """One tensor's BundleEntryProto."""
    message = read_message(data, ENTRY)
    shard_id = single(message, "shard_id", 0)
    if shard_id >= num_shards:
        raise CheckpointError(f"in shard {shard_id}, expected one of {num_shards}")
    dtype = single(message, "dtype", 0)
    return Entry(
        dtype=DTYPES.get(dtype, f"type {dtype}"),
        shape=read_shape(single(message, "shape", b"")),
        shard=f"data-{shard_id:05d}-of-{num_shards:05d}",
        offset=single(message, "offset", 0),
        size=single(message, "size", 0),
        crc32c=single(message, "crc32c", 0),
    )


def ordered(n: int) -> bytes:
    """A number as the keys of parts hold it, so that sorted bytes are sorted numbers.

    It begins with as many ones as it has bytes, and a zero, which leaves 7 bits of each byte.

    >>> ordered(5), ordered(300)
    (b'\x85', b'\xc1,')
    """
    n_bytes = n.bit_length() // 7 + 1
    return (n | ((1 << n_bytes) - 1) << 7 * n_bytes).to_bytes(n_bytes, "big")


def part_key(name: bytes, extents: list[tuple[int, int | None]]) -> bytes:
    """The key under which the index has a part of a tensor.

    Source: EncodeTensorNameSlice in tensorflow/core/util/saved_tensor_slice_util.cc.
    """
    key = b"\0" + name + b"\0\1\1" + bytes([len(extents)])
    for start, length in extents:
        key += ordered(start) + (b"\x7f" if length is None else ordered(length))  # -1: all of it
    return key


def find_parts(name: bytes, table: dict[bytes, bytes], whole: Entry, num_shards: int) -> list[Part]:
    """The parts of a tensor. Raises CheckpointError unless they make as many numbers as it has."""
    parts, left = [], math.prod(whole.shape)
    for data in read_message(table[name], ENTRY).get("slices", []):
        extents = read_extents(data)
        if len(extents) != len(whole.shape) or len(extents) > 64:
            raise CheckpointError(f"a part has {len(extents)} axes, expected {len(whole.shape)}")
        place = tuple(
            slice(start, n if length is None else start + length)
            for (start, length), n in zip(extents, whole.shape)
        )
        key = part_key(name, extents)
        if any(axis.stop > n for axis, n in zip(place, whole.shape)) or key not in table:
            raise CheckpointError(f"its part at {[(x.start, x.stop) for x in place]} is not there")
        entry = read_entry(table[key], num_shards)
        shape = tuple(axis.stop - axis.start for axis in place)
        if (entry.dtype, entry.shape) != (whole.dtype, shape):
            raise CheckpointError(
                f"a part is {entry.dtype} {list(entry.shape)}, expected {whole.dtype} {list(shape)}"
            )
        parts.append(Part(place, entry))
        left -= math.prod(shape)
    if parts and left:
        raise CheckpointError(f"its parts lack {left} numbers of {list(whole.shape)}")
    spans = sorted((part.entry.shard, part.entry.offset, part.entry.size) for part in parts)
    if any(a[0] == b[0] and a[1] + a[2] > b[1] for a, b in pairwise(spans)):
        raise CheckpointError("its parts overlap in the file")
    return parts


def read_index(prefix: Path) -> dict[str, Entry]:
    """What `prefix`.index says: name -> entry, in ascending order of the names.

    Raises CheckpointError if the index is damaged, compressed or big-endian, or does not have all
    parts of a tensor. Tensors of any type are listed; read_tensors refuses those that it cannot
    read.
    """
    path = Path(f"{prefix}.index")
    try:
        table = read_table(path.read_bytes())
        if b"" not in table:
            raise CheckpointError('has no header, expected one under the key ""')
        num_shards = read_header(table.pop(b""))
        entries = {}
        for key, value in table.items():
            if key.startswith(b"\0"):  # a part
                continue
            name = key.decode(errors="backslashreplace")
            try:
                entry = read_entry(value, num_shards)
                parts = find_parts(key, table, entry, num_shards)
                entries[name] = replace(entry, parts=tuple(parts))
            except CheckpointError as error:
                raise CheckpointError(f"tensor {name!r}: {error}") from None
    except CheckpointError as error:
        raise CheckpointError(f"{path}: {error}") from None
    return entries


def map_shard(path: Path) -> np.ndarray:
    """The bytes of a file, uint8, read-only. A byte is read from the disk when it is first used."""
    if path.stat().st_size == 0:  # which cannot be mapped
        return np.zeros(0, np.uint8)
    # A plain array on top of the map, because NumPy takes longer to slice a memmap.
    return np.asarray(np.memmap(path, np.uint8, mode="r"))


def stored_bytes(entry: Entry, shard: np.ndarray) -> np.ndarray:
    """The bytes of one tensor, a view of its shard."""
    if entry.dtype not in ITEM_SIZES:
        raise CheckpointError(f"has dtype {entry.dtype}, expected one of {', '.join(ITEM_SIZES)}")
    expected = math.prod(entry.shape) * ITEM_SIZES[entry.dtype]
    if entry.size != expected:
        raise CheckpointError(
            f"has {entry.size} bytes, expected {expected} for {entry.dtype} {list(entry.shape)}"
        )
    end = entry.offset + entry.size
    if end > len(shard):
        raise CheckpointError(
            f"lies at bytes {entry.offset} to {end}, but the file has {len(shard)} bytes"
        )
    return shard[entry.offset : end]


def check_crc(entry: Entry, stored: np.ndarray) -> None:
    """Raise CheckpointError if the bytes are not those whose CRC-32C is in the index."""
    computed, expected = crc32c(stored), unmask(entry.crc32c)
    if computed != expected:
        raise CheckpointError(f"has CRC-32C {computed:#010x}, expected {expected:#010x}")


def as_float32(stored: np.ndarray, dtype: str) -> np.ndarray:
    """Stored bytes as float32 numbers [n]: float32 a view, other formats a new array."""
    if dtype == "float32":
        return stored.view("<f4")
    if dtype == "float64":  # only in safetensors.py
        return stored.view("<f8").astype(np.float32)
    if dtype == "float16":
        return stored.view("<f2").astype(np.float32)
    # bfloat16, unknown to NumPy, is the upper half of a float32.
    bits = stored.view("<u2").astype(np.uint32)
    bits <<= 16
    return bits.view(np.float32)


def joined(shape: tuple[int, ...], parts: list[tuple[tuple[slice, ...], np.ndarray]]) -> np.ndarray:
    """A tensor, from its parts and their places. Raises CheckpointError if they leave a gap."""
    whole, filled = np.empty(shape, np.float32), np.zeros(shape, bool)
    for place, x in parts:
        whole[place], filled[place] = x, True
    if not filled.all():
        raise CheckpointError("its parts leave a gap")
    return whole


def read_tensors(
    prefix: Path, entries: dict[str, Entry], verify: bool = True
) -> dict[str, np.ndarray]:
    """The tensors named by entries of `prefix`.index: name -> float32 array of entry.shape.

    float32 tensors are read-only views of the memory-mapped shard; float16 and bfloat16 are
    widened to float32, and parts joined. verify: compare every tensor's CRC-32C, which reads the
    whole file.

    Raises FileNotFoundError for a missing shard, CheckpointError for a tensor of another type or
    one whose size, place or checksum is not what the index says.
    """
    shards: dict[Path, np.ndarray] = {}
    tensors = {}
    for name, entry in entries.items():
        found = []
        try:
            for place, part in entry.parts or (Part((), entry),):
                path = Path(f"{prefix}.{part.shard}")
                if path not in shards:
                    shards[path] = map_shard(path)
                stored = stored_bytes(part, shards[path])
                if verify:
                    check_crc(part, stored)
                found.append((place, as_float32(stored, part.dtype).reshape(part.shape)))
            tensors[name] = joined(entry.shape, found) if entry.parts else found[0][1]
        # ValueError, not only CheckpointError: NumPy refuses a shape with too many dimensions
        except ValueError as error:
            raise CheckpointError(f"{path}: tensor {name!r}: {error}") from None
    return tensors
