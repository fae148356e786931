"""Choosing a token: each rule by hand on small logits, the draw against its distribution."""

import numpy as np
import pytest

from picogpt.decoding.sampling import (
    Sampling,
    add_bias,
    ban,
    choose_token,
    draw,
    keep_min_p,
    keep_top_k,
    keep_top_p,
    penalize_repetition,
    process_logits,
)
from picogpt.ops import softmax

INF, NAN = float("inf"), float("nan")
LOGITS = np.log(np.float32([0.1, 0.4, 0.05, 0.25, 0.2]))  # ids by probability: 1, 3, 4, 0, 2


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize(
    ("function", "argument"),
    [
        (add_bias, {0: 1.5, 3: -INF}),
        (lambda logits, ids: penalize_repetition(logits, ids, 1.3), [0, 2]),
        (ban, {0, 3}),
        (keep_top_k, 2),
        (keep_top_p, 0.6),
        (keep_min_p, 0.3),
    ],
)
def test_each_rule_makes_new_logits_of_the_same_type(function, argument, dtype):
    logits = LOGITS.astype(dtype)
    logits.flags.writeable = False
    changed = function(logits, argument)
    assert changed.dtype == dtype
    assert changed.shape == logits.shape
    assert not np.array_equal(changed, logits)


def test_bias_is_added():
    logits = add_bias(np.float32([1, 2, 3]), {0: 0.5, 2: -INF})
    assert logits.tolist() == [1.5, 2, -INF]


def test_repetition_penalty():
    logits = penalize_repetition(np.float32([3, -3, 0, 2, -1]), [0, 1, 1, 2, 0], 2.0)
    assert logits.tolist() == [1.5, -6, 0, 2, -1]  # once, however often a token has been there
    assert penalize_repetition(np.float32([3, -3]), [0, 1], 0.5).tolist() == [6, -1.5]


def test_ban():
    assert kept(ban(LOGITS, [1, 4])) == [0, 2, 3]
    with pytest.raises(ValueError, match="every token is banned"):
        ban(LOGITS, range(5))
    for settings in ({"banned": range(5)}, {"logit_bias": dict.fromkeys(range(5), -INF)}):
        with pytest.raises(ValueError, match="every token is banned"):
            choose_token(LOGITS, [], Sampling(**settings), None)


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


@pytest.mark.parametrize("scale", [0, 1, 8])
@pytest.mark.parametrize("top_p", [0.5, 0.9, 0.999, 1.0])
def test_top_p_of_a_large_vocabulary(scale, top_p):
    # added up one after the other in float32, 50257 equal probabilities are 1.0004
    logits = scale * np.random.default_rng(0).standard_normal(50257, np.float32)
    masses = np.cumsum(np.sort(softmax(logits.astype(np.float64)))[::-1])
    n_kept = min(np.searchsorted(masses, top_p) + 1, len(logits))
    assert len(kept(keep_top_p(logits, top_p))) == n_kept


def test_top_p_of_1_keeps_everything():
    # the first three probabilities are 0.33333334 each, which is a little more than 1
    assert kept(keep_top_p(np.float32([0, 0, 0, -20]), 1.0)) == [0, 1, 2, 3]


def test_top_p_tells_equal_tokens_apart_by_id():
    logits = np.tile(np.float32([0, 1, 0]), 100)
    ones = np.flatnonzero(logits)  # together e / (e + 2), or 0.576
    assert kept(keep_top_p(logits, 0.3)) == ones[:53].tolist()


def test_top_p_counts_only_what_top_k_left():
    # of 0.4 and 0.25, renormalised to 0.615 and 0.385
    assert kept(keep_top_p(keep_top_k(LOGITS, 2), 0.61)) == [1]
    assert kept(keep_top_p(keep_top_k(LOGITS, 2), 0.62)) == [1, 3]


@pytest.mark.parametrize(
    ("min_p", "ids"),
    [(0, [*range(5)]), (0.2, [0, 1, 3, 4]), (0.3, [1, 3, 4]), (0.6, [1, 3]), (1, [1])],
)
def test_min_p(min_p, ids):
    logits = keep_min_p(LOGITS, min_p)
    assert kept(logits) == ids
    assert np.array_equal(logits[ids], LOGITS[ids])


def test_min_p_keeps_ties():
    assert kept(keep_min_p(np.float32([1, 2, 2, 0]), 1)) == [1, 2]


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


def test_default_is_greedy():
    assert Sampling() == Sampling(temperature=0)
    assert choose_token(LOGITS, [], Sampling(), None) == 1


@pytest.mark.parametrize(
    ("settings", "token"),
    [
        ({"top_k": 3, "top_p": 0.5, "min_p": 0.9}, 1),
        ({"banned": [1]}, 3),
        ({"logit_bias": {1: -1}}, 3),
        ({"logit_bias": {1: -INF, 3: -INF}}, 4),
        ({"repetition_penalty": 3}, 3),  # log(0.4) * 3 is less than log(0.25)
        ({"repetition_penalty": 3, "logit_bias": {1: 2}}, 1),  # log(0.4) + 2 is positive
    ],
)
def test_greedy_heeds_what_can_change_the_likeliest(settings, token):
    assert choose_token(LOGITS, [1], Sampling(**settings), None) == token


def exact(logits, ids, settings: dict) -> np.ndarray:
    """The probabilities that choose_token should draw with, by the definitions, in float64."""
    x = np.array(logits, np.float64)
    for i, bias in settings.get("logit_bias", {}).items():
        x[i] += bias
    for i in {*ids}:
        penalty = settings.get("repetition_penalty", 1)
        x[i] = x[i] * penalty if x[i] < 0 else x[i] / penalty
    x /= settings["temperature"]
    p = np.exp(x - x.max())
    for i in settings.get("banned", ()):
        p[i] = 0
    p /= p.sum()
    ranking = sorted(range(len(p)), key=lambda i: -p[i])
    for i in ranking[settings.get("top_k", len(p)) :]:
        p[i] = 0
    p /= p.sum()
    mass = 0.0
    for i in ranking:
        if mass >= settings.get("top_p", 2):
            p[i] = 0
        mass += p[i]
    p[p < settings.get("min_p", 0) * p.max()] = 0
    return p / p.sum()


TWELVE = np.random.default_rng(3).standard_normal(12, np.float32)
ALL = {
    "temperature": 1.5,
    "top_k": 9,
    "top_p": 0.95,
    "min_p": 0.03,
    "repetition_penalty": 1.3,
    "logit_bias": {2: 1.5, 7: -0.5, 11: -INF},
    "banned": [4, 5],
}


@pytest.mark.parametrize(
    "settings",
    [
        ALL,
        *({"temperature": t} for t in (0.5, 1.0, 2.0)),
        *({"temperature": 1.0, name: ALL[name]} for name in ALL if name != "temperature"),
    ],
    ids=lambda settings: "-".join(settings),
)
def test_frequencies(settings):
    n, ids = 5000, [1, 1, 8, 2]
    p = exact(TWELVE, ids, settings)
    sampling, rng = Sampling(**settings), np.random.default_rng(0)
    counts = np.bincount([choose_token(TWELVE, ids, sampling, rng) for _ in range(n)], minlength=12)
    possible = p > 0
    assert not counts[~possible].any()
    assert possible.sum() > 4
    chi_square = ((counts - n * p)[possible] ** 2 / (n * p[possible])).sum()
    # Wilson and Hilferty's approximation of what is exceeded by chance once in 1000
    freedom = possible.sum() - 1
    spread = 2 / (9 * freedom)
    assert chi_square < freedom * (1 - spread + 3.09 * spread**0.5) ** 3


@pytest.mark.parametrize("seed", range(50))
def test_processed_logits_of_random_settings(seed):
    rng = np.random.default_rng(seed)
    logits = 2 * rng.standard_normal(30, np.float32)
    ids = rng.integers(30, size=10).tolist()
    values = {
        "temperature": rng.uniform(0.3, 3),
        "top_k": int(rng.integers(1, 31)),
        "top_p": rng.uniform(0.1, 1),
        "min_p": rng.uniform(0, 0.3),
        "repetition_penalty": rng.uniform(0.5, 2),
        "logit_bias": dict(zip(rng.permutation(30)[:5].tolist(), rng.normal(0, 3, 5), strict=True)),
        "banned": rng.permutation(30)[:3].tolist(),
    }
    settings = {k: v for k, v in values.items() if k == "temperature" or rng.random() < 0.6}
    p = softmax(process_logits(logits, ids, Sampling(**settings)))
    assert p.dtype == np.float32
    assert np.abs(p - exact(logits, ids, settings)).max() < 1e-6


def test_same_seed_same_tokens():
    sampling = Sampling(temperature=1.0)
    generators = [np.random.default_rng(3), np.random.default_rng(3)]
    first, second = (
        [choose_token(LOGITS, [], sampling, rng) for _ in range(50)] for rng in generators
    )
    assert first == second
    assert len({*first}) > 1


def test_tiny_temperature_stays_finite():
    sampling = Sampling(temperature=1e-6)
    rng = np.random.default_rng(0)
    assert choose_token(np.float32([-300, 200, 199]), [], sampling, rng) == 1


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("bias", [1e6, -1e6, -INF])
@pytest.mark.parametrize("penalty", [1e-6, 1e6])
@pytest.mark.parametrize("temperature", [1e-6, 1e6])
def test_the_largest_settings_stay_finite(temperature, penalty, bias):
    sampling = Sampling(temperature, repetition_penalty=penalty, logit_bias={0: bias})
    logits = process_logits(np.float32([100, -100, 50]), [0, 1], sampling)
    assert np.isfinite(logits[1:]).all()
    assert np.isfinite(softmax(logits)).all()


@pytest.mark.parametrize(
    ("name", "values", "message"),
    [
        ("temperature", [-1, -1e-9, 1e-9, NAN, INF, 1e7], "expected 0 .greedy., or 1e-6 to 1e6"),
        ("top_k", [0, -3], "expected at least 1"),
        ("top_p", [0, -0.1, 1.1, NAN], "expected more than 0 and at most 1"),
        ("min_p", [-0.1, 1.1, NAN], "expected 0 to 1"),
        ("repetition_penalty", [0, -1, 1e-7, 1e7, NAN, INF], "expected 1e-6 to 1e6"),
    ],
)
def test_bad_settings(name, values, message):
    for value in values:
        with pytest.raises(ValueError, match=f"{name} is {value}, {message}"):
            Sampling(**{name: value})


@pytest.mark.parametrize("bias", [INF, NAN, 1e7, -1e7])
def test_bad_bias(bias):
    with pytest.raises(ValueError, match=f"logit_bias of token 7 is {bias}, expected -1e6 to 1e6"):
        Sampling(logit_bias={3: 1, 7: bias})


@pytest.mark.parametrize("settings", [{"logit_bias": {9: 1.0}}, {"banned": [1, 9]}])
def test_ids_outside_the_vocabulary(settings):
    Sampling(**settings).check_ids(10)
    with pytest.raises(ValueError, match=r"token 9 is not in the vocabulary \(0 to 8\)"):
        Sampling(**settings).check_ids(9)
    with pytest.raises(ValueError, match="token -1 is not in the vocabulary"):
        Sampling(banned=[-1]).check_ids(10)
