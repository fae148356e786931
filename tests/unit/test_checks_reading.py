"""The exercises of notebooks 0 and 1, answered well and badly."""

from collections import Counter
from itertools import pairwise

import numpy as np
import pytest
from answers import MODEL, TOKENIZER, cases, judge

import picogpt
from picogpt.classroom.checks import reading
from picogpt.classroom.checks.verdict import attempt, logprob
from picogpt.classroom.texts import TALE
from picogpt.ops import cross_entropy, log_softmax, softmax, token_logprobs
from picogpt.tap import edit

# 0.1: the token that surprised most


def by_argmin(model, text):
    score = model.score(text)
    return model.tokenizer.decode([score.ids[np.argmin(score.logprobs)]])


def by_argmax_of_surprise(model, text):
    score = model.score(text)
    return model.tokenizer.decode(score.ids[[(-score.logprobs).argmax()]])


def by_min(model, text):
    score = model.score(text)
    _, i = min(zip(score.logprobs.tolist(), score.ids.tolist(), strict=True))
    return model.tokenizer.decode([i])


def by_sorting(model, text):
    score = model.score(text)
    return model.tokenizer.decode([int(score.ids[np.argsort(score.logprobs)[0]])])


def by_logits(model, text):
    ids = [model.tokenizer.endoftext, *model.tokenizer.encode(text)]
    logprobs = token_logprobs(model(ids[:-1]), np.array(ids[1:]))
    return model.tokenizer.decode([ids[1 + int(logprobs.argmin())]])


def by_loop(model, text):
    score, worst = model.score(text), 0
    for i in range(len(score.ids)):
        if score.logprobs[i] < score.logprobs[worst]:
            worst = i
    return str(model.tokenizer.decode([score.ids[worst]]))


def least_surprising(model, text):
    score = model.score(text)
    return model.tokenizer.decode([score.ids[score.logprobs.argmax()]])


def as_an_id(model, text):
    score = model.score(text)
    return score.ids[score.logprobs.argmin()]


def the_one_before(model, text):
    score = model.score(text)
    return model.tokenizer.decode([score.ids[score.logprobs.argmin() - 1]])


# 0.2: the likeliest of some endings


def by_score(model, beginning, endings):
    return max(endings, key=lambda ending: model.score(beginning + ending).logprobs.sum())


def by_logprob(model, beginning, endings):
    return endings[int(np.argmax([logprob(model, beginning, ending) for ending in endings]))]


def by_sum_of_nats(model, beginning, endings):
    totals = []
    for ending in endings:
        score = model.score(beginning + ending)
        totals.append(score.nats_per_token * len(score.ids))
    return endings[totals.index(min(totals))]


def by_probability(model, beginning, endings):
    best, most = None, -1.0
    for ending in endings:
        start = [model.tokenizer.endoftext, *model.tokenizer.encode(beginning)]
        chance = 1.0
        for token in model.tokenizer.encode(ending):
            chance *= float(softmax(model(start)[-1].astype(float))[token])
            start.append(token)
        best, most = (ending, chance) if chance > most else (best, most)
    return best


def by_log_softmax(model, beginning, endings):
    def chance(ending):
        start = [model.tokenizer.endoftext, *model.tokenizer.encode(beginning)]
        end = model.tokenizer.encode(ending)
        rows = log_softmax(model([*start, *end])[len(start) - 1 : -1])
        return sum(row[token] for row, token in zip(rows, end, strict=True))

    return sorted(endings, key=chance)[-1]


def by_mean(model, beginning, endings):
    def mean(ending):
        return logprob(model, beginning, ending) / len(model.tokenizer.encode(ending))

    return max(endings, key=mean)


def least_likely(model, beginning, endings):
    return min(endings, key=lambda ending: logprob(model, beginning, ending))


# 0.3: the surprise of TALE without attention


def without(name, first=True, mean=True) -> float:
    ids = np.array([TOKENIZER.endoftext, *TOKENIZER.encode(TALE)])[0 if first else 1 :]
    edits = {f"h.{i}.{name}": np.zeros_like for i in range(MODEL.config.n_layer)}
    loss = cross_entropy(MODEL(ids[:-1], tap=edit(edits)), ids[1:])
    return float(loss) if mean else float(loss) * (len(ids) - 1)


PLAIN = without("attn.c_proj")

# 1.1: the longest token. 1.2: ids that do not come back. 1.3: the most frequent pair

SIZES = [len(TOKENIZER.decode_bytes([i])) for i in range(400)]
SIZES[TOKENIZER.endoftext] = 0
LONGEST = int(np.argmax(SIZES))
APART = TOKENIZER.encode("h") + TOKENIZER.encode("e")


def by_counter(words):
    pairs = Counter()
    for word, times in words.items():
        for pair in pairwise(word):
            pairs[pair] += times
    return max(pairs, key=pairs.get)


def by_dict(words):
    pairs = {}
    for word in words:
        for i in range(len(word) - 1):
            pair = word[i], word[i + 1]
            pairs[pair] = pairs.get(pair, 0) + words[word]
    return sorted(pairs, key=pairs.get, reverse=True)[0]


def by_repeating(words):
    pairs = [pair for word, n in words.items() for pair in list(zip(word, word[1:])) * n]
    return Counter(pairs).most_common(1)[0][0]


def as_list(words):
    return list(by_counter(words))


def as_array(words):
    return np.array(by_dict(words))


def once_a_word(words):
    pairs = Counter()
    for word, times in words.items():
        for pair in set(pairwise(word)):
            pairs[pair] += times
    return max(pairs, key=pairs.get)


def without_times(words):
    return Counter(pair for word in words for pair in pairwise(word)).most_common(1)[0][0]


def unordered(words):
    pairs = Counter()
    for word, times in words.items():
        for pair in pairwise(word):
            pairs[tuple(sorted(pair))] += times
    return max(pairs, key=pairs.get)


def with_its_count(words):
    pair = by_counter(words)
    return pair, 7


def across_words(words):
    symbols = [symbol for word, times in words.items() for symbol in word * times]
    return Counter(pairwise(symbols)).most_common(1)[0][0]


def every_second(words):
    pairs = Counter()
    for word, times in words.items():
        for pair in zip(word[::2], word[1::2], strict=False):
            pairs[pair] += times
    return pairs.most_common(1)[0][0]


TABLE = {
    reading.check_0_1: (
        [by_argmin, by_argmax_of_surprise, by_min, by_sorting, by_logits, by_loop],
        [
            (lambda model, text: "", "no answer yet"),
            (least_surprising, "is not what surprised most"),
            (the_one_before, "is not what surprised most"),
            (as_an_id, "expected a string"),
            (lambda model, text: None, "expected a string"),
            (lambda model, text: " " + by_argmin(model, text) + " ", "the space belongs"),
            (lambda model, text: "☺" + by_argmin(model, text), "is not what surprised most"),
            (lambda model, text: 1 / 0, "ZeroDivisionError"),
        ],
        MODEL,
    ),
    reading.check_0_2: (
        [by_score, by_logprob, by_sum_of_nats, by_probability, by_log_softmax],
        [
            (lambda model, beginning, endings: endings[0], "is likelier"),
            (least_likely, "is likelier"),
            (lambda model, beginning, endings: 1, "expected one of the endings"),
            (lambda model, beginning, endings: None, "expected one of the endings"),
            (lambda model, beginning, endings: max(endings, key=len), "is likelier"),
            (lambda model, beginning, endings: beginning + endings[1], "expected one of"),
        ],
        MODEL,
    ),
    reading.check_0_3: (
        [
            PLAIN,
            np.float32(PLAIN),
            round(PLAIN, 3),
            np.array([PLAIN]),
            without("attn.c_proj", False),
        ],
        [
            (None, "no answer yet"),
            (without("attn.merged"), "the bias of c_proj"),
            (without("mlp.c_proj"), "without the MLPs"),
            ([PLAIN, PLAIN], "the shape is [2], expected one number"),
            (without("attn.c_proj", mean=False), "not the mean surprise"),
            (np.exp(PLAIN), "not the mean surprise"),
            (-PLAIN, "not the mean surprise"),
            ("much", "expected a number"),
        ],
        MODEL,
    ),
    reading.check_1_1: (
        [LONGEST, np.int64(LONGEST), np.array(LONGEST), [LONGEST], np.array([LONGEST])],
        [
            (None, "no answer yet"),
            (int(np.argmin(SIZES)), "another one than <|endoftext|>"),
            (SIZES.index(1), "there is a longer one"),
            (max(SIZES), "there is a longer one"),
            (TOKENIZER.decode([LONGEST]), "expected a number"),
            ((LONGEST, 7), "the shape is [2], expected one number"),
            (LONGEST - 400, "expected one id"),
            (10**6, "expected one id"),
        ],
        TOKENIZER,
    ),
    reading.check_1_2: (
        [
            APART,
            tuple(APART),
            np.array(APART),
            [np.int64(i) for i in APART],
            [TOKENIZER.endoftext],
            [*TOKENIZER.encode("w"), *APART],
        ],
        [
            ([], "no answer yet"),
            (None, "no answer yet"),
            (TOKENIZER.encode("the"), "these come back as they were"),
            (tuple(TOKENIZER.encode("the")), "these come back as they were"),
            (np.array(TOKENIZER.encode("the king")), "these come back as they were"),
            ([3, 400], "ids are whole numbers from 0 to 399"),
            ([-1, 3], "ids are whole numbers"),
            (7, "expected a list"),
        ],
        TOKENIZER,
    ),
    reading.check_1_3: (
        [by_counter, by_dict, by_repeating, as_list, as_array],
        [
            (lambda words: None, "no answer yet"),
            (lambda words: "".join(by_counter(words)), "not the two joined"),
            (once_a_word, "a word can have a pair several times"),
            (without_times, "a word that occurs 5 times"),
            (unordered, "b a is not a b"),
            (lambda words: by_counter(words)[::-1], "more than any other pair"),
            (with_its_count, "without its count"),
            (across_words, "does not reach from one word to the next"),
            (every_second, "every two neighbours"),
        ],
    ),
}


def without_the_first(model, text):
    score = model.score(text)
    return model.tokenizer.decode([score.ids[1 + score.logprobs[1:].argmin()]])


def ending_alone(model, beginning, endings):
    return max(endings, key=lambda ending: model.score(ending).logprobs.sum())


def shortest(model, beginning, endings):
    return min(endings, key=len)


# What goes wrong only where a model knows the language.
WITH_FAIRYTALE = {
    reading.check_0_1: [without_the_first],
    reading.check_0_2: [ending_alone, shortest],
}


@pytest.mark.parametrize(
    ("check", "answer"), [(check, f) for check, wrong in WITH_FAIRYTALE.items() for f in wrong]
)
def test_a_wrong_answer_with_a_real_model(check, answer, capsys):
    attempt(check, answer, picogpt.load("fairytale"))
    assert capsys.readouterr().out.startswith("Not yet: ")


@pytest.mark.parametrize(("check", "answer", "more", "said"), cases(TABLE))
def test_an_answer(check, answer, more, said, capsys):
    judge(check, answer, more, said, capsys)
