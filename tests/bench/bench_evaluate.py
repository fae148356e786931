"""Evaluating 200 items: our batches beside a loop over the items with transformers.

Each side runs in a process of its own, so that the threads of OpenBLAS and PyTorch do not meet.
"""

import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import picogpt
from picogpt.classroom.texts import DATA

FOLDER = Path(picogpt.__file__).parent / "bundled" / "fairytale"
PASSAGES = DATA / "passages.tsv"
ROUNDS = 5


def write_items(path: Path) -> None:
    """200 passages, each on a line, whose last word is to be predicted."""
    rows = [line.split("\t") for line in PASSAGES.read_text("utf-8").splitlines()[:200]]
    path.write_text("".join(f"{row[3]}\n" for row in rows), "utf-8")


def ours(path: Path) -> float:
    from picogpt.evaluate.protocols import lambada
    from picogpt.evaluate.results import run

    model = picogpt.load(FOLDER)

    def evaluate():
        items = [*lambada(path, "last-word", model.tokenizer, model.config.n_ctx)]
        run([item.requests for item in items], model.params, model.config.n_head)

    return seconds(evaluate)


def theirs(path: Path) -> float:
    import torch
    from transformers import AutoModelForCausalLM, PreTrainedTokenizerFast

    model = AutoModelForCausalLM.from_pretrained(FOLDER, dtype=torch.float32).eval()
    tokenizer = PreTrainedTokenizerFast.from_pretrained(FOLDER)

    @torch.no_grad()
    def evaluate():
        for text in path.read_text("utf-8").splitlines():
            context, ids = tokenizer.encode(text.rpartition(" ")[0]), tokenizer.encode(text)
            ending = torch.tensor(ids[len(context) :])
            logits = model(torch.tensor([ids[:-1]])).logits[0, -len(ending) :]
            logprobs = torch.log_softmax(logits, -1)
            logprobs[range(len(ending)), ending].sum().item()

    return seconds(evaluate)


def seconds(evaluate) -> float:
    """Of the second run; the first one warms up."""
    evaluate()
    start = time.perf_counter()
    evaluate()
    return time.perf_counter() - start


def measure() -> list[tuple[str, ...]]:
    found = {"ours": [], "theirs": []}
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "items.txt"
        write_items(path)
        for _ in range(ROUNDS):
            for side, times in found.items():
                command = [sys.executable, __file__, side, str(path)]
                done = subprocess.run(command, capture_output=True, check=True, text=True)
                times.append(float(done.stdout.split()[-1]))
    a, b = (statistics.median(times) for times in found.values())
    label = "`fairytale`, evaluating 200 items"
    return [(label, f"{a:.2f} s", f"{b:.2f} s (a loop with transformers)", f"{b / a:.2f}", "1.0")]


if __name__ == "__main__":
    print({"ours": ours, "theirs": theirs}[sys.argv[1]](Path(sys.argv[2])))
