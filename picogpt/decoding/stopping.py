"""From tokens to text, as they come: never broken inside a character, ended by a stop string."""

from collections.abc import Iterable, Iterator, Sequence


def pieces_of_text(tokens: Iterable[int], decoder) -> Iterator[str]:
    """Yield the text of the tokens, never broken inside a character (see bpe.StreamDecoder)."""
    for token in tokens:
        yield decoder.push(token)
    yield decoder.flush()


def stop_strings(stop: str | Sequence[str]) -> tuple[str, ...]:
    """One stop string, or several, as a tuple. Raises ValueError if one of them is empty."""
    stop = (stop,) if isinstance(stop, str) else tuple(stop)
    if "" in stop:
        raise ValueError("a stop string is empty")
    return stop


def stop_place(text: str, stop: Sequence[str]) -> int:
    """Where the stop string begins that is first complete, or the length of the text.

    Of two that end together the longer one counts.
    """
    found = [(text.index(s) + len(s), text.index(s)) for s in stop if s in text]
    _, begin = min(found, default=(None, len(text)))
    return begin


def until_stop(pieces: Iterable[str], stop: Sequence[str]) -> Iterator[str]:
    """Yield the pieces of text up to the stop string that is first complete; it may span pieces.

    What might be the beginning of a stop string is held back until it is known not to be one.
    """
    text = ""
    for piece in pieces:
        text += piece
        begin = stop_place(text, stop)
        if begin < len(text):
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
