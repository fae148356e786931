"""Assignment 1, text to ids and back, and what is often written instead."""

from ...bpe.learn import FIRST_SYMBOLS
from ...bpe.pretokenize import ALPHABET, split, to_bytes, to_symbols
from ..assignment import question
from .a1_1_tokens import random_text, vocabulary
from .a1_reference import decode, encode, merge_word


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


def by_rank(rng):
    """(encoder, ranks) of merges in which the shorter ones come first; the ids are in no order.

    The last three tell where words end: no letter is merged with a digit. The id of "a" is 0.
    """
    merges = [
        ("b", "c"),
        ("a", "b"),
        ("ab", "b"),
        ("bc", "a"),
        ("a", "bc"),
        ("Ġ", "a"),
        ("Ġa", "a"),
        ("'", "l"),
        ("Ċ", "Ċ"),
        ("a", "1"),
    ]
    tokens = [*FIRST_SYMBOLS, *map("".join, merges), "aab", "bcbc", "cab"]  # some are never made
    ids = rng.permutation(len(tokens)).tolist()
    first = tokens.index("a")
    ids[ids.index(0)], ids[first] = ids[first], 0
    return dict(zip(tokens, ids, strict=True)), {pair: i for i, pair in enumerate(merges)}


@question(encode, 3, (not_split, spaces_lost, not_merged, list_of_lists))
def encode_values(ask, rng):
    """Text to ids"""
    encoder, ranks = vocabulary(rng)
    ranks |= {(a, b): 100 + i for i, (a, b) in enumerate([("a", "Ġ"), ("b", "Ġ"), ("c", "Ġ")])}
    encoder |= {"aĠ": 1000, "bĠ": 1001, "cĠ": 1002}  # no word has these
    for text in ("a a b  c " + random_text(rng), random_text(rng) + "é"):
        ask(encode, text, encoder, ranks)
    # Words in which a longer token is not the one that merging by rank arrives at
    for text in ("abbc aab", "bcbca abca", "", " ", "😀\n\n a's 12\t", "\0\x7f\xad ÿ"):
        ask(encode, text, *by_rank(rng))
    for text in ("aab cab", "I'll a1 Abba", "a\n\n\nb\r\n"):
        ask(encode, text, *by_rank(rng))


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


def texts(parts, encoder):
    return [decode(ids, encoder) for ids in parts]


@question(decode, 3, DECODE_MISTAKES)
def decode_values(ask, rng):
    """Ids to text"""
    encoder, ranks = vocabulary(rng)
    ids = encode(random_text(rng) + "é€", encoder, ranks)
    first, second = encoder["Ã"], encoder["©"]  # the two bytes of é
    ask(decode, [*ids, first, second], encoder)
    ask(decode, [*ids, first], encoder)
    # Nothing; four bytes for a character, or too few; several wrong bytes, alone and side by side
    whole = encode("a😀b\0", encoder, ranks)
    byte = {i: encoder[symbol] for i, symbol in enumerate(ALPHABET)}
    broken = [whole[0], *whole[2:], *whole[1:3], whole[0], byte[0xFF], byte[0xFE], byte[0xC3]]
    for some in (whole, broken, [byte[0x80]] * 3, [byte[0xE2], byte[0x82], byte[0x61]]):
        ask(decode, some, encoder)
    # A space, the line ends of two systems, a byte order mark, half of a surrogate pair
    for some in (b" a\r\n", b"\xef\xbb\xbfa ", b"\xed\xa0\x80"):
        ask(decode, [byte[b] for b in some], encoder)
    ask(texts, [ids[:2], []], encoder)


def id_not_checked(ids, encoder):
    """An id that no token has is a ValueError; a dict raises a KeyError."""
    tokens = {i: token for token, i in encoder.items()}
    return to_bytes("".join(tokens[i] for i in ids)).decode("utf-8", errors="replace")


def counted_from_the_end(ids, encoder):
    """A list takes the id -1 from its end, and a vocabulary may have gaps: look the id up in a dict."""
    tokens = sorted(encoder, key=encoder.get)
    if max(ids, default=0) >= len(tokens):
        raise ValueError("no such token")
    return to_bytes("".join(tokens[i] for i in ids)).decode("utf-8", errors="replace")


@question(decode, 1, (id_not_checked, counted_from_the_end))
def decode_refuses(ask, rng):
    """An id that no token has is a ValueError"""
    encoder, _ = vocabulary(rng)
    readable = [encoder[letter] for letter in "abc"]
    ask.accepts(decode, readable, encoder)
    for wrong in (-1, len(encoder), -len(encoder), 1 << 40):
        for place in range(4):
            ids = [*readable]
            ids.insert(place, wrong)
            ask.refuses(decode, ids, encoder)
    # Numbers between the ids that no token has
    sparse = {token: 3 * i for token, i in encoder.items()}
    ask.accepts(decode, [sparse["b"], sparse["a"]], sparse)
    ask.refuses(decode, [sparse["b"], sparse["a"] + 1], sparse)
