"""Assignment 6: TensorFlow writes what the references read, and reads what the questions write."""

from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
from support import random_params
from tensorflow.core.framework import tensor_shape_pb2
from tensorflow.core.protobuf import tensor_bundle_pb2
from tf_writer import openai_tensors, write_bundle

from picogpt.config import Config, flatten
from picogpt.course.a6_checkpoint.a6_half import NAMES, in_bits, read_widened_bundle
from picogpt.course.a6_checkpoint.a6_reference import parameter_tree, read_bundle, read_message
from picogpt.course.a6_checkpoint.a6_shards import read_shard_entry, read_shards
from picogpt.course.a6_checkpoint.a6_writer import Stored, bundle, random_names, random_tensor

CONFIG = Config(n_vocab=7, n_ctx=5, n_embd=4, n_head=2, n_layer=12)


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(0)


def files(prefix: Path) -> tuple[bytes, list[bytes]]:
    shards = sorted(prefix.parent.glob(f"{prefix.name}.data-*"))
    return Path(f"{prefix}.index").read_bytes(), [path.read_bytes() for path in shards]


def assert_same_tree(found: dict, expected: dict) -> None:
    found, expected = flatten(found), flatten(expected)
    assert found.keys() == expected.keys()
    for path, x in expected.items():
        assert found[path].tobytes() == x.tobytes()
        assert found[path].shape == x.shape


def test_one_file(tmp_path):
    params = random_params(CONFIG, seed=0)
    write_bundle(tmp_path / "one", openai_tensors(params))
    index, (data,) = files(tmp_path / "one")
    assert_same_tree(parameter_tree(read_bundle(index, data)), params)


@pytest.mark.parametrize("n_shards", [2, 5])
def test_shards(tmp_path, n_shards):
    params = random_params(CONFIG, seed=n_shards)
    write_bundle(tmp_path / "many", openai_tensors(params), n_shards=n_shards)
    index, shards = files(tmp_path / "many")
    assert len(shards) == n_shards
    assert_same_tree(parameter_tree(read_shards(index, shards)), params)


def test_three_types(tmp_path, rng):
    names = random_names(rng, 30)
    tensors = {
        name: tf.cast(random_tensor(rng, int(rng.integers(4))), rng.choice([*NAMES.values()]))
        for name in names
    }
    assert {x.dtype.name for x in tensors.values()} == {*NAMES.values()}
    assert all(tf.dtypes.as_dtype(name).as_datatype_enum == n for n, name in NAMES.items())
    write_bundle(tmp_path / "mixed", tensors)
    index, (data,) = files(tmp_path / "mixed")
    found = read_widened_bundle(index, data)
    assert found.keys() == {*names}
    for name, x in tensors.items():
        np.testing.assert_array_equal(found[name], tf.cast(x, tf.float32).numpy(), strict=True)


def test_tensorflow_reads_what_the_questions_write(tmp_path, rng):
    tensors, arrays = {}, {}
    for i, name in enumerate(random_names(rng, 40)):
        x, dtype = random_tensor(rng, i % 4), int(rng.choice([*NAMES]))
        tensors[name] = Stored(x.shape, in_bits(x, dtype), dtype, shard=i % 3)
        arrays[name] = x
    index, shards = bundle(tensors, n_per_block=9)
    (tmp_path / "written.index").write_bytes(index)
    for i, shard in enumerate(shards):
        (tmp_path / f"written.data-0000{i}-of-00003").write_bytes(shard)
    reader = tf.train.load_checkpoint(str(tmp_path / "written"))
    assert reader.get_variable_to_shape_map().keys() == tensors.keys()
    for name, (shape, data, dtype, _) in tensors.items():
        x = reader.get_tensor(name)
        assert (x.shape, x.tobytes(), x.dtype.name) == (shape, data, NAMES[dtype])


def test_messages_as_protocol_buffers_write_them(rng):
    for _ in range(50):
        sizes = rng.integers(3, size=rng.integers(4)).tolist()
        numbers = (rng.integers(1 << 32, size=4) * rng.integers(2, size=4)).tolist()
        shard_id, offset, size, crc = (numbers[0] >> 2, *numbers[1:])
        dims = [tensor_shape_pb2.TensorShapeProto.Dim(size=n) for n in sizes]
        entry = tensor_bundle_pb2.BundleEntryProto(
            dtype=1,
            shape=tensor_shape_pb2.TensorShapeProto(dim=dims),
            shard_id=shard_id,
            offset=offset,
            size=size,
            crc32c=crc,
        )
        data = entry.SerializeToString()
        assert read_shard_entry(data) == {
            "dtype": 1,
            "shape": tuple(sizes),
            "shard_id": shard_id,
            "offset": offset,
            "size": size,
            "crc32c": crc,
        }
        fields = {field.number: value for field, value in entry.ListFields()}
        assert read_message(data).keys() == fields.keys()
