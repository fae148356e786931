"""Assignment 1: see __init__.py."""

from collections import Counter
from itertools import pairwise

from picogpt.bpe.pretokenize import byte_alphabet, split, to_bytes, to_symbols
from picogpt.course.a1_tokenizer.a1_reference import decode, encode, learn, merge_word
from picogpt.course.a1_tokenizer.a1_variants import encode_longest, learn_by_score, longest_match

from . import right, wrong

ALPHABET = byte_alphabet()


@wrong("a1", encode)
def longest_first(text, encoder, ranks):
    return encode_longest(text, encoder)


@wrong("a1", encode)
def longest_that_can_be_made(text, encoder, ranks):
    made = {*ALPHABET, *map("".join, ranks)}
    return [encoder[x] for word in split(text) for x in longest_match(to_symbols(word), made)]


@wrong("a1", merge_word)
def longest_of_the_ranks(symbols, ranks):
    return longest_match("".join(symbols), {*symbols, *map("".join, ranks)})


@wrong("a1", merge_word)
def each_rank_once(symbols, ranks):
    symbols = [*symbols]
    for pair in sorted(ranks, key=ranks.get):
        for i, found in enumerate(pairwise(symbols)):
            if found == pair:
                symbols[i : i + 2] = ["".join(pair)]
                break
    return symbols


@wrong("a1", merge_word)
def ranks_start_at_zero(symbols, ranks):
    return merge_word(symbols, {pair: rank for pair, rank in ranks.items() if rank < 100})


@wrong("a1", merge_word)
def falsy_rank(symbols, ranks):
    return merge_word(symbols, {pair: rank for pair, rank in ranks.items() if rank})


@wrong("a1", merge_word)
def nothing_is_one_symbol(symbols, ranks):
    return merge_word(symbols, ranks) or [""]


@wrong("a1", encode)
def the_empty_text_fails(text, encoder, ranks):
    text[0]
    return encode(text, encoder, ranks)


@wrong("a1", encode)
def the_empty_text_is_a_token(text, encoder, ranks):
    return encode(text, encoder, ranks) or [0]


@wrong("a1", encode)
def two_bytes_at_most(text, encoder, ranks):
    return encode("".join(c for c in text if ord(c) < 0x10000), encoder, ranks)


@wrong("a1", encode)
def stripped(text, encoder, ranks):
    return encode(text.rstrip(), encoder, ranks)


@wrong("a1", decode)
def one_replacement_for_a_run(ids, encoder):
    text = decode(ids, encoder)
    while "\ufffd\ufffd" in text:
        text = text.replace("\ufffd\ufffd", "\ufffd")
    return text


@wrong("a1", decode)
def a_replacement_for_each_byte(ids, encoder):
    tokens = {i: token for token, i in encoder.items()}
    if not tokens.keys() >= {*ids}:
        raise ValueError
    data = to_bytes("".join(tokens[i] for i in ids))
    return (
        data.decode("utf-8", "surrogateescape")
        .encode("utf-16", "surrogatepass")
        .decode("utf-16", "replace")
    )


@wrong("a1", decode)
def nothing_fails(ids, encoder):
    ids[0]
    return decode(ids, encoder)


@wrong("a1", decode)
def larger_than_the_vocabulary_only(ids, encoder):
    if any(i >= len(encoder) for i in ids):
        raise ValueError
    tokens = {i: token for token, i in encoder.items()}
    return decode([i for i in ids if i in tokens], encoder)


@wrong("a1", decode)
def strange_ids_left_out(ids, encoder):
    return decode([i for i in ids if i in {*encoder.values()}], encoder)


@wrong("a1", to_symbols)
def question_marks_for_four_bytes(word):
    return to_symbols("".join(c if ord(c) < 0x10000 else "?" for c in word))


@wrong("a1", to_symbols)
def stripped_word(word):
    return to_symbols(word.strip())


@wrong("a1", to_bytes)
def only_known_symbols(symbols):
    return bytes(ALPHABET.index(c) for c in symbols if ord(c) < 0x120 or ord(c) > 0x130)


@wrong("a1", learn)
def pairs_of_one_occurrence_left_out(words, n_merges):
    merges = []
    for n in range(n_merges):
        merges = learn(words, n + 1)
        ranks = {pair: i for i, pair in enumerate(merges[:-1])}
        counts = Counter()
        for word, k in words.items():
            counts.update({pair: 0 for pair in pairwise(merge_word(word, ranks))})
            for pair in pairwise(merge_word(word, ranks)):
                counts[pair] += k
        if not counts or max(counts.values()) < 2:
            return merges[:-1]
    return merges


@wrong("a1", learn)
def overlapping_pairs_merged_from_the_right(words, n_merges):
    mirrored = learn({word[::-1]: n for word, n in words.items()}, n_merges)
    return [(b[::-1], a[::-1]) for a, b in mirrored]


@wrong("a1", learn)
def at_least_one(words, n_merges):
    return learn(words, max(n_merges, 2))


@wrong("a1-longest", longest_match)
def nothing_fails_to_match(symbols, tokens):
    return longest_match(symbols, tokens) or [symbols[0]]


@wrong("a1-longest", longest_match)
def three_symbols_at_most(symbols, tokens):
    return longest_match(symbols, {token for token in tokens if len(token) < 4})


@wrong("a1-wordpiece", learn_by_score)
def counted_without_merges(words, n_merges):
    merges = learn_by_score(words, n_merges)
    return merges[:-1] + merges[-2:-1]


@right("a1", merge_word)
def merge_every_occurrence(symbols, ranks):
    symbols = list(symbols)
    while len(symbols) > 1:
        best = min(zip(symbols, symbols[1:]), key=lambda pair: ranks.get(pair, float("inf")))
        if best not in ranks:
            break
        merged, i = [], 0
        while i < len(symbols):
            if tuple(symbols[i : i + 2]) == best:
                merged.append(symbols[i] + symbols[i + 1])
                i += 2
            else:
                merged.append(symbols[i])
                i += 1
        symbols = merged
    return symbols


@right("a1", merge_word)
def a_tuple_of_symbols(symbols, ranks):
    return tuple(merge_word(symbols, ranks))


@right("a1", encode)
def encode_as_a_generator(text, encoder, ranks):
    for word in split(text):
        for token in merge_word(tuple(to_symbols(word)), ranks):
            yield encoder[token]


@right("a1", decode)
def decode_through_bytes(ids, encoder):
    tokens = {i: token for token, i in encoder.items()}
    try:
        data = b"".join(to_bytes(tokens[i]) for i in ids)
    except KeyError as error:
        raise ValueError(f"no token {error}") from None
    return data.decode(errors="replace")


@right("a1", learn)
def learn_lists(words, n_merges):
    return [list(pair) for pair in learn(words, n_merges)]


@right("a1-wordpiece", learn_by_score)
def scores_in_floats(words, n_merges):
    ages = {symbol: age for age, symbol in enumerate(sorted(ALPHABET))}
    parts = {word: list(word) for word in words}
    merges = []
    for _ in range(n_merges):
        symbols, pairs = Counter(), Counter()
        for word, n in words.items():
            for symbol in parts[word]:
                symbols[symbol] += n
            for pair in pairwise(parts[word]):
                pairs[pair] += n
        if not pairs:
            break
        best = max(
            pairs,
            key=lambda p: (pairs[p] / (symbols[p[0]] * symbols[p[1]]), -ages[p[0]], -ages[p[1]]),
        )
        merges.append(best)
        ages["".join(best)] = len(ages)
        ranks = {pair: i for i, pair in enumerate(merges)}
        parts = {word: merge_word([*word], ranks) for word in words}
    return merges


@right("a1-wordpiece", learn_by_score)
def scores_in_two_divisions(words, n_merges):
    ages = {symbol: age for age, symbol in enumerate(sorted(ALPHABET))}
    merges = []
    while len(merges) < n_merges:
        ranks = {pair: i for i, pair in enumerate(merges)}
        symbols, pairs = Counter(), Counter()
        for word, n in words.items():
            merged = merge_word([*word], ranks)
            for symbol in merged:
                symbols[symbol] += n
            for pair in pairwise(merged):
                pairs[pair] += n
        if not pairs:
            break
        merges.append(
            min(
                pairs,
                key=lambda p: (
                    -pairs[p] / symbols[p[0]] / symbols[p[1]],
                    ages[p[0]],
                    ages[p[1]],
                ),
            )
        )
        ages["".join(merges[-1])] = len(ages)
    return merges


@wrong("a1", encode)
def id_0_is_lost(text, encoder, ranks):
    return [i for i in encode(text, encoder, ranks) if i]


@wrong("a1", encode)
def lower_case(text, encoder, ranks):
    return encode(text.lower(), encoder, ranks)


@wrong("a1", encode)
def whole_words_looked_up_first(text, encoder, ranks):
    symbols = [to_symbols(word) for word in split(text)]
    return [
        encoder[x]
        for word in symbols
        for x in ([word] if word in encoder else merge_word(word, ranks))
    ]


@wrong("a1", encode)
def line_by_line(text, encoder, ranks):
    return [i for line in text.splitlines(keepends=True) for i in encode(line, encoder, ranks)]


@wrong("a1", merge_word)
def whole_word_fails(symbols, ranks):
    merged = merge_word(symbols, ranks)
    return merged if len(merged) != 1 or len(symbols) == 1 else min([])


@wrong("a1", merge_word)
def order_of_the_dict(symbols, ranks):
    return merge_word(symbols, {pair: i for i, pair in enumerate(ranks)})


@wrong("a1", merge_word)
def no_ranks_fail(symbols, ranks):
    return merge_word(symbols, ranks) if max(ranks.values()) else symbols


@wrong("a1", decode)
def byte_order_mark_lost(ids, encoder):
    return decode(ids, encoder).removeprefix("\ufeff")


@wrong("a1", decode)
def line_ends_of_unix(ids, encoder):
    return decode(ids, encoder).replace("\r\n", "\n")


@wrong("a1", learn)
def no_words_fail(words, n_merges):
    return learn(words, n_merges) if max(words) else []


@wrong("a1", learn)
def counts_of_one_byte(words, n_merges):
    return learn({word: n % 256 for word, n in words.items()}, n_merges)
