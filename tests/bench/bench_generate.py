"""Generation at 124M size, beside transformers on PyTorch: speed, start, memory.

Both get the same random weights and the same made-up vocabulary of GPT-2's size, so nothing is
downloaded. Each measurement is a process of its own; the two sides take turns, and the median of
the rounds counts, so that what else the machine does meets both alike.

For the repetitive text both sides get the weights without positions and without attention: the
next token then depends on the last one alone, and the text soon goes round in a circle.
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
N_PROMPT = 1024
N_SAMPLES, N_SAMPLED = 8, 25
PROMPT = "Once upon a time there was a king"
CHECKPOINT_BYTES = 497759232  # 124M parameters of 4 bytes

OURS = """
import json, resource, subprocess, sys, time
import numpy as np
import picogpt
from picogpt.config import flatten
from picogpt.kv_cache import KVCache
from picogpt.model import gpt2
folder, prompt, n, n_prompt, n_samples, n_sampled = sys.argv[1], sys.argv[2], *map(int, sys.argv[3:])
found = {}
def measure(name, work):
    start = time.perf_counter()
    work()
    found[name] = time.perf_counter() - start
def peak():
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit
model = picogpt.load(folder)
model.generate(prompt, 5)
measure("decode", lambda: model.generate(prompt, n))
found["peak"] = peak()
# The matrices that a token needs, each times one vector, as often as there are tokens: nothing can
# be faster than reading them.
matrices = [x for path, x in flatten(model.params).items() if x.ndim == 2 and path != "wpe"]
matrices = [x.T if len(x) == model.config.n_vocab else x for x in matrices]
vectors = {len(x): np.ones((1, len(x)), np.float32) for x in matrices}
def read():
    for x in matrices:
        vectors[len(x)] @ x
read()
measure("reading", lambda: [read() for _ in range(n)])
found["bytes"] = sum(x.nbytes for x in matrices)
ids = np.random.default_rng(0).integers(0, model.config.n_vocab, n_prompt)
prefill = lambda: gpt2(
    ids, **model.params, n_head=model.config.n_head, cache=KVCache(model.config), at=-1
)
measure("prefill", prefill)
found["peak of a long prompt"] = peak()
with subprocess.Popen([sys.executable, "-c", "while True: pass"]) as busy:
    measure("prefill, busy", prefill)
    busy.kill()
measure("decode with lookup", lambda: model.generate(prompt, n, lookup=True))
options = {"temperature": 0.8, "top_k": 40}
model.generate_batch([prompt], 5, num_samples=n_samples, **options)
def one_by_one():
    for seed in range(n_samples):
        model.generate(prompt, n_sampled, seed=seed, **options)
def together():
    model.generate_batch([prompt], n_sampled, num_samples=n_samples, seed=0, **options)
measure("one by one", one_by_one)
measure("together", together)
for path, x in flatten(model.params).items():
    if path == "wpe" or ".attn.c_proj." in path:
        *parents, leaf = path.split(".")
        tree = model.params
        for name in parents:
            tree = tree[int(name) if name.isdigit() else name]
        tree[leaf] = np.zeros_like(x)
measure("repetitive", lambda: model.generate(prompt, n, lookup=True))
print(json.dumps(found))
"""

THEIRS = """
import json, subprocess, sys, time
import torch
from transformers import GPT2LMHeadModel, GPT2TokenizerFast
folder, prompt, n, n_prompt = sys.argv[1], sys.argv[2], *map(int, sys.argv[3:])
found = {}
def measure(name, work):
    start = time.perf_counter()
    work()
    found[name] = time.perf_counter() - start
tokenizer = GPT2TokenizerFast.from_pretrained(folder)
model = GPT2LMHeadModel.from_pretrained(folder).eval()
inputs = tokenizer(prompt, return_tensors="pt")
def generate(n):
    return model.generate(
        **inputs, max_new_tokens=n, min_new_tokens=n, do_sample=False, pad_token_id=0
    )
generate(5)
measure("decode", lambda: generate(n))
ids = torch.randint(0, 50257, (1, n_prompt))
with torch.no_grad():
    model(ids[:, :100], logits_to_keep=1)
    prefill = lambda: model(ids, logits_to_keep=1)
    measure("prefill", prefill)
    with subprocess.Popen([sys.executable, "-c", "while True: pass"]) as busy:
        measure("prefill, busy", prefill)
        busy.kill()
    model.transformer.wpe.weight.zero_()
    for block in model.transformer.h:
        block.attn.c_proj.weight.zero_()
        block.attn.c_proj.bias.zero_()
measure("repetitive", lambda: generate(n))
print(json.dumps(found))
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
    """A byte-level BPE vocabulary of GPT-2's size, whose merges are the first pairs of bytes."""
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
    our_rounds, their_rounds = [], []
    for _ in range(ROUNDS):
        numbers = (N_TOKENS, N_PROMPT, N_SAMPLES, N_SAMPLED)
        a = json.loads(run("-c", OURS, ours, PROMPT, *numbers)[1])
        b = json.loads(run("-c", THEIRS, theirs, PROMPT, N_TOKENS, N_PROMPT)[1])
        for n in (1, 40):
            a[f"start to {n}"] = run("-m", "picogpt", "-m", ours, "-n", n, "-t", 0, PROMPT)[0]
            b[f"start to {n}"] = run("-c", THEIR_SCRIPT, theirs, PROMPT, n)[0]
        a["import"] = run("-c", "import picogpt")[0]
        b["import"] = run("-c", "import numpy")[0]
        a["fairytale"] = run("-m", "picogpt", "-m", "fairytale", "-n", 1, PROMPT)[0]
        our_rounds.append(a)
        their_rounds.append(b)
    a, b = (
        {name: statistics.median(found[name] for found in rounds) for name in rounds[0]}
        for rounds in (our_rounds, their_rounds)
    )
    return [
        speeds(f"decode {N_TOKENS} tokens, one text", N_TOKENS, a["decode"], b["decode"], 1.2),
        speeds("the same, repetitive, lookup", N_TOKENS, a["repetitive"], b["repetitive"], 3),
        speeds("the same, not repetitive", N_TOKENS, a["decode with lookup"], a["decode"], 0.95),
        (
            "decode over the memory's limit",
            f"{N_TOKENS / a['decode']:.1f} tokens/s",
            f"{N_TOKENS / a['reading']:.1f} ({a['bytes'] * N_TOKENS / a['reading'] / 1e9:.1f} GB/s)",
            f"{a['reading'] / a['decode']:.2f} x",
            ">= 0.8 x",
        ),
        speeds(f"prompt of {N_PROMPT} tokens", N_PROMPT, a["prefill"], b["prefill"], 1.0),
        speeds(
            "the same, beside a busy process",
            N_PROMPT,
            a["prefill, busy"],
            b["prefill, busy"],
            1.0,
        ),
        speeds(
            f"{N_SAMPLES} samples together or one by one",
            N_SAMPLES * N_SAMPLED,
            a["together"],
            a["one by one"],
            2.5,
        ),
        times("process start to first token", a["start to 1"], b["start to 1"], 5),
        times("process start to 40 tokens", a["start to 40"], b["start to 40"], 4),
        overhead("import picogpt, beside import numpy", a["import"], b["import"], 1.5),
        overhead("first token of fairytale, beside it", a["fairytale"], b["import"], 2.5),
        memory(f"peak memory over the weights, {N_TOKENS} tokens", a["peak"], 200),
        memory(f"the same, prompt of {N_PROMPT}", a["peak of a long prompt"], 400),
    ]


def speeds(name: str, n: int, ours: float, peer: float, asked: float) -> tuple[str, ...]:
    """A row: n tokens took us and a peer that many seconds."""
    sides = (f"{n / seconds:.1f} tokens/s" for seconds in (ours, peer))
    return (name, *sides, f"{peer / ours:.2f} x", f">= {asked} x")


def times(name: str, ours: float, peer: float, asked: float) -> tuple[str, ...]:
    """A row: something took us and a peer that many seconds."""
    return (name, f"{ours:.2f} s", f"{peer:.2f} s", f"{peer / ours:.2f} x", f">= {asked} x")


def overhead(name: str, ours: float, least: float, asked: float) -> tuple[str, ...]:
    """A row: something took us so many times as long as what cannot be left out."""
    return (name, f"{ours:.2f} s", f"{least:.2f} s", f"{ours / least:.2f} x", f"<= {asked} x")


def memory(name: str, peak: float, asked: int) -> tuple[str, ...]:
    """A row: the most memory that a process of ours used, in bytes."""
    return (name, f"{(peak - CHECKPOINT_BYTES) / 1e6:.0f} MB", "", "", f"<= {asked} MB")
