"""The parts of a handout, made of an assignment's text and the points of its questions.

A text is Markdown. Under its heading "### name" each function has a section: what to know about it,
then a block of Python with the signature and docstring that students get.
"""

from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from ...files import read_text
from ..assignment import Assignment

HAND_IN = """\
## Hand in

`{name}.py` or `{name}.ipynb`, whichever you have worked in. Check the whole of it before:

    python -m picogpt.course check {name}.py

Of your file only imports, constants and definitions are taken: whatever else stands at the top
level, a test run or a plot, is never executed and can stay. A constant is what no function of yours
has to compute: `EPS = 1e-5` or `ROOT = math.sqrt(2.0)`, but not `TABLE = make_table()`. What you
import can be Python's standard library and NumPy.

The name of each function has to stay, with its arguments, their names and their order, and the kind of
value that its first line promises: a list and no generator, tuples and no lists where it says tuples.
The functions that come after it rely on that. You may add arguments that have a default, functions of
your own, and change the annotations.

Each question asks about one function, with the solution of all earlier ones in their places, so
that a mistake costs its own points alone. The last question runs all of your functions together,
and counts from half of the other points on. You are graded with other numbers than you check
yourself with."""


class Piece(NamedTuple):
    """A part of a handout: a text, code, or a line that checks the code above it."""

    kind: str  # "text", "code" or "check"
    content: str


def pieces(assignment: Assignment) -> Iterator[Piece]:
    """The parts of an assignment's handout, in order. Raises FileNotFoundError or ValueError."""
    folder = assignment.folder
    head, sections = read_sections(folder / f"{assignment.variant_of or assignment.name}.md")
    if assignment.variant_of:
        # A variant's text has its own title and beginning, and its own sections
        begin, others = read_sections(folder / f"{assignment.name}.md")
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
        text, code = sections[name]
        yield Piece("text", f"### {name} ({worth})\n\n{text}")
        yield Piece("code", code)
        yield Piece("check", f"check({name})")
    yield Piece("text", HAND_IN.format(name=assignment.name))


def read_sections(path: Path) -> tuple[str, dict[str, tuple[str, str]]]:
    """What stands before the first heading "### name" of a text; name -> (text, code) below it.

    Raises ValueError where a section does not end with a block of Python.
    """
    head, *parts = read_text(path).split("\n### ")
    sections = {}
    for part in parts:
        name, _, below = part.partition("\n")
        text, begin, code = below.strip().rpartition("```python\n")
        if not begin or not code.endswith("\n```"):
            raise ValueError(f"{path}: the section {name} does not end with a block of Python")
        sections[name.strip()] = text.strip(), code.removesuffix("\n```")
    return head.strip(), sections


def points_table(assignment: Assignment) -> str:
    rows = [f"| `{q.name}` | {q.title} | {q.points} |" for q in assignment.questions]
    table = ["| function | question | points |", "|---|---|---|", *rows]
    hours = f"About {assignment.hours} hours, if you have programmed with NumPy before."
    return "\n".join([f"{hours} {assignment.points} points in all:", "", *table])


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
