"""Where the weights of a small model lie in memory: in one block, each matrix along its longer side.

To write a token, all weights are read once. That is fastest where the memory is read straight on: a
vector times a matrix of 1024 rows and 256 columns takes two thirds of the time if the matrix lies
in memory column by column, and the logits half. In one block the system can also use large pages.
All of this changes nothing but the time: `w[i, j]` is the same number.
"""

import math

import numpy as np

from ..config import flatten
from .compact import is_multiplied

MAX_BYTES = 64e6  # larger models stay mapped: a copy would delay the first token
ALIGNMENT = 16  # numbers: each array begins at a multiple of 64 bytes


def laid_out(params: dict) -> dict:
    """The tree of parameters, copied if it is small; a large or a compact one is returned as it is.

    A matrix that vectors are multiplied by lies row by row, or, if it has more rows than columns,
    column by column.
    """
    flat = flatten(params)
    arrays = all(isinstance(x, np.ndarray) for x in flat.values())
    if not arrays or sum(x.nbytes for x in flat.values()) > MAX_BYTES:
        return params
    places = [math.ceil(x.size / ALIGNMENT) * ALIGNMENT for x in flat.values()]
    block = np.empty(sum(places), np.float32)
    ends = np.cumsum(places)
    starts = dict(zip(flat, ends - places, strict=True))

    def copied(branch, path: str):
        if isinstance(branch, dict):
            return {key: copied(x, f"{path}.{key}".lstrip(".")) for key, x in branch.items()}
        if isinstance(branch, list):
            return [copied(x, f"{path}.{i}") for i, x in enumerate(branch)]
        if callable(branch):  # an activation function
            return branch
        place = block[starts[path] : starts[path] + branch.size]
        by_column = is_multiplied(path) and len(branch) > branch.shape[1]
        y = place.reshape(branch.shape, order="F" if by_column else "C")
        y[...] = branch
        return y

    return copied(params, "")
