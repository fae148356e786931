"""TensorFlow writes the checkpoints that picogpt reads. Needs tensorflow."""

import json
import shutil
from dataclasses import asdict
from pathlib import Path

import tensorflow as tf

from picogpt.config import Config


def openai_tensors(params: dict) -> dict:
    """The tensors of a tree of parameters under OpenAI's names and in OpenAI's shapes."""
    tensors = {"model/wte": params["wte"], "model/wpe": params["wpe"]}
    for i, block in enumerate(params["h"]):
        for norm in ("ln_1", "ln_2"):
            for name, x in block[norm].items():
                tensors[f"model/h{i}/{norm}/{name}"] = x
        for part, layer in (
            ("attn", "c_attn"),
            ("attn", "c_proj"),
            ("mlp", "c_fc"),
            ("mlp", "c_proj"),
        ):
            tensors[f"model/h{i}/{part}/{layer}/w"] = block[part][layer]["w"][None]
            tensors[f"model/h{i}/{part}/{layer}/b"] = block[part][layer]["b"]
    return tensors | {"model/ln_f/g": params["ln_f"]["g"], "model/ln_f/b": params["ln_f"]["b"]}


def write_bundle(prefix: Path, tensors: dict, dtype: str | None = None, n_shards: int = 1) -> None:
    """Write prefix.index and prefix.data-*; sorted by name, tensor i goes to shard i % n_shards.

    dtype: "float32", "float16" or "bfloat16" to convert the tensors to; None leaves them.
    """
    parts = [f"{prefix}.part{shard}" for shard in range(n_shards)]
    for shard, part in enumerate(parts):
        names = sorted(tensors)[shard::n_shards]
        values = [tf.convert_to_tensor(tensors[name]) for name in names]
        if dtype is not None:
            values = [tf.cast(value, dtype) for value in values]
        tf.raw_ops.SaveV2(
            prefix=part, tensor_names=names, shape_and_slices=[""] * len(names), tensors=values
        )
    tf.raw_ops.MergeV2Checkpoints(
        checkpoint_prefixes=parts, destination_prefix=str(prefix), delete_old_dirs=False
    )


def write_model_folder(
    folder: Path,
    config: Config,
    params: dict,
    vocabulary: Path | None = None,
    dtype: str = "float32",
    n_shards: int = 1,
) -> Path:
    """Write a folder laid out as OpenAI's and return it.

    vocabulary: a folder whose encoder.json and vocab.bpe are copied; None leaves them out.
    """
    folder = Path(folder).absolute()  # or TensorFlow writes "../../model.ckpt" into `checkpoint`
    folder.mkdir(parents=True, exist_ok=True)
    write_bundle(folder / "model.ckpt", openai_tensors(params), dtype, n_shards)
    tf.compat.v1.train.update_checkpoint_state(str(folder), "model.ckpt")
    (folder / "hparams.json").write_text(json.dumps(asdict(config), indent=2), encoding="utf-8")
    for name in ("encoder.json", "vocab.bpe") if vocabulary else ():
        shutil.copy(Path(vocabulary) / name, folder / name)
    return folder
