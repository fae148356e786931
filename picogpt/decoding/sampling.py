"""From logits to a token: pure functions on logits [n_vocab], and the draw at the end.

Each function returns new logits (or the same, where it has nothing to do), so they compose:
`process_logits` applies those that the settings ask for, in the order in which transformers
does. A token that may not be chosen has the logit minus infinity: its probability is then 0.
"""

import math
import warnings
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from numbers import Real
from operator import index

import numpy as np

from ..ops import softmax

DRAWING = ("top_k", "top_p", "min_p")  # settings that matter only where a token is drawn
MAX_FACTOR = 1e6  # factors and biases up to here keep logits within the range of float32


def whole_number(name: str, value, least: int) -> int:
    """The value as Python's int; it may be one of NumPy's integers.

    Raises TypeError if it is not a whole number, ValueError if it is less than `least`.
    """
    try:
        number = index(value)
    except TypeError:
        raise TypeError(f"{name} is {value!r:.80}, expected a whole number") from None
    if number < least:
        raise ValueError(f"{name} is {number}, expected at least {least}")
    return number


@dataclass(frozen=True)
class Sampling:
    """How to choose a token. The default is greedy: always the likeliest.

    temperature: 0 takes the likeliest token; 1 draws from the model's own distribution;
        between 0 and 1 favours likely tokens more than the model does, above 1 less.
    top_k: draw from the k likeliest tokens only.
    top_p: draw from the smallest set of likeliest tokens that together have this probability.
    min_p: draw from the tokens whose probability is at least min_p times that of the likeliest.
    repetition_penalty: above 1 makes tokens that are already in the text less likely.
    logit_bias: token id -> number to be added to its logit.
    banned: ids of tokens that are never chosen.

    Raises ValueError if a setting is out of range, TypeError if it is not a number. Warns about a
    setting that has no effect at temperature 0.
    """

    temperature: float = 0.0
    top_k: int | None = None
    top_p: float | None = None
    min_p: float | None = None
    repetition_penalty: float = 1.0
    logit_bias: Mapping[int, float] = field(default_factory=dict)
    banned: Collection[int] = ()

    def __post_init__(self):
        for name in ("temperature", "top_p", "min_p", "repetition_penalty"):
            value = getattr(self, name)
            if not isinstance(value, Real) and (value is not None or name not in DRAWING):
                raise TypeError(f"{name} is {value!r:.80}, expected a number")
        if not (self.temperature == 0 or 1 / MAX_FACTOR <= self.temperature <= MAX_FACTOR):
            raise ValueError(
                f"temperature is {self.temperature}, expected 0 (greedy), or 1e-6 to 1e6"
            )
        if self.top_k is not None:
            whole_number("top_k", self.top_k, 1)
        if self.top_p is not None and not 0 < self.top_p <= 1:
            raise ValueError(f"top_p is {self.top_p}, expected more than 0 and at most 1")
        if self.min_p is not None and not 0 <= self.min_p <= 1:
            raise ValueError(f"min_p is {self.min_p}, expected 0 to 1")
        if not 1 / MAX_FACTOR <= self.repetition_penalty <= MAX_FACTOR:
            raise ValueError(
                f"repetition_penalty is {self.repetition_penalty}, expected 1e-6 to 1e6"
            )
        # as Python's own numbers, since an array of ids would have no truth value
        bias = {index(i): float(bias) for i, bias in self.logit_bias.items()}
        object.__setattr__(self, "logit_bias", bias)
        object.__setattr__(self, "banned", tuple(index(i) for i in self.banned))
        for i, bias in self.logit_bias.items():
            if not (abs(bias) <= MAX_FACTOR or bias == -math.inf):
                raise ValueError(
                    f"logit_bias of token {i} is {bias}, expected -1e6 to 1e6, or -inf to ban it"
                )
        idle = [name for name in DRAWING if getattr(self, name) is not None]
        if self.temperature == 0 and idle:
            warnings.warn(
                f"{idle[0]} has no effect at temperature 0, which always takes the likeliest "
                "token: give a temperature, such as 0.8",
                stacklevel=4,
            )

    def check_ids(self, n_vocab: int) -> None:
        """Raise ValueError if logit_bias or banned name a token that is not in the vocabulary."""
        for i in (*self.logit_bias, *self.banned):
            if not 0 <= i < n_vocab:
                raise ValueError(f"token {i} is not in the vocabulary (0 to {n_vocab - 1})")


def add_bias(logits: np.ndarray, logit_bias: Mapping[int, float]) -> np.ndarray:
    """Add a number to the logits of some tokens, which multiplies their odds by its exponential."""
    logits = logits.copy()
    logits[list(logit_bias)] += np.fromiter(logit_bias.values(), logits.dtype)
    return logits


def penalize_repetition(logits: np.ndarray, ids: Sequence[int], penalty: float) -> np.ndarray:
    """Make the tokens in ids less likely: a positive logit is divided, a negative one multiplied.

    How often a token has occurred does not matter.
    Source: Keskar et al. 2019 (CTRL), section 4.1; the two cases are transformers'.
    """
    logits = logits.copy()
    seen = logits[ids]
    logits[ids] = np.where(seen < 0, seen * penalty, seen / penalty)
    return logits


def ban(logits: np.ndarray, banned: Collection[int]) -> np.ndarray:
    """Forbid some tokens. Raises ValueError if that leaves none."""
    logits = logits.copy()
    logits[list(banned)] = -np.inf
    if logits.max() == -np.inf:
        raise ValueError("every token is banned")
    return logits


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
    if top_p == 1:
        return logits
    probabilities = softmax(logits)
    # All tokens below this together have less than half of 1 - top_p. So none of them is needed, and
    # they need not be sorted, which would take most of the time.
    likely = np.flatnonzero(probabilities >= (1 - top_p) / (2 * len(logits)))
    likely = likely[np.argsort(-logits[likely], kind="stable")]
    # the mass of all likelier tokens, in float64 for the reason given in draw
    before = np.cumsum(probabilities[likely], dtype=np.float64)[:-1]
    crossing = np.searchsorted(before, top_p)
    kept = likely[: crossing + 1]
    nucleus = np.full_like(logits, -np.inf)
    nucleus[kept] = logits[kept]
    return nucleus


def keep_min_p(logits: np.ndarray, min_p: float) -> np.ndarray:
    """Forbid tokens less likely than min_p times the likeliest: [n_vocab].

    Where the model is sure, few tokens are left; where it is not, many.
    Source: Nguyen et al. 2024, section 3.
    """
    probabilities = softmax(logits)
    return np.where(probabilities < min_p * probabilities.max(), -np.inf, logits)


def process_logits(logits: np.ndarray, ids: Sequence[int], sampling: Sampling) -> np.ndarray:
    """The logits after everything the settings ask for, in transformers' order: [n_vocab] -> same.

    ids: the text so far, prompt included. At temperature 0 nothing after the bans can change
    which token is the likeliest, so the rest is left out.
    """
    if sampling.logit_bias:
        logits = add_bias(logits, sampling.logit_bias)
    if sampling.repetition_penalty != 1:
        logits = penalize_repetition(logits, ids, sampling.repetition_penalty)
    if sampling.banned or sampling.logit_bias:  # a bias of minus infinity bans, too
        logits = ban(logits, sampling.banned)
    if sampling.temperature == 0:
        return logits
    if sampling.temperature != 1:
        logits = logits / sampling.temperature
    if sampling.top_k is not None:
        logits = keep_top_k(logits, sampling.top_k)
    if sampling.top_p is not None:
        logits = keep_top_p(logits, sampling.top_p)
    if sampling.min_p is not None:
        logits = keep_min_p(logits, sampling.min_p)
    return logits


def check_logits(logits: np.ndarray, n_past: int) -> None:
    """Raise ValueError if logits are nan or infinite; n_past: how many tokens stand before."""
    if not np.isfinite(logits.max()):  # of any nan, the maximum is nan
        raise ValueError(
            f"the logits for token {n_past} of the text are {logits.max()}: "
            "the weights of the model are damaged"
        )


def draw(logits: np.ndarray, rng: "np.random.Generator") -> int:
    """One token id, drawn with the probabilities softmax(logits): [n_vocab] -> id."""
    # Stack the probabilities on a line from 0 to 1, and see on whose piece a random point falls.
    # In float64, since a sum of 50257 numbers in float32 would shave off the rarest tokens.
    allowed = np.flatnonzero(logits > -np.inf)
    ends = np.cumsum(softmax(logits[allowed]), dtype=np.float64)
    ends /= ends[-1]
    return int(allowed[np.searchsorted(ends, rng.random(), side="right")])


def choose_token(
    logits: np.ndarray, ids: Sequence[int], sampling: Sampling, rng: "np.random.Generator"
) -> int:
    """The next token's id, from logits [n_vocab] and the text so far, ids [n_seq].

    Raises ValueError if the logits are not numbers, which only damaged weights can cause.
    """
    check_logits(logits, len(ids))
    logits = process_logits(logits, ids, sampling)
    if sampling.temperature == 0:
        return int(logits.argmax())
    return draw(logits, rng)
