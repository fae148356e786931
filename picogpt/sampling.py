"""From logits to a token: pure functions on logits [n_vocab], and the draw at the end.

A token that may not be chosen has the logit minus infinity, so that its probability is 0.
"""

import numpy as np

from .ops import softmax


def check_sampling(temperature: float, top_k: int | None, top_p: float | None) -> None:
    """Raises ValueError for a bad temperature, top_k below 1, or top_p outside (0, 1]."""
    # logits divided by less than a millionth might leave the range of float32
    if not (temperature == 0 or 1e-6 <= temperature < float("inf")):
        raise ValueError(f"temperature is {temperature}, expected 0 (greedy) or more")
    if top_k is not None and top_k < 1:
        raise ValueError(f"top_k is {top_k}, expected at least 1")
    if top_p is not None and not 0 < top_p <= 1:
        raise ValueError(f"top_p is {top_p}, expected more than 0 and at most 1")


def keep_top_k(logits: np.ndarray, top_k: int) -> np.ndarray:
    """Forbid all but the top_k likeliest tokens (and any that tie with the last): [n_vocab].

    Source: Fan et al. 2018, section 5.4; openai/gpt-2 sample.py, top_k_logits.
    """
    if top_k >= len(logits):
        return logits
    kth = np.partition(logits, -top_k)[-top_k]
    return np.where(logits < kth, -np.inf, logits)


def keep_top_p(logits: np.ndarray, top_p: float) -> np.ndarray:
    """Forbid all but the fewest likeliest tokens whose probabilities reach top_p: [n_vocab].

    The token that crosses the threshold is kept, so at least one always is. Two tokens of equal
    probability at the threshold are told apart by id: the lower one is kept.
    Source: Holtzman et al. 2020, section 3.1 (nucleus sampling).
    """
    allowed = np.flatnonzero(logits > -np.inf)  # after keep_top_k these are few, and quick to sort
    allowed = allowed[np.argsort(-logits[allowed], kind="stable")]
    before = np.cumsum(softmax(logits[allowed]))[:-1]  # the mass of all likelier tokens
    crossing = np.searchsorted(before, top_p)
    kept = allowed[: crossing + 1]
    nucleus = np.full_like(logits, -np.inf)
    nucleus[kept] = logits[kept]
    return nucleus


def draw(logits: np.ndarray, rng: np.random.Generator) -> int:
    """One token id, drawn with the probabilities softmax(logits): [n_vocab] -> id."""
    # Stack the probabilities on a line from 0 to 1, and see on whose piece a random point falls.
    # In float64, since a sum of 50257 numbers in float32 would shave off the rarest tokens.
    ends = np.cumsum(softmax(logits), dtype=np.float64)
    ends /= ends[-1]
    return int(np.searchsorted(ends, rng.random(), side="right"))


def choose_token(
    logits: np.ndarray,
    rng: np.random.Generator,
    temperature: float,
    top_k: int | None = None,
    top_p: float | None = None,
) -> int:
    """The next token id from logits [n_vocab].

    Temperature 0 takes the likeliest token (greedy). Any other divides the logits first: below 1
    it favours the likely tokens more than the model does, above 1 less.
    """
    if temperature == 0:
        return int(logits.argmax())
    logits = logits / temperature
    if top_k is not None:
        logits = keep_top_k(logits, top_k)
    if top_p is not None:
        logits = keep_top_p(logits, top_p)
    return draw(logits, rng)
