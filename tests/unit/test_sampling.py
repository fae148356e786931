"""Choosing a token: each rule by hand on small logits, the draw against its distribution."""

import numpy as np
import pytest

from picogpt.ops import softmax
from picogpt.sampling import check_sampling, choose_token, draw, keep_top_k, keep_top_p

INF = np.inf
LOGITS = np.log(np.float32([0.1, 0.4, 0.05, 0.25, 0.2]))  # ids by probability: 1, 3, 4, 0, 2


def kept(logits) -> list[int]:
    return np.flatnonzero(logits > -INF).tolist()


@pytest.mark.parametrize(
    ("top_k", "ids"),
    [(1, [1]), (2, [1, 3]), (4, [0, 1, 3, 4]), (5, [0, 1, 2, 3, 4]), (9, [*range(5)])],
)
def test_top_k(top_k, ids):
    logits = keep_top_k(LOGITS, top_k)
    assert kept(logits) == ids
    assert np.array_equal(logits[ids], LOGITS[ids])
    assert logits.dtype == np.float32


def test_top_k_keeps_ties():
    assert kept(keep_top_k(np.float32([1, 2, 2, 0]), 1)) == [1, 2]


@pytest.mark.parametrize(
    ("top_p", "ids"),
    [
        (1e-9, [1]),
        (0.39, [1]),
        (0.41, [1, 3]),
        (0.64, [1, 3]),
        (0.66, [1, 3, 4]),
        (0.94, [0, 1, 3, 4]),
        (1.0, [0, 1, 2, 3, 4]),
    ],
)
def test_top_p_keeps_the_token_that_crosses(top_p, ids):
    logits = keep_top_p(LOGITS, top_p)
    assert kept(logits) == ids
    assert np.array_equal(logits[ids], LOGITS[ids])
    assert logits.dtype == np.float32


def test_top_p_tells_equal_tokens_apart_by_id():
    logits = np.tile(np.float32([0, 1, 0]), 100)
    ones = np.flatnonzero(logits)  # together e / (e + 2), or 0.576
    assert kept(keep_top_p(logits, 0.3)) == ones[:53].tolist()


def test_top_p_counts_only_what_top_k_left():
    # of 0.4 and 0.25, renormalised to 0.615 and 0.385
    assert kept(keep_top_p(keep_top_k(LOGITS, 2), 0.61)) == [1]
    assert kept(keep_top_p(keep_top_k(LOGITS, 2), 0.62)) == [1, 3]


@pytest.mark.parametrize("seed", range(3))
def test_draw_follows_the_probabilities(seed):
    rng = np.random.default_rng(seed)
    logits = np.float32([0.0, -INF, 2.0, 1.0, -3.0, -INF])
    n, p = 20000, softmax(logits).astype(np.float64)
    counts = np.bincount([draw(logits, rng) for _ in range(n)], minlength=6)
    assert counts[1] == counts[5] == 0
    possible = p > 0
    chi_square = ((counts - n * p)[possible] ** 2 / (n * p[possible])).sum()
    assert chi_square < 16.27  # 3 degrees of freedom: exceeded by chance once in 1000


class Fixed:
    """In place of a generator: always the same point."""

    def __init__(self, point: float):
        self.point = point

    def random(self) -> float:
        return self.point


@pytest.mark.parametrize(("point", "token"), [(0.0, 1), (1 - 1e-12, 3), (1 - 2**-53, 3)])
def test_draw_never_leaves_the_allowed_tokens(point, token):
    assert draw(np.float32([-INF, 1.0, 1.1, 0.3, -INF]), Fixed(point)) == token


@pytest.mark.parametrize("n", range(1, 100))
def test_draw_reaches_the_last_token_and_no_further(n):
    # n times the float32 nearest to 1/n may be a little less than 1, or more
    assert draw(np.zeros(n, np.float32), Fixed(1 - 2**-53)) == n - 1


def test_draw_counts_the_rarest_tokens():
    # 50,000 tokens of 1e-8 each have 1 chance in 2000, though 1 + 1e-8 is 1 in float32
    logits = np.full(50_001, np.log(1e-8), np.float32)
    logits[0] = 0
    assert draw(logits, Fixed(1 - 4e-4)) == pytest.approx(10_000, rel=0.01)


def test_temperature_zero_is_greedy():
    assert choose_token(LOGITS, None, 0.0, top_k=3, top_p=0.5) == 1


def test_temperature_divides_the_logits():
    logits, n = np.float32([0, 1]), 20000
    for temperature in (0.5, 2.0):
        rng = np.random.default_rng(0)
        share = np.mean([choose_token(logits, rng, temperature) for _ in range(n)])
        expected = 1 / (1 + np.exp(-1 / temperature))
        assert abs(share - expected) < 4 * np.sqrt(expected * (1 - expected) / n)


def test_top_k_and_top_p_are_applied():
    rng = np.random.default_rng(0)
    assert {choose_token(LOGITS, rng, 1.0, top_k=2) for _ in range(200)} == {1, 3}
    assert {choose_token(LOGITS, rng, 1.0, top_p=0.7) for _ in range(300)} == {1, 3, 4}
    assert {choose_token(LOGITS, rng, 1.0, top_k=3, top_p=0.7) for _ in range(300)} == {1, 3}


def test_same_seed_same_tokens():
    first, second = ([choose_token(LOGITS, r, 1.0) for _ in range(50)] for r in two_generators())
    assert first == second


def two_generators():
    return [np.random.default_rng(3), np.random.default_rng(3)]


def test_tiny_temperature_stays_finite():
    rng = np.random.default_rng(0)
    assert choose_token(np.float32([-300, 200, 199]), rng, 1e-6) == 1


@pytest.mark.parametrize("bad", [-1, -1e-9, 1e-9, float("nan"), float("inf")])
def test_bad_temperature(bad):
    with pytest.raises(ValueError, match="temperature is"):
        check_sampling(bad, None, None)


@pytest.mark.parametrize("bad", [0, -3])
def test_bad_top_k(bad):
    with pytest.raises(ValueError, match=f"top_k is {bad}, expected at least 1"):
        check_sampling(1.0, bad, None)


@pytest.mark.parametrize("bad", [0, -0.1, 1.1, float("nan")])
def test_bad_top_p(bad):
    with pytest.raises(ValueError, match="top_p is"):
        check_sampling(1.0, None, bad)
