"""How well a model predicts a text: the log-probability of every token, and what follows from it.

The protocol: the text starts from <|endoftext|>. A long one is cut into windows of n_ctx tokens
that overlap by half. The first window scores all its tokens, each later one only those that the
window before it did not have. So every token is scored once, and with at least half a window of
text before it, wherever there is that much.

The loss per token of two models can be compared only if they have the same tokens. Bits per byte
can always be compared: they are the bits that a perfect compressor would need, with the model's
predictions, for each byte of the text in UTF-8.
"""

import math
from typing import NamedTuple

import numpy as np

from ..bpe import Tokenizer
from ..model import gpt2
from ..ops import token_logprobs

NOT_SCORED = -1  # in place of a target
TOKENS_AT_ONCE = 2048  # at GPT-2's sizes their logits take up to 400 MB


class Score(NamedTuple):
    """How well a model predicted a text.

    ids, logprobs: [n_tokens], the tokens, and the log-probability of each in nats; n_bytes: the
    length of the text.
    """

    ids: np.ndarray
    logprobs: np.ndarray
    n_bytes: int

    @property
    def nats_per_token(self) -> float:
        """The mean of -log(probability): cross-entropy."""
        return -float(self.logprobs.mean(dtype=np.float64))

    @property
    def perplexity(self) -> float:
        """The number of equally likely tokens among which a guess would be as uncertain."""
        with np.errstate(over="ignore"):  # a broken model's may be infinite
            return float(np.exp(self.nats_per_token))

    @property
    def bits_per_byte(self) -> float:
        """What a perfect compressor would need: see the beginning of this module."""
        return self.nats_per_token * len(self.ids) / math.log(2) / self.n_bytes


class Windows(NamedTuple):
    """Windows to be scored: ids and targets are [n_windows, n_ctx]."""

    ids: np.ndarray
    targets: np.ndarray  # the id after each, or NOT_SCORED

    def spread(self, n: int) -> "Windows":
        """n of the windows, at equal distances, or all if there are no more."""
        chosen = np.arange(min(n, len(self.ids))) * len(self.ids) // min(n, len(self.ids))
        return Windows(self.ids[chosen], self.targets[chosen])


def cut_document(ids: np.ndarray, n_ctx: int) -> Windows:
    """The windows of one document, ids [n_tokens] with <|endoftext|> first.

    The last window may be longer than the rest of the text. It is filled up with <|endoftext|>,
    which comes after every token that is scored, so causal attention keeps it from mattering.
    """
    ids = ids.astype(np.int64)
    n_targets = len(ids) - 1
    overlap = n_ctx // 2
    # A window begins while there are targets beyond what it shares with the one before.
    starts = np.arange(0, max(n_targets - overlap, 1), n_ctx - overlap)
    positions = starts[:, None] + np.arange(n_ctx)  # [n_windows, n_ctx]
    inside = positions < n_targets
    targets = np.where(inside, ids[np.minimum(positions + 1, n_targets)], NOT_SCORED)
    targets[1:, :overlap] = NOT_SCORED
    return Windows(np.where(inside, ids[np.minimum(positions, n_targets)], ids[0]), targets)


def token_lengths(tokenizer: Tokenizer) -> np.ndarray:
    """How many bytes of text each token stands for: [n_vocab]."""
    return np.array([len(tokenizer.decode_bytes([i])) for i in range(tokenizer.n_vocab)])


def score(windows: Windows, params: dict, n_head: int, lengths: np.ndarray, map=map) -> Score:
    """How well the model predicts the windows.

    lengths: of the tokens, see token_lengths; map: Python's, or that of a pool of threads.
    """
    at_once = max(1, TOKENS_AT_ONCE // windows.ids.shape[-1])

    def logprobs(start: int) -> np.ndarray:
        part = slice(start, start + at_once)
        ids, targets = windows.ids[part], windows.targets[part]
        scored = targets != NOT_SCORED  # about half
        logits = gpt2(ids, **params, n_head=n_head, at=scored)  # [n_scored, n_vocab]
        return token_logprobs(logits, targets[scored])

    parts = map(logprobs, range(0, len(windows.ids), at_once))
    targets = windows.targets[windows.targets != NOT_SCORED]
    return Score(targets, np.concatenate(list(parts)), int(lengths[targets].sum()))
