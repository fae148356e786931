"""All figures in one table: `make bench`, about fifteen minutes on an otherwise idle machine.

Speeds are ratios against a peer measured in the same run, in alternating rounds. Encoding and
learning a vocabulary need OpenAI's vocabulary and a corpus, in the folder that PICOGPT_TEST_DATA
names.
"""

import ctypes
import datetime
import importlib.metadata
import os
import platform
import sys
import tempfile
from pathlib import Path

import bench_bpe
import bench_compact
import bench_course
import bench_crc32c
import bench_evaluate
import bench_fairytale
import bench_generate
import bench_learn_bpe
import bench_train

from picogpt.threads import openblas

HEADINGS = ("measure", "picogpt", "peer", "ratio", "asked")
PEERS = ("numpy", "torch", "transformers", "tokenizers")


def kernel() -> str:
    """For which processor OpenBLAS multiplies."""
    if library := openblas():
        library.scipy_openblas_get_corename64_.restype = ctypes.c_char_p
        return library.scipy_openblas_get_corename64_().decode()
    return "none"


def machine() -> str:
    """What the figures were measured on."""
    processor = platform.processor() or platform.machine()
    if (cpuinfo := Path("/proc/cpuinfo")).exists():
        lines = cpuinfo.read_text().splitlines()
        processor = next((s.split(": ")[1] for s in lines if s.startswith("model name")), processor)
    versions = ", ".join(f"{name} {importlib.metadata.version(name)}" for name in PEERS)
    python = platform.python_version()
    return (
        f"{processor}, {os.cpu_count()} cores, OpenBLAS's kernel {kernel()}; Python {python}, "
        f"{versions}; {datetime.date.today()}"
    )


def main() -> None:
    print(machine() + "\n", flush=True)
    rows = [HEADINGS]
    with tempfile.TemporaryDirectory() as folder:
        rows += bench_generate.measure(Path(folder))
    with tempfile.TemporaryDirectory() as folder:
        rows += bench_compact.measure(Path(folder))
    rows += bench_fairytale.measure()
    if data := os.environ.get("PICOGPT_TEST_DATA"):
        rows += bench_bpe.measure(Path(data))
        rows += bench_learn_bpe.measure(Path(data))
    else:
        print(
            "PICOGPT_TEST_DATA is not set: encoding and learning are not measured\n",
            file=sys.stderr,
        )
    rows += bench_evaluate.measure()
    rows += bench_crc32c.measure()
    rows += bench_train.measure()
    rows += bench_course.measure()
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        cells = (cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        print(f"| {' | '.join(cells)} |")
        if row == HEADINGS:
            print(f"|{'|'.join('-' * (width + 2) for width in widths)}|")


if __name__ == "__main__":
    main()
