"""Values as bytes and back, for the pipe between the grader and the student's code.

What comes from a student's process may be anything, so nothing but plain data can pass: numbers,
text, arrays, and lists and dicts of them. (pickle would run whatever code the bytes ask for.)

A value is a tree in JSON, in which everything but numbers, texts and None is a list that begins
with its kind, ["tuple", 1, "a"], followed by the numbers of its arrays, one after the other.
"""

import json
import math
import socket
import struct
import time
from collections.abc import Iterator, Mapping
from collections.abc import Set as AbstractSet
from itertools import islice
from typing import NamedTuple

import numpy as np

MAX_BYTES = 64_000_000  # of one message
MAX_ITEMS = 100_000  # that are taken from an iterator, which may be endless
KINDS = ("bool", "int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64")
DTYPES = {name: np.dtype(name) for name in (*KINDS, "float16", "float32", "float64")}
NAMES = {dtype: name for name, dtype in DTYPES.items()}


class Other(NamedTuple):
    """In place of a value that is no plain data: its type, and what it says of itself."""

    type: str
    text: str


def encode(value) -> bytes:
    """A value as bytes. An iterator becomes a list; what is no plain data becomes Other."""
    arrays: list[bytes] = []
    tree = json.dumps(_tree(value, arrays)).encode("ascii")
    return b"".join([struct.pack(">I", len(tree)), tree, *arrays])


def _tree(value, arrays: list[bytes]):
    if value is None or type(value) in (bool, int, float, str):
        return value
    is_array = isinstance(value, np.ndarray | np.generic)
    # The numbers count, and not which of their bytes comes first
    if is_array and (dtype := value.dtype.newbyteorder("=")) in NAMES:
        arrays.append(np.ascontiguousarray(value, dtype).tobytes())
        return ["array", NAMES[dtype], *np.shape(value)]
    if isinstance(value, bytes | bytearray):
        return ["bytes", value.hex()]
    if isinstance(value, tuple):
        return ["tuple", *(_tree(x, arrays) for x in value)]
    if isinstance(value, list | Iterator):
        return ["list", *(_tree(x, arrays) for x in islice(value, MAX_ITEMS))]
    if isinstance(value, AbstractSet):
        return ["set", *(_tree(x, arrays) for x in value)]
    if isinstance(value, Mapping):
        return ["dict", *([_tree(k, arrays), _tree(x, arrays)] for k, x in value.items())]
    kind = f"{value.dtype} array" if is_array else type(value).__name__
    return ["other", kind, f"{value!r:.200}"]


def decode(data: bytes):
    """The value of the bytes that `encode` made. Raises ValueError for any other bytes."""
    try:
        (n,) = struct.unpack(">I", data[:4])
        return _value(json.loads(data[4 : 4 + n]), memoryview(data), [4 + n])
    except (ValueError, TypeError, KeyError, IndexError, RecursionError, struct.error):
        raise ValueError("the bytes are no value that was encoded") from None


def _value(tree, data: memoryview, at: list[int]):
    """The value of a tree; at[0] is where its arrays begin in data, and moves on."""
    if isinstance(tree, dict):
        raise TypeError("a dict is written as a list")
    if not isinstance(tree, list):
        return tree
    kind, *items = tree
    if kind == "array":
        dtype, shape = DTYPES[items[0]], items[1:]
        if min(shape, default=0) < 0:
            raise ValueError("a shape has no negative number")
        begin, at[0] = at[0], at[0] + math.prod(shape) * dtype.itemsize
        # a copy, since nobody may write into bytes
        return np.frombuffer(data[begin : at[0]], dtype).reshape(shape).copy()
    if kind == "bytes":
        return bytes.fromhex(items[0])
    if kind == "other":
        return Other(*map(str, items))
    if kind == "dict":
        return {_value(k, data, at): _value(x, data, at) for k, x in items}
    make = {"tuple": tuple, "list": list, "set": set}[kind]
    return make(_value(item, data, at) for item in items)


def send(channel: socket.socket, data: bytes) -> None:
    """One message: its length, then its bytes."""
    channel.sendall(struct.pack(">Q", len(data)) + data)


def receive(channel: socket.socket, deadline: float = math.inf) -> bytes:
    """The next message. deadline: in seconds of time.monotonic().

    Raises EOFError if the other end has closed, TimeoutError after the deadline, ValueError for
    a message that is too long.
    """
    (n,) = struct.unpack(">Q", _exactly(channel, 8, deadline))
    if n > MAX_BYTES:
        raise ValueError(f"a message of {n} bytes, expected {MAX_BYTES} at most")
    return _exactly(channel, n, deadline)


def _exactly(channel: socket.socket, n: int, deadline: float) -> bytes:
    parts = []
    while n:
        if deadline < math.inf:
            channel.settimeout(max(deadline - time.monotonic(), 1e-3))
        part = channel.recv(min(n, 1 << 20))
        if not part:
            raise EOFError("the other end has closed")
        parts.append(part)
        n -= len(part)
    return b"".join(parts)
