"""Assignment 1, text to ids and back, and what is often written instead."""

from collections import Counter
from itertools import pairwise

from ...bpe.learn import FIRST_SYMBOLS
from ...bpe.pretokenize import ALPHABET, byte_alphabet, split, to_bytes, to_symbols
from ..assignment import question
from .a1_reference import decode, encode, learn, merge_word

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


@question(to_symbols, 1, (not_translated, characters_instead_of_bytes, utf_16))
def symbols_values(ask, rng):
    """A symbol for each byte of a word"""
    for word in (" " + random_word(rng) + "é", random_word(rng) + "\n€"):
        ask(to_symbols, word)


def encoded_symbols(symbols):
    """Each symbol stands for one byte: look up which, instead of encoding the symbol itself."""
    return symbols.encode("utf-8")


def decoded(symbols):
    """What is wanted are the bytes, and not yet the text."""
    return to_bytes(symbols).decode("utf-8", errors="replace")


@question(to_bytes, 1, (encoded_symbols, decoded))
def bytes_values(ask, rng):
    """The inverse of to_symbols"""
    ask(to_bytes, to_symbols(" " + random_word(rng) + "é€"))
    ask(to_bytes, "".join(rng.permutation([*ALPHABET])))


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
    ask(merge_word, ["c"], random_ranks(rng, 6))


def not_split(text, encoder, ranks):
    """No merge may cross the border of a word: split the text first."""
    return [encoder[token] for token in merge_word(to_symbols(text), ranks)]


def spaces_lost(text, encoder, ranks):
    """The spaces belong to the words: split as given keeps them, str.split does not."""
    words = text.split()
    return [encoder[token] for word in words for token in merge_word(to_symbols(word), ranks)]


def not_merged(text, encoder, ranks):
    """The symbols of each word are to be merged."""
    return [encoder[symbol] for word in split(text) for symbol in to_symbols(word)]


def list_of_lists(text, encoder, ranks):
    """What is wanted is one list of ids, and not one for each word."""
    return [[encoder[x] for x in merge_word(to_symbols(word), ranks)] for word in split(text)]


@question(encode, 3, (not_split, spaces_lost, not_merged, list_of_lists))
def encode_values(ask, rng):
    """Text to ids"""
    encoder, ranks = vocabulary(rng)
    ranks |= {(a, b): 100 + i for i, (a, b) in enumerate([("a", "Ġ"), ("b", "Ġ"), ("c", "Ġ")])}
    encoder |= {"aĠ": 1000, "bĠ": 1001, "cĠ": 1002}  # no word has these
    for text in ("a a b  c " + random_text(rng), random_text(rng) + "é"):
        ask(encode, text, encoder, ranks)


def token_by_token(ids, encoder):
    """A character's bytes can stand in two tokens: join the bytes of all before you decode them."""
    return "".join(decode([i], encoder) for i in ids)


def symbols_left(ids, encoder):
    """The tokens are written in symbols, which have to become bytes, and these text."""
    tokens = {i: token for token, i in encoder.items()}
    if strange := [i for i in ids if i not in tokens]:
        raise ValueError(f"no token {strange[0]}")
    return "".join(tokens[i] for i in ids)


def joined_by_spaces(ids, encoder):
    """Nothing stands between the tokens: they bring their spaces with them."""
    return " ".join(decode([i], encoder) for i in ids)


def broken_bytes_left_out(ids, encoder):
    """What is no UTF-8 becomes U+FFFD (errors="replace"), and is not left out."""
    decode(ids, encoder)
    tokens = {i: token for token, i in encoder.items()}
    return to_bytes("".join(tokens[i] for i in ids)).decode("utf-8", errors="ignore")


def broken_bytes_refused(ids, encoder):
    """Ids that make no UTF-8 are no error: what is wrong becomes U+FFFD (errors="replace")."""
    decode(ids, encoder)
    tokens = {i: token for token, i in encoder.items()}
    return to_bytes("".join(tokens[i] for i in ids)).decode("utf-8")


DECODE_MISTAKES = (
    *(token_by_token, symbols_left, joined_by_spaces),
    *(broken_bytes_left_out, broken_bytes_refused),
)


@question(decode, 3, DECODE_MISTAKES)
def decode_values(ask, rng):
    """Ids to text"""
    encoder, ranks = vocabulary(rng)
    ids = encode(random_text(rng) + "é€", encoder, ranks)
    first, second = encoder["Ã"], encoder["©"]  # the two bytes of é
    ask(decode, [*ids, first, second], encoder)
    ask(decode, [*ids, first], encoder)


def id_not_checked(ids, encoder):
    """An id that no token has is a ValueError; a dict raises a KeyError."""
    tokens = {i: token for token, i in encoder.items()}
    return to_bytes("".join(tokens[i] for i in ids)).decode("utf-8", errors="replace")


def counted_from_the_end(ids, encoder):
    """A list takes the id -1 from its end: look at the smallest and the largest id first."""
    tokens = sorted(encoder, key=encoder.get)
    if max(ids) >= len(tokens):
        raise ValueError("no such token")
    return to_bytes("".join(tokens[i] for i in ids)).decode("utf-8", errors="replace")


@question(decode, 1, (id_not_checked, counted_from_the_end))
def decode_refuses(ask, rng):
    """An id that no token has is a ValueError"""
    encoder, _ = vocabulary(rng)
    for wrong in (-1, len(encoder)):
        ids = rng.integers(len(encoder), size=4).tolist()
        ids[rng.integers(4)] = wrong
        ask.refuses(decode, ids, encoder)
