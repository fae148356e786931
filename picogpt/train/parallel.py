"""A batch on several cores: its windows are independent, so each thread can take some of them.

NumPy lets other threads run while it computes. So the threads share all the work, not only the
matrix products as OpenBLAS's own threads do. In parts, a batch also needs less memory at a time.
"""

from concurrent.futures import Executor
from functools import partial

import numpy as np

from ..backward import loss_and_gradients
from ..config import flatten
from .frozen import loss_and_upper_gradients


def parallel_loss_and_gradients(
    ids: np.ndarray,
    targets: np.ndarray,
    params: dict,
    n_head: int,
    *,
    pool: Executor,
    n_parts: int,
    freeze: int | None = None,
    dropout: float = 0.0,
    rng: np.random.Generator | None = None,
) -> tuple[float, dict]:
    """Like loss_and_gradients, with the gradients flat: path -> array.

    ids, targets: [n_batch, n_seq], where n_parts divides n_batch. The parts are computed by the
    threads of the pool, and added in their order, so that the result does not depend on which
    is ready first, nor on the number of threads. freeze: see loop.trainable; what is frozen has no
    gradient.
    """
    compute = loss_and_gradients
    if freeze is not None:
        compute = partial(loss_and_upper_gradients, freeze=freeze)
    seeds = rng.integers(2**63, size=n_parts) if dropout else range(n_parts)

    def part(ids, targets, seed):
        rng = np.random.default_rng(seed)
        return compute(ids, targets, params, n_head, dropout=dropout, rng=rng)

    parts = pool.map(part, np.split(ids, n_parts), np.split(targets, n_parts), seeds)
    loss, grads = next(parts)
    total = flatten(grads)
    for part_loss, grads in parts:
        loss += part_loss
        for path, g in flatten(grads).items():
            total[path] += g
    for g in total.values():
        g *= 1.0 / n_parts
    return loss / n_parts, total
