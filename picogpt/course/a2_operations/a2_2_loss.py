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


def loss_twice(logits, targets, others):
    first = cross_entropy(logits, targets)
    return [cross_entropy(logits, others), first]


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
    # A model that knows nothing; the first and the last token; a single position
    ask(cross_entropy, np.full((2, 3), float(rng.normal())), np.array([2, 0]))
    ask(cross_entropy, normal(rng, (1, 4)), np.array([3]))
    # Targets of another type, and one that takes more than a byte; two calls
    ask(cross_entropy, normal(rng, (2, 3)), np.array([1, 2], np.int32))
    ask(cross_entropy, normal(rng, (1, 300)), np.array([256]))
    ask(loss_twice, normal(rng, (2, 3)), np.array([0, 1]), np.array([2, 0]))


def logarithm_of_softmax(logits, targets):
    """Some number is too small or too large for a float here. If it is a probability, whose
    logarithm is then minus infinity: write log(e / sum) as log(e) - log(sum)."""
    with np.errstate(divide="ignore"):
        return -float(np.log(chosen(softmax(logits), targets)).mean())


def loss_of_the_unlikely(logits, targets):
    """The loss. Who is wrong about small numbers too pays for that alone, unless the loss is
    infinite or always the same: then the right one is returned."""
    known = np.log([[1.0, 2.0, 5.0], [2.0, 1.0, 1.0]])
    small, other = (cross_entropy(known, np.array(ids)) for ids in ([2, 0], [1, 1]))
    loss = float(cross_entropy(logits, targets))
    small_is_right = np.allclose(small, -0.5 * math.log(0.625 * 0.5))
    if not small_is_right and small != other and math.isfinite(loss):
        below = logits - logits.max(axis=-1, keepdims=True)
        of_target = np.take_along_axis(below, targets[..., None], axis=-1)[..., 0]
        loss = float((np.log(np.exp(below).sum(axis=-1)) - of_target).mean())
    return round(loss, 6) + 0.0


def one_far_above(rng, gap, top):
    """Logits [3, 5] of which one is the largest, by about the gap or twice the gap."""
    gap = float(gap + rng.integers(gap // 8))
    return top - gap * rng.permuted(np.tile([0.0, 1.0, 1.0, 2.0, 2.0], (3, 1)), axis=1)


@question(cross_entropy, 1, (logarithm_of_softmax,))
def cross_entropy_of_the_unlikely(ask, rng):
    """Right for a target of probability 0"""
    # Probabilities for which float64 has no number, or float32, or which are just very small
    for gap, top in ((2000, 2000.0), (500, 0.0), (90, 1000.0), (30, -900.0)):
        logits = one_far_above(rng, gap, top)
        for targets in (logits.argmin(axis=-1), logits.argmax(axis=-1)):
            ask(loss_of_the_unlikely, logits, targets)
    logits = one_far_above(rng, 500, 0.0)[:2].astype(np.float32)
    ask(loss_of_the_unlikely, logits, logits.argmin(axis=-1))
    # A row far below another; what overflows in float32 alone
    ask(loss_of_the_unlikely, np.array([[0.0, 2000.0], [1.0, 2.0]]), np.array([1, 0]))
    ask(loss_of_the_unlikely, np.array([[100.0, 99.0]], np.float32), np.array([0]))


def not_checked(logits, targets):
    """NumPy takes the index -1 from the end: look at the smallest and the largest target first."""
    return -float(np.take_along_axis(log_softmax(logits), targets[..., None], axis=-1).mean())


def largest_not_checked(logits, targets):
    """A target can be too large as well: n_vocab - 1 is the last one."""
    if targets.min() < 0:
        raise ValueError("a target is not in the vocabulary")
    return not_checked(logits, targets)


def one_too_many(logits, targets):
    """The last target is n_vocab - 1: n_vocab itself is too large."""
    if targets.min() < 0 or targets.max() > logits.shape[-1]:
        raise ValueError("a target is not in the vocabulary")
    return not_checked(logits, targets)


@question(cross_entropy, 1, (not_checked, largest_not_checked, one_too_many))
def cross_entropy_refuses(ask, rng):
    """A target outside the vocabulary is a ValueError"""
    logits = normal(rng, (3, int(rng.integers(4, 7))))
    first_and_last = np.array([0, 1, logits.shape[-1] - 1])
    ask.accepts(cross_entropy, logits, first_and_last)
    for wrong in (-1, logits.shape[-1], -logits.shape[-1], -100, 1000):
        for place in range(3):
            targets = first_and_last.copy()
            targets[place] = wrong
            ask.refuses(cross_entropy, logits, targets)
    ask.refuses(cross_entropy, normal(rng, (2, 2, 3)), np.array([[0, 2], [3, 1]]))
