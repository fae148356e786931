# %% [markdown]
# # 1. From text to tokens
#
# ![You are here: a text becomes numbers](data/here_1.svg)
#
# **Goal:** turn a text by hand into the numbers that a model reads, and know where this can
# surprise you.
#
# A model computes with vectors, and it has one for each entry of a fixed vocabulary. So a text must
# be cut into entries of that vocabulary: tokens. *Letters* would do, but then texts are long, and
# the model has to learn that k-i-n-g is a king. *Words* would be short, but there is no end of
# them, and a name that is not on the list could not even be read. GPT-2 takes the middle road:
# frequent pieces of words, found by counting, and single bytes for all the rest. About 30 minutes.
#
# > Is picogpt not installed, for example on Colab? Type this in a cell, run it, and restart the
# > kernel: `%pip install "picogpt[notebooks] @ ADDRESS"`. Replace ADDRESS with `file://` and the
# > full path of the project's folder, or `git+` and the address of its repository.

# %%
MODEL = "fairytale"  # or "124M", GPT-2 itself: this downloads 498 MB, the first time

# %%
from collections import Counter
from itertools import islice, pairwise

import matplotlib.pyplot as plt
import numpy as np

import picogpt
from picogpt.bpe import StreamDecoder
from picogpt.bpe.learn import count_words, learn_merges_plainly
from picogpt.bpe.merges import merge
from picogpt.bpe.pretokenize import split, to_symbols
from picogpt.classroom import drawings
from picogpt.classroom.checks.reading import check_1_1, check_1_2, check_1_3
from picogpt.classroom.checks.verdict import attempt
from picogpt.classroom.plots import BLUE, GREEN, ORANGE, token_labels
from picogpt.classroom.texts import DATA, TALE
from picogpt.ops import cross_entropy, softmax

model = picogpt.load(MODEL)
tokenizer = model.tokenizer

# %% [markdown]
# ## 1.1 Bytes
#
# A text is stored as bytes, in the encoding UTF-8: one byte for the letters of English, digits and
# punctuation, two, three or four for every other character. With a token for each of the 256 bytes,
# every text in the world can be written.

# %% tags=["stable"]
for character in "kéж猫🙂":
    print(f"{character}  {len(character.encode())} bytes: {character.encode().hex(' ')}")

# %% [markdown]
# Tokens are kept in text files, and bytes such as the space or the line feed would be hard to see
# there. So each byte gets a visible character as its symbol: the one that it has in Latin-1, an old
# encoding of one byte per character, or, where that is invisible, a letter from the alphabets of
# central Europe. `Ġ` is a space, `Ċ` a line feed; a letter of several bytes becomes several strange
# symbols. Nothing is lost: this is only a way to write bytes down.
#
# **Guess first.** How many symbols will "猫" have, with a space before it?

# %% tags=["stable"]
for text in ("king", " king", "\n", "é", " 猫"):
    print(f"{text!r:8} -> {to_symbols(text)}")

# %% [markdown]
# ## 1.2 Words
#
# First the text is cut into words, and no token will ever reach from one word into the next. A word
# includes the space *before* it. Digits, letters and punctuation never share a word, except in
# seven endings with an apostrophe: 's, 't, 're, 've, 'm, 'll and 'd. Of several spaces, the last
# one goes to the word that follows; the others make a word of their own.
#
# **Guess first.** Into how many words will "The king's daughter was 17 years old, and brave." be
# cut, if there are three spaces before *brave*?

# %% tags=["stable"]
words = list(split("The king's daughter was 17 years old, and   brave."))
print(words)
print(len(words), "words")

# %% [markdown]
# Put back together, the words give the original text, spaces and all. (The rule is one regular
# expression, in `picogpt/bpe/pretokenize.py`.)
#
# ## 1.3 Merges
#
# Now each word is a row of symbols, and neighbours are joined, again and again, until nothing
# more can be joined. A list, which was learned, says which pairs may be joined: its first entries
# are pairs like `h e` and `Ġ t`, the later ones build whole words. **Of all pairs in the
# word, the one that stands first in the list goes first.** Its place in the list is called its
# rank.
#
# **Guess first.** Which two symbols of " shoemaker" will be joined first? (The space before it is
# one of them.)

# %% tags=["stable"]
print(tokenizer.explain(" shoemaker"))  # on the left, the rank of each merge

# %% alt="A tree: letters at the bottom, joined step by step to the tokens of the word shoemaker, each joint with its rank."
drawings.merge_tree(to_symbols(" shoemaker"), tokenizer.merge_steps(" shoemaker"))
plt.show()

# %% [markdown]
# That is the whole algorithm, and it fits in a few lines:


# %%
def encode_word(word):
    symbols = list(to_symbols(word))
    while True:
        ranked = [
            (tokenizer.ranks[p], i) for i, p in enumerate(pairwise(symbols)) if p in tokenizer.ranks
        ]
        if not ranked:
            return [tokenizer.encoder[symbol] for symbol in symbols]
        _, i = min(ranked)
        symbols[i : i + 2] = [symbols[i] + symbols[i + 1]]


ids = tokenizer.encode(TALE)
assert [i for word in split(TALE) for i in encode_word(word)] == ids

# %% [markdown]
# Here is the beginning of a tale as the model reads it. Boxes are tokens (`·` is a space), and
# below each is its id, the number of its row in the model's table of vectors. Here every word is
# one token; rarer ones, such as *gingerbread* in notebook 0, fall into pieces.

# %% alt="The beginning of the tale cut into tokens, each in a box of its own with its id below."
some = tokenizer.encode("\n\n".join(TALE.split("\n\n")[:2]))
drawings.token_boxes(token_labels(tokenizer, some), some)
plt.show()

# %% [markdown]
# The way back from ids to text is simple: write the tokens' bytes one after the other, and read
# them as UTF-8. Every text comes back as it was.

# %%
for text in (TALE, "  two  spaces\t\r\n", "猫が好き 🙂🙃", "\x00\x7f"):
    assert tokenizer.decode(tokenizer.encode(text)) == text

# %% [markdown]
# ## 1.4 Learning the merges
#
# Where does the list come from? From counting. Take a text, count all pairs of neighbouring
# symbols, join the most frequent pair everywhere into a new symbol, write it down, and begin again.
# You can go on for as long as you like: GPT-2 has 50,000 merges. With the 256 bytes and one special
# token they make up the vocabulary.
#
# **Guess first.** Which pair of letters is the most frequent in the tale?


# %%
def learn(text, n_merges):
    """The merges that a text teaches, with how often each pair occurred."""
    words = Counter(tuple(to_symbols(word)) for word in split(text))
    merges = []
    for _ in range(n_merges):
        pairs = Counter()
        for word, times in words.items():
            for pair in pairwise(word):
                pairs[pair] += times
        best, count = max(pairs.items(), key=lambda item: item[1])
        merges.append((best, count))
        words = Counter({joined(word, best): times for word, times in words.items()})
    return merges


def joined(word, pair):
    symbols = list(word)
    for i in range(len(symbols) - 2, -1, -1):
        if tuple(symbols[i : i + 2]) == pair:
            symbols[i : i + 2] = ["".join(pair)]
    return tuple(symbols)


learned = learn(TALE, 20)
for number, ((left, right), count) in enumerate(learned):
    print(f"{number:3}  {left:>5} + {right:5} {count:4} times")

# %% [markdown]
# Of two pairs that are equally frequent, our few lines take the one they met first. The library has
# another rule: the pair whose symbols were learned earlier goes first. As long as there is no tie,
# the merges are the same.

# %%
theirs = list(islice(learn_merges_plainly(count_words([TALE])), len(learned)))
n_same = next(n for n, (pair, _) in enumerate(learned) if pair != theirs[n])
print(f"{n_same} are the same. The next one is ours {learned[n_same][0]}, theirs {theirs[n_same]}")

# %% [markdown]
# Each merge makes texts shorter and the vocabulary longer by one. How much shorter? We encode the
# tale twice: with only the first $n$ merges of the model's list, and with $n$ merges learned from
# the tale itself.
#
# **Guess first.** Which list gives fewer tokens, that is, more bytes for each, for this one tale:
# the model's merges from millions of words, or the few hundred that were learned from the tale
# itself?


# %% alt="Two curves of bytes per token against the number of merges, both rising: with merges learned from this very text, and with those of the model."
def bytes_per_token(text, merges):
    ranks = {pair: rank for rank, pair in enumerate(merges)}
    n_tokens = sum(len(merge(to_symbols(word), ranks)) for word in split(text))
    return len(text.encode()) / n_tokens


own = list(learn_merges_plainly(count_words([TALE])))
models = list(tokenizer.ranks)
counts = [0, 3, 10, 30, 100, 300, 1000, 3000, 10000, 30000]
fig, ax = plt.subplots(figsize=(7.5, 3.3))
for merges, style, label in (
    (own, "s--", "learned from this very text"),
    (models, "o-", f"those of the model ({len(models):,})"),
):
    x = [n for n in counts if n < len(merges)] + [len(merges)]
    y = [bytes_per_token(TALE, merges[:n]) for n in x]
    ax.plot(np.array(x) + 1, y, style, color=BLUE if merges is models else ORANGE, label=label)
ax.set_xscale("log")
ax.set_xticks([1, 11, 101, 1001, 10001], ["0", "10", "100", "1,000", "10,000"])
ax.minorticks_off()
ax.set(
    xlabel="merges used", ylabel="bytes per token", title="With every merge a token holds more"
)
ax.legend()
plt.show()

# %% [markdown]
# Merges learned from one short text soon spell out its words. Are they any use for another text? We
# encode a whole tale from another book, first with them, then with as many of the model's:

# %%
OTHER = (DATA / "olive.txt").read_text("utf-8")
for merges, label in (
    ([], "no merges: a token for each byte"),
    (own, f"the {len(own)} learned from our tale"),
    (models[: len(own)], f"the first {len(own)} of the model's"),
    (models, f"all {len(models):,} of the model's"),
):
    print(f"{label:34} {bytes_per_token(OTHER, merges):.2f} bytes per token")

# %% [markdown]
# They do help: English is English, and "the" is in every text. But merges counted on more text help
# more, and those of the model come from millions of words. The price of a large vocabulary is paid
# in the model: each token needs a vector, and rare ones are seen too rarely to learn a good one.
#
# ## 1.5 Surprises
#
# **Space and case.** To the model these are different tokens, as different as "cat" and "tree".
# It has to learn that they mean the same.

# %% tags=["stable"]
for text in ("king", " king", "King", " King", "KING", "  king"):
    found = tokenizer.encode(text)
    print(f"{text!r:9} {found!s:22} {token_labels(tokenizer, found)}")

# %% [markdown]
# **Spelling.** Swap two letters, as in the last line below, and the word falls apart into pieces
# unrelated to it.

# %% tags=["stable"]
for text in (" princess", " princesses", " prinecss"):
    print(f"{text!r:14} {token_labels(tokenizer, tokenizer.encode(text))}")

# %% [markdown]
# **Numbers** are cut wherever the merges happen to stop: digit by digit in a vocabulary that was
# learned from stories, which have few of them. (GPT-2's vocabulary cuts them into groups of one to
# four digits, rarely more.) Nothing in it knows of tens and thousands, which makes arithmetic
# harder than it needs to be.

# %% tags=["stable"]
for text in (" 1000", " 1001", " 1812", " 1999", " 123456"):
    print(f"{text!r:10} {token_labels(tokenizer, tokenizer.encode(text))}")

# %% [markdown]
# **Other languages.** The merges were learned from English. The same sentence, the first of Article
# 1 of the Universal Declaration of Human Rights, costs other languages far more tokens. That means
# more to compute, and more to pay for where tokens are paid for; and less text fits into the
# context, the limited number of tokens that a model sees at a time. Where no merge fits, every byte
# is a token.
#
# **Guess first.** Which of the six languages takes the most tokens? And the most tokens for each
# character?

# %% alt="Bars for six languages: characters, bytes and tokens of the same sentence. English has the fewest tokens for its characters, other scripts the most."
SENTENCES = {
    "English": "All human beings are born free and equal in dignity and rights.",
    "German": "Alle Menschen sind frei und gleich an Würde und Rechten geboren.",
    "French": "Tous les êtres humains naissent libres et égaux en dignité et en droits.",
    "Russian": "Все люди рождаются свободными и равными в своем достоинстве и правах.",
    "Greek": "Όλοι οι άνθρωποι γεννιούνται ελεύθεροι και ίσοι στην αξιοπρέπεια και τα δικαιώματα.",
    "Chinese": "人人生而自由，在尊严和权利上一律平等。",
}
characters = [len(text) for text in SENTENCES.values()]
n_bytes = [len(text.encode()) for text in SENTENCES.values()]
n_tokens = [len(tokenizer.encode(text)) for text in SENTENCES.values()]

fig, ax = plt.subplots(figsize=(7.5, 3.8))
y = np.arange(len(SENTENCES))
for offset, numbers, colour, hatch, label in (
    (-0.27, characters, GREEN, "", "characters"),
    (0.0, n_bytes, ORANGE, "//", "bytes"),
    (0.27, n_tokens, BLUE, "", "tokens"),
):
    bars = ax.barh(y + offset, numbers, 0.25, color=colour, hatch=hatch, ec="white", label=label)
    ax.bar_label(bars, padding=3, fontsize=8)
ax.set_yticks(y, list(SENTENCES))
ax.invert_yaxis()
ax.set(xlabel="number", title="The same sentence in six languages")
ax.legend()
plt.show()
most = list(SENTENCES)[np.argmax(n_tokens)]
densest = list(SENTENCES)[np.argmax(np.divide(n_tokens, characters))]
ratio = max(np.divide(n_tokens, characters))
print(f"The most tokens: {most}. The most for each character: {densest}, with {ratio:.1f}.")

# %% [markdown]
# **Halves of characters.** A character may be cut in the middle, and a token that holds only part
# of its bytes is not text by itself. Decoding shows `�` for it. A program that prints a text while
# it is being written has to hold such bytes back until the rest has come, as `StreamDecoder` does.

# %% tags=["stable"]
cat = tokenizer.encode("猫")
print("ids:           ", cat)
print("one by one:    ", [tokenizer.decode([i]) for i in cat])
print("together:      ", tokenizer.decode(cat))
decoder = StreamDecoder(tokenizer)
print("held back:     ", [decoder.push(i) for i in cat])

# %% [markdown]
# ## Common mistakes
#
# > - *A `<bos>` token at the beginning.* Other models have special tokens for the beginning and end
# >   of a text (`<bos>`, `<eos>`), for filling up (`<pad>`) and for unknown words (`<unk>`). GPT-2
# >   has none of these. It has one special token, `<|endoftext|>`, which stood between two
# >   documents in training. A made-up `<bos>` is read as the characters it is made of.
# > - *A space at the end of a prompt.* The next word would bring its own.
# > - *Pieces encoded one by one*: the ids of two texts, one after the other, need not be the ids of
# >   the two texts joined.
# > - *The longest token that fits*, instead of the merges by rank.
# > - *Users who type `<|endoftext|>`*: they must not get the token, or they could end the document.
# > - *One word, one token.* In English it is closer to four tokens for every three words.

# %% [markdown]
# **`<bos>`.** Here is the model's loss on the tale, the mean surprise of a token in nats ([notebook
# 0](00_quick_start.ipynb)). It is taken from the second token on, since the first cannot be
# predicted from nothing; what was put in front is not counted.


# %%
def loss_after(prefix) -> float:
    logits = model(np.array([*prefix, *ids]))
    return cross_entropy(logits[len(prefix) : -1], np.array(ids[1:]))


for name, prefix in {
    "nothing in front": [],
    "<|endoftext|>, the token": [tokenizer.endoftext],
    '"<bos>", five characters': tokenizer.encode("<bos>"),
    '"<s>", three characters': tokenizer.encode("<s>"),
}.items():
    print(f"{name:26} {len(prefix)} tokens, loss {loss_after(prefix):.3f}")

# %% [markdown]
# Characters that the model has never seen in front of a tale make the mean worse. The real token
# costs next to nothing, and it need not help either: a text that begins with "Once upon a time"
# makes it clear by itself that it is a beginning. The token is there for the sake of the first one,
# which otherwise has nothing before it that it could be predicted from:

# %%
first = softmax(model([tokenizer.endoftext])[-1])
print(f"the likeliest first tokens: {token_labels(tokenizer, np.argsort(-first)[:5])}")
print(f"{tokenizer.decode(ids[:1])!r}, with which the tale begins: {first[ids[0]]:.1%}")

# %% [markdown]
# **A space at the end.** After "Once upon a" the model expects ` time`, with its space. After
# "Once upon a ", where the space is a token of its own, ` time` would make two spaces, and in the
# texts it has learned from, `time` without a space hardly ever followed a single space:

# %%
for prompt, word in (("Once upon a", " time"), ("Once upon a ", "time")):
    row = softmax(model(tokenizer.encode(prompt))[-1])
    p = row[tokenizer.encode(word)[0]]
    best = token_labels(tokenizer, np.argsort(-row)[:4])
    print(f"{prompt!r:14} {word!r:8} with probability {p:.4%}; first guesses: {'  '.join(best)}")

# %% [markdown]
# **Pieces one by one**, and **who types `<|endoftext|>`**:

# %% tags=["stable"]
print(tokenizer.encode(" prin") + tokenizer.encode("cess"), tokenizer.encode(" princess"))
print(tokenizer.encode("<|endoftext|>"), tokenizer.encode("<|endoftext|>", allow_endoftext=True))

# %% [markdown]
# **The longest token that fits**, from the left, is a way of encoding too, but not the one that
# the model has learned with. It may cut a word more sensibly, but the model has never seen the
# word cut like that.


# %% tags=["stable"]
def longest_first(word):
    symbols, tokens = to_symbols(word), []
    while symbols:
        n = next(n for n in range(len(symbols), 0, -1) if symbols[:n] in tokenizer.encoder)
        tokens.append(tokenizer.encoder[symbols[:n]])
        symbols = symbols[n:]
    return tokens


for word in (" princess", " dragons", " shoemakers", " stepdaughter", " feathered", " kingdoms"):
    by_length = " ".join(token_labels(tokenizer, longest_first(word)))
    by_rank = " ".join(token_labels(tokenizer, tokenizer.encode(word)))
    print(f"{by_length:18}", "the same" if by_length == by_rank else f"instead of {by_rank}")

# %% [markdown]
# **Tokens and words** of the tale:

# %% tags=["stable"]
print(f"{len(ids)} tokens for {len(TALE.split())} words")

# %% [markdown]
# ## Five quick questions
#
# Nothing to compute: this is just to see what has stuck. Put your five letters into the second
# cell, and "-" for a question that you leave out.

# %% tags=["stable"]
from picogpt.classroom.quiz import quiz

quiz(1)

# %%
quiz(1, "-----")

# %% [markdown]
# ## Exercises
#
# The solutions are at the end. Click on one to open it.
#
# **Exercise 1.** Which of the tokens is the longest, in bytes? (`tokenizer.decode_bytes([i])` are
# the bytes of token `i`; leave out `<|endoftext|>`.)

# %% [markdown]
# *Easy.*
#
# <details><summary>First hint</summary>Go through all ids from 0 to <code>tokenizer.n_vocab -
# 1</code>, except one.</details>
# <details><summary>Second hint</summary><code>max(..., key=...)</code> takes a function that gives
# the size of each item.</details>

# %%
longest = None  # your answer, an id


# %%
attempt(check_1_1, longest, tokenizer)

# %% [markdown]
# **Exercise 2.** `decode(encode(text))` is always the text. The other way round it is not always
# true: find a list of ids for which `encode(decode(ids))` gives other ids.

# %% [markdown]
# *Medium.*
#
# *Warm-up, without a computer:* Into which tokens does the tokenizer cut "king"? Could the same
# text be written with other tokens?
#
# <details><summary>Answer</summary>It is a single token, or a few. And yes: any token can be cut in
# two, as long as both halves are tokens.</details>
#
# <details><summary>First hint</summary><code>encode</code> merges as much as it can. So give it
# something that is cut more finely than it would cut it.</details>
# <details><summary>Second hint</summary>Encode two halves of a frequent word one by one, and join
# the two lists.</details>

# %%
not_its_own = []  # your answer, a list of ids


# %%
attempt(check_1_2, not_its_own, tokenizer)

# %% [markdown]
# **Exercise 3.** One step of learning: which pair of neighbouring symbols is the most frequent?
# Words are given with the number of times that they occur. (There will be no ties.)

# %% [markdown]
# *Medium.*
#
# <details><summary>First hint</summary>Count pairs in a <code>Counter</code>;
# <code>pairwise(word)</code> gives those of a word.</details>
# <details><summary>Second hint</summary>A word that occurs <code>times</code> times adds
# <code>times</code> for each of its pairs; so does <code>learn</code> in 1.4.</details>


# %%
def most_frequent_pair(words):
    """words: {tuple of symbols: how often} -> (symbol, symbol)"""
    pair = None  # your lines
    return pair


# %%
attempt(check_1_3, most_frequent_pair)

# %% [markdown]
# ## Solutions

# %% tags=["solution"]
# A solution of exercise 1
everything = [i for i in range(tokenizer.n_vocab) if i != tokenizer.endoftext]
answer = max(everything, key=lambda i: len(tokenizer.decode_bytes([i])))
check_1_1(answer, tokenizer)
print(repr(tokenizer.decode([answer])))

# %% tags=["solution"]
# A solution of exercise 2
check_1_2(tokenizer.encode("k") + tokenizer.encode("ing"), tokenizer)


# %% tags=["solution"]
# A solution of exercise 3
def pair_solution(words):
    pairs = Counter()
    for word, times in words.items():
        for pair in pairwise(word):
            pairs[pair] += times
    return max(pairs, key=pairs.get)


check_1_3(pair_solution)

# %% [markdown]
# ## To go on
#
# - The code: [`picogpt/bpe/pretokenize.py`](../picogpt/bpe/pretokenize.py), `merges.py`,
#   `tokenizer.py` and `learn.py`, in this order. To learn a vocabulary of your own: `python -m
#   picogpt.bpe learn --help`.
# - Gage 1994, *A New Algorithm for Data Compression*: byte-pair encoding, made to shorten files.
#   [Sennrich et al. 2016](https://arxiv.org/abs/1508.07909), *Neural Machine Translation of Rare
#   Words with Subword Units*, who used it on words, for the vocabulary of a model. [Radford et al.
#   2019](https://cdn.openai.com/better-language-models/language_models_are_unsupervised_multitask_learners.pdf),
#   section 2.2, on bytes.
# - Next: [notebook 2](02_embeddings_norm_gelu.ipynb), what becomes of an id.
