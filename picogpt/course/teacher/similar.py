"""Hand-ins that look alike: a copy is found though it was renamed, reordered and laid out anew.

Each part of a syntax tree (an expression or a statement) is written down without the names that its
author has chosen, without docstrings and annotations. What two hand-ins have in common of such parts
counts the more, the larger a part is and the fewer others have it. That two are alike proves nothing:
short functions have few forms. It says where to look.
"""

import ast
import builtins
import math
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from itertools import combinations

from ..grader.extract import extract
from ..grader.process import Submission

MIN_SIZE = 6  # nodes of a part: smaller ones stand in every program
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


def parts(submission: Submission) -> Counter[str]:
    """The parts of a hand-in, written down, and how often each stands in it."""
    try:
        statements, _ = extract(submission.name, submission.data)
    except ValueError:
        return Counter()
    definitions = ast.FunctionDef | ast.ClassDef
    found: Counter[str] = Counter()
    for statement in statements:
        if isinstance(statement.node, definitions):
            with suppress(RecursionError):  # nested too deeply to be compared
                nodes = ast.walk(Shape().visit(statement.node))
                texts = (ast.dump(x, False) for x in nodes if isinstance(x, ast.expr | ast.stmt))
                found.update(text for text in texts if size(text) >= MIN_SIZE)
    return found


def size(text: str) -> int:
    """The number of nodes in a part, as ast.dump has written it."""
    return text.count("(")


def alike(submissions: dict[str, Submission], least: float) -> Iterator[tuple[float, str, str]]:
    """(share, one, other): pairs that have at least this share of the smaller one in common.

    The share is that of the parts' sizes, each weighted by how rare it is in this class.
    """
    found = {student: parts(submission) for student, submission in submissions.items()}
    owners = Counter(text for texts in found.values() for text in texts)

    def weight(texts: Counter) -> float:
        rarity = {text: math.log((len(found) + 1) / owners[text]) for text in texts}
        return sum(n * size(text) * rarity[text] for text, n in texts.items())

    total = {student: weight(texts) for student, texts in found.items()}
    pairs = []
    for one, other in combinations(found, 2):
        smaller = min(total[one], total[other])
        share = weight(found[one] & found[other]) / smaller if smaller else 0.0
        if share >= least:
            pairs.append((share, one, other))
    yield from sorted(pairs, reverse=True)
