"""Tokens that were added to a vocabulary: they are cut out of a text before anything else is done.

They were not learned: <|endoftext|>, the [PAD] of a batch, <speaker1>, or new words that somebody
wanted to keep whole. Their ids mostly come after those of the learned tokens.

Source: AddedVocabulary in https://github.com/huggingface/tokenizers.
"""

from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple

import regex

ENDOFTEXT = "<|endoftext|>"
_ENDS_WITH_WORD, _BEGINS_WITH_WORD = regex.compile(r"\w$"), regex.compile(r"\w")


class AddedToken(NamedTuple):
    """A token that is cut out of texts, and how."""

    content: str
    id: int
    lstrip: bool = False  # it takes the white space to its left
    rstrip: bool = False  # and to its right
    single_word: bool = False  # inside a word it does not count
    normalized: bool = False  # it is looked for in the normalized text


class AddedTokens:
    """The added tokens of a vocabulary, and which of its tokens begin and end a text.

    eos: the token that ends a text; bos: the one that begins it, in GPT-2 the same.
    add_bos_token: whether bos stands before every text that is continued, as in training.
    """

    def __init__(
        self,
        tokens: Iterable[AddedToken],
        eos: str = ENDOFTEXT,
        bos: str = ENDOFTEXT,
        add_bos_token: bool = False,
    ):
        self.tokens, self.eos, self.bos = tuple(tokens), eos, bos
        self.add_bos_token = add_bos_token

    def cut(
        self, text: str, normalize: Callable[[str], str], allow_eos: bool
    ) -> Iterator[str | AddedToken]:
        """The added tokens in a text, and the pieces between them, normalized and never empty.

        allow_eos: whether "<|endoftext|>" in the text, or whatever eos is, means the token.
        """
        allowed = [t for t in self.tokens if allow_eos or t.content != self.eos]
        raw = {t.content: t for t in allowed if not t.normalized}
        late = {normalize(t.content): t for t in allowed if t.normalized}
        for piece in _cut(text, raw):
            if isinstance(piece, str):
                yield from _cut(normalize(piece), late)
            else:
                yield piece


def _cut(text: str, tokens: dict[str, AddedToken]) -> Iterator[str | AddedToken]:
    """The tokens in a text, of several at one place the longest, and the pieces between them."""
    done = 0
    # Of alternatives, a pattern takes the first that fits.
    longest_first = sorted((content for content in tokens if content), key=len, reverse=True)
    found = regex.finditer("|".join(map(regex.escape, longest_first)), text) if tokens else ()
    for match in found if longest_first else ():
        token, (start, end) = tokens[match[0]], match.span()
        if token.single_word and (
            _ENDS_WITH_WORD.search(text[:start][-1:]) or _BEGINS_WITH_WORD.match(text, end)
        ):
            continue
        if token.lstrip:
            start = len(text[:start].rstrip())
        if token.rstrip:
            end = len(text) - len(text[end:].lstrip())
        if done < start:
            yield text[done:start]
        yield token
        done = end
    if done < len(text):
        yield text[done:]
