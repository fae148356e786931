"""Assignment 6, up to the table: see __init__.py."""

from picogpt.course.a6_checkpoint.a6_reference import (
    crc32c,
)
from picogpt.course.a6_checkpoint.a6_writer import stored_crc
from picogpt.weights.crc32c import mask
from picogpt.weights.sstable import (
    MAGIC,
    Handle,
    block_entries,
    read_block,
    read_footer,
    read_handle,
    read_table,
    read_varint,
)

from . import right, wrong


def varint_of_at_most(n_bytes, data, at):
    value = 0
    for i in range(n_bytes):
        if at + i >= len(data):
            raise ValueError
        value |= (data[at + i] & 127) << 7 * i
        if data[at + i] < 128:
            return value, at + i + 1
    raise ValueError


@wrong("a6", read_varint)
def nine_bytes_at_most(data, at):
    return varint_of_at_most(9, data, at)


@wrong("a6", read_varint)
def eleven_bytes_at_most(data, at):
    return varint_of_at_most(11, data, at)


@wrong("a6", read_varint)
def signed_64_bits(data, at):
    value, end = read_varint(data, at)
    return value - (1 << 64) * (value >> 63), end


@wrong("a6", read_varint)
def no_more_than_128_ends(data, at):
    value, end = read_varint(data, at)
    return (value, end) if data[at] != 128 else (128, at + 2)


@wrong("a6", read_varint)
def the_last_byte_is_not_read(data, at):
    value, end = read_varint(data, at)
    if end == len(data):
        raise ValueError
    return value, end


@wrong("a6", crc32c)
def nothing_has_no_checksum(data):
    return crc32c(data) if data else 0xFFFFFFFF


@wrong("a6", crc32c)
def leading_zeros_lost(data):
    return crc32c(data.lstrip(b"\0"))


@wrong("a6", crc32c)
def first_64_kib_only(data):
    return crc32c(data[: 1 << 16])


@wrong("a6", mask)
def exactly_33_bits_kept(crc):
    return mask(crc) or 1 << 32


@wrong("a6", mask)
def added_with_or(crc):
    return ((crc >> 15) | (crc << 17) & 0xFFFFFFFF) + 0xA282EAD8 & 0x1FFFFFFFF


@wrong("a6", mask)
def remainder_by_one_less(crc):
    return ((crc >> 15 | crc << 17 & 0xFFFFFFFF) + 0xA282EAD8) % 0xFFFFFFFF


@wrong("a6", read_handle)
def empty_blocks_refused(data, at):
    handle, end = read_handle(data, at)
    if not handle.size:
        raise ValueError
    return handle, end


@wrong("a6", read_footer)
def offset_zero_refused(file):
    metaindex, index = read_footer(file)
    if not (metaindex.offset and index.offset):
        raise ValueError
    return metaindex, index


@wrong("a6", read_footer)
def forty_eight_are_too_few(file):
    if len(file) <= 48:
        raise ValueError
    return read_footer(file)


@wrong("a6", read_footer)
def half_of_the_magic(file):
    if len(file) < 48 or file[-4:] != MAGIC.to_bytes(8, "little")[-4:]:
        raise ValueError
    metaindex, at = read_handle(file, len(file) - 48)
    return metaindex, read_handle(file, at)[0]


def block(file, handle, is_right):
    contents = file[handle.offset : sum(handle)]
    trailer = file[sum(handle) : sum(handle) + 5]
    if len(contents) < handle.size or len(trailer) < 5 or not is_right(contents, trailer):
        raise ValueError
    return contents


@wrong("a6", read_block)
def only_snappy_refused(file, handle):
    return block(file, handle, lambda x, t: t[0] != 1 and stored_crc(x + t[:1]) == t[1:])


@wrong("a6", read_block)
def only_one_bit_of_the_type(file, handle):
    return block(file, handle, lambda x, t: not t[0] & 3 and stored_crc(x + t[:1]) == t[1:])


@wrong("a6", read_block)
def type_taken_for_0(file, handle):
    return block(file, handle, lambda x, t: t[0] not in (1, 2) and stored_crc(x + b"\0") == t[1:])


@wrong("a6", read_block)
def half_of_the_checksum(file, handle):
    return block(file, handle, lambda x, t: not t[0] and stored_crc(x + t[:1])[:2] == t[1:3])


@wrong("a6", read_block)
def empty_contents_refused(file, handle):
    if not handle.size:
        raise ValueError
    return read_block(file, handle)


@wrong("a6", read_block)
def begins_at_one(file, handle):
    if not handle.offset:
        raise ValueError
    return read_block(file, handle)


def entries(contents, length=read_varint, room=0, n_points=None):
    count = int.from_bytes(contents[-4:], "little")
    end = len(contents) - 4 - 4 * count
    if end < 0:
        raise ValueError
    found, key, at = [], b"", 0
    while at < end:
        n_shared, at = length(contents, at)
        n_rest, at = length(contents, at)
        n_value, at = length(contents, at)
        if n_shared > len(key) or at + n_rest + n_value > end + room:
            raise ValueError
        key = key[:n_shared] + contents[at : at + n_rest]
        found.append((key, contents[at + n_rest : at + n_rest + n_value]))
        at += n_rest + n_value
    return found


@wrong("a6", block_entries)
def lengths_of_one_byte(contents):
    return entries(contents, lambda data, at: (data[at], at + 1))


@wrong("a6", block_entries)
def value_length_of_one_byte(contents):
    return entries(contents, lambda data, at: (data[at] & 127, read_varint(data, at)[1]))


@wrong("a6", block_entries)
def values_run_into_the_restart_points(contents):
    return entries(contents, room=4 + 4 * int.from_bytes(contents[-4:], "little"))


@wrong("a6", block_entries)
def one_byte_too_many(contents):
    return entries(contents, room=1)


@wrong("a6", block_entries)
def count_of_one_byte(contents):
    return entries(contents[:-4] + contents[-4:-3] + b"\0\0\0")


@wrong("a6", block_entries)
def count_of_two_bytes(contents):
    return entries(contents[:-2] + b"\0\0")


@wrong("a6", block_entries)
def empty_entry_at_the_end_left_out(contents):
    found = entries(contents)
    return found[:-1] if found[-1:] == [(b"", b"")] else found


@wrong("a6", block_entries)
def empty_values_left_out(contents):
    return [(key, value) for key, value in entries(contents) if value]


@wrong("a6", block_entries)
def empty_key_left_out(contents):
    return [(key, value) for key, value in entries(contents) if key]


@wrong("a6", block_entries)
def no_entries_refused(contents):
    return entries(contents) or [][0]


@wrong("a6", read_table)
def errors_passed_over(file):
    found = {}
    for _, value in block_entries(read_block(file, read_footer(file)[1])):
        try:
            found |= block_entries(read_block(file, read_handle(value, 0)[0]))
        except ValueError:
            pass
    return found


@wrong("a6", read_table)
def descending(file):
    return dict(sorted(read_table(file).items(), reverse=True))


@wrong("a6", read_table)
def two_blocks_at_most(file):
    handles = [
        read_handle(x, 0)[0] for _, x in block_entries(read_block(file, read_footer(file)[1]))
    ]
    return {k: v for handle in handles[:2] for k, v in block_entries(read_block(file, handle))}


@right("a6", read_varint)
def varint_by_its_end(data, at):
    end = at
    while end < len(data) and data[end] & 0x80:
        end += 1
    if end == len(data) or end - at >= 10:
        raise ValueError
    return sum((b & 0x7F) * 128**i for i, b in enumerate(data[at : end + 1])), end + 1


@right("a6", crc32c)
def crc_by_a_table(data):
    table = []
    for n in range(256):
        for _ in range(8):
            n = n >> 1 ^ (0x82F63B78 if n & 1 else 0)
        table.append(n)
    register = 0xFFFFFFFF
    for byte in bytes(data):
        register = register >> 8 ^ table[(register ^ byte) & 255]
    return register ^ 0xFFFFFFFF


@right("a6", read_block)
def no_block_ends_the_file(file, handle):
    if sum(handle) + 5 >= len(file):
        raise ValueError
    return block(file, handle, lambda x, t: not t[0] and stored_crc(x + t[:1]) == t[1:])


@right("a6", block_entries)
def entries_in_a_loop(contents):
    return entries(contents)


@right("a6", read_footer)
def footer_of_lists(file):
    if len(file) < 48 or int.from_bytes(file[-8:], "little") != MAGIC:
        raise ValueError
    a, at = read_handle(file[-48:], 0)
    return Handle(*a), read_handle(file[-48:], at)[0]
