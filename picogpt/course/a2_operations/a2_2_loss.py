"""Assignment 2, its last operation: cross-entropy, and what is often written instead."""

import math

import numpy as np

from ...ops import cross_entropy, log_softmax, softmax
from ..assignment import FLOATS, normal, question, sizes


def chosen(values, targets):
    """The value of each target, which is checked: [..., n_vocab], [...] -> [...]."""
    if targets.min() < 0 or targets.max() >= values.shape[-1]:
        raise ValueError("a target is not in the vocabulary")
    return np.take_along_axis(values, targets[..., None], axis=-1)[..., 0]


def summed(logits, targets):
    """This is the sum over all targets; the mean divides it by their number."""
    return -float(chosen(log_softmax(logits), targets).sum())


def minus_forgotten(logits, targets):
    """The minus sign is missing: the logarithm of a probability is never positive."""
    return float(chosen(log_softmax(logits), targets).mean())


def in_bits(logits, targets):
    """This is in bits (log2); the natural logarithm gives nats."""
    return cross_entropy(logits, targets) / math.log(2.0)


def softmax_forgotten(logits, targets):
    """The logits are no log-probabilities: their softmax is missing."""
    return -float(chosen(logits, targets).mean())


def mean_over_the_vocabulary(logits, targets):
    """The mean is over the targets; you divide by n_vocab too."""
    return cross_entropy(logits, targets) / logits.shape[-1]


def probability_instead_of_logarithm(logits, targets):
    """The logarithm is missing: this is the mean of the probabilities themselves."""
    return -float(chosen(softmax(logits), targets).mean())


def random_targets(rng, logits):
    return rng.integers(logits.shape[-1], size=logits.shape[:-1])


@question(
    cross_entropy,
    3,
    (
        summed,
        minus_forgotten,
        in_bits,
        softmax_forgotten,
        mean_over_the_vocabulary,
        probability_instead_of_logarithm,
    ),
)
def cross_entropy_values(ask, rng):
    """The mean of -log(softmax(logits)[target])"""
    for n in (2, 3):
        for dtype in FLOATS:
            logits = 2.0 * normal(rng, sizes(rng, n), dtype)
            ask(cross_entropy, logits, random_targets(rng, logits))


def logarithm_of_softmax(logits, targets):
    """A probability can be too small for a float, and its logarithm is then minus infinity:
    write log(e / sum) as log(e) - log(sum)."""
    with np.errstate(divide="ignore"):
        return -float(np.log(chosen(softmax(logits), targets)).mean())


def is_cross_entropy_finite(logits, targets):
    return bool(np.isfinite(cross_entropy(logits, targets)))


@question(cross_entropy, 1, (logarithm_of_softmax,))
def cross_entropy_of_the_unlikely(ask, rng):
    """Finite for a target of probability 0"""
    logits = 2000.0 * np.sign(normal(rng, (3, 5)))
    logits[:, 1:3] = -2000.0, 2000.0
    ask(is_cross_entropy_finite, logits, np.ones(3, int))


def not_checked(logits, targets):
    """NumPy takes the index -1 from the end: look at the smallest and the largest target first."""
    return -float(np.take_along_axis(log_softmax(logits), targets[..., None], axis=-1).mean())


@question(cross_entropy, 1, (not_checked,))
def cross_entropy_refuses(ask, rng):
    """A target outside the vocabulary is a ValueError"""
    logits = normal(rng, sizes(rng, 2))
    for wrong in (-1, logits.shape[-1]):
        targets = random_targets(rng, logits)
        targets[rng.integers(len(targets))] = wrong
        ask.refuses(cross_entropy, logits, targets)
