# %% [markdown]
# # 5b. Writing fast
#
# ![You are here: the same parts, asked again and again with less work](data/here_5b.svg)
#
# **Goal:** know why a cache makes writing fast, what it costs, what happens when the context is
# full, and how a guess can write several tokens at once.
#
# [Notebook 5](05_generation.ipynb) was about the choice of a token. This one is about the asking: the
# model is asked once for each token of a text, and how that is done decides how long it takes. You
# need notebooks [3](03_attention.ipynb) and 5. About 20 minutes.
#
# > Is picogpt not installed, for example on Colab? Type this in a cell, run it, and restart the
# > kernel: `%pip install "picogpt[notebooks] @ ADDRESS"`. Replace ADDRESS with `file://` and the full
# > path of the project's folder, or with `git+` and the address of its repository.

# %%
MODEL = "fairytale"  # or "124M", GPT-2 itself: this downloads 498 MB, the first time

# %%
import math
import time
import warnings

import matplotlib.pyplot as plt
import numpy as np

import picogpt
from picogpt.classroom import drawings
from picogpt.classroom.checks.verdict import attempt
from picogpt.classroom.checks.writing import check_5b_1
from picogpt.classroom.plots import BLUE, ORANGE, SKY, loss_bars
from picogpt.classroom.texts import TALE
from picogpt.decoding.lookup import Lookup
from picogpt.decoding.loop import GrowingText, token_steps
from picogpt.decoding.sampling import draw, keep_top_k
from picogpt.kv_cache import KVCache
from picogpt.model import gpt2
from picogpt.ops import cross_entropy
from picogpt.tap import edit, record

model = picogpt.load(MODEL)
tokenizer, params, config = model.tokenizer, model.params, model.config
START = "Once upon a time there was a"
n_prompt = len(tokenizer.encode(START))
N = 150
greedy = list(model.steps(START, N))  # always the likeliest token, as in 5.2
tale = np.array([tokenizer.endoftext, *tokenizer.encode(TALE)])[: config.n_ctx + 1]

# %% [markdown]
# ## 5b.1 The cache of keys and values
#
# In 5.1 we gave the model the whole text again for every new token, although only the last token
# was new. What can be kept? Attention is causal: nothing at a position depends on later ones
# ([notebook 3](03_attention.ipynb)).
#
# **Guess first.** How much will the keys and values of 40 tokens change if 20 more tokens follow?

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
print(f"largest change of a key or value, as a share of their range: {max(differences):.0e}")

# %% [markdown]
# None of them changes, in any block. (The tiny difference is rounding: a product with more rows may
# be added up in another order.) And the queries? A query is used only once, by its own position,
# when that position is computed. So a new token needs its own query, and the keys and values of all
# positions before it:

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
# the cache and without. (Without a cache, the whole text goes through the model again, but the
# logits are computed for the last position only.)
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
forward([0] * config.n_ctx, KVCache(config))  # the first one takes longer
with_cache, without = [], []
for n in lengths:
    some_ids = rng.integers(config.n_vocab, size=n).tolist()
    cache = KVCache(config)
    forward(some_ids, cache)
    with_cache.append(seconds(lambda ids=some_ids, cache=cache: one_more(ids, cache)))
    without.append(seconds(lambda ids=some_ids: forward(ids, KVCache(config)), 7))
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
    ax.set_xticks(np.linspace(0, config.n_ctx, 5))
    ax.legend(loc="upper left")
plt.show()

# %% [markdown]
# Without the cache, the cost of a token grows with the length of the text, and the cost of a whole
# text with the square of it. With the cache a token costs nearly the same everywhere. (The times
# wobble if the machine has other work: look at the trend.) Only the scores and the weighted means
# grow with the length, and they are the small part ([notebook 4](04_forward_pass.ipynb) counts
# them).
#
# The price is memory: $2 \cdot n_\mathrm{layer} \cdot n_\mathrm{ctx} \cdot n_\mathrm{embd}$
# numbers. And there is a new limit. A single token cannot keep a processor busy, because each
# weight is fetched from memory for just one multiplication. Several texts that are written together
# can share each weight: that is what `generate_batch` is for. 5b.3 shows what can be done for a
# single text.
#
# ## 5b.2 Past the end of the context
#
# GPT-2 has embeddings for `n_ctx` positions and no more. If the text is to go on, something has to
# be forgotten. The obvious way is to slide: drop the first token whenever a new one comes. But then
# *every* token moves to another position, so all keys and values are wrong, and the whole context
# must be computed again for each token. picogpt drops the older half at once and computes the other
# half again. Then it has room for half a context in which the cache works as before.

# %% alt="Left, the number of tokens that the model sees, a saw-tooth where half is dropped at once. Right, the tokens to compute for each new one, high only where half was dropped."
growing = GrowingText(
    (tokenizer.encode(TALE) * 9)[: config.n_ctx - 20],  # a long prompt
    choose=lambda logits, ids: draw(keep_top_k(logits, 40), rng),
    end=config.n_ctx - 20 + config.n_ctx // 2 + 60,
)
n_text, n_seen = [], []
with warnings.catch_warnings(record=True) as caught:
    warnings.simplefilter("always")
    for _ in token_steps([growing], params, config, endoftext=-1):  # no token ends it
        n_text.append(len(growing.ids) - 1)  # without the token that was just chosen
        n_seen.append(len(growing.ids) - 1 - growing.start)
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
# Here is the same on a small scale, for a context of 16 tokens and a prompt of five. Move the
# slider, and look for the place where the older half is dropped. (Scripts do not run on GitHub,
# where the cell below stays empty; the picture above shows the same for the model's own context.)

# %%
from picogpt.classroom.widgets import cache_slider

cache_slider(n_ctx=16, n_prompt=5)

# %% [markdown]
# On average, two tokens are computed for each one that is written, instead of `n_ctx`. What was
# dropped is gone for good: no GPT-2 remembers the name of a hero that it last met more than `n_ctx`
# tokens ago.
#
# ## 5b.3 Several tokens in one pass
#
# Reading sixteen tokens takes far less than sixteen times as long as reading one, because the
# weights are fetched only once in both cases. If only we knew the next tokens! We do not, but we
# can *guess*, and let the model check. One pass over the last token and the guessed ones gives the
# logits at each of these positions. As long as the guess is what the model would have chosen
# anyway, its tokens are written. At the first difference, the model's choice is taken and the rest
# of the guess is thrown away. Whatever is guessed, the text is the same as without guessing (except
# for rounding, where two tokens are equally likely).
#
# Where does a guess come from? Large systems ask a smaller model (speculative decoding). picogpt
# looks back: if the last three tokens were in the text before, the next ones may be those that
# followed them then (prompt lookup).


# %%
def passes_of(prompt, choose, n):
    """How many tokens each pass through the model writes, in a text of n tokens."""
    lookup, lengths = Lookup(), []

    def make_guess(ids):
        lengths.append(len(ids))
        return lookup(ids)

    ids = tokenizer.encode(prompt)
    n_prompt = len(ids)
    growing = GrowingText(ids, choose=choose, end=n_prompt + n)
    steps = token_steps(
        [growing], params, config, endoftext=tokenizer.endoftext, make_guess=make_guess
    )
    for _ in steps:
        pass
    return np.diff([n_prompt, *lengths, len(growing.ids)])


assert [s.id for s in model.steps(START, N, lookup=True)] == [s.id for s in greedy]

# %% [markdown]
# We try it with a greedy text, with one that is drawn at random, and with a tale of three brothers.
# (For the tale the model has no say: the "choice" is always the next token.)
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

rng = np.random.default_rng(1)
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
# A pass writes one token (light), or more where a guess was right (dark). The three brothers gain
# most, because they are repeated word for word. A greedy text often goes round in circles, too, but
# it gains only if it does so word for word. The lookup keeps count of what its guesses have cost
# and saved, and gives up when they do not pay.

# %% [markdown]
# ## Common mistakes
#
# > - *The new token at position 0*: its position is `n_past`.
# > - *A causal mask for one row, made without `n_past`*: `np.tri(1, n)` lets it see the first key
# >   only.
# > - *Keys and values computed, but not kept*: the new token sees only itself.

# %% [markdown]
# These mistakes do the same as wrong positions or wrong masks in a plain forward pass. So a tap can
# make them, and the loss on our text shows what they cost.


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
# (Such a mistake can even make a model worse than one that knows nothing: then its bar goes beyond
# the dashed line, because it is sure of the wrong tokens. [Notebook 4](04_forward_pass.ipynb) says
# more about it.)

# %% [markdown]
# ## Five quick questions
#
# Nothing to compute: this is just to see what has stuck. Put your five letters into the second
# cell, and "-" for a question that you leave out.

# %% tags=["stable"]
from picogpt.classroom.quiz import quiz

quiz("5b")

# %%
quiz("5b", "-----")

# %% [markdown]
# ## Exercise
#
# The solution is at the end. Click on it to open it.
#
# **Exercise 1.** You are given a text's ids and the cache that holds all of them. Which ids would
# greedy decoding write next, if the last `n_back` tokens had not been there? Use the cache: of the
# tokens that it already knows, read only one again.

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
attempt(check_5b_1, write_again, model)

# %% [markdown]
# ## Solution


# %% tags=["solution"]
# A solution of exercise 1
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


check_5b_1(again_solution, model)

# %% [markdown]
# ## To go on
#
# - The code: [`picogpt/kv_cache.py`](../picogpt/kv_cache.py), and
#   [`picogpt/decoding/`](../picogpt/decoding/), above all `loop.py` and `lookup.py`.
# - [Leviathan et al. 2023](https://arxiv.org/abs/2211.17192), *Fast Inference from Transformers via
#   Speculative Decoding*.
# - Next: [notebook 6](06_checkpoint.ipynb) reads the weights from OpenAI's file,
#   [notebook 9](09_at_work.ipynb) puts writing to use.
