"""The exercises of notebooks 9 and 10: GPT-2 at work, and how well it predicts."""

import numpy as np

from ..texts import DATA, TALE
from .verdict import expect, logprob, numbers


def check_9_1(function, model) -> None:
    """The bytes of a text, compressed with the model's predictions."""
    for text in (TALE, (DATA / "sonnets.txt").read_text("utf-8")[:600]):
        bits = -model.score(text).logprobs.sum(dtype=float) / np.log(2)
        found, size = numbers(function(text)), len(text.encode())
        expect(found != size, "no answer yet: that is the size of the text itself")
        expect(not np.isclose(found, bits, atol=1), "bits: eight of them are a byte")
        in_nats = np.isclose(found, bits * np.log(2) / 8, atol=1)
        expect(not in_nats, "the surprise is in nats, and a nat is more than a bit")
        close = abs(found - bits / 8) < 1 + 1e-3
        expect(close, f"{found:g} bytes are not the surprise in bits, divided by 8")
        exact = abs(found - bits / 8) < 1e-3 or found in np.ceil(bits / 8 + np.array([-1e-3, 1e-3]))
        expect(exact, "round up: a file has no part of a byte")


def check_9_2(function, samples, model) -> None:
    """The kind of a text. samples: name -> text."""
    for text in (
        "    return x.reshape(n, -1)",
        "'Give me bread,' said the princess.",
        "O my sweet love, thy beauty",
    ):
        chances = {name: logprob(model, sample, text) for name, sample in samples.items()}
        found = function(text, dict(samples))
        known = isinstance(found, str) and found in samples
        expect(known, f"expected one of {', '.join(samples)}, not {found!r:.50}")
        near = chances[found] > max(chances.values()) - 0.5
        expect(near, f"{text.strip()[:20]!r} ... is likelier after another sample")


def check_9_3(answer, adjectives, frame, model) -> None:
    """The adjective that leans least to men."""
    expect(answer is not None, "no answer yet")
    expect(isinstance(answer, str), f"expected an adjective, not {answer!r:.50}")
    expect(answer.strip() in adjectives, f"{answer!r} is none of the adjectives")
    leans = {}
    for adjective in adjectives:
        text = frame.format(adjective)
        leans[adjective] = logprob(model, text, " she") - logprob(model, text, " he")
    most = leans[answer.strip()] > max(leans.values()) - 0.02
    expect(most, "with another one the lean is higher")


def check_10_1(function) -> None:
    """Perplexity per word, from perplexity per token."""
    for numbers_of, expected, why in (
        ((10.0, 200, 100), 100.0, "two tokens a word, each one in ten"),
        ((7.0, 50, 50), 7.0, "as many words as tokens"),
        ((2.0, 30, 10), 8.0, "three tokens a word, each one in two"),
        ((2.0, 15, 10), 2**1.5, "three tokens for two words"),
    ):
        found = numbers(function(*numbers_of))
        expect(
            np.isclose(found, expected), f"{found:g} for {numbers_of}, expected {expected:g}: {why}"
        )


def check_10_2(function) -> None:
    """Bits per byte, from nats."""
    for nats, n_bytes, expected, why in (
        (np.log(2.0) * 80, 10, 8.0, "log(2) nats are one bit"),
        (np.log(256.0), 1, 8.0, "a model that knows nothing needs eight bits"),
        (100.0, 50, 2.8853901, "the nats are of all bytes together"),
    ):
        found = numbers(function(nats, n_bytes))
        said = f"{found:g} for {nats:.3f} nats and {n_bytes} bytes, expected {expected:.3f}"
        expect(np.isclose(found, expected), f"{said}: {why}")
