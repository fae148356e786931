"""The shapes of a hand-in: each part of its syntax trees without the names that its author has chosen,
without docstrings and annotations. What is renamed, reordered or laid out anew has the same ones."""

import ast
import builtins
import hashlib
from collections import Counter
from contextlib import suppress

from .cells import cells
from .extract import DEFINITIONS, extract

LEAST = 6  # nodes of a part: smaller ones stand in every program
KEPT = {*dir(builtins), "np", "numpy", "math"}  # names that nobody has chosen


class Shape(ast.NodeTransformer):
    """A tree without what can be changed and leaves the program as it is."""

    def visit_Name(self, node):
        return node if node.id in KEPT else ast.Name("_", ast.Load())

    def visit_arg(self, node):
        return ast.arg("_")

    def visit_FunctionDef(self, node):
        body = node.body[1:] if ast.get_docstring(node) is not None else node.body
        node.name, node.returns, node.body = "_", None, body or [ast.Pass()]
        return self.generic_visit(node)

    def visit_AnnAssign(self, node):
        return self.visit(ast.Assign([node.target], node.value)) if node.value else None


def shapes(name: str, data: bytes) -> list[tuple[str, int, int]]:
    """(digest, size in nodes, how often it is there) of each part of a file's definitions."""
    try:
        statements, _ = extract(cells(name, data))
    except ValueError:
        return []
    found: Counter[str] = Counter()
    for statement in statements:
        if isinstance(statement.node, DEFINITIONS):
            with suppress(RecursionError):  # nested too deeply to be compared
                nodes = ast.walk(Shape().visit(statement.node))
                found.update(
                    ast.dump(x, False) for x in nodes if isinstance(x, ast.expr | ast.stmt)
                )
    sizes = {text: text.count("(") for text in found}  # a node each, as ast.dump writes it
    return [
        (hashlib.sha256(text.encode("utf-8", "replace")).hexdigest(), sizes[text], n)
        for text, n in found.items()
        if sizes[text] >= LEAST
    ]
