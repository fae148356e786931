"""A small GPT-2 whose values PyTorch and transformers have confirmed: reference/model.npz."""

from pathlib import Path

import numpy as np
from support import part_of

from picogpt.config import Config, unflatten
from picogpt.model import gpt2

GOLDEN = np.load(Path(__file__).parent / "reference" / "model.npz")
CONFIG = Config(n_vocab=80, n_ctx=24, n_embd=24, n_head=3, n_layer=2)  # as in make_model.py
PARAMS = unflatten(part_of(GOLDEN, "params/"))
IDS = GOLDEN["ids"]  # [2, 20]


def run(ids, params=PARAMS, **kwargs) -> np.ndarray:
    """The logits of the small model, or of another of its sizes."""
    return gpt2(ids, **params, n_head=CONFIG.n_head, **kwargs)
