"""Files of weights: fetched, read, checked, turned into the tree of parameters."""

from .errors import CheckpointError
from .transfer import DownloadError, Unreachable

__all__ = ["CheckpointError", "DownloadError", "Unreachable"]
