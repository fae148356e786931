"""The errors for files of weights that are not what they should be, or cannot be had."""

from collections.abc import Iterator
from contextlib import contextmanager


class CheckpointError(ValueError):
    """A checkpoint is damaged, incomplete, or of a kind that picogpt does not read."""


class DownloadError(OSError):
    """A released model cannot be had."""


class Unreachable(DownloadError):
    """A released model cannot be had because no server answers: there is no network."""


@contextmanager
def about(what) -> Iterator[None]:
    """Turn a ValueError in the block into a CheckpointError whose message begins with `what`."""
    try:
        yield
    except ValueError as error:
        raise CheckpointError(f"{what}: {error}") from None
