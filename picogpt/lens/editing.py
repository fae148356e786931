"""Edits for a tap (see tap.py), which show what depends on what. They can be joined with `|`.

gpt2(ids, **params, n_head=12, tap=edit(ablate_heads([(3, 7)], config)))
gpt2(other, **params, n_head=12, tap=edit(patch(activations, ["h.3.resid"], positions=[4])))
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence

import numpy as np

from ..config import Config
from .reading import Activations, check_indices, recorded

Edits = dict[str, Callable[[np.ndarray], np.ndarray]]


def ablate_heads(
    heads: Iterable[tuple[int, int]], config: Config, mean_of: Activations | None = None
) -> Edits:
    """Edits that silence attention heads, each a pair (layer, head).

    A silenced head gives zeros; or, with mean_of, always its mean over all positions and texts of
    that recorded run. The mean is milder: it takes away what the head says about this text, but
    keeps the constant that later blocks have learned to rely on.

    Raises ValueError for a head that the model does not have, or that was not recorded.
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
    """Edits that replace activations of this run by those of another run.

    source: what was recorded in the other run; names: the activations to take from there;
    positions: where (for "scores" and "weights", at which queries; -1 is the last); None means
    everywhere.

    If this run then gives the other's answer, that is where the information for it was.
    Raises ValueError for an activation that was not recorded or a position that does not exist,
    and, when the model runs, if the shapes of the two runs differ.
    Source: Meng et al. 2022, "Locating and Editing Factual Associations in GPT", section 2.1.
    """
    edits = {}
    for name in names:
        x = recorded(source, name)
        if positions is None:
            edits[name] = lambda own, other=x: other
        else:
            last = x.shape[-2] - 1
            check_indices("position", (last if p == -1 else p for p in positions), last + 1)
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
