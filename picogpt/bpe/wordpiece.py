"""WordPiece, BERT's tokenizer, which the Chinese GPT-2s use.

A text is cleaned and cut at white space and punctuation, and every Chinese character is a word of
its own. From each word the longest token that it begins with is taken, then the longest one that
the rest begins with, and so on; a token inside a word is written with "##" before it: "hugging" ->
hug
##ging. If this fails, the whole word is [UNK].

Source: Devlin et al. 2018; google-research/bert tokenization.py, and BertNormalizer,
BertPreTokenizer and WordPiece in https://github.com/huggingface/tokenizers.
"""

import unicodedata
from collections.abc import Iterator
from typing import NamedTuple

import regex

from .added_tokens import AddedTokens
from .merges import MergeStep
from .tokenizer import Tokenizer

# What BERT takes for Chinese: the blocks of ideographs, without Japanese kana and Korean letters.
_CHINESE = regex.compile(
    "[\u4e00-\u9fff\u3400-\u4dbf\U00020000-\U0002a6df\U0002a700-\U0002b73f"
    "\U0002b740-\U0002b81f\U0002b920-\U0002ceaf\uf900-\ufaff\U0002f800-\U0002fa1f]"
)
_CONTROL = regex.compile(r"(?![\t\n\r])[\p{Cc}\p{Cf}\p{Co}\ufffd]")
_SPACE = regex.compile(r"\p{White_Space}")
_PUNCTUATION = (
    r"!-/:-@\[-`{-~\p{P}"  # all that is no letter and no digit in ASCII counts, such as $
)
_WORD = regex.compile(rf"[{_PUNCTUATION}]|[^\p{{White_Space}}{_PUNCTUATION}]+")
_BEFORE_NO_SPACE = regex.compile(r"[^\w\s]")


class Cleaning(NamedTuple):
    """What is done to a text first, under the names of tokenizer.json."""

    clean_text: bool = True  # remove control characters; white space becomes spaces
    handle_chinese_chars: bool = True  # put spaces around each
    strip_accents: bool | None = None  # é becomes e; None: if lowercase
    lowercase: bool = True


class WordPiece(Tokenizer):
    """See Tokenizer for what it does.

    encoder: token -> id; unk: the token for words that cannot be made of the others; prefix: what
    tokens inside a word begin with; longest: a word of more characters is unk.

    Encoding loses white space. Decoding writes a space before every word, except before Chinese
    characters and punctuation.
    Raises ValueError if unk has no id.
    """

    def __init__(
        self,
        encoder: dict[str, int],
        added: AddedTokens,
        cleaning: Cleaning,
        unk: str = "[UNK]",
        prefix: str = "##",
        longest: int = 100,
    ):
        if unk not in encoder:
            raise ValueError(f"the token {unk!r:.80} has no id")
        self.cleaning, self.unk, self.prefix, self.longest = cleaning, unk, prefix, longest
        super().__init__(encoder, added)

    def normalize(self, text: str) -> str:
        cleaning = self.cleaning
        if cleaning.clean_text:
            text = _SPACE.sub(" ", _CONTROL.sub("", text))
        if cleaning.handle_chinese_chars:
            text = _CHINESE.sub(r" \g<0> ", text)
        if cleaning.lowercase if cleaning.strip_accents is None else cleaning.strip_accents:
            text = regex.sub(r"\p{Mn}", "", unicodedata.normalize("NFD", text))
        if cleaning.lowercase:
            text = "".join(map(str.lower, text))  # one by one: a Σ that ends a word is a plain σ
        return text

    def split(self, text: str) -> Iterator[str]:
        return (match[0] for match in _WORD.finditer(text))

    def word_symbols(self, word: str) -> list[str]:
        tokens, start = [], 0
        while start < len(word) <= self.longest:
            before = self.prefix if start else ""
            ends = range(len(word), start, -1)
            end = next((e for e in ends if before + word[start:e] in self.encoder), None)
            if end is None:
                return [self.unk]
            tokens.append(before + word[start:end])
            start = end
        return tokens or [self.unk]

    def word_ids(self, word: str) -> tuple[int, ...]:
        return tuple(self.encoder[token] for token in self.word_symbols(word))

    def merge_steps(self, word: str) -> list[MergeStep]:
        return []  # there are no merges

    def bytes_of(self, token: str) -> bytes:
        inside = self.prefix and token.startswith(self.prefix) and token != self.prefix
        if inside:
            token = token.removeprefix(self.prefix)
        elif not (_CHINESE.match(token) or _BEFORE_NO_SPACE.match(token)):
            token = f" {token}"
        return token.encode("utf-8")
