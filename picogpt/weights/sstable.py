"""A sorted table of keys and values in one file: the index of a TensorFlow checkpoint.

The format is LevelDB's (its doc/table_format.md and table/block_builder.cc are quoted below). A
file is a row of blocks and, at its end, a footer of fixed size. The footer says where the index
block is; the index block says where the data blocks are; the data blocks hold the keys, in
ascending order, with their values. Every function takes bytes and returns values. Nothing is
trusted: whatever does not fit raises CheckpointError.
"""

from itertools import pairwise
from typing import NamedTuple

from .crc32c import crc32c, unmask
from .errors import CheckpointError

FOOTER_SIZE = 48
MAGIC = 0xDB4775248B80FB57  # "echo http://code.google.com/p/leveldb/ | sha1sum", first 64 bits
TRAILER_SIZE = 5  # after each block: one byte for its type, four for its checksum
COMPRESSIONS = {0: "none", 1: "snappy"}
MAX_KEY_SIZE = 1000  # no name is so long; shared prefixes could make a small file huge


class Handle(NamedTuple):
    """Where a block lies in the file, its trailer not counted."""

    offset: int
    size: int


def read_varint(data: bytes, at: int) -> tuple[int, int]:
    """The integer of 1 to 10 bytes at position `at`, and the position after it.

    Each byte holds seven bits of the number, the lowest first; the eighth bit says that more
    bytes follow. 300 is 0b10_0101100:

    >>> read_varint(bytes([0b1_0101100, 0b0_0000010]), 0)
    (300, 2)
    """
    value = 0
    for i in range(10):
        if at + i >= len(data):
            raise CheckpointError(f"the varint at byte {at} is cut off")
        byte = data[at + i]
        value |= (byte & 0x7F) << (7 * i)
        if byte < 0x80 and value < 2**64:
            return value, at + i + 1
    raise CheckpointError(f"the varint at byte {at} has more than 64 bits")


def read_handle(data: bytes, at: int) -> tuple[Handle, int]:
    """The handle at position `at`, two varints, and the position after it.

    >>> read_handle(bytes([5, 0b1_0101100, 0b0_0000010]), 0)
    (Handle(offset=5, size=300), 3)
    """
    offset, at = read_varint(data, at)
    size, at = read_varint(data, at)
    return Handle(offset, size), at


def read_footer(file: bytes) -> tuple[Handle, Handle]:
    """The handles of the metaindex block and of the index block.

    The last 48 bytes: "metaindex_handle, index_handle, padding: zeroed bytes to make fixed
    length, magic: fixed64, little-endian".
    """
    if len(file) < FOOTER_SIZE:
        raise CheckpointError(f"{len(file)} bytes are fewer than the footer's {FOOTER_SIZE}")
    footer, magic = file[-FOOTER_SIZE:-8], int.from_bytes(file[-8:], "little")
    if magic != MAGIC:
        raise CheckpointError(f"ends in {magic:#018x}, expected the magic number {MAGIC:#018x}")
    metaindex, at = read_handle(footer, 0)
    index, at = read_handle(footer, at)
    return metaindex, index


def read_block(file: bytes, handle: Handle) -> bytes:
    """The contents of one block, after checking its trailer.

    "type: uint8, crc: uint32": the type says how the contents are compressed, the masked CRC-32C
    covers contents and type.
    """
    end = handle.offset + handle.size
    if end + TRAILER_SIZE > len(file) - FOOTER_SIZE:
        raise CheckpointError(
            f"a block of {handle.size} bytes at byte {handle.offset} does not fit"
            f" into {len(file)} bytes"
        )
    stored = unmask(int.from_bytes(file[end + 1 : end + TRAILER_SIZE], "little"))
    computed = crc32c(file[handle.offset : end + 1])
    if computed != stored:
        raise CheckpointError(
            f"the block at byte {handle.offset} has CRC-32C {computed:#010x},"
            f" expected {stored:#010x}"
        )
    if file[end] != 0:
        name = COMPRESSIONS.get(file[end], "unknown")
        raise CheckpointError(
            f"the block at byte {handle.offset} has compression {file[end]} ({name}),"
            " expected 0 (none)"
        )
    return file[handle.offset : end]


def read_restarts(contents: bytes) -> tuple[int, list[int]]:
    """Where the entries of a block end, and the restart points, which follow them.

    "restarts: uint32[num_restarts], num_restarts: uint32": the offsets of the entries that repeat
    nothing of the key before them (every sixteenth), from which a search can start.

    >>> read_restarts(b"entries" + bytes([0, 0, 0, 0, 4, 0, 0, 0, 2, 0, 0, 0]))
    (7, [0, 4])
    """
    count = int.from_bytes(contents[-4:], "little")
    end = len(contents) - 4 - 4 * count
    if end < 0 or count == 0:
        raise CheckpointError(f"a block of {len(contents)} bytes has {count} restart points")
    array = contents[end:-4]
    return end, [int.from_bytes(array[i : i + 4], "little") for i in range(0, 4 * count, 4)]


def block_entries(contents: bytes) -> list[tuple[bytes, bytes]]:
    """The (key, value) pairs of a block.

    Each entry is "shared_bytes: varint32, unshared_bytes: varint32, value_length: varint32,
    key_delta: char[unshared_bytes], value: char[value_length]": since neighbours in a sorted
    list begin alike, a key is written as the number of bytes that it shares with the key before
    it, and the rest.

    >>> first, second = bytes([0, 3, 1]) + b"wpe" + b"1", bytes([1, 2, 1]) + b"te" + b"2"
    >>> block_entries(first + second + bytes([0, 0, 0, 0, 1, 0, 0, 0]))
    [(b'wpe', b'1'), (b'wte', b'2')]
    """
    end, restarts = read_restarts(contents)
    body = contents[:end]
    entries, full_key_offsets, at, key = [], {0}, 0, b""
    while at < end:
        start = at
        n_shared, at = read_varint(body, at)
        n_rest, at = read_varint(body, at)
        n_value, at = read_varint(body, at)
        if n_shared > len(key) or at + n_rest + n_value > end or n_shared + n_rest > MAX_KEY_SIZE:
            raise CheckpointError(
                f"the entry at byte {start} of a block has lengths {n_shared}, {n_rest}, {n_value},"
                " which do not fit"
            )
        previous, key = key, key[:n_shared] + body[at : at + n_rest]
        if entries and key <= previous:
            raise CheckpointError(f"key {key!r} follows {previous!r}, expected ascending keys")
        if n_shared == 0:
            full_key_offsets.add(start)
        entries.append((key, body[at + n_rest : at + n_rest + n_value]))
        at += n_rest + n_value
    ascending = restarts[0] == 0 and all(a < b for a, b in pairwise(restarts))
    if not ascending or not full_key_offsets.issuperset(restarts):
        raise CheckpointError("a block's restart points do not name entries written in full")
    return entries


def read_table(file: bytes) -> dict[bytes, bytes]:
    """All keys and values of the file, in ascending order of the keys.

    The index block has one entry per data block: a key k with last key of this block <= k <
    first key of the next, and the block's handle.
    """
    metaindex, index = read_footer(file)
    # only checked: it would name filters, which a checkpoint does not have
    block_entries(read_block(file, metaindex))
    table: dict[bytes, bytes] = {}
    previous = None
    for separator, value in block_entries(read_block(file, index)):
        handle, _ = read_handle(value, 0)
        entries = block_entries(read_block(file, handle))
        for key in [key for key, _ in (entries[:1] + entries[-1:])]:
            if key > separator or (previous is not None and key <= previous):
                raise CheckpointError(
                    f"key {key!r} is in a block for keys after {previous!r} up to {separator!r}"
                )
        table |= entries
        previous = separator
    return table
