# %% [markdown]
# # 4. The whole forward pass
#
# ![You are here: all parts together, and what they cost](data/here_4.svg)
#
# **Goal:** assemble GPT-2 from its parts in one cell, check it to the last digits, and count what
# it costs.
#
# You have met the parts in notebooks [2](02_embeddings_norm_gelu.ipynb) and
# [3](03_attention.ipynb); all that is new is how they are put together. After that we count:
# parameters, multiplications, bytes. The arithmetic is simple enough to do on paper, and explains
# most of what is said about the size and the speed of language models. About 35 minutes.
#
# > Is picogpt not installed, for example on Colab? Type this in a cell, run it, and restart the
# > kernel: `%pip install "picogpt[notebooks] @ ADDRESS"`. Replace ADDRESS with `file://` and the full
# > path of the project's folder, or with `git+` and the address of its repository.

# %%
MODEL = "fairytale"  # or "124M", GPT-2 itself: this downloads 498 MB, the first time

# %%
import math
import textwrap
import time
from collections import Counter

import matplotlib.pyplot as plt
import numpy as np

import picogpt
from picogpt.classroom import drawings
from picogpt.classroom.checks.parts import check_4_1, check_4_2, check_4_3
from picogpt.classroom.checks.verdict import attempt
from picogpt.classroom.plots import BLUE, GREEN, GREY, ORANGE, PINK, SKY, loss_bars, token_labels
from picogpt.classroom.texts import DATA, TALE
from picogpt.config import SIZES, activation_shapes, flatten, param_shapes, unflatten
from picogpt.model import gpt2
from picogpt.ops import causal_attention, cross_entropy, gelu, layer_norm, linear, softmax
from picogpt.tap import edit, record

model = picogpt.load(MODEL)
tokenizer, params, config = model.tokenizer, model.params, model.config

# %% [markdown]
# ## 4.1 The plan
#
# Ids go in, and for each position a score for every token of the vocabulary comes out: how likely
# it is to come *next*. In between, every position has one vector, the residual stream. Each block
# reads it twice and adds to it twice.

# %% alt="A diagram: the embeddings, the residual stream with the branches of attention and MLP that read it and add to it, the last norm, and the logits."
drawings.forward_pass(config)
plt.show()

# %% [markdown]
# ## 4.2 GPT-2 in one cell
#
# The parameters are a tree of dictionaries with the names of OpenAI's files, so that a whole branch
# can be handed to a function: `linear(x, **block["attn"]["c_attn"])` is `x @ w + b` with the `w`
# and `b` of this branch.


# %%
def split_heads(x, n_head):
    """[n_seq, n_embd] -> [n_head, n_seq, n_head_dim]"""
    return x.reshape(len(x), n_head, -1).swapaxes(0, 1)


def merge_heads(x):
    """[n_head, n_seq, n_head_dim] -> [n_seq, n_embd]"""
    return x.swapaxes(0, 1).reshape(x.shape[1], -1)


def forward(ids, wte, wpe, h, ln_f, n_head):
    """ids [n_seq] -> logits [n_seq, n_vocab]"""
    x = wte[ids] + wpe[: len(ids)]
    for block in h:
        attn, mlp = block["attn"], block["mlp"]
        normed = layer_norm(x, **block["ln_1"])
        parts = np.split(linear(normed, **attn["c_attn"]), 3, axis=-1)
        q, k, v = (split_heads(part, n_head) for part in parts)
        x = x + linear(merge_heads(causal_attention(q, k, v)), **attn["c_proj"])
        normed = layer_norm(x, **block["ln_2"])
        x = x + linear(gelu(linear(normed, **mlp["c_fc"])), **mlp["c_proj"])
    return layer_norm(x, **ln_f) @ wte.T


ids = np.array(tokenizer.encode("Once upon a time there was a king who had a beautiful"))
logits = forward(ids, **params, n_head=config.n_head)
assert np.array_equal(logits, model(ids))  # not nearly: every bit

# %% [markdown]
# That is all of GPT-2. The last line is worth a second look: the model says what comes next by
# comparing its last vector with the embedding of every token, from the same table with which it
# reads the text. OpenAI's files have no other output matrix.
#
# ## 4.3 Is it GPT-2?
#
# It proves little that our cell agrees with our own library: both could be wrong in the same way.
# So the tests ask other programs. `forward.npz` holds a small GPT-2 with random parameters, and the
# logits that Hugging Face's transformers computed for it with PyTorch. Every tensor in it is
# random, biases and gains included: a bias that is zero could be forgotten, and nobody would see.

# %%
golden = np.load(DATA / "forward.npz")
tree = unflatten({k.removeprefix("params/"): golden[k] for k in golden if k.startswith("params/")})
expected = golden["logits"]  # [2, 20, 80]
computed = np.array([forward(row, **tree, n_head=3) for row in golden["ids"]])

error = np.abs(computed - expected).max() / np.ptp(expected)
print(f"largest difference, over the range of all logits: {error:.0e}")
assert error < 2e-6

# %% [markdown]
# float32 has about seven decimal digits, and PyTorch adds up in another order, so the last digits
# differ. What is left is rounding. (Why do we divide by the range? An error of 0.001 is nothing if
# the logits go from -100 to 100, and a lot if they go from 0 to 0.01.)
#
# ## 4.4 Read the answer
#
# A softmax turns each row of logits into probabilities for the next token. At every position the
# model makes its guess from the tokens up to that one:
#
# **Guess first.** In "Once upon a time there was a king who had a beautiful", after which word is
# the model most certain of the next one? (If it is "a": after which of the three?)

# %%
probabilities = softmax(logits)
labels = token_labels(tokenizer, ids)
print(f"{'after':>12}   {'comes':12}{'chance':>6}   the model's first guesses")
for position, row in enumerate(probabilities):
    best = np.argsort(-row)[:4]
    guesses = "   ".join(f"{g} {row[i]:.0%}" for g, i in zip(token_labels(tokenizer, best), best))
    comes, chance = "?", ""
    if position + 1 < len(ids):
        comes, chance = labels[position + 1], f"{row[ids[position + 1]]:.1%}"
    print(f"{labels[position]:>12}   {comes:12}{chance:>6}   {guesses}")

# %% alt="Bars: the twelve likeliest tokens after the prompt, with their probabilities."
last = probabilities[-1]
best = np.argsort(-last)[:12][::-1]
fig, ax = plt.subplots(figsize=(7.5, 3.4))
bars = ax.barh(token_labels(tokenizer, best), 100 * last[best], color=BLUE)
ax.bar_label(bars, fmt="%.1f", padding=3)
ax.set(xlabel="probability, %", title=f"What may follow ...{tokenizer.decode(ids[-6:])} ...")
plt.show()

# %% [markdown]
# Fairytale is most certain after the first "a": what else could "Once upon a" be the beginning of?
# It is attention that tells the model which "a" this is.
#
# ## 4.5 Shapes
#
# Everything the model computes is called an *activation* and has a name, under which a tap sees it.
# Here they are for our prompt. We show only the first block, since all blocks are alike.
# `activation_shapes` in `picogpt/config.py` computes the shapes; we compare them with a real run.

# %%
activations = {}
model(ids, tap=record(activations))
shapes = activation_shapes(config, n_seq=len(ids))
assert {name: x.shape for name, x in activations.items()} == shapes
for name, shape in shapes.items():
    if name[:2] != "h." or name.startswith("h.0."):
        print(f"{name:18} {list(shape)}")

# %% [markdown]
# And here is the same forward pass to look at: the page that `model.explain` makes, with a map of
# this model and the numbers of its first and its last block. Scroll down to the map, and choose a
# box of it, or a token. (Scripts do not run on GitHub, where the cell below stays empty: open the
# notebook in Jupyter, and run the cell.)

# %%
model.explain("The king had three", 2, blocks=[0, config.n_layer - 1])

# %% [markdown]
# ## 4.6 Counting parameters
#
# With $d$ for `n_embd`, one block has the matrices `attn.c_attn` $[d, 3d]$, `attn.c_proj` $[d, d]$,
# `mlp.c_fc` $[d, 4d]$ and `mlp.c_proj` $[4d, d]$, together $12 d^2$, their biases $9d$, and two layer norms
# with $2d$ each. Outside the blocks are the two tables of embeddings and the last norm:
#
# $$n_\mathrm{layer}\,(12 d^2 + 13 d) + (n_\mathrm{vocab} + n_\mathrm{ctx})\, d + 2 d$$
#
# **Guess first.** Which part of GPT-2 124M has the most parameters: attention, the MLPs, or the
# table of tokens?


# %% tags=["stable"]
def count(config) -> Counter:
    """Number of parameters by part of the model."""
    parts = Counter()
    for path, shape in param_shapes(config).items():
        kind = path.split(".")[2] if path.startswith("h.") else path
        part = {"attn": "attention", "mlp": "MLP", "wte": "tokens", "wpe": "positions"}
        parts[part.get(kind, "norms")] += math.prod(shape)
    return parts


for size, c in SIZES.items():
    d, n = c.n_embd, count(c).total()
    assert n == c.n_layer * (12 * d**2 + 13 * d) + (c.n_vocab + c.n_ctx) * d + 2 * d
    print(f"GPT-2 {size:6} {n:13,} parameters, {4 * n / 1e6:6,.0f} MB as float32")

# %% alt="Stacked bars for this model and the four sizes of GPT-2: the share of parameters in tokens, positions, attention, MLP and norms. With size, tokens take less and the blocks more."
assert count(config).total() == sum(x.size for x in flatten(params).values())

everyone = {MODEL: config} | SIZES
fig, ax = plt.subplots(figsize=(7.5, 2.8))
left = np.zeros(len(everyone))
hatches = {"tokens": "", "positions": "//", "attention": "", "MLP": "", "norms": ""}
for (part, hatch), colour in zip(hatches.items(), [BLUE, SKY, ORANGE, GREEN, PINK], strict=True):
    share = np.array([100 * count(c)[part] / count(c).total() for c in everyone.values()])
    ax.barh(list(everyone), share, left=left, color=colour, hatch=hatch, ec="white", label=part)
    for i, (begin, width) in enumerate(zip(left, share, strict=True)):
        if width > 5:
            ink = "white" if part == "tokens" else "black"
            ax.text(begin + width / 2, i, f"{width:.0f}", ha="center", va="center", color=ink)
    left += share
ax.invert_yaxis()
ax.set(xlabel="share of all parameters, %", title="Where the parameters are")
ax.legend(ncols=5, loc="upper center", bbox_to_anchor=(0.5, -0.25), handlelength=1)
plt.show()

# %% [markdown]
# In 124M the MLPs have the most, 46 %, but the table of tokens has nearly a third, more than
# attention. In larger models the table matters less and less. In every block the MLP is twice as
# large as attention, and the norms are too small to be seen. (Biases are counted with their
# matrices.)
#
# ## 4.7 Counting multiplications
#
# A product of matrices $[n, a] \cdot [a, b]$ takes $n \cdot a \cdot b$ multiplications and as many
# additions: $2nab$ floating-point operations (FLOPs). Almost all of the work is in such products:
#
# - every matrix of every block is used once for each token: $2 \cdot 12 d^2$ per block;
# - so is the table of tokens, for the logits: $2\, n_\mathrm{vocab}\, d$;
# - in attention each query meets each of the $n$ keys, and each weight each value:
#   $2 \cdot 2\,n\,d$ per block. Only this part grows with the length of the text. (Half of it is
#   masked, but the masked half is computed as well.)
#
# **Guess first.** At which length do the scores and weighted means outweigh the matrices of the
# blocks, for $d = 768$: at about 100, 1000 or 5000 tokens?


# %% alt="Two area plots: operations per token against the length of the text. Most are in the matrices of the blocks; only the scores grow with the length."
def flops_per_token(config, n_seq) -> dict[str, float]:
    """Floating-point operations of one forward pass over n_seq tokens, divided by n_seq."""
    d = config.n_embd
    return {
        "matrices of the blocks": config.n_layer * 2 * 12 * d**2,
        "logits": 2 * config.n_vocab * d,
        "scores and weighted means": config.n_layer * 4 * n_seq * d,
    }


def counted(config, n_seq) -> int:
    """The same, from the shapes of all matrices and activations: 2 n a b for each product."""
    shapes = activation_shapes(config, n_seq)
    total = 0
    for path, shape in param_shapes(config).items():
        if path.endswith(".w") or path == "wte":
            total += 2 * n_seq * math.prod(shape)
    for name, shape in shapes.items():
        if name.endswith((".scores", ".weights")):
            total += 2 * math.prod(shape) * config.n_head_dim
    return total / n_seq


for c in everyone.values():
    assert math.isclose(sum(flops_per_token(c, 200).values()), counted(c, 200))

fig, axes = plt.subplots(1, 2, figsize=(8.5, 3.2))
for ax, (name, c) in zip(axes, {MODEL: config, "124M": SIZES["124M"]}.items(), strict=True):
    lengths = np.arange(1, c.n_ctx + 1)
    parts = [np.broadcast_to(x, lengths.shape) for x in flops_per_token(c, lengths).values()]
    bands = ax.stackplot(lengths, np.array(parts) / 1e6, colors=[GREEN, BLUE, ORANGE])
    bands[2].set_hatch("//")
    ax.set(xlabel="tokens in the text", title=name, xlim=(1, c.n_ctx))
fig.legend(bands, flops_per_token(config, 1), ncols=3, loc="outside lower center")
axes[0].set_ylabel("million FLOPs per token")
plt.show()

# %% [markdown]
# At 1024 tokens, all that 124M can read, the scores and means still cost less than a quarter of the
# matrices, so it must be about 5000. (Exercise 2 asks for the exact length.) "Attention is
# quadratic" is true, but at GPT-2's lengths it is not yet the main cost. As a rule of thumb, one
# token takes two operations for each parameter of the blocks and of the output matrix.
#
# How fast is that here? We time forward passes of several lengths, and divide the number of
# operations by the time.
#
# **Guess first.** How much longer does a text of 64 tokens take than a single token: 64 times, or
# less?


# %%
def seconds(f, times=20):
    best = math.inf
    for _ in range(times):
        start = time.perf_counter()
        f()
        best = min(best, time.perf_counter() - start)
    return best


rng = np.random.default_rng(0)
lengths = [1, 4, 16, 64, 256]
times, rates = [], []
for n_seq in lengths:
    some_ids = rng.integers(config.n_vocab, size=n_seq)
    times.append(seconds(lambda some_ids=some_ids: model(some_ids)))
    flops = n_seq * sum(flops_per_token(config, n_seq).values())
    rates.append(flops / times[-1] / 1e9)
    print(f"{n_seq:4} tokens: {1e3 * times[-1]:7.1f} ms, {rates[-1]:6.1f} billion FLOPs per second")
a, b = rng.standard_normal((2, 1000, 1000), np.float32)
peak = 2e9 / seconds(lambda: a @ b) / 1e9
print(f"a product of two large matrices: {peak:6.1f} billion FLOPs per second")
print(f"64 tokens take {times[3] / times[0]:.0f} times as long as a single one")

# %% tags=["drawing"] alt="A curve on logarithmic axes: operations per second rise with the number of tokens that are computed together, towards the speed of one large matrix product."
fig, ax = plt.subplots(figsize=(6, 3))
ax.loglog(lengths, rates, "o-", color=BLUE, label="forward pass")
ax.axhline(peak, color=GREY, ls="--", label="one large matrix product")
ax.set_xticks(lengths, lengths)
ax.set_yticks([1, 10, 100], [1, 10, 100])
ax.minorticks_off()
ax.set(xlabel="tokens at a time", ylabel="billion FLOPs per second", title="Speed on this machine")
ax.legend()
plt.show()

# %% [markdown]
# Far less than 64 times. For a single token, each weight is fetched from memory and used only once,
# and the processor waits for it. This is why a prompt is read much faster than an answer is
# written: the prompt's tokens go through the model together, but each new token has to wait for the
# one before it.
#
# ## 4.8 Counting bytes
#
# A float32 number takes 4 bytes. The weights have to stay in memory. Activations can be thrown away
# as soon as they have been used, except in training: the backward pass, which computes the
# gradients, needs many of them again. `SAVED` in `picogpt/backward.py` lists which: what went into
# each product, each norm and each GELU, and the attention weights. The scores, for instance, are
# not among them. Finally, the keys and values of earlier positions are kept in a *cache*, so that
# they are not computed again for each new token ([notebook 5b](05b_writing_fast.ipynb)).
#
# **Guess first.** Which takes the most memory in 124M with a full context: the weights, the cache,
# or all activations, if none are thrown away?


# %%
from picogpt.backward import SAVED


def megabytes(n_numbers):
    return 4 * n_numbers / 1e6


def activation_numbers(config, n_seq):
    return sum(math.prod(shape) for shape in activation_shapes(config, n_seq).values())


def saved_numbers(config, n_seq):
    shapes = activation_shapes(config, n_seq)
    return sum(math.prod(shape) for name, shape in shapes.items() if name.endswith(SAVED))


print(f"{'MB of':12}{'weights':>9}{'cache':>8}{'all activations':>17}", end="")
print(f"{'those saved to train':>22}{'the logits':>12}")
for name, c in everyone.items():
    n = c.n_ctx
    numbers = [count(c).total(), 2 * c.n_layer * n * c.n_embd, n * c.n_vocab]
    weights, cache, logits_of_all = map(megabytes, numbers)
    everything, saved = (megabytes(f(c, n)) for f in (activation_numbers, saved_numbers))
    print(f"{name:12}{weights:9,.0f}{cache:8,.1f}{everything:17,.0f}", end="")
    print(f"{saved:22,.0f}{logits_of_all:12,.1f}")

# %% [markdown]
# (For a full context of `n_ctx` tokens.) In 124M all activations together take over four times as
# much as the weights; if they are thrown away when they are used, the weights take the most. The
# logits of all positions are large, too. For writing, only the last row is needed, and then the
# library computes no others.

# %% [markdown]
# ## Common mistakes
#
# > - *"GPT-2 is an encoder and a decoder."* The Transformer of 2017 had both, for translation: the
# >   encoder reads the source text, and each block of the decoder has a second attention that looks
# >   at it. GPT-2 is the decoder alone, without that second attention. The list of its tensors
# >   proves it.
# > - *"GPT-2 is from Google."* The Transformer is ([Vaswani et al. 2017](https://arxiv.org/abs/1706.03762)), and BERT, an encoder alone
# >   ([Devlin et al. 2018](https://arxiv.org/abs/1810.04805)). GPT-2 is from OpenAI ([Radford et al. 2019](https://cdn.openai.com/better-language-models/language_models_are_unsupervised_multitask_learners.pdf)).
# > - *Logits taken for probabilities*, or the softmax taken twice.
# > - *Off by one*: row $t$ of the logits is about token $t + 1$.
# > - *Matrices transposed*: OpenAI's files hold $[n_\mathrm{in}, n_\mathrm{out}]$, a `Linear` of
# >   PyTorch $[n_\mathrm{out}, n_\mathrm{in}]$. Where the matrix is square, there is no error
# >   message.
# > - *Queries, keys and values* taken from `c_attn` *in another order*.
# > - *Negative ids*: in Python, row -1 of a table is its last row.

# %% [markdown]
# **Encoder and decoder.** All tensors of 124M, by name. A decoder that looks at an encoder would
# have a second attention of $4d^2$ parameters in each block, and an encoder beside it, with $12d^2$
# in each of its blocks:

# %% tags=["stable"]
names = Counter(".".join(path.split(".")[2:]) or path for path in param_shapes(SIZES["124M"]))
tensors = ", ".join(f"{n} x {name}" if n > 1 else name for name, n in names.items())
print(textwrap.fill(tensors, 98, break_on_hyphens=False))
d, n_layer, n = 768, 12, count(SIZES["124M"]).total()
print(f"\nGPT-2 124M:                       {n / 1e6:.1f} million parameters")
print(f"with attention to an encoder:     {(n + n_layer * 4 * d**2) / 1e6:.1f}")
print(f"and with the encoder's 12 blocks: {(n + n_layer * (4 + 12) * d**2) / 1e6:.1f}")

# %% [markdown]
# **The softmax twice.** The probabilities lie between 0 and 1. A softmax of such numbers can make
# none more than $e$ times as likely as another:

# %%
once, twice = probabilities[-1], softmax(probabilities[-1])
print(f"the likeliest token: {once.max():.1%} after one softmax, {twice.max():.3%} after two")
print(f"all equally likely:  {1 / config.n_vocab:.3%}")

# %% [markdown]
# **The others**, measured by what they do to the loss on a text (nats per token; [notebook 3](03_attention.ipynb) has
# such a table for attention, [notebook 2](02_embeddings_norm_gelu.ipynb) for the norm):
#
# **Guess first.** Which is worse: no attention at all, no MLP at all, or all blocks in reverse
# order?

# %% alt="Bars: the loss with each mistake, the right model first, beside the line of a model that knows nothing."
tale = np.array(tokenizer.encode(TALE))


def loss(params, edits=()) -> float:
    logits = gpt2(tale[:-1], **params, n_head=config.n_head, tap=edit(dict(edits)))
    return cross_entropy(logits, tale[1:])


def without(name) -> dict:
    """Edits that replace an activation of every block by zeros."""
    return {f"h.{i}.{name}": np.zeros_like for i in range(config.n_layer)}


def with_blocks(change) -> dict:
    """The parameters, with the function change applied to attn of every block."""
    return params | {"h": [block | {"attn": change(block["attn"])} for block in params["h"]]}


def transposed(attn):
    w, b = attn["c_proj"]["w"], attn["c_proj"]["b"]
    return attn | {"c_proj": {"w": w.T, "b": b}}


def reordered(attn):
    """Keys first, then queries, then values."""
    new = {}
    for name, x in attn["c_attn"].items():
        q, k, v = np.split(x, 3, axis=-1)
        new[name] = np.concatenate([k, q, v], axis=-1)
    return attn | {"c_attn": new}


results = {
    "as it should be": loss(params),
    "off by one: tokens guess themselves": cross_entropy(model(tale), tale),
    "attn.c_proj transposed": loss(with_blocks(transposed)),
    "keys before queries": loss(with_blocks(reordered)),
    "attention left out": loss(params, without("attn.c_proj")),
    "MLP left out": loss(params, without("mlp.c_proj")),
    "blocks in reverse order": loss(params | {"h": params["h"][::-1]}),
}
loss_bars(results, config.n_vocab)

# %% [markdown]
# In fairytale it is worst to leave out the MLPs. The bar goes beyond the dashed line, the loss of a
# model that knows nothing. That is not a mistake in the measurement. A model that knows nothing
# gives every token the same chance, and loses $\log n_{\mathrm{vocab}}$ each time. A broken model
# is *sure* of the wrong token, and leaves the right one less than one in $n_{\mathrm{vocab}}$.
# There is no limit to what confident nonsense can cost.

# %% [markdown]
# **Negative ids**, and texts that are too long, get a clear answer from the library:

# %% tags=["stable"]
for bad in ([3, -1], [0] * (config.n_ctx + 1)):
    try:
        model(bad)
    except ValueError as error:
        print(error)

# %% [markdown]
# ## Five quick questions
#
# Nothing to compute: this is just to see what has stuck. Put your five letters into the second
# cell, and "-" for a question that you leave out.

# %% tags=["stable"]
from picogpt.classroom.quiz import quiz

quiz(4)

# %%
quiz(4, "-----")

# %% [markdown]
# ## Exercises
#
# The solutions are at the end. Click on one to open it.
#
# **Exercise 1.** In 4.2 we compute the logits of all positions. Change `forward` so that it returns
# only the last row, without computing the others. (It is one small change in one place.)

# %% [markdown]
# *Easy.*
#
# <details><summary>First hint</summary>Which parts at the end work on each position by itself?
# You can drop the other positions before these parts.</details>
# <details><summary>Second hint</summary>Everything up to the last line of <code>forward</code> is
# needed for all positions. The last line is not.</details>


# %%
def forward_last(ids, wte, wpe, h, ln_f, n_head):
    """ids [n_seq] -> logits [n_vocab], for the token after the last"""
    return forward(ids, wte, wpe, h, ln_f, n_head)  # your lines


# %%
attempt(check_4_1, forward_last, model, ids)

# %% [markdown]
# **Exercise 2.** At which length of the text do the scores and weighted means take as many
# operations as the matrices of the blocks? Write it as a function of `n_embd`.

# %% [markdown]
# *Easy.*
#
# <details><summary>First hint</summary>4.7 has both numbers of operations, for one token and one
# block.</details>
# <details><summary>Second hint</summary>Set them equal, and solve for the length.</details>


# %%
def break_even(n_embd):
    """n_seq at which both parts of the work are equal"""
    n_seq = None  # your answer
    return n_seq


# %%
attempt(check_4_2, break_even)

# %% [markdown]
# **Exercise 3.** Two texts of different length cannot be one array, unless the shorter one is
# padded, and GPT-2 knows nothing of padding. What do you pad with, and where, so that each text
# gets the logits that it would have got alone? Write a function that runs both in one call of the
# model and returns the logits after the last token of each.

# %% [markdown]
# *Hard.*
#
# *Warm-up, without a computer:* Which positions does a token at the end of a text change?
#
# <details><summary>Answer</summary>Its own, and none before it, because of the mask.</details>
#
# <details><summary>First hint</summary>If what you add stands at the end, who can see it?</details>
# <details><summary>Second hint</summary>One array <code>[2, n_seq]</code>, one call; then the row
# at the place where the short text ends.</details>


# %%
def both_at_once(model, short, long):
    """short, long: lists of ids -> logits [n_vocab] for each"""
    return None, None  # your lines


# %%
attempt(check_4_3, both_at_once, model)

# %% [markdown]
# ## Solutions


# %% tags=["solution"]
# A solution of exercise 1
def last_solution(ids, wte, wpe, h, ln_f, n_head):
    x = wte[ids] + wpe[: len(ids)]
    for block in h:
        attn, mlp = block["attn"], block["mlp"]
        normed = layer_norm(x, **block["ln_1"])
        parts = np.split(linear(normed, **attn["c_attn"]), 3, axis=-1)
        q, k, v = (split_heads(part, n_head) for part in parts)
        x = x + linear(merge_heads(causal_attention(q, k, v)), **attn["c_proj"])
        normed = layer_norm(x, **block["ln_2"])
        x = x + linear(gelu(linear(normed, **mlp["c_fc"])), **mlp["c_proj"])
    return layer_norm(x[-1], **ln_f) @ wte.T  # x[-1] for x


check_4_1(last_solution, model, ids)


# %% tags=["solution"]
# A solution of exercise 2
# 4 n d = 2 * 12 d^2: six times the width, 4608 tokens for 124M, whose context has 1024
check_4_2(lambda n_embd: 6 * n_embd)


# %% tags=["solution"]
# A solution of exercise 3
def both_solution(model, short, long):
    # At the end, where no earlier position can see it, any token will do.
    filled = short + [0] * (len(long) - len(short))
    logits = model([filled, long])
    return logits[0, len(short) - 1], logits[1, -1]


check_4_3(both_solution, model)

# %% [markdown]
# ## To go on
#
# - The code: [`picogpt/model.py`](../picogpt/model.py) has the same lines as our cell, cut into functions with a tap and a
#   cache; the README shows all of them on one screen.
# - [Radford et al. 2019](https://cdn.openai.com/better-language-models/language_models_are_unsupervised_multitask_learners.pdf), *Language Models are Unsupervised Multitask Learners*, section 2.3: the
#   whole description of the architecture is half a page long.
# - Next: notebooks [5](05_generation.ipynb) and [5b](05b_writing_fast.ipynb) write with it; [notebook 6](06_checkpoint.ipynb) reads its weights from the file.
