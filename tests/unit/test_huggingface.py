"""Folders in Hugging Face's layout: what transformers saved is read, all else refused by name.

The folders and the logits are transformers' own (make_huggingface.py).
"""

import doctest
import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from huggingface_files import FOLDER, REFERENCE, change, copy, json_values, places, refused, set_at
from hypothesis import given
from hypothesis import strategies as st
from support import error, random_params

from picogpt.bpe import load_tokenizer
from picogpt.config import Config, flatten
from picogpt.model import gpt2
from picogpt.weights import CheckpointError, huggingface
from picogpt.weights.export import save_huggingface
from picogpt.weights.huggingface import read_huggingface
from picogpt.weights.model_folder import read_model
from picogpt.weights.safetensors import (
    read_header,
    read_safetensors,
    read_tensors,
    write_safetensors,
)

SMALL = Config(n_vocab=40, n_ctx=12, n_embd=8, n_head=2, n_layer=2)
MODELS = ["plain", "sharded", "bare"]


@pytest.fixture
def bare(tmp_path) -> Path:
    return copy("bare", tmp_path)


@pytest.fixture
def plain(tmp_path) -> Path:
    return copy("plain", tmp_path)


@pytest.fixture
def sharded(tmp_path) -> Path:
    return copy("sharded", tmp_path)


# What transformers saved


@pytest.mark.parametrize("name", MODELS)
def test_logits_equal_transformers(name):
    config, params = read_huggingface(FOLDER / name)
    with np.load(FOLDER / "logits.npz") as expected:
        logits = gpt2([np.arange(12)], **params, n_head=config.n_head)
        assert error(logits, expected[name]) < 1e-5


@pytest.mark.parametrize("name", MODELS)
def test_head_only_where_it_is_untied(name):
    assert ("lm_head" in read_huggingface(FOLDER / name)[1]) == (name == "sharded")


def test_sizes():
    assert read_huggingface(FOLDER / "bare")[0] == SMALL


def test_float32_is_mapped():
    _, params = read_huggingface(FOLDER / "plain")
    assert not any(x.flags.owndata or x.flags.writeable for x in flatten(params).values())


def test_both_names_of_a_tied_matrix(bare):
    """As some writers keep them."""
    path = bare / "model.safetensors"
    tensors = numbers(path)
    write_safetensors(path, tensors | {"lm_head.weight": tensors["wte.weight"]})
    assert "lm_head" not in read_huggingface(bare)[1]
    write_safetensors(path, tensors | {"lm_head.weight": tensors["wte.weight"] + 1})
    assert "lm_head.weight is not wte.weight" in refused(read_huggingface, bare)


def test_only_the_other_name_of_a_tied_matrix(bare):
    """As safetensors' save_model may keep it."""
    path = bare / "model.safetensors"
    tensors = numbers(path)
    expected = flatten(read_huggingface(bare)[1])
    wte = tensors.pop("wte.weight")
    write_safetensors(path, tensors | {"lm_head.weight": wte})
    found = flatten(read_huggingface(bare)[1])
    assert found.keys() == expected.keys()
    assert all(np.array_equal(found[name], expected[name]) for name in found)


def write_plainly(path: Path, tensors: dict[str, np.ndarray]) -> None:
    """A file of safetensors with arrays of any type."""
    kinds = {"float64": "F64", "int64": "I64", "int32": "I32", "int16": "I16", "bool": "BOOL"}
    header, begin = {}, 0
    for name, x in tensors.items():
        end = begin + x.nbytes
        header[name] = {
            "dtype": kinds[str(x.dtype)],
            "shape": x.shape,
            "data_offsets": [begin, end],
        }
        begin = end
    text = json.dumps(header).encode()
    data = b"".join(x.tobytes() for x in tensors.values())
    path.write_bytes(len(text).to_bytes(8, "little") + text + data)


def test_float64_and_masks_of_any_kind(bare):
    path = bare / "model.safetensors"
    tensors = numbers(path)
    expected = flatten(read_huggingface(bare)[1])
    doubles = {name: x.astype(np.float64) + 1e-12 for name, x in tensors.items()}
    kinds = ("int64", "int32", "int16", "bool")
    masks = {f"h.{i}.attn.bias": np.ones((1, 1, 3, 3), kind) for i, kind in enumerate(kinds)}
    write_plainly(path, doubles | masks)
    found = flatten(read_huggingface(bare)[1])
    for name, x in found.items():
        assert x.dtype == np.float32
        np.testing.assert_allclose(x, expected[name], atol=1e-11)


def test_an_index_may_list_a_tied_head_that_no_file_has(tmp_path):
    folder = shutil.copytree(FOLDER / "sharded", tmp_path / "sharded")
    index = json.loads((folder / "model.safetensors.index.json").read_text("utf-8"))
    path = folder / index["weight_map"]["lm_head.weight"]
    tensors = read_safetensors(path)
    write_safetensors(path, {name: x for name, x in tensors.items() if name != "lm_head.weight"})
    assert "1 missing: lm_head.weight" in refused(read_huggingface, folder)
    change(folder / "config.json", tie_word_embeddings=True)
    assert "lm_head" not in read_huggingface(folder)[1]


def test_code_of_the_models_own_is_not_run(bare):
    change(bare / "config.json", auto_map={"AutoModelForCausalLM": "modeling.py"})
    with pytest.warns(UserWarning, match="auto_map names code"):
        assert read_huggingface(bare)[0] == SMALL


def numbers(path: Path) -> dict[str, np.ndarray]:
    """The tensors of bare/ without the masks, which are no numbers."""
    header = read_header(path)
    return read_tensors(path, {name: e for name, e in header.items() if e.dtype == "F16"})


def test_one_file_goes_before_an_index(sharded):
    """As in transformers."""
    tensors = {}
    for path in sharded.glob("model-*"):
        tensors |= read_safetensors(path)
    write_safetensors(sharded / "model.safetensors", tensors)
    for path in sharded.glob("model-*"):
        path.unlink()
    read_huggingface(sharded)


def test_examples():
    assert doctest.testmod(huggingface) == (0, 1)


# config.json


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("model_type", "gpt_neo"),
        ("activation_function", "swish"),
        ("activation_function", None),
        ("activation_function", ["gelu_new"]),
        ("n_inner", 32.0),
        ("n_inner", 0),
        ("layer_norm_epsilon", 1e-6),
        ("layer_norm_epsilon", "1e-5"),
        ("scale_attn_weights", False),
        ("add_cross_attention", True),
        ("is_causal", False),
        ("tie_word_embeddings", "no"),
        ("pruned_heads", {"0": [1]}),
        ("per_layer_config", {"0": {"n_inner": 16}}),
        ("quantization_config", {"quant_method": "gptq"}),
    ],
)
def test_options_that_change_the_mathematics(bare, key, value):
    change(bare / "config.json", **{key: value})
    assert refused(read_huggingface, bare, "config.json").startswith(f"/config.json: {key} is ")


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("model_type", ...),
        ("activation_function", "gelu_pytorch_tanh"),
        ("activation_function", "gelu_fast"),
        ("activation_function", ...),
        ("n_inner", 32),
        ("n_inner", ...),
        ("layer_norm_epsilon", ...),
        ("scale_attn_weights", ...),
        ("tie_word_embeddings", ...),
        ("pruned_heads", {}),
        ("reorder_and_upcast_attn", True),
        ("resid_pdrop", 0.5),
        ("n_ctx", 7),
        ("task_specific_params", {"text-generation": {"max_length": 50}}),
    ],
)
def test_options_that_do_not(bare, key, value):
    change(bare / "config.json", **{key: value})
    assert read_huggingface(bare)[0] == SMALL


SIZES = ["vocab_size", "n_positions", "n_embd", "n_head", "n_layer"]


@pytest.mark.parametrize("key", SIZES)
@pytest.mark.parametrize("value", ["12", 12.0, True, 0, -1, None, [[]] * 999])
def test_sizes_that_are_none(bare, key, value):
    change(bare / "config.json", **{key: value})
    assert f"/config.json: {key} is " in refused(read_huggingface, bare, "config.json")


@pytest.mark.parametrize("key", SIZES)
def test_missing_size(bare, key):
    change(bare / "config.json", **{key: ...})
    assert f"no key '{key}'" in refused(read_huggingface, bare, "config.json")


def test_heads_that_do_not_divide(bare):
    change(bare / "config.json", n_head=3)
    message = refused(read_huggingface, bare, "config.json")
    assert message == "/config.json: n_head 3 does not divide n_embd 8"


@pytest.mark.parametrize(
    ("key", "alias"),
    [
        ("n_positions", "max_position_embeddings"),
        ("n_embd", "hidden_size"),
        ("n_head", "num_attention_heads"),
        ("n_layer", "num_hidden_layers"),
    ],
)
def test_second_names_of_sizes(bare, key, alias):
    path = bare / "config.json"
    value = json.loads(path.read_text("utf-8"))[key]
    change(path, **{key: ..., alias: value})
    assert read_huggingface(bare)[0] == SMALL
    change(path, **{key: value, alias: 2 * value})
    expected = f"{key} is {value}, but {alias} is {2 * value}"
    assert expected in refused(read_huggingface, bare, "config.json")


@pytest.mark.parametrize("text", [b"", b"[]", b'{"a": 1, "a": 2}', b"\xff", b"[" * 100_000])
def test_config_that_is_no_object(bare, text):
    (bare / "config.json").write_bytes(text)
    refused(read_huggingface, bare, "config.json")


# Tensors


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"vocab_size": 41}, "1 misshapen: wte.weight [40, 8], expected [41, 8]"),
        ({"n_layer": 1}, "12 unexpected: 'h.1.attn.c_attn.bias', "),
        ({"n_layer": 3}, "12 missing: h.2.ln_1.weight, h.2.ln_1.bias, h.2.attn.c_attn.weight, ..."),
        ({"n_layer": 10**30}, "28 tensors are too few for n_layer 1000"),
        ({"n_embd": 10**30}, "28 misshapen: "),
        ({"tie_word_embeddings": False}, "1 missing: lm_head.weight"),
    ],
)
def test_config_of_another_model(bare, changes, message):
    change(bare / "config.json", **changes)
    assert message in refused(read_huggingface, bare)


def test_names_are_those_of_the_file(plain):
    change(plain / "config.json", n_positions=13)
    expected = "1 misshapen: transformer.wpe.weight [12, 8], expected [13, 8]"
    assert expected in refused(read_huggingface, plain)


@pytest.mark.parametrize(
    "name", ["h.0.attn.bias2", "h.0.mlp.bias", "score2.weight", "h.x.attn.bias"]
)
def test_unexpected_tensor(bare, name):
    path = bare / "model.safetensors"
    write_safetensors(path, numbers(path) | {name: np.zeros(1, np.float32)})
    assert f"1 unexpected: '{name}'" in refused(read_huggingface, bare)


def test_matrix_the_other_way_round(bare):
    path = bare / "model.safetensors"
    tensors = numbers(path)
    tensors["h.1.attn.c_attn.weight"] = tensors["h.1.attn.c_attn.weight"].T
    write_safetensors(path, tensors)
    expected = "1 misshapen: h.1.attn.c_attn.weight [24, 8], expected [8, 24]"
    assert expected in refused(read_huggingface, bare)


def test_a_file_that_is_not_pytorchs(bare):
    (bare / "model.safetensors").rename(bare / "pytorch_model.bin")
    refused(read_huggingface, bare, "pytorch_model.bin")


def test_other_heads_are_left_out(bare):
    path = bare / "model.safetensors"
    expected = read_huggingface(bare)[1]["wte"]
    write_safetensors(path, numbers(path) | {"v_head.summary.weight": np.zeros(1, np.float32)})
    with pytest.warns(UserWarning, match="does not need them: .'v_head.summary.weight'"):
        found = read_huggingface(bare)[1]["wte"]
    assert np.array_equal(found, expected)


def test_scores_divided_by_the_number_of_the_block(bare):
    """The option is folded into the queries' weights."""
    expected = flatten(read_huggingface(bare)[1])
    options = json.loads((bare / "config.json").read_text())
    options["scale_attn_by_inverse_layer_idx"] = True
    (bare / "config.json").write_text(json.dumps(options))
    found = flatten(read_huggingface(bare)[1])
    for path, x in expected.items():
        part = np.array(x)
        if path.startswith("h.1.attn.c_attn."):
            part[..., :8] /= 2  # n_embd of the queries
        assert np.array_equal(found[path], part), path


def test_pickle_beside_safetensors(bare):
    (bare / "pytorch_model.bin").write_bytes(b"anything")
    read_huggingface(bare)


@pytest.mark.parametrize("name", ["config.json", "model.safetensors"])
def test_missing_file(bare, name):
    (bare / name).unlink()
    with pytest.raises(FileNotFoundError, match=f"has no file {name}$"):
        read_huggingface(bare)


# Several files and their index

INDEX = "model.safetensors.index.json"
LN_F = "transformer.ln_f.weight"


@pytest.mark.parametrize(
    "file",
    ["../model.safetensors", "/etc/passwd", "a/b.safetensors", "a\\b.safetensors", "model.bin"]
    + ["..safetensors", ".safetensors", "C:a.safetensors", "a.safetensors\n", "", 3, None, []],
)
def test_files_of_the_index_lie_beside_it(sharded, file):
    path = sharded / INDEX
    change(path, weight_map=json.loads(path.read_text("utf-8"))["weight_map"] | {LN_F: file})
    message = refused(read_huggingface, sharded, INDEX)
    assert message.startswith(f"/{INDEX}: tensor '{LN_F}' lies in ")


def test_tensor_in_another_file(sharded):
    path = sharded / INDEX
    weight_map = json.loads(path.read_text("utf-8"))["weight_map"]
    old = weight_map[LN_F]
    new = next(file for file in weight_map.values() if file != old)
    change(path, weight_map=weight_map | {LN_F: new})
    assert f"tensor '{LN_F}' is" in refused(read_huggingface, sharded, "model-0000")


def test_tensor_that_the_index_does_not_list(sharded):
    path = sharded / INDEX
    weight_map = json.loads(path.read_text("utf-8"))["weight_map"]
    del weight_map[LN_F]
    change(path, weight_map=weight_map)
    assert f"tensor '{LN_F}' is here, unlike what {INDEX}" in refused(read_huggingface, sharded)


def test_tensor_that_only_the_index_lists(sharded):
    path = sharded / INDEX
    weight_map = json.loads(path.read_text("utf-8"))["weight_map"]
    change(path, weight_map=weight_map | {"x": weight_map[LN_F]})
    assert f"tensor 'x' is not here, unlike what {INDEX}" in refused(read_huggingface, sharded)


def test_missing_shard(sharded):
    (sharded / "model-00002-of-00003.safetensors").unlink()
    with pytest.raises(FileNotFoundError, match="has no file model-00002-of-00003.safetensors"):
        read_huggingface(sharded)


@pytest.mark.parametrize("text", ["{}", '{"weight_map": []}', '{"weight_map": null}', "[]", ""])
def test_index_without_a_map(sharded, text):
    (sharded / INDEX).write_text(text, "utf-8")
    refused(read_huggingface, sharded, INDEX)


def test_index_of_nothing(sharded):
    (sharded / INDEX).write_text('{"weight_map": {}}', "utf-8")
    assert "0 tensors are too few" in refused(read_huggingface, sharded)


# What save_huggingface writes (that transformers reads it, tests/judges/test_huggingface.py shows)


@pytest.fixture(scope="module")
def tokenizer():
    return load_tokenizer(REFERENCE / "bpe")


def untied(config: Config) -> dict:
    head = np.random.default_rng(3).standard_normal((config.n_vocab, config.n_embd), np.float32)
    return random_params(config, 2) | {"lm_head": head}


@pytest.mark.parametrize("make", [lambda config: random_params(config, 1), untied])
def test_round_trip(tmp_path, tokenizer, make):
    config = Config(n_vocab=800, n_ctx=6, n_embd=8, n_head=2, n_layer=11)
    params = make(config)
    save_huggingface(tmp_path / "new" / "model", config, params, tokenizer)
    read_config, read_params = read_model(tmp_path / "new" / "model")
    assert read_config == config
    expected, found = flatten(params), flatten(read_params)
    assert found.keys() == expected.keys()
    assert all(found[path].tobytes() == expected[path].tobytes() for path in expected)
    read = load_tokenizer(tmp_path / "new" / "model")
    assert (read.encoder, read.ranks) == (tokenizer.encoder, tokenizer.ranks)


def test_half_precision(tmp_path, tokenizer):
    config = Config(n_vocab=800, n_ctx=6, n_embd=8, n_head=2, n_layer=1)
    params = random_params(config, 1)
    save_huggingface(tmp_path, config, params, tokenizer, dtype="float16")
    assert json.loads((tmp_path / "config.json").read_text("utf-8"))["dtype"] == "float16"
    found = flatten(read_model(tmp_path)[1])
    for path, x in flatten(params).items():
        assert np.array_equal(found[path], x.astype(np.float16).astype(np.float32))


def test_config_carries_the_vocabularys_endoftext(tmp_path, tokenizer):
    config = Config(n_vocab=800, n_ctx=6, n_embd=8, n_head=2, n_layer=1)
    save_huggingface(tmp_path, config, random_params(config, 1), tokenizer)
    written = json.loads((tmp_path / "config.json").read_text("utf-8"))
    assert written["bos_token_id"] == written["eos_token_id"] == tokenizer.endoftext == 41


def test_saving_again_replaces_and_leaves_nothing_behind(tmp_path, tokenizer):
    config = Config(n_vocab=800, n_ctx=6, n_embd=8, n_head=2, n_layer=1)
    save_huggingface(tmp_path, config, random_params(config, 1), tokenizer)
    names = {path.name for path in tmp_path.iterdir()}
    params = random_params(config, 2)
    save_huggingface(tmp_path, config, params, tokenizer)
    assert {path.name for path in tmp_path.iterdir()} == names
    assert np.array_equal(read_model(tmp_path)[1]["wte"], params["wte"])


def test_params_mapped_from_the_file_that_is_replaced(plain, tokenizer):
    """As fine-tuning a folder in place would do."""
    config, params = read_model(plain)
    expected = params["wte"].copy()
    save_huggingface(plain, config, params, tokenizer)
    assert np.array_equal(read_model(plain)[1]["wte"], expected)


# Which layout a folder has


def test_folder_of_openai():
    config, _ = read_model(REFERENCE / "tiny")
    assert config.n_embd == 24


def test_folder_of_no_layout(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"has no file hparams\.json .* or ckpt\.pt"):
        read_model(tmp_path)


def test_folder_of_both_layouts(bare):
    shutil.copy(REFERENCE / "tiny" / "hparams.json", bare)
    assert " has both hparams.json and config.json" in refused(read_model, bare)


# Anything at all


@pytest.fixture(scope="module")
def fuzzed(tmp_path_factory) -> Path:
    """A folder that hypothesis writes to again and again."""
    folder = tmp_path_factory.mktemp("fuzz")
    shutil.copytree(FOLDER / "sharded", folder, dirs_exist_ok=True)
    return folder


CONFIG = json.loads((FOLDER / "sharded" / "config.json").read_text("utf-8"))


@given(st.sampled_from(places(CONFIG)), json_values)
def test_any_config_is_refused_or_read(fuzzed, place, value):
    shutil.copy(FOLDER / "sharded" / "config.json", fuzzed)
    set_at(fuzzed / "config.json", place, value)
    try:
        assert read_huggingface(fuzzed)[0] == SMALL
    except CheckpointError:
        refused(read_huggingface, fuzzed)
