"""Encoding English, beside Hugging Face tokenizers' one-document call, in alternating rounds."""

import statistics
import time
from pathlib import Path

from tokenizers import Tokenizer, models, pre_tokenizers

from picogpt.bpe import load_tokenizer

ROUNDS = 3


def hugging_face(folder: Path) -> Tokenizer:
    model = models.BPE.from_file(str(folder / "encoder.json"), str(folder / "vocab.bpe"))
    tokenizer = Tokenizer(model)
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    return tokenizer


def seconds(encode, text: str) -> tuple[float, list[int]]:
    start = time.perf_counter()
    ids = encode(text)
    return time.perf_counter() - start, ids


def measure(data: Path) -> list[tuple[str, str, str, str, str]]:
    """Rows of the table: measure, ours, theirs, ratio, what is asked.

    Fresh means the first text that a tokenizer sees; warm, the same text once more.
    """
    folder = data / "gpt2-124M"
    corpus = (data / "corpus" / "fairy-tales-train.txt").read_bytes().decode("utf-8")
    rows = []
    for name, text in (("1 MB", corpus[:1_000_000]), (f"{len(corpus) / 1e6:.0f} MB", corpus)):
        rounds = []
        for _ in range(ROUNDS):
            ours, judge = load_tokenizer(folder).encode, hugging_face(folder).encode
            theirs = lambda text, encode=judge: encode(text).ids
            (a, ids), (b, their_ids) = seconds(ours, text), seconds(theirs, text)
            if ids != their_ids:
                raise SystemExit("the ids differ")
            rounds.append((a, b, seconds(ours, text)[0], seconds(theirs, text)[0]))
        fresh, their_fresh, warm, their_warm = map(statistics.median, zip(*rounds, strict=True))
        for kind, a, b in (("fresh", fresh, their_fresh), ("warm", warm, their_warm)):
            rows.append(
                (
                    f"encode {name} of English, {kind}",
                    f"{a:.2f} s",
                    f"{b:.2f} s",
                    f"{b / a:.2f} x",
                    ">= 1.5 x",
                )
            )
    return rows
