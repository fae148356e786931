"""The tensor bundle: TensorFlow's own files are read, damaged ones are refused in one line."""

import doctest
import shutil
from pathlib import Path

import handmade_bundle as made
import numpy as np
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from picogpt.weights import tf_bundle, tf_messages
from picogpt.weights.errors import CheckpointError
from picogpt.weights.sstable import Handle, read_block, read_footer, read_table
from picogpt.weights.tf_bundle import (
    Entry,
    part_key,
    read_entry,
    read_header,
    read_index,
    read_tensors,
)
from picogpt.weights.tf_messages import ENTRY, read_message, read_shape

# Written by TensorFlow, see tests/reference/make_tf_bundle.py.
WRITTEN = Path(__file__).parents[1] / "reference" / "tf_bundle"
READABLE = ["scalar", "empty", "matrix", "special", "special16", "special_b16"]
OTHER = {"double": "float64", "flags": "bool", "global_step": "int64", "text": "string"}
FLOATS = np.arange(6, dtype=np.float32).reshape(2, 3)


@pytest.fixture
def mixed(tmp_path) -> Path:
    """A copy of the bundle "mixed" that a test may damage: its prefix."""
    for name in ("mixed.index", "mixed.data-00000-of-00001"):
        shutil.copy(WRITTEN / name, tmp_path)
    return tmp_path / "mixed"


def read(prefix: Path, names=READABLE, verify: bool = True) -> dict[str, np.ndarray]:
    entries = read_index(prefix)
    return read_tensors(prefix, {name: entries[name] for name in names}, verify)


def write_one(folder: Path, entry: bytes, data: bytes = FLOATS.tobytes()) -> Path:
    """A bundle of one tensor, "x", with this entry and these bytes in its shard."""
    prefix = folder / "one"
    made.write_index(prefix, {"x": entry})
    Path(f"{prefix}.data-00000-of-00001").write_bytes(data)
    return prefix


def assert_refused(prefix: Path, file: str, match: str, verify: bool = False) -> None:
    """One line that begins with the path of the file at fault."""
    with pytest.raises(CheckpointError, match=match) as caught:
        read_tensors(prefix, read_index(prefix), verify)
    message = str(caught.value)
    assert message.startswith(f"{prefix}.{file}: ")
    assert "\n" not in message


def test_values_of_every_kind():
    tensors = read(WRITTEN / "mixed")
    with np.load(WRITTEN / "mixed.npz") as expected:
        assert set(expected) == set(READABLE)
        for name in READABLE:
            assert tensors[name].dtype == np.float32
            assert tensors[name].shape == expected[name].shape
            assert tensors[name].tobytes() == expected[name].tobytes()


def test_float32_is_mapped_not_copied(mixed):
    tensors = read(mixed)
    data = np.frombuffer(Path(f"{mixed}.data-00000-of-00001").read_bytes(), np.uint8)
    base = tensors["matrix"]
    while isinstance(base.base, np.ndarray):
        base = base.base
    assert isinstance(base, np.memmap)
    assert bytes(base) == bytes(data)
    assert type(tensors["matrix"]) is np.ndarray
    assert not tensors["matrix"].flags.writeable
    assert np.shares_memory(tensors["special"], base)
    assert not np.shares_memory(tensors["special16"], base)


def test_entries_in_order_of_their_names():
    entries = read_index(WRITTEN / "mixed")
    assert list(entries) == sorted([*READABLE, *OTHER])
    assert entries["matrix"].shape == (2, 3)
    assert entries["matrix"].size == 24
    assert entries["global_step"].shape == ()


@pytest.mark.parametrize("name", OTHER)
def test_other_types_are_listed_but_not_read(name):
    assert read_index(WRITTEN / "mixed")[name].dtype == OTHER[name]
    with pytest.raises(
        CheckpointError, match=f"tensor '{name}': has dtype {OTHER[name]}, expected"
    ):
        read(WRITTEN / "mixed", [name])


def test_partitioned_tensor():
    entries = read_index(WRITTEN / "sliced")
    assert [*entries] == ["model/wte"]
    assert [part.place[0] for part in entries["model/wte"].parts] == [slice(0, 2), slice(2, 4)]
    x = read_tensors(WRITTEN / "sliced", entries, verify=True)["model/wte"]
    assert np.array_equal(x, np.repeat(np.float32([[0], [1]]), [2, 2], axis=0) + np.zeros(3))


def write_parts(folder: Path, parts: list, shape=(4, 3), **changed) -> Path:
    """A bundle of one tensor, "x", in parts: (extents, shape, offset), of numbers from 0 up.

    An extent is (start, length), or () for all; changed replaces the entry of each part.
    """
    prefix, data = folder / "one", np.arange(15, dtype=np.float32)
    extents = lambda part: [made.message(*enumerate(extent, start=1)) for extent in part[0]]
    slices = [(7, made.message(*[(1, extent) for extent in extents(part)])) for part in parts]
    table = {b"": made.message((1, 1)), b"x": made.message((1, 1), (2, made.shape_message(shape)))}
    table[b"x"] += made.message(*slices)
    for part, size, offset in parts:
        key = part_key(b"x", [extent or (0, None) for extent in part])
        x = data[offset : offset + np.prod(size)].reshape(size)
        table[key] = made.entry(x, offset=4 * offset, **changed)
    Path(f"{prefix}.index").write_bytes(made.table([sorted(table.items())]))
    Path(f"{prefix}.data-00000-of-00001").write_bytes(data.tobytes())
    return prefix


def test_parts_of_every_shape(tmp_path):
    upper, left, right = [(0, 1), ()], [(1, 3), (0, 2)], [(1, 3), (2, 1)]
    parts = [(upper, (1, 3), 0), (left, (3, 2), 3), (right, (3, 1), 9)]
    prefix = write_parts(tmp_path, parts)
    x = read(prefix, ["x"])["x"]
    assert np.array_equal(x, [[0, 1, 2], [3, 4, 9], [5, 6, 10], [7, 8, 11]])


HALF = ([(0, 2), ()], (2, 3), 0)


@pytest.mark.parametrize(
    ("parts", "changed", "file", "match"),
    [
        ([HALF], {}, "index", r"its parts lack 6 numbers of \[4, 3\]"),
        ([HALF, ([(2, 3), ()], (3, 3), 6)], {}, "index", r"its part at \[\(2, 5\), .* not there"),
        ([([(0, 4)], (4,), 0)], {}, "index", "a part has 1 axes, expected 2"),
        ([HALF, ([(2, 2), ()], (1, 3), 6)], {}, "index", r"float32 \[1, 3\], expected .* \[2, 3\]"),
        ([HALF, ([(2, 2), ()], (2, 3), 6)], {"dtype": 19}, "index", "a part is float16 .*float32"),
        ([HALF, ([(2, 2), ()], (2, 3), 3)], {}, "index", "its parts overlap"),
        ([HALF, ([(2, 2), ()], (2, 3), 6)], {"shard": 1}, "index", "in shard 1, expected one of 1"),
        ([HALF, ([(2, 2), ()], (2, 3), 6)], {"size": 20}, "data-00000-of-00001", "has 20 bytes"),
        ([HALF, ([(1, 2), ()], (2, 3), 6)], {}, "data-00000-of-00001", "its parts leave a gap"),
    ],
)
def test_parts_that_make_no_whole(tmp_path, parts, changed, file, match):
    assert_refused(write_parts(tmp_path, parts, **changed), file, f"tensor 'x': .*{match}", True)


def test_a_part_that_is_not_in_the_index(tmp_path):
    prefix = write_parts(tmp_path, [HALF, HALF])
    assert_refused(prefix, "index", "its parts overlap")
    table = [(b"", made.message((1, 1)))]
    slices = made.message((7, made.message((1, made.message((2, 2))), (1, b""))))
    table += [(b"x", made.message((1, 1), (2, made.shape_message([2, 3]))) + slices)]
    Path(f"{prefix}.index").write_bytes(made.table([table]))
    assert_refused(prefix, "index", r"its part at \[\(0, 2\), \(0, 3\)\] is not there")


def test_flipped_bit_in_a_part(tmp_path):
    prefix = write_parts(tmp_path, [HALF, ([(2, 2), ()], (2, 3), 6)])
    shard = Path(f"{prefix}.data-00000-of-00001")
    damaged = bytearray(shard.read_bytes())
    damaged[30] ^= 1
    shard.write_bytes(damaged)
    assert_refused(prefix, shard.name[4:], "tensor 'x': has CRC-32C", verify=True)


def test_empty_bundle(tmp_path):
    made.write_bundle(tmp_path / "empty", {"x": np.zeros((0, 5), np.float32)})
    assert read(tmp_path / "empty", ["x"])["x"].shape == (0, 5)


def test_unknown_fields_are_skipped():
    entry = made.message((9, 300), (10, b"later"), (1, 1), (2, made.shape_message([2, 3])))
    entry += made.fixed32(11, 1) + made.varint(12 << 3 | 1) + b"\xff" * 8 + made.message((5, 24))
    assert read_entry(entry, 1) == Entry("float32", (2, 3), "data-00000-of-00001", 0, 24, 0)


def test_the_last_value_of_a_field_holds():
    assert read_entry(made.message((4, 1), (4, 2)), 1).offset == 2


@pytest.mark.parametrize("wire_type", [3, 4, 6, 7])
def test_unknown_wire_type(wire_type):
    with pytest.raises(CheckpointError, match=f"unknown wire type {wire_type}"):
        read_message(made.varint(20 << 3 | wire_type), ENTRY)


@pytest.mark.parametrize("data", [b"\x0a\x01a", b"\x30\x01", b"\x11" + bytes(8)])
def test_wrong_wire_type(data):
    with pytest.raises(CheckpointError, match=r"field \w+ has wire type \d, expected \d"):
        read_message(data, ENTRY)


@pytest.mark.parametrize("data", [b"\x12\x02a", b"\x35\0\0\0", b"\x12\xff\xff\xff\xff\x7f"])
def test_field_that_does_not_fit(data):
    with pytest.raises(CheckpointError, match="does not fit into its message"):
        read_message(data, ENTRY)


@pytest.mark.parametrize("size", [2**63, 2**64 - 1])
def test_negative_dimension(size):
    with pytest.raises(CheckpointError, match="unknown or negative"):
        read_shape(made.shape_message([size]))


def test_unknown_rank():
    with pytest.raises(CheckpointError, match="unknown or negative"):
        read_shape(made.message((3, 1)))


@pytest.mark.parametrize(
    "header, match",
    [
        (made.message((1, 1), (2, 1)), "big-endian"),
        (made.message((1, 1), (3, made.message((1, 2), (2, 2)))), "for readers of version 2"),
        (made.message((1, 0)), "shard 0, expected one of 0"),
    ],
)
def test_header_of_another_kind(tmp_path, header, match):
    made.write_index(tmp_path / "one", {"x": made.entry(FLOATS)}, header)
    assert_refused(tmp_path / "one", "index", match)


def test_header_may_name_older_readers():
    assert read_header(made.message((1, 7), (3, made.message((1, 1), (2, 1))))) == 7


def test_no_header(tmp_path):
    Path(tmp_path / "one.index").write_bytes(made.table([[(b"x", made.entry(FLOATS))]]))
    assert_refused(tmp_path / "one", "index", "no header")


def test_snappy(tmp_path):
    entries = [(b"", made.message((1, 1))), (b"x", made.entry(FLOATS))]
    Path(tmp_path / "one.index").write_bytes(made.table([entries], compression=1))
    assert_refused(tmp_path / "one", "index", "snappy")


def test_shard_that_the_header_does_not_count(tmp_path):
    prefix = write_one(tmp_path, made.entry(FLOATS, shard=1))
    assert_refused(prefix, "index", "tensor 'x': in shard 1, expected one of 1")


def test_name_that_is_not_utf8(tmp_path):
    entries = [(b"", made.message((1, 1))), (b"\xff", made.entry(FLOATS))]
    Path(tmp_path / "one.index").write_bytes(made.table([entries]))
    assert list(read_index(tmp_path / "one")) == [r"\xff"]


@pytest.mark.parametrize(
    "shape, size",
    [
        ((2, 3), 23),
        ((2, 3), 2**63),
        ((2, 4), 24),
        ((2**62, 2**62, 2**62), 24),
        ((), 24),
    ],
)
def test_size_is_not_that_of_the_shape(tmp_path, shape, size):
    prefix = write_one(tmp_path, made.entry(FLOATS, shape=shape, size=size))
    assert_refused(prefix, "data-00000-of-00001", f"tensor 'x': has {size} bytes, expected")


@pytest.mark.parametrize("offset", [1, 24, 2**63, 2**64 - 24])
def test_offset_outside_the_shard(tmp_path, offset):
    prefix = write_one(tmp_path, made.entry(FLOATS, offset=offset))
    assert_refused(prefix, "data-00000-of-00001", f"tensor 'x': lies at bytes {offset} to ")


def test_huge_tensor_outside_the_shard(tmp_path):
    prefix = write_one(tmp_path, made.entry(FLOATS, shape=(2**40,), size=2**42))
    assert_refused(prefix, "data-00000-of-00001", "but the file has 24 bytes")


@pytest.mark.parametrize("shape", [(1,) * 65, (0, 2**62, 2**62), (0, 2**63 - 1)])
def test_shape_that_numpy_cannot_hold(tmp_path, shape):
    size = 4 * (0 not in shape)
    prefix = write_one(tmp_path, made.entry(FLOATS, shape=shape, size=size))
    assert_refused(prefix, "data-00000-of-00001", "tensor 'x': ")


def test_missing_index(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"none\.index"):
        read_index(tmp_path / "none")


def test_missing_shard(mixed):
    Path(f"{mixed}.data-00000-of-00001").unlink()
    with pytest.raises(FileNotFoundError, match="mixed.data-00000-of-00001"):
        read(mixed)


def test_shard_cut_short(mixed):
    shard = Path(f"{mixed}.data-00000-of-00001")
    for length in range(135):  # where the last readable tensor ends
        shard.write_bytes((WRITTEN / shard.name).read_bytes()[:length])
        with pytest.raises(CheckpointError, match=f"but the file has {length} bytes"):
            read(mixed, verify=False)


def test_flipped_bit_in_the_data(mixed):
    """Nothing notices without verify; with it the tensor is named."""
    shard = Path(f"{mixed}.data-00000-of-00001")
    whole = shard.read_bytes()
    for name in READABLE:
        entry = read_index(mixed)[name]
        for at in range(entry.offset, entry.offset + entry.size):
            damaged = bytearray(whole)
            damaged[at] ^= 1 << at % 8
            shard.write_bytes(damaged)
            read(mixed, verify=False)
            match = f"{shard}: tensor '{name}': has CRC-32C 0x[0-9a-f]{{8}}, expected 0x"
            with pytest.raises(CheckpointError, match=match):
                read(mixed)


def test_truncated_index(mixed):
    index = Path(f"{mixed}.index")
    whole = index.read_bytes()
    for length in range(len(whole)):
        index.write_bytes(whole[:length])
        assert_refused(mixed, "index", "expected|fewer|fit")


def test_flipped_bit_in_the_index(mixed):
    """Refused at every byte but those of the padding in the footer."""
    index = Path(f"{mixed}.index")
    whole, entries = index.read_bytes(), read_index(mixed)
    for at in range(len(whole)):
        damaged = bytearray(whole)
        damaged[at] ^= 1 << at % 8
        index.write_bytes(damaged)
        try:
            assert read_index(mixed) == entries
            assert at >= len(whole) - 48
        except CheckpointError as error:
            assert str(error).startswith(f"{index}: ")


@given(st.binary(max_size=100))
def test_any_bytes_as_a_message(data):
    for function in (read_header, read_shape, lambda message: read_entry(message, 1)):
        try:
            function(data)
        except CheckpointError:
            pass


# A mutation replaces `length` bytes at `at` with others.
MUTATION = st.tuples(st.integers(0, 270), st.integers(0, 6), st.binary(max_size=6))


@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.sampled_from(["mixed", "sliced"]), st.lists(MUTATION, min_size=1, max_size=4))
@example("mixed", [(0, 0, b"")])
@example("sliced", [(0, 0, b"")])
def test_mutated_index_with_right_checksums(tmp_path, bundle, mutations):
    """So that what lies behind the checksums meets nonsense, too: only CheckpointError results."""
    whole, prefix = (WRITTEN / f"{bundle}.index").read_bytes(), tmp_path / bundle
    shutil.copy(WRITTEN / f"{bundle}.data-00000-of-00001", tmp_path)
    contents = bytearray(read_block(whole, Handle(0, read_footer(whole)[0].offset - 5)))
    for at, length, new in mutations:
        contents[at : at + length] = new
    Path(f"{prefix}.index").write_bytes(made.table_of_contents([bytes(contents)], [b"z"]))
    try:
        entries = read_index(prefix)
    except CheckpointError:
        return
    for name in entries:
        try:
            read(prefix, [name])
        except CheckpointError:
            pass
        except FileNotFoundError as error:  # the number of shards is another one
            assert f"{bundle}.data-0" in str(error)


@given(st.binary(max_size=300))
def test_any_bytes_as_an_index(data):
    with pytest.raises(CheckpointError):
        read_table(data + made.MAGIC)


def test_examples_in_docstrings():
    for module in (tf_bundle, tf_messages):
        assert doctest.testmod(module).failed == 0
