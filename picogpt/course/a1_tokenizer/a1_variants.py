"""Variants of assignment 1: WordPiece's ways to learn and to encode."""

import math
from collections import Counter
from fractions import Fraction
from itertools import pairwise

from ...bpe.learn import FIRST_SYMBOLS
from ...bpe.merges import merge
from ...bpe.pretokenize import byte_alphabet, split, to_bytes, to_symbols
from ..assignment import question, together
from .a1_1_tokens import count_words, random_text, random_word, vocabulary
from .a1_assignment import A1
from .a1_reference import decode, encode, learn, merge_word


def learn_by_score(words: dict[str, int], n_merges: int) -> list[tuple[str, str]]:
    """The first n_merges merges learned from words, or fewer, if no pair is left.

    words: word, in symbols -> how often it occurs. Each merge joins the pair of neighbouring
    symbols with the highest score in all words, after the merges before it:

        (count of the pair) / (count of the left symbol * count of the right symbol)

    Of pairs with equal scores the one with the older left symbol goes first, then the one with the
    older right symbol: the symbols of sorted(byte_alphabet()) are the oldest, in this order, and
    then come the results of the merges.

    Source: Schuster & Nakajima 2012, section 3 (WordPiece), as it is understood today.
    """
    ages = {symbol: age for age, symbol in enumerate(FIRST_SYMBOLS)}
    ranks: dict[tuple[str, str], int] = {}
    while len(ranks) < n_merges:
        symbols, pairs = Counter(), Counter()
        for word, n in words.items():
            merged = merge(word, ranks)
            for symbol in merged:
                symbols[symbol] += n
            for pair in pairwise(merged):
                pairs[pair] += n
        if not pairs:
            break
        scores = {(a, b): Fraction(n, symbols[a] * symbols[b]) for (a, b), n in pairs.items()}
        best = min(scores, key=lambda pair: (-scores[pair], ages[pair[0]], ages[pair[1]]))
        ranks[best] = len(ranks)
        ages["".join(best)] = len(ages)
    return [*ranks]


def most_frequent_pair(words, n_merges):
    """You choose by the count of the pair alone: divide it by the counts of its two symbols."""
    return learn(words, n_merges)


def divided_by_sum(words, n_merges):
    """The two counts that you divide by are multiplied, and not added."""
    return scored(words, n_merges, lambda n, a, b: Fraction(n, a + b))


def divided_by_root(words, n_merges):
    """The two counts are multiplied as they are, without a root."""
    return scored(words, n_merges, lambda n, a, b: Fraction(n * n, a * b))


def words_counted_once(words, n_merges):
    """A pair counts as often as its word occurs, and not once for each different word."""
    return learn_by_score(dict.fromkeys(words, 1), n_merges)


def lowest_score(words, n_merges):
    """The pair with the highest score is joined, and not the one with the lowest."""
    return scored(words, n_merges, lambda n, a, b: -Fraction(n, a * b))


def joined_symbols(words, n_merges):
    """A merge is a pair of symbols, (left, right), and not what they become."""
    return ["".join(pair) for pair in learn_by_score(words, n_merges)]


def scored(words, n_merges, score):
    """learn_by_score with another score of the counts of pair, left and right symbol."""
    ages = {symbol: age for age, symbol in enumerate(FIRST_SYMBOLS)}
    ranks = {}
    while len(ranks) < n_merges:
        merged = [(merge_word(word, ranks), n) for word, n in words.items()]
        symbols, pairs = Counter(), Counter()
        for word, n in merged:
            symbols.update(dict.fromkeys(word, 0))
            for symbol in word:
                symbols[symbol] += n
            for pair in pairwise(word):
                pairs[pair] += n
        scores = {(a, b): score(n, symbols[a], symbols[b]) for (a, b), n in pairs.items()}
        best = min(scores, key=lambda x: (-scores[x], ages[x[0]], ages[x[1]]), default=None)
        if best is None:
            break
        ranks[best] = len(ranks)
        ages["".join(best)] = len(ages)
    return [*ranks]


SCORES = (
    *(lambda n, a, b: n / (a * b), lambda n, a, b: n / a / b, lambda n, a, b: n / b / a),
    *(lambda n, a, b: n / a * (1 / b), lambda n, a, b: math.log(n) - math.log(a) - math.log(b)),
)


def text_for_any_score(rng, n_words, n_merges):
    """A text of which the same is learned, however the scores that are equal are rounded."""
    while True:
        text = random_text(rng, n_words)
        words = count_words(text)
        merges = learn_by_score(words, n_merges)
        if all(scored(words, n_merges, score) == merges for score in SCORES):
            return text


SCORE_MISTAKES = (
    *(most_frequent_pair, divided_by_sum, divided_by_root, words_counted_once),
    *(lowest_score, joined_symbols),
)


@question(learn_by_score, 5, SCORE_MISTAKES)
def score_values(ask, rng):
    """The pair with the highest score, again and again"""
    for n_merges in (1, 5, 12, 20, 20, 20):
        ask(learn_by_score, count_words(text_for_any_score(rng, 30, n_merges)), n_merges)
    ask(learn_by_score, count_words(random_word(rng)), 30)  # more than there can be


def whole_way_by_score(text, other, n_merges):
    words = {}
    for word in split(text):
        symbols = to_symbols(word)
        words[symbols] = words.get(symbols, 0) + 1
    merges = learn_by_score(words, n_merges)
    ranks = {pair: rank for rank, pair in enumerate(merges)}
    tokens = sorted(byte_alphabet()) + ["".join(pair) for pair in merges]
    encoder = {token: i for i, token in enumerate(tokens)}
    ids = encode(other, encoder, ranks)
    return merges, ids, decode(ids, encoder), to_bytes(to_symbols(other))


@together(3)
def whole_by_score(ask, rng):
    """A vocabulary learned from a text, and another text there and back"""
    ask(whole_way_by_score, text_for_any_score(rng, 40, 20), random_text(rng, 10), 20)


A1_WORDPIECE = A1.variant(
    "wordpiece",
    "byte-level BPE, learned by WordPiece's score",
    {learn: learn_by_score},
    (score_values, whole_by_score),
)


def longest_match(symbols: str, tokens: set[str]) -> list[str]:
    """A word in symbols, cut into tokens from left to right, each as long as possible.

    tokens: all that there are, each single symbol among them. With the tokens l, o, w, e, r, lo,
    low and owe the word "lower" becomes ["low", "e", "r"].

    Source: Schuster & Nakajima 2012 (WordPiece); Devlin et al. 2018, tokenization.py.
    """
    found = []
    while symbols:
        n = next(n for n in range(len(symbols), 0, -1) if symbols[:n] in tokens)
        found.append(symbols[:n])
        symbols = symbols[n:]
    return found


def encode_longest(text: str, encoder: dict[str, int]) -> list[int]:
    """Text -> ids: split into words, and each word's symbols cut by longest_match and looked up.

    encoder: token -> id.
    """
    words = map(to_symbols, split(text))
    return [encoder[token] for word in words for token in longest_match(word, {*encoder})]


def shortest_match(symbols, tokens):
    """Each token is to be as long as possible: yours are as short as possible."""
    return [*symbols]


def first_token_only(symbols, tokens):
    """Go on behind the token that was found, until nothing of the word is left."""
    return longest_match(symbols, tokens)[:1]


def from_the_right(symbols, tokens):
    """The word is cut from left to right, and not from its end."""
    mirrored = longest_match(symbols[::-1], {token[::-1] for token in tokens})
    return [token[::-1] for token in mirrored[::-1]]


def longest_anywhere(symbols, tokens):
    """The longest token that the rest of the word begins with goes first, and not the longest
    one anywhere in the word."""
    if not symbols:
        return []
    places = [(i, j) for i in range(len(symbols)) for j in range(i + 1, len(symbols) + 1)]
    i, j = max(
        (x for x in places if symbols[slice(*x)] in tokens), key=lambda x: (x[1] - x[0], -x[0])
    )
    before, after = longest_anywhere(symbols[:i], tokens), longest_anywhere(symbols[j:], tokens)
    return [*before, symbols[i:j], *after]


MATCH_MISTAKES = (shortest_match, first_token_only, from_the_right, longest_anywhere)


@question(longest_match, 4, MATCH_MISTAKES)
def match_values(ask, rng):
    """The longest token first, from the left"""
    for _ in range(25):
        more = {"".join(rng.choice([*"ab"], rng.integers(2, 5))) for _ in range(6)}
        ask(longest_match, "".join(rng.choice([*"ab"], 9)), more | {"a", "b"})
    for symbols in ("", "a", "".join(sorted(more)[0])):
        ask(longest_match, symbols, more | {"a", "b"})


def not_split(text, encoder):
    """No token may cross the border of a word: split the text first."""
    return [encoder[token] for token in longest_match(to_symbols(text), {*encoder})]


def spaces_lost(text, encoder):
    """The spaces belong to the words: split as given keeps them, str.split does not."""
    words = map(to_symbols, text.split())
    return [encoder[token] for word in words for token in longest_match(word, {*encoder})]


def not_matched(text, encoder):
    """The symbols of each word are to be cut into tokens, as long as possible."""
    return [encoder[symbol] for word in split(text) for symbol in to_symbols(word)]


@question(encode_longest, 3, (not_split, spaces_lost, not_matched))
def encode_longest_values(ask, rng):
    """Text to ids"""
    encoder, _ = vocabulary(rng)
    encoder |= {"aĠ": 1000, "bĠ": 1001, "cĠ": 1002}  # no word has these
    for text in ("a a b  c " + random_text(rng), random_word(rng) + " é"):
        ask(encode_longest, text, encoder)


def whole_way_by_length(text, other, n_merges):
    words = {}
    for word in split(text):
        symbols = to_symbols(word)
        words[symbols] = words.get(symbols, 0) + 1
    merges = learn(words, n_merges)
    tokens = sorted(byte_alphabet()) + ["".join(pair) for pair in merges]
    encoder = {token: i for i, token in enumerate(tokens)}
    ids = encode_longest(other, encoder)
    return merges, ids, decode(ids, encoder), to_bytes(to_symbols(other))


@together(3)
def whole_by_length(ask, rng):
    """A vocabulary learned from a text, and another text there and back"""
    ask(whole_way_by_length, random_text(rng, 40), random_text(rng, 10), 20)


A1_LONGEST = A1.variant(
    "longest",
    "byte-level BPE, encoded by the longest match",
    {merge_word: longest_match, encode: encode_longest},
    (match_values, encode_longest_values, whole_by_length),
)
