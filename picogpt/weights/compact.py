"""Matrices in a quarter or half of the memory: int8, float16, bfloat16, multiplied as float32.

A language model writes one token at a time, and reads all its weights for each. They need not be as
exact as what is computed with them: with an int8 for each weight, and a float32 scale for each
output of its matrix, the predictions hardly change. In the tree of parameters a CompactMatrix takes
the place of an array, so that `x @ w`, `wte[ids]` and `x @ wte.T` are written as always.

Source: Dettmers et al. 2022 (LLM.int8()), section 2: absolute maximum quantization, row by row.
"""

import threading
from collections.abc import Iterable, Iterator

import numpy as np

DTYPES = ("float32", "float16", "bfloat16", "int8")
BLOCK = 256 * 1024  # numbers that are widened at a time: as float32 1 MB, which caches hold
LONG_BLOCK = 256  # rows at least when x has many: a block's product must outweigh adding its result

_buffers = threading.local()  # one for each thread: a new one for each block would take longer


class CompactMatrix:
    """A matrix stored as int8, float16 or bfloat16; stored * scales are its numbers.

    stored: [n_rows, n_columns], int8, float16, or uint16 for bfloat16, which NumPy lacks.
    scales: float32 that broadcasts to it: [n_rows, 1], [1, n_columns], or [1, 1].
    """

    __array_ufunc__ = None  # so that NumPy leaves x @ w to __rmatmul__, and refuses w + 1
    ndim = 2
    dtype = np.dtype(np.float32)  # of its rows and its products

    def __init__(self, stored: np.ndarray, scales: np.ndarray, transposed: bool = False):
        self.stored = stored
        self.scales = scales
        self.transposed = transposed

    def __repr__(self) -> str:
        kind = "bfloat16" if self.stored.dtype == np.uint16 else self.stored.dtype.name
        return f"CompactMatrix({list(self.shape)} in {kind})"

    @property
    def shape(self) -> tuple[int, int]:
        n_rows, n_columns = self.stored.shape
        return (n_columns, n_rows) if self.transposed else (n_rows, n_columns)

    @property
    def size(self) -> int:
        return self.stored.size

    @property
    def nbytes(self) -> int:
        return self.stored.nbytes + self.scales.nbytes

    @property
    def T(self) -> "CompactMatrix":
        return CompactMatrix(self.stored, self.scales, not self.transposed)

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, rows):
        """Rows as float32, [..., n_columns]; for a slice, a CompactMatrix of these rows."""
        if self.transposed:
            raise TypeError("a transposed CompactMatrix has no rows to look up")
        scales = self.scales if len(self.scales) == 1 else self.scales[rows]
        if isinstance(rows, slice):
            return CompactMatrix(self.stored[rows], scales)
        stored = self.stored[rows]
        found = widen(stored, np.empty(stored.shape, np.float32))
        found *= scales if len(self.scales) > 1 else scales[0]
        return found

    def __array__(self, dtype=None, copy=None) -> np.ndarray:
        """The whole matrix as float32, for np.asarray."""
        if copy is False:
            raise ValueError("a CompactMatrix becomes an array only as a copy")
        whole = widen(self.stored, np.empty(self.stored.shape, np.float32))
        whole *= self.scales
        return (whole.T if self.transposed else whole).astype(dtype or np.float32, copy=False)

    def __rmatmul__(self, x: np.ndarray) -> np.ndarray:
        """x @ self: [..., n_in] -> [..., n_out], with self of shape [n_in, n_out]."""
        scales = self.scales.T if self.transposed else self.scales
        per_input = len(scales) > 1  # otherwise one scale per output, applied once at the end
        if per_input:
            x = x * scales[:, 0]
        n_least = LONG_BLOCK if x.size > 16 * x.shape[-1] else 1
        y = np.zeros((*x.shape[:-1], self.shape[1]), x.dtype)
        for rows, block in self._blocks(n_least):
            if self.transposed:
                np.matmul(x, block.T, out=y[..., rows])
            else:
                y += x[..., rows] @ block
        if not per_input:
            y *= scales[0]
        return y

    def _blocks(self, n_least: int) -> Iterator[tuple[slice, np.ndarray]]:
        """The stored rows in blocks, as float32 in a buffer that the next block overwrites."""
        n_rows, n_columns = self.stored.shape
        n = min(max(BLOCK // n_columns, n_least), n_rows)
        buffer = getattr(_buffers, "block", np.empty(0, np.float32))
        if buffer.size < n * n_columns:
            buffer = _buffers.block = np.empty(n * n_columns, np.float32)
        for start in range(0, n_rows, n):
            stored = self.stored[start : start + n]
            yield (
                slice(start, start + n),
                widen(stored, buffer[: stored.size].reshape(stored.shape)),
            )


def widen(stored: np.ndarray, out: np.ndarray) -> np.ndarray:
    """Write stored numbers to `out`, a float32 array of the same shape, and return it."""
    bits = out.view(np.int32)
    if stored.dtype == np.int8:
        np.copyto(out, stored)
    elif stored.dtype == np.uint16:  # bfloat16 is the upper half of a float32
        np.copyto(bits, stored, casting="unsafe")
        bits <<= 16
    else:
        # A float16 has 5 bits of exponent and 10 of mantissa, a float32 8 and 23. Moved to their
        # places, the bits are the number over 2^112. NumPy's own conversion takes three times as
        # long.
        np.copyto(bits, stored.view(np.int16))
        bits <<= 13
        bits &= ~0x70001FFF  # between the sign and the exponent stand copies of the sign
        out *= 2.0**112
    return out


def is_multiplied(path: str) -> bool:
    """Whether the parameter at a path is a matrix that vectors are multiplied by."""
    return path.endswith(".w") or path in ("wte", "lm_head")


def scales_shape(path: str, shape: tuple[int, ...]) -> tuple[int, int]:
    """The shape of a matrix's int8 scales: one for each output, which for wte is a row."""
    return (shape[0], 1) if path in ("wte", "lm_head") else (1, shape[1])


def groups(names: Iterable[str], dtype: str | None) -> list[list[str]]:
    """Which parameters to read at a time: all, or one by one if they are made compact."""
    return [list(names)] if dtype in (None, "float32") else [[name] for name in names]


def compact(
    path: str, x: np.ndarray | CompactMatrix, dtype: str | None
) -> np.ndarray | CompactMatrix:
    """A parameter as a model keeps it: in dtype if it is a matrix to multiply by, else in float32.

    path: its place in the tree (config.py); dtype: one of DTYPES, or None for x as it is.
    Raises ValueError if x holds NaN or infinity, or is too large for float16.
    """
    is_int8 = isinstance(x, CompactMatrix) and x.stored.dtype == np.int8
    if dtype is None or (is_int8 and dtype == "int8"):
        return x
    x = np.asarray(x)
    if dtype == "float32":
        return x
    if not is_multiplied(path):
        return np.array(x)  # a copy, so that the file need not stay mapped
    axis = scales_shape(path, x.shape).index(1)  # along which the numbers share a scale
    largest = np.maximum(x.max(axis, keepdims=True), -x.min(axis, keepdims=True))
    if not np.isfinite(largest).all():
        value = largest[~np.isfinite(largest)][0]
        raise ValueError(f"the parameter {path} holds {value}")
    one = np.ones((1, 1), np.float32)
    if dtype == "bfloat16":
        return CompactMatrix(to_bfloat16(x), one)
    if dtype == "float16":
        if largest.max() >= 65520.0:  # which would be rounded to infinity
            raise ValueError(f"the parameter {path} holds numbers too large for float16")
        return CompactMatrix(np.asarray(x, np.float16), one)
    scales = largest / 127.0
    scales[scales == 0.0] = 1.0  # of a row or column that is all zero
    stored = np.empty(x.shape, np.int8)
    n = max(1, BLOCK // x.shape[1])
    for start in range(0, len(x), n):
        rows = slice(start, start + n)
        stored[rows] = np.rint(x[rows] / (scales[rows] if axis == 1 else scales))
    return CompactMatrix(stored, scales)


def to_bfloat16(x: np.ndarray) -> np.ndarray:
    """float32 numbers rounded to the nearest bfloat16, or to the even one of two equally near.

    Returns their bits, uint16.
    """
    bits = np.ascontiguousarray(x, np.float32).view(np.uint32)
    return ((bits + 0x7FFF + ((bits >> 16) & 1)) >> 16).astype(np.uint16)
