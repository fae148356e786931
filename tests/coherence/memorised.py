"""How often a model recites: greedy continuations that stand, word for word, in its training text.

    python tests/coherence/memorised.py fairytale --learned tales.txt --heldout book.txt

Openings of documents that it has learned, and as many of documents that it has not, are continued
by 50 tokens. What it writes after a held-out opening stands in the training text by chance, or
because many texts go on like that; what it writes more after the others, it has learned by heart.
"""

import argparse
import random
from pathlib import Path

import picogpt
from picogpt.evaluate.documents import split_documents

N_OPENINGS, N_OPENING, N_WRITTEN, N_BATCH = 200, 20, 50, 20  # documents, tokens, tokens, documents


def openings(documents: list[str], tokenizer) -> list[list[int]]:
    """The first tokens of some documents, drawn by a fixed seed, that are long enough."""
    drawn = random.Random(1).sample(documents, len(documents))
    firsts = []
    for document in drawn:
        ids = [tokenizer.endoftext, *tokenizer.encode(document)]
        if len(ids) > N_OPENING + N_WRITTEN:
            firsts.append(ids[: N_OPENING + 1])
        if len(firsts) == N_OPENINGS:
            break
    return firsts


def recited(model, prompts: list[list[int]], learned: str) -> int:
    """How many of the continuations stand in the text that was learned."""
    texts = []
    for i in range(0, len(prompts), N_BATCH):
        batch = prompts[i : i + N_BATCH]
        # a story that ends early would be found too easily
        written = model.generate_batch(batch, N_WRITTEN, banned=[model.tokenizer.endoftext])
        texts += [text for (text,) in written]
    return sum(text in learned for text in texts)


def main() -> None:
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    p.add_argument("model", help="its name or folder")
    p.add_argument("--learned", nargs="+", type=Path, required=True, help="the training texts")
    p.add_argument("--heldout", nargs="+", type=Path, required=True, help="texts it has not seen")
    args = p.parse_args()
    model = picogpt.load(args.model)
    texts = {
        name: [document for path in paths for document in split_documents(path.read_text("utf-8"))]
        for name, paths in (("learned", args.learned), ("held out", args.heldout))
    }
    learned = "\n".join(texts["learned"])
    for name, documents in texts.items():
        prompts = openings(documents, model.tokenizer)
        n_recited = recited(model, prompts, learned)
        print(f"{name}: {n_recited} of {len(prompts)} continuations stand in the training text")


if __name__ == "__main__":
    main()
