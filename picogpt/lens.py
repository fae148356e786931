"""Looking inside a model: what it would say at each depth, who looks at whom, what depends on what.

The first half of this file reads what a tap has recorded; the second half makes edits for a tap
(see tap.py), which can be joined with `|`:

    activations = {}
    gpt2(ids, **params, n_head=12, tap=record(activations))
    logit_lens(activations, params)[3]             # [n_seq, n_vocab]: if it had only three blocks
    attention_maps(activations, n_layer=12)[3, 7]  # [n_seq, n_seq]: where head 7 of block 3 looks

    gpt2(ids, **params, n_head=12, tap=edit(ablate_heads([(3, 7)], config)))
    gpt2(other, **params, n_head=12, tap=edit(patch(activations, ["h.3.resid"], positions=[4])))
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence

import numpy as np

from .config import Config
from .model import unembed

Activations = dict[str, np.ndarray]
Edits = dict[str, Callable[[np.ndarray], np.ndarray]]


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

    Row i of a map says how position i shares its attention, which sums to 1, among the positions
    up to its own. Raises ValueError if the attention weights were not recorded.
    """
    return np.stack([recorded(activations, f"h.{i}.attn.weights") for i in range(n_layer)])


def logit_lens(activations: Activations, params: dict) -> np.ndarray:
    """What the model would say if it had fewer blocks: logits [n_layer + 1, ..., n_seq, n_vocab].

    Every block only adds to the residual stream, so that the stream can be read at each depth as
    it is at the end. Index i is the reading after i blocks: 0 is that of the embeddings, and the
    last one holds the logits of the model itself.

    Raises ValueError if the residual stream was not recorded.
    Source: nostalgebraist 2020, "interpreting GPT: the logit lens".
    """
    names = ["embed", *(f"h.{i}.resid" for i in range(len(params["h"])))]
    wte, ln_f, lm_head = params["wte"], params["ln_f"], params.get("lm_head")
    return np.stack([unembed(recorded(activations, name), wte, ln_f, lm_head) for name in names])


def lookback(maps: np.ndarray, distance: int) -> np.ndarray:
    """How much each position looks at the one `distance` before it: its weight there.

    [..., n_seq, n_seq] -> [..., n_seq - distance], of the positions from number `distance` on. A
    "previous token head" has numbers near 1 at distance 1.
    Raises ValueError unless 0 <= distance < n_seq.
    """
    check_indices("distance", [distance], maps.shape[-1])
    return np.diagonal(maps, -distance, axis1=-2, axis2=-1)


def induction_scores(maps: np.ndarray, period: int) -> np.ndarray:
    """How much each head, in a text that repeats itself, looks at what came next the last time.

    maps: the attention to a sequence in which each token equals the one `period` before it, best
        one of random tokens, which nothing but the repetition can predict:
        np.tile(rng.integers(n_vocab, size=period), 2)
    returns: [..., n_seq, n_seq] -> [...], from 0 to 1. A head of score 1 looks, from every token
        of the repetition, only at the token after its last occurrence: the one to come again.

    Raises ValueError unless 1 <= period < n_seq.
    Source: Olsson et al. 2022, "In-context Learning and Induction Heads" (prefix matching).
    """
    if not 1 <= period < maps.shape[-1]:
        raise ValueError(f"the period is {period}, expected 1 to {maps.shape[-1] - 1}")
    # lookback begins at position period - 1, the last one before the repetition
    return lookback(maps, period - 1)[..., 1:].mean(axis=-1)


def ablate_heads(
    heads: Iterable[tuple[int, int]], config: Config, mean_of: Activations | None = None
) -> Edits:
    """Edits that silence attention heads, each a pair (layer, head).

    A silent head gives zeros; or, with mean_of, always what it gave on average over all positions
    and texts of that recorded run. The mean is the milder cut: it takes away what the head says
    about this text, but leaves the constant that the blocks above have learned to count on.

    Raises ValueError for a head that the model has not, or that was not recorded.
    """
    silent = defaultdict(list)
    for layer, head in heads:
        check_indices("block", [layer], config.n_layer)
        check_indices("head", [head], config.n_head)
        silent[f"h.{layer}.attn.heads"].append(head)  # [..., n_head, n_seq, n_head_dim]
    edits = {}
    for name, which in silent.items():
        constant = 0.0
        if mean_of is not None:
            outputs = recorded(mean_of, name)
            texts_and_positions = (*range(outputs.ndim - 3), -2)
            constant = outputs.mean(axis=texts_and_positions)[which, None]  # [n, 1, n_head_dim]
        edits[name] = put((..., which, slice(None), slice(None)), constant)
    return edits


def patch(
    source: Activations, names: Iterable[str], positions: Sequence[int] | None = None
) -> Edits:
    """Edits that put activations of another run in the place of this run's own.

    source: what was recorded in the other run; names: the activations to take from there;
    positions: where (for "scores" and "weights", at which queries), None for everywhere.

    If this run then gives the other's answer, that is where the information for it was.
    Raises ValueError for an activation that was not recorded or a position that is not there;
    and, when the model runs, if the two runs' shapes do not agree.
    Source: Meng et al. 2022, "Locating and Editing Factual Associations in GPT", section 2.1.
    """
    edits = {}
    for name in names:
        x = recorded(source, name)
        if positions is None:
            edits[name] = lambda own, other=x: other
        else:
            check_indices("position", positions, x.shape[-2])
            where = (..., list(positions), slice(None))
            edits[name] = put(where, x[where])
    return edits


def put(where: tuple, new) -> Callable[[np.ndarray], np.ndarray]:
    """An edit: x -> a copy of x in which x[where] is new."""

    def edited(x):
        x = x.copy()
        try:
            x[where] = new
        except IndexError as error:
            raise ValueError(f"an edit of {list(x.shape)}: {error}") from None
        return x

    return edited
