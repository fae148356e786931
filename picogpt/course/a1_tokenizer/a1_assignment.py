"""Assignment 1: byte-level byte-pair encoding, and what is often written instead."""

from collections import Counter
from itertools import pairwise
from pathlib import Path

from ...bpe.learn import FIRST_SYMBOLS
from ...bpe.pretokenize import byte_alphabet, split, to_bytes, to_symbols
from ..assignment import Assignment, question, together
from .a1_1_tokens import (
    alphabet_values,
    bytes_values,
    count_words,
    merge_values,
    random_text,
    random_word,
    symbols_values,
)
from .a1_2_ids import decode_refuses, decode_values, encode_values
from .a1_reference import decode, encode, learn, merge_word


def learned(words, n_merges, count=None, choose=None):
    """learn, with another way to count pairs or to choose among the counted ones.

    count(words with the merges so far) -> pair: count; choose(counts, ages) -> pair.
    """
    ages = {symbol: age for age, symbol in enumerate(FIRST_SYMBOLS)}
    ranks = {}
    while len(ranks) < n_merges:
        counts = (count or count_pairs)([(merge_word(word, ranks), n) for word, n in words.items()])
        if not counts:
            break
        ranks[(choose or most_frequent)(counts, ages)] = len(ranks)
        ages["".join([*ranks][-1])] = len(ages)
    return [*ranks]


def count_pairs(words):
    counts = Counter()
    for symbols, n in words:
        for pair in pairwise(symbols):
            counts[pair] += n
    return counts


def most_frequent(counts, ages):
    return min(counts, key=lambda pair: (-counts[pair], ages[pair[0]], ages[pair[1]]))


def words_counted_once(words, n_merges):
    """A pair counts as often as its word occurs, and not once for each different word."""
    return learned(dict.fromkeys(words, 1), n_merges)


def first_seen_first(words, n_merges):
    """Of equally frequent pairs you take the one that was counted first: compare their ages."""
    return learned(words, n_merges, choose=lambda counts, ages: max(counts, key=counts.get))


def in_alphabetical_order(words, n_merges):
    """Of equally frequent pairs the one with older symbols goes first, and not the first by name:
    the age of a merge's result is its place among the merges."""
    return learned(
        words, n_merges, choose=lambda counts, _: min(counts, key=lambda x: (-counts[x], x))
    )


def youngest_first(words, n_merges):
    """Of equally frequent pairs the one with the older symbols goes first, and not the younger."""
    return learned(
        words,
        n_merges,
        choose=lambda counts, ages: max(counts, key=lambda x: (counts[x], ages[x[0]], ages[x[1]])),
    )


def counted_at_the_beginning(words, n_merges):
    """Count anew after each merge: it changes which pairs there are, and how often."""
    counts = count_pairs(words.items())
    ages = {symbol: age for age, symbol in enumerate(FIRST_SYMBOLS)}
    return sorted(counts, key=lambda x: (-counts[x], ages[x[0]], ages[x[1]]))[:n_merges]


def joined_symbols(words, n_merges):
    """A merge is a pair of symbols, (left, right), and not what they become."""
    return ["".join(pair) for pair in learn(words, n_merges)]


def never_ends_early(words, n_merges):
    """When no pair is left, the merges so far are all there are."""
    merges = learn(words, n_merges)
    return merges if len(merges) == n_merges else max(merges[:0])


LEARN_MISTAKES = (
    *(words_counted_once, first_seen_first, in_alphabetical_order, youngest_first),
    *(counted_at_the_beginning, joined_symbols, never_ends_early),
)


@question(learn, 5, LEARN_MISTAKES)
def learn_values(ask, rng):
    """The most frequent pair, again and again"""
    for n_merges in (1, 5, 12, 20, 20, 20):
        ask(learn, count_words(random_text(rng, 30)), n_merges)
    ask(learn, count_words(random_word(rng)), 30)  # more than there can be
    # No merges, no words; neighbours of the same kind; many words, many merges
    for words, n_merges in (({"abc": 1}, 0), ({}, 3), ({"ccc": 1, "xy": 2}, 1), ({"aaab": 5}, 2)):
        ask(learn, words, n_merges)
    ask(learn, {"ac": 1, "ab": 1}, 1)
    ask(learn, {"ab": 1 << 16, "cd": 3}, 1)
    ask(learn, {a + b: 1 for a in "abcdefghijkl" for b in "abcdefghijkl"}, 120)
    # What was learned before has nothing to do with it
    ask(learn, {"ef": 3, "ab": 2}, 2)
    ask(learn, {"ab": 5, "ef": 4, "abx": 1, "efx": 1}, 4)


def whole_way(text, other, n_merges):
    words = {}
    for word in split(text):
        symbols = to_symbols(word)
        words[symbols] = words.get(symbols, 0) + 1
    merges = learn(words, n_merges)
    ranks = {pair: rank for rank, pair in enumerate(merges)}
    tokens = sorted(byte_alphabet()) + ["".join(pair) for pair in merges]
    encoder = {token: i for i, token in enumerate(tokens)}
    ids = encode(other, encoder, ranks)
    return merges, ids, decode(ids, encoder), to_bytes(to_symbols(other))


@together(3)
def whole_tokenizer(ask, rng):
    """A vocabulary learned from a text, and another text there and back"""
    ask(whole_way, random_text(rng, 40), random_text(rng, 10), 20)


A1 = Assignment(
    name="a1",
    hours=5,
    folder=Path(__file__).parent,
    title="byte-level BPE",
    functions=(byte_alphabet, to_symbols, to_bytes, merge_word, encode, decode, learn),
    questions=(
        *(alphabet_values, symbols_values, bytes_values, merge_values, encode_values),
        *(decode_values, decode_refuses, learn_values, whole_tokenizer),
    ),
    given=(split,),
    imports="",
)
