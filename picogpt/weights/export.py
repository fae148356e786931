"""Writing a model as a folder in Hugging Face's layout (huggingface.py reads it)."""

from pathlib import Path

import numpy as np

from ..bpe import Tokenizer
from ..bpe.saved import save_huggingface_tokenizer
from ..config import Config, flatten
from ..files import write_json
from .activation_functions import function_name
from .compact import CompactMatrix, compact
from .config_json import INT8
from .huggingface import FILES, INT8_FILE, SCALE, huggingface_name
from .safetensors import write_safetensors
from .shapes import check_finite


def file_tensors(params: dict, dtype: str) -> dict[str, np.ndarray | CompactMatrix]:
    """Name -> what is written: for int8 the stored numbers of each matrix and its scales."""
    tensors = {}
    for path, x in flatten(params).items():
        name = huggingface_name(path)
        x = compact(path, x, dtype if dtype == "int8" else None)
        if dtype == "int8" and isinstance(x, CompactMatrix):
            tensors |= {name: x.stored, name + SCALE: x.scales}
        else:
            tensors[name] = x
    return tensors


def save_huggingface(
    folder: Path, config: Config, params: dict, tokenizer: Tokenizer, dtype: str = "float32"
) -> None:
    """Write a folder that transformers and vLLM can load. It is made if it does not exist.

    dtype: of the file, one of compact.DTYPES. Files of the same names are replaced, each as a
    whole. config.json, without which the folder is not a model, comes last.
    Raises ValueError, before any file is there, as write_safetensors does, and for NaN or
    infinite weights.
    """
    folder = Path(folder)
    check_finite(folder, params)
    folder.mkdir(parents=True, exist_ok=True)
    try:
        tensors = file_tensors(params, dtype)
        write_safetensors(folder / (INT8_FILE if dtype == "int8" else FILES[0]), tensors, dtype)
    except ValueError:
        if not any(folder.iterdir()):
            folder.rmdir()
        raise
    save_huggingface_tokenizer(folder, tokenizer, config.n_ctx)
    n_inner = params["h"][0]["mlp"]["c_fc"]["b"].size
    options = {
        "architectures": ["GPT2LMHeadModel"],
        "model_type": "gpt2",
        "vocab_size": config.n_vocab,
        "n_positions": config.n_ctx,
        "n_ctx": config.n_ctx,
        "n_embd": config.n_embd,
        "n_head": config.n_head,
        "n_layer": config.n_layer,
        "n_inner": None if n_inner == 4 * config.n_embd else n_inner,
        "activation_function": function_name(params),
        "layer_norm_epsilon": 1e-5,
        "scale_attn_weights": True,
        "scale_attn_by_inverse_layer_idx": False,
        "reorder_and_upcast_attn": False,
        "add_cross_attention": False,
        "tie_word_embeddings": "lm_head" not in params,
        "bos_token_id": tokenizer.bos,
        "eos_token_id": tokenizer.endoftext,
        "resid_pdrop": 0.1,
        "embd_pdrop": 0.1,
        "attn_pdrop": 0.1,
        "initializer_range": 0.02,
        "dtype": "float32" if dtype == "int8" else dtype,
    }
    if dtype == "int8":
        options["quantization_config"] = INT8
    write_json(folder / "config.json", options)
