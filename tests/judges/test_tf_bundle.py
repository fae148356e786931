"""TensorFlow writes bundles of every kind, and picogpt reads the same bits."""

import itertools
import shutil

import handmade_bundle as made
import numpy as np
import pytest
import tensorflow as tf
from tf_writer import write_bundle

from picogpt.weights.sstable import block_entries, read_block, read_footer
from picogpt.weights.tf_bundle import read_index, read_tensors


def read_all(prefix) -> dict[str, np.ndarray]:
    return read_tensors(prefix, read_index(prefix), verify=True)


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_every_number_of_16_bits(tmp_path, dtype):
    x = tf.bitcast(tf.range(2**16, dtype=tf.int32), tf.uint16)[:, 0]
    x = tf.bitcast(x, dtype)
    write_bundle(tmp_path / "all", {"x": x})
    ours, expected = read_all(tmp_path / "all")["x"], tf.cast(x, tf.float32).numpy()
    is_nan = np.isnan(expected)
    assert is_nan.sum() == {"float16": 2 * (2**10 - 1), "bfloat16": 2 * (2**7 - 1)}[dtype]
    assert np.isnan(ours[is_nan]).all()
    assert ours[~is_nan].tobytes() == expected[~is_nan].tobytes()


@pytest.mark.parametrize("seed", range(20))
def test_random_bundles(tmp_path, seed):
    """Names, ranks, sizes (zero among them), types and numbers of shards are drawn."""
    rng = np.random.default_rng(seed)
    tensors = {}
    for i in range(rng.integers(1, 60)):
        shape = rng.integers(0, 7, size=rng.integers(0, 5))
        x = tf.constant(rng.standard_normal(shape), tf.float32)
        name = "/".join(rng.choice(["model", "h1", "h10", "w", "größe", "b"], size=4))
        tensors[f"{name}{i}"] = tf.cast(x, rng.choice(["float32", "float16", "bfloat16"]))
    prefix = tmp_path / "random"
    write_bundle(prefix, tensors, n_shards=int(rng.integers(1, min(5, len(tensors) + 1))))
    ours = read_all(prefix)
    assert list(ours) == sorted(tensors, key=str.encode)
    for name, x in tensors.items():
        assert ours[name].shape == x.shape
        assert ours[name].tobytes() == tf.cast(x, tf.float32).numpy().tobytes()


@pytest.mark.parametrize("seed", range(10))
def test_random_parts(tmp_path, seed):
    """Tensors cut into parts along every axis; lengths of one byte, two and three in the keys."""
    rng = np.random.default_rng(seed)
    expected, names, places, parts = {}, [], [], []
    for i in range(4):
        shape = [int(n) for n in rng.choice([1, 3, 70, 130, 9000], size=rng.integers(1, 4))]
        shape = shape if np.prod(shape) < 10**6 else shape[:1]
        x = rng.standard_normal(shape).astype(rng.choice(["float32", "float16"]))
        expected[f"größe/{i}"] = x.astype(np.float32)
        cuts = [
            sorted({0, n, *rng.integers(1, n, min(2, n - 1)).tolist()} if n > 1 else {0, n})
            for n in shape
        ]
        for box in itertools.product(*map(itertools.pairwise, cuts)):
            names.append(f"größe/{i}")
            extents = ":".join(
                f"{a},{b - a}" if (a, b) != (0, n) else "-" for (a, b), n in zip(box, shape)
            )
            places.append(f"{' '.join(map(str, shape))} {extents}")
            parts.append(tf.constant(x[tuple(slice(a, b) for a, b in box)]))
    tf.raw_ops.SaveV2(
        prefix=str(tmp_path / "parts"),
        tensor_names=names,
        shape_and_slices=places,
        tensors=parts,
    )
    ours = read_all(tmp_path / "parts")
    assert ours.keys() == expected.keys()
    for name, x in expected.items():
        assert ours[name].tobytes() == x.tobytes()


def test_partitioned_variables(tmp_path):
    """As a graph of TensorFlow 1 cuts them, and its Saver writes them."""
    v1, rng = tf.compat.v1, np.random.default_rng(0)
    expected = {
        "model/wte": rng.standard_normal((700, 5), np.float32),
        "model/h0/mlp/c_fc/w": rng.standard_normal((1, 6, 300), np.float32),
        "model/ln_f/b": rng.standard_normal(5, np.float32),
    }
    cut = {"model/wte": v1.fixed_size_partitioner(7)}
    cut["model/h0/mlp/c_fc/w"] = v1.variable_axis_size_partitioner(2000, axis=2)
    with tf.Graph().as_default(), v1.Session() as session:
        for name, x in expected.items():
            variable = v1.get_variable(name, x.shape, partitioner=cut.get(name))
            start = 0
            for part in variable if name in cut else [variable]:
                axis = int(np.argmax(x.shape))
                n = part.shape[axis]
                part.load(np.take(x, range(start, start + n), axis), session)
                start += n
        prefix = v1.train.Saver().save(session, str(tmp_path / "model.ckpt"))
    entries = read_index(prefix)
    assert {name: len(entry.parts) for name, entry in entries.items()} == {
        "model/wte": 7, "model/h0/mlp/c_fc/w": 4, "model/ln_f/b": 0
    }  # fmt: skip
    for name, x in read_tensors(prefix, entries, verify=True).items():
        assert x.tobytes() == expected[name].tobytes()


def test_index_of_several_blocks(tmp_path):
    """TensorFlow begins a new block after 256 KiB."""
    rng = np.random.default_rng(0)
    tensors = {rng.bytes(250).hex(): rng.standard_normal(3, dtype=np.float32) for _ in range(2000)}
    prefix = tmp_path / "large"
    write_bundle(prefix, tensors, n_shards=2)
    file = prefix.with_suffix(".index").read_bytes()
    _, index = read_footer(file)
    assert len(block_entries(read_block(file, index))) > 3
    ours = read_all(prefix)
    assert ours.keys() == tensors.keys()
    for name, x in tensors.items():
        assert ours[name].tobytes() == x.tobytes()


def test_checkpoint_of_objects(tmp_path):
    """What tf.train.Checkpoint writes: a graph of objects, as a string, beside the tensors."""
    x = np.arange(6, dtype=np.float32).reshape(2, 3)
    prefix = tf.train.Checkpoint(w=tf.Variable(x)).save(str(tmp_path / "objects"))
    entries = read_index(prefix)
    assert entries["_CHECKPOINTABLE_OBJECT_GRAPH"].dtype == "string"
    name = "w/.ATTRIBUTES/VARIABLE_VALUE"
    tensors = read_tensors(prefix, {name: entries[name]}, verify=True)
    assert tensors[name].tobytes() == x.tobytes()


def test_tensorflow_reads_the_bundles_that_tests_write_by_hand(tmp_path):
    rng = np.random.default_rng(0)
    tensors = {f"model/h{i}/w": rng.standard_normal((i, 3)).astype("f") for i in range(40)}
    made.write_bundle(tmp_path / "made", tensors)
    reader = tf.train.load_checkpoint(str(tmp_path / "made"))
    assert reader.get_variable_to_shape_map().keys() == tensors.keys()
    for name, x in tensors.items():
        assert reader.get_tensor(name).tobytes() == x.tobytes()


def test_tensorflow_refuses_the_same_damage(tmp_path):
    """A flipped bit of the data fails TensorFlow's checksum, too: both compare the same one."""
    write_bundle(tmp_path / "good", {"x": np.arange(1000, dtype=np.float32)})
    for suffix in ("index", "data-00000-of-00001"):
        shutil.copy(tmp_path / f"good.{suffix}", tmp_path / f"bad.{suffix}")
    shard = tmp_path / "bad.data-00000-of-00001"
    data = bytearray(shard.read_bytes())
    data[1234] ^= 4
    shard.write_bytes(data)
    with pytest.raises(Exception, match="[Cc]hecksum"):
        tf.train.load_checkpoint(str(tmp_path / "bad")).get_tensor("x")
    with pytest.raises(ValueError, match="tensor 'x': has CRC-32C"):
        read_all(tmp_path / "bad")
