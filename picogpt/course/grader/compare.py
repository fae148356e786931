"""Whether two values are the same up to rounding, and in a few words how they differ.

Most inputs are float64, in which two ways to compute the same thing agree to about 15 digits. So
an answer that is wrong by a millionth is known to be wrong, and no tolerance has to be chosen
between rounding and mistakes.
"""

import numbers

import numpy as np

from .show import a, arrays

# of the range of the expected numbers (their largest minus their smallest)
TOLERANCE = {"float64": 1e-9, "float32": 2e-5, "float16": 2e-2}


def precision(*values) -> str:
    """The coarsest float type among the arrays in some values: what their results come to."""
    kinds = {x.dtype.name for x in arrays(values)}
    return next((kind for kind in ("float16", "float32") if kind in kinds), "float64")


def is_number(value) -> bool:
    return isinstance(value, numbers.Number) or (
        isinstance(value, np.ndarray) and value.ndim == 0 and value.dtype.kind in "biuf"
    )


def as_array(number) -> np.ndarray:
    """A number as an array of no dimensions; an integer may be too large for one."""
    if isinstance(number, int) and abs(number) >= 1 << 63:
        return np.float64(np.inf)
    return np.asarray(number)


def written(n: int) -> str:
    return str(n) if n.bit_length() <= 64 else f"a number of {n.bit_length()} bits"


def difference(got, expected, kind: str) -> str | None:
    """How a value differs from the expected one, or None if it does not.

    kind: the float type of the computation, where the values do not say it.
    """
    if isinstance(expected, int) and isinstance(got, int):
        shown = "it is {}, expected {}".format(*map(written, (got, expected)))
        return None if got == expected else shown
    if is_number(expected) and is_number(got):
        return array_difference(as_array(got), as_array(expected), kind)
    if isinstance(expected, np.ndarray) and isinstance(got, np.ndarray):
        if got.shape != expected.shape:
            return f"the shape is {list(got.shape)}, expected {list(expected.shape)}"
        if got.dtype != expected.dtype and "f" in got.dtype.kind + expected.dtype.kind:
            return f"the numbers are {got.dtype}, expected {expected.dtype}"
        return array_difference(got, expected, kind)
    if isinstance(expected, list | tuple) and isinstance(got, list | tuple):
        return sequence_difference(got, expected, kind)
    if isinstance(expected, dict) and isinstance(got, dict):
        if got.keys() != expected.keys():
            return f"the keys are {[*got]}, expected {[*expected]}"[:200]
        found = ((key, difference(got[key], expected[key], kind)) for key in expected)
        return next((f"at {key!r}: {text}" for key, text in found if text), None)
    if type(got) is type(expected) and got == expected:
        return None
    if type(got) is not type(expected):
        return f"it is {a(got)}, expected {a(expected)}"
    if isinstance(got, str) and len(got) + len(expected) < 40:
        return f"it is {got!r}, expected {expected!r}"
    return "it is not the same"


def sequence_difference(got, expected, kind: str) -> str | None:
    for i, (x, y) in enumerate(zip(got, expected, strict=False)):
        if text := difference(x, y, kind):
            return f"at [{i}]: {text}"
    if len(got) != len(expected):
        return f"there are {len(got)} items, expected {len(expected)}"
    return None


def array_difference(got: np.ndarray, expected: np.ndarray, kind: str) -> str | None:
    """Difference of two arrays of the same shape, where both may hold infinities.

    Integers are the same or they are not.
    """
    tolerance = TOLERANCE[kind] if expected.dtype.kind == "f" else 0.0
    with np.errstate(invalid="ignore"):  # a signalling NaN, which bytes read as floats may be
        got, expected = got.astype(np.float64), expected.astype(np.float64)
    finite = np.isfinite(expected)
    scale = np.ptp(expected[finite]) if finite.any() else 0
    scale = scale or np.abs(expected[finite]).max(initial=0) or 1.0
    with np.errstate(invalid="ignore"):
        same = np.abs(got - expected) <= tolerance * scale
    same |= (got == expected) | np.isnan(got) & np.isnan(expected)  # infinities, one mistake's nans
    if same.all():
        return None
    places = np.argwhere(~same)
    if got.ndim == 0:
        return "it is {}, expected {}".format(*told_apart(got, expected))
    first = tuple(map(int, places[0]))
    shown = "{}, expected {}".format(*told_apart(got[first], expected[first]))
    return f"{len(places)} of {got.size} numbers differ, the first at {list(first)}: {shown}"


def told_apart(got: float, expected: float) -> tuple[str, str]:
    """Two numbers with six digits, or as many as it takes to see that they differ."""
    for digits in range(6, 18):
        shown = f"{got:.{digits}g}", f"{expected:.{digits}g}"
        if shown[0] != shown[1]:
            break
    return shown
