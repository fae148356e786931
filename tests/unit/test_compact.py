"""Matrices stored as int8, float16 or bfloat16: their numbers, their products, their files."""

import json
from pathlib import Path

import numpy as np
import pytest

import picogpt
from picogpt import plain
from picogpt.config import flatten, unflatten
from picogpt.weights import CheckpointError, compact
from picogpt.weights.compact import CompactMatrix

TINY = Path(__file__).parents[1] / "reference" / "tiny"
SMALL = ("float16", "bfloat16", "int8")
IDS = np.arange(12) % 7
RNG = np.random.default_rng(5)


def widened(params):
    """The same parameters, as float32 arrays."""
    return unflatten({path: np.asarray(x) for path, x in flatten(params).items()})


def assert_close(found, expected, tolerance):
    assert found.dtype == np.float32
    assert abs(found - expected).max() <= tolerance * np.ptp(expected)


@pytest.fixture(scope="module")
def tiny():
    return picogpt.load(TINY)


# The numbers


def test_every_float16_is_widened_to_what_numpy_makes_of_it():
    halves = np.arange(2**16, dtype=np.uint16).view(np.float16)
    numbers = halves[np.isfinite(halves)].reshape(1, -1).astype(np.float32)
    assert np.array_equal(np.asarray(compact.compact("h.0.w", numbers, "float16")), numbers)


def test_every_bfloat16_is_the_upper_half_of_a_float32():
    bits = np.arange(2**16, dtype=np.uint32) << 16
    numbers = bits.view(np.float32)[np.isfinite(bits.view(np.float32))].reshape(1, -1)
    assert np.array_equal(np.asarray(compact.compact("h.0.w", numbers, "bfloat16")), numbers)


def test_bfloat16_is_rounded_to_the_nearest_and_ties_to_even():
    step = 2.0**-7  # between the numbers from 1 to 2
    x = np.array([1 + 0.49 * step, 1 + 0.51 * step, 1 + 0.5 * step, 1 + 1.5 * step], np.float32)
    rounded = np.asarray(compact.compact("h.0.w", x[None], "bfloat16"))[0]
    assert rounded.tolist() == [1, 1 + step, 1, 1 + 2 * step]


@pytest.mark.parametrize(("path", "axis"), [("h.0.mlp.c_fc.w", 0), ("wte", 1), ("lm_head", 1)])
def test_int8_is_wrong_by_half_a_step_of_its_own_channel_at_most(path, axis):
    x = RNG.standard_normal((300, 500)).astype(np.float32)
    x *= np.exp(RNG.standard_normal((1, 500) if axis == 0 else (300, 1)))  # channels differ
    matrix = compact.compact(path, x, "int8")
    step = abs(x).max(axis, keepdims=True) / 127
    assert np.array_equal(matrix.scales, step.astype(np.float32))
    assert (abs(np.asarray(matrix) - x) <= 0.501 * step).all()
    assert abs(matrix.stored).max(axis).min() == 127  # every channel uses all of its range


def test_a_channel_of_zeros():
    x = RNG.standard_normal((4, 3)).astype(np.float32)
    x[:, 1] = 0
    assert not np.asarray(compact.compact("h.0.w", x, "int8"))[:, 1].any()


@pytest.mark.parametrize("dtype", SMALL)
@pytest.mark.parametrize("wrong", [np.nan, np.inf, -np.inf])
def test_what_is_no_number_is_refused(dtype, wrong):
    x = RNG.standard_normal((4, 3)).astype(np.float32)
    x[2, 1] = wrong
    with pytest.raises(ValueError, match=r"the parameter h\.0\.w holds (nan|inf)"):
        compact.compact("h.0.w", x, dtype)


def test_a_number_too_large_for_float16():
    x = np.full((2, 2), 65519.0, np.float32)
    assert np.isfinite(np.asarray(compact.compact("h.0.w", x, "float16"))).all()
    x[1, 0] = -65520.0  # is rounded to infinity
    with pytest.raises(
        ValueError, match=r"the parameter h\.0\.w holds numbers too large for float16"
    ):
        compact.compact("h.0.w", x, "float16")


# The products


@pytest.mark.parametrize("dtype", SMALL)
@pytest.mark.parametrize("shape", [(1, 40), (30, 40), (2, 30, 40), (40,)])
def test_a_product_with_the_matrix_and_with_its_transpose(dtype, shape, monkeypatch):
    monkeypatch.setattr(compact, "BLOCK", 100)  # several blocks, the last of them shorter
    monkeypatch.setattr(compact, "LONG_BLOCK", 7)
    x = RNG.standard_normal(shape).astype(np.float32)
    w = RNG.standard_normal((40, 23)).astype(np.float32)
    for path, matrix in (("h.0.w", w), ("wte", w.T.copy())):
        small = compact.compact(path, matrix, dtype)
        whole = np.asarray(small)
        if path == "wte":
            small, whole = small.T, whole.T
        assert small.shape == whole.shape == (40, 23)
        assert_close(x @ small, x @ whole, 1e-6)
        assert_close((x @ small) @ small.T, (x @ whole) @ whole.T, 1e-6)


@pytest.mark.parametrize("dtype", SMALL)
def test_rows(dtype):
    x = RNG.standard_normal((9, 5)).astype(np.float32)
    for path in ("wte", "h.0.w"):
        matrix = compact.compact(path, x, dtype)
        for index in (3, [1, 8, 1], np.array([[0, 2], [4, 4]])):
            assert np.array_equal(matrix[index], np.asarray(matrix)[index])
        assert isinstance(matrix[:4], CompactMatrix)
        assert np.array_equal(np.asarray(matrix[:4]), np.asarray(matrix)[:4])
    with pytest.raises(TypeError, match="a transposed CompactMatrix has no rows to look up"):
        matrix.T[0]


def test_other_arithmetic_is_refused():
    matrix = compact.compact("h.0.w", np.ones((2, 2), np.float32), "int8")
    with pytest.raises(TypeError):
        matrix + np.ones(2)
    with pytest.raises(TypeError):
        np.ones(2) * matrix


# The model


@pytest.mark.parametrize("dtype", SMALL)
def test_a_small_model_computes_what_its_widened_weights_do(dtype):
    model = picogpt.load(TINY, dtype=dtype)
    expected = plain.gpt2(IDS, **widened(model.params), n_head=model.config.n_head)
    assert_close(model(IDS), expected, 1e-5)
    assert_close(plain.gpt2(IDS, **model.params, n_head=model.config.n_head), expected, 1e-5)


@pytest.mark.parametrize("dtype", SMALL)
def test_which_parameters_are_small(tiny, dtype):
    model = picogpt.load(TINY, dtype=dtype)
    assert model.n_params == tiny.n_params
    for path, x in flatten(model.params).items():
        assert isinstance(x, CompactMatrix) == (path == "wte" or path.endswith(".w")), path
        assert x.shape == flatten(tiny.params)[path].shape


def test_float32_is_what_it_was(tiny):
    for path, x in flatten(picogpt.load(TINY, dtype="float32").params).items():
        assert np.array_equal(x, flatten(tiny.params)[path])


def test_another_dtype():
    with pytest.raises(ValueError, match="dtype is 'int4', expected one of float32, float16, bf"):
        picogpt.load(TINY, dtype="int4")


# Files


def test_an_int8_folder_is_mapped_and_stays_int8(tiny, tmp_path):
    tiny.save(tmp_path / "int8", "int8")
    model, quantized = picogpt.load(tmp_path / "int8"), picogpt.load(TINY, dtype="int8")
    for path, x in flatten(quantized.params).items():
        again = flatten(model.params)[path]
        assert np.array_equal(np.asarray(again), np.asarray(x))
        if isinstance(x, CompactMatrix):
            assert again.stored.dtype == np.int8
            assert not again.stored.flags.owndata
            assert not again.stored.flags.writeable
    model.save(tmp_path / "again", "int8")
    first, second = (tmp_path / name / "model_int8.safetensors" for name in ("int8", "again"))
    assert first.read_bytes() == second.read_bytes()


@pytest.mark.parametrize("dtype", ["float32", "float16"])
def test_an_int8_folder_in_another_dtype(tiny, tmp_path, dtype):
    tiny.save(tmp_path, "int8")
    wide = widened(picogpt.load(tmp_path).params)
    for path, x in flatten(picogpt.load(tmp_path, dtype=dtype).params).items():
        is_small = isinstance(x, CompactMatrix)
        assert is_small == (dtype == "float16" and (path == "wte" or path.endswith(".w")))
        expected = flatten(wide)[path]
        assert np.array_equal(np.asarray(x), expected.astype(np.float16) if is_small else expected)


def test_an_int8_model_saved_as_float32_is_its_widened_weights(tmp_path):
    model = picogpt.load(TINY, dtype="int8")
    model.save(tmp_path)
    saved = flatten(picogpt.load(tmp_path).params)
    for path, x in flatten(widened(model.params)).items():
        assert np.array_equal(saved[path], x)


def with_header(folder, change):
    """Change the header of a folder's safetensors file in place; its length must stay."""
    path = folder / "model_int8.safetensors"
    data = path.read_bytes()
    n = int.from_bytes(data[:8], "little")
    header = change(data[8 : 8 + n])
    path.write_bytes(data[:8] + header.ljust(n) + data[8 + n :])


def test_int8_that_config_json_does_not_speak_of(tiny, tmp_path):
    tiny.save(tmp_path, "int8")
    path = tmp_path / "config.json"
    options = json.loads(path.read_text())
    assert options.pop("quantization_config") == {"quant_method": "picogpt_int8"}
    path.write_text(json.dumps(options))
    with pytest.raises(CheckpointError, match=r"unexpected: .*weight_scale"):
        picogpt.load(tmp_path)
    path.write_text(json.dumps(options | {"quantization_config": {"quant_method": "gptq"}}))
    with pytest.raises(CheckpointError, match=r"quantization_config is .*gptq.*, but picogpt comp"):
        picogpt.load(tmp_path)
    int8 = {"quantization_config": {"quant_method": "picogpt_int8"}, "n_inner": 8}
    path.write_text(json.dumps(options | int8))
    with pytest.raises(CheckpointError, match=r"c_fc.weight .*, expected \[\d+, 8\]"):
        picogpt.load(tmp_path)


def test_scales_that_are_no_numbers(tiny, tmp_path):
    name = "transformer.h.0.attn.c_attn.weight_scale"
    model = picogpt.load(TINY, dtype="int8")
    model.params["h"][0]["attn"]["c_attn"]["w"].scales[0, 3] = np.nan
    model.save(tmp_path, "int8")
    with pytest.raises(CheckpointError, match=f"tensor {name} holds something other than finite"):
        picogpt.load(tmp_path)


def test_a_float32_matrix_where_int8_is_expected(tiny, tmp_path):
    tiny.save(tmp_path, "int8")
    name = "transformer.h.0.attn.c_proj.weight"
    n = tiny.config.n_embd**2

    def widen_one(header):  # 4 times fewer numbers than asked for would be another shape
        tensors = json.loads(header)
        assert tensors[name]["dtype"] == "I8"
        assert tensors[name]["data_offsets"][1] - tensors[name]["data_offsets"][0] == n
        tensors[name]["dtype"] = "U8"
        return json.dumps(tensors, separators=(",", ":")).encode()

    with_header(tmp_path, widen_one)
    with pytest.raises(CheckpointError, match="c_proj.weight': has dtype U8, expected one of F32"):
        picogpt.load(tmp_path)
