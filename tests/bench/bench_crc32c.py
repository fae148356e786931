"""How fast a file of 124M's size is checked, beside zlib's CRC-32 (in C) in the same run."""

import tempfile
import time
import tracemalloc
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np

from picogpt.weights.crc32c import crc32c

N_BYTES = 497_759_232  # model.ckpt.data-00000-of-00001 of 124M
REPEATS = 3


def speed(function: Callable, data: np.ndarray) -> float:
    """MB per second, the best of a few runs."""
    seconds = []
    for _ in range(REPEATS):
        start = time.perf_counter()
        function(data)
        seconds.append(time.perf_counter() - start)
    return len(data) / min(seconds) / 1e6


def peak_memory(function: Callable, data: np.ndarray) -> int:
    """Bytes allocated at once, the mapped file not counted."""
    tracemalloc.start()
    function(data)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    return peak


def measure() -> list[tuple[str, str, str, str, str]]:
    """Rows of the table: measure, ours, zlib's, ratio, what is asked."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "data"
        np.random.default_rng(0).integers(256, size=N_BYTES, dtype=np.uint8).tofile(path)
        data = np.memmap(path, np.uint8, mode="r")
        ours, theirs = speed(crc32c, data), speed(zlib.crc32, data)
        peak = peak_memory(crc32c, data)
        del data
    return [
        (
            f"CRC-32C of a mapped file of {N_BYTES / 1e6:.0f} MB (peer: zlib's CRC-32, in C)",
            f"{ours:.0f} MB/s",
            f"{theirs:.0f} MB/s",
            f"{ours / theirs:.2f} x",
            ">= 150 MB/s",
        ),
        ("memory that it allocates", f"{peak / 1e6:.2f} MB", "", "", ""),
    ]
