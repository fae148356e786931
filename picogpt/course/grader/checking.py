"""Checking oneself: a file, or functions as they stand in a notebook."""

import ast
from collections.abc import Callable
from pathlib import Path
from types import FunctionType

from ...files import require
from ..assignment import Assignment
from ..assignments import ASSIGNMENTS
from .extract import solution_imports
from .local import Live, Local
from .marking import mark
from .report import as_text

STUDENT_SEED = 0  # a class is graded with another one


def assignment_named(name: str) -> Assignment:
    """Raises ValueError if there is none of this name."""
    if name not in ASSIGNMENTS:
        raise ValueError(f"there is no assignment {name!r:.40}, expected {', '.join(ASSIGNMENTS)}")
    return ASSIGNMENTS[name]


def check_file(path: Path, seed: int = STUDENT_SEED) -> str:
    """The table of points of a .py or .ipynb file, and what is wrong.

    Raises ValueError if the file cannot be read or does not say which assignment it is.
    """
    data = require(path).read_bytes()
    local = Local(path.name, data, ())
    assignment = assignment_named(assignment_name(path, local))
    local.given = list(assignment.given)
    marks = mark(assignment, local.student, seed)
    given = {function.__name__: function.__module__ for function in assignment.given}
    notes = [*local.notes, *solution_imports(local.statements, given)]
    return as_text(assignment, marks, notes)


def assignment_name(path: Path, local: Local) -> str:
    """What follows ASSIGNMENT = in a file. Raises ValueError if there is nothing."""
    if not local.statements and local.unread:
        raise ValueError(f"{path}: {local.unread[0]}")
    for statement in local.statements:
        match statement.node:
            case ast.Assign([ast.Name("ASSIGNMENT")], ast.Constant(str() as name)):
                return name
    raise ValueError(f'{path} does not say which assignment it is: ASSIGNMENT = "a2" is missing')


def check(first: Callable, *others: Callable) -> None:
    """Print the points of functions as they stand, in a notebook for example, and what is wrong.

    Which assignment they belong to is what ASSIGNMENT says where they are defined. Raises
    ValueError for a function that belongs to none, TypeError for what is no function.
    """
    functions = (first, *others)
    namespace = names_around(functions)
    assignment = assignment_named(namespace.get("ASSIGNMENT", "(ASSIGNMENT is not defined)"))
    known = {function.__name__ for function in assignment.functions}
    names = [function.__name__ for function in functions]
    if unknown := [name for name in names if name not in known]:
        raise ValueError(f"{assignment.name} has no function {unknown[0]}")
    live = Live(namespace, assignment.given, functions)
    marks = mark(assignment, live.student, STUDENT_SEED, names)
    print(as_text(assignment, marks, []))


def names_around(functions: tuple[Callable, ...]) -> dict:
    """The namespace in which functions were defined. Raises TypeError for what is no function."""
    for function in functions:
        if not isinstance(function, FunctionType):
            raise TypeError(f"check wants functions, as in check(softmax), not {function!r:.60}")
    return functions[0].__globals__
