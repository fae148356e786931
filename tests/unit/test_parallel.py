"""A batch in parts on several threads gives what the whole gives."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from support import error, part_of

from picogpt.backward import loss_and_gradients
from picogpt.config import flatten, unflatten
from picogpt.train.frozen import loss_and_upper_gradients
from picogpt.train.loop import trainable
from picogpt.train.parallel import parallel_loss_and_gradients

GOLDEN = np.load(Path(__file__).parents[1] / "reference" / "backward.npz")
PARAMS = unflatten(part_of(GOLDEN, "params/"))
TEXT = np.random.default_rng(0).integers(30, size=(6, 11))
IDS, TARGETS = TEXT[:, :-1], TEXT[:, 1:]


def run(n_parts: int, n_threads: int, ids=IDS, seed: int = 0, **options):
    with ThreadPoolExecutor(n_threads) as pool:
        return parallel_loss_and_gradients(
            ids, TARGETS, PARAMS, 2, pool=pool, n_parts=n_parts,
            rng=np.random.default_rng(seed), **options,
        )  # fmt: skip


@pytest.mark.parametrize("n_parts", [1, 2, 3, 6])
def test_parts_give_what_the_whole_gives(n_parts):
    loss, grads = run(n_parts, 2)
    expected_loss, expected = loss_and_gradients(IDS, TARGETS, PARAMS, 2)
    assert loss == pytest.approx(expected_loss, rel=1e-6)
    for path, g in flatten(expected).items():
        assert error(grads[path], g) < 1e-5, path
        assert grads[path].dtype == np.float32


@pytest.mark.parametrize("freeze", [0, 1, 2])
@pytest.mark.parametrize("dropout", [0.0, 0.3])
@pytest.mark.parametrize("separate_head", [False, True])
def test_without_the_frozen_ones_the_others_stay_the_same(freeze, dropout, separate_head):
    params = {name: tree for name, tree in PARAMS.items() if name != "lm_head"}
    if separate_head:
        params["lm_head"] = GOLDEN["lm_head"]
    options = [{"dropout": dropout, "rng": np.random.default_rng(2)} for _ in range(2)]
    loss, grads = loss_and_upper_gradients(IDS, TARGETS, params, 2, freeze=freeze, **options[0])
    expected_loss, expected = loss_and_gradients(IDS, TARGETS, params, 2, **options[1])
    assert loss == pytest.approx(expected_loss, rel=1e-6)
    learning = trainable(expected, freeze)
    assert grads.keys() == learning.keys()
    for path, g in learning.items():
        assert error(grads[path], g) < 1e-5, path


def test_freezing_is_passed_on_to_every_part():
    assert run(3, 2, freeze=1)[1].keys() == trainable(PARAMS, 1).keys()


@pytest.mark.parametrize("dropout", [0.0, 0.3])
def test_threads_change_nothing(dropout):
    loss, grads = run(6, 1, dropout=dropout)
    for n_threads in (2, 5):
        other_loss, others = run(6, n_threads, dropout=dropout)
        assert other_loss == loss
        assert all(np.array_equal(others[path], g) for path, g in grads.items())


def test_every_part_and_every_step_draws_masks_of_its_own():
    twice = np.concatenate([IDS[:3], IDS[:3]])
    targets = np.concatenate([TARGETS[:3], TARGETS[:3]])
    rng = np.random.default_rng(0)
    with ThreadPoolExecutor(2) as pool:
        options = {"pool": pool, "rng": rng, "dropout": 0.3}
        first, _ = parallel_loss_and_gradients(twice, targets, PARAMS, 2, n_parts=2, **options)
        second, _ = parallel_loss_and_gradients(twice, targets, PARAMS, 2, n_parts=2, **options)
    rng = np.random.default_rng(0)
    seed = rng.integers(2**63, size=2)[0]
    of_one_mask, _ = loss_and_gradients(
        IDS[:3], TARGETS[:3], PARAMS, 2, dropout=0.3, rng=np.random.default_rng(seed)
    )
    assert len({first, second, of_one_mask}) == 3


def test_an_error_in_a_part_is_raised():
    wrong = IDS.copy()
    wrong[5, 5] = 30
    with pytest.raises(ValueError, match="id 30 is not in the vocabulary"):
        run(3, 2, wrong)
