"""Assignment 6, third part: the table of keys and values, and what is often written instead."""

from ...weights.sstable import (
    block_entries,
    read_block,
    read_footer,
    read_handle,
    read_restarts,
    read_table,
    read_varint,
)
from ..assignment import question
from .a6_2_blocks import with_bit_changed
from .a6_writer import block, little, random_entries, random_names, restart_array, table, varint


def previous_key(keys, rests):
    return keys[-1]


def entries_of(contents, end, before=previous_key, order=(0, 1, 2)):
    """block_entries with another end, another key to share with, or other places of the lengths.

    before(keys, rests so far, which begin with an empty one) -> key. No length is checked.
    """
    entries, keys, rests, at = [], [b""], [b""], 0
    while at < end:
        lengths = []
        for _ in range(3):
            length, at = read_varint(contents, at)
            lengths.append(length)
        n_shared, n_rest, n_value = (lengths[i] for i in order)
        rests.append(contents[at : at + n_rest])
        keys.append(before(keys, rests)[:n_shared] + rests[-1])
        at += n_rest
        entries.append((keys[-1], contents[at : at + n_value]))
        at += n_value
    return entries


def end_of_entries(contents):
    return read_restarts(contents)[0]


def wrong_entries(contents, end=None, before=previous_key, order=(0, 1, 2)):
    """The same, but what cannot be right is refused."""
    block_entries(contents)
    return entries_of(contents, end or end_of_entries(contents), before, order)


def restarts_as_entries(contents):
    """The entries end where the array of restart points begins: these are no entries."""
    return wrong_entries(contents, len(contents))


def only_the_count_left_out(contents):
    """Before the number of restart points stand the points themselves, four bytes each."""
    return wrong_entries(contents, len(contents) - 4)


def count_big_endian(contents):
    """The number of restart points is little-endian: its lowest byte comes first."""
    return wrong_entries(contents, len(contents) - 4 - 4 * int.from_bytes(contents[-4:], "big"))


def not_shared(contents):
    """A key begins with what it shares with the key before it: you have the rest alone."""
    return wrong_entries(contents, before=lambda keys, rests: b"")


def shared_with_the_first(contents):
    """What a key shares, it shares with the key just before it, and not with the first one."""
    return wrong_entries(contents, before=lambda keys, rests: keys[:2][-1])


def shared_with_the_rest(contents):
    """What a key shares, it shares with the whole key before it: yours begins with the rest alone
    that is written there."""
    return wrong_entries(contents, before=lambda keys, rests: rests[-2])


def lengths_swapped(contents):
    """The three lengths are those of what is shared, of the key's rest, and of the value."""
    return wrong_entries(contents, order=(0, 2, 1))


ENTRIES_MISTAKES = (
    *(restarts_as_entries, only_the_count_left_out, count_big_endian, not_shared),
    *(shared_with_the_first, shared_with_the_rest, lengths_swapped),
)


def entries_of_each(blocks):
    return [block_entries(contents) for contents in blocks]


@question(block_entries, 3, ENTRIES_MISTAKES)
def entries_values(ask, rng):
    """Keys that share their beginnings, up to the restart points"""
    for n, every in ((3, 16), (6, 16), (9, 4)):
        ask(block_entries, block(random_entries(rng, n), every))
    # Lengths of more than one byte; keys of which one is the beginning of the next; empty values
    a, b = random_names(rng, 2)
    keys = [a, a + "0", a + 140 * "0", a + 140 * "0" + 150 * "b", a + 141 * "0", b + "2"]
    sizes = zip(sorted(keys), (1, 0, 128, 0, 400, 7), strict=True)
    entries = [(key.encode(), rng.bytes(n)) for key, n in sizes]
    ask(block_entries, block(entries))
    ask(block_entries, block([(b"", rng.bytes(3)), *entries[:1]]))
    ask(entries_of_each, [block(entries[:1]), block([]), block([(b"", b"")])])
    # More restart points than a byte can count
    numbered = [(f"{a}{i:03}".encode(), b"") for i in range(260)]
    ask(block_entries, block(numbered, every=1))


def lengths_not_checked(contents):
    """A slice behind the end is short, and nobody complains: compare the lengths first."""
    end = end_of_entries(contents)
    n_shared, _ = read_varint(contents, 0)
    if n_shared > 0:
        return block_entries(contents)
    return entries_of(contents, end)


def shared_not_checked(contents):
    """A key cannot share more bytes than the key before it has."""
    if read_varint(contents, 0)[0] > 0:
        return entries_of(contents, end_of_entries(contents))
    return block_entries(contents)


def restarts_not_checked(contents):
    """The restart points may be more than there is room for: look before you use their number."""
    count = int.from_bytes(contents[-4:], "little")
    end = len(contents) - 4 - 4 * count
    return block_entries(contents) if end >= 0 else []


@question(block_entries, 1, (lengths_not_checked, shared_not_checked, restarts_not_checked))
def entries_refuse(ask, rng):
    """Lengths that do not fit are a ValueError"""
    key = random_entries(rng, 1)[0][0]
    # Behind the block, into its restart points, and up to their end
    for n_value in (40, 6, 9, 13):
        too_long = varint(0) + varint(len(key)) + varint(n_value) + key + b"value"
        ask.refuses(block_entries, too_long + restart_array([0]))
    ask.refuses(block_entries, varint(0) + varint(len(key) + 1) + b"\0" + key + restart_array([0]))
    nothing_to_share = varint(3) + varint(len(key)) + varint(5) + key + b"value"
    ask.refuses(block_entries, nothing_to_share + restart_array([0]))
    # Restart points that look like entries, to spare those who take them for some
    ask.accepts(block_entries, block([(b"", b""), (key, b"value")], every=1))
    contents = block([(key, b"value")])
    second = varint(len(key) + 1) + varint(1) + varint(0) + b"x"  # one byte more than there is
    ask.refuses(block_entries, contents[:-8] + second + restart_array([0]))
    ask.refuses(block_entries, b"\0" + restart_array([0]))  # an entry that ends after one byte
    contents = block(random_entries(rng, 3))
    # Of the right number 1, each of the other bytes is another one, too
    for count in (len(contents), len(contents) // 4, 0x101, 0x10001, 0x1000001):
        ask.refuses(block_entries, contents[:-4] + little(count, 4))


def blocks_of(file, n_blocks=None):
    """The entries of each data block."""
    index = block_entries(read_block(file, read_footer(file)[1]))
    handles = [read_handle(value, 0)[0] for _, value in index[:n_blocks]]
    return [block_entries(read_block(file, handle)) for handle in handles]


def metaindex_read(file):
    """The index block is that of the footer's second handle: the first one's is empty."""
    return dict(block_entries(read_block(file, read_footer(file)[0])))


def index_as_data(file):
    """The values of the index block are handles: read the blocks that they point to."""
    return dict(block_entries(read_block(file, read_footer(file)[1])))


def first_block_only(file):
    """The index block has an entry for each data block, and you have read the first one only."""
    return dict(blocks_of(file, 1)[0])


def last_block_only(file):
    """The blocks' entries are to be joined: yours are those of the last block alone."""
    return dict(blocks_of(file)[-1])


def index_keys_too(file):
    """The keys of the index block only say where one block ends: they belong to no value."""
    return index_as_data(file) | read_table(file)


TABLE_MISTAKES = (
    *(metaindex_read, index_as_data, first_block_only, last_block_only, index_keys_too),
)


def in_order(file):
    return [*read_table(file)]


@question(read_table, 2, TABLE_MISTAKES)
def table_values(ask, rng):
    """All keys and values of all blocks"""
    for n, n_per_block in ((4, 16), (7, 3), (3, 1)):
        ask(read_table, table(random_entries(rng, n), n_per_block))
    file = table(random_entries(rng, 7), 2)
    ask(in_order, file)
    for place in (int(rng.integers(6)), len(file) - 1):  # in the first block, or in the footer
        ask.refuses(read_table, with_bit_changed(file, place))
    ask(read_table, table([(b"", b"header"), *random_entries(rng, 2)], 2))
    # Damage that only a checksum can tell: in a value, and in a key of the index block
    file = table([(b"first", b"value"), (b"second", b"other")], 1)
    for place in (file.index(b"value"), file.index(b"other"), file.rindex(b"second")):
        ask.refuses(read_table, with_bit_changed(file, place))
