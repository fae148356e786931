"""A folder as Hugging Face's transformers saves GPT-2 in (export.py writes one).

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
from .compact import CompactMatrix, compact, groups, is_multiplied, scales_shape
from .errors import CheckpointError, about
from .pytorch import read_pytorch, state_dict
from .safetensors import read_header, read_tensors
from .shapes import check_shapes

# The name of each size in config.json, and a second name that transformers also understands.
SIZE_NAMES = {
    "n_vocab": ("vocab_size", "vocab_size"),
    "n_ctx": ("n_positions", "max_position_embeddings"),  # the n_ctx of old files means nothing
    "n_embd": ("n_embd", "hidden_size"),
    "n_head": ("n_head", "num_attention_heads"),
    "n_layer": ("n_layer", "num_hidden_layers"),
}

# How config.json says that the matrices are int8, each with a tensor of scales beside it. The file
# has a name that transformers does not look for: it would take int8 for the weights, unscaled.
INT8_FILE = "model_int8.safetensors"
INT8 = {"quant_method": "picogpt_int8"}
SCALE = "_scale"

# Options that change the mathematics: what GPT-2 has, first the value that an absent one means.
# What is not here changes training (dropout), speed, other heads, or, as reorder_and_upcast_attn
# does, only how numbers of half precision are rounded.
OPTIONS = {
    "activation_function": ("gelu_new", "gelu_pytorch_tanh"),  # the same formula
    "layer_norm_epsilon": (1e-5,),
    "scale_attn_weights": (True,),
    "scale_attn_by_inverse_layer_idx": (False, True),  # see with_scaled_queries
    "add_cross_attention": (False,),
    "is_causal": (True,),
    "tie_word_embeddings": (True, False),
    "pruned_heads": (None, {}),
    "per_layer_config": (None, {}),
    "quantization_config": (None, INT8),
}

# Older files hold the causal mask as well, and the number that stood for minus infinity.
MASK = re.compile(r"(transformer\.)?h\.\d+\.attn\.(bias|masked_bias)")

# What other tasks put beside the language model: it does not need them.
OTHER_HEADS = re.compile(r"(v_head|score|multiple_choice_head|classifier)\..*")

# The files of a folder, the first that is there counts; beside each NAME may be NAME.index.json.
FILES = ("model.safetensors", "pytorch_model.bin")


def read_config(folder: Path) -> tuple[Config, bool, bool, bool]:
    """The sizes in config.json; whether the output matrix is tied to wte; whether the scores of
    block i are divided by i + 1; whether the matrices are int8.

    Raises FileNotFoundError; CheckpointError if the file is damaged, lacks a size, or asks for
    other mathematics than GPT-2's.
    """
    path = require(Path(folder) / "config.json")
    with about(path):
        options = parse_json(path.read_bytes())
        # The first files of transformers, in 2019, had no model_type; n_embd is GPT-2's own name.
        if options.get("model_type", "gpt2" if "n_embd" in options else None) != "gpt2":
            raise CheckpointError(f"model_type is {brief(options.get('model_type'))}, not 'gpt2'")
        config = Config(**{size: read_size(options, *names) for size, names in SIZE_NAMES.items()})
        accepted = OPTIONS | {"n_inner": (None, 4 * config.n_embd)}
        for name, values in accepted.items():
            if (value := options.get(name, values[0])) not in values:
                expected = " or ".join(map(repr, values))
                raise CheckpointError(f"{name} is {brief(value)}, but picogpt computes {expected}")
    if options.get("auto_map"):
        warnings.warn(
            f"{path}: auto_map names code of the model's own, which is not run: "
            "the model is computed as GPT-2",
            stacklevel=2,
        )
    by_block = bool(options.get("scale_attn_by_inverse_layer_idx"))
    int8 = options.get("quantization_config") is not None
    return config, bool(options.get("tie_word_embeddings", True)), by_block, int8


def with_scaled_queries(path: str, x: np.ndarray) -> np.ndarray:
    """The parameter at a path, with the queries of block i divided by i + 1.

    So the scores are, which the option scale_attn_by_inverse_layer_idx asks for.
    """
    if ".c_attn." not in path:
        return x
    scaled = np.array(x)
    scaled[..., : x.shape[-1] // 3] /= int(path.split(".")[1]) + 1
    return scaled


def read_size(options: dict, name: str, alias: str) -> int:
    """The value of a size that goes by two names."""
    values = [options[key] for key in (name, alias) if key in options]
    if not values:
        raise CheckpointError(f"no key {name!r}")
    for value in values:
        if type(value) is not int or value < 1:
            raise CheckpointError(f"{name} is {brief(value)}, expected a positive integer")
    if values[0] != values[-1]:
        raise CheckpointError(f"{name} is {values[0]}, but {alias} is {values[-1]}")
    return values[0]


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
    """The names of the files that an index lists, and of the tensors in each."""
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
    """A file of tensors: the shape of each, and what reads some of them by their names."""

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
                f"{'not here' if differing[0] in names else 'here'}, unlike {index.name} says"
            )
        parts.append(part)
    return parts


def huggingface_shapes(
    config: Config, prefix: str, head: bool, int8: bool
) -> dict[str, tuple[int, ...]]:
    """Name -> shape of every tensor; head: there is an output matrix apart from wte."""
    shapes = param_shapes(config)
    if head:
        shapes["lm_head"] = shapes["wte"]
    found = {huggingface_name(path, prefix): shape for path, shape in shapes.items()}
    for path, shape in shapes.items() if int8 else ():
        if is_multiplied(path):
            found[huggingface_name(path, prefix) + SCALE] = scales_shape(path, shape)
    return found


def read_params(
    parts: list[Part], names: dict[str, str], *, dtype: str | None, int8: bool, by_block: bool
) -> dict:
    """The tree of parameters; names: path -> name. The other arguments are as in read_huggingface.

    Raises CheckpointError for int8 where it is not expected, ValueError as `compact` does.
    """
    flat = {}
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
            if by_block:
                x = with_scaled_queries(path, x)
            flat[path] = compact(path, x, dtype)
    return unflatten(flat)


def restored(stored: np.ndarray, scales: np.ndarray, name: str) -> CompactMatrix:
    """An int8 matrix from a file. Raises CheckpointError if its scales, of that name, are none."""
    if scales.dtype != np.float32 or not np.isfinite(scales).all():
        raise CheckpointError(f"tensor {name} holds something else than finite float32 numbers")
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
    config, tied, by_block, int8 = read_config(folder)
    parts = open_parts(folder)
    shapes = {name: shape for part in parts for name, shape in part.shapes.items()}
    found = {name: shape for name, shape in shapes.items() if not MASK.fullmatch(name)}
    if heads := sorted(name for name in found if OTHER_HEADS.fullmatch(name)):
        warnings.warn(
            f"{folder}: left out, as no part of the language model: {heads}", stacklevel=2
        )
        found = {name: shape for name, shape in found.items() if name not in heads}
    # A GPT2Model saved alone, without the head around it, has no prefix.
    prefix = "" if "wpe.weight" in found else "transformer."
    wte = f"{prefix}wte.weight"
    if tied and wte not in found and "lm_head.weight" in found:
        wte = "lm_head.weight"  # safetensors' save_model keeps one name of a matrix that has two
        found[f"{prefix}wte.weight"] = found.pop(wte)
    head = not tied or "lm_head.weight" in found
    expected = partial(huggingface_shapes, prefix=prefix, head=head, int8=int8)
    with about(folder):
        check_shapes(found, config, expected, "config.json")
    paths = [*param_shapes(config), *(["lm_head"] if head else [])]
    names = {path: huggingface_name(path, prefix) for path in paths} | {"wte": wte}
    with about(folder):
        params = read_params(parts, names, dtype=dtype, int8=int8, by_block=by_block)
    if tied and head:  # some writers keep both names of one matrix
        lm_head = params.pop("lm_head")
        if not np.array_equal(lm_head, params["wte"]):
            raise CheckpointError(
                f"{folder}: lm_head.weight is not {prefix}wte.weight, "
                "but tie_word_embeddings in config.json is not false"
            )
    return config, params
