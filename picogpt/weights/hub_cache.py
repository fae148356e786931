"""Models of the Hugging Face Hub that are on this disk, whichever program fetched them.

Hugging Face's libraries share a cache, and picogpt keeps what it fetches in the same layout under
its own home: models--ORG--NAME/refs/REVISION holds the number of a commit, and the files of that
commit are in snapshots/COMMIT (in the shared cache as links).

Source: huggingface.co/docs/hub/local-cache.
"""

import os
import re
from pathlib import Path
from typing import NamedTuple

from .home import home
from .huggingface import FILES, read_index

ALIASES = {"distilgpt2": "distilbert/distilgpt2"}  # from the time when names had no organisation
COMMIT = re.compile(r"[0-9a-f]{40}")
PART = r"(?a:\w[\w.-]*)"
NAME = re.compile(rf"({PART}/{PART})(?:@({PART}(?:/{PART})*))?")


class HubName(NamedTuple):
    """A model on the Hub, "org/name", and its revision: a branch, a tag or a commit."""

    repository: str
    revision: str = "main"

    def __str__(self) -> str:
        return self.repository if self.revision == "main" else f"{self.repository}@{self.revision}"

    @property
    def folder(self) -> str:
        """The name of its folder in a cache."""
        return "models--" + self.repository.replace("/", "--")


def hub_name(text: str) -> HubName | None:
    """ "org/name" or "org/name@revision", as a name on the Hub; None if it cannot be one."""
    alias, at, revision = text.partition("@")
    found = NAME.fullmatch(ALIASES.get(alias, alias) + at + revision)
    if not found or ".." in text:
        return None
    return HubName(found[1], found[2] or "main")


def own_cache() -> Path:
    """Where picogpt keeps what it fetches from the Hub."""
    return home() / "hub"


def shared_cache() -> Path:
    """The cache of Hugging Face's libraries."""
    if chosen := os.environ.get("HF_HUB_CACHE") or os.environ.get("HUGGINGFACE_HUB_CACHE"):
        return Path(chosen).expanduser()
    if chosen := os.environ.get("HF_HOME"):
        return Path(chosen).expanduser() / "hub"
    cache = os.environ.get("XDG_CACHE_HOME") or Path("~/.cache")
    return Path(cache).expanduser() / "huggingface" / "hub"


def find_snapshot(name: HubName) -> Path | None:
    """The folder of a model that is on the disk with all its files, or None."""
    for cache in (own_cache(), shared_cache()):
        folder = cache / name.folder
        try:
            commit = (folder / "refs" / name.revision).read_text("ascii").strip()
        except (OSError, ValueError):
            commit = name.revision
        if COMMIT.fullmatch(commit) and is_whole(folder / "snapshots" / commit):
            return folder / "snapshots" / commit
    return None


def is_whole(snapshot: Path) -> bool:
    """Whether a folder has sizes, a vocabulary, and every file of its weights."""
    tokenizers = ("tokenizer.json", "vocab.json", "vocab.txt")
    if not (snapshot / "config.json").is_file():
        return False
    if not any((snapshot / file).is_file() for file in tokenizers):
        return False
    for file in FILES:
        index = snapshot / f"{file}.index.json"
        if (snapshot / file).is_file():
            return True
        if index.is_file():
            return all((snapshot / part).is_file() for part in read_index(index))
    return False
