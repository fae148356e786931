"""Make learn_bpe.json: vocabularies that Hugging Face's trainer learns from small texts.

Run from the repository's root, in the reference environment:

    PYTHONPATH=.:tests python tests/reference/make_learn_bpe.py

For every text: the text, n_vocab, the merges in order, and the tokens in the order of their ids.
"""

import json
import random
from pathlib import Path

from make_bpe import TEXT
from tokenizers import Tokenizer, models, pre_tokenizers, trainers

FILE = Path("tests/reference/learn_bpe.json")
ENDOFTEXT = "<|endoftext|>"

rng = random.Random(0)
TEXTS = {
    # A story in English, and sentences in many scripts; the document ends in the middle.
    "prose": (ENDOFTEXT.join([TEXT[:2000], TEXT[2000:]]), 700),
    "one letter": ("a" * 40 + " " + "a" * 7 + " " * 50 + "a" * 3, 257 + 14),
    # Few letters in random order: most counts are equal to some others.
    "ties": ("".join(rng.choices("abc ", k=400)), 257 + 60),
    "ties of bytes": ("".join(rng.choices("éèßяж水 ", k=150)), 257 + 60),
    "documents": (f"{ENDOFTEXT}ab{ENDOFTEXT}ab<|endoftext|{ENDOFTEXT}\n\n{ENDOFTEXT * 3}", 266),
}


def learn(text: str, n_vocab: int) -> tuple[list[str], list[tuple[str, str]]]:
    """The tokens in the order of their ids, and the merges."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    trainer = trainers.BpeTrainer(
        vocab_size=n_vocab - 1,  # without <|endoftext|>
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(text.split(ENDOFTEXT), trainer)
    model = json.loads(tokenizer.to_str())["model"]
    tokens = sorted(model["vocab"], key=model["vocab"].__getitem__)
    return [*tokens, ENDOFTEXT], [tuple(pair) for pair in model["merges"]]


if __name__ == "__main__":
    cases = {}
    for name, (text, n_vocab) in TEXTS.items():
        tokens, merges = learn(text, n_vocab)
        if len(tokens) != n_vocab:
            raise SystemExit(f"{name}: the text fills only {len(tokens)} of {n_vocab} tokens")
        lines = [" ".join(pair) for pair in merges]
        cases[name] = {"text": text, "n_vocab": n_vocab, "merges": lines, "tokens": tokens}
    lines = ",\n".join(
        f"{json.dumps(name)}: {json.dumps(case, ensure_ascii=False)}"
        for name, case in cases.items()
    )
    FILE.write_bytes(f"{{\n{lines}\n}}\n".encode())
