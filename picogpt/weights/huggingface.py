"""A folder as Hugging Face's transformers saves it (export.py writes one).

`config.json` holds the sizes, and options that change the mathematics; `model.safetensors` holds
the tensors (safetensors.py), or several such files, which `model.safetensors.index.json` lists; in
older folders `pytorch_model.bin` does (pytorch.py), or several of that kind.
The names are nearly OpenAI's; a block's matrices are [n_in, n_out] here, too.

Source: GPT2Config and GPT2LMHeadModel in transformers/models/gpt2.
"""

import re
import warnings
from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np

from ..config import Config, param_shapes, unflatten
from ..files import brief, parse_json, require
from .activation_functions import with_function
from .compact import CompactMatrix, compact, groups, is_multiplied, scales_shape
from .config_json import Options, read_config
from .errors import CheckpointError, about
from .safetensors import read_header, read_tensors
from .shapes import check_shapes

# A file whose matrices are int8, each with a tensor of scales, has a name that transformers does
# not look for, since it would take the int8 numbers for the weights themselves.
INT8_FILE = "model_int8.safetensors"
SCALE = "_scale"

# Older files hold the causal mask as well, and the number that stood for minus infinity.
MASK = re.compile(r"(transformer\.)?h\.\d+\.attn\.(bias|masked_bias)")

# What models for other tasks have beside the language model, which does not need it.
OTHER_HEADS = re.compile(r"(v_head|score|multiple_choice_head|classifier)\..*")

# The first of these that is in the folder is read; or its parts, listed in NAME.index.json.
FILES = ("model.safetensors", "pytorch_model.bin")


def with_scaled_queries(path: str, x: np.ndarray) -> np.ndarray:
    """The parameter at a path, with the queries of block i divided by i + 1.

    This divides the scores too, as the option scale_attn_by_inverse_layer_idx asks.
    """
    if ".c_attn." not in path:
        return x
    scaled = np.array(x)
    scaled[..., : x.shape[-1] // 3] /= int(path.split(".")[1]) + 1
    return scaled


def huggingface_name(path: str, prefix: str = "transformer.") -> str:
    """The name in transformers of the parameter at a path.

    >>> huggingface_name("h.3.ln_1.g")
    'transformer.h.3.ln_1.weight'
    """
    if path == "lm_head":
        return "lm_head.weight"
    if path in ("wte", "wpe"):
        return f"{prefix}{path}.weight"
    module, _, kind = path.rpartition(".")
    return f"{prefix}{module}.{'bias' if kind == 'b' else 'weight'}"


def read_index(path: Path) -> dict[str, set[str]]:
    """The names of the files in an index, each with the names of its tensors."""
    files: dict[str, set[str]] = {}
    suffix = path.name.split(".")[1]  # "safetensors" or "bin"
    with about(path):
        weight_map = parse_json(path.read_bytes()).get("weight_map")
        if not isinstance(weight_map, dict):
            raise CheckpointError(f"weight_map is {brief(weight_map)}, expected an object")
        for name, file in weight_map.items():
            if not isinstance(file, str) or not re.fullmatch(rf"(?a:\w[\w.-]*)\.{suffix}", file):
                raise CheckpointError(
                    f"tensor {name!r:.80} lies in {brief(file)}, expected a file beside this one"
                )
            files.setdefault(file, set()).add(name)
    return files


class Part(NamedTuple):
    """A file of tensors: the shape of each, and a function that reads some of them by name."""

    shapes: dict[str, tuple[int, ...]]
    read: Callable[[Iterable[str]], dict[str, np.ndarray]]


def open_part(path: Path) -> Part:
    """A file of either format. Raises FileNotFoundError, or CheckpointError if it is damaged."""
    if path.suffix == ".safetensors":
        header = read_header(path)
        return Part(
            {name: entry.shape for name, entry in header.items()},
            lambda names: read_tensors(path, {name: header[name] for name in names}),
        )
    from .pytorch import read_pytorch, state_dict  # here, so that `import picogpt` stays quick

    found, read = read_pytorch(path)
    with about(path):
        tensors = state_dict(found)

    def read_some(names):
        arrays = {}
        for name in names:
            with about(f"{path}: tensor {name!r:.80}"):
                arrays[name] = read(tensors[name])
        return arrays

    return Part({name: tensor.shape for name, tensor in tensors.items()}, read_some)


def open_parts(folder: Path) -> list[Part]:
    """The folder's files of tensors.

    Raises FileNotFoundError; CheckpointError for a damaged file, or one that does not hold what
    the index says.
    """
    for name in (*FILES, INT8_FILE):
        if (folder / name).is_file():
            return [open_part(folder / name)]
        index = folder / f"{name}.index.json"
        if index.is_file():
            break
    else:
        require(folder / FILES[0])
    parts = []
    for file, names in read_index(index).items():
        part = open_part(folder / file)
        if "lm_head.weight" not in part.shapes:  # an index may list it where it is tied
            names.discard("lm_head.weight")
        if differing := sorted(part.shapes.keys() ^ names):
            raise CheckpointError(
                f"{folder / file}: tensor {differing[0]!r:.80} is "
                f"{'not here' if differing[0] in names else 'here'}, unlike what {index.name} says"
            )
        parts.append(part)
    return parts


def stored_shapes(config: Config, n_inner: int) -> dict[str, tuple[int, ...]]:
    """Path -> shape of every parameter, where the MLPs have n_inner neurons."""

    def stored(path, shape):
        return tuple(n_inner if n == 4 * config.n_embd and ".mlp." in path else n for n in shape)

    return {path: stored(path, shape) for path, shape in param_shapes(config).items()}


def huggingface_shapes(
    config: Config, prefix: str, head: bool, options: Options
) -> dict[str, tuple[int, ...]]:
    """Name -> shape of every tensor; head: there is an output matrix apart from wte."""
    shapes = stored_shapes(config, options.n_inner)
    if head:
        shapes["lm_head"] = shapes["wte"]
    found = {huggingface_name(path, prefix): shape for path, shape in shapes.items()}
    for path, shape in shapes.items() if options.int8 else ():
        if is_multiplied(path):
            found[huggingface_name(path, prefix) + SCALE] = scales_shape(path, shape)
    return found


def read_params(
    parts: list[Part], names: dict[str, str], options: Options, dtype: str | None
) -> dict:
    """The tree of parameters; names: path -> name; dtype: see read_huggingface.

    Raises CheckpointError for int8 where it is not expected, ValueError as `compact` does.
    """
    flat, int8 = {}, options.int8
    for paths in groups(names, None if int8 and dtype == "int8" else dtype):
        wanted = {name for path in paths for name in (names[path], names[path] + SCALE)}
        tensors = {}
        for part in parts:
            tensors |= part.read(wanted & part.shapes.keys())
        for path in paths:
            x, quantized = tensors[names[path]], int8 and is_multiplied(path)
            if (x.dtype == np.int8) != quantized:
                expected = "int8" if quantized else "float32, float16 or bfloat16"
                raise CheckpointError(f"tensor {names[path]} is {x.dtype}, expected {expected}")
            if quantized:
                x = restored(x, tensors[names[path] + SCALE], names[path] + SCALE)
            if options.by_block:
                x = with_scaled_queries(path, x)
            flat[path] = compact(path, x, dtype)
    return with_function(unflatten(flat), options.activation_function)


def restored(stored: np.ndarray, scales: np.ndarray, name: str) -> CompactMatrix:
    """An int8 matrix from a file. Raises CheckpointError if its scales, of that name, are none."""
    if scales.dtype != np.float32 or not np.isfinite(scales).all():
        raise CheckpointError(f"tensor {name} holds something other than finite float32 numbers")
    return CompactMatrix(stored, scales)


def read_huggingface(folder: Path, dtype: str | None = None) -> tuple[Config, dict]:
    """The sizes and the tree of parameters (config.py) in a folder laid out as Hugging Face's.

    float32 parameters are read-only views of the memory-mapped file, and so are the int8 matrices
    that export.py writes; an output matrix that is not tied to wte is params["lm_head"],
    [n_vocab, n_embd]. dtype: how matrices are kept, see compact.py and read_openai.
    Raises FileNotFoundError for a missing file, CheckpointError for a damaged one, for tensors
    that are not those of config.json, or for options that picogpt does not compute.
    """
    folder = Path(folder)
    config, options = read_config(folder)
    tied = options.tied
    parts = open_parts(folder)
    shapes = {name: shape for part in parts for name, shape in part.shapes.items()}
    found = {name: shape for name, shape in shapes.items() if not MASK.fullmatch(name)}
    if heads := sorted(name for name in found if OTHER_HEADS.fullmatch(name)):
        warnings.warn(
            f"{folder}: left out, because the language model does not need them: {heads}",
            stacklevel=2,
        )
        found = {name: shape for name, shape in found.items() if name not in heads}
    # A GPT2Model saved alone, without the head around it, has no prefix.
    prefix = "" if "wpe.weight" in found else "transformer."
    wte = f"{prefix}wte.weight"
    if tied and wte not in found and "lm_head.weight" in found:
        wte = "lm_head.weight"  # safetensors' save_model keeps one name of a matrix that has two
        found[f"{prefix}wte.weight"] = found.pop(wte)
    head = not tied or "lm_head.weight" in found
    expected = partial(huggingface_shapes, prefix=prefix, head=head, options=options)
    with about(folder):
        check_shapes(found, config, expected, "config.json")
    paths = [*param_shapes(config), *(["lm_head"] if head else [])]
    names = {path: huggingface_name(path, prefix) for path in paths} | {"wte": wte}
    with about(folder):
        params = read_params(parts, names, options, dtype)
    if tied and head:  # some writers keep both names of one matrix
        lm_head = params.pop("lm_head")
        if not np.array_equal(lm_head, params["wte"]):
            raise CheckpointError(
                f"{folder}: lm_head.weight is not {prefix}wte.weight, "
                "but tie_word_embeddings in config.json is not false"
            )
    return config, params
