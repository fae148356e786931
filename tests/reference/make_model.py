"""Make model.npz: what PyTorch and transformers compute, for tests that run without them.

Run from the repository's root, in the reference environment:

    PYTHONPATH=.:tests python tests/reference/make_model.py

Keys: "ops/NAME/ARGUMENT" and "ops/NAME/out" for each op, judged in float64; "params/PATH",
"ids", "logits" and "greedy" for a small GPT-2, judged in float32.
"""

from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from support import random_params
from torch_gpt2 import torch_gpt2, torch_greedy, torch_logits

from picogpt.config import Config, flatten

CONFIG = Config(n_vocab=80, n_ctx=24, n_embd=24, n_head=3, n_layer=2)


def op_values(rng: np.random.Generator) -> dict[str, np.ndarray]:
    """Inputs in float32 and PyTorch's results in float64 for every op."""

    def draw(*shape, scale=1.0):
        return (scale * rng.standard_normal(shape)).astype(np.float32)

    inputs = {
        "gelu": {"x": np.concatenate([draw(200, scale=2), np.float32([-50, -6, 0, 6, 50])])},
        "softmax": {"x": draw(3, 5, 17, scale=4) + np.float32(100)},
        "layer_norm": {"x": draw(2, 5, 24, scale=3) + 2, "g": draw(24), "b": draw(24)},
        "linear": {"x": draw(2, 5, 24), "w": draw(24, 40), "b": draw(40)},
        "causal_attention": {
            "q": draw(2, 3, 9, 8, scale=2),
            "k": draw(2, 3, 9, 8, scale=2),
            "v": draw(2, 3, 9, 8),
        },
    }
    # of the same numbers, and of some whose quotients no float32 could hold
    inputs["log_softmax"] = {
        "x": inputs["softmax"]["x"] * np.float32([1, 10, 100]).reshape(3, 1, 1)
    }
    judges = {
        "gelu": lambda x: F.gelu(x, approximate="tanh"),
        "softmax": lambda x: torch.softmax(x, dim=-1),
        "log_softmax": lambda x: torch.log_softmax(x, dim=-1),
        "layer_norm": lambda x, g, b: F.layer_norm(x, x.shape[-1:], g, b, eps=1e-5),
        "linear": lambda x, w, b: F.linear(x, w.T, b),
        "causal_attention": lambda q, k, v: F.scaled_dot_product_attention(q, k, v, is_causal=True),
    }
    values = {}
    for name, arguments in inputs.items():
        values |= {f"ops/{name}/{key}": x for key, x in arguments.items()}
        doubles = {key: torch.tensor(x, dtype=torch.float64) for key, x in arguments.items()}
        values[f"ops/{name}/out"] = judges[name](**doubles).numpy()
    return values


def model_values(rng: np.random.Generator) -> dict[str, np.ndarray]:
    """Parameters, ids, logits and a greedy continuation of a small GPT-2."""
    params = random_params(CONFIG, seed=1)
    model = torch_gpt2(CONFIG, params)
    ids = rng.integers(CONFIG.n_vocab, size=(2, 20))
    return {
        **{f"params/{path}": x for path, x in flatten(params).items()},
        "ids": ids,
        "logits": torch_logits(model, ids),
        "greedy": np.array(torch_greedy(model, ids[0, :4].tolist(), 20)),
    }


if __name__ == "__main__":
    rng = np.random.default_rng(0)
    path = Path(__file__).with_name("model.npz")
    np.savez_compressed(path, **op_values(rng), **model_values(rng))
    print(f"{path}: {path.stat().st_size} bytes")
