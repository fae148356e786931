# %% [markdown]
# # 5. Generation
#
# ![You are here: from probabilities to a text](data/here_5.svg)
#
# **Goal:** turn logits into text, and see what every setting does to the distribution.
#
# A language model does not write. It says how likely each token would be as the next one, and
# something else must choose, append, and ask again. This notebook is about the choice; [notebook
# 5b](05b_writing_fast.ipynb) is about the asking. You need [notebook 4](04_forward_pass.ipynb), or
# at least to know that a softmax turns logits into probabilities. About 30 minutes.
#
# > Is picogpt not installed, for example on Colab? Type this in a cell, run it, and restart the
# > kernel: `%pip install "picogpt[notebooks] @ ADDRESS"`. Replace ADDRESS with `file://` and the
# > full path of the project's folder, or `git+` and the address of its repository.

# %%
MODEL = "fairytale"  # or "124M", GPT-2 itself: this downloads 498 MB, the first time

# %%
import math
import textwrap

import matplotlib.pyplot as plt
import numpy as np

import picogpt
from picogpt.classroom import drawings
from picogpt.classroom.checks.verdict import attempt
from picogpt.classroom.checks.writing import check_5_1, check_5_2
from picogpt.classroom.plots import BLUE, GREEN, GREY, ORANGE, RED, token_labels
from picogpt.classroom.texts import TALE
from picogpt.decoding.sampling import (
    Sampling,
    draw,
    keep_min_p,
    keep_top_k,
    keep_top_p,
    penalize_repetition,
    process_logits,
)
from picogpt.ops import log_softmax, softmax

model = picogpt.load(MODEL)
tokenizer, params, config = model.tokenizer, model.params, model.config
START = "Once upon a time there was a"
SURE = "The king was not able"


def show(name, text):
    """Print a text in lines, with "/" for its own line breaks."""
    text = " / ".join(line for line in text.split("\n") if line.strip())
    print(textwrap.fill(text.strip(), 98, initial_indent=f"{name:15} ", subsequent_indent=16 * " "))


# %% [markdown]
# ## 5.1 One step, and the loop around it
#
# Here are two beginnings: one leaves little doubt, the other leaves everything open. The picture
# shows the ten likeliest next tokens of each and, on the right, the whole vocabulary from the
# likeliest to the least likely token, with both axes logarithmic.

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
print(textwrap.fill(START + text, 98))

# %% [markdown]
# ## 5.2 Always the likeliest
#
# Taking the likeliest token sounds like the best one could do. Let the model write a longer text
# that way, and look at the probability of each token when it was chosen; below, the same for a text
# that a person has written.
#
# **Guess first.** Which text has the higher probabilities, the model's or the person's? And in
# which of the two are there tokens that had a chance below one in ten?

# %% alt="Two rows of bars: the probability of each token when it was written. In the model's greedy text none is very low, in a person's text many are."
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
    low = np.mean(np.exp(logprobs) < 0.1)
    print(f"{name}: {low:.0%} of the tokens had a chance below one in ten")
axes[1].set(xlabel="token of the text", ylim=(0, 1))
fig.supylabel("probability when it was written", fontsize=10)
plt.show()

# %% [markdown]
# The likeliest text is not what people write. They say what their reader could not have guessed;
# otherwise why say it? A text without surprises is dull, and soon it is worse: what has appeared
# once becomes likelier to appear again, until the text goes round in circles. How often does a
# group of four tokens repeat an earlier one?


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
# ([Holtzman et al. 2020](https://arxiv.org/abs/1904.09751), *The Curious Case of Neural Text
# Degeneration*, show the same for GPT-2 774M, whose greedy texts also end in loops.)
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
n_top = int(np.isin(chosen, top).sum())
for i in order[:5]:
    print(f"{tokenizer.decode([i])!r:14}{probabilities[i]:11.1%}   {counts[i] / 5000:11.1%}")

print(f"\n{n_top} of the six points landed on one of the twelve")

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
# How much choice does that leave? A draw from $n$ equally likely tokens is as uncertain as can be
# with $n$ tokens. Any other distribution is as uncertain as *some* number of equally likely ones:
# this number is its **perplexity**, and a formula gives it, the exponential of the entropy $-\sum_i
# p_i \log p_i$.
#
# **Guess first.** At which temperature are more than half of all tokens in play, measured in this
# way: 2, 5 or 20?

# %% alt="Left, the distribution at four temperatures, the flatter the higher. Right, the number of tokens in play grows with the temperature up to the whole vocabulary."
z = unsure.astype(float)
for T in (0.5, 2.0):
    power = softmax(z) ** (1 / T)
    assert np.allclose(power / power.sum(), softmax(z / T))
    assert np.array_equal(z / T, process_logits(z, [], Sampling(temperature=T)))


def perplexity(p):
    """How many equally likely tokens would be as uncertain as a draw from p: exp(entropy)."""
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
right.text(20, 1.15 * config.n_vocab, "the whole vocabulary", ha="right", va="bottom", fontsize=8)
right.axvline(1, color=GREY, lw=0.8)
right.set(
    xlabel="temperature $T$", title="How many tokens are in play", ylabel="perplexity of a draw"
)
right.set_xticks([0.1, 1, 10], ["0.1", "1", "10"])
right.set_ylim(0.7, 4 * config.n_vocab)
right.legend(loc="upper left", bbox_to_anchor=(0, 0.9))
plt.show()
for T in (2, 5, 20):
    share = perplexity(softmax(z / T)) / config.n_vocab
    print(f"T = {T:2}: {share:.0%} of the vocabulary in play")

# %%
for T in (0.3, 0.7, 1.0, 1.5):
    show(f"T = {T}", model.generate(START, 60, temperature=T, seed=2))

# %% [markdown]
# At low temperatures the text keeps to the beaten track, and a long one repeats itself, as in 5.2;
# at high ones it falls apart. The dial has no good setting, only bad ones and less bad ones,
# because it turns everything at once: what gives the second and third token a chance also gives one
# to the thousands behind them.
#
# ## 5.5 Cutting off the tail
#
# Look at those thousands. None of them has a chance worth speaking of, but there are many. Take all
# tokens below one in a thousand, at every position in our text: how likely is it that a draw hits
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
# least about tokens that it has seldom seen in such a place, and one that does not fit becomes the
# context of all that follows. So nearly everybody draws only from the top of the distribution.
# There are three usual ways to say where the top ends.
#
# - **top-k**: the $k$ likeliest tokens. (OpenAI's samples of 2019 used $k = 40$.)
# - **top-p**, or nucleus: as few of the likeliest tokens as are needed for their probabilities to
#   add up to $p$.
# - **min-p**: the tokens that are at least $p$ times as likely as the likeliest.
#
# What is cut off gets the logit $-\infty$, and the softmax shares its probability among the rest.
#
# **Guess first.** Where the model is sure, how many tokens will each of the three rules keep? (In
# the picture, what is kept is blue, and ends at the dashed line.)

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
styles = zip(rules.items(), (GREEN, ORANGE, BLUE), ("--", "-", "-"), strict=True)
for (name, keep), colour, line in styles:
    n_kept = [np.isfinite(keep(row)).sum() for row in logits_of_tale[:100]]
    width = 1 if colour == ORANGE else 2
    ax.semilogy(n_kept, color=colour, ls=line, lw=width, drawstyle="steps-mid", label=name)
ax.set(xlabel="position in the text", ylabel="tokens kept", xlim=(0, 99))
ax.set_ylim(0.8, config.n_vocab)
fig.legend(ncols=3, loc="outside upper right")
plt.show()

# %% [markdown]
# Try it: move the sliders, and watch who is left. Then draw a few tokens. Choose another token
# above the sliders, and look for one where the model is sure and one where it is not. (Scripts do
# not run on GitHub, where the cell below stays empty: open the notebook in Jupyter, and run the
# cell.)

# %%
model.explain("The king had three sons. The youngest", 6, boxes=["next", "written"], blocks=[])

# %% [markdown]
# Each rule is a few lines. This is top-p, with the one point that is easy to get wrong: the token
# that *crosses* the threshold is kept, too, so that at least one is always left. Below it, four
# texts by the same seed: the more is cut off, the fewer words come out of nowhere.


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
# A blunter tool works with greedy decoding as well. Tokens that are in the text already get a lower
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
    f"{s} *" if i in refrain_ids else s
    for i, s in zip(best, token_labels(tokenizer, best), strict=True)
]
ax.set_xticks(range(12), labels, rotation=90)
ax.set(ylabel="probability, %", title="... asked the ...      (* was in the text already)")
ax.legend()
plt.show()

# %% [markdown]
# Tokens with a star have lost, and all others have gained what these lost, even those that make no
# sense here. The rule in this form comes from two places. [Keskar et al.
# 2019](https://arxiv.org/abs/1909.05858) (*CTRL*, section 4.1) divide the logit by $\theta$ and
# have one case only. That makes a *negative* logit larger, and so the token likelier. Hugging
# Face's transformers had the same at first, until users found that a larger penalty made words
# repeat more (issue 2302 and pull request 2303, December 2019); since then it multiplies negative
# logits, and so does nearly everybody.
#
# It helps, but there is no theory behind it. A token is punished for having been there, whether it
# is "wolf" or "the" or a comma. And the rule treats 0 as a boundary between likely and unlikely,
# which it is not: only *differences* of logits mean anything. Add the same number to all logits,
# and the model says exactly the same, but the penalty does something else:

# %%
seen = max(
    refrain_ids, key=lambda i: refrain_logits[i]
)  # the likeliest token that was in the text already
print(f"the logit of {tokenizer.decode([seen])!r} is {refrain_logits[seen]:.1f}")
for shift in (0, 10, -40):
    moved = refrain_logits + np.float32(shift)
    before, after = (
        softmax(moved)[seen],
        softmax(penalize_repetition(moved, refrain_ids, 1.3))[seen],
    )
    print(f"with {shift:+3} on all logits: {before:.2%} before the penalty, {after:.2%} after it")

# %% [markdown]
# How much is enough? Greedy texts again, with growing penalties: how much they repeat, and how much
# the model itself is surprised by what it wrote.
#
# **Guess first.** Does a higher penalty cost anything, or can you simply set it high?

# %% alt="Left, repetition falls with the penalty. Right, the model is more and more surprised by its own text."
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
right.set(xlabel="repetition penalty", ylabel="surprise, nats per token")
right.set_ylim(0, 1.3 * max(*means, -person.logprobs[:120].mean()))
left.legend()
right.legend()
plt.show()

for penalty in (1.2, 2.0):
    show(f"penalty {penalty}", model.generate(START, 60, repetition_penalty=penalty))

# %% [markdown]
# The right-hand curve comes near to a person's text or passes it, but not because the text has
# become a person's. Read the last one: it avoids every word that it has had, the little ones too,
# and no longer hangs together. A mean says how surprising a text is, not whether it is any good.
#
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
# one. (A column is grouped by the beginnings that its candidates continue.)

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
# With more beams the search misses less, and as a rule what it finds is likelier.
#
# **Guess first.** Will the text of eight beams be better than that of one?

# %%
for n in (1, 2, 4, 8):
    ((text, score),) = model.beam_search(START, 40, n_beams=n)
    show(f"{n} beam{'s' * (n > 1)}, {score:5.2f}", text)

# %% [markdown]
# (The number is the mean log-probability of a token, its surprise with a minus sign.) The likelier
# text is not the better one, for the reason we met in 5.2: the likeliest text is dull. Beam search
# is at home where there is one right answer, as in translation or in speech recognition. For a
# story, draw.
#
# Texts of different length need one more decision. Every further token lowers the total, so that
# comparing totals favours short texts; the total is divided by the length to the power
# `length_penalty`, 0 for the total itself, 1 (the default) for the mean.

# %% [markdown]
# ## Common mistakes
#
# > - *Top-p that drops the token which crosses the threshold*: where the model is sure, none is
# >   left.
# > - *Cutting without renormalizing*: the rest no longer sums to 1, and a random number may fall
# >   outside all pieces.
# > - *Temperature applied to probabilities*: a common factor, which the next normalization undoes.
# > - *Temperature 0 put into the formula*: a division by zero. Greedy is a case of its own.
# > - *The repetition penalty without its two cases*: dividing a negative logit makes it larger.
# > - *`np.argsort` from the wrong end*: it sorts in ascending order.
# > - *Settings applied in the wrong order*: temperature comes before top-p and changes what top-p
# >   keeps.
# > - *Decoding token by token*: a token may end in the middle of a character (`StreamDecoder`
# >   waits).

# %% tags=["stable"]
p = np.array([0.5, 0.25, 0.15, 0.1])
logits = np.log(p)
print("top-p 0.4 without the crossing token keeps", int((np.cumsum(p) <= 0.4).sum()), "tokens")
print(
    "                     with it, as it should:", int(np.isfinite(keep_top_p(logits, 0.4)).sum())
)

cut = np.where(p >= 0.25, p, 0)
piece = np.searchsorted(np.cumsum(cut[:2]), 0.9)
print(f"top-k 2, not renormalized: sum {cut.sum()}; a point at 0.9 is outside all {piece} pieces")

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
# ## Five quick questions
#
# Nothing to compute: this is just to see what has stuck. Put your five letters into the second
# cell, and "-" for a question that you leave out.

# %% tags=["stable"]
from picogpt.classroom.quiz import quiz

quiz(5)

# %%
quiz(5, "-----")

# %% [markdown]
# ## Exercises
#
# The solutions are at the end. Click on one to open it.
#
# **Exercise 1.** Min-p compares probabilities, and so seems to need a softmax. It does not. Which
# logits does `keep_min_p(logits, min_p)` keep? Write it without any exponential. (The check does
# not see how you do it.)

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
# **Exercise 2.** Find the temperature at which a draw is exactly as uncertain as one among `n`
# equally likely tokens, that is, at which `perplexity(softmax(logits / T))` is `n`. (It grows with
# the temperature, so you can halve an interval. A thousandth more or less is close enough.)

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

# %% [markdown]
# ## To go on
#
# - The code: [`picogpt/decoding/sampling.py`](../picogpt/decoding/sampling.py) has every setting in
#   a few lines, `loop.py` the loop, and `beam.py` the search.
# - [Holtzman et al. 2020](https://arxiv.org/abs/1904.09751) (top-p, and why likely is not good),
#   [Fan et al. 2018](https://arxiv.org/abs/1805.04833) (top-k), [Nguyen et al.
#   2024](https://arxiv.org/abs/2407.01082) (min-p), [Keskar et al.
#   2019](https://arxiv.org/abs/1909.05858) (the penalty).
# - Next: [notebook 5b](05b_writing_fast.ipynb) writes the same texts in less time;
#   [notebook 9](09_at_work.ipynb) puts writing to use.
