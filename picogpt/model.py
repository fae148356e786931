"""GPT-2, composed from the ops: plain.py with batches, a cache, and a tap on every activation.

The arguments of each function bear the names of OpenAI's checkpoint, so a part of the tree of
parameters can be handed over whole: `layer_norm(x, **ln_1)`, `gpt2(ids, **params, n_head=12)`.
Source of the architecture: Radford et al. 2019, section 2.3; openai/gpt-2 model.py.
"""

from collections.abc import Callable

import numpy as np

from .config import activation_names
from .kv_cache import BlockCache, KVCache, RowCaches, attention
from .ops import gelu, layer_norm, linear, project
from .tap import Tap, check_names, no_tap, under
from .threads import on_threads

MANY_POSITIONS = 256  # this many or more are shared between the cores: see threaded_block


def embed(
    ids, wte: np.ndarray, wpe: np.ndarray, n_past: int | np.ndarray = 0, tap: Tap = no_tap
) -> np.ndarray:
    """What each token is, plus where it stands: ids [..., n_seq] -> [..., n_seq, n_embd].

    wte: [n_vocab, n_embd]; wpe: [n_ctx, n_embd]; n_past: the position of the first id, or, for
    rows of different lengths, an array [n_rows, 1].
    Raises ValueError if an id is not in the vocabulary or the positions exceed n_ctx.
    """
    ids = check_ids(ids, n_vocab=len(wte))
    positions = check_positions(n_past + np.arange(ids.shape[-1]), n_ctx=len(wpe))
    tokens = tap("wte", wte[ids])
    return tap("embed", tokens + tap("wpe", wpe[positions]))


def split_heads(x: np.ndarray, n_head: int) -> np.ndarray:
    """[..., n_seq, n_embd] -> [..., n_head, n_seq, n_head_dim], as a view."""
    return x.reshape(*x.shape[:-1], n_head, -1).swapaxes(-2, -3)


def split_qkv(qkv: np.ndarray, n_head: int) -> list[np.ndarray]:
    """[..., n_seq, 3 * n_embd] -> q, k and v, [..., n_head, n_seq, n_head_dim] each, as views."""
    thirds = qkv.reshape(*qkv.shape[:-1], 3, -1)
    return [split_heads(thirds[..., i, :], n_head) for i in range(3)]


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
    cache: BlockCache | None = None,
    tap: Tap = no_tap,
) -> np.ndarray:
    """The attention layer of a block: [..., n_seq, n_embd] -> [..., n_seq, n_embd].

    Each position asks a query of the positions up to its own, in n_head independent ways. This is
    the only place where information moves from one position to another. The formula itself is
    ops.causal_attention; this function makes its q, k and v, and merges what the heads return.
    """
    qkv = tap("c_attn", linear(x, **c_attn))  # [..., n_seq, 3 * n_embd]
    q, k, v = split_qkv(qkv, n_head)
    q, k, v = tap("q", q), tap("k", k), tap("v", v)  # [..., n_head, n_seq, n_head_dim]
    if cache is not None:
        k, v = cache.append(k, v)  # [..., n_head, n_past + n_seq, n_head_dim]
    heads = tap("heads", attention(q, k, v, tap))  # [..., n_head, n_seq, n_head_dim]
    merged = tap("merged", merge_heads(heads))  # [..., n_seq, n_embd]
    return tap("c_proj", linear(merged, **c_proj))


def multilayer_perceptron(
    x: np.ndarray, c_fc: dict, c_proj: dict, act: Callable = gelu, *, tap: Tap = no_tap
) -> np.ndarray:
    """The MLP: two linear layers on each position alone, [..., n_seq, n_embd] -> same.

    act: the function between them; some GPT-2s of others have another in their tree of parameters.
    """
    hidden = tap("c_fc", linear(x, **c_fc))  # [..., n_seq, 4 * n_embd]
    hidden = tap("gelu", act(hidden))
    return tap("c_proj", linear(hidden, **c_proj))  # [..., n_seq, n_embd]


def transformer_block(
    x: np.ndarray,
    ln_1: dict,
    attn: dict,
    ln_2: dict,
    mlp: dict,
    *,
    n_head: int,
    cache: BlockCache | None = None,
    tap: Tap = no_tap,
) -> np.ndarray:
    """Attention, then the MLP, each adding to the residual stream: [..., n_seq, n_embd] -> same.

    The norm comes first in each branch, so the stream itself is never normalized on its
    way from the first block to the last, and gradients pass back along it.
    """
    normed = tap("ln_1", layer_norm(x, **ln_1))
    x = x + self_attention(normed, **attn, n_head=n_head, cache=cache, tap=under("attn.", tap))
    x = tap("resid_mid", x)
    normed = tap("ln_2", layer_norm(x, **ln_2))
    x = x + multilayer_perceptron(normed, **mlp, tap=under("mlp.", tap))
    return tap("resid", x)


def threaded_block(
    x: np.ndarray,
    ln_1: dict,
    attn: dict,
    ln_2: dict,
    mlp: dict,
    *,
    n_head: int,
    cache: BlockCache | None = None,
) -> np.ndarray:
    """transformer_block, computed faster by several threads. It takes no tap.

    The cores share the positions, and in attention the heads; of a batch, each takes some rows.
    """

    def qkv(x):
        return linear(layer_norm(x, **ln_1), **attn["c_attn"])

    def rest(x, merged):
        x = x + linear(merged, **attn["c_proj"])
        return x + multilayer_perceptron(layer_norm(x, **ln_2), **mlp)

    q, k, v = split_qkv(on_threads(qkv, x), n_head)
    if cache is not None:
        k, v = cache.append(k, v)
    merged = merge_heads(on_threads(attention, q, k, v))
    return on_threads(rest, x, merged)


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
    at=...,
) -> np.ndarray:
    """GPT-2: ids [..., n_seq] -> logits [..., n_seq, n_vocab], scores for the token after each.

    One function for a whole prompt (no cache, or an empty one), for a chunk of it, and for a
    single token: with a cache, the ids follow the positions that it holds, and join them.

    at: the positions whose logits are wanted, as an index of [..., n_seq]: for one text `at=-1` is
        the last, for a batch `at=np.s_[..., -1, :]`. The others are then not multiplied by wte,
        which holds a third of the parameters of the 124M model.
    Raises ValueError for an id outside the vocabulary or more positions than n_ctx. A tap
    made by `edit` raises it too, if it names an activation that the model does not have.
    """
    check_names(tap, lambda: activation_names(len(h)))
    x = embed(ids, wte, wpe, 0 if cache is None else cache.n_past, tap)  # [..., n_seq, n_embd]
    on_cores = tap is no_tap and x.shape[-2] >= MANY_POSITIONS
    for i, block in enumerate(h):
        block_cache = None if cache is None else BlockCache(cache, i)
        if on_cores:
            x = threaded_block(x, **block, n_head=n_head, cache=block_cache)
        else:
            x = transformer_block(
                x, **block, n_head=n_head, cache=block_cache, tap=under(f"h.{i}.", tap)
            )
    if cache is not None:
        cache.advance(x.shape[-2])
    return unembed(x[at], wte, ln_f, lm_head, tap=tap)  # [..., n_seq, n_vocab]


def check_ids(ids, n_vocab: int) -> np.ndarray:
    """The ids as an array. Raises ValueError unless all are ids of this vocabulary."""
    ids = np.asarray(ids)
    if ids.ndim == 0 or ids.size == 0 or ids.dtype.kind not in "iu":
        raise ValueError(f"ids are {ids.dtype} {list(ids.shape)}, expected integers [..., n_seq]")
    if ids.min() < 0 or ids.max() >= n_vocab:  # NumPy would take a negative id from the end
        wrong = ids[(ids < 0) | (ids >= n_vocab)][0]
        raise ValueError(f"id {wrong} is not in the vocabulary (0 to {n_vocab - 1})")
    return ids


def check_positions(positions: np.ndarray, n_ctx: int) -> np.ndarray:
    """The positions themselves. Raises ValueError if wpe has no row for one of them."""
    if positions.max() >= n_ctx:
        raise ValueError(f"{positions.max() + 1} tokens do not fit into n_ctx = {n_ctx}")
    return positions
