"""The error for a file of weights that is not what it should be."""

from collections.abc import Iterator
from contextlib import contextmanager


class CheckpointError(ValueError):
    """A checkpoint is damaged, incomplete, or of a kind that picogpt does not read."""


@contextmanager
def about(what) -> Iterator[None]:
    """Turn a ValueError in the block into a CheckpointError whose message begins with `what`."""
    try:
        yield
    except ValueError as error:
        raise CheckpointError(f"{what}: {error}") from None
