# %% [markdown]
# # 5. Generation
#
# ![You are here: from probabilities to a text](data/here_5.svg)
#
# **Goal:** turn logits into text, see what every setting does to the distribution, and know why a
# cache makes writing fast.
#
# A language model does not write. It says how likely each token would be as the next one, and
# something else must choose, append, and ask again. The first half of this notebook is about the
# choice, the second about the asking. You need [notebook 4](04_forward_pass.ipynb), or at least to know that a softmax turns
# logits into probabilities. About 40 minutes.
#
# > Is picogpt missing here, as on Colab? Type this in a cell, run it, and restart the kernel:
# > `%pip install "picogpt[notebooks] @ ADDRESS"`. In the place of ADDRESS write `file://` and the
# > full path of the project's folder, or `git+` and the address of its repository.

# %%
MODEL = "fairytale"  # or "124M", GPT-2 itself: this downloads 498 MB, the first time

# %%
import math
import textwrap
import time
import warnings

import matplotlib.pyplot as plt
import numpy as np

import picogpt
from picogpt.classroom import drawings
from picogpt.classroom.checks.verdict import attempt
from picogpt.classroom.checks.writing import check_5_1, check_5_2, check_5_3
from picogpt.classroom.plots import BLUE, GREEN, GREY, ORANGE, RED, SKY, loss_bars, token_labels
from picogpt.classroom.texts import TALE
from picogpt.decoding.lookup import Lookup
from picogpt.decoding.loop import Sample, token_steps
from picogpt.decoding.sampling import (
    Sampling,
    draw,
    keep_min_p,
    keep_top_k,
    keep_top_p,
    penalize_repetition,
    process_logits,
)
from picogpt.kv_cache import KVCache
from picogpt.model import gpt2
from picogpt.ops import cross_entropy, log_softmax, softmax
from picogpt.tap import edit, record

model = picogpt.load(MODEL)
tokenizer, params, config = model.tokenizer, model.params, model.config
START = "Once upon a time there was a"
SURE = "The king was not able"


def show(name, text):
    """Print a text in lines, with "/" for its own line breaks."""
    text = " / ".join(line for line in text.split("\n") if line.strip())
    print(textwrap.fill(text, 98, initial_indent=f"{name:15} ", subsequent_indent=16 * " "))


# %% [markdown]
# ## 5.1 One step, and the loop around it
#
# Two beginnings, of which one leaves little doubt and the other leaves everything open: the ten
# likeliest next tokens of each, and, on the right, the whole vocabulary from the likeliest to the
# least likely token, with both axes logarithmic.

# %% alt="Two bar charts of the ten likeliest next tokens, one with a clear favourite and one without; and both distributions over the whole vocabulary, logarithmic."
sure = model(tokenizer.encode(SURE))[-1]  # logits [n_vocab]
unsure = model(tokenizer.encode(START))[-1]

fig, axes = plt.subplots(1, 3, figsize=(8.5, 3.2), width_ratios=[1, 1, 1.4])
ranks = np.arange(1, config.n_vocab + 1)
for ax, logits, title, colour, line in (
    (axes[0], sure, SURE, ORANGE, "--"),
    (axes[1], unsure, START, BLUE, "-"),
):
    best = np.argsort(-logits)[:10][::-1]
    ax.barh(token_labels(tokenizer, best), 100 * softmax(logits)[best], color=colour)
    ax.set_xlabel("probability, %")
    ax.set_title(textwrap.fill(title + " ...", 20), fontsize=10)
    axes[2].loglog(
        ranks,
        np.sort(softmax(logits))[::-1],
        line,
        color=colour,
        label=f"... {' '.join(title.split()[-2:])}",
    )
axes[2].axhline(1 / config.n_vocab, color=GREY, ls=":", label="all equally likely")
axes[2].set(xlabel="rank of the token", ylabel="probability", title="The whole vocabulary")
axes[2].legend(fontsize=8)
plt.show()

# %% [markdown]
# To write, choose a token, append it, and ask again. With the simplest choice, the likeliest token
# (*greedy* decoding), this is all:

# %%
ids = tokenizer.encode(START)
n_prompt = len(ids)
while len(ids) < n_prompt + 20:
    token = int(model(ids)[-1].argmax())
    if token == tokenizer.endoftext:  # the model thinks that the text is over
        break
    ids.append(token)

text = tokenizer.decode(ids[n_prompt:])
assert text == model.generate(START, 20)
print(START + text)

# %% [markdown]
# ## 5.2 Always the likeliest
#
# Taking the likeliest token sounds like the best one could do. Let it write a longer text, and look
# at the probability of each token when it was chosen; below, the same for a text that a person has
# written.
#
# **Guess first.** Which text has the higher probabilities, the model's or the person's? How does
# its picture change towards the end?

# %% alt="Two rows of bars: the probability of each token when it was written. In the model's greedy text nearly all are high, in a person's text high and low ones alternate."
N = 150
greedy = list(model.steps(START, N))
show("greedy", tokenizer.decode(step.id for step in greedy))
person = model.score(TALE)

fig, axes = plt.subplots(2, 1, figsize=(8.5, 3.2), sharex=True, sharey=True)
lines = {
    "the model, always the likeliest": [step.logprob for step in greedy],
    "a person (our tale)": person.logprobs[:N],
}
for ax, (name, logprobs), colour in zip(axes, lines.items(), (ORANGE, BLUE), strict=True):
    ax.bar(range(len(logprobs)), np.exp(logprobs), width=1, color=colour)
    ax.set_title(name, loc="left", fontsize=10)
axes[1].set(xlabel="token of the text", ylim=(0, 1))
fig.supylabel("probability when it was written", fontsize=10)
plt.show()

# %% [markdown]
# The likeliest text is not what people write. They say what their reader could not have guessed;
# otherwise why say it? A text without surprises is dull, and soon it is worse: what is in the
# context once becomes likelier to come again, until the text goes round in circles. How often is
# a group of four tokens one that was there before?


# %%
def repeated(ids, n=4):
    """The share of all groups of n tokens that the text has had before."""
    groups = [tuple(ids[i : i + n]) for i in range(len(ids) - n + 1)]
    return 1 - len(set(groups)) / len(groups)


drawn = [step.id for step in model.steps(START, N, temperature=1.0, seed=1)]
print(f"greedy              {repeated([step.id for step in greedy]):6.1%}")
print(f"drawn at random     {repeated(drawn):6.1%}")
print(f"written by a person {repeated(person.ids[:N].tolist()):6.1%}")

# %% [markdown]
# ([Holtzman et al. 2020](https://arxiv.org/abs/1904.09751), *The Curious Case of Neural Text Degeneration*, show the same for GPT-2
# 774M, whose greedy texts also end in loops.)
#
# ## 5.3 Drawing
#
# The other extreme is to draw each token with the probability that the model gives it. Lay all
# probabilities side by side on a line from 0 to 1, throw a point at the line, and see whose piece
# it lands on: that is how `sampling.draw` does it.
#
# **Guess first.** Six points are thrown at the line. How many will land on one of the twelve
# likeliest tokens?

# %% alt="Probabilities as pieces of a line from 0 to 1, with six random points, each above the token that it picks."
probabilities = softmax(unsure)
order = np.argsort(-probabilities)
ends = np.cumsum(probabilities[order])
points = np.random.default_rng(72).random(6)
chosen = order[np.searchsorted(ends, points, side="right")]

top = order[:12]
fig = drawings.shares_on_a_line(
    probabilities[top], token_labels(tokenizer, top), f"{config.n_vocab - 12:,} others"
)
for point, label in zip(points, token_labels(tokenizer, chosen), strict=True):
    fig.axes[0].plot(point, 0.5, "v", color=RED)
    fig.axes[0].text(point, 0.62, label, va="bottom", rotation=35)
plt.show()

rng = np.random.default_rng(0)
counts = np.bincount([draw(unsure, rng) for _ in range(5000)], minlength=config.n_vocab)
print(f"{'':14}probability   share of 5000 draws")
for i in order[:5]:
    print(f"{tokenizer.decode([i])!r:14}{probabilities[i]:11.1%}   {counts[i] / 5000:11.1%}")

# %% [markdown]
# ## 5.4 Temperature
#
# Between the two extremes there is a dial. Divide the logits $z$ by a temperature $T$ before the
# softmax:
#
# $$p_i(T) = \frac{e^{z_i / T}}{\sum_j e^{z_j / T}} = \frac{p_i^{1/T}}{\sum_j p_j^{1/T}}$$
#
# Every ratio of two probabilities is raised to the power $1/T$. For $T < 1$ the likely get
# likelier, in the limit $T \to 0$ only the likeliest is left; for $T > 1$ they all come closer to
# each other.
#
# **Guess first.** How high must the temperature be for all tokens to be about equally likely: 2, 5
# or 20?

# %% alt="Left, the distribution at four temperatures, the flatter the higher. Right, the number of tokens in play grows with the temperature up to the whole vocabulary."
z = unsure.astype(float)
for T in (0.5, 2.0):
    power = softmax(z) ** (1 / T)
    assert np.allclose(power / power.sum(), softmax(z / T))
    assert np.array_equal(z / T, process_logits(z, [], Sampling(temperature=T)))


def perplexity(p):
    """Among how many equally likely tokens a draw from p would be as uncertain: exp(entropy)."""
    p = p[p > 0]
    return math.exp(-(p * np.log(p)).sum())


fig, (left, right) = plt.subplots(1, 2, figsize=(8.5, 3.4), width_ratios=[1.5, 1])
for T, marker in ((0.3, "s"), (0.7, "D"), (1.0, "o"), (1.5, "^")):
    left.plot(100 * softmax(z / T)[order[:12]], marker=marker, label=f"$T$ = {T}")
left.set_xticks(range(12), token_labels(tokenizer, order[:12]), rotation=90)
left.set(ylabel="probability, %", title=f"{START} ...")
left.legend()
temperatures = np.geomspace(0.05, 20, 60)
for logits, colour, line, name in (
    (sure, ORANGE, "--", "... not able"),
    (z, BLUE, "-", "... was a"),
):
    values = [perplexity(softmax(logits.astype(float) / T)) for T in temperatures]
    right.loglog(temperatures, values, color=colour, ls=line, label=name)
right.axhline(config.n_vocab, color=GREY, ls=":")
right.text(20, config.n_vocab, "the whole vocabulary", ha="right", va="bottom", fontsize=8)
right.axvline(1, color=GREY, lw=0.8)
right.set(
    xlabel="temperature $T$", title="How many tokens are in play", ylabel="perplexity of a draw"
)
right.set_xticks([0.1, 1, 10], ["0.1", "1", "10"])
right.set_ylim(0.7, 4 * config.n_vocab)
right.legend(loc="upper left", bbox_to_anchor=(0, 0.9))
plt.show()

# %%
for T in (0.3, 0.7, 1.0, 1.5):
    show(f"T = {T}", model.generate(START, 60, temperature=T, seed=2))

# %% [markdown]
# Low temperatures tend to repeat, high ones fall apart. The dial has no good setting, only bad ones
# and less bad ones, because it turns everything at once: what makes the first few tokens livelier
# makes the thousands behind them likelier too.
#
# ## 5.5 Cutting off the tail
#
# Look at those thousands. None of them has a chance worth speaking of, but there are many. Take
# all tokens below one in a thousand, at every place of our text: how likely is it that a draw hits
# *one of them*?
#
# **Guess first.** How often does a draw fall on a token with a chance below one in a thousand:
# never, once in a hundred, or more often?

# %%
tale = np.array([tokenizer.endoftext, *tokenizer.encode(TALE)])[: config.n_ctx + 1]
logits_of_tale = model(tale[:-1])
p = softmax(logits_of_tale)
tail = np.where(p < 0.001, p, 0).sum(axis=-1).mean()
written = np.take_along_axis(p, tale[1:, None], axis=-1)
print(f"a draw falls on a token below 0.1 %: {tail:.1%} of the time")
print(f"none of 100 draws does:              {(1 - tail) ** 100:.1e}")
print(f"in the text that a person wrote:     {(written < 0.001).mean():.1%} are such tokens")

# %% [markdown]
# Rare words do belong in a text, as the last line shows. The trouble is which ones: a model knows
# least about tokens that it has seldom seen in such a place, and one that does not fit becomes
# the context of all that follows. So nearly everybody draws from the head of the distribution
# alone. There are three usual ways to say where the head ends.
#
# - **top-k**: the $k$ likeliest tokens. (OpenAI's samples of 2019 used $k = 40$.)
# - **top-p**, or nucleus: the fewest likeliest tokens whose probabilities reach $p$ together.
# - **min-p**: the tokens that are at least $p$ times as likely as the likeliest.
#
# What is cut off gets the logit $-\infty$, and the softmax shares its probability among the rest.
#
# **Guess first.** Where the model is sure, how many tokens will each of the three rules keep?

# %% alt="Six curves of the sorted probabilities, for a sure and an unsure place, with the part shaded that top-k, top-p or min-p keeps. Only top-k keeps the same number in both."
rules = {
    "top-k, k = 40": lambda logits: keep_top_k(logits, 40),
    "top-p, p = 0.9": lambda logits: keep_top_p(logits, 0.9),
    "min-p, p = 0.1": lambda logits: keep_min_p(logits, 0.1),
}
WHITE = {"fc": "white", "ec": "none", "pad": 1}
fig, axes = plt.subplots(2, 3, figsize=(8.5, 4.2), sharex=True, sharey=True)
for row, logits, name in zip(axes, (sure, unsure), ("... not able", "... was a"), strict=True):
    curve = np.sort(softmax(logits))[::-1]
    for ax, keep in zip(row, rules.values(), strict=True):
        n = int(np.isfinite(keep(logits)).sum())
        ax.loglog(ranks, curve, color="black", lw=1)
        ax.fill_between(ranks[:n], curve[:n], 1e-9, color=BLUE)
        if n == 1:  # an area of no width
            ax.bar(1, curve[0], width=0.3, color=BLUE)
        ax.axvline(n + 0.5, color=RED, ls="--", lw=1)
        ax.set_ylim(1e-7, 2)
        kept = f"{n:,} token{'s' if n > 1 else ''} kept"
        ax.text(
            0.97, 0.93, kept, transform=ax.transAxes, ha="right", va="top", color=RED, bbox=WHITE
        )
    row[0].set_ylabel(f"{name}\nprobability")
for ax, rule in zip(axes[0], rules, strict=True):
    ax.set_title(rule)
fig.supxlabel("rank of the token", fontsize=10)
plt.show()

# %% [markdown]
# Where the model is sure, forty tokens are thirty-nine too many; where it is not, they may be too
# few. Top-p and min-p follow the distribution. Here is how many tokens each rule keeps while the
# model reads our text:

# %% tags=["drawing"] alt="Three curves over the places of a text: how many tokens top-k, top-p and min-p keep. Top-k is flat, the others rise and fall."
fig, ax = plt.subplots(figsize=(8.5, 3))
styles = zip(rules.items(), (GREEN, ORANGE, BLUE), ("--", ":", "-"), strict=True)
for (name, keep), colour, line in styles:
    n_kept = [np.isfinite(keep(row)).sum() for row in logits_of_tale[:100]]
    ax.semilogy(n_kept, color=colour, ls=line, drawstyle="steps-mid", label=name)
ax.set(xlabel="place in the text", ylabel="tokens kept", xlim=(0, 99))
ax.set_ylim(0.8, config.n_vocab)
fig.legend(ncols=3, loc="outside upper right")
plt.show()

# %% [markdown]
# Try it: move the sliders, and watch who is left. Then draw a few tokens. Choose another token above
# the sliders, and look for one where the model is sure and one where it is not.
# (Scripts do not run on GitHub, where the cell below stays empty: open the
# notebook in Jupyter, and run the cell.)

# %%
model.explain("The king had three sons. The youngest", 6, boxes=["next", "written"], blocks=[])

# %% [markdown]
# Each rule is a few lines. This is top-p, with the one point that is easily got wrong: the token
# that *crosses* the threshold is kept, too, so that there always is one.


# %%
def nucleus(logits, top_p):
    order = np.argsort(-logits, kind="stable")
    p = softmax(logits[order])
    likelier = np.cumsum(p, dtype=float) - p  # the probability of all likelier tokens together
    kept = order[likelier < top_p]
    result = np.full_like(logits, -np.inf)
    result[kept] = logits[kept]
    return result


for logits in logits_of_tale[:50]:
    assert np.array_equal(nucleus(logits, 0.9), keep_top_p(logits, 0.9))

settings = {
    "everything": {},
    "top-k 40": {"top_k": 40},
    "top-p 0.9": {"top_p": 0.9},
    "min-p 0.1": {"min_p": 0.1},
}
for name, setting in settings.items():
    show(name, model.generate(START, 60, temperature=1.0, seed=4, **setting))

# %% [markdown]
# ## 5.6 Against repetition
#
# A blunter tool works on greedy decoding, too. Tokens that are in the text already get a lower
# logit: with a penalty $\theta > 1$,
#
# $$z_i \to \begin{cases} z_i / \theta & z_i > 0 \\ z_i \cdot \theta & z_i < 0 \end{cases}
# \qquad \text{for every token } i \text{ of the text so far.}$$

# %% alt="Pairs of bars: the probabilities of twelve tokens before and after the penalty. Those that were in the text have become less likely."
refrain = "'Who is there?' asked the wolf. 'It is I,' said the girl. 'Who is there?' asked the"
refrain_ids = tokenizer.encode(refrain)
refrain_logits = model(refrain_ids)[-1]
penalized = penalize_repetition(refrain_logits, refrain_ids, 1.3)
by_hand = [
    z if i not in refrain_ids else z / np.float32(1.3) if z > 0 else z * np.float32(1.3)
    for i, z in enumerate(refrain_logits)
]
assert np.array_equal(by_hand, penalized)

best = np.argsort(-refrain_logits)[:12]
fig, ax = plt.subplots(figsize=(8.5, 3))
ax.bar(np.arange(12) - 0.2, 100 * softmax(refrain_logits)[best], 0.4, color=BLUE, label="before")
ax.bar(
    np.arange(12) + 0.2,
    100 * softmax(penalized)[best],
    0.4,
    color=ORANGE,
    hatch="//",
    ec="white",
    label="with a penalty of 1.3",
)
labels = [
    f"{s} *" if i in refrain_ids else s for i, s in zip(best, token_labels(tokenizer, best), strict=True)
]
ax.set_xticks(range(12), labels, rotation=90)
ax.set(ylabel="probability, %", title="... asked the ...      (* was in the text already)")
ax.legend()
plt.show()

# %% [markdown]
# The rule in this form comes from two places. [Keskar et al. 2019](https://arxiv.org/abs/1909.05858) (*CTRL*, section 4.1) divide the
# logit by $\theta$ and have one case only. That makes a *negative* logit larger, and so the token
# likelier. Hugging Face's transformers had the same at first, until users found words repeated the
# more, the larger the penalty was (issue 2302 and pull request 2303, December 2019); since then it
# multiplies negative logits, and so does nearly everybody.
#
# It helps, and it has no theory. A token is punished for having been there, whether it is "wolf" or
# "the" or a comma. And the rule treats 0 as a boundary between likely and unlikely, which it is
# not: only *differences* of logits mean anything. Add the same number to all logits, and the model
# says exactly the same, but the penalty does something else:

# %%
seen = max(refrain_ids, key=lambda i: refrain_logits[i])  # the likeliest token that was in the text already
print(f"the logit of {tokenizer.decode([seen])!r} is {refrain_logits[seen]:.1f}")
for shift in (0, 10, -40):
    moved = refrain_logits + np.float32(shift)
    before, after = softmax(moved)[seen], softmax(penalize_repetition(moved, refrain_ids, 1.3))[seen]
    print(f"with {shift:+3} on all logits: {before:.2%} before the penalty, {after:.2%} after it")

# %% [markdown]
# How much is enough? Greedy texts again, with growing penalties: how much they repeat, and how
# likely the model itself holds what it wrote.
#
# **Guess first.** Does a higher penalty cost anything, or can one simply take a high one?

# %% alt="Left, repetition falls with the penalty. Right, the text becomes less and less likely to the model."
penalties = [1.0, 1.05, 1.1, 1.2, 1.4, 1.7, 2.0]
shares, means = [], []
for penalty in penalties:
    steps = list(model.steps(START, 120, repetition_penalty=penalty))
    shares.append(100 * repeated([step.id for step in steps]))
    means.append(-np.mean([step.logprob for step in steps]))

fig, (left, right) = plt.subplots(1, 2, figsize=(8.5, 2.8), sharex=True)
left.plot(penalties, shares, "o-", color=ORANGE)
left.axhline(
    100 * repeated(person.ids[:120].tolist()), color=GREY, ls="--", label="a person's text"
)
left.set(
    xlabel="repetition penalty",
    ylabel="repeated groups of 4 tokens, %",
    ylim=(-2, 10 + max(shares)),
)
right.plot(penalties, means, "o-", color=ORANGE)
right.axhline(-person.logprobs[:120].mean(), color=GREY, ls="--", label="a person's text")
right.set(xlabel="repetition penalty", ylabel="how unlikely, nats per token")
right.set_ylim(0, 1.3 * max(*means, -person.logprobs[:120].mean()))
left.legend()
right.legend()
plt.show()

for penalty in (1.2, 2.0):
    show(f"penalty {penalty}", model.generate(START, 60, repetition_penalty=penalty))

# %% [markdown]
# ## 5.7 Beams: searching for the likeliest text
#
# The likeliest next token need not begin the likeliest *text*: the best first step may lead
# nowhere. Trying all texts is out of the question. **Beam search** keeps the `n_beams` best
# beginnings, lets each go on with every token, and keeps the best of all these. Since at most
# `n_beams` of the new ones are kept, the `n_beams` likeliest continuations of each beginning are
# all that can matter.


# %%
def beams_by_hand(prompt, n_beams, length):
    """All candidates of each step, [(ids, total of log-probabilities)], the best first."""
    prompt_ids, beams, history = tokenizer.encode(prompt), [((), 0.0)], []
    for _ in range(length):
        found = []
        for ids, total in beams:
            logprobs = log_softmax(model([*prompt_ids, *ids])[-1])
            for token in np.argsort(-logprobs)[:n_beams]:
                found.append(((*ids, int(token)), total + float(logprobs[token])))
        history.append(sorted(found, key=lambda candidate: -candidate[1]))
        beams = history[-1][:n_beams]
    return history


n_beams, length = 3, 4
FORK = "There was once"
history = beams_by_hand(FORK, n_beams, length)
best_ids, total = history[-1][0]
((text, score),) = model.beam_search(FORK, length, n_beams=n_beams)
assert text == tokenizer.decode(best_ids) and math.isclose(score, total / length, abs_tol=1e-4)

# %% [markdown]
# Here is what it did. Each column is a step; blue ones were kept, grey ones dropped; the number is
# the total of log-probabilities so far. The path that leads to the best text is drawn thick,
# greedy's choices have an orange edge. Where these two part, the likeliest step was not the best
# one.

# %% tags=["drawing"] alt="A tree of beam search in columns: the candidates of each step with their totals, kept ones in blue, dropped ones in grey, the path to the best text thick, greedy's choices edged."
drawings.beam_tree(
    FORK,
    history,
    n_beams,
    label=lambda i: token_labels(tokenizer, [i])[0],
    greedy=tuple(step.id for step in model.steps(FORK, length)),
)
plt.show()

# %% [markdown]
# With more beams the search misses less, and as a rule what it finds is likelier. It is not better,
# for the reason that we have met in 5.2: the likeliest text is dull.
#
# **Guess first.** Will the text of eight beams be better than that of one?

# %%
for n in (1, 2, 4, 8):
    ((text, score),) = model.beam_search(START, 40, n_beams=n)
    show(f"{n} beam{'s' * (n > 1)}, {score:5.2f}", text)

# %% [markdown]
# (The number is the mean log-probability of a token.) Beam search is at home where there is one
# right answer, as in translation or in speech recognition. For a story, draw.
#
# Texts of different length need one more decision. Every further token lowers the total, so that
# comparing totals favours short texts; `length_penalty` is the power of the length by which the
# total is divided, 0 for the total itself, 1 (the default) for the mean.
#
# ## 5.8 The cache of keys and values
#
# So much for the choice; now to how the model is asked. In 5.1 we gave the model the whole text
# again for every new token, although only the end of it was new. What can be kept? Attention is
# causal: nothing at a position depends on later ones ([notebook 3](03_attention.ipynb)). So neither do its keys and
# values, in any block:
#
# **Guess first.** What is the largest difference, if 20 more tokens follow?

# %%
ids = tokenizer.encode(TALE)[:60]
early, whole = {}, {}
model(ids[:40], tap=record(early))
model(ids, tap=record(whole))
differences = [
    np.abs(early[f"h.{i}.attn.{x}"] - whole[f"h.{i}.attn.{x}"][:, :40]).max()
    / np.ptp(whole[f"h.{i}.attn.{x}"])
    for i in range(config.n_layer)
    for x in "kv"
]
assert max(differences) < 1e-5
print(f"largest difference of a key or value, over the range of all: {max(differences):.0e}")

# %% [markdown]
# (If it is not 0, it is rounding: a product with more rows may be added up in another order.) And
# the queries? A query is used once, by its own position, in the pass in which it is made. So a new
# token needs its own query, and the keys and values of everybody before it:

# %% alt="Two triangles of scores: without a cache all of them are computed for a new token, with a cache the last row alone."
drawings.old_and_new_scores(8)
plt.show()

# %% [markdown]
# The cache is two arrays with room for `n_ctx` positions, of which the first `n_past` are filled.
# The prompt goes through the model once, all of it; after that, one token at a time:

# %%
def forward(ids, cache):
    """The logits after the last of the ids, which follow what the cache holds: [n_vocab]."""
    return gpt2(ids, **params, n_head=config.n_head, cache=cache, at=-1)


cache = KVCache(config)
ids = tokenizer.encode(START)
logits = forward(ids, cache)  # the whole prompt
while len(ids) < n_prompt + 20 and logits.argmax() != tokenizer.endoftext:
    ids.append(int(logits.argmax()))
    logits = forward(ids[-1:], cache)  # one token

assert tokenizer.decode(ids[n_prompt:]) == model.generate(START, 20)
print(f"keys   {list(cache.k.shape)}   [n_layer, n_head, n_ctx, n_head_dim]")
print(f"values {list(cache.v.shape)}   {cache.n_past} positions filled")
print(f"{(cache.k.nbytes + cache.v.nbytes) / 1e6:.1f} MB")

# %% [markdown]
# What does it save? We measure the time for one more token, at several lengths of the text, with
# the cache and without. (Without: the whole text again, but the logits only for the last position.)
#
# **Guess first.** How will the time for one more token grow with the length of the text, with the
# cache and without?


# %%
def seconds(f, times=5):
    """The shortest of several runs, which other programs have disturbed least."""
    best = math.inf
    for _ in range(times):
        start = time.perf_counter()
        f()
        best = min(best, time.perf_counter() - start)
    return best


def one_more(ids, cache):
    """The logits after the last of the ids, when the cache holds all others."""
    cache.rewind(len(ids) - 1)
    forward(ids[-1:], cache)


rng = np.random.default_rng(0)
lengths = np.linspace(config.n_ctx / 16, config.n_ctx, 8).astype(int)
with_cache, without = [], []
for n in lengths:
    some_ids = rng.integers(config.n_vocab, size=n).tolist()
    cache = KVCache(config)
    forward(some_ids, cache)
    with_cache.append(seconds(lambda ids=some_ids, cache=cache: one_more(ids, cache)))
    without.append(seconds(lambda ids=some_ids: forward(ids, KVCache(config)), 3))
    print(
        f"at {n:4} tokens: with {1e3 * with_cache[-1]:7.1f} ms, without {1e3 * without[-1]:7.1f} ms"
    )

# %% tags=["drawing"] alt="Left, milliseconds for one more token: growing with the length without a cache, nearly flat with one. Right, the same added up over the text."
every = np.arange(1, config.n_ctx + 1)
fig, (left, right) = plt.subplots(1, 2, figsize=(8.5, 3.2))
for times, colour, line, name in (
    (without, ORANGE, "s--", "without a cache"),
    (with_cache, BLUE, "o-", "with a cache"),
):
    left.plot(lengths, 1e3 * np.array(times), line, color=colour, label=name)
    total = np.interp(every, lengths, times).cumsum()
    right.plot(every, total, line[1:], color=colour, label=name)
    right.text(config.n_ctx, total[-1], f" {total[-1]:.1f} s", va="center")
left.set(xlabel="tokens in the text", ylabel="ms for one more", title="One token")
right.set(
    xlabel="tokens in the text", ylabel="seconds", title="The whole text, one token at a time"
)
right.set_xlim(0, 1.18 * config.n_ctx)
for ax in (left, right):
    ax.set_ylim(0, None)
    ax.legend(loc="upper left")
plt.show()

# %% [markdown]
# Without the cache, a token costs in proportion to the length of the text, and a whole text to the
# square of it. With the cache a token costs nearly the same everywhere: only the scores and the
# weighted means grow with the length, and they are the small part ([notebook 4](04_forward_pass.ipynb) counts it).
#
# The price is memory: $2 \cdot n_\mathrm{layer} \cdot n_\mathrm{ctx} \cdot n_\mathrm{embd}$
# numbers. And there is a new limit. One token cannot keep a processor busy: each weight is fetched
# from memory for a single multiplication. Several texts at once can share it, which is what
# `generate_batch` is for, and 5.10 shows a way for a single one.
#
# ## 5.9 Past the end of the context
#
# GPT-2 has embeddings for `n_ctx` positions and no more. If the text is to go on, something has
# to be forgotten. The obvious way is to slide: drop the first token whenever a new one comes. But
# then *every* token moves to another position, so that all keys and values are wrong, and the
# whole context must be computed again for each token. picogpt drops the older half at once,
# computes the rest again, and then has room for half a context in which the cache works.

# %% alt="Left, the number of tokens that the model sees, a saw-tooth where half is dropped at once. Right, the tokens to compute for each new one, high only where half was dropped."
sample = Sample(
    (tokenizer.encode(TALE) * 9)[: config.n_ctx - 20],  # a long prompt
    choose=lambda logits, ids: draw(keep_top_k(logits, 40), rng),
    end=config.n_ctx - 20 + config.n_ctx // 2 + 60,
)
n_text, n_seen = [], []
with warnings.catch_warnings(record=True) as caught:
    warnings.simplefilter("always")
    for _ in token_steps([sample], params, config, endoftext=-1):  # no token ends it
        n_text.append(len(sample.ids) - 1)  # without the token that was just chosen
        n_seen.append(len(sample.ids) - 1 - sample.start)
print(caught[0].message)

n_text, n_seen = np.array(n_text), np.array(n_seen)
n_read = np.where(np.diff(n_seen, prepend=n_seen[0] - 1) > 0, 1, n_seen)
fig, (left, right) = plt.subplots(1, 2, figsize=(8.5, 3))
left.plot(n_text, n_seen, color=BLUE, label="half dropped at once")
left.plot(n_text, np.minimum(n_text, config.n_ctx), color=ORANGE, ls="--", label="sliding")
left.set(
    xlabel="tokens in the text", ylabel="tokens that the model sees", ylim=(0, 1.1 * config.n_ctx)
)
left.legend(loc="lower left")
right.semilogy(n_text, n_read, color=BLUE, label="half dropped at once")
slid = np.where(n_text > config.n_ctx, config.n_ctx, 1)
right.semilogy(n_text, slid, color=ORANGE, ls="--", label="sliding")
right.set(xlabel="tokens in the text", ylabel="tokens to compute for the next one")
plt.show()

# %% [markdown]
# The same in small, for a context of 16 tokens and a prompt of five. Move the slider, and look for the
# place where the older half is dropped. (Scripts do not run on GitHub, where the cell below stays
# empty; the picture above shows the same for the model's own context.)

# %%
from picogpt.classroom.widgets import cache_slider

cache_slider(n_ctx=16, n_prompt=5)

# %% [markdown]
# On average that is two tokens to compute for each that is written, instead of `n_ctx`. What was
# dropped is gone for good: no GPT-2 remembers the name of a hero whom it last met a thousand tokens
# ago.
#
# ## 5.10 Several tokens in one pass
#
# Reading sixteen tokens takes far less than sixteen times as long as reading one, since the weights
# have to be fetched once in both cases. If only we knew the next tokens! We do not, but we can
# *guess*, and let the model check. A pass over the last token and a guess gives the logits at each
# of these places. Where the guess is what the model would have chosen anyway, its token is written;
# at the first difference, the model's choice is taken and the rest of the guess is thrown away. The
# text is the same as without, whatever is guessed (but for rounding, where two tokens are equally
# likely).
#
# Where does a guess come from? Large systems ask a smaller model (speculative decoding). picogpt
# looks back: if the last three tokens were in the text before, the next ones may be those that
# followed then (prompt lookup).


# %%
def passes_of(prompt, choose, n):
    """How many tokens each pass through the model writes, in a text of n tokens."""
    lookup, lengths = Lookup(), []

    def draft(ids):
        lengths.append(len(ids))
        return lookup(ids)

    ids = tokenizer.encode(prompt)
    n_prompt = len(ids)
    sample = Sample(ids, choose=choose, end=n_prompt + n)
    for _ in token_steps([sample], params, config, endoftext=tokenizer.endoftext, draft=draft):
        pass
    return np.diff([n_prompt, *lengths, len(sample.ids)])


assert [s.id for s in model.steps(START, N, lookup=True)] == [s.id for s in greedy]

# %% [markdown]
# Fairy tales have a place for word-for-word repetition: what happens to the first brother happens
# to the second. In the third text the model has no say: the "choice" is always the next token of
# such a tale.
#
# **Guess first.** Which of the three texts gains the most by looking back?

# %% alt="Three rows of bars: tokens written in each pass. Most passes write one; where a text repeats itself, many."
BROTHERS = """The eldest son set out, and when he came to the well there sat a toad, who said: \
'Give me a piece of your bread, and I will show you the way to the castle.' But he only laughed, \
and went on, and nobody ever saw him again. So the second son set out, and when he came to the \
well there sat a toad, who said: 'Give me a piece of your bread, and I will show you the way to \
the castle.' But he only laughed, and went on, and nobody ever saw him again. Then the youngest \
son set out, and when he came to the well there sat a toad, who said: 'Give me a piece of your \
bread, and I will show you the way to the castle.' And he gave the toad all that he had."""
brothers = tokenizer.encode(BROTHERS)[: config.n_ctx]

texts = {
    "greedy": passes_of(START, lambda logits, ids: int(logits.argmax()), N),
    "drawn at random": passes_of(START, lambda logits, ids: draw(logits, rng), N),
    "three brothers": passes_of("The", lambda logits, ids: brothers[len(ids)], len(brothers) - 1),
}
fig, axes = plt.subplots(3, 1, figsize=(8.5, 4), sharey=True, sharex=True)
for ax, (name, written) in zip(axes, texts.items(), strict=True):
    ax.bar(range(len(written)), written, width=1, color=np.where(written > 1, BLUE, SKY))
    ax.set_title(
        f"{name}: {written.sum()} tokens in {len(written)} passes", loc="left", fontsize=10
    )
axes[2].set(xlabel="pass through the model", xlim=(-1, None))
fig.supylabel("tokens written", fontsize=10)
plt.show()

# %% [markdown]
# A pass writes one token (light), or more where a guess was right (dark). Where nothing comes back
# there is nothing to gain, and the lookup, which keeps an account of what its guesses have cost and
# saved, gives up. A greedy text is somewhere in between, until it falls into a loop.

# %% [markdown]
# ## Common mistakes
#
# > **In the choice:**
# > - *Top-p that drops the token which crosses the threshold*: where the model is sure, none is
# >   left.
# > - *Cutting without sharing out what was cut*: the rest no longer sums to 1, and a random number
# >   may fall on nobody's piece.
# > - *Temperature applied to probabilities*: a common factor, which the next normalization undoes.
# > - *Temperature 0 put into the formula*: a division by zero. Greedy is a case of its own.
# > - *The repetition penalty without its two cases*: dividing a negative logit makes it larger.
# > - *`np.argsort` from the wrong end*: it sorts upwards.
# > - *Settings in another order*: temperature comes before top-p and changes what top-p keeps.
# > - *Decoding token by token*: a token may end within a character (`StreamDecoder` waits).
# >
# > **In the cache:**
# > - *The new token at position 0*: its position is `n_past`.
# > - *A causal mask for one row, made without `n_past`*: `np.tri(1, n)` lets it see the first key
# >   alone.
# > - *Keys and values computed, but not kept*: the new token sees only itself.

# %% tags=["stable"]
p = np.array([0.5, 0.25, 0.15, 0.1])
logits = np.log(p)
print("top-p 0.4 without the crossing token keeps", int((np.cumsum(p) <= 0.4).sum()), "tokens")
print(
    "                     with it, as it should:", int(np.isfinite(keep_top_p(logits, 0.4)).sum())
)

cut = np.where(p >= 0.25, p, 0)
piece = np.searchsorted(np.cumsum(cut[:2]), 0.9)
print(f"top-k 2 not shared out: sum {cut.sum()}; 0.9 falls on piece {piece}, of 0 and 1")

halved = p / 2.0
print("p / T, normalized:      ", (halved / halved.sum()).round(2), " which is p again")
print("softmax(logits / T):    ", softmax(logits / 2.0).round(2))

with np.errstate(divide="ignore", invalid="ignore"):
    print("softmax(logits / 0):    ", softmax(np.array([2.0, 0.0, -1.0]) / 0.0))

negative = np.array([-2.0, -3.0])
print("a penalty on token 0:   ", softmax(negative).round(2), "->", end=" ")
print(softmax(penalize_repetition(negative, [0], 1.5)).round(2))
print("   divided in any case: ", softmax(np.array([-2.0 / 1.5, -3.0])).round(2))
print("argsort()[:2]:          ", np.argsort(logits)[:2], " the two least likely tokens")

kept = [int(np.isfinite(keep_top_p(x, 0.7)).sum()) for x in (logits / 2.0, logits)]
print("top-p 0.7 after T = 2 keeps", kept[0], "tokens, before it", kept[1])

ids = tokenizer.encode("é 🙂")
print("decoded token by token: ", "".join(tokenizer.decode([i]) for i in ids))

# %% [markdown]
# The mistakes in the cache are the same as wrong positions or wrong masks in a plain forward pass,
# so a tap can make them, and the loss on our text says what they cost.


# %% alt="Bars: the loss with each mistake in the cache, all above the right one."
def only_first_key(scores):
    wrong = np.full_like(scores, -np.inf)
    wrong[..., 0] = scores[..., 0]
    return wrong


def only_itself(scores):
    return np.where(np.eye(scores.shape[-1], dtype=bool), scores, np.float32(-np.inf))


def loss(edits):
    return cross_entropy(model(tale[:-1], tap=edit(edits)), tale[1:])


every_score = [f"h.{i}.attn.scores" for i in range(config.n_layer)]
losses = {
    "as it should be": loss({}),
    "every token at position 0": loss({"wpe": lambda x: np.repeat(x[:1], len(x), axis=0)}),
    "mask made without n_past": loss(dict.fromkeys(every_score, only_first_key)),
    "keys and values not kept": loss(dict.fromkeys(every_score, only_itself)),
}
loss_bars(losses, config.n_vocab)

# %% [markdown]
# (A bar that goes beyond the dashed line is a model that does worse than by knowing nothing: it is
# sure of the wrong tokens. [Notebook 4](04_forward_pass.ipynb) says more about it.)

# %% [markdown]
# ## Five quick questions
#
# Nothing to compute: only to see what has stayed. Put your five letters into the second cell, and
# "-" for a question that you leave out.

# %% tags=["stable"]
from picogpt.classroom.quiz import quiz

quiz(5)

# %%
quiz(5, "-----")

# %% [markdown]
# ## Exercises
#
# The solutions are at the end; JupyterLab hides them until you click on the three dots.
#
# **Exercise 1.** Min-p compares probabilities, and so seems to need a softmax. It does not. Which
# logits does `keep_min_p(logits, min_p)` keep? Write it without any exponential.

# %% [markdown]
# *Medium.*
#
# *Warm-up, without a computer:* By how much do two logits differ, if one token is e times as likely
# as the other?
#
# <details><summary>Answer</summary>By 1.</details>
#
# <details><summary>First hint</summary>Divide two probabilities of one softmax: what is left of the
# formula?</details>
# <details><summary>Second hint</summary>Keep <code>p &gt;= min_p * p_max</code>, and take the
# logarithm of both sides.</details>


# %%
def min_p_of_logits(logits, min_p):
    """logits [n_vocab] -> the same, with -inf for what is cut off"""
    return logits  # your line


# %%
attempt(check_5_1, min_p_of_logits)

# %% [markdown]
# **Exercise 2.** Turn the dial until a draw is as uncertain as one among exactly `n` equally likely
# tokens: find the temperature at which `perplexity(softmax(logits / T))` is `n`. (It grows with the
# temperature, so you can halve an interval.)

# %% [markdown]
# *Medium.*
#
# <details><summary>First hint</summary>Begin with an interval that is wide enough, such as 0.001 to
# 1000, and look at its middle.</details>
# <details><summary>Second hint</summary>If the perplexity in the middle is too low, the temperature
# has to be higher. Take the middle of the logarithms.</details>


# %%
def temperature_for(logits, n):
    return 1.0  # your lines


# %%
attempt(check_5_2, temperature_for, sure, unsure)

# %% [markdown]
# **Exercise 3.** You are given a text's ids and the cache that holds all of them. Which ids would
# greedy decoding write next, if the last `n_back` tokens had not been there? Use the cache: read no
# token that it already knows, but one.

# %% [markdown]
# *Hard.*
#
# <details><summary>First hint</summary><code>cache.rewind(n)</code> makes it forget all positions
# from n on. Which logits do you need first?</details>
# <details><summary>Second hint</summary>The logits after the last kept token were not kept: rewind
# one position further, and read this token again.</details>


# %%
def write_again(ids, cache, n_back, n_new):
    """-> the n_new ids that follow ids[:-n_back]"""
    return []  # your lines, with forward(new_ids, cache)


# %%
attempt(check_5_3, write_again, model)

# %% [markdown]
# ## Solutions


# %% tags=["solution"]
# A solution of exercise 1
def min_p_solution(logits, min_p):
    # p_i / p_max = exp(z_i - z_max): the denominators of the softmax cancel.
    return np.where(logits < logits.max() + math.log(min_p), -np.inf, logits)


check_5_1(min_p_solution)


# %% tags=["solution"]
# A solution of exercise 2
def temperature_solution(logits, n):
    low, high = 1e-3, 1e3
    for _ in range(60):
        middle = math.sqrt(low * high)
        if perplexity(softmax(logits / middle)) < n:
            low = middle
        else:
            high = middle
    return middle


check_5_2(temperature_solution, sure, unsure)


# %% tags=["solution"]
# A solution of exercise 3
def again_solution(ids, cache, n_back, n_new):
    kept = ids[:-n_back]
    # The last kept token has to be read once more, since its logits were not kept.
    cache.rewind(len(kept) - 1)
    new = []
    last = kept[-1]
    for _ in range(n_new):
        last = int(forward([last], cache).argmax())
        new.append(last)
    return new


check_5_3(again_solution, model)

# %% [markdown]
# ## To go on
#
# - The code: [`picogpt/decoding/sampling.py`](../picogpt/decoding/sampling.py) has every setting in a few lines, `loop.py` the loop,
#   `beam.py` and `lookup.py` the rest; `KVCache` is in `kv_cache.py`.
# - [Holtzman et al. 2020](https://arxiv.org/abs/1904.09751) (top-p, and why likely is not good), [Fan et al. 2018](https://arxiv.org/abs/1805.04833) (top-k), [Nguyen et al.
#   2024](https://arxiv.org/abs/2407.01082) (min-p), [Keskar et al. 2019](https://arxiv.org/abs/1909.05858) (the penalty), [Leviathan et al. 2023](https://arxiv.org/abs/2211.17192) (guessing and checking).
# - Next: [notebook 6](06_checkpoint.ipynb) reads the weights from OpenAI's file, [notebook 9](09_at_work.ipynb) puts writing to use.
