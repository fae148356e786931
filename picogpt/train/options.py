"""The options of `python -m picogpt.train`, and the recipe that they make."""

import argparse
import math
import os
from pathlib import Path

from .. import command
from ..weights.find import NAMES
from .recipe import Recipe

DESCRIPTION = """\
Trains a GPT-2 on text files, or trains an existing one further (fine-tuning). The result is a model
folder with the weights that did best on held-out text:

  python -m picogpt.train tales.txt --tokenizer vocabulary --out my-model
  python -m picogpt -m my-model "Once upon a time"

The texts are UTF-8, with a line <|endoftext|> between documents. If there is only one document, its
last part is held out. A larger run, with samples:

  python -m picogpt.train tales.txt more-tales.txt --valid held-out.txt \\
      --tokenizer vocabulary --out my-model --n-layer 6 --n-embd 256 --n-ctx 256 \\
      --batch 16 --steps 5000 --lr 2e-3 --dropout 0.1 --sample "Once upon a time"

Fine-tuning the released 124M, with only the last four blocks learning:

  python -m picogpt.train poems.txt --init 124M --freeze 8 --batch 8 --accumulate 8 \\
      --threads 2 --out poet"""

EPILOG = """\
A run that was stopped, by Ctrl-C or in any other way, is continued by the same command with
--resume: from the step of the Ctrl-C, or else from its last evaluation. On the same machine it then
comes to exactly the same numbers as without the interruption. When the run is over, OUT/run may be
deleted; OUT/run/log.jsonl holds one JSON object for each evaluation.

Memory: training the 124M takes about 2 GB, and 2.2 GB more for each window of 1024 tokens that is
computed at the same time. If --accumulate is as large as --batch, these are --threads windows."""

NEW_MODEL = {"n_layer": 6, "n_head": 8, "n_embd": 256, "n_ctx": 256}  # the default sizes


def parse(argv: list[str] | None) -> tuple[argparse.Namespace, Recipe]:
    """The arguments of the command, checked. Exits with status 2 if they are wrong."""
    p = command.Parser(prog="python -m picogpt.train", description=DESCRIPTION, epilog=EPILOG)
    p.add_argument("texts", nargs="+", type=Path, metavar="TEXT", help="files to learn from")
    p.add_argument("--out", type=Path, required=True, help="the model folder to write")
    p.add_argument("--resume", action="store_true", help="continue the run in OUT, if there is one")
    p.add_argument(
        "--threads",
        type=int,
        default=os.cpu_count(),
        metavar="N",
        help="parts of a batch that are computed at the same time; does not change the result "
        "(default: the cores)",
    )
    add_text_options(p.add_argument_group("texts"))
    add_model_options(p.add_argument_group("the model"))
    add_step_options(p.add_argument_group("the steps"))
    add_evaluation_options(p.add_argument_group("evaluation"))
    args = p.parse_args(argv)
    if (args.tokenizer is None) == (args.init is None):
        p.error("expected either --tokenizer (for a new model) or --init (for an existing one)")
    if args.freeze is not None and args.init is None:
        p.error("--freeze needs --init: all weights of a new model have to learn")
    if args.init is not None and any(getattr(args, name) is not None for name in NEW_MODEL):
        p.error("the sizes of the model are those of --init")
    if args.threads < 1:
        p.error(f"--threads is {args.threads}, expected at least 1")
    if not 0 < args.held_out < 1:
        p.error(f"--held-out is {args.held_out}, expected a number between 0 and 1")
    if args.lr is None:
        args.lr = 1e-3 if args.init is None else 5e-5
    if args.min_lr is None:
        args.min_lr = args.lr / 10
    if args.accumulate is None:
        args.accumulate = math.gcd(args.batch, 4)
    if args.warmup is None:
        args.warmup = args.steps // 20
    try:
        return args, Recipe(**{name: getattr(args, name) for name in Recipe.__annotations__})
    except ValueError as error:
        p.error(str(error))


def add_text_options(p) -> None:
    p.add_argument(
        "--valid", type=Path, metavar="TEXT", help="a file of held-out text to evaluate with"
    )
    p.add_argument(
        "--held-out",
        type=float,
        default=0.05,
        metavar="FRACTION",
        help="without --valid: hold out this fraction of the documents (default: 0.05)",
    )
    p.add_argument(
        "--tokenizer",
        metavar="FOLDER",
        help="for a new model: the folder of its vocabulary, or a model that shares its "
        "vocabulary, such as fairytale",
    )


def add_model_options(p) -> None:
    p.add_argument(
        "--init",
        metavar="MODEL",
        help=f"train this model further, instead of a new one: {', '.join(NAMES)}, or a folder",
    )
    p.add_argument(
        "--freeze",
        type=int,
        metavar="K",
        help="with --init: the embeddings (and with them the head, where it is tied to them) and "
        "the first K blocks stay as they are",
    )
    meanings = (
        "blocks",
        "attention heads",
        "width, a multiple of --n-head",
        "context length in tokens",
    )
    for (name, default), meaning in zip(NEW_MODEL.items(), meanings):
        option = "--" + name.replace("_", "-")
        p.add_argument(option, type=int, metavar="N", help=f"{meaning} (default: {default})")


def add_step_options(p) -> None:
    def add(name: str, type, default, help: str, shown: str | None = None):
        metavar = "N" if type is int else "X"
        help += f" (default: {default if shown is None else shown})"
        p.add_argument(name, type=type, default=default, metavar=metavar, help=help)

    add("--steps", int, 2000, "updates of the weights")
    add("--batch", int, 16, "windows of n_ctx tokens for each step")
    add("--accumulate", int, None, "compute a batch in N parts; more parts take less memory", "4")
    p.add_argument(
        "--optimizer",
        choices=("adamw", "muon"),
        default="adamw",
        help="muon: for the matrices of the blocks, and AdamW for the rest (default: adamw)",
    )
    add("--lr", float, None, "the highest learning rate", "1e-3, with --init 5e-5")
    add("--min-lr", float, None, "the rate at the end of the cosine", "a tenth of --lr")
    add(
        "--decay",
        int,
        None,
        "steps at the end in which the rate falls; before them it is --lr, and --steps and --decay "
        "can still be changed with --resume",
        "all after the warm-up",
    )
    add("--warmup", int, None, "steps in which the rate rises", "a twentieth of --steps")
    add(
        "--weight-decay", float, 0.1, "what AdamW takes from the matrices: lr times this, each step"
    )
    add(
        "--beta2",
        float,
        0.99,
        "how slowly AdamW forgets the size of gradients; higher for small batches",
    )
    add("--clip", float, 1.0, "the greatest length of a gradient")
    add("--dropout", float, 0.0, "set this fraction of activations to 0 while learning")
    add("--seed", int, 0, "decides everything that is random: the same seed gives the same run")


def add_evaluation_options(p) -> None:
    p.add_argument(
        "--eval-every",
        type=int,
        default=100,
        metavar="N",
        help="steps between evaluations (default: 100)",
    )
    p.add_argument(
        "--eval-windows",
        type=int,
        default=64,
        metavar="N",
        help="windows of the held-out text per evaluation; the final one, of the best weights, "
        "uses all (default: 64)",
    )
    p.add_argument(
        "--patience",
        type=int,
        metavar="N",
        help="end early after N evaluations without a better one (default: never)",
    )
    p.add_argument(
        "--average",
        type=float,
        metavar="X",
        help="evaluate and keep a moving average of the weights, of which this fraction remains in "
        "each step, such as 0.99 (default: the weights themselves)",
    )
    p.add_argument(
        "--sample", default="", metavar="PROMPT", help='what samples begin with (default: "")'
    )
