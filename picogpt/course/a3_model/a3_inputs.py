"""Small random models, and what they might be fed, for the questions of assignments 3, 4 and 5."""

import numpy as np

from ...config import Config, param_shapes, unflatten
from ..assignment import normal


def random_params(rng, n_layer, dtype=np.float64, n_head=None):
    """(a tree of GPT-2's parameters, n_head), small, but large enough for attention to choose.

    n_head: 2 or 3, by default one of them at random.
    """
    n_head = n_head or int(rng.permutation([2, 3])[0])
    n_head_dim = 5 - n_head
    n_vocab, n_ctx = map(int, rng.permutation([8, 9]))
    config = Config(n_vocab, n_ctx, n_head * n_head_dim, n_head, n_layer)
    flat = {}
    for path, shape in param_shapes(config).items():
        x = normal(rng, shape)
        flat[path] = (1.0 + 0.5 * x if path.endswith(".g") else 0.7 * x).astype(dtype)
    return unflatten(flat), n_head


def random_input(rng, params):
    """What might stand in the residual stream: [2, n_seq, n_embd]."""
    return normal(rng, (2, int(rng.integers(3, 6)), params["wte"].shape[-1]))
