"""Muon: a step of a matrix that is equally long in every direction.

The gradient of a matrix is dominated by a few directions (its singular vectors with large singular
values), and so is a step against it. Muon replaces the averaged gradient U S V^T by about
U V^T: the rare directions learn as fast as the common ones. It is for the matrices of the blocks;
embeddings, gains and biases stay with AdamW.

Source: Jordan et al. 2024, "Muon: An optimizer for hidden layers in neural networks"; the length of
a step from Liu et al. 2025, "Muon is scalable for LLM training", section 2.2.
"""

import math
from concurrent.futures import Executor

import numpy as np

NEWTON_SCHULZ = 3.4445, -4.7750, 2.0315  # Jordan 2024: they raise small singular values fastest


def is_hidden_matrix(path: str, x: np.ndarray) -> bool:
    """Whether Muon is for this parameter: for the matrices of the blocks."""
    return path.startswith("h.") and x.ndim == 2


def orthogonalize(g: np.ndarray, n_iterations: int = 5) -> np.ndarray:
    """U S V^T to about U V^T, with singular values between 0.7 and 1.2: [n_in, n_out] -> same.

    Newton-Schulz: x <- (a + b (x x^T) + c (x x^T)^2) x changes the singular values alone, each s to
    a s + b s^3 + c s^5, and needs matrix products only, no singular value decomposition.
    """
    a, b, c = NEWTON_SCHULZ
    x = g.T if len(g) > g.shape[1] else g  # x x^T is then the smaller of the two products
    x = x / max(np.linalg.norm(x), 1e-7)  # no singular value exceeds 1
    for _ in range(n_iterations):
        xx = x @ x.T
        x = a * x + (b * xx + c * (xx @ xx)) @ x
    return x.T if len(g) > g.shape[1] else x


def muon(
    params: dict,
    grads: dict,
    momentum: dict,
    *,
    pool: Executor,
    lr: float,
    beta: float = 0.95,
    weight_decay: float = 0.1,
) -> None:
    """One step of the matrices in params, in place; their momentum is updated in place too.

    params, grads, momentum: path -> array [n_in, n_out]; the momentum is 0 before the first step.
    The threads of the pool take a matrix at a time. A step changes a number by 0.2 lr (root mean
    square), about as much as AdamW does, so that both can share their rate and decay.
    """

    def step(path: str) -> None:
        x, g, m = params[path], grads[path], momentum[path]
        m *= beta
        m += (1.0 - beta) * g
        ahead = beta * m + (1.0 - beta) * g  # Nesterov: where the mean is about to go
        x *= 1.0 - lr * weight_decay
        x -= (0.2 * lr * math.sqrt(max(x.shape))) * orthogonalize(ahead)

    for _ in pool.map(step, params):
        pass
