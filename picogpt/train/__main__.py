"""The command line of training: `python -m picogpt.train corpus.txt --out my-model ...`."""

import argparse
import os
import signal
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import Executor
from contextlib import contextmanager

import numpy as np

from .. import command
from ..bpe import Tokenizer, load_tokenizer
from ..config import Config, flatten, unflatten
from ..evaluate.score import score, token_lengths
from ..files import read_text
from ..gpt2 import load
from ..weights.activation_functions import function_name
from ..weights.find import find_model
from . import run_folder
from .init import initial_params
from .loop import Run, thread_pool, train
from .options import NEW_MODEL, parse
from .prepare import Texts, all_settings, open_run
from .randomness import generator
from .recipe import Recipe


def starting_point(args: argparse.Namespace) -> tuple[Config, Tokenizer, dict]:
    """The model's sizes, its tokenizer and the weights that it begins with."""
    if args.init is not None:
        model = load(args.init)
        if (name := function_name(model.params)) != "gelu_new":
            raise ValueError(
                f"--init {args.init}: its activation_function is {name}, and picogpt trains models "
                "with gelu_new only: train it with transformers"
            )
        # copies: released weights are mapped from their file, and cannot be written to; and row by
        # row, as the gradients are (see weights/layout.py)
        params = {path: np.array(x, order="C") for path, x in flatten(model.params).items()}
        return model.config, model.tokenizer, unflatten(params)
    tokenizer = load_tokenizer(find_model(args.tokenizer, offline=True))
    given = {name: getattr(args, name) for name in NEW_MODEL}
    sizes = NEW_MODEL | {name: n for name, n in given.items() if n is not None}
    config = Config(n_vocab=tokenizer.n_vocab, **sizes)
    return config, tokenizer, initial_params(config, generator(args.seed, "weights"))


def run_training(args: argparse.Namespace, recipe: Recipe) -> None:
    """Read the texts, train, and say how good the best weights are."""
    resume = run_folder.find_run(args.out, args.resume)
    if args.resume and not resume:
        print(f"there is nothing to resume in {args.out}: a new run begins")
    texts = Texts(
        learn=[read_text(path) for path in args.texts],
        valid=None if args.valid is None else read_text(args.valid),
        held_out_fraction=args.held_out,
    )
    config, tokenizer, params = starting_point(args)
    settings = all_settings(texts, recipe, config, tokenizer, args.init)
    opened = open_run(args.out, resume, settings, texts, recipe, config, tokenizer, params)
    with opened as run, thread_pool(args.threads) as pool:
        print(overview(run), flush=True)
        try:
            with ctrl_c() as asked:
                train(run, pool, asked)
        except KeyboardInterrupt:
            print("to go on from here, give the same command with --resume", file=sys.stderr)
            raise
        print(report_best(run, pool))


def overview(run: Run) -> str:
    """What the run is going to do, in one line."""
    n_params = sum(x.size for x in flatten(run.params).values())
    per_step = run.recipe.batch * run.config.n_ctx
    epochs = run.recipe.steps * per_step / len(run.tokens)
    return (
        f"{n_params:,} parameters, {len(run.tokens):,} tokens to learn from, "
        f"{run.recipe.steps} steps of {per_step:,} tokens: {epochs:.1f} times through the text"
    )


@contextmanager
def ctrl_c() -> Iterator[Callable[[], bool]]:
    """A function that tells whether Ctrl-C was pressed. A second Ctrl-C interrupts at once.

    An interruption in the middle of a step would leave the weights half changed.
    """
    pressed = []

    def note(*_):
        if pressed:
            raise KeyboardInterrupt
        pressed.append(True)
        # print could be interrupted by this very function, in the middle of its own work
        os.write(2, b"\npicogpt: ending after this step\n")

    before = signal.signal(signal.SIGINT, note)
    try:
        yield lambda: bool(pressed)
    finally:
        signal.signal(signal.SIGINT, before)


def report_best(run: Run, pool: Executor) -> str:
    """Score the best weights on all held-out text; add that to the log, and return it as text."""
    model = load(run.out)
    lengths = token_lengths(model.tokenizer)
    result = score(run.held_out, model.params, model.config.n_head, lengths, pool.map)
    n_windows = len(run.held_out.ids)
    record = {
        "final": True,
        "step": run.state.best_step,
        "valid_loss": result.nats_per_token,
        "valid_bits_per_byte": result.bits_per_byte,
        "valid_windows": f"{n_windows} of {n_windows}",
    }
    run_folder.append_to_log(run.out / "run" / run_folder.LOG, record)
    return (
        f"{run.out}: the weights of step {run.state.best_step}, on all held-out text "
        f"{result.nats_per_token:.4f} nats/token, {result.bits_per_byte:.4f} bits/byte"
    )


def main(argv: list[str] | None = None) -> int:
    """The command `python -m picogpt.train`. Returns its exit status."""
    args, recipe = parse(argv)
    return command.finish(lambda: run_training(args, recipe))


def restart_without_blas_threads() -> None:
    """Start this command again with OPENBLAS_NUM_THREADS=1, unless the user has set it.

    NumPy's matrix products use all cores by themselves, but nothing else does. --threads is
    faster, and both together are slow. OpenBLAS reads the variable only when NumPy is imported.
    """
    if os.name == "posix" and "OPENBLAS_NUM_THREADS" not in os.environ:
        os.environ["OPENBLAS_NUM_THREADS"] = "1"
        os.execv(sys.executable, sys.orig_argv)


if __name__ == "__main__":
    restart_without_blas_threads()
    sys.exit(main())
