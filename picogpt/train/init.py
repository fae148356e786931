"""The weights of a model that knows nothing yet."""

import math

import numpy as np

from ..config import Config, param_shapes, unflatten


def initial_params(config: Config, rng: np.random.Generator) -> dict:
    """A tree of parameters, float32: gains 1, biases 0, matrices drawn from normal distributions.

    The standard deviation is 0.02, and 0.01 for positions. Every block adds to the residual
    stream twice, through its two c_proj. These are divided by the root of their number, so that all
    together add about as much as one would, however deep the model is.

    Source: Radford et al. 2019, section 2.3; openai/gpt-2 model.py for 0.02 and 0.01.
    """
    flat = {}
    for path, shape in param_shapes(config).items():
        if path.endswith((".g", ".b")):
            flat[path] = np.full(shape, 1.0 if path.endswith(".g") else 0.0, np.float32)
            continue
        std = 0.01 if path == "wpe" else 0.02
        if path.endswith("c_proj.w"):
            std /= math.sqrt(2 * config.n_layer)
        flat[path] = rng.standard_normal(shape, np.float32) * np.float32(std)
    return unflatten(flat)
