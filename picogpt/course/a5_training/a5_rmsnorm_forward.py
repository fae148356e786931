"""GPT-2 with RMSNorm in place of layer norm, forward: what a variant of assignment 5 goes back."""

import numpy as np

from ...model import embed, multilayer_perceptron, self_attention
from ...ops import project
from ...tap import Tap, no_tap, under
from ..a2_operations.a2_variants import rms_norm


def rms_block(
    x: np.ndarray,
    ln_1: dict,
    attn: dict,
    ln_2: dict,
    mlp: dict,
    *,
    n_head: int,
    tap: Tap = no_tap,
) -> np.ndarray:
    """transformer_block with RMSNorm: [..., n_seq, n_embd] -> same; ln_1, ln_2: a gain g each."""
    normed = tap("ln_1", rms_norm(x, **ln_1))
    x = x + self_attention(normed, **attn, n_head=n_head, tap=under("attn.", tap))
    x = tap("resid_mid", x)
    normed = tap("ln_2", rms_norm(x, **ln_2))
    return tap("resid", x + multilayer_perceptron(normed, **mlp, tap=under("mlp.", tap)))


def rms_gpt2(
    ids,
    wte: np.ndarray,
    wpe: np.ndarray,
    h: list[dict],
    ln_f: dict,
    *,
    n_head: int,
    tap: Tap = no_tap,
) -> np.ndarray:
    """gpt2 with RMSNorm: ids [..., n_seq] -> logits [..., n_seq, n_vocab].

    A tap sees the activations under the names that they have in gpt2.
    """
    x = embed(ids, wte, wpe, tap=tap)
    for layer, block in enumerate(h):
        x = rms_block(x, **block, n_head=n_head, tap=under(f"h.{layer}.", tap))
    return tap("logits", project(tap("ln_f", rms_norm(x, **ln_f)), wte.T))
