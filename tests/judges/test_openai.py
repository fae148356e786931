"""TensorFlow writes whole model folders as OpenAI did, and picogpt reads the same bits."""

import shutil

import numpy as np
import pytest
import tensorflow as tf
from support import random_params
from tf_writer import openai_tensors, write_model_folder

from picogpt.config import SIZES, Config, flatten
from picogpt.weights.openai import read_openai
from picogpt.weights.tf_bundle import read_index

SMALL = [
    Config(n_vocab=100, n_ctx=32, n_embd=48, n_head=4, n_layer=3),
    Config(n_vocab=257, n_ctx=16, n_embd=20, n_head=1, n_layer=1),
    Config(n_vocab=30, n_ctx=64, n_embd=12, n_head=12, n_layer=13),
]


def is_mapped(x: np.ndarray) -> bool:
    """Whether an array is a view of a file mapped into memory."""
    while isinstance(x.base, np.ndarray):
        x = x.base
    return isinstance(x, np.memmap)


def assert_same_bits(ours: dict, expected: dict) -> None:
    ours, expected = flatten(ours), flatten(expected)
    assert ours.keys() == expected.keys()
    for path, x in ours.items():
        assert x.dtype == np.float32
        assert x.shape == expected[path].shape
        assert np.array_equal(x.view(np.uint32), expected[path].view(np.uint32)), path


@pytest.mark.parametrize("config", SMALL)
@pytest.mark.parametrize("dtype", ["float32", "float16", "bfloat16"])
@pytest.mark.parametrize("n_shards", [1, 4])
def test_small_models(tmp_path, config, dtype, n_shards):
    params = random_params(config, seed=n_shards)
    write_model_folder(tmp_path, config, params, dtype=dtype, n_shards=n_shards)
    assert len(list(tmp_path.glob("model.ckpt.data-*"))) == n_shards
    read_config, read_params = read_openai(tmp_path, verify=True)
    assert read_config == config
    if dtype == "float32":
        expected = params
    else:
        expected = {
            path: tf.cast(tf.cast(x, dtype), tf.float32).numpy()
            for path, x in flatten(params).items()
        }
    assert_same_bits(read_params, expected)
    for x in flatten(read_params).values():
        assert is_mapped(x) == (dtype == "float32")


@pytest.fixture(scope="module")
def full_size(tmp_path_factory):
    """A folder of 124M's size, 498 MB, and its parameters."""
    folder = tmp_path_factory.mktemp("full_size")
    params = random_params(SIZES["124M"], seed=0)
    yield write_model_folder(folder, SIZES["124M"], params), params
    shutil.rmtree(folder)


def test_full_size(full_size):
    folder, params = full_size
    config, read_params = read_openai(folder, verify=True)
    assert config == SIZES["124M"]
    assert_same_bits(read_params, params)
    assert all(is_mapped(x) for x in flatten(read_params).values())


def test_full_size_is_laid_out_as_the_release(full_size, openai_files):
    """So that what is proven with random weights holds for OpenAI's."""
    folder, _ = full_size
    ours, released = (read_index(path / "model.ckpt") for path in (folder, openai_files))
    assert list(ours) == list(released)
    for name, entry in ours.items():
        theirs = released[name]
        assert (entry.dtype, entry.shape, entry.shard) == (theirs.dtype, theirs.shape, theirs.shard)
        assert (entry.offset, entry.size) == (theirs.offset, theirs.size)
    name = "checkpoint"
    assert (folder / name).read_text() == (openai_files / name).read_text()


def test_a_checkpoint_of_a_training(tmp_path):
    """What TensorFlow's Saver writes after a step of Adam: slots, powers, the step and its path."""
    config, params = SMALL[0], random_params(SMALL[0], seed=9)
    folder = write_model_folder(tmp_path / "model", config, params)
    with tf.Graph().as_default(), tf.compat.v1.Session() as session:
        variables = [
            tf.compat.v1.get_variable(name, initializer=tf.constant(x), use_resource=False)
            for name, x in openai_tensors(params).items()
        ]
        step = tf.compat.v1.train.get_or_create_global_step()
        loss = tf.add_n([tf.reduce_sum(x * x) for x in variables])
        train = tf.compat.v1.train.AdamOptimizer().minimize(loss, global_step=step)
        session.run(tf.compat.v1.global_variables_initializer())
        session.run(train)
        trained = dict(zip(openai_tensors(params), session.run(variables), strict=True))
        tf.compat.v1.train.Saver().save(session, str(folder / "model-1"))
    with pytest.warns(UserWarning, match="tensors of the training are left out"):
        read_config, read_params = read_openai(folder, verify=True)
    assert read_config == config
    found = openai_tensors(read_params)
    assert all(np.array_equal(found[name], x) for name, x in trained.items())
    assert not np.array_equal(trained["model/wte"], params["wte"])
