"""Byte-pair encoding: the merges that join a word's symbols to tokens.

A vocabulary is learned by joining, over and over, the two neighbouring symbols that are most
frequent in a text. Each such merge makes one new symbol, and the list of merges in the order in
which they were learned is all that is needed to encode a new word: as long as any two neighbours
are in the list, join the pair that comes first in it. A pair's position in the list is its rank.
"""

from collections.abc import Iterator
from heapq import heappop, heappush
from itertools import pairwise
from typing import NamedTuple


class MergeStep(NamedTuple):
    """One merge of a word."""

    rank: int  # the pair's position in the list of merges
    pair: tuple[str, str]
    symbols: list[str]  # the whole word after the merge


def merge_steps(symbols: str | list[str], ranks: dict[tuple[str, str], int]) -> Iterator[MergeStep]:
    """The merges of one word, step by step; of equal pairs the leftmost goes first.

    With ranks {("e", "r"): 0, ("l", "o"): 1, ("lo", "w"): 2} the word "lower" becomes
    l o w er, then lo w er, then low er.
    """
    symbols = list(symbols)
    while True:
        pairs = enumerate(pairwise(symbols))
        found = [(ranks[pair], i, pair) for i, pair in pairs if pair in ranks]
        if not found:
            return
        rank, i, pair = min(found)
        symbols = symbols[:i] + ["".join(pair)] + symbols[i + 2 :]
        yield MergeStep(rank, pair, symbols)


def merge(symbols: str, ranks: dict[tuple[str, str], int]) -> list[str]:
    """The symbols after the last of merge_steps, in time n log n instead of n squared.

    A heap holds the pairs that can be merged, and a doubly linked list the symbols that are left,
    so that no step looks at the whole word: a word can be 100,000 letters long.
    """
    n = len(symbols)
    symbols = [*symbols, ""]  # a sentinel at n, after the last symbol
    left, right = list(range(-1, n)), list(range(1, n + 2))  # the neighbours of every symbol
    heap = []

    def push(i):
        pair = symbols[i], symbols[right[i]]
        if pair in ranks:
            heappush(heap, (ranks[pair], i))

    for i in range(n):
        push(i)
    while heap:
        rank, i = heappop(heap)
        j = right[i]
        # Earlier merges may have changed the symbol at i, its neighbour, or both.
        if ranks.get((symbols[i], symbols[j])) != rank:
            continue
        symbols[i] += symbols[j]
        symbols[j] = ""
        right[i] = right[j]
        left[right[j]] = i
        push(i)
        if left[i] >= 0:
            push(left[i])
    return [symbol for symbol in symbols if symbol]
