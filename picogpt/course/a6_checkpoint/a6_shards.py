"""Assignment 6 with shards: a checkpoint in several files of data."""

import numpy as np

from ...weights.sstable import read_table
from ..assignment import question, together
from .a6_4_messages import must_be_there, random_place
from .a6_assignment import A6, random_checkpoint
from .a6_reference import (
    last,
    parameter_tree,
    read_bundle,
    read_entry,
    read_message,
    read_tensor,
)
from .a6_writer import bundle, entry_message, names_with_umlauts, random_tensor, stored


def read_shard_entry(data: bytes) -> dict:
    """What the index says about one tensor, in a message of the kind BundleEntryProto.

    Returns {"dtype": 1, "shape": (2, 3), "shard_id": 2, "offset": 80, "size": 24,
    "crc32c": 2788293580}, for example. The fields of the message:

        1 dtype: a number for the type, 1 for float32
        2 shape: a message, with a field 2 for each dimension: a message, whose field 1 is the size
        3 shard_id: in which file of data the tensor lies, counted from 0
        4 offset: where in this file the tensor's bytes begin
        5 size: how many bytes they are
        6 crc32c: the masked checksum of these bytes, four bytes long

    Source: TensorFlow's tensor_bundle.proto and tensor_shape.proto.
    """
    return read_entry(data) | {"shard_id": last(read_message(data), 3, 0)}


def read_shards(index: bytes, shards: list[bytes]) -> dict[str, np.ndarray]:
    """All tensors of a checkpoint: name -> float32 array.

    index: the table in model.ckpt.index, tensor's name -> message; under the empty name stands a
    header, a message whose field 1 is the number of files of data. shards: the bytes of these
    files, model.ckpt.data-00000-of-00003 and so on, in their order.
    Raises ValueError if there are more files, or fewer, than the header says, or if anything else
    is not as it should be.
    """
    table = read_table(index)
    n_shards = last(read_message(table.pop(b"", b"")), 1, 0)
    if len(shards) != n_shards:
        raise ValueError(f"there are {len(shards)} files of data, expected {n_shards}")
    entries = {key.decode(): read_shard_entry(value) for key, value in table.items()}
    for name, entry in entries.items():
        if entry["shard_id"] >= n_shards:
            raise ValueError(f"{name} lies in file {entry['shard_id']} of {n_shards}")
    return {name: read_tensor(entry, shards[entry["shard_id"]]) for name, entry in entries.items()}


def shard_left_out(data):
    """The number of the file, field 3, is missing."""
    return read_entry(data)


def fields_swapped(data, a, b):
    entry = read_shard_entry(data)
    return entry | {a: entry[b], b: entry[a]}


def shard_and_offset_swapped(data):
    """Field 3 is the number of the file, and field 4 the offset."""
    return fields_swapped(data, "shard_id", "offset")


def offset_and_size_swapped(data):
    """Field 4 is the offset, and field 5 is the size."""
    return fields_swapped(data, "offset", "size")


def counted_from_one(data):
    """The files are counted from 0, in the index as in their names."""
    entry = read_shard_entry(data)
    return entry | {"shard_id": entry["shard_id"] + 1}


def dims_reversed(data):
    """The dimensions stand in their order: [rows, columns], the last one moves fastest."""
    entry = read_shard_entry(data)
    return entry | {"shape": entry["shape"][::-1]}


def shard_must_be_there(data):
    """What is zero is not written: of a tensor in the first file, field 3 is missing."""
    return must_be_there(data, 3) and read_shard_entry(data)


def offset_must_be_there(data):
    """What is zero is not written: the first tensor's offset is 0, and field 4 is missing."""
    return must_be_there(data, 4) and read_shard_entry(data)


def dim_must_be_there(data):
    """What is zero is not written: a dimension of size 0 is an empty message."""
    for dim in read_message(read_message(data)[2][0])[2]:
        must_be_there(dim, 1)
    return read_shard_entry(data)


def empty_dims_left_out(data):
    """A dimension of size 0 is an empty message, and it counts: the shape has a 0 there."""
    entry = read_shard_entry(data)
    return entry | {"shape": tuple(n for n in entry["shape"] if n)}


ENTRY_MISTAKES = (
    *(shard_left_out, shard_and_offset_swapped, offset_and_size_swapped, counted_from_one),
    *(dims_reversed, shard_must_be_there, offset_must_be_there, dim_must_be_there),
    empty_dims_left_out,
)


@question(read_shard_entry, 3, ENTRY_MISTAKES)
def shard_entry_values(ask, rng):
    """Type, shape, file, place and checksum, where what is zero is not written"""
    for n_dims in (1, 2, 3):
        shape = rng.integers(1, 1000, size=n_dims).tolist()
        shard = int(rng.integers(1, 9))
        ask(read_shard_entry, entry_message(shape, *random_place(rng), shard=shard))
    offset, size, crc = random_place(rng)
    a, b = rng.integers(1, 1000, size=2).tolist()
    ask(read_shard_entry, entry_message((a, b), offset, size, crc, shard=0))
    ask(read_shard_entry, entry_message((a, b), 0, size, crc, shard=3))
    ask(read_shard_entry, entry_message((a, 0, b), offset, size, crc, shard=1))
    ask(read_shard_entry, entry_message((a, b), offset, 0, crc, shard=300))
    ask(read_shard_entry, entry_message((), offset << 20, size << 20, 0, dtype=0, shard=1))


def random_shards(rng, n, n_shards, said=None):
    """The index and the files of a few tensors, of which each file has some.

    said: how many there are by the header, if it is wrong.
    """
    shard_ids = rng.permutation(np.arange(n) % n_shards).tolist()
    tensors = {
        name: stored(random_tensor(rng, int(rng.integers(1, 3))), shard)
        for name, shard in zip(names_with_umlauts(rng, n), shard_ids, strict=True)
    }
    return bundle(tensors, n_per_block=3, said=said)


def entries_of(index):
    return {k.decode(): read_shard_entry(x) for k, x in read_table(index).items() if k}


def first_file_only(index, shards):
    """Which file a tensor lies in says its shard_id, and the offset counts from the beginning of
    this file."""
    return read_bundle(index, shards[0])


def last_file_first(index, shards):
    """The files are in their order: the tensors with shard_id 0 lie in shards[0]."""
    read_shards(index, shards)  # which refuses what cannot be right
    return {
        name: read_tensor(entry, shards[-1 - entry["shard_id"]])
        for name, entry in entries_of(index).items()
    }


def header_not_left_out(index, shards):
    """Under the empty key stands the header, and no tensor."""
    read_shards(index, shards)
    entries = {key.decode(): read_shard_entry(x) for key, x in read_table(index).items()}
    return {name: read_tensor(entry, shards[entry["shard_id"]]) for name, entry in entries.items()}


def lie_in_the_shards(index, shards):
    lie_in = [np.frombuffer(data, np.uint8) for data in shards]
    tensors = read_shards(index, shards).items()
    return {name: any(np.shares_memory(x, data) for data in lie_in) for name, x in tensors}


SHARDS_MISTAKES = (first_file_only, last_file_first, header_not_left_out)


@question(read_shards, 2, SHARDS_MISTAKES)
def shards_values(ask, rng):
    """All tensors, each from its file"""
    for n_shards in (3, 2, 1):
        ask(read_shards, *random_shards(rng, 6, n_shards))
    ask(lie_in_the_shards, *random_shards(rng, 6, 2))


def number_not_checked(index, shards):
    """The header says how many files there are: compare that with the number of shards."""
    entries = entries_of(index).items()
    return {name: read_tensor(entry, shards[entry["shard_id"]]) for name, entry in entries}


def only_too_few_refused(index, shards):
    """More files than the header says are a mistake, too."""
    n_shards = last(read_message(read_table(index)[b""]), 1, 0)
    return read_shards(index, shards[:n_shards])


@question(read_shards, 1, (number_not_checked, only_too_few_refused))
def shards_refuse(ask, rng):
    """Too few files, or too many, or a tensor in none of them, are a ValueError"""
    index, shards = random_shards(rng, 4, 2)
    ask.accepts(read_shards, *random_shards(rng, 3, 1))
    ask.refuses(read_shards, index, shards[:1])
    ask.refuses(read_shards, index, [*shards, rng.bytes(20)])
    # A tensor in a file that there is not, of which the header knows
    index, shards = random_shards(rng, 4, 3, said=2)
    ask.refuses(read_shards, index, shards[:2])


def whole_way(index, shards):
    return parameter_tree(read_shards(index, shards))


@together(3)
def whole_checkpoint_in_shards(ask, rng):
    """A whole checkpoint in three files, from its bytes to the tree of parameters"""
    tensors = random_checkpoint(rng).items()
    tensors = {name: stored(x, i % 3) for i, (name, x) in enumerate(tensors)}
    ask(whole_way, *bundle(tensors, n_per_block=12))


A6_SHARDS = A6.variant(
    "shards",
    "reading the TensorFlow checkpoint, in shards",
    {read_entry: read_shard_entry, read_bundle: read_shards},
    (*(shard_entry_values, shards_values, shards_refuse, whole_checkpoint_in_shards),),
)
