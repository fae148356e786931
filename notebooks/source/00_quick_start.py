# %% [markdown]
# # 0. Quick start
#
# **Goal:** load a model, let it write, look at what it almost wrote, and let it judge a text.
#
# GPT-2 does one thing: given the beginning of a text, it says how likely each possible next piece
# is. Everything else, the writing, the judging, the answers to questions, is made from that. This
# notebook shows what can be done with it in a few lines; the others take it apart. You need some
# Python, and no knowledge of language models. About 20 minutes.
#
# To run the cells yourself, type `make lab` in the project's folder. Run them from top to bottom,
# with Shift + Enter. Where it says **Guess first**, do: a wrong guess makes the right answer stick.
# Some cells that only draw a picture are collapsed; click the three dots to open them.
#
# > Is picogpt not installed, for example on Colab? Type this in a cell, run it, and restart the
# > kernel: `%pip install "picogpt[notebooks] @ ADDRESS"`. Replace ADDRESS with `file://` and the
# > full path of the project's folder, or `git+` and the address of its repository.

# %%
MODEL = "fairytale"  # or "124M", GPT-2 itself: this downloads 498 MB, the first time

# %%
import textwrap

import matplotlib.pyplot as plt
import numpy as np

import picogpt
from picogpt.classroom import drawings
from picogpt.classroom.checks.reading import check_0_1, check_0_2, check_0_3
from picogpt.classroom.checks.verdict import attempt
from picogpt.classroom.plots import BLUE, ORANGE, token_labels
from picogpt.classroom.texts import TALE
from picogpt.config import flatten
from picogpt.ops import cross_entropy, softmax, token_logprobs
from picogpt.tap import edit, record

model = picogpt.load(MODEL)

# %% [markdown]
# ## 0.1 What a model is
#
# `fairytale` is a small GPT-2 that comes with picogpt. It has read tales and stories and nothing
# else, and so it knows nothing else. It is built like the GPT-2 that OpenAI published in 2019 and
# runs on the same code, but it has fewer parts, and they are smaller. It consists of just three
# things: its sizes, its parameters (numbers that were learned), and its tokenizer.

# %%
print(model.config)  # explained in 0.7
n_params = sum(x.size for x in flatten(model.params).values())
print(f"{n_params:,} parameters")
print(f"{model.tokenizer.n_vocab:,} tokens in the vocabulary")

# %% [markdown]
# ## 0.2 Text becomes numbers
#
# The tokenizer cuts a text into pieces from a fixed vocabulary, the **tokens**: words, parts of
# words, punctuation. A space belongs to the word after it, and is shown as `·` here. Each token has
# a number, its id, and ids are all that the model ever sees.

# %% alt="The sentence cut into tokens, each in a box of its own with its id below; most words are one token, a rare one falls into pieces."
sentence = "Once upon a time there was a princess who lived in a gingerbread house."
ids = model.tokenizer.encode(sentence)
drawings.token_boxes(token_labels(model.tokenizer, ids), ids)
plt.show()
assert model.tokenizer.decode(ids) == sentence

# %% [markdown]
# ## 0.3 Ask it
#
# Given ids, the model returns a row of scores for each of them, the **logits**: one score for every
# token of the vocabulary, saying how well it would fit as the next one. `softmax` turns a row of
# logits into probabilities.
#
# **Guess first.** What comes after "The king had three"? Think of three words, and of how sure you
# are of the first.

# %% alt="Bars: the twelve likeliest tokens after the prompt, in falling order of probability."
prompt = "The king had three"
ids = model.tokenizer.encode(prompt)
logits = model(ids)
print(f"{len(ids)} ids -> logits {list(logits.shape)}")

probabilities = softmax(logits[-1])  # after the last token
best = np.argsort(-probabilities)[:12]
fig, ax = plt.subplots(figsize=(7.5, 3))
ax.bar(token_labels(model.tokenizer, best), 100 * probabilities[best], color=BLUE)
plt.setp(ax.get_xticklabels(), rotation=60, ha="right", rotation_mode="anchor")
ax.set(xlabel="next token", ylabel="probability, %", title=f"{prompt} ...")
plt.show()

# %% [markdown]
# ## 0.4 Let it write
#
# Take a token, append it, ask again. `generate` does that as many times as you ask. Without
# further settings it always takes the likeliest token, and writes the same text every time:

# %%
print(prompt + model.generate(prompt, 60))

# %% [markdown]
# That is rather dull. With a **temperature** it draws the token at random, with the probabilities
# that the model gives (at temperature 1) or, below 1, with probabilities that favour the likely
# tokens. `top_k=40` lets it draw only from the forty likeliest. A **seed** makes the draw
# repeatable; without one, you get a different text each time. Where the model draws the special
# token `<|endoftext|>`, the text is over, even if you asked for more.

# %%
for seed in (1, 2, 3):
    text = model.generate(prompt, 60, temperature=0.8, top_k=40, seed=seed)
    print(f"seed {seed}: {prompt}{text}\n")

# %% [markdown]
# It writes sentences. Whether they make a story is another matter, and depends on the model's size.
# `stop` ends the text before a string of your choice, and `stream` gives the text as it is written,
# piece by piece, as in the program `python -m picogpt`:

# %%
for piece in model.stream("'Good morning,' said the", 60, temperature=0.8, seed=4, stop="\n"):
    print(piece, end="|")

# %% [markdown]
# ## 0.5 What almost happened
#
# `steps` gives more than the text. Each step knows what the model had in mind: all the logits, the
# log-probability of the token that was drawn, and the likeliest ones. Each column of the picture is
# a step, with the model's own probabilities (before `top_k` left only these six); the drawn token
# has an orange frame and is repeated above the column.
#
# **Guess first.** In how many of the ten steps will the drawn token not be the likeliest?

# %% alt="A table of columns, one for each token that was written: the likeliest candidates with their probabilities, and a frame around the one that was drawn."
columns = []
for step in model.steps(prompt, 10, temperature=1.0, top_k=6, seed=3):
    candidates = step.likeliest(6)
    names = token_labels(model.tokenizer, [candidate.id for candidate in candidates])
    shares = [np.exp(candidate.logprob) for candidate in candidates]
    (written,) = token_labels(model.tokenizer, [step.id])
    columns.append((written, list(zip(names, shares, strict=True))))
n_others = sum(written != candidates[0][0] for written, candidates in columns)
print(f"{n_others} of {len(columns)} tokens are not the likeliest")

drawings.alternatives(columns)
plt.show()

# %% [markdown]
# Every text that a language model writes is one path out of very many. In some places there is
# hardly a choice (not in these ten), in others the whole story turns on a draw.
# `python -m picogpt --show-probs` prints the same information as a table.
#
# ## 0.6 Let it judge
#
# The model can read as well as write. `score` goes through a text and notes for each token how
# likely the model thought it, given what comes before. (It puts `<|endoftext|>` in front, so that
# the first token can be judged too.) Take the natural logarithm of that probability, the token's
# *log-probability*, and change its sign: this is the token's **surprise**, measured in nats. It is
# 0 nats for a token that was certain, 6.9 nats for one that had a chance of one in a thousand. Here
# is a tale:

# %%
print(textwrap.fill(TALE, 100))

# %% [markdown]
# The picture shows it once more: the darker a token's background, the greater its surprise.
#
# **Guess first.** Which words of the tale will be the darkest: the common ones, the rare ones, or
# the first of each sentence?

# %% alt="The tale, each token on a ground that is the darker the more it surprised the model. The ends of set phrases are light."
score = model.score(TALE)
drawings.surprise_text(token_labels(model.tokenizer, score.ids), -score.logprobs)
plt.show()

# %% [markdown]
# The background is dark where the text could have gone on in many other ways, with whatever word,
# common or rare. It is light where a phrase only has to be completed, as after "Once upon a". The
# mean surprise is the measure by which language models are trained and compared. It is also called
# the **loss** ([notebook 7](07_training.ipynb) makes it small):

# %%
assert np.isclose(score.nats_per_token, -score.logprobs.mean())
assert np.isclose(score.perplexity, np.exp(score.nats_per_token))
print(f"{score.nats_per_token:.2f} nats per token")
print(f"{score.perplexity:.1f} perplexity: as if each token were one of that many likely ones")
print(f"{score.bits_per_byte:.2f} bits per byte: the size of the text, compressed with this model")

# %% [markdown]
# A text that makes no sense is more surprising. Here is one sentence in five states:
#
# **Guess first.** Which of the five surprises most, per token? And which in all?

# %% alt="Bars: surprise per token of five versions of a sentence, least for the sentence as it is, most for the one with shuffled words."
sentences = {
    "as it is": "The old woman gave the boy a piece of bread.",
    "one wrong word": "The old woman gave the boy a piece of yellow.",
    "two words swapped": "The old woman gave a piece the boy of bread.",
    "words shuffled": "Piece boy the the a bread gave of woman old.",
    "letters shuffled": "Eht dol nawmo vage eht oyb a ceiep fo daber.",
}
scores = [model.score(text) for text in sentences.values()]
nats = [each.nats_per_token for each in scores]
for name, each in zip(sentences, scores, strict=True):
    print(f"{name:18} {len(each.ids):3} tokens, {-each.logprobs.sum():5.0f} nats in all")
fig, ax = plt.subplots(figsize=(8.5, 2.6))
bars = ax.barh([f"{name}:  {text}" for name, text in sentences.items()], nats, color=ORANGE)
bars[0].set_color(BLUE)
ax.bar_label(bars, fmt="%.1f", padding=3)
ax.invert_yaxis()
ax.set(xlabel="surprise, nats per token")
plt.show()

# %% [markdown]
# Shuffled letters fall into twice as many tokens as shuffled words. Many of these pieces are easy
# to guess once a word has begun, so the mean is lower; in all, they cost most. Mind the difference
# between a mean and a sum: it comes back in the common mistakes below.
#
# ## 0.7 Look inside, and change what you see
#
# Here is all of GPT-2 on one page, from the text at the top to the next token at the bottom. The
# shape of each result is given in brackets. `n_seq` is the number of tokens in the text; the other
# names are sizes from `model.config` in 0.1: `n_vocab` tokens in the vocabulary, `n_ctx` the most
# tokens that the model can see at a time (its *context*), `n_embd` numbers for each token,
# `n_layer` blocks, and in each `n_head` attention heads, of `n_head_dim` = `n_embd` / `n_head`
# numbers.
#
# ![GPT-2 from the text to the next token, with the shape of every result](data/architecture.svg)
#
# Four words that all notebooks use:
#
# - The **residual stream** is the thick line: for every position one vector of `n_embd` numbers,
#   which holds everything the model knows at this position.
# - A **block** reads the stream twice, and each time *adds* something to it: first attention, which
#   fetches something from earlier positions, then the MLP, which works on each position by itself.
#   All blocks are built alike, but they have learned different things.
# - The **loss** is the mean surprise of 0.6.
# - A **tap** lets you look inside. The model hands it every intermediate result, with its name, and
#   goes on with what the tap gives back. `record` makes a tap that keeps the results, `edit` one
#   that replaces them.
#
# You need not understand the boxes yet: each has its notebook, and each notebook begins with a
# small drawing that shows where you are. Here are the names of the results in the first block, for
# the four ids of "The king had three":

# %%
activations = {}
ids = model.tokenizer.encode(prompt)
model(ids, tap=record(activations))
print(len(activations), "arrays, among them")
for name, x in activations.items():
    if name.startswith("h.0."):
        print(f"    {name:20} {list(x.shape)}")

# %% [markdown]
# And here is how much more the tale surprises the model when one part of one block is silenced: its
# attention, which looks at other tokens, or its MLP, which works on each token alone. (The axis is
# logarithmic: each line is ten times the one below.)
#
# **Guess first.** Which single part is missed most: an attention or an MLP, at the beginning, in
# the middle or at the end?

# %% alt="Pairs of bars for each block, on a logarithmic axis: added surprise without its attention and without its MLP."
parts = {"attention": "attn.c_proj", "MLP": "mlp.c_proj"}
tale = np.array([model.tokenizer.endoftext, *model.tokenizer.encode(TALE)])
fig, ax = plt.subplots(figsize=(7.5, 3))
for (part, name), colour, shift, hatch in zip(
    parts.items(), (BLUE, ORANGE), (-0.2, 0.2), ("", "//"), strict=True
):
    added = []
    for block in range(model.config.n_layer):
        tap = edit({f"h.{block}.{name}": np.zeros_like})
        loss = cross_entropy(model(tale[:-1], tap=tap), tale[1:])
        added.append(max(loss - score.nats_per_token, 0.01))
    print(f"the {part} of block {np.argmax(added)} is missed most: {max(added):.1f} nats more")
    places = np.arange(model.config.n_layer) + shift
    ax.bar(places, added, 0.4, color=colour, hatch=hatch, ec="white", label=f"without {part}")
ax.set_xticks(range(model.config.n_layer))
ax.set(xlabel="block", ylabel="added surprise, nats per token", yscale="log", ylim=(0.01, None))
ax.set_yticks([0.01, 0.1, 1, 10], ["0.01", "0.1", "1", "10"])
ax.grid(axis="y", alpha=0.4)
ax.set_axisbelow(True)
ax.legend(ncols=2, loc="upper right")
plt.show()

# %% [markdown]
# In a trained GPT-2 it is mostly the first MLP: all later blocks have learned to read what it
# writes.
#
# ## 0.8 Without Python
#
#     python -m picogpt -m fairytale "The king had three"
#     python -m picogpt -m fairytale --show-probs -n 20 "The king had three"
#     python -m picogpt -m fairytale
#
# The last one keeps asking you for a beginning. `python -m picogpt --help` lists the rest. To
# get the real GPT-2 (498 MB), leave `-m fairytale` out, or change the first line of a notebook to
# `MODEL = "124M"`.
#
# ## 0.9 Where to go
#
# | notebook | the question it answers |
# |---|---|
# | [1. From text to tokens](01_tokens.ipynb) | How does a text become numbers, and why not letters or words? |
# | [2. Embeddings, layer norm, GELU](02_embeddings_norm_gelu.ipynb) | What is done to these numbers at each position? |
# | [3. Attention](03_attention.ipynb) | How does a position learn what stands before it? |
# | [4. The whole forward pass](04_forward_pass.ipynb) | How do the parts make GPT-2, and what does it cost? |
# | [5. Generation](05_generation.ipynb) | How is a text made from probabilities? |
# | [5b. Writing fast](05b_writing_fast.ipynb) | How is it made in less time, and what does that cost? |
# | [6. Reading a checkpoint](06_checkpoint.ipynb) | What do OpenAI's files look like, byte by byte? |
# | [7. The backward pass and training](07_training.ipynb) | How did the numbers get there? |
# | [8. Looking inside](08_looking_inside.ipynb) | What do the parts of a trained model do? |
# | [9. GPT-2 at work, and its limits](09_at_work.ipynb) | What is it good for, and what not? |
# | [10. One model, five perplexities](10_five_perplexities.ipynb) | How good is it, and by whose rules? |
# | [11. Fine-tuning for a task](11_fine_tuning_for_a_task.ipynb) | How is it taught one thing, and does it pay? |
# | [12. Smaller](12_smaller.ipynb) | How small can it be made, and what does that cost? |
#
# 1 to 5 build on each other. The others can be read in any order after that; 9 needs little more
# than what you have seen here.

# %% [markdown]
# ## Common mistakes
#
# > - *A space at the end of the prompt.* The space belongs to the next word's token. A prompt that
# >   ends in a space has already used it up, and asks for a word that begins without one.
# > - *A text where ids are expected*, or the row of the wrong position: row $t$ of the logits is
# >   about token $t + 1$.
# > - *Orders instead of beginnings.* GPT-2 was never trained to obey or to answer. It continues a
# >   text, and an order is the beginning of a text about orders.
# > - *Comparing sums.* Every further token makes a text less likely. Compare means per token, or
# >   per byte if the models have different vocabularies.
# > - *Believing it.* A high probability says that a text is like those that the model has read; it
# >   does not say that the text is true.

# %% [markdown]
# **The space.** Here are three prompts that look nearly the same, with no space at the end, with
# one and with two, and what the model expects after each. In the second one " sons" can no longer
# come, since its space has been used up; and in the texts that the model has read, the token "sons"
# hardly ever followed a single space. After two spaces it is no likelier.


# %%
def chance(before, after):
    """How likely the model considers the tokens of `after` to follow those of `before`."""
    start, end = model.tokenizer.encode(before), model.tokenizer.encode(after)
    logits = model([*start, *end[:-1]])[len(start) - 1 :]
    return np.exp(token_logprobs(logits, end).sum())


for before, after in (("", " sons"), (" ", "sons"), ("  ", "sons")):
    row = model(model.tokenizer.encode(prompt + before))[-1]
    best = token_labels(model.tokenizer, np.argsort(-row)[:5])
    print(
        f"{prompt + before!r}: {after!r} has {100 * chance(prompt + before, after):.2g} %; {best}"
    )

# %% [markdown]
# **A text where ids are expected:**

# %% tags=["stable"]
try:
    model("The king had three")
except TypeError as error:
    print(error)

# %% [markdown]
# **An order.** See whether it is obeyed:

# %%
order = "Tell me a story about a dragon, and let it end well."
print(order + model.generate(order, 50, temperature=0.8, top_k=40, seed=1))

# %% [markdown]
# **Sums and means.** The beginning of a text cannot be less likely than all of it:

# %%
for name, text in {"the first sentence": TALE[: TALE.index(".") + 1], "all of it": TALE}.items():
    s = model.score(text)
    print(f"{name:19} e^{s.logprobs.sum():.0f}, {s.nats_per_token:.2f} nats per token")

# %% [markdown]
# **Believing it.** Whichever of these it prefers, it has not looked at the moon:

# %%
for text in (
    "The moon is made of stone.",
    "The moon is made of silver.",
    "The moon is made of cheese.",
):
    print(f"{text:28} {model.score(text).nats_per_token:.2f} nats per token")

# %% [markdown]
# ## Five quick questions
#
# Nothing to compute: this is just to see what has stuck. Put your five letters into the second
# cell, and "-" for a question that you leave out.

# %% tags=["stable"]
from picogpt.classroom.quiz import quiz

quiz(0)

# %%
quiz(0, "-----")

# %% [markdown]
# ## Exercises
#
# Each has a cell to fill in, and a cell that checks it. The solutions are at the end. Click on one
# to open it.
#
# **Exercise 1.** Write a function that finds the token of a text that surprised the model most, and
# returns it as a string.

# %% [markdown]
# *Easy.*
#
# *Warm-up, without a computer:* What does <code>model.score("The king").logprobs</code> hold, and
# how many numbers are there?
#
# <details><summary>Answer</summary>The log-probability of each token. "The king" has two tokens, so
# there are two numbers.</details>
#
# <details><summary>First hint</summary><code>score</code> has the ids as <code>ids</code>, one for
# each of its <code>logprobs</code>.</details>
# <details><summary>Second hint</summary>The lowest log-probability belongs to the token that
# surprised most, and NumPy's <code>argmin</code> finds its place. Decode the id that stands there,
# as a list with one id.</details>


# %%
def most_surprising(model, text):
    return ""  # your lines


# %%
attempt(check_0_1, most_surprising, model)

# %% [markdown]
# **Exercise 2.** Let the model solve riddles: given a beginning and some possible endings,
# return the ending that the model thinks likeliest. (Mind the sums and means: the endings may
# have several tokens, and what counts is the whole ending.)

# %% [markdown]
# *Medium.*
#
# <details><summary>First hint</summary>The beginning is the same for all. What would change if you
# judged beginning and ending together?</details>
# <details><summary>Second hint</summary>Compare sums, not means, of <code>model.score(beginning +
# ending).logprobs</code>: the endings are complete.</details>


# %%
def likeliest_ending(model, beginning, endings):
    return endings[0]  # your lines


# %%
attempt(check_0_2, likeliest_ending, model)

# %% [markdown]
# **Exercise 3.** In 0.7 one part was silenced at a time. Silence the attention of *all* blocks at
# once, so that every token is read as if it stood alone, and return the mean surprise on TALE.

# %% [markdown]
# *Medium.*
#
# <details><summary>First hint</summary>Look at the cell that draws the picture in 0.7. It makes one
# edit in each round. Make all of them at once.</details>
# <details><summary>Second hint</summary>A dictionary may have an edit for every block:
# <code>f"h.{block}.attn.c_proj"</code>.</details>

# %%
alone = None  # your answer, a number


# %%
attempt(check_0_3, alone, model)

# %% [markdown]
# ## Solutions


# %% tags=["solution"]
# A solution of exercise 1
def surprising_solution(model, text):
    score = model.score(text)
    return model.tokenizer.decode([score.ids[score.logprobs.argmin()]])


check_0_1(surprising_solution, model)


# %% tags=["solution"]
# A solution of exercise 2
def ending_solution(model, beginning, endings):
    # The beginning is the same for all, so the sums of the whole texts differ by the endings alone.
    return max(endings, key=lambda ending: model.score(beginning + ending).logprobs.sum())


check_0_2(ending_solution, model)


# %% tags=["solution"]
# A solution of exercise 3
silent = {f"h.{block}.attn.c_proj": np.zeros_like for block in range(model.config.n_layer)}
check_0_3(cross_entropy(model(tale[:-1], tap=edit(silent)), tale[1:]), model)

# %% [markdown]
# ## To go on
#
# - Read the code: the README lists the files in the order in which they build on each other, and
#   shows all of GPT-2 on one screen.
# - Next: [notebook 1](01_tokens.ipynb), on how a text becomes numbers.
