"""Files of weights: read, checked, turned into the tree of parameters."""

from .errors import CheckpointError
from .openai import read_hparams, read_openai

__all__ = ["CheckpointError", "read_hparams", "read_openai"]
