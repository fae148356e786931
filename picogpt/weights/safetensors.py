"""The safetensors format, read and written without its library.

A file is a header and the bytes of the tensors. The first eight bytes are the length of the
header, a JSON object: the name of a tensor -> its dtype, its shape, and the two offsets between
which its bytes lie, counted from the end of the header. Then come those bytes, little-endian, row
after row, without gap or overlap. So a float32 tensor can be used in place: the file is mapped into
memory, and the tensor is a view of it.

Source: https://github.com/huggingface/safetensors, README, section "Format".
"""

import json
import math
from pathlib import Path
from typing import NamedTuple

import numpy as np

from ..files import brief, parse_json, replacing, require
from .compact import to_bfloat16
from .errors import CheckpointError, about
from .tf_bundle import as_float32, map_shard

# The dtypes of weights, then those of old masks as well.
NUMBERS = {"F32": "float32", "F16": "float16", "BF16": "bfloat16", "F64": "float64", "I8": "int8"}
ITEM_SIZES = {"F64": 8, "F32": 4, "F16": 2, "BF16": 2}
ITEM_SIZES |= {"I64": 8, "I32": 4, "I16": 2, "I8": 1, "U8": 1, "BOOL": 1}
# How float32 numbers are written. With int8 the matrices are int8 already; the rest stays float32.
WRITTEN = {"float32": "F32", "float16": "F16", "bfloat16": "BF16", "int8": "F32"}
MAX_HEADER = 100_000_000  # bytes, as in the original library
MAX_DIMS = 8


class Entry(NamedTuple):
    """What the header says about one tensor."""

    dtype: str
    shape: tuple[int, ...]
    begin: int  # of its bytes in the file
    end: int


def read_header(path: Path) -> dict[str, Entry]:
    """Name -> entry of every tensor in a file.

    Raises FileNotFoundError; CheckpointError if the header is damaged, names an unknown dtype, or
    does not give every byte after it to exactly one tensor.
    """
    n_bytes = require(path).stat().st_size
    with about(path), open(path, "rb") as file:
        if n_bytes < 8:
            raise CheckpointError(f"has {n_bytes} bytes, expected at least 8")
        n_header = int.from_bytes(file.read(8), "little")
        if n_header > min(n_bytes - 8, MAX_HEADER):
            raise CheckpointError(
                f"says that its header has {n_header} bytes, but {n_bytes - 8} follow, "
                f"and at most {MAX_HEADER} are read"
            )
        header = parse_json(file.read(n_header))
        metadata = header.pop("__metadata__", None) or {}
        if type(metadata) is not dict or not all(type(x) is str for x in metadata.values()):
            raise CheckpointError(f"__metadata__ is {brief(metadata)}, expected texts by name")
        entries = {}
        for name, fields in header.items():
            with about(f"tensor {name!r:.80}"):
                entries[name] = read_entry(fields, 8 + n_header)
        check_layout(entries, 8 + n_header, n_bytes)
    return entries


def read_entry(fields, data: int) -> Entry:
    """One tensor's entry in the header; data: where in the file the bytes of all tensors begin."""
    if not isinstance(fields, dict) or fields.keys() != {"dtype", "shape", "data_offsets"}:
        raise CheckpointError(f"is given {brief(fields)}, expected dtype, shape, data_offsets")
    dtype, shape, offsets = fields["dtype"], fields["shape"], fields["data_offsets"]
    if not isinstance(dtype, str) or dtype not in ITEM_SIZES:
        raise CheckpointError(f"has dtype {brief(dtype)}, expected one of {', '.join(NUMBERS)}")
    if not is_list_of_sizes(shape) or len(shape) > MAX_DIMS:
        raise CheckpointError(f"has shape {brief(shape)}, expected at most {MAX_DIMS} sizes")
    if not is_list_of_sizes(offsets) or len(offsets) != 2:
        raise CheckpointError(f"has data_offsets {brief(offsets)}, expected two positions")
    begin, end = offsets
    expected = math.prod(shape) * ITEM_SIZES[dtype]
    if end - begin != expected:
        raise CheckpointError(
            f"has {end - begin} bytes, expected {expected} for {dtype} {brief(shape)}"
        )
    return Entry(dtype, tuple(shape), data + begin, data + end)


def is_list_of_sizes(value) -> bool:
    """Whether a value from JSON is a list of integers that can be sizes or positions."""
    return isinstance(value, list) and all(type(n) is int and 0 <= n < 2**63 for n in value)


def check_layout(entries: dict[str, Entry], data: int, n_bytes: int) -> None:
    """Raise CheckpointError unless the tensors fill the file from `data` on to its end."""
    position = data
    for name, entry in sorted(entries.items(), key=lambda item: item[1][2:]):
        if entry.begin != position:
            raise CheckpointError(
                f"tensor {name!r:.80} begins at byte {entry.begin}, expected {position}: "
                f"tensors must not {'overlap' if entry.begin < position else 'leave gaps'}"
            )
        position = entry.end
    if position != n_bytes:
        raise CheckpointError(f"its tensors end at byte {position}, but it has {n_bytes} bytes")


def read_tensors(path: Path, entries: dict[str, Entry]) -> dict[str, np.ndarray]:
    """The tensors named by entries of the header: name -> float32 or int8 array of entry.shape.

    float32 and int8 tensors are read-only views of the memory-mapped file, float16 and bfloat16
    are widened to float32, float64 is narrowed to it. Raises CheckpointError for any other dtype.
    """
    data = map_shard(path)
    tensors = {}
    for name, (dtype, shape, begin, end) in entries.items():
        with about(path), about(f"tensor {name!r:.80}"):
            if dtype not in NUMBERS:
                raise CheckpointError(f"has dtype {dtype}, expected one of {', '.join(NUMBERS)}")
            stored = data[begin:end]
            x = stored.view(np.int8) if dtype == "I8" else as_float32(stored, NUMBERS[dtype])
            x = x.reshape(shape)
            # Old files may begin a float32 at an address that is not a multiple of 4: better
            # copied once here than by every matrix product.
            tensors[name] = np.require(x, requirements=["ALIGNED"])
    return tensors


def read_safetensors(path: Path) -> dict[str, np.ndarray]:
    """All tensors of a file. Returns and raises as read_header and read_tensors do."""
    return read_tensors(path, read_header(path))


def write_safetensors(path: Path, tensors: dict[str, np.ndarray], dtype: str = "float32") -> None:
    """Write tensors to a file that is complete before it gets its name.

    dtype: of all numbers that are not int8; float16 halves the size and keeps three
    decimal digits; bfloat16 also halves it, keeps two, and has float32's range.
    Raises ValueError for another dtype, or for a number that float16 cannot hold.
    """
    if dtype not in WRITTEN:
        raise ValueError(f"dtype is {dtype!r}, expected one of {', '.join(WRITTEN)}")
    # int8 tensors last, so that all others begin at a multiple of their size.
    tensors = dict(sorted(tensors.items(), key=lambda item: item[1].dtype == np.int8))
    header: dict = {"__metadata__": {"format": "pt"}}  # transformers asks for it
    position = 0
    for name, x in tensors.items():
        kind = "I8" if x.dtype == np.int8 else WRITTEN[dtype]
        begin, position = position, position + x.size * ITEM_SIZES[kind]
        header[name] = {"dtype": kind, "shape": x.shape, "data_offsets": [begin, position]}
    text = json.dumps(header, separators=(",", ":")).encode("ascii")
    text += b" " * (-len(text) % 8)
    with replacing(path) as file:
        file.write(len(text).to_bytes(8, "little") + text)
        for name, x in tensors.items():
            try:
                with np.errstate(over="raise"):
                    file.write(as_stored(x, header[name]["dtype"]))
            except FloatingPointError:
                raise ValueError(f"tensor {name!r} holds numbers too large for {dtype}") from None


def as_stored(x: np.ndarray, kind: str) -> np.ndarray:
    """The numbers of x in the order and the dtype of the file."""
    if kind == "BF16":
        return to_bfloat16(x).astype("<u2", copy=False)
    return np.ascontiguousarray(x, {"F32": "<f4", "F16": "<f2", "I8": "i1"}[kind])
