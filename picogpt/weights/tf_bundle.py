"""Tensors from a TensorFlow checkpoint (a "tensor bundle", version 2), without TensorFlow.

A bundle is an index and one or more files of data, called shards. The index, `model.ckpt.index`,
is a sorted table (sstable.py): each tensor's name leads to a short message, a BundleEntryProto,
which says of what type and shape the tensor is and where its bytes lie. The shards,
`model.ckpt.data-00000-of-00001`, are nothing but those bytes, so that a float32 tensor can be
used in place: the file is mapped into memory, and the tensor is a view of it.

The messages are in Protocol Buffers' encoding and quoted from tensorflow/core/protobuf/
tensor_bundle.proto. Whatever does not fit raises CheckpointError.
"""

import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from .crc32c import crc32c, unmask
from .errors import CheckpointError
from .sstable import read_table, read_varint

# Names of types in tensorflow/core/framework/types.proto.
DTYPES = {1: "float32", 2: "float64", 3: "int32", 4: "uint8", 5: "int16", 6: "int8", 7: "string"}
DTYPES |= {8: "complex64", 9: "int64", 10: "bool", 14: "bfloat16", 19: "float16"}
ITEM_SIZES = {"float32": 4, "float16": 2, "bfloat16": 2}  # the types read here

# Wire types: how the value of a field is written.
VARINT, FIXED64, BYTES, FIXED32 = 0, 1, 2, 5
FIXED_SIZES = {FIXED64: 8, FIXED32: 4}

# The fields of each message: number -> (name, wire type).
HEADER = {1: ("num_shards", VARINT), 2: ("endianness", VARINT), 3: ("version", BYTES)}
VERSION = {1: ("producer", VARINT), 2: ("min_consumer", VARINT)}
ENTRY = {
    1: ("dtype", VARINT),
    2: ("shape", BYTES),
    3: ("shard_id", VARINT),
    4: ("offset", VARINT),
    5: ("size", VARINT),
    6: ("crc32c", FIXED32),
    7: ("slices", BYTES),
}
SHAPE = {2: ("dim", BYTES), 3: ("unknown_rank", VARINT)}
DIM = {1: ("size", VARINT)}


@dataclass(frozen=True)
class Entry:
    """What the index says about one tensor; sizes and offsets as found, not yet checked."""

    dtype: str
    shape: tuple[int, ...]
    shard: str  # the end of its file's name, "data-00000-of-00001"
    offset: int  # of its first byte in the shard
    size: int  # in bytes
    crc32c: int  # of these bytes, masked as in the index


def read_field(data: bytes, at: int, wire_type: int) -> tuple[int | bytes, int]:
    """The value of one field of a message, and the position after it."""
    if wire_type == VARINT:
        return read_varint(data, at)
    if wire_type == BYTES:
        size, at = read_varint(data, at)
    elif wire_type in FIXED_SIZES:
        size = FIXED_SIZES[wire_type]
    else:
        raise CheckpointError(f"a message has a field of unknown wire type {wire_type}")
    if at + size > len(data):
        raise CheckpointError(f"a field of {size} bytes does not fit into its message")
    value = data[at : at + size]
    return (value if wire_type == BYTES else int.from_bytes(value, "little")), at + size


def read_message(data: bytes, fields: dict[int, tuple[str, int]]) -> dict[str, list]:
    """The values of a message's fields, by name; a field may be there any number of times.

    A message is a list of fields, each a varint `number << 3 | wire_type` and a value. Fields
    not named in `fields` are skipped. Here field 3, a varint, is 1, and field 4 is 300:

    >>> read_message(bytes([3 << 3 | 0, 1, 4 << 3 | 0, 0b1_0101100, 0b0_0000010]), ENTRY)
    {'shard_id': [1], 'offset': [300]}
    """
    message: dict[str, list] = {}
    at = 0
    while at < len(data):
        tag, at = read_varint(data, at)
        number, wire_type = tag >> 3, tag & 7
        value, at = read_field(data, at, wire_type)
        if number not in fields:
            continue
        name, expected = fields[number]
        if wire_type != expected:
            raise CheckpointError(f"field {name} has wire type {wire_type}, expected {expected}")
        message.setdefault(name, []).append(value)
    return message


def single(message: dict[str, list], name: str, default):
    """A field that counts once: the last value holds, and a zero is not written at all."""
    return message.get(name, [default])[-1]


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


def read_shape(data: bytes) -> tuple[int, ...]:
    """The shape in a TensorShapeProto (tensorflow/core/framework/tensor_shape.proto).

    >>> read_shape(bytes([2 << 3 | 2, 2, 1 << 3 | 0, 5, 2 << 3 | 2, 2, 1 << 3 | 0, 7]))
    (5, 7)
    """
    message = read_message(data, SHAPE)
    shape = tuple(single(read_message(dim, DIM), "size", 0) for dim in message.get("dim", []))
    if single(message, "unknown_rank", 0) or any(n >= 2**63 for n in shape):
        raise CheckpointError("the shape is unknown or negative")
    return shape


def read_entry(data: bytes, num_shards: int) -> Entry:
    """One tensor's BundleEntryProto."""
    message = read_message(data, ENTRY)
    if "slices" in message:
        raise CheckpointError("partitioned into slices, which picogpt does not read")
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


def read_index(prefix: Path) -> dict[str, Entry]:
    """What `prefix`.index says: name -> entry, in ascending order of the names.

    Raises CheckpointError if the index is damaged, compressed, big-endian or names a partitioned
    tensor. Tensors of any type are listed; read_tensors refuses those that it cannot read.
    """
    path = Path(f"{prefix}.index")
    try:
        table = read_table(path.read_bytes())
        if b"" not in table:
            raise CheckpointError('has no header, expected one under the key ""')
        num_shards = read_header(table.pop(b""))
        entries = {}
        for key, value in table.items():
            name = key.decode(errors="backslashreplace")
            try:
                entries[name] = read_entry(value, num_shards)
            except CheckpointError as error:
                raise CheckpointError(f"tensor {name!r}: {error}") from None
    except CheckpointError as error:
        raise CheckpointError(f"{path}: {error}") from None
    return entries


def map_shard(path: Path) -> np.ndarray:
    """The bytes of a file, uint8, read-only, read from the disk only where they are looked at."""
    if path.stat().st_size == 0:  # which cannot be mapped
        return np.zeros(0, np.uint8)
    # A plain array on top of the map, as NumPy spends more time on slices of a memmap.
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


def read_tensors(
    prefix: Path, entries: dict[str, Entry], verify: bool = True
) -> dict[str, np.ndarray]:
    """The tensors named by entries of `prefix`.index: name -> float32 array of entry.shape.

    float32 tensors are read-only views of the memory-mapped shard, float16 and bfloat16 are
    widened to float32. verify: compare every tensor's CRC-32C, which reads the whole file.

    Raises FileNotFoundError for a missing shard, CheckpointError for a tensor of another type or
    one whose size, place or checksum is not what the index says.
    """
    shards: dict[Path, np.ndarray] = {}
    tensors = {}
    for name, entry in entries.items():
        path = Path(f"{prefix}.{entry.shard}")
        if path not in shards:
            shards[path] = map_shard(path)
        try:
            stored = stored_bytes(entry, shards[path])
            if verify:
                check_crc(entry, stored)
            tensors[name] = as_float32(stored, entry.dtype).reshape(entry.shape)
        # ValueError, not only CheckpointError: NumPy refuses a shape with too many dimensions
        except ValueError as error:
            raise CheckpointError(f"{path}: tensor {name!r}: {error}") from None
    return tensors
