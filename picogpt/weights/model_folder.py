"""A model folder, whichever of the two layouts it has."""

from pathlib import Path

from ..config import Config
from .errors import CheckpointError
from .huggingface import read_huggingface
from .openai import read_openai
from .shapes import check_finite


def read_model(folder: Path, verify: bool = True) -> tuple[Config, dict]:
    """The sizes and the tree of parameters (config.py) in a folder with hparams.json or config.json.

    verify: compare every checksum there is, and refuse weights that are no numbers.
    Raises FileNotFoundError if neither or another file is missing, CheckpointError if both are
    there or a file is not what it should be.
    """
    folder = Path(folder)
    found = [name for name in ("hparams.json", "config.json") if (folder / name).is_file()]
    if not found:
        raise FileNotFoundError(
            f"{folder} has no file hparams.json (OpenAI's layout) or config.json (Hugging Face's)"
        )
    if len(found) > 1:
        raise CheckpointError(f"{folder} has both {' and '.join(found)}, expected one of them")
    if found == ["hparams.json"]:
        config, params = read_openai(folder, verify)
    else:
        config, params = read_huggingface(folder)
    if verify:
        check_finite(folder, params)
    return config, params
