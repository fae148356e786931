"""Assignment 4: which tokens may be chosen, and what is often written instead."""

import numpy as np

from ...decoding.sampling import keep_top_k, keep_top_p
from ...ops import softmax
from ..assignment import FLOATS, normal, question


def random_logits(rng, dtype=np.float64):
    """Logits [n_vocab] of a vocabulary that can be looked at."""
    return 1.5 * normal(rng, (int(rng.integers(6, 10)),), dtype)


def only(logits, kept):
    """The logits of some tokens, minus infinity for all others."""
    allowed = np.isin(np.arange(len(logits)), kept)
    return np.where(allowed, logits, -np.inf).astype(logits.dtype)


def one_too_few(logits, top_k):
    """You keep k - 1 tokens: the one in the k-th place is kept, too."""
    return keep_top_k(logits, top_k - 1)


def one_too_many(logits, top_k):
    """You keep k + 1 tokens: count the places from 1."""
    return keep_top_k(logits, top_k + 1)


def tie_broken(logits, top_k):
    """All tokens with the same logit as the k-th are kept: one of them is as good as the other."""
    return only(logits, np.argsort(-logits, kind="stable")[:top_k])


def tie_broken_the_other_way(logits, top_k):
    """All tokens with the same logit as the k-th are kept: none of them is better than another."""
    return only(logits, np.argsort(logits, kind="stable")[-top_k:])


def least_likely_kept(logits, top_k):
    """You keep the least likely tokens: np.sort and np.argsort begin with the smallest."""
    return only(logits, np.argsort(logits, kind="stable")[:top_k])


def others_removed(logits, top_k):
    """The result is as long as the logits, or ids would change: forbid tokens, remove none."""
    return np.sort(logits)[::-1][:top_k]


def others_zero(logits, top_k):
    """A logit of 0 is not forbidden, its exponential is 1: what is forbidden is minus infinity."""
    least = np.sort(logits)[-min(top_k, len(logits))]
    return np.where(logits >= least, logits, 0.0).astype(logits.dtype)


def probabilities_of_top_k(logits, top_k):
    """What is returned are logits, and not probabilities."""
    return softmax(keep_top_k(logits, top_k))


def larger_than_n_vocab(logits, top_k):
    """If top_k is n_vocab or more, all tokens are kept, and there is no k-th place to look at."""
    return np.where(logits < np.sort(logits)[-top_k], -np.inf, logits)


def larger_than_n_vocab_from_the_top(logits, top_k):
    """If top_k is n_vocab or more, there is no k-th place to look at, and all tokens are kept."""
    return np.where(logits < np.sort(logits)[::-1][top_k - 1], -np.inf, logits)


TOP_K_MISTAKES = (
    *(one_too_few, one_too_many, tie_broken, tie_broken_the_other_way, least_likely_kept),
    *(others_removed, others_zero),
    *(probabilities_of_top_k, larger_than_n_vocab, larger_than_n_vocab_from_the_top),
)


@question(keep_top_k, 2, TOP_K_MISTAKES)
def top_k_values(ask, rng):
    """The k likeliest, and what ties with the last of them"""
    for dtype in FLOATS:
        logits = random_logits(rng, dtype)
        ask(keep_top_k, logits, int(rng.integers(2, len(logits) - 1)))
    second, third = np.argsort(-logits)[1:3]
    logits[third] = logits[second]
    ask(keep_top_k, rng.permutation(logits), 2)
    ask(keep_top_k, random_logits(rng), int(rng.integers(10, 20)))
    # The likeliest alone, all but one, all; two likeliest ones, and all alike; some forbidden
    logits = random_logits(rng)
    for top_k in (1, len(logits) - 1, len(logits)):
        ask(keep_top_k, logits, top_k)
    first, second = np.argsort(-logits)[:2]
    logits[second] = logits[first]
    for top_k in (1, 2, 3):
        ask(keep_top_k, rng.permutation(logits), top_k)
    ask(keep_top_k, np.full(6, float(rng.normal())), 2)
    for top_k in (2, 5):
        ask(keep_top_k, rng.permutation([*normal(rng, (3,)), *[-np.inf] * 4]), top_k)
    ask(keep_top_k, np.array([1.0, 3.0, 2.99999, 0.0]), 1)  # close is not equal


def crossing_token_dropped(logits, top_p):
    """The token with which the sum reaches top_p is kept, too: with it, at least one always is."""
    order = np.argsort(-logits, kind="stable")
    return only(logits, order[np.cumsum(softmax(logits)[order]) <= top_p])


def only_those_before(logits, top_p):
    """The token with which the sum reaches top_p is kept, too: you keep those before it alone."""
    order = np.argsort(-logits, kind="stable")
    return only(logits, order[np.cumsum(softmax(logits)[order]) < top_p])


def not_sorted(logits, top_p):
    """You add up the probabilities in the order of the ids; begin with the likeliest token."""
    before = np.cumsum(softmax(logits)) - softmax(logits)
    return np.where(before < top_p, logits, -np.inf).astype(logits.dtype)


def least_likely_first(logits, top_p):
    """You begin with the least likely token: np.sort and np.argsort begin with the smallest."""
    order = np.argsort(logits, kind="stable")
    p = softmax(logits)[order]
    return only(logits, order[np.cumsum(p) - p < top_p])


def not_put_back(logits, top_p):
    """Each token keeps its place, or ids would change: what you return is still sorted."""
    order = np.argsort(-logits, kind="stable")
    return keep_top_p(logits, top_p)[order]


def mask_not_put_back(logits, top_p):
    """You know how many of the sorted tokens to keep, but keep the first ones by id."""
    n_kept = (keep_top_p(logits, top_p) > -np.inf).sum()
    return only(logits, np.arange(n_kept))


def one_after_the_crossing(logits, top_p):
    """You keep one token too many: the sum has reached top_p before it."""
    order = np.argsort(-logits, kind="stable")
    n_kept = (keep_top_p(logits, top_p) > -np.inf).sum()
    return only(logits, order[: n_kept + 1])


def each_alone(logits, top_p):
    """It is the sum of the probabilities that is compared with top_p, and not each one."""
    return np.where(softmax(logits) >= top_p, logits, -np.inf).astype(logits.dtype)


def logits_added_up(logits, top_p):
    """What is added up are probabilities, and not logits: the softmax is missing."""
    order = np.argsort(-logits, kind="stable")
    before = np.cumsum(logits[order]) - logits[order]
    return only(logits, order[before < top_p])


def others_zero_in_top_p(logits, top_p):
    """A logit of 0 is not forbidden, its exponential is 1: what is forbidden is minus infinity."""
    kept = keep_top_p(logits, top_p)
    return np.where(kept > -np.inf, kept, 0.0).astype(logits.dtype)


def probabilities_of_top_p(logits, top_p):
    """What is returned are logits, and not probabilities."""
    return softmax(keep_top_p(logits, top_p))


TOP_P_MISTAKES = (
    *(
        crossing_token_dropped,
        only_those_before,
        not_sorted,
        least_likely_first,
        not_put_back,
        mask_not_put_back,
    ),
    *(one_after_the_crossing, each_alone, logits_added_up, others_zero_in_top_p),
    probabilities_of_top_p,
)


def number_kept(logits, top_p):
    return int(np.isfinite(keep_top_p(logits, top_p)).sum())


@question(keep_top_p, 3, TOP_P_MISTAKES)
def top_p_values(ask, rng):
    """The fewest likely tokens that together reach p"""
    for dtype in (*FLOATS, np.float64, np.float64):
        ask(keep_top_p, random_logits(rng, dtype), float(rng.uniform(0.6, 0.9)))
    # Less than the likeliest token has alone
    ask(keep_top_p, random_logits(rng), float(rng.uniform(0.01, 0.1)))
    # All of them, also where the sum of their probabilities is a little less than 1
    logits = random_logits(rng, np.float32)
    while np.cumsum(np.sort(softmax(logits))[::-1])[-1] >= 1.0:
        logits = random_logits(rng, np.float32)
    ask(keep_top_p, logits, 1.0)
    ask(keep_top_p, random_logits(rng), 1.0)
    # Large logits, after top-k, and a token that is certain
    ask(keep_top_p, random_logits(rng) + 1000.0, float(rng.uniform(0.6, 0.9)))
    ask(keep_top_p, keep_top_k(random_logits(rng), 4), float(rng.uniform(0.3, 0.9)))
    ask(keep_top_p, keep_top_k(random_logits(rng), 1), float(rng.uniform(0.3, 0.9)))
    ask(keep_top_p, np.array([1.0, 2.0, 3.0, -np.inf]), 0.9)
    # Just as much as asked for, and tokens that are alike, whichever are kept
    for alike, top_p in ((2, 0.5), (4, 0.3), (4, 0.5)):
        ask(number_kept, np.zeros(alike), top_p)
