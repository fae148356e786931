"""Assignment 5, how large a step is: clipping and the rate, and what is often written instead."""

import math

import numpy as np

from ...train.adamw import clip_gradients
from ...train.schedule import learning_rate
from ..assignment import FLOATS, normal, question, sizes


def length(x):
    """The root of the sum of the squares of an array's numbers."""
    return math.sqrt(float((x * x).sum()))


def clipped_with(factor, grads):
    """clip_gradients with other factors: factor(the length of all, the array) for each array."""
    norm = math.hypot(*map(length, grads.values()))
    for g in grads.values():
        g *= factor(norm, g)
    return norm


def each_array_alone(grads, max_norm):
    """All arrays together have one length and one factor: with a factor for each of them the step
    goes in another direction."""
    return clipped_with(lambda norm, g: max_norm / max(length(g), max_norm), grads)


def scales_up_too(grads, max_norm):
    """Gradients that are shorter than max_norm stay as they are."""
    return clipped_with(lambda norm, g: max_norm / (norm or 1.0), grads)


def number_by_number(grads, max_norm):
    """You limit each number by itself, which turns the step in another direction: limit the length
    of all of them together."""
    norm = math.hypot(*map(length, grads.values()))
    for g in grads.values():
        np.clip(g, -max_norm, max_norm, out=g)
    return norm


def root_forgotten(grads, max_norm):
    """The length is the root of the sum of the squares: the root is missing."""
    return clipped_with(lambda norm, g: max_norm / max(norm**2, max_norm), grads) ** 2


def lengths_added(grads, max_norm):
    """The length of all arrays together is not the sum of their lengths: add the squares, and take
    the root at the end."""
    total = sum(map(length, grads.values()))
    clipped_with(lambda norm, g: max_norm / max(total, max_norm), grads)
    return total


def length_afterwards(grads, max_norm):
    """What is returned is the length before the gradients are scaled."""
    return min(clip_gradients(grads, max_norm), max_norm)


def new_arrays(grads, max_norm):
    """g *= factor writes into the array; g = g * factor makes a new one, of which nobody knows."""
    return clip_gradients({path: g.copy() for path, g in grads.items()}, max_norm)


def something_added(grads, max_norm):
    """Nothing is added to the length by which max_norm is divided: where it divides it is not 0."""
    return clipped_with(lambda norm, g: min(1.0, max_norm / (norm + 1e-6)), grads)


CLIP_MISTAKES = (
    *(each_array_alone, scales_up_too, number_by_number, root_forgotten, lengths_added),
    *(length_afterwards, new_arrays, something_added),
)


def random_linear(rng, dtype=np.float64):
    """A linear layer's parameters w and b, or their gradients."""
    n_in, n_out = sizes(rng, 2)
    return normal(rng, (n_in, n_out), dtype), normal(rng, (n_out,), dtype)


def clipped(w, b, max_norm):
    """What becomes of the arrays, which others hold too, and not of the dict."""
    w, b = w.copy(), b.copy()
    norm = clip_gradients({"w": w, "b": b}, max_norm)
    return w, b, norm


@question(clip_gradients, 2, CLIP_MISTAKES)
def clip_values(ask, rng):
    """All together, down and not up; the length before"""
    for dtype in FLOATS:
        w, b = random_linear(rng, dtype)
        for low, high in ((0.1, 0.3), (0.99, 0.999), (1.5, 3.0)):
            max_norm = math.hypot(length(w), length(b)) * float(rng.uniform(low, high))
            ask(clipped, w, b, max_norm)
    # No gradient at all, or in one array alone; a single number; very long and very short ones
    w, b = random_linear(rng)
    for factors in ((0.0, 0.0), (0.0, 1.0), (1.0, 0.0), (1e9, 1e9), (1e-9, 1e-9)):
        ask(clipped, factors[0] * w, factors[1] * b, float(rng.uniform(0.1, 0.2)))
    ask(clipped, 1e-9 * w, 1e-9 * b, 1e-10)
    ask(clipped, normal(rng, (2, 2, 3)), normal(rng, (1,)), float(rng.uniform(0.1, 0.2)))


def cosine(progress, peak, least):
    """From peak at 0 down to least at 1."""
    return least + (peak - least) * 0.5 * (1.0 + math.cos(math.pi * progress))


def falling(value, step, steps, warmup, peak, least):
    """learning_rate that falls in another way after the warm-up: value(progress, peak, least)."""
    if step < warmup:
        return peak * (step + 1) / (warmup + 1)
    return value((step - warmup) / (steps - warmup), peak, least)


def from_zero(step, *, steps, warmup, peak, least):
    """Step 0 would move nothing: the line begins one step up, at peak / (warmup + 1)."""
    if step < warmup:
        return peak * step / warmup
    return learning_rate(step, steps=steps, warmup=warmup, peak=peak, least=least)


def peak_too_early(step, *, steps, warmup, peak, least):
    """The line reaches the peak at step number warmup, and not one step before: it divides by
    warmup + 1."""
    if step < warmup:
        return peak * (step + 1) / warmup
    return learning_rate(step, steps=steps, warmup=warmup, peak=peak, least=least)


def no_warmup(step, *, steps, warmup, peak, least):
    """The line up to the peak, before step number warmup, is missing."""
    return cosine((step - warmup) / (steps - warmup), peak, least)


def cosine_from_the_start(step, *, steps, warmup, peak, least):
    """The cosine begins at the peak, at step number warmup, and not at step 0."""
    from_start = lambda progress, peak, least: cosine(step / steps, peak, least)
    return falling(from_start, step, steps, warmup, peak, least)


def falls_to_zero(step, **rates):
    """The rate falls to least, and not to 0."""
    return falling(lambda progress, peak, least: cosine(progress, peak, 0.0), step, **rates)


def falls_from_higher(step, **rates):
    """The cosine has a height of peak - least: yours falls from peak + least."""
    return falling(lambda progress, peak, least: least + cosine(progress, peak, 0.0), step, **rates)


def not_halved(step, **rates):
    """1 + cos falls from 2 to 0, not from 1: the factor 0.5 is missing."""
    twice = lambda progress, peak, least: 2.0 * cosine(progress, peak, least) - least
    return falling(twice, step, **rates)


def straight_down(step, **rates):
    """This falls in a straight line: half a cosine falls slowly first, then faster, then slowly."""
    line = lambda progress, peak, least: peak + (least - peak) * progress
    return falling(line, step, **rates)


def pi_forgotten(step, **rates):
    """Half a cosine wave goes from 0 to pi: the pi is missing."""
    short = lambda progress, peak, least: cosine(progress / math.pi, peak, least)
    return falling(short, step, **rates)


RATE_MISTAKES = (
    *(from_zero, peak_too_early, no_warmup, cosine_from_the_start, falls_to_zero),
    *(falls_from_higher, not_halved, straight_down, pi_forgotten),
)


def all_rates(steps, warmup, peak, least):
    return [
        learning_rate(step, steps=steps, warmup=warmup, peak=peak, least=least)
        for step in range(steps + 1)
    ]


@question(learning_rate, 1, RATE_MISTAKES)
def rate_values(ask, rng):
    """A line up, half a cosine down"""
    for warmup in (int(rng.integers(2, 5)), 0):
        peak = float(rng.uniform(0.01, 0.02))
        ask(all_rates, warmup + int(rng.integers(4, 7)), warmup, peak, 0.1 * peak)
    peak = float(rng.uniform(0.01, 0.02))
    for steps, warmup, least in ((2, 1, 0.0), (1, 0, 0.001), (7, 6, 0.001), (40, 1, peak)):
        ask(all_rates, steps, warmup, peak, least)
