"""200 LAMBADA-like items beside transformers' loop, one item at a time, in alternating rounds."""

import statistics
import time
from pathlib import Path

import numpy as np

import picogpt
from picogpt.evaluate.request import ending_request
from picogpt.evaluate.results import run

ROUNDS = 3
FOLDER = Path(picogpt.__file__).parent / "bundled" / "fairytale"


def measure() -> list[tuple[str, ...]]:
    """The row of the table."""
    import torch
    from transformers import AutoModelForCausalLM

    ours = picogpt.load(FOLDER)
    theirs = AutoModelForCausalLM.from_pretrained(FOLDER, dtype=torch.float32).eval()
    sentence = "The fox ran into the wood and met the old king. "
    items = [
        [ending_request(sentence * (3 + i % 6) + "It was", f" number {i}", ours.tokenizer, 256)]
        for i in range(200)
    ]

    @torch.no_grad()
    def loop() -> list[float]:
        sums = []
        for ids, n_scored in (item[0] for item in items):
            logprobs = theirs(torch.tensor([ids[:-1]])).logits[0, -n_scored:].log_softmax(-1)
            sums.append(float(logprobs[range(n_scored), ids[-n_scored:]].sum()))
        return sums

    def own() -> list[float]:
        return [r["logprobs"][0] for r in run(items, ours.params, ours.config.n_head)]

    np.testing.assert_allclose(own(), loop(), atol=1e-4)
    seconds: dict = {own: [], loop: []}
    for _ in range(ROUNDS):
        for side in seconds:
            began = time.perf_counter()
            side()
            seconds[side].append(time.perf_counter() - began)
    a, b = (len(items) / statistics.median(times) for times in seconds.values())
    name = "evaluating 200 items, fairytale (items/s)"
    return [(name, f"{a:.0f}", f"{b:.0f}", f"{a / b:.2f} x", ">= 1 x")]


if __name__ == "__main__":
    print(*measure()[0], sep=" | ")
