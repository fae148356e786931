"""Matrices in int8, float16 and bfloat16: how fast they write, and the memory of a large model.

Speed: 124M parameters, greedy; each round is a process of its own, the kinds take turns, and the
median of the rounds counts. Memory: a checkpoint of the 1558M's size that TensorFlow writes, 6.2 GB,
is loaded with dtype="int8", and 100 tokens are written; where less than 8 GB of disk are free, the
774M's. The highest memory of that process counts, with Python and NumPy.
"""

import json
import multiprocessing
import shutil
import statistics
import sys
import tempfile
from pathlib import Path

from bench_generate import N_TOKENS, PROMPT, ROUNDS, run, vocabulary

N_TIMED = 40  # tokens in each round
DTYPES = ("float32", "int8", "bfloat16", "float16")
LIMITS = {"1558M": 2.2e9, "774M": 1.2e9}  # bytes

WORK = """
import json, resource, sys, time
import numpy as np
import picogpt
folder, prompt, n, dtype = sys.argv[1], sys.argv[2], int(sys.argv[3]), sys.argv[4]
start = time.perf_counter()
model = picogpt.load(folder, dtype=dtype)
loading = time.perf_counter() - start
model.tokenizer.endoftext = -1  # no token: a text that ends early would be no measure
model.generate(prompt, 5)
start = time.perf_counter()
model.generate(prompt, n)
seconds = time.perf_counter() - start
unit = 1 if sys.platform == "darwin" else 1024
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit
print(json.dumps({"loading": loading, "speed": n / seconds, "peak": peak}))
"""


def write_folder(folder: Path, size: str) -> None:
    """A model of random numbers, laid out as OpenAI's."""
    import numpy as np
    from tf_writer import write_model_folder

    from picogpt.config import SIZES, param_shapes, unflatten

    rng = np.random.default_rng(0)
    flat = {}
    for path, shape in param_shapes(SIZES[size]).items():
        flat[path] = rng.standard_normal(shape, np.float32)
        flat[path] *= 0.02
        if path.endswith(".g"):
            flat[path] += 1.0
    folder.mkdir()
    encoder, merges = vocabulary()
    (folder / "encoder.json").write_text(json.dumps(encoder), "utf-8")
    lines = ["#version: 0.2", *map(" ".join, merges)]
    (folder / "vocab.bpe").write_text("\n".join(lines) + "\n", "utf-8")
    write_model_folder(folder, SIZES[size], unflatten(flat), n_shards=8)


def made(folder: Path, size: str) -> Path:
    """The folder of a model of that size, written by a process of its own, which may be large."""
    writer = multiprocessing.get_context("spawn").Process(
        target=write_folder, args=[folder / size, size]
    )
    writer.start()
    writer.join()
    return folder / size


def work(folder: Path, dtype: str, n: int) -> dict[str, float]:
    """What a process that writes n tokens says of itself."""
    return json.loads(run("-c", WORK, folder, PROMPT, n, dtype)[1])


def measure(folder: Path) -> list[tuple[str, str, str, str, str]]:
    """The rows of the table: measure, ours, peer's, ratio, what is asked."""
    large = "1558M" if shutil.disk_usage(folder).free > 8e9 else "774M"
    found = work(made(folder, large), "int8", N_TOKENS)
    shutil.rmtree(folder / large)
    rows = [
        (
            f"peak memory, {large} in int8",
            f"{found['peak'] / 1e9:.2f} GB",
            f"loaded in {found['loading']:.0f} s",
            f"{found['speed']:.1f} tokens/s",
            f"<= {LIMITS[large] / 1e9} GB",
        )
    ]
    small = made(folder, "124M")
    rounds = [
        {dtype: work(small, dtype, N_TIMED)["speed"] for dtype in DTYPES} for _ in range(ROUNDS)
    ]
    speeds = {dtype: statistics.median(each[dtype] for each in rounds) for dtype in DTYPES}
    for dtype in DTYPES[1:]:
        cells = (f"{speeds[name]:.1f} tokens/s" for name in (dtype, "float32"))
        ratio = f"{speeds[dtype] / speeds['float32']:.2f} x"
        asked = ">= 0.8 x" if dtype == "int8" else ""
        rows.append((f"decode {N_TIMED} tokens in {dtype}", *cells, ratio, asked))
    return rows


if __name__ == "__main__":
    with tempfile.TemporaryDirectory(dir=sys.argv[1] if len(sys.argv) > 1 else None) as temporary:
        for row in measure(Path(temporary)):
            print(" | ".join(row), flush=True)
