"""The command line of the weights: `python -m picogpt.weights download 124M`."""

import argparse
import sys

from .. import command
from .cache import RELEASED
from .download import download

DESCRIPTION = """\
Fetches one of OpenAI's released GPT-2 models into the cache, without generating anything.

  python -m picogpt.weights download 124M

Files that are already there are checked from beginning to end, and fetched again if they are
bad. An interrupted download goes on where it stopped."""

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
        "download", help="fetch and check a model", description=DESCRIPTION, epilog=EPILOG
    )
    fetch.add_argument("size", choices=list(RELEASED), help=", ".join(RELEASED), metavar="SIZE")
    return p.parse_args(argv)


def fetch_and_check(size: str) -> None:
    """Leave a complete and checked model in the cache, and say where."""
    folder = download(size, recheck=True)
    print(f"{size} is complete, and every file is good: {folder}")


def main(argv: list[str] | None = None) -> int:
    """The command `python -m picogpt.weights`. Returns its exit status."""
    args = parse(argv)
    return command.finish(lambda: fetch_and_check(args.size))


if __name__ == "__main__":
    sys.exit(main())
