# %% [markdown]
# # 2. Embeddings, layer norm, GELU
#
# ![You are here: what is done at each position by itself](data/here_2.svg)
#
# **Goal:** know what each of GPT-2's small parts does to real activations, and why it is there.
#
# A token enters the model as a number, its id. This notebook follows it to the vector that the
# first block works on. (A *block* is one of the `n_layer` parts, all built alike, that come one
# after the other. Each consists of attention, for which see [notebook 3](03_attention.ipynb), and
# of an *MLP*, which is two matrices with a function between them.) Then it looks at the two
# functions that every block uses: layer norm, which keeps vectors at a size that the next layer can
# work with, and GELU, without which the two matrices of the MLP could just as well be one. You need
# to know what a vector, a mean and a standard deviation are. About 30 minutes.
#
# > Is picogpt not installed, for example on Colab? Type this in a cell, run it, and restart the
# > kernel: `%pip install "picogpt[notebooks] @ ADDRESS"`. Replace ADDRESS with `file://` and the full
# > path of the project's folder, or with `git+` and the address of its repository.

# %%
MODEL = "fairytale"  # or "124M", GPT-2 itself: this downloads 498 MB, the first time

# %%
import math
import time

import matplotlib.pyplot as plt
import numpy as np

import picogpt
from picogpt.classroom.checks.parts import check_2_1, check_2_2, check_2_3
from picogpt.classroom.checks.verdict import attempt
from picogpt.classroom.plots import BLUE, DIVERGING, GREY, ORANGE, RED, SKY, heatmap
from picogpt.classroom.texts import TALE
from picogpt.model import embed
from picogpt.ops import cross_entropy, gelu, layer_norm
from picogpt.tap import edit, record

model = picogpt.load(MODEL)
tokenizer, params, config = model.tokenizer, model.params, model.config
wte, wpe = params["wte"], params["wpe"]
ids = np.array(tokenizer.encode(TALE))

# %% [markdown]
# ## 2.1 A token is a row of a table
#
# The model knows `n_vocab` tokens. For each it has a vector of `n_embd` numbers, learned like
# everything else. Such a vector is called an *embedding*, and the table of all of them `wte`
# (weights, token embeddings).

# %%
print("wte:", list(wte.shape), "  one row per token")
print("wpe:", list(wpe.shape), "  one row per position")

# %% [markdown]
# Books often write the lookup as a product: the token as a *one-hot* vector, which is all 0 except
# for a 1 at its id, times the table. The result is the same row, for `n_vocab` times the work:

# %%
one_hot = np.zeros(config.n_vocab, np.float32)
one_hot[ids[0]] = 1
assert np.array_equal(one_hot @ wte, wte[ids[0]])

# %% [markdown]
# Nobody told the model what the tokens mean. But tokens that occur among the same neighbours need
# to do the same things in the model, so training moves their vectors in similar directions. The
# cosine of the angle between two vectors, $\cos(a, b) = a \cdot b \,/\, |a||b|$, is 1 for the same
# direction and 0 for a right angle. Which tokens are nearest to these?
#
# **Guess first.** Which token is nearest to " king": " queen", " King" or " kings"?

# %%
directions = wte / np.linalg.norm(wte, axis=-1, keepdims=True)
for word in (" king", " princess", " said", " three", " cat", " gold"):
    (i,) = tokenizer.encode(word)
    cosines = directions @ directions[i]
    nearest = np.argsort(-cosines)[1:7]
    print(f"{word:10}", *(f"{tokenizer.decode([j])} {cosines[j]:.2f}" for j in nearest))

# %% [markdown]
# In fairytale " king" is nearest to " King": a capital letter hardly changes what a word does. Here
# are the cosines between some words, sorted into groups of which the model was never told. Where a
# group shows as a dark blue square, the model has found it by itself.

# %% alt="A square of cosines between the embeddings of words, sorted into five framed groups. All show as dark blue squares, but one does not belong to the numbers, and family and animals overlap."
groups = {
    "family": "king queen prince princess father mother brother sister son daughter",
    "animals": "horse dog cat bird wolf fox bear fish lion",
    "numbers": "one two three four five six seven",
    "verbs": "said cried asked answered replied",
    "colours": "red white black green golden blue",
}
words = [word for group in groups.values() for word in group.split()]
rows = directions[[tokenizer.encode(" " + word)[0] for word in words]]

fig, ax = plt.subplots(figsize=(6.8, 6))
image = heatmap(ax, rows @ rows.T, words, words, cmap=DIVERGING, vmin=-1, vmax=1)
ax.tick_params(labelsize=7)
end = 0
for group in groups.values():
    start, end = end, end + len(group.split())
    box = plt.Rectangle((start - 0.5, start - 0.5), end - start, end - start, fill=False)
    ax.add_patch(box)
ax.set_title("Cosine of token embeddings")
fig.colorbar(image, label="cosine", shrink=0.7)
plt.show()

# %% [markdown]
# Fairytale has found all five. Only "one" stands apart from the numbers, and family and animals
# overlap: in tales, animals speak.
#
# ## 2.2 Where a token stands
#
# Attention sees the tokens before it as a heap, in no order ([notebook 3](03_attention.ipynb),
# exercise 3). So the order has to be written into the vectors. A second table, `wpe` (weights,
# position embeddings), has a row for each position, and this row is *added*.
#
# $$x_t = \mathrm{wte}[\mathrm{id}_t] + \mathrm{wpe}[t]$$

# %%
x = embed(ids, wte, wpe)
assert np.array_equal(x, wte[ids] + wpe[: len(ids)])
print(list(x.shape))

# %% [markdown]
# GPT-2 learns its positions, too. Nothing says that position 100 stands beside position 101. Has
# the model found that out? On the left we compare the vectors of all positions. On the right is how
# far each vector reaches along the first three *principal components*, the directions in which the
# vectors differ most. (Position 0 is left out there: its vector is so long that it hides the rest.)
#
# **Guess first.** How would the left picture look if every position's vector were drawn at random?

# %% alt="Left, the cosines between rows of wpe: early positions are alike, late ones too, and the two groups are nearly opposite. Right, three principal components as curves over the position: the first goes steadily from one end to the other."
normed = wpe / np.linalg.norm(wpe, axis=-1, keepdims=True)
step = config.n_ctx // 64
few = normed[::step]  # 64 of them are enough for a picture
fig, (left, right) = plt.subplots(1, 2, figsize=(8.5, 3.6), width_ratios=[1, 1.2])
corners = (0, config.n_ctx, config.n_ctx, 0)
image = left.imshow(few @ few.T, cmap=DIVERGING, vmin=-1, vmax=1, extent=corners)
left.set(xlabel="position", ylabel="position", title="Cosine of two positions' rows of wpe")
fig.colorbar(image, ax=left, shrink=0.8)
others = wpe[1:] - wpe[1:].mean(axis=0)
_, _, components = np.linalg.svd(others, full_matrices=False)
for number, style in enumerate(("-", "--", ":")):
    along = others @ components[number]
    right.plot(np.arange(1, config.n_ctx), along, style, label=f"component {number + 1}")
right.set(xlabel="position", title="Along their first three principal components")
right.legend()
plt.show()

# %% [markdown]
# At random, all would be white but the diagonal, where each row is compared with itself. In
# fairytale the early positions are alike, the late ones too, and the first component tells how far
# along a token stands. Neighbours are alike at both ends, with cosines around 0.75, and less so in
# the middle, around 0.2.
#
# How can a sum of two vectors be of use, if nobody can tell what was added to what? In hundreds of
# dimensions it can be told. Two directions drawn at random are nearly at right angles there: their
# cosine is typically as small as $1/\sqrt{n_{\mathrm{embd}}}$. So most sums can be taken apart
# again. We add a random position to a random token a thousand times, and look for the nearest row
# of each table:
#
# **Guess first.** From how many of a thousand sums can we find the token again? And the position?

# %%
rng = np.random.default_rng(0)
some_ids = rng.integers(config.n_vocab, size=1000)
some_positions = rng.integers(config.n_ctx, size=1000)
sums = wte[some_ids] + wpe[some_positions]


def nearest_row(x, table):
    """|x - row|^2 = |x|^2 - 2 x . row + |row|^2 is least where this is largest."""
    return (x @ table.T - (table**2).sum(axis=-1) / 2).argmax(axis=-1)


for name, table, right_rows in (("token", wte, some_ids), ("position", wpe, some_positions)):
    found = (nearest_row(sums, table) == right_rows).mean()
    length = np.linalg.norm(table, axis=-1).mean()
    print(f"the {name:8} found again: {found:.1%} (mean length of its vectors: {length:.2f})")
between = directions[some_ids] @ normed.T
print(
    f"typical cosine of a token and a position: {np.sqrt((between**2).mean()):.3f}, "
    f"of two random directions: {1 / math.sqrt(config.n_embd):.3f}"
)

# %% [markdown]
# In fairytale nearly every token is found again, and most positions. The longer vector is the one
# that is easier to find.
#
# ## 2.3 Layer norm
#
# From here on, the vectors of the positions, one of `n_embd` numbers for each, are called the
# *residual stream*. Each block reads it and adds something to it. (*Residual* means what is left
# over: a block only has to add what is still missing.) So the stream can grow. Layer norm stands
# before each part that reads the stream, and brings every vector to mean 0 and variance 1. Then a
# gain $g$ and a bias $b$, learned for each of the `n_embd` places, give it the size that suits the
# part that reads it.
#
# $$y = \frac{x - \bar{x}}{\sqrt{\mathrm{var}(x) + \varepsilon}}\; g + b \qquad
# \bar{x} = \frac{1}{n} \sum_i x_i \qquad \mathrm{var}(x) = \frac{1}{n} \sum_i (x_i - \bar{x})^2
# \qquad \varepsilon = 10^{-5}$$
#
# All of this happens within one vector. No other position and no other text takes part. To see it
# on real numbers, we let the model read the tale with a *tap*, a function that is shown every
# intermediate result under its name. `record` makes one that keeps them all:

# %%
activations = {}
model(ids, tap=record(activations))
vector = activations["h.1.resid"][20]  # what block 1 leaves at position 20
ln = params["h"][2]["ln_1"]  # the norm that reads it

centred = vector - vector.mean()
standard = centred / np.sqrt((centred**2).mean() + 1e-5)
rebuilt = standard * ln["g"] + ln["b"]

print(f"{'':24}{'mean':>8} {'std':>7}")
for name, v in (
    ("the stream", vector),
    ("mean subtracted", centred),
    ("divided by the std", standard),
    ("times gain, plus bias", rebuilt),
):
    print(f"{name:24}{v.mean():8.4f} {v.std():7.4f}")
assert np.allclose(rebuilt, layer_norm(vector, **ln), atol=1e-5)

# %% [markdown]
# Here is every position of the tale at every depth: the stream, and what the norm makes of it,
# before gain and bias.
#
# **Guess first.** By what factor will the numbers of the stream have grown at the end: 2, 10 or
# 100? Does every block make them grow, or mainly one?

# %% alt="Curves over the depth, logarithmic: the residual stream grows steeply in the MLP of the first block and hardly at all after it, at all positions alike. The output of the norms keeps one size."
names = ["embed"]
for i in range(config.n_layer):
    names += [f"h.{i}.resid_mid", f"h.{i}.resid"]
spread = np.array([activations[name].std(axis=-1) for name in names])  # [depth, n_seq]
middle = np.median(spread, axis=1)
ones, zeros = np.ones(config.n_embd, np.float32), np.zeros(config.n_embd, np.float32)
after = np.array([layer_norm(activations[name], ones, zeros).std(axis=-1) for name in names])

fig, ax = plt.subplots(figsize=(7.5, 3.2))
depth = np.arange(len(names)) / 2
ax.semilogy(depth, spread[:, 1:], color=SKY, lw=0.5)
ax.semilogy(depth, middle, "o-", color=BLUE, label="stream: median")
ax.semilogy(depth, spread[:, 0], "^:", color=RED, label="stream: first position")
ax.semilogy(depth, after.mean(axis=1), "s--", color=ORANGE, label="after the norm")
ax.set(xlabel="blocks passed (halves: after attention)", ylabel="standard deviation of a vector")
ax.set_title("The residual stream grows, what the blocks read does not")
ax.legend()
plt.show()
steps = middle[1:] / middle[:-1]
print(
    f"the median grows {middle[-1] / middle[0]:.0f}-fold; "
    f"the largest step, {steps.max():.0f}-fold, is at {names[1 + steps.argmax()]}"
)

# %% [markdown]
# In fairytale the first MLP alone makes nearly all of the growth (`h.0.resid` is what it leaves);
# after that the stream hardly grows, and in two places its median even falls. The first position
# (red) is a little larger than the others here. In 124M it is very much larger: there it serves as
# a place to rest ([notebook 3](03_attention.ipynb)). The norm brings every vector to one size.
#
# Layer norm forgets two things about a vector: its mean and its length. What is left is a
# direction: $\mathrm{norm}(a x + c) = \mathrm{norm}(x)$ for every $a > 0$ and every $c$. The small
# $\varepsilon$ is there so that a vector of zeros gives zeros and not $0/0$; for numbers as small
# as $\sqrt{\varepsilon} \approx 0.003$ it makes a difference.

# %% tags=["stable"]
example = np.array([1.0, 2.0, 4.0, 9.0], np.float32)
g, b = np.ones(4, np.float32), np.zeros(4, np.float32)
for text, v in {
    "x": example,
    "100 x": 100 * example,
    "x + 50": example + 50,
    "x / 1000": example / 1000,
    "0 x": 0 * example,
}.items():
    print(f"norm({text:8}) =", layer_norm(v, g, b).round(3))

# %% [markdown]
# ## 2.4 Why the norm comes first
#
# The first transformers normed the stream itself, after each addition: $x \leftarrow
# \mathrm{norm}(x + f(x))$ ("post-norm"). GPT-2 norms only what a branch reads (a *branch* is
# attention or MLP, with its norm): $x \leftarrow x + f(\mathrm{norm}(x))$ ("pre-norm"). Then the
# stream is only ever added to, from the embeddings to the last block, and its final value can be
# written as a sum:

# %%
total = activations["embed"].copy()
for i in range(config.n_layer):
    total += activations[f"h.{i}.attn.c_proj"] + activations[f"h.{i}.mlp.c_proj"]
assert np.allclose(total, activations[f"h.{config.n_layer - 1}.resid"], atol=1e-3)

# %% [markdown]
# What does a norm in the stream do to the embeddings? We try it with random vectors and random
# branches, each of which adds numbers of standard deviation 1. The cosine between the stream and
# the start says how much of the start is left.
#
# **Guess first.** After 48 branches, what is the cosine with pre-norm, and what with post-norm?

# %% alt="Two falling curves over the number of branches: with pre-norm the cosine with the start is 0.14 after 48, with post-norm it soon is no larger than chance."
width, n_branches = 512, 48
rng = np.random.default_rng(1)
start = rng.standard_normal((64, width), np.float32)
g, b = np.ones(width, np.float32), np.zeros(width, np.float32)


def give(x, w1, w2):
    """A random branch, whose result has standard deviation 1."""
    y = gelu(x @ w1) @ w2
    return y / y.std()


def cosine(x, y):
    lengths = np.linalg.norm(x, axis=-1) * np.linalg.norm(y, axis=-1)
    return np.sqrt(((np.vecdot(x, y) / lengths) ** 2).mean())


pre = post = start
kept = {"pre": [1.0], "post": [1.0]}
for _ in range(n_branches):
    w1, w2 = rng.standard_normal((2, width, width), np.float32) / math.sqrt(width)
    pre = pre + give(layer_norm(pre, g, b), w1, w2)
    post = layer_norm(post + give(post, w1, w2), g, b)
    kept["pre"].append(cosine(pre, start))
    kept["post"].append(cosine(post, start))

fig, ax = plt.subplots(figsize=(7.5, 3.2))
n = np.arange(n_branches + 1)
ax.semilogy(n, 1 / np.sqrt(n + 1), color=GREY, lw=1, label=r"$1/\sqrt{n + 1}$")
ax.semilogy(n, 2.0 ** (-n / 2), "--", color=GREY, lw=1, label="$2^{-n/2}$")
ax.semilogy(n, kept["pre"], "o", color=BLUE, ms=4, label="pre-norm, as in GPT-2")
ax.semilogy(n, kept["post"], "s", color=RED, ms=4, label="post-norm")
ax.axhline(1 / math.sqrt(width), color=GREY, ls=":")
ax.text(49, 0.75 / math.sqrt(width), "two random directions", ha="right", va="top", color=GREY)
ax.set(xlabel="number $n$ of branches passed", ylabel="cosine with the start", ylim=(0.02, 1.2))
ax.set_yticks([0.1, 1], ["0.1", "1"])
ax.set_title("What is left of the embeddings in the stream")
ax.legend()
plt.show()

# %% [markdown]
# With pre-norm the start is one of $n + 1$ independent parts of the same size, so its cosine with
# their sum is $1/\sqrt{n + 1}$, after 48 branches 1/7. With post-norm each addition is followed by
# a division by about $\sqrt{2}$, which leaves $2^{-n/2}$, after 48 branches less than a
# ten-millionth. (The squares stay near 0.04 by chance: that is how large the cosine of two random
# directions in 512 dimensions is.)
#
# The gradient, which training sends back along the same path ([notebook 7](07_training.ipynb)), is
# divided just as often. So in a deep post-norm model the first blocks get far smaller gradients
# than the last ones ([Xiong et al. 2020](https://arxiv.org/abs/2002.04745)), and training has to
# begin with very small steps, which grow only slowly (a *warm-up*).
#
# ## 2.5 GELU
#
# Between its two matrices, the MLP of each block applies a function to every number by itself.
# Without one, two matrices in a row would be the same as one matrix, and the wide layer between
# them would be useless: $(x W_1) W_2 = x (W_1 W_2)$. So the function must not be a straight line.
# It should also be quick to compute, and have a slope that training can use.
#
# ReLU, $\max(0, x)$, either lets a number pass or not. GELU multiplies it by a number between 0 and
# 1, $\mathrm{gelu}(x) = x\, \Phi(x)$, where $\Phi(x)$ is the probability that a number from the
# normal distribution (mean 0, standard deviation 1) is smaller than $x$. (Nothing is drawn: the
# same $x$ always gives the same result.) It is smooth, and a little below zero for moderately
# negative $x$, so there is a slope to learn from where ReLU has none. $\Phi$ is an integral for
# which there is no simple formula. GPT-2 was trained with an approximation,
#
# $$\Phi(x) \approx \tfrac{1}{2}\left(1 + \tanh\!\left(\sqrt{2/\pi}\,(x + 0.044715\,x^3)\right)\right)$$
#
# because at the time the exact formula, with the *error function* `erf`, was slow in TensorFlow
# (according to D. Hendrycks, one of the two inventors of GELU, in PyTorch's issue 39853). Today it
# is not, but GPT-2's weights were trained with this one and expect it.


# %% alt="Three plots: ReLU and GELU; the difference between GELU's two formulas, a few ten-thousandths; and a histogram of what goes into GELU, mostly negative."
def exact_gelu(x):
    phi = np.vectorize(lambda t: 0.5 * (1.0 + math.erf(t / math.sqrt(2.0))), otypes="d")
    return (x * phi(x)).astype(x.dtype)


z = np.linspace(-5, 5, 1001)
assert np.allclose(gelu(z), z / 2 * (1 + np.tanh(math.sqrt(2 / math.pi) * (z + 0.044715 * z**3))))

hidden = np.concatenate([activations[f"h.{i}.mlp.c_fc"].ravel() for i in range(config.n_layer)])
fig, axes = plt.subplots(1, 3, figsize=(8.5, 2.9))
axes[0].plot(z, np.maximum(z, 0), "--", color=GREY, label="ReLU")
axes[0].plot(z, gelu(z), color=BLUE, label="GELU")
axes[0].set(xlabel="x", xlim=(-4, 3), ylim=(-0.5, 3), title="Two ways to bend a line")
axes[0].legend()
axes[1].plot(z, 1e4 * (gelu(z) - exact_gelu(z)), color=RED)
axes[1].set(xlabel="x", ylabel="difference, 1e-4", title="tanh form minus exact form")
axes[2].hist(hidden, bins=np.linspace(-9, 4, 131), color=SKY)
axes[2].axvline(0, color=GREY, ls="--")
axes[2].set(xlabel="x", ylabel="how often", yticks=[], title="What goes into GELU here")
plt.show()
print(f"largest difference {np.abs(gelu(z) - exact_gelu(z)).max():.1e}")
print(f"{(hidden < 0).mean():.0%} of the numbers that go into GELU in this model are negative")

# %% [markdown]
# The numbers between the two matrices are called *hidden*. You can think of each as a question
# about the position's vector. Where the answer is no, the number is negative, and GELU lets little
# through, never more than 0.17. So let us call an output above 0.2 a yes.
#
# **Guess first.** At one position, for what share of the hidden numbers is the answer yes: for 1 %,
# about 10 %, or half of them?

# %%
shares = [(activations[f"h.{i}.mlp.gelu"] > 0.2).mean() for i in range(config.n_layer)]
for i, share in enumerate(shares):
    print(f"block {i}:    {share:4.0%} yes")
print(f"all blocks: {np.mean(shares):4.0%} yes")

# %% [markdown]
# In fairytale about one question in eight is answered with yes.

# %% [markdown]
# ## Common mistakes
#
# > A model with one of these still runs. Some of them cost a lot. Others cost so little that only
# > a comparison with reference numbers shows them, and finding them can take days.
# >
# > - *The exact GELU*, with `erf`, which is the default in PyTorch; *ReLU in its place*.
# > - *`ddof=1`*: the variance divided by $n - 1$, the default of PyTorch's `var` and of statistics
# >   books. NumPy's `var` divides by $n$, as layer norm does.
# > - *$\varepsilon$ added to the standard deviation*, outside the root.
# > - *Gain or bias forgotten*; *the norm over the wrong axis*, over the positions of the text.
# > - *The norm after the addition*, as in the paper of 2017; *the last norm*, `ln_f`, *left out*.
# > - *Positions forgotten.*
# > - *`x**3`*, which costs time, and *`np.sqrt(2 / np.pi)`*, which costs memory: see below.
#
# A tap may also give back something other than what it was shown, and the model goes on with that.
# So a tap can put each of these mistakes into the model. We compare the *loss* on the tale, which
# is the mean surprise of its tokens in nats ([notebook 0](00_quick_start.ipynb)), and the logits:
# the largest change of a logit, divided by the range of all logits.
#
# **Guess first.** Which of these mistakes leave the loss as it is? Which one is the worst?


# %%
def norm_by(rule):
    """A tap under which every layer norm is rule(x, g, b) of the stream x before it."""
    seen = {}

    def tap(name, x):
        *parents, last = name.split(".")
        if last in ("ln_1", "ln_2", "ln_f"):
            block = params["h"][int(parents[1])] if parents else params
            return rule(seen["stream"], **block[last])
        if last in ("embed", "resid_mid", "resid"):
            seen["stream"] = x
        return x

    return tap


def norm(x, g, b, axis=-1, ddof=0, inside=1e-5, outside=0.0):
    std = np.sqrt(x.var(axis=axis, ddof=ddof, keepdims=True) + inside) + outside
    return ((x - x.mean(axis=axis, keepdims=True)) / std * g + b).astype(x.dtype)


def no_last_norm(name, x):
    return activations[f"h.{config.n_layer - 1}.resid"][:-1] if name == "ln_f" else x


def gelu_by(rule):
    """A tap under which every GELU is rule(x)."""
    seen = {}

    def tap(name, x):
        seen[name.split(".")[-1]] = x
        return rule(seen["c_fc"]) if name.endswith(".gelu") else x

    return tap


def norm_after_adding(name, x):
    *parents, last = name.split(".")
    if last == "resid_mid":
        return layer_norm(x, **params["h"][int(parents[1])]["ln_1"])
    if last == "resid":
        return layer_norm(x, **params["h"][int(parents[1])]["ln_2"])
    return x


mistakes = {
    "none": norm_by(norm),
    "GELU with erf": gelu_by(exact_gelu),
    "ReLU instead of GELU": gelu_by(lambda x: np.maximum(x, 0)),
    "variance with ddof=1": norm_by(lambda x, g, b: norm(x, g, b, ddof=1)),
    "epsilon outside the root": norm_by(lambda x, g, b: norm(x, g, b, inside=0, outside=1e-5)),
    "no gain": norm_by(lambda x, g, b: norm(x, 1, b)),
    "no bias": norm_by(lambda x, g, b: norm(x, g, 0)),
    "norm over the positions": norm_by(lambda x, g, b: norm(x, g, b, axis=0)),
    "norm after the addition": norm_after_adding,
    "no ln_f": no_last_norm,
    "no positions": edit({"wpe": lambda x: 0 * x}),
}
right = model(ids[:-1])
print(f"{'mistake':26}{'loss':>6}   change of the logits")
for name, tap in mistakes.items():
    wrong = model(ids[:-1], tap=tap)
    change = np.abs(wrong - right).max() / np.ptp(right)
    print(f"{name:26}{cross_entropy(wrong, ids[1:]):6.2f}   {change:.0e}")

# %% [markdown]
# The first line shows what rounding does. `erf`, `ddof=1` and the $\varepsilon$ hardly change the
# loss, but they do change the logits. That is why this library is compared with other libraries
# down to the last digits. The worst mistake in fairytale is to leave out `ln_f`: the logits become
# many times too large, and the model is far too sure of itself.
#
# **`x**3`.** For an exponent of 3, NumPy uses its general power function, which takes any exponent.
# Two multiplications are many times faster:

# %%
x = rng.standard_normal((256, 4 * config.n_embd), np.float32)


def seconds(f, times=10):
    start = time.perf_counter()
    for _ in range(times):
        f()
    return (time.perf_counter() - start) / times


power, product = seconds(lambda: x**3), seconds(lambda: x * x * x)
print(
    f"x**3: {1e3 * power:.2f} ms   x * x * x: {1e3 * product:.2f} ms   ratio {power / product:.0f}"
)

# %% [markdown]
# **A float64 scalar of NumPy's**, such as `np.sqrt` of a Python number, **turns float32 into
# float64**, in NumPy 2, and so every array computed from it: twice the memory, half the speed, and
# nothing says so. A Python float does not.

# %% tags=["stable"]
x = np.ones(3, np.float32)
print((x * np.sqrt(2 / np.pi)).dtype, (x * math.sqrt(2 / math.pi)).dtype)

# %% [markdown]
# ## Five quick questions
#
# Nothing to compute: this is just to see what has stuck. Put your five letters into the second
# cell, and "-" for a question that you leave out.

# %% tags=["stable"]
from picogpt.classroom.quiz import quiz

quiz(2)

# %%
quiz(2, "-----")

# %% [markdown]
# ## Exercises
#
# The solutions are at the end. Click on one to open it.
#
# **Exercise 1.** Write layer norm for one vector, a list of numbers. You need no NumPy for it.

# %% [markdown]
# *Easy.*
#
# *Warm-up, without a computer:* What is the variance of 1 and 3, divided by n?
#
# <details><summary>Answer</summary>The mean is 2, both distances are 1, so it is 1.</details>
#
# <details><summary>First hint</summary>First the mean, then the mean of the squared distances.
# Which number do you divide by?</details>
# <details><summary>Second hint</summary>The small $\varepsilon$ stands under the root, with the
# variance.</details>


# %%
def norm_of_list(x, g, b):
    """x, g, b: lists of n numbers -> list of n numbers"""
    return x  # your lines


# %%
attempt(check_2_1, norm_of_list)

# %% [markdown]
# **Exercise 2.** Which gain and which bias make layer norm return vectors of mean 5 and standard
# deviation 2? Each is one number, the same for all places.

# %% [markdown]
# *Easy.*
#
# <details><summary>First hint</summary>After the division, before gain and bias, the mean is 0 and
# the standard deviation 1.</details>
# <details><summary>Second hint</summary>What does a factor do to the standard deviation, and what
# does a number that is added do to the mean?</details>

# %%
gain, bias = None, None  # your answer


# %%
attempt(check_2_2, gain, bias)

# %% [markdown]
# **Exercise 3.** The model writes with the same table that it reads with: the logits are the dot
# products of the last vector with all rows of `wte` (`ln_f` and `logits` in the activations). What
# does the model guess if that last vector is the embedding of a token, $\mathrm{wte}[i]$ itself?
# For some tokens the guess is the token itself, for others it is another token, with a longer
# vector. Write a function that counts for how many of the first `n` tokens it is the token itself.

# %% [markdown]
# *Medium.*
#
# <details><summary>First hint</summary>All products at once are one matrix product of the first
# <code>n</code> rows with the whole table.</details>
# <details><summary>Second hint</summary><code>argmax</code> along the last axis gives a guess for
# each row; compare it with <code>np.arange(n)</code>.</details>


# %%
def mirrored(wte, n):
    """How many i < n have the largest dot product of wte[i] with all rows at row i."""
    count = None  # your lines
    return count


# %%
attempt(check_2_3, mirrored)

# %% [markdown]
# ## Solutions


# %% tags=["solution"]
# A solution of exercise 1
def list_solution(x, g, b):
    n = len(x)
    mean = sum(x) / n
    variance = sum((number - mean) ** 2 for number in x) / n
    std = math.sqrt(variance + 1e-5)
    return [(x_i - mean) / std * g_i + b_i for x_i, g_i, b_i in zip(x, g, b, strict=True)]


check_2_1(list_solution)

# %% tags=["solution"]
# A solution of exercise 2
# (A gain of -2 does it, too: a standard deviation has no sign.)
check_2_2(gain=2, bias=5)


# %% tags=["solution"]
# A solution of exercise 3
def mirrored_solution(wte, n):
    return int(((wte[:n] @ wte.T).argmax(axis=-1) == np.arange(n)).sum())


check_2_3(mirrored_solution)
print(f"in this model: {mirrored_solution(wte, 1000)} of the first 1000")

# %% [markdown]
# ## To go on
#
# - The code: `gelu` and `layer_norm` in [`picogpt/ops.py`](../picogpt/ops.py), `embed` and `transformer_block` in
#   [`picogpt/model.py`](../picogpt/model.py).
# - [Ba et al. 2016](https://arxiv.org/abs/1607.06450), *Layer Normalization*; [Hendrycks and Gimpel
#   2016](https://arxiv.org/abs/1606.08415), *Gaussian Error Linear Units*; [Xiong et al.
#   2020](https://arxiv.org/abs/2002.04745), *On Layer Normalization in the Transformer
#   Architecture*, on what the place of the norm does to the gradients.
# - Next: [notebook 3](03_attention.ipynb), where the positions begin to look at each other.
