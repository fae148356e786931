# %% [markdown]
# # 12. Smaller
#
# ![You are here: the same parts, in less space](data/here_12.svg)
#
# **Goal:** make a model smaller in three ways (numbers with fewer bits, fewer blocks, fewer heads),
# understand where the error of each comes from, and measure what it costs. We also look at the
# memory that is not needed for weights.
#
# The largest GPT-2 has 1.56 billion weights. As float32 they take 6.2 GB, more than most laptops
# have free. The same model with one byte for each weight takes 1.6 GB. You need notebooks
# [0](00_quick_start.ipynb) and [4](04_forward_pass.ipynb); for the fine-tuning also 7. About 40
# minutes.
#
# > Is picogpt not installed, for example on Colab? Type this in a cell, run it, and restart the
# > kernel: `%pip install "picogpt[notebooks] @ ADDRESS"`. Replace ADDRESS with `file://` and the full
# > path of the project's folder, or with `git+` and the address of its repository.

# %%
import tempfile
import time
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np

import picogpt
from picogpt.backward import loss_and_gradients
from picogpt.classroom.checks.training import check_12_1, check_12_2
from picogpt.classroom.checks.verdict import attempt
from picogpt.classroom.plots import BLUE, GREEN, GREY, ORANGE, PINK, RED, SKY
from picogpt.classroom.texts import DATA
from picogpt.config import SIZES, flatten, unflatten
from picogpt.gpt2 import GPT2
from picogpt.train.adamw import adamw, clip_gradients, zero_moments
from picogpt.weights.compact import is_multiplied, to_bfloat16, widen

model = picogpt.load("fairytale")
config = model.config
weights = flatten(model.params)

# %% [markdown]
# ## 12.1 Numbers, bit by bit
#
# A floating-point number is a sign, an exponent and a mantissa,
# $\pm 1.\mathrm{mantissa} \cdot 2^\mathrm{exponent}$. The exponent's bits decide how large and how
# small a number can be, the mantissa's how exact it is:


# %% tags=["stable"]
def bits(x, dtype):
    """The sign, the exponent and the mantissa of x, as text, and the number that they are."""
    if dtype == "bfloat16":  # NumPy lacks it: the upper half of a float32
        stored = to_bfloat16(np.array([x]))
        return f"{stored[0]:016b}", 8, widen(stored, np.empty(1, np.float32))[0]
    stored = np.array([x], dtype)
    n = 8 * stored.itemsize
    return f"{stored.view(f'u{n // 8}')[0]:0{n}b}", {32: 8, 16: 5}[n], stored[0]


for x in (1.0, -2.0, 0.1, 1e-6, 70000.0):
    print(x)
    for dtype in ("float32", "float16", "bfloat16"):
        with np.errstate(over="ignore"):
            text, n_exponent, value = bits(x, dtype)
        split = 1 + n_exponent
        print(f"    {dtype:9} {text[0]} {text[1:split]:8} {text[split:]:23}  {value:.9g}")

# %% [markdown]
# The exponent is stored with 127 added (in float16 with 15), so 01111111 means 0. All ones mean
# infinity; all zeros mean a very small number, without the leading 1.
#
# float16 spends its bits on exactness, so 70000 is too large for it, and 1e-6 is almost too small.
# bfloat16 has as many bits for the exponent as float32, so it has the same range, but only two or
# three decimal digits.
#
# An **int8** has no exponent at all: it is one of 256 whole numbers. To store weights in it we need a
# *scale*: weight ≈ scale · int8.
#
# ## 12.2 From 32 bits to 8
#
# The simplest scale makes the largest weight 127, and rounds all others to the nearest step.


# %% alt="Left, a histogram of the weights of one matrix with long tails. Right, a flat histogram of the rounding errors."
def quantize(x, n_bits=8, axis=None):
    """x rounded to whole numbers of n_bits, and the scale: one for all, or along an axis."""
    largest = np.abs(x).max(axis, keepdims=True)
    scales = largest / (2 ** (n_bits - 1) - 1)
    return np.rint(x / scales).astype(np.int8), scales


w = weights["h.0.mlp.c_fc.w"]
stored, scale = quantize(w)
wrong = stored * scale - w
assert np.abs(wrong).max() <= 0.501 * scale[0, 0]  # half a step at most

fig, (left, right) = plt.subplots(1, 2, figsize=(9, 3))
left.hist(w.ravel(), 200, color=BLUE, log=True)
left.axvline(-127 * scale[0, 0], color=RED)
left.axvline(127 * scale[0, 0], color=RED)
left.set(title="The weights of one matrix (red: ±127 steps)", xlabel="weight", ylabel="how many")
right.hist(wrong.ravel() / scale[0, 0], 50, color=ORANGE)
right.set(title="What rounding changes", xlabel="error, in steps")
plt.show()

# %% [markdown]
# The errors are spread evenly between minus half a step and half a step, whatever the weight. So
# the error depends on the size of the *step*, and the step depends on the single largest weight.
# The red lines are far out in the tails: a few outliers set the step for all the others, most of
# which use only a small part of the 255 numbers.

# %%
used = np.abs(stored)
print(
    f"the largest weight: {127 * scale[0, 0]:.2f}; a usual one (RMS): {np.sqrt((w * w).mean()):.3f}"
)
for n in (8, 16, 32, 64):
    print(f"{(used < n).mean():6.1%} of the weights are less than {n} steps from zero")

# %% [markdown]
# ## 12.3 One scale for all, or one for each channel?
#
# Each column of the matrix makes one number of the output. Such a column is called a channel.
# Outliers are not spread evenly over the channels:

# %% alt="The largest weight of each channel, sorted, below the line of the largest weight of the matrix."
fig, ax = plt.subplots(figsize=(7.5, 3))
ax.plot(np.sort(np.abs(w).max(axis=0)), color=BLUE, label="largest weight of each channel")
ax.axhline(np.abs(w).max(), color=RED, label="largest weight of the matrix")
ax.set(xlabel="channels, sorted", ylim=(0, None))
ax.legend()
plt.show()

# %% [markdown]
# If each channel has its own scale, an outlier spoils only its own channel. The scale can be taken
# out of the sum, `sum(x * scale * q) = scale * sum(x * q)`, so it costs one multiplication for each
# output. For `wte`, which makes the logits, one for each of its rows, the channels are the rows.
#
# Now the whole model, in several ways. What counts is not the error of a weight but the model's
# predictions: bits per byte of a tale that it has never read. We use its first part to make
# decisions, and the next part for the figures that we report.
#
# **Guess first.** With how many bits will the model clearly get worse: 8, 6 or 4?

# %%
tale = (DATA / "olive.txt").read_text("utf-8").strip()
deciding, reported = tale[:1500], tale[1500:4500]


def with_matrices(change):
    """The model with change(path, matrix) in the place of each matrix."""
    flat = {path: change(path, x) if is_multiplied(path) else x for path, x in weights.items()}
    return GPT2(config, unflatten(flat), model.tokenizer)


def rounded(n_bits, per_channel):
    """A change for with_matrices: quantized, and multiplied out again."""

    def change(path, x):
        axis = (1 if path == "wte" else 0) if per_channel else None
        stored, scales = quantize(x, n_bits, axis)
        return (stored * scales).astype(np.float32)

    return change


whole = model.score(reported).bits_per_byte
print(f"float32               {whole:.4f} bits per byte")
by_hand = {}
for n_bits in (8, 6, 4):
    for per_channel in (False, True):
        by_hand[n_bits, per_channel] = with_matrices(rounded(n_bits, per_channel))
        found = by_hand[n_bits, per_channel].score(reported).bits_per_byte
        name = "per channel" if per_channel else "per tensor"
        print(f"{n_bits} bits, {name:11}   {found:.4f}  ({found / whole - 1:+.2%})")

# %% [markdown]
# 8 bits make hardly any difference. Each bit less doubles the step, and so the error. With 4 bits
# there are only 15 numbers, and many weights lie within a step or two of zero. The model is worse,
# and much worse with one scale for a whole matrix. Why does it cost so much here, when the large
# models of today are run with 4 bits? Their sums are longer, so errors average out. Each scale
# belongs to a group of only 32 or 64 weights, so an outlier spoils fewer others. And methods such
# as GPTQ choose the rounding so that the *outputs* stay right. Exercise 2 tries the groups.
#
# ## 12.4 As picogpt does it
#
# `picogpt.load(..., dtype="int8")` keeps the matrices as int8 and scales. When it multiplies, it
# turns a block of rows at a time back into float32. The numbers are those that we made by hand:

# %%
small = picogpt.load("fairytale", dtype="int8")
print(small.params["h"][0]["mlp"]["c_fc"]["w"])
for path, x in flatten(small.params).items():
    mine = flatten(by_hand[8, True].params)[path]
    assert np.allclose(np.asarray(x), mine, rtol=1e-6, atol=1e-8)
ids = model.tokenizer.encode(tale)[:200]
expected = by_hand[8, True](ids)
assert np.abs(small(ids) - expected).max() < 1e-5 * np.ptp(expected)
for name, x in (("float32", model.params), ("int8", small.params)):
    print(f"{name:8} {sum(y.nbytes for y in flatten(x).values()) / 1e6:5.1f} MB")

# %% [markdown]
# ## 12.5 Fewer blocks
#
# Each block only adds to the residual stream. So the model can be run without one of them, and
# `keep_blocks` makes such a model.
#
# **Guess first.** Which block will the model miss most, and which one least?

# %% alt="Bars on a logarithmic axis: what each block costs if it is taken away. The first one costs by far the most."
n_layer = config.n_layer
base = model.score(deciding).bits_per_byte
costs = []
for i in range(n_layer):
    others = [j for j in range(n_layer) if j != i]
    costs.append(model.keep_blocks(others).score(deciding).bits_per_byte - base)

fig, ax = plt.subplots(figsize=(6, 2.8))
ax.bar(range(n_layer), costs, color=BLUE)
ax.set(xlabel="the block that is taken away", ylabel="more bits per byte", yscale="log")
ax.set_xticks(range(n_layer))
ax.set_yticks([0.05, 0.1, 0.2, 0.5, 1, 2], ["0.05", "0.1", "0.2", "0.5", "1", "2"])
ax.minorticks_off()
ax.set_ylim(0.7 * max(min(costs), 0.01), 1.3 * max(costs))
plt.show()

# %% [markdown]
# The first block is special: without it hardly anything is left, because all later blocks have
# learned to read what it writes. The others are missed far less. To take away several blocks, we
# search greedily: we remove the block that is missed least, then the one that is missed least among
# the rest, and so on. This need not find the best choice, since two blocks may do the same job, but
# it has to try only a few.

# %% alt="Two curves of bits per byte against the number of blocks kept; the greedy choice is the lower one."
kept, greedy = list(range(n_layer)), {n_layer: list(range(n_layer))}
while len(kept) > 1:
    choices = [[j for j in kept if j != i] for i in kept]
    kept = min(choices, key=lambda c: model.keep_blocks(c).score(deciding).bits_per_byte)
    greedy[len(kept)] = kept
last = {n: list(range(n)) for n in range(1, n_layer + 1)}  # to compare: the last ones taken away


def curve(choices):
    return [model.keep_blocks(choices[n]).score(reported).bits_per_byte for n in sorted(choices)]


fig, ax = plt.subplots(figsize=(6.5, 3))
ax.plot(sorted(greedy), curve(greedy), "o-", color=BLUE, label="greedy choice")
ax.plot(sorted(last), curve(last), "s--", color=GREY, label="the last ones taken away")
ax.set(xlabel="blocks kept", ylabel="bits per byte")
ax.set_xticks(sorted(greedy))
ax.legend()
plt.show()
for n in sorted(greedy, reverse=True):
    print(n, "blocks:", greedy[n])

# %% [markdown]
# **What a short training gives back.** The blocks that are left have never seen such a stream. Some
# steps of AdamW ([notebook 7](07_training.ipynb)), on passages of the books that the model learned
# from, let them get used to it. The held-out tale is not among these passages. In practice people
# train for much longer, and on much more text, and get back most of what was lost.

# %%
n_kept = max(1, n_layer - 2)
cut = model.keep_blocks(greedy[n_kept])
tales = {}
for line in (DATA / "passages.tsv").read_text("utf-8").splitlines():
    _, collection, title, passage = line.split("\t")
    tales.setdefault((collection, title), []).append(passage)
stream = []
for passages in tales.values():
    stream += [model.tokenizer.endoftext, *model.tokenizer.encode("\n\n".join(passages))]
stream = np.array(stream)

copies = {path: x.copy() for path, x in flatten(cut.params).items()}
tuned = GPT2(cut.config, unflatten(copies), model.tokenizer)
learning = flatten(tuned.params)
moments, rng = zero_moments(learning), np.random.default_rng(12)
n_steps, length = 25, min(256, config.n_ctx)
for step in range(1, n_steps + 1):
    starts = rng.integers(0, len(stream) - length, 2)
    batch = stream[starts[:, None] + np.arange(length + 1)]
    loss, grads = loss_and_gradients(batch[:, :-1], batch[:, 1:], tuned.params, config.n_head)
    grads = flatten(grads)
    clip_gradients(grads, 1.0)
    lr = 2e-4 * min(step / 10, (n_steps + 1 - step) / n_steps)
    adamw(learning, grads, moments, step, lr=lr, betas=(0.9, 0.99), weight_decay=0.0)

before, after = (m.score(reported).bits_per_byte for m in (cut, tuned))
print(f"all {n_layer} blocks       {whole:.4f} bits per byte")
print(f"{n_kept} blocks           {before:.4f}")
print(f"{n_kept} blocks, tuned    {after:.4f}")
print(f"{n_steps} steps gave back {(before - after) / (before - whole):.0%} of what was lost.")
assert after < before

# %% [markdown]
# ## 12.6 Fewer heads
#
# A head writes to the stream through its own rows of `attn.c_proj.w`. If we set these rows to zero,
# the head is silent. How much does the model miss each head?
#
# **Guess first.** Will the model miss some heads as much as a whole block?

# %% alt="Left, a matrix of what each head costs if it is silent. Right, bits per byte against the number of silent heads, the least missed or the most missed ones."
n_head, width = config.n_head, config.n_head_dim
sample = deciding[:400]


def without_heads(heads):
    """The model without some heads, pairs of block and head."""
    flat = dict(weights)
    for block in {i for i, _ in heads}:
        path = f"h.{block}.attn.c_proj.w"
        flat[path] = flat[path].copy()
        for i, head in heads:
            if i == block:
                flat[path][head * width : (head + 1) * width] = 0.0
    return GPT2(config, unflatten(flat), model.tokenizer)


base = model.score(sample).bits_per_byte
missed = np.array(
    [
        [without_heads([(i, head)]).score(sample).bits_per_byte - base for head in range(n_head)]
        for i in range(n_layer)
    ]
)
order = [divmod(int(n), n_head) for n in missed.ravel().argsort()]  # the least missed first
numbers = sorted({round(len(order) * part) for part in (0, 1 / 8, 1 / 4, 1 / 2)})
least = [without_heads(order[:n]).score(reported).bits_per_byte for n in numbers]
most = [without_heads(order[len(order) - n :]).score(reported).bits_per_byte for n in numbers]

fig, (left, right) = plt.subplots(1, 2, figsize=(9, 3))
image = left.imshow(missed, cmap="Blues", vmin=0)
left.set(xlabel="head", ylabel="block", title="More bits per byte without it")
fig.colorbar(image, ax=left)
right.plot(numbers, least, "o-", color=BLUE, label="the least missed")
right.plot(numbers, most, "s--", color=RED, label="the most missed")
right.set(xlabel="heads silent", ylabel="bits per byte")
right.legend()
plt.show()

# %% [markdown]
# No: the head that is missed most costs less than the block that is missed least. Some heads can be
# taken away almost unnoticed. (White ones cost nothing, or on this short text even less.) But look
# at what that saves: in a block of GPT-2, the heads have a third of the parameters and the MLP two
# thirds. And a silent head saves nothing until its columns and rows are really cut out of the
# matrices. Then the blocks no longer have the same sizes. That is why whole blocks are taken away
# more often than heads.
#
# ## 12.7 What the cache costs
#
# Weights are not everything. For each position, each block keeps a key and a value of `n_embd`
# float32 numbers. For one text that is less than the weights, but a server keeps them for every
# text that it is writing:

# %% tags=["stable"]
print(f"{'':8} weights in int8   cache of a full text   texts until the cache is larger")
for name, size in SIZES.items():
    n_weights = 12 * size.n_layer * size.n_embd**2 + size.n_vocab * size.n_embd
    cache = 2 * size.n_layer * size.n_embd * 4 * size.n_ctx
    print(f"{name:8} {n_weights / 1e6:10.0f} MB {cache / 1e6:17.0f} MB {n_weights / cache:22.1f}")

# %% [markdown]
# With small weights, the cache soon takes more memory than they do. So larger models share keys and
# values between heads (grouped-query attention), store the cache in fewer bits, or forget its
# oldest part.
#
# ## 12.8 All of them, side by side
#
# Here are size, speed and bits per byte of each variant. They continue the same prompt in turn, and
# we take the median of three rounds. The 4-bit model that we made by hand is stored as float32, so
# we give no speed for it.
#
# **Guess first.** Which variant writes quickest: one with half as many bytes, one with a quarter as
# many bytes, or one with fewer blocks?

# %% alt="Two plots of bits per byte against size and against speed, one point for each variant."
with tempfile.TemporaryDirectory() as folder:
    tuned.save(Path(folder) / "small", "int8")
    both = picogpt.load(Path(folder) / "small")
    variants = {
        "float32": model,
        "float16": picogpt.load("fairytale", dtype="float16"),
        "bfloat16": picogpt.load("fairytale", dtype="bfloat16"),
        "int8": small,
        f"{n_kept} blocks": cut,
        f"{n_kept} blocks, tuned": tuned,
        f"{n_kept} blocks, tuned, int8": both,
    }
    speeds = {name: [] for name in variants}
    for _ in range(3):
        for name, variant in variants.items():
            start = time.perf_counter()
            n = sum(1 for _ in variant.steps("Once upon a time", 30, temperature=1.0, seed=3))
            speeds[name].append(n / (time.perf_counter() - start))
    table = {}
    for name, variant in variants.items():
        size = sum(x.nbytes for x in flatten(variant.params).values()) / 1e6
        table[name] = size, float(np.median(speeds[name])), variant.score(reported).bits_per_byte
n_int4 = sum(x.size / 2 if is_multiplied(path) else x.nbytes for path, x in weights.items())
table["4 bits, by hand"] = n_int4 / 1e6, None, by_hand[4, True].score(reported).bits_per_byte

print(f"{'':26} {'MB':>6} {'tokens/s':>9} {'bits per byte':>14}")
for name, (size, speed, found) in table.items():
    cells = "-" if speed is None else f"{speed:.0f}"
    print(f"{name:26} {size:6.1f} {cells:>9} {found:14.4f}")

fig, (left, right) = plt.subplots(1, 2, figsize=(9, 3.6), sharey=True)
colors = [GREY, SKY, PINK, BLUE, ORANGE, GREEN, "black", RED]
markers = ["o", "o", "x", "o", "s", "s", "s", "^"]
for color, marker, (name, (size, speed, found)) in zip(colors, markers, table.items(), strict=True):
    left.plot(size, found, marker, color=color, label=name)
    if speed is not None:
        right.plot(speed, found, marker, color=color)
left.set(xlabel="size, MB", ylabel="bits per byte", xlim=(0, None))
right.set(xlabel="speed, tokens/s", xlim=(0, None))
fig.legend(loc="outside right upper", fontsize=8)
plt.show()

# %% [markdown]
# In the left plot, good models are low and to the left; in the right plot, low and to the right.
# int8 costs almost nothing in bits per byte. Speed is another matter: fewer bytes have to be read
# from memory, but turning them into float32 takes time, most of all for float16. Which of the two
# matters more depends on the size of the model and on the machine. Fewer blocks are less work on
# every machine.

# %% [markdown]
# ## Five quick questions
#
# Nothing to compute: this is just to see what has stuck. Put your five letters into the second
# cell, and "-" for a question that you leave out.

# %% tags=["stable"]
from picogpt.classroom.quiz import quiz

quiz(12)

# %%
quiz(12, "-----")

# %% [markdown]
# ## Exercises
#
# The solutions are at the end. Click on one to open it.
#
# **Exercise 1.** How many bytes does a KV cache of `n` positions take, in float16, for `n_texts` texts?

# %% [markdown]
# *Easy.*
#
# *Warm-up, without a computer:* How many bytes is a number in float16?
#
# <details><summary>Answer</summary>Two.</details>
#
# <details><summary>First hint</summary>A key <em>and</em> a value, in each block, at each
# position.</details>
# <details><summary>Second hint</summary>Two arrays, two bytes for each number, and all texts have
# their own.</details>


# %%
def cache_bytes(n_layer, n_embd, n, n_texts):
    return n_layer * n_embd * n  # your line


# %%
attempt(check_12_1, cache_bytes)

# %% [markdown]
# **Exercise 2.** Quantize `x` [n_in, n_out] to `n_bits`, with a scale for each group of `n`
# neighbouring numbers of a column, and multiply it out again. (`n` divides n_in.) The solution
# shows what this does with 4 bits.

# %% [markdown]
# *Medium.*
#
# <details><summary>First hint</summary>Groups of rows can be made an axis of their own: <code>[n_in
# / n, n, n_out]</code>.</details>
# <details><summary>Second hint</summary>Quantize along that axis of n, multiply the scales back in,
# and give the result its old shape.</details>


# %%
def grouped(x, n_bits, n):
    stored, scales = quantize(x, n_bits, axis=0)  # your lines
    return stored * scales


# %%
attempt(check_12_2, grouped)

# %% [markdown]
# ## Solutions


# %% tags=["solution"]
# A solution of exercise 1
def cache_bytes_solution(n_layer, n_embd, n, n_texts):
    return 2 * 2 * n_layer * n_embd * n * n_texts


check_12_1(cache_bytes_solution)


# %% tags=["solution"]
# A solution of exercise 2
def grouped_solution(x, n_bits, n):
    groups = x.reshape(-1, n, x.shape[-1])
    stored, scales = quantize(groups, n_bits, axis=1)
    return (stored * scales).reshape(x.shape)


check_12_2(grouped_solution)

# %% tags=["solution"]
# A solution of exercise 2, on the whole model
for n in (256, 64, 16):
    groups = with_matrices(
        lambda path, x, n=n: (
            grouped_solution(x.T, 4, n).T if path == "wte" else grouped_solution(x, 4, n)
        )
    )
    print(
        f"4 bits, groups of {n:3}: {groups.score(reported).bits_per_byte:.4f} bits per byte,"
        f" {4 + 32 / n:.1f} bits a weight with its scale"
    )

# %% [markdown]
# ## To go on
#
# - The code: [`picogpt/weights/compact.py`](../picogpt/weights/compact.py), and `keep_blocks` in [`picogpt/gpt2.py`](../picogpt/gpt2.py).
# - `python -m picogpt.weights export 124M --out small --dtype int8` writes such a model.
# - [Dettmers et al. 2022](https://arxiv.org/abs/2208.07339), *LLM.int8()*: what outliers do to large models.
# - [Frantar et al. 2022](https://arxiv.org/abs/2210.17323), *GPTQ*: four bits, with the rounding chosen by its effect.
# - [Michel et al. 2019](https://arxiv.org/abs/1905.10650), *Are Sixteen Heads Really Better than One?*
# - [Men et al. 2024](https://arxiv.org/abs/2403.03853), *ShortGPT*: blocks taken out of large models.
