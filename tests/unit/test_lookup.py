"""Guessing from what was there: the same text with fewer passes, and an account that holds."""

import numpy as np
import pytest
from generation import NO_END, choice, float64_params, growing_text, record_passes

from picogpt.config import Config
from picogpt.decoding.lookup import COST, EARNED, N_GUESS, Lookup
from picogpt.decoding.loop import no_guess, token_steps
from picogpt.decoding.sampling import Sampling

# Random models of few tokens soon write in circles: which do was found by trying.
CONFIG = Config(n_vocab=20, n_ctx=64, n_embd=12, n_head=2, n_layer=2)
CIRCLES, MEANDERS = float64_params(CONFIG, seed=2), float64_params(CONFIG, seed=3)
GREEDY, WARM = Sampling(), Sampling(temperature=0.3)
HOT = Sampling(temperature=1.0, top_p=0.95, repetition_penalty=1.1)


def written(params, sampling, n_new, make_guess, endoftext=NO_END, n_ctx=None) -> list[int]:
    config = CONFIG if n_ctx is None else Config(20, n_ctx, 12, 2, 2)
    text = growing_text([1, 2, 3], n_new, choice(sampling, seed=5))
    steps = token_steps([text], params, config, endoftext=endoftext, make_guess=make_guess)
    assert [step.id for _, step in steps] == text.ids[3:]
    return text.ids[3:]


@pytest.mark.filterwarnings("ignore:the text outgrew")
@pytest.mark.parametrize("sampling", [GREEDY, WARM, HOT])
@pytest.mark.parametrize("params", [CIRCLES, MEANDERS], ids=["circles", "meanders"])
def test_the_text_is_the_same(params, sampling):
    plain = written(params, sampling, 400, no_guess)
    assert len(plain) == 400
    assert written(params, sampling, 400, Lookup()) == plain


@pytest.mark.filterwarnings("ignore:the text outgrew")
@pytest.mark.parametrize("n_ctx", [1, 2, 5, 16, 17])
@pytest.mark.parametrize("sampling", [GREEDY, WARM])
def test_the_text_is_the_same_in_a_small_window(n_ctx, sampling):
    params = float64_params(Config(20, n_ctx, 12, 2, 2), seed=1)
    plain = written(params, sampling, 150, no_guess, n_ctx=n_ctx)
    assert written(params, sampling, 150, Lookup(), n_ctx=n_ctx) == plain


@pytest.mark.parametrize("n_new", [*range(1, 20), 40])
def test_no_guess_reaches_beyond_the_end(n_new, monkeypatch):
    passes = record_passes(monkeypatch)
    text = growing_text([1, 2, 3, 1, 2, 3], n_new, choice(GREEDY))
    n_passes = 1
    for n_before, _ in enumerate(
        token_steps([text], CIRCLES, CONFIG, endoftext=-1, make_guess=Lookup())
    ):
        if len(passes) > n_passes:
            n_passes = len(passes)
            assert passes[-1][0] <= n_new - n_before
    assert len(text.ids) == 6 + n_new


@pytest.mark.parametrize("params", [CIRCLES, MEANDERS], ids=["circles", "meanders"])
def test_the_text_ends_at_the_same_endoftext(params):
    plain = written(params, GREEDY, 61, no_guess)
    for end in {*plain}:
        expected = plain[: plain.index(end)]
        assert written(params, GREEDY, 61, Lookup(), endoftext=end) == expected


def test_the_text_ends_by_an_endoftext_that_was_guessed():
    # the prompt holds the end after what is written next, as an empty prompt's first token may be
    script = iter([1, 2, 3, 4, 0, 5])
    text = growing_text([1, 2, 3, 4, 0, 5, 7], 20, choose=lambda logits, ids: next(script))
    steps = token_steps([text], MEANDERS, CONFIG, endoftext=0, make_guess=Lookup())
    assert [step.id for _, step in steps] == [1, 2, 3, 4]
    assert next(script) == 5


@pytest.mark.filterwarnings("ignore:the text outgrew")
def test_passes(monkeypatch):
    passes = record_passes(monkeypatch)
    for params, fewest, most in ((CIRCLES, 20, 100), (MEANDERS, 200, 300)):
        written(params, GREEDY, 300, no_guess)
        assert len(passes) == 300
        passes.clear()
        written(params, GREEDY, 300, Lookup())
        assert fewest < len(passes) < most
        passes.clear()


def test_a_guess_is_what_followed_last_time():
    ids = [1, 2, 3, 4, 5, 1, 2, 3, 6, 7, 8, 1, 2, 3]
    period = [6, 7, 8, 1, 2, 3]
    assert Lookup()(ids) == (3 * period)[:N_GUESS]


def test_a_guess_repeats_what_is_shorter_than_it():
    assert Lookup()([5, 9, 9, 9, 9]) == [9] * N_GUESS
    assert Lookup()([1, 2, 1, 2, 1]) == [2, 1] * 7 + [2]


@pytest.mark.parametrize("ids", [[1], [1, 2], [1, 2, 3], [1, 2, 1, 2], [1, 2, 3, 1, 2, 4]])
def test_no_guess_without_an_earlier_occurrence(ids):
    assert Lookup()(ids) == []


def test_guesses_do_not_depend_on_how_the_text_grew():
    ids = np.random.default_rng(0).integers(3, size=60).tolist()
    lookup = Lookup()
    for n in (1, 2, 4, 5, 30, 31, 60):
        lookup.account = COST  # so that it always guesses if it can
        assert lookup(ids[:n]) == Lookup()(ids[:n])


START = [0, 1, 2, 3] * 3


def follow(lookup: Lookup, ids: list[int], n_passes: int, n_right: int) -> tuple[int, int, int]:
    """Let a text of four tokens grow by n_passes passes, n_right tokens of each guess being right.

    Returns how many guesses there might have been, how many there were, and the new tokens.
    """
    n_possible = n_guesses = 0
    n_start = len(ids)
    for _ in range(n_passes):
        n_possible += any(ids[i : i + 3] == ids[-3:] for i in range(len(ids) - 3))
        guess = lookup(ids)
        n_guesses += bool(guess)
        ids += guess[:n_right]
        expected = guess[n_right] if n_right < len(guess) else ids[-1]
        ids.append((expected + 1) % 4)
    return n_possible, n_guesses, len(ids) - n_start


def test_wrong_guesses_cost_little():
    for n_passes in (10, 100, 1000):
        _, n_guesses, n_tokens = follow(Lookup(), [*START], n_passes, n_right=0)
        assert n_tokens == n_passes  # every guess was wrong
        cost = n_guesses * COST
        assert 0.8 * EARNED * n_tokens < cost <= EARNED * n_tokens + COST


@pytest.mark.parametrize("n_right", [2, 3, 7, N_GUESS])
def test_guesses_that_pay_are_always_made(n_right):
    n_possible, n_guesses, n_tokens = follow(Lookup(), [*START], 200, n_right)
    assert n_right >= COST
    assert n_guesses == n_possible > 100
    assert n_tokens == 200 + n_right * n_guesses


def test_guesses_that_half_pay_cost_little():
    n_possible, n_guesses, n_tokens = follow(Lookup(), [*START], 1000, n_right=1)
    cost = 1000 + COST * n_guesses  # in passes without a guess
    assert n_tokens * (1 + 0.8 * EARNED) < cost <= n_tokens * (1 + EARNED) + COST
    assert n_guesses < n_possible


def test_it_soon_gives_up_after_much_success():
    lookup, ids = Lookup(), [*START]
    follow(lookup, ids, 50, N_GUESS)
    n_guesses = [follow(lookup, ids, 1, n_right=0)[1] for _ in range(100)]
    assert n_guesses.index(0) <= 5
    assert sum(n_guesses) * COST <= 100 * EARNED + 5 * COST
