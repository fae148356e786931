"""Assignment 4 with typical sampling: tokens that say about as much as is to be expected."""

from functools import partial

import numpy as np

from ...decoding.sampling import keep_top_k, keep_top_p
from ...ops import log_softmax, softmax
from ..a3_model.a3_inputs import random_params
from ..assignment import FLOATS, question, together
from .a4_2_sampling import only, random_logits
from .a4_3_choice import logits_that_tell, spread_out
from .a4_assignment import A4, random_ids
from .a4_reference import cached_gpt2, choose_token, draw, generate, new_cache


def keep_typical(logits: np.ndarray, typical_p: float) -> np.ndarray:
    """Forbid all but the fewest, most typical tokens that together reach typical_p: [n_vocab].

    A token's surprise is -log of its probability. The entropy is the mean of the surprises of all
    tokens, each weighted by its probability: what is to be expected. A token is the more typical
    the closer its surprise is to the entropy. The one with which the sum of the probabilities
    reaches typical_p is kept, so at least one always is. What is forbidden already (minus infinity)
    stays so, and counts for nothing.

    Source: Meister et al. 2023, Locally typical sampling.
    """
    allowed = np.flatnonzero(logits > -np.inf)
    surprise = -log_softmax(logits[allowed])
    p = np.exp(-surprise)
    order = np.argsort(np.abs(surprise - p @ surprise), kind="stable")
    before = np.cumsum(p[order]) - p[order]
    return only(logits, allowed[order[before < typical_p]])


def choose_typical(
    logits: np.ndarray, u: float, *, temperature: float, top_k: int | None, typical_p: float | None
) -> int:
    """The id of the next token, from the logits for it and a random number u: [n_vocab] -> id.

    A temperature of 0 takes the likeliest token. Otherwise, in this order: the logits are divided
    by the temperature; keep_top_k, unless top_k is None; keep_typical, unless typical_p is None;
    draw.
    """
    if temperature == 0:
        return int(logits.argmax())
    logits = logits / temperature
    if top_k is not None:
        logits = keep_top_k(logits, top_k)
    if typical_p is not None:
        logits = keep_typical(logits, typical_p)
    return draw(logits, u)


def distances(logits):
    """(how far each token's surprise is from the entropy, its probability)."""
    p = softmax(logits)
    surprise = -np.log(p)
    return np.abs(surprise - np.nansum(p * surprise)), p


def likeliest_first(logits, typical_p):
    """You begin with the likeliest token, as top-p does; without the absolute value of the distance
    you would, too. Begin with the one whose surprise is closest to the entropy, on either side."""
    return keep_top_p(logits, typical_p)


def least_typical_first(logits, typical_p):
    """You begin with the tokens whose surprise is farthest from the entropy."""
    distance, p = distances(logits)
    order = np.argsort(-np.where(p > 0, distance, -np.inf), kind="stable")
    before = np.cumsum(p[order]) - p[order]
    return only(logits, order[(before < typical_p) & (p[order] > 0)])


def not_weighted(logits, typical_p):
    """The entropy is the mean of the surprises weighted by the probabilities, not the plain one."""
    allowed = np.flatnonzero(logits > -np.inf)
    surprise = -log_softmax(logits[allowed])
    order = np.argsort(np.abs(surprise - surprise.mean()), kind="stable")
    p = np.exp(-surprise[order])
    return only(logits, allowed[order[np.cumsum(p) - p < typical_p]])


def crossing_token_dropped(logits, typical_p):
    """The token with which the sum reaches typical_p is kept, too: at least one always is."""
    distance, p = distances(logits)
    order = np.argsort(distance, kind="stable")
    return only(logits, order[np.cumsum(p[order]) <= typical_p])


def distance_added_up(logits, typical_p):
    """What is added up until it reaches typical_p are the probabilities, and not the distances."""
    distance, _ = distances(logits)
    order = np.argsort(distance, kind="stable")
    before = np.cumsum(distance[order]) - distance[order]
    return only(logits, order[before < typical_p])


def mask_not_put_back(logits, typical_p):
    """You know how many of the sorted tokens to keep, but keep the first ones by id."""
    n_kept = (keep_typical(logits, typical_p) > -np.inf).sum()
    return only(logits, np.arange(n_kept))


def others_zero(logits, typical_p):
    """A logit of 0 is not forbidden, its exponential is 1: what is forbidden is minus infinity."""
    kept = keep_typical(logits, typical_p)
    return np.where(kept > -np.inf, kept, 0.0).astype(logits.dtype)


def entropy_not_a_number(logits, typical_p):
    """Your entropy is not a number where a token is forbidden already, as after keep_top_k: 0 times
    infinity is nan. Leave such tokens out."""
    p = softmax(logits)
    surprise = -np.log(p)
    order = np.argsort(np.abs(surprise - (p * surprise).sum()), kind="stable")
    before = np.cumsum(p[order]) - p[order]
    return only(logits, order[before < typical_p])


TYPICAL_MISTAKES = (
    *(likeliest_first, least_typical_first, not_weighted, crossing_token_dropped),
    *(distance_added_up, mask_not_put_back, others_zero, entropy_not_a_number),
)


def logits_below_one(rng):
    """Logits whose probabilities, the most typical ones first, add up to a little less than 1."""
    while True:
        logits = random_logits(rng, np.float32)
        distance, p = distances(logits)
        if np.cumsum(p[np.argsort(distance, kind="stable")])[-1] < 1.0:
            return logits


@question(keep_typical, 3, TYPICAL_MISTAKES)
def typical_values(ask, rng):
    """The fewest typical tokens that together reach p"""
    for dtype in (*FLOATS, np.float64, np.float64):
        ask(keep_typical, random_logits(rng, dtype), float(rng.uniform(0.3, 0.8)))
    ask(keep_typical, random_logits(rng), 0.01)
    for _ in range(4):
        ask(keep_typical, keep_top_k(random_logits(rng), 4), float(rng.uniform(0.2, 0.6)))
    # A token that is certain; large logits; all of them, also where the sum is less than 1
    ask(keep_typical, keep_top_k(random_logits(rng), 1), float(rng.uniform(0.2, 0.6)))
    ask(keep_typical, random_logits(rng) + 1000.0, float(rng.uniform(0.3, 0.8)))
    ask(keep_typical, random_logits(rng), 1.0)
    for _ in range(3):
        ask(keep_typical, logits_below_one(rng), 1.0)


def zero_like_one(logits, u, *, temperature, top_k, typical_p):
    """At a temperature of 0 you draw: the likeliest token is wanted, whatever u is."""
    settings = {"top_k": top_k, "typical_p": typical_p}
    return choose_typical(logits, u, temperature=temperature or 1.0, **settings)


def typical_before_greedy(logits, u, *, temperature, top_k, typical_p):
    """At a temperature of 0 nothing is forbidden: the likeliest token may not be typical."""
    if temperature == 0 and typical_p is not None:
        logits = keep_typical(logits, typical_p)
    settings = {"top_k": top_k, "typical_p": typical_p}
    return choose_typical(logits, u, temperature=temperature, **settings)


def chosen(logits, numbers, temperature, top_k, typical_p):
    settings = {"temperature": temperature, "top_k": top_k, "typical_p": typical_p}
    return [choose_typical(logits, float(u), **settings) for u in numbers]


@question(choose_typical, 1, (zero_like_one, typical_before_greedy))
def choose_greedily(ask, rng):
    """The likeliest token at temperature 0"""
    ask(chosen, random_logits(rng), spread_out(rng, 4), 0.0, None, None)
    logits = random_logits(rng)
    while keep_typical(logits, 0.1).argmax() == logits.argmax():
        logits = random_logits(rng)
    ask(chosen, logits, spread_out(rng, 4), 0.0, None, 0.1)


def temperature_multiplied(logits, u, *, temperature, top_k, typical_p):
    """You multiply the logits by the temperature; divide them by it, so that below 1 it sharpens."""
    inverse = temperature and 1.0 / temperature
    return choose_typical(logits, u, temperature=inverse, top_k=top_k, typical_p=typical_p)


def temperature_at_the_end(logits, u, *, temperature, top_k, typical_p):
    """The temperature comes first: which tokens keep_typical keeps depends on it."""
    if temperature and top_k is not None:
        logits = keep_top_k(logits, top_k)
    if temperature and typical_p is not None:
        logits = keep_typical(logits, typical_p)
    return choose_typical(logits, u, temperature=temperature, top_k=None, typical_p=None)


def typical_first(logits, u, *, temperature, top_k, typical_p):
    """Top-k comes first: what is typical is then decided among the k tokens that are left."""
    if temperature and typical_p is not None:
        logits = temperature * keep_typical(logits / temperature, typical_p)
    return choose_typical(logits, u, temperature=temperature, top_k=top_k, typical_p=None)


def no_typical(logits, u, *, temperature, top_k, typical_p):
    """typical_p has no effect."""
    return choose_typical(logits, u, temperature=temperature, top_k=top_k, typical_p=None)


def top_p_instead(logits, u, *, temperature, top_k, typical_p):
    """This is top-p: call keep_typical."""
    return choose_token(logits, u, temperature=temperature, top_k=top_k, top_p=typical_p)


CHOOSE_MISTAKES = (
    *(temperature_multiplied, temperature_at_the_end, typical_first, no_typical),
    top_p_instead,
)


@question(choose_typical, 2, CHOOSE_MISTAKES)
def choose_values(ask, rng):
    """Temperature, top-k, typical, draw"""
    top_k, typical_p = int(rng.integers(3, 5)), float(rng.uniform(0.4, 0.7))
    typical = (1.7, None, typical_p)
    edges = (1.3, 1, None), (1.3, None, 1e-6), (1.3, 99, 1.0), (50.0, None, None)
    for settings in ((0.6, None, None), (1.7, top_k, None), typical, typical, *edges):
        ask(chosen, random_logits(rng), spread_out(rng, 8), *settings)
    ask(chosen, 0.3 * random_logits(rng), spread_out(rng, 8), 0.6, None, None)
    for temperature in (0.6, 1.7):
        keep = partial(keep_typical, typical_p=typical_p)
        logits = logits_that_tell(rng, temperature, top_k, keep)
        ask(chosen, logits, spread_out(rng, 8), temperature, top_k, typical_p)


def typical_text(prompt, n_new, numbers, params, n_head, temperature, top_k, typical_p):
    cache = new_cache(params, n_head)
    numbers = iter(numbers)

    def read(ids):
        return cached_gpt2(ids, **params, n_head=n_head, cache=cache)

    def choose(logits):
        settings = {"temperature": temperature, "top_k": top_k, "typical_p": typical_p}
        return choose_typical(logits, next(numbers), **settings)

    tokens = list(generate(prompt, n_new, read, choose))
    return {"tokens": tokens, "n_past": cache["n_past"]}


@together(3)
def whole_typical_text(ask, rng):
    """Text from your own cache and sampler"""
    params, n_head = random_params(rng, n_layer=2)
    for temperature, top_k, typical_p in ((0.0, None, None), (1.5, 6, 0.8)):
        prompt, numbers = random_ids(rng, params, 3), rng.random(8).tolist()
        ask(typical_text, prompt, 5, numbers, params, n_head, temperature, top_k, typical_p)


A4_TYPICAL = A4.variant(
    "typical",
    "the KV cache and decoding, with typical sampling",
    {keep_top_p: keep_typical, choose_token: choose_typical},
    (typical_values, choose_greedily, choose_values, whole_typical_text),
)
