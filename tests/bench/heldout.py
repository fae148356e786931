"""How well the bundled model predicts a text: `make heldout HELDOUT=book.txt`.

The text is UTF-8, with <|endoftext|> between its documents; train/evaluate.py says how they are
scored. The figure in the model card is that of the book that was held out from training.
"""

import sys
from pathlib import Path

import picogpt
from picogpt import command
from picogpt.evaluate.documents import bits_per_byte, split_documents
from picogpt.files import read_text


def report(path: Path) -> None:
    """Print the figures, the first as it stands in the model card."""
    documents = split_documents(read_text(path))
    if not documents:
        raise ValueError(f"{path}: there is no text in it")
    model = picogpt.load("fairytale")
    bits, nats = bits_per_byte(model.params, model.config, model.tokenizer, documents)
    print(f"held-out bits per byte: {bits:.4f}")
    print(f"held-out nats per token: {nats:.4f}")


if __name__ == "__main__":
    sys.exit(command.finish(lambda: report(Path(sys.argv[1]))))
