"""How fast the bundled model writes, beside transformers on the same folder, and beside its limit.

The limit is the time in which its matrices can be read from memory, each times one vector. Both
sides take the likeliest token, with their caches. Each round is a process of its own, the two sides
take turns, and the median of the rounds counts.
"""

import statistics
import subprocess
import sys

ROUNDS = 5
N_TOKENS = 200  # with the prompt they fit into n_ctx = 256
PROMPT = "Once upon a time"


OURS = """
import sys, time
import numpy as np
import picogpt
from picogpt.config import flatten
n, prompt = int(sys.argv[1]), sys.argv[2]
model = picogpt.load("fairytale")
model.tokenizer.endoftext = -1  # no token: a story that ends early would be no measure
matrices = [x for path, x in flatten(model.params).items() if x.ndim == 2 and path != "wpe"]
matrices = [x.T if len(x) == model.config.n_vocab else x for x in matrices]
vectors = {len(x): np.ones((1, len(x)), np.float32) for x in matrices}
def read():
    for _ in range(n):
        for x in matrices:
            vectors[len(x)] @ x
def seconds(work):
    work()
    start = time.perf_counter()
    work()
    return time.perf_counter() - start
print(n / seconds(lambda: model.generate(prompt, n)), n / seconds(read))
"""

THEIRS = """
import sys, time
import torch
from transformers import GPT2LMHeadModel, PreTrainedTokenizerFast
n, prompt, folder = int(sys.argv[1]), sys.argv[2], sys.argv[3]
model = GPT2LMHeadModel.from_pretrained(folder, dtype=torch.float32).eval()
ids = PreTrainedTokenizerFast.from_pretrained(folder)(prompt, return_tensors="pt").input_ids
def write():
    with torch.no_grad():
        model.generate(ids, attention_mask=torch.ones_like(ids), do_sample=False, pad_token_id=0,
                       max_new_tokens=n, min_new_tokens=n, eos_token_id=None)
write()
start = time.perf_counter()
write()
print(n / (time.perf_counter() - start))
"""


def tokens_per_second(script: str, *arguments: str) -> list[float]:
    command = [sys.executable, "-c", script, str(N_TOKENS), PROMPT, *arguments]
    done = subprocess.run(command, stdout=subprocess.PIPE, check=True, text=True)
    return [float(number) for number in done.stdout.split()]


def measure() -> list[tuple[str, str, str, str, str]]:
    """The rows of the table: measure, ours, peer's, ratio, what is asked."""
    from picogpt.weights.find import find_model

    folder = str(find_model("fairytale", offline=True))
    ours, limits, theirs = [], [], []
    for _ in range(ROUNDS):
        speed, limit = tokens_per_second(OURS)
        ours.append(speed)
        limits.append(limit)
        theirs += tokens_per_second(THEIRS, folder)
    speed, limit, peer = map(statistics.median, (ours, limits, theirs))
    name = f"decode {N_TOKENS} tokens, the bundled model"
    unit = "tokens/s"
    return [
        (name, f"{speed:.0f} {unit}", f"{peer:.0f} {unit}", f"{speed / peer:.2f}", ">= 3.00"),
        ("... beside reading its weights", "", f"{limit:.0f} {unit}", f"{speed / limit:.2f}", ">= 0.50"),
    ]  # fmt: skip


if __name__ == "__main__":
    for row in measure():
        print(" | ".join(row))
