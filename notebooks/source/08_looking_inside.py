# %% [markdown]
# # 8. Looking inside
#
# ![You are here: what the parts of a trained model do](data/here_8.svg)
#
# **Goal:** find out by experiment what the parts of a trained model do: read its stream half-way,
# watch its heads, take parts away, and move activations from one text into another.
#
# Nobody programmed how a language model knows that a queen is a "she". But unlike a brain, it can
# be stopped anywhere. We can see every number in it, and we can change any of them to see what
# happens. This notebook has five instruments for that, each a few lines in `picogpt/lens/`. You
# should have read notebooks [3](03_attention.ipynb) and [4](04_forward_pass.ipynb). About 40
# minutes.
#
# > Is picogpt not installed, for example on Colab? Type this in a cell, run it, and restart the
# > kernel: `%pip install "picogpt[notebooks] @ ADDRESS"`. Replace ADDRESS with `file://` and the full
# > path of the project's folder, or with `git+` and the address of its repository.

# %%
MODEL = "fairytale"  # or "124M", GPT-2 itself: this downloads 498 MB, the first time

# %%
import matplotlib.pyplot as plt
import numpy as np

import picogpt
from picogpt import lens
from picogpt.classroom.checks.inside import check_8_1, check_8_2, check_8_3
from picogpt.classroom.checks.verdict import attempt
from picogpt.classroom.plots import BLUE, DIVERGING, GREEN, GREY, ORANGE, SKY, heatmap, token_labels
from picogpt.classroom.texts import TALE
from picogpt.config import Config
from picogpt.model import gpt2
from picogpt.ops import cross_entropy, softmax, token_logprobs
from picogpt.tap import edit, record
from picogpt.train.init import initial_params

model = picogpt.load(MODEL)
tokenizer, params, config = model.tokenizer, model.params, model.config
n_layer, n_head = config.n_layer, config.n_head
tale = np.array(tokenizer.encode(TALE))

# %% [markdown]
# ## 8.1 A stream that everything adds to
#
# All instruments use the tap: a function that is called with every activation, under its name, and
# may return another one instead. `record` keeps what passes; `edit` replaces it. We need both at
# the same time:


# %%
def run(ids, edits=None):
    """The logits, and all activations, of a run in which the edits are made."""
    activations = {}
    keep, change = record(activations), edit(edits or {})
    logits = model(ids, tap=lambda name, x: keep(name, change(name, x)))
    return logits, activations


_, activations = run(tale[:-1])

# %% [markdown]
# One fact makes GPT-2 easy to look into. No block ever replaces the residual stream: each reads it,
# and *adds* to it, once after attention and once after the MLP. So what reaches the
# end is a plain sum:
#
# $$x_\mathrm{end} = \mathrm{embed} + \sum_i \left(\mathrm{attn}_i + \mathrm{mlp}_i\right)$$

# %%
total = activations["embed"]
for i in range(n_layer):
    total = total + activations[f"h.{i}.attn.c_proj"] + activations[f"h.{i}.mlp.c_proj"]
end = activations[f"h.{n_layer - 1}.resid"]
assert np.abs(total - end).max() < 1e-5 * np.ptp(end)

# %% [markdown]
# ## 8.2 The logit lens: what would it say now?
#
# At the end the stream is normed and compared with the embedding of every token, which gives the
# logits. We can do the same half-way, with the stream $x_i$ after $i$ blocks (in the picture, the
# row "block $i - 1$", since blocks are counted from 0):
#
# $$\mathrm{logits}_i = \mathrm{layer\_norm}(x_i)\; \mathrm{wte}^\top$$
#
# It is the answer of a model that has only the first $i$ blocks. nostalgebraist, who thought of it
# in 2020, called it the *logit lens*. `lens.logit_lens` gives the readings at all depths. Below,
# each column is a position and each row is a depth. Each field shows the token that this reading
# thinks likeliest as the next one. The darker the field, the surer the reading.
#
# **Guess first.** What will the lowest row say, with no block at all: the next token, the token
# itself, or nothing sensible?

# %% alt="A table of positions and depths: in each field the token that the logit lens reads there, the darker the surer."
sentence = "The king had three sons, and he loved the youngest"
ids = np.array(tokenizer.encode(sentence))
logits, seen = run(ids)
readings = lens.logit_lens(seen, params)  # [n_layer + 1, n_seq, n_vocab]
assert np.array_equal(readings[-1], logits)

chances = softmax(readings)
fig, ax = plt.subplots(figsize=(8.5, 0.9 + 0.28 * len(readings)))
depths = ["embed", *(f"block {i}" for i in range(n_layer))]
image = heatmap(
    ax, chances.max(axis=-1), depths, token_labels(tokenizer, ids), vmax=1, aspect="auto"
)
for depth, row in enumerate(readings.argmax(axis=-1)):
    for position, text in enumerate(token_labels(tokenizer, row)):
        dark = chances[depth, position].max() > 0.6
        colour = "white" if dark else "black"
        ax.text(position, depth, text, ha="center", va="center", fontsize=6.5, color=colour)
ax.tick_params(labelsize=8)
ax.invert_yaxis()
ax.set_title("The likeliest next token, read after each block (the end of the model is on top)")
fig.colorbar(image, label="its probability", pad=0.01)
plt.show()

# %% [markdown]
# The lowest row mostly repeats the token that stands there: the stream holds nothing but that
# token's embedding, and the table that it is compared with is the table that it came from. The
# first block already turns "what is here" into "what may come next"; the later ones take the rest
# of the sentence into account. Somewhere on the way up each column settles on its answer, easy ones
# early, others only in the last block.
#
# For a whole text, two curves show the same: how well each reading predicts, and how often its
# first guess is already the one that the model ends with.

# %% alt="Left, the loss of the readings falls with the depth. Right, the share of positions whose first guess is already the final one rises to all."
readings = lens.logit_lens(activations, params)
losses = [cross_entropy(reading, tale[1:]) for reading in readings]
agreement = (readings.argmax(axis=-1) == readings[-1].argmax(axis=-1)).mean(axis=-1)

fig, (left, right) = plt.subplots(1, 2, figsize=(7.5, 2.4))
left.plot(losses, "o-", color=BLUE)
left.axhline(np.log(config.n_vocab), color=GREY, ls="--")
left.text(n_layer, np.log(config.n_vocab), "knows nothing", ha="right", va="bottom", color=GREY)
left.set(ylim=(0, None), ylabel="loss, nats per token", title="How well each reading predicts")
right.plot(100 * agreement, "s-", color=GREEN)
right.set(ylim=(0, 105), ylabel="positions, %", title="First guess as at the end")
for ax in (left, right):
    ax.set_xlabel("blocks before the reading")
    ax.set_xticks(range(0, n_layer + 1, max(1, n_layer // 6)))
plt.show()

# %% [markdown]
# (Without any block the loss is even above that of a model that knows nothing: this reading is sure
# that each token comes again at once.)
#
# A warning, which holds for every instrument: it shows only what it can see. The last norm and the
# table of tokens were trained to read the *last* stream. An early block may keep something in a
# direction that only later blocks can read. So a bad reading does not mean that the model knows
# nothing yet. ([Belrose et al. 2023](https://arxiv.org/abs/2303.08112) learn a small correction for
# each depth, the *tuned lens*.)
#
# ## 8.3 What heads look at
#
# [Notebook 3](03_attention.ipynb) showed the attention maps of one sentence. Here is a summary of a longer text: the
# share of its attention that each head gives, on average, to four kinds of places.
#
# **Guess first.** Which of the four gets the largest share from a single head: the token itself,
# the one before, the first token of the text, or the same token earlier on?

# %% alt="Four matrices of blocks and heads: how much each head looks at itself, at the previous token, at the first one, and at the same token earlier on."
maps = lens.attention_maps(activations, n_layer)  # [n_layer, n_head, n_seq, n_seq]
n_seq = maps.shape[-1]
places = np.arange(n_seq)
earlier = places[:, None] > places
same = (tale[:-1, None] == tale[:-1]) & earlier  # [n_seq, n_seq]: the same token, earlier on
repeated = same.any(axis=-1)

patterns = {
    "the token itself": lens.lookback(maps, 0)[..., 1:].mean(axis=-1),
    "the one before it": lens.lookback(maps, 1)[..., 1:].mean(axis=-1),
    "the first token": maps[..., 2:, 0].mean(axis=-1),
    "the same token earlier": (maps * same).sum(axis=-1)[..., repeated].mean(axis=-1),
}
largest = max(share.max() for share in patterns.values())
fig, axes = plt.subplots(1, 4, figsize=(8.5, 2.4), sharey=True)
for ax, (name, share) in zip(axes, patterns.items(), strict=True):
    image = heatmap(ax, 100 * share, range(n_layer), range(n_head), vmax=100 * largest)
    ax.set_title(name, fontsize=9)
    ax.set_xlabel("head")
    ax.tick_params(axis="x", rotation=0)
    block, head = np.unravel_index(share.argmax(), share.shape)
    print(f"most to {name:22}: block {block}, head {head}, {share.max():.0%}")
axes[0].set_ylabel("block")
fig.colorbar(image, ax=axes, label="attention, %", shrink=0.8)
plt.show()

# %% [markdown]
# In `fairytale` the one before gets the largest share, and the token itself comes next. The page
# that `model.explain` makes shows every head's map, and the lens below. Choose a head to enlarge
# its map, and a token to see what the model would say after it. (What its table calls *induction*
# comes in 8.6. Scripts do not run on GitHub, where the cell below stays empty: open the notebook in
# Jupyter, and run the cell.)

# %%
model.explain("The king and the queen. The king", 4, boxes=["attention", "lens"], blocks=[])

# %% [markdown]
# It is tempting to read such a map as "what matters to what". But a weight says only *where* a head
# looks. What it takes from there is the value $v_j$, and what arrives in the stream is this value
# times the head's part $W$ of `c_proj`. A large weight on a small value changes little. So let us
# multiply each weight by the length of what it brings, $p_{ij}\,|v_j W|$, make the rows sum to 1
# again, and compare the result with the plain weights: how much of the attention would have to move
# from some places to others?
#
# **Guess first.** How much of all attention moves elsewhere if each weight is multiplied by what it
# brings: 1 %, 10 % or a third?

# %%
values = np.stack([activations[f"h.{i}.attn.v"] for i in range(n_layer)])
w = np.stack([block["attn"]["c_proj"]["w"] for block in params["h"]])
brought = np.linalg.norm(values @ w.reshape(n_layer, n_head, config.n_head_dim, -1), axis=-1)
weighed = maps * brought[:, :, None]  # [n_layer, n_head, n_seq, n_seq]
weighed /= weighed.sum(axis=-1, keepdims=True)
# What one place loses another gains, so half of all changes is what has moved.
moved = np.abs(weighed - maps).sum(axis=-1).mean(axis=-1) / 2  # [n_layer, n_head]

block, head = np.unravel_index(moved.argmax(), moved.shape)
print(f"attention that moves, mean over all heads: {moved.mean():.0%}")
print(f"most in block {block}, head {head}: {moved.max():.0%}")

# %% [markdown]
# One case is known from many models. A head's weights have to sum to 1, even when the head has
# nothing to say. So it learns to *rest* on a place where there is little to fetch. In GPT-2 124M
# that is the first token, whatever it is: it gets 57 % of all attention, and over 97 % in some
# heads ([Vig and Belinkov 2019](https://arxiv.org/abs/1906.04284), section 5.2.3). No head of
# `fairytale` rests there: the third picture is pale. To find out what a head is good for, we have
# to change it.
#
# ## 8.4 Taking a head away
#
# The simplest experiment of all: silence one head, and see how much the loss rises. That is called
# *ablation*. `lens.ablate_heads` makes the edit. It can replace what the head says by zeros or,
# with `mean_of`, by what it said on average. With the mean, only what the head says about *this*
# position is lost, and the later blocks still get the constant part that they have learned to count
# on.
#
# **Guess first.** By how much does the loss rise without the one head that the model misses most:
# by 0.01, 0.1 or 1 nat per token?

# %% alt="Two matrices of blocks and heads: how much the loss rises when a head is replaced by its mean, and by zeros."
loss = cross_entropy(run(tale[:-1])[0], tale[1:])


def cost(heads, mean_of=activations) -> float:
    """By how much the loss on the tale rises without these heads, in nats per token."""
    edits = lens.ablate_heads(heads, config, mean_of)
    return cross_entropy(run(tale[:-1], edits)[0], tale[1:]) - loss


everyone = [(i, j) for i in range(n_layer) for j in range(n_head)]
costs = np.reshape([cost([pair]) for pair in everyone], (n_layer, n_head))
zero_costs = np.reshape([cost([pair], None) for pair in everyone], (n_layer, n_head))

largest = max(np.abs(costs).max(), np.abs(zero_costs).max())
fig, axes = plt.subplots(1, 2, figsize=(8.5, 3), sharey=True)
for ax, matrix, name in zip(axes, (costs, zero_costs), ("its mean", "zeros"), strict=True):
    rows, columns = range(n_layer), range(n_head)
    image = heatmap(ax, matrix, rows, columns, cmap=DIVERGING, vmin=-largest, vmax=largest)
    ax.tick_params(axis="x", rotation=0)
    ax.set(xlabel="head", title=f"A head replaced by {name}")
axes[0].set_ylabel("block")
fig.colorbar(image, ax=axes, label="the loss rises by,\nnats per token")
plt.show()

costliest = np.unravel_index(costs.argmax(), costs.shape)
print(f"loss of the whole model:  {loss:.3f}")
print(
    f"without its costliest head, block {costliest[0]}, head {costliest[1]}:  {loss + costs.max():.3f}"
)
print(f"heads whose removal costs less than 0.01 nats: {(costs < 0.01).sum()} of {costs.size}")

# %% [markdown]
# Without any one of its heads, the model loses little: in `fairytale` less than a tenth of a nat,
# and where the field is orange it even gains a little. That does not mean that a head does little:
# often another one does the same, and steps in. (With zeros another head looks the most important:
# the method matters.) What happens when more and more of them are removed? We remove them in the
# order of what each costs alone, once with the cheapest first, and once with the costliest first:
#
# **Guess first.** How many of the cheapest heads can be removed before the loss rises clearly: a
# tenth, a third, or most of them?

# %% alt="Two curves of the loss against the share of heads that are replaced: it rises late with the cheapest first, early with the costliest first."
order = np.argsort(costs, axis=None)
numbers = np.unique(np.linspace(0, costs.size, 13).astype(int))
fig, ax = plt.subplots(figsize=(8, 2.7))
orders = (("cheapest first", order, "o-"), ("costliest first", order[::-1], "s--"))
for name, chosen, style in orders:
    curve = [loss + cost([everyone[i] for i in chosen[:n]]) for n in numbers]
    ax.plot(100 * numbers / costs.size, curve, style, label=name)
ax.axhline(np.log(config.n_vocab), color=GREY, ls=":", label="a model that knows nothing")
ax.set(
    xlabel="heads replaced by their mean, % of all", ylabel="loss, nats per token", ylim=(0, None)
)
ax.set_title("How much attention does the model need?")
ax.legend(loc="upper left", bbox_to_anchor=(1, 1))
plt.show()

# %% [markdown]
# `fairytale` can do without a third of its heads as if nothing had happened; the costliest are
# missed at once. The two curves must meet at both ends. In between, the larger the area between
# them, the more unequally the work is shared. At the right end there is no attention at all. What
# remains is a model of which token follows which, since only the token itself and its position are
# left to predict from.
#
# Which tokens does the costliest head help to predict? Here are those whose probability falls by
# the largest factor without it:

# %%
edits = lens.ablate_heads([costliest], config, activations)
before = token_logprobs(run(tale[:-1])[0], tale[1:])
after = token_logprobs(run(tale[:-1], edits)[0], tale[1:])
texts = token_labels(tokenizer, tale)
print(f"without head {costliest[1]} of block {costliest[0]}:")
for i in np.argsort(after - before)[:6]:
    context = "".join(texts[max(0, i - 7) : i + 1])
    print(f"{context:>44} | {texts[i + 1]:10} {np.exp(before[i]):6.1%} -> {np.exp(after[i]):6.1%}")

# %% [markdown]
# Some of them are the next word of a set phrase, such as "in a moment" or "a good heart". This fits
# with 8.3, where the same head looked most at the token before.
#
# ## 8.5 Moving an activation from one text into another
#
# Taking a part away shows that it is needed, but not what information it carries. There is a better
# experiment for that. Take two texts that differ in only one word, and in what follows from it:
#
# > The **king** was so tired that ... *he*
# >
# > The **queen** was so tired that ... *she*
#
# Run the model on the second text and record the run. Then run it on the first, and at *one* place,
# after one block and at one position, put in the activation from the second. If the answer turns
# from "he" to "she", the information was there. If nothing happens, it was not there, or it no
# longer mattered. This is *activation patching*, and `lens.patch` makes the edit.
#
# With one pair of texts, the result may be a coincidence. So we take nine pairs at once, as a
# batch. We measure the difference of the two logits, "he" minus "she".

# %%
PAIRS = """king queen, prince princess, man woman, boy girl, father mother, son daughter,
brother sister, husband wife, lord lady"""
pairs = [pair.split() for pair in PAIRS.split(",")]
text = "The {} was so tired that"
he_ids, she_ids = (
    np.array([tokenizer.encode(text.format(pair[which])) for pair in pairs]) for which in (0, 1)
)
(place,) = np.flatnonzero((he_ids != she_ids).any(axis=0))  # the noun's position
labels = token_labels(tokenizer, he_ids[0])
labels[place] = "·king/queen"
he, she = tokenizer.encode(" he")[0], tokenizer.encode(" she")[0]


def leaning(logits):
    """How far the model leans towards "he": [n_pairs, n_seq, n_vocab] -> [n_pairs]."""
    return logits[:, -1, he] - logits[:, -1, she]


he_logits, _ = run(he_ids)
she_logits, she_run = run(she_ids)
for pair, a, b in zip(pairs, leaning(he_logits), leaning(she_logits), strict=True):
    print(f"{pair[0]:8} {a:+.2f}    {pair[1]:9} {b:+.2f}")

# %% [markdown]
# Now we patch at every depth and every position. The number says how far the patch has moved the
# answer from the first column to the second: 0 for no effect, 1 if the model answers as if it had
# read the other noun.
#
# **Guess first.** At which position is the gender of the noun after the first block? And after the
# last? After which block does it move?


# %% alt="A table of depths and positions: how far the patch turns he into she. Below, the noun's position counts; on top, the last position."
def share(edits):
    """How far the edits take the runs of "king" to those of "queen": the mean over all pairs."""
    way = leaning(he_logits) - leaning(she_logits)
    gone = leaning(he_logits) - leaning(run(he_ids, edits)[0])
    return gone.mean() / way.mean()


names = ["embed", *(f"h.{i}.resid" for i in range(n_layer))]
positions = range(place, he_ids.shape[-1])
effect = np.array([[share(lens.patch(she_run, [name], [p])) for p in positions] for name in names])
assert np.isclose(effect[0, 0], 1) and np.isclose(effect[-1, -1], 1)

fig, ax = plt.subplots(figsize=(6, 1.2 + 0.27 * len(names)))
image = heatmap(
    ax, effect, depths, labels[place:], ".2f", cmap=DIVERGING, vmin=-1, vmax=1, aspect="auto"
)
ax.tick_params(axis="x", rotation=0)
ax.invert_yaxis()
ax.set(xlabel="patched at this position", title='How far the patch turns "he" into "she"')
fig.colorbar(image, label="share of the way")
plt.show()

# %% [markdown]
# Choose a cell: how does the model answer with this patch, for king and queen? (Scripts do not run
# on GitHub, where the cell below stays empty; the picture above has the same shares.)

# %%
from picogpt.classroom.widgets import patch_chooser


def he_or_she(some_logits):
    """The probabilities of "he" and "she" in the first pair: [2]."""
    return softmax(some_logits[0, -1])[[he, she]]


answers = [
    [he_or_she(run(he_ids, lens.patch(she_run, [name], [p]))[0]) for p in positions]
    for name in names
]
as_they_are = [[he_or_she(some_logits)] * len(positions) for some_logits in (he_logits, she_logits)]
patch_chooser(depths, labels[place:], effect, np.array(answers + as_they_are), ["he", "she"])

# %% [markdown]
# Read the picture from the bottom up. At first everything depends on the noun: patch its embedding,
# and the model has read another text. At the end everything depends on the last position, since the
# prediction is made there. In between, the information must have *moved*, and only one thing in
# GPT-2 moves anything between positions: attention. It happens in the blocks where the left column
# fades and the right one grows, in `fairytale` in blocks 3 and 4. The columns in between stay pale:
# the last position fetches the noun's gender directly.
#
# Which heads do that? We patch what each head says at the last position, and nothing else.
# (`lens.put` makes an edit that replaces the numbers at a given place in an array; `lens.patch`
# uses it.)
#
# **Guess first.** How many heads will carry most of it: one, a few, or nearly all?


# %%
def heads_from(source, heads):
    """Edits that take what some heads, (block, head) each, say at the last position from a run."""
    edits = {}
    for block in {block for block, _ in heads}:
        name = f"h.{block}.attn.heads"  # [n_pairs, n_head, n_seq, n_head_dim]
        where = (..., [j for i, j in heads if i == block], -1, slice(None))
        edits[name] = lens.put(where, source[name][where])
    return edits


by_head = np.reshape([share(heads_from(she_run, [pair])) for pair in everyone], costs.shape)
four = [everyone[i] for i in np.argsort(-by_head, axis=None)[:4]]
for block, head in four:
    print(f"block {block}, head {head}: {by_head[block, head]:.2f} of the way")
print(f"all heads, each alone, added up: {by_head.sum():.2f}")

# %% [markdown]
# One head carries half of it, and four carry most. (The sum may pass 1: block 4 reads what block 3
# has written, so a part is counted twice.) Are these the heads that look at the noun? We measure
# how much each head looks from the last token at the noun, in the texts with "king" and the other
# men, and in those with "queen" and the other women:

# %% tags=["drawing"] alt="Left, a matrix of what each head does to the answer. Right, the same against how much the head looks at the noun, with the four strongest named."
_, he_run = run(he_ids)
gazes = [lens.attention_maps(r, n_layer)[..., -1, place].mean(axis=1) for r in (he_run, she_run)]

fig, (left, right) = plt.subplots(1, 2, figsize=(8.5, 2.9))
largest = np.abs(by_head).max()
limits = {"cmap": DIVERGING, "vmin": -largest, "vmax": largest}
image = heatmap(left, by_head, range(n_layer), range(n_head), **limits)
left.tick_params(axis="x", rotation=0)
left.set(xlabel="head", ylabel="block", title="Share of the way, by each head")
fig.colorbar(image, ax=left, shrink=0.8)
right.plot(100 * np.stack([g.ravel() for g in gazes]), np.stack([by_head.ravel()] * 2), color=GREY)
for gaze, marker, name in zip(gazes, "os", ("king", "queen"), strict=True):
    right.plot(100 * gaze.ravel(), by_head.ravel(), marker, ls="", label=name)
for i, (block, head) in enumerate(four):
    side, ha = ((max, "left"), (min, "right"))[i % 2]  # two of them may lie close together
    x = 100 * side(gaze[block, head] for gaze in gazes)
    right.annotate(f"  {block}.{head}  ", (x, by_head[block, head]), ha=ha, va="center")
right.set(xlabel="attention to the noun, %", ylabel="share of the way", xlim=(-15, 115))
right.set_title("... and how much it looks (block.head)")
right.legend(loc="upper center", bbox_to_anchor=(0.5, -0.2), ncols=2)
plt.show()

# %% [markdown]
# The picture on the right shows why looking is not enough. A head may look hard at the noun without
# passing on its gender: such a head is far to the right, near zero. And a head can pass something
# on in two ways: by *what* it takes from the noun, or by *whether* it looks at all. A head whose
# two marks are far apart, like 4.1 in `fairytale`, works like a detector: it looks at one kind of
# noun and ignores the other.
#
# The last test goes the other way round. Patch *only* these four heads, at the last position, while
# all the rest of the model reads "king":
#
# **Guess first.** How far do four heads move the answer: less than half of the way, or more?

# %%
edits = heads_from(she_run, four)
print(f"the four heads together: {share(edits):.2f} of the way")

rows = {
    "as it is": he_logits,
    "four heads from the queen's run": run(he_ids, edits)[0],
    "the queen's run itself": she_logits,
}
print(f"\n{'The king was so tired that ...':37} he     she")
for name, some_logits in rows.items():
    chances = softmax(some_logits[0, -1])
    print(f"   {name:31} {chances[he]:8.1%} {chances[she]:7.1%}")

# %% [markdown]
# Four heads of forty go nine tenths of the way. So we can say where in the model one small piece of
# grammar is found. Larger models are studied in the same way: [Wang et al.
# 2022](https://arxiv.org/abs/2211.00593) followed how GPT-2 124M completes "When Mary and John went
# to the store, John gave a drink to ..." through 26 heads, most of them found by patching.
#
# ## 8.6 Induction heads
#
# A *circuit* is a group of parts that do one thing together. One circuit is so useful that every
# transformer develops it if it is large enough and has read enough. It answers the question: *what
# came next last time?* If a tale has a "tailor Hans", the next "tailor" will probably be called
# Hans as well. This takes two heads, one after the other:
#
# 1. In an early block, a *previous-token head* writes into each position which token stands before
#    it.
# 2. In a later block, an *induction head* at a token A looks for the position that says "A stands
#    before me", and copies the token that it finds there: B.
#
# So after $A\,B \ldots A$ comes $B$, for any $A$ and $B$, even if the model has never seen them
# together before. This cannot be a memory of the training text: it is learning from the context.
# ([Elhage et al. 2021](https://transformer-circuits.pub/2021/framework/index.html) and [Olsson et
# al. 2022](https://arxiv.org/abs/2209.11895) found and named it.)
#
# Before we search for such heads, let us *build* them, so that we know what we are looking for. We
# take a GPT-2 with two blocks of one head each, and write its matrices by hand. `gpt2` runs them as
# if they had been learned. The stream has three parts: which token this is (26 letters, and a dot
# for the beginning of a text), which token stands before it (27 again), and the position. (The
# layer norms do no harm: they shift and stretch all numbers of a vector alike.)

# %%
ALPHABET = ".abcdefghijklmnopqrstuvwxyz"
n, n_ctx = len(ALPHABET), 41
token, before, position = slice(0, n), slice(n, 2 * n), slice(2 * n, 2 * n + n_ctx)
tiny = Config(n_vocab=n, n_ctx=n_ctx, n_embd=2 * n + n_ctx, n_head=1, n_layer=2)
by_hand = initial_params(tiny, np.random.default_rng(0))
for block in by_hand["h"]:
    for layer in (*block["attn"].values(), *block["mlp"].values()):
        layer["w"][:] = 0

by_hand["wte"][:] = np.eye(n, tiny.n_embd)  # a 1 in the part "token"
by_hand["wpe"][:] = np.eye(n_ctx, tiny.n_embd, k=2 * n)  # a 1 in the part "position"

# Block 0. Position i asks for i - 1, each offers its own number, and hands over its token; the
# answer is written into the part "before".
SHARP = 8  # the larger, the closer the softmax comes to a plain choice
attn = by_hand["h"][0]["attn"]
q, k, v = np.split(attn["c_attn"]["w"], 3, axis=-1)  # views: to fill them fills c_attn
q[position, position] = SHARP * np.eye(n_ctx, k=-1)
k[position, position] = np.eye(n_ctx)
v[token, token] = np.eye(n)
attn["c_proj"]["w"][token, before] = np.eye(n)

# Block 1. Each position looks for one whose previous token is its own, and copies the token there.
attn = by_hand["h"][1]["attn"]
q, k, v = np.split(attn["c_attn"]["w"], 3, axis=-1)
q[token, token] = SHARP * np.eye(n)
k[before, token] = np.eye(n)
v[token, token] = np.eye(n)
attn["c_proj"]["w"][token, token] = 4 * np.eye(n)  # louder than the token itself

# %% [markdown]
# That is all: the two embeddings and eight small matrices. Seven of these are the identity times a
# number, and one is a shift by one place. We let the model read twenty letters in random order,
# twice.
#
# **Guess first.** Which of the forty letters will it guess right?

# %% tags=["stable"]
rng = np.random.default_rng(7)
small_period = 20
letters = rng.permutation(np.arange(1, n))[:small_period]  # none of them twice
puzzle = np.array([0, *letters, *letters])
small_run = {}
small_logits = gpt2(puzzle, **by_hand, n_head=1, tap=record(small_run))
guesses = small_logits.argmax(axis=-1)[:-1]
right = guesses == puzzle[1:]


def spell(ids):
    return "".join(ALPHABET[i] for i in ids)


print(f"it reads:    {spell(puzzle)}")
print(f"its guesses:  {spell(guesses)}")
print(f"right:        {''.join('*' if ok else ' ' for ok in right)}")

# %% tags=["drawing"] alt="Two attention maps of the hand-made model. Block 0: one line beside the diagonal. Block 1: a pale triangle of even weights in the first round, and one dark line 19 positions back in the second."
small_maps = lens.attention_maps(small_run, tiny.n_layer)
fig, axes = plt.subplots(1, 2, figsize=(7.5, 3.4))
titles = ("Block 0: the previous token", "Block 1: what came next last time")
for ax, matrix, title in zip(axes, small_maps[:, 0], titles, strict=True):
    image = heatmap(ax, matrix, vmax=1)
    ax.set_xticks(range(0, n_ctx, 10), range(0, n_ctx, 10))
    ax.set_yticks(range(0, n_ctx, 10), range(0, n_ctx, 10))
    ax.set_xlabel("position looked at")
    ax.set_title(title, fontsize=10)
axes[0].set_ylabel("position that looks")
fig.colorbar(image, ax=axes, label="attention weight", shrink=0.8)
plt.show()

# %% [markdown]
# It guesses the second round, all but its first letter: how could it know that the text begins
# again? Look at the map on the right. In the first round, no letter has been seen before, so
# nothing fits better than anything else, and the head looks at all of them equally. In the second
# round there is one dark line, 19 positions back. It is not at the same letter (that would be 20),
# but at the one after it.
#
# In a real model we look for maps like these two, and simple numbers find them: for the first,
# `lens.lookback` with distance 1; for the second, `lens.induction_scores`, the mean weight that
# each token of the repetition puts on the token after its previous occurrence. In our model:

# %% tags=["stable"]
inner = small_maps[..., 1:, 1:]  # without the dot, which does not come again
print(f"to the previous token, block 0: {lens.lookback(inner, 1)[0, 0].mean():.2f}")
print(f"induction score, block 1:       {lens.induction_scores(inner, small_period)[1, 0]:.2f}")
for silent in (0, 1):
    tap = edit(lens.ablate_heads([(silent, 0)], tiny))
    guesses = gpt2(puzzle, **by_hand, n_head=1, tap=tap).argmax(axis=-1)[:-1]
    n_right = (guesses == puzzle[1:]).sum()
    print(f"right without the head of block {silent}: {n_right} instead of 19")

# %% [markdown]
# Each head needs the other, and the second reads what the first has written. So it takes two
# blocks: heads of the same block cannot read each other.
#
# And the trained model? We give it random tokens of its own vocabulary, twice. Nobody has ever
# written such a text, and only the repetition can help.
#
# **Guess first.** Does such a small model have induction heads? If it does, what would its loss be
# in the second round?

# %% alt="Two matrices of blocks and heads: how much each looks at the previous token, and its induction score."
period = 50
rng = np.random.default_rng(0)
random_ids = np.tile(rng.integers(config.n_vocab - 1, size=(4, period)), 2)
random_logits, random_run = run(random_ids)
random_maps = lens.attention_maps(random_run, n_layer)  # [n_layer, 4, n_head, n_seq, n_seq]
scores = lens.induction_scores(random_maps, period).mean(axis=1)
previous = lens.lookback(random_maps, 1).mean(axis=(1, -1))
block, head = np.unravel_index(scores.argmax(), scores.shape)

chance = np.mean(1 / np.arange(period + 1, 2 * period + 1))
logprobs = token_logprobs(random_logits[:, :-1], random_ids[:, 1:])
print(f"best induction score: {scores.max():.3f}, block {block}, head {head}")
print(f"the score of a head that spreads its attention evenly: {chance:.3f}")
print(f"loss, first time: {-logprobs[:, : period - 1].mean():.2f}, nats per token")
print(f"loss, second time: {-logprobs[:, period:].mean():.2f}")

fig, axes = plt.subplots(1, 2, figsize=(8, 2.7), sharey=True)
titles = ("looks at the previous token", f"induction score (highest: {scores.max():.2f})")
largest = max(previous.max(), scores.max())
for ax, matrix, title in zip(axes, (previous, scores), titles, strict=True):
    image = heatmap(ax, matrix, range(n_layer), range(n_head), vmax=largest)
    ax.tick_params(axis="x", rotation=0)
    ax.set(title=title, xlabel="head")
axes[0].set_ylabel("block")
fig.colorbar(image, ax=axes, label="mean attention weight")
plt.show()

# %% [markdown]
# A model with induction heads has scores of 0.5 and more in some heads of its later half, and its
# loss is much lower the second time. In GPT-2 124M, heads 5.5 and 6.9 are two of several (block and
# head; Wang et al. 2022). `fairytale` has only a trace of induction: one head with eight times the
# score of even attention, and a loss that falls a little. (Both losses lie far above
# $\log n_\mathrm{vocab}$, because the model is sure that a tale would go on in another way.) Olsson
# et al. saw such heads appear rather suddenly, in one short phase early in training, after the
# model had read billions of tokens; `fairytale` has read far fewer.
#
# Random tokens are a hard test, far from anything that a model of stories has ever read. Here is an
# easier one: a name that it cannot know. How much do the parts of the name surprise the model each
# time it comes back?

# %% alt="Stacked bars for the five occurrences of the name: the surprise of its first token, and that of its spelling, which falls from 25 nats to 9."
name = " Marzipolda"
story = f"""There was once a girl who was called{name}. One day{name} went into the forest, and\
 there{name} met a wolf. 'Where are you going,{name}?' said the wolf, and{name} began to weep."""
story_ids, name_ids = np.array(tokenizer.encode(story)), np.array(tokenizer.encode(name))
surprise = -token_logprobs(run(story_ids[:-1])[0], story_ids[1:])
starts = [
    i for i in range(len(story_ids)) if np.array_equal(story_ids[i : i + len(name_ids)], name_ids)
]
times = np.array([surprise[i - 1 : i - 1 + len(name_ids)] for i in starts])  # [n_times, n_parts]

numbers = np.arange(1, len(times) + 1)
fig, ax = plt.subplots(figsize=(6.5, 2.8))
ax.bar(numbers, times[:, 0], color=SKY, label="its first token")
spelling = times[:, 1:].sum(axis=-1)
bars = ax.bar(numbers, spelling, bottom=times[:, 0], color=BLUE, label="its spelling, the rest")
ax.bar_label(bars, fmt="%.0f", label_type="center", color="white")
ax.set(xlabel="occurrence of the name", ylabel="surprise, nats")
ax.set_title("Does it learn a name while it reads?")
ax.legend(loc="upper left", bbox_to_anchor=(1, 1))
plt.show()

# %% [markdown]
# With strong induction heads, the dark part, the spelling, would almost vanish from the second time
# on: once the first piece of the name has come, the rest is just a matter of looking back. If the
# model read the name for the fifth time as if it were the first, it would keep its height.
# `fairytale` is in between: it learns the name, but slowly.

# %% [markdown]
# ## Common mistakes
#
# > - *Taking attention for an explanation.* A weight says where a head looks. Multiply it by the
# >   size of the value or, better, patch (8.3, 8.5).
# > - *The lens without the last norm.* The stream grows from block to block, and `wte` expects a
# >   vector of the size that `ln_f` makes. Without it the readings are far too sure, or not sure
# >   enough.
# > - *Zeros in place of a head.* They take away its constant part, too, and put the model into a
# >   state that never occurred in training. What you measure then is partly the effect of this
# >   strange state.
# > - *Texts of different lengths.* Then the same word has different positions in the two texts.
# >   Patching needs pairs with the same number of tokens and the noun in the same place.
# > - *One example.* A single pair of texts proves nothing. Look at how much the effect varies.
# > - *Searching for the strongest of many, and reporting only that one.* Among hundreds of heads
# >   some look interesting by chance. Find it on one set of texts, and measure it on another
# >   (exercise 3).
# > - *Induction tested on a text that makes sense.* There the second time is easier for many
# >   reasons.

# %% [markdown]
# **The lens without the last norm**, in numbers, on the tale:

# %%
names = ["embed", *(f"h.{i}.resid" for i in range(n_layer))]
without = [cross_entropy(activations[name] @ params["wte"].T, tale[1:]) for name in names]
print("blocks    with ln_f    without    (loss, nats per token)")
for depth in range(n_layer + 1):
    print(f"{depth:6}    {losses[depth]:9.2f}    {without[depth]:7.1f}")

# %% [markdown]
# **Zeros in place of a head**, for all heads of one block at a time, beside their mean. Mostly they
# do more damage (in `fairytale` everywhere but in block 1):

# %%
print("block    by its mean    by zeros    (the loss rises by)")
for i in range(n_layer):
    heads = [(i, j) for j in range(n_head)]
    print(f"{i:5}    {cost(heads):11.3f}    {cost(heads, None):8.3f}")

# %% [markdown]
# **Texts of different lengths** are refused:

# %%
_, longer_run = run(tokenizer.encode("The old queen was so very tired that"))
try:
    run(he_ids[0], lens.patch(longer_run, ["h.0.resid"]))
except ValueError as error:
    print(error)

# %% [markdown]
# **One example, or nine.** Here is the share of the way that the strongest head goes, in each pair:

# %%
strongest = heads_from(she_run, four[:1])
way = leaning(he_logits) - leaning(she_logits)
each = (leaning(he_logits) - leaning(run(he_ids, strongest)[0])) / way
print(*(f"{pair[0]}/{pair[1]} {x:.2f}" for pair, x in zip(pairs, each, strict=True)), sep=", ")

# %% [markdown]
# **A text that makes sense.** Are the tale's tokens easier when they come again? They are, even for
# a model with hardly any induction, since the tokens that come again are the frequent ones.

# %%
nats = -token_logprobs(run(tale[:-1])[0], tale[1:])
again = np.array([token in tale[: i + 1] for i, token in enumerate(tale[1:])])
print(f"new tokens: {nats[~again].mean():.2f} nats, repeated tokens: {nats[again].mean():.2f}")

# %% [markdown]
# ## Five quick questions
#
# Nothing to compute: this is just to see what has stuck. Put your five letters into the second
# cell, and "-" for a question that you leave out.

# %% tags=["stable"]
from picogpt.classroom.quiz import quiz

quiz(8)

# %%
quiz(8, "-----")

# %% [markdown]
# ## Exercises
#
# The solutions are at the end. Click on one to open it.
#
# **Exercise 1.** *Who wrote the answer?* The last norm divides each position by one number, its
# standard deviation. If you take that number as given, the rest is linear: "he" minus "she" is a
# sum over the parts that were added to the stream. Write the function that returns what one part
# contributes. The norm is $(x - \bar x) / \sigma \cdot g + b$, the logit of a token its dot product
# with that token's row of `wte`.

# %% [markdown]
# *Medium.*
#
# <details><summary>First hint</summary>Subtract the mean, divide by <code>sigma</code>, multiply by
# the gain: which of these steps depend on the other parts?</details>
# <details><summary>Second hint</summary>None does, once <code>sigma</code> is given. Then the dot
# product with <code>towards</code>; the norm's bias belongs to no part.</details>

# %%
stream = she_run[f"h.{n_layer - 1}.resid"][0, -1]  # [n_embd], the queen's, at the last position
sigma = np.sqrt(stream.var() + 1e-5)
towards = params["wte"][he] - params["wte"][she]  # [n_embd]


def contribution(part):
    """part: [n_embd], one of those whose sum is the stream -> its share of "he" minus "she"."""
    return 0.0  # your line


# %%
parts = {"embed": she_run["embed"][0, -1]}
for i in range(n_layer):
    for branch in ("attn", "mlp"):
        parts[f"{branch} {i}"] = she_run[f"h.{i}.{branch}.c_proj"][0, -1]


# %%
attempt(check_8_1, contribution, stream, parts, towards, params["ln_f"])

# %% [markdown]
# **Exercise 2.** Patch *one* activation at *one* position, after at least one block, so that the
# king's run gives exactly the queen's last logits. (The picture in 8.5 shows what these depend on.)

# %% [markdown]
# *Easy.*
#
# *Warm-up, without a computer:* On which activations do the logits of the last position depend, at
# the very end?
#
# <details><summary>Answer</summary>On the stream at that position, and on nothing else.</details>
#
# <details><summary>First hint</summary>Which single vector decides everything that the last
# position says?</details>
# <details><summary>Second hint</summary>The stream after the last block, at the last
# position.</details>

# %%
one_patch = {}  # your answer: lens.patch(she_run, [a name], [a position])


# %%
attempt(check_8_2, one_patch, model, he_ids, she_ids)

# %% [markdown]
# **Exercise 3.** We chose four heads on one sentence, and measured them on the same sentence. How
# far do these four move the answer in another sentence? (`heads_from` needs a run of the other
# sentence.)

# %% [markdown]
# *Hard.*
#
# <details><summary>First hint</summary>You need four runs: both texts as they are, the second one
# recorded, and the first with the edits.</details>
# <details><summary>Second hint</summary><code>heads_from(run(ids_of_the_second)[1], four)</code>
# makes the edits; then a mean over all pairs, as in <code>share</code>.</details>

# %%
OTHER = "Once upon a time there was a {} who was so poor that"
answer = None  # a number: the share of the way on OTHER, by the heads in `four`


# %%
attempt(check_8_3, answer, model, pairs, OTHER, four)

# %% [markdown]
# ## Solutions


# %% tags=["solution"] alt="Bars: what each part of the model contributes to the logit of he minus she."
# A solution of exercise 1
def contribution_solution(part):
    return (part - part.mean()) / sigma * params["ln_f"]["g"] @ towards


check_8_1(contribution_solution, stream, parts, towards, params["ln_f"])
pieces = {name: contribution_solution(part) for name, part in parts.items()}
fig, ax = plt.subplots(figsize=(7, 2.8))
colours = [GREY, *[ORANGE, BLUE] * n_layer]
ax.bar(list(pieces), list(pieces.values()), color=colours)
ax.axhline(0, color="black", lw=0.8)
ax.tick_params(axis="x", rotation=90)
ax.set_ylabel('logit of "he" minus "she"')
ax.set_title("Who writes the answer to: The queen was so tired that")
plt.show()
# In fairytale the attention of blocks 3 and 4 writes "she"; the MLPs of blocks 0 and 4 say "he".

# %% tags=["solution"]
# A solution of exercise 2
# The logits of the last position are made of nothing but the last stream at that position.
check_8_2(
    lens.patch(she_run, [f"h.{n_layer - 1}.resid"], [he_ids.shape[-1] - 1]), model, he_ids, she_ids
)

# %% tags=["solution"]
# A solution of exercise 3
poor_he, poor_she = (
    np.array([tokenizer.encode(OTHER.format(pair[which])) for pair in pairs]) for which in (0, 1)
)
poor_run = run(poor_she)[1]
patched = leaning(run(poor_he, heads_from(poor_run, four))[0])
before, after = leaning(model(poor_he)), leaning(model(poor_she))
solution = (before - patched).mean() / (before - after).mean()
check_8_3(solution, model, pairs, OTHER, four)
print(f"{solution:.2f} of the way; {share(heads_from(she_run, four)):.2f} where they were found")

# %% [markdown]
# ## To go on
#
# - The code: [`picogpt/lens/`](../picogpt/lens/), and [`picogpt/tap.py`](../picogpt/tap.py), on which it stands.
# - [nostalgebraist 2020](https://www.lesswrong.com/posts/AcKRB8wDpdaN6v6ru/interpreting-gpt-the-logit-lens), *interpreting GPT: the logit lens*. [Belrose et al. 2023](https://arxiv.org/abs/2303.08112), *Eliciting Latent
#   Predictions from Transformers with the Tuned Lens*.
# - [Elhage et al. 2021](https://transformer-circuits.pub/2021/framework/index.html), *A Mathematical Framework for Transformer Circuits*. [Olsson et al. 2022](https://arxiv.org/abs/2209.11895),
#   *In-context Learning and Induction Heads*. [Wang et al. 2022](https://arxiv.org/abs/2211.00593), *Interpretability in the Wild*.
# - [Meng et al. 2022](https://arxiv.org/abs/2202.05262), *Locating and Editing Factual Associations in GPT*, section 2.1, for patching.
# - Next, [notebook 9](09_at_work.ipynb) asks what the whole model can be used for.
