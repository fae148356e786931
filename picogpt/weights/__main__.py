"""The command line of the weights: `python -m picogpt.weights download 124M`, list, export, ..."""

import argparse
import sys
from pathlib import Path

from .. import command
from ..files import check_free
from ..gpt2 import load
from .download import download
from .find import NAMES
from .hub_cache import HubName, hub_name
from .kept import kept, remove
from .progress import in_units
from .released import RELEASED
from .safetensors import WRITTEN

DESCRIPTION = """\
Fetches models, shows and removes them, checks them, and writes them in another form.

  python -m picogpt.weights download 124M
  python -m picogpt.weights list
  python -m picogpt.weights remove 124M
  python -m picogpt.weights check my-model
  python -m picogpt.weights export 124M --out gpt2"""

DOWNLOAD = """\
Fetches a model into the cache, without generating anything: one of OpenAI's released GPT-2
models, or one of the Hugging Face Hub, in its newest version or in that of a branch, tag or commit.

  python -m picogpt.weights download 124M
  python -m picogpt.weights download distilbert/distilgpt2
  python -m picogpt.weights download ORG/NAME@REVISION

OpenAI's files that are already there are checked from beginning to end, and fetched again if they
are bad. An interrupted download continues where it stopped."""

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
  HF_ENDPOINT          the address of the Hub, or of a mirror of it
  HF_TOKEN             sent to the Hub, for models that are not open to everybody
  HF_HUB_CACHE, HF_HOME, HF_HUB_OFFLINE  as in Hugging Face's libraries
  HTTPS_PROXY, ...     are respected"""


def parse(argv: list[str] | None) -> argparse.Namespace:
    """The arguments of the command, checked. Exits with status 2 if they are wrong."""
    p = command.Parser(prog="python -m picogpt.weights", description=DESCRIPTION, epilog=EPILOG)
    commands = p.add_subparsers(required=True, metavar="command")
    fetch = commands.add_parser(
        "download", help="fetch and check a model", description=DOWNLOAD, epilog=EPILOG
    )
    fetch.add_argument(
        "name", type=name_to_fetch, help=f"{', '.join(RELEASED)}, or ORG/NAME", metavar="NAME"
    )
    fetch.set_defaults(work=fetch_and_check)
    show = commands.add_parser("list", help="show the models on this disk")
    show.set_defaults(work=show_kept)
    forget = commands.add_parser("remove", help="remove a model from picogpt's cache")
    forget.add_argument("name", metavar="NAME", help="as `list` shows it")
    forget.set_defaults(work=lambda args: print(f"{args.name} is removed: {remove(args.name)}"))
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


def name_to_fetch(text: str) -> str | HubName:
    """A released model's size, or a name on the Hub."""
    if text in RELEASED:
        return text
    if name := hub_name(text):
        return name
    expected = f"one of {', '.join(RELEASED)}, or ORG/NAME on the Hub"
    raise argparse.ArgumentTypeError(f"{text!r:.80}, expected {expected}")


def fetch_and_check(args: argparse.Namespace) -> None:
    """Fetch what is missing, check everything, and say where the model is."""
    if isinstance(args.name, HubName):
        from .hub import fetch_snapshot

        folder = fetch_snapshot(args.name)
    else:
        folder = download(args.name, recheck=True)
    print(f"{args.name} is complete, and every file is good: {folder}")


def show_kept(_: argparse.Namespace) -> None:
    """Print a line for each model on the disk: its name, size and folder."""
    for model in kept():
        state = "" if model.whole else "not complete, "
        owner = "" if model.own else "of Hugging Face's libraries, "
        print(f"{model.name}  {in_units(model.n_bytes)}  {state}{owner}{model.folder}")


def check_model(args: argparse.Namespace) -> None:
    """Compare every checksum in the files, and check that the weights are finite numbers."""
    model = load(args.model, offline=True)
    print(f"{args.model}: {model!r}, and every file is good")


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
