"""Learning a vocabulary beside Hugging Face's trainer (Rust, all cores), in alternating rounds.

Run from the repository's root, in the reference environment:

    PYTHONPATH=.:tests python tests/bench/bench_learn_bpe.py corpus.txt

Each time is that of the whole way from the text in memory to the merges.
"""

import argparse
import json
import statistics
import time
from itertools import islice
from pathlib import Path

from tokenizers import Tokenizer, models, pre_tokenizers, trainers

from picogpt.bpe.learn import LEAST_VOCAB, count_words, learn_merges
from picogpt.bpe.tokenizer import ENDOFTEXT


def ours(text: str, n_vocab: int) -> list[tuple[str, str]]:
    return list(islice(learn_merges(count_words([text])), n_vocab - LEAST_VOCAB))


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


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("corpus", type=Path)
    parser.add_argument("--n-vocab", type=int, nargs="+", default=[4096, 8192, 50257])
    parser.add_argument("--rounds", type=int, default=3)
    args = parser.parse_args()
    text = args.corpus.read_bytes().decode("utf-8")
    for n_vocab in args.n_vocab:
        seconds = []
        for _ in range(args.rounds):
            our_time, merges = timed(ours, text, n_vocab)
            their_time, tokenizer = timed(theirs, text, n_vocab)
            seconds.append((our_time, their_time))
        model = json.loads(tokenizer.to_str())["model"]
        same = merges == [tuple(pair) for pair in model["merges"]]
        our_time, their_time = map(statistics.median, zip(*seconds))
        print(
            f"n_vocab {n_vocab}: {len(merges)} merges, {'the same' if same else 'NOT THE SAME'}; "
            f"ours {our_time:.2f} s, Hugging Face {their_time:.2f} s, "
            f"ratio {their_time / our_time:.2f}"
        )


if __name__ == "__main__":
    main()
