# %% [markdown]
# # 3. Attention
#
# ![You are here: what a position learns from those before it](data/here_3.svg)
#
# **Goal:** compute an attention head by hand, know why each of its parts is there, and read the
# attention maps of a trained model.
#
# Everything else in GPT-2 works on one position at a time, as if the other words were not there.
# Attention is the only place where a word learns something about the words before it. You need to
# know what a vector, a matrix product and a probability are; in 3.3 also a variance and a
# derivative. What a block and a tap are, [notebook 0](00_quick_start.ipynb) says in its
# section 0.7. About 35 minutes.
#
# > Is picogpt not installed, for example on Colab? Type this in a cell, run it, and restart the
# > kernel: `%pip install "picogpt[notebooks] @ ADDRESS"`. Replace ADDRESS with `file://` and the
# > full path of the project's folder, or `git+` and the address of its repository.

# %%
MODEL = "fairytale"  # or "124M", GPT-2 itself: this downloads 498 MB, the first time

# %%
import math

import matplotlib.pyplot as plt
import numpy as np

import picogpt
from picogpt.classroom.checks.parts import check_3_1, check_3_2, check_3_3
from picogpt.classroom.checks.verdict import attempt
from picogpt.classroom.plots import BLUE, GREY, ORANGE, RED, heatmap, loss_bars, token_labels
from picogpt.classroom.texts import TALE
from picogpt.lens import attention_maps, lookback
from picogpt.model import merge_heads, split_heads
from picogpt.ops import causal_attention, causal_mask, cross_entropy, softmax
from picogpt.tap import record

model = picogpt.load(MODEL)
n_layer, n_head, n_head_dim = model.config.n_layer, model.config.n_head, model.config.n_head_dim

# %% [markdown]
# ## 3.1 A dictionary that gives soft answers
#
# A Python dictionary compares a *query* with all its *keys*, finds the one that is equal, and
# returns its *value*. Attention is a dictionary of vectors in which no key has to match exactly:
#
# 1. compare the query with every key: the dot product $q \cdot k_j$ is large where they point the
#    same way;
# 2. turn these scores into shares $p_j$ that are positive and sum to 1, the *attention weights*:
#    that is the softmax;
# 3. return the mean of the values with these weights: $\sum_j p_j v_j$.
#
# In a transformer, which is a model built like the drawing in notebook 0, every position makes
# three vectors of its own: a query ("what am I looking for?"), a key ("what can I be found by?")
# and a value ("what do I tell those who find me?"). Each is the position's vector times a matrix
# that was learned. In one formula:
#
# $$\mathrm{attention}(Q, K, V) = \mathrm{softmax}\!\left(\frac{Q K^\top}{\sqrt{d}} + M\right) V$$
#
# where the rows of $Q$, $K$ and $V$ are the positions' vectors, $d$ is how many numbers each has
# (`n_head_dim`), and $M$ is the mask, which we come to below.

# %% [markdown]
# ## 3.2 One head by hand
#
# Three tokens, and vectors of $d = 4$ numbers, chosen so that you can do the arithmetic without a
# calculator. Rows are positions.

# %%
tokens = ["a", "red", "fox"]
q = np.array([[1, 0, 1, 0], [0, 2, 0, 2], [2, 2, 0, 0]], np.float32)
k = np.array([[0, 0, 2, 2], [1, 1, 1, 1], [1, 0, 1, 0]], np.float32)
v = np.array([[1, 0, 0, 1], [0, 1, 0, 1], [0, 0, 1, 1]], np.float32)

# %% [markdown]
# **Scores.** Every query meets every key: row $i$, column $j$ is $q_i \cdot k_j$. For "fox" and
# "red" it is $2 \cdot 1 + 2 \cdot 1 + 0 \cdot 1 + 0 \cdot 1 = 4$.

# %% tags=["stable"]
scores = q @ k.T
scores

# %% [markdown]
# **Scale.** The scores are divided by $\sqrt{d} = 2$.

# %% tags=["stable"]
scaled = scores / math.sqrt(4)
scaled

# %% [markdown]
# **Mask.** GPT-2 is trained to guess the next token at all positions at once, so no position may
# see a later one. Adding $-\infty$ to those scores turns them into $e^{-\infty} = 0$ in the
# softmax.

# %% tags=["stable"]
masked = scaled + causal_mask(3, 0, np.float32)  # 3 new positions, 0 before them
masked

# %% [markdown]
# **Softmax.** Each row becomes $e^{s_j} / \sum_i e^{s_i}$. "a" can only look at itself; "red" has
# two equal scores; "fox" has the scores 0, 2 and 1:
#
# $$\frac{(e^0, e^2, e^1)}{e^0 + e^2 + e^1} = \frac{(1,\ 7.39,\ 2.72)}{11.11} = (0.09,\ 0.67,\ 0.24)$$

# %% tags=["stable"]
weights = softmax(masked)
weights.round(2)

# %% [markdown]
# **Mean of the values.** Our values are made so that the result can be read: the first three
# columns repeat the weights, and the last one is their sum, which is always 1.

# %% tags=["stable"]
output = weights @ v
output.round(2)

# %% [markdown]
# These five lines are all there is. The library's function does the same:

# %% alt="Four small matrices of three tokens, with numbers: the scores, the scaled scores, the masked ones, and the weights."
assert np.array_equal(output, causal_attention(q, k, v))

fig, axes = plt.subplots(1, 4, figsize=(8.5, 2.5))
steps = {"$QK^T$": scores, "scaled": scaled, "masked": masked, "softmax: the weights": weights}
for ax, (title, matrix) in zip(axes, steps.items(), strict=True):
    numbers = ".2f" if matrix is weights else ".0f"
    heatmap(ax, matrix, tokens, tokens, numbers, vmax=matrix.max())
    ax.set_title(title)
axes[0].set_ylabel("query of")
fig.supxlabel("key of", fontsize=10)
plt.show()

# %% [markdown]
# ## 3.3 Why the scores are divided by $\sqrt{d}$
#
# A dot product is a sum of $d$ products. If all numbers are independent with mean 0 and variance 1,
# each product has variance 1, the sum has variance $d$, and so the scores have size $\sqrt{d}$: the
# longer the vectors, the larger the scores. That is harmless for the scores, but not for the
# softmax. If one score is far above the others, its share is nearly 1, all others are nearly 0, and
# *small changes of the scores change nothing*. A model learns from slopes ([notebook
# 7](07_training.ipynb)): it asks of each number which way it should move, and here the answer is
# nowhere. The derivative of the share $p_j$ with respect to its own score is $p_j (1 - p_j)$, which
# is 0 at both ends.
#
# Let us measure it: a random query meets 32 random keys, for $d$ from 1 to 1024.
#
# **Guess first.** For which $d$ has the softmax without the scale lost half of its slope?

# %% alt="Left, the size of dot products grows as the root of d. Right, the slope of the softmax stays with the scale and falls to nothing without it."
rng = np.random.default_rng(0)
sizes = 2 ** np.arange(11)
spread, slopes, scaled_slopes = [], [], []
for d in sizes:
    queries, keys = rng.standard_normal((200, 1, d)), rng.standard_normal((200, 32, d))
    dots = (queries @ keys.swapaxes(-1, -2))[:, 0]  # [200, 32]
    spread.append(dots.std())
    for kept, some_scores in ((slopes, dots), (scaled_slopes, dots / math.sqrt(d))):
        p = softmax(some_scores)
        kept.append((p * (1 - p)).sum(axis=-1).mean())

fig, (left, right) = plt.subplots(1, 2, figsize=(8.5, 3))
left.loglog(sizes, np.sqrt(sizes), color=GREY, label=r"$\sqrt{d}$")
left.loglog(sizes, spread, "o", color=BLUE, label="measured")
left.set(xlabel="$d$, numbers in a vector", ylabel="standard deviation of $q \\cdot k$")
right.semilogx(sizes, scaled_slopes, "o-", color=BLUE, label=r"softmax of $q \cdot k / \sqrt{d}$")
right.semilogx(sizes, slopes, "s--", color=RED, label=r"softmax of $q \cdot k$")
right.set(xlabel="$d$, numbers in a vector", ylabel="sum of all $p_j (1 - p_j)$", ylim=(0, 1))
for ax in (left, right):
    ax.set_xticks([1, 10, 100, 1000], ["1", "10", "100", "1000"])
    ax.legend()
left.set_yticks([1, 10], ["1", "10"])
left.set_title(r"Dot products grow as $\sqrt{d}$ ...")
right.set_title("... and then the softmax has no slope left")
plt.show()
half = next(d for d, s, kept in zip(sizes, slopes, scaled_slopes, strict=True) if s < kept / 2)
print(f"at d = {half} more than half of the slope is lost")

# %% [markdown]
# In numbers: without the scale, this much of the slope would be left:

# %%
rng = np.random.default_rng(1)
for d in (32, 64):
    queries, keys = rng.standard_normal((4000, 1, d)), rng.standard_normal((4000, 32, d))
    dots = queries @ keys.swapaxes(-1, -2)
    slope, scaled_slope = ((p * (1 - p)).sum() for p in map(softmax, (dots, dots / math.sqrt(d))))
    print(f"with d = {d}: {slope / scaled_slope:.0%}")

# %% [markdown]
# GPT-2's heads have $d = 64$ in every size; smaller models often have $d = 32$. (This holds for
# queries and keys whose numbers have size 1. Training can make them larger or smaller, and so
# decide how sharp each head is.)
#
# ## 3.4 Why the mask comes before the softmax
#
# It looks as if one could just as well take the softmax of everything and set the later weights to
# zero afterwards. Two things go wrong. The rows no longer sum to 1:

# %% tags=["stable"]
masked_late = softmax(scaled) * np.tri(3, dtype=np.float32)
masked_late.sum(axis=-1).round(2)

# %% [markdown]
# And the future still has a say. The denominator of the softmax contains the scores of the later
# keys, so that the key of "fox" changes the weight that "red" gives to "a":

# %% tags=["stable"]
other_k = k.copy()
other_k[2] = [0, 3, 0, 3]  # a different third word
late = softmax(q @ other_k.T / 2) * np.tri(3, dtype=np.float32)
print("mask after the softmax, what red gives to (a, red, fox):")
print("   before", masked_late[1].round(3), " now", late[1].round(3))
early = softmax(q @ other_k.T / 2 + causal_mask(3, 0, np.float32))
print("mask before the softmax:")
print("   before", weights[1].round(3), " now", early[1].round(3))

# %% [markdown]
# Now the mask is where it belongs. One token in the middle of a sentence is replaced, and we look
# at which positions' logits have changed.
#
# **Guess first.** Which positions' logits will change: those before the new token, its own, those
# after it?

# %% alt="Bars: the largest change of a logit at each position. They are zero before the replaced token, and above zero from there on."
sentence = "The king had a daughter, and the king loved his daughter."
ids = model.tokenizer.encode(sentence)
labels = token_labels(model.tokenizer, ids)
place = len(ids) // 2
other_ids = ids.copy()
other_ids[place] = model.tokenizer.encode(" not")[0]

change = np.abs(model(other_ids) - model(ids)).max(axis=-1)
assert not change[:place].any() and change[place:].all()

fig, ax = plt.subplots(figsize=(7.5, 2.4))
bars = ax.bar(range(len(ids)), change, color=BLUE)
bars[place].set_color(ORANGE)
bars[place].set_label("the token that was replaced")
ax.set_xticks(range(len(ids)), labels, rotation=90)
ax.set(ylabel="largest change of a logit", title="Nothing changes before the new token")
ax.legend(loc="upper left")
plt.show()

# %% [markdown]
# With the mask before the softmax, a changed token cannot reach any earlier position, anywhere in
# the model.
#
# (In labels, `·` stands for a space, which belongs to the word after it: see notebook 1.)
#
# ## 3.5 A softmax that cannot overflow
#
# $e^{89}$ is more than a float32 can hold. But $e^{s_j - m} / \sum_i e^{s_i - m}$ is the same
# number for every $m$, since $e^{-m}$ cancels. With the largest score as $m$, no exponent is above
# 0, and at least one term of the sum is 1.

# %% tags=["stable"]
large = np.array([90.0, 91.0, 92.0], np.float32)
with np.errstate(over="ignore", invalid="ignore"):
    print("as in the textbook:   ", np.exp(large) / np.exp(large).sum())
print("maximum subtracted:   ", softmax(large).round(3))
print("the same as for 0 1 2:", softmax(np.array([0.0, 1.0, 2.0], np.float32)).round(3))

# %% [markdown]
# ## 3.6 Many heads
#
# A head can look at two places at once, the subject and the verb. But what it hands over is one
# vector, the mean of what it found at both, and from a mean nobody can tell which part came from
# where. It takes two heads to keep two answers apart. So GPT-2 cuts each position's query, key and
# value of `n_embd` numbers into `n_head` pieces of `n_head_dim`, and each piece gets its own
# attention. With a tap we record everything that happens to our sentence, each result under its
# name (`h.0.` is the first block), and follow the shapes through the attention of that block:

# %%
activations = {}
model(ids, tap=record(activations))
names = ["ln_1", "attn.c_attn", "attn.q", "attn.k", "attn.v", "attn.scores", "attn.weights"]
for name in [*names, "attn.heads", "attn.merged", "attn.c_proj"]:
    print(f"h.0.{name:13} {list(activations[f'h.0.{name}'].shape)}")

# %% [markdown]
# `c_attn` is one matrix that makes queries, keys and values at once, side by side. The query of
# head 2 is nothing but some of its columns:

# %%
qkv = activations["h.0.attn.c_attn"]
columns = slice(2 * n_head_dim, 3 * n_head_dim)
assert np.array_equal(activations["h.0.attn.q"][2], qkv[:, columns])

# %% [markdown]
# At the end the heads' outputs are laid side by side (`merged`) and multiplied by `c_proj`. A
# matrix product is a sum over the inner index, so it can be cut into the same pieces: *what the
# block's attention adds is the sum of what each head adds*, plus one bias.
#
# $$\mathrm{merged}\; W + b = \sum_{h} \mathrm{head}_h\, W_h + b$$
#
# Here $W$ is the matrix of `c_proj`, $b$ its bias, and $W_h$ those `n_head_dim` rows of $W$ that
# the numbers of head $h$ meet. So heads are independent readers and writers, and it makes sense to
# speak of what one of them does.
#
# **Guess first.** Do all heads of a block add about the same amount, or do a few of them do most of
# the work?

# %% alt="A matrix of heads and tokens: how long the vector is that each head of block 0 adds at each position."
heads = activations["h.0.attn.heads"]  # [n_head, n_seq, n_head_dim]
w, b = (model.params["h"][0]["attn"]["c_proj"][name] for name in "wb")
pieces = w.reshape(n_head, n_head_dim, -1)  # W_h of every head
written = heads @ pieces  # [n_head, n_seq, n_embd]
assert np.allclose(written.sum(axis=0) + b, activations["h.0.attn.c_proj"], atol=1e-4)

fig, ax = plt.subplots(figsize=(7.5, 3))
lengths = np.linalg.norm(written, axis=-1)
image = heatmap(ax, lengths, [f"head {i}" for i in range(n_head)], labels)
ax.set_title("What each head of block 0 adds at each position")
fig.colorbar(image, label="length of the vector")
plt.show()
share = lengths.sum(axis=1) / lengths.sum()
first, second = np.argsort(-share)[:2]
print(f"heads {first} and {second} add {share[first] + share[second]:.0%} of the summed lengths")

# %% [markdown]
# The matrices of `c_attn` and `c_proj` have the same size however they are cut: eight heads of 32
# cost what one of 256 costs, in parameters and in multiplications.
#
# ## 3.7 What a trained model looks at
#
# Here are the attention weights of all heads on our sentence. In each map a row is the position
# that looks, a column the one that is looked at; dark means a large weight. Everything above the
# diagonal is masked.
#
# **Guess first.** Will the maps of the first block look like those of the last? What would the map
# of a head look like that always looks at the previous token?

# %% alt="A grid of small attention maps, one for each head of each block. All are dark on or below the diagonal only."
maps = attention_maps(activations, n_layer)  # [n_layer, n_head, n_seq, n_seq]
assert np.allclose(maps.sum(axis=-1), 1, atol=1e-5)

fig, axes = plt.subplots(n_layer, n_head, figsize=(8.5, 8.5 * n_layer / n_head + 0.3))
for layer, row in enumerate(axes):
    for head, ax in enumerate(row):
        heatmap(ax, maps[layer, head], vmax=1)
        ax.set_box_aspect(1)
        if layer == 0:
            ax.set_title(f"head {head}", fontsize=8)
    row[0].set_ylabel(f"block {layer}", fontsize=8)
fig.supylabel("rows: query of ...", fontsize=8)
fig.supxlabel("columns: key of ...", fontsize=8)
plt.show()

# %% [markdown]
# A head that always looked at the previous token would be a dark line just below the diagonal. Some
# patterns come back in many trained models, more or less clearly, and simple numbers find them.
# `lookback(maps, n)` is how much each position looks at the one $n$ before it:
#
# - *itself* ($n = 0$): such a head tells a position nothing about others. It works on the token
#   alone, like a part of the MLP;
# - the *previous token* ($n = 1$), by which a model sees pairs of words;
# - the *first token*: a head that finds nothing must put its weight somewhere, as it has to sum to
#   1, and in GPT-2 124M the first position, which everybody can see, has become a place to rest,
#   whatever token stands there. A single sentence cannot tell whether that is so in a given model,
#   or whether a head just looks at this first word: [notebook 8](08_looking_inside.ipynb) measures
#   it on a longer text.
#
# **Guess first.** For which of the three patterns will some head reach the largest share?

# %% alt="Three large attention maps: the heads that look most at the token itself, at the previous token, and at the first token."
mean_on = {
    "itself": lookback(maps, 0)[..., 1:].mean(axis=-1),
    "the previous token": lookback(maps, 1)[..., 1:].mean(axis=-1),
    "the first token": maps[..., 2:, 0].mean(axis=-1),
}
even = 1 / np.arange(1, len(ids) + 1)  # weights of a head that looks at everything alike
alike = {"the first token": even[2:].mean()} | dict.fromkeys(list(mean_on)[:2], even[1:].mean())
top = {}
for name, share in mean_on.items():
    top[name] = np.unravel_index(share.argmax(), share.shape)
    print(
        f"most on {name:19} block {top[name][0]}, head {top[name][1]}: {share.max():.0%} "
        f"(even weights: {alike[name]:.0%})"
    )

fig, axes = plt.subplots(1, 3, figsize=(8.5, 3.4), sharey=True)
for ax, (name, (layer, head)) in zip(axes, top.items(), strict=True):
    image = heatmap(ax, maps[layer, head], labels, labels, vmax=1)
    ax.tick_params(labelsize=8)
    ax.set_title(f"{name}\n(block {layer}, head {head})", fontsize=10)
axes[0].set_ylabel("query of")
fig.supxlabel("key of", fontsize=10)
fig.colorbar(image, ax=axes, label="attention weight", shrink=0.8)
plt.show()

# %% [markdown]
# Compare each share with that of even weights. Where the two are close, nobody should speak of a
# pattern. In a small model hardly any map is clean, because its heads do several things at once; in
# 124M some heads look at the previous token nearly all the time.
#
# `model.explain` makes a page that shows the same for any sentence, step by step. Here is a part of
# it; it writes a space as `␣`. Choose a token, a block and a head: the queries, keys and values,
# the scores before and after the scale and the mask, and the weights are all there, with the arcs
# from the token to those it looks at: scroll inside the frame. (Scripts do not run on GitHub, where
# the cell below stays empty: open the notebook in Jupyter, and run the cell.)

# %%
boxes = ["qkv", "scores", "heads", "attention"]
model.explain("The king had three sons. The king", 0, boxes=boxes, blocks=[0, n_layer - 1])

# %% [markdown]
# Not every head means something, and a weight says only where a head *looks*, not what it takes
# from there. [Notebook 8](08_looking_inside.ipynb) asks what a head is good for by taking it away.

# %% [markdown]
# ## Common mistakes
#
# > **You will meet all of these**, some of them in widely read tutorials. A model with nearly any
# > of them still runs, and still writes something. The cost can be measured: the loss, in nats per
# > token, is how surprised the model is by a text it has not seen. A model that knows nothing holds
# > all tokens for equally likely, and its loss is $\log n_{\mathrm{vocab}}$.
# >
# > - *No scale*, the scale *after* the softmax, or $\sqrt{n_{\mathrm{embd}}}$ instead of
# >   $\sqrt{n_{\mathrm{head\,dim}}}$.
# > - *No mask*, or the mask after the softmax.
# > - *The softmax over the wrong axis*: over the queries, which look independently of each other.
# > - *The formula* `exp(softmax(QK^T/sqrt(d))) V / softmax(K^T K)`. The exponential is already in
# >   the softmax, and so is the division that makes rows sum to 1. With a second exponential all
# >   weights lie between $e^0$ and $e^1$, even those of masked positions. And the denominator,
# >   $[d, d]$, does not even have the shape of the numerator, $[n_{\mathrm{seq}}, d]$.
# > - *Heads cut by `reshape` alone*, without swapping axes: `[n_seq, n_embd]` has the right number
# >   of elements for `[n_head, n_seq, n_head_dim]`, but a "head" then holds all columns of a few
# >   positions instead of a few columns of all positions.

# %% tags=["stable"]
try:
    np.exp(softmax(q @ k.T / 2)) @ v / softmax(k.T @ k)
except ValueError as error:
    print(error)

# %% [markdown]
# A tap is shown every intermediate result, and may give back another one. So it can put any of
# these mistakes into the trained model: it remembers each block's queries and keys as they pass,
# and when the weights come by, it replaces them with those of a wrong rule.
#
# **Guess first.** Which of the mistakes in the box costs the most, and which the least?

# %%
tale = np.array(model.tokenizer.encode(TALE))


def loss(tap) -> float:
    return cross_entropy(model(tale[:-1], tap=tap), tale[1:])


def attention_by(rule):
    """A tap under which every block has the attention weights rule(q, k)."""
    seen = {}  # the last q and k that passed

    def tap(name, x):
        seen[name.split(".")[-1]] = x
        return rule(seen["q"], seen["k"]) if name.endswith("attn.weights") else x

    return tap


mask = causal_mask(len(tale) - 1, 0, np.float32)


def scores_of(q, k, size=n_head_dim):
    return q @ k.swapaxes(-1, -2) / math.sqrt(size)


def attention_weights(size=n_head_dim, mask=mask, times=1):
    return lambda q, k: softmax(scores_of(q, k, size) + mask) * times


def over_the_queries(q, k):
    return softmax((scores_of(q, k) + mask).swapaxes(-1, -2)).swapaxes(-1, -2)


def exp_of_softmax(q, k):
    x = np.exp(softmax(scores_of(q, k) + mask))
    return x / x.sum(axis=-1, keepdims=True)  # without this, all weights would be 1 or more


rules = {
    "as it should be": attention_weights(),
    "no scale": attention_weights(size=1),
    "scale after the softmax": attention_weights(size=1, times=1 / math.sqrt(n_head_dim)),
    "scale by √n_embd": attention_weights(size=n_head * n_head_dim),
    "no mask": attention_weights(mask=0),
    "mask after the softmax": attention_weights(mask=0, times=np.exp(mask)),
    "softmax over the queries": over_the_queries,
    "exp(softmax(...))": exp_of_softmax,
}
losses = {name: loss(attention_by(rule)) for name, rule in rules.items()}

# %% [markdown]
# The heads cut by `reshape` need another tap, which undoes the right cut and makes the wrong one.


# %% alt="Bars: the loss with each mistake. The right rule has the lowest; the line at the end is a model that knows nothing."
def wrong_heads(name, x):
    if name.endswith((".q", ".k", ".v")):
        return merge_heads(x).reshape(x.shape)
    if name.endswith(".heads"):
        return split_heads(x.reshape(x.shape[-2], -1), n_head)
    return x


losses["heads cut by reshape"] = loss(wrong_heads)
assert np.isclose(losses["as it should be"], cross_entropy(model(tale[:-1]), tale[1:]))

loss_bars(losses, model.config.n_vocab)
costs = {name: x - losses["as it should be"] for name, x in losses.items()}
del costs["as it should be"]
for word, name in (("least", min(costs, key=costs.get)), ("most", max(costs, key=costs.get))):
    print(f"{name} costs {word}: {costs[name]:.1f} nats per token")

# %% [markdown]
# Every one of those in the picture costs a model dearly, and none of them raises an error. "No
# mask" deserves a second look. If the mask is forgotten in *training*, the loss falls to almost
# nothing, because each position can read its answer at the next one; and the model is useless. If
# it is forgotten afterwards, as here, the trained heads meet keys of a kind that they never met in
# training.

# %% [markdown]
# ## Five quick questions
#
# Nothing to compute: this is just to see what has stuck. Put your five letters into the second
# cell, and "-" for a question that you leave out.

# %% tags=["stable"]
from picogpt.classroom.quiz import quiz

quiz(3)

# %%
quiz(3, "-----")

# %% [markdown]
# ## Exercises
#
# The solutions are at the end. Click on one to open it.
#
# **Exercise 1.** Write attention for one head as a loop over positions. Position $i$ looks at
# `k[: i + 1]`: where the loop does not look, no mask is needed.

# %% [markdown]
# *Medium.*
#
# *Warm-up, without a computer:* What does the first position get, whatever its query?
#
# <details><summary>Answer</summary>Its own value: it sees nothing else, and a single share is
# 1.</details>
#
# <details><summary>First hint</summary>For position <code>i</code> there are <code>i + 1</code>
# keys. Their dot products with <code>q[i]</code> are one matrix product.</details>
# <details><summary>Second hint</summary>Scores, divided by the root of the length; softmax; the
# mean of the first <code>i + 1</code> values.</details>


# %%
def attention_by_loop(q, k, v):
    """q, k, v: [n_seq, n_head_dim] -> [n_seq, n_head_dim]"""
    output = np.zeros_like(v)
    # your lines: for each position, scores, weights, mean of the values
    return output


# %%
attempt(check_3_1, attention_by_loop)

# %% [markdown]
# **Exercise 2.** The entropy $-\sum_j p_j \log p_j$ of a row says how widely the weight is spread:
# 0 if all of it is on one token. Which head has, on our sentence, the smallest mean entropy over
# the last five positions? (`0 * log 0` counts as 0; add `1e-9` before the logarithm.)

# %% [markdown]
# *Medium.*
#
# <details><summary>First hint</summary><code>maps</code> has the shape <code>[n_layer, n_head,
# n_seq, n_seq]</code>: cut out the last five rows of each map.</details>
# <details><summary>Second hint</summary>Sum over the last axis, mean over the five rows, and
# <code>np.unravel_index(x.argmin(), x.shape)</code>.</details>

# %%
sharpest = None  # your answer, a pair (block, head), computed from maps


# %%
attempt(check_3_2, sharpest, maps)

# %% [markdown]
# **Exercise 3.** Attention has no sense of order: keys and values are a heap, not a row. Find edits
# with which the first block's heads (the activation `h.0.attn.heads`) give the same output for the
# *last* token whether the tokens before it stand in their order or in reverse. Edits are a
# dictionary from an activation's name to a function, such as those that silenced a part in notebook
# 0; `list(activations)` has all the names.

# %% [markdown]
# *Hard.*
#
# <details><summary>First hint</summary>By what could a head know the order at all? It is not in the
# attention. Look at the first names: <code>list(activations)[:4]</code>.</details>
# <details><summary>Second hint</summary>Where is the order written into the vectors? Notebook 2,
# 2.2. Make that the same for all positions.</details>

# %%
no_order = {}  # your answer: {"name of an activation": lambda x: ...}


# %%
attempt(check_3_3, no_order, model, ids)

# %% [markdown]
# ## Solutions


# %% tags=["solution"]
# A solution of exercise 1
def loop_solution(q, k, v):
    output = np.zeros_like(v)
    for i in range(len(q)):
        scores = k[: i + 1] @ q[i] / math.sqrt(q.shape[-1])
        output[i] = softmax(scores) @ v[: i + 1]
    return output


check_3_1(loop_solution)

# %% tags=["solution"]
# A solution of exercise 2
rows = maps[:, :, -5:]
entropy = -(rows * np.log(rows + 1e-9)).sum(axis=-1).mean(axis=-1)
check_3_2(np.unravel_index(entropy.argmin(), entropy.shape), maps)

# %% tags=["solution"]
# A solution of exercise 3
# Without the position embeddings a token's query, key and value depend on the token alone.
check_3_3({"wpe": lambda x: 0 * x}, model, ids)

# %% [markdown]
# ## To go on
#
# - The code: `causal_attention` in [`picogpt/ops.py`](../picogpt/ops.py), `self_attention` in
#   [`picogpt/model.py`](../picogpt/model.py).
# - [Vaswani et al. 2017](https://arxiv.org/abs/1706.03762), *Attention Is All You Need*, section
#   3.2, where all this comes from.
# - Next, [notebook 4](04_forward_pass.ipynb) puts attention and the parts of [notebook
#   2](02_embeddings_norm_gelu.ipynb) together into the whole of GPT-2.
