"""Assignment 6, second part: the footer and the blocks, and what is often written instead."""

from ...weights.sstable import MAGIC, Handle, read_block, read_footer, read_handle
from ..assignment import question
from .a6_reference import crc32c
from .a6_writer import footer, little, sealed, stored_crc

DAMAGED = "damaged"  # what is said in a mistake's own ValueError


def handles_at(file, start):
    """The two handles at some place."""
    metaindex, at = read_handle(file, start)
    return metaindex, read_handle(file, at)[0]


def from_the_start(file):
    """The footer is the last 48 bytes of the file, and not the first ones."""
    return read_footer(file[:48])


def index_first(file):
    """The first handle is that of the metaindex, and the second that of the index."""
    return read_footer(file)[::-1]


def same_handle_twice(file):
    """The second handle begins where the first one ends."""
    metaindex, _ = read_footer(file)
    return metaindex, metaindex


def magic_not_checked(file):
    """The last eight bytes are not compared with the magic number."""
    if len(file) < 48:
        raise ValueError(DAMAGED)
    return handles_at(file, len(file) - 48)


def magic_big_endian(file):
    """The magic number is little-endian: its lowest byte comes first."""
    if len(file) < 48 or int.from_bytes(file[-8:], "big") != MAGIC:
        raise ValueError(DAMAGED)
    return handles_at(file, len(file) - 48)


def length_not_checked(file):
    """Where there are fewer than 48 bytes, file[-48:] is what there is: look at the length first."""
    if int.from_bytes(file[-8:], "little") != MAGIC:
        raise ValueError(DAMAGED)
    return handles_at(file[-48:], 0)


FOOTER_MISTAKES = (
    *(from_the_start, index_first, same_handle_twice, magic_not_checked, magic_big_endian),
    length_not_checked,
)


def handles_or_refused(file):
    try:
        metaindex, index = read_footer(file)
    except ValueError:
        return {"refused": True, "metaindex": None, "index": None}
    handles = {"metaindex": metaindex, "index": index}
    return {"refused": False} | {name: (x.offset, x.size) for name, x in handles.items()}


@question(read_footer, 2, FOOTER_MISTAKES)
def footer_values(ask, rng):
    """Two handles, if the magic number is right"""

    def random_footer(magic=MAGIC):
        handles = rng.integers(1, 10_000, size=(2, 2)).tolist()
        return footer(*handles, magic)

    reversed_magic = int.from_bytes(little(MAGIC, 8), "big")
    damaged = [MAGIC ^ 1 << bit for bit in (0, int(rng.integers(64)), 63)]
    for magic in (MAGIC, *damaged, reversed_magic):
        # The first 48 bytes are a footer too, which has nothing to say
        ask(handles_or_refused, random_footer() + rng.bytes(5) + random_footer(magic))
    a, b, c = rng.integers(1 << 40, size=3).tolist()
    ask(handles_or_refused, footer((0, a), (b, c)))
    ask(handles_or_refused, rng.bytes(1) + footer((a, 0), (0, b)))
    ask(handles_or_refused, random_footer()[-47:])
    ask(handles_or_refused, rng.bytes(20) + little(MAGIC, 8))
    ask(handles_or_refused, rng.bytes(3))


def checked(file, handle, is_right):
    """read_block with another look at the checksum: is_right(contents, type, stored bytes)."""
    offset, size = handle
    contents, trailer = file[offset : offset + size], file[offset + size : offset + size + 5]
    if len(trailer) < 5 or trailer[0] != 0 or not is_right(contents, trailer[:1], trailer[1:]):
        raise ValueError(DAMAGED)
    return contents


def type_not_covered(file, handle):
    """The checksum is that of the contents and the byte for the type, which follows them."""
    return checked(file, handle, lambda contents, kind, crc: stored_crc(contents) == crc)


def crc_not_masked(file, handle):
    """What is stored is the masked checksum: mask the computed one before you compare."""
    return checked(
        file, handle, lambda contents, kind, crc: little(crc32c(contents + kind), 4) == crc
    )


def crc_big_endian(file, handle):
    """The stored checksum is little-endian: its lowest byte comes first."""
    return checked(
        file, handle, lambda contents, kind, crc: stored_crc(contents + kind)[::-1] == crc
    )


def crc_not_checked(file, handle):
    """The checksum is not compared: damage goes unnoticed."""
    return checked(file, handle, lambda contents, kind, crc: True)


def trailer_kept(file, handle):
    """The five bytes of the trailer are no part of the contents."""
    end = handle[0] + len(read_block(file, handle))
    return file[handle[0] : end + 5]


def type_kept(file, handle):
    """The byte for the type is covered by the checksum, but is no part of the contents."""
    end = handle[0] + len(read_block(file, handle))
    return file[handle[0] : end + 1]


BLOCK_MISTAKES = (
    *(type_not_covered, crc_not_masked, crc_big_endian, crc_not_checked, trailer_kept),
    type_kept,
)


def with_bit_changed(data, place):
    return data[:place] + bytes([data[place] ^ 4]) + data[place + 1 :]


def contents_or_refused(file, offset, size):
    try:
        return {"refused": False, "contents": read_block(file, Handle(offset, size))}
    except ValueError:
        return {"refused": True, "contents": None}


@question(read_block, 3, BLOCK_MISTAKES)
def block_values(ask, rng):
    """The contents, if their checksum is right"""
    damages = ("one bit", "first bit", "last bit", "type", "crc", "last of crc")
    for changed in (None, *damages, "type not covered", "not masked", "big-endian", None):
        contents = rng.bytes(rng.integers(5, 20))
        covered, crc = contents + b"\0", stored_crc(contents + b"\0")
        if changed in damages:
            n = len(contents)
            place = [int(rng.integers(n)), 0, n - 1, n, n + 1, n + 4][damages.index(changed)]
            whole = with_bit_changed(covered + crc, place)
            covered, crc = whole[: n + 1], whole[n + 1 :]
        elif changed == "type not covered":
            crc = stored_crc(contents)
        elif changed == "not masked":
            crc = little(crc32c(covered), 4)
        elif changed == "big-endian":
            crc = crc[::-1]
        before = rng.bytes(rng.integers(1, 9))
        file = before + covered + crc + footer((0, 1), (2, 3))
        ask(contents_or_refused, file, len(before), len(contents))
    for before, contents in ((b"", rng.bytes(300)), (rng.bytes(9), b"")):
        file = before + sealed(contents) + rng.bytes(9) + footer((0, 1), (2, 3))
        ask(contents_or_refused, file, len(before), len(contents))


def compression_ignored(file, handle):
    """A type other than 0 says that the contents are compressed, and not what they seem to be."""
    end = sum(handle)
    contents, crc = file[handle[0] : end], file[end + 1 : end + 5]
    if len(crc) < 4 or stored_crc(file[handle[0] : end + 1]) != crc:
        raise ValueError(DAMAGED)
    return contents


def end_not_checked(file, handle):
    """A handle may point behind the end of the file, where an index raises an IndexError."""
    if file[sum(handle)] != 0:
        raise ValueError(DAMAGED)
    return read_block(file, handle)


def first_contents(files, size):
    """The contents of the first block that is right, or the ValueError about the last one."""
    for file in files[:-1]:
        try:
            return read_block(file, Handle(0, size))
        except ValueError:
            pass
    return read_block(files[-1], Handle(0, size))


def contents_of(file, offset, size):
    return read_block(file, Handle(offset, size))


@question(read_block, 1, (compression_ignored, end_not_checked))
def block_refuses(ask, rng):
    """A block that is compressed or not in the file is a ValueError"""
    contents = rng.bytes(9)
    for kind in (1, 2, 7, 128, 255):
        file = sealed(contents, kind) + footer((0, 1), (2, 3))
        ask.refuses(contents_of, file, 0, len(contents))
    file = sealed(contents) + footer((0, 1), (2, 3))
    # With the checksums of those who compute another one, which has its own question
    crcs = [stored_crc(contents + b"\0"), stored_crc(contents), little(crc32c(contents + b"\0"), 4)]
    files = [contents + b"\0" + crc + file[-48:] for crc in (*crcs, crcs[0][::-1])]
    ask.accepts(first_contents, files, len(contents))
    ask.refuses(contents_of, file, len(file) + 10, len(contents))
    ask.refuses(contents_of, file, 0, len(file) + 10)
    ask.refuses(contents_of, file, len(file) - 2, 0)
    ask.refuses(contents_of, file, len(file), 1)
    ask.refuses(contents_of, file, 1 << 40, 1)
