"""How fast the bundled model writes, with the cache of keys and values.

The sampling is that of the command line, and so are the threads: each round is a process of its
own, and the median of the rounds counts. There is no peer: what is asked is a number of tokens.
"""

import statistics
import subprocess
import sys

ROUNDS = 5
N_TOKENS = 200  # with the prompt they fit into n_ctx = 256

SCRIPT = """
import sys, time
import picogpt
n = int(sys.argv[1])
model = picogpt.load("fairytale")
model.tokenizer.endoftext = -1  # no token: a story that ends early would be no measure
write = lambda n: model.generate("Once upon a time", n, temperature=0.8, top_k=40, seed=1)
write(20)
start = time.perf_counter()
write(n)
print(n / (time.perf_counter() - start))
"""


def tokens_per_second() -> float:
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, str(N_TOKENS)], stdout=subprocess.PIPE, check=True
    )
    return float(done.stdout)


def measure() -> list[tuple[str, str, str, str, str]]:
    """The row of the table: measure, ours, no peer, no ratio, what is asked."""
    speed = statistics.median(tokens_per_second() for _ in range(ROUNDS))
    name = f"decode {N_TOKENS} tokens, the bundled model"
    return [(name, f"{speed:.0f} tokens/s", "", "", ">= 600 tokens/s")]


if __name__ == "__main__":
    for row in measure():
        print(" | ".join(row))
