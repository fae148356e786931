"""Assignment 6, first part: varints, checksums and handles, and what is often written instead."""

import zlib

from ...weights.crc32c import POLYNOMIAL, mask, unmask
from ...weights.sstable import Handle, read_handle, read_varint
from ..assignment import question
from .a6_reference import crc32c
from .a6_writer import varint

ALL_32_BITS = 0xFFFFFFFF


def joined(data, at, join):
    """read_varint with another way to join the bytes: join(bytes of the varint) -> number."""
    _, end = read_varint(data, at)
    return join(data[at:end]), end


def highest_bits_first(data, at):
    """The first byte holds the lowest seven bits of the number, and not the highest."""
    return joined(data, at, lambda x: sum((byte & 127) << 7 * i for i, byte in enumerate(x[::-1])))


def continuation_bit_kept(data, at):
    """The eighth bit of a byte says whether more bytes follow, and is no part of the number."""
    return joined(data, at, lambda x: sum(byte << 7 * i for i, byte in enumerate(x)))


def shifted_by_eight(data, at):
    """Each byte holds seven bits of the number: shift by 7, 14, 21, ... and not by 8, 16, 24."""
    return joined(data, at, lambda x: sum((byte & 127) << 8 * i for i, byte in enumerate(x)))


def thirty_two_bits(data, at):
    """Your number has 32 bits, but up to 64 can be there: offsets can be large."""
    return joined(data, at, lambda x: read_varint(x, 0)[0] & ALL_32_BITS)


def two_bytes_at_most(data, at):
    """A varint can have more than two bytes: go on as long as the eighth bit is set."""
    read_varint(data, at)  # which refuses what cannot be right
    if data[at] < 128:
        return data[at], at + 1
    return data[at] & 127 | (data[at + 1] & 127) << 7, at + 2


def length_instead_of_position(data, at):
    """What comes second is the position after the varint, and not its length."""
    value, end = read_varint(data, at)
    return value, end - at


def position_of_the_last_byte(data, at):
    """What comes second is the position after the varint, and not that of its last byte."""
    value, end = read_varint(data, at)
    return value, end - 1


def begins_at_zero(data, at):
    """The varint begins at position `at`, and not at 0."""
    return read_varint(data, 0)


VARINT_MISTAKES = (
    *(highest_bits_first, continuation_bit_kept, shifted_by_eight, thirty_two_bits),
    *(two_bytes_at_most, length_instead_of_position, position_of_the_last_byte, begins_at_zero),
)


@question(read_varint, 2, VARINT_MISTAKES)
def varint_values(ask, rng):
    """Seven bits from each byte, and the position after the last one"""
    for n_bits in (6, 12, 14, 25, 40, 60):
        n = int(rng.integers(1 << n_bits - 1, 1 << n_bits))
        before = varint(int(rng.integers(1 << 20)))
        ask(read_varint, before + varint(n) + rng.bytes(2), len(before))
    # Where a byte ends and the next one begins, up to ten bytes; the varint may be all there is
    for n in (0, 127, 128, (1 << 14) - 1, 1 << 14, 1 << 32, 1 << 63, (1 << 64) - 1):
        before = rng.bytes(rng.integers(8, 11))
        ask(read_varint, before + varint(n), len(before))
    ask(read_varint, varint(int(rng.integers(1 << 62, 1 << 63))), 0)


def end_not_checked(data, at):
    """Where the data end within a varint, an IndexError is raised: it has to be a ValueError."""
    last = at
    while data[last] >= 128:
        last += 1
    return read_varint(data, at)


def part_accepted(data, at):
    """Where the data end within a varint, it is not complete, and its value is not known."""
    value, end = read_varint(data + b"\0", at)
    return value, min(end, len(data))


def length_not_checked(data, at):
    """No varint has more than ten bytes, which hold 64 bits: a longer one is damage."""
    length = next((n for n, byte in enumerate(data[at:], 1) if byte < 128), None)
    if length is None:
        raise ValueError("cut off")
    end = at + length
    return sum((byte & 127) << 7 * i for i, byte in enumerate(data[at:end])), end


@question(read_varint, 1, (end_not_checked, part_accepted, length_not_checked))
def varint_refuses(ask, rng):
    """A varint that is cut off or too long is a ValueError"""
    unfinished = bytes(rng.integers(128, 256, size=10).tolist())
    ask.accepts(read_varint, unfinished[:9] + b"\1", 0)
    ask.accepts(read_varint, unfinished[:4] + b"\0", 4)
    ask.refuses(read_varint, unfinished[:3], 0)
    ask.refuses(read_varint, unfinished[:4], 4)
    ask.refuses(read_varint, unfinished, 0)
    ask.refuses(read_varint, unfinished[3:5], 2)
    ask.refuses(read_varint, unfinished + b"\1", 0)


def with_register(data, first, last=ALL_32_BITS, step=None):
    """CRC-32C with another register at the beginning, another XOR at the end, or another step."""
    register = first
    for byte in data:
        register ^= byte
        for _ in range(8):
            register = (step or right_step)(register)
    return register ^ last


def right_step(register):
    return register >> 1 ^ (POLYNOMIAL if register & 1 else 0)


def other_polynomial(data):
    """This is zlib's CRC-32, which has another polynomial (0xEDB88320)."""
    return zlib.crc32(data)


def begins_with_zero(data):
    """The register begins with 0xFFFFFFFF, and not with 0."""
    return with_register(data, 0)


def not_inverted(data):
    """At the end all bits of the register are inverted: XOR with 0xFFFFFFFF."""
    return crc32c(data) ^ ALL_32_BITS


def neither_inversion(data):
    """The register begins with 0xFFFFFFFF, and all its bits are inverted at the end."""
    return with_register(data, 0, 0)


def negative(data):
    """Python's ~ makes a negative number; register ^ 0xFFFFFFFF inverts 32 bits."""
    return crc32c(data) - (1 << 32)


def added_before_the_shift(data):
    """Shift the register first, and XOR the polynomial after that."""
    return with_register(data, ALL_32_BITS, step=lambda x: (x ^ POLYNOMIAL if x & 1 else x) >> 1)


def tested_after_the_shift(data):
    """The bit that decides is the lowest one before the shift, which the shift drops."""
    return with_register(
        data, ALL_32_BITS, step=lambda x: x >> 1 ^ (POLYNOMIAL if x >> 1 & 1 else 0)
    )


def one_step_per_byte(data):
    """Each byte takes eight steps, one for each bit: yours takes one."""
    register = ALL_32_BITS
    for byte in data:
        register = right_step(register ^ byte)
    return register ^ ALL_32_BITS


CRC_MISTAKES = (
    *(other_polynomial, begins_with_zero, not_inverted, neither_inversion, negative),
    *(added_before_the_shift, tested_after_the_shift, one_step_per_byte),
)


def crc_of_each(parts):
    return [crc32c(part) for part in parts]


@question(crc32c, 2, CRC_MISTAKES)
def crc_values(ask, rng):
    """Eight steps for each byte"""
    for n in (1, 3, 20):
        ask(crc32c, rng.bytes(n))
    ask(crc_of_each, [rng.bytes(9), b"", b"\0", b"\xff" * 5, bytes(300)])
    ask(crc32c, rng.bytes(70_000))  # longer than two bytes can count


DELTA = 0xA282EAD8


def rotation_forgotten(crc):
    """The rotation is missing: only the constant is added."""
    return crc + DELTA & ALL_32_BITS


def added_before_rotating(crc):
    """The rotation comes first, and the constant is added to its result."""
    return mask(crc + DELTA & ALL_32_BITS) - DELTA & ALL_32_BITS


def rotated_to_the_left(crc):
    """Rotated right by 15 bits: the lower 15 bits become the upper ones. Yours go left."""
    return (crc << 15 | crc >> 17) + DELTA & ALL_32_BITS


def shifted(crc):
    """A rotation loses nothing: the bits that leave on the right come back on the left."""
    return (crc >> 15) + DELTA & ALL_32_BITS


def constant_forgotten(crc):
    """The constant is missing: it is added after the rotation."""
    return mask(crc) - DELTA & ALL_32_BITS


def not_cut(crc):
    """The sum can have 33 bits: only the lower 32 are kept."""
    return (crc >> 15 | crc << 17 & ALL_32_BITS) + DELTA


def unmasked(crc):
    """This is the way back, from the masked checksum to the plain one."""
    return unmask(crc)


MASK_MISTAKES = (
    *(rotation_forgotten, added_before_rotating, rotated_to_the_left, shifted),
    *(constant_forgotten, not_cut, unmasked),
)


def mask_of_each(crcs):
    return [mask(crc) for crc in crcs]


@question(mask, 1, MASK_MISTAKES)
def mask_values(ask, rng):
    """Rotated, then increased"""
    edges = [0, 1, (1 << 15) - 1, 1 << 15, 1 << 31, ALL_32_BITS, unmask(0), unmask(ALL_32_BITS)]
    ask(mask_of_each, [*rng.integers(1 << 32, size=6).tolist(), *edges])


def plain_tuple(data, at):
    """What comes first has to be a handle, Handle(offset, size), and no other tuple."""
    handle, end = read_handle(data, at)
    return tuple(handle), end


def size_first(data, at):
    """The offset comes first, and then the size."""
    (offset, size), end = read_handle(data, at)
    return Handle(size, offset), end


def same_varint_twice(data, at):
    """The size begins where the offset ends: read it from the position that read_varint gives."""
    offset, end = read_varint(data, at)
    return Handle(offset, offset), end


def position_after_the_offset(data, at):
    """What comes second is the position after both numbers, and not after the first one."""
    return read_handle(data, at)[0], read_varint(data, at)[1]


def one_byte_each(data, at):
    """The two numbers are varints, which can have more than one byte."""
    return Handle(data[at], data[at + 1]), at + 2


def handle_and_end(data, at):
    handle, end = read_handle(data, at)
    return {"offset": handle.offset, "size": handle.size, "end": end}


HANDLE_MISTAKES = (plain_tuple, size_first, same_varint_twice, position_after_the_offset)


@question(read_handle, 1, (*HANDLE_MISTAKES, one_byte_each))
def handle_values(ask, rng):
    """An offset and a size"""
    for high in (100, 10_000, 1 << 30):
        offset, size = rng.integers(high, size=2).tolist()
        before = rng.bytes(rng.integers(1, 4))
        data = before + varint(offset) + varint(size) + rng.bytes(1)
        ask(handle_and_end, data, len(before))
    n = int(rng.integers(1 << 40))
    for data in (varint(0) + varint(n), varint(n) + varint(0), varint(n) + varint(1 << 40)):
        ask(handle_and_end, data, 0)
