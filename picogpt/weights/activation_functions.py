"""The activation functions of GPT-2s that are not OpenAI's, by their names in config.json.

A block with another function than GPT-2's own carries it in the tree of parameters, as
`params["h"][3]["mlp"]["act"]`, which is its name in transformers. So it goes wherever the weights
go, and no caller can forget it: what knows GPT-2's own function alone, such as plain.py, refuses
the argument that it does not have.
"""

import math
from collections.abc import Callable

import numpy as np

from ..ops import gelu

# Press et al. 1992, Numerical Recipes, section 6.2, erfcc: Chebyshev's polynomial in t, from t^9 to
# t^0, with erfc(z) = t exp(polynomial - z^2) and t = 1 / (1 + z / 2); relative error 1.2e-7.
ERFC = (0.17087277, -0.82215223, 1.48851587, -1.13520398, 0.27886807)
ERFC += (-0.18628806, 0.09678418, 0.37409196, 1.00002368, -1.26551223)


def exact_gelu(x: np.ndarray) -> np.ndarray:
    """GELU without GPT-2's approximation, elementwise: [...] -> [...], to 1e-7 of 1 or of |x|.

    x P(X <= x) for a standard normal X, and 1 - P(X <= z) is half of erfc(z / sqrt(2)), which
    Python's math has for single numbers only. Source: Hendrycks & Gimpel 2016, section 2.
    """
    z = np.abs(x) * math.sqrt(0.5)
    t = 1.0 / (1.0 + 0.5 * z)
    y = np.zeros_like(t)
    for coefficient in ERFC:
        y *= t
        y += coefficient
    y -= z * z
    np.exp(y, out=y)
    y *= t  # erfc(|x| / sqrt(2))
    # What lies beyond |x|, on either side, is missing where x is positive, and all where it is not.
    return np.maximum(x, 0.0) - 0.5 * np.abs(x) * y


def quick_gelu(x: np.ndarray) -> np.ndarray:
    """x sigmoid(1.702 x), elementwise: [...] -> [...]. Source: as exact_gelu."""
    # sigmoid(u) = (1 + tanh(u / 2)) / 2, in which nothing can overflow
    return 0.5 * x * (1.0 + np.tanh(0.851 * x))


def relu(x: np.ndarray) -> np.ndarray:
    """x where it is positive, else 0, elementwise: [...] -> [...]."""
    return np.maximum(x, 0.0)


FUNCTIONS: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "gelu_new": gelu,  # GPT-2's own, under three names
    "gelu_pytorch_tanh": gelu,
    "gelu_fast": gelu,
    "gelu": exact_gelu,
    "quick_gelu": quick_gelu,
    "relu": relu,
}


def with_function(params: dict, name: str) -> dict:
    """The tree of parameters with the function of a name in each block, if it is not GPT-2's."""
    if FUNCTIONS[name] is gelu:
        return params
    blocks = [block | {"mlp": block["mlp"] | {"act": FUNCTIONS[name]}} for block in params["h"]]
    return params | {"h": blocks}


def function_name(params: dict) -> str:
    """The name of the function that the blocks have."""
    act = params["h"][0]["mlp"].get("act", gelu)
    return next(name for name, function in FUNCTIONS.items() if function is act)
