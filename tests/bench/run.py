"""All figures in one table: `make bench`, about half an hour on an otherwise idle machine.

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
from collections.abc import Iterable, Iterator
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

Row = tuple[str, ...]
HEADINGS: Row = ("measure", "picogpt", "peer", "ratio", "asked")
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


def measures() -> Iterator[list[Row]]:
    """The rows of each measure, in the order of the table."""
    for module in (bench_generate, bench_compact):
        with tempfile.TemporaryDirectory() as folder:
            yield module.measure(Path(folder))
    yield bench_fairytale.measure()
    if data := os.environ.get("PICOGPT_TEST_DATA"):
        yield bench_bpe.measure(Path(data))
        yield bench_learn_bpe.measure(Path(data))
    else:
        print("PICOGPT_TEST_DATA is not set: encoding and learning are left out", file=sys.stderr)
    for module in (bench_evaluate, bench_crc32c, bench_train, bench_course):
        yield module.measure()


def main() -> None:
    # Modules are compiled when they are first imported, and then kept, unless this forbids it.
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    print(machine() + "\n")
    print(line(HEADINGS))
    print(line("---" for _ in HEADINGS))
    # Each is shown when it is known: the whole takes its time, and somebody may end it.
    for rows in measures():
        for row in rows:
            print(line(row), flush=True)


def line(cells: Iterable[str]) -> str:
    """A row of a table in Markdown."""
    return f"| {' | '.join(cells)} |"


if __name__ == "__main__":
    main()
