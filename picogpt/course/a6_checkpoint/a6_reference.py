"""Assignment 6, its references: reading a checkpoint as functions on bytes, tuples and dicts.

The lower half of the reader is the library's own (sstable.py). What stands here is what the
library does with classes, files and more kinds of tensors than one.
"""

import math
import re

import numpy as np

from ...config import unflatten
from ...weights.crc32c import crc32c_plain, mask
from ...weights.sstable import read_table, read_varint
from ...weights.tf_messages import read_field


def crc32c(data: bytes) -> int:
    """The CRC-32C of some bytes, an integer of 32 bits.

    >>> hex(crc32c(b"123456789"))
    '0xe3069283'

    Source: RFC 3720, appendix B.4.
    """
    return crc32c_plain(data)


def read_message(data: bytes) -> dict[int, list]:
    """The fields of a message in Protocol Buffers' encoding: number -> its values, in order.

    A message is a row of fields, each a varint, number << 3 | wire_type, and then a value:

        wire_type 0: a varint
        wire_type 1: eight bytes, an integer, little-endian
        wire_type 2: a varint, the size, and as many bytes
        wire_type 5: four bytes, an integer, little-endian

    Here field 3 is 1, and field 4 is 300:

    >>> read_message(bytes([3 << 3 | 0, 1, 4 << 3 | 0, 0b1_0101100, 0b0_0000010]))
    {3: [1], 4: [300]}

    Raises ValueError for another wire type, and for a value that the message is too short for.

    Source: protobuf.dev, Encoding.
    """
    message: dict[int, list] = {}
    at = 0
    while at < len(data):
        tag, at = read_varint(data, at)
        value, at = read_field(data, at, tag & 7)
        message.setdefault(tag >> 3, []).append(value)
    return message


def last(message: dict[int, list], number: int, default):
    """The value of a field that counts once, or the default if it is not there."""
    return message.get(number, [default])[-1]


def read_shape(data: bytes) -> tuple[int, ...]:
    """The shape in a TensorShapeProto: its field 2 is a dimension, whose field 1 is the size."""
    return tuple(last(read_message(dim), 1, 0) for dim in read_message(data).get(2, []))


def read_entry(data: bytes) -> dict:
    """What the index says about one tensor, in a message of the kind BundleEntryProto.

    Returns {"dtype": 1, "shape": (2, 3), "offset": 80, "size": 24, "crc32c": 2788293580}, for
    example. The fields of the message:

        1 dtype: a number for the type, 1 for float32
        2 shape: a message, with a field 2 for each dimension: a message, whose field 1 is the size
        4 offset: where in the data the tensor's bytes begin
        5 size: how many bytes they are
        6 crc32c: the masked checksum of these bytes, four bytes long

    Source: TensorFlow's tensor_bundle.proto and tensor_shape.proto.
    """
    message = read_message(data)
    return {
        "dtype": last(message, 1, 0),
        "shape": read_shape(last(message, 2, b"")),
        "offset": last(message, 4, 0),
        "size": last(message, 5, 0),
        "crc32c": last(message, 6, 0),
    }


def stored_bytes(entry: dict, data: bytes, item_sizes: dict[int, int]) -> memoryview:
    """The bytes of one tensor, after a look at all that its entry says.

    item_sizes: the types that may be, and how many bytes one number has.
    """
    if entry["dtype"] not in item_sizes:
        raise ValueError(f"the dtype is {entry['dtype']}, expected one of {[*item_sizes]}")
    expected = math.prod(entry["shape"]) * item_sizes[entry["dtype"]]
    if entry["size"] != expected:
        raise ValueError(f"the tensor has {entry['size']} bytes, expected {expected}")
    end = entry["offset"] + entry["size"]
    if end > len(data):
        raise ValueError(f"the tensor ends at byte {end}, but there are {len(data)}")
    stored = memoryview(data)[entry["offset"] : end]
    computed = mask(crc32c(stored))
    if computed != entry["crc32c"]:
        raise ValueError(f"the masked CRC-32C is {computed}, expected {entry['crc32c']}")
    return stored


def read_tensor(entry: dict, data: bytes) -> np.ndarray:
    """One tensor: a float32 array of entry["shape"], a view of the data.

    entry: see read_entry; data: the bytes of all tensors.
    Raises ValueError if the type is not float32, if the size is not that of the shape, if the data
    end before the tensor does, or if the checksum of its bytes is another one.
    """
    return np.frombuffer(stored_bytes(entry, data, {1: 4}), "<f4").reshape(entry["shape"])


def read_bundle(index: bytes, data: bytes) -> dict[str, np.ndarray]:
    """All tensors of a checkpoint: name -> float32 array.

    index: the table in model.ckpt.index, tensor's name -> message; under the empty name stands a
    header. data: the bytes of all tensors, from model.ckpt.data-00000-of-00001.
    Raises ValueError if anything is not as it should be.
    """
    messages = {key.decode(): value for key, value in read_table(index).items() if key}
    return {name: read_tensor(read_entry(value), data) for name, value in messages.items()}


def parameter_tree(tensors: dict[str, np.ndarray]) -> dict:
    """Tensors by the names of OpenAI's checkpoint -> the tree of parameters.

    "model/h3/attn/c_attn/w" becomes tree["h"][3]["attn"]["c_attn"]["w"], and "model/wte" becomes
    tree["wte"]: dicts of dicts, and a list of the blocks. The matrices "w" are [1, n_in, n_out] in
    the checkpoint, and [n_in, n_out] in the tree. The tensors may come in any order.
    """
    flat = {}
    for name, x in tensors.items():
        path = re.sub(r"^h(?=\d)", "h/", name.removeprefix("model/")).replace("/", ".")
        flat[path] = x[0] if path.endswith(".w") else x
    return unflatten(flat)
