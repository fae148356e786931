"""Assignment 6, fourth part: messages, and what is often written instead."""

import numpy as np

from ...weights.crc32c import unmask
from ...weights.sstable import read_varint
from ...weights.tf_messages import FIXED_SIZES, read_field
from ..assignment import question
from .a6_reference import read_entry, read_message
from .a6_writer import entry_message, field, fixed32, little, varint


def message_of(data, change=lambda value, wire_type: value):
    """read_message, and what a value is changed to."""
    message, at = {}, 0
    while at < len(data):
        tag, at = read_varint(data, at)
        value, at = read_field(data, at, tag & 7)
        message.setdefault(tag >> 3, []).append(change(value, tag & 7))
    return message


def fixed_as_bytes(data):
    """Wire types 1 and 5 are integers: int.from_bytes makes them of bytes."""

    def change(value, wire_type):
        return little(value, FIXED_SIZES[wire_type]) if wire_type in FIXED_SIZES else value

    return message_of(data, change)


def fixed_big_endian(data):
    """Integers of four and eight bytes are little-endian: their lowest byte comes first."""

    def change(value, wire_type):
        n_bytes = FIXED_SIZES.get(wire_type)
        return int.from_bytes(little(value, n_bytes), "big") if n_bytes else value

    return message_of(data, change)


def one_value_each(data):
    """Each number has a list of values, even of a single one: fields may be repeated."""
    return {number: values[-1] for number, values in read_message(data).items()}


def last_value_only(data):
    """A field may be repeated: all its values are wanted, and not only the last one."""
    return {number: values[-1:] for number, values in read_message(data).items()}


def first_value_only(data):
    """A field may be repeated: all its values are wanted, and not only the first one."""
    return {number: values[:1] for number, values in read_message(data).items()}


def tag_of_one_byte(data):
    """The tag is a varint too: from field 16 on it has two bytes."""
    message, at = {}, 0
    while at < len(data):
        tag, at = data[at], at + 1
        value, at = read_field(data, at, tag & 7)
        message.setdefault(tag >> 3, []).append(value)
    return message


def tags_instead_of_numbers(data):
    """The number of a field is the tag without its three lowest bits."""
    message, at = {}, 0
    while at < len(data):
        tag, at = read_varint(data, at)
        value, at = read_field(data, at, tag & 7)
        message.setdefault(tag, []).append(value)
    return message


MESSAGE_MISTAKES = (
    *(fixed_as_bytes, fixed_big_endian, one_value_each, last_value_only, first_value_only),
    *(tag_of_one_byte, tags_instead_of_numbers),
)


def messages(parts):
    return [read_message(part) for part in parts]


def fixed64(number, value):
    return varint(number << 3 | 1) + little(value, 8)


@question(read_message, 2, MESSAGE_MISTAKES)
def message_values(ask, rng):
    """Fields of all kinds"""
    for large in (False, True):
        a, b, c, d = rng.permutation(np.arange(1, 16))[:4].tolist()
        number = int(rng.integers(1, 1 << 20))
        data = field(a, number) + fixed32(b, number + 1) + field(c, rng.bytes(4))
        data += fixed64(d, number + 2) + field(c, b"") + field(a, number + 3)
        ask(read_message, data + (field(int(rng.integers(16, 500)), number) if large else b""))
    # A zero that is written, the largest numbers, sizes and numbers of more bytes than one
    edges = varint(1 << 3) + b"\0" + fixed32(2, 0) + fixed32(2, (1 << 32) - 1)
    edges += fixed64(3, 0) + fixed64(3, (1 << 64) - 1) + field(1, (1 << 64) - 1)
    edges += field(4, b"wte")  # bytes, even if they are a text
    ask(read_message, edges + field(4, rng.bytes(200)) + field((1 << 29) - 1, rng.bytes(3)))
    ask(messages, [field(1, rng.bytes(3)), b""])


def slices_of(data, sizes, is_checked=True):
    """read_message with other wire types, or without a look at where the message ends.

    sizes: wire type -> bytes of an integer.
    """
    message, at = {}, 0
    while at < len(data):
        tag, at = read_varint(data, at)
        wire_type = tag & 7
        if wire_type == 0:
            value, at = read_varint(data, at)
        elif wire_type == 2:
            size, at = read_varint(data, at)
            value, at = data[at : at + size], at + size
        elif wire_type in sizes:
            size = sizes[wire_type]
            value, at = int.from_bytes(data[at : at + size], "little"), at + size
        else:
            raise ValueError("another wire type")
        if is_checked and at > len(data):
            raise ValueError("cut off")
        message.setdefault(tag >> 3, []).append(value)
    return message


def size_not_checked(data):
    """A slice behind the end is short, and nobody complains: compare the size first."""
    return slices_of(data, FIXED_SIZES, is_checked=False)


def all_others_of_four_bytes(data):
    """A wire type other than 0, 1, 2 and 5 has a meaning that you do not know: refuse it."""
    return slices_of(data, dict.fromkeys((3, 4, 5, 6, 7), 4) | {1: 8})


@question(read_message, 1, (size_not_checked, all_others_of_four_bytes))
def message_refuses(ask, rng):
    """A value that does not fit, or of another kind, is a ValueError"""
    before = field(1, int(rng.integers(1, 1 << 20)))
    n = int(rng.integers(1 << 20, 1 << 32))
    ask.accepts(read_message, before)
    for whole in (field(2, rng.bytes(9)), fixed32(3, n), fixed64(3, n), field(2, rng.bytes(200))):
        ask.accepts(read_message, before + whole)
        for n_bytes in (1, 2, len(whole) - 1):
            ask.refuses(read_message, before + whole[:n_bytes])
    ask.refuses(read_message, before + field(4, n)[:-1])
    for wire_type in (3, 4, 6, 7):
        ask.refuses(read_message, before + varint(4 << 3 | wire_type) + rng.bytes(4))
        ask.refuses(read_message, before + varint(4 << 3 | wire_type) + b"\0")
        ask.refuses(read_message, before + varint(4 << 3 | wire_type))


def entry_with(data, **changed):
    return read_entry(data) | changed


def dims_reversed(data):
    """The dimensions stand in their order: [rows, columns], the last one moves fastest."""
    return entry_with(data, shape=read_entry(data)["shape"][::-1])


def first_dim_only(data):
    """There is a field 2 for each dimension: you take the first one only."""
    return entry_with(data, shape=read_entry(data)["shape"][:1])


def last_dim_only(data):
    """There is a field 2 for each dimension: you take the last one only."""
    return entry_with(data, shape=read_entry(data)["shape"][-1:])


def dims_not_read(data):
    """Each dimension is a message too, whose field 1 is the size."""
    return entry_with(data, shape=tuple(read_message(read_message(data)[2][0]).get(2, [])))


def offset_and_size_swapped(data):
    """Field 4 is the offset, and field 5 is the size."""
    entry = read_entry(data)
    return entry | {"offset": entry["size"], "size": entry["offset"]}


def offset_in_field_3(data):
    """Field 3 is the number of the file, which is 0 here and therefore missing: the offset is
    field 4."""
    return entry_with(data, offset=0, size=read_entry(data)["offset"])


def crc_unmasked(data):
    """The checksum is wanted as it is stored, masked."""
    return entry_with(data, crc32c=unmask(read_entry(data)["crc32c"]))


def must_be_there(data, number):
    """read_entry, but a KeyError, as a dict raises it, if a field is not there."""
    return read_message(data)[number] and read_entry(data)


def offset_must_be_there(data):
    """What is zero is not written: the first tensor's offset is 0, and field 4 is missing."""
    return must_be_there(data, 4)


def size_must_be_there(data):
    """What is zero is not written: of an empty tensor, field 5 is missing."""
    return must_be_there(data, 5)


def shape_must_be_there(data):
    """A tensor of no dimensions may have an empty shape, or none at all: it is () then."""
    return must_be_there(data, 2)


def dim_must_be_there(data):
    """What is zero is not written: a dimension of size 0 is an empty message."""
    dims = read_message(read_message(data).get(2, [b""])[0]).get(2, [])
    return entry_with(data, shape=tuple(read_message(dim)[1][0] for dim in dims))


def empty_dims_left_out(data):
    """A dimension of size 0 is an empty message, and it counts: the shape has a 0 there."""
    return entry_with(data, shape=tuple(n for n in read_entry(data)["shape"] if n))


def empty_dims_of_one(data):
    """A dimension whose size is not written has the size 0, and not 1."""
    return entry_with(data, shape=tuple(n or 1 for n in read_entry(data)["shape"]))


ENTRY_MISTAKES = (
    *(dims_reversed, first_dim_only, last_dim_only, dims_not_read, offset_and_size_swapped),
    *(offset_in_field_3, crc_unmasked, offset_must_be_there, size_must_be_there),
    *(shape_must_be_there, dim_must_be_there, empty_dims_left_out, empty_dims_of_one),
)


def random_place(rng):
    """An offset, a size and a checksum, none of them zero."""
    return tuple(rng.integers(1, 1 << 31, size=3).tolist())


@question(read_entry, 3, ENTRY_MISTAKES)
def entry_values(ask, rng):
    """Type, shape, place and checksum, where what is zero is not written"""
    for n_dims in (1, 2, 3):
        shape = rng.integers(1, 1000, size=n_dims).tolist()
        ask(read_entry, entry_message(shape, *random_place(rng)))
    offset, size, crc = random_place(rng)
    a, b = rng.integers(1, 1000, size=2).tolist()
    ask(read_entry, entry_message((a, b), 0, size, crc))
    ask(read_entry, entry_message((a, 0, b), offset, size, crc))
    ask(read_entry, entry_message((a, b), offset, 0, crc))
    ask(read_entry, entry_message((), offset, size, crc))
    ask(read_entry, field(1, 1) + field(4, offset) + field(5, size) + fixed32(6, crc))
    # Other types, and none; numbers of more than 32 bits; a checksum of 0; a field of no meaning
    place = offset << 20, size << 20
    for dtype, crc in ((int(rng.integers(2, 24)), (1 << 32) - 1), (0, 0)):
        ask(read_entry, entry_message((1, a), *place, crc, dtype) + field(7, rng.bytes(9)))
    ask(read_entry, field(1, 1) + field(4, offset) + field(5, size))
    ask(read_entry, entry_message((0, 0, 1, 200, 1 << 33), offset, size, crc))
