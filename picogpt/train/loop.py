"""The training loop: predict the next tokens, see how wrong that was, change the weights a little.

`update` is one step; `train` repeats it, and now and then evaluates the model on text that it does
not learn from. What a step draws at random depends on the seed and the number of
the step alone (see randomness.py), so a run can stop after any step and go on later.
"""

import math
from collections.abc import Callable
from concurrent.futures import Executor, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ..bpe import Tokenizer
from ..config import Config, flatten, unflatten
from ..evaluate.score import Windows, score, token_lengths
from ..weights.export import save_huggingface
from .adamw import adamw, clip_gradients
from .averaging import average
from .data import batch
from .log_line import Clock, line, show_counter, write_sample
from .muon import is_hidden_matrix, muon
from .parallel import parallel_loss_and_gradients
from .randomness import generator
from .recipe import Recipe
from .run_folder import CHECKPOINT, LOG, State, append_to_log, write_checkpoint
from .schedule import learning_rate

SAMPLE_EVERY = 5  # evaluations


@dataclass
class Run:
    """A training run: first what it is given, then what it changes."""

    out: Path  # see run_folder.py
    recipe: Recipe
    config: Config
    tokenizer: Tokenizer
    tokens: np.ndarray  # to learn from: [n_tokens]
    held_out: Windows  # to be evaluated with
    params: dict
    moments: dict  # of the trainable parameters, see prepare.first_moments
    state: State


def trainable(params: dict, freeze: int | None) -> dict:
    """path -> array of the parameters that learn: all but the embeddings and `freeze` blocks."""
    frozen = () if freeze is None else ("wte", "wpe", *(f"h.{i}." for i in range(freeze)))
    return {path: x for path, x in flatten(params).items() if not path.startswith(frozen)}


def thread_pool(n: int) -> Executor:
    """n threads to compute with. They print no warnings of overflow: `update` and `evaluate` check
    that their results are finite.
    """
    return ThreadPoolExecutor(n, initializer=np.seterr, initargs=("ignore",))


def update(run: Run, pool: Executor) -> float:
    """One step: change run.params and run.moments in place. Returns the loss before the change.

    Raises ValueError, and changes nothing, if the loss or the gradient is not finite.
    """
    recipe, step = run.recipe, run.state.step
    ids, targets = batch(run.tokens, run.config.n_ctx, recipe.batch, recipe.seed, step)
    loss, grads = parallel_loss_and_gradients(
        ids,
        targets,
        run.params,
        run.config.n_head,
        pool=pool,
        n_parts=recipe.accumulate,
        freeze=recipe.freeze,
        dropout=recipe.dropout,
        rng=generator(recipe.seed, "dropout", step),
    )
    learning = trainable(run.params, recipe.freeze)
    grads = {path: grads[path] for path in learning}
    norm = clip_gradients(grads, recipe.clip)
    for what, value in (("loss", loss), ("length of the gradient", norm)):
        if not math.isfinite(value):
            raise diverged(run, what, value)
    take_step(run, learning, grads, pool)
    if recipe.average is not None:
        average(run.moments["average"], learning, step + 1, recipe.average)
    return loss


def take_step(run: Run, learning: dict, grads: dict, pool: Executor) -> None:
    """Change the parameters in learning, in place, each by the optimizer that it belongs to."""
    recipe = run.recipe
    rate = learning_rate(
        run.state.step,
        steps=recipe.steps,
        warmup=recipe.warmup,
        peak=recipe.lr,
        least=recipe.min_lr,
        decay=recipe.decay,
    )
    if recipe.optimizer == "muon":
        matrices = {path: x for path, x in learning.items() if is_hidden_matrix(path, x)}
        learning = {path: x for path, x in learning.items() if path not in matrices}
        weight_decay = recipe.weight_decay
        muon(matrices, grads, run.moments["m"], pool=pool, lr=rate, weight_decay=weight_decay)
    adamw(
        learning,
        grads,
        run.moments,
        run.state.step + 1,
        lr=rate,
        betas=(0.9, recipe.beta2),
        weight_decay=recipe.weight_decay,
    )


@np.errstate(all="ignore")  # see thread_pool
def train(run: Run, pool: Executor, stop_asked: Callable[[], bool] = lambda: False) -> None:
    """Take steps until all are done, or patience runs out. Changes run in place.

    Raises KeyboardInterrupt, with a checkpoint written, once stop_asked() is true.
    """
    recipe, state = run.recipe, run.state
    clock = Clock(state.step, state.seconds)
    if state.best_loss is None:
        evaluate(run, pool, clock)
    while state.step < recipe.steps and not out_of_patience(run):
        state.losses.append(update(run, pool))
        state.step += 1
        show_counter(clock, state.step, recipe.steps)
        if state.step % recipe.eval_every == 0 or state.step == recipe.steps:
            evaluate(run, pool, clock)
        if stop_asked():
            save_checkpoint(run, clock)
            raise KeyboardInterrupt


def out_of_patience(run: Run) -> bool:
    return run.recipe.patience is not None and run.state.worse >= run.recipe.patience


def evaluate(run: Run, pool: Executor, clock: Clock) -> None:
    """Score the held-out windows, keep the weights if they are the best, report, save.

    The checkpoint comes last, so that a run that is killed in between repeats what it did after the
    last checkpoint, and writes the same files.
    """
    recipe, state = run.recipe, run.state
    times = clock.read(state.step, recipe.steps, recipe.batch * run.config.n_ctx)
    windows = run.held_out.spread(recipe.eval_windows)
    params = shown_params(run)
    result = score(windows, params, run.config.n_head, token_lengths(run.tokenizer), pool.map)
    if not math.isfinite(result.nats_per_token):
        raise diverged(run, "held-out loss", result.nats_per_token)
    best = keep_if_best(run, result.nats_per_token)
    record = {
        "step": state.step,
        "loss": sum(state.losses) / len(state.losses) if state.losses else None,
        "valid_loss": result.nats_per_token,
        "valid_bits_per_byte": result.bits_per_byte,
        "valid_windows": f"{len(windows.ids)} of {len(run.held_out.ids)}",
        "best": best,
        **times,
    }
    if state.step // recipe.eval_every % SAMPLE_EVERY == 0 or state.step == recipe.steps:
        rng = generator(recipe.seed, "sample", state.step)
        record["sample"] = write_sample(recipe.sample, params, run.config, run.tokenizer, rng)
    print(line(record, recipe.steps), flush=True)
    state.log_bytes = append_to_log(run.out / "run" / LOG, record)
    state.losses = []
    save_checkpoint(run, clock)
    clock.resume(state.step)


def keep_if_best(run: Run, loss: float) -> bool:
    """Write the weights into the model folder if this is the lowest held-out loss so far."""
    state = run.state
    best = state.best_loss is None or loss < state.best_loss
    if best:
        state.best_loss, state.best_step, state.worse = loss, state.step, 0
        save_weights(run)
    else:
        state.worse += 1
    return best


def shown_params(run: Run) -> dict:
    """The weights that are evaluated and kept: those of the last step, or their average."""
    if not run.state.step:
        return run.params  # there is nothing to average yet
    return unflatten(flatten(run.params) | run.moments.get("average", {}))


def save_weights(run: Run) -> None:
    """Write the model folder."""
    save_huggingface(run.out, run.config, shown_params(run), run.tokenizer)


def save_checkpoint(run: Run, clock: Clock) -> None:
    run.state.seconds = clock.seconds()
    path = run.out / "run" / CHECKPOINT
    write_checkpoint(path, flatten(run.params), run.moments, run.state)


def diverged(run: Run, what: str, value: float) -> ValueError:
    """The error for a loss or gradient that is infinite or NaN."""
    kept = f"the weights of step {run.state.best_step}, the best so far, are kept in {run.out}"
    if run.state.best_loss is None:
        kept = "no weights were written"
    return ValueError(
        f"the {what} became {value} at step {run.state.step}; {kept}; a lower --lr may help"
    )
