"""GPT-2s whose MLPs have another activation function or another width than OpenAI's."""

import json
import math
from pathlib import Path

import numpy as np
import pytest
from huggingface_files import change, copy
from support import error, random_params

import picogpt
from picogpt import plain
from picogpt.backward import loss_and_gradients
from picogpt.bpe import load_tokenizer
from picogpt.config import Config
from picogpt.evaluate.results import fingerprint
from picogpt.explain.trace import trace
from picogpt.gpt2 import GPT2
from picogpt.train.__main__ import main as train
from picogpt.weights.activation_functions import FUNCTIONS, function_name, with_function
from picogpt.weights.huggingface import read_huggingface

CONFIG = Config(n_vocab=800, n_ctx=300, n_embd=12, n_head=3, n_layer=2)
VOCABULARY = Path(__file__).parents[1] / "reference" / "bpe"
OTHERS = ["gelu", "quick_gelu", "relu"]
IDS = np.arange(280) * 7 % 800  # so many that the cores share them

# For one number, by Python's own mathematics.
BY_MATH = {
    "gelu": lambda x: 0.5 * x * math.erfc(-x / math.sqrt(2)),
    "quick_gelu": lambda x: x / (1 + math.exp(-1.702 * x)),
    "relu": lambda x: max(x, 0.0),
}


def model_with(name: str) -> GPT2:
    params = with_function(random_params(CONFIG, 5), name)
    return GPT2(CONFIG, params, load_tokenizer(VOCABULARY))


@pytest.mark.parametrize("name", OTHERS)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_values(name, dtype):
    x = np.linspace(-9, 9, 20001, dtype=dtype).reshape(3, -1)
    y = FUNCTIONS[name](x)
    assert y.dtype == dtype
    expected = np.vectorize(BY_MATH[name])(x.astype(float))
    assert np.abs(y - expected).max() < 1e-6
    ends = FUNCTIONS[name](np.array([-1e4, -40, 0, 40, 1e4], dtype))
    assert np.array_equal(ends, np.array([0, 0, 0, 40, 1e4], dtype))


@pytest.mark.parametrize("name", OTHERS)
def test_everything_computes_with_the_function_of_the_model(name, monkeypatch, tmp_path):
    model = model_with(name)
    with pytest.raises(TypeError, match="'act'"):  # not silently with its own
        plain.gpt2(IDS, **model.params, n_head=3)
    monkeypatch.setattr(plain, "gelu", np.vectorize(BY_MATH[name], otypes=[np.float32]))
    expected = plain.gpt2(IDS, **random_params(CONFIG, 5), n_head=3)
    assert error(model(IDS), expected) < 1e-5  # with the cores
    assert error(model(IDS[:20]), expected[:20]) < 1e-5
    assert error(model.keep_blocks([0, 1])(IDS[:20]), expected[:20]) < 1e-5
    best = model.generate(IDS[:9].tolist(), 1)
    assert best == model.tokenizer.decode([expected[8].argmax()])
    for dtype in ("float32", "int8"):
        model.save(tmp_path / dtype, dtype)
        options = json.loads((tmp_path / dtype / "config.json").read_text())
        assert options["activation_function"] == name
        again = picogpt.load(tmp_path / dtype)
        assert error(again(IDS), expected) < (1e-5 if dtype == "float32" else 0.05)


def test_the_functions_differ():
    logits = [model_with(name)(IDS[:9]) for name in ("gelu_new", *OTHERS)]
    for i, one in enumerate(logits):
        assert not any(error(one, other) < 1e-5 for other in logits[:i])


def test_results_of_another_function_are_not_taken_up():
    names = ["gelu_new", *OTHERS]
    assert len({fingerprint(model_with(name).params, 3, [], ()) for name in names}) == len(names)


@pytest.mark.parametrize("name", FUNCTIONS)
def test_names(name):
    assert FUNCTIONS[function_name(model_with(name).params)] is FUNCTIONS[name]


def test_a_name_in_config_json(tmp_path):
    folder = copy("bare", tmp_path)
    _, before = read_huggingface(folder)
    assert "act" not in before["h"][0]["mlp"]
    change(folder / "config.json", activation_function="relu")
    _, params = read_huggingface(folder)
    assert [function_name({"h": [block]}) for block in params["h"]] == ["relu"] * 2


def test_what_knows_gelu_new_alone_says_so(tmp_path, capsys):
    model = model_with("relu")
    with pytest.raises(ValueError, match="no gradient of relu here, only of GPT-2's own gelu"):
        loss_and_gradients(IDS[:5], IDS[1:6], model.params, 3)
    with pytest.raises(ValueError, match="explains gelu_new, but this model's activation is relu"):
        model.explain([1, 2, 3])
    model.save(tmp_path / "relu")
    (tmp_path / "text.txt").write_text("A tale of words.\n" * 400)
    args = [str(tmp_path / "text.txt"), "--out", str(tmp_path / "out")]
    assert train([*args, "--init", str(tmp_path / "relu")]) == 1
    assert "activation_function is relu, and picogpt trains models with" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


@pytest.fixture(scope="module", params=[5, 61])
def of_other_width(request) -> GPT2:
    params = random_params(CONFIG, 6)
    rng = np.random.default_rng(7)
    for block in params["h"]:
        for name, shape in (("c_fc", (12, request.param)), ("c_proj", (request.param, 12))):
            block["mlp"][name]["w"] = 0.4 * rng.standard_normal(shape, np.float32)
        block["mlp"]["c_fc"]["b"] = rng.standard_normal(request.param, np.float32)
    return GPT2(CONFIG, params, load_tokenizer(VOCABULARY))


def test_another_width_is_read_as_it_was_written(of_other_width, tmp_path):
    n_inner = of_other_width.params["h"][0]["mlp"]["c_fc"]["b"].size
    expected = plain.gpt2(IDS, **of_other_width.params, n_head=3)
    for dtype in ("float32", "int8"):
        of_other_width.save(tmp_path / dtype, dtype)
        assert json.loads((tmp_path / dtype / "config.json").read_text())["n_inner"] == n_inner
        again = picogpt.load(tmp_path / dtype)
        assert error(again(IDS), expected) < (1e-5 if dtype == "float32" else 0.05)
        assert again.n_params == of_other_width.n_params
        assert again.params["h"][0]["mlp"]["c_fc"]["w"].shape == (12, n_inner)


def test_another_width_on_the_page(of_other_width):
    model = of_other_width
    n_inner = model.params["h"][0]["mlp"]["c_fc"]["b"].size
    shapes = trace([1, 2, 3], 0, model.config, model.params, model.tokenizer)["shapes"]
    assert shapes["h.0.mlp.c_fc"] == shapes["h.1.mlp.gelu"] == [3, n_inner]
    assert [*shapes] == model.activation_names


def test_another_width_is_trained(of_other_width, tmp_path, capsys):
    of_other_width.save(tmp_path / "wide")
    (tmp_path / "text.txt").write_text("A tale of words.\n" * 400)
    args = [str(tmp_path / "text.txt"), "--out", str(tmp_path / "out"), "--steps", "2"]
    args += ["--batch", "2", "--held-out", "0.5", "--init", str(tmp_path / "wide")]
    assert train(args) == 0, capsys.readouterr().err
    trained = picogpt.load(tmp_path / "out")
    assert trained.n_params == of_other_width.n_params
