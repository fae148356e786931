"""From tokens to text, as they come: no character is broken, and a stop string ends the text."""

from collections.abc import Iterable, Iterator, Sequence

from ..bpe import StreamDecoder, Tokenizer


def stop_strings(stop: str | Sequence[str]) -> tuple[str, ...]:
    """One stop string, or several, as a tuple.

    Raises ValueError if one of them is empty, TypeError if one is not a string.
    """
    stop = (stop,) if isinstance(stop, str) else tuple(stop)
    for s in stop:
        if not isinstance(s, str):
            raise TypeError(f"a stop string is {s!r:.80}, expected a text")
    if "" in stop:
        raise ValueError("a stop string is empty")
    return stop


class TextWriter:
    """The text of tokens that come one by one, up to the first stop string to be completed.

    What might be the beginning of a stop string is held back until the text goes on differently.
    stopped: a stop string is complete, and nothing more will be given out.
    """

    def __init__(self, tokenizer: Tokenizer, stop: Sequence[str] = ()):
        self.decoder = StreamDecoder(tokenizer)
        self.stop = stop
        self.held = ""
        self.stopped = False

    def push(self, token: int) -> str:
        """The text that is certain now, after one more token; it may be empty."""
        return self._release(self.decoder.push(token))

    def finish(self) -> str:
        """The rest of the text, after the last token."""
        return self._release(self.decoder.flush()) + self.held

    def _release(self, piece: str) -> str:
        if self.stopped:
            return ""
        text = self.held + piece
        begin = stop_position(text, self.stop)
        self.stopped = begin < len(text)
        n_held = 0 if self.stopped else held_back(text, self.stop)
        self.held = text[len(text) - n_held :]
        return text[: min(begin, len(text) - n_held)]


def pieces_of_text(tokens: Iterable[int], writer: TextWriter) -> Iterator[str]:
    """Yield the text of the tokens in pieces that are not empty. Stop at a stop string."""
    for token in tokens:
        if piece := writer.push(token):
            yield piece
        if writer.stopped:
            return
    if piece := writer.finish():
        yield piece


def stop_position(text: str, stop: Sequence[str]) -> int:
    """Where the first complete stop string begins, or the length of the text.

    If two end at the same place, the longer one counts.
    """
    found = [(text.index(s) + len(s), text.index(s)) for s in stop if s in text]
    _, begin = min(found, default=(None, len(text)))
    return begin


def held_back(text: str, stop: Sequence[str]) -> int:
    """Length of the longest end of text that begins a stop string."""
    longest = max((len(s) - 1 for s in stop), default=0)
    ends = range(min(longest, len(text)), 0, -1)
    return next((n for n in ends if any(s.startswith(text[-n:]) for s in stop)), 0)
