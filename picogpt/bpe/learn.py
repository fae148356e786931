"""Learning the merges: from texts to a vocabulary.

Count how often each pair of neighbouring symbols occurs in the words of the texts, join the most
frequent pair into a new symbol everywhere, and begin again: "h e", "Ġ t", later whole words. Of
equally frequent pairs the one with the older left symbol goes first, then the one with the older
right symbol, as in Hugging Face's trainer, which gives the same merges.

Source: Sennrich et al. 2016, algorithm 1, on bytes as in Radford et al. 2019, section 2.2.
"""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator
from heapq import heapify, heappop, heappush
from itertools import islice, pairwise

from .byte_level import ByteLevelBPE
from .merges import merge
from .pretokenize import ALPHABET, split_short, stretches, to_symbols
from .tokenizer import ENDOFTEXT

FIRST_SYMBOLS = sorted(ALPHABET)  # GPT-2's ids 0 to 255: printable characters come first
MIN_VOCAB = len(FIRST_SYMBOLS) + 1  # with <|endoftext|>
MAX_VOCAB = 1_000_000  # learn_merges writes a symbol as one of Unicode's 1.1 million characters
LOG_EVERY = 500  # merges


def learn_bpe(
    texts: Iterable[str], n_vocab: int, log: Callable[[str], None] = lambda line: None
) -> ByteLevelBPE:
    """The tokenizer of a vocabulary of n_vocab tokens, learned from texts.

    Ids 0 to 255 are the bytes, in GPT-2's order; then come the merges' results, and finally
    <|endoftext|>, which in the texts stands between documents and is neither counted nor merged.
    log: called now and then with a line about what was done.

    The texts are taken one by one, and only their distinct words are kept.
    Raises ValueError if n_vocab is out of range, or larger than the texts can fill, if there is
    no text, or for surrogates in it.
    """
    check_n_vocab(n_vocab)
    words = count_words(texts)
    if not words:
        raise ValueError("there is no text to learn from")
    log(f"{words.total():,} words, {len(words):,} of them distinct")
    # Every merge makes a symbol that did not exist before: no string is built by two
    # merges, because a piece of a word is merged the same way wherever it stands, until a merge
    # crosses its border. So n_merges merges give exactly n_merges new tokens.
    n_merges = n_vocab - MIN_VOCAB
    merges = []
    for pair in islice(learn_merges(words), n_merges):
        merges.append(pair)
        if len(merges) % LOG_EVERY == 0:
            log(f"merge {len(merges)} of {n_merges}: {' '.join(pair)}")
    if len(merges) < n_merges:
        raise ValueError(
            f"the text can fill a vocabulary of at most {MIN_VOCAB + len(merges)} tokens, "
            f"not {n_vocab}"
        )
    tokens = [*FIRST_SYMBOLS, *map("".join, merges), ENDOFTEXT]
    return ByteLevelBPE({token: i for i, token in enumerate(tokens)}, merges)


def check_n_vocab(n_vocab: int) -> None:
    """Raise ValueError for a size that no vocabulary can have."""
    if not MIN_VOCAB <= n_vocab <= MAX_VOCAB:
        raise ValueError(
            f"n_vocab is {n_vocab}, expected {MIN_VOCAB} (256 bytes and {ENDOFTEXT}) to {MAX_VOCAB}"
        )


def count_words(texts: Iterable[str]) -> Counter[str]:
    """Word, in symbols -> how often it occurs: "a cat a cow" -> a 1, Ġcat 1, Ġa 1, Ġcow 1."""
    counts, after_a_space = Counter(), Counter()
    for text in texts:
        for document in text.split(ENDOFTEXT):
            for whole, without_space in stretches(document):
                counts.update(whole)
                after_a_space.update(without_space)
    counts.update({f" {stretch}": n for stretch, n in after_a_space.items()})
    words = Counter()
    for stretch, n in counts.items():
        for word in split_short(stretch):
            words[word] += n
    return Counter({to_symbols(word): n for word, n in words.items()})


def learn_merges_plainly(words: dict[str, int]) -> Iterator[tuple[str, str]]:
    """The merges, in order, until no pair is left. words: word, in symbols -> how often it occurs.

    This is what learning means: encode all words with the merges so far, and count anew.
    """
    ids = {symbol: i for i, symbol in enumerate(FIRST_SYMBOLS)}
    ranks: dict[tuple[str, str], int] = {}
    while True:
        counts = Counter()
        for word, n in words.items():
            for pair in pairwise(merge(word, ranks)):
                counts[pair] += n
        if not counts:
            return
        best = min(counts, key=lambda pair: (-counts[pair], ids[pair[0]], ids[pair[1]]))
        ranks[best] = len(ranks)
        ids["".join(best)] = len(ids)
        yield best


def learn_merges(words: dict[str, int]) -> Iterator[tuple[str, str]]:
    """The same merges as learn_merges_plainly, about a thousand times faster.

    All pairs are counted once. A merge then visits only the words that its pair was seen in, and
    corrects only the counts of the pairs that it changes there.

    A word is a string with one character for each symbol, its id; a pair is a string of two. So
    a merge is str.replace, and strings compare as ids do.
    """
    symbols = [*FIRST_SYMBOLS]
    ids = {ord(symbol): i for i, symbol in enumerate(symbols)}
    strings = [word.translate(ids) for word in words]
    times = list(words.values())
    counts, where = count_pairs(strings, times)
    heap = [(-count, pair) for pair, count in counts.items()]
    heapify(heap)
    while heap:
        count, pair = heappop(heap)
        if -count != counts[pair]:  # other merges have taken some since it was put there
            if counts[pair]:
                heappush(heap, (-counts[pair], pair))
            continue
        left, right = pair
        new = chr(len(symbols))
        joined = symbols[ord(left)], symbols[ord(right)]
        symbols.append("".join(joined))
        yield joined
        new_pairs = set()
        for i in where.pop(pair):
            strings[i] = strings[i].replace(pair, new)
            for new_pair in pairs_with(new, strings[i]):
                # "x left right y" has become "x new y": the pair "x left" is gone and "x new" is
                # there, "right y" is gone and "new y" is there. ("left right" is not asked for
                # again: its count may stay.) Where two new ones meet, "right left" is gone.
                old_left = right if new_pair[0] == new else new_pair[0]
                old_right = left if new_pair[1] == new else new_pair[1]
                counts[old_left + old_right] -= times[i]
                counts[new_pair] += times[i]
                where[new_pair].add(i)
                new_pairs.add(new_pair)
        for new_pair in new_pairs:
            heappush(heap, (-counts[new_pair], new_pair))


def count_pairs(strings: list[str], times: list[int]) -> tuple[dict[str, int], dict[str, set[int]]]:
    """Pair -> how often it occurs, and pair -> the indices of the strings that have it.

    times: how often each string occurs.
    """
    counts: dict[str, int] = defaultdict(int)
    where: dict[str, set[int]] = defaultdict(set)
    for i, string in enumerate(strings):
        for pair in map("".join, pairwise(string)):
            counts[pair] += times[i]
            where[pair].add(i)
    return counts, where


def pairs_with(symbol: str, string: str) -> Iterator[str]:
    """The pairs in a string that have a symbol in them: "b", "abbcd" -> "ab", "bb", "bc"."""
    at = string.find(symbol)
    while at >= 0:
        if at > 0:
            yield string[at - 1 : at + 1]
        # two in a row: yielded when the second one is reached
        if at + 1 < len(string) and string[at + 1] != symbol:
            yield string[at : at + 2]
        at = string.find(symbol, at + 1)
