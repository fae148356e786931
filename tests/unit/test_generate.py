"""The loop that writes, and the strings that stop it."""

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from support import error, random_params

from picogpt import generate
from picogpt.config import Config, flatten, unflatten
from picogpt.generate import next_logits, token_steps, until_stop
from picogpt.model import KVCache, gpt2

CONFIG = Config(n_vocab=80, n_ctx=24, n_embd=24, n_head=3, n_layer=2)
PARAMS = random_params(CONFIG, seed=2)
NO_END = -1


def greedy(logits) -> int:
    return int(logits.argmax())


def steps(ids, n, choose=greedy, endoftext=NO_END) -> list[int]:
    return list(
        token_steps(ids, PARAMS, CONFIG, choose=choose, max_new_tokens=n, endoftext=endoftext)
    )


def test_greedy_steps_equal_full_passes():
    ids = [3, 1, 4]
    for _ in range(12):
        ids.append(greedy(gpt2(ids, **PARAMS, n_head=CONFIG.n_head)[-1]))
    assert steps([3, 1, 4], 12) == ids[3:]


@pytest.mark.parametrize("chunk", [1, 2, 5, 7, 100])
def test_prefill_in_chunks(chunk, monkeypatch):
    monkeypatch.setattr(generate, "PREFILL_CHUNK", chunk)
    ids = list(range(20))
    cache = KVCache(CONFIG)
    expected = gpt2(ids, **PARAMS, n_head=CONFIG.n_head)[-1]
    assert error(next_logits(ids, PARAMS, CONFIG, cache), expected) < 1e-6
    assert cache.n_past == 20


def test_untied_head():
    head = random_params(CONFIG, seed=3)["wte"]
    params = PARAMS | {"lm_head": head}
    expected = gpt2([5, 6], **params, n_head=CONFIG.n_head)[-1]
    assert error(next_logits([5, 6], params, CONFIG, KVCache(CONFIG)), expected) < 1e-6


def test_ends_before_endoftext():
    script = iter([7, 8, 9, 10])
    assert steps([1], 10, choose=lambda logits: next(script), endoftext=9) == [7, 8]
    assert next(script) == 10  # nothing was computed after the end


def test_ends_when_the_context_is_full():
    # the last token is chosen from the logits of position n_ctx - 1, and has no position itself
    assert len(steps([1] * 20, 100)) == 5
    assert len(steps([1] * 24, 100)) == 1


def test_float64_parameters_are_computed_with_to_the_last_digit():
    flat = {path: x.astype(np.float64) for path, x in flatten(PARAMS).items()}
    params = unflatten(flat)
    seen = []
    ids = [1, 2]
    tokens = token_steps(
        ids,
        params,
        CONFIG,
        choose=lambda logits: seen.append(logits) or 3,
        max_new_tokens=3,
        endoftext=NO_END,
    )
    ids += tokens
    expected = gpt2(ids[:-1], **params, n_head=CONFIG.n_head)[1:]
    assert error(np.stack(seen), expected) < 1e-13


@pytest.mark.parametrize(
    ("pieces", "stop", "expected"),
    [
        (["one ", "two ", "three"], ["two"], "one "),
        (["one t", "w", "o three"], ["two"], "one "),  # spans three pieces
        (["one tw", "enty"], ["two"], "one twenty"),  # held back, then released
        (["one tw"], ["two"], "one tw"),  # the text ends with the beginning of a stop string
        (["abcabd"], ["bd", "abd"], "abc"),  # both end here: the longer one counts
        (["aaab"], ["aab"], "a"),
        (["a", "a", "a", "b"], ["aab"], "a"),
        (["", "a", ""], ["x"], "a"),
        (["abc"], [], "abc"),
        (["xyz"], ["xyz"], ""),
    ],
)
def test_until_stop(pieces, stop, expected):
    given_out = list(until_stop(pieces, stop))
    assert "".join(given_out) == expected
    assert "" not in given_out


texts = st.text(alphabet="ab", max_size=12)


@given(st.lists(texts), st.lists(texts.filter(bool), max_size=3))
@example(["baa", "a"], ["a", "baaa"])
def test_stopped_text_ends_where_a_stop_string_is_first_complete(pieces, stop):
    text = "".join(pieces)
    ends = [(text.index(s) + len(s), text.index(s)) for s in stop if s in text]
    _, begin = min(ends, default=(None, len(text)))
    assert "".join(until_stop(pieces, stop)) == text[:begin]


def test_what_cannot_begin_a_stop_string_is_given_out_at_once():
    given_out = until_stop(iter(["Hello", ", wor", "ld"]), ["\n\n", "."])
    assert [next(given_out) for _ in range(3)] == ["Hello", ", wor", "ld"]


def test_nothing_is_computed_after_a_stop_string():
    pieces = iter(["one ", "two ", "three"])
    assert "".join(until_stop(pieces, ["two"])) == "one "
    assert next(pieces) == "three"
