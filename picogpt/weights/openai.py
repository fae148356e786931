"""The folder layout in which OpenAI released GPT-2: its sizes, its tensors' names, its parameters.

`hparams.json` holds the five sizes, `checkpoint` the name of the newest checkpoint, and
`model.ckpt.*` the tensors (tf_bundle.py). The names are those of the variable scopes in OpenAI's
src/model.py; the matrices of the blocks have a third dimension there, because they were written as
convolutions of width 1.
"""

import re
import warnings
from dataclasses import fields
from pathlib import Path

from ..config import Config, param_shapes, unflatten
from ..files import parse_json, require
from .compact import compact, groups
from .errors import CheckpointError, about
from .shapes import check_shapes
from .tf_bundle import read_index, read_tensors

FILE_NAME = r"(?!\.+$)[\w. -]{1,50}"

# What a training program saves beside the weights: the optimizer's moments, and its step.
OPTIMIZER = re.compile(r"(.*/)?(Adam(_\d+)?|Momentum|Adafactor|global_step|beta[12]_power(_\d+)?)")


def read_hparams(folder: Path) -> Config:
    """The sizes in hparams.json.

    Raises FileNotFoundError; CheckpointError if the file is not a JSON object of exactly the
    five sizes. An unknown key is refused, as in OpenAI's code: it might change the mathematics.
    """
    path = require(Path(folder) / "hparams.json")
    with about(path):
        hparams = parse_json(path.read_bytes())
        names = [field.name for field in fields(Config)]
        for name in names:
            if name not in hparams:
                raise CheckpointError(f"no key {name!r}, expected {', '.join(names)}")
        for key in hparams:
            if key not in names:
                raise CheckpointError(f"unknown key {key!r:.80}, expected {', '.join(names)}")
        return Config(**hparams)


def find_prefix(folder: Path) -> Path:
    """What the names of the newest checkpoint's files begin with: folder/model.ckpt.

    The text file `checkpoint`, written by TensorFlow, names it; without that file it is
    model.ckpt. If it holds a path on the machine that trained the model, the last part of the path
    is taken, provided that such a checkpoint is in the folder.
    Raises CheckpointError if it does not name a file in the same folder.
    """
    path = Path(folder) / "checkpoint"
    if not path.is_file():
        return Path(folder) / "model.ckpt"
    with about(path):
        text = path.read_text(encoding="utf-8")
    found = re.search(r'^model_checkpoint_path: "(.*)"', text, re.MULTILINE)
    if not found:
        raise CheckpointError(f'{path}: no line model_checkpoint_path: "model.ckpt"')
    name = found[1]
    if not re.fullmatch(FILE_NAME, name):
        last = re.split(r"[/\\]", name)[-1]
        if not re.fullmatch(FILE_NAME, last) or not (Path(folder) / f"{last}.index").is_file():
            raise CheckpointError(
                f"{path}: names {name!r:.200}, expected the name of a file beside it"
            )
        name = last
    return Path(folder) / name


def openai_name(path: str) -> str:
    """The name in OpenAI's checkpoint of the parameter at a path.

    >>> openai_name("h.3.attn.c_attn.w")
    'model/h3/attn/c_attn/w'
    """
    return "model/" + re.sub(r"^h\.", "h", path).replace(".", "/")


def openai_shapes(config: Config) -> dict[str, tuple[int, ...]]:
    """Name -> shape of OpenAI's tensors; the matrices of the blocks are [1, n_in, n_out]."""
    return {
        openai_name(path): (1, *shape) if path.endswith(".w") else shape
        for path, shape in param_shapes(config).items()
    }


def read_openai(folder: Path, verify: bool = True, dtype: str | None = None) -> tuple[Config, dict]:
    """The sizes and the tree of parameters (config.py) in a folder laid out as OpenAI's.

    float32 parameters are read-only views of the memory-mapped file. verify: compare every
    tensor's checksum, which reads the whole file. dtype: how matrices are kept (compact.py); they
    are compressed one by one, so that the float32 model is never in memory.
    Raises FileNotFoundError for a missing file, CheckpointError for a damaged one or for tensors
    that are not those of hparams.json.
    """
    config = read_hparams(folder)
    prefix = find_prefix(folder)
    index = require(Path(f"{prefix}.index"))
    entries = read_index(prefix)
    weights = {name: entry for name, entry in entries.items() if not OPTIMIZER.fullmatch(name)}
    if n := len(entries) - len(weights):
        warnings.warn(f"{index}: {n} tensors of the training are left out", stacklevel=2)
    entries = weights
    with about(index):
        found = {name: entry.shape for name, entry in entries.items()}
        check_shapes(found, config, openai_shapes, "hparams.json")
    for shard in sorted(set().union(*(entry.shards for entry in entries.values()))):
        require(Path(f"{prefix}.{shard}"))
    shapes, flat = param_shapes(config), {}
    for paths in groups(shapes, dtype):
        names = {path: openai_name(path) for path in paths}
        tensors = read_tensors(prefix, {name: entries[name] for name in names.values()}, verify)
        for path, name in names.items():
            with about(folder):
                flat[path] = compact(path, tensors[name].reshape(shapes[path]), dtype)
    return config, unflatten(flat)
