"""Where picogpt keeps models: a folder of the user, on every system."""

import os
import sys
from pathlib import Path


def home() -> Path:
    """The folder for everything that picogpt keeps: PICOGPT_HOME, or one in the user's cache.

    Raises FileNotFoundError if the user has no home folder.
    """
    try:
        if chosen := os.environ.get("PICOGPT_HOME"):
            return Path(chosen).expanduser().absolute()
        if sys.platform == "win32":
            local = os.environ.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local"
            return Path(local) / "picogpt" / "Cache"
        if sys.platform == "darwin":
            return Path.home() / "Library" / "Caches" / "picogpt"
        cache = Path(os.environ.get("XDG_CACHE_HOME", ""))
        if not cache.is_absolute():  # the XDG specification: a relative path is to be ignored
            cache = Path.home() / ".cache"
        return cache / "picogpt"
    except RuntimeError as error:  # what pathlib raises
        raise FileNotFoundError(f"{error} Set PICOGPT_HOME to a folder.") from None
