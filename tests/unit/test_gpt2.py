"""The public face: load a folder, compute, write. The judge is transformers (make_tiny.py)."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from support import error

import picogpt
from picogpt.config import activation_shapes
from picogpt.tap import record
from picogpt.weights import cache

REFERENCE = Path(__file__).parents[1] / "reference"
EXPECTED = json.loads((REFERENCE / "tiny.json").read_text("utf-8"))


@pytest.fixture(scope="module")
def model():
    return picogpt.load(REFERENCE / "tiny")


@pytest.fixture
def folder(tmp_path):
    """A copy of the model's folder, to be damaged."""
    return Path(shutil.copytree(REFERENCE / "tiny", tmp_path / "model"))


@pytest.mark.parametrize("expected", EXPECTED, ids=lambda expected: repr(expected["prompt"]))
def test_greedy_text_equals_transformers(model, expected):
    assert model.prompt_ids(expected["prompt"]) == expected["ids"]
    assert model.generate(expected["prompt"], max_new_tokens=40) == expected["text"]
    assert "".join(model.stream(expected["prompt"], max_new_tokens=40)) == expected["text"]


def test_config_and_params(model):
    hparams = json.loads((REFERENCE / "tiny" / "hparams.json").read_text("utf-8"))
    assert {name: getattr(model.config, name) for name in hparams} == hparams
    assert model.params["h"][1]["attn"]["c_attn"]["w"].shape == (24, 72)


def test_logits_of_lists(model):
    logits = model([1, 2, 3])
    assert logits.shape == (3, model.config.n_vocab)
    assert logits.dtype == np.float32
    batch = model([[1, 2, 3], [4, 5, 6]])
    assert batch.shape == (2, 3, model.config.n_vocab)
    assert error(batch[0], logits) < 1e-6


def test_tap(model):
    seen = {}
    model([1, 2, 3], tap=record(seen))
    assert seen.keys() == activation_shapes(model.config, 3).keys()


def test_same_seed_same_text(model):
    write = lambda seed: model.generate("The river", 30, temperature=1.0, seed=seed)
    assert write(1) == write(1)
    assert write(1) != write(2)
    assert write(None) != write(None)


def test_sampling_arguments_are_used(model):
    greedy = model.generate("The river", 20)
    assert model.generate("The river", 20, temperature=2.0, top_k=1, seed=1) == greedy
    assert model.generate("The river", 20, temperature=2.0, top_p=1e-9, seed=1) == greedy
    assert model.generate("The river", 20, temperature=2.0, seed=1) != greedy


def test_stop_strings(model):
    text = model.generate("The river", 40)
    middle = text[-12:-8]
    assert any(c in text[: text.index(middle)] for c in middle)  # the whole string stops, no letter
    assert model.generate("The river", 40, stop=middle) == text[: text.index(middle)]
    assert model.generate("The river", 40, stop=["not there", middle]) == text[: text.index(middle)]


def test_ends_before_endoftext(model, monkeypatch):
    third = EXPECTED[0]["new_ids"][2]
    monkeypatch.setattr(model.tokenizer, "endoftext", third)
    first_two = model.tokenizer.decode(EXPECTED[0]["new_ids"][:2])
    assert third not in EXPECTED[0]["new_ids"][:2]
    assert model.generate("The river", 40) == first_two


def test_endoftext_in_a_prompt_is_text(model):
    assert model.tokenizer.endoftext not in model.prompt_ids("<|endoftext|>")


def test_writes_until_the_context_is_full(model):
    n_prompt = len(model.prompt_ids("The river"))
    pieces = []
    model.tokenizer.decode_bytes, original = (
        lambda ids: pieces.append(ids) or original(ids),
        model.tokenizer.decode_bytes,
    )
    try:
        model.generate("The river", max_new_tokens=1000)
    finally:
        del model.tokenizer.decode_bytes
    assert len(pieces) == 64 - n_prompt + 1


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"temperature": -1}, "temperature is -1"),
        ({"top_k": 0}, "top_k is 0"),
        ({"top_p": 1.5}, "top_p is 1.5"),
        ({"max_new_tokens": 0}, "max_new_tokens is 0"),
        ({"stop": ["a", ""]}, "a stop string is empty"),
        ({"prompt": "cat " * 64}, r"the prompt has \d+ tokens and leaves no room .* n_ctx is 64"),
    ],
)
def test_bad_arguments_are_refused_at_once(model, arguments, message):
    with pytest.raises(ValueError, match=message):
        model.stream(**({"prompt": "The river"} | arguments))


def test_ragged_batch(model):
    with pytest.raises(ValueError, match=r"rows of ids have different lengths: \[2, 3\]"):
        model([[1, 2, 3], [4, 5]])


def test_id_out_of_range(model):
    with pytest.raises(ValueError, match="id 100000 is not in the vocabulary"):
        model([100000])


def test_no_such_model(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(
        FileNotFoundError, match="no model '124m': neither a folder nor one of 124M"
    ):
        picogpt.load("124m")


def test_offline_never_downloads(tmp_path, monkeypatch):
    monkeypatch.setenv("PICOGPT_HOME", str(tmp_path))
    monkeypatch.setattr("picogpt.gpt2.download", lambda size: pytest.fail("it downloads"))
    with pytest.raises(FileNotFoundError, match="124M is not in the cache .* offline"):
        picogpt.load("124M", offline=True)


def test_a_size_is_downloaded_and_then_cached(folder, tmp_path, monkeypatch):
    monkeypatch.setenv("PICOGPT_HOME", str(tmp_path / "home"))
    sizes = {path.name: cache.Published(path.stat().st_size) for path in folder.iterdir()}
    monkeypatch.setitem(cache.RELEASED, "124M", sizes)

    def download(size):
        return Path(shutil.copytree(folder, cache.model_folder(size)))

    monkeypatch.setattr("picogpt.gpt2.download", download)
    assert picogpt.load("124M").config.n_embd == 24
    monkeypatch.setattr("picogpt.gpt2.download", lambda size: pytest.fail("it downloads again"))
    assert picogpt.load("124M").config.n_embd == 24
    assert picogpt.load("124M", offline=True).config.n_embd == 24


def test_vocabulary_of_another_size(folder):
    hparams = json.loads((folder / "hparams.json").read_text("utf-8"))
    encoder = json.loads((folder / "encoder.json").read_text("utf-8"))
    *merges, last = (folder / "vocab.bpe").read_text("utf-8").splitlines()
    del encoder[last.replace(" ", "")]
    encoder = {token: i for i, token in enumerate(encoder)}
    (folder / "encoder.json").write_text(json.dumps(encoder), "utf-8")
    (folder / "vocab.bpe").write_text("\n".join(merges) + "\n", "utf-8")
    n = hparams["n_vocab"]
    with pytest.raises(ValueError, match=f"the tokenizer has {n - 1} tokens, the model {n}"):
        picogpt.load(folder)


@pytest.mark.parametrize(
    "name",
    [
        "hparams.json",
        "encoder.json",
        "vocab.bpe",
        "model.ckpt.index",
        "model.ckpt.data-00000-of-00001",
    ],
)
def test_missing_file(folder, name):
    (folder / name).unlink()
    with pytest.raises(FileNotFoundError, match=name):
        picogpt.load(folder)
