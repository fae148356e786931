"""Writing text: one token after the other, each chosen from the logits for the next.

`token_steps` is the loop. Everything else turns its tokens into text.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence

import numpy as np

from .config import Config
from .model import KVCache, residual_stream, unembed

# A long prompt goes through the model in chunks: the scores of a chunk take n_head x 256 x n_past
# floats instead of n_head x n_seq x n_seq, and half of the latter would be masked anyway.
PREFILL_CHUNK = 256


def next_logits(ids: Sequence[int], params: dict, config: Config, cache: KVCache) -> np.ndarray:
    """Logits for the token after ids, which follow what the cache holds: [n_seq] -> [n_vocab]."""
    wte, wpe, h, ln_f = params["wte"], params["wpe"], params["h"], params["ln_f"]
    for start in range(0, len(ids), PREFILL_CHUNK):
        chunk = ids[start : start + PREFILL_CHUNK]
        x = residual_stream(chunk, wte, wpe, h, n_head=config.n_head, cache=cache)
    # Only the last position's logits are wanted; the product with wte is a third of the
    # parameters of the 124M model, too dear to compute for all.
    return unembed(x[-1], wte, ln_f, params.get("lm_head"))


def token_steps(
    ids: Sequence[int],
    params: dict,
    config: Config,
    *,
    choose: Callable[[np.ndarray], int],
    max_new_tokens: int,
    endoftext: int,
) -> Iterator[int]:
    """Yield the tokens that continue ids [n_seq], choose(logits [n_vocab]) picking each.

    Ends after max_new_tokens, before endoftext, or when the context of n_ctx positions is full.
    """
    cache = KVCache(config, dtype=params["wte"].dtype)
    for _ in range(max_new_tokens):
        if cache.n_past + len(ids) > config.n_ctx:
            return
        token = choose(next_logits(ids, params, config, cache))
        if token == endoftext:
            return
        yield token
        ids = [token]


def pieces_of_text(tokens: Iterable[int], decoder) -> Iterator[str]:
    """Yield the text of the tokens, never broken inside a character (see bpe.StreamDecoder)."""
    for token in tokens:
        yield decoder.push(token)
    yield decoder.flush()


def until_stop(pieces: Iterable[str], stop: Sequence[str]) -> Iterator[str]:
    """Yield the pieces of text up to the stop string that is first complete; it may span pieces.

    What might be the beginning of a stop string is held back until it is known not to be one. Of
    two that end together the longer one counts.
    """
    text = ""
    for piece in pieces:
        text += piece
        found = [(text.index(s) + len(s), text.index(s)) for s in stop if s in text]
        if found:
            _, begin = min(found)
            text = text[:begin]
            break
        held = held_back(text, stop)
        if len(text) > held:
            yield text[: len(text) - held]
            text = text[len(text) - held :]
    if text:
        yield text


def held_back(text: str, stop: Sequence[str]) -> int:
    """Length of the longest end of text that begins a stop string."""
    longest = max((len(s) - 1 for s in stop), default=0)
    ends = range(min(longest, len(text)), 0, -1)
    return next((n for n in ends if any(s.startswith(text[-n:]) for s in stop)), 0)
