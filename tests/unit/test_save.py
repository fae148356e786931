"""A model written to a folder: GPT2.save, and `python -m picogpt.weights export`."""

from pathlib import Path

import numpy as np
import pytest

import picogpt
from picogpt.config import flatten
from picogpt.weights.__main__ import main

TINY = Path(__file__).parents[1] / "reference" / "tiny"
NAMES = {
    "config.json",
    "model.safetensors",
    "vocab.json",
    "merges.txt",
    "tokenizer.json",
    "tokenizer_config.json",
}


@pytest.fixture(scope="module")
def tiny():
    return picogpt.load(TINY)


def assert_same(found, expected, dtype=np.float32):
    """The same model, with weights that were rounded to a dtype."""
    assert found.config == expected.config
    assert found.tokenizer.encoder == expected.tokenizer.encoder
    assert found.tokenizer.ranks == expected.tokenizer.ranks
    params, wanted = flatten(found.params), flatten(expected.params)
    assert params.keys() == wanted.keys()
    for path, x in wanted.items():
        assert params[path].dtype == np.float32
        assert np.array_equal(params[path], x.astype(dtype))


@pytest.mark.parametrize("dtype", ["float32", "float16"])
def test_save(tiny, tmp_path, dtype):
    tiny.save(tmp_path / "new" / "model", dtype)
    assert {path.name for path in (tmp_path / "new" / "model").iterdir()} == NAMES
    assert_same(picogpt.load(tmp_path / "new" / "model"), tiny, dtype)


def test_float32_unless_something_else_is_said(tiny, tmp_path):
    tiny.save(str(tmp_path))
    assert_same(picogpt.load(tmp_path), tiny)


def test_half_precision_takes_half_the_space(tiny, tmp_path):
    sizes = {}
    for dtype in ("float32", "float16"):
        tiny.save(tmp_path / dtype, dtype)
        sizes[dtype] = (tmp_path / dtype / "model.safetensors").stat().st_size
    n_params = sum(x.size for x in flatten(tiny.params).values())
    assert abs(sizes["float32"] - sizes["float16"] - 2 * n_params) < 100  # the lengths of headers


@pytest.mark.parametrize("name", sorted(NAMES | {"notes.txt"}))
def test_nothing_is_overwritten(tiny, tmp_path, name):
    (tmp_path / name).write_text("precious")
    with pytest.raises(FileExistsError, match="is not empty, and nothing is overwritten"):
        tiny.save(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == [name]
    assert (tmp_path / name).read_text() == "precious"


def test_a_file_in_the_way(tiny, tmp_path):
    (tmp_path / "model").write_text("precious")
    with pytest.raises(FileExistsError, match="model: is a file, expected a folder"):
        tiny.save(tmp_path / "model")
    assert (tmp_path / "model").read_text() == "precious"


def test_another_dtype(tiny, tmp_path):
    with pytest.raises(
        ValueError, match="dtype is 'int4', expected one of float32, float16, bfloat16, int8"
    ):
        tiny.save(tmp_path / "model", "int4")
    tiny.save(tmp_path / "model")  # nothing stands in the way


def test_numbers_too_large_for_half_precision(tmp_path):
    model = picogpt.load(TINY)
    model.params["h"][1]["ln_1"]["g"] = np.full(24, 1e5, np.float32)
    name = "transformer.h.1.ln_1.weight"
    with pytest.raises(ValueError, match=f"'{name}' holds numbers too large for float16"):
        model.save(tmp_path / "model", "float16")
    assert not (tmp_path / "model").exists()
    model.save(tmp_path / "model")


# The command


@pytest.mark.parametrize("dtype", ["float32", "float16"])
def test_export(tiny, tmp_path, capsys, dtype):
    out = tmp_path / "model"
    assert main(["export", str(TINY), "--out", str(out), "--dtype", dtype]) == 0
    assert_same(picogpt.load(out), tiny, dtype)
    assert capsys.readouterr() == (f"{TINY}, in {dtype} and Hugging Face's layout: {out}\n", "")


def test_export_of_an_export(tiny, tmp_path):
    for source, out in ((TINY, "first"), (tmp_path / "first", "second")):
        assert main(["export", str(source), "--out", str(tmp_path / out)]) == 0
    for name in NAMES:
        first, second = (tmp_path / out / name for out in ("first", "second"))
        assert first.read_bytes() == second.read_bytes()


def test_a_place_that_is_taken_is_seen_before_anything_is_loaded(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr("picogpt.weights.__main__.load", lambda model: pytest.fail("it loads"))
    (tmp_path / "precious").touch()
    assert main(["export", "124M", "--out", str(tmp_path)]) == 1
    err = capsys.readouterr().err
    assert err == f"picogpt: {tmp_path}: is not empty, and nothing is overwritten\n"


def test_no_such_model(tmp_path, capsys):
    assert main(["export", str(tmp_path / "nothing"), "--out", str(tmp_path / "model")]) == 1
    assert capsys.readouterr().err.startswith("picogpt: no model ")
    assert not (tmp_path / "model").exists()


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        (["export"], "the following arguments are required: MODEL, --out"),
        (["export", "124M"], "the following arguments are required: --out"),
        (["export", "x", "--out", "y", "--dtype", "int4"], "--dtype: invalid choice: 'int4'"),
    ],
)
def test_wrong_usage(capsys, argv, message):
    with pytest.raises(SystemExit) as exited:
        main(argv)
    assert exited.value.code == 2
    err = capsys.readouterr().err
    assert err.startswith("picogpt: ")
    assert message in err
    assert err.count("\n") == 1
