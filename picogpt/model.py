"""GPT-2, composed from the ops, and its cache of keys and values.

The arguments of each function bear the names of OpenAI's checkpoint, so a part of the tree of
parameters can be handed over whole: `layer_norm(x, **ln_1)`, `gpt2(ids, **params, n_head=12)`.
Source of the architecture: Radford et al. 2019, section 2.3; openai/gpt-2 model.py.
"""

import numpy as np

from .config import Config
from .ops import causal_attention, gelu, layer_norm, linear, project
from .tap import Tap, no_tap, under


class KVCache:
    """Keys and values of the positions so far, so that each is computed only once.

    k, v: [n_layer, *batch, n_head, n_ctx, n_head_dim], filled up to position n_past. A position's
    keys and values depend on earlier positions only, so later ones never change them. This is
    the one mutable thing in the model: a forward pass with a cache adds its positions to it.
    """

    def __init__(self, config: Config, batch: tuple[int, ...] = (), dtype=np.float32):
        shape = (config.n_layer, *batch, config.n_head, config.n_ctx, config.n_head_dim)
        self.k = np.empty(shape, dtype)
        self.v = np.empty(shape, dtype)
        self.n_past = 0

    def append(self, layer: int, k: np.ndarray, v: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Write a layer's new k, v [*batch, n_head, n_seq, n_head_dim] after the n_past old ones.

        Returns views of old and new, [*batch, n_head, n_past + n_seq, n_head_dim]. n_past moves
        on only when all layers have written, at the end of the forward pass.
        """
        end = self.n_past + k.shape[-2]
        self.k[layer, ..., self.n_past : end, :] = k
        self.v[layer, ..., self.n_past : end, :] = v
        return self.k[layer, ..., :end, :], self.v[layer, ..., :end, :]


def embed(ids, wte: np.ndarray, wpe: np.ndarray, n_past: int = 0, tap: Tap = no_tap) -> np.ndarray:
    """What each token is, plus where it stands: ids [..., n_seq] -> [..., n_seq, n_embd].

    wte: [n_vocab, n_embd]; wpe: [n_ctx, n_embd]; the first id stands at position n_past.
    Raises ValueError if an id is not in the vocabulary or the positions exceed n_ctx.
    """
    ids = np.asarray(ids)
    if ids.ndim == 0 or ids.size == 0 or ids.dtype.kind not in "iu":
        raise ValueError(f"ids are {ids.dtype} {list(ids.shape)}, expected integers [..., n_seq]")
    if ids.min() < 0 or ids.max() >= len(wte):  # NumPy would take a negative id from the end
        wrong = ids[(ids < 0) | (ids >= len(wte))][0]
        raise ValueError(f"id {wrong} is not in the vocabulary (0 to {len(wte) - 1})")
    n_seq = ids.shape[-1]
    if n_past + n_seq > len(wpe):
        raise ValueError(f"{n_past + n_seq} tokens do not fit into n_ctx = {len(wpe)}")
    tokens = tap("wte", wte[ids])
    positions = tap("wpe", wpe[n_past : n_past + n_seq])
    return tap("embed", tokens + positions)


def split_heads(x: np.ndarray, n_head: int) -> np.ndarray:
    """[..., n_seq, n_embd] -> [..., n_head, n_seq, n_head_dim], as a view."""
    return x.reshape(*x.shape[:-1], n_head, -1).swapaxes(-2, -3)


def merge_heads(x: np.ndarray) -> np.ndarray:
    """The inverse of split_heads: [..., n_head, n_seq, n_head_dim] -> [..., n_seq, n_embd]."""
    x = x.swapaxes(-2, -3)
    return x.reshape(*x.shape[:-2], -1)


def self_attention(
    x: np.ndarray,
    c_attn: dict,
    c_proj: dict,
    *,
    n_head: int,
    cache: KVCache | None = None,
    layer: int = 0,
    tap: Tap = no_tap,
) -> np.ndarray:
    """Multi-head causal self-attention: [..., n_seq, n_embd] -> [..., n_seq, n_embd].

    Each position asks a query of the positions up to its own, in n_head independent ways; the
    only place where information moves from one position to another.
    """
    qkv = tap("c_attn", linear(x, **c_attn))
    q, k, v = (split_heads(part, n_head) for part in np.split(qkv, 3, axis=-1))
    q, k, v = tap("q", q), tap("k", k), tap("v", v)
    if cache is not None:
        k, v = cache.append(layer, k, v)
    heads = tap("heads", causal_attention(q, k, v, tap=tap))
    merged = tap("merged", merge_heads(heads))
    return tap("c_proj", linear(merged, **c_proj))


def feed_forward(x: np.ndarray, c_fc: dict, c_proj: dict, *, tap: Tap = no_tap) -> np.ndarray:
    """Multi-layer perceptron on each position alone: [..., n_seq, n_embd] -> same."""
    hidden = tap("c_fc", linear(x, **c_fc))
    hidden = tap("gelu", gelu(hidden))
    return tap("c_proj", linear(hidden, **c_proj))


def transformer_block(
    x: np.ndarray,
    ln_1: dict,
    attn: dict,
    ln_2: dict,
    mlp: dict,
    *,
    n_head: int,
    cache: KVCache | None = None,
    layer: int = 0,
    tap: Tap = no_tap,
) -> np.ndarray:
    """Attention, then the perceptron, each adding to the residual stream: [..., n_seq, n_embd].

    The norm comes first in each branch, so the stream itself passes from the first block to the
    last untouched, and gradients pass back along it.
    """
    normed = tap("ln_1", layer_norm(x, **ln_1))
    x = x + self_attention(
        normed, **attn, n_head=n_head, cache=cache, layer=layer, tap=under("attn.", tap)
    )
    x = tap("resid_mid", x)
    normed = tap("ln_2", layer_norm(x, **ln_2))
    x = x + feed_forward(normed, **mlp, tap=under("mlp.", tap))
    return tap("resid", x)


def residual_stream(
    ids,
    wte: np.ndarray,
    wpe: np.ndarray,
    h: list[dict],
    *,
    n_head: int,
    cache: KVCache | None = None,
    tap: Tap = no_tap,
) -> np.ndarray:
    """Embeddings and all blocks: ids [..., n_seq] -> [..., n_seq, n_embd].

    With a cache, the ids follow the cache's n_past positions, and are added to it.
    """
    x = embed(ids, wte, wpe, cache.n_past if cache is not None else 0, tap)
    for layer, block in enumerate(h):
        x = transformer_block(
            x, **block, n_head=n_head, cache=cache, layer=layer, tap=under(f"h.{layer}.", tap)
        )
    if cache is not None:
        cache.n_past += x.shape[-2]
    return x


def unembed(
    x: np.ndarray,
    wte: np.ndarray,
    ln_f: dict,
    lm_head: np.ndarray | None = None,
    *,
    tap: Tap = no_tap,
) -> np.ndarray:
    """The residual stream as scores for the next token: [..., n_embd] -> [..., n_vocab].

    Each score is the dot product of the normed stream with that token's own embedding: the
    matrix wte serves at both ends, unless a separate lm_head [n_vocab, n_embd] is given.
    """
    x = tap("ln_f", layer_norm(x, **ln_f))
    return tap("logits", project(x, (wte if lm_head is None else lm_head).T))


def gpt2(
    ids,
    wte: np.ndarray,
    wpe: np.ndarray,
    h: list[dict],
    ln_f: dict,
    lm_head: np.ndarray | None = None,
    *,
    n_head: int,
    cache: KVCache | None = None,
    tap: Tap = no_tap,
) -> np.ndarray:
    """GPT-2: ids [..., n_seq] -> logits [..., n_seq, n_vocab], scores for the token after each.

    One function for a whole prompt (no cache, or an empty one), for a chunk of it, and for a
    single token: with a cache, the ids follow the positions that it holds, and join them.
    Raises ValueError for an id outside the vocabulary or more positions than n_ctx.
    """
    x = residual_stream(ids, wte, wpe, h, n_head=n_head, cache=cache, tap=tap)
    return unembed(x, wte, ln_f, lm_head, tap=tap)
