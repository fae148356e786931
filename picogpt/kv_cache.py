"""The cache of keys and values, and attention to what it holds.

A position's keys and values depend on earlier positions only, so later ones never change them:
each is computed once and kept. The cache is the one mutable thing in the model. It is passed
explicitly, and it alone moves its position: `append` writes, `advance` ends a forward pass, and
`rewind` forgets the last positions.

Source: openai/gpt-2 model.py, past and present.
"""

import copy
from typing import NamedTuple

import numpy as np

from .config import Config
from .ops import causal_attention
from .tap import Tap, no_tap

QUERY_BLOCK = 128  # see attention_in_blocks


class KVCache:
    """Keys and values of the first n_past positions, for every block.

    k, v: [n_layer, *batch, n_head, n_ctx, n_head_dim], filled up to position n_past.
    """

    def __init__(self, config: Config, batch: tuple[int, ...] = (), dtype=np.float32):
        shape = (config.n_layer, *batch, config.n_head, config.n_ctx, config.n_head_dim)
        self.k = np.empty(shape, dtype)
        self.v = np.empty(shape, dtype)
        self.n_past = 0

    def append(self, i: int, k: np.ndarray, v: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Write block i's new k, v [*batch, n_head, n_seq, n_head_dim] after the n_past old ones.

        Returns views of old and new, [*batch, n_head, n_past + n_seq, n_head_dim].
        """
        end = self.n_past + k.shape[-2]
        self.k[i, ..., self.n_past : end, :] = k
        self.v[i, ..., self.n_past : end, :] = v
        return self.k[i, ..., :end, :], self.v[i, ..., :end, :]

    def advance(self, n_seq: int) -> None:
        """End a forward pass: all blocks have written n_seq positions.

        If a pass fails before this, n_past has not moved, and the next one overwrites its work.
        """
        self.n_past += n_seq

    def rewind(self, n_past: int) -> None:
        """Forget all but the first n_past positions. Raises ValueError if it holds fewer."""
        if not 0 <= n_past <= self.n_past:
            raise ValueError(f"cannot rewind to position {n_past}, expected 0 to {self.n_past}")
        self.n_past = n_past

    def copy(self) -> "KVCache":
        """An independent copy that can go on from the same positions."""
        other = copy.copy(self)
        other.k, other.v = np.empty_like(self.k), np.empty_like(self.v)
        other.k[..., : self.n_past, :] = self.k[..., : self.n_past, :]
        other.v[..., : self.n_past, :] = self.v[..., : self.n_past, :]
        return other


class RowCaches:
    """The caches of several texts of different lengths, in one pass: ids [n_rows, n_seq].

    Each row attends to its own cache, just as it would alone: there is no padding, and nothing
    to mask. All other operations treat each position by itself and see an ordinary batch, whose
    rows share the one expensive step, reading the weights.
    """

    def __init__(self, caches: list[KVCache]):
        self.caches = caches

    @property
    def n_past(self) -> np.ndarray:
        """How many positions each row has: [n_rows, 1]."""
        return np.array([[cache.n_past] for cache in self.caches])

    def append(self, i: int, k: np.ndarray, v: np.ndarray) -> tuple[list, list]:
        """See KVCache.append; k, v: [n_rows, n_head, n_seq, n_head_dim]. Returns lists of rows."""
        rows = zip(self.caches, k, v, strict=True)
        k, v = zip(*(cache.append(i, k, v) for cache, k, v in rows), strict=True)
        return list(k), list(v)

    def advance(self, n_seq: int) -> None:
        """See KVCache.advance."""
        for cache in self.caches:
            cache.advance(n_seq)


class BlockCache(NamedTuple):
    """The part of a cache that belongs to block i, so that the block need not know its number."""

    cache: KVCache | RowCaches
    i: int

    def append(self, k: np.ndarray, v: np.ndarray) -> tuple:
        """See KVCache.append."""
        return self.cache.append(self.i, k, v)


def attention(q: np.ndarray, k: np.ndarray, v: np.ndarray, tap: Tap = no_tap) -> np.ndarray:
    """ops.causal_attention of new queries, for the keys and values that a cache has returned.

    It only decides how often to call that function: once, or, where the rows have different
    lengths, once for each row, or, where there are many queries, once for each block of them.

    q: [..., n_head, n_seq, n_head_dim]; k, v: the same with n_past + n_seq positions, or a list
    with one such array for each row of q. Returns the shape of q.
    """
    if isinstance(k, list):
        return np.stack([attention(*row, tap) for row in zip(q, k, v, strict=True)])
    if tap is no_tap and q.shape[-2] > QUERY_BLOCK:
        return attention_in_blocks(q, k, v)
    return causal_attention(q, k, v, tap)


def attention_in_blocks(q: np.ndarray, k: np.ndarray, v: np.ndarray) -> np.ndarray:
    """ops.causal_attention, faster for many queries. It takes no tap.

    A block of queries leaves out the keys that come after all of them, and its scores are few
    enough to stay in the processor's cache.
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
