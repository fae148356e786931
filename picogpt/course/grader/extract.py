"""What is taken of a hand-in: its imports, constants and definitions, and nothing else.

A script that trains for an hour, a cell that prints, a cell that fails: whatever else stands at
the top level of a file or notebook is never run, so that it cannot sink the rest. What is taken
is found in the syntax tree (ast), and run statement by statement.
"""

import ast
import sys
import traceback
from collections.abc import Iterable, Iterator
from types import CodeType
from typing import NamedTuple

from .cells import trees

# A constant may be computed, as in math.sqrt(2 / math.pi), but only by the functions of these
# modules and by these builtins. Anything else might do something, and once for every question.
PURE = {
    *("math", "np", "numpy", "re", "collections", "namedtuple", "typing", "TypeVar"),
    *("bool", "int", "float", "str", "bytes", "tuple", "list", "dict", "set", "frozenset"),
    *("range", "len", "chr", "ord", "zip", "enumerate", "sorted", "sum", "min", "max", "abs"),
    *("round", "pow", "divmod", "reversed", "slice", "complex", "bytearray", "object"),
    *("struct", "string", "logging.getLogger", "partial", "functools.partial", "Fraction"),
    *("Counter", "defaultdict", "deque", "OrderedDict"),
}
DEFINITIONS = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef
TAKEN = "import, constant or definition"
NOT_THERE = "is picogpt's own, and not there when a submission is graded"
GIVEN_ALONE = "holds the given functions alone when a submission is graded"
STRANGE = "is neither Python's own nor NumPy, and not there when a submission is graded"


class Statement(NamedTuple):
    """One top-level statement, ready to run."""

    place: str  # "a2.py" or "code cell 5", which is also the file name in tracebacks
    node: ast.stmt
    code: CodeType

    @property
    def where(self) -> str:
        return f"{self.place}, line {self.node.lineno}"


def extract(sources: Iterable[tuple[str, str]]) -> tuple[list[Statement], list[str]]:
    """The statements that are taken of a file or of cells, and notes on what cannot be read.

    sources: (place, source), see cells.cells.
    """
    statements, notes, future = [], [], []
    for place, source in sources:
        for tree in trees(source):
            if isinstance(tree, Exception):
                notes.append(f"{place} cannot be read, {why(tree)}")
                continue
            future += [node for node in tree.body if is_future(node)]
            for node in tree.body:
                take(node, place, future, statements, notes)
    return statements, notes


def take(node: ast.stmt, place: str, future: list, statements: list, notes: list) -> None:
    """Add a statement to the statements, or a note to the notes, or neither."""
    try:
        if not is_taken(node):
            if not is_silent(node):
                notes.append(f"{place}, line {node.lineno}: left out, since it is no {TAKEN}")
            return
        code = compile(ast.Module([*future, node], type_ignores=[]), place, "exec")
        statements.append(Statement(place, node, code))
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        notes.append(f"{place} cannot be read, {why(error)}")


def why(error: Exception) -> str:
    """A syntax error in a few words."""
    if isinstance(error, SyntaxError) and error.lineno:
        return f"line {error.lineno}: {error.msg}"
    if isinstance(error, SyntaxError | ValueError):
        return f"{error}"[:100]  # such as "source code string cannot contain null bytes"
    return "it is nested too deeply"


def is_future(node: ast.stmt) -> bool:
    return isinstance(node, ast.ImportFrom) and node.module == "__future__"


def is_silent(node: ast.stmt) -> bool:
    """Whether a statement can be left out without a note: a call, a docstring, a call of main()."""
    main = isinstance(node, ast.If) and "__name__" in ast.unparse(node.test)
    return isinstance(node, ast.Expr | ast.Pass) or main or is_from_course(node)


def is_from_course(node: ast.stmt) -> bool:
    """Whether a statement imports `check`, as notebooks do, for calls that are never run."""
    return isinstance(node, ast.ImportFrom) and node.module == "picogpt.course"


def is_taken(node: ast.stmt) -> bool:
    """Whether a statement is an import, a definition, or a name for a constant, or under an `if`
    or a `try` nothing but such statements."""
    if isinstance(node, ast.Assign):
        return all(map(is_name, node.targets)) and is_constant(node.value)
    if isinstance(node, ast.AnnAssign):
        return is_name(node.target) and node.value is not None and is_constant(node.value)
    if isinstance(node, ast.If) and not is_silent(node):
        return is_constant(node.test) and all(map(is_part, node.body + node.orelse))
    if isinstance(node, ast.Try):
        handled = [x for handler in node.handlers for x in handler.body]
        return all(map(is_part, node.body + handled + node.orelse + node.finalbody))
    if is_from_course(node):
        return False
    is_alias = type(node).__name__ == "TypeAlias"  # from Python 3.12 on
    return isinstance(node, ast.Import | ast.ImportFrom | DEFINITIONS) or is_alias


def is_part(node: ast.stmt) -> bool:
    """Whether a statement under an `if` or a `try` is taken with it."""
    is_text = isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
    return isinstance(node, ast.Pass | ast.Raise) or is_text or is_taken(node)


def is_name(target: ast.expr) -> bool:
    if isinstance(target, ast.Tuple | ast.List):
        return all(map(is_name, target.elts))
    if isinstance(target, ast.Starred):
        return is_name(target.value)
    return isinstance(target, ast.Name)


def is_constant(value: ast.expr) -> bool:
    """Whether an expression calls nothing but PURE, and methods of constants, such as "a b".split;
    a lambda defines, and is not called."""
    if isinstance(value, ast.Lambda):
        return True
    if isinstance(value, ast.Call) and not is_pure(value.func):
        return False
    return all(map(is_constant, ast.iter_child_nodes(value)))


def is_pure(function: ast.expr) -> bool:
    """Whether what is called is one of PURE, or a method of a constant."""
    root = function
    while isinstance(root, ast.Attribute):
        root = root.value
    if isinstance(root, ast.Name):
        return root.id in PURE or ast.unparse(function) in PURE
    return root is not function and is_constant(root) and not isinstance(root, ast.Lambda)


def run(statement: Statement, namespace: dict) -> str | None:
    """Run a statement in a namespace. Returns a note if it fails, which harms no other."""
    if names := strange_modules(statement.node):
        return f"{statement.where}: left out, {names[0]} {STRANGE}"
    try:
        exec(statement.code, namespace)  # noqa: S102
    except (Exception, SystemExit) as error:  # noqa: BLE001
        said = traceback.format_exception_only(error)[-1].strip()
        return f"{statement.where}: left out, {said:.200}"
    return None


def strange_modules(node: ast.AST) -> list[str]:
    """The modules that an import takes from elsewhere than Python, NumPy and picogpt."""
    names = []
    if isinstance(node, ast.Import):
        names = [alias.name for alias in node.names]
    elif isinstance(node, ast.ImportFrom):
        names = ["." * node.level + (node.module or "")]
    known = {*sys.stdlib_module_names, "numpy", "picogpt"}
    return [name for name in names if name.split(".")[0] not in known]


def solution_imports(statements: list[Statement], given: dict[str, str]) -> Iterator[str]:
    """A note on each import from picogpt, of other names than those given, and on each import
    within a function or another statement of what will not be there.

    given: name of a function -> its module.
    """
    modules = tuple(f"{module}." for module in given.values())
    for statement in statements:
        for node in ast.walk(statement.node):
            names = {}
            if isinstance(node, ast.Import):
                names = {alias.name: alias.name for alias in node.names if is_solution(alias.name)}
            elif isinstance(node, ast.ImportFrom) and is_solution(node.module or ""):
                names = {x.name: f"{node.module}.{x.name}" for x in node.names}
            for name in sorted(names.keys() - given.keys()):
                is_there = any(module.startswith(f"{names[name]}.") for module in modules)
                what = GIVEN_ALONE if is_there else NOT_THERE
                yield f"{statement.place}, line {node.lineno}: {name} {what}"
            for name in strange_modules(node) if node is not statement.node else []:
                yield f"{statement.place}, line {node.lineno}: {name} {STRANGE}"


def is_solution(module: str) -> bool:
    return module.split(".")[0] == "picogpt"
