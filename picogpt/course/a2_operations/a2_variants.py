"""Variants of assignment 2: operations of other models in place of GPT-2's."""

import math

import numpy as np

from ...ops import cross_entropy, gelu, layer_norm, linear, log_softmax, softmax, token_logprobs
from ..assignment import FLOATS, normal, question, sizes, together
from .a2_2_loss import chosen, one_far_above, random_targets
from .a2_assignment import A2, network_inputs


def rms_norm(x: np.ndarray, g: np.ndarray) -> np.ndarray:
    """Each vector divided by its root mean square, then gain g: [..., n_embd] -> same.

    g: [n_embd]. The mean is over the n_embd squares, and the small number that guards against
    division by zero stands under the root. No mean is subtracted, and there is no bias.

    Source: Zhang & Sennrich 2019, section 4.
    """
    mean_square = np.vecdot(x, x)[..., None] / x.shape[-1]
    return x / np.sqrt(mean_square + 1e-5) * g


def mean_subtracted(x, g):
    """This is layer norm: RMSNorm does not subtract the mean."""
    return layer_norm(x, g, np.zeros_like(g))


def sum_instead_of_mean(x, g):
    """You divide by the root of the sum of the squares, and not of their mean."""
    return x / np.sqrt(np.vecdot(x, x)[..., None] + 1e-5) * g


def eps_outside_the_root(x, g):
    """Your 1e-5 stands outside the root: it is added to the mean, before the root is taken."""
    return x / (np.sqrt(np.vecdot(x, x)[..., None] / x.shape[-1]) + 1e-5) * g


def no_eps(x, g):
    """The 1e-5 that is added to the mean of the squares is missing."""
    return x / np.sqrt(np.vecdot(x, x)[..., None] / x.shape[-1]) * g


def root_forgotten(x, g):
    """You divide by the mean of the squares: its root is missing."""
    return x / (np.vecdot(x, x)[..., None] / x.shape[-1] + 1e-5) * g


def gain_forgotten(x, g):
    """The gain g is missing."""
    return rms_norm(x, np.ones_like(g))


RMS_MISTAKES = (
    mean_subtracted,
    sum_instead_of_mean,
    eps_outside_the_root,
    no_eps,
    root_forgotten,
    gain_forgotten,
)


@question(rms_norm, 4, RMS_MISTAKES)
def rms_norm_values(ask, rng):
    """Mean square 1, then gain"""
    for dtype in FLOATS:
        *batch, n_embd = sizes(rng, 3)
        x = 0.01 * (1.0 + normal(rng, (*batch, n_embd), dtype))
        ask(rms_norm, x, normal(rng, (n_embd,), dtype))
    g = normal(rng, (4,))
    ask(rms_norm, np.zeros((2, 4)), g)
    ask(rms_norm, normal(rng, (4,)), g)
    ask(rms_norm, 1e6 * normal(rng, (2, 4)), g)


def rms_network(x, targets, g, fc, proj):
    hidden = gelu(linear(rms_norm(x, g), **fc))
    logits = linear(hidden, **proj)
    return softmax(logits), cross_entropy(logits, targets)


@together(3)
def all_with_rms_norm(ask, rng):
    """A small network and its loss, from your own functions"""
    x, targets, ln, fc, proj = network_inputs(rng)
    ask(rms_network, x, targets, ln["g"], fc, proj)


A2_RMSNORM = A2.variant(
    "rmsnorm",
    "the operations, with RMSNorm",
    {layer_norm: rms_norm},
    (rms_norm_values, all_with_rms_norm),
)


def smoothed_cross_entropy(logits: np.ndarray, targets: np.ndarray, smoothing: float) -> float:
    """Cross-entropy with smoothed labels: the mean over the positions, in nats.

    logits: [..., n_seq, n_vocab]; targets: integers [..., n_seq]. The truth is taken to be the
    target with weight 1 - smoothing, and all n_vocab tokens alike with weight smoothing.
    Raises ValueError if a target is not in the vocabulary.

    Source: Szegedy et al. 2015, section 7.
    """
    of_target = token_logprobs(logits, targets).mean()
    of_all = log_softmax(logits).mean()
    return -float((1.0 - smoothing) * of_target + smoothing * of_all)


def not_smoothed(logits, targets, smoothing):
    """The smoothing is missing: this is the plain cross-entropy."""
    return cross_entropy(logits, targets)


def weights_swapped(logits, targets, smoothing):
    """The weights are swapped: smoothing is the weight of all tokens, and not of the target."""
    return smoothed_cross_entropy(logits, targets, 1.0 - smoothing)


def target_with_full_weight(logits, targets, smoothing):
    """The target keeps the weight 1 - smoothing, and not 1."""
    return cross_entropy(logits, targets) - smoothing * float(log_softmax(logits).mean())


def all_but_the_target(logits, targets, smoothing):
    """The weight is spread over all n_vocab tokens, the target among them, and not the others."""
    n_vocab, logprobs = logits.shape[-1], log_softmax(logits)
    of_target = chosen(logprobs, targets)
    of_others = (logprobs.sum(axis=-1) - of_target) / (n_vocab - 1)
    return -float(((1.0 - smoothing) * of_target + smoothing * of_others).mean())


def summed(logits, targets, smoothing):
    """This is the sum over all targets; the mean divides it by their number."""
    return smoothed_cross_entropy(logits, targets, smoothing) * np.asarray(targets).size


def minus_forgotten(logits, targets, smoothing):
    """The minus sign is missing: the logarithm of a probability is never positive."""
    return -smoothed_cross_entropy(logits, targets, smoothing)


SMOOTHING_MISTAKES = (
    not_smoothed,
    weights_swapped,
    target_with_full_weight,
    all_but_the_target,
    summed,
    minus_forgotten,
)


@question(smoothed_cross_entropy, 3, SMOOTHING_MISTAKES)
def smoothed_values(ask, rng):
    """The mean of -log, for smoothed targets"""
    for n in (2, 3):
        for dtype in FLOATS:
            logits = 2.0 * normal(rng, sizes(rng, n), dtype)
            smoothing = float(rng.uniform(0.1, 0.4))
            ask(smoothed_cross_entropy, logits, random_targets(rng, logits), smoothing)
    for smoothing in (0.0, 1.0):
        ask(smoothed_cross_entropy, normal(rng, (2, 3)), np.array([2, 0]), smoothing)


def logarithm_of_softmax(logits, targets, smoothing):
    """A probability can be too small for a float, and its logarithm is then minus infinity:
    write log(e / sum) as log(e) - log(sum)."""
    with np.errstate(divide="ignore"):
        logprobs = np.log(softmax(logits))
    of_target = chosen(logprobs, targets).mean()
    return -float((1.0 - smoothing) * of_target + smoothing * logprobs.mean())


def less_than_the_gaps(logits, targets, smoothing):
    """How far the loss is from what it is where one token is far above all others: the gap between
    it and the target, or all. Who is wrong about small numbers pays for that alone, unless the loss
    is infinite or always the same."""
    known = np.log([[0.125, 0.25, 0.625], [0.5, 0.25, 0.25]])
    small, other = (smoothed_cross_entropy(known, np.array(ids), 0.25) for ids in ([2, 0], [1, 1]))
    loss = float(smoothed_cross_entropy(logits, targets, smoothing))
    expected = -0.375 * math.log(0.625 * 0.5) - 0.25 * known.mean()
    if not np.allclose(small, expected) and small != other and math.isfinite(loss):
        return 0.0
    gaps = logits.max(axis=-1, keepdims=True) - logits
    of_target = np.take_along_axis(gaps, targets[..., None], axis=-1).mean()
    return round(loss - float((1.0 - smoothing) * of_target + smoothing * gaps.mean()), 6) + 0.0


@question(smoothed_cross_entropy, 1, (logarithm_of_softmax,))
def smoothed_of_the_unlikely(ask, rng):
    """Right where a token has probability 0"""
    for gap, top in ((2000, 2000.0), (500, 0.0), (90, 1000.0), (30, -900.0)):
        logits = one_far_above(rng, gap, top)
        for targets in (logits.argmin(axis=-1), logits.argmax(axis=-1)):
            ask(less_than_the_gaps, logits, targets, 0.25)


def not_checked(logits, targets, smoothing):
    """NumPy takes the index -1 from the end: look at the smallest and the largest target first."""
    logprobs = log_softmax(logits)
    of_target = np.take_along_axis(logprobs, targets[..., None], axis=-1).mean()
    return -float((1.0 - smoothing) * of_target + smoothing * logprobs.mean())


@question(smoothed_cross_entropy, 1, (not_checked,))
def smoothed_refuses(ask, rng):
    """A target outside the vocabulary is a ValueError"""
    logits = normal(rng, (3, int(rng.integers(4, 7))))
    first_and_last = np.array([0, 1, logits.shape[-1] - 1])
    ask.accepts(smoothed_cross_entropy, logits, first_and_last, 0.1)
    for wrong in (-1, logits.shape[-1], -logits.shape[-1], 1000):
        for place in range(3):
            targets = first_and_last.copy()
            targets[place] = wrong
            ask.refuses(smoothed_cross_entropy, logits, targets, 0.1)


def smoothed_network(x, targets, ln, fc, proj):
    hidden = gelu(linear(layer_norm(x, **ln), **fc))
    logits = linear(hidden, **proj)
    return softmax(logits), smoothed_cross_entropy(logits, targets, 0.1)


@together(3)
def all_with_smoothing(ask, rng):
    """A small network and its loss, from your own functions"""
    ask(smoothed_network, *network_inputs(rng))


A2_SMOOTHING = A2.variant(
    "smoothing",
    "the operations, with smoothed labels",
    {cross_entropy: smoothed_cross_entropy},
    (smoothed_values, smoothed_of_the_unlikely, smoothed_refuses, all_with_smoothing),
)
