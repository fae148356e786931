"""What is taken of a hand-in: its imports, constants and definitions, and nothing else.

A script that trains for an hour, a cell that prints, a cell that fails: whatever else stands at
the top level of a file or notebook is never run, so that it cannot sink the rest. What is taken
is found in the syntax tree (ast), and run statement by statement.
"""

import ast
import json
import traceback
from collections.abc import Iterator
from types import CodeType
from typing import NamedTuple

# A constant may be computed, as in math.sqrt(2 / math.pi), but only by the functions of these
# modules and by these builtins. Anything else might do something, and once for every question.
PURE = {
    *("math", "np", "numpy", "re", "collections", "namedtuple", "typing", "TypeVar"),
    *("bool", "int", "float", "str", "bytes", "tuple", "list", "dict", "set", "frozenset"),
    *("range", "len", "chr", "ord", "zip", "enumerate", "sorted", "sum", "min", "max", "abs"),
}
TAKEN = "import, constant or definition"
NOT_THERE = "is picogpt's own, and not there when a submission is graded"


class Statement(NamedTuple):
    """One top-level statement, ready to run."""

    place: str  # "a2.py" or "code cell 5", which is also the file name in tracebacks
    node: ast.stmt
    code: CodeType

    @property
    def where(self) -> str:
        return f"{self.place}, line {self.node.lineno}"


def extract(name: str, data: bytes) -> tuple[list[Statement], list[str]]:
    """The statements that are taken of a .py or .ipynb file, and notes on what cannot be read.

    name: the file's; data: its bytes. Raises ValueError if nothing of it can be read.
    """
    statements, notes, future = [], [], []
    for place, source in cells(name, data):
        try:
            tree = ast.parse(source)
            future += [node for node in tree.body if is_future(node)]
            for node in tree.body:
                if is_taken(node):
                    code = ast.Module([*future, node], type_ignores=[])
                    statements.append(Statement(place, node, compile(code, place, "exec")))
                elif not is_silent(node):
                    notes.append(f"{place}, line {node.lineno}: left out, since it is no {TAKEN}")
        except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
            notes.append(f"{place} cannot be read, {why(error)}")
    return statements, notes


def cells(name: str, data: bytes) -> Iterator[tuple[str, str]]:
    """(place, source) of a file, or of every code cell of a notebook.

    A notebook's line magics (%matplotlib inline, !ls) become empty lines. Raises ValueError for
    bytes that are no UTF-8, or no notebook.
    """
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise ValueError(f"{name} is not UTF-8: {error.reason} at byte {error.start}") from None
    if not name.endswith(".ipynb"):
        yield name, text
        return
    try:
        found = [cell for cell in json.loads(text)["cells"] if cell["cell_type"] == "code"]
        sources = ["".join(cell["source"]) for cell in found]
    except (ValueError, KeyError, TypeError, RecursionError):
        raise ValueError(f"{name} is no Jupyter notebook") from None
    for number, source in enumerate(sources, 1):
        lines = source.splitlines()
        if not source.startswith("%%"):
            lines = ["" if line.startswith(("%", "!")) else line for line in lines]
        yield f"code cell {number}", "\n".join(lines)


def why(error: Exception) -> str:
    """A syntax error in a few words."""
    if isinstance(error, SyntaxError):
        return f"line {error.lineno}: {error.msg}"
    return "it is nested too deeply"


def is_future(node: ast.stmt) -> bool:
    return isinstance(node, ast.ImportFrom) and node.module == "__future__"


def is_silent(node: ast.stmt) -> bool:
    """Whether a statement can be left out without a note: a call, a docstring, a call of main()."""
    main = isinstance(node, ast.If) and "__name__" in ast.unparse(node.test)
    return isinstance(node, ast.Expr) or main or is_from_course(node)


def is_from_course(node: ast.stmt) -> bool:
    """Whether a statement imports `check`, as notebooks do, for calls that are never run."""
    return isinstance(node, ast.ImportFrom) and node.module == "picogpt.course"


def is_taken(node: ast.stmt) -> bool:
    """Whether a statement is an import, a definition, or a name for a constant."""
    if isinstance(node, ast.Assign):
        return all(map(is_name, node.targets)) and is_constant(node.value)
    if isinstance(node, ast.AnnAssign):
        return is_name(node.target) and node.value is not None and is_constant(node.value)
    if is_from_course(node):
        return False
    definitions = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef
    return isinstance(node, ast.Import | ast.ImportFrom | definitions)


def is_name(target: ast.expr) -> bool:
    if isinstance(target, ast.Tuple):
        return all(map(is_name, target.elts))
    return isinstance(target, ast.Name)


def is_constant(value: ast.expr) -> bool:
    """Whether an expression calls nothing but PURE; a lambda defines, and is not called."""
    if isinstance(value, ast.Lambda):
        return True
    if isinstance(value, ast.Call):
        root = value.func
        while isinstance(root, ast.Attribute):
            root = root.value
        if not (isinstance(root, ast.Name) and root.id in PURE):
            return False
    return all(map(is_constant, ast.iter_child_nodes(value)))


def run(statement: Statement, namespace: dict) -> str | None:
    """Run a statement in a namespace. Returns a note if it fails, which harms no other."""
    try:
        exec(statement.code, namespace)  # noqa: S102
    except (Exception, SystemExit) as error:  # noqa: BLE001
        said = traceback.format_exception_only(error)[-1].strip()
        return f"{statement.where}: left out, {said:.200}"
    return None


def solution_imports(statements: list[Statement], given: set[str]) -> Iterator[str]:
    """A note on each import from picogpt, of other names than those given."""
    for statement in statements:
        for node in ast.walk(statement.node):
            names = set()
            if isinstance(node, ast.Import):
                names = {alias.name for alias in node.names if is_solution(alias.name)}
            elif isinstance(node, ast.ImportFrom) and is_solution(node.module or ""):
                names = {alias.name for alias in node.names} - given
            for name in sorted(names):
                yield f"{statement.place}, line {node.lineno}: {name} {NOT_THERE}"


def is_solution(module: str) -> bool:
    return module.split(".")[0] == "picogpt"
