"""Assignment 6 with half precision: numbers of 16 bits, widened to float32."""

import math
from dataclasses import replace

import numpy as np

from ...weights.sstable import read_table
from ...weights.tf_bundle import as_float32
from ..assignment import question, together
from .a6_5_tensors import placed, random_placed, tensor_refuses
from .a6_assignment import A6, ask_for_bundles, bundle_values, random_checkpoint
from .a6_reference import parameter_tree, read_bundle, read_entry, read_tensor, stored_bytes
from .a6_writer import FLOAT32, Stored, bundle, random_tensor

BFLOAT16, FLOAT16 = 14, 19
NAMES = {FLOAT32: "float32", BFLOAT16: "bfloat16", FLOAT16: "float16"}
ITEM_SIZES = {FLOAT32: 4, BFLOAT16: 2, FLOAT16: 2}


def read_widened(entry: dict, data: bytes) -> np.ndarray:
    """One tensor: a float32 array of entry["shape"].

    entry: see read_entry, with a dtype of 1 for float32, 14 for bfloat16 or 19 for float16; data:
    the bytes of all tensors. A float32 tensor is a view of the data; numbers of 16 bits are
    widened to float32, which changes none of them.
    Raises ValueError if the type is none of the three, if the size is not that of the shape, if
    the data end before the tensor does, or if the checksum of its bytes is another one.
    """
    bits = np.frombuffer(stored_bytes(entry, data, ITEM_SIZES), np.uint8)
    return as_float32(bits, NAMES[entry["dtype"]]).reshape(entry["shape"])


def read_widened_bundle(index: bytes, data: bytes) -> dict[str, np.ndarray]:
    """All tensors of a checkpoint: name -> float32 array.

    index: the table in model.ckpt.index, tensor's name -> message; under the empty name stands a
    header. data: the bytes of all tensors, from model.ckpt.data-00000-of-00001.
    Raises ValueError if anything is not as it should be.
    """
    messages = {key.decode(): value for key, value in read_table(index).items() if key}
    return {name: read_widened(read_entry(value), data) for name, value in messages.items()}


def in_bits(x: np.ndarray, dtype: int) -> bytes:
    """float32 numbers as they are stored in another type, less what it has no bits for."""
    if dtype == BFLOAT16:
        return (x.view(np.uint32) >> 16).astype("<u2").tobytes()
    return x.astype({FLOAT32: "<f4", FLOAT16: "<f2"}[dtype]).tobytes()


def with_other(entry, data, **other):
    """read_widened, but another function for a type: other(uint16 numbers [n]) -> array [n]."""
    x = read_widened(entry, data)
    name = NAMES[entry["dtype"]]
    if name not in other:
        return x
    bits = np.frombuffer(stored_bytes(entry, data, ITEM_SIZES), "<u2")
    return other[name](bits).reshape(entry["shape"])


def from_bfloat16(bits):
    return as_float32(bits.view(np.uint8), "bfloat16")


def from_float16(bits):
    return as_float32(bits.view(np.uint8), "float16")


def all_float16(entry, data):
    """bfloat16 is another type than float16: it has the eight exponent bits of a float32."""
    return with_other(entry, data, bfloat16=from_float16)


def all_bfloat16(entry, data):
    """Type 19 is float16, which NumPy knows: "<f2"."""
    return with_other(entry, data, float16=from_bfloat16)


def types_swapped(entry, data):
    """Type 14 is bfloat16, and type 19 is float16."""
    return with_other(entry, data, bfloat16=from_float16, float16=from_bfloat16)


def numbers_instead_of_bits(entry, data):
    """astype converts the integers to floats; view takes their bits for those of a float."""
    return with_other(
        entry, data, bfloat16=lambda bits: (bits.astype(np.uint32) << 16).astype(np.float32)
    )


def integers_widened(entry, data):
    """The 16 bits are no integers to be converted: they are the upper half of a float32."""
    return with_other(entry, data, bfloat16=lambda bits: bits.astype(np.float32))


def lower_half(entry, data):
    """A bfloat16 is the upper half of a float32: shift its bits by 16 to the left."""
    return with_other(entry, data, bfloat16=lambda bits: bits.astype(np.uint32).view(np.float32))


def not_widened(entry, data):
    """float16 numbers are to become float32."""
    return with_other(entry, data, float16=lambda bits: bits.view(np.float16))


WIDENED_MISTAKES = (
    *(all_float16, all_bfloat16, types_swapped, numbers_instead_of_bits, integers_widened),
    *(lower_half, not_widened),
)


@question(read_widened, 3, WIDENED_MISTAKES)
def widened_values(ask, rng):
    """float32, bfloat16 and float16"""
    for n_dims in (0, 2, 3):
        for dtype in (FLOAT32, BFLOAT16, FLOAT16):
            x = random_tensor(rng, n_dims)
            ask(read_widened, *placed(rng, x.shape, in_bits(x, dtype), dtype))
    # Numbers that one of the types has only just, or not at all
    for dtype, factor in ((FLOAT16, 1e-7), (FLOAT16, 2e4), (BFLOAT16, 1e-39), (BFLOAT16, 1e38)):
        x = np.float32(factor) * np.array([0.0, -0.0, np.inf, -np.inf, *rng.normal(size=3)], "f")
        ask(read_widened, *placed(rng, x.shape, in_bits(x, dtype), dtype))
    for dtype in (BFLOAT16, FLOAT16):
        ask(read_widened, *placed(rng, (3, 0), b"", dtype))


def always_converted(entry, data):
    """astype copies, even where the type is the right one already: leave float32 as it is."""
    return read_widened(entry, data).astype(np.float32)


def slice_copied(entry, data):
    """A slice of bytes is a copy: np.frombuffer has the arguments count and offset, and a slice
    of a memoryview copies nothing."""
    end = entry["offset"] + entry["size"]
    slice_of_data = data[entry["offset"] : end]
    return read_widened(entry | {"offset": 0}, slice_of_data)


def where_the_numbers_are(entry, data):
    x = read_widened(entry, data)
    return {
        "shares its memory with the data": np.shares_memory(x, np.frombuffer(data, np.uint8)),
        "can be written to": x.flags.writeable,
    }


@question(read_widened, 1, (always_converted, slice_copied))
def widened_is_a_view(ask, rng):
    """float32 is a view of the data, and no copy"""
    ask(where_the_numbers_are, *random_placed(rng))


def unchecked(entry, data):
    """The tensor, if its type is one of the three and there are numbers enough."""
    dtype, n = entry["dtype"], math.prod(entry["shape"])
    bits = np.frombuffer(data, np.uint8, n * ITEM_SIZES[dtype], entry["offset"])
    return as_float32(bits, NAMES[dtype]).reshape(entry["shape"])


def crc_not_checked(entry, data):
    """The checksum is not compared: damage goes unnoticed."""
    dtype, n = entry["dtype"], math.prod(entry["shape"])
    if dtype not in ITEM_SIZES or entry["size"] != n * ITEM_SIZES[dtype]:
        raise ValueError("another type, or another size")
    return unchecked(entry, data)


def type_not_checked(entry, data):
    """A type that is none of the three you take for float32: the bytes mean something else."""
    return read_widened(entry | {"dtype": entry["dtype"] if entry["dtype"] in NAMES else 1}, data)


def size_not_checked(entry, data):
    """The size has to be that of the shape, two or four bytes for each number."""
    sizes = dict.fromkeys(ITEM_SIZES, 1)
    stored_bytes(entry | {"shape": (entry["size"],)}, data, sizes)
    return unchecked(entry, data)


WIDENED_REFUSES = replace(
    tensor_refuses,
    function=read_widened,
    mistakes=(crc_not_checked, type_not_checked, size_not_checked),
)


def lie_in_the_data(index, data):
    lie_in = np.frombuffer(data, np.uint8)
    tensors = read_widened_bundle(index, data)
    return {name: np.shares_memory(x, lie_in) for name, x in tensors.items()}


@question(read_widened_bundle, 1, bundle_values.mistakes)
def widened_bundle_values(ask, rng):
    """All tensors by their names, if none is damaged"""
    ask_for_bundles(ask, rng, lie_in_the_data)


def whole_way(index, data):
    return parameter_tree(read_widened_bundle(index, data))


@together(3)
def whole_mixed_checkpoint(ask, rng):
    """A whole checkpoint of three types, from its bytes to the tree of parameters"""
    tensors = {}
    for name, x in random_checkpoint(rng).items():
        dtype = int(rng.choice([*NAMES]))
        tensors[name] = Stored(x.shape, in_bits(x, dtype), dtype)
    index, shards = bundle(tensors, n_per_block=12)
    ask(whole_way, index, *shards)


A6_HALF = A6.variant(
    "half",
    "reading the TensorFlow checkpoint, with half precision",
    {read_tensor: read_widened, read_bundle: read_widened_bundle},
    (
        *(widened_values, widened_is_a_view, WIDENED_REFUSES, widened_bundle_values),
        whole_mixed_checkpoint,
    ),
)
