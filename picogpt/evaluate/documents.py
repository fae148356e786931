"""Documents that a model has not learned from, cut into windows to be scored.

Each document is scored by itself (see score.py). The <|endoftext|> that ends it is not scored,
because it is not part of the document.

While a model is trained, a few of the windows, evenly spread and always the same, serve as an
estimate of the whole.
"""

from collections.abc import Iterable

import numpy as np

from ..bpe import Tokenizer
from ..bpe.tokenizer import ENDOFTEXT
from .score import Windows, cut_document


def split_documents(text: str) -> list[str]:
    """The documents of a text: "One.\\n<|endoftext|>\\nTwo.\\n" -> ["One.", "Two."].

    The line ends around <|endoftext|>, which mostly stands on a line of its own, belong to
    neither document: a model that learned them would begin and end its texts with blank lines.
    """
    documents = (document.strip("\r\n") for document in text.split(ENDOFTEXT))
    return [document for document in documents if document.strip()]


def encode_documents(documents: Iterable[str], tokenizer: Tokenizer) -> np.ndarray:
    """All documents as one array of ids, <|endoftext|> before each: -> [n_tokens].

    uint16 where the vocabulary allows it, else uint32.
    """
    dtype = np.uint16 if tokenizer.n_vocab <= 1 << 16 else np.uint32
    return np.concatenate(
        [np.array([tokenizer.endoftext, *tokenizer.encode(text)], dtype) for text in documents]
    )


def cut_documents(tokens: np.ndarray, n_ctx: int, endoftext: int) -> Windows:
    """The windows of all documents in an array [n_tokens], as encode_documents makes it."""
    documents = np.split(tokens, np.flatnonzero(tokens == endoftext)[1:])
    ids, targets = zip(*(cut_document(document, n_ctx) for document in documents))
    return Windows(np.concatenate(ids), np.concatenate(targets))
