"""Assignment 4: drawing and choosing a token, and what is often written instead."""

from functools import partial

import numpy as np

from ...decoding.sampling import keep_top_k, keep_top_p
from ...ops import softmax
from ..assignment import normal, question
from .a4_2_sampling import random_logits
from .a4_reference import choose_token, draw


def spread_out(rng, n):
    """n random numbers between 0 and 1, one in each nth of the line."""
    return (np.arange(n) + rng.uniform(0.2, 0.8, size=n)) / n


def always_the_likeliest(logits, u):
    """You return the likeliest token, whatever u is."""
    return int(logits.argmax())


def likeliest_first(logits, u):
    """The pieces lie in the order of the ids, and not from the likeliest to the least likely."""
    order = np.argsort(-logits, kind="stable")
    return int(order[draw(logits[order], u)])


def all_alike(logits, u):
    """Each token's piece is as long as its probability; yours are all of the same length."""
    allowed = np.flatnonzero(logits > -np.inf)
    return int(allowed[int(u * len(allowed))])


def each_probability_alone(logits, u):
    """Compare u with the sums of the probabilities up to each token, and not with each one."""
    return int(np.argmax(softmax(logits) > u))


def drawn(logits, numbers):
    return [draw(logits, float(u)) for u in numbers]


@question(draw, 2, (always_the_likeliest, likeliest_first, all_alike, each_probability_alone))
def draw_values(ask, rng):
    """Each token as often as its probability says"""
    for _ in range(3):
        ask(drawn, random_logits(rng), spread_out(rng, 10))
    ask(drawn, random_logits(rng) + 1000.0, np.append(0.0, spread_out(rng, 6)))
    ask(drawn, np.array([0.0, 1.0, 2.0]), np.array([0.05, 0.2, 0.5]))  # in the order of the ids
    ask(drawn, random_logits(rng, np.float32), spread_out(rng, 6))
    ask(drawn, 0.1 * normal(rng, (5000,)), np.array([1e-4, 1.0 - 1e-4]))  # many, each with little


def end_belongs_to_the_piece(logits, u):
    """At u = 0 you draw a forbidden token, which has no piece: its probability is 0, and what is
    drawn is the first token whose sum is greater than u."""
    ends = np.cumsum(softmax(logits))
    return int(np.searchsorted(ends / ends[-1], u))


def sums_end_below_1(logits, u):
    """By rounding, the last of your sums is a little less than 1, and u falls behind it: divide
    all sums by the last one."""
    ends = np.cumsum(softmax(logits))
    return int(np.searchsorted(ends, u, side="right"))


def neither_end(logits, u):
    """At u = 0 you draw a forbidden token: what is drawn is the first one whose sum is greater than
    u. And by rounding, the last of your sums is a little less than 1: divide all sums by it."""
    return int(np.searchsorted(np.cumsum(softmax(logits)), u))


def id_among_the_allowed(logits, u):
    """You return the place among the tokens that are allowed, and not the token's id."""
    return draw(logits[logits > -np.inf], u)


def can_be_drawn(logits, u):
    """Whether what is drawn may be. Who draws the wrong ones anyway pays for that alone, unless it
    is always the same one."""
    drawn = [draw(np.log([0.25, 0.25, 0.5]), u) for u in (0.1, 0.3, 0.7)]
    if drawn != [0, 1, 2] and len(set(drawn)) > 1:
        return True
    token = draw(logits, u)
    return 0 <= token < len(logits) and bool(logits[token] > -np.inf)


FORBIDDEN_MISTAKES = (
    *(end_belongs_to_the_piece, sums_end_below_1, neither_end, id_among_the_allowed),
)


def logits_below_one(rng):
    """Logits whose probabilities add up to less than 1 in float32, which takes a few attempts."""
    forbidden = np.full(2, -np.inf, np.float32)
    while True:
        logits = random_logits(rng, np.float32)
        parts = (logits,), (logits, forbidden), (forbidden, logits), (forbidden, logits, forbidden)
        several = [np.concatenate(x) for x in parts]
        if all(np.cumsum(softmax(x))[-1] < 1.0 for x in several):
            return several


@question(draw, 1, FORBIDDEN_MISTAKES)
def draw_forbidden(ask, rng):
    """Never a token of probability 0"""
    ask(can_be_drawn, np.append(-np.inf, random_logits(rng)), 0.0)
    for u in spread_out(rng, 5):
        ask(can_be_drawn, keep_top_k(random_logits(rng), 3), float(u))
    certain = np.full(6, -np.inf)
    certain[rng.integers(1, 6)] = normal(rng, ())
    ask(can_be_drawn, certain, float(rng.random()))
    # Probabilities that add up to 1 in float32, and to less, and forbidden tokens at both ends
    for logits in (certain.astype(np.float32), *logits_below_one(rng)):
        for u in (0.0, 1.0 - 2.0**-26, 1.0 - 2.0**-53):
            ask(can_be_drawn, logits, u)


def divided_by_zero(logits, u, *, temperature, top_k, top_p):
    """A temperature of 0 takes the likeliest token: nothing can be divided by it."""
    with_zero = logits / temperature if temperature == 0 else logits
    return choose_token(with_zero, u, temperature=temperature or 1.0, top_k=top_k, top_p=top_p)


def zero_like_one(logits, u, *, temperature, top_k, top_p):
    """At a temperature of 0 you draw: the likeliest token is wanted, whatever u is."""
    return choose_token(logits, u, temperature=temperature or 1.0, top_k=top_k, top_p=top_p)


def least_likely(logits, u, *, temperature, top_k, top_p):
    """At a temperature of 0 you take the least likely token: the largest logit is the likeliest."""
    logits = -logits if temperature == 0 else logits
    return choose_token(logits, u, temperature=temperature, top_k=top_k, top_p=top_p)


def chosen(logits, numbers, temperature, top_k, top_p):
    settings = {"temperature": temperature, "top_k": top_k, "top_p": top_p}
    return [choose_token(logits, float(u), **settings) for u in numbers]


@question(choose_token, 1, (divided_by_zero, zero_like_one, least_likely))
def choose_greedily(ask, rng):
    """The likeliest token at temperature 0"""
    for _ in range(5):
        ask(chosen, random_logits(rng), spread_out(rng, 3), 0.0, None, None)
    ask(chosen, -np.abs(random_logits(rng)), spread_out(rng, 3), 0.0, 3, 0.5)
    ask(chosen, keep_top_k(random_logits(rng) - 50.0, 2), spread_out(rng, 3), 0.0, None, None)
    ask(chosen, np.array([0.0, 1e-9, -1.0]), spread_out(rng, 4), 0.0, None, None)  # nearly alike


def temperature_multiplied(logits, u, *, temperature, top_k, top_p):
    """You multiply the logits by the temperature; divide them by it, so that below 1 it sharpens."""
    inverse = temperature and 1.0 / temperature
    return choose_token(logits, u, temperature=inverse, top_k=top_k, top_p=top_p)


def temperature_without_effect(logits, u, *, temperature, top_k, top_p):
    """Your temperature changes nothing: divide the logits by it, before any softmax. Probabilities
    divided by a number are the same again once they sum to 1."""
    ignored = 1.0 if temperature else 0.0
    return choose_token(logits, u, temperature=ignored, top_k=top_k, top_p=top_p)


def temperature_at_the_end(logits, u, *, temperature, top_k, top_p):
    """The temperature comes first: which tokens top-p keeps depends on it."""
    if top_k is not None:
        logits = keep_top_k(logits, top_k)
    if top_p is not None:
        logits = keep_top_p(logits, top_p)
    return choose_token(logits, u, temperature=temperature, top_k=None, top_p=None)


def top_p_first(logits, u, *, temperature, top_k, top_p):
    """Top-k comes first: top-p then looks at the probabilities of the k tokens among themselves."""
    if temperature and top_p is not None:
        logits = temperature * keep_top_p(logits / temperature, top_p)
    return choose_token(logits, u, temperature=temperature, top_k=top_k, top_p=None)


def no_top_k(logits, u, *, temperature, top_k, top_p):
    """top_k has no effect."""
    return choose_token(logits, u, temperature=temperature, top_k=None, top_p=top_p)


def no_top_p(logits, u, *, temperature, top_k, top_p):
    """top_p has no effect."""
    return choose_token(logits, u, temperature=temperature, top_k=top_k, top_p=None)


def never_draws(logits, u, *, temperature, top_k, top_p):
    """You take the likeliest token at every temperature: above 0, draw."""
    return choose_token(logits, u, temperature=0, top_k=top_k, top_p=top_p)


CHOOSE_MISTAKES = (
    *(temperature_multiplied, temperature_without_effect, temperature_at_the_end),
    *(top_p_first, no_top_k, no_top_p, never_draws),
)


def logits_that_tell(rng, temperature, top_k, keep):
    """Logits of which other tokens are kept if temperature, top-k and `keep` change places."""
    while True:
        logits = random_logits(rng)
        kept, *others = (
            keep(keep_top_k(logits / temperature, top_k)) > -np.inf,
            keep_top_k(keep(logits / temperature), top_k) > -np.inf,
            keep(keep_top_k(logits, top_k)) > -np.inf,
        )
        if all((kept != other).any() for other in others):
            return logits


@question(choose_token, 2, CHOOSE_MISTAKES)
def choose_values(ask, rng):
    """Temperature, top-k, top-p, draw"""
    top_k, top_p = int(rng.integers(3, 5)), float(rng.uniform(0.6, 0.8))
    for settings in ((0.6, None, None), (1.7, top_k, None), (1.7, None, top_p)):
        ask(chosen, random_logits(rng), spread_out(rng, 8), *settings)
    # One token left; all left; so cold that it is nearly greedy, so hot that all are nearly alike
    for settings in ((1.3, 1, None), (1.3, None, 1e-6), (1.3, 99, 1.0), (0.01, 3, 0.9)):
        ask(chosen, random_logits(rng), spread_out(rng, 4), *settings)
    for temperature, factor in ((0.02, 0.005), (0.2, 0.3), (0.6, 0.3), (50.0, 5.0)):
        ask(chosen, factor * random_logits(rng), spread_out(rng, 8), temperature, None, None)
    for temperature in (0.6, 1.7):
        keep = partial(keep_top_p, top_p=top_p)
        logits = logits_that_tell(rng, temperature, top_k, keep)
        ask(chosen, logits, spread_out(rng, 8), temperature, top_k, top_p)
