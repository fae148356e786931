"""AdamW: from gradients to a step of every parameter.

Adam divides each parameter's mean gradient by its usual size, so that all parameters move at
about the same rate, whatever the scale of their gradients. AdamW shrinks the weights in a separate
step (decoupled decay), not through the gradient, where the division would undo it.

All functions work on flat dicts, path -> array (see config.flatten). The arrays are the tree's
own, so a step on flatten(params) is a step of params; parameters left out stay as they are.

Source: Kingma & Ba 2015, algorithm 1; Loshchilov & Hutter 2019, algorithm 2.
"""

import math
from collections.abc import Callable

import numpy as np

PIECE = 32768  # elements


def is_matrix(path: str, x: np.ndarray) -> bool:
    """Whether a parameter is a matrix. By default these decay, the embeddings included."""
    return x.ndim == 2


def zero_moments(params: dict) -> dict:
    """What AdamW remembers between steps: "m" and "v", each path -> zeros like the parameter."""
    return {name: {path: np.zeros_like(x) for path, x in params.items()} for name in "mv"}


def clip_gradients(grads: dict, max_norm: float) -> float:
    """Scale all gradients down together, in place, to a common length of at most max_norm.

    grads: path -> array. Returns the length before: the root of the sum of all squares.
    Source: Pascanu et al. 2013, algorithm 1; torch.nn.utils.clip_grad_norm_.
    """
    norm = math.sqrt(sum(float(np.vdot(g, g)) for g in grads.values()))
    if norm > max_norm:
        for g in grads.values():
            g *= max_norm / norm
    return norm


def adamw(
    params: dict,
    grads: dict,
    moments: dict,
    step: int,
    *,
    lr: float,
    betas: tuple[float, float] = (0.9, 0.95),
    eps: float = 1e-8,
    weight_decay: float = 0.1,
    decays: Callable[[str, np.ndarray], bool] = is_matrix,
) -> None:
    """One step of the parameters in params, in place; their moments are updated in place too.

    params, grads: path -> array, with a gradient for each of the params; moments: begun by
    zero_moments(params); step: 1 for the first. decays(path, x) says which parameters decay.
    """
    beta1, beta2 = betas
    # The moments begin at zero. Until that is forgotten, they are too small by these factors.
    bias1, bias2 = 1.0 - beta1**step, 1.0 - beta2**step
    for path, param in params.items():
        keep = 1.0 - lr * weight_decay if decays(path, param) else 1.0
        # In pieces that stay in the cache and need little memory for intermediate results.
        n_rows = max(1, PIECE * len(param) // param.size)
        for i in range(0, len(param), n_rows):
            arrays = param, grads[path], moments["m"][path], moments["v"][path]
            x, g, m, v = (array[i : i + n_rows] for array in arrays)
            m *= beta1
            m += (1.0 - beta1) * g
            v *= beta2
            v += (1.0 - beta2) * (g * g)
            x *= keep
            x -= (lr / bias1) * m / (np.sqrt(v) / math.sqrt(bias2) + eps)
