"""The learning rate against its closed form at the places where that is plain."""

import math
from functools import partial

import pytest

from picogpt.train.schedule import learning_rate

rate = partial(learning_rate, steps=110, warmup=10, peak=8e-4, least=2e-4)


@pytest.mark.parametrize(
    ("step", "expected"),
    [
        (0, 8e-4 / 11),
        (4, 8e-4 * 5 / 11),
        (9, 8e-4 * 10 / 11),
        (10, 8e-4),
        (35, 5e-4 + 3e-4 * math.sqrt(0.5)),  # an eighth of the circle
        (60, 5e-4),  # halfway
        (85, 5e-4 - 3e-4 * math.sqrt(0.5)),
        (110, 2e-4),
    ],
)
def test_warmup_and_cosine(step, expected):
    assert rate(step) == pytest.approx(expected, rel=1e-12)


def test_stable_until_the_decay():
    stable = partial(rate, decay=20)
    assert [stable(step) for step in range(10)] == [rate(step) for step in range(10)]
    assert {stable(step) for step in range(10, 91)} == {8e-4}
    assert stable(100) == pytest.approx(5e-4, rel=1e-12)  # halfway
    assert stable(110) == pytest.approx(2e-4, rel=1e-12)
    assert [rate(step, decay=100) for step in range(110)] == [rate(step) for step in range(110)]


def test_no_warmup():
    assert rate(0, warmup=0) == 8e-4
    assert rate(55, warmup=0) == pytest.approx(5e-4, rel=1e-12)


def test_it_rises_then_falls():
    rates = [rate(step) for step in range(110)]
    assert rates[:11] == sorted(rates[:11])
    assert rates[10:] == sorted(rates[10:], reverse=True)
    assert len(set(rates)) == 110
