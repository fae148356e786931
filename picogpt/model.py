"""GPT-2, composed from the ops, and its cache of keys and values.

The arguments of each function bear the names of OpenAI's checkpoint, so a part of the tree of
parameters can be handed over whole: `layer_norm(x, **ln_1)`, `gpt2(ids, **params, n_head=12)`.
Source of the architecture: Radford et al. 2019, section 2.3; openai/gpt-2 model.py.
"""

import copy

import numpy as np

from .config import Config
from .ops import causal_attention, gelu, layer_norm, linear, project
from .tap import Tap, no_tap, under

QUERY_BLOCK = 128  # see attention_in_blocks


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

    def attend(self, layer: int, q: np.ndarray, k: np.ndarray, v: np.ndarray, tap: Tap = no_tap):
        """causal_attention of new q, k, v to old and new positions; adds k and v to the cache."""
        k, v = self.append(layer, k, v)
        if tap is no_tap and q.shape[-2] > QUERY_BLOCK:
            return attention_in_blocks(q, k, v)
        return causal_attention(q, k, v, tap)

    def advance(self, n_seq: int) -> None:
        """The end of a forward pass: all layers have written n_seq positions."""
        self.n_past += n_seq

    def copy(self) -> "KVCache":
        """A cache that goes on from the same positions by itself."""
        other = copy.copy(self)
        other.k, other.v = np.empty_like(self.k), np.empty_like(self.v)
        other.k[..., : self.n_past, :] = self.k[..., : self.n_past, :]
        other.v[..., : self.n_past, :] = self.v[..., : self.n_past, :]
        return other


def attention_in_blocks(q: np.ndarray, k: np.ndarray, v: np.ndarray) -> np.ndarray:
    """causal_attention, faster where nobody looks inside: same arguments, same result.

    A block of queries leaves out the keys that come later than all of them, and its scores are
    few enough to stay in the processor's cache.
    """
    n_seq = q.shape[-2]
    n_past = k.shape[-2] - n_seq
    y = np.empty_like(q)
    for start in range(0, n_seq, QUERY_BLOCK):
        block = slice(start, min(start + QUERY_BLOCK, n_seq))
        n_keys = n_past + block.stop
        y[..., block, :] = causal_attention(
            q[..., block, :], k[..., :n_keys, :], v[..., :n_keys, :]
        )
    return y


class RowCaches:
    """The caches of several texts of different lengths, in one pass: ids [n_rows, n_seq].

    Each row attends to its own cache, just as it would alone: there is no padding, and nothing
    to mask. All other operations treat each position by itself and see an ordinary batch, whose
    rows share the one expensive thing, reading the weights.
    """

    def __init__(self, caches: list[KVCache]):
        self.caches = caches

    @property
    def n_past(self) -> np.ndarray:
        """How many positions each row has: [n_rows, 1]."""
        return np.array([[cache.n_past] for cache in self.caches])

    def attend(self, layer: int, q: np.ndarray, k: np.ndarray, v: np.ndarray, tap: Tap = no_tap):
        """See KVCache.attend; q, k, v: [n_rows, n_head, n_seq, n_head_dim]."""
        rows = zip(self.caches, q, k, v, strict=True)
        return np.stack([cache.attend(layer, *row, tap) for cache, *row in rows])

    def advance(self, n_seq: int) -> None:
        """See KVCache.advance."""
        for cache in self.caches:
            cache.advance(n_seq)


def embed(
    ids, wte: np.ndarray, wpe: np.ndarray, n_past: int | np.ndarray = 0, tap: Tap = no_tap
) -> np.ndarray:
    """What each token is, plus where it stands: ids [..., n_seq] -> [..., n_seq, n_embd].

    wte: [n_vocab, n_embd]; wpe: [n_ctx, n_embd]; the first id stands at position n_past, which
    may be another one for each row (see RowCaches).
    Raises ValueError if an id is not in the vocabulary or the positions exceed n_ctx.
    """
    ids = np.asarray(ids)
    if ids.ndim == 0 or ids.size == 0 or ids.dtype.kind not in "iu":
        raise ValueError(f"ids are {ids.dtype} {list(ids.shape)}, expected integers [..., n_seq]")
    if ids.min() < 0 or ids.max() >= len(wte):  # NumPy would take a negative id from the end
        wrong = ids[(ids < 0) | (ids >= len(wte))][0]
        raise ValueError(f"id {wrong} is not in the vocabulary (0 to {len(wte) - 1})")
    places = n_past + np.arange(ids.shape[-1])
    if places.max() >= len(wpe):
        raise ValueError(f"{places.max() + 1} tokens do not fit into n_ctx = {len(wpe)}")
    tokens = tap("wte", wte[ids])
    positions = tap("wpe", wpe[places])
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
    cache: KVCache | RowCaches | None = None,
    layer: int = 0,
    tap: Tap = no_tap,
) -> np.ndarray:
    """Multi-head causal self-attention: [..., n_seq, n_embd] -> [..., n_seq, n_embd].

    Each position asks a query of the positions up to its own, in n_head independent ways; the
    only place where information moves from one position to another.
    """
    qkv = tap("c_attn", linear(x, **c_attn))
    heads = split_heads(qkv, 3 * n_head)  # first those of all queries, then of keys, of values
    q, k, v = (heads[..., i : i + n_head, :, :] for i in (0, n_head, 2 * n_head))
    q, k, v = tap("q", q), tap("k", k), tap("v", v)
    if cache is None:
        heads = causal_attention(q, k, v, tap)
    else:
        heads = cache.attend(layer, q, k, v, tap)
    heads = tap("heads", heads)
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
    cache: KVCache | RowCaches | None = None,
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
    cache: KVCache | RowCaches | None = None,
    tap: Tap = no_tap,
) -> np.ndarray:
    """Embeddings and all blocks: ids [..., n_seq] -> [..., n_seq, n_embd].

    With a cache, the ids follow the cache's n_past positions, and are added to it.
    """
    x = embed(ids, wte, wpe, 0 if cache is None else cache.n_past, tap)
    for layer, block in enumerate(h):
        x = transformer_block(
            x, **block, n_head=n_head, cache=cache, layer=layer, tap=under(f"h.{layer}.", tap)
        )
    if cache is not None:
        cache.advance(x.shape[-2])
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
    cache: KVCache | RowCaches | None = None,
    tap: Tap = no_tap,
) -> np.ndarray:
    """GPT-2: ids [..., n_seq] -> logits [..., n_seq, n_vocab], scores for the token after each.

    One function for a whole prompt (no cache, or an empty one), for a chunk of it, and for a
    single token: with a cache, the ids follow the positions that it holds, and join them.
    Raises ValueError for an id outside the vocabulary or more positions than n_ctx.
    """
    x = residual_stream(ids, wte, wpe, h, n_head=n_head, cache=cache, tap=tap)
    return unembed(x, wte, ln_f, lm_head, tap=tap)
