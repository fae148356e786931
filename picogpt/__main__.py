"""The command line: `python -m picogpt "prompt"` prints the prompt and what GPT-2 makes of it."""

import argparse
import secrets
import sys

from . import __version__, command
from .config import SIZES
from .gpt2 import load
from .sampling import check_sampling

DESCRIPTION = """\
GPT-2, computed by NumPy alone: prints the prompt and goes on writing.

  picogpt "Alan Turing theorized that computers would one day become"
  picogpt -m 355M -n 100 -t 0 "The capital of France is"
  picogpt -m path/to/a/model/folder --seed 7 "Once upon a time"
  head -n 20 story.txt | picogpt -"""

EPILOG = """\
The first use of a size downloads it from OpenAI (124M: 500 MB, 355M: 1.4 GB, 774M: 3.1 GB,
1558M: 6.2 GB) into a cache folder; the variable PICOGPT_HOME names another one. NumPy's matrix
products use all cores; OPENBLAS_NUM_THREADS=1 in the environment limits them to one."""


def parse(argv: list[str] | None) -> argparse.Namespace:
    """The arguments of the command, checked. Exits with status 2 if they are wrong."""
    p = command.Parser(prog="picogpt", description=DESCRIPTION, epilog=EPILOG)
    p.add_argument("prompt", help='the text to continue; "-" reads it from standard input')
    p.add_argument(
        "-m",
        "--model",
        default="124M",
        help=f"{', '.join(SIZES)}, or a model folder, OpenAI's or Hugging Face's (default: 124M)",
    )
    p.add_argument(
        "-n",
        "--max-new-tokens",
        type=int,
        default=200,
        metavar="N",
        help="write at most N tokens; one is about 3/4 of an English word (default: 200)",
    )
    p.add_argument(
        "-t",
        "--temperature",
        type=float,
        default=0.8,
        metavar="T",
        help="0 always takes the likeliest token; the higher, the more daring (default: 0.8)",
    )
    p.add_argument(
        "--top-k",
        type=int,
        default=40,
        metavar="K",
        help="choose among the K likeliest tokens (default: 40)",
    )
    p.add_argument(
        "--top-p",
        type=float,
        metavar="P",
        help="choose among the likeliest tokens that together have probability P",
    )
    p.add_argument("--seed", type=int, help="the same seed gives the same text (default: drawn)")
    p.add_argument(
        "--stop",
        action="append",
        default=[],
        metavar="TEXT",
        help="end before TEXT is written; may be given several times",
    )
    p.add_argument("--offline", action="store_true", help="never touch the network")
    p.add_argument(
        "-v", "--verbose", action="store_true", help="say on stderr which seed was drawn"
    )
    p.add_argument("--version", action="version", version=f"picogpt {__version__}")
    args = p.parse_args(argv)
    try:
        check_sampling(args.temperature, args.top_k, args.top_p)
    except ValueError as error:
        p.error(str(error))
    if args.max_new_tokens < 1:
        p.error(f"--max-new-tokens is {args.max_new_tokens}, expected at least 1")
    if args.seed is not None and args.seed < 0:
        p.error(f"--seed is {args.seed}, expected a number of at least 0")
    if "" in args.stop:
        p.error("--stop needs a text that is not empty")
    return args


def read_stdin() -> str:
    """The prompt from standard input, less its last newline, as in the shell's $(...).

    Raises ValueError if it is not UTF-8.
    """
    sys.stdin.reconfigure(encoding="utf-8")
    try:
        return sys.stdin.read().removesuffix("\n")
    except UnicodeDecodeError as error:
        raise ValueError(f"standard input is not UTF-8: {error}") from None


def write(args: argparse.Namespace) -> None:
    """Load the model, print the prompt, stream the continuation."""
    prompt = read_stdin() if args.prompt == "-" else args.prompt
    seed = secrets.randbits(32) if args.seed is None else args.seed
    model = load(args.model, offline=args.offline)
    pieces = model.stream(
        prompt,
        args.max_new_tokens,
        temperature=args.temperature,
        top_k=args.top_k,
        top_p=args.top_p,
        seed=seed,
        stop=args.stop,
    )
    if args.verbose:
        print(f"picogpt: seed {seed}", file=sys.stderr)
    print(prompt, end="", flush=True)
    for piece in pieces:
        print(piece, end="", flush=True)
    print()


def main(argv: list[str] | None = None) -> int:
    """The `picogpt` command. Returns its exit status."""
    args = parse(argv)
    return command.finish(lambda: write(args))


if __name__ == "__main__":
    sys.exit(main())
