"""The settings that decide what a training run does."""

import math
from dataclasses import dataclass


@dataclass(frozen=True)
class Recipe:
    """What the user can set, under the names of the command's options.

    Raises ValueError, naming the option, for a number that makes no sense.
    """

    steps: int  # updates of the weights
    batch: int  # windows of n_ctx tokens that a step learns from
    accumulate: int  # parts in which a batch is computed: their gradients are added up
    lr: float  # the highest learning rate
    min_lr: float  # the last one
    warmup: int  # steps until the highest is reached
    weight_decay: float
    beta2: float  # how long AdamW remembers the size of gradients
    clip: float  # the greatest length of a gradient
    dropout: float
    freeze: int | None  # the embeddings and this many blocks do not learn; None: all learn
    eval_every: int  # steps
    eval_windows: int  # windows of the held-out text for each evaluation
    patience: int | None  # evaluations without a better one until the run ends; None: never
    sample: str  # what the samples begin with
    seed: int
    optimizer: str = "adamw"  # or "muon", for the matrices of the blocks
    decay: int | None = None  # steps at the end in which the rate falls; None: all after warm-up
    average: float | None = None  # what stays of the weights' average in a step; None: no average

    def __post_init__(self):
        def check(name: str, good: bool, expected: str):
            if not good:
                option = name.replace("_", "-")
                raise ValueError(f"--{option} is {getattr(self, name)}, expected {expected}")

        for name in ("steps", "batch", "accumulate", "eval_every", "eval_windows"):
            check(name, getattr(self, name) >= 1, "at least 1")
        for name in ("seed", "freeze"):
            check(name, (getattr(self, name) or 0) >= 0, "at least 0")
        check("patience", self.patience is None or self.patience >= 1, "at least 1")
        for name in ("lr", "clip"):
            check(name, 0 < getattr(self, name) < math.inf, "a number above 0")
        check("min_lr", 0 <= self.min_lr <= self.lr, f"0 to --lr, which is {self.lr}")
        check("warmup", 0 <= self.warmup < self.steps, f"0 to {self.steps - 1}: --steps less 1")
        after = self.steps - self.warmup
        check("decay", self.decay is None or 1 <= self.decay <= after, f"1 to {after}")
        check("weight_decay", 0 <= self.weight_decay < 1 / self.lr, "at least 0, and below 1 / lr")
        for name in ("beta2", "dropout", "average"):
            check(name, 0 <= (getattr(self, name) or 0) < 1, "at least 0 and below 1")
        if self.batch % self.accumulate:
            raise ValueError(f"--accumulate {self.accumulate} does not divide --batch {self.batch}")
