"""The references of assignment 6 read what TensorFlow wrote, and refuse what is damaged."""

from pathlib import Path

import numpy as np
import pytest

from picogpt.config import flatten
from picogpt.course.a6_checkpoint.a6_3_table import restarts_as_entries
from picogpt.course.a6_checkpoint.a6_assignment import A6
from picogpt.course.a6_checkpoint.a6_half import read_widened, read_widened_bundle
from picogpt.course.a6_checkpoint.a6_reference import (
    parameter_tree,
    read_bundle,
    read_entry,
    read_tensor,
)
from picogpt.course.a6_checkpoint.a6_shards import read_shard_entry, read_shards
from picogpt.course.a6_checkpoint.a6_writer import bundle, field, random_tensor, stored
from picogpt.course.grader.local import Live
from picogpt.course.grader.marking import mark
from picogpt.weights.sstable import read_table

# Written by TensorFlow, see tests/reference/make_tf_bundle.py.
WRITTEN = Path(__file__).parents[1] / "reference" / "tf_bundle"


def index_and_shards(prefix: Path) -> tuple[bytes, list[bytes]]:
    shards = sorted(prefix.parent.glob(f"{prefix.name}.data-*"))
    return Path(f"{prefix}.index").read_bytes(), [path.read_bytes() for path in shards]


def assert_tree(tensors: dict, expected) -> None:
    found = flatten(parameter_tree(tensors))
    assert found.keys() == {*expected}
    for path, x in found.items():
        assert x.dtype == np.float32
        assert np.array_equal(x, expected[path])


def test_float32():
    index, (data,) = index_and_shards(WRITTEN / "float32" / "model.ckpt")
    with np.load(WRITTEN / "float32" / "expected.npz") as expected:
        assert_tree(read_bundle(index, data), expected)
        assert_tree(read_widened_bundle(index, data), expected)
        assert_tree(read_shards(index, [data]), expected)


@pytest.mark.parametrize(("dtype", "n_shards"), [("float16", 2), ("bfloat16", 3)])
def test_half_precision_in_shards(dtype, n_shards):
    index, shards = index_and_shards(WRITTEN / dtype / "model.ckpt")
    assert len(shards) == n_shards
    entries = {k.decode(): read_shard_entry(value) for k, value in read_table(index).items() if k}
    tensors = {name: read_widened(x, shards[x["shard_id"]]) for name, x in entries.items()}
    with np.load(WRITTEN / dtype / "expected.npz") as expected:
        assert_tree(tensors, expected)


def test_tensors_of_all_kinds():
    """No dimensions, no numbers, infinities; and types that are none of ours."""
    index, (data,) = index_and_shards(WRITTEN / "mixed")
    entries = {k.decode(): read_entry(value) for k, value in read_table(index).items() if k}
    with np.load(WRITTEN / "mixed.npz") as expected:
        for name, entry in entries.items():
            if name not in expected:
                with pytest.raises(ValueError, match="the dtype is"):
                    read_widened(entry, data)
                continue
            np.testing.assert_array_equal(read_widened(entry, data), expected[name], strict=True)
            if entry["dtype"] == 1:
                np.testing.assert_array_equal(read_tensor(entry, data), expected[name], strict=True)


def test_damage_is_a_value_error_or_changes_nothing():
    """Only the zeros that fill the footer, and the handle of the empty block, are not covered."""
    rng = np.random.default_rng(0)
    tensors = {f"model/h{i}/w": stored(random_tensor(rng, 2), i % 2) for i in range(3)}
    index, shards = bundle(tensors, n_per_block=2)
    right = read_shards(index, shards)
    unnoticed = 0
    for place in range(len(index)):
        damaged = index[:place] + bytes([index[place] ^ 1]) + index[place + 1 :]
        try:
            found = read_shards(damaged, shards)
        except ValueError:
            continue
        unnoticed += 1
        assert found.keys() == right.keys()
        assert all(np.array_equal(found[name], right[name]) for name in right)
    assert unnoticed < 40
    for place in range(len(shards[1])):
        damaged = shards[1][:place] + bytes([shards[1][place] ^ 1]) + shards[1][place + 1 :]
        with pytest.raises(ValueError, match="CRC"):
            read_shards(index, [shards[0], damaged])


def test_data_that_are_cut_off():
    index, (data,) = bundle({"x": stored(np.ones((2, 3)))}, n_per_block=1)
    with pytest.raises(ValueError, match="ends at byte 24, but there are 23"):
        read_bundle(index, data[:-1])


def test_of_a_field_that_counts_once_the_last_value_holds():
    assert read_entry(field(4, 5) + field(4, 300))["offset"] == 300


def test_an_error_of_the_library_is_no_import_of_it():
    """A given read_varint raises picogpt's CheckpointError, which is nothing to be told of."""
    student = Live({"block_entries": restarts_as_entries}, A6.given).student
    problem = mark(A6, student, 0, ["block_entries"])[0].problem
    assert "picogpt.weights.errors.CheckpointError" in problem.summary
    assert "picogpt" not in problem.hint
