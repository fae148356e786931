"""Perplexity of WikiText and of any long text: the windows of each protocol, and its figures.

The same nats make several figures: per token, per word of the file, per byte. And the nats of a
text depend on the windows: the more context a token has, the easier it is to predict.
"""

import math
import re
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import NamedTuple

from ..bpe import Tokenizer
from ..files import read_text
from .documents import split_documents
from .request import Request, cut_request

# Replacements, made one after the other. They undo what WikiText did to punctuation, as
# lm-evaluation-harness does it.
DETOKENIZE = [
    (r"s '", "s'"),
    (r"/' [0-9]/", "/'[0-9]/"),  # a slip of the harness, which is part of the protocol
    *((rf" @{mark}@ ", mark.strip("\\")) for mark in ("-", ",", r"\.")),
    *((rf" {mark} ", mark.strip("\\") + " ") for mark in (":", ";", r"\.", "!", r"\?", ",")),
    (r"\(\s*([^)]*?)\s*\)", r"(\1)"),
    (r"\[\s*([^]]*?)\s*\]", r"[\1]"),
    (r"{\s*([^}]*?)\s*}", r"{\1}"),
    (r'"\s*([^"]*?)\s*"', r'"\1"'),
    (r"'\s*([^']*?)\s*'", r"'\1'"),
    (r"= = = =", "===="),
    (r"= = =", "==="),
    (r"= =", "=="),
    (r" ° ", "°"),
    (r" \n", "\n"),
    (r"\n ", "\n"),
    (r" N ", " 1 "),
    (r" 's", "'s"),
]
PAGE = re.compile(r"(?m)^(?= = [^=\n]+ = ?$)")  # " = Title = " comes before each page


class WindowedText(NamedTuple):
    """A text to predict: its windows, and how many words and bytes it has before detokenizing."""

    requests: list[Request]
    n_words: int
    n_bytes: int


def detokenize(text: str) -> str:
    """WikiText as people write: 'a @-@ b , c " d " .\\n' -> 'a-b, c "d" .\\n'."""
    for pattern, replacement in DETOKENIZE:
        text = re.sub(pattern, replacement, text)
    return text


def strided(ids: list[int], window: int, stride: int) -> list[Request]:
    """Windows of `window` ids that begin every `stride` ids. Each scores what is new in it.

    The loop of transformers' page on perplexity. The first id of the text is never scored.
    """
    requests, done = [], 1
    for begin in range(0, len(ids), stride):
        end = min(begin + window, len(ids))
        n_scored = min(end - done, end - begin - 1)
        if n_scored > 0:
            requests.append(cut_request(ids[begin:end], n_scored, window))
        done = end
        if end == len(ids):
            break
    return requests


def rolling(ids: list[int], n_ctx: int) -> list[Request]:
    """Windows that do not overlap, except the last, which reaches back to be full.

    ids begin with <|endoftext|>. As lm-evaluation-harness's loglikelihood_rolling.
    """
    ends = [*range(n_ctx, len(ids) - 1, n_ctx), len(ids) - 1]
    return [
        cut_request(ids[max(0, end - n_ctx) : end + 1], end - done, n_ctx)
        for done, end in zip([0, *ends], ends)
    ]


def own_windows(ids: list[int], n_ctx: int) -> list[Request]:
    """The windows of score.py: n_ctx targets each, overlapping by half."""
    return strided(ids, n_ctx + 1, n_ctx - n_ctx // 2)


def _together(
    texts: Iterable[str], tokenizer: Tokenizer, cut: Callable[[list[int]], list[Request]]
) -> list[Request]:
    starts = [tokenizer.endoftext]
    return [r for text in texts for r in cut(starts + tokenizer.encode(text))]


def read_wikitext(path: Path, protocol: str, tokenizer: Tokenizer, n_ctx: int) -> WindowedText:
    """WikiText's file, raw or tokenised, in windows.

    lm-eval: page by page, detokenized, rolling windows; divided by the words of the file.
    paper: one detokenized stream with our windows, divided by the words of the file and one for
        each line's end (openai/gpt-2 #78). OpenAI's own rules and windows are not published, so
        this is a reconstruction.
    transformers: the raw lines joined by blank lines, windows of n_ctx, per token.
    """
    text = _not_empty(path)
    n_words, n_bytes = len(text.split()), len(text.encode())
    if protocol == "transformers":
        lines = [line + "\n" if line.strip() else "" for line in text.split("\n")]
        ids = tokenizer.encode("\n\n".join(lines[:-1] if text.endswith("\n") else lines))
        return WindowedText(strided(ids, n_ctx, n_ctx), n_words, n_bytes)
    if protocol == "paper":
        requests = _together([detokenize(text)], tokenizer, lambda ids: own_windows(ids, n_ctx))
        return WindowedText(requests, n_words + text.count("\n"), n_bytes)
    pages = [page for page in PAGE.split(text) if page.strip()]
    requests = _together(map(detokenize, pages), tokenizer, lambda ids: rolling(ids, n_ctx))
    n_words = sum(len(re.split(r"\s+", page)) for page in pages)
    return WindowedText(requests, n_words, sum(len(page.encode()) for page in pages))


def read_plain_text(
    path: Path, protocol: str, tokenizer: Tokenizer, window: int, stride: int | None = None
) -> WindowedText:
    """Any text, in windows.

    documents: each document after <|endoftext|>, windows that overlap by half (score.py).
    stream: the whole file without <|endoftext|>, windows every `stride` ids (None: every window).
    rolling: the whole file after <|endoftext|>, as lm-evaluation-harness.
    """
    text = _not_empty(path)
    if protocol == "documents":
        documents = split_documents(text)
        requests = _together(documents, tokenizer, lambda ids: own_windows(ids, window))
        n_words = sum(len(document.split()) for document in documents)
        return WindowedText(
            requests, n_words, sum(len(document.encode()) for document in documents)
        )
    if protocol == "stream":
        requests = strided(tokenizer.encode(text), window, stride or window)
    else:
        requests = _together([text], tokenizer, lambda ids: rolling(ids, window))
    return WindowedText(requests, len(text.split()), len(text.encode()))


def _not_empty(path: Path) -> str:
    text = read_text(path)
    if not split_documents(text):
        raise ValueError(f"{path}: there is no text in it")
    return text


def text_figures(
    requests: list[Request], nats: list[float], whole: WindowedText, hugging_face: bool
) -> dict:
    """Perplexities and bits per byte of scored windows; nats: of each window.

    hugging_face: weigh the windows as transformers' page does, which counts one token less for
    every window that has tokens of context only.
    Words and bytes are those of the scored share of the tokens.
    """
    counts = [r.n_scored for r in requests]
    per_token = sum(nats) / sum(counts)
    share = sum(counts) / sum(r.n_scored for r in whole.requests)
    figures = {
        "tokens": sum(counts),
        "perplexity per token": per_token,
        "perplexity per word": sum(nats) / (whole.n_words * share),
    }
    if hugging_face:
        weights = [n - (n < len(r.ids) - 1) for n, r in zip(counts, requests)]
        means = [x / n for x, n in zip(nats, counts)]
        figures["perplexity per token"] = sum(m * w for m, w in zip(means, weights)) / sum(weights)
    for key, value in figures.items():
        if key != "tokens":
            figures[key] = math.exp(value) if value < 700 else math.inf
    figures["bits per byte"] = sum(nats) / math.log(2) / (whole.n_bytes * share)
    return figures
