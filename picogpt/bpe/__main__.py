"""The command line of the tokenizer: `python -m picogpt.bpe explain "a text"`, and learn."""

import argparse
import sys
from collections.abc import Iterator
from pathlib import Path

from .. import command
from ..files import check_free, read_text
from ..weights.find import NAMES, find_model
from .learn import check_n_vocab, learn_bpe
from .openai_vocab import save_tokenizer
from .vocabulary import load_tokenizer

DESCRIPTION = """\
Shows how a text becomes tokens, and learns vocabularies.

  python -m picogpt.bpe explain "tokenization" -m fairytale
  python -m picogpt.bpe encode "Hello, world"
  python -m picogpt.bpe decode 15496 11 995
  python -m picogpt.bpe count < book.txt
  python -m picogpt.bpe learn tales.txt --n-vocab 4096 --out my-vocabulary"""

LEARN = """\
Learns a byte-level vocabulary from text files, and writes it as encoder.json and vocab.bpe, the
files of GPT-2's own.

  python -m picogpt.bpe learn tales.txt --n-vocab 4096 --out my-vocabulary

The texts are UTF-8, with <|endoftext|> between documents. They are read one after the other, and
only their distinct words are kept: 13 MB take seconds."""

EPILOG = """\
The first 256 tokens are the bytes, so that every text can be written, and the last one is
<|endoftext|>. The others are the most frequent pieces of words. A small model does well
with 2,000 to 8,000 tokens; GPT-2 has 50,257."""


def parse(argv: list[str] | None) -> argparse.Namespace:
    """The arguments of the command, checked. Exits with status 2 if they are wrong."""
    p = command.Parser(prog="python -m picogpt.bpe", description=DESCRIPTION, epilog=EPILOG)
    commands = p.add_subparsers(required=True, metavar="command")
    for name, work, help in (
        ("explain", explain, "every merge of every word"),
        ("encode", encode, "a text's token ids"),
        ("count", count, "how many tokens and bytes a text has"),
    ):
        sub = commands.add_parser(name, help=help)
        sub.add_argument("text", nargs="?", help="without one, standard input is read")
        sub.set_defaults(work=work)
        add_model(sub)
    sub = commands.add_parser("decode", help="the text of token ids")
    sub.add_argument("ids", nargs="+", type=int, metavar="ID")
    sub.set_defaults(work=decode)
    add_model(sub)
    learn = commands.add_parser(
        "learn", help="learn a vocabulary", description=LEARN, epilog=EPILOG
    )
    learn.set_defaults(work=learn_and_save)
    learn.add_argument("texts", nargs="+", type=Path, metavar="TEXT", help="files to learn from")
    learn.add_argument(
        "--n-vocab", type=int, required=True, metavar="N", help="tokens in the vocabulary"
    )
    learn.add_argument("--out", type=Path, required=True, help="the folder to write the files to")
    args = p.parse_args(argv)
    if args.work is learn_and_save:
        try:
            check_n_vocab(args.n_vocab)
        except ValueError as error:
            learn.error(str(error))
    return args


def add_model(sub) -> None:
    sub.add_argument(
        "-m",
        "--model",
        help=f"{', '.join(NAMES)}, or a folder with a vocabulary (default: 124M, else fairytale)",
    )


def text_of(args: argparse.Namespace) -> str:
    """The text of the command line, or else of standard input."""
    return command.read_stdin() if args.text is None else args.text


def explain(args: argparse.Namespace) -> None:
    print(load_tokenizer(find_model(args.model, offline=True)).explain(text_of(args)))


def encode(args: argparse.Namespace) -> None:
    print(*load_tokenizer(find_model(args.model, offline=True)).encode(text_of(args)))


def count(args: argparse.Namespace) -> None:
    text = text_of(args)
    ids = load_tokenizer(find_model(args.model, offline=True)).encode(text)
    print(f"{len(ids)} tokens, {len(text.encode('utf-8', 'replace'))} bytes")


def decode(args: argparse.Namespace) -> None:
    print(load_tokenizer(find_model(args.model, offline=True)).decode(args.ids))


def read_texts(paths: list[Path]) -> Iterator[str]:
    """The texts one by one, announcing each on stderr."""
    for path in paths:
        command.say(f"reading {path}")
        yield read_text(path)


def learn_and_save(args: argparse.Namespace) -> None:
    """Learn a vocabulary and say where it is."""
    check_free(args.out)  # before the work, which may take long
    tokenizer = learn_bpe(read_texts(args.texts), args.n_vocab, log=command.say)
    save_tokenizer(args.out, tokenizer)
    print(f"{tokenizer.n_vocab} tokens, in encoder.json and vocab.bpe: {args.out}")


def main(argv: list[str] | None = None) -> int:
    """The command `python -m picogpt.bpe`. Returns its exit status."""
    args = parse(argv)
    return command.finish(lambda: args.work(args))


if __name__ == "__main__":
    sys.exit(main())
