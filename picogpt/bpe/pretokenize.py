"""From text to words, and from a word to the symbols that the merges join.

GPT-2 never merges across words: a text is first cut into pieces such as "Hello", ",", " world"
(the space belongs to the word that follows it). Without that the vocabulary would fill up with
"dog.", "dog!" and "dog?". A word then becomes its UTF-8 bytes, so that 256 symbols are enough
to write every text, and each byte is written as one printable character, so that tokens can be
read and stored as text: a space is "Ġ", a line feed is "Ċ".

Source: Radford et al. 2019, section 2.2, and OpenAI's encoder.py.
"""

from collections.abc import Iterator
from itertools import chain

import regex


def byte_alphabet() -> str:
    """The 256 characters that stand for the bytes 0 to 255 (bytes_to_unicode in encoder.py).

    The bytes that are printable in Latin-1 stand for themselves; the others (control characters,
    spaces, the soft hyphen) take the characters from U+0100 on, in order.
    """
    printable = {*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)}
    others = iter(range(0x100, 0x200))
    return "".join(chr(byte if byte in printable else next(others)) for byte in range(256))


ALPHABET = byte_alphabet()
_BYTES = {symbol: byte for byte, symbol in enumerate(ALPHABET)}


def to_symbols(word: str) -> str:
    """A word's UTF-8 bytes, one symbol each: " né" -> "ĠnÃ©"."""
    return "".join(ALPHABET[byte] for byte in word.encode("utf-8"))


def to_bytes(symbols: str) -> bytes:
    """The inverse of to_symbols, before the decoding of UTF-8: "ĠnÃ©" -> b" n\\xc3\\xa9".

    Raises KeyError for a character that is not in ALPHABET.
    """
    return bytes(map(_BYTES.__getitem__, symbols))


# The pattern of encoder.py, word for word: English endings; letters, digits, and all the rest, each
# with the space before it; white space, whose last character is left to the next word.
# A newer `regex` knows letters that came into Unicode after GPT-2, and tiktoken's tables may be
# older. Only for such letters can the two differ, and GPT-2 has never seen them.
_WORD = regex.compile(
    r"""'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"""
)
_END_OF_WORD = regex.compile(r"(?<=\S)\s")
_BLOCK = 1 << 16


def _blocks(text: str) -> Iterator[str]:
    """The text in blocks of about 64 thousand characters, each but the last ending with a word.

    White space that follows a non-space always begins a new word, so a cut there changes nothing.
    """
    start = 0
    while start < len(text):
        space = _END_OF_WORD.search(text, start + _BLOCK)
        end = space.start() if space else len(text)
        yield text[start:end]
        start = end


def split(text: str) -> Iterator[str]:
    """Text -> its words, which joined give the text again.

    "I'll  say: hi2u" -> "I", "'ll", " ", " say", ":", " hi", "2", "u"
    """
    # A loop over _WORD.finditer(text) gives the same words. findall saves a third of the time
    # that encode takes, but its list has fifteen times the memory of the text: hence blocks.
    return chain.from_iterable(map(split_short, _blocks(text)))


def split_short(text: str) -> list[str]:
    """The same words as split gives, in a list, for a text that is short."""
    return _WORD.findall(text)


# A space between two characters of white space, or after one at the end of the text.
_INNER_SPACE = regex.compile(r"\s (?:\s|$)")


def stretches(text: str) -> Iterator[tuple[list[str], list[str]]]:
    """Text -> for each block, stretches as they are, and stretches without the space before them.

    "I'll say: hi2u" -> ["I'll"], ["say:", "hi2u"]
    "I'll   say: hi" -> ["I", "'ll", "  ", " say", ":", " hi"], []

    With their spaces, they split into the words of the text. A text has fewer stretches than words,
    and str.split finds them in a tenth of the time. So learn.count_words counts the distinct
    stretches, and splits each of them only once.
    """
    # A space begins a new word, unless white space comes before it and white space or the end after
    # it. A block with such a space is given word by word.
    for block in _blocks(text):
        if _INNER_SPACE.search(block):
            yield split_short(block), []
        else:
            first, *others = block.split(" ")
            yield [first], others
