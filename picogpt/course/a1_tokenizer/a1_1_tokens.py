"""Assignment 1, bytes as symbols and their merges, and what is often written instead."""

from collections import Counter
from itertools import pairwise

from ...bpe.learn import FIRST_SYMBOLS
from ...bpe.pretokenize import ALPHABET, byte_alphabet, split, to_bytes, to_symbols
from ..assignment import question
from .a1_reference import learn, merge_word

LETTERS = "aaabbcdé€"  # few, so that pairs are found again; the last two take two and three bytes


def random_word(rng, longest=8):
    return "".join(rng.choice([*LETTERS], size=rng.integers(2, longest + 1)))


def random_text(rng, n_words=12):
    """Words that are repeated, with numbers, punctuation and more than one space."""
    words = [random_word(rng, 6) for _ in range(n_words // 2)]
    ends = [*(" " * 4), "  ", ", ", "!", f" {rng.integers(1000)} ", "\n"]
    return "".join(str(rng.choice(words)) + str(rng.choice(ends)) for _ in range(n_words))


def count_words(text):
    """Word, in symbols -> how often it occurs."""
    return dict(Counter(map(to_symbols, split(text))))


def vocabulary(rng, n_merges=15):
    """(encoder, ranks) of merges learned from a random text; the ids are in no order."""
    merges = learn(count_words(random_text(rng, 40)), n_merges)
    tokens = [*FIRST_SYMBOLS, *map("".join, merges)]
    ids = rng.permutation(len(tokens)).tolist()
    return dict(zip(tokens, ids, strict=True)), {pair: i for i, pair in enumerate(merges)}


def latin_1():
    """Control characters, spaces and the soft hyphen are not printable: they take others."""
    return "".join(map(chr, range(256)))


def space_printable():
    """The space (0x20) is none of the printable bytes."""
    return shifted({*range(0x20, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)})


def soft_hyphen_printable():
    """The soft hyphen (0xAD) is none of the printable bytes."""
    return shifted({*range(0x21, 0x7F), *range(0xA1, 0x100)})


def delete_printable():
    """0x7F, a control character, is none of the printable bytes."""
    return shifted({*range(0x21, 0x80), *range(0xA1, 0xAD), *range(0xAE, 0x100)})


def shifted(printable):
    """An alphabet in which other bytes are taken for printable."""
    others = iter(range(0x100, 0x200))
    return "".join(chr(byte if byte in printable else next(others)) for byte in range(256))


def numbered_by_byte():
    """The others take U+0100, U+0101, ... one after the other, and not U+0100 + byte."""
    return "".join(c if ord(c) < 256 else chr(256 + i) for i, c in enumerate(ALPHABET))


def characters_of(numbers):
    return [byte_alphabet()[i] for i in numbers]


ALPHABET_MISTAKES = (
    *(latin_1, space_printable, soft_hyphen_printable, delete_printable, numbered_by_byte),
)


@question(byte_alphabet, 2, ALPHABET_MISTAKES)
def alphabet_values(ask, rng):
    """A printable character for each of 256 bytes"""
    ask(characters_of, rng.permutation(256).tolist())


def not_translated(word):
    """The bytes are to be written as characters of byte_alphabet."""
    return word.encode("utf-8").decode("latin-1")


def characters_instead_of_bytes(word):
    """A character can have several bytes in UTF-8, and each of them becomes a symbol."""
    return "".join(ALPHABET[ord(c) % 256] for c in word)


def utf_16(word):
    """The bytes are those of UTF-8."""
    return "".join(ALPHABET[byte] for byte in word.encode("utf-16-le"))


def symbols_of_each(words):
    return [to_symbols(word) for word in words]


@question(to_symbols, 1, (not_translated, characters_instead_of_bytes, utf_16))
def symbols_values(ask, rng):
    """A symbol for each byte of a word"""
    for word in (" " + random_word(rng) + "é", random_word(rng) + "\n€"):
        ask(to_symbols, word)
    ask(symbols_of_each, [random_word(rng), "", " ", "\0\n\x7f\xa0\xad", "😀𐍈", "ÿĀ"])
    ask(symbols_of_each, ["e\u0301", "\r\n", "A\0", "\ufeff"])  # nothing is normalized or stripped


def encoded_symbols(symbols):
    """Each symbol stands for one byte: look up which, instead of encoding the symbol itself."""
    return symbols.encode("utf-8")


def decoded(symbols):
    """What is wanted are the bytes, and not yet the text."""
    return to_bytes(symbols).decode("utf-8", errors="replace")


def bytes_of_each(words):
    return [to_bytes(symbols) for symbols in words]


@question(to_bytes, 1, (encoded_symbols, decoded))
def bytes_values(ask, rng):
    """The inverse of to_symbols"""
    ask(to_bytes, to_symbols(" " + random_word(rng) + "é€"))
    ask(to_bytes, "".join(rng.permutation([*ALPHABET])))
    ask(bytes_of_each, [to_symbols(random_word(rng)), "", "Ā", to_symbols("😀\n")])


def leftmost_first(symbols, ranks):
    """You join the leftmost pair that has a rank, and not the one with the lowest rank."""
    return joined(symbols, lambda pairs: min(pairs, key=lambda pair: pair[1]), ranks)


def highest_rank_first(symbols, ranks):
    """The pair with the lowest rank goes first, and not the one with the highest."""
    return joined(symbols, lambda pairs: min(pairs, key=lambda x: (-x[0], x[1])), ranks)


def rightmost_first(symbols, ranks):
    """Where a pair stands in several places, the leftmost is joined first: a a a is aa a."""
    return joined(symbols, lambda pairs: min(pairs, key=lambda x: (x[0], -x[1])), ranks)


def only_one_merge(symbols, ranks):
    """Merge again and again, as long as any two neighbours have a rank."""
    return joined(symbols, min, ranks, most=1)


def joined(symbols, choose, ranks, most=1000):
    """merge_word with another choice among the pairs (rank, place), or with fewer merges."""
    symbols = [*symbols]
    for _ in range(most):
        pairs = [(ranks[x], i) for i, x in enumerate(pairwise(symbols)) if x in ranks]
        if not pairs:
            break
        _, i = choose(pairs)
        symbols[i : i + 2] = ["".join(symbols[i : i + 2])]
    return symbols


MERGE_MISTAKES = (leftmost_first, highest_rank_first, rightmost_first, only_one_merge)


def random_ranks(rng, n_merges):
    """Merges that may have been learned: each joins letters, or results of earlier merges."""
    symbols, pairs = ["a", "b"], []
    while len(pairs) < n_merges:
        left, right = map(str, rng.choice(symbols, 2))
        if left + right not in symbols:
            symbols.append(left + right)
            pairs.append((left, right))
    return {pair: rank for rank, pair in enumerate(pairs)}


@question(merge_word, 4, MERGE_MISTAKES)
def merge_values(ask, rng):
    """The lowest rank first, until no pair has one"""
    for _ in range(20):
        ask(merge_word, rng.choice(["a", "b"], 9).tolist(), random_ranks(rng, 6))
    # Nothing to merge, nothing at all; one symbol many times; a longer token of a higher rank
    for symbols in (["c"], [], ["a"] * 7, ["b", "a"], ["c", "c"]):
        ask(merge_word, symbols, random_ranks(rng, 6))
    late = {("b", "c"): 0, ("a", "b"): 1, ("ab", "c"): 2, ("bc", "d"): 3, ("x", "y"): 4}
    shift = int(rng.integers(100_000, 1_000_000))
    ask(merge_word, [*"abcabbcd"], {pair: rank + shift for pair, rank in late.items()})
    # Until the whole word is one symbol; no ranks; in the dict in no order; others for the same word
    ask(merge_word, ["a", "b"], {("a", "b"): 0})
    ask(merge_word, [*"abc"], {("a", "b"): 0, ("ab", "c"): 1})
    ask(merge_word, [*"abc"], {})
    ask(merge_word, [*"abc"], {("b", "c"): 1, ("a", "b"): 0})
    ask(merge_word, [*"abc"], {("ab", "c"): 0, ("a", "b"): 1})
    ask(merge_word, [*"abc"], {("b", "c"): 0, ("a", "b"): 1})
