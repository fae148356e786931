"""Matrices in int8, float16 and bfloat16: how fast they write, and the memory of a large model.

Speed: 124M parameters, greedy, beside CTranslate2 with the same weights; each round is a process of
its own, the kinds take turns, and the median of the rounds counts. Memory: a checkpoint of the 1558M's size that TensorFlow writes, 6.2 GB,
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
CTRANSLATE2_ASKED = {"float32": ">= 1.2 x", "int8": ""}
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


CTRANSLATE2 = """
import os, sys, time
import ctranslate2
folder, prompt, n, dtype = sys.argv[1], sys.argv[2], int(sys.argv[3]), sys.argv[4]
tokens = list(prompt.replace(" ", chr(0x120)))
model = ctranslate2.Generator(folder, compute_type=dtype, intra_threads=os.cpu_count())
def write(n):
    model.generate_batch([tokens], max_length=n, min_length=n, sampling_topk=1)
write(5)
start = time.perf_counter()
write(n)
print(n / (time.perf_counter() - start))
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


def convert(folder: Path) -> None:
    """Write the model in a folder for CTranslate2, by way of Hugging Face's layout."""
    from ctranslate2.converters import TransformersConverter

    import picogpt

    picogpt.load(folder).save(folder / "hugging-face")
    TransformersConverter(str(folder / "hugging-face")).convert(str(folder / "ctranslate2"))


def apart(function, *arguments) -> None:
    """Call a function in a process of its own, which may become large."""
    process = multiprocessing.get_context("spawn").Process(target=function, args=arguments)
    process.start()
    process.join()


def work(folder: Path, dtype: str, n: int) -> dict[str, float]:
    """What a process that writes n tokens says of itself."""
    return json.loads(run("-c", WORK, folder, PROMPT, n, dtype)[1])


def medians(rounds: list[dict[str, float]]) -> dict[str, float]:
    return {name: statistics.median(each[name] for each in rounds) for name in rounds[0]}


def row(name: str, ours: float, peer: float, asked: str) -> tuple[str, str, str, str, str]:
    """A row of the table, of tokens per second."""
    return (name, f"{ours:.1f} tokens/s", f"{peer:.1f} tokens/s", f"{ours / peer:.2f} x", asked)


def measure(folder: Path) -> list[tuple[str, str, str, str, str]]:
    """The rows of the table: measure, ours, peer's, ratio, what is asked."""
    large = "1558M" if shutil.disk_usage(folder).free > 8e9 else "774M"
    apart(write_folder, folder / large, large)
    found = work(folder / large, "int8", N_TOKENS)
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
    small = folder / "124M"
    apart(write_folder, small, "124M")
    apart(convert, small)
    ours, theirs = [], []
    for _ in range(ROUNDS):
        ours.append({dtype: work(small, dtype, N_TIMED)["speed"] for dtype in DTYPES})
        theirs.append(
            {
                dtype: float(
                    run("-c", CTRANSLATE2, small / "ctranslate2", PROMPT, N_TIMED, dtype)[1]
                )
                for dtype in CTRANSLATE2_ASKED
            }
        )
    ours, theirs = map(medians, (ours, theirs))
    for dtype in DTYPES[1:]:
        rows.append(
            row(
                f"decode {N_TIMED} tokens in {dtype}, beside float32",
                ours[dtype],
                ours["float32"],
                ">= 0.8 x" if dtype == "int8" else "",
            )
        )
    for dtype, asked in CTRANSLATE2_ASKED.items():
        rows.append(
            row(
                f"decode {N_TIMED} tokens in {dtype}, beside CTranslate2",
                ours[dtype],
                theirs[dtype],
                asked,
            )
        )
    return rows


if __name__ == "__main__":
    with tempfile.TemporaryDirectory(dir=sys.argv[1] if len(sys.argv) > 1 else None) as temporary:
        for row in measure(Path(temporary)):
            print(" | ".join(row), flush=True)
