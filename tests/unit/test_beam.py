"""Beam search, against a search through all texts, and with scores computed anew."""

import itertools
import json
from pathlib import Path

import numpy as np
import pytest
import small_model
from generation import NO_END, float64_params, plain_steps, record_passes, with_bias
from support import random_params

from picogpt.config import Config, flatten, unflatten
from picogpt.decoding.beam import beam_search

CONFIG = Config(n_vocab=16, n_ctx=12, n_embd=12, n_head=2, n_layer=2)
END = 0
PARAMS = with_bias(float64_params(CONFIG, seed=3), END, bias=4.0)


@pytest.mark.parametrize("penalty", [1e9, -1e9, float("nan")])
def test_a_length_penalty_beyond_reason(penalty):
    with pytest.raises(ValueError, match="length_penalty is .*, expected -10 to 10"):
        search([1], max_new_tokens=2, n_beams=2, length_penalty=penalty)


def search(ids, params=PARAMS, config=CONFIG, endoftext=END, **options):
    return beam_search(ids, params, config, endoftext=endoftext, **options)


def total(prompt, ids, params=PARAMS, config=CONFIG) -> float:
    """The sum of the log-probabilities of ids after the prompt, by whole forward passes."""
    script = iter(ids)
    steps = plain_steps(prompt, len(ids), params, config, choose=lambda *_: next(script))
    return sum(x[i] - x.max() - np.log(np.exp(x - x.max()).sum()) for i, x in steps)


REFERENCE = Path(__file__).parents[1] / "reference"
SEARCHES = json.loads((REFERENCE / "beam.json").read_text("utf-8"))  # see make_beam.py


def test_equals_transformers():
    lengths = []
    for expected in SEARCHES:
        params = with_bias(small_model.PARAMS, 79, expected["bias"])
        found = search(
            expected["prompt"], params, small_model.CONFIG, endoftext=79, **expected["options"]
        )
        ids, scores = zip(*expected["found"], strict=True)
        assert [text.ids for text in found] == [*ids]
        assert [text.score for text in found] == pytest.approx(scores, rel=1e-5)
        lengths += [len(text.ids) for text in found]
    ended = sum(length < 8 for length in lengths)
    assert 0.2 * len(lengths) < ended < 0.8 * len(lengths)


@pytest.mark.parametrize("length_penalty", [0.0, 0.7, 1.0, 2.0])
def test_with_beams_enough_it_finds_all_texts_in_order(length_penalty):
    config = Config(n_vocab=4, n_ctx=6, n_embd=12, n_head=2, n_layer=2)
    params, prompt, n_new = float64_params(config, seed=0), [1, 2], 4
    texts = []
    for n in range(n_new + 1):
        for ids in itertools.product([1, 2, 3], repeat=n):
            with_end = [*ids, END] if n < n_new else [*ids]
            score = total(prompt, with_end, params, config) / len(with_end) ** length_penalty
            texts.append(([*ids], score))
    texts.sort(key=lambda text: -text[1])
    found = search(
        prompt,
        params,
        config,
        n_beams=len(texts),
        max_new_tokens=n_new,
        length_penalty=length_penalty,
    )
    assert [text.ids for text in found] == [ids for ids, _ in texts]
    assert [text.score for text in found] == pytest.approx([score for _, score in texts], abs=1e-9)


def test_it_finds_what_greedy_decoding_misses():
    prompts = [[i] for i in range(1, 16)]
    gains = []
    for prompt in prompts:
        greedy, beams = (
            search(prompt, n_beams=n, max_new_tokens=6, length_penalty=0.0)[0].score for n in (1, 8)
        )
        assert beams >= greedy - 1e-9
        gains.append(beams - greedy)
    assert max(gains) > 0.5


@pytest.mark.parametrize("prompt", [[1], [2, 3, 4], [5, 6] * 6])
@pytest.mark.filterwarnings("ignore:the text outgrew")
def test_one_beam_is_greedy(prompt):
    greedy = [token for token, _ in plain_steps(prompt, 9, PARAMS, CONFIG, endoftext=END)]
    (text,) = search(prompt, n_beams=1, max_new_tokens=9)
    assert text.ids == greedy


@pytest.mark.filterwarnings("ignore:the text outgrew")
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("n_prompt", [1, 8, 12, 30])
@pytest.mark.parametrize("n_beams", [2, 5])
def test_scores_are_those_of_the_texts(n_beams, n_prompt, dtype):
    # past the context, too; a beam with the keys and values of another would have another score
    params = unflatten({path: x.astype(dtype) for path, x in flatten(PARAMS).items()})
    prompt = np.random.default_rng(n_prompt).integers(1, 16, size=n_prompt).tolist()
    for n_new in (1, 9):
        found = search(prompt, params, n_beams=n_beams, max_new_tokens=n_new, length_penalty=0.5)
        assert len(found) == n_beams
        assert found == sorted(found, key=lambda text: -text.score)
        assert len({tuple(text.ids) for text in found}) == n_beams
        for text in found:
            ids = text.ids if len(text.ids) == n_new else [*text.ids, END]
            expected = total(prompt, ids, params) / len(ids) ** 0.5
            assert text.score == pytest.approx(expected, rel=1e-5 if dtype == "float32" else 1e-12)


def test_length_penalty_favours_long_texts():
    lengths = [
        np.mean(
            [
                len(search([i], n_beams=3, max_new_tokens=10, length_penalty=penalty)[0].ids)
                for i in range(1, 16)
            ]
        )
        for penalty in (0.0, 1.0, 2.0)
    ]
    assert lengths[0] < lengths[1] < lengths[2]


def test_early_stopping(monkeypatch):
    passes = record_passes(monkeypatch)
    options = {"n_beams": 2, "max_new_tokens": 10, "length_penalty": 2.0}
    sooner = 0
    for i in range(1, 16):
        early = search([i], early_stopping=True, **options)
        n_early = len(passes)
        late = search([i], early_stopping=False, **options)
        n_late = len(passes) - n_early
        passes.clear()
        assert n_early <= n_late
        assert late[0].score >= early[0].score
        if n_early < n_late:
            sooner += 1
            assert all(len(text.ids) < 10 for text in early)
    assert sooner > 0


def test_all_beams_share_a_pass(monkeypatch):
    passes = record_passes(monkeypatch)
    found = search([1, 2, 3], n_beams=4, max_new_tokens=5, endoftext=NO_END)
    assert [len(text.ids) for text in found] == [5] * 4
    assert passes == [(3,), *[(4, 1)] * 4]  # and none after the last token


def test_an_ended_beam_makes_room_for_another(monkeypatch):
    passes = record_passes(monkeypatch)
    found = search([1, 2, 3], n_beams=4, max_new_tokens=9, length_penalty=2.0)
    assert any(len(text.ids) < 9 for text in found)
    assert passes == [(3,), *[(4, 1)] * 8]


def test_more_beams_than_tokens():
    config = Config(n_vocab=3, n_ctx=6, n_embd=12, n_head=2, n_layer=2)
    found = search([1], random_params(config, 0), config, n_beams=7, max_new_tokens=1)
    assert sorted(text.ids for text in found) == [[], [1], [2]]


def test_the_prompt_is_left_alone():
    prompt = [1, 2, 3]
    search(prompt, n_beams=3, max_new_tokens=4)
    assert prompt == [1, 2, 3]
