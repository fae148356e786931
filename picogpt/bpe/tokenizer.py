"""The tokenizer: text to token ids and back.

Encoding cuts a text into words (pretokenize.py), merges each word's symbols (merges.py) and looks
the results up in the vocabulary. Decoding writes the bytes of the tokens one after the other and
reads them as UTF-8. A token can end inside a character, so that ids one by one, or ids that a
model made up, may be no valid UTF-8: what is wrong becomes U+FFFD, the replacement character.

Source: OpenAI's encoder.py (class Encoder).
"""

import codecs
from collections.abc import Iterable
from operator import index

from ..other_names import unknown_attribute
from .merges import MergeStep, merge, merge_steps
from .pretokenize import ALPHABET, split, to_bytes, to_symbols

ENDOFTEXT = "<|endoftext|>"


class Tokenizer:
    """A vocabulary at work.

    encoder: token -> id: one token for each symbol of pretokenize.ALPHABET, one for the result of
        each merge, and <|endoftext|>. The ids are 0 to n_vocab - 1, in whatever order.
    merges: pairs of symbols in the order in which they were learned.

    n_vocab: number of tokens; endoftext: the id of <|endoftext|>, which stands between documents
        (in a text it is written as a token only by encode(text, allow_endoftext=True)).

    Raises ValueError if encoder and merges do not belong together in this way.
    """

    def __init__(self, encoder: dict[str, int], merges: list[tuple[str, str]]):
        self.encoder = encoder
        self.ranks = _ranks(merges)
        _check_encoder(encoder, self.ranks)
        self.n_vocab = len(encoder)
        self.endoftext = encoder[ENDOFTEXT]
        self._bytes = [to_bytes(token) for token in sorted(encoder, key=encoder.__getitem__)]
        self._words = _Words(self)

    def __len__(self) -> int:
        return self.n_vocab

    def __getattr__(self, name: str):
        raise unknown_attribute(self, name, OTHER_NAMES)

    def __call__(self, *_, **__):
        raise TypeError("a tokenizer is not called: tokenizer.encode(text) gives the ids")

    def encode(self, text: str, allow_endoftext: bool = False) -> list[int]:
        """Text -> ids: with GPT-2's vocabulary, "Hello, world" -> [15496, 11, 995].

        "<|endoftext|>" in a text is text like any other, unless allow_endoftext says that it
        means the token: typing it into a prompt must not be enough to end the document.
        Surrogates, which UTF-8 cannot write, are joined to pairs or become U+FFFD.
        """
        if not isinstance(text, str):
            raise TypeError(f"the text to encode is {text!r:.80}, expected a text")
        text = _without_surrogates(text)
        ids = []
        for i, document in enumerate(text.split(ENDOFTEXT) if allow_endoftext else [text]):
            if i:
                ids.append(self.endoftext)
            for word in split(document):
                ids.extend(self._words[word])
        return ids

    def decode(self, ids: Iterable[int]) -> str:
        """Ids [n] -> text, the inverse of encode.

        Raises ValueError for an id out of range, TypeError for what is not a row of ids.
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

    def merge_steps(self, word: str) -> list[MergeStep]:
        """Every merge of one word, in order: see merges.merge_steps, and explain to print them."""
        return list(merge_steps(to_symbols(_without_surrogates(word)), self.ranks))

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
        for word in split(_without_surrogates(text)):
            lines += [repr(word), f"{'':8}  {' '.join(to_symbols(word))}"]
            for step in self.merge_steps(word):
                lines.append(f"{step.rank:8}  {' '.join(step.symbols)}")
            lines.append(f"{'ids':>8}  {' '.join(map(str, self._words[word]))}")
        return "\n".join(lines)


# What other libraries call it.
OTHER_NAMES = {
    **dict.fromkeys(
        ("eos_token_id", "eot_token", "bos_token_id", "eos_token"),
        "tokenizer.endoftext, the id of <|endoftext|>",
    ),
    **dict.fromkeys(("vocab_size", "get_vocab_size"), "tokenizer.n_vocab"),
    **dict.fromkeys(("vocab", "get_vocab"), "tokenizer.encoder, token -> id"),
    **dict.fromkeys(("tokenize", "encode_ordinary", "encode_batch"), "tokenizer.encode(text)"),
    "batch_decode": "tokenizer.decode(ids), for each row",
    **dict.fromkeys(("from_pretrained", "from_file"), "picogpt.load(name_or_folder).tokenizer"),
}


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
    """word -> ids, worked out when a word is first asked for: most words of a text are repeated.

    Bounded in memory: long words are not kept, and a full table is emptied and filled anew.
    """

    MAX_WORDS = 1 << 16
    MAX_LETTERS = 32

    def __init__(self, tokenizer: Tokenizer):
        self._encoder, self._ranks = tokenizer.encoder, tokenizer.ranks

    def __missing__(self, word: str) -> tuple[int, ...]:
        ids = tuple(self._encoder[token] for token in merge(to_symbols(word), self._ranks))
        if len(word) <= self.MAX_LETTERS:
            if len(self) >= self.MAX_WORDS:
                self.clear()
            self[word] = ids
        return ids


def _without_surrogates(text: str) -> str:
    """The text as UTF-16 can write it: pairs of surrogates joined, lone ones U+FFFD."""
    try:
        text.encode("utf-8")
        return text
    except UnicodeEncodeError:
        return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")


def _ranks(merges: list[tuple[str, str]]) -> dict[tuple[str, str], int]:
    """Pair -> its place in the list. Raises ValueError for a list that nobody can have learned."""
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


def _check_encoder(encoder: dict[str, int], ranks: dict[tuple[str, str], int]) -> None:
    """Raise ValueError unless the merges make the encoder's tokens and the ids have no gaps."""
    tokens = {*ALPHABET, *map("".join, ranks), ENDOFTEXT}
    if missing := sorted(tokens - encoder.keys()):
        raise ValueError(f"{len(missing)} tokens have no id, such as {missing[0]!r:.80}")
    if strange := sorted(encoder.keys() - tokens):
        raise ValueError(f"no merge makes {len(strange)} tokens, such as {strange[0]!r:.80}")
    ids = list(encoder.values())
    if any(type(i) is not int for i in ids) or sorted(ids) != list(range(len(ids))):
        raise ValueError(f"the ids of the tokens are not 0 to {len(ids) - 1}, each once")
