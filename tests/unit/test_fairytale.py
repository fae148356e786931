"""The bundled model is what its card says, and it tells a story without a network."""

import hashlib
import os
import re
import subprocess
import sys
from dataclasses import asdict
from pathlib import Path

import pytest

import picogpt
from picogpt.config import flatten

pytest_plugins = ["download_fixtures"]

ROOT = Path(__file__).parents[2]
BUNDLED = ROOT / "picogpt" / "bundled"
FILES = {
    "config.json",
    "model.safetensors",
    "vocab.json",
    "merges.txt",
    "tokenizer.json",
    "tokenizer_config.json",
}


def figure(name: str) -> str:
    """What stands after the name in its line of the model card."""
    card = (BUNDLED / "README.md").read_text("utf-8")
    return re.search(rf"^ *{name}: (\S+)$", card, re.MULTILINE)[1]


@pytest.fixture(scope="module")
def model():
    return picogpt.load("fairytale")


def test_size():
    sizes = {path.name: path.stat().st_size for path in (BUNDLED / "fairytale").iterdir()}
    assert sizes.keys() == FILES
    assert sum(sizes.values()) <= 13_000_000


def test_the_weights_are_those_of_the_card():
    weights = (BUNDLED / "fairytale" / "model.safetensors").read_bytes()
    assert figure("sha256 of model.safetensors") == hashlib.sha256(weights).hexdigest()


def test_parameters(model):
    n_params = sum(x.size for x in flatten(model.params).values())
    assert figure("parameters") == f"{n_params:,}"


def test_the_card_is_finished():
    assert "TODO" not in (BUNDLED / "README.md").read_text("utf-8")


def test_the_recipe_is_that_of_the_makefile(model):
    """The card shows every option of `make fairytale`, which makes a model of this shape."""
    makefile = (ROOT / "Makefile").read_text("utf-8").replace("\\\n", " ")
    recipe = re.search(r"^FAIRYTALE = (.*)$", makefile, re.MULTILINE)[1]
    options = re.findall(r'--\S+ (?:"[^"]*"|\S+)', recipe)
    assert len(options) > 10
    card = (BUNDLED / "README.md").read_text("utf-8")
    assert [option for option in options if option not in card] == []
    shape = {f"--{name.replace('_', '-')} {n}" for name, n in asdict(model.config).items()}
    assert shape - set(options) == {f"--n-vocab {model.config.n_vocab}"}


def test_the_first_command_tells_a_story(server, tmp_path):
    done = subprocess.run(
        [sys.executable, "-m", "picogpt", "--offline", "--seed", "1", "Once upon a time"],
        env=os.environ
        | {"PICOGPT_HOME": str(tmp_path / "home"), "PICOGPT_WEIGHTS_URL": server.url},
        capture_output=True,
        check=False,
        cwd=ROOT,
    )
    out, err = done.stdout.decode("utf-8"), done.stderr.decode("utf-8")
    assert done.returncode == 0, err
    assert (
        err
        == "picogpt: GPT-2 124M is not in the cache; the small model fairytale is used instead\n"
    )
    assert server.log == []
    assert out.startswith("Once upon a time")
    words = re.findall("[a-z]+", out.lower())
    assert len(words) > 100
    # in any English story these are more than a quarter of all words
    common = {"the", "and", "to", "a", "of", "he", "she", "it", "was", "in", "that", "his", "her"}
    assert sum(word in common for word in words) > len(words) / 5
