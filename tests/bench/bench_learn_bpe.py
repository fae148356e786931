"""Learning a vocabulary beside Hugging Face's trainer (Rust, all cores), in alternating rounds.

Each time is that of the whole way from the text in memory to the merges.
"""

import json
import statistics
import time
from itertools import islice
from pathlib import Path

from tokenizers import Tokenizer, models, pre_tokenizers, trainers

from picogpt.bpe.learn import MIN_VOCAB, count_words, learn_merges
from picogpt.bpe.tokenizer import ENDOFTEXT

N_VOCAB = 4096
ROUNDS = 3


def ours(text: str, n_vocab: int) -> list[tuple[str, str]]:
    return list(islice(learn_merges(count_words([text])), n_vocab - MIN_VOCAB))


def theirs(text: str, n_vocab: int) -> Tokenizer:
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    trainer = trainers.BpeTrainer(
        vocab_size=n_vocab - 1,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(text.split(ENDOFTEXT), trainer)
    return tokenizer


def timed(learn, text: str, n_vocab: int):
    start = time.perf_counter()
    learned = learn(text, n_vocab)
    return time.perf_counter() - start, learned


def measure(data: Path) -> list[tuple[str, str, str, str, str]]:
    """Rows of the table: measure, ours, theirs, ratio, what is asked."""
    text = (data / "corpus" / "fairy-tales-train.txt").read_bytes().decode("utf-8")
    seconds = []
    for _ in range(ROUNDS):
        our_time, merges = timed(ours, text, N_VOCAB)
        their_time, tokenizer = timed(theirs, text, N_VOCAB)
        seconds.append((our_time, their_time))
    if merges != [tuple(pair) for pair in json.loads(tokenizer.to_str())["model"]["merges"]]:
        raise SystemExit("the merges differ")
    our_time, their_time = map(statistics.median, zip(*seconds, strict=True))
    return [
        (
            f"learn {N_VOCAB} tokens from {len(text) / 1e6:.0f} MB",
            f"{our_time:.2f} s",
            f"{their_time:.2f} s",
            f"{their_time / our_time:.2f} x",
            "<= 120 s",
        )
    ]
