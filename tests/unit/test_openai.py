"""A model folder laid out as OpenAI's: TensorFlow's own are read, wrong ones are refused."""

import doctest
import json
import shutil
from dataclasses import asdict
from pathlib import Path

import handmade_bundle as made
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from picogpt.config import Config, flatten
from picogpt.weights import CheckpointError, openai
from picogpt.weights.openai import find_prefix, read_hparams, read_openai
from picogpt.weights.shapes import check_shapes
from picogpt.weights.tf_bundle import read_index, read_tensors

# Written by TensorFlow, see tests/reference/make_tf_bundle.py.
WRITTEN = Path(__file__).parents[1] / "reference" / "tf_bundle"
CONFIGS = {
    "float32": Config(n_vocab=40, n_ctx=12, n_embd=8, n_head=2, n_layer=11),
    "float16": Config(n_vocab=40, n_ctx=12, n_embd=8, n_head=2, n_layer=1),
    "bfloat16": Config(n_vocab=40, n_ctx=12, n_embd=8, n_head=2, n_layer=2),
}


@pytest.fixture
def folder(tmp_path) -> Path:
    """A copy of a one-block model, in two shards, that a test may damage."""
    return Path(shutil.copytree(WRITTEN / "float16", tmp_path / "model"))


def write_hparams(folder: Path, **changed) -> None:
    hparams = asdict(CONFIGS["float16"]) | changed
    (folder / "hparams.json").write_text(json.dumps(hparams), encoding="utf-8")


def assert_refused(folder: Path, file: str, match: str) -> None:
    """One line that begins with the path of the file at fault."""
    with pytest.raises(CheckpointError, match=match) as caught:
        read_openai(folder)
    message = str(caught.value)
    assert message.startswith(f"{folder / file}: ")
    assert "\n" not in message


@pytest.mark.parametrize("dtype", CONFIGS)
def test_models_that_tensorflow_wrote(dtype):
    config, params = read_openai(WRITTEN / dtype, verify=True)
    assert config == CONFIGS[dtype]
    flat = flatten(params)
    with np.load(WRITTEN / dtype / "expected.npz") as expected:
        assert set(flat) == set(expected)
        for path, x in flat.items():
            assert x.dtype == np.float32
            assert x.shape == expected[path].shape
            assert x.tobytes() == expected[path].tobytes()


def test_every_float32_parameter_is_mapped():
    _, params = read_openai(WRITTEN / "float32")
    for x in flatten(params).values():
        base = x
        while isinstance(base.base, np.ndarray):
            base = base.base
        assert isinstance(base, np.memmap)
        assert not x.flags.writeable


def test_folder_may_be_a_string():
    assert read_openai(str(WRITTEN / "float32"))[0] == CONFIGS["float32"]


@pytest.mark.parametrize("name", ["hparams.json", "model.ckpt.index"])
def test_missing_file(folder, name):
    (folder / name).unlink()
    with pytest.raises(FileNotFoundError) as caught:
        read_openai(folder)
    assert str(caught.value) == f"{folder} has no file {name}"


@pytest.mark.parametrize("shard", [0, 1])
def test_missing_shard(folder, shard):
    name = f"model.ckpt.data-{shard:05d}-of-00002"
    (folder / name).unlink()
    with pytest.raises(FileNotFoundError) as caught:
        read_openai(folder)
    assert str(caught.value) == f"{folder} has no file {name}"


def test_shard_cut_short(folder):
    shard = folder / "model.ckpt.data-00001-of-00002"
    shard.write_bytes(shard.read_bytes()[:-1])
    assert_refused(folder, shard.name, "'model/wte': lies at bytes 1584 to 2224, but .* 2223 bytes")


def test_flipped_bit_in_a_shard(folder):
    shard = folder / "model.ckpt.data-00001-of-00002"
    data = bytearray(shard.read_bytes())
    data[-1] ^= 0x80
    shard.write_bytes(data)
    read_openai(folder, verify=False)
    with pytest.raises(CheckpointError, match=f"{shard}: tensor 'model/wte': has CRC-32C"):
        read_openai(folder)


def test_damaged_index(folder):
    index = folder / "model.ckpt.index"
    index.write_bytes(index.read_bytes()[:-1])
    assert_refused(folder, index.name, "magic")


@pytest.mark.parametrize("key", asdict(CONFIGS["float16"]))
def test_hparams_without_a_key(folder, key):
    hparams = asdict(CONFIGS["float16"])
    del hparams[key]
    (folder / "hparams.json").write_text(json.dumps(hparams), encoding="utf-8")
    assert_refused(folder, "hparams.json", f"no key '{key}', expected n_vocab, n_ctx")


def test_hparams_with_an_unknown_key(folder):
    write_hparams(folder, n_inner=32)
    assert_refused(folder, "hparams.json", "unknown key 'n_inner', expected n_vocab, n_ctx")


@pytest.mark.parametrize("key", asdict(CONFIGS["float16"]))
@pytest.mark.parametrize("value", ["8", 8.0, True, None, [8], -8, 0])
def test_hparams_of_a_wrong_kind(folder, key, value):
    write_hparams(folder, **{key: value})
    assert_refused(folder, "hparams.json", f"{key} is .*, expected a positive integer")


@pytest.mark.parametrize(
    "text, match",
    [
        ("", "not JSON"),
        ('{"n_vocab": 40,', "not JSON"),
        ("[" * 100_000, "not JSON"),
        ('{"n_vocab": ' + "1" * 5000 + "}", "not JSON"),
        ("[40, 12, 8, 2, 1]", "holds a JSON list, expected an object"),
    ],
)
def test_hparams_that_are_no_object(folder, text, match):
    (folder / "hparams.json").write_text(text, encoding="utf-8")
    assert_refused(folder, "hparams.json", match)


def test_hparams_that_are_not_utf8(folder):
    (folder / "hparams.json").write_bytes(b'{"n_vocab\xff": 40}')
    assert_refused(folder, "hparams.json", "not UTF-8: invalid start byte at byte 9")


@pytest.mark.parametrize(
    "changed, match",
    [
        (
            {"n_layer": 2},
            r"tensors differ from hparams\.json: 12 missing: model/h1/ln_1/g, .*, \.\.\.$",
        ),
        ({"n_vocab": 41}, r": 1 misshapen: model/wte \[40, 8\], expected \[41, 8\]$"),
        ({"n_ctx": 11}, r": 1 misshapen: model/wpe \[12, 8\], expected \[11, 8\]$"),
        ({"n_embd": 10}, r": 16 misshapen: .*, \.\.\.$"),
        ({"n_embd": 10**30}, r": 16 misshapen: .*, \.\.\.$"),
        ({"n_layer": 10**30}, "16 tensors are too few for n_layer 1000"),
    ],
)
def test_hparams_of_another_model(folder, changed, match):
    write_hparams(folder, **changed)
    assert_refused(folder, "model.ckpt.index", match)


def test_too_few_layers_in_hparams(tmp_path):
    folder = Path(shutil.copytree(WRITTEN / "bfloat16", tmp_path / "model"))
    write_hparams(folder, n_layer=1)
    match = r": 12 unexpected: 'model/h1/attn/c_attn/b', 'model/h1/attn/c_attn/w', .*, \.\.\.$"
    assert_refused(folder, "model.ckpt.index", match)


def test_all_that_differs_is_named_at_once(folder):
    prefix = folder / "model.ckpt"
    tensors = read_tensors(prefix, read_index(prefix))
    del tensors["model/ln_f/b"]
    tensors["model/wpe"] = tensors["model/wpe"][:3]
    tensors["global\nstep"] = np.zeros((), np.float32)
    made.write_bundle(prefix, tensors)
    assert_refused(
        folder,
        "model.ckpt.index",
        r"hparams\.json: 1 missing: model/ln_f/b; 1 unexpected: 'global\\nstep';"
        r" 1 misshapen: model/wpe \[3, 8\], expected \[12, 8\]$",
    )


@pytest.mark.parametrize(
    "names, match", [("abc", ": 3 missing: a, b, c$"), ("abcd", r": 4 missing: a, b, c, \.\.\.$")]
)
def test_a_long_list_is_cut(names, match):
    with pytest.raises(CheckpointError, match=match):
        check_shapes(
            {"x": (1,)}, CONFIGS["float16"], lambda _: dict.fromkeys("x" + names, (1,)), "it"
        )


def test_matrices_without_the_convolution_dimension(folder):
    prefix = folder / "model.ckpt"
    tensors = read_tensors(prefix, read_index(prefix))
    made.write_bundle(prefix, {name: np.squeeze(x) for name, x in tensors.items()})
    assert_refused(folder, "model.ckpt.index", r"4 misshapen: .*\[8, 24\], expected \[1, 8, 24\]")


def test_checkpoint_names_another_prefix(folder):
    for file in folder.glob("model.ckpt.*"):
        file.rename(folder / file.name.replace("model.ckpt", "model-1000"))
    (folder / "checkpoint").write_text('model_checkpoint_path: "model-1000"\n', encoding="utf-8")
    assert read_openai(folder)[0] == CONFIGS["float16"]


@pytest.mark.parametrize("place", ["/home/ada/run1/", "C:\\runs\\1\\", "../float32/"])
def test_checkpoint_names_the_machine_of_the_training(folder, place):
    """The file beside `checkpoint` counts, never one elsewhere."""
    line = f'model_checkpoint_path: "{place}model.ckpt"\n'
    (folder / "checkpoint").write_text(line, encoding="utf-8")
    assert find_prefix(folder) == folder / "model.ckpt"
    assert read_openai(folder)[0] == CONFIGS["float16"]


def test_without_checkpoint(folder):
    (folder / "checkpoint").unlink()
    assert read_openai(folder)[0] == CONFIGS["float16"]


@pytest.mark.parametrize(
    "name",
    [
        ".",
        "..",
        "../float16/other.ckpt",
        "/etc/passwd",
        "..\\other.ckpt",
        "/tmp/run1/..",
        "C:model.ckpt",
        "",
        "m" * 300,
        "\t",
    ],
)
def test_checkpoint_names_a_file_elsewhere(folder, name):
    (folder / "checkpoint").write_text(f'model_checkpoint_path: "{name}"\n', encoding="utf-8")
    assert_refused(folder, "checkpoint", "expected the name of a file beside it")


@pytest.mark.parametrize("text", ["", "model.ckpt", 'all_model_checkpoint_paths: "model.ckpt"\n'])
def test_checkpoint_names_nothing(folder, text):
    (folder / "checkpoint").write_text(text, encoding="utf-8")
    assert_refused(folder, "checkpoint", "no line model_checkpoint_path")


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda children: st.lists(children) | st.dictionaries(st.sampled_from(["n_vocab"]), children),
    max_leaves=5,
)


@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.dictionaries(st.sampled_from([*asdict(CONFIGS["float16"]), "x"]), JSON) | JSON)
def test_any_json_as_hparams(tmp_path, value):
    (tmp_path / "hparams.json").write_text(json.dumps(value), encoding="utf-8")
    try:
        config = read_hparams(tmp_path)
    except CheckpointError as error:
        assert str(error).startswith(f"{tmp_path / 'hparams.json'}: ")
        return
    assert asdict(config) == value


@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.binary(max_size=50)
    | st.text(max_size=60).map(lambda s: f'model_checkpoint_path: "{s}"'.encode())
)
def test_any_bytes_as_checkpoint(tmp_path, data):
    (tmp_path / "checkpoint").write_bytes(data)
    try:
        prefix = find_prefix(tmp_path)
    except CheckpointError as error:
        assert str(error).startswith(f"{tmp_path / 'checkpoint'}: ")
        return
    assert Path(f"{prefix}.index").resolve().parent == tmp_path.resolve()


def test_released_index(openai_files):
    """The real 124M: every name and shape, contiguous data, and CRCs published with the release."""
    assert read_hparams(openai_files) == Config(50257, 1024, 768, 12, 12)
    assert find_prefix(openai_files) == openai_files / "model.ckpt"
    entries = read_index(openai_files / "model.ckpt")
    assert len(entries) == 148
    end = 0
    for entry in entries.values():
        assert (entry.dtype, entry.offset) == ("float32", end)
        end += entry.size
    assert end == 497_759_232
    assert entries["model/h0/attn/c_attn/w"].crc32c == 0x863D710D
    assert entries["model/wpe"].crc32c == 0x2ACFB8F1
    assert entries["model/wte"].crc32c == 0x0E298522
    assert entries["model/ln_f/g"].crc32c == 0x8F3811D0
    with pytest.raises(FileNotFoundError, match=r"has no file model\.ckpt\.data-00000-of-00001$"):
        read_openai(openai_files)  # only after all names and shapes were found right


def test_examples_in_docstrings():
    assert doctest.testmod(openai).failed == 0
