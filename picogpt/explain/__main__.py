"""The command `python -m picogpt.explain`: a page on which a prompt can be followed."""

import argparse
import sys
import webbrowser
from pathlib import Path

from .. import command
from ..gpt2 import load
from ..weights.find import NAMES
from .server import serve

DESCRIPTION = """\
Write one HTML page on which a prompt can be followed through every operation of a model.

  python -m picogpt.explain "The king had three sons. The youngest" -m fairytale --open
  python -m picogpt.explain --serve -m fairytale"""


def parse(argv: list[str] | None) -> argparse.Namespace:
    """The arguments of the command. Exits with status 2 if they are wrong."""
    p = command.Parser(prog="python -m picogpt.explain", description=DESCRIPTION)
    add = p.add_argument
    add("prompt", nargs="?", default="The king had three sons. The youngest")
    add("-m", "--model", help=f"{', '.join(NAMES)}, a name on the Hub, or a model folder")
    add("-n", "--max-new-tokens", type=int, default=8, metavar="N", help="to write (default: 8)")
    add("--seed", type=int, metavar="N", help="draw the tokens; without it the likeliest is taken")
    add(
        "--blocks",
        type=int,
        nargs="+",
        metavar="I",
        help="whose numbers are kept (default: all that fit)",
    )
    add("--out", type=Path, default=Path("page.html"), metavar="FILE", help="default: page.html")
    add("--open", action="store_true", help="show the page in the browser")
    add("--serve", action="store_true", help="a page with a field for the prompt; Ctrl-C ends it")
    add("--port", type=int, default=8124, metavar="N", help="for --serve (default: 8124)")
    args = p.parse_args(argv)
    for name, least in (("max_new_tokens", 0), ("seed", 0), ("port", 0)):
        value = getattr(args, name)
        if value is not None and value < least:
            option = "--" + name.replace("_", "-")
            p.error(f"{option} is {value}, expected a number of at least {least}")
    if args.port > 65535:
        p.error(f"--port is {args.port}, expected a number up to 65535")
    return args


def perform(args: argparse.Namespace) -> None:
    """Write the page, or serve it."""
    model = load(args.model)
    if args.serve:
        serve(model, args.prompt, args.max_new_tokens, args.port, args.open)
        return
    page = model.explain(args.prompt, args.max_new_tokens, seed=args.seed, blocks=args.blocks)
    page = page.save(args.out)
    command.say(f"{page} has {page.stat().st_size / 1e6:.1f} MB and needs no network")
    if args.open:
        webbrowser.open(page.resolve().as_uri())


def main(argv: list[str] | None = None) -> int:
    """The command `python -m picogpt.explain`. Returns its exit status."""
    args = parse(argv)
    return command.finish(lambda: perform(args))


if __name__ == "__main__":
    sys.exit(main())
