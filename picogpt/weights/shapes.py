"""Checks of tensors: that their shapes fit the sizes of the model, and that they hold numbers."""

from collections.abc import Callable

import numpy as np

from ..config import Config, flatten
from .compact import CompactMatrix
from .errors import CheckpointError

N_LISTED = 3  # names of each kind in an error

Shapes = dict[str, tuple[int, ...]]  # by the tensors' names


def check_shapes(
    found: Shapes, config: Config, expected: Callable[[Config], Shapes], source: str
) -> None:
    """Raise CheckpointError if tensors are missing, unexpected or misshapen, and name them.

    expected: the shapes for given sizes; source: the name of the file with the sizes.
    """
    if config.n_layer > len(found):  # before a list of a billion names is made
        raise CheckpointError(
            f"{len(found)} tensors are too few for n_layer {config.n_layer} in {source}"
        )
    wanted = expected(config)
    missing = [name for name in wanted if name not in found]
    unexpected = [f"{name!a:.80}" for name in found if name not in wanted]
    misshapen = [
        f"{name} {list(found[name])}, expected {list(shape)}"
        for name, shape in wanted.items()
        if name in found and found[name] != shape
    ]
    lists = {"missing": missing, "unexpected": unexpected, "misshapen": misshapen}
    problems = []
    for problem, names in lists.items():
        if names:
            more = ", ..." if len(names) > N_LISTED else ""
            problems.append(f"{len(names)} {problem}: {', '.join(names[:N_LISTED])}{more}")
    if problems:
        raise CheckpointError(f"tensors differ from {source}: " + "; ".join(problems))


def check_finite(folder, params: dict) -> None:
    """Raise CheckpointError if a parameter is infinite or not a number."""
    for path, x in flatten(params).items():
        if isinstance(x, CompactMatrix):  # which was looked at when it was made
            continue
        # The sum of squares is finite, unless x holds something else, or numbers so large that each
        # has to be looked at.
        with np.errstate(all="ignore"):
            if not np.isfinite(np.vdot(x, x)) and not np.isfinite(x).all():
                value = x[~np.isfinite(x)][0]
                raise CheckpointError(f"{folder}: the parameter {path} holds {value}")
