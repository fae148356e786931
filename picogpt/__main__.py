"""The command line: `python -m picogpt "prompt"` prints the prompt and continues it."""

import argparse
import json
import math
import secrets
import shutil
import sys
import time
import warnings
from collections.abc import Iterable
from dataclasses import asdict, replace
from pathlib import Path

from . import __version__, command
from .bpe import Tokenizer
from .decoding.loop import Step
from .decoding.sampling import Sampling
from .decoding.stopping import TextWriter, pieces_of_text
from .files import read_text
from .gpt2 import GPT2, load
from .interactive import ask
from .weights.find import NAMES

DESCRIPTION = """\
GPT-2, computed by NumPy alone: prints the prompt and continues it.

  picogpt "Once upon a time"
  picogpt -m 355M -n 100 -t 0 "The capital of France is"
  picogpt -m path/to/a/model/folder --seed 7 "There was once a king"
  head -n 20 story.txt | picogpt"""

EPILOG = f"""\
The first use of a size downloads it from OpenAI (124M: 500 MB, 355M: 1.4 GB, 774M: 3.1 GB,
1558M: 6.2 GB) into a cache folder; the variable PICOGPT_HOME names another one. NumPy's matrix
products use all cores; OPENBLAS_NUM_THREADS=1 in the environment limits them to one.

From Python the settings have the same names, but model.generate takes the likeliest token
(temperature 0) unless it is told otherwise.

{command.OTHER_COMMANDS}"""


def parser() -> command.Parser:
    """The options of the command."""
    p = command.Parser(prog="picogpt", description=DESCRIPTION, epilog=EPILOG)
    add = p.add_argument
    add(
        "prompt",
        nargs="?",
        help="the text to continue; without one it is read from standard input, and a terminal is "
        'asked for prompts until Ctrl-D; "-" always reads standard input',
    )
    add(
        "-m",
        "--model",
        help=f"{', '.join(NAMES)}, ORG/NAME on the Hub, or a model folder (default: 124M "
        "from the cache or the network; without either fairytale, which comes with picogpt)",
    )
    add("--offline", action="store_true", help="never touch the network")
    add("--prompts", type=Path, metavar="FILE", help="continue each line of a file")
    add_sampling(p.add_argument_group("how it writes"))
    add_output(p.add_argument_group("what it shows"))
    return p


def add_sampling(group) -> None:
    def add(name: str, type, default, metavar: str, help: str, *short: str):
        group.add_argument(*short, name, type=type, default=default, metavar=metavar, help=help)

    tokens = "write at most N tokens; one is about 3/4 of an English word (default: 200)"
    add("--max-new-tokens", int, 200, "N", tokens, "-n")
    heat = "0 always takes the likeliest token; the higher, the more daring (default: 0.8)"
    add("--temperature", float, 0.8, "T", heat, "-t")
    add("--top-k", int, 40, "K", "choose among the K likeliest tokens; 0 for all (default: 40)")
    nucleus = "choose among the likeliest tokens that together have probability P"
    add("--top-p", float, None, "P", nucleus)
    share = "choose among the tokens that are at least P times as likely as the likeliest"
    add("--min-p", float, None, "P", share)
    penalty = "above 1 avoids tokens that are in the text already (default: 1)"
    add("--repetition-penalty", float, 1.0, "R", penalty)
    add("--seed", int, None, "N", "the same seed gives the same text (default: drawn)")
    add("--num-samples", int, 1, "N", "write N texts at the same time (default: 1)")
    several = {"action": "append", "default": []}
    group.add_argument("--stop", metavar="TEXT", help="end before TEXT is written", **several)
    group.add_argument(
        "--ban", metavar="TOKEN", help="never write this token: its id, or its text", **several
    )
    group.add_argument(
        "--logit-bias",
        metavar="TOKEN=X",
        help="add X to a token's logit (--stop, --ban, --logit-bias: several times if you like)",
        **several,
    )
    group.add_argument(
        "--lookup", action="store_true", help="write faster where the text repeats itself"
    )


def add_output(group) -> None:
    group.add_argument(
        "--show-probs",
        action="store_true",
        help="instead of the text show each token, its probability, and the runners-up",
    )
    group.add_argument(
        "--json",
        action="store_true",
        help="print a JSON object for each text (with --show-probs: for each token), one a line; "
        "of several samples, each has a seed of its own, with which it can be written again",
    )
    group.add_argument(
        "-v", "--verbose", action="store_true", help="print the seed and the speed on stderr"
    )
    group.add_argument(
        "--shell-completion",
        action="store_true",
        help='for bash or zsh: eval "$(picogpt --shell-completion)"',
    )
    group.add_argument("--version", action="version", version=f"picogpt {__version__}")


def parse(argv: list[str] | None) -> argparse.Namespace:
    """The arguments of the command, checked. Exits with status 2 if they are wrong."""
    p = parser()
    args = p.parse_args(argv)
    if args.shell_completion:
        p.exit(command.finish(lambda: print(p.shell_completion())))
    try:
        args.sampling = sampling_of(args)
    except (ValueError, TypeError) as error:
        p.error(str(error))
    for name, least in (("max_new_tokens", 1), ("num_samples", 1), ("seed", 0)):
        value = getattr(args, name)
        if value is not None and value < least:
            option = "--" + name.replace("_", "-")
            p.error(f"{option} is {value}, expected a number of at least {least}")
    if "" in args.stop:
        p.error("--stop needs a text that is not empty")
    if args.show_probs and (args.stop or args.num_samples > 1):
        p.error("--show-probs shows one text to its end: it takes no --stop and no --num-samples")
    if args.lookup and args.num_samples > 1:
        p.error("--lookup is for one text at a time: it takes no --num-samples")
    if args.prompts and args.prompt is not None:
        p.error("--prompts FILE holds the prompts: no other prompt is expected")
    if args.prompt is None and sys.stdin is None and not args.prompts:
        p.error("no prompt is given, and standard input is closed")
    return args


def sampling_of(args: argparse.Namespace) -> Sampling:
    """What the options say about choosing tokens. Raises ValueError if it makes no sense."""
    names = ("temperature", "top_p", "min_p", "repetition_penalty")
    top_k = args.top_k or None  # 0 turns it off
    if args.temperature == 0:
        top_k = None  # the likeliest token is taken anyway
    return Sampling(top_k=top_k, **{name: getattr(args, name) for name in names})


def prompts_of(args: argparse.Namespace) -> list[str] | None:
    """The prompts to continue; None if a terminal is to be asked for them."""
    if args.prompts:
        return (
            read_text(args.prompts)
            .removeprefix("\ufeff")
            .replace("\r\n", "\n")
            .rstrip("\n")
            .split("\n")
        )
    if args.prompt == "-" or (args.prompt is None and not sys.stdin.isatty()):
        return [command.read_stdin()]
    return None if args.prompt is None else [args.prompt]


def token_of(text: str, tokenizer: Tokenizer) -> int:
    """The token that an option names, by its id or its text. Raises ValueError if it is not one."""
    ids = [int(text)] if text.isdecimal() else tokenizer.encode(text)
    if len(ids) != 1:
        raise ValueError(f"{text!r:.80} is {len(ids)} tokens ({ids!r:.80}), expected one")
    return ids[0]


def write(args: argparse.Namespace) -> None:
    """Load the model and do what the options ask for."""
    prompts = prompts_of(args)
    model = load(args.model, offline=args.offline)
    biases = [option.rpartition("=") for option in args.logit_bias]
    sampling = replace(
        args.sampling,
        banned=[token_of(token, model.tokenizer) for token in args.ban],
        logit_bias={token_of(token, model.tokenizer): float(x) for token, _, x in biases},
    )
    if prompts is None:

        def answer(prompt, sampling, max_new_tokens):
            args.max_new_tokens = max_new_tokens
            return continue_text(model, prompt, args, sampling)

        ask(answer, sampling, args.max_new_tokens)
    for prompt in prompts or []:
        continue_text(model, prompt, args, sampling)


def continue_text(model: GPT2, prompt: str, args: argparse.Namespace, sampling: Sampling) -> str:
    """Print the prompt and its continuation. Messages go to stderr.

    Returns the prompt with the text that was written, where it was one, and printed as it is: after
    several, a table, or JSON, the prompt alone.
    """
    seed = secrets.randbits(32) if args.seed is None else args.seed
    options = asdict(sampling) | {"seed": seed}
    if args.verbose:
        command.say(f"seed {seed}")
    text = prompt
    with warnings.catch_warnings(record=True) as noticed:
        warnings.simplefilter("once")
        if args.json:
            for i in range(args.num_samples):
                print_json(model, prompt, args, options | {"seed": seed + i})
        elif args.num_samples > 1:
            options |= {"num_samples": args.num_samples, "stop": args.stop}
            (texts,) = model.generate_batch([prompt], args.max_new_tokens, **options)
            for i, written in enumerate(texts, 1):
                print(f"--- {i} of {len(texts)} ---\n{prompt}{written}", flush=True)
        else:
            text += write_one(model, prompt, args, options | {"lookup": args.lookup})
    for notice in noticed:  # not while the text is being written, which it would tear apart
        command.say(str(notice.message))
    return text


def write_one(model: GPT2, prompt: str, args: argparse.Namespace, options: dict) -> str:
    """Print one text while it is written, or the table of its tokens; with -v also the speed."""
    start = time.perf_counter()
    times = []

    def steps():
        for step in model.steps(prompt, args.max_new_tokens, **options):
            times.append(time.perf_counter() - start)
            yield step

    text = ""
    if args.show_probs:
        print_table(steps())
    else:
        print(prompt, end="", flush=True)
        writer = TextWriter(model.tokenizer, args.stop)
        for piece in pieces_of_text((step.id for step in steps()), writer):
            print(piece, end="", flush=True)
            text += piece
        print(flush=True)  # before what follows on stderr
    if args.verbose and times:
        line = f"first token after {times[0]:.2f} s"
        if len(times) > 1:
            line += f", then {(len(times) - 1) / (times[-1] - times[0]):.1f} a second"
        command.say(line)
    return text


def print_table(steps: Iterable[Step]) -> None:
    """A line for each token: the probability that the model gave it, and the likeliest ones.

    As many of these as fit on the terminal's line.
    """
    columns = shutil.get_terminal_size((120, 24)).columns
    print("  prob  token            the likeliest (probabilities before temperature, top-k, ...)")
    for step in steps:
        line = f"{math.exp(step.logprob):6.1%}  {step.text!r:15}"
        for other in step.likeliest(5):
            cell = f"  {math.exp(other.logprob):4.0%} {other.text!r}"
            if len(line) + len(cell) > columns:
                break
            line += cell
        print(line, flush=True)


def print_json(model: GPT2, prompt: str, args: argparse.Namespace, options: dict) -> None:
    """One text as a line of JSON; with --show-probs a line for each token."""
    start = time.perf_counter()
    writer = TextWriter(model.tokenizer, args.stop)
    steps, text = [], ""
    for step in model.steps(prompt, args.max_new_tokens, **options, lookup=args.lookup):
        steps.append(step)
        text += writer.push(step.id)
        if args.show_probs:
            likeliest = [candidate._asdict() for candidate in step.likeliest(5)]
            token = {"id": step.id, "text": step.text, "logprob": step.logprob}
            print(json.dumps(token | {"likeliest": likeliest}), flush=True)
        if writer.stopped:
            break
    if args.show_probs:
        return
    seconds = time.perf_counter() - start
    record = {
        "model": args.model,
        "seed": options["seed"],
        "prompt": prompt,
        "text": text + writer.finish(),
        "ids": [step.id for step in steps],
        "logprobs": [step.logprob for step in steps],
        "seconds": seconds,
        "tokens_per_second": len(steps) / seconds,
    }
    print(json.dumps(record), flush=True)


def main(argv: list[str] | None = None) -> int:
    """The `picogpt` command. Returns its exit status."""
    args = parse(argv)
    return command.finish(lambda: write(args))


if __name__ == "__main__":
    sys.exit(main())
