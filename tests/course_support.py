"""Submissions made for the tests of the course: solutions, and solutions with one mistake."""

import ast
from collections.abc import Callable, Iterable
from importlib.util import resolve_name

from picogpt.course.assignment import Assignment, Question
from picogpt.course.grader.excerpts import pruned
from picogpt.course.grader.local import Local
from picogpt.course.grader.marking import Mark, mark


def in_one_file(functions: Iterable[Callable]) -> str:
    """The source of some functions and of all that they need, without imports from picogpt."""
    sources = pruned(tuple(functions))
    parts = {}

    def add(module: str) -> None:
        """Put a module's source after those of the modules that it imports from."""
        if module in parts:
            return
        parts[module] = ""
        tree = ast.parse(sources[module])
        for node in [x for x in tree.body if isinstance(x, ast.ImportFrom) and x.level]:
            add(resolve_name("." * node.level + node.module, module.rpartition(".")[0]))
            tree.body.remove(node)
        source = ast.unparse(tree)
        del parts[module]
        parts[module] = source

    for module in sources:
        add(module)
    return "\n".join(parts.values()) + "\n"


def solution(assignment: Assignment) -> str:
    """A file that deserves all points."""
    functions = [*assignment.given, *assignment.functions]
    return f'ASSIGNMENT = "{assignment.name}"\n{in_one_file(functions)}'


def planted(assignment: Assignment, name: str, mistake: Callable) -> str:
    """The solution, but one of its functions is another, which may call the right one."""
    functions = [*assignment.given, *assignment.functions, mistake]
    tree = ast.parse(in_one_file(functions))
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef) and node.name == name:
            node.name = f"right_{name}"
        elif isinstance(node, ast.Name) and node.id == name:
            node.id = f"right_{name}"
    (wrong,) = [x for x in tree.body if getattr(x, "name", None) == mistake.__name__]
    wrong.name = name
    return ast.unparse(tree)


def marks(assignment: Assignment, source: str, seed: int = 0) -> list[Mark]:
    """The marks of a file, run in this process."""
    local = Local("submission.py", source.encode("utf-8"), assignment.given)
    return mark(assignment, local.student, seed)


def lost(found: list[Mark]) -> list[Question]:
    return [m.question for m in found if m.points < m.question.points]
