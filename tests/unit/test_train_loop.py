"""The training loop: what a step does, what is kept, and when it ends."""

import json
import math
from dataclasses import replace

import numpy as np
import pytest

from picogpt.backward import loss_and_gradients
from picogpt.bpe import ByteLevelBPE
from picogpt.bpe.pretokenize import ALPHABET
from picogpt.bpe.tokenizer import ENDOFTEXT
from picogpt.config import Config, flatten
from picogpt.evaluate.documents import cut_documents, encode_documents
from picogpt.evaluate.score import score, token_lengths
from picogpt.train import loop, parallel
from picogpt.train.adamw import zero_moments
from picogpt.train.data import batch
from picogpt.train.init import initial_params
from picogpt.train.loop import Run, thread_pool, train, trainable, update
from picogpt.train.randomness import generator
from picogpt.train.recipe import Recipe
from picogpt.train.run_folder import State

BYTES = ByteLevelBPE({token: i for i, token in enumerate([*ALPHABET, ENDOFTEXT])}, [])
CONFIG = Config(n_vocab=257, n_ctx=16, n_embd=16, n_head=2, n_layer=2)
RECIPE = Recipe(
    steps=20,
    batch=4,
    accumulate=1,
    lr=3e-3,
    min_lr=3e-4,
    warmup=2,
    weight_decay=0.1,
    beta2=0.99,
    clip=1.0,
    dropout=0.0,
    freeze=None,
    eval_every=5,
    eval_windows=8,
    patience=None,
    sample="a",
    seed=0,
)
POOL = thread_pool(2)
TALE = "the fox and the hen went to the wood, and the hen came home without the fox. "


@pytest.fixture
def kept(monkeypatch) -> list:
    """The weights that were kept as the best, path -> array, each time."""
    kept = []

    def keep(run):
        kept.append({path: x.copy() for path, x in flatten(run.params).items()})

    monkeypatch.setattr(loop, "save_weights", keep)
    return kept


@pytest.fixture
def new_run(tmp_path, kept):
    def new(valid=TALE, config=CONFIG, **recipe) -> Run:
        (tmp_path / "run").mkdir(exist_ok=True)
        recipe = replace(RECIPE, **recipe)
        params = initial_params(config, generator(recipe.seed, "weights"))
        held_out = encode_documents([valid], BYTES)
        return Run(
            out=tmp_path,
            recipe=recipe,
            config=config,
            tokenizer=BYTES,
            tokens=encode_documents([TALE], BYTES),
            held_out=cut_documents(held_out, config.n_ctx, BYTES.endoftext),
            params=params,
            moments=zero_moments(trainable(params, recipe.freeze)),
            state=State(),
        )

    return new


def held_out_loss(run: Run) -> float:
    windows = run.held_out.spread(run.recipe.eval_windows)
    return score(windows, run.params, run.config.n_head, token_lengths(BYTES)).nats_per_token


def test_initial_weights():
    config = Config(n_vocab=257, n_ctx=64, n_embd=64, n_head=4, n_layer=8)
    for path, x in flatten(initial_params(config, generator(0, "weights"))).items():
        assert x.dtype == np.float32
        if path.endswith(".b"):
            assert not x.any()
        elif path.endswith(".g"):
            assert (x == 1).all()
        else:
            std = 0.02 / 4 if path.endswith("c_proj.w") else 0.01 if path == "wpe" else 0.02
            assert x.std() == pytest.approx(std, rel=0.05), path
            assert abs(x.mean()) < std * 0.1


def test_a_small_text_is_learned_by_heart(new_run):
    pangram = "Sphinx of black quartz, judge my vow!"
    run = new_run(valid=pangram, steps=200, lr=1e-2, min_lr=1e-3, warmup=10, eval_every=200)
    run.tokens = encode_documents([pangram], BYTES)
    train(run, POOL)
    assert held_out_loss(run) < 0.05  # of log(257) = 5.5


@pytest.fixture
def step(monkeypatch):
    """What a step computes, and AdamW is given: the loss, and path -> gradient."""

    def step(run):
        given = {}
        monkeypatch.setattr(loop, "adamw", lambda params, grads, *_, **__: given.update(grads))
        return update(run, POOL), given

    return step


@pytest.mark.parametrize("n_parts", [1, 2, 4])
def test_a_batch_in_parts_is_the_whole_batch(new_run, step, monkeypatch, n_parts):
    shapes = []

    def seen(ids, *args, **kwargs):
        shapes.append(ids.shape)
        return loss_and_gradients(ids, *args, **kwargs)

    monkeypatch.setattr(parallel, "loss_and_gradients", seen)
    run = new_run(accumulate=n_parts, clip=1e9)
    ids, targets = batch(run.tokens, CONFIG.n_ctx, 4, 0, 0)
    loss, grads = loss_and_gradients(ids, targets, run.params, CONFIG.n_head)
    loss_in_parts, grads_in_parts = step(run)
    assert shapes == [(4 // n_parts, CONFIG.n_ctx)] * n_parts
    assert loss_in_parts == pytest.approx(loss, rel=1e-6)
    for path, g in flatten(grads).items():
        assert np.abs(grads_in_parts[path] - g).max() < 1e-5 * np.ptp(g), path


def test_gradients_of_what_learns(new_run, step):
    run = new_run(freeze=1)
    assert step(run)[1].keys() == trainable(run.params, 1).keys()


def test_dropout_differs_from_step_to_step_and_by_seed_only(new_run, step, monkeypatch):
    ids = np.zeros((4, CONFIG.n_ctx), np.int64)
    monkeypatch.setattr(loop, "batch", lambda *_: (ids, ids))

    def loss(n, seed=0, dropout=0.5):
        run = new_run(dropout=dropout, seed=seed)
        run.state.step = n
        run.params = initial_params(CONFIG, generator(0, "weights"))
        return step(run)[0]

    assert loss(3) == loss(3)
    assert len({loss(3), loss(4), loss(3, seed=1), loss(3, dropout=0.0)}) == 4


def test_gradients_are_clipped(new_run, monkeypatch):
    seen = []
    monkeypatch.setattr(loop, "adamw", lambda params, grads, *_, **__: seen.append(grads))
    update(new_run(clip=1e-3), POOL)
    assert math.sqrt(sum((g**2).sum() for g in seen[0].values())) == pytest.approx(1e-3, rel=1e-4)


def test_what_adamw_is_given(new_run, monkeypatch):
    seen = []
    monkeypatch.setattr(loop, "adamw", lambda *args, **kwargs: seen.append((args[3], kwargs)))
    run = new_run()
    run.state.step = 2
    update(run, POOL)
    assert seen == [(3, {"lr": 3e-3, "betas": (0.9, 0.99), "weight_decay": 0.1})]


@pytest.mark.parametrize("freeze", [0, 1, 2])
def test_frozen_parameters_stay_as_they_are(new_run, freeze):
    run = new_run(freeze=freeze, weight_decay=0.5)
    before = {path: x.copy() for path, x in flatten(run.params).items()}
    train(run, POOL)
    frozen = ("wte", "wpe", *(f"h.{i}." for i in range(freeze)))
    for path, x in flatten(run.params).items():
        assert np.array_equal(x, before[path]) == path.startswith(frozen), path
    assert run.moments["m"].keys() == trainable(run.params, freeze).keys()


def test_nothing_is_frozen_by_default(new_run):
    run = new_run()
    before = {path: x.copy() for path, x in flatten(run.params).items()}
    train(run, POOL)
    for path, x in flatten(run.params).items():
        assert not np.array_equal(x, before[path]), path
        assert x.dtype == np.float32


def test_ten_times_ten_blocks():
    params = initial_params(
        Config(n_vocab=8, n_ctx=4, n_embd=2, n_head=1, n_layer=12), generator(0, "weights")
    )
    learning = trainable(params, 2)
    assert {int(path.split(".")[1]) for path in learning if path.startswith("h.")} == {
        *range(2, 12)
    }


def test_the_best_weights_are_kept(new_run, kept):
    # What is held out is nothing like what is learned, so learning helps at first and then harms.
    run = new_run(valid="zqx jvk " * 8, steps=60, eval_every=4, lr=1e-2)
    train(run, POOL)
    assert 0 < run.state.best_step < 60
    last = held_out_loss(run)
    for path, x in flatten(run.params).items():
        x[...] = kept[-1][path]
    assert held_out_loss(run) == run.state.best_loss < last


def test_patience(new_run, kept, capsys):
    run = new_run(valid="zqx jvk " * 8, steps=200, eval_every=4, lr=1e-2, patience=3)
    train(run, POOL)
    assert run.state.step == run.state.best_step + 3 * 4 < 200
    assert run.state.worse == 3
    assert len(capsys.readouterr().out.split("step ")[1:]) == run.state.step / 4 + 1


def test_patience_begins_anew_with_every_best(new_run, kept):
    run = new_run()
    seen = []
    for loss in (3.0, 3.5, 2.0, 2.0, 4.0, 1.0):
        seen.append((loop.keep_if_best(run, loss), run.state.best_loss, run.state.worse))
    assert seen == [
        (True, 3.0, 0), (False, 3.0, 1), (True, 2.0, 0), (False, 2.0, 1), (False, 2.0, 2),
        (True, 1.0, 0),
    ]  # fmt: skip
    assert len(kept) == 3


def test_the_loss_in_the_log_is_the_mean_since_the_last_line(new_run, monkeypatch):
    losses = []
    honest = loop.update

    def update(*args):
        losses.append(honest(*args))
        return losses[-1]

    monkeypatch.setattr(loop, "update", update)
    run = new_run(steps=12, eval_every=5)
    train(run, POOL)
    log = [json.loads(line) for line in (run.out / "run" / "log.jsonl").read_bytes().splitlines()]
    means = [np.mean(part) for part in (losses[:5], losses[5:10], losses[10:])]
    assert [record["step"] for record in log] == [0, 5, 10, 12]
    assert [record["loss"] for record in log] == [None, *map(pytest.approx, means)]


@pytest.mark.parametrize("bad", [np.nan, np.inf])
@pytest.mark.parametrize("path", ["wte", "h.1.mlp.c_fc.w"])
def test_a_run_that_diverges_keeps_the_last_good_weights(new_run, kept, monkeypatch, bad, path):
    run = new_run(eval_every=2)
    checkpoint = run.out / "run" / "checkpoint.npz"
    honest = loop.parallel_loss_and_gradients

    def overflow(*args, **kwargs):
        loss, grads = honest(*args, **kwargs)
        if run.state.step == 7:
            grads[path][0] = bad
        return loss, grads

    monkeypatch.setattr(loop, "parallel_loss_and_gradients", overflow)
    with pytest.raises(
        ValueError, match=r"length of the gradient became .* at step 7; the weights of step 6, the "
    ):
        train(run, POOL)
    assert all(np.isfinite(x).all() for x in flatten(run.params).values())
    with np.load(checkpoint) as file:
        assert all(np.isfinite(file[name]).all() for name in file if name != "state")
    assert all(np.isfinite(x).all() for x in kept[-1].values())


def test_a_loss_that_is_not_a_number_ends_the_run(new_run, kept, recwarn):
    run = new_run()
    train(replace(run, recipe=replace(run.recipe, steps=5, warmup=0)), POOL)
    run.params["h"][0]["attn"]["c_attn"]["w"][...] = 1e30  # overflows in the scores
    with pytest.raises(
        ValueError, match="the loss became nan at step 5; the weights of step 5, the best"
    ):
        train(run, POOL)
    assert len(kept) == 2
    assert not recwarn.list


def test_overflow_is_not_warned_of(new_run, kept, recwarn, monkeypatch):
    def overflow(*args, **kwargs):
        difference = np.float32([np.inf]) - np.float32([np.inf])
        return difference.item(), flatten(run.params)

    run = new_run()
    monkeypatch.setattr(loop, "parallel_loss_and_gradients", overflow)
    with pytest.raises(ValueError, match="the loss became nan at step 0"):
        train(run, POOL)
    assert not recwarn.list


def test_a_held_out_loss_that_is_not_a_number_ends_the_run(new_run, kept):
    run = new_run()
    run.held_out = run.held_out.spread(1)
    train(replace(run, recipe=replace(run.recipe, steps=4, warmup=0)), POOL)
    run.params["wpe"][-1] = np.nan
    with pytest.raises(ValueError, match="became nan"):
        loop.evaluate(run, POOL, loop.Clock(4, 0.0))


def test_a_model_that_is_broken_from_the_start_is_not_kept(new_run, kept):
    run = new_run()
    run.params["wpe"][0] = np.nan
    with pytest.raises(ValueError, match="held-out loss became nan at step 0; no weights were"):
        train(run, POOL)
    assert not kept


def test_runs_of_one_seed_are_the_same_and_of_another_are_not(new_run, kept):
    runs = [new_run(seed=seed, dropout=0.1) for seed in (0, 0, 1)]
    for run in runs:
        train(run, POOL)
    a, b, c = (run.params["h"][0]["mlp"]["c_fc"]["w"] for run in runs)
    assert np.array_equal(a, b)
    assert not np.array_equal(a, c)


def test_the_average_is_evaluated_and_kept(new_run, kept, monkeypatch):
    run = new_run(steps=7, eval_every=7, average=0.6)
    run.moments["average"] = {path: np.zeros_like(x) for path, x in flatten(run.params).items()}
    evaluated, after = [], []
    honest_score, honest_update = loop.score, loop.update

    def score(windows, params, *args):
        evaluated.append({path: x.copy() for path, x in flatten(params).items()})
        return honest_score(windows, params, *args)

    def update(*args):
        loss = honest_update(*args)
        after.append({path: x.copy() for path, x in flatten(run.params).items()})
        return loss

    monkeypatch.setattr(loop, "score", score)
    monkeypatch.setattr(loop, "update", update)
    monkeypatch.setattr(loop, "save_weights", lambda run: kept.append(loop.shown_params(run)))
    train(run, POOL)
    share = 0.4 * 0.6 ** np.arange(6)[::-1]  # of steps 2 to 7; the first has what is left
    for path, x in flatten(kept[-1]).items():
        steps = np.array([weights[path] for weights in after])
        expected = np.tensordot([0.6**6, *share], steps, 1)
        assert np.abs(x - expected).max() < 1e-6, path
        assert np.array_equal(x, evaluated[-1][path])
        assert x.dtype == np.float32
    start = flatten(initial_params(CONFIG, generator(0, "weights")))
    assert all(np.array_equal(x, start[path]) for path, x in evaluated[0].items())


def test_averaging_leaves_the_run_as_it_was(new_run):
    plain, averaged = new_run(), new_run(average=0.9)
    averaged.moments["average"] = {
        path: np.zeros_like(x) for path, x in flatten(plain.params).items()
    }
    for run in (plain, averaged):
        train(run, POOL)
    for path, x in flatten(plain.params).items():
        assert np.array_equal(x, flatten(averaged.params)[path]), path
