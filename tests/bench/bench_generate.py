"""Generation at 124M size, beside transformers on PyTorch: speed, start, memory.

Both get the same random weights and the same made-up vocabulary of GPT-2's size, so nothing is
downloaded. Each measurement is a process of its own; the two sides take turns, and the median of
the rounds counts, so that what else the machine does meets both alike.
"""

import json
import multiprocessing
import os
import shutil
import statistics
import subprocess
import sys
import time
from itertools import islice, product
from pathlib import Path

ROUNDS = 5
N_TOKENS = 100
PROMPT = "Once upon a time there was a king"
CHECKPOINT_BYTES = 497759232  # 124M parameters of 4 bytes

OURS = """
import json, resource, sys, time
import picogpt
folder, prompt, n = sys.argv[1], sys.argv[2], int(sys.argv[3])
model = picogpt.load(folder)
model.generate(prompt, 5)
start = time.perf_counter()
model.generate(prompt, n)
seconds = time.perf_counter() - start
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)
print(json.dumps({"seconds": seconds, "peak": peak}))
"""

THEIRS = """
import json, sys, time
import torch
from transformers import GPT2LMHeadModel, GPT2TokenizerFast
folder, prompt, n = sys.argv[1], sys.argv[2], int(sys.argv[3])
tokenizer = GPT2TokenizerFast.from_pretrained(folder)
model = GPT2LMHeadModel.from_pretrained(folder).eval()
inputs = tokenizer(prompt, return_tensors="pt")
def generate(n):
    return model.generate(
        **inputs, max_new_tokens=n, min_new_tokens=n, do_sample=False, pad_token_id=0
    )
generate(5)
start = time.perf_counter()
generate(n)
print(json.dumps({"seconds": time.perf_counter() - start}))
"""

THEIR_SCRIPT = """
import sys
from transformers import GPT2LMHeadModel, GPT2TokenizerFast
folder, prompt, n = sys.argv[1], sys.argv[2], int(sys.argv[3])
tokenizer = GPT2TokenizerFast.from_pretrained(folder)
model = GPT2LMHeadModel.from_pretrained(folder)
ids = tokenizer(prompt, return_tensors="pt")
out = model.generate(**ids, max_new_tokens=n, do_sample=False, pad_token_id=0)
print(tokenizer.decode(out[0]))
"""


def vocabulary() -> tuple[dict[str, int], list[tuple[str, str]]]:
    """A byte-level BPE vocabulary of GPT-2's size, whose merges are just the first pairs of bytes."""
    from picogpt.bpe.pretokenize import ALPHABET

    letters = sorted(ALPHABET)
    merges = list(islice(product(letters, letters), 50000))
    tokens = [*letters, *map("".join, merges), "<|endoftext|>"]
    return {token: i for i, token in enumerate(tokens)}, merges


def write_folders(folder: Path) -> None:
    """The same random model for both: as OpenAI's, written by TensorFlow, and as transformers'."""
    from support import random_params
    from tf_writer import write_model_folder
    from torch_gpt2 import torch_gpt2

    from picogpt.config import SIZES

    config = SIZES["124M"]
    params = random_params(config, seed=0)
    encoder, merges = vocabulary()
    ours, theirs = folder / "ours", folder / "theirs"
    names = folder / "vocabulary"
    names.mkdir()
    (names / "encoder.json").write_text(json.dumps(encoder), "utf-8")
    lines = ["#version: 0.2", *map(" ".join, merges)]
    (names / "vocab.bpe").write_text("\n".join(lines) + "\n", "utf-8")
    write_model_folder(ours, config, params, names)
    torch_gpt2(config, params).save_pretrained(theirs)
    shutil.copy(names / "encoder.json", theirs / "vocab.json")
    shutil.copy(names / "vocab.bpe", theirs / "merges.txt")


def run(*command: object) -> tuple[float, str]:
    """Seconds and output of a Python process."""
    environment = os.environ | {"HF_HUB_OFFLINE": "1", "TRANSFORMERS_VERBOSITY": "error"}
    start = time.perf_counter()
    done = subprocess.run(
        [sys.executable, *map(str, command)],
        env=environment,
        check=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    return time.perf_counter() - start, done.stdout


def measure(folder: Path) -> list[tuple[str, str, str, str, str]]:
    """Rows of the table: measure, ours, theirs, ratio or difference, what is asked."""
    # A process counts its parent's size into its own peak, so this one must stay small.
    writer = multiprocessing.get_context("spawn").Process(target=write_folders, args=[folder])
    writer.start()
    writer.join()
    ours, theirs = folder / "ours", folder / "theirs"
    decode, first, imports, peaks = [], [], [], []
    for _ in range(ROUNDS):
        a = json.loads(run("-c", OURS, ours, PROMPT, N_TOKENS)[1])
        b = json.loads(run("-c", THEIRS, theirs, PROMPT, N_TOKENS)[1])
        decode.append((N_TOKENS / a["seconds"], N_TOKENS / b["seconds"]))
        peaks.append(a["peak"])
        ours_first = run("-m", "picogpt", "-m", ours, "-n", 1, "-t", 0, PROMPT)[0]
        first.append((ours_first, run("-c", THEIR_SCRIPT, theirs, PROMPT, 1)[0]))
        imports.append(run("-c", "import picogpt")[0])
    (speed, their_speed), (start, their_start) = (
        map(statistics.median, zip(*pairs, strict=True)) for pairs in (decode, first)
    )
    over = (max(peaks) - CHECKPOINT_BYTES) / 1e6
    return [
        (
            f"decode {N_TOKENS} tokens, one text",
            f"{speed:.1f} tokens/s",
            f"{their_speed:.1f} tokens/s",
            f"{speed / their_speed:.2f} x",
            ">= 1 x",
        ),
        (
            "process start to first token",
            f"{start:.2f} s",
            f"{their_start:.2f} s",
            f"{their_start / start:.2f} x",
            ">= 5 x",
        ),
        ("import picogpt (process)", f"{statistics.median(imports):.2f} s", "", "", "< 0.3 s"),
        (f"peak memory over the weights, {N_TOKENS} tokens", f"{over:.0f} MB", "", "", "<= 200 MB"),
    ]
