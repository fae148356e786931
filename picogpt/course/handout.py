"""What is handed out: for each assignment a text, and a Python file and a notebook to work in.

All three are made of the same pieces, the texts in course/texts, the stubs (library.py)
and the points of the questions, so that none of them can say what the others do not.
"""

import json
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from ..files import read_text, replacing
from .assignment import Assignment
from .library import stub

TEXTS = Path(__file__).parent / "texts"

HAND_IN = """\
## Hand in

`{name}.py` or `{name}.ipynb`, whichever you have worked in. Check the whole of it before:

    python -m picogpt.course check {name}.py

Of your file only imports, constants and definitions are taken: whatever else stands at the top
level, a test run or a plot, is never executed and can stay. A constant is what no function of yours
has to compute: `EPS = 1e-5` or `ROOT = math.sqrt(2.0)`, but not `TABLE = make_table()`. What you
import can be Python's standard library and NumPy.

Each question asks about one function, with the solution of all earlier ones in their places, so
that a mistake costs its own points alone. The last question runs all of your functions together,
and counts from half of the other points on. You are graded with other numbers than you check
yourself with."""

SCRIPT = '''\
"""Assignment {number}: {title}.

The handout is {name}.md. To check yourself:

    python -m picogpt.course check {name}.py
"""'''


class Piece(NamedTuple):
    """A part of a handout: a text, code, or a line that checks the code above it."""

    kind: str  # "text", "code" or "check"
    content: str


def pieces(assignment: Assignment) -> Iterator[Piece]:
    """The parts of an assignment's handout, in order. Raises FileNotFoundError or ValueError."""
    head, sections = read_sections(TEXTS / f"{assignment.variant_of or assignment.name}.md")
    if assignment.variant_of:
        # A variant's text has its own title and beginning, and its own sections
        begin, others = read_sections(TEXTS / f"{assignment.name}.md")
        head = begin + head[head.index("\n") :]
        sections |= others
    yield Piece("text", head)
    yield Piece("text", points_table(assignment))
    yield Piece("code", header(assignment))
    yield Piece("check", "from picogpt.course import check")
    for function in assignment.functions:
        name = function.__name__
        if name not in sections:
            raise ValueError(f"the handout of {assignment.name} has no section ### {name}")
        points = sum(q.points for q in assignment.questions if q.name == name)
        worth = "1 point" if points == 1 else f"{points} points"
        yield Piece("text", f"### {name} ({worth})\n\n{sections[name]}")
        yield Piece("code", stub(function, assignment.omit).rstrip())
        yield Piece("check", f"check({name})")
    yield Piece("text", HAND_IN.format(name=assignment.name))


def read_sections(path: Path) -> tuple[str, dict[str, str]]:
    """What stands before the first heading "### name" of a text, and name -> what stands below."""
    head, *parts = read_text(path).split("\n### ")
    sections = {}
    for part in parts:
        name, _, text = part.partition("\n")
        sections[name.strip()] = text.strip()
    return head.strip(), sections


def points_table(assignment: Assignment) -> str:
    rows = [f"| `{q.name}` | {q.title} | {q.points} |" for q in assignment.questions]
    table = ["| function | question | points |", "|---|---|---|", *rows]
    return "\n".join([f"{assignment.points} points in all:", "", *table])


def header(assignment: Assignment) -> str:
    """The lines at the top of the student's file."""
    by_module = defaultdict(list)
    for function in assignment.given:
        by_module[function.__module__].append(function.__name__)
    given = [
        f"from {module} import {', '.join(sorted(names))}"
        for module, names in sorted(by_module.items())
    ]
    parts = [assignment.imports, "\n".join(given), f'ASSIGNMENT = "{assignment.name}"']
    return "\n\n".join(filter(None, parts))


def as_markdown(assignment: Assignment) -> str:
    parts = {"text": "{}", "code": "```python\n{}\n```"}
    found = [parts[p.kind].format(p.content) for p in pieces(assignment) if p.kind in parts]
    return "\n\n".join(found) + "\n"


def as_script(assignment: Assignment) -> str:
    number, _, _ = assignment.name.removeprefix("a").partition("-")
    title = SCRIPT.format(name=assignment.name, number=number, title=assignment.title)
    top, *stubs = [piece.content for piece in pieces(assignment) if piece.kind == "code"]
    return "\n\n\n".join([f"{title}\n\n{top}", *stubs]) + "\n"


def as_notebook(assignment: Assignment) -> str:
    """JSON in Jupyter's format 4.4, the last without an id for every cell."""
    cells = []
    for kind, content in pieces(assignment):
        cell = {"cell_type": "markdown", "metadata": {}}
        if kind != "text":
            cell = {"cell_type": "code", "execution_count": None, "metadata": {}, "outputs": []}
        cells.append(cell | {"source": content.splitlines(keepends=True)})
    kernel = {"display_name": "Python 3", "language": "python", "name": "python3"}
    metadata = {"kernelspec": kernel, "language_info": {"name": "python"}}
    notebook = {"cells": cells, "metadata": metadata, "nbformat": 4, "nbformat_minor": 4}
    return json.dumps(notebook, indent=1, ensure_ascii=False) + "\n"


def write_assignment(assignment: Assignment, out: Path) -> list[Path]:
    """Write NAME.md, NAME.py and NAME.ipynb to a folder, and return their paths.

    A file that is there stays: somebody may have worked in it. Raises FileExistsError then.
    """
    makers = {".md": as_markdown, ".py": as_script, ".ipynb": as_notebook}
    texts = {out / f"{assignment.name}{suffix}": f(assignment) for suffix, f in makers.items()}
    for path in texts:
        if path.exists():
            raise FileExistsError(f"{path} exists already, and may hold somebody's work")
    out.mkdir(parents=True, exist_ok=True)
    for path, text in texts.items():
        with replacing(path) as file:
            file.write(text.encode("utf-8"))
    return list(texts)
