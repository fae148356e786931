"""Assignment 1, its references: byte-level BPE as functions on texts, lists and dicts.

The library's tokenizer is a class, quick on long texts; these are its plain functions.
"""

from itertools import islice

from ...bpe.learn import learn_merges_plainly
from ...bpe.merges import merge
from ...bpe.pretokenize import split, to_bytes, to_symbols


def merge_word(symbols: list[str], ranks: dict[tuple[str, str], int]) -> list[str]:
    """A word's symbols after all merges that can be made.

    ranks: pair of symbols -> its place in the list of merges. As long as any two neighbours have a
    rank, the pair with the lowest one is joined to one symbol; the leftmost, if it stands in
    several places. With ranks {("e", "r"): 0, ("l", "o"): 1, ("lo", "w"): 2}
    ["l", "o", "w", "e", "r"] becomes ["low", "er"].

    Source: Sennrich et al. 2016, section 3.2; OpenAI's encoder.py, bpe.
    """
    return merge(symbols, ranks)


def encode(text: str, encoder: dict[str, int], ranks: dict[tuple[str, str], int]) -> list[int]:
    """Text -> ids: split into words, and each word's symbols merged and looked up.

    encoder: token -> id; ranks: see merge_word.

    Source: OpenAI's encoder.py, encode.
    """
    return [encoder[token] for word in split(text) for token in merge_word(to_symbols(word), ranks)]


def decode(ids: list[int], encoder: dict[str, int]) -> str:
    """Ids -> text, the inverse of encode.

    What is no UTF-8 becomes U+FFFD, the replacement character: a model can write any ids.
    Raises ValueError for an id that is not in encoder (token -> id).

    Source: OpenAI's encoder.py, decode.
    """
    tokens = {i: token for token, i in encoder.items()}
    if strange := [i for i in ids if i not in tokens]:
        raise ValueError(f"id {strange[0]} is not in the vocabulary")
    return to_bytes("".join(tokens[i] for i in ids)).decode("utf-8", errors="replace")


def learn(words: dict[str, int], n_merges: int) -> list[tuple[str, str]]:
    """The first n_merges merges learned from words, or fewer, if no pair is left.

    words: word, in symbols -> how often it occurs. Each merge joins the pair of neighbouring
    symbols that is most frequent in all words, after the merges before it. Of equally frequent
    pairs the one with the older left symbol goes first, then the one with the older right symbol:
    the symbols of sorted(byte_alphabet()) are the oldest, in this order, and then come the results
    of the merges.

    Source: Sennrich et al. 2016, algorithm 1.
    """
    return list(islice(learn_merges_plainly(words), n_merges))
