"""The Python in a hand-in: a file's text, or that of a notebook's cells, without what only Jupyter
understands, and in pieces where a mistake would cost the whole."""

import ast
import json
import re
from collections.abc import Iterator

# Cells of these magics run as they stand; those of any other are no Python, or leave no names.
TRANSPARENT = re.compile(r"%%(time|capture|prun)\b")
# %matplotlib inline, !ls, files = !ls, t = %timeit -o f(), softmax?, ?softmax
LINE_MAGIC = re.compile(r"(\s*)(([\w., ]+=\s*)?[%!]|\?{1,2}[\w.]+\s*$|[\w.*]+\?{1,2}\s*$)")
CODING = re.compile(rb"[ \t\f]*#.*?coding[:=][ \t]*([-\w.]{1,40})").match  # from PEP 263
MAX_CODE = 100_000  # characters, over two thousand lines
BEGINNING = re.compile(
    r"(async\s|def\s|class\s|import\s|from\s|type\s|@|if\s|try\s*:|\w[\w, ]*[:=]|\w[\w.]*\()"
)


def cells(name: str, data: bytes) -> list[tuple[str, str]]:
    """(place, source) of a file, or of every code cell of a notebook.

    Raises ValueError for bytes that are no text, or no notebook, and for more code than anybody
    has written.
    """
    is_notebook = name.lower().endswith(".ipynb")
    if not is_notebook:
        found = [(name, decoded(name, data))]
    else:
        try:
            sources = [*code_cells(json.loads(decoded(name, data, "utf-8-sig")))]
        except (KeyError, TypeError, RecursionError, AttributeError, json.JSONDecodeError):
            raise ValueError(f"{name} is no Jupyter notebook") from None
        found = [(f"code cell {number}", source) for number, source in enumerate(sources, 1)]
    if (size := sum(len(source) for _, source in found)) > MAX_CODE:
        raise ValueError(f"{name} has {size} characters of code, expected {MAX_CODE} at most")
    return [(place, without_magics(x)) for place, x in found] if is_notebook else found


def decoded(name: str, data: bytes, encoding: str = "") -> str:
    """The text of a file, in UTF-8 or in what one of its first two lines says, as for Python."""
    found = [match[1].decode("ascii") for line in data.splitlines()[:2] if (match := CODING(line))]
    encoding = encoding or (found or ["utf-8"])[0]
    encoding = "utf-8-sig" if encoding.lower() in ("utf-8", "utf8") else encoding
    try:
        return data.decode(encoding)
    except UnicodeDecodeError as error:
        which = encoding.removesuffix("-sig").upper()
        raise ValueError(f"{name} is not {which}: {error.reason} at byte {error.start}") from None
    except (LookupError, UnicodeError):
        raise ValueError(f"{name} is in {encoding:.40}, an encoding of no text") from None


def code_cells(notebook: dict) -> Iterator[str]:
    """The sources of a notebook's code cells, in Jupyter's format 4 or 3."""
    found = notebook["cells"] if "cells" in notebook else []
    for sheet in notebook["worksheets"] if "worksheets" in notebook else []:
        found = [*found, *sheet["cells"]]
    if "cells" not in notebook and "worksheets" not in notebook:
        raise KeyError("cells")
    for cell in found:
        if cell["cell_type"] == "code":
            yield "".join(cell["source"] if "source" in cell else cell["input"])


def without_magics(source: str) -> str:
    """A cell's Python; a line that only Jupyter understands becomes `pass`, in its place."""
    if source.startswith("%%"):
        if not TRANSPARENT.match(source):
            return ""
        source = "pass" + source[source.find("\n") :] if "\n" in source else ""
    try:
        ast.parse(source)
        return source  # what looks like a magic stands in a text
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        pass
    lines, goes_on = [], False
    for line in source.splitlines():
        found = LINE_MAGIC.match(line)
        lines.append("" if goes_on else f"{found[1]}pass" if found else line)
        goes_on = bool(goes_on or found) and line.endswith("\\")
    return "\n".join(lines)


def trees(source: str) -> Iterator[ast.Module | Exception]:
    """The syntax tree of a source; of one with a mistake, a tree or an exception for each piece."""
    try:
        yield ast.parse(source)
        return
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        if not isinstance(error, SyntaxError) or "\0" in source:
            yield error
            return
    for above, piece in pieces(source):
        try:
            yield ast.parse("\n" * above + piece)
        except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
            yield error


def pieces(source: str) -> Iterator[tuple[int, str]]:
    """(lines above, lines) of each statement at the top level, as far as its beginning shows it."""
    lines = source.splitlines()
    beginnings = [i for i, line in enumerate(lines) if BEGINNING.match(line)]
    # A decorator belongs to what follows it
    starts = [i for i in beginnings if not (i and lines[i - 1].startswith("@"))]
    for begin, end in zip([0, *starts], [*starts, len(lines)], strict=True):
        if any(line.strip() for line in lines[begin:end]):
            yield begin, "\n".join(lines[begin:end])
