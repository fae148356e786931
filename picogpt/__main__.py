"""The command line: `python -m picogpt "prompt"` prints the prompt and what GPT-2 makes of it."""

import argparse
import contextlib
import math
import secrets
import sys
import time
import warnings
from collections.abc import Iterable
from dataclasses import asdict

from . import __version__, command
from .decoding.loop import Step
from .decoding.sampling import Sampling
from .decoding.stopping import TextWriter, pieces_of_text
from .gpt2 import GPT2, NAMES, load

DESCRIPTION = """\
GPT-2, computed by NumPy alone: prints the prompt and goes on writing.

  picogpt "Once upon a time"
  picogpt -m 355M -n 100 -t 0 "The capital of France is"
  picogpt -m path/to/a/model/folder --seed 7 "There was once a king"
  head -n 20 story.txt | picogpt -"""

EPILOG = """\
The first use of a size downloads it from OpenAI (124M: 500 MB, 355M: 1.4 GB, 774M: 3.1 GB,
1558M: 6.2 GB) into a cache folder; the variable PICOGPT_HOME names another one. NumPy's matrix
products use all cores; OPENBLAS_NUM_THREADS=1 in the environment limits them to one."""


def parse(argv: list[str] | None) -> argparse.Namespace:
    """The arguments of the command, checked. Exits with status 2 if they are wrong."""
    p = command.Parser(prog="picogpt", description=DESCRIPTION, epilog=EPILOG)
    p.add_argument(
        "prompt",
        nargs="?",
        help='the text to continue; "-" reads it from standard input; without one, a terminal '
        "is asked for prompts until Ctrl-D",
    )
    p.add_argument(
        "-m",
        "--model",
        help=f"{', '.join(NAMES)}, or a model folder, OpenAI's or Hugging Face's (default: 124M "
        "from the cache or the network; without either fairytale, which comes with picogpt)",
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
    p.add_argument(
        "--min-p",
        type=float,
        metavar="P",
        help="choose among the tokens that are at least P times as likely as the likeliest",
    )
    p.add_argument(
        "--repetition-penalty",
        type=float,
        default=1.0,
        metavar="R",
        help="above 1 avoids tokens that are in the text already (default: 1)",
    )
    p.add_argument(
        "--num-samples",
        type=int,
        default=1,
        metavar="N",
        help="write N texts at the same time (default: 1)",
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
        "--lookup",
        action="store_true",
        help="write faster where the text repeats itself (see picogpt/decoding/lookup.py)",
    )
    p.add_argument(
        "--show-probs",
        action="store_true",
        help="instead of the text show each token, its probability, and the runners-up",
    )
    p.add_argument(
        "-v", "--verbose", action="store_true", help="say on stderr the seed and the speed"
    )
    p.add_argument("--version", action="version", version=f"picogpt {__version__}")
    args = p.parse_args(argv)
    try:
        sampling_of(args)
    except ValueError as error:
        p.error(str(error))
    if args.max_new_tokens < 1:
        p.error(f"--max-new-tokens is {args.max_new_tokens}, expected at least 1")
    if args.num_samples < 1:
        p.error(f"--num-samples is {args.num_samples}, expected at least 1")
    if args.seed is not None and args.seed < 0:
        p.error(f"--seed is {args.seed}, expected a number of at least 0")
    if "" in args.stop:
        p.error("--stop needs a text that is not empty")
    if args.show_probs and (args.stop or args.num_samples > 1):
        p.error("--show-probs shows one text to its end: it takes no --stop and no --num-samples")
    if args.lookup and args.num_samples > 1:
        p.error("--lookup is for one text at a time: it takes no --num-samples")
    if args.prompt is None and not sys.stdin.isatty():
        p.error('no prompt is given; "-" reads it from standard input')
    return args


def sampling_of(args: argparse.Namespace) -> Sampling:
    """What the options say about choosing tokens. Raises ValueError if it makes no sense."""
    names = ("temperature", "top_p", "min_p", "repetition_penalty")
    top_k = args.top_k if args.temperature else None  # at 0 the likeliest token is taken anyway
    return Sampling(top_k=top_k, **{name: getattr(args, name) for name in names})


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
    """Load the model and do what is asked: one text, several, a table, or prompt after prompt."""
    prompt = read_stdin() if args.prompt == "-" else args.prompt
    model = load(args.model, offline=args.offline)
    if prompt is None:
        ask(model, args)
    else:
        continue_text(model, prompt, args)


def continue_text(model: GPT2, prompt: str, args: argparse.Namespace) -> None:
    """Print the prompt, and what the model makes of it. What is to be said goes to stderr."""
    seed = secrets.randbits(32) if args.seed is None else args.seed
    options = asdict(sampling_of(args)) | {"seed": seed}
    if args.verbose:
        print(f"picogpt: seed {seed}", file=sys.stderr)
    with warnings.catch_warnings(record=True) as noticed:
        warnings.simplefilter("once")
        if args.num_samples > 1:
            options |= {"num_samples": args.num_samples, "stop": args.stop}
            (texts,) = model.generate_batch([prompt], args.max_new_tokens, **options)
            for i, text in enumerate(texts, 1):
                print(f"--- {i} of {len(texts)} ---\n{prompt}{text}", flush=True)
        else:
            write_one(model, prompt, args, options | {"lookup": args.lookup})
    for notice in noticed:  # not while the text is being written, which it would tear apart
        print(f"picogpt: {notice.message}", file=sys.stderr)


def write_one(model: GPT2, prompt: str, args: argparse.Namespace, options: dict) -> None:
    """Print one text while it is written, or the table of its tokens; with -v also the speed."""
    start = time.perf_counter()
    times = []

    def steps():
        for step in model.steps(prompt, args.max_new_tokens, **options):
            times.append(time.perf_counter() - start)
            yield step

    if args.show_probs:
        print_table(steps())
    else:
        print(prompt, end="", flush=True)
        writer = TextWriter(model.tokenizer, args.stop)
        for piece in pieces_of_text((step.id for step in steps()), writer):
            print(piece, end="", flush=True)
        print(flush=True)  # before what follows on stderr
    if args.verbose and times:
        line = f"picogpt: first token after {times[0]:.2f} s"
        if len(times) > 1:
            line += f", then {(len(times) - 1) / (times[-1] - times[0]):.1f} a second"
        print(line, file=sys.stderr)


def print_table(steps: Iterable[Step]) -> None:
    """A line for each token: the probability that the model gave it, and the likeliest five."""
    print("  prob  token            the likeliest")
    for step in steps:
        others = "  ".join(
            f"{math.exp(other.logprob):4.0%} {other.text!r}" for other in step.likeliest(5)
        )
        print(
            f"{math.exp(step.logprob):6.1%}  {step.text!r:15}  {others}",
            flush=True,
        )


def ask(model: GPT2, args: argparse.Namespace) -> None:
    """Prompt after prompt from a terminal, until Ctrl-D. Ctrl-C ends the text being written."""
    with contextlib.suppress(ImportError):  # Windows has none
        import readline  # noqa: F401 - input() then edits the line and knows the earlier ones
    print("Type the beginning of a text. Ctrl-C ends what is being written, Ctrl-D ends picogpt.")
    while True:
        try:
            prompt = input("> ")
        except EOFError:
            print()
            return
        try:
            continue_text(model, prompt, args)
        except KeyboardInterrupt:
            print()


def main(argv: list[str] | None = None) -> int:
    """The `picogpt` command. Returns its exit status."""
    args = parse(argv)
    return command.finish(lambda: write(args))


if __name__ == "__main__":
    sys.exit(main())
