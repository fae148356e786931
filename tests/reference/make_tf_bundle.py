"""Make tf_bundle/: checkpoints that TensorFlow wrote, and the values it says are in them.

Run from the repository's root, in the reference environment:

    PYTHONPATH=.:tests python tests/reference/make_tf_bundle.py

float32/, float16/ and bfloat16/ are model folders laid out as OpenAI's, without vocabulary, of
one, two and three shards; expected.npz in each holds path -> float32 array. The bundle "mixed"
has tensors of many kinds, mixed.npz those that can be read; the bundle "sliced" is partitioned.
"""

from pathlib import Path

import numpy as np
import tensorflow as tf
from support import random_params
from tf_writer import write_bundle, write_model_folder

from picogpt.config import Config, flatten

FOLDER = Path(__file__).parent / "tf_bundle"

# Eleven blocks, so that h10 sorts between h1 and h2.
MODELS = {
    "float32": (Config(n_vocab=40, n_ctx=12, n_embd=8, n_head=2, n_layer=11), 1),
    "float16": (Config(n_vocab=40, n_ctx=12, n_embd=8, n_head=2, n_layer=1), 2),
    "bfloat16": (Config(n_vocab=40, n_ctx=12, n_embd=8, n_head=2, n_layer=2), 3),
}


def make_model(dtype: str, config: Config, n_shards: int) -> None:
    folder = FOLDER / dtype
    params = random_params(config, seed=n_shards)
    write_model_folder(folder, config, params, dtype=dtype, n_shards=n_shards)
    expected = {
        path: tf.cast(tf.cast(x, dtype), tf.float32).numpy() for path, x in flatten(params).items()
    }
    np.savez(folder / "expected.npz", **expected)


def make_mixed() -> None:
    special = [0.0, -0.0, 1.0, -2.5, np.inf, -np.inf, np.nan, 1e-7, 65504.0, 3.14159]
    readable = {
        "scalar": tf.constant(2.5),
        "empty": tf.zeros([0, 3]),
        "matrix": tf.reshape(tf.range(6, dtype=tf.float32), [2, 3]),
        "special": tf.constant(special),
        "special16": tf.constant(special, tf.float16),
        "special_b16": tf.cast(tf.constant(special), tf.bfloat16),
    }
    other = {
        "double": tf.constant([1.0, 2.0], tf.float64),
        "flags": tf.constant([True, False, True]),
        "global_step": tf.constant(1000, tf.int64),
        "text": tf.constant(["once", "upon"]),
    }
    write_bundle(FOLDER / "mixed", readable | other)
    expected = {name: tf.cast(x, tf.float32).numpy() for name, x in readable.items()}
    np.savez(FOLDER / "mixed.npz", **expected)


def make_sliced() -> None:
    tf.raw_ops.SaveV2(
        prefix=str(FOLDER / "sliced"),
        tensor_names=["model/wte", "model/wte"],
        shape_and_slices=["4 3 0,2:0,3", "4 3 2,2:0,3"],
        tensors=[tf.zeros([2, 3]), tf.ones([2, 3])],
    )


if __name__ == "__main__":
    for dtype, (config, n_shards) in MODELS.items():
        make_model(dtype, config, n_shards)
    make_mixed()
    make_sliced()
