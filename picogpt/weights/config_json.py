"""config.json, which holds the sizes in Hugging Face's folders, and options of the mathematics.

Source: GPT2Config in transformers/models/gpt2.
"""

import warnings
from pathlib import Path
from typing import NamedTuple

from ..config import Config
from ..files import brief, parse_json, require
from .activation_functions import FUNCTIONS
from .errors import CheckpointError, about

# The name of each size in config.json, and a second name that transformers also understands.
SIZE_NAMES = {
    "n_vocab": ("vocab_size", "vocab_size"),
    "n_ctx": ("n_positions", "max_position_embeddings"),  # the n_ctx of old files means nothing
    "n_embd": ("n_embd", "hidden_size"),
    "n_head": ("n_head", "num_attention_heads"),
    "n_layer": ("n_layer", "num_hidden_layers"),
}

# What says that the matrices are int8, see huggingface.py.
INT8 = {"quant_method": "picogpt_int8"}

# Options that change the mathematics, with the values that picogpt computes; if the option is
# absent, the first is meant. Options that are not here change training (dropout), speed, other
# heads, or, as reorder_and_upcast_attn does, only the rounding of numbers of half precision.
OPTIONS = {
    "activation_function": tuple(FUNCTIONS),
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


class Options(NamedTuple):
    """What else config.json says about the tensors."""

    tied: bool  # the output matrix is wte
    by_block: bool  # the scores of block i are divided by i + 1
    int8: bool  # the matrices are int8
    n_inner: int  # neurons of the MLP
    activation_function: str


def read_config(folder: Path) -> tuple[Config, Options]:
    """The sizes in config.json, and its options.

    Raises FileNotFoundError; CheckpointError if the file is damaged, lacks a size, or asks for
    mathematics that picogpt does not compute.
    """
    path = require(Path(folder) / "config.json")
    with about(path):
        options = parse_json(path.read_bytes())
        # The first files of transformers, in 2019, had no model_type; n_embd is GPT-2's own name.
        if options.get("model_type", "gpt2" if "n_embd" in options else None) != "gpt2":
            raise CheckpointError(f"model_type is {brief(options.get('model_type'))}, not 'gpt2'")
        config = Config(**{size: read_size(options, *names) for size, names in SIZE_NAMES.items()})
        for name, values in OPTIONS.items():
            if (value := options.get(name, values[0])) not in values:
                expected = " or ".join(map(repr, values))
                raise CheckpointError(f"{name} is {brief(value)}, but picogpt computes {expected}")
        n_inner = 4 * config.n_embd if options.get("n_inner") is None else options["n_inner"]
        if type(n_inner) is not int or n_inner < 1:
            raise CheckpointError(f"n_inner is {brief(n_inner)}, expected a positive integer")
    if options.get("auto_map"):
        warnings.warn(
            f"{path}: auto_map names code that comes with the model, which is not run: "
            "the model is computed as GPT-2",
            stacklevel=2,
        )
    return config, Options(
        tied=bool(options.get("tie_word_embeddings", True)),
        by_block=bool(options.get("scale_attn_by_inverse_layer_idx")),
        int8=options.get("quantization_config") is not None,
        n_inner=n_inner,
        activation_function=options.get("activation_function", "gelu_new"),
    )


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
