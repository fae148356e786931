"""What every tokenizer can do: text to token ids and back.

Encoding cuts a text into words, and each word into tokens. How, depends on the kind of tokenizer:
byte_level.py is GPT-2's, wordpiece.py is BERT's. Decoding joins the bytes of the tokens and reads
them as UTF-8. A token can end inside a character, so the bytes of single ids, or of ids that a
model made up, may not be valid UTF-8. What is invalid becomes U+FFFD, the replacement character.

Source: OpenAI's encoder.py (class Encoder).
"""

import codecs
from collections.abc import Callable, Iterable, Iterator
from operator import index
from typing import NamedTuple

from ..other_names import TOKENIZER_NAMES, unknown_attribute
from .added_tokens import ENDOFTEXT as ENDOFTEXT
from .added_tokens import AddedTokens
from .merges import MergeStep


class Word(NamedTuple):
    """A word of a text, and how it becomes ids."""

    text: str
    symbols: list[str]  # what it is before the first merge
    merges: list[MergeStep]
    ids: tuple[int, ...]


class Tokenizer:
    """A vocabulary, and what turns texts into its ids and back.

    encoder: token -> id, in any order.
    added: the tokens that are cut out of every text before anything else.

    n_vocab: the ids are less than this, and in GPT-2 it is the number of tokens; unused: the ids
        that no token has; endoftext: the id of <|endoftext|>, or whatever ends a text (in a text
        it is written as a token only by encode(text, allow_endoftext=True)); bos: the id of the
        token that begins a text, in GPT-2 the same.

    The subclasses say how a text is normalized and split into words, and what a word's symbols,
    merges and ids are. Raises ValueError for an encoder without an end token, or with impossible
    ids.
    """

    def __init__(self, encoder: dict[str, int], added: AddedTokens):
        self.unused = unused_ids(encoder, added)
        self.encoder = encoder
        self.added = added
        self.n_vocab = len(encoder) + len(self.unused)
        self.endoftext, self.bos = encoder[added.eos], encoder[added.bos]
        contents = {token.content for token in added.tokens}
        self._bytes = [b""] * self.n_vocab
        for token, i in encoder.items():
            self._bytes[i] = token.encode("utf-8") if token in contents else self.bytes_of(token)
        self._words = _Words(self.word_ids)

    def normalize(self, text: str) -> str:
        """The text in the form in which it is split into words."""
        raise NotImplementedError

    def split(self, text: str) -> Iterator[str]:
        """A normalized text -> its words."""
        raise NotImplementedError

    def word_ids(self, word: str) -> tuple[int, ...]:
        """The ids of a word."""
        raise NotImplementedError

    def word_symbols(self, word: str) -> list[str]:
        """The symbols of a word before the first merge."""
        raise NotImplementedError

    def merge_steps(self, word: str) -> list[MergeStep]:
        """Every merge of a word, in order: see merges.merge_steps, and explain to print them."""
        raise NotImplementedError

    def bytes_of(self, token: str) -> bytes:
        """The bytes that a token stands for in a text."""
        raise NotImplementedError

    def __len__(self) -> int:
        return self.n_vocab

    def __getattr__(self, name: str):
        raise unknown_attribute(self, name, TOKENIZER_NAMES)

    def __call__(self, *_, **__):
        raise TypeError("a tokenizer cannot be called: tokenizer.encode(text) gives the ids")

    def encode(self, text: str, allow_endoftext: bool = False) -> list[int]:
        """Text -> ids: with GPT-2's vocabulary, "Hello, world" -> [15496, 11, 995].

        "<|endoftext|>" in a text is text like any other, unless allow_endoftext says that it
        means the token: typing it into a prompt must not be enough to end the document. Other
        added tokens are always tokens. Surrogates, which UTF-8 cannot write, are joined in pairs
        or become U+FFFD.
        """
        if not isinstance(text, str):
            raise TypeError(f"the text to encode is {text!r:.80}, expected a text")
        text = without_surrogates(text)
        ids = []
        for piece in self.added.cut(text, self.normalize, allow_endoftext):
            if isinstance(piece, str):
                for word in self.split(piece):
                    ids.extend(self._words[word])
            else:
                ids.append(piece.id)
        return ids

    def decode(self, ids: Iterable[int]) -> str:
        """Ids [n] -> text, the inverse of encode.

        Raises ValueError for an id out of range, TypeError for anything but a row of ids.
        """
        return self.decode_bytes(ids).decode("utf-8", errors="replace")

    def decode_bytes(self, ids: Iterable[int]) -> bytes:
        """Ids [n] -> the bytes of their tokens. Raises as decode does."""
        try:
            ids = [index(i) for i in ids]
        except TypeError:
            raise TypeError(f"ids are {ids!r:.80}, expected a list of whole numbers") from None
        tokens = []
        for i in ids:
            if not 0 <= i < self.n_vocab:
                raise ValueError(f"token id {i} is out of range, expected 0 to {self.n_vocab - 1}")
            tokens.append(self._bytes[i])
        return b"".join(tokens)

    def words(self, text: str) -> Iterator[Word]:
        """The words of a text one by one, and the added tokens among them."""
        for piece in self.added.cut(without_surrogates(text), self.normalize, False):
            if isinstance(piece, str):
                for word in self.split(piece):
                    steps = self.merge_steps(word)
                    yield Word(word, self.word_symbols(word), steps, self._words[word])
            else:
                yield Word(piece.content, [piece.content], [], (piece.id,))

    def explain(self, text: str) -> str:
        """How encode comes to its ids, to be printed: each word, its merges by rank, its ids.

        With GPT-2's vocabulary, print(tokenizer.explain("hid")) shows

            'hid'
                      h i d
                  56  h id          rank of the merge, and the word after it
               49419  hid
                 ids  49675
        """
        lines = []
        for word in self.words(text):
            lines += [repr(word.text), f"{'':8}  {' '.join(word.symbols)}"]
            for step in word.merges:
                lines.append(f"{step.rank:8}  {' '.join(step.symbols)}")
            lines.append(f"{'ids':>8}  {' '.join(map(str, word.ids))}")
        return "\n".join(lines)


class StreamDecoder:
    """Decodes ids as they come, for text that is shown while it is written.

    Bytes that do not make a whole character yet are held back until the ids after them come.
    What push and flush return, joined, is what decode returns for all ids together.
    """

    def __init__(self, tokenizer: Tokenizer):
        self._tokenizer = tokenizer
        self._utf8 = codecs.getincrementaldecoder("utf-8")(errors="replace")

    def push(self, id: int) -> str:
        """The text that is complete now. Raises ValueError for an id out of range."""
        return self._utf8.decode(self._tokenizer.decode_bytes([id]))

    def flush(self) -> str:
        """The rest, after the last id: "" or U+FFFD for a character that was cut."""
        return self._utf8.decode(b"", final=True)


class _Words(dict):
    """word -> ids, computed when a word is first asked for: most words of a text are repeated.

    The table is limited: long words are not kept, and when it is full it is emptied.
    """

    MAX_WORDS = 1 << 16
    MAX_LETTERS = 32

    def __init__(self, word_ids: Callable[[str], tuple[int, ...]]):
        self._word_ids = word_ids

    def __missing__(self, word: str) -> tuple[int, ...]:
        ids = self._word_ids(word)
        if len(word) <= self.MAX_LETTERS:
            if len(self) >= self.MAX_WORDS:
                self.clear()
            self[word] = ids
        return ids


def without_surrogates(text: str) -> str:
    """The text as UTF-16 can write it: pairs of surrogates joined, lone ones U+FFFD."""
    try:
        text.encode("utf-8")
        return text
    except UnicodeEncodeError:
        return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")


def unused_ids(encoder: dict[str, int], added: AddedTokens) -> tuple[int, ...]:
    """The ids below the largest that no token has.

    Raises ValueError unless each token has an id of its own, eos and bos have ids, and fewer ids
    are unused than used.
    """
    for token in (added.eos, added.bos):
        if token not in encoder:
            raise ValueError(f"the token {token!r:.80} has no id")
    n, are_numbers = len(encoder), all(type(i) is int for i in encoder.values())
    ids = {*encoder.values()} if are_numbers else set()
    if len(ids) < n or min(ids) < 0 or max(ids) >= 2 * n:
        raise ValueError(f"the ids of the tokens are not numbers from 0 to {n - 1}, each once")
    return tuple(sorted({*range(max(ids))} - ids))
