"""The one error that says a file of weights is not what it should be."""

from collections.abc import Iterator
from contextlib import contextmanager


class CheckpointError(ValueError):
    """A checkpoint is damaged, incomplete, or of a kind that picogpt does not read."""


@contextmanager
def about(what) -> Iterator[None]:
    """Make a ValueError of the block a CheckpointError whose line begins with `what`."""
    try:
        yield
    except ValueError as error:
        raise CheckpointError(f"{what}: {error}") from None
