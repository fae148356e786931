"""Reading a model folder, whichever of the three layouts it has."""

from dataclasses import replace
from pathlib import Path

from ..config import Config
from .compact import DTYPES
from .errors import CheckpointError
from .huggingface import read_huggingface
from .layout import laid_out
from .nanogpt import read_nanogpt
from .openai import read_openai
from .shapes import check_finite


def read_model(folder: Path, verify: bool = True, dtype: str | None = None) -> tuple[Config, dict]:
    """The sizes and the tree of parameters (config.py) in a model folder.

    A file tells which layout it has: hparams.json (OpenAI's), config.json (Hugging Face's) or
    ckpt.pt (nanoGPT's). A small model is copied, so that its products are fast (layout.py).

    verify: compare every checksum there is, and refuse NaN or infinite weights.
    dtype: how matrices are kept, see compact.py; None is float32, or int8 where the file has it.
    Raises ValueError for another dtype; FileNotFoundError if none of the three is there, or a file
    that its layout needs is missing; CheckpointError if several are there or one is damaged.
    """
    if dtype not in (None, *DTYPES):
        raise ValueError(f"dtype is {dtype!r:.80}, expected one of {', '.join(DTYPES)}")
    folder = Path(folder)
    layouts = ("hparams.json", "config.json", "ckpt.pt")
    found = [name for name in layouts if (folder / name).is_file()]
    if not found:
        raise FileNotFoundError(
            f"{folder} has no file hparams.json (OpenAI's layout), config.json (Hugging Face's) "
            "or ckpt.pt (nanoGPT's)"
        )
    if len(found) > 1:
        raise CheckpointError(f"{folder} has both {' and '.join(found)}, expected one of them")
    if found == ["hparams.json"]:
        config, params = read_openai(folder, verify, dtype)
    elif found == ["ckpt.pt"]:
        config, params = read_nanogpt(folder, dtype)
    else:
        config, params = read_huggingface(folder, dtype)
    if verify:
        check_finite(folder, params)
    return config, laid_out(params)


def without_surplus(config: Config, params: dict, n_vocab: int) -> tuple[Config, dict]:
    """The model with only the first n_vocab rows of its embeddings.

    Some models have more rows than tokens, such as 50304 for 50257, because multiples of 64 are
    faster. No text is ever encoded to the other rows, and the model must not choose them.
    """
    tables = {name: params[name][:n_vocab] for name in ("wte", "lm_head") if name in params}
    return replace(config, n_vocab=n_vocab), params | tables
