"""The command line of the vocabulary: `python -m picogpt.bpe learn corpus.txt --n-vocab 4096 ...`."""

import argparse
import sys
from collections.abc import Iterator
from pathlib import Path

from .. import command
from ..files import check_free, read_text
from .learn import check_n_vocab, learn_bpe
from .openai_vocab import save_tokenizer

DESCRIPTION = """\
Learns a byte-level vocabulary from text files, and writes it as encoder.json and vocab.bpe, the
files of GPT-2's own.

  python -m picogpt.bpe learn tales.txt --n-vocab 4096 --out my-vocabulary

The texts are UTF-8, with <|endoftext|> between documents. They are read whole, one after the
other, and of each only its different words are kept: 13 MB take seconds."""

EPILOG = """\
The first 256 tokens are the bytes, so that every text can be written, and the last one is
<|endoftext|>. What else n_vocab has room for are the most frequent pieces of words: a small
model is well served by 2,000 to 8,000; GPT-2 has 50,257."""


def parse(argv: list[str] | None) -> argparse.Namespace:
    """The arguments of the command, checked. Exits with status 2 if they are wrong."""
    p = command.Parser(prog="python -m picogpt.bpe", description=DESCRIPTION, epilog=EPILOG)
    commands = p.add_subparsers(required=True, metavar="command")
    learn = commands.add_parser(
        "learn", help="learn a vocabulary", description=DESCRIPTION, epilog=EPILOG
    )
    learn.add_argument("texts", nargs="+", type=Path, metavar="TEXT", help="files to learn from")
    learn.add_argument(
        "--n-vocab", type=int, required=True, metavar="N", help="tokens in the vocabulary"
    )
    learn.add_argument("--out", type=Path, required=True, help="the folder to write the files to")
    args = p.parse_args(argv)
    try:
        check_n_vocab(args.n_vocab)
    except ValueError as error:
        learn.error(str(error))
    return args


def say(line: str) -> None:
    print(f"picogpt: {line}", file=sys.stderr)


def read_texts(paths: list[Path]) -> Iterator[str]:
    """The texts one by one, each said to be read."""
    for path in paths:
        say(f"reading {path}")
        yield read_text(path)


def learn_and_save(args: argparse.Namespace) -> None:
    """Learn a vocabulary and say where it is."""
    check_free(args.out)  # before the work, which may take long
    tokenizer = learn_bpe(read_texts(args.texts), args.n_vocab, log=say)
    save_tokenizer(args.out, tokenizer)
    print(f"{tokenizer.n_vocab} tokens, in encoder.json and vocab.bpe: {args.out}")


def main(argv: list[str] | None = None) -> int:
    """The command `python -m picogpt.bpe`. Returns its exit status."""
    args = parse(argv)
    return command.finish(lambda: learn_and_save(args))


if __name__ == "__main__":
    sys.exit(main())
