"""The gradients when the lower blocks are frozen, without computing those that nobody needs.

The gradient flows from the top down. Below the lowest block that learns there is nothing to
change, so it stops there. `backward.loss_and_gradients`, which goes all the way, is the plain form.
"""

import numpy as np

from ..backward import SAVED, d_cross_entropy, d_layer_norm, d_transformer_block, d_unembed
from ..config import flatten, unflatten
from ..model import gpt2
from ..ops import cross_entropy, project
from ..tap import dropout_tap, no_tap, under


def loss_and_upper_gradients(
    ids,
    targets,
    params: dict,
    n_head: int,
    *,
    freeze: int,
    dropout: float = 0.0,
    rng: np.random.Generator | None = None,
) -> tuple[float, dict]:
    """Like loss_and_gradients, for all but the embeddings and the first `freeze` blocks.

    ids, targets: [..., n_seq]. The gradients are flat, path -> array; a separate lm_head has one.
    What the frozen blocks compute is not kept, so they need little memory.
    """
    drop = dropout_tap(dropout, rng) if dropout else no_tap
    stream = lambda i: f"h.{i - 1}.resid" if i else "embed"  # what enters block i
    learning = range(freeze, len(params["h"]))
    kept = ("ln_f", stream(freeze), *(f"h.{i}." for i in learning))
    activations = {}

    def tap(name, x):
        if name.startswith(kept) and name.endswith(SAVED):
            activations[name] = x
        return drop(name, x)

    logits = gpt2(ids, **params, n_head=n_head, tap=tap)
    if freeze == 0:  # block 0 saw the embeddings after dropout; the tap recorded them before
        activations["embed"] = drop("embed", activations["embed"])
    x = activations[stream(len(params["h"]))]
    dx, grads = d_head(d_cross_entropy(logits, targets), x, activations["ln_f"], params)
    for i in reversed(learning):
        own = f"h.{i}."
        seen = {
            name.removeprefix(own): activation
            for name, activation in activations.items()
            if name.startswith(own)
        }
        dx, dblock = d_transformer_block(
            dx, activations[stream(i)], unflatten(seen), **params["h"][i],
            n_head=n_head, drop=under(own, drop),
        )  # fmt: skip
        grads |= flatten(dblock, f"h.{i}")
    return cross_entropy(logits, targets), grads


def d_head(
    dlogits: np.ndarray, x: np.ndarray, normed: np.ndarray, params: dict
) -> tuple[np.ndarray, dict]:
    """d_unembed, but without the gradient of a head that is the frozen wte, a large product."""
    if "lm_head" in params:
        dx, dhead, dln_f = d_unembed(dlogits, x, normed, params["lm_head"], params["ln_f"])
        return dx, flatten({"ln_f": dln_f, "lm_head": dhead})
    dx, dg, db = d_layer_norm(project(dlogits, params["wte"]), x, params["ln_f"]["g"])
    return dx, {"ln_f.g": dg, "ln_f.b": db}
