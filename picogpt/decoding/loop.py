"""Writing: one token after another, each chosen from the model's logits.

`token_steps` is the loop, for one text or for several at once: GPT2.generate, stream, steps and
generate_batch use what it yields. Beam search has a loop of its own (beam.py).
"""

import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import NamedTuple

import numpy as np

from ..config import Config
from ..kv_cache import KVCache, RowCaches
from ..model import gpt2
from ..ops import token_logprobs


def no_text(ids: Sequence[int]) -> str:
    """The `decode` of a Step, where no tokenizer was given."""
    return ""


class Candidate(NamedTuple):
    """A token that the model might write, its log-probability in nats, and its text."""

    id: int
    logprob: float
    text: str


@dataclass(frozen=True, eq=False)
class Step:
    """A token that was written, and what else the model had in mind.

    id: the token; logits: what the model said about this position, float [n_vocab], before
        temperature, top-k and the rest; decode: the tokenizer's.
    """

    id: int
    logits: np.ndarray
    decode: Callable[[Sequence[int]], str] = no_text

    @property
    def text(self) -> str:
        """The token as text. A token that is only a part of a character gives U+FFFD."""
        return self.decode([self.id])

    @cached_property
    def logprob(self) -> float:
        """The logarithm of the probability that the model gave to the token, in nats."""
        return float(token_logprobs(self.logits, self.id))

    def likeliest(self, n: int) -> list[Candidate]:
        """The n likeliest tokens for this position, the likeliest first."""
        ids = np.argsort(-self.logits, kind="stable")[:n].tolist()
        logprobs = (self.logits[ids] - self.logits[self.id] + self.logprob).tolist()
        texts = [self.decode([i]) for i in ids]
        return [*map(Candidate, ids, logprobs, texts)]


@dataclass(eq=False)
class CachedText:
    """A text, and what the model has read of it.

    ids: all its tokens so far, prompt included.
    cache: keys and values of ids[start : start + cache.n_past]; start moves on when the text
        outgrows the context.
    logits: [n_new, n_vocab], what the last forward pass said.
    """

    ids: list[int]
    start: int = 0
    cache: KVCache | None = None
    logits: np.ndarray | None = None

    def outgrew(self, config: Config) -> bool:
        """Whether there is no position left for the last token."""
        return len(self.ids) - self.start > config.n_ctx


@dataclass(eq=False, kw_only=True)
class GrowingText(CachedText):
    """A text that token_steps continues, until it is done.

    choose(logits [n_vocab], ids) picks the next token; end: how many tokens the text may have.
    done: nothing more is to be written. Whoever reads the steps may set it, too.
    """

    choose: Callable[[np.ndarray, Sequence[int]], int]
    end: int
    done: bool = False


def read(text: CachedText, params: dict, config: Config, guess: Sequence[int] = ()) -> None:
    """Compute text.logits from the ids that the cache does not hold yet.

    guess: tokens that may follow them (lookup.py), which are read in the same pass.

    The window: when a text outgrows n_ctx, its older part is dropped, all but the last n_ctx / 2
    tokens (rounded up). Their keys and values are computed again, since each token has moved to
    another position. After that, n_ctx / 2 more tokens fit in.
    """
    if text.outgrew(config):
        n_kept = (config.n_ctx + 1) // 2
        if text.start == 0:
            warnings.warn(
                f"the text outgrew the context of {config.n_ctx} tokens: "
                f"from here on the model sees only the last {n_kept} or more",
                stacklevel=2,
            )
        text.start = len(text.ids) - n_kept
        text.cache.rewind(0)
    unread = text.ids[text.start + text.cache.n_past :]
    last = np.s_[-1 - len(guess) :]
    text.logits = gpt2([*unread, *guess], **params, n_head=config.n_head, cache=text.cache, at=last)


def read_prompts(texts: Sequence[CachedText], params: dict, config: Config, end: int) -> None:
    """Read all texts for the first time. Of several equal texts, only one is computed.

    end: how many tokens each will have at most.
    """
    # Memory that a text will never need costs time as well: the system clears it on first touch.
    sizes = replace(config, n_ctx=min(end, config.n_ctx))
    first = {}
    for text in texts:
        twin = first.setdefault(tuple(text.ids), text)
        if twin is text:
            text.cache = KVCache(sizes, dtype=params["wte"].dtype)
            read(text, params, config)
        else:
            text.start, text.cache, text.logits = twin.start, twin.cache.copy(), twin.logits


def read_last(texts: Sequence[CachedText], params: dict, config: Config) -> None:
    """Read the last token of each text, in one pass, so that the weights are read once for all."""
    for text in texts:
        if text.outgrew(config):
            read(text, params, config)
    rest = [text for text in texts if text.cache.n_past + text.start < len(text.ids)]
    if len(rest) == 1:
        read(rest[0], params, config)
    elif rest:
        ids = [text.ids[-1:] for text in rest]
        caches = RowCaches([text.cache for text in rest])
        logits = gpt2(ids, **params, n_head=config.n_head, cache=caches)  # [n_texts, 1, n_vocab]
        for text, row in zip(rest, logits, strict=True):
            text.logits = row


def no_guess(ids: Sequence[int]) -> list[int]:
    """The `make_guess` of token_steps, where nothing is to be guessed."""
    return []


def token_steps(
    texts: Sequence[GrowingText],
    params: dict,
    config: Config,
    *,
    endoftext: int,
    make_guess: Callable[[Sequence[int]], list[int]] = no_guess,
    decode: Callable[[Sequence[int]], str] = no_text,
) -> Iterator[tuple[GrowingText, Step]]:
    """Write the texts, all at the same time, and yield each token as it is chosen.

    A text ends when it has text.end tokens, before endoftext, or when text.done is set; those
    that go on share each forward pass. What a text becomes does not depend on the others, but for
    rounding: where two tokens are equally likely to the last digits, a product with several rows
    may choose the other one.

    make_guess(ids) guesses how a text that is written alone goes on. The model reads the guess with
    the last token, in one pass, and as much of it is kept as `choose` agrees with: lookup.py.
    """
    read_prompts(texts, params, config, max((text.end for text in texts), default=1))
    guess = []
    while True:
        for text in texts:
            # logits i are for the position of guess i, and hold if all guesses before it are right
            for logits, guessed in zip(text.logits, [*guess, None], strict=True):
                token = text.choose(logits, text.ids)
                if token == endoftext:
                    text.done = True
                    break
                text.ids.append(token)
                yield text, Step(token, logits, decode)
                text.done |= len(text.ids) >= text.end
                if text.done or token != guessed:
                    break
            if guess:
                text.cache.rewind(len(text.ids) - 1 - text.start)  # forget the wrong guesses
        texts = [text for text in texts if not text.done]
        if len(texts) > 1:
            guess = []
            read_last(texts, params, config)
        elif texts:
            (text,) = texts
            n_left = min(text.end - 1, text.start + config.n_ctx) - len(text.ids)
            guess = make_guess(text.ids)[: max(n_left, 0)]
            read(text, params, config, guess)
        else:
            return
