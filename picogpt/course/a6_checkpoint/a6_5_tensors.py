"""Assignment 6, fifth part: from bytes to tensors, and what is often written instead."""

import math

import numpy as np

from ...weights.crc32c import mask, unmask
from ..assignment import question
from .a6_2_blocks import with_bit_changed
from .a6_reference import crc32c, read_tensor, stored_bytes
from .a6_writer import FLOAT32, random_tensor

INT32 = 3  # another type with four bytes for each number


def big_endian(entry, data):
    """The numbers are little-endian: "<f4", and not ">f4"."""
    return read_tensor(entry, data).view(">f4")


def in_fortran_order(entry, data):
    """Numbers stand row after row, as in C: the last axis moves fastest, and not the first."""
    return read_tensor(entry, data).ravel().reshape(entry["shape"], order="F")


def not_reshaped(entry, data):
    """The shape is still to be given to the array."""
    return read_tensor(entry, data).ravel()


def offset_ignored(entry, data):
    """The tensor begins at entry["offset"], and not where the data begin."""
    n = read_tensor(entry, data).size
    return np.frombuffer(data, "<f4", n).reshape(entry["shape"])


def as_integers(entry, data):
    """The bytes are floats: "<f4", and not integers."""
    return read_tensor(entry, data).view("<i4")


TENSOR_MISTAKES = (big_endian, in_fortran_order, not_reshaped, offset_ignored, as_integers)


def placed(rng, shape, stored, dtype=FLOAT32, **changed):
    """(entry, data) of a tensor that lies somewhere; changed: what the entry says instead."""
    # Before it at least as many numbers, so that others lie at the beginning
    others = rng.standard_normal(len(stored) // 4 + 1, np.float32).tobytes()
    before, after = others + rng.bytes(rng.integers(1, 9)), rng.bytes(rng.integers(4, 9))
    entry = {
        "dtype": dtype,
        "shape": tuple(map(int, shape)),
        "offset": len(before),
        "size": len(stored),
        "crc32c": mask(crc32c(stored)),
    }
    return entry | changed, before + stored + after


def random_placed(rng, n_dims=2, **changed):
    x = random_tensor(rng, n_dims)
    return placed(rng, x.shape, x.astype("<f4").tobytes(), **changed)


@question(read_tensor, 2, TENSOR_MISTAKES)
def tensor_values(ask, rng):
    """Its numbers, in its shape"""
    for n_dims in (0, 1, 2, 3):
        ask(ask.function, *random_placed(rng, n_dims))
    # No numbers at all, and one in each direction; numbers of all sizes
    for shape in ((0, 3), (2, 0), (1, 1)):
        x = rng.standard_normal(shape).astype("<f4")
        ask(ask.function, *placed(rng, shape, x.tobytes()))
    x = np.array([np.inf, -np.inf, *rng.standard_normal(2)], "<f4")
    ask(ask.function, *placed(rng, (4,), x.tobytes()))
    # Nothing stands before it, and nothing after it
    stored = rng.standard_normal(6).astype("<f4").tobytes()
    entry, _ = placed(rng, (3, 2), stored, offset=0)
    ask(ask.function, entry, stored)


def slice_copied(entry, data):
    """A slice of bytes is a copy: np.frombuffer has the arguments count and offset, and a slice
    of a memoryview copies nothing."""
    return np.frombuffer(bytes(stored_bytes(entry, data, {FLOAT32: 4})), "<f4").reshape(
        entry["shape"]
    )


def copied(entry, data):
    """np.array, astype and copy make a new array: np.frombuffer looks at the bytes where they
    are."""
    return read_tensor(entry, data).copy()


def where_the_numbers_are(entry, data):
    x = read_tensor(entry, data)
    return {
        "shares its memory with the data": np.shares_memory(x, np.frombuffer(data, np.uint8)),
        "can be written to": x.flags.writeable,
    }


@question(read_tensor, 1, (slice_copied, copied))
def tensor_is_a_view(ask, rng):
    """A view of the data, and no copy"""
    ask(where_the_numbers_are, *random_placed(rng))


def unchecked(entry, data):
    """The tensor, if there are numbers enough."""
    n = math.prod(entry["shape"])
    return np.frombuffer(data, "<f4", n, entry["offset"]).reshape(entry["shape"])


def crc_not_checked(entry, data):
    """The checksum is not compared: damage goes unnoticed."""
    if entry["dtype"] != FLOAT32 or entry["size"] != 4 * math.prod(entry["shape"]):
        raise ValueError("not float32, or another size")
    return unchecked(entry, data)


def type_not_checked(entry, data):
    """You take the bytes for float32 whatever the type is: the dtype has to be 1."""
    return read_tensor(entry | {"dtype": FLOAT32}, data)


def size_not_checked(entry, data):
    """The size has to be that of the shape, four bytes for each number."""
    stored_bytes(entry | {"shape": (entry["size"],)}, data, {FLOAT32: 1})
    return unchecked(entry, data)


@question(read_tensor, 2, (crc_not_checked, type_not_checked, size_not_checked))
def tensor_refuses(ask, rng):
    """What is not as the index says is a ValueError"""
    entry, data = random_placed(rng)
    ask.accepts(ask.function, entry, data)
    offset, size = entry["offset"], entry["size"]
    for place in (offset + int(rng.integers(size)), offset, offset + size - 1):
        ask.refuses(ask.function, entry, with_bit_changed(data, place))
        ask.refuses(ask.function, entry, data[:place])
    crc = entry["crc32c"]
    for wrong in (crc ^ 1, crc ^ 1 << 31, unmask(crc), 0):
        ask.refuses(ask.function, entry | {"crc32c": wrong}, data)
    ask.refuses(ask.function, entry | {"offset": len(data) + 9}, data)
    ask.refuses(ask.function, entry | {"size": size - 4}, data)  # less than the shape's
    for dtype in (0, 2, INT32):
        ask.refuses(ask.function, *random_placed(rng, dtype=dtype))
    x = random_tensor(rng, 2)
    stored = x.astype("<f4").tobytes()
    for wrong in (stored + rng.bytes(4), stored[:-4], stored + rng.bytes(1), stored[:-1], b""):
        ask.refuses(ask.function, *placed(rng, x.shape, wrong))
