"""How well a model predicts documents that it has not learned from, in bits per byte.

Each document is scored by itself (see score.py). The <|endoftext|> that ends it is not scored: it
is none of the document's bytes.

While a model is trained, a few of the windows, evenly spread and always the same, serve as an
estimate of the whole.
"""

from collections.abc import Iterable

import numpy as np

from ..bpe import Tokenizer
from ..config import Config
from ..evaluate.score import Windows, cut_document, score, token_lengths
from .data import encode_documents


def cut_documents(tokens: np.ndarray, n_ctx: int, endoftext: int) -> Windows:
    """The windows of all documents in an array [n_tokens], as encode_documents makes it."""
    documents = np.split(tokens, np.flatnonzero(tokens == endoftext)[1:])
    ids, targets = zip(*(cut_document(document, n_ctx) for document in documents))
    return Windows(np.concatenate(ids), np.concatenate(targets))


def bits_per_byte(
    params: dict, config: Config, tokenizer: Tokenizer, documents: Iterable[str]
) -> tuple[float, float]:
    """Bits per byte and nats per token of documents that are not empty, by the whole protocol."""
    tokens = encode_documents(documents, tokenizer)
    windows = cut_documents(tokens, config.n_ctx, tokenizer.endoftext)
    result = score(windows, params, config.n_head, token_lengths(tokenizer))
    return result.bits_per_byte, result.nats_per_token
