"""Other ways to cut a text into words: the patterns in the tokenizer.json of newer vocabularies.

They look like GPT-2's, with other rules for capitals, digits or line feeds. What they say is run
by `regex`, although Hugging Face's tokenizers has another engine (Oniguruma): so only what means
the same to both is read, and that is what all the known ones are made of.
"""

from array import array
from collections.abc import Iterator
from itertools import pairwise

import regex

# A pattern is alternatives of these in a row. No group is repeated, so that memory cannot explode.
# "{1,3}+" is missing, and "ss" without regard to capitals, because the two engines differ on them.
_ESCAPE = r"\\(?:[pP]\{\w+\}|[sSdDrnt]|[^\w\s])"
_SET = rf"\[\^?(?:{_ESCAPE}|[^\\\[\]&~|])+\]"
_ATOM = rf"(?:{_ESCAPE}|{_SET}|[^\\\[\](){{}}|?*+^$.])"
_REPEATED = rf"{_ATOM}(?:[?*+]\+?|\{{\d{{1,2}}(?:,(?:\d{{1,2}})?)?\}}(?![?*+]))?"
_FOLDED = r"\(\?i:(?:(?!f[fil]|s[st])['a-z|\[\]])+\)\??"
_GROUP = rf"\(\?[:!=](?:{_REPEATED}|\|)+\)\??"
_READABLE = rf"(?:{_REPEATED}|{_FOLDED}|{_GROUP}|\|)+"
_LONGEST = 1000  # characters
_EVERY_KIND = " ".join(map(chr, [*range(0x300), *range(0x300, 0xD800, 64)]))  # of characters
# Of the processor, for a short text. Known patterns read a million characters in one second.
_SECONDS = 5.0


def compile_pattern(text: str) -> regex.Pattern:
    """The pattern, compiled and tried out. Raises ValueError if it cannot be read, or leaves
    characters out of all words.
    """
    if len(text) > _LONGEST or not regex.fullmatch(_READABLE, text):
        raise ValueError(f"the pattern {text!r:.200} cannot be read")
    try:
        pattern = regex.compile(text)
    except regex.error as error:
        raise ValueError(f"the pattern {text!r:.200} is not valid: {error}") from None
    for _ in split_by(pattern, _EVERY_KIND):
        pass
    return pattern


def split_by(pattern: regex.Pattern, text: str) -> Iterator[str]:
    """Text -> its words, which joined give the text again: what the pattern finds.

    Raises ValueError if it leaves something between them, or takes much longer than usual.
    """
    ends = array("Q", [0])
    try:
        for match in pattern.finditer(text, timeout=_SECONDS + len(text) / 20_000):
            start, end = match.span()
            if start > ends[-1]:
                raise ValueError(f"the pattern finds no word in {text[ends[-1] : start]!r:.80}")
            ends.append(end)
    except TimeoutError:
        raise ValueError(f"the pattern {pattern.pattern!r:.200} takes too long") from None
    if ends[-1] < len(text):
        raise ValueError(f"the pattern finds no word in {text[ends[-1] :]!r:.80}")
    return (text[start:end] for start, end in pairwise(ends) if start < end)
