"""What a run reports: a record for each evaluation, and the line that shows it."""

import sys
import time
from datetime import timedelta
from functools import partial

import numpy as np

from ..bpe import Tokenizer
from ..command import say
from ..config import Config
from ..decoding.loop import GrowingText, token_steps
from ..decoding.sampling import Sampling, choose_token

ESTIMATE_AFTER = 5  # steps


class Clock:
    """Speed and time left. Nothing else in a run depends on how long things take."""

    def __init__(self, step: int, seconds: float):
        """step, seconds: where the run is, and what it has spent before this process."""
        self.first_step = self.last_step = step
        self.began = self.resumed = time.monotonic()
        self.spent_before = seconds

    def seconds(self) -> float:
        """Spent by the run so far, in all its processes."""
        return self.spent_before + time.monotonic() - self.began

    def read(self, step: int, steps: int, tokens_per_step: int) -> dict:
        """The fields of a record that depend on time; None as long as nothing is known."""
        now = time.monotonic()
        per_second = left = None
        if step > self.last_step:  # of the steps alone, without the evaluations between them
            per_second = round((step - self.last_step) * tokens_per_step / (now - self.resumed))
            left = round((steps - step) * (now - self.began) / (step - self.first_step))
        return {
            "tokens_per_second": per_second,
            "seconds_left": left,
            "seconds": round(self.seconds(), 1),
        }

    def left(self, step: int, steps: int) -> timedelta:
        """About how long the remaining steps take, after at least one step of this process."""
        per_step = (time.monotonic() - self.began) / (step - self.first_step)
        return timedelta(seconds=round((steps - step) * per_step))

    def resume(self, step: int) -> None:
        """An evaluation is over, and the steps go on."""
        self.last_step, self.resumed = step, time.monotonic()


def show_counter(clock: Clock, step: int, steps: int) -> None:
    """After a few steps an estimate of the time, on stderr; on a terminal also a counter."""
    if step == min(clock.first_step + ESTIMATE_AFTER, steps):
        say(f"about {clock.left(step, steps)} for the remaining steps")
    elif sys.stderr is not None and sys.stderr.isatty():
        text = f"step {step}/{steps}, {clock.left(step, steps)} left"
        print(f"\r{text:50}\r", end="", file=sys.stderr, flush=True)


def line(record: dict, steps: int) -> str:
    """A record as a line for people, and its sample, if it has one, below."""
    loss = "     -" if record["loss"] is None else f"{record['loss']:6.4f}"
    text = (
        f"step {record['step']:>{len(str(steps))}}/{steps}  loss {loss}  "
        f"valid {record['valid_loss']:6.4f} nats/token {record['valid_bits_per_byte']:6.4f} "
        f"bits/byte {'*' if record['best'] else ' '}"
    )
    if record["tokens_per_second"] is not None:
        left = timedelta(seconds=record["seconds_left"])
        text += f" {record['tokens_per_second']:7,} tokens/s  {left} left"
    for sample_line in record.get("sample", "").splitlines():
        # control characters could ring the terminal's bell, or worse
        text += "\n    " + "".join(c if c.isprintable() else "?" for c in sample_line)
    return text


def write_sample(
    prompt: str, params: dict, config: Config, tokenizer: Tokenizer, rng: np.random.Generator
) -> str:
    """The prompt, as the beginning of a document, and up to 60 tokens that the model adds."""
    ids = [tokenizer.endoftext, *tokenizer.encode(prompt)]
    end = min(len(ids) + 60, config.n_ctx)
    sampling = Sampling(temperature=0.8, top_k=40, banned=tokenizer.unused)
    choose = partial(choose_token, sampling=sampling, rng=rng)
    text = GrowingText(ids, choose=choose, end=end)
    steps = token_steps([text], params, config, endoftext=tokenizer.endoftext)
    return prompt + tokenizer.decode(step.id for _, step in steps)
