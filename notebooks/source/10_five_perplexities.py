# %% [markdown]
# # 10. One model, five perplexities
#
# ![You are here: how good the probabilities are, by five rules](data/here_10.svg)
#
# **Goal:** measure one model on one text by several published protocols, understand why the figures
# differ, and know which of them may be compared with each other.
#
# "Perplexity 29.41", says the paper about GPT-2's smallest model on WikiText-2. Others measured
# 29.94 and 37.37 with the same weights. Nobody made a mistake. A perplexity depends on a
# *protocol*: how the text is cut, what counts as one unit, and what the model sees before each
# token. You need [notebook 0](00_quick_start.ipynb); 9.10 in [notebook 9](09_at_work.ipynb) takes a
# first look at this. About 20 minutes.
#
# > Is picogpt not installed, for example on Colab? Type this in a cell, run it, and restart the
# > kernel: `%pip install "picogpt[notebooks] @ ADDRESS"`. Replace ADDRESS with `file://` and the full
# > path of the project's folder, or with `git+` and the address of its repository.

# %%
import bz2
import lzma
import zlib

import matplotlib.pyplot as plt
import numpy as np

import picogpt
from picogpt.classroom.checks.use import check_10_1, check_10_2
from picogpt.classroom.checks.verdict import attempt
from picogpt.classroom.plots import BLUE, GREEN, GREY, ORANGE, RED
from picogpt.classroom.texts import DATA
from picogpt.evaluate.published import WHY_THEY_DIFFER, other_protocols, published
from picogpt.evaluate.results import run
from picogpt.evaluate.wikitext import read_plain_text, text_figures
from picogpt.model import gpt2
from picogpt.ops import softmax

model = picogpt.load("fairytale")
tokenizer, n_ctx = model.tokenizer, model.config.n_ctx

# %% [markdown]
# ## 10.1 The text
#
# The text is a tale from a book that the model has never seen, *Samba the Coward*. Here is its
# length, counted in four ways:
#
# **Guess first.** How many tokens does a word take, in a text of this kind?

# %% tags=["stable"]
path = DATA / "olive.txt"
text = path.read_text("utf-8").strip()
ids = tokenizer.encode(text)
print(f"{len(text.encode()):6,} bytes")
print(f"{len(text):6,} characters")
print(f"{len(ids):6,} tokens of this model's vocabulary")
print(f"{len(text.split()):6,} words, cut at spaces")

# %% [markdown]
# ## 10.2 Five figures
#
# `picogpt.evaluate` has these protocols as functions, and as a command:
#
#     python -m picogpt.evaluate text olive.txt -m fairytale --protocol rolling
#
# Each cuts the text into windows of at most `n_ctx` tokens, and asks the model for the probability
# of the tokens in them:
#
# - *documents* (ours): windows that overlap by half; each scores the tokens that are new in it, so
#   every token has at least half a window before it, wherever there is that much;
# - *rolling* (lm-evaluation-harness): windows side by side, the last one reaching back;
# - *stream, stride 256* (transformers' page, without overlap): side by side, and the first token of
#   each window is never scored;
# - *stream, stride 32* (the same page, with much overlap): each token has nearly a full window
#   before it, and the model has eight times as much to compute.
#
# **Guess first.** Which protocol will give the lowest perplexity, and by what factor do the lowest
# and the highest differ?


# %%
def figures(protocol, window=n_ctx, stride=None):
    """Perplexities and bits per byte of the tale, by one protocol."""
    whole = read_plain_text(path, protocol, tokenizer, window, stride)
    results = run([[request] for request in whole.requests], model.params, model.config.n_head)
    nats = [-result["logprobs"][0] for result in results]
    return text_figures(whole.requests, nats, whole, protocol == "stream")


measured = {
    "documents": figures("documents"),
    "rolling": figures("rolling"),
    "stream, stride 256": figures("stream", stride=256),
    "stream, stride 32": figures("stream", stride=32),
}
print(f"{'':20} per token  per word  bits per byte")
for name, result in measured.items():
    print(
        f"{name:20} {result['perplexity per token']:9.2f}  {result['perplexity per word']:8.1f}"
        f"  {result['bits per byte']:13.4f}"
    )

# %% [markdown]
# This is one model and one text, and yet the highest perplexity in the table is nearly four times
# the lowest. Two things make the difference.
#
# **The unit** makes most of it. Within a row the sum of the surprises is the same, but it is divided by the number of tokens, of
# words or of bytes before the exponential is taken. A word has more than one token on average, so
# the model is more surprised by a word than by a token. Never put perplexities per word and per
# token in one column.
#
# **The context** makes the differences within a column, of less than a tenth. The more of the text
# the model sees before a token, the better it predicts it. (And *stream* never scores the first
# token of a window, although its bytes and words are counted.) We can measure that directly: here
# is the surprise at the same tokens, with more and more of the text before them. There are only
# some fifty of them, so the curve wobbles at the end.

# %% alt="A curve that falls, and wobbles at the end: the surprise at the same tokens against the number of tokens before them."
lengths = [1, 2, 4, 8, 16, 32, 64, 128, 255]
targets = range(256, len(ids), 64)  # the same tokens for every length
surprise = []
for length in lengths:
    rows = np.array([ids[i - length : i] for i in targets])
    last = gpt2(rows, **model.params, n_head=model.config.n_head, at=np.s_[:, -1])
    probabilities = softmax(last)
    surprise.append(-np.log(probabilities[range(len(rows)), [ids[i] for i in targets]]).mean())

fig, ax = plt.subplots(figsize=(6.5, 3))
ax.plot(lengths, surprise, "o-", color=BLUE)
ax.set(xscale="log", xlabel="tokens before", ylabel="surprise, nats per token")
ax.set_xticks(lengths, lengths)
ax.minorticks_off()
plt.show()

# %% [markdown]
# If windows do not overlap, each one begins with tokens that have next to nothing before them. With
# a short stride, there are no such tokens after the first window. The model is the same.
#
# ## 10.3 What may be compared with what
#
# | compare | only if |
# |---|---|
# | perplexity per token | the text, the vocabulary and the protocol are the same |
# | perplexity per word | the text is the same, the words are counted in the same way, and the protocol is the same |
# | bits per byte | the text and the windows are the same; the vocabulary does not matter |
# | accuracy of a task | the protocol is the same: how answers are cut, compared and normalised |
#
# The published figures of the real GPT-2 show how much a protocol can matter. (LAMBADA asks for the
# last word of a passage, HellaSwag for the best of four endings; `acc_norm` divides the
# log-probability of an ending by its length. [Notebook 9](09_at_work.ipynb) measures such things.)

# %% tags=["stable"]
for task, protocol in (("lambada", "openai"), ("wikitext", "paper"), ("hellaswag", "lm-eval")):
    print(f"{task}, 124M")
    for line in published(task, protocol, "124M"):
        print(f"    {protocol}: {line}")
    for line in other_protocols(task, protocol, "124M"):
        print(f"    {line}")
    print(f"    They differ because {WHY_THEY_DIFFER[task]}.\n")

# %% [markdown]
# ## 10.4 Bits per byte, beside compressors
#
# Bits per byte have a meaning of their own: with a model's predictions and arithmetic coding, the
# text could be stored in that many bits. So the model can be compared with programs that compress.
# They get the same tale, and they have never seen it either. (Only the first bar below has: it
# knows how often each letter occurs in this very text, and nothing else.)
#
# **Guess first.** Which compresses better, a model of this size or the programs that pack files?

# %% alt="Bars of bits per byte: the frequencies of letters, three compressors, and this model, which needs the fewest."
data = text.encode()
compressed = {
    "zlib": len(zlib.compress(data, 9)),
    "bz2": len(bz2.compress(data, 9)),
    "xz": len(lzma.compress(data, preset=9 | lzma.PRESET_EXTREME)),
}
bits = {name: 8 * n / len(data) for name, n in compressed.items()}
counts = np.bincount(np.frombuffer(data, np.uint8), minlength=256)
shares = counts[counts > 0] / counts.sum()
bits = {"frequencies of its letters": -(shares * np.log2(shares)).sum()} | bits
bits["this model"] = measured["documents"]["bits per byte"]
fig, ax = plt.subplots(figsize=(6.5, 2.2))
bars = ax.barh(list(bits), list(bits.values()), color=ORANGE)
bars[-1].set_color(BLUE)
ax.bar_label(bars, fmt="%.2f", padding=3)
ax.invert_yaxis()
ax.set(xlabel="bits per byte", xlim=(0, 5.2))
plt.show()

# %% [markdown]
# Is that fair? The compressors begin with nothing and learn from these few thousand words; the
# model has read tens of millions of letters before. And to unpack the file, you need the model, with all
# its millions of bytes. For one tale that is a bad bargain; for a library it is a good one.
#
# ## 10.5 Are its probabilities true?
#
# Perplexity says how large the probabilities of the right tokens are. We can also ask whether the
# probabilities are *honest*: of all the times that the model was 70 % sure, was it right 70 times
# in a hundred? We take its first choice at every place of the tale, sort by how sure it was, and
# count.
#
# **Guess first.** Is a model usually too sure of itself, or not sure enough?

# %% alt="How often the first choice was right against how sure the model was, at three temperatures. At temperature 1 the points lie near the diagonal."
windows = [ids[i : i + n_ctx] for i in range(0, len(ids) - n_ctx, n_ctx)]
logits = np.concatenate([model(window)[:-1] for window in windows])
nexts = np.concatenate([window[1:] for window in windows])


def calibration(logits, temperature=1.0, n_groups=10):
    """Places in groups of equal size, by how sure the model was: [n_groups, 2], sure and right."""
    probabilities = softmax(logits / temperature)
    sure, right = probabilities.max(-1), probabilities.argmax(-1) == nexts
    groups = np.array_split(np.argsort(sure), n_groups)
    return np.array([(sure[group].mean(), right[group].mean()) for group in groups])


fig, ax = plt.subplots(figsize=(6, 4))
ax.plot([0, 1], [0, 1], color=GREY, ls=":", label="honest")
for temperature, colour, marker in ((1.0, BLUE, "o"), (0.5, RED, "s"), (1.5, GREEN, "^")):
    sure, right = calibration(logits, temperature).T
    ax.plot(sure, right, marker + "-", ms=4, color=colour, label=f"temperature {temperature:g}")
ax.set(xlabel="how sure it was", ylabel="how often it was right", xlim=(0, 1), ylim=(0, 1))
ax.set_aspect("equal")
fig.legend(loc="outside right upper")
plt.show()

# %% [markdown]
# At temperature 1 the points lie near the diagonal. A model that is trained to predict the next
# token gets the lowest loss if its probabilities are honest, and this one stays honest even on a
# book that it has not read. A temperature a little below 1 often makes its texts better, but also
# makes it claim to be surer than it is.
#
# The distance from the diagonal, on average over all places, is the *expected calibration error*:

# %%
for temperature in (0.5, 1.0, 1.5):
    sure, right = calibration(logits, temperature).T
    print(f"temperature {temperature:g}: {100 * np.abs(sure - right).mean():.1f} points")

# %% [markdown]
# ## Common mistakes
#
# > - *Perplexities of two vocabularies in one table.* The larger the tokens, the larger the
# >   surprise for each.
# > - *Perplexity of a text that the model was trained on.* The fables of [notebook 7](07_training.ipynb) are among the
# >   books that `fairytale` has read.
# > - *Means of perplexities.* Take the mean of the surprises, and the exponential at the end.
# > - *A stride chosen because it gives the better figure.*
# > - *A figure without its protocol.* Write down the windows, the unit, and what stands before the
# >   first token.

# %% [markdown]
# ## Five quick questions
#
# Nothing to compute: this is just to see what has stuck. Put your five letters into the second
# cell, and "-" for a question that you leave out.

# %% tags=["stable"]
from picogpt.classroom.quiz import quiz

quiz(10)

# %%
quiz(10, "-----")

# %% [markdown]
# ## Exercises
#
# The solutions are at the end. Click on one to open it.
#
# **Exercise 1.** A model has a perplexity of `per_token` on a text of `n_tokens` tokens and `n_words`
# words. What is its perplexity per word?

# %% [markdown]
# *Medium.*
#
# *Warm-up, without a computer:* What is the sum of all surprises, given the perplexity per token
# and the number of tokens?
#
# <details><summary>Answer</summary>The number of tokens, times the logarithm of the
# perplexity.</details>
#
# <details><summary>First hint</summary>The sum of the surprises is the same; divide it by the
# number of words.</details>
# <details><summary>Second hint</summary>The exponential of that can be written as a power of
# <code>per_token</code>.</details>


# %%
def per_word(per_token, n_tokens, n_words):
    return per_token  # your line


# %%
attempt(check_10_1, per_word)

# %% [markdown]
# **Exercise 2.** A text of `n_bytes` bytes costs the model `nats` nats in all. How many bits per
# byte is that?

# %% [markdown]
# *Easy.*
#
# <details><summary>First hint</summary>How many nats is a bit?</details>
# <details><summary>Second hint</summary>Divide by log 2 and by the number of bytes.</details>


# %%
def bits_per_byte(nats, n_bytes):
    return nats  # your line


# %%
attempt(check_10_2, bits_per_byte)

# %% [markdown]
# ## Solutions


# %% tags=["solution"]
# A solution of exercise 1
def per_word_solution(per_token, n_tokens, n_words):
    return per_token ** (n_tokens / n_words)


check_10_1(per_word_solution)


# %% tags=["solution"]
# A solution of exercise 2
def bits_per_byte_solution(nats, n_bytes):
    return nats / np.log(2.0) / n_bytes


check_10_2(bits_per_byte_solution)

# %% [markdown]
# ## To go on
#
# - The code: [`picogpt/evaluate/`](../picogpt/evaluate/), above all `wikitext.py` for the windows and `published.py` for the
#   figures and their sources.
# - [Radford et al. 2019](https://cdn.openai.com/better-language-models/language_models_are_unsupervised_multitask_learners.pdf), *Language Models are Unsupervised Multitask Learners*, section 3.1.
# - Hugging Face's page [*Perplexity of fixed-length models*](https://huggingface.co/docs/transformers/perplexity), on strides.
# - [Guo et al. 2017](https://arxiv.org/abs/1706.04599), *On Calibration of Modern Neural Networks*.
# - Next: [notebook 11](11_fine_tuning_for_a_task.ipynb) trains the model for a task, and measures that.
