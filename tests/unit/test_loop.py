"""The loop that writes: against whole forward passes, alone and in company."""

import warnings
from itertools import islice

import numpy as np
import pytest
from generation import NO_END, choice, float64_params, growing_text, plain_steps, record_passes
from hypothesis import given, settings
from hypothesis import strategies as st
from support import error, random_params

from picogpt.config import Config
from picogpt.decoding.loop import Step, token_steps
from picogpt.decoding.sampling import Sampling

CONFIG = Config(n_vocab=80, n_ctx=24, n_embd=24, n_head=3, n_layer=2)
PARAMS = random_params(CONFIG, seed=2)
LOGITS = np.log(np.float32([0.1, 0.4, 0.05, 0.25, 0.2])) + 7


def steps(texts, params=PARAMS, config=CONFIG, endoftext=NO_END):
    return token_steps(texts, params, config, endoftext=endoftext)


def written(texts, *args, **kwargs) -> list[list[int]]:
    """What is appended to each text."""
    n_prompt = [len(text.ids) for text in texts]
    for _ in steps(texts, *args, **kwargs):
        pass
    return [text.ids[n:] for text, n in zip(texts, n_prompt, strict=True)]


def outgrown(record) -> list[str]:
    return [str(w.message) for w in record if "outgrew" in str(w.message)]


def test_step():
    step = Step(3, LOGITS)
    assert step.logprob == pytest.approx(np.log(0.25), abs=1e-6)
    assert type(step.logprob) is float
    ids, logprobs, _ = zip(*step.likeliest(3), strict=True)
    assert ids == (1, 3, 4)
    assert np.exp(logprobs) == pytest.approx([0.4, 0.25, 0.2], abs=1e-6)
    assert len(step.likeliest(9)) == 5


def test_greedy_steps_equal_full_passes():
    expected = plain_steps([3, 1, 4], 12, PARAMS, CONFIG)
    actual = [step for _, step in steps([growing_text([3, 1, 4], 12)])]
    assert [step.id for step in actual] == [token for token, _ in expected]
    for step, (_, logits) in zip(actual, expected, strict=True):
        assert error(step.logits, logits) < 1e-6


@pytest.mark.parametrize(("n_prompt", "n_new", "room"), [(3, 5, 8), (20, 9, 24), (30, 1, 24)])
def test_the_cache_has_room_for_the_text_and_no_more(n_prompt, n_new, room):
    text = growing_text(range(n_prompt), n_new)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        assert len(written([text])[0]) == n_new
    assert text.cache.k.shape[-2] == text.cache.v.shape[-2] == room


def test_untied_head():
    params = PARAMS | {"lm_head": random_params(CONFIG, seed=3)["wte"]}
    prompts = [[5, 6], [7, 8, 9]]
    expected = [[i for i, _ in plain_steps(ids, 5, params, CONFIG)] for ids in prompts]
    assert written([growing_text(prompts[0], 5)], params) == expected[:1]
    assert written([growing_text(ids, 5) for ids in prompts], params) == expected


def test_float64_parameters_are_computed_with_to_the_last_digit():
    params = float64_params(CONFIG, seed=2)
    for prompts in ([[1, 2]], [[1, 2], [3]]):
        texts = [growing_text(ids, 4) for ids in prompts]
        expected = {id(t): plain_steps(t.ids, 4, params, CONFIG) for t in texts}
        for text, step in steps(texts, params):
            token, logits = expected[id(text)].pop(0)
            assert step.id == token
            assert error(step.logits, logits) < 1e-13


def test_ends_before_endoftext_and_computes_nothing_more(monkeypatch):
    passes = record_passes(monkeypatch)
    script = iter([7, 8, 9, 10])
    text = growing_text([1], 10, choose=lambda logits, ids: next(script))
    assert written([text], endoftext=9) == [[7, 8]]
    assert text.ids == [1, 7, 8]
    assert next(script) == 10
    assert passes == [(1,), (1,), (1,)]


def test_nothing_is_computed_after_the_last_token(monkeypatch):
    passes = record_passes(monkeypatch)
    assert len(written([growing_text([1, 2, 3], 4)])[0]) == 4
    assert passes == [(3,), (1,), (1,), (1,)]


def test_nothing_is_computed_before_a_token_is_asked_for(monkeypatch):
    passes = record_passes(monkeypatch)
    writing = steps([growing_text([1, 2], 9), growing_text([3], 9)])
    assert passes == []
    next(writing)
    next(writing)
    assert passes == [(2,), (1,)]


def test_closing_stops_it(monkeypatch):
    passes = record_passes(monkeypatch)
    text = growing_text([1, 2, 3], 9)
    writing = steps([text])
    assert [step.id for _, step in islice(writing, 2)] == text.ids[3:]
    writing.close()
    assert list(writing) == []
    assert passes == [(3,), (1,)]


def test_the_reader_may_end_a_text(monkeypatch):
    passes = record_passes(monkeypatch)
    texts = [growing_text([1, 2], 5), growing_text([3, 4], 5)]
    for text, _ in steps(texts):
        texts[0].done |= len(text.ids) == 4
    assert [len(text.ids) for text in texts] == [4, 7]
    assert passes == [(2,), (2,), (2, 1), (1,), (1,), (1,)]


@pytest.mark.parametrize("n_ctx", [1, 2, 3, 8, 9])
@pytest.mark.parametrize("n_prompt", [1, 7, 8, 9, 10, 30])
def test_the_window_equals_a_fresh_pass_over_what_it_keeps(n_ctx, n_prompt):
    config = Config(n_vocab=30, n_ctx=n_ctx, n_embd=12, n_head=2, n_layer=2)
    params = random_params(config, seed=1)
    ids = np.random.default_rng(n_prompt).integers(30, size=n_prompt).tolist()
    expected = plain_steps(ids, 25, params, config)
    with pytest.warns(UserWarning, match=f"outgrew the context of {n_ctx} tokens") as record:
        actual = [step for _, step in steps([growing_text(ids, 25)], params, config)]
    assert len(outgrown(record)) == 1
    assert [step.id for step in actual] == [token for token, _ in expected]
    for step, (_, logits) in zip(actual, expected, strict=True):
        assert error(step.logits, logits) < 1e-5


def test_the_window_is_computed_anew_only_when_it_is_full(monkeypatch):
    passes = record_passes(monkeypatch)
    with pytest.warns(UserWarning, match="sees only the last 12 or more"):
        written([growing_text(range(20), 31)])
    assert passes == [(20,), *[(1,)] * 4, (12,), *[(1,)] * 12, (12,), *[(1,)] * 12]


@pytest.mark.parametrize("n_prompt", [1, 20, 24])
def test_what_fits_is_not_warned_about(n_prompt):
    # the last token is chosen from the logits of position n_ctx - 1, and has no position itself
    n_new = 24 - n_prompt + 1
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert len(written([growing_text([1] * n_prompt, n_new)])[0]) == n_new
    with pytest.warns(UserWarning, match="outgrew"):
        written([growing_text([1] * n_prompt, n_new + 1)])


def test_prompts_of_different_lengths_share_passes(monkeypatch):
    prompts = [[3, 1, 4], [1], [5, 9, 2, 6, 5, 3, 5]]
    expected = [written([growing_text(ids, 12)])[0] for ids in prompts]
    passes = record_passes(monkeypatch)
    assert written([growing_text(ids, 12) for ids in prompts]) == expected
    assert passes == [(3,), (1,), (7,), *[(3, 1)] * 11]


def test_finished_texts_stop_costing_work(monkeypatch):
    passes = record_passes(monkeypatch)
    texts = [growing_text([i], n) for i, n in enumerate([5, 1, 3, 7])]
    assert [len(ids) for ids in written(texts)] == [5, 1, 3, 7]
    rows = [3, 3, 2, 2, 1, 1]  # after tokens 1 to 6
    assert passes[4:] == [(n, 1) if n > 1 else (1,) for n in rows]


def test_equal_prompts_are_read_once(monkeypatch):
    passes = record_passes(monkeypatch)
    prompts = [[1, 2, 3], [4, 5], [1, 2, 3], [1, 2, 3]]
    written([growing_text(ids, 2) for ids in prompts])
    assert passes == [(3,), (2,), (4, 1)]


def test_equal_prompts_that_are_too_long_are_read_and_noticed_once(monkeypatch):
    passes = record_passes(monkeypatch)
    choices = [choice(Sampling(temperature=1.0), i) for i in range(2)]
    with pytest.warns(UserWarning) as record:
        first, second = written([growing_text(range(40), 3, choose) for choose in choices])
    assert len(outgrown(record)) == 1
    assert passes == [(12,), (2, 1), (2, 1)]
    assert first != second


SMALL = Config(n_vocab=12, n_ctx=8, n_embd=12, n_head=2, n_layer=2)
SMALL_PARAMS = float64_params(SMALL, seed=4)
SETTINGS = [
    Sampling(),
    Sampling(temperature=1.0),
    Sampling(temperature=1.5, top_k=8, repetition_penalty=1.3),
]
prompts = st.sampled_from([(1, 2), (3,)]) | st.lists(st.integers(1, 11), min_size=1, max_size=20)
descriptions = st.tuples(
    prompts,
    st.integers(1, 12),  # n_new
    st.integers(0, 2),  # the index of the sample, which its generator is keyed by
    st.none() | st.integers(1, 12),  # after so many tokens the reader ends it
)


@pytest.mark.filterwarnings("ignore:the text outgrew")
@given(st.lists(descriptions, min_size=1, max_size=5), st.sampled_from(SETTINGS))
@settings(max_examples=40)
def test_every_arrangement_gives_what_each_text_gives_alone(texts, sampling):
    end = 0  # a token like others, so that some texts end by it
    samples, limits, expected = [], {}, []
    for prompt, n_new, i, limit in texts:
        samples.append(growing_text(prompt, n_new, choice(sampling, [7, i])))
        limits[id(samples[-1])] = limit
        alone = plain_steps(prompt, n_new, SMALL_PARAMS, SMALL, choice(sampling, [7, i]), end)
        expected.append([*prompt, *(token for token, _ in alone[:limit])])
    n_new = dict.fromkeys(limits, 0)
    for text, step in steps(samples, SMALL_PARAMS, SMALL, end):
        assert text.ids[-1] == step.id
        n_new[id(text)] += 1
        text.done = n_new[id(text)] == limits[id(text)]
    assert [text.ids for text in samples] == expected


def test_some_texts_of_that_model_end_by_themselves():
    lengths = [
        len(plain_steps([i], 12, SMALL_PARAMS, SMALL, choice(SETTINGS[1], i), endoftext=0))
        for i in range(1, 12)
    ]
    assert min(lengths) < 12 == max(lengths)
