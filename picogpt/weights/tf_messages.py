"""The messages in the index of a TensorFlow checkpoint, in Protocol Buffers' encoding.

Quoted from tensor_bundle.proto, versions.proto, tensor_shape.proto and tensor_slice.proto in
tensorflow/core. Whatever does not fit raises CheckpointError.
"""

from .errors import CheckpointError
from .sstable import read_varint

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
SLICE = {1: ("extent", BYTES)}
EXTENT = {1: ("start", VARINT), 2: ("length", VARINT)}


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


def read_extents(data: bytes) -> list[tuple[int, int | None]]:
    """The TensorSliceProto of a part: where it begins along each axis, and its length.

    The length is None where the part is as long as the whole.
    """
    extents = []
    for extent in read_message(data, SLICE).get("extent", []):
        message = read_message(extent, EXTENT)
        extents.append((single(message, "start", 0), single(message, "length", None)))
    return extents
