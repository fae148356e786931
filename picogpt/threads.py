"""Sharing the work between the cores, where many positions are computed at once.

OpenBLAS spreads a matrix product over several threads. But everything between two products runs on
one core, and at the end of each product all threads wait for the slowest one, which takes long if
another process is using a core. Here each thread takes some of the rows through several
operations, and makes its own matrix products. NumPy lets other threads run while it computes.
"""

import ctypes
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path

import numpy as np


def on_threads(f: Callable[..., np.ndarray], *arrays: np.ndarray) -> np.ndarray:
    """f(*arrays), computed in parts of their first axis, as many as OpenBLAS has threads.

    f must treat each index of that axis by itself, so that only rounding can depend on the parts.
    """
    n_parts = min(n_blas_threads(), len(arrays[0]))
    if n_parts == 1:
        return f(*arrays)
    from concurrent.futures import ThreadPoolExecutor  # here, so that `import picogpt` stays quick

    cuts = np.linspace(0, len(arrays[0]), n_parts + 1).astype(int).tolist()
    parts = [[x[i:j] for x in arrays] for i, j in zip(cuts, cuts[1:], strict=False)]
    with one_blas_thread(), ThreadPoolExecutor(n_parts) as pool:
        return np.concatenate([*pool.map(lambda part: f(*part), parts)])


def n_blas_threads() -> int:
    """How many threads a product may take; 1 if NumPy's BLAS is not OpenBLAS."""
    library = openblas()
    return library.scipy_openblas_get_num_threads64_() if library else 1


@contextmanager
def one_blas_thread() -> Iterator[None]:
    """Within this context, each product takes one thread."""
    library, n_threads = openblas(), n_blas_threads()
    if library:
        library.scipy_openblas_set_num_threads64_(1)
    try:
        yield
    finally:
        if library:
            library.scipy_openblas_set_num_threads64_(n_threads)


@cache
def openblas() -> ctypes.CDLL | None:
    """The OpenBLAS that comes with NumPy's wheels; None where NumPy has another BLAS."""
    for path in Path(np.__file__).parents[1].glob("numpy.libs/libscipy_openblas64_*"):
        return ctypes.CDLL(str(path))
    return None
