"""The run folder: what is written comes back bit for bit, and what is damaged is refused."""

import json
import zipfile
from types import SimpleNamespace

import numpy as np
import pytest

from picogpt.bpe import ByteLevelBPE
from picogpt.bpe.pretokenize import ALPHABET
from picogpt.bpe.tokenizer import ENDOFTEXT
from picogpt.config import Config, flatten
from picogpt.train.adamw import zero_moments
from picogpt.train.init import initial_params
from picogpt.train.prepare import Texts, open_run
from picogpt.train.randomness import generator
from picogpt.train.run_folder import (
    CHECKPOINT,
    LOG,
    SETTINGS,
    State,
    alone,
    append_to_log,
    check_settings,
    cut_log,
    find_run,
    read_checkpoint,
    read_tokens,
    write_checkpoint,
    write_settings,
    write_tokens,
)

CONFIG = Config(n_vocab=7, n_ctx=4, n_embd=4, n_head=2, n_layer=1)
STATE = State(step=7, best_loss=0.1 + 0.2, best_step=5, worse=2, losses=[1 / 3, 2.5], log_bytes=9)


def weights(seed: int) -> tuple[dict, dict]:
    """Parameters and moments, each path -> array; some are NaN, infinite, and minus 0."""
    params = flatten(initial_params(CONFIG, generator(seed, "weights")))
    params["wte"][:3, 0] = [np.nan, -np.inf, -0.0]
    moments = zero_moments({path: x for path, x in params.items() if path != "wpe"})
    for number, kind in enumerate(moments.values()):
        for x in kind.values():
            x += generator(seed + number + 1, "dropout").standard_normal(x.shape, np.float32)
    return params, moments


def bits(arrays: dict) -> dict:
    return {path: x.tobytes() for path, x in arrays.items()}


def test_a_checkpoint_comes_back_bit_for_bit(tmp_path):
    path = tmp_path / CHECKPOINT
    params, moments = weights(0)
    write_checkpoint(path, params, moments, STATE)
    new_params, new_moments = weights(10)
    assert read_checkpoint(path, new_params, new_moments) == STATE
    assert bits(new_params) == bits(params)
    assert bits(new_moments["m"]) == bits(moments["m"])
    assert bits(new_moments["v"]) == bits(moments["v"])
    assert [p.name for p in tmp_path.iterdir()] == [CHECKPOINT]


def test_a_checkpoint_that_cannot_be_finished_leaves_the_old_one(tmp_path, monkeypatch):
    path = tmp_path / CHECKPOINT
    params, moments = weights(0)
    write_checkpoint(path, params, moments, STATE)

    def full(file, **arrays):
        file.write(b"half")
        raise OSError("No space left on device")

    monkeypatch.setattr(np, "savez", full)
    with pytest.raises(OSError, match="No space"):
        write_checkpoint(path, params, moments, State())
    assert read_checkpoint(path, *weights(0)) == STATE


@pytest.mark.parametrize("n_bytes", [0, 1, 100, 3000, -1])
def test_a_truncated_checkpoint(tmp_path, n_bytes):
    path = tmp_path / CHECKPOINT
    write_checkpoint(path, *weights(0), STATE)
    path.write_bytes(path.read_bytes()[:n_bytes])
    with pytest.raises(ValueError, match="checkpoint.npz is damaged: "):
        read_checkpoint(path, *weights(0))


def test_a_checkpoint_with_a_flipped_bit(tmp_path):
    path = tmp_path / CHECKPOINT
    params, moments = weights(0)
    write_checkpoint(path, params, moments, STATE)
    data = bytearray(path.read_bytes())
    data[data.index(params["h.0.mlp.c_fc.w"].tobytes()) + 5] ^= 1
    path.write_bytes(data)
    with pytest.raises(ValueError, match="checkpoint.npz is damaged: Bad CRC"):
        read_checkpoint(path, *weights(0))


def test_any_flipped_bit_is_found_or_means_nothing(tmp_path):
    path = tmp_path / CHECKPOINT
    params, moments = weights(0)
    write_checkpoint(path, params, moments, STATE)
    whole = path.read_bytes()
    rng = np.random.default_rng(0)
    for bit in rng.choice(8 * len(whole), 100, replace=False).tolist():
        data = bytearray(whole)
        data[bit // 8] ^= 1 << bit % 8
        path.write_bytes(data)
        found, found_moments = weights(10)
        try:
            state = read_checkpoint(path, found, found_moments)
        except ValueError as error:
            assert "checkpoint.npz is damaged: " in str(error)
        else:  # a date, for instance
            assert state == STATE
            assert bits(found) == bits(params)


def replace_member(path, name: str, data: bytes | None) -> None:
    with zipfile.ZipFile(path) as file:
        members = {member: file.read(member) for member in file.namelist()}
    members.pop(name)
    with zipfile.ZipFile(path, "w") as file:
        for member, content in members.items():
            file.writestr(member, content)
        if data is not None:
            file.writestr(name, data)


@pytest.mark.parametrize(
    ("name", "array", "message"),
    [
        ("params/wte", None, "wte"),
        ("m/wte", np.zeros((7, 5), np.float32), r"m/wte is float32 \[7, 5\]"),
        ("v/wte", np.zeros((7, 4)), r"v/wte is float64 \[7, 4\]"),
        ("params/wte", np.array([print] * 3), "allow_pickle=False"),
        ("state", None, "state"),
        ("state", np.array("{"), "line 1"),
        ("state", np.array("[1, 2]"), "mapping"),
        ("state", np.array('{"stepp": 3}'), "stepp"),
    ],
)
def test_a_checkpoint_with_other_contents(tmp_path, name, array, message):
    path = tmp_path / CHECKPOINT
    write_checkpoint(path, *weights(0), STATE)
    data = None
    if array is not None:
        np.save(tmp_path / "x.npy", array, allow_pickle=True)
        data = (tmp_path / "x.npy").read_bytes()
    replace_member(path, f"{name}.npy", data)
    with pytest.raises(ValueError, match=f"checkpoint.npz is damaged: .*{message}"):
        read_checkpoint(path, *weights(0))


def test_tokens_come_back_mapped(tmp_path):
    train, valid = np.arange(9, dtype=np.uint16), np.arange(70000, 70003, dtype=np.uint32)
    write_tokens(tmp_path, train, valid)
    for found, expected in zip(read_tokens(tmp_path), (train, valid)):
        assert isinstance(found, np.memmap)
        assert found.dtype == expected.dtype
        assert np.array_equal(found, expected)


@pytest.fixture
def run(tmp_path):
    write_tokens(tmp_path, np.arange(9), np.arange(4))
    write_settings(tmp_path, {"--lr": 1e-3, "--init": None, "text": "é"})
    return tmp_path


def test_the_same_settings(run):
    check_settings(run, {"--lr": 0.001, "--init": None, "text": "é"})


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"--lr": 2e-3, "--init": None, "text": "é"}, "--lr was 0.001, now it is 0.002$"),
        ({"--lr": 1e-3, "--init": "124M", "text": "é"}, "--init was None, now it is '124M'$"),
        ({"--lr": 1e-3, "--init": None}, "text was 'é', now it is None$"),
    ],
)
def test_other_settings(run, settings, message):
    with pytest.raises(ValueError, match=f"was begun with other settings: {message}"):
        check_settings(run, settings)


def test_other_tokens(run):
    write_tokens(run, np.arange(10), np.arange(4))
    with pytest.raises(ValueError, match=r"other settings: SHA-256 of train.npy was "):
        check_settings(run, {"--lr": 1e-3, "--init": None, "text": "é"})


@pytest.mark.parametrize("text", ["", "{", "[]", '{"a": 1, "a": 1}'])
def test_damaged_settings(run, text):
    (run / SETTINGS).write_text(text)
    with pytest.raises(ValueError, match="settings.json: "):
        check_settings(run, {})


def test_the_log_is_cut_and_goes_on(tmp_path):
    path = tmp_path / LOG
    append_to_log(path, {"step": 1, "sample": "é\udc80"})
    n_bytes = append_to_log(path, {"step": 2})
    assert n_bytes == path.stat().st_size
    append_to_log(path, {"step": 3})
    cut_log(path, n_bytes)
    append_to_log(path, {"step": 4})
    records = [json.loads(line) for line in path.read_text("utf-8").splitlines()]
    assert records == [{"step": 1, "sample": "é?"}, {"step": 2}, {"step": 4}]


def test_a_log_that_has_lost_lines(tmp_path):
    path = tmp_path / LOG
    append_to_log(path, {"step": 1})
    cut_log(path, 20)
    assert path.stat().st_size == 12
    path.unlink()
    cut_log(path, 20)
    assert path.stat().st_size == 0


@pytest.mark.parametrize(
    "state",
    [{"step": "7"}, {"losses": ["x"]}, {"losses": 3}, {"best_loss": []}, {"step": -1}, {"x": 1}],
)
def test_a_state_of_other_types(tmp_path, state, monkeypatch):
    path = tmp_path / CHECKPOINT
    monkeypatch.setattr("picogpt.train.run_folder.asdict", lambda _: state)
    write_checkpoint(path, *weights(0), STATE)
    with pytest.raises(ValueError, match="checkpoint.npz is damaged: "):
        read_checkpoint(path, *weights(0))


def test_a_disk_that_is_full_is_named(tmp_path, monkeypatch):
    def full(file, **arrays):
        raise OSError("147102 requested and 8128 written")  # as NumPy says it

    monkeypatch.setattr(np, "savez", full)
    with pytest.raises(OSError, match="No space left on device: .*checkpoint.npz"):
        write_checkpoint(tmp_path / CHECKPOINT, *weights(0), STATE)


def test_a_run_of_another_length_may_be_resumed(tmp_path):
    write_tokens(tmp_path, np.arange(3), np.arange(2))
    write_settings(tmp_path, {"--steps": 10, "--warmup": 1, "--decay": None, "--lr": 0.1})
    check_settings(tmp_path, {"--steps": 20, "--warmup": 2, "--decay": 5, "--lr": 0.1})
    check_settings(tmp_path, {"--steps": 10, "--warmup": 1, "--decay": 5, "--lr": 0.1})
    with pytest.raises(ValueError, match="--warmup was 1, now it is 2"):
        check_settings(tmp_path, {"--steps": 10, "--warmup": 2, "--decay": 5, "--lr": 0.1})
    with pytest.raises(ValueError, match="--lr was 0.1, now it is 0.2"):
        check_settings(tmp_path, {"--steps": 30, "--warmup": 2, "--decay": 5, "--lr": 0.2})


def make(folder, *names: str) -> None:
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("mine")


def test_a_free_folder(tmp_path):
    for resume in (False, True):
        assert not find_run(tmp_path, resume)
        assert not find_run(tmp_path / "absent", resume)


def test_a_folder_in_which_a_run_was_killed_before_it_began(tmp_path):
    make(tmp_path, "run/lock", "run/train.npy", "run/checkpoint.npz.part", "run/settings.json.part")
    for resume in (False, True):
        assert not find_run(tmp_path, resume)


@pytest.mark.parametrize(
    "names", [["thesis.txt"], ["run/thesis.txt"], [".hidden"], ["run/log.jsonl"]]
)
def test_a_folder_of_something_else(tmp_path, names):
    make(tmp_path, *names)
    for resume in (False, True):
        with pytest.raises(ValueError, match="is not empty and holds no run"):
            find_run(tmp_path, resume)


def test_a_file_in_place_of_the_folder(tmp_path):
    make(tmp_path, "model")
    with pytest.raises(ValueError, match="model is a file, expected a folder"):
        find_run(tmp_path / "model", False)


def test_a_folder_with_a_run(tmp_path):
    make(tmp_path, "run/settings.json", "run/checkpoint.npz", "config.json")
    assert find_run(tmp_path, True)
    with pytest.raises(ValueError, match="already holds a run: add --resume"):
        find_run(tmp_path, False)


def test_a_run_without_checkpoint(tmp_path):
    make(tmp_path, "run/settings.json")
    with pytest.raises(
        ValueError, match="has no checkpoint.npz, so the run in it cannot be resumed"
    ):
        find_run(tmp_path, True)


def test_one_process_at_a_time(tmp_path):
    with (
        alone(tmp_path),
        pytest.raises(ValueError, match="another process is training in"),
        alone(tmp_path),
    ):
        pass
    with alone(tmp_path):
        pass


def test_a_run_that_another_process_has_finished_meanwhile_is_left_alone(tmp_path):
    """The folder was free before this process had read its texts, and is not any more."""
    texts = Texts(
        learn=["a tale of a b c " * 9, "another one"], valid="held out", held_out_fraction=0.1
    )
    tokenizer = ByteLevelBPE({c: i for i, c in enumerate([*ALPHABET, ENDOFTEXT])}, [])
    config = Config(n_vocab=257, n_ctx=4, n_embd=4, n_head=2, n_layer=1)
    recipe = SimpleNamespace(seed=0, freeze=None, optimizer="adamw", average=None)
    params = initial_params(config, generator(0, "weights"))
    arguments = (tmp_path, False, {"--steps": 1}, texts, recipe, config, tokenizer, params)
    with open_run(*arguments):
        pass
    before = (tmp_path / "run" / CHECKPOINT).read_bytes()
    with pytest.raises(ValueError, match="already holds a run"), open_run(*arguments):
        pass
    assert (tmp_path / "run" / CHECKPOINT).read_bytes() == before
