"""The exercises of notebooks 8 to 10, answered well and badly."""

import math

import numpy as np
import pytest
from answers import MODEL, TOKENIZER, cases, judge

from picogpt import lens
from picogpt.classroom.checks import inside, use
from picogpt.classroom.checks.verdict import logprob
from picogpt.ops import layer_norm
from picogpt.tap import edit, record

# 8.1: what a part contributes

# Pairs that have as many tokens each in a vocabulary of 400.
PAIRS = [["7", "8"], ["5", "6"], ["3", "4"]]
TEXT = "Once upon a time there was a {} who was so poor that"
HE_IDS, SHE_IDS = (np.array([TOKENIZER.encode(TEXT.format(p[i])) for p in PAIRS]) for i in (0, 1))
SHE_RUN: dict = {}
SHE_LOGITS = MODEL(SHE_IDS, tap=record(SHE_RUN))
HE, SHE = TOKENIZER.encode(" he")[0], TOKENIZER.encode(" she")[0]
LN_F = MODEL.params["ln_f"]
TOWARDS = MODEL.params["wte"][HE] - MODEL.params["wte"][SHE]
STREAM = SHE_RUN["h.1.resid"][0, -1]
SIGMA = math.sqrt(STREAM.var() + 1e-5)
PARTS = {"embed": SHE_RUN["embed"][0, -1]} | {
    f"{branch} {i}": SHE_RUN[f"h.{i}.{branch}.c_proj"][0, -1]
    for i in range(2)
    for branch in ("attn", "mlp")
}


def by_dot(part):
    return (part - part.mean()) / SIGMA * LN_F["g"] @ TOWARDS


def by_sum(part):
    centred = part - np.mean(part)
    return float(sum(c * g * t for c, g, t in zip(centred, LN_F["g"], TOWARDS)) / SIGMA)


def by_einsum(part):
    return np.einsum("d,d,d->", part - part.mean(), LN_F["g"], TOWARDS) / SIGMA


def by_two_logits(part):
    read = (part - part.mean()) / SIGMA * LN_F["g"]
    return read @ MODEL.params["wte"][HE] - read @ MODEL.params["wte"][SHE]


def by_matrix(part):
    n = len(part)
    centre = np.eye(n) - np.full((n, n), 1 / n)
    return np.array([part @ centre @ (LN_F["g"] * TOWARDS) / SIGMA])


# 8.2: one activation at one position. 8.3: a share

END = HE_IDS.shape[-1] - 1
LAST = SHE_RUN["h.1.resid"][:, -1]


def last_row(x):
    x = x.copy()
    x[:, -1] = LAST
    return x


HEADS = [(0, 1), (1, 0), (1, 2)]


def way(ids_edits=None, position=-1) -> np.ndarray:
    logits = MODEL(HE_IDS, tap=edit(ids_edits or {}))
    return logits[:, position, HE] - logits[:, position, SHE]


EDITS = {}
for block in (0, 1):
    where = (..., [head for i, head in HEADS if i == block], -1, slice(None))
    EDITS[f"h.{block}.attn.heads"] = lens.put(where, SHE_RUN[f"h.{block}.attn.heads"][where])
AFTER = SHE_LOGITS[:, -1, HE] - SHE_LOGITS[:, -1, SHE]
GONE, WAY = way() - way(EDITS), way() - AFTER
SHARE = float(GONE.mean() / WAY.mean())

# 9: bytes, kinds, adjectives


def rounded_up(text):
    return math.ceil(-model_bits(text) / 8)


def model_bits(text) -> float:
    return float(MODEL.score(text).logprobs.sum(dtype=float) / np.log(2))


def by_bits_per_byte(text):
    score = MODEL.score(text)
    return int(np.ceil(score.bits_per_byte * score.n_bytes / 8))


def by_nats(text):
    score = MODEL.score(text)
    return -int(-(score.nats_per_token * len(score.ids) / math.log(2) / 8) // 1)


def by_log2(text):
    score = MODEL.score(text)
    return np.ceil(-np.log2(np.exp(score.logprobs.astype(float))).sum() / 8)


def not_rounded(text):
    return -model_bits(text) / 8


SAMPLES = {
    "tale": "The king said to the old woman:",
    "Python": "def f(x):\n    y = 3\n",
    "digits": "1 22 3",
}
ADJECTIVES = ["beautiful", "brave", "wicked", "clever"]
FRAME = "The {} child lost the way, because"


def kind(text, samples):
    return max(samples, key=lambda name: logprob(MODEL, samples[name], text))


def kind_by_loop(text, samples):
    best = None
    for name, sample in samples.items():
        chance = logprob(MODEL, sample, text)
        if best is None or chance > best[0]:
            best = chance, name
    return best[1]


def kind_by_list(text, samples):
    names = list(samples)
    return names[int(np.argmax([logprob(MODEL, samples[name], text) for name in names]))]


def kind_by_surprise(text, samples):
    n = len(TOKENIZER.encode(text))
    return sorted((-logprob(MODEL, s, text) / n, name) for name, s in samples.items())[0][1]


def kind_by_perplexity(text, samples):
    n = len(TOKENIZER.encode(text))
    found = {math.exp(-logprob(MODEL, s, text) / n): np.str_(name) for name, s in samples.items()}
    return found[min(found)]


def lean(adjective):
    text = FRAME.format(adjective)
    return logprob(MODEL, text, " she") - logprob(MODEL, text, " he")


MOST, LEAST = max(ADJECTIVES, key=lean), min(ADJECTIVES, key=lean)


TABLE = {
    inside.check_8_1: (
        [by_dot, by_sum, by_einsum, by_two_logits, by_matrix],
        [
            (lambda part: 0.0, "no answer yet"),
            (lambda part: None, "no answer yet"),
            (lambda part: part / SIGMA * LN_F["g"] @ TOWARDS, "subtracts the mean"),
            (lambda part: layer_norm(part, **LN_F) @ TOWARDS, "bias belongs to no part"),
            (lambda part: by_dot(part) + LN_F["b"] @ TOWARDS, "bias belongs to no part"),
            (lambda part: (part - part.mean()) / SIGMA @ TOWARDS, "must add up to he minus she"),
            (lambda part: (part - part.mean()) * LN_F["g"] @ TOWARDS, "must add up to"),
            (lambda part: -by_dot(part), "must add up to he minus she"),
            (lambda part: by_dot(part) / (part.std() + 1), "it must be linear"),
            (lambda part: (part - part.mean()) / SIGMA * LN_F["g"] * TOWARDS, "the shape is [24]"),
        ],
        STREAM,
        PARTS,
        TOWARDS,
        LN_F,
    ),
    inside.check_8_2: (
        [
            lens.patch(SHE_RUN, ["h.1.resid"], [END]),
            lens.patch(SHE_RUN, ["h.1.resid"], [-1]),
            lens.patch(SHE_RUN, ["ln_f"], [END]),
            {"h.1.resid": last_row},
            {"h.1.resid": lambda x: np.concatenate([x[:, :-1], LAST[:, None]], axis=1)},
        ],
        [
            ({}, "no answer yet"),
            (None, "expected the edits"),
            (lens.patch(SHE_RUN, ["h.0.resid"], [END]), "not the queen's"),
            (lens.patch(SHE_RUN, ["h.1.resid"]), "at more than one position"),
            (lens.patch(SHE_RUN, ["embed"], [END]), "after at least one block"),
            (lens.patch(SHE_RUN, ["h.0.resid", "h.1.resid"], [END]), "one activation, please"),
            (lens.patch(SHE_RUN, ["logits"], [END]), "the answer itself"),
            (lens.patch(SHE_RUN, ["h.1.resid"], [0]), "not the queen's"),
        ],
        MODEL,
        HE_IDS,
        SHE_IDS,
    ),
    inside.check_8_3: (
        [SHARE, np.float32(SHARE), round(SHARE, 3), [SHARE], float((GONE / WAY).mean())],
        [
            (None, "no answer yet"),
            (1 - SHARE, "we get another number"),
            (-SHARE, "we get another number"),
            (GONE / WAY, "the shape is [3]"),
            (float(GONE.mean()), "we get another number"),
            ("most", "expected a number"),
            (200 + 100 * SHARE, "we get another number"),
            (100 * SHARE, "a share, not a percentage"),
        ],
        MODEL,
        PAIRS,
        TEXT,
        HEADS,
    ),
    use.check_9_1: (
        [rounded_up, by_bits_per_byte, by_nats, by_log2, not_rounded],
        [
            (lambda text: len(text.encode()), "the size of the text itself"),
            (lambda text: -model_bits(text), "eight of them are a byte"),
            (lambda text: -model_bits(text) * math.log(2) / 8, "a nat is more than a bit"),
            (lambda text: rounded_up(text) - 3, "are not the surprise in bits"),
            (lambda text: rounded_up(text) - 1, "round up"),
            (lambda text: not_rounded(text) + 0.9, "round up"),
            (lambda text: -rounded_up(text), "are not the surprise in bits"),
            (lambda text: None, "no answer yet"),
        ],
        MODEL,
    ),
    use.check_9_2: (
        [kind, kind_by_loop, kind_by_list, kind_by_surprise, kind_by_perplexity],
        [
            (lambda text, s: min(s, key=lambda n: logprob(MODEL, s[n], text)), "another sample"),
            (lambda text, samples: 0, "expected one of tale, Python, digits"),
            (lambda text, samples: None, "expected one of"),
            (lambda text, samples: [kind(text, samples)], "expected one of"),
            (lambda text, samples: samples["tale"], "expected one of"),
            (lambda text, samples: kind(text, samples) + "s", "expected one of"),
            (lambda text, samples: kind(1, samples), "TypeError"),
        ],
        SAMPLES,
        MODEL,
    ),
    use.check_9_3: (
        [
            MOST,
            np.str_(MOST),
            f" {MOST}",
            ADJECTIVES[np.argmax([*map(lean, ADJECTIVES)])],
            f"{MOST} ",
        ],
        [
            (None, "no answer yet"),
            (LEAST, "with another one the lean is higher"),
            (ADJECTIVES.index(MOST), "expected an adjective"),
            ("old", "is none of the adjectives"),
            ([MOST], "expected an adjective"),
            (lean(MOST), "expected an adjective"),
        ],
        ADJECTIVES,
        FRAME,
        MODEL,
    ),
    use.check_10_1: (
        [
            lambda p, n_tokens, n_words: p ** (n_tokens / n_words),
            lambda p, n_tokens, n_words: math.exp(math.log(p) * n_tokens / n_words),
            lambda p, n_tokens, n_words: np.exp(n_tokens * np.log(p) / n_words),
            lambda p, n_tokens, n_words: math.pow(p, n_tokens / n_words),
            lambda p, n_tokens, n_words: 2 ** (n_tokens * math.log2(p) / n_words),
        ],
        [
            (lambda p, n_tokens, n_words: p, "two tokens a word"),
            (lambda p, n_tokens, n_words: p * n_tokens / n_words, "two tokens a word"),
            (lambda p, n_tokens, n_words: p ** (n_words / n_tokens), "two tokens a word"),
            (lambda p, n_tokens, n_words: p**2, "as many words as tokens"),
            (lambda p, n_tokens, n_words: p ** (n_tokens // n_words), "three tokens for two words"),
            (lambda p, n_tokens, n_words: None, "no answer yet"),
            (lambda p, n_tokens, n_words: math.log(p) * n_tokens / n_words, "two tokens a word"),
        ],
    ),
    use.check_10_2: (
        [
            lambda nats, n_bytes: nats / math.log(2) / n_bytes,
            lambda nats, n_bytes: nats / (n_bytes * np.log(2)),
            lambda nats, n_bytes: nats * math.log2(math.e) / n_bytes,
            lambda nats, n_bytes: math.log2(math.exp(nats / n_bytes)),
            lambda nats, n_bytes: [nats / n_bytes / 0.6931471805599453],
        ],
        [
            (lambda nats, n_bytes: nats, "log(2) nats are one bit"),
            (lambda nats, n_bytes: nats / n_bytes, "log(2) nats are one bit"),
            (lambda nats, n_bytes: nats * math.log(2) / n_bytes, "log(2) nats are one bit"),
            (lambda nats, n_bytes: nats / math.log(2), "log(2) nats are one bit"),
            (lambda nats, n_bytes: 8.0, "the nats are of all bytes"),
            (lambda nats, n_bytes: None, "no answer yet"),
        ],
    ),
}


@pytest.mark.parametrize(("check", "answer", "more", "said"), cases(TABLE))
def test_an_answer(check, answer, more, said, capsys):
    judge(check, answer, more, said, capsys)
