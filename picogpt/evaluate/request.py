"""The one question that every protocol asks: how likely are these last tokens after those first?

A request is a row of ids, of which the last n_scored are to be predicted. An ending after a
context is a request, and so is a window of a long text. Requests of about the same length are
computed together: the shorter ones are padded on the right, which causal attention ignores.
"""

from collections.abc import Collection, Sequence
from typing import NamedTuple

import numpy as np

from ..bpe import Tokenizer
from ..model import gpt2
from ..ops import token_logprobs


class Request(NamedTuple):
    """ids [n_tokens]; the last n_scored of them are targets, each predicted from all before it."""

    ids: np.ndarray
    n_scored: int


class Reply(NamedTuple):
    """logprobs [n_scored] in nats; greedy: whether each target was the likeliest token."""

    logprobs: np.ndarray
    greedy: bool


def ending_request(context: str, ending: str, tokenizer: Tokenizer, n_ctx: int) -> Request:
    """The ending of a text after its context, as lm-evaluation-harness cuts them into tokens.

    Spaces at the end of the context go to the ending, because GPT-2's words begin with them. Both
    are encoded as one text; an empty context becomes <|endoftext|>. If n_ctx is too small for all,
    the left end is cut off. Raises ValueError if the ending alone is longer than n_ctx, or has no
    token of its own.
    """
    stripped = context.rstrip()
    whole = tokenizer.encode(context + ending)
    before = tokenizer.encode(stripped) or [tokenizer.endoftext]
    if not stripped:
        whole = before + whole
    return cut_request(before + whole[len(before) :], len(whole) - len(before), n_ctx)


def cut_request(ids: list[int], n_scored: int, n_ctx: int) -> Request:
    """The request with as much context as n_ctx positions hold."""
    if not 1 <= n_scored <= n_ctx:
        raise ValueError(f"{n_scored} tokens are to be predicted, expected 1 to n_ctx, {n_ctx}")
    # as numbers of four bytes: all requests of a task are kept until they are answered
    return Request(np.array(ids[-(n_ctx + 1) :], np.uint32), n_scored)


def reply(
    requests: Sequence[Request], params: dict, n_head: int, banned: Collection[int] = ()
) -> list[Reply]:
    """The replies to requests, in one batch.

    banned: ids that the greedy choice of the first scored token leaves out.
    """
    n_seq = max(len(request.ids) for request in requests) - 1
    ids = np.zeros((len(requests), n_seq), np.int64)
    scored = np.zeros(ids.shape, bool)
    for row, request in enumerate(requests):
        n = len(request.ids) - 1
        ids[row, :n] = request.ids[:-1]
        scored[row, n - request.n_scored : n] = True
    targets = np.concatenate([request.ids[-request.n_scored :] for request in requests])
    logits = gpt2(ids, **params, n_head=n_head, at=scored)  # [n_scored of all, n_vocab]
    logprobs = token_logprobs(logits, targets)
    ends = np.cumsum([request.n_scored for request in requests])
    if banned:
        logits[np.ix_(ends - [request.n_scored for request in requests], [*banned])] = -np.inf
    right = logits.argmax(-1) == targets
    return [
        Reply(part, bool(hit.all()))
        for part, hit in zip(np.split(logprobs, ends[:-1]), np.split(right, ends[:-1]))
    ]
