"""Make backward.npz: PyTorch's gradients and AdamW steps, for tests that run without it.

Run from the repository's root, in the reference environment:

    PYTHONPATH=.:tests python tests/reference/make_backward.py

Keys: "params/PATH", "ids" and "targets" of a small GPT-2; "tied/PATH", "untied/PATH" and
"dropped/PATH", the gradients of its loss in float32, and "CASE/loss", where untied has a head
"lm_head" of its own and dropped multiplies with "masks/NAME"; "losses/RECIPE", ten losses of
AdamW; "adamw/...", five steps of AdamW on drawn gradients in float64, and "clip/..." one clipping.
"""

from pathlib import Path

import numpy as np
import torch
from support import random_params
from torch_training import torch_gradients, torch_losses

from picogpt.config import Config, activation_shapes, flatten

CONFIG = Config(n_vocab=30, n_ctx=12, n_embd=16, n_head=2, n_layer=2)
DROPPED = ("embed", "attn.weights", "attn.c_proj", "mlp.c_proj")
# The rates and options of each run of ten steps. "llm.c" decays every parameter.
RECIPES = {
    "llm.c": {"lr": 1e-3, "betas": (0.9, 0.999), "eps": 1e-8, "weight_decay": 0.5},
    "groups": {"lr": 3e-3, "betas": (0.9, 0.95), "eps": 1e-8, "weight_decay": 5.0},
    "clipped": {
        "lr": 3e-3,
        "betas": (0.9, 0.95),
        "eps": 1e-3,
        "weight_decay": 0.1,
        "max_norm": 0.1,
    },
}


def decays(recipe: str):
    """The rule of nanoGPT for all recipes but llm.c's: matrices decay, vectors do not."""
    return lambda path, x: recipe == "llm.c" or x.ndim == 2


def gradients(rng: np.random.Generator) -> dict[str, np.ndarray]:
    """A small model's parameters and batch, and its gradients in three cases."""
    params = random_params(CONFIG, seed=2)
    lm_head = random_params(CONFIG, seed=3)["wte"]
    text = rng.integers(CONFIG.n_vocab, size=(2, 11))
    ids, targets = text[:, :-1], text[:, 1:]
    masks = {
        name: rng.choice(np.float32([0, 1.25]), size=shape, p=[0.2, 0.8])
        for name, shape in activation_shapes(CONFIG, 10, batch=(2,)).items()
        if name.endswith(DROPPED)
    }
    values = {"ids": ids, "targets": targets, "lm_head": lm_head}
    values |= {f"params/{path}": x for path, x in flatten(params).items()}
    values |= {f"masks/{name}": mask for name, mask in masks.items()}
    cases = {
        "tied": (params, ()),
        "untied": (params | {"lm_head": lm_head}, ()),
        "dropped": (params, list(masks.values())),
    }
    for case, (params, masks) in cases.items():
        loss, grads = torch_gradients(CONFIG, params, ids, targets, masks)
        values[f"{case}/loss"] = np.array(loss)
        values |= {f"{case}/{path}": g for path, g in grads.items()}
    for recipe, options in RECIPES.items():
        losses = torch_losses(CONFIG, cases["tied"][0], ids, targets, 10, decays(recipe), **options)
        values[f"losses/{recipe}"] = np.array(losses)
    return values


def steps(rng: np.random.Generator) -> dict[str, np.ndarray]:
    """Five steps of two tensors, with rates at which every term shows, and one clipping."""
    w, b = rng.standard_normal((3, 4)), rng.standard_normal(4)
    grads = rng.standard_normal((5, 16)) * np.geomspace(1e-3, 1e3, 16)
    parameters = [torch.tensor(x, requires_grad=True) for x in (w, b)]
    optimizer = torch.optim.AdamW(
        [{"params": parameters[:1], "weight_decay": 0.3}, {"params": parameters[1:]}],
        lr=0.1, betas=(0.8, 0.9), eps=0.05, weight_decay=0.0,
    )  # fmt: skip
    for g in grads:
        parameters[0].grad, parameters[1].grad = (
            torch.tensor(g[:12].reshape(3, 4)),
            torch.tensor(g[12:]),
        )
        optimizer.step()
    after = [p.detach().numpy() for p in parameters]
    norm = torch.nn.utils.clip_grad_norm_(parameters, 2.0)
    clipped = [p.grad.numpy() for p in parameters]
    names = {"w": w, "b": b, "grads": grads, "w_after": after[0], "b_after": after[1]}
    values = {f"adamw/{name}": x for name, x in names.items()}
    return values | {"clip/norm": norm.numpy(), "clip/w": clipped[0], "clip/b": clipped[1]}


if __name__ == "__main__":
    rng = np.random.default_rng(4)
    path = Path(__file__).with_name("backward.npz")
    np.savez_compressed(path, **gradients(rng), **steps(rng))
    print(f"{path}: {path.stat().st_size} bytes")
