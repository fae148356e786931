"""Where a training run gets its random numbers.

A single generator for the whole run would have a state to save and restore. Instead, each purpose
has its own generator, made afresh from the seed, the purpose and a number such as the step. What
step 700 draws depends on nothing that happened before. So a run that was killed needs to know only
its step to go on exactly as if it had never stopped.
"""

import numpy as np

PURPOSES = ("weights", "held out", "windows", "dropout", "sample")


def generator(seed: int, purpose: str, number: int = 0) -> np.random.Generator:
    """The generator for one of PURPOSES. seed, number: at least 0."""
    return np.random.default_rng([seed, PURPOSES.index(purpose), number])
