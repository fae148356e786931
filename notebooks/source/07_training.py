# %% [markdown]
# # 7. The backward pass and training
#
# ![You are here: the way back through the same parts: how they learn](data/here_7.svg)
#
# **Goal:** derive the gradients that training needs, check them, train a small GPT-2 from nothing,
# teach the bundled model a new style, and see where learning turns into learning by heart.
#
# So far, somebody else had found the weights. Here the model learns them. It takes one rule of
# calculus, the chain rule, used some twenty times, and a loop of six lines, run a few hundred
# times. You should have read notebooks [2](02_embeddings_norm_gelu.ipynb) to
# [4](04_forward_pass.ipynb), and know what a derivative is. About 40 minutes to read, and three to
# five minutes to run.
#
# > Is picogpt not installed, for example on Colab? Type this in a cell, run it, and restart the
# > kernel: `%pip install "picogpt[notebooks] @ ADDRESS"`. Replace ADDRESS with `file://` and the full
# > path of the project's folder, or with `git+` and the address of its repository.

# %%
MODEL = "fairytale"  # or "124M", GPT-2 itself: 498 MB to download, half an hour, 6 GB of memory

# %%
import os

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # before NumPy is imported; see 7.8

import textwrap
import time
from dataclasses import replace
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np

import picogpt
from picogpt.backward import (
    d_cross_entropy,
    d_layer_norm,
    d_linear,
    loss_and_gradients,
)
from picogpt.bpe.learn import learn_bpe
from picogpt.classroom.checks.training import check_7_1, check_7_2, check_7_3
from picogpt.classroom.checks.verdict import attempt
from picogpt.classroom.plots import (
    BLUE,
    GREEN,
    GREY,
    ORANGE,
    PINK,
    RED,
    SKY,
    loss_bars,
    token_labels,
)
from picogpt.classroom.texts import DATA, TALE
from picogpt.config import Config, flatten, unflatten
from picogpt.evaluate.documents import cut_documents, encode_documents, split_documents
from picogpt.evaluate.score import score, token_lengths
from picogpt.model import gpt2
from picogpt.ops import cross_entropy, layer_norm, linear, softmax
from picogpt.tap import dropout_tap
from picogpt.train.adamw import adamw, clip_gradients, zero_moments
from picogpt.train.data import batch, hold_out
from picogpt.train.init import initial_params
from picogpt.train.log_line import write_sample
from picogpt.train.loop import Run, thread_pool, update
from picogpt.train.recipe import Recipe
from picogpt.train.run_folder import State
from picogpt.train.schedule import learning_rate

model = picogpt.load(MODEL)
tokenizer, params = model.tokenizer, model.params
tale = np.array(tokenizer.encode(TALE))

# %% [markdown]
# ## 7.1 Which way is down?
#
# The loss says how surprised the model is by a text. It depends on the text, and on every single
# weight. Take one weight, give it several values, leave all others as they are, and compute the
# loss for each: that gives a curve. We want its slope at the weight's present value, which says in
# which direction the loss falls, and how fast. The slopes for all weights together are the
# *gradient*: one number for every weight.
#
# `loss_and_gradients` computes it for all weights at once. Below is the curve for one weight, a
# gain of the first layer norm. The points come from 21 runs of the model, and the slope of the
# dashed line comes from the gradient.
#
# **Guess first.** Will the loss change in a straight line if one weight is changed a little? And a
# lot?

# %% alt="A curve of the loss against one weight, and a straight line that touches it at the present value: the slope from the gradient."
ids, targets = tale[:64], tale[1:65]
loss, grads = loss_and_gradients(ids, targets, params, model.config.n_head)

path = "h.0.ln_1.g"
flat = flatten(params)
gradient = flatten(grads)[path]
place = np.unravel_index(np.abs(gradient).argmax(), gradient.shape)  # where it is steepest


def loss_at(shift: float) -> float:
    """The loss with one weight changed by shift."""
    w = flat[path].copy()
    w[place] += shift
    changed = unflatten(flat | {path: w})
    return cross_entropy(gpt2(ids, **changed, n_head=model.config.n_head), targets)


shifts = np.linspace(-4, 4, 21)
fig, ax = plt.subplots(figsize=(6.5, 2.8))
ax.plot(shifts, [loss_at(shift) for shift in shifts], "o", color=BLUE, label="the loss, computed")
line = loss + gradient[place] * shifts
ax.plot(shifts, line, "--", color=ORANGE, label="slope from the gradient")
ax.plot(0, loss, "s", color="black", ms=7, label="as it is")
ax.set(xlabel=f"change of one number of {path}", ylabel="loss, nats per token")
ax.legend()
plt.show()

# %% [markdown]
# A small change follows the straight line, a large one does not.
#
# ## 7.2 Ask the function itself
#
# A slope can be measured without any theory. Go a small step $h$ forwards, the same backwards, and
# divide:
#
# $$\frac{\partial f}{\partial x} \approx \frac{f(x + h) - f(x - h)}{2h}$$
#
# With millions of weights, a single gradient would take twice as many millions of runs of the
# model, so nobody trains like that. But it is the perfect judge of a formula, because it knows
# nothing of how the formula was derived.


# %%
def numerical_gradient(f, x, h=1e-6):
    """The slope of f, which returns a number, for each number of x: [...] -> [...]."""
    x, gradient = x.copy(), np.zeros_like(x)
    for i in np.ndindex(x.shape):
        before = x[i]
        x[i] = before + h
        above = f(x)
        x[i] = before - h
        below = f(x)
        x[i] = before
        gradient[i] = (above - below) / (2 * h)
    return gradient


def assert_same(computed, expected):
    """Assert that two gradients agree, up to a millionth of the largest number."""
    assert np.abs(computed - expected).max() < 1e-6 * np.abs(expected).max()


# %% [markdown]
# How small a step? Here is the error for the small model of the tests, in float32 and in float64.
# All weights are moved at once, in the direction of the gradient; there the true slope is the
# gradient's length.
#
# **Guess first.** Is a smaller step always better? What might go wrong with a step of $10^{-12}$?

# %% alt="The error of a measured slope against the step, logarithmic. In float64 it falls to a step of 1e-6, and then rises. In float32 it stays at 1 up to a step of 1e-7, falls to 1e-3, and then rises with the other."
golden = np.load(DATA / "backward.npz")  # a tiny GPT-2, and PyTorch's gradients
small = {k.removeprefix("params/"): golden[k] for k in golden if k.startswith("params/")}
small_ids, small_targets = golden["ids"], golden["targets"]


def error_of_slope(dtype, h: float) -> float:
    """The relative error of the measured slope, with weights of the given type."""
    x = {path: w.astype(dtype) for path, w in small.items()}
    _, g = loss_and_gradients(small_ids, small_targets, unflatten(x), n_head=2)
    g = flatten(g)
    length = np.sqrt(sum((v.astype(np.float64) ** 2).sum() for v in g.values()))

    def f(t):
        moved = {path: w + (t / length * g[path]).astype(dtype) for path, w in x.items()}
        return cross_entropy(gpt2(small_ids, **unflatten(moved), n_head=2), small_targets)

    return abs((f(h) - f(-h)) / (2 * h) / length - 1)


steps = 10.0 ** np.arange(-12, 1)
fig, ax = plt.subplots(figsize=(6.5, 2.8))
for dtype, style in ((np.float32, "s--"), (np.float64, "o-")):
    errors = [max(error_of_slope(dtype, h), 1e-12) for h in steps]
    ax.loglog(steps, errors, style, label=dtype.__name__)
ax.set(xlabel="step $h$", ylabel="relative error of the slope", ylim=(1e-11, 1e3))
ax.set_title("Too small a step is lost in rounding; too large a step misses the curve")
ax.legend(loc="lower left")
plt.show()

# %% [markdown]
# If the step is too large, the curve bends within it. If it is too small, the two values agree in
# nearly all their digits, and what is left of the difference is rounding. (In float32 they agree in
# all of them up to $10^{-7}$: the measured slope is 0, and the error 1.) float32 has 7 digits,
# float64 has 16: **check gradients in float64**, or not at all.
#
# ## 7.3 The chain rule, and the gradient of a linear layer
#
# The model is a long chain of functions: embeddings, then a norm, then a linear layer, and so on,
# and at the end one number, the loss. The chain rule takes it apart. If we know how the loss
# changes with each number of a layer's *output* $y$, written $dy$ (short for $\partial L / \partial
# y$), we can find how it changes with each number of its *input* $x$:
#
# $$dx_i = \sum_j \frac{\partial y_j}{\partial x_i}\, dy_j$$
#
# and that is the $dy$ of the layer before. So the gradient goes through the model from the end to
# the beginning, and no layer needs to know anything about the others. This is all there is to
# *backpropagation*.
#
# For a linear layer, $y = xW + b$, with rows $n$, inputs $i$ and outputs $o$:
#
# $$y_{no} = \sum_i x_{ni} W_{io} + b_o$$
#
# - $W_{io}$ takes part in $y_{no}$ for every row $n$, each time with the factor $x_{ni}$. So
#   $dW_{io} = \sum_n x_{ni}\, dy_{no}$, which is a matrix product: $dW = x^\top dy$.
# - $b_o$ takes part in each row with the factor 1: $db_o = \sum_n dy_{no}$.
# - $x_{ni}$ takes part in all outputs of its row, with the factors $W_{io}$: $dx = dy\, W^\top$.
#
# (If you forget which side to transpose: there is only one way in which the shapes fit.) To check
# these formulas, we need a single number $L$ to differentiate. We take random $dy$ and $L =
# \sum_{no} y_{no}\, dy_{no}$. Its derivatives with respect to $y$ are exactly these $dy$.

# %%
rng = np.random.default_rng(0)
x, w, b = rng.standard_normal((5, 4)), rng.standard_normal((4, 3)), rng.standard_normal(3)
dy = rng.standard_normal((5, 3))

dx, dw, db = dy @ w.T, x.T @ dy, dy.sum(axis=0)

assert_same(dx, numerical_gradient(lambda x: (linear(x, w, b) * dy).sum(), x))
assert_same(dw, numerical_gradient(lambda w: (linear(x, w, b) * dy).sum(), w))
assert_same(db, numerical_gradient(lambda b: (linear(x, w, b) * dy).sum(), b))
for mine, library in zip((dx, dw, db), d_linear(dy, x, w), strict=True):
    assert np.array_equal(mine, library)

# %% [markdown]
# ## 7.4 The gradient of softmax and cross-entropy
#
# The last step of the forward pass turns logits $z$ into a loss, $-\log p_t$ for the target $t$.
# With $p_t = e^{z_t} / \sum_j e^{z_j}$ it is
#
# $$L = \log \sum_j e^{z_j} - z_t$$
#
# The derivative of the first term with respect to $z_k$ is $e^{z_k} / \sum_j e^{z_j} = p_k$. That
# of $z_t$ is 1 for the target and 0 for all others, written $[k = t]$:
#
# $$\frac{\partial L}{\partial z_k} = p_k - [k = t]$$
#
# *What the model said, minus what is true.* Apart from the softmax itself, all exponentials are
# gone. With a mean over $N$ positions, each gets a factor $1/N$.

# %%
logits, some_targets = rng.standard_normal((6, 9)), rng.integers(9, size=6)

dlogits = softmax(logits)
dlogits[np.arange(6), some_targets] -= 1
dlogits /= 6

assert_same(dlogits, numerical_gradient(lambda z: cross_entropy(z, some_targets), logits))
assert np.allclose(dlogits, d_cross_entropy(logits, some_targets))

# %% [markdown]
# This is what the model is told at a single position of our tale. A token with a bar to the right
# should become less likely; the longer its bar, the likelier the model thought it. The one bar to
# the left is the token that came, which should become likelier. Only the nine longest bars are
# drawn.
#
# **Guess first.** How many tokens get a gradient at this one position?

# %% alt="Bars of the gradient by token: one long bar to the left for the token that came, shorter ones to the right for the others."
position = 20
opening = tokenizer.decode(ids[position - 8 : position + 1])
gradient = d_cross_entropy(model(ids)[position], targets[position])
shown = np.argsort(-np.abs(gradient))[:9][::-1]
fig, ax = plt.subplots(figsize=(6.5, 2.9))
colours = [BLUE if gradient[i] < 0 else ORANGE for i in shown]
bars = ax.barh(token_labels(tokenizer, shown), gradient[shown], color=colours)
ax.axvline(0, color="black", lw=0.8)
ax.bar_label(bars, fmt="%.2f", padding=3)
ax.margins(x=0.15)
ax.set_xlabel("gradient of the loss with respect to this token's logit")
ax.set_title(f"... {opening.strip(' ,')} ...")
plt.show()
print(f"sum over all {len(gradient)} tokens: {abs(gradient.sum()):.0e}")

# %% [markdown]
# Every token of the vocabulary gets one, most of them a tiny one, and all together they sum to 0.
#
# ## 7.5 The gradient of layer norm
#
# Here is one more, because people most often get this one wrong. A number of $x$ changes the output
# in three ways: directly, through the mean $\mu$, and through the standard deviation $\sigma$. Let
# $\hat x = (x - \mu) / \sigma$ and $y = \hat x\, g + b,$ with $d = n_\mathrm{embd}$.
#
# The gain and the bias are easy: $dg = \sum_n \hat x_n\, dy_n$, $db = \sum_n dy_n$, and
# $d\hat x = dy\, g$. Then, for one position, with $\partial\mu/\partial x_i = 1/d$ and
# $\partial\sigma/\partial x_i = \hat x_i / d$ (which follows from
# $\sigma^2 = \frac1d \sum_j (x_j - \mu)^2$):
#
# $$\frac{\partial \hat x_j}{\partial x_i}
#   = \frac{1}{\sigma}\left([i = j] - \frac1d - \frac{\hat x_i \hat x_j}{d}\right)$$
#
# and so, by the chain rule,
#
# $$dx_i = \sum_j \frac{\partial \hat x_j}{\partial x_i}\, d\hat x_j
#   = \frac{1}{\sigma}\left(d\hat x_i - \frac1d \sum_j d\hat x_j
#       - \hat x_i\, \frac1d \sum_j \hat x_j\, d\hat x_j\right)$$
#
# Each sum with its $1/d$ is a mean over the $d$ numbers of the position:
#
# $$dx = \frac{1}{\sigma}\left(d\hat x - \mathrm{mean}(d\hat x)
#       - \hat x\,\mathrm{mean}(d\hat x \cdot \hat x)\right)$$

# %%
x, dy = rng.standard_normal((5, 8)), rng.standard_normal((5, 8))
g, b = rng.standard_normal((2, 8))

sigma = np.sqrt(x.var(axis=-1, keepdims=True) + 1e-5)
normed = (x - x.mean(axis=-1, keepdims=True)) / sigma
dnormed = dy * g
along = (dnormed * normed).mean(axis=-1, keepdims=True)
dx = (dnormed - dnormed.mean(axis=-1, keepdims=True) - normed * along) / sigma

assert_same(dx, numerical_gradient(lambda x: (layer_norm(x, g, b) * dy).sum(), x))
assert np.allclose(dx, d_layer_norm(dy, x, g)[0])

# %% [markdown]
# The formula has a geometric meaning. Layer norm removes a vector's mean and its length. So it
# makes no difference if a constant is added to $x$, or if $x$ is stretched, and the gradient must
# be at a right angle to both of these directions:

# %% tags=["stable"]
print("at a right angle to the constant vector:", np.abs(dx.sum(axis=-1)).max() < 1e-12)
print("at a right angle to the vector itself:  ", np.abs((dx * normed).sum(axis=-1)).max() < 1e-3)

# %% [markdown]
# (The second product is not exactly 0 because of the $10^{-5}$ under the root.)
#
# ## 7.6 All together
#
# The rest works in the same way. `picogpt/backward.py` has one function for each function of the
# forward pass, with the forward line above it, and `d_gpt2` calls them in reverse. Where a branch
# is added to the residual stream, the gradient goes both ways: into the branch, and unchanged along
# the stream. That is why deep models can be trained at all. The derivatives need some results of
# the forward pass again: a linear layer and GELU need their input, and the softmax its output. A
# tap has recorded these and no others; `SAVED` in `backward.py` is the list. (The inputs of a sum,
# a mask or a scale, for instance, are not needed, since their derivatives are constants.)
#
# Is it right? We measure the slope, for every tensor of a small GPT-2 in float64, in a random
# direction. Then we ask somebody else: PyTorch, whose gradients are in the same file.

# %%
small64 = {path: w.astype(np.float64) for path, w in small.items()}
_, g64 = loss_and_gradients(small_ids, small_targets, unflatten(small64), n_head=2)
worst = 0.0
for path, gradient in flatten(g64).items():
    direction = rng.standard_normal(gradient.shape)

    def f(t, path=path, direction=direction):
        moved = small64 | {path: small64[path] + t * direction}
        return cross_entropy(gpt2(small_ids, **unflatten(moved), n_head=2), small_targets)

    measured, computed = (f(1e-5) - f(-1e-5)) / 2e-5, (gradient * direction).sum()
    scale = np.linalg.norm(gradient) * np.linalg.norm(direction)
    worst = max(worst, abs(measured - computed) / scale)
print(f"{len(small64)} tensors, largest relative error of the slope: {worst:.0e}")
assert worst < 1e-7

small_loss, g32 = loss_and_gradients(small_ids, small_targets, unflatten(small), n_head=2)
worst = max(np.abs(g - golden[f"tied/{p}"]).max() / np.ptp(g) for p, g in flatten(g32).items())
print(f"largest difference to PyTorch, over the range of the tensor: {worst:.0e}")
assert worst < 1e-5 and np.isclose(small_loss, golden["tied/loss"])

# %% [markdown]
# What does it cost?
#
# **Guess first.** The backward pass has a gradient for every weight. How many times as long as the
# forward pass do both together take: 2, 3 or a million times?


# %%
def seconds(f) -> float:
    """The shortest of five runs."""
    times = []
    for _ in range(5):
        start = time.perf_counter()
        f()
        times.append(time.perf_counter() - start)
    return min(times)


forward = seconds(lambda: cross_entropy(model(ids), targets))
both = seconds(lambda: loss_and_gradients(ids, targets, params, model.config.n_head))
print(f"forward {1000 * forward:.0f} ms, forward and backward {1000 * both:.0f} ms: ", end="")
print(f"{both / forward:.1f} times as long")

# %% [markdown]
# A linear layer has one matrix product forwards, $xW$, and two backwards, $x^\top dy$ and
# $dy\,W^\top$. Together that is three times the work of the forward pass, however many weights
# there are. (The clock shows more. What happens between the products takes time as well, and in a
# small model that is a good part of the whole.)
#
# ## 7.7 From a gradient to a step
#
# The gradient says which way is up. Gradient descent goes a little way in the other direction,
# $w \leftarrow w - \eta\, dw$, with a *learning rate* $\eta$. *Adam* ([Kingma and Ba
# 2015](https://arxiv.org/abs/1412.6980)) keeps two running means for each weight, of the gradient,
# $m$, and of its square, $v$. They begin at 0, so they are too small at first. In step $t$ each is
# divided by a factor that makes up for this:
#
# $$m \leftarrow \beta_1 m + (1 - \beta_1)\, dw \qquad v \leftarrow \beta_2 v + (1 - \beta_2)\, dw^2
# \qquad \hat m = \frac{m}{1 - \beta_1^t} \qquad \hat v = \frac{v}{1 - \beta_2^t}$$
#
# $$w \leftarrow w - \eta\, \frac{\hat m}{\sqrt{\hat v} + \varepsilon}$$
#
# Usual values are $\beta_1 = 0.9$ and $\beta_2 = 0.99$ or more; $\varepsilon = 10^{-8}$ only
# prevents a division by 0. As long as its gradients keep their sign, a weight moves by about $\eta$
# in each step, whether these are large or small. *AdamW* also pulls the matrices a little towards 0
# in every step, $w \leftarrow (1 - \eta\lambda)\,w$. This is called *weight decay* (gains and
# biases are left alone). Here are three steps of it by hand, compared with those of the library:

# %%
w, lr, beta1, beta2, decay = rng.standard_normal((4, 3)), 0.01, 0.9, 0.99, 0.1
theirs, moments = {"w": w.copy()}, zero_moments({"w": w})
m, v = np.zeros_like(w), np.zeros_like(w)
for t in (1, 2, 3):
    dw = rng.standard_normal(w.shape)
    m = beta1 * m + (1 - beta1) * dw
    v = beta2 * v + (1 - beta2) * dw * dw
    step = (m / (1 - beta1**t)) / (np.sqrt(v / (1 - beta2**t)) + 1e-8)
    w = (1 - lr * decay) * w - lr * step
    adamw(theirs, {"w": dw}, moments, t, lr=lr, betas=(beta1, beta2), weight_decay=decay)
assert np.allclose(w, theirs["w"], rtol=1e-12)

# %% [markdown]
# On the left, both methods walk through a long valley, each at a fixed rate. Gradient descent has
# nearly the largest rate at which it still works. On the right is the usual course of the learning
# rate in training: it rises quickly, while Adam's means still rest on few steps, and then falls
# slowly. (Our valley cannot show what the falling is good for, because every gradient there is
# exact. In training each batch has a gradient of its own, and only small steps let their errors
# cancel out.)
#
# **Guess first.** Which of the two is quicker along the valley, and why?

# %% alt="Left, gradient descent and Adam on their way through a long valley. Right, the learning rate rises quickly and then falls slowly."
steepness = np.array([1.0, 100.0])  # the loss is half the sum of steepness * w^2


def walk(step):
    """50 steps from the same place: [51, 2]."""
    w = np.array([-4.0, 1.0])
    places = [w.copy()]
    for number in range(1, 51):
        step(w, steepness * w, number)
        places.append(w.copy())
    return np.array(places)


def descend(w, dw, number):
    w -= 0.019 * dw  # above 0.02, it would leave the valley


moments = zero_moments({"w": np.zeros(2)})


def adam(w, dw, number):
    adamw({"w": w}, {"w": dw}, moments, number, lr=0.2, betas=(0.9, 0.99), weight_decay=0.0)


fig, (left, right) = plt.subplots(1, 2, figsize=(8.5, 2.7), width_ratios=[2, 1])
across, along = np.meshgrid(np.linspace(-4.5, 1.5, 80), np.linspace(-1.3, 1.3, 60))
height = (steepness[0] * across**2 + steepness[1] * along**2) / 2
left.contour(across, along, height, levels=[0.3, 3, 12, 30, 60], colors=GREY, linewidths=0.6)
left.plot(*walk(descend).T, "s--", ms=3, color=ORANGE, label="gradient descent, rate 0.019")
left.plot(*walk(adam).T, "o-", ms=3, color=BLUE, label="Adam, rate 0.2")
left.plot(0, 0, "*", ms=12, color="black", label="the lowest point")
left.set(xlabel="first weight", ylabel="second weight", title="50 steps in a long valley")
left.legend(loc="upper right", fontsize=8, frameon=True, framealpha=1, edgecolor="none", borderaxespad=0)
rates = [learning_rate(i, steps=500, warmup=25, peak=4e-3, least=4e-4) for i in range(500)]
right.plot(1000 * np.array(rates), color=BLUE)
right.set(xlabel="step", ylabel="learning rate, thousandths", title="Schedule", ylim=(0, None))
plt.show()

# %% [markdown]
# Adam is quicker. For gradient descent, a rate that is small enough not to jump from wall to wall
# in the steep direction is far too small for the flat one. Adam divides by the size of each
# weight's gradients, and so goes equally fast in both. (But its means are slow to turn: it
# overshoots before it settles.)
#
# ## 7.8 A small GPT-2, from nothing
#
# Now we have everything, and can train. The text is 283 fables of Aesop, 199 kilobytes. A tenth of
# them is *held out*: the model never learns from these, so they show whether it has learned
# anything general, or only remembers. First we learn a vocabulary from the fables ([notebook
# 1](01_tokens.ipynb) says how).

# %%
fables = split_documents((DATA / "fables.txt").read_text("utf-8"))
learned, held_out = hold_out(fables, 0.1, seed=0)
small_tokenizer = learn_bpe(learned, n_vocab=1024)
config = Config(n_vocab=1024, n_ctx=64, n_embd=96, n_head=4, n_layer=3)

tokens = encode_documents(learned, small_tokenizer)  # all of them in one row
windows = cut_documents(
    encode_documents(held_out, small_tokenizer), config.n_ctx, small_tokenizer.endoftext
).spread(48)  # 48 of them, evenly spread, are enough
start = initial_params(config, np.random.default_rng(0))
print(f"{len(learned)} fables to learn from, {len(held_out)} held out")
print(f"{len(tokens):,} tokens, {sum(x.size for x in flatten(start).values()):,} weights")

# %% [markdown]
# A step learns from a batch of windows. The target of each token is the one that follows it, so
# every window of 64 tokens is 64 exercises at once, thanks to the causal mask, which hides the
# later tokens from each:

# %% tags=["stable"]
batch_ids, batch_targets = batch(tokens, config.n_ctx, 16, seed=0, step=0)
print("ids:", list(batch_ids.shape), " targets:", list(batch_targets.shape))
print("ids:    ", *token_labels(small_tokenizer, batch_ids[0, :9]), sep=" | ")
print("targets:", *token_labels(small_tokenizer, batch_targets[0, :9]), sep=" | ")
assert np.array_equal(batch_ids[:, 1:], batch_targets[:, :-1])

# %% [markdown]
# This is all there is to training: take a batch, compute the loss and the gradient, take a step,
# and begin again. The last two lines only tell us how it is going.

# %%
learner = initial_params(config, np.random.default_rng(0))
averages = zero_moments(flatten(learner))

for number in range(41):
    inputs, answers = batch(tokens, config.n_ctx, 16, seed=0, step=number)
    batch_loss, slopes = loss_and_gradients(inputs, answers, learner, config.n_head)
    adamw(flatten(learner), flatten(slopes), averages, number + 1, lr=2e-3, weight_decay=0.0)
    if number % 10 == 0:
        print(f"step {number:2}: loss {batch_loss:.2f}")

# %% [markdown]
# What follows is the same loop, with some things that make it better and safer. The learning rate
# rises and falls; weights decay; a gradient is cut to a length of at most 1, so that a single odd
# batch cannot throw the model off; several threads share a batch; and from time to time the loss on
# the held-out fables is measured. `update` in `picogpt/train/loop.py` is one step of it, and we
# check that it does what our own lines do.

# %%
recipe = Recipe(
    steps=500,
    batch=16,  # windows in each step
    accumulate=2,  # the parts in which they are computed, one for each thread
    lr=4e-3,
    min_lr=4e-4,
    warmup=25,
    weight_decay=0.1,
    beta2=0.99,
    clip=1.0,
    dropout=0.0,
    freeze=None,
    eval_every=25,
    eval_windows=48,
    patience=None,
    sample="The Fox",
    seed=0,
)


def copy(params):
    return unflatten({path: x.copy() for path, x in flatten(params).items()})


def new_run(recipe, params, tokens, held_out, config, tokenizer):
    """A run of training, which begins with a copy of the params. Its State says how far it is."""
    params = copy(params)
    moments = zero_moments(flatten(params))
    return Run(Path(), recipe, config, tokenizer, tokens, held_out, params, moments, State())


mine, moments = copy(start), zero_moments(flatten(start))
_, grads = loss_and_gradients(batch_ids, batch_targets, mine, config.n_head)
grads = flatten(grads)
clip_gradients(grads, recipe.clip)
rate = learning_rate(
    0, steps=recipe.steps, warmup=recipe.warmup, peak=recipe.lr, least=recipe.min_lr
)
betas = (0.9, recipe.beta2)
adamw(flatten(mine), grads, moments, 1, lr=rate, betas=betas, weight_decay=recipe.weight_decay)

pool = thread_pool(os.cpu_count())
in_one_part = replace(recipe, accumulate=1)
run = new_run(in_one_part, start, tokens, windows, config, small_tokenizer)
update(run, pool)
for path, x in flatten(mine).items():
    assert np.array_equal(x, flatten(run.params)[path])

# %% [markdown]
# The parts of a batch are computed by threads, one for each core. NumPy's matrix products would use
# all cores by themselves, but nothing else in NumPy does. So we told them, at the top of this
# notebook, to use one core each.
#
# Now the loop. Every 25 steps it measures the loss on the held-out fables, and keeps a copy of the
# weights if they are the best so far. Every hundred steps it lets the model write.
#
# **Guess first.** What does the model learn first: which tokens are frequent, which words there
# are, or how sentences go?


# %%
def show(text: str) -> None:
    text = "".join(c if c.isprintable() else "?" for c in text.replace("\n", " / "))
    print(textwrap.fill(text, 94, initial_indent="    ", subsequent_indent="    "))


def learn(run):
    """Take all steps. Returns the curve, and the weights with the lowest held-out loss.

    curve: [n, 3], each row a step, the mean loss since the row before, and the held-out loss.
    Interrupted, it returns what there is.
    """
    recipe, lengths = run.recipe, token_lengths(run.tokenizer)
    curve, losses, best = [], [], None
    try:
        while True:
            step = run.state.step
            if step % recipe.eval_every == 0:
                result = score(run.held_out, run.params, run.config.n_head, lengths, pool.map)
                curve.append((step, np.mean(losses or [np.nan]), result.nats_per_token))
                losses = []
                if curve[-1][2] == min(row[2] for row in curve):
                    best = copy(run.params)
                if recipe.sample and len(curve) % 4 == 1:
                    print(f"step {step}, held-out loss {result.nats_per_token:.2f}")
                    rng = np.random.default_rng(step)
                    show(write_sample(recipe.sample, run.params, run.config, run.tokenizer, rng))
            if step == recipe.steps:
                break
            losses.append(update(run, pool))
            run.state.step += 1
    except KeyboardInterrupt:  # the stop button
        if not curve:
            raise
        print(f"stopped after {run.state.step} steps; the curve goes as far as that")
    return np.array(curve), best


began = time.perf_counter()
run = new_run(recipe, start, tokens, windows, config, small_tokenizer)
all_curve, all_best = learn(run)
print(f"{time.perf_counter() - began:.0f} seconds")


# %% alt="Two falling curves: the loss on the fables that the model learns from, and on held-out ones, below the line of a model that knows nothing."
def plot_curve(ax, curve, name, style, colour, column=2):
    ax.plot(curve[:, 0], curve[:, column], style, ms=4, color=colour, label=name)


fig, ax = plt.subplots(figsize=(6.5, 3))
plot_curve(ax, all_curve, "fables that it learns from", "s--", ORANGE, column=1)
plot_curve(ax, all_curve, "held-out fables", "o-", BLUE)
ax.axhline(np.log(config.n_vocab), color=GREY, ls=":", label="a model that knows nothing")
ax.set(xlabel="step", ylabel="loss, nats per token", ylim=(3, None))
ax.set_title("From noise to fables")
ax.legend()
plt.show()

# %% [markdown]
# It begins at $\log n_\mathrm{vocab}$: it knows nothing, so it thinks all tokens equally likely.
# First it learns how often each token occurs, then which follows which, and what a word looks like.
# By step 100 all that is there, even titles in capitals with an empty line below. Sentences come
# last. Half a million weights and 500 steps are too little for sense. The bundled model was made in
# the same way, but it has many times the weights and the text, and it took hours.
#
# ## 7.9 Learning by heart
#
# Now we take the same model and the same held-out fables, but only 25 fables to learn from. We also
# try two ways to make learning by heart more difficult. This is called *regularization*:
#
# - *dropout*: in each step, set a random part of the activations to 0, and make the others larger,
#   so that on average the sum stays the same. Then the model cannot rely on any single number, and
#   must keep what it knows in several places.
# - *weight decay*: pull all weights towards 0 as they learn, here thirty times as strongly as
#   before. Only what the text confirms again and again can withstand that.
#
# **Guess first.** With 25 fables instead of 255, what will happen to the loss on the fables that it
# learns from, and what to that on the held-out ones?

# %%
few = encode_documents(learned[:25], small_tokenizer)
brief = replace(recipe, steps=250, warmup=12, sample="")
recipes = {
    "25 fables": brief,
    "25 fables, dropout 0.3": replace(brief, dropout=0.3),
    "25 fables, weight decay 3": replace(brief, weight_decay=3.0),
}
curves, bests, runs = {}, {}, {}
for name, some_recipe in recipes.items():
    runs[name] = new_run(some_recipe, start, few, windows, config, small_tokenizer)
    curves[name], bests[name] = learn(runs[name])

# %% tags=["drawing"] alt="Two plots of loss against steps. On the fables that they learn from all runs fall. On held-out ones the plain run with 25 fables turns and climbs, that with weight decay rises a little, that with dropout becomes flat above their lowest points, and the one with all fables falls far below them."
curves["all 255 fables"] = all_curve[all_curve[:, 0] <= brief.steps]
looks = zip(curves.items(), ("o-", "s--", "^-.", "D:"), (RED, BLUE, GREEN, PINK), strict=True)
fig, (left, right) = plt.subplots(1, 2, figsize=(8.5, 3.6), sharex=True, sharey=True)
for (name, curve), style, colour in looks:
    plot_curve(left, curve, name, style, colour, column=1)
    plot_curve(right, curve, name, style, colour)
    lowest = curve[curve[:, 2].argmin()]
    size = 11 if "decay" in name else 19  # this star stands before the plain run's
    right.plot(lowest[0], lowest[2], "*", ms=size, color=colour, mec="black", mew=0.5, zorder=30 - size)
    print(
        f"{name:26} lowest held-out loss {lowest[2]:.2f} at step {lowest[0]:3.0f}, "
        f"in the end {curve[-1, 2]:.2f}; learned from: {curve[-1, 1]:.2f}"
    )
left.set(xlabel="step", ylabel="loss, nats per token", title="Fables that it learns from")
right.set(xlabel="step", title="Held-out fables (star: the lowest)")
fig.legend(*left.get_legend_handles_labels(), loc="outside lower center", ncols=4, fontsize=8)
plt.show()

# %% [markdown]
# This is the most important picture of this notebook. On the left everything looks fine: the loss
# falls and falls. On the right are the same runs, measured on fables that they have not seen. After
# 75 steps the loss of the plain run turns and climbs. The model has not stopped learning: it learns
# the 25 fables by heart, and then expects their words everywhere. That is *overfitting*, and only
# held-out text shows it.
#
# - **Early stopping**: take the weights at the star, and not the last ones. It costs nothing, and
#   `python -m picogpt.train` always does it: it saves the best weights, and `--patience` ends a run
#   that no longer finds better ones.
# - **Regularization** slows the rise. Here weight decay lowers the lowest point a little. With
#   dropout nothing rises, but the end is worse than the plain run at its star: in 250 steps this
#   model has learned less. Neither can tell the model what the 25 fables do not say.
# - **More text** is what really helps: with ten times as much, the curve does not turn, and the
#   loss falls lower than any regularization has brought it.
#
# (With dropout the left curve is measured while activations are dropped, so it looks worse than it
# is.)
#
# Does the model know them by heart, literally? We count how often the likeliest token is the right
# one, with the plain run's weights at the star and with its last ones:

# %%
few_windows = cut_documents(few, config.n_ctx, small_tokenizer.endoftext)


def right_guesses(weights, windows):
    scored = windows.targets >= 0  # what a window shares with the one before is not scored again
    guesses = gpt2(windows.ids, **weights, n_head=config.n_head).argmax(axis=-1)
    return (guesses == windows.targets)[scored].mean()


print("right at the first guess     the 25 fables    held-out fables")
last, star = runs["25 fables"].params, bests["25 fables"]
for name, weights in (("the weights at the star", star), ("the last weights", last)):
    inside, outside = (right_guesses(weights, some) for some in (few_windows, windows))
    print(f"   {name:24} {inside:12.0%} {outside:16.0%}")

# %% [markdown]
# Not quite, but two tokens of three. On held-out fables it is right as often as at the star. Its
# loss there has risen all the same, because it has become surer, also where it is wrong.
#
# ## 7.10 A new style for an old model
#
# Nobody trains from nothing if there is a model that already knows the language. *Fine-tuning* is
# the same loop, but it starts from the weights of such a model, and has a smaller rate. Our new
# style is that of 29 sonnets of Shakespeare, of which the fairy-tale model has never seen a line.
# Six of them are held out. To see what the old knowledge is worth, we also train a second model of
# the same size from nothing.
#
# We use only the first 128 positions, to save time.

# %% alt="Curves of the loss on held-out sonnets: the fine-tuned model begins far below the one from nothing. A dotted curve, on the sonnets that it learns from, falls further."
sonnets = split_documents((DATA / "sonnets.txt").read_text("utf-8"))
learned, held_out = hold_out(sonnets, 0.2, seed=0)
view = replace(model.config, n_ctx=128)
sonnet_tokens = encode_documents(learned, tokenizer)
sonnet_windows = cut_documents(
    encode_documents(held_out, tokenizer), view.n_ctx, tokenizer.endoftext
)
teller = params | {"wpe": params["wpe"][: view.n_ctx]}
tuning = replace(recipe, steps=48, batch=4, lr=5e-4, min_lr=5e-5, warmup=4, eval_every=6, sample="")
data = (sonnet_tokens, sonnet_windows, view, tokenizer)

began = time.perf_counter()
tuned_curve, poet = learn(new_run(tuning, teller, *data))
nothing = initial_params(view, np.random.default_rng(0))
from_nothing, _ = learn(new_run(replace(tuning, lr=2e-3, min_lr=2e-4), nothing, *data))
print(f"{len(sonnet_tokens):,} tokens, {time.perf_counter() - began:.0f} seconds")

fig, ax = plt.subplots(figsize=(6.5, 3))
plot_curve(ax, from_nothing, "from nothing, held out", "s--", ORANGE)
plot_curve(ax, tuned_curve, f"fine-tuned from {MODEL}, held out", "o-", BLUE)
plot_curve(ax, tuned_curve, "the same, on the sonnets that it learns from", ":", SKY, column=1)
lowest = tuned_curve[tuned_curve[:, 2].argmin()]
ax.plot(lowest[0], lowest[2], "*", ms=14, color=BLUE, mec="black", zorder=3)
ax.set(xlabel="step", ylabel="loss, nats per token", title="Sonnets")
ax.legend()
plt.show()

# %% [markdown]
# The growing gap to the dotted line is overfitting again, so we take the weights at the star. Here
# are the same prompts with the same seeds, before and after:
#
# **Guess first.** What will the model learn from 23 sonnets: the form, the words, the rhyme, the
# sense?

# %%
for prompt in ("When the king", "My love is", "The old woman said"):
    for name, weights in (("before", teller), ("after", poet)):
        writer = picogpt.GPT2(view, weights, tokenizer)
        print(f"{name}:")
        show(prompt + writer.generate(prompt, 45, temperature=0.8, top_k=40, seed=2))
    print()

# %% [markdown]
# Instead of paragraphs it now writes short lines, each beginning with a capital. It learns the form
# in a few dozen steps, since it knew the words already. It does not learn the sense, nor the rhyme.
# And whoever learns something new forgets some of the old, as our tale shows:

# %%
part = tale[: view.n_ctx]
for name, weights in (("before", teller), ("after", poet)):
    logits = gpt2(part[:-1], **weights, n_head=view.n_head)
    print(f"loss on the tale {name:6}: {cross_entropy(logits, part[1:]):.2f}")

# %% [markdown]
# From the command line, all this (with all positions of the model) is
#
#     python -m picogpt.train sonnets.txt --init fairytale --held-out 0.2 --out poet \
#         --steps 48 --batch 4 --lr 5e-4 --eval-every 6
#
# and `--freeze 4` would leave the embeddings and the first four blocks as they are, which is
# quicker and forgets less.

# %% [markdown]
# ## Common mistakes
#
# > - *Gradients checked in float32* (7.2): then rounding is larger than many mistakes.
# > - *Targets that are not shifted by one*. The loss in training falls to nearly nothing, because
# >   the model learns to repeat what it reads.
# > - *Forgetting to set the gradients to zero before each step*, in frameworks that add new
# >   gradients to the old ones: then every step uses the sum of all gradients so far.
# > - *A learning rate that is much too large, or much too small*. The first never settles, the
# >   second never gets anywhere; it is the first number to tune.
# > - *All weights 0 at the start*.
# > - *Looking only at the loss on the text that the model learns from* (7.9).
# > - *Dropout left on* when the model is evaluated or used.
# > - *Weight decay as a part of the gradient* (plain L2 regularization): Adam's division takes most
# >   of its effect away. AdamW applies it to the weight itself.
# > - *Choosing by the held-out text, and then reporting its loss as if the text were new*. If you
# >   look at it a hundred times, to choose the best of a hundred runs, you have learned from it. If
# >   you want to publish a figure, keep a third part that nobody looks at until the end.
#
# This is what some of them cost, on the fables, in 50 steps with half the batch:
#
# **Guess first.** One of the mistakes leaves the model exactly where it began. Which?


# %% alt="Bars: the held-out loss after a short training with each mistake, the right one first."
def short_run(lr=4e-3, params=start, shifted=True, pile_up=False) -> float:
    """The held-out loss after 50 steps, right or wrong."""
    params = copy(params)
    weights, total = flatten(params), None
    moments = zero_moments(weights)
    for step in range(50):
        ids, targets = batch(tokens, config.n_ctx, 8, 0, step)
        _, grads = loss_and_gradients(ids, targets if shifted else ids, params, config.n_head)
        grads = flatten(grads)
        if pile_up and total is not None:
            grads = {path: g + total[path] for path, g in grads.items()}
        total = {path: g.copy() for path, g in grads.items()}
        clip_gradients(grads, 1.0)
        adamw(weights, grads, moments, step + 1, lr=lr, betas=(0.9, 0.99))
    return score(
        windows, params, config.n_head, token_lengths(small_tokenizer), pool.map
    ).nats_per_token


zeros = {path: x * path.endswith(".g") for path, x in flatten(start).items()}
losses = {
    "as it should be": short_run(),
    "targets not shifted": short_run(shifted=False),
    "gradients pile up": short_run(pile_up=True),
    "rate a hundred times larger": short_run(lr=0.4),
    "rate a hundred times smaller": short_run(lr=4e-5),
    "all weights 0 at the start": short_run(params=unflatten(zeros)),
}
loss_bars(losses, config.n_vocab)

# %% [markdown]
# It is the model whose weights are 0 (all but the gains of the norms): then all gradients are 0,
# too, and nothing ever moves. You can tell three kinds of failure apart. A bar *at* the dashed line
# is a model that has learned nothing at all: to it, all tokens are equally likely. A bar that ends
# just before it is a model that has hardly begun. A bar *beyond* the line is a model that has
# learned something wrong, and is sure of it. Where targets are not shifted, the model is certain
# that each token will be repeated immediately, and pays for it at every token that is not.

# %% [markdown]
# **Dropout left on.** Here is the loss of the run with dropout, on the fables that it learned from,
# with dropout off and on:

# %%
few_ids, few_targets = few_windows.ids, few_windows.targets
scored = few_targets >= 0
taps = {"off": lambda name, x: x, "on": dropout_tap(0.3, np.random.default_rng(0))}
for what, tap in taps.items():
    weights = runs["25 fables, dropout 0.3"].params
    logits = gpt2(few_ids, **weights, n_head=config.n_head, tap=tap)
    print(f"dropout {what:3}: loss {cross_entropy(logits[scored], few_targets[scored]):.2f}")

# %% [markdown]
# ## Five quick questions
#
# Nothing to compute: this is just to see what has stuck. Put your five letters into the second
# cell, and "-" for a question that you leave out.

# %% tags=["stable"]
from picogpt.classroom.quiz import quiz

quiz(7)

# %%
quiz(7, "-----")

# %% [markdown]
# ## Exercises
#
# The solutions are at the end. Click on one to open it.
#
# **Exercise 1.** The backward pass of GELU, $y = x\,p$ with $p = \frac12 (1 + \tanh u)$ and
# $u = a\,(x + 0.044715\,x^3)$, $a = \sqrt{2/\pi}$. You need the product rule, and
# $\tanh' = 1 - \tanh^2$.

# %% [markdown]
# *Medium.*
#
# *Warm-up, without a computer:* What is the derivative of x * p(x)?
#
# <details><summary>Answer</summary>p(x) + x * p'(x).</details>
#
# <details><summary>First hint</summary><code>p'</code> is half of tanh' at <code>u</code>, times
# <code>u'</code>.</details>
# <details><summary>Second hint</summary><code>u' = a * (1 + 3 * 0.044715 * x * x)</code>, and
# <code>1 - tanh(u)**2</code> is <code>4 * p * (1 - p)</code>.</details>


# %%
def my_d_gelu(dy, x):
    """dy, x: [...] -> dx [...]"""
    u = np.sqrt(2 / np.pi) * (x + 0.044715 * x * x * x)
    p = (1 + np.tanh(u)) / 2
    return dy * p  # half of the product rule: complete it


# %%
attempt(check_7_1, my_d_gelu)

# %% [markdown]
# **Exercise 2.** A batch of eight rows does not fit into memory, so you compute the gradient of its
# first three rows, and then that of the other five. Both are means over their rows. What is the
# gradient of the whole batch, the mean over all eight?

# %% [markdown]
# *Easy.*
#
# <details><summary>First hint</summary>A mean of three and a mean of five: how would you find the
# mean of all eight numbers?</details>
# <details><summary>Second hint</summary>Turn each mean back into a sum before you add.</details>


# %%
def whole(first, second):
    """Two gradients, of 3 and of 5 rows, path -> array each -> the gradient of all 8 rows."""
    return {path: (first[path] + second[path]) / 2 for path in first}  # not quite


# %%
attempt(check_7_2, whole)

# %% [markdown]
# **Exercise 3.** Early stopping has to decide without knowing the future. Given the held-out losses
# one after the other, stop as soon as `patience` of them in a row were not lower than the best one
# so far. Return how many losses you looked at, and the place of the best one.

# %% [markdown]
# *Medium.*
#
# <details><summary>First hint</summary>Remember where the best one is. How far behind you is
# it?</details>
# <details><summary>Second hint</summary>Only a lower loss is a new best. Stop when the distance to
# the best is <code>patience</code>.</details>


# %%
def stop_early(losses, patience):
    """losses: a list -> (how many were looked at, the place of the best of them)."""
    return len(losses), 0  # your lines


# %%
attempt(check_7_3, stop_early)

# %% [markdown]
# ## Solutions


# %% tags=["solution"]
# A solution of exercise 1
def d_gelu_solution(dy, x):
    a = np.sqrt(2 / np.pi)
    p = (1 + np.tanh(a * (x + 0.044715 * x * x * x))) / 2
    # p' = tanh'(u) u' / 2, where tanh'(u) = 1 - tanh(u)^2 = 4 p (1 - p)
    slope = 2 * p * (1 - p) * a * (1 + 3 * 0.044715 * x * x)
    return dy * (p + x * slope)


check_7_1(d_gelu_solution)


# %% tags=["solution"]
# A solution of exercise 2
def whole_solution(first, second):
    return {path: (3 * first[path] + 5 * second[path]) / 8 for path in first}


check_7_2(whole_solution)

# and with real gradients, of three rows, of five and of all eight
some_ids, some_targets = batch(tokens, config.n_ctx, 8, seed=1, step=0)
three, five, eight = (
    flatten(loss_and_gradients(some_ids[rows], some_targets[rows], start, config.n_head)[1])
    for rows in (slice(3), slice(3, 8), slice(8))
)
for path, gradient in whole_solution(three, five).items():
    assert np.abs(gradient - eight[path]).max() < 1e-3 * np.abs(eight[path]).max()


# %% tags=["solution"]
# A solution of exercise 3
def stop_solution(losses, patience):
    best = 0
    for i, loss in enumerate(losses):
        if loss < losses[best]:
            best = i
        if i - best == patience:
            return i + 1, best
    return len(losses), best


check_7_3(stop_solution)
curve = curves["25 fables"][:, 2].tolist()
looked_at, best = stop_solution(curve, 2)
print(f"with patience 2 the plain run ends after {25 * (looked_at - 1)} steps instead of 250,")
print(f"with the weights of step {25 * best}")

# %% [markdown]
# ## To go on
#
# - The code: [`picogpt/backward.py`](../picogpt/backward.py), then [`picogpt/train/`](../picogpt/train/): `adamw.py`, `schedule.py`, `data.py`,
#   `loop.py`.
# - Your own text: `python -m picogpt.train --help`. The README has the three commands.
# - [Rumelhart, Hinton and Williams 1986](https://doi.org/10.1038/323533a0), *Learning representations by back-propagating errors*.
# - [Kingma and Ba 2015](https://arxiv.org/abs/1412.6980), *Adam*. [Loshchilov and Hutter 2019](https://arxiv.org/abs/1711.05101), *Decoupled Weight Decay Regularization*.
# - [Srivastava et al. 2014](https://jmlr.org/papers/v15/srivastava14a.html), *Dropout: A Simple Way to Prevent Neural Networks from Overfitting*.
# - Next, [notebook 8](08_looking_inside.ipynb) looks inside a model that has been trained.
