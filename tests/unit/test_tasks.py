"""The tasks: the prompts as the paper has them, the cuts, and labels by their probabilities."""

import types
from pathlib import Path

import numpy as np
import pytest

import picogpt
from picogpt import tasks

TINY = Path(__file__).parents[1] / "reference" / "tiny"


@pytest.fixture(scope="module")
def tiny():
    return picogpt.load(TINY)


def writer(text):
    """A model that always writes this text, and remembers what it was asked."""
    asked = []

    def generate(prompt, max_new_tokens, **options):
        asked.append((prompt, max_new_tokens, options))
        return text

    return types.SimpleNamespace(generate=generate, asked=asked)


def test_summarize():
    model = writer(' One. "Two!" Three? Four.')
    assert tasks.summarize(model, "An article.\n", seed=1) == 'One. "Two!" Three?'
    [(prompt, n, options)] = model.asked
    assert (prompt, n) == ("An article.\nTL;DR:", 100)
    assert options == {"temperature": 1.0, "top_k": 2, "seed": 1}


def test_translate():
    model = writer(" le chat. le chien.")
    assert tasks.translate(model, "the cat", [("a", "b")]) == "le chat."
    assert model.asked == [("a = b\nthe cat =", 60, {"stop": "\n"})]


def test_answer():
    model = writer(" red")
    assert tasks.answer(model, "The hat is red.", "Which?", [("What?", "a hat")]) == "red"
    assert model.asked[0][0] == "The hat is red.\nQ: What?\nA: a hat\nQ: Which?\nA:"


def test_complete_code():
    assert tasks.complete_code(writer("\n    return 1\n\nx = 2"), "def f():") == "\n    return 1\n"


def test_classify(tiny):
    labels = ["good", "bad news"]

    def logprob(prompt, label):
        ids = tiny.tokenizer.encode(f"{prompt} {label}")
        n = len(tiny.tokenizer.encode(prompt))
        logits = tiny(ids).astype(np.float64)
        log_p = logits - np.log(np.exp(logits).sum(-1, keepdims=True))
        return sum(log_p[i - 1, ids[i]] for i in range(n, len(ids)))

    for empty in (None, "It is"):
        raw = np.array([logprob("Say:", x) - (logprob(empty, x) if empty else 0) for x in labels])
        expected = np.exp(raw) / np.exp(raw).sum()
        assert tasks.classify(tiny, "Say:", labels, empty) == pytest.approx(expected, rel=1e-4)
    with pytest.raises(ValueError, match="at least two"):
        tasks.classify(tiny, "Say:", ["one"])


def test_the_command_shows_the_prompt(capsys):
    argv = ["translate", "the cat", "--show-prompt", "-m", str(TINY)]
    assert tasks.main(argv) == 0
    assert capsys.readouterr().out.startswith("good morning = bonjour\n")
    argv = ["classify", "It is", "--label", "a", "--label", "b", "-m", str(TINY)]
    assert tasks.main(argv) == 0
    lines = capsys.readouterr().out.splitlines()
    assert sum(float(line.split()[0]) for line in lines) == pytest.approx(1, abs=2e-4)
    assert tasks.main(["summarize", "no such file", "-m", str(TINY)]) == 1
    assert capsys.readouterr().err.startswith("picogpt: ")
