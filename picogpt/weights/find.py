"""Finding a model: by its name, in a folder, or the best that can be had where none is named."""

import warnings
from pathlib import Path

from ..config import SIZES
from .download import download
from .released import is_complete, model_folder

DEFAULT = "124M"  # what is preferred where no model is named
BUNDLED = "fairytale"  # the small model that comes with the package
NAMES = (*SIZES, BUNDLED)

# What others call the released models: Hugging Face's names, and the sizes by which OpenAI first
# counted them.
OTHER_NAMES = {
    **dict.fromkeys(("gpt2", "gpt2-small", "117m"), "124M"),
    **dict.fromkeys(("gpt2-medium", "345m"), "355M"),
    **dict.fromkeys(("gpt2-large", "762m"), "774M"),
    **dict.fromkeys(("gpt2-xl", "1542m", "1.5b"), "1558M"),
    **{name.lower(): name for name in NAMES},
}


def find_model(model: str | Path | None, offline: bool) -> Path:
    """The folder of a model, downloaded if need be. Raises as `picogpt.load` does."""
    if model is None:
        return find_default(offline)
    if isinstance(model, str):
        model = OTHER_NAMES.get(model.lower().removeprefix("openai-community/"), model)
    if model == BUNDLED:
        return Path(__file__).parents[1] / "bundled" / BUNDLED
    if model in SIZES:
        if is_complete(model):
            return model_folder(model)
        if offline:
            raise FileNotFoundError(
                f"{model} is not in the cache ({model_folder(model)}), and offline was asked for"
            )
        return download(model)
    folder = Path(model)
    if not folder.is_dir():
        raise FileNotFoundError(
            f"no model {str(model)!r:.200}: neither a folder nor one of {', '.join(NAMES)}"
        )
    return folder


def find_default(offline: bool) -> Path:
    """The folder of the 124M, or, where that cannot be had, of the bundled model.

    A warning says why.
    """
    problem = f"GPT-2 {DEFAULT} is not in the cache"
    try:
        if is_complete(DEFAULT):
            return model_folder(DEFAULT)
        if not offline:
            return download(DEFAULT)
    except (OSError, ValueError) as error:  # no network, no room, no home: whatever it is
        problem = str(error)
    warnings.warn(f"{problem.rstrip('.')}; the small {BUNDLED} writes", stacklevel=4)
    return find_model(BUNDLED, offline)
