"""Finding a model: by its name, in a folder, or, where none is named, the best there is."""

import os
import warnings
from pathlib import Path

from ..config import SIZES
from .errors import DownloadError, Unreachable
from .hub_cache import HubName, find_snapshot, hub_name, own_cache, shared_cache
from .huggingface import read_huggingface
from .released import DATA, RELEASED, data_sha256, is_complete, released_folder

DEFAULT = "124M"  # taken where no model is named, if it can be had
BUNDLED = "fairytale"  # the small model that comes with the package
NAMES = (*SIZES, BUNDLED)

# Other names of the released models: Hugging Face's, and the sizes as OpenAI first counted them.
ALIASES = {
    **dict.fromkeys(("gpt2", "gpt2-small", "117m"), "124M"),
    **dict.fromkeys(("gpt2-medium", "345m"), "355M"),
    **dict.fromkeys(("gpt2-large", "762m"), "774M"),
    **dict.fromkeys(("gpt2-xl", "1542m", "1.5b"), "1558M"),
    **{name.lower(): name for name in NAMES},
}

HUB_NAMES = {
    "124M": "openai-community/gpt2",
    "355M": "openai-community/gpt2-medium",
    "774M": "openai-community/gpt2-large",
    "1558M": "openai-community/gpt2-xl",
}


def find_model(name_or_folder: str | Path | None, offline: bool) -> Path:
    """The folder of a model, downloaded if need be. Raises as `picogpt.load` does."""
    if name_or_folder is None:
        return find_default(offline)
    if isinstance(name_or_folder, str):
        name = name_or_folder.lower().removeprefix("openai-community/")
        name_or_folder = ALIASES.get(name, name_or_folder)
    if name_or_folder == BUNDLED:
        return Path(__file__).parents[1] / "bundled" / BUNDLED
    if name_or_folder in SIZES:
        return find_release(name_or_folder, offline)
    folder = Path(name_or_folder)
    if folder.is_dir():
        return folder
    if isinstance(name_or_folder, str) and (on_hub := hub_name(name_or_folder)):
        return find_on_hub(on_hub, offline)
    raise FileNotFoundError(
        f"no model {str(name_or_folder)!r:.200}: neither a folder, nor org/name on the Hub, "
        f"nor one of {', '.join(NAMES)}"
    )


def find_release(size: str, offline: bool) -> Path:
    """The folder of a released model, downloaded if it is not on the disk yet."""
    if folder := cached_release(size):
        return folder
    if offline:
        raise FileNotFoundError(
            f"{size} is not in the cache ({released_folder(size)}), and offline was asked for"
        )
    return download_release(size)


def cached_release(size: str) -> Path | None:
    """The folder of a released model on the disk, with OpenAI's files or the Hub's; else None."""
    return released_folder(size) if is_complete(size) else find_snapshot(HubName(HUB_NAMES[size]))


def download_release(size: str) -> Path:
    """The folder of a released model, from OpenAI's server or its mirror, or else the Hub."""
    from .download import download  # here, so that `import picogpt` stays quick

    try:
        return download(size)
    except DownloadError as error:
        chosen = "PICOGPT_WEIGHTS_URL" in os.environ
        if chosen or (isinstance(error, Unreachable) and "HF_ENDPOINT" not in os.environ):
            raise  # the user wants no other address, or there is no network at all
        folder = find_on_hub(HubName(HUB_NAMES[size]), offline=False)
        warnings.warn(
            f"{error}\nThe Hub's copy of {size} is used{compared(size, folder)}", stacklevel=2
        )
        return folder


def compared(size: str, folder: Path) -> str:
    """Whether a copy of a released model has OpenAI's weights, as the end of a sentence."""
    published = RELEASED[size][DATA].sha256
    if published is None:
        return ", and no hash of OpenAI's weights is known that it could be compared with"
    if data_sha256(read_huggingface(folder)[1]) == published:
        return ": its weights are OpenAI's, bit by bit"
    return ", but its weights are NOT those whose hash is known"


def find_on_hub(name: HubName, offline: bool) -> Path:
    """The folder of a model of the Hub, fetched if it is not on the disk yet."""
    if folder := find_snapshot(name):
        return folder
    if offline or os.environ.get("HF_HUB_OFFLINE", "").lower() in ("1", "true", "yes", "on"):
        raise FileNotFoundError(
            f"{name} is neither a folder nor in the caches of the Hub ({own_cache()}, "
            f"{shared_cache()}), and offline was asked for"
        )
    from .hub import fetch_snapshot

    return fetch_snapshot(name)


def find_default(offline: bool) -> Path:
    """The folder of the 124M, or of the bundled model if that cannot be had.

    A warning says why.
    """
    problem = f"GPT-2 {DEFAULT} is not in the cache"
    try:
        if folder := cached_release(DEFAULT):
            return folder
        if not offline:
            return download_release(DEFAULT)
    except (OSError, ValueError) as error:  # no network, no space, no home: whatever it is
        problem = str(error)
    warnings.warn(f"{problem.rstrip('.')}; the small model {BUNDLED} is used instead", stacklevel=4)
    return find_model(BUNDLED, offline)
