"""The models on the disk: in picogpt's own cache and in that of Hugging Face's libraries."""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from ..files import locked
from .hub_cache import find_snapshot, hub_name, own_cache, shared_cache
from .released import RELEASED, is_complete, released_folder


class Kept(NamedTuple):
    """A model on the disk. own: it is in picogpt's cache; whole: all its files are there."""

    name: str
    folder: Path
    own: bool
    whole: bool

    @property
    def n_bytes(self) -> int:
        """How much of the disk it takes, in bytes."""
        files = (path for path in self.folder.rglob("*") if not path.is_symlink())
        return sum(path.stat().st_size for path in files if path.is_file())


def kept() -> Iterator[Kept]:
    """All models on the disk; of the shared cache, those that picogpt may be able to read."""
    for size in RELEASED:
        if released_folder(size).is_dir():
            yield Kept(size, released_folder(size), True, is_complete(size))
    for cache in (own_cache(), shared_cache()):
        for folder in sorted(cache.glob("models--*--*")):
            name = hub_name(folder.name.removeprefix("models--").replace("--", "/", 1))
            if not name:
                continue
            snapshot = find_snapshot(name)
            whole = snapshot is not None and snapshot.is_relative_to(folder)
            if whole or (cache == own_cache() and (folder / "snapshots").is_dir()):
                yield Kept(name.repository, folder, cache == own_cache(), whole)


def remove(name: str) -> Path:
    """Remove a model from picogpt's own cache, with its parts, and return where it was.

    Raises ValueError if there is none of that name, or it belongs to another program.
    """
    found = [model for model in kept() if model.name == name]
    for model in found:
        if model.own:
            with locked(model.folder / "download.lock", lambda: None):
                for path in model.folder.iterdir():
                    if path.is_dir():
                        shutil.rmtree(path)
                    elif path.name != "download.lock":
                        path.unlink()
            (model.folder / "download.lock").unlink()
            os.rmdir(model.folder)
            return model.folder
    if found:
        raise ValueError(f"{name} belongs to Hugging Face's libraries: hf cache rm model/{name}")
    raise ValueError(
        f"{name!r:.200} is not in the cache; `python -m picogpt.weights list` says what is"
    )
