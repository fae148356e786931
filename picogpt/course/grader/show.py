"""Values as people read them: arrays in a few lines, trees of arrays by their shapes."""

import numpy as np

from .channel import Other

MAX_LINES = 12
MAX_CHARACTERS = 400  # of one line
MAX_ARRAYS = 6  # of several


def arrays(value) -> list[np.ndarray]:
    """All arrays in a tree of lists, tuples and dicts."""
    if isinstance(value, np.ndarray | np.generic):
        return [value]
    if isinstance(value, dict):
        return arrays(list(value.values()))
    if isinstance(value, list | tuple):
        return [x for item in value for x in arrays(item)]
    return []


def is_array(value) -> bool:
    return isinstance(value, np.ndarray) and value.ndim > 0


def a(value) -> str:
    """What kind of thing a value is: "an array", "a list", "nothing (None)"."""
    if value is None:
        return "nothing (None)"
    if isinstance(value, np.ndarray):
        return "an array" if value.ndim else f"a number ({value.dtype})"
    name = value.type if isinstance(value, Other) else type(value).__name__
    return f"{'an' if name[:1].lower() in 'aeiou' else 'a'} {name}"


def show(value) -> str:
    """A value to be read by people, in a few lines."""
    if isinstance(value, Other):
        return value.text
    if is_array(value):
        head = f"{value.dtype} {list(value.shape)}"
        options = {"precision": 4, "threshold": 80, "edgeitems": 2, "max_line_width": 96}
        return shorten(f"{head}\n{np.array2string(value, suppress_small=True, **options)}")
    if isinstance(value, np.ndarray):
        return f"{value.item()!r} ({value.dtype})"
    if isinstance(value, list | tuple) and value and all(map(is_array, value)):
        shown = [f"[{i}] = {show(x)}" for i, x in enumerate(value[:MAX_ARRAYS])]
        return "\n".join([*shown, *(["..."] if len(value) > MAX_ARRAYS else [])])
    if isinstance(value, dict) and arrays(value):
        items = [f"{key!r}: {show_briefly(x)}" for key, x in value.items()]
        return shorten(f"{{{', '.join(items)}}}")
    return shorten(repr(value))


def show_briefly(value) -> str:
    """A value's shape instead of its numbers."""
    if isinstance(value, np.ndarray):
        return f"{value.dtype} {list(value.shape)}"
    if isinstance(value, dict):
        return f"{{{', '.join(f'{key!r}: {show_briefly(x)}' for key, x in value.items())}}}"
    if isinstance(value, list) and arrays(value):
        return f"[{', '.join(map(show_briefly, value))}]"
    return repr(value)


def shorten(text: str) -> str:
    """The first lines of a text, and the first characters of each."""
    lines = text.splitlines()
    shown = [x if len(x) <= MAX_CHARACTERS else f"{x[:MAX_CHARACTERS]} ..." for x in lines]
    return "\n".join([*shown[:MAX_LINES], *(["..."] if len(shown) > MAX_LINES else [])])


def printable(text: str) -> str:
    """A text that may come from anywhere, fit for a file or a terminal."""
    text = text.encode("utf-8", "replace").decode("utf-8")
    return "".join(c if c.isprintable() or c in "\n\t" else "\ufffd" for c in text)
