"""Reading what a tap has recorded: what the model would say at each depth, and who looks at whom.

activations = {}
gpt2(ids, **params, n_head=12, tap=record(activations))
logit_lens(activations, params)[3]             # [n_seq, n_vocab]: if it had only three blocks
attention_maps(activations, n_layer=12)[3, 7]  # [n_seq, n_seq]: where head 7 of block 3 looks
"""

from collections.abc import Iterable

import numpy as np

from ..model import unembed

Activations = dict[str, np.ndarray]


def recorded(activations: Activations, name: str) -> np.ndarray:
    """The activation of that name. Raises ValueError if it was not recorded."""
    if name not in activations:
        raise ValueError(f"no activation {name!r} was recorded (see config.activation_shapes)")
    return activations[name]


def check_indices(what: str, indices: Iterable[int], n: int) -> None:
    """Raise ValueError unless every index is one of 0 to n - 1."""
    for i in indices:
        if not 0 <= i < n:
            raise ValueError(f"there is no {what} {i}, expected 0 to {n - 1}")


def attention_maps(activations: Activations, n_layer: int) -> np.ndarray:
    """Who looks at whom: [n_layer, ..., n_head, n_seq, n_seq].

    Row i of a map says how position i divides its attention, which sums to 1, among the positions
    up to its own. Raises ValueError if the attention weights were not recorded.
    """
    return np.stack([recorded(activations, f"h.{i}.attn.weights") for i in range(n_layer)])


def logit_lens(activations: Activations, params: dict) -> np.ndarray:
    """What the model would say if it had fewer blocks: logits [n_layer + 1, ..., n_seq, n_vocab].

    Every block only adds to the residual stream, so the stream can be read at each depth as it is
    at the end. Index i is the reading after i blocks: 0 is that of the embeddings alone, and the
    last holds the logits of the model itself.

    Raises ValueError if the residual stream was not recorded.
    Source: nostalgebraist 2020, "interpreting GPT: the logit lens".
    """
    names = ["embed", *(f"h.{i}.resid" for i in range(len(params["h"])))]
    wte, ln_f, lm_head = params["wte"], params["ln_f"], params.get("lm_head")
    return np.stack([unembed(recorded(activations, name), wte, ln_f, lm_head) for name in names])


def lookback(maps: np.ndarray, distance: int) -> np.ndarray:
    """How much each position looks at the one `distance` before it: its weight there.

    [..., n_seq, n_seq] -> [..., n_seq - distance], for the positions from `distance` on. A
    "previous token head" has numbers near 1 at distance 1.
    Raises ValueError unless 0 <= distance < n_seq.
    """
    check_indices("distance", [distance], maps.shape[-1])
    return np.diagonal(maps, -distance, axis1=-2, axis2=-1)


def induction_scores(maps: np.ndarray, period: int) -> np.ndarray:
    """How much each head, in a text that repeats itself, looks at what came next the last time.

    maps: the attention in a sequence in which each token equals the one `period` before it. Best
        are random tokens, which nothing but the repetition can predict:
        np.tile(rng.integers(n_vocab, size=period), 2)
    returns: [..., n_seq, n_seq] -> [...], from 0 to 1. A head of score 1 looks, from every token
        of the repetition, only at the token after its last occurrence, which is about to come
        again.

    Raises ValueError unless 1 <= period < n_seq.
    Source: Olsson et al. 2022, "In-context Learning and Induction Heads" (prefix matching).
    """
    if not 1 <= period < maps.shape[-1]:
        raise ValueError(f"the period is {period}, expected 1 to {maps.shape[-1] - 1}")
    # lookback begins at position period - 1, the last one before the repetition
    return lookback(maps, period - 1)[..., 1:].mean(axis=-1)
