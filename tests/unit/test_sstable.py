"""The sorted table: what is right is read, what is wrong is refused, at every byte."""

import doctest

import handmade_bundle as made
import pytest
from hypothesis import given
from hypothesis import strategies as st

from picogpt.weights import sstable
from picogpt.weights.errors import CheckpointError
from picogpt.weights.sstable import (
    Handle,
    block_entries,
    read_block,
    read_footer,
    read_restarts,
    read_table,
    read_varint,
)

ENTRIES = [(f"model/h{i}/attn/w".encode(), bytes([i]) * i) for i in (0, 1, 10, 11, 2, 3, 4, 5, 6)]
KEYS = st.lists(st.binary(max_size=30), unique=True, min_size=1, max_size=60).map(sorted)


def two_entries(first: bytes, second: bytes, restarts: tuple[int, ...] = (0,)) -> bytes:
    numbers = [*restarts, len(restarts)]
    return first + second + b"".join(n.to_bytes(4, "little") for n in numbers)


@given(st.integers(0, 2**64 - 1), st.binary(max_size=3), st.binary(max_size=3))
def test_varint(n, before, after):
    data = before + made.varint(n) + after
    assert read_varint(data, len(before)) == (n, len(data) - len(after))


@pytest.mark.parametrize("data", [b"", b"\x80", b"\xff" * 9])
def test_varint_cut_off(data):
    with pytest.raises(CheckpointError, match="cut off"):
        read_varint(data, 0)


@pytest.mark.parametrize("data", [b"\x80" * 10 + b"\x01", b"\xff" * 9 + b"\x02"])
def test_varint_too_long(data):
    with pytest.raises(CheckpointError, match="more than 64 bits"):
        read_varint(data, 0)


@given(KEYS, st.integers(1, 20))
def test_block(keys, every):
    entries = [(key, key[::-1]) for key in keys]
    assert block_entries(made.block_contents(entries, every)) == entries


@given(KEYS, st.integers(1, 10))
def test_several_blocks(keys, n_per_block):
    entries = [(key, key * 2) for key in keys]
    blocks = [entries[i : i + n_per_block] for i in range(0, len(entries), n_per_block)]
    assert list(read_table(made.table(blocks)).items()) == entries


def test_separators_need_not_be_keys():
    """LevelDB shortens them: "b" is after "apple" and before "cherry"."""
    contents = [made.block_contents([(key, b"")]) for key in (b"apple", b"cherry")]
    assert list(read_table(made.table_of_contents(contents, [b"b", b"d"]))) == [b"apple", b"cherry"]


@pytest.mark.parametrize(
    "keys, separators",
    [
        ([b"b", b"a"], [b"b", b"c"]),  # the second block's key comes before the first's
        ([b"a", b"a"], [b"a", b"b"]),  # the same key twice
        ([b"b", b"c"], [b"a", b"c"]),  # the first block's key is after its separator
    ],
)
def test_keys_outside_their_block(keys, separators):
    contents = [made.block_contents([(key, b"")]) for key in keys]
    with pytest.raises(CheckpointError, match="in a block for keys after"):
        read_table(made.table_of_contents(contents, separators))


@pytest.mark.parametrize("first, second", [(b"b", b"a"), (b"a", b"a"), (b"ab", b"a")])
def test_keys_not_ascending(first, second):
    contents = made.block_contents([(first, b""), (second, b"")])
    with pytest.raises(CheckpointError, match="expected ascending keys"):
        block_entries(contents)


@pytest.mark.parametrize(
    "second",
    [
        b"\2\1\0b",  # shares two bytes of a key of one
        b"\0\5\0b",  # four bytes of the key are missing
        b"\0\1\5b",  # the value is missing
        b"\0\1" + made.varint(2**63) + b"b",
        b"\1" + made.varint(1001) + b"\0" + b"b" * 1001,  # a key longer than any name
    ],
)
def test_entry_with_lengths_that_do_not_fit(second):
    with pytest.raises(CheckpointError, match="do not fit"):
        block_entries(two_entries(b"\0\1\0a", second))


@pytest.mark.parametrize("restarts", [(4,), (0, 1), (0, 4, 4), (4, 0), (0, 8), (0, 2**32 - 1)])
def test_restart_points_that_name_no_entry(restarts):
    assert block_entries(two_entries(b"\0\1\0a", b"\0\1\0b", (0, 4)))
    with pytest.raises(CheckpointError, match="restart points"):
        block_entries(two_entries(b"\0\1\0a", b"\0\1\0b", restarts))


def test_restart_point_at_an_entry_that_shares():
    with pytest.raises(CheckpointError, match="restart points"):
        block_entries(two_entries(b"\0\1\0a", b"\1\1\0b", (0, 4)))


@pytest.mark.parametrize("contents", [b"", b"\0\0\0\0", b"\2\0\0\0", b"\0\0\0\0\2\0\0\0"])
def test_more_restart_points_than_bytes(contents):
    with pytest.raises(CheckpointError, match="restart points"):
        read_restarts(contents)


@pytest.mark.parametrize("kind, name", [(1, "snappy"), (2, "unknown")])
def test_compressed_block(kind, name):
    with pytest.raises(CheckpointError, match=rf"compression {kind} \({name}\)"):
        read_table(made.table([ENTRIES], compression=kind))


def test_file_shorter_than_a_footer():
    with pytest.raises(CheckpointError, match="47 bytes are fewer than the footer's 48"):
        read_footer(made.footer((0, 0), (0, 0))[1:])


def test_wrong_magic():
    file = made.table([ENTRIES])
    with pytest.raises(CheckpointError, match="magic"):
        read_footer(file[:-1] + b"\0")


@pytest.mark.parametrize("offset, size", [(0, 10**6), (2**63, 8), (0, 2**64 - 1), (40, 9)])
def test_block_outside_the_file(offset, size):
    file = bytes(48) + made.footer((0, 0), (0, 0))
    with pytest.raises(CheckpointError, match="does not fit"):
        read_block(file, Handle(offset, size))


def test_wrong_checksum_is_named():
    file = bytearray(made.table([ENTRIES]))
    file[3] ^= 1
    with pytest.raises(CheckpointError, match="the block at byte 0 has CRC-32C 0x"):
        read_table(bytes(file))


def test_metaindex_block_is_checked_too():
    file = made.table([ENTRIES])
    metaindex, _ = read_footer(file)
    damaged = bytearray(file)
    damaged[metaindex.offset] ^= 1
    with pytest.raises(CheckpointError, match=f"the block at byte {metaindex.offset} has CRC"):
        read_table(bytes(damaged))


def test_every_truncation_is_refused():
    file = made.table([ENTRIES[:5], ENTRIES[5:]])
    for length in range(len(file)):
        with pytest.raises(CheckpointError):
            read_table(file[:length])


def test_every_flipped_bit_is_refused():
    """But for those of the footer's padding, which nothing reads."""
    file = made.table([ENTRIES[:5], ENTRIES[5:]])
    metaindex, index = read_footer(file)
    handles = made.footer(metaindex, index)[:40].rstrip(b"\0")
    padding = range(8 * (len(file) - 48 + len(handles)), 8 * (len(file) - 8))
    # The last varint of the handles may go on into the padding, which adds zeros to it.
    harmless = [padding.start - 1, *padding]
    for bit in range(8 * len(file)):
        damaged = bytearray(file)
        damaged[bit // 8] ^= 1 << bit % 8
        if bit in harmless:
            assert read_table(bytes(damaged)) == dict(ENTRIES)
        else:
            with pytest.raises(CheckpointError):
                read_table(bytes(damaged))


@given(st.binary(max_size=200))
def test_any_bytes_as_a_block(contents):
    try:
        entries = block_entries(contents)
    except CheckpointError:
        return
    assert entries == sorted(entries)


@given(st.binary(max_size=40), st.binary(max_size=60), st.binary(max_size=60))
def test_any_bytes_as_a_file(handles, index, data):
    """With checksums and magic number right, so that what lies behind them is reached."""
    metaindex_block = made.sealed(made.block_contents([]))
    file = metaindex_block + made.sealed(index) + made.sealed(data)
    for footer in (
        handles.ljust(40, b"\0") + made.MAGIC,
        made.footer((0, len(metaindex_block) - 5), (len(metaindex_block), len(index))),
    ):
        try:
            read_table(file + footer)
        except CheckpointError:
            pass


def test_examples_in_docstrings():
    assert doctest.testmod(sstable).failed == 0
