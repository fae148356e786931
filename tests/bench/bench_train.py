"""A step of training beside PyTorch's, on two cores, in alternating rounds.

Both sides compute loss, gradients and one step of AdamW from the same weights on the same batch,
without dropout; PyTorch's model is transformers' in its default form, with the fused attention.
Ours spreads the parts of the batch over two threads, so OpenBLAS is told to use none of its own,
which must be said before NumPy is imported: hence a process of its own.
"""

import json
import os
import statistics
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np

from picogpt.config import Config, flatten
from picogpt.train.adamw import adamw, zero_moments
from picogpt.train.parallel import parallel_loss_and_gradients

ROUNDS = 9
SECONDS_PER_ROUND = 1.0  # of each side
# Batch, length, parts of the batch, sizes, and the ratio that is asked for.
SHAPES = [
    (12, 64, 2, Config(n_vocab=65, n_ctx=64, n_embd=128, n_head=4, n_layer=4), ">= 1 x"),
    (8, 256, 4, Config(n_vocab=4096, n_ctx=256, n_embd=256, n_head=8, n_layer=6), ">= 0.8 x"),
]
RATES = {"lr": 1e-4, "betas": (0.9, 0.95), "eps": 1e-8, "weight_decay": 0.1}


def our_step(config: Config, params: dict, ids, targets, pool, n_parts: int):
    """A function that takes one step and returns the loss before it."""
    flat = flatten(params)
    moments = zero_moments(flat)
    n_steps = 0

    def step() -> float:
        nonlocal n_steps
        n_steps += 1
        loss, grads = parallel_loss_and_gradients(
            ids, targets, params, config.n_head, pool=pool, n_parts=n_parts
        )
        adamw(flat, grads, moments, n_steps, **RATES)
        return loss

    return step


def torch_step(config: Config, params: dict, ids, targets):
    """The same in PyTorch."""
    import torch
    from torch_training import torch_loss, torch_trainable

    torch.set_num_threads(2)
    model = torch_trainable(config, params)
    optimizer = torch.optim.AdamW(model.parameters(), **RATES)

    def step() -> float:
        loss = torch_loss(model, ids, targets)
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
        return loss.item()

    return step


def seconds(step) -> float:
    """The mean time of a step, over about SECONDS_PER_ROUND."""
    n_steps, start = 0, time.perf_counter()
    while time.perf_counter() - start < SECONDS_PER_ROUND:
        step()
        n_steps += 1
    return (time.perf_counter() - start) / n_steps


def compare() -> list[tuple[str, str, str, str, str]]:
    """Rows of the table: measure, ours, PyTorch's, ratio, what is asked."""
    from support import random_params

    rows = []
    for n_batch, n_seq, n_parts, config, asked in SHAPES:
        params = random_params(config, seed=0)
        text = np.random.default_rng(0).integers(config.n_vocab, size=(n_batch, n_seq + 1))
        batch = text[:, :-1], text[:, 1:]
        with ThreadPoolExecutor(2) as pool:
            theirs = torch_step(config, params, *batch)  # before ours changes the params
            ours = our_step(config, params, *batch, pool, n_parts)
            assert abs(ours() - theirs()) < 1e-4, "the losses differ"
            times = [(seconds(ours), seconds(theirs)) for _ in range(ROUNDS)]
        ours_s, theirs_s = (statistics.median(column) for column in zip(*times, strict=True))
        sizes = f"{n_batch} x {n_seq}, {config.n_layer} layers of {config.n_embd}"
        rows.append(
            (
                f"training step, {sizes}, {config.n_vocab} tokens",
                f"{ours_s * 1e3:.1f} ms",
                f"{theirs_s * 1e3:.1f} ms",
                f"{theirs_s / ours_s:.2f} x",
                asked,
            )
        )
    return rows


def measure() -> list[tuple[str, str, str, str, str]]:
    """The rows of compare(), computed in a process in which OpenBLAS has no threads of its own."""
    run = subprocess.run(
        [sys.executable, __file__],
        env=os.environ | {"OPENBLAS_NUM_THREADS": "1", "PYTHONPATH": os.pathsep.join(sys.path)},
        stdout=subprocess.PIPE,
        check=True,
    )
    return [tuple(row) for row in json.loads(run.stdout)]


if __name__ == "__main__":
    if os.environ.get("OPENBLAS_NUM_THREADS") == "1":
        print(json.dumps(compare()))
    else:
        for row in measure():
            print(" | ".join(row))
