"""Assignment 1: see __init__.py."""

SOLUTION = """
from functools import cache
from picogpt.bpe.pretokenize import split

@cache
def byte_alphabet():
    keep = list(range(ord("!"), ord("~") + 1)) + list(range(161, 173)) + list(range(174, 256))
    table, n = {}, 0
    for b in range(256):
        if b in keep:
            table[b] = chr(b)
        else:
            table[b] = chr(256 + n)
            n += 1
    return "".join(table[b] for b in range(256))

def to_symbols(word):
    return "".join([byte_alphabet()[b] for b in word.encode("utf-8")])

def to_bytes(symbols):
    return bytes(byte_alphabet().index(c) for c in symbols)

def merge_word(symbols, ranks):
    # all places of the best pair at once, as OpenAI does
    word = tuple(symbols)
    while True:
        pairs = [p for p in zip(word, word[1:]) if p in ranks]
        if not pairs:
            return list(word)
        first, second = min(pairs, key=ranks.get)
        new, i = [], 0
        while i < len(word):
            if i + 1 < len(word) and word[i] == first and word[i + 1] == second:
                new.append(first + second)
                i += 2
            else:
                new.append(word[i])
                i += 1
        word = tuple(new)

def encode(text, encoder, ranks):
    ids = []
    for word in split(text):
        ids += [encoder[t] for t in merge_word(list(to_symbols(word)), ranks)]
    return ids

def decode(ids, encoder):
    decoder = {v: k for k, v in encoder.items()}
    data = b""
    for i in ids:
        try:
            data += to_bytes(decoder[i])
        except KeyError:
            raise ValueError(f"unknown id {i}")
    return data.decode("utf-8", "replace")

def learn(words, n_merges):
    split_words = {w: list(w) for w in words}
    age = {c: i for i, c in enumerate(sorted(byte_alphabet()))}
    merges = []
    for step in range(n_merges):
        counts = {}
        for w, symbols in split_words.items():
            for a, b in zip(symbols, symbols[1:]):
                counts[a, b] = counts.get((a, b), 0) + words[w]
        if len(counts) == 0:
            break
        top = max(counts.values())
        best = sorted((age[a], age[b], a, b) for (a, b), n in counts.items() if n == top)[0]
        a, b = best[2:]
        merges.append((a, b))
        age[a + b] = len(age)
        for w in split_words:
            split_words[w] = merge_word(split_words[w], {(a, b): 0})
    return merges
"""

MISTAKES = [
    (
        "a1",
        """
def byte_alphabet():
    printable = [*range(33, 127), *range(161, 256)]
    rest = [b for b in range(256) if b not in printable]
    return "".join(chr(b) if b in printable else chr(256 + rest.index(b)) for b in range(256))
""",
        ["A printable character for each of 256 bytes"],
        "soft hyphen",
    ),
    (
        "a1",
        """
def to_symbols(word):
    return "".join(byte_alphabet()[ord(c)] for c in word)
""",
        ["A symbol for each byte of a word"],
        "",
    ),
    (
        "a1",
        """
def merge_word(symbols, ranks):
    out = []
    for s in symbols:
        out.append(s)
        while len(out) > 1 and (out[-2], out[-1]) in ranks:
            out[-2:] = [out[-2] + out[-1]]
    return out
""",
        ["The lowest rank first, until no pair has one"],
        "",
    ),
    (
        "a1",
        """
def merge_word(symbols, ranks):
    symbols, i = list(symbols), 0
    while i < len(symbols) - 1:
        if (symbols[i], symbols[i + 1]) in ranks:
            symbols[i:i + 2] = [symbols[i] + symbols[i + 1]]
            i = 0
        else:
            i += 1
    return symbols
""",
        ["The lowest rank first, until no pair has one"],
        "join the leftmost pair that has a rank",
    ),
    (
        "a1",
        """
def encode(text, encoder, ranks):
    return [encoder[t] for t in merge_word(list(to_symbols(text)), ranks)]
""",
        ["Text to ids"],
        "split the text first",
    ),
    (
        "a1",
        """
def decode(ids, encoder):
    decoder = {v: k for k, v in encoder.items()}
    text = ""
    for i in ids:
        if i not in decoder:
            raise ValueError(i)
        text += to_bytes(decoder[i]).decode("utf-8", errors="replace")
    return text
""",
        ["Ids to text"],
        "join the bytes of all",
    ),
    (
        "a1",
        """
def decode(ids, encoder):
    decoder = {v: k for k, v in encoder.items()}
    return to_bytes("".join([decoder[i] for i in ids])).decode(errors="replace")
""",
        ["An id that no token has is a ValueError"],
        "a dict raises a KeyError",
    ),
    (
        "a1",
        """
def learn(words, n_merges):
    merges = []
    parts = {w: list(w) for w in words}
    while len(merges) < n_merges:
        counts = {}
        for w in words:
            for pair in zip(parts[w], parts[w][1:]):
                counts[pair] = counts.get(pair, 0) + words[w]
        if not counts:
            return merges
        best = max(counts, key=lambda p: counts[p])
        merges.append(best)
        parts = {w: merge_word(parts[w], {best: 0}) for w in words}
    return merges
""",
        ["The most frequent pair, again and again"],
        "compare their ages",
    ),
]
