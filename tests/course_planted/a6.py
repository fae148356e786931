"""Assignment 6, from messages on: see __init__.py."""

import math

import numpy as np

from picogpt.course.a6_checkpoint.a6_half import read_widened_bundle
from picogpt.course.a6_checkpoint.a6_reference import (
    crc32c,
    parameter_tree,
    read_bundle,
    read_entry,
    read_message,
    read_tensor,
)
from picogpt.course.a6_checkpoint.a6_shards import read_shard_entry, read_shards
from picogpt.weights.crc32c import mask
from picogpt.weights.sstable import (
    read_table,
)

from . import right, wrong


@wrong("a6", read_message)
def signed_32_bits(data):
    signed = {
        k: [x - (1 << 32) if isinstance(x, int) and 1 << 31 <= x < 1 << 32 else x for x in v]
        for k, v in read_message(data).items()
    }
    return signed


@wrong("a6", read_message)
def zeros_left_out(data):
    return {k: [x for x in v if x != 0] for k, v in read_message(data).items()}


@wrong("a6", read_message)
def groups_skipped(data):
    if data[-5:-4] and data[-5] & 7 in (3, 4):
        data = data[:-5]
    return read_message(data)


@wrong("a6", read_message)
def empty_message_refused(data):
    return read_message(data) if data else [][0]


@wrong("a6", read_entry)
def always_float32(data):
    return read_entry(data) | {"dtype": 1}


@wrong("a6", read_entry)
def dtype_must_be_there(data):
    read_message(data)[1]
    return read_entry(data)


@wrong("a6", read_entry)
def checksum_must_be_there(data):
    read_message(data)[6]
    return read_entry(data)


@wrong("a6", read_entry)
def three_dimensions_at_most(data):
    entry = read_entry(data)
    return entry | {"shape": entry["shape"][:3]}


@wrong("a6", read_entry)
def offset_of_32_bits(data):
    entry = read_entry(data)
    return entry | {"offset": entry["offset"] & 0xFFFFFFFF}


def tensor(entry, data, is_right):
    n = math.prod(entry["shape"])
    stored = memoryview(data)[entry["offset"] : entry["offset"] + entry["size"]]
    if entry["dtype"] != 1 or not is_right(stored, 4 * n):
        raise ValueError
    if mask(crc32c(stored)) != entry["crc32c"]:
        raise ValueError
    return np.frombuffer(data, "<f4", n, entry["offset"]).reshape(entry["shape"])


@wrong("a6", read_tensor)
def smaller_than_its_shape(entry, data):
    return tensor(entry, data, lambda stored, n: len(stored) <= n)


@wrong("a6", read_tensor)
def larger_than_its_shape(entry, data):
    return tensor(entry, data, lambda stored, n: len(stored) >= n)


@wrong("a6", read_tensor)
def only_int32_refused(entry, data):
    if entry["dtype"] == 3:
        raise ValueError
    return read_tensor(entry | {"dtype": 1}, data)


@wrong("a6", read_tensor)
def no_empty_tensor(entry, data):
    if not entry["size"]:
        raise ValueError
    return read_tensor(entry, data)


@wrong("a6", read_tensor)
def one_dimension_for_a_single_number(entry, data):
    return np.atleast_1d(read_tensor(entry, data))


@wrong("a6", read_tensor)
def axes_of_size_1_dropped(entry, data):
    return read_tensor(entry, data).squeeze()


@wrong("a6", read_tensor)
def assertion_for_damage(entry, data):
    try:
        return read_tensor(entry, data)
    except ValueError:
        raise AssertionError from None


@wrong("a6", read_bundle)
def damaged_tensors_left_out(index, data):
    found = {}
    for key, value in read_table(index).items():
        try:
            if key:
                found[key.decode()] = read_tensor(read_entry(value), data)
        except ValueError:
            pass
    return found


@wrong("a6", read_message)
def texts_decoded(data):
    decode = lambda x: x.decode() if isinstance(x, bytes) and x.isascii() else x  # noqa: E731
    return {number: [*map(decode, x)] for number, x in read_message(data).items()}


@wrong("a6", read_bundle)
def names_in_latin_1(index, data):
    return {k.encode().decode("latin-1"): x for k, x in read_bundle(index, data).items()}


@wrong("a6", read_bundle)
def names_in_ascii(index, data):
    return {k.encode().decode("ascii"): x for k, x in read_bundle(index, data).items()}


@wrong("a6", read_bundle)
def names_of_any_bytes(index, data):
    table = read_table(index).items()
    return {k.decode(errors="replace"): read_tensor(read_entry(x), data) for k, x in table if k}


@wrong("a6", read_bundle)
def first_entry_left_out(index, data):
    _, *table = read_table(index).items()
    return {k.decode(): read_tensor(read_entry(x), data) for k, x in table}


@wrong("a6", read_bundle)
def tensors_copied(index, data):
    return {k: x.copy() for k, x in read_bundle(index, data).items()}


@wrong("a6-half", read_widened_bundle)
def widened_copied(index, data):
    return {k: np.array(x) for k, x in read_widened_bundle(index, data).items()}


@wrong("a6-shards", read_shards)
def tensors_of_shards_copied(index, shards):
    return {k: np.array(x) for k, x in read_shards(index, shards).items()}


@wrong("a6", parameter_tree)
def leaves_copied(tensors):
    return parameter_tree({k: x.copy() for k, x in tensors.items()})


@wrong("a6", parameter_tree)
def names_that_end_in_w(tensors):
    return parameter_tree({k: x[0] if k[-2:] == "aw" else x for k, x in tensors.items()})


@wrong("a6", parameter_tree)
def two_digits_at_most(tensors):
    tree = parameter_tree(tensors)
    return tree | {"h": tree["h"][:100]}


@wrong("a6", parameter_tree)
def first_axis_by_its_size(tensors):
    return parameter_tree(
        {k: x[0] if x.shape[0] == 1 and x.ndim == 2 else x for k, x in tensors.items()}
    )


@wrong("a6-shards", read_shard_entry)
def shard_of_one_byte(data):
    entry = read_shard_entry(data)
    return entry | {"shard_id": entry["shard_id"] & 127}


@wrong("a6-shards", read_shards)
def missing_file_is_an_index_error(index, shards):
    messages = {k: read_shard_entry(v) for k, v in read_table(index).items() if k}
    if len(shards) != read_message(read_table(index)[b""])[1][0]:
        raise ValueError
    return {k.decode(): read_tensor(e, shards[e["shard_id"]]) for k, e in messages.items()}


@wrong("a6-shards", read_shards)
def a_single_file_refused(index, shards):
    if len(shards) < 2:
        raise ValueError
    return read_shards(index, shards)


@right("a6", read_tensor)
def an_empty_one_wherever_it_lies(entry, data):
    return read_tensor(entry if entry["size"] else entry | {"offset": 0}, data)


@right("a6", read_tensor)
def through_a_memoryview(entry, data):
    return tensor(entry, data, lambda stored, n: len(stored) == n == entry["size"])
