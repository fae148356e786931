"""From text files to batches of tokens.

A file holds documents with <|endoftext|> between them. Every document becomes <|endoftext|> and
its own tokens, and all of them follow each other in one array, which is kept on disk and mapped
into memory. So whatever the model writes after <|endoftext|> is the beginning of a document.
"""

from functools import lru_cache

import numpy as np

from ..bpe.tokenizer import ENDOFTEXT
from .randomness import generator


def hold_out(documents: list[str], fraction: float, seed: int) -> tuple[list[str], list[str]]:
    """Split the documents in two, those to learn from and those held out, both in their old order.

    A document is not divided, because its second half would be too easy for a reader of the first.
    If there is only one, its last part is held out, from the beginning of a line.
    Raises ValueError if there are too few documents, or lines, for both parts.
    """
    if len(documents) == 1:
        (text,) = documents
        cut = text.rfind("\n", 0, round((1 - fraction) * len(text))) + 1
        if cut == 0:
            raise ValueError(
                "the text is one line, too little to hold out a part: name a file with --valid"
            )
        return [text[:cut]], [text[cut:]]
    n_held = max(1, round(fraction * len(documents)))
    if n_held >= len(documents):
        raise ValueError(
            f"the text has {len(documents)} documents with {ENDOFTEXT} between them, "
            f"too few to hold out {n_held}: name a file with --valid"
        )
    held = set(generator(seed, "held out").permutation(len(documents))[:n_held].tolist())
    learn = [document for i, document in enumerate(documents) if i not in held]
    return learn, [documents[i] for i in sorted(held)]


@lru_cache(maxsize=2)  # a batch may begin in one epoch and end in the next
def epoch_windows(n_tokens: int, n_ctx: int, seed: int, epoch: int) -> np.ndarray:
    """Where the windows of an epoch begin, in shuffled order: -> [n_tokens // n_ctx].

    The tokens are joined to a ring, which is cut after every n_ctx tokens. So in one epoch every
    token is predicted once (except a rest of fewer than n_ctx); windows drawn at random would leave
    out about a third of the text and repeat other parts. The first cut is in a different place in
    every epoch, so that a token gets a new context each time.
    """
    rng = generator(seed, "windows", epoch)
    first = rng.integers(n_tokens)
    return (first + n_ctx * rng.permutation(n_tokens // n_ctx)) % n_tokens


def batch(
    tokens: np.ndarray, n_ctx: int, n_batch: int, seed: int, step: int
) -> tuple[np.ndarray, np.ndarray]:
    """The ids and targets of a step, counted from 0: each [n_batch, n_ctx].

    tokens: [n_tokens], more than n_ctx. The target of an id is the id that follows it.
    """
    n_windows = len(tokens) // n_ctx
    starts = []
    for number in range(step * n_batch, (step + 1) * n_batch):
        epoch, place = divmod(number, n_windows)
        starts.append(epoch_windows(len(tokens), n_ctx, seed, epoch)[place])
    window = np.array(starts)[:, None] + np.arange(n_ctx + 1)
    ids = tokens[window % len(tokens)].astype(np.int64)
    return ids[:, :-1], ids[:, 1:]
