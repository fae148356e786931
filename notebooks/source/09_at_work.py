# %% [markdown]
# # 9. GPT-2 at work, and its limits
#
# ![You are here: the whole of it, from outside](data/here_9.svg)
#
# **Goal:** give one model many tasks, just by asking in different ways; measure how well it does;
# know what such a model cannot do, what it repeats, and what it has memorised; steer it, and
# measure what that costs; and see what has changed from GPT-2 to the models of today.
#
# Everything here runs with the small fairy-tale model. It fails at some of the tasks, and does
# others worse than it seems. You will see how to find that out, which is just as useful as a
# success. For the real GPT-2 there are published figures, with their source; the numbers that cells
# print are always those of the model that you have loaded. You need [notebook
# 0](00_quick_start.ipynb); the last two sections, 9.12 and 9.13, are easier after notebooks
# [3](03_attention.ipynb) and [4](04_forward_pass.ipynb). About an hour.
#
# > Is picogpt not installed, for example on Colab? Type this in a cell, run it, and restart the
# > kernel: `%pip install "picogpt[notebooks] @ ADDRESS"`. Replace ADDRESS with `file://` and the full
# > path of the project's folder, or with `git+` and the address of its repository.

# %%
MODEL = "fairytale"  # or "124M", GPT-2 itself: this downloads 498 MB, the first time

# %%
import inspect
import re
import textwrap
from collections import Counter
from itertools import groupby

import matplotlib.pyplot as plt
import numpy as np

import picogpt
from picogpt.classroom.checks.use import check_9_1, check_9_2, check_9_3
from picogpt.classroom.checks.verdict import attempt
from picogpt.classroom.plots import (
    BLUE,
    DIVERGING,
    GREEN,
    GREY,
    ORANGE,
    PINK,
    RED,
    heatmap,
    loss_bars,
    token_labels,
)
from picogpt.classroom.texts import DATA, TALE
from picogpt.config import SIZES, param_shapes
from picogpt.evaluate.score import cut_document, score, token_lengths
from picogpt.ops import token_logprobs

model = picogpt.load(MODEL)
tokenizer, config = model.tokenizer, model.config


def show(text):
    """Print a text in lines of less than a hundred letters, its own line breaks kept."""
    for line in text.split("\n"):
        print(textwrap.fill(line, 98))


# %% [markdown]
# ## 9.1 Everything is a continuation
#
# GPT-2 was trained to continue documents, and for nothing else. But on the web there are documents
# that end in a summary, list words with their translations, or answer the question of the line
# before. To continue these well, a model has to summarize, translate and answer. So you write the
# beginning of such a document, and let the model go on. This is the idea of the paper that
# introduced GPT-2, and of its title: *Language Models are Unsupervised Multitask Learners*
# ([Radford et al.
# 2019](https://cdn.openai.com/better-language-models/language_models_are_unsupervised_multitask_learners.pdf)).
#
# | task | the document to be continued |
# |---|---|
# | last word of a text | `... and the mouse ran back into its` |
# | summary | the text, then `TL;DR:` |
# | translation | `the dog = le chien`, some more such lines, then `the king =` |
# | question | `Q: Who bakes bread?` `A: a baker`, then `Q: ...` `A:` |
# | sentiment | the text, then `She was very` |
# | dialogue | the words that were said, then the mark that opens the answer |
#
# The model's weights never change. If the prompt has examples (as for the translation), this is
# called *few-shot*; without them it is called *zero-shot*.
#
# How a model continues a beginning depends on what it has read. Here are three beginnings, one of
# them from the fairy-tale model's own world:
#
# **Guess first.** How will a model that has read only stories continue the other two, about a
# minister of finance and about softmax?

# %%
for beginning in (
    "The youngest of the three brothers went into the forest, and",
    "The minister of finance said on Tuesday that",
    "import numpy as np\n\ndef softmax(x):",
):
    text = model.generate(beginning, 40, temperature=0.7, top_k=40, seed=1)
    show(beginning + text + "\n")

# %% [markdown]
# `fairytale` goes on with a tale each time, even after a line of Python: it knows no other kind of
# document.
#
# ## 9.2 Asking without letting it write
#
# There are two ways to get an answer. Let the model write, and read what it wrote; or give it some
# possible answers, and see which one it thinks likeliest. The second is easier to measure, and
# shows knowledge that the model would never put into words by itself. It takes one function, which
# we use throughout this notebook: the log-probability of an ending after a beginning,
#
# $$\log p(\text{ending} \mid \text{beginning}) = \sum_t \log p(\text{token}_t \mid
# \text{all tokens before}).$$


# %%
def logprob(beginning, ending):
    """log p(ending | beginning), in nats. The ending begins with a space, as words do."""
    start = [tokenizer.endoftext, *tokenizer.encode(beginning)]
    end = tokenizer.encode(ending)
    logits = model([*start, *end[:-1]])[len(start) - 1 :]
    return float(token_logprobs(logits, end).sum())


beginning, ending = "The king had", " three sons."
whole = model.score(beginning + ending).logprobs.sum()
assert np.isclose(
    logprob(beginning, ending), whole - model.score(beginning).logprobs.sum(), atol=1e-3
)
for ending in (" three sons.", " three moons.", " sons three."):
    print(f"{beginning + ending:26} {logprob(beginning, ending):7.2f} nats")

# %% [markdown]
# ## 9.3 The last word
#
# The paper's first test is LAMBADA: passages whose last word a reader can guess, but only from the
# whole passage, not from the last sentence. We measure the same here, with a few passages of our
# own: how likely is the right word after the last sentence alone, and how likely is it after the
# whole passage? The distance between the two points is what the model has taken from the context.
#
# **Guess first.** For how many of the eight passages does the whole text help?

# %% alt="Pairs of points for eight passages, on a logarithmic axis: the probability of the right last word after the last sentence alone, and after the whole passage."
PASSAGES = [
    (
        "A fox saw some grapes on a high wall. He jumped again and again.",
        "But he could not reach the",
        " grapes",
    ),
    (
        "The boy had a white horse, and he loved it.",
        "Every morning he went into the stable and fed his",
        " horse",
    ),
    (
        "The dragon slept on a heap of gold, and the prince wished to see the dragon.",
        "He went into the cave and killed the",
        " dragon",
    ),
    (
        "There was once a miller who had a clever cat.",
        "One day he said: 'What shall I do with my",
        " cat",
    ),
    (
        "The witch had locked the girl in a high tower.",
        "She could not go down, for there was no door in the",
        " tower",
    ),
    (
        "An old woman baked a cake and put it on the window to cool.",
        "A boy came by, and he ate the",
        " cake",
    ),
    (
        "The princess had dropped her ring into the well.",
        "So the frog swam down to look for the",
        " ring",
    ),
    (
        "A poor shoemaker had leather for only one pair of shoes.",
        "In the morning he found on his table a pair of",
        " shoes",
    ),
]
fig, ax = plt.subplots(figsize=(8.5, 3.4))
for y, (before, last, word) in enumerate(PASSAGES):
    alone, with_all = (100 * np.exp(logprob(x, word)) for x in (last, f"{before} {last}"))
    ax.plot([alone, with_all], [y, y], color=GREY, zorder=0)
    ax.plot(alone, y, "s", color=ORANGE, label="" if y else "after the last sentence alone")
    ax.plot(with_all, y, "o", color=BLUE, label="" if y else "after the whole passage")
ax.set_yticks(
    range(len(PASSAGES)),
    [f"... {' '.join(last.split()[-6:])} ({word.strip()})" for _, last, word in PASSAGES],
)
ax.set(xscale="log", xlabel="probability of the right word, %", xlim=(None, 200))
ticks = [0.0001, 0.01, 1, 100]
ax.set_xticks(ticks, ticks)
ax.minorticks_off()
ax.invert_yaxis()
fig.legend(ncols=2, loc="outside upper right")
plt.show()

# %% [markdown]
# `fairytale` takes something from the context in all eight. On the real LAMBADA, the smallest GPT-2
# gets 46 % of the last words right and the largest 63 % (9.9), if words such as "the", which cannot
# end a passage, are not accepted (section 3.3 of the paper).
#
# ## 9.4 Summary
#
# On web pages a long text is sometimes followed by "TL;DR:" (*too long; didn't read*) and one
# sentence that says it all. The paper's recipe: put `TL;DR:` after the article, let the model write
# 100 tokens with top-k at $k = 2$, and take the first three sentences. Here are 60 tokens:

# %%
show(TALE + "\nTL;DR:" + model.generate(TALE + "\nTL;DR:", 60, temperature=1.0, top_k=2, seed=1))

# %% [markdown]
# Is that a summary? To have more than an opinion, we let the model choose between four one-sentence
# summaries, one of which is right. But a sentence may be likely in itself, whatever comes before.
# So we look at what the tale *adds* to each: its log-probability after our tale, minus its
# log-probability after another one.
#
# $$\text{gain} = \log p(\text{summary} \mid \text{our tale}) - \log p(\text{summary} \mid
# \text{another tale})$$
#
# We do this without the hint as well. If the model knows what "TL;DR:" means, the hint must make a
# difference.
#
# **Guess first.** Will the right summary gain more than the shuffled one?

# %% alt="Two bar charts, without and with the hint: how much the tale adds to the log-probability of four summaries."
OTHER = """There was once a wolf who had not eaten for three days. He knocked at the door of the \
seven kids and said with a soft voice: 'Open the door, dear children, your mother has come home \
and has brought something for each of you.' But the kids saw his black paw at the window, and \
cried: 'We will not open. Our mother has no black feet. You are the wolf!'
"""
SUMMARIES = {
    "right": " A princess shares her bread with an old woman, who is a fairy.",
    "same people, wrong": " An old woman gives her bread to a princess, who is a fairy.",
    "another tale": " Seven little kids do not open the door to the wolf.",
    "shuffled": " Who bread an is with a her fairy woman, shares princess old a.",
}
fig, axes = plt.subplots(1, 2, figsize=(8.5, 2.4), sharex=True, sharey=True)
for ax, hint, name in zip(axes, ("", "\nTL;DR:"), ("without a hint", "with TL;DR:"), strict=True):
    gains = [logprob(TALE + hint, s) - logprob(OTHER + hint, s) for s in SUMMARIES.values()]
    bars = ax.barh(list(SUMMARIES), gains, color=[BLUE, ORANGE, ORANGE, ORANGE])
    ax.bar_label(bars, fmt="%+.1f", padding=3)
    ax.axvline(0, color="black", lw=0.8)
    ax.set(title=name, xlabel="gain, nats")
    ax.margins(x=0.25)
axes[0].invert_yaxis()
plt.show()

# %% [markdown]
# A model that notices only which *words* belong to a tale would give the shuffled summary as much
# as the right one. `fairytale` knows more than that: the shuffled one gains nothing. But it hardly
# notices who did what, and it does not know the hint: with it, the wrong summary gains more than
# the right one. These figures are published for the largest GPT-2: on news articles it reaches 21.4
# ROUGE points (which count the words and phrases shared with a person's summary), and 15.0 without
# the hint, so it does know the hint. But three sentences picked at random from the article reach
# 21.0, and its first three sentences 31.6 (Radford et al. 2019, Table 4).
#
# ## 9.5 Translation, and copying
#
# The prompt of the paper is a list of examples, `english = french`. Here is such a list, with all
# right and wrong answers in one picture: each row is a question, each column a possible answer. We
# subtract from each column its mean, since some words are likely whatever is asked. A dot marks the
# answer that wins its row; a model that knows the language has them all on the diagonal. The
# picture on the right asks for less. It needs no French: the model only has to see from the
# examples that the word is repeated.
#
# **Guess first.** How many of eight words will a model translate that has read only English? How
# many would it get right by chance? And will it copy?

# %% alt="Two matrices of questions and answers, for translation and for copying. A dot marks the answer that wins its row."
WORDS = ["king", "house", "cat", "daughter", "bread", "night", "water", "horse"]
FRENCH = ["roi", "maison", "chat", "fille", "pain", "nuit", "eau", "cheval"]
TRANSLATED = "dog = chien\ntree = arbre\nmoon = lune\nhand = main\n"
COPIED = "dog = dog\ntree = tree\nmoon = moon\nhand = hand\n"

fig, axes = plt.subplots(1, 2, figsize=(8.5, 3.8))
for ax, shots, answers in zip(axes, (TRANSLATED, COPIED), (FRENCH, WORDS), strict=True):
    table = np.array([[logprob(f"{shots}{w} =", f" {a}") for a in answers] for w in WORDS])
    table -= table.mean(axis=0)
    right = int((table.argmax(axis=1) == np.arange(len(WORDS))).sum())
    limit = np.abs(table).max()
    image = heatmap(ax, table, WORDS, answers, cmap=DIVERGING, vmin=-limit, vmax=limit)
    ax.plot(table.argmax(axis=1), range(len(WORDS)), "o", ms=7, mfc="white", mec="black")
    ax.set_title(f"{right} of {len(WORDS)} right (by chance: 1)")
    fig.colorbar(image, ax=ax, label="nats over the column's mean", shrink=0.7)
plt.show()
print(TRANSLATED + "king =" + model.generate(TRANSLATED + "king =", 8, stop="\n"))

# %% [markdown]
# `fairytale` translates one word, as mere chance would, and writes nothing but a comma when it is
# free: a model that has read only English tales cannot know French. GPT-2 knows some by accident:
# pages in other languages had been removed from its training text, but 10 MB of French were left.
# The largest one reached 5 BLEU (a score for translations) from English to French, which is less
# than translating word by word with a dictionary, and 11.5 from French to English, where its
# English helps (section 3.7 of the paper). Copying is another matter, and five of eight are well
# above chance: heads that continue a pattern of the prompt form in training by themselves ([Olsson
# et al. 2022](https://arxiv.org/abs/2209.11895)), and [notebook 8](08_looking_inside.ipynb) looks
# for them in this model.
#
# ## 9.6 Questions
#
# A dozen questions that a reader of fairy tales should be able to answer, each with three answers
# to choose from. It is not enough to compare their log-probabilities: " a king" is a likely phrase
# in any tale, and would win whatever is asked. So here, too, we compare what the question *adds* to
# each answer: its log-probability after the question, minus that after an empty question ([Holtzman
# et al. 2021](https://arxiv.org/abs/2104.08315) call this *domain-conditional pointwise mutual
# information*).
#
# **Guess first.** How many of the twelve will it get right? By chance it would be four.

# %%
QUESTIONS = {
    "Who lives in a palace?": ["a king", "a frog", "a bear"],
    "What do cats eat?": ["mice", "swords", "castles"],
    "What is the colour of snow?": ["white", "green", "black"],
    "Who wears a crown?": ["a queen", "a horse", "a shepherd"],
    "What gives milk?": ["a cow", "a wolf", "a stone"],
    "Where do fish live?": ["in the water", "in the sky", "in the fire"],
    "What shines at night?": ["the moon", "the door", "the bread"],
    "Who makes shoes?": ["a shoemaker", "a king", "a fisherman"],
    "What do you do with a sword?": ["fight", "eat", "sleep"],
    "Who can do magic?": ["a witch", "a miller", "a cow"],
    "What is very hot?": ["fire", "ice", "snow"],
    "Who is the mother of the prince?": ["the queen", "the cook", "the dragon"],
}
SHOTS = "Q: Who bakes bread?\nA: a baker\n\nQ: What has four legs?\nA: a dog\n\n"


def choices(question, answers):
    """For each answer log p, and what the question adds to it."""
    asked = [logprob(f"{SHOTS}Q: {question}\nA:", f" {a}") for a in answers]
    empty = [logprob(f"{SHOTS}Q:\nA:", f" {a}") for a in answers]
    return np.array(asked), np.array(asked) - np.array(empty)


by_logprob, by_gain = 0, 0
for question, answers in QUESTIONS.items():
    plain, gain = choices(question, answers)
    by_logprob += plain.argmax() == 0  # the right answer stands first
    by_gain += gain.argmax() == 0
    order = np.argsort(-gain)
    told = ", ".join(f"{answers[i]} {gain[i]:+.1f}" for i in order)
    print(f"{question:33} {'right' if order[0] == 0 else 'wrong':6} {told}")
n = len(QUESTIONS)
print(f"\nright: {by_gain} of {n} by gain, {by_logprob} by log-probability; by chance {n // 3}")

# %%
for question in list(QUESTIONS)[:4]:
    text = model.generate(f"{SHOTS}Q: {question}\nA:", 12)
    print(f"{question:28} {text!r}")

# %% [markdown]
# Nine of twelve are right, though some only just. (All gains are above 0, because an empty question
# is an odd text, after which no answer is likely. Only the differences within a line count.) The
# last lines are what the same model writes if nobody offers it answers. It is far easier to prefer
# the right one of three answers than to find it. A right choice may only mean that the model knows
# which words go together. According to the paper (section 3.8), the largest GPT-2 gives the right
# answer to 4.1 % of questions that people had typed into Google, and the smallest to no more than 1
# %. Its probabilities are worth something, though: of the 1 % of questions on which it was surest,
# it got 63.1 % right.
#
# ## 9.7 Sentiment
#
# Is a text glad or sad? Continue it with "... was very", and compare two words. The number
#
# $$s = \log p(\text{happy} \mid \text{text}) - \log p(\text{sad} \mid \text{text})$$
#
# puts the texts in an order. Where to draw the line between glad and sad is another question, since
# one of the two words may be likelier in every text.
#
# **Guess first.** Take every pair of a glad and a sad text. In what share of them will the glad
# text have the larger $s$? By chance it is one half.

# %% alt="Left, the numbers of glad and sad texts on a line. Right, the share of pairs that are ranked right, beside what chance gives."
GLAD = [
    "The boy saw that his father had come home at last, and the boy was very",
    "The king gave a great feast, there was music and dancing, and every one was very",
    "The poor man found a purse of gold, and he was very",
    "The prince was healed of his sickness, and the queen was very",
    "The sisters found each other again after many years, and they were very",
    "The rain came at last, the corn grew, and the farmer was very",
    "The boy had won the prize, all the people cheered, and he was very",
    "She was married to the prince whom she loved, and she was very",
]
SAD = [
    "The mother saw that her child was dead, and she was very",
    "The princess had lost her golden ball, and she was very",
    "His brother had been eaten by the wolf, and the little boy was very",
    "The soldiers had burned the village, and the people were very",
    "The old woman was all alone in the world, and she was very",
    "The giant locked the princess in a dark tower, and she was very",
    "His best friend had deceived him, and he was very",
    "The queen's daughter was carried off by a dragon, and the queen was very",
]
glad, sad = (
    np.array([logprob(x, " happy") - logprob(x, " sad") for x in xs]) for xs in (GLAD, SAD)
)


def ranked_right(glad, sad):
    """The share of pairs of a glad and a sad text in which the glad one has the higher number."""
    return (glad[:, None] > sad).mean()


# What would come out if the texts had nothing to do with the numbers?
rng = np.random.default_rng(0)
both = np.concatenate([glad, sad])
by_chance = []
for _ in range(5000):
    mixed = rng.permutation(both)
    by_chance.append(ranked_right(mixed[: len(glad)], mixed[len(glad) :]))

fig, (left, right) = plt.subplots(1, 2, figsize=(8.5, 2.6), width_ratios=[1.2, 1])
left.plot(glad, np.full(len(glad), 1), "o", color=BLUE, alpha=0.7)
left.plot(sad, np.full(len(sad), 0), "s", color=ORANGE, alpha=0.7)
left.set_yticks([0, 1], ["sad texts", "glad texts"])
left.set(ylim=(-0.6, 1.6), xlabel="log p(happy) − log p(sad), nats")
right.hist(by_chance, bins=25, range=(0, 1), color="lightgrey", label="by chance")
right.axvline(ranked_right(glad, sad), color=BLUE, lw=2, label="this model")
right.set(xlabel="share of pairs ranked right", yticks=[])
right.spines["left"].set_visible(False)
right.legend(loc="upper left", fontsize=9)
plt.show()
p_value = np.mean(np.array(by_chance) >= ranked_right(glad, sad))
print(f"{ranked_right(glad, sad):.0%} of all pairs in the right order; ", end="")
print(f"mere chance does as well {p_value:.1%} of the time")

# %% [markdown]
# This result is hardly chance. But sixteen texts are few, and with fewer still chance alone often
# looks like skill, so never show such a number without the grey hill beside it. Nor was there a
# special reason for these two words. We could have taken others:

# %%
for good, bad in (("happy", "sad"), ("glad", "sorry"), ("merry", "sad"), ("pleased", "angry")):
    numbers = [
        np.array([logprob(x, f" {good}") - logprob(x, f" {bad}") for x in xs]) for xs in (GLAD, SAD)
    ]
    print(f"{good:>8} or {bad:6} {ranked_right(*numbers):.0%} of all pairs in the right order")

# %% [markdown]
# Trying words and prompts until one works, and then reporting only that one, is the most common way
# to fool yourself with language models. Large models do recognise sentiment. But to be sure of it,
# you need a few hundred texts, and a prompt that you chose before you saw the results.
#
# ## 9.8 Dialogue
#
# A dialogue is a text in which speakers take turns. The program adds your line to the text, begins
# the model's line, and lets the model write to the end of that line. That is all that a "chat" is.
# Models that are sold as chat models have the same loop, and were also trained on many dialogues.


# %%
class Talk:
    """A conversation in the manner of a tale: everything said so far is the prompt."""

    def __init__(self, scene):
        self.text = scene

    def say(self, words, seed):
        self.text += f"\n\n'{words}' said the boy.\n\n'"
        # The oldest part of a long talk is forgotten (notebook 5b).
        answer = model.generate(self.text, 60, temperature=0.8, top_k=40, seed=seed, stop="\n")
        self.text += answer
        return answer


talk = Talk("In the middle of the forest the boy met an old fox, who could speak.")
for seed, words in enumerate(["Good morning, fox!", "Where do you live?", "Will you help me?"]):
    talk.say(words, seed)
show(talk.text)

# %% [markdown]
# A model learns the form first: quotation marks, who speaks, how people answer. Sense comes later,
# if at all. Nothing in the model knows that it is one of the speakers. It would write your lines,
# too, if we let it.
#
# ## 9.9 What is published about the real ones
#
# All of these figures are from Table 3 of Radford et al. 2019, zero-shot. CBT is the Children's
# Book Test; WikiText-2 comes from Wikipedia, and the Penn Treebank from a newspaper. (The paper
# counts the parameters of the two smaller models as 117 and 345 million; the files have 124 and
# 355. 762 and 1542 are now called 774 and 1558.) picogpt computes the same function as OpenAI's
# code, but these figures were not measured with it.

# %% alt="Published accuracies and perplexities of the four sizes of GPT-2: the accuracies rise with the size, or stay near their top, and the perplexities fall."
PUBLISHED = {  # Radford et al. 2019, Table 3
    "LAMBADA: last word of a passage": [45.99, 55.48, 60.12, 63.24],
    "CBT: missing noun, 10 choices": [87.65, 92.35, 93.45, 93.30],
    "CBT: missing name, 10 choices": [83.4, 87.1, 88.0, 89.05],
}
PERPLEXITIES = {
    "LAMBADA": [35.13, 15.60, 10.87, 8.63],
    "WikiText-2": [29.41, 22.76, 19.93, 18.34],
    "Penn Treebank": [65.85, 47.33, 40.31, 35.76],
}
millions = [117, 345, 762, 1542]
fig, axes = plt.subplots(1, 2, figsize=(8.5, 3.6))
for ax, figures, markers, colours in (
    (axes[0], PUBLISHED, "os^", (BLUE, GREEN, PINK)),
    (axes[1], PERPLEXITIES, "oDv", (BLUE, ORANGE, GREY)),
):
    for (name, values), marker, colour in zip(figures.items(), markers, colours, strict=True):
        ax.semilogx(millions, values, marker=marker, color=colour, label=name)
    ax.set_xticks(millions, [f"{m}M" for m in millions], fontsize=9)
    ax.minorticks_off()
    ax.set_xlabel("parameters, as the paper counts them")
axes[0].set(ylabel="right, %", ylim=(0, 100))
axes[0].legend(loc="lower right", fontsize=9)
axes[1].set(ylabel="perplexity (lower is better)", ylim=(0, None))
axes[1].legend(fontsize=9)
plt.show()

# %% [markdown]
# Most of these curves had not flattened, and that was the message of 2019: the same recipe with a
# larger model does better at nearly everything. The paper's figures also show what not to expect.
# If it is asked about a text that it can see, the largest GPT-2 reaches an F1 of 55 (CoQA, section
# 3.5; F1 counts the words shared with the right answer, and people reach 89). Without such a text
# it is right 4 times in a hundred. No GPT-2 can reliably add, count, or reason over several steps.
# None knows what happened after 2017, since later links were left out of the training text. And
# none was trained to follow instructions: that came later, with other methods.
#
# ## 9.10 What perplexity is good for
#
# Perplexity measures how well a model predicts a text ([notebook 0](00_quick_start.ipynb)). Here are the bits that this
# model needs for each byte of texts of different kinds.
#
# **Guess first.** For which of these texts will the model need the fewest bits? Does any need more
# than the 8 in which a byte is stored?

# %% alt="Bars: bits per byte for seven kinds of text. Fairy tales need the fewest."
sonnets = (DATA / "sonnets.txt").read_text("utf-8").split("<|endoftext|>")
fables = (DATA / "fables.txt").read_text("utf-8").split("<|endoftext|>")
TEXTS = {
    "a fairy tale": TALE,
    "a fable of Aesop": fables[3].strip(),
    "a sonnet of Shakespeare": sonnets[3].strip(),
    "a weather report": (
        "Rain will spread from the west during Tuesday afternoon, with strong winds on the "
        "coast and temperatures of 8 to 11 degrees. Flights may be delayed. Drivers are advised "
        "to allow extra time, and to check conditions before travelling on Wednesday."
    ),
    "Python": inspect.getsource(token_logprobs),
    "French": (
        "Il était une fois une petite fille de village, la plus jolie qu'on eût su voir : sa mère "
        "en était folle, et sa mère-grand plus folle encore."
    ),
    "random letters": "".join(
        np.random.default_rng(1).choice(list("abcdefghijklmnopqrstuvwxyz "), 300)
    ),
}
bits = {name: model.score(text).bits_per_byte for name, text in TEXTS.items()}
fig, ax = plt.subplots(figsize=(7.5, 2.8))
bars = ax.barh(list(bits), list(bits.values()), color=BLUE)
ax.bar_label(bars, fmt="%.2f", padding=3, bbox={"fc": "white", "ec": "none", "pad": 1})
ax.axvline(8, color=GREY, ls="--", zorder=0, label="stored plainly")
ax.axvline(np.log2(27), color=GREY, ls=":", zorder=0, label="27 letters, all equally likely")
ax.set(xlabel="bits per byte")
ax.invert_yaxis()
fig.legend(ncols=2, loc="outside upper right")
plt.show()

# %% [markdown]
# So perplexity shows *what a model has read*: it is lowest for texts of that kind, and higher the
# stranger a text is. No text needs more than 8 bits here. But random letters come near, and lie far
# above the dotted line: what the model expects misleads it there. You can use it to compare two
# models on one text, to see whether training still helps ([notebook 7](07_training.ipynb)), to find
# what does not fit into a text, and to sort texts by kind (exercise 2). With a method called
# arithmetic coding you can even compress a text with the model, and the file really becomes that
# small.
#
# It does not show whether a text is true, or good: a text that goes round in circles has the lowest
# perplexity of all ([notebook 5](05_generation.ipynb)). And a perplexity means nothing if you do
# not know its protocol, that is, how it was measured. Here is one text under one model, cut into
# pieces of different length, in two ways: pieces side by side, whose first tokens have nothing
# before them; or pieces that overlap by half, of which only the second half counts.

# %% alt="Two falling curves: perplexity against the length of the pieces, lower where the pieces overlap."
text = "\n\n".join(sonnet.strip() for sonnet in sonnets[:12])
ids = np.array([tokenizer.endoftext, *tokenizer.encode(text)])
lengths = token_lengths(tokenizer)
windows = [n for n in (16, 32, 64, 128, 256, 512, 1024) if n <= config.n_ctx]
side_by_side, overlapping = [], []
for n in windows:
    overlapping.append(score(cut_document(ids, n), model.params, config.n_head, lengths).perplexity)
    surprises = []
    for start in range(0, len(ids) - 1, n):
        piece = ids[start : start + n + 1]
        surprises.append(-token_logprobs(model(piece[:-1]), piece[1:]))
    side_by_side.append(np.exp(np.concatenate(surprises).mean()))

fig, ax = plt.subplots(figsize=(6.5, 3))
ax.semilogx(windows, side_by_side, "s--", color=ORANGE, label="side by side")
ax.semilogx(windows, overlapping, "o-", color=BLUE, label="overlapping by half")
ax.set_xticks(windows, windows)
ax.minorticks_off()
ax.set(xlabel="tokens in a piece", ylabel="perplexity", title="One text, one model")
ax.legend()
plt.show()

# %% [markdown]
# Published figures differ in the same way: for gpt2-large on WikiText-2, Hugging Face's
# documentation has 19.44 with pieces of 1024 tokens side by side, and 16.44 with steps of 512
# ([notebook 10](10_five_perplexities.ipynb) has more of them).
#
# ## 9.11 What it has learned although nobody wanted it to
#
# **Bias.** A model learns what its texts have in common, and does not ask whether it is fair. Here
# is a measurement that takes a minute: after "The tailor said that", is " she" or " he" likelier?
# Four sentences, to see whether it depends on the sentence.
#
# **Guess first.** On which side will the baker be? The thief, the nurse, the doctor?

# %% alt="Points for 22 people, sorted: the log-probability of she minus that of he, in four sentences, and their mean. From the tailor to the teacher all are below 0, the fairy and the nurse just above, then come stepmother, queen, witch and woman."
MEN_AND_WOMEN = "king queen man woman witch fairy ogre stepmother"
WORKERS = "nurse cook spinner servant tailor miller baker gardener shepherd fisherman soldier thief"
PEOPLE = [*MEN_AND_WOMEN.split(), *WORKERS.split(), "doctor", "teacher"]
FRAMES = [
    "The {} said that",
    "The {} was so tired that",
    "One day the {} lost the way, because",
    "The {} went home, and when",
]


def lean(person):
    """log p(she) - log p(he) in each of the sentences."""
    return [logprob(x.format(person), " she") - logprob(x.format(person), " he") for x in FRAMES]


leans = {person: lean(person) for person in PEOPLE}
leans = dict(sorted(leans.items(), key=lambda item: np.mean(item[1])))
fig, ax = plt.subplots(figsize=(8.5, 3.4))
for x, values in enumerate(leans.values()):
    colour = ORANGE if np.mean(values) > 0 else BLUE
    ax.plot([x, x], [min(values), max(values)], color=colour, lw=1)
    ax.plot([x] * len(values), values, "_", color=colour)
    ax.plot(x, np.mean(values), "o", color=colour)
ax.axhline(0, color="black", lw=0.8)
ax.set_xticks(range(len(leans)), leans, rotation=90)
ax.set(ylabel="log p(she) − log p(he), nats", title='above 0: "she" is likelier; below: "he"')
plt.show()

# %% [markdown]
# A king is a he and a queen is a she because of what the words mean. Such words show that the
# measurement works, if only roughly: the fairy should not be so near the middle. A baker, a thief
# or a doctor can be either. To `fairytale` all three are a "he", the tailor even more than the man;
# of all who work only the nurse is a "she", and only just. There the model repeats what its texts
# say. Half of these are new stories for small children. The other half are books from a hundred
# years ago and more, where women are mothers, queens, stepmothers and nurses. Mind the scale: at 3
# nats one word is $e^3$ or 20 times as likely as the other, which is called odds of 20 to 1. And it
# is not only about pronouns. Who is beautiful, who is wicked, who does what to whom: the model
# learns all of it in the same way. Most of it is harder to measure, and nobody takes it out.
#
# The real GPT-2 has read forty gigabytes of web pages, and repeats them. [Sheng et al.
# 2019](https://arxiv.org/abs/1909.01326) (*The Woman Worked as a Babysitter*) let it continue
# sentences about women and men, black and white, gay and straight people, and found that it speaks
# of some of them with less respect than of others. OpenAI's model card says that the model reflects
# the biases of its data, and advises against using it where these matter, unless they have been
# studied first. That is good advice for the small model, too: its tales are about kings, but their
# attitudes towards women, the old, the poor and strangers are all there.
#
# **What it has kept.** Does a model learn its books by heart? One forward pass over a text shows
# how much of it the model could recite: at every position, is the token that comes next the one
# that the model thinks likeliest? If that is so for $n$ positions in a row, a model that always
# writes the likeliest token writes $n$ tokens of the text word for word from there.


# %% alt="Three falling curves, logarithmic: how many stretches of at least so many tokens the model could recite, from Aesop, Shakespeare and the tale."
def recited(text):
    """[(n, beginning, what follows)]: all stretches in which each token is the likeliest."""
    ids = np.array([tokenizer.endoftext, *tokenizer.encode(text)])[: config.n_ctx + 1]
    hits = model(ids[:-1]).argmax(axis=-1) == ids[1:]
    found, at = [], 0
    for hit, group in groupby(hits):
        n = len(list(group))
        if hit:
            before = tokenizer.decode(ids[max(at - 7, 1) : at + 1])
            found.append((n, before, tokenizer.decode(ids[at + 1 : at + n + 1])))
        at += n
    return found


stretches, shares = {}, {}
for name, texts in {
    "Aesop, which it has read": fables[:60],
    "Shakespeare": sonnets,
    "TALE": [TALE],
}.items():
    stretches[name] = [x for text in texts for x in recited(text.strip())]
    n_tokens = sum(min(len(tokenizer.encode(t.strip())), config.n_ctx) for t in texts)
    counts = Counter(n for n, _, _ in stretches[name])
    at_least = [sum(c for n, c in counts.items() if n >= length) for length in range(1, 13)]
    shares[name] = 1000 * np.array(at_least) / n_tokens

fig, ax = plt.subplots(figsize=(7, 3))
for (name, share), style, colour in zip(
    shares.items(), ("o-", "s--", "^:"), (BLUE, ORANGE, GREEN), strict=True
):
    ax.semilogy(range(1, 13), np.where(share > 0, share, np.nan), style, color=colour, label=name)
ax.set(xlabel="tokens in a row, at least", ylabel="stretches per 1000 tokens")
ax.legend()
plt.show()
for n, before, follows in sorted(stretches["Aesop, which it has read"], reverse=True)[:5]:
    print(f"{n} tokens: {before!r} goes on {follows!r}")

# %% [markdown]
# The fables are among the books that `fairytale` was trained on; the sonnets and TALE are not. (To
# 124M, Aesop and Shakespeare are both well known.) If a model can recite a text, that does not
# prove that it has read it: TALE was written for these notebooks, but it is full of set phrases.
# Without an unseen text to compare with, you cannot tell memory from good guessing.
#
# A model as small as `fairytale` has little room for a sentence that it has seen only once. Here
# are twelve sayings. The horizontal axis says how often each occurs in what the model was given to
# read; the height is the surprise of its second part after the first.
#
# **Guess first.** How often must a saying occur before the model recites it?

# %% alt="Points for twelve sayings: the surprise of the ending against how often the saying stands in the books, with those marked that are recited."
SAYINGS = [  # beginning, ending, how often the two stand together in the training text
    ("loved to", " play", 2941),
    ("said Uncle", " Wiggily", 539),
    ("the Emerald", " City", 159),
    ("Old Mother", " West Wind", 104),
    ("They lived happily", " ever after", 30),
    ("the Wicked Witch", " of the West", 14),
    ("said the March", " Hare", 8),
    ("Who is the fairest of", " us all?", 7),
    ("Off with", " his head!", 4),
    ("Curiouser and", " curiouser!", 1),
    ("Dorothy lived in the midst of the great Kansas prairies,", " with Uncle Henry,", 1),
    ("Alice was beginning to get very tired of sitting by her sister", " on the bank,", 1),
]
fig, ax = plt.subplots(figsize=(7, 3))
places = Counter()
for beginning, ending, times in SAYINGS:
    n = len(tokenizer.encode(ending))
    surprise = -logprob(beginning, ending) / n
    known = model.generate(beginning, n) == ending
    places[times] += 1  # beside one another where they are equally frequent
    ax.plot(
        times * 1.07 ** (places[times] - 1),
        surprise,
        "o" if known else "x",
        color=BLUE if known else RED,
    )
    print(f"{times:4} times  {'recites' if known else '':8} {beginning} |{ending}")
ax.plot([], [], "o", color=BLUE, label="recited word for word")
ax.plot([], [], "x", color=RED, label="not recited")
ax.set(xscale="log", xlabel="times in its texts", ylabel="surprise of the ending, nats per token")
ax.set_xticks([1, 10, 100, 1000], ["1", "10", "100", "1000"])
ax.legend()
plt.show()

# %% [markdown]
# There is no such number. `fairytale` recites the saying that it has read 30 times, but not the one
# of 104, nor the most frequent of all: much else follows "loved to". It recites none of the rare
# ones. Larger models keep more. If you give GPT-2 the first sentence and a half of the Gettysburg
# Address, it continues with the speech, which occurred in its training text some forty times
# (Radford et al. 2019, appendix 8.2). And Carlini et al. 2021 got 604 pieces of text out of the
# largest GPT-2 that occurred word for word in its training text. Among them were names, telephone
# numbers and addresses of private people, some of which had occurred in only one document. Later
# they measured what this depends on ([Carlini et al. 2022](https://arxiv.org/abs/2202.07646),
# *Quantifying Memorization Across Neural Language Models*): within one family of models, how much
# can be extracted grows with the logarithm of three things, the number of copies, the size of the
# model, and the length of the prompt. Our twelve sayings cannot show such a law. They are few,
# beginnings and endings differ in length, and one ending is easier to guess than another, whatever
# the model has read. The picture shows that memory and repetition go together, but it does not show
# by what law.
#
# Both halves of this section teach the same lesson. A language model is a picture of its texts.
# Whatever must not come out must not go in.

# %% [markdown]
# ## 9.12 Control, and what it costs
#
# Suppose you want the tale to be about the sea, and to have no kings in it. There are three ways to
# do that without training, and each acts at a different place:
#
# - **A bias** on the logits: add a number $b$ to the logit of each token that you want. If it is a
#   single token, that multiplies its odds, $p / (1 - p)$, by $e^b$.
# - **Banned words**: a bias of $-\infty$.
# - **Steering**: add a vector to the residual stream ([notebook 0](00_quick_start.ipynb), 0.7), in
#   the direction in which texts about the sea differ from others ([Turner et al.
#   2023](https://arxiv.org/abs/2308.10248), [Rimsky et al.
#   2024](https://arxiv.org/abs/2312.06681)).
#
# If we push the model towards what it would not have said by itself, its text may get worse. We
# measure both: how often the words that we want come, and how surprised the *plain* model is by the
# text. (Each figure comes from some 600 tokens, so 0.2 % is a single one.)
#
# **Guess first.** The bias is given to four words only, "sea", "ship", "boat" and "water". The
# direction comes from sentences that have these words and others. Which of the two ways will bring
# more of the other words of the sea, such as "river" and "waves"?

# %%
NAMED = ["sea", "ship", "boat", "water"]
UNNAMED = ["shore", "waves", "island", "sail", "sailed", "sailors", "fish", "river", "coast"]
SET_OUT = "One day the youngest son set out, and"


def tokens_of(words):
    """The ids of those words that are one token, with the space before them."""
    return [tokenizer.encode(f" {w}")[0] for w in words if len(tokenizer.encode(f" {w}")) == 1]


def measure(teller, **settings):
    """Of 20 texts: named and unnamed words, in %, surprise of the plain model, and the texts."""
    (stories,) = teller.generate_batch(
        [SET_OUT], 30, num_samples=20, temperature=0.8, top_k=40, seed=1, **settings
    )
    n_start = len(tokenizer.encode(SET_OUT))
    scores = [model.score(SET_OUT + story) for story in stories]
    written = np.concatenate([s.ids[n_start:] for s in scores])
    nats = -np.concatenate([s.logprobs[n_start:] for s in scores]).mean()
    named, unnamed = (100 * np.isin(written, tokens_of(w)).mean() for w in (NAMED, UNNAMED))
    return named, unnamed, nats, stories


results = {"plain": measure(model)}
for b in (2, 3, 4, 5):
    results[f"bias {b}"] = measure(model, logit_bias=dict.fromkeys(tokens_of(NAMED), b))

# %% [markdown]
# Now the direction. We take six sentences about the sea, and six of the same form about the land.
# The direction is the mean of the stream in the middle of the model over the first six, minus its
# mean over the other six.
#
# We need no new code to add a constant vector to the stream after a block. The last thing that a
# block adds to the stream is the bias of its MLP's `c_proj`. So steering is also a bias, in another
# place: we make a model in which the direction is added to this bias, and let it write. (A tap does
# the same, as we check.)

# %%
from picogpt.tap import edit, record

SEA = [
    "The ship sailed over the sea, and the waves rose high.",
    "The fisherman went down to the shore and cast his net into the water.",
    "The boat came to an island in the middle of the sea.",
    "The sailors saw a great fish swimming in the water.",
    "He stood upon the shore and looked out over the waves.",
    "The river ran down into the sea, and a ship lay there.",
]
LAND = [
    "The cart drove over the hill, and the dust rose high.",
    "The shepherd went up to the meadow and laid his coat on the grass.",
    "The coach came to a castle in the middle of the wood.",
    "The hunters saw a great stag running in the forest.",
    "He stood upon the hill and looked out over the fields.",
    "The road ran down into the town, and a cart stood there.",
]
MIDDLE = config.n_layer // 2


def mean_stream(some_texts):
    """The mean of the stream after the block MIDDLE, over all tokens but each text's first."""
    streams = []
    for one in some_texts:
        seen = {}
        model(tokenizer.encode(one), tap=record(seen))
        streams.append(seen[f"h.{MIDDLE}.resid"][1:])
    return np.concatenate(streams).mean(axis=0)  # [n_embd]


def steered(direction, strength):
    """The model with strength * direction added to the stream after the block MIDDLE."""
    h = list(model.params["h"])
    mlp = h[MIDDLE]["mlp"]
    c_proj = mlp["c_proj"] | {"b": mlp["c_proj"]["b"] + np.float32(strength) * direction}
    h[MIDDLE] = h[MIDDLE] | {"mlp": mlp | {"c_proj": c_proj}}
    return picogpt.GPT2(config, model.params | {"h": h}, tokenizer)


seawards = mean_stream(SEA) - mean_stream(LAND)
start_ids = tokenizer.encode(SET_OUT)
pushed = edit({f"h.{MIDDLE}.resid": lambda x: x + 2 * seawards})
assert np.allclose(steered(seawards, 2)(start_ids), model(start_ids, tap=pushed), atol=1e-3)

elsewhere = np.random.default_rng(0).standard_normal(config.n_embd, np.float32)
elsewhere *= np.linalg.norm(seawards) / np.linalg.norm(elsewhere)
for strength in (1, 2, 3, 4):
    results[f"steering {strength}"] = measure(steered(seawards, strength))
for strength in (2, 4):
    results[f"random {strength}"] = measure(steered(elsewhere, strength))

# %% alt="Two plots against the cost in fluency: how often the named words come, and other words of the sea, with a bias, with steering and with a random push."
ways = {"bias": (ORANGE, "s--"), "steering": (BLUE, "o-"), "random": (GREY, "^:")}
fig, axes = plt.subplots(1, 2, figsize=(8.5, 3), sharex=True)
for way, (colour, style) in ways.items():
    points = [results["plain"], *(r for name, r in results.items() if name.startswith(way))]
    costs = [point[2] - results["plain"][2] for point in points]
    for ax, which in zip(axes, (0, 1), strict=True):
        ax.plot(costs, [point[which] for point in points], style, color=colour, label=way)
axes[0].set(ylabel="% of all tokens", title="the four named words")
axes[1].set(title="nine other words of the sea")
fig.supxlabel("cost: added surprise of the plain model, nats per token", fontsize=10)
fig.legend(*axes[0].get_legend_handles_labels(), ncols=3, loc="outside upper right")
plt.show()
for name in ("plain", "bias 3", "bias 5", "steering 2", "steering 4"):
    named, unnamed, nats, stories = results[name]
    print(f"{name:11} named {named:4.1f} %, others {unnamed:4.1f} %, {nats:.2f} nats per token")
    show(f"    ...{stories[3]}\n")

# %% [markdown]
# Each point is a strength, from the plain model at the lower left. The bias pushes its four words
# at every place of the sentence, whether they fit or not. The other words change only because these
# words, once written, make others likelier. Steering changes what the whole *text* is about, so
# other words of the sea come as well. But it gives the same push at every token, wanted or not. A
# gentle push is free: bias 3 costs nothing that we can measure. If either way is used too strongly,
# it ends in a row of words that no longer make a sentence: read the texts below the picture. The
# third curve answers a question that you should ask in every such experiment: what does a *random*
# push of the same length do? If it is strong, it costs fluency, too, but it brings none of the
# words.
#
# **Banned words.** If you ban a token, you have not banned the word. It can be written in other
# ways: with a capital, without its space, or in pieces:

# %%
ways_to_say = [" king", " King", "king", "King", " kings", " Kings", " KING", "KING"]
one_token = [tokenizer.encode(x)[0] for x in ways_to_say if len(tokenizer.encode(x)) == 1]
ROYAL = "The princess went to her father, the"
print(f"of {len(ways_to_say)} ways to write it, {len(one_token)} are one token")
for name, banned in {
    "nothing banned": [],
    "one token": tokenizer.encode(" king"),
    "all of these tokens": one_token,
}.items():
    (stories,) = model.generate_batch(
        [ROYAL], 20, num_samples=40, temperature=0.8, top_k=40, seed=1, banned=banned
    )
    n_kings = sum(bool(re.search(r"\bkings?\b", story, re.IGNORECASE)) for story in stories)
    nats = np.mean([model.score(ROYAL + story).nats_per_token for story in stories])
    print(f"{name:20} a king in {n_kings:2} of 40 texts, {nats:.2f} nats per token")

# %% [markdown]
# With one token banned, the other forms are still there, and one of them comes. With all four
# banned, no king is left in these forty texts, though the word could still be spelled from pieces.
# The ban costs little, as long as something else can be said in the same place.

# %% [markdown]
# ## 9.13 From GPT-2 to today
#
# The models of today are GPT-2's descendants, and they still look much like it: a stream, blocks
# that add to it, attention, an MLP, a table at both ends. Six things have changed in nearly all of
# them, and none is hard to explain. For each, here is what would change in our code, in a few lines
# that run, with a property that we check.
#
# | | GPT-2, 2019 | most open models, 2023 and later | what would change in our code |
# |---|---|---|---|
# | positions | `wpe`, added once | RoPE, in every block | a line in `self_attention`; `wpe` goes |
# | norm | layer norm | RMSNorm | `layer_norm` loses its mean and its bias |
# | MLP | two matrices, GELU | three, SwiGLU | `multilayer_perceptron` |
# | keys and values | one for each query head | one for a group of them | a line in `self_attention`; a smaller cache |
# | training | the next token of web pages | then instructions, and preferences | the data and the loss |
# | size | 1.5 billion parameters, 40 GB of text | up to hundreds of times the parameters, and over a thousand times the text | `config.py` |
#
# **RoPE** ([Su et al. 2021](https://arxiv.org/abs/2104.09864)). Instead of adding a vector for each
# position at the beginning, turn queries and keys, two numbers at a time, by an angle that grows
# with the position. In the dot product of a query and a key only the *difference* of their angles
# is left. So a score depends on what two tokens are and how far apart they are, and not on where
# they stand. No position has to be learned. (The code makes a complex number of each pair. To
# multiply it by $e^{ia} = \cos a + i \sin a$ is to turn it by the angle $a$.)


# %%
def rotate(x, base=10000.0):
    """Queries or keys [..., n_seq, n_head_dim], turned by their positions -> same."""
    n_seq, n_head_dim = x.shape[-2:]
    speeds = base ** (-np.arange(0, n_head_dim, 2) / n_head_dim)  # from quick to slow
    turns = np.exp(1j * np.arange(n_seq)[:, None] * speeds)  # [n_seq, n_head_dim / 2]
    turned = (x[..., 0::2] + 1j * x[..., 1::2]) * turns
    return np.stack([turned.real, turned.imag], axis=-1).reshape(x.shape).astype(x.dtype)


# in self_attention, after the heads are cut:   q, k = rotate(q), rotate(k)
one_query, one_key = np.random.default_rng(0).standard_normal((2, 32))
same_everywhere = rotate(np.tile(one_query, (50, 1))) @ rotate(np.tile(one_key, (50, 1))).T
assert np.allclose(same_everywhere[1:, 1:], same_everywhere[:-1, :-1])  # only the distance counts
print("query at 10, key at 7:", same_everywhere[10, 7].round(4), end="   ")
print("query at 40, key at 37:", same_everywhere[40, 37].round(4))

# %% [markdown]
# **RMSNorm** ([Zhang and Sennrich 2019](https://arxiv.org/abs/1910.07467)). This is layer norm
# without subtracting the mean, and without a bias. It works just as well and is quicker. Where the
# mean is 0 both are the same, as the cell asserts. Each vector gets the length $\sqrt{d}$, here 8.
# Most of these models leave out the other biases, too.


# %%
def rms_norm(x, g):
    return x / np.sqrt((x * x).mean(axis=-1, keepdims=True) + 1e-5) * g


some_vectors = np.random.default_rng(0).standard_normal((5, 64)) * 3 + 1
gain = np.ones(64)
centred = some_vectors - some_vectors.mean(axis=-1, keepdims=True)
assert np.allclose(rms_norm(centred, gain), picogpt.ops.layer_norm(some_vectors, gain, 0 * gain))
print("lengths, before:", np.linalg.norm(some_vectors, axis=-1).round(1), end="   ")
print("after:", np.linalg.norm(rms_norm(some_vectors, gain), axis=-1).round(1))

# %% [markdown]
# **SwiGLU** ([Shazeer 2020](https://arxiv.org/abs/2002.05202)). The hidden layer is computed twice,
# by two matrices. One result goes through a function much like GELU (SiLU, $x / (1 + e^{-x})$) and
# becomes the *gate*: it says how much of the other result passes. The hidden layer has $8d/3$
# numbers instead of $4d$, so that the three matrices together are no larger than the two of GPT-2.


# %%
def swiglu(x, w_gate, w_up, w_down):
    gate = x @ w_gate
    return (gate / (1 + np.exp(-gate)) * (x @ w_up)) @ w_down


d = 48
w_gate, w_up = np.random.default_rng(0).standard_normal((2, d, 8 * d // 3)) / d
w_down = np.random.default_rng(1).standard_normal((8 * d // 3, d)) / d
assert w_gate.size + w_up.size + w_down.size == 2 * d * 4 * d  # as many as in GPT-2's MLP
assert swiglu(np.ones((7, d)), w_gate, w_up, w_down).shape == (7, d)
closed = swiglu(np.ones((7, d)), 0 * w_gate, w_up, w_down)
assert not closed.any()  # a gate that is 0 lets nothing pass

# %% [markdown]
# **Grouped-query attention** ([Ainslie et al. 2023](https://arxiv.org/abs/2305.13245); with a
# single group, [Shazeer 2019](https://arxiv.org/abs/1911.02150)). Every head has its own queries,
# but several heads share their keys and values. The cache ([notebook 5b](05b_writing_fast.ipynb)),
# which limits how many people a server can serve at once, becomes smaller by that factor. What
# would happen to our model if its heads had to share theirs? A tap replaces the keys and values of
# each group by their mean:


# %%
def shared(x, n_group):
    """Keys or values [n_head, n_seq, n_head_dim]: each group of n_group heads gets its mean."""
    groups = x.reshape(-1, n_group, *x.shape[1:]).mean(axis=1)  # this is what the cache would hold
    return np.repeat(groups, n_group, axis=0)  # the new line in self_attention


tale_ids = np.array([tokenizer.endoftext, *tokenizer.encode(TALE)])[: config.n_ctx + 1]
for n_group in (n for n in (1, 2, 4, 8) if config.n_head % n == 0):
    names = [f"h.{i}.attn.{x}" for i in range(config.n_layer) for x in "kv"]
    tap = edit({name: lambda x, n=n_group: shared(x, n) for name in names})
    nats = -token_logprobs(model(tale_ids[:-1], tap=tap), tale_ids[1:]).mean()
    kilobytes = 4 * 2 * config.n_layer * config.n_embd * config.n_ctx / n_group / 1000
    print(f"groups of {n_group}: cache {kilobytes:6,.0f} kB, loss on the tale {nats:.2f}")

# %% [markdown]
# A trained model cannot simply be made to share like that. It has to be trained that way from the
# start, or trained a little longer after the averaging. Then it loses little.
#
# **Instruction tuning** ([Ouyang et al. 2022](https://arxiv.org/abs/2203.02155)). No line of the
# model changes. A GPT that was trained on text is trained further, on some ten thousand
# instructions with good answers, and the loss is counted on the answers only. Often there is a
# second stage, in which people, or another model, say which of two answers is better, and the model
# is trained towards the better one. [Notebook 11](11_fine_tuning_for_a_task.ipynb) does the first
# stage on a small scale.

# %%
document, answer_text = "Q: Who bakes bread?\nA:", " a baker"
dialogue_ids = np.array([tokenizer.endoftext, *tokenizer.encode(document + answer_text)])
counted = np.arange(1, len(dialogue_ids)) > len(tokenizer.encode(document))  # the answer's tokens
each = -token_logprobs(model(dialogue_ids[:-1]), dialogue_ids[1:])
loss_on_answer = (each * counted).sum() / counted.sum()
assert np.isclose(loss_on_answer, -logprob(document, answer_text) / counted.sum(), rtol=1e-3)
print(f"loss on all of it {each.mean():.2f}, on the answer alone {loss_on_answer:.2f}")

# %% [markdown]
# **Scaling** ([Kaplan et al. 2020](https://arxiv.org/abs/2001.08361); [Hoffmann et al.
# 2022](https://arxiv.org/abs/2203.15556)). The loss falls along a smooth curve as parameters, text
# and computation grow, so you can plan ahead. For a given amount of computation, about $6 \cdot N
# \cdot D$ operations for $N$ parameters and $D$ tokens (2 forwards, 4 backwards, see notebooks
# [4](04_forward_pass.ipynb) and [7](07_training.ipynb)), Hoffmann et al. found that some 20 tokens
# per parameter are best. Models that will be used a lot are trained on far more text, because a
# smaller model is cheaper to run.

# %%
print(f"{'':28}{'parameters':>12}{'tokens':>9}{'per parameter':>15}{'operations':>12}")
for name, n_params, n_tokens in (
    ("this model, if 20 were right", model.n_params, 20 * model.n_params),
    ("GPT-3 (Brown et al. 2020)", 175e9, 300e9),
    ("Chinchilla (Hoffmann 2022)", 70e9, 1.4e12),
    ("Llama 3 8B (Meta 2024)", 8e9, 15e12),
):
    per = n_tokens / n_params
    print(f"{name:28}{n_params:12.1e}{n_tokens:9.1e}{per:15,.0f}{6 * n_params * n_tokens:12.0e}")

# %% [markdown]
# This has *not* changed: ids go in and logits come out, the model predicts nothing but the next
# token, and the residual stream is a sum. If you have read `picogpt/plain.py`, which is one screen
# long, you can read the code of such a model.

# %% [markdown]
# ## Common mistakes
#
# > - *"GPT-2 is from Google."* It is from OpenAI (Radford et al. 2019). From Google are the
# >   Transformer ([Vaswani et al. 2017](https://arxiv.org/abs/1706.03762)), BERT ([Devlin et al. 2018](https://arxiv.org/abs/1810.04805)) and T5 ([Raffel et al. 2019](https://arxiv.org/abs/1910.10683)).
# > - *"GPT-2 is an encoder and a decoder"*, with the prompt for the one and the answer for the
# >   other. It is one stack, and prompt and answer are one sequence in it.
# > - *A `<bos>` token.* GPT-2 has one special token, `<|endoftext|>`, which stands *between*
# >   documents and so before each. `<bos>`, `<s>`, `[CLS]` or `<pad>` are ordinary text to it.
# > - *`<|endoftext|>` typed into a prompt* is ordinary text, too, unless the tokenizer is told
# >   otherwise.
# > - *Instructions.* "Please summarize the following" is the beginning of a letter, not an order.
# > - *Endings of different length compared by their sums*, or answers compared without subtracting
# >   what they are worth after an empty question.
# > - *Perplexities per word, per token and per byte* in one table.
# > - *One prompt, one number, no chance level.*

# %% [markdown]
# **Encoder and decoder.** An encoder would have parameters of its own, and the decoder would have a
# second attention that looks at it. But this is all that a block of 124M has ([notebook
# 4](04_forward_pass.ipynb) counts them):

# %% tags=["stable"]
block = [
    name.removeprefix("h.0.") for name in param_shapes(SIZES["124M"]) if name.startswith("h.0.")
]
print(*block)
print("outside the blocks:", *(name for name in param_shapes(SIZES["124M"]) if "h." not in name))

# %% [markdown]
# **A `<bos>` token.** Here is what each of these becomes, and the loss on the first sentence of
# TALE after it:

# %% alt="Bars: the loss on the first sentence after the special token, and after four texts that look like one."
sentence = tokenizer.encode(TALE[: TALE.index(".") + 1])
prefixes = {"the token <|endoftext|>": [tokenizer.endoftext]}
for text in ("<bos>", "<s>", "[CLS]", "<|endoftext|>"):
    prefixes[f"the text {text}"] = tokenizer.encode(text)
    print(f"{text:14} {token_labels(tokenizer, tokenizer.encode(text))}")
losses = {}
for name, prefix in prefixes.items():
    logits = model([*prefix, *sentence[:-1]])[len(prefix) - 1 :]
    losses[name] = -float(token_logprobs(logits, sentence).mean())
loss_bars(losses, config.n_vocab)

# %% [markdown]
# **Sums.** "Who bakes the bread in the village?" with a short wrong answer and a long right one,
# compared in three ways. (In exercise 2 of [notebook 0](00_quick_start.ipynb) the sum was right: it
# says which text is the likeliest. But the likeliest text need not be the best answer, since a
# short one is likely whatever is asked.)

# %%
question, empty = "Q: Who bakes the bread in the village?\nA:", "Q:\nA:"
print(f"{'':44}{'sum':>8}{'mean':>8}{'gain':>8}")
for answer in (" a cow", " the baker, who rises early in the morning"):
    total, n = logprob(question, answer), len(tokenizer.encode(answer))
    gain = total - logprob(empty, answer)
    print(f"{answer:44}{total:8.1f}{total / n:8.1f}{gain:8.1f}")

# %% [markdown]
# **Per what?** One text, one model, one sum of surprises, and three perplexities:

# %%
s = model.score(TALE)
total = s.nats_per_token * len(s.ids)
for name, n in {"token": len(s.ids), "word": len(TALE.split()), "byte": s.n_bytes}.items():
    print(f"perplexity per {name:5} {np.exp(total / n):8.1f}   ({n} of them)")

# %% [markdown]
# ## Five quick questions
#
# Nothing to compute: this is just to see what has stuck. Put your five letters into the second
# cell, and "-" for a question that you leave out.

# %% tags=["stable"]
from picogpt.classroom.quiz import quiz

quiz(9)

# %%
quiz(9, "-----")

# %% [markdown]
# ## Exercises
#
# The solutions are at the end. Click on one to open it.
#
# **Exercise 1.** How many bytes would a perfect compressor need for a text, with this model's
# predictions? (It is the surprise of the whole text in bits, with eight bits to a byte, rounded
# up.)

# %% [markdown]
# *Easy.*
#
# *Warm-up, without a computer:* How many bits is a surprise of log(2) nats?
#
# <details><summary>Answer</summary>One.</details>
#
# <details><summary>First hint</summary><code>model.score(text).logprobs</code> are nats, with a
# minus sign.</details>
# <details><summary>Second hint</summary>Sum, divide by log 2, divide by 8, round up.</details>


# %%
def compressed_size(text):
    return len(text.encode())  # your line


# %%
attempt(check_9_1, compressed_size, model)

# %% [markdown]
# **Exercise 2.** Sort texts by kind without any training: put a sample of each kind before the
# text, and see after which sample the text is least surprising. `samples` maps names to texts.
# Return the name.

# %% [markdown]
# *Easy.*
#
# <details><summary>First hint</summary>How likely is the text after each of the samples?</details>
# <details><summary>Second hint</summary>The name with the largest <code>logprob(sample,
# text)</code>.</details>


# %%
def kind_of(text, samples):
    return next(iter(samples))  # your lines, with logprob


# %%
SAMPLES = {
    "tale": TALE[:400] + "\n",
    "Python": TEXTS["Python"][:400] + "\n",
    "sonnet": sonnets[0][:400] + "\n",
}
attempt(check_9_2, kind_of, SAMPLES, model)

# %% [markdown]
# **Exercise 3.** Bias once more. With each of these adjectives, `fairytale` expects the child to be
# a "he". With which one the least? Use the frame `"The {} child lost the way, because"` and the
# same two words as above, and find the adjective with the highest log p(she) - log p(he).

# %% [markdown]
# *Easy.*
#
# <details><summary>First hint</summary><code>lean</code> above does it for nouns.</details>
# <details><summary>Second hint</summary><code>max(ADJECTIVES, key=...)</code>, with the new
# frame.</details>

# %%
ADJECTIVES = ["beautiful", "brave", "wicked", "clever", "poor", "lazy", "strong", "good"]
FRAME = "The {} child lost the way, because"
answer = None  # your answer, one of them, found by a line of code


# %%
attempt(check_9_3, answer, ADJECTIVES, FRAME, model)

# %% [markdown]
# ## Solutions


# %% tags=["solution"]
# A solution of exercise 1
def size_solution(text):
    bits = -model.score(text).logprobs.sum(dtype=float) / np.log(2)
    return int(np.ceil(bits / 8))


check_9_1(size_solution, model)


# %% tags=["solution"]
# A solution of exercise 2
def kind_solution(text, samples):
    return max(samples, key=lambda name: logprob(samples[name], text))


check_9_2(kind_solution, SAMPLES, model)


# %% tags=["solution"]
# A solution of exercise 3
def child_lean(adjective):
    beginning = FRAME.format(adjective)
    return logprob(beginning, " she") - logprob(beginning, " he")


check_9_3(max(ADJECTIVES, key=child_lean), ADJECTIVES, FRAME, model)

# %% [markdown]
# ## To go on
#
# - [Radford et al.
#   2019](https://cdn.openai.com/better-language-models/language_models_are_unsupervised_multitask_learners.pdf),
#   *Language Models are Unsupervised Multitask Learners*: most of it is easy to read now.
# - [Sheng et al. 2019](https://arxiv.org/abs/1909.01326), *The Woman Worked as a Babysitter: On Biases in Language Generation*; [Carlini
#   et al. 2021](https://arxiv.org/abs/2012.07805), *Extracting Training Data from Large Language Models*; [Holtzman et al. 2021](https://arxiv.org/abs/2104.08315),
#   *Surface Form Competition*, on why answers should be compared by what the question adds.
# - [Turner et al. 2023](https://arxiv.org/abs/2308.10248), *Steering Language Models With
#   Activation Engineering*; [Rimsky et al. 2024](https://arxiv.org/abs/2312.06681), *Steering Llama
#   2 via Contrastive Activation Addition*.
# - [Su et al. 2021](https://arxiv.org/abs/2104.09864), *RoFormer*; [Zhang and Sennrich 2019](https://arxiv.org/abs/1910.07467), *Root Mean Square Layer Normalization*;
#   [Shazeer 2020](https://arxiv.org/abs/2002.05202), *GLU Variants Improve Transformer*; [Ainslie et al. 2023](https://arxiv.org/abs/2305.13245), *GQA*; [Ouyang et al. 2022](https://arxiv.org/abs/2203.02155),
#   *Training Language Models to Follow Instructions with Human Feedback*; [Hoffmann et al. 2022](https://arxiv.org/abs/2203.15556),
#   *Training Compute-Optimal Large Language Models*.
# - [`picogpt/bundled/README.md`](../picogpt/bundled/README.md), the card of the fairy-tale model: what it has read, how well it
#   predicts, and its limits.
