"""Looking at what flows through the model, and replacing it.

A tap is a function `tap(name, x) -> x`. The model calls it with every activation it computes
and goes on with what comes back, so one mechanism serves to watch and to change:

    activations = {}
    gpt2(ids, **params, n_head=12, tap=record(activations))
    activations["h.3.attn.weights"]            # [n_head, n_seq, n_seq]

    gpt2(ids, **params, n_head=12, tap=edit({"h.3.attn.heads": lambda heads: 0 * heads}))

The names are listed in `config.activation_names`, the shapes in `config.activation_shapes`.
Nothing writes into an array after a tap has seen it, so what was recorded stays true; an edit must
return a new array.
"""

from collections.abc import Callable, Iterable
from difflib import get_close_matches

import numpy as np

Tap = Callable[[str, np.ndarray], np.ndarray]


def no_tap(name: str, x: np.ndarray) -> np.ndarray:
    """The tap of every function that was given none: x passes unseen."""
    return x


def record(activations: dict[str, np.ndarray]) -> Tap:
    """A tap that keeps every activation in the given dict, under its name."""

    def tap(name, x):
        activations[name] = x
        return x

    return tap


def edit(edits: dict[str, Callable[[np.ndarray], np.ndarray]]) -> Tap:
    """A tap that replaces the named activations x by edits[name](x).

    Raises ValueError, when the model runs, if it has no activation of that name, or if an edit
    changes an activation's shape or dtype.
    """

    def tap(name, x):
        if name not in edits:
            return x
        new = edits[name](x)
        if new.shape != x.shape or new.dtype != x.dtype:
            raise ValueError(
                f"the edit of {name} returned {new.dtype} {list(new.shape)}, "
                f"expected {x.dtype} {list(x.shape)}"
            )
        return new

    setattr(tap, "names", tuple(edits))  # noqa: B010 - for check_names
    return tap


def check_names(tap: Tap, activation_names: Callable[[], Iterable[str]]) -> None:
    """Raise ValueError if a tap made by `edit` names an activation that the model does not have."""
    for name in getattr(tap, "names", ()):
        known = list(activation_names())
        if name not in known:
            nearest = get_close_matches(name, known, n=1, cutoff=0)
            raise ValueError(
                f"there is no activation {name!r:.80}; the nearest name is {nearest[0]!r}"
            )


def under(prefix: str, tap: Tap) -> Tap:
    """The tap for a part of the model, which does not know where it is: names get a prefix."""
    if tap is no_tap:
        return no_tap
    return lambda name, x: tap(prefix + name, x)


# Where GPT-2 drops: the sum of the embeddings, the attention weights, and what each branch adds.
DROPPED = ("embed", "attn.weights", "attn.c_proj", "mlp.c_proj")


def dropout_tap(rate: float, rng: "np.random.Generator") -> Tap:  # quoted: loading it takes time
    """A tap that sets each number of the activations in DROPPED to 0 with probability rate.

    The survivors grow by 1 / (1 - rate), so that the expected value is unchanged. A name's mask is
    drawn when it is first seen, and is the same from then on: the gradient of a product with a mask
    is the product with that mask, so one tap serves the forward and the backward pass.

    Source: Srivastava et al. 2014, section 10, where the scaling is at test time instead.
    """
    masks = {}

    def drop(name, x):
        if not name.endswith(DROPPED):
            return x
        if name not in masks:
            masks[name] = (rng.random(x.shape, x.dtype) >= rate) * x.dtype.type(1 / (1 - rate))
        return x * masks[name]

    return drop
