"""The command line of evaluation: `python -m picogpt.evaluate book.txt -m 124M`."""

import argparse
import sys
from pathlib import Path

from .. import command
from ..files import read_text
from ..gpt2 import load
from ..weights.find import NAMES
from .documents import bits_per_byte, split_documents

DESCRIPTION = """\
How well a model predicts a text, in bits per byte: the bits that a perfect compressor would need
with the model's predictions, for each byte of the text. The lower, the better.

  python -m picogpt.evaluate book.txt -m 124M

The text is UTF-8, with <|endoftext|> between its documents, if it has several. Long documents are
cut into windows of n_ctx tokens that overlap by half (see picogpt/evaluate/score.py)."""


def parse(argv: list[str] | None) -> argparse.Namespace:
    """The arguments of the command. Exits with status 2 if they are wrong."""
    p = command.Parser(prog="python -m picogpt.evaluate", description=DESCRIPTION)
    p.add_argument("text", type=Path, metavar="TEXT", help="the file to predict")
    p.add_argument("-m", "--model", help=f"{', '.join(NAMES)}, or a model folder")
    return p.parse_args(argv)


def report(args: argparse.Namespace) -> None:
    """Print the figures of a text."""
    documents = split_documents(read_text(args.text))
    if not documents:
        raise ValueError(f"{args.text}: there is no text in it")
    model = load(args.model)
    bits, nats = bits_per_byte(model.params, model.config, model.tokenizer, documents)
    print(f"bits per byte: {bits:.4f}")
    print(f"nats per token: {nats:.4f}")


def main(argv: list[str] | None = None) -> int:
    """The command `python -m picogpt.evaluate`. Returns its exit status."""
    args = parse(argv)
    return command.finish(lambda: report(args))


if __name__ == "__main__":
    sys.exit(main())
