"""A model folder, whichever of the two layouts it has."""

from pathlib import Path

from ..config import Config
from .errors import CheckpointError
from .huggingface import read_huggingface
from .openai import read_openai

READERS = {"hparams.json": read_openai, "config.json": read_huggingface}


def read_model(folder: Path) -> tuple[Config, dict]:
    """The sizes and the tree of parameters (config.py) in a folder with hparams.json or config.json.

    Raises FileNotFoundError if neither or another file is missing, CheckpointError if both are
    there or a file is not what it should be.
    """
    found = [name for name in READERS if (Path(folder) / name).is_file()]
    if not found:
        raise FileNotFoundError(
            f"{folder} has no file hparams.json (OpenAI's layout) or config.json (Hugging Face's)"
        )
    if len(found) > 1:
        raise CheckpointError(f"{folder} has both {' and '.join(found)}, expected one of them")
    return READERS[found[0]](folder)
