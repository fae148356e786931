"""Beam search: looking for the likeliest text, not the likeliest next token.

Greedy decoding may take a token that leads nowhere good. Beam search keeps several beginnings
alive, the beams, lets each go on with every token, and keeps the best of all these.

Source: Graves 2012, section 3; the length penalty is that of Wu et al. 2016, section 7, in the
form in which transformers has it. When to stop, and which texts count as ended, follow
transformers, too.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from ..config import Config
from ..ops import log_softmax
from .loop import CachedText, read_last, read_prompts
from .sampling import check_logits

MAX_PENALTY = 10.0  # a length to a higher power may overflow


class Beam(NamedTuple):
    """A beginning that is still alive, and the sum of its tokens' log-probabilities."""

    text: CachedText
    total: float


class Hypothesis(NamedTuple):
    """A text that beam search found.

    ids: the tokens after the prompt, without <|endoftext|>.
    score: the sum of the log-probabilities (that of <|endoftext|> included, where it ended the
        text), divided by the number of these tokens to the power of length_penalty.
    """

    ids: list[int]
    score: float


def beam_search(
    ids: Sequence[int],
    params: dict,
    config: Config,
    *,
    n_beams: int,
    max_new_tokens: int,
    endoftext: int,
    length_penalty: float = 1.0,
    early_stopping: bool = False,
    banned: Sequence[int] = (),
) -> list[Hypothesis]:
    """The n_beams best continuations that were found of ids [n_seq], the best first.

    length_penalty: 0 compares sums of log-probabilities, which favours short texts, 1 their mean;
        above 1 long texts are favoured.
    early_stopping: stop as soon as n_beams texts have ended. Otherwise stop when even the best
        beam, if it ended now, would not be among the n_beams best texts that have ended.
    banned: ids of tokens that are never chosen.
    """
    if not -MAX_PENALTY <= length_penalty <= MAX_PENALTY:
        raise ValueError(f"length_penalty is {length_penalty}, expected -10 to 10")
    beams = [Beam(CachedText(list(ids)), 0.0)]
    read_prompts([beams[0].text], params, config, end=len(ids) + max_new_tokens)
    ended: list[Hypothesis] = []
    for length in range(1, max_new_tokens + 1):
        going_on = []
        # At most n_beams candidates end with <|endoftext|>, so twice as many leave enough.
        for rank, (beam, token, total) in enumerate(candidates(beams, 2 * n_beams, banned)):
            new_ids = beam.text.ids[len(ids) :]
            if token != endoftext and length < max_new_tokens:
                going_on.append((beam, token, total))
            elif rank < n_beams:
                new_ids += [token] if token != endoftext else []
                ended.append(Hypothesis(new_ids, total / length**length_penalty))
        ended = sorted(ended, key=lambda text: -text.score)[:n_beams]
        if not going_on:
            break
        best_total = going_on[0][-1]
        if len(ended) == n_beams and (
            early_stopping or best_total / length**length_penalty <= ended[-1].score
        ):
            break
        beams = extend(going_on[:n_beams])
        read_last([beam.text for beam in beams], params, config)
    return ended


def candidates(beams: list[Beam], n: int, banned: Sequence[int]) -> list[tuple[Beam, int, float]]:
    """The n best ways to continue the beams by one token: (beam, token, new total)."""
    for beam in beams:
        check_logits(beam.text.logits[-1], len(beam.text.ids))
    totals = np.stack([beam.total + log_softmax(beam.text.logits[-1]) for beam in beams])
    totals[:, banned] = -np.inf
    n = min(n, totals.size - len(beams) * len(banned))
    best = np.argpartition(-totals, n - 1, axis=None)[:n]
    best = best[np.argsort(-totals.flat[best], kind="stable")]
    positions = zip(*(axis.tolist() for axis in np.unravel_index(best, totals.shape)), strict=True)
    return [(beams[row], token, float(totals[row, token])) for row, token in positions]


def extend(chosen: list[tuple[Beam, int, float]]) -> list[Beam]:
    """The chosen candidates as beams."""
    beams, taken = [], set()
    for beam, token, total in chosen:
        old = beam.text
        # the first to go on from a beam takes its cache along, the others copy it
        cache = old.cache.copy() if old in taken else old.cache
        taken.add(old)
        beams.append(Beam(CachedText([*old.ids, token], old.start, cache), total))
    return beams
