"""Safetensors: what its own library wrote is read, and every kind of damage is refused."""

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from picogpt.weights import CheckpointError
from picogpt.weights.safetensors import (
    MAX_HEADER,
    read_header,
    read_safetensors,
    read_tensors,
    write_safetensors,
)

FOLDER = Path(__file__).parents[1] / "reference" / "huggingface"  # see make_huggingface.py
F32 = {"dtype": "F32", "shape": [2], "data_offsets": [0, 8]}
TWO = {"a": F32, "b": F32 | {"data_offsets": [8, 16]}}


def build(path: Path, header: dict | str | bytes, n_data: int) -> Path:
    """Write a file with this header and so many bytes of data."""
    if isinstance(header, dict):
        header = json.dumps(header)
    if isinstance(header, str):
        header = header.encode()
    path.write_bytes(len(header).to_bytes(8, "little") + header + bytes(range(n_data)))
    return path


def refused(path: Path) -> str:
    """The message with which a file is refused: one line that begins with the path."""
    with pytest.raises(CheckpointError) as caught:
        read_safetensors(path)
    message = str(caught.value)
    assert message.startswith(f"{path}: ")
    assert "\n" not in message
    assert len(message) < len(str(path)) + 300
    return message.removeprefix(f"{path}: ")


@pytest.fixture
def path(tmp_path) -> Path:
    return tmp_path / "model.safetensors"


def test_reads_what_the_library_wrote():
    tensors = read_safetensors(FOLDER / "dtypes.safetensors")
    with np.load(FOLDER / "dtypes.npz") as expected:
        assert tensors.keys() == set(expected)
        for name, x in tensors.items():
            assert x.dtype == np.float32
            assert x.shape == expected[name].shape
            assert x.tobytes() == expected[name].tobytes(), name


def test_float32_is_mapped_and_read_only(path):
    x = np.arange(6, dtype=np.float32).reshape(2, 3)
    write_safetensors(path, {"x": x})
    read = read_safetensors(path)["x"]
    assert not read.flags.writeable
    assert not read.flags.owndata
    assert isinstance(base_of(read), np.memmap)


def base_of(x: np.ndarray) -> np.ndarray:
    while not isinstance(x, np.memmap) and x.base is not None:
        x = x.base
    return x


def test_round_trip_of_float32(path):
    rng = np.random.default_rng(1)
    tensors = {
        "matrix": rng.standard_normal((3, 5), dtype=np.float32),
        "transposed": rng.standard_normal((4, 3), dtype=np.float32).T,
        "scalar": np.float32(0.1).reshape(()),
        "empty": np.zeros((0, 2), np.float32),
        "nan": np.array([np.nan, -np.inf, -0.0, 1e-45], np.float32),
    }
    write_safetensors(path, tensors)
    read = read_safetensors(path)
    assert list(read) == list(tensors)
    for name, x in tensors.items():
        assert read[name].shape == x.shape
        assert read[name].tobytes() == x.tobytes()


def test_float16_takes_half_the_size(path):
    x = np.random.default_rng(2).standard_normal((40, 50), dtype=np.float32)
    write_safetensors(path, {"x": x}, dtype="float16")
    assert 4000 < path.stat().st_size < 4200
    assert np.array_equal(read_safetensors(path)["x"], x.astype(np.float16).astype(np.float32))


def test_header_that_is_written(path):
    write_safetensors(path, {"x": np.ones((2, 3), np.float32), "y": np.ones(1, np.float32)})
    data = path.read_bytes()
    n_header = int.from_bytes(data[:8], "little")
    assert n_header % 8 == 0
    assert json.loads(data[8 : 8 + n_header]) == {
        "__metadata__": {"format": "pt"},
        "x": {"dtype": "F32", "shape": [2, 3], "data_offsets": [0, 24]},
        "y": {"dtype": "F32", "shape": [1], "data_offsets": [24, 28]},
    }
    assert data[8 + n_header :] == np.ones(7, "<f4").tobytes()


def test_a_failed_write_leaves_the_old_file(path):
    write_safetensors(path, {"x": np.ones(3, np.float32)})
    old = path.read_bytes()
    with pytest.raises(ValueError, match="tensor 'y' holds numbers too large for float16"):
        write_safetensors(
            path, {"x": np.zeros(9, np.float32), "y": np.float32([65520.0])}, dtype="float16"
        )
    assert path.read_bytes() == old
    assert [file.name for file in path.parent.iterdir()] == [path.name]


def test_dtype_that_is_not_written(path):
    with pytest.raises(ValueError, match="dtype is 'int4', expected one of float32, float16, bf"):
        write_safetensors(path, {}, dtype="int4")
    assert not path.exists()


def test_data_at_an_odd_position_are_copied_once(path):
    mask = {"dtype": "U8", "shape": [1], "data_offsets": [0, 1]}
    header = json.dumps({"mask": mask, "x": F32 | {"data_offsets": [1, 9]}})
    build(path, header + " " * (-len(header) % 8), 9)
    entries = read_header(path)
    del entries["mask"]
    x = read_tensors(path, entries)["x"]
    assert x.flags.aligned
    assert x.tobytes() == bytes(range(1, 9))


def test_metadata_are_no_tensor(path):
    assert list(read_safetensors(build(path, TWO | {"__metadata__": {"a": "b"}}, 16))) == ["a", "b"]


@pytest.mark.parametrize("metadata", [5, ["a"], {"a": 1}, {"a": None}])
def test_metadata_of_a_wrong_kind(path, metadata):
    message = refused(build(path, TWO | {"__metadata__": metadata}, 16))
    assert message == f"__metadata__ is {metadata}, expected texts by name"


def test_order_in_the_header_is_free(path):
    tensors = read_safetensors(build(path, dict(reversed(TWO.items())), 16))
    assert tensors["a"].tobytes() == bytes(range(8))
    assert tensors["b"].tobytes() == bytes(range(8, 16))


def test_missing_file(path):
    with pytest.raises(FileNotFoundError, match=r"has no file model\.safetensors$"):
        read_safetensors(path)


@pytest.mark.parametrize("n", range(8))
def test_shorter_than_the_length_of_the_header(path, n):
    path.write_bytes(bytes(n))
    assert refused(path) == f"has {n} bytes, expected at least 8"


@pytest.mark.parametrize("n_header", [3, 2**63, 2**64 - 1])
def test_header_longer_than_the_file(path, n_header):
    path.write_bytes(n_header.to_bytes(8, "little") + b"{}")
    assert refused(path).startswith(f"says that its header has {n_header} bytes, but 2 follow")


def test_header_longer_than_allowed(path):
    with open(path, "wb") as file:  # with a hole, so that it takes no space
        file.write((MAX_HEADER + 1).to_bytes(8, "little"))
        file.truncate(MAX_HEADER + 100)
    assert "at most 100000000 are read" in refused(path)


@pytest.mark.parametrize(
    ("header", "message"),
    [
        (b"", "not JSON"),
        (b'{"a": ', "not JSON"),
        (b"[" * 100_000, "not JSON"),
        (b'{"a": ' * 100_000, "not JSON"),
        (b'{"a": 1' + b"0" * 5000 + b"}", "not JSON"),
        (b"[]", "holds a JSON list, expected an object"),
        (b'{"\xff": 1}', "not UTF-8: invalid start byte at byte 2"),
        ("{}".encode("utf-16-le"), "not JSON"),
    ],
)
def test_header_that_is_no_object(path, header, message):
    assert refused(build(path, header, 0)).startswith(message)


def test_a_name_that_stands_twice(path):
    header = json.dumps(TWO).replace('"b"', '"a"')
    assert refused(build(path, header, 16)) == "not JSON: the key 'a' occurs twice in one object"


def test_a_field_that_stands_twice(path):
    header = json.dumps({"a": F32}).replace('"shape"', '"shape": [1], "shape"')
    assert "the key 'shape' occurs twice" in refused(build(path, header, 8))


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        (None, "is given None, expected dtype, shape, data_offsets"),
        ([F32], "is given [{"),
        ({"dtype": "F32", "shape": [2]}, "expected dtype, shape, data_offsets"),
        (F32 | {"more": 1}, "expected dtype, shape, data_offsets"),
        (F32 | {"dtype": "U64"}, "has dtype 'U64', expected one of F32, F16, BF16"),
        (F32 | {"dtype": ["F32"]}, "has dtype ['F32'], expected one of F32, F16, BF16"),
        (F32 | {"shape": 2}, "has shape 2, expected at most 8 sizes"),
        (F32 | {"shape": [2.0]}, "has shape [2.0], expected"),
        (F32 | {"shape": [True, 2]}, "has shape [True, 2], expected"),
        (F32 | {"shape": [-1, -2]}, "has shape [-1, -2], expected"),
        (F32 | {"shape": [1] * 8 + [2]}, "has shape [1, 1, 1, 1, 1, 1, ...], expected"),
        (F32 | {"shape": [0, 2**63]}, "expected at most 8 sizes"),
        (F32 | {"shape": [3]}, "has 8 bytes, expected 12 for F32 [3]"),
        (F32 | {"shape": []}, "has 8 bytes, expected 4 for F32 []"),
        (F32 | {"dtype": "F16"}, "has 8 bytes, expected 4 for F16 [2]"),
        (F32 | {"shape": [2**62, 2**62]}, "has 8 bytes, expected"),
        (F32 | {"data_offsets": [0]}, "has data_offsets [0], expected two positions"),
        (F32 | {"data_offsets": [0, 8, 8]}, "expected two positions"),
        (F32 | {"data_offsets": [-8, 0]}, "has data_offsets [-8, 0], expected two positions"),
        (F32 | {"data_offsets": [0, 8.0]}, "expected two positions"),
        (F32 | {"data_offsets": "08"}, "has data_offsets '08', expected two positions"),
        (F32 | {"data_offsets": [8, 0]}, "has -8 bytes, expected 8"),
    ],
)
def test_damaged_entry(path, fields, message):
    found = refused(build(path, {"a": fields}, 8))
    assert found.startswith("tensor 'a': ")
    assert message in found


def test_shape_that_numpy_cannot_make(path):
    """No bytes, and yet too large."""
    fields = {"dtype": "F32", "shape": [0, 2**62, 2**62], "data_offsets": [0, 0]}
    assert refused(build(path, {"a": fields}, 0)).startswith("tensor 'a': ")


@pytest.mark.parametrize(
    ("offsets", "n_data", "message"),
    [
        ([4, 12], 12, "tensor 'b' begins at byte {4}, expected {8}: tensors must not overlap"),
        ([0, 8], 8, "tensor 'b' begins at byte {0}, expected {8}: tensors must not overlap"),
        ([9, 17], 17, "tensor 'b' begins at byte {9}, expected {8}: tensors must not leave gaps"),
        ([8, 16], 15, "its tensors end at byte {16}, but it has {15} bytes"),
        ([8, 16], 17, "its tensors end at byte {16}, but it has {17} bytes"),
        ([8, 16], 0, "its tensors end at byte {16}, but it has {0} bytes"),
        ([2**62, 2**62 + 8], 16, "tensors must not leave gaps"),
    ],
)
def test_bytes_that_do_not_belong_to_one_tensor_each(path, offsets, n_data, message):
    build(path, TWO | {"b": F32 | {"data_offsets": offsets}}, n_data)
    data = path.stat().st_size - n_data
    for n in (0, 4, 8, 9, 15, 16, 17):
        message = message.replace(f"{{{n}}}", str(data + n))
    assert message in refused(path)


def test_gap_before_the_first(path):
    build(path, {"a": F32 | {"data_offsets": [8, 16]}}, 16)
    assert "tensors must not leave gaps" in refused(path)


def test_dtype_that_is_no_number(path):
    build(path, {"a": {"dtype": "BOOL", "shape": [8], "data_offsets": [0, 8]}}, 8)
    assert read_header(path)["a"].dtype == "BOOL"
    assert refused(path) == "tensor 'a': has dtype BOOL, expected one of F32, F16, BF16, F64, I8"


def test_names_are_shown_on_one_short_line(path):
    assert refused(build(path, {"a\nb" * 1000: None}, 0)).startswith(r"tensor 'a\nba\nb")


WHOLE = (FOLDER / "bare" / "model.safetensors").read_bytes()


@pytest.fixture(scope="module")
def fuzzed(tmp_path_factory) -> Path:
    """A path that hypothesis writes to again and again."""
    return tmp_path_factory.mktemp("fuzz") / "model.safetensors"


@given(st.lists(st.tuples(st.integers(0, 3500), st.binary(max_size=3)), min_size=1, max_size=3))
@example([(0, b"")])
def test_changed_bytes_are_refused_or_read(fuzzed, changes):
    data = WHOLE
    for at, new in changes:
        data = data[:at] + new + data[at + max(1, len(new)) :]
    fuzzed.write_bytes(data)
    check_refused_or_read(fuzzed)


@given(st.integers(0, len(WHOLE) - 1))
def test_truncated_files_are_refused(fuzzed, n):
    fuzzed.write_bytes(WHOLE[:n])
    refused(fuzzed)


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.sampled_from(["F32", "BF16", ""]),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=3), inner),
    max_leaves=8,
)
fields = st.fixed_dictionaries(
    {
        "dtype": st.sampled_from(["F32", "F16", "BF16", "U8"]) | values,
        "shape": st.lists(st.integers(0, 3), max_size=3) | values,
        "data_offsets": st.lists(st.integers(0, 20), min_size=2, max_size=2) | values,
    }
)


@given(st.dictionaries(st.text(max_size=3), fields | values, max_size=3), st.integers(0, 20))
def test_any_header_is_refused_or_read(fuzzed, header, n_data):
    check_refused_or_read(build(fuzzed, header, n_data))


def check_refused_or_read(path: Path) -> None:
    try:
        tensors = read_safetensors(path)
    except CheckpointError:
        refused(path)
    else:
        assert all(x.dtype == np.float32 for x in tensors.values())
