"""Byte-level byte-pair encoding, GPT-2's tokenizer.

A text is cut into words (pretokenize.py), each word's symbols are merged (merges.py), and the
results are looked up in the vocabulary.
"""

import unicodedata
from collections.abc import Iterator
from functools import partial
from re import fullmatch

from .added_tokens import ENDOFTEXT, AddedToken, AddedTokens
from .merges import MergeStep, merge, merge_steps
from .pattern import compile_pattern, split_by
from .pretokenize import ALPHABET, split, to_bytes, to_symbols
from .tokenizer import Tokenizer, without_surrogates

SPECIAL = r"<.*>|\[.*\]"  # what tokens that no merge makes look like


class ByteLevelBPE(Tokenizer):
    """See Tokenizer for what it does.

    encoder: token -> id: one token for each symbol of pretokenize.ALPHABET, one for the result of
        each merge, and the added ones.
    merges: pairs of symbols in the order in which they were learned.
    added: None means <|endoftext|> alone.
    form: the normal form of Unicode into which texts are brought, such as "NFC"; "" for none.
    add_prefix_space: a text that does not begin with a space gets one.
    pattern: what cuts a text into words (pattern.py); "" is GPT-2's (pretokenize.py).

    Raises ValueError if encoder and merges do not fit each other, or for a pattern that cannot be
    read.
    """

    def __init__(
        self,
        encoder: dict[str, int],
        merges: list[tuple[str, str]],
        added: AddedTokens | None = None,
        form: str = "",
        add_prefix_space: bool = False,
        pattern: str = "",
    ):
        added = added or AddedTokens([AddedToken(ENDOFTEXT, encoder.get(ENDOFTEXT, -1))])
        self.form, self.add_prefix_space, self.pattern = form, add_prefix_space, pattern
        self._split = partial(split_by, compile_pattern(pattern)) if pattern else split
        self.ranks = _ranks(merges)
        _check_tokens(encoder, self.ranks, added)
        super().__init__(encoder, added)

    def normalize(self, text: str) -> str:
        return unicodedata.normalize(self.form, text) if self.form else text

    def split(self, text: str) -> Iterator[str]:
        begins_bare = self.add_prefix_space and not text.startswith(" ")
        return self._split(f" {text}" if begins_bare else text)

    def word_ids(self, word: str) -> tuple[int, ...]:
        return tuple(self.encoder[token] for token in merge(to_symbols(word), self.ranks))

    def word_symbols(self, word: str) -> list[str]:
        return [*to_symbols(word)]

    def merge_steps(self, word: str) -> list[MergeStep]:
        return list(merge_steps(to_symbols(without_surrogates(word)), self.ranks))

    def bytes_of(self, token: str) -> bytes:
        try:
            return to_bytes(token)
        except KeyError:  # the name of a special token
            return token.encode("utf-8")


def _ranks(merges: list[tuple[str, str]]) -> dict[tuple[str, str], int]:
    """Pair -> its place in the list. Raises ValueError for a list that cannot have been learned."""
    ranks: dict[tuple[str, str], int] = {}
    symbols = {*ALPHABET}
    for rank, pair in enumerate(merges):
        if not symbols.issuperset(pair):
            raise ValueError(
                f"merge {rank} joins {pair!r:.80}, expected symbols of bytes or of earlier merges"
            )
        if pair in ranks:
            raise ValueError(f"merge {rank} joins {pair!r:.80}, as merge {ranks[pair]} does")
        ranks[pair] = rank
        symbols.add("".join(pair))
    return ranks


def _check_tokens(encoder: dict[str, int], ranks: dict, added: AddedTokens) -> None:
    """Raise ValueError unless the merges make the encoder's tokens, but for the added ones.

    So a list of merges that was cut short is noticed. Names in brackets are made by no merge.
    """
    tokens = {*ALPHABET, *map("".join, ranks), added.eos}
    if missing := sorted(tokens - encoder.keys()):
        raise ValueError(f"{len(missing)} tokens have no id, such as {missing[0]!r:.80}")
    tokens.update(token.content for token in added.tokens)
    strange = sorted(t for t in encoder.keys() - tokens if not fullmatch(SPECIAL, t))
    if strange:
        raise ValueError(f"{len(strange)} tokens are made by no merge, such as {strange[0]!r:.80}")
