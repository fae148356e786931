"""How well a model predicts text that it has not learned from, in bits per byte.

The loss per token of two models can be compared only if they have the same tokens. Bits per byte
is the same for any vocabulary: the bits that a perfect compressor would need with the model's
predictions, for each byte of the text in UTF-8.

The protocol: each document starts from <|endoftext|>. A long document is cut into windows of
n_ctx tokens that overlap by half. The first window scores all its tokens, each later one only
those that the window before did not have, so that every token is scored once, and with at least
half a window of text before it wherever there is that much. The <|endoftext|> that ends
a document is not scored: it is none of the document's bytes.

While a model is trained, a few of these windows, evenly spread and always the same, serve as an
estimate of the whole.
"""

import math
from collections.abc import Iterable
from typing import NamedTuple

import numpy as np

from ..bpe import Tokenizer
from ..config import Config
from ..model import residual_stream, unembed
from ..ops import cross_entropy
from .data import encode_documents

NOT_SCORED = -1  # in place of a target
TOKENS_AT_ONCE = 2048  # at GPT-2's sizes their logits take up to 400 MB


class Score(NamedTuple):
    """What a model made of a text."""

    nats: float  # the sum over all tokens of -log(probability)
    n_tokens: int
    n_bytes: int

    @property
    def nats_per_token(self) -> float:
        return self.nats / self.n_tokens

    @property
    def bits_per_byte(self) -> float:
        return self.nats / math.log(2) / self.n_bytes


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

    What a window at the end has too much is filled with <|endoftext|>: it comes later than all
    tokens that are scored, and causal attention keeps it from mattering.
    """
    ids = ids.astype(np.int64)
    n_targets = len(ids) - 1
    overlap = n_ctx // 2
    # A window begins while there are targets beyond what it shares with the one before.
    starts = np.arange(0, max(n_targets - overlap, 1), n_ctx - overlap)
    places = starts[:, None] + np.arange(n_ctx)
    inside = places < n_targets
    targets = np.where(inside, ids[np.minimum(places + 1, n_targets)], NOT_SCORED)
    targets[1:, :overlap] = NOT_SCORED
    return Windows(np.where(inside, ids[np.minimum(places, n_targets)], ids[0]), targets)


def cut_documents(tokens: np.ndarray, n_ctx: int, endoftext: int) -> Windows:
    """The windows of all documents in an array [n_tokens], as encode_documents makes it."""
    documents = np.split(tokens, np.flatnonzero(tokens == endoftext)[1:])
    ids, targets = zip(*(cut_document(document, n_ctx) for document in documents))
    return Windows(np.concatenate(ids), np.concatenate(targets))


def token_lengths(tokenizer: Tokenizer) -> np.ndarray:
    """How many bytes of text each token stands for: [n_vocab]."""
    return np.array([len(tokenizer.decode_bytes([i])) for i in range(tokenizer.n_vocab)])


def score(windows: Windows, params: dict, n_head: int, lengths: np.ndarray, map=map) -> Score:
    """What the model makes of the windows.

    lengths: of the tokens, see token_lengths; map: the built-in one, or that of a pool of threads.
    """
    at_once = max(1, TOKENS_AT_ONCE // windows.ids.shape[-1])

    def nats(start: int) -> float:
        part = slice(start, start + at_once)
        ids, targets = windows.ids[part], windows.targets[part]
        x = residual_stream(ids, params["wte"], params["wpe"], params["h"], n_head=n_head)
        scored = targets != NOT_SCORED
        # the product with wte only for what is scored, about half
        logits = unembed(x[scored], params["wte"], params["ln_f"], params.get("lm_head"))
        return cross_entropy(logits, targets[scored]) * int(scored.sum())

    total = sum(map(nats, range(0, len(windows.ids), at_once)))
    targets = windows.targets[windows.targets != NOT_SCORED]
    return Score(total, len(targets), int(lengths[targets].sum()))


def bits_per_byte(
    params: dict, config: Config, tokenizer: Tokenizer, documents: Iterable[str]
) -> tuple[float, float]:
    """Bits per byte and nats per token of documents that are not empty, by the whole protocol."""
    tokens = encode_documents(documents, tokenizer)
    windows = cut_documents(tokens, config.n_ctx, tokenizer.endoftext)
    result = score(windows, params, config.n_head, token_lengths(tokenizer))
    return result.bits_per_byte, result.nats_per_token
