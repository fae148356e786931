"""The command line of the weights: `python -m picogpt.weights download 124M`, and export."""

import argparse
import sys
from pathlib import Path

from .. import command
from ..files import check_free
from ..gpt2 import load
from .download import download
from .find import NAMES
from .released import RELEASED
from .safetensors import WRITTEN

DESCRIPTION = """\
Fetches models, and writes them in another form.

  python -m picogpt.weights download 124M
  python -m picogpt.weights check my-model
  python -m picogpt.weights export 124M --out gpt2"""

DOWNLOAD = """\
Fetches one of OpenAI's released GPT-2 models into the cache, without generating anything.

  python -m picogpt.weights download 124M

Files that are already there are checked from beginning to end, and fetched again if they are
bad. An interrupted download goes on where it stopped."""

EXPORT = """\
Writes any model that picogpt can load as a folder in Hugging Face's layout, for transformers,
vLLM and picogpt itself.

  python -m picogpt.weights export 124M --out gpt2
  python -m picogpt.weights export my-model --out my-small-model --dtype float16"""

EPILOG = """\
Sizes: 124M (500 MB), 355M (1.4 GB), 774M (3.1 GB), 1558M (6.2 GB).

Environment variables:
  PICOGPT_HOME         the folder to keep models in, instead of the platform's cache folder
  PICOGPT_WEIGHTS_URL  the address to fetch from, which has the files as SIZE/FILE,
                       instead of OpenAI's and its mirror
  HTTPS_PROXY, ...     are respected"""


def parse(argv: list[str] | None) -> argparse.Namespace:
    """The arguments of the command, checked. Exits with status 2 if they are wrong."""
    p = command.Parser(prog="python -m picogpt.weights", description=DESCRIPTION, epilog=EPILOG)
    commands = p.add_subparsers(required=True, metavar="command")
    fetch = commands.add_parser(
        "download", help="fetch and check a model", description=DOWNLOAD, epilog=EPILOG
    )
    fetch.add_argument("size", choices=list(RELEASED), help=", ".join(RELEASED), metavar="SIZE")
    fetch.set_defaults(work=fetch_and_check)
    check = commands.add_parser("check", help="read a model's files and say whether they are good")
    check.add_argument("model", metavar="MODEL", help=f"{', '.join(NAMES)}, or a model folder")
    check.set_defaults(work=check_model)
    export = commands.add_parser(
        "export", help="write a model in Hugging Face's layout", description=EXPORT, epilog=EPILOG
    )
    export.add_argument(
        "model", metavar="MODEL", help=f"{', '.join(NAMES)}, or a model folder of either layout"
    )
    export.add_argument("--out", type=Path, required=True, help="the folder to write")
    export.add_argument(
        "--dtype",
        choices=list(WRITTEN),
        default="float32",
        help="how numbers are stored; float16 takes half the space and keeps three digits, "
        "bfloat16 two; int8 takes a quarter, and only picogpt reads it (default: float32)",
    )
    export.set_defaults(work=save_copy)
    return p.parse_args(argv)


def fetch_and_check(args: argparse.Namespace) -> None:
    """Leave a complete and checked model in the cache, and say where."""
    folder = download(args.size, recheck=True)
    print(f"{args.size} is complete, and every file is good: {folder}")


def check_model(args: argparse.Namespace) -> None:
    """Compare every checksum that the files hold, and look whether the weights are numbers."""
    model = load(args.model, offline=True)
    print(f"{args.model}: {model!r}, every number of it is good")


def save_copy(args: argparse.Namespace) -> None:
    """Write the model to the new folder, and say so."""
    check_free(args.out)  # before the work, which may be a download
    load(args.model).save(args.out, args.dtype)
    print(f"{args.model}, in {args.dtype} and Hugging Face's layout: {args.out}")


def main(argv: list[str] | None = None) -> int:
    """The command `python -m picogpt.weights`. Returns its exit status."""
    args = parse(argv)
    return command.finish(lambda: args.work(args))


if __name__ == "__main__":
    sys.exit(main())
