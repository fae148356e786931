"""The command line of evaluation: `python -m picogpt.evaluate text book.txt -m 124M`."""

import argparse
import json
import sys
from pathlib import Path

from .. import command
from ..gpt2 import GPT2, load
from ..weights.find import NAMES
from .data_files import DATA_FILES, download_data
from .protocols import cbt, choice_figures, hellaswag, lambada, lambada_figures, stop_word_ids
from .published import WHY_THEY_DIFFER, other_protocols, published
from .results import run
from .wikitext import WindowedText, read_plain_text, read_wikitext, text_figures

DESCRIPTION = """\
How well a model predicts. Each task reads a file in its published format:

  python -m picogpt.evaluate text book.txt -m 124M
  python -m picogpt.evaluate lambada --download --out results.jsonl
  python -m picogpt.evaluate wikitext --data wiki.test.raw --protocol transformers

The first protocol of a task is its default. A run with --out that was interrupted goes on when the
same command is given again. The figures of two protocols cannot be compared: the same weights have
a LAMBADA accuracy of 45.99, 46.67 or 32.56."""

PROTOCOLS = {
    "text": ("documents", "stream", "rolling"),
    "lambada": ("last-word", "last-token", "openai"),
    "wikitext": ("lm-eval", "paper", "transformers"),
    "hellaswag": ("lm-eval", "llm.c"),
    "cbt": ("paper",),
}
CHOICES = {"lambada": lambada, "hellaswag": hellaswag, "cbt": cbt}


def parse(argv: list[str] | None) -> argparse.Namespace:
    """The arguments of the command. Exits with status 2 if they are wrong."""
    p = command.Parser(prog="python -m picogpt.evaluate", description=DESCRIPTION)
    tasks = p.add_subparsers(dest="task", required=True, metavar="TASK", help=", ".join(PROTOCOLS))
    for task, protocols in PROTOCOLS.items():
        t = tasks.add_parser(task)
        if task == "text":
            t.add_argument("data", type=Path, metavar="FILE", help="the text to predict, UTF-8")
            t.add_argument("--window", type=command_number, help="tokens at once; default: n_ctx")
            t.add_argument("--stride", type=command_number, help="of stream; default: the window")
        else:
            data = t.add_mutually_exclusive_group(required=True)
            data.add_argument("--data", type=Path, metavar="FILE", help="in its published format")
            if task in DATA_FILES:
                data.add_argument("--download", action="store_true", help="fetch that file")
        t.add_argument(
            "-m", "--model", help=f"{', '.join(NAMES)}, a name on the Hub, or a model folder"
        )
        t.add_argument("--protocol", choices=protocols, default=protocols[0])
        t.add_argument("--limit", type=command_number, help="only so many items, or windows")
        t.add_argument("--out", type=Path, metavar="FILE", help="keep each item's result here")
        t.add_argument("--json", action="store_true", help="print the figures as JSON")
    args = p.parse_args(argv)
    if args.task == "text" and args.stride and args.protocol != "stream":
        p.error("--stride needs --protocol stream")
    return args


def command_number(text: str) -> int:
    """A whole number from 1."""
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r:.80} is not a whole number from 1")
    return int(text)


def progress():
    """A function that says how many items are done, at every tenth of them."""
    last = 0

    def on_progress(done: int, total: int) -> None:
        nonlocal last
        if 10 * done // total > last:
            last = 10 * done // total
            command.say(f"{done} of {total} done")

    return on_progress


def text_of(args: argparse.Namespace, model: GPT2) -> WindowedText:
    """The text of a task that measures perplexity, in windows."""
    n_ctx = model.config.n_ctx
    if args.task == "wikitext":
        return read_wikitext(args.data, args.protocol, model.tokenizer, n_ctx)
    window = args.window or n_ctx
    if window > n_ctx:
        raise ValueError(f"the window is {window}, expected at most n_ctx, {n_ctx}")
    if args.stride and args.stride > window:
        raise ValueError(f"the stride is {args.stride}, expected at most the window, {window}")
    return read_plain_text(args.data, args.protocol, model.tokenizer, window, args.stride)


def evaluate(args: argparse.Namespace) -> dict:
    """The figures of a task."""
    if getattr(args, "download", False):
        args.data = download_data(args.task)
    model = load(args.model)
    run_it = {"out": args.out, "on_progress": progress()}
    weights = model.params, model.config.n_head
    if args.task not in CHOICES:
        whole = text_of(args, model)
        requests = whole.requests[: args.limit]
        results = run([[r] for r in requests], *weights, **run_it)
        nats = [-result["logprobs"][0] for result in results]
        hugging_face = args.protocol in ("stream", "transformers")
        return text_figures(requests, nats, whole, hugging_face)
    read = CHOICES[args.task]
    items = [*read(args.data, args.protocol, model.tokenizer, model.config.n_ctx)][: args.limit]
    if not items:
        raise ValueError(f"{args.data}: there are no items in it")
    banned = stop_word_ids(model.tokenizer) if args.protocol == "openai" else ()
    results = run([item.requests for item in items], *weights, banned=banned, **run_it)
    return (lambada_figures if args.task == "lambada" else choice_figures)(items, results)


def report(args: argparse.Namespace) -> None:
    """Print the figures, and the published ones."""
    figures = evaluate(args)
    known = published(args.task, args.protocol, args.model)
    if args.json:
        head = {"task": args.task, "protocol": args.protocol, "published": known}
        print(json.dumps(head | figures))
        return
    print(f"{args.task}, protocol {args.protocol}")
    for name, value in figures.items():
        print(f"{name}: {value}" if isinstance(value, int) else f"{name}: {value:.4f}")
    for line in known:
        print(f"published: {line}")
    others = other_protocols(args.task, args.protocol, args.model)
    for line in others:
        print(f"published, by another protocol: {line}")
    if others:
        print(f"They differ because {WHY_THEY_DIFFER[args.task]}.")


def main(argv: list[str] | None = None) -> int:
    """The command `python -m picogpt.evaluate`. Returns its exit status."""
    args = parse(argv)
    return command.finish(lambda: report(args))


if __name__ == "__main__":
    sys.exit(main())
