"""Just those parts of picogpt that some functions need, by its syntax tree, and compiled."""

import ast
import marshal
import sys
from collections import defaultdict
from collections.abc import Callable
from functools import cache
from importlib.util import resolve_name


@cache
def source(module: str) -> str:
    """The text of a module that is imported already."""
    with open(sys.modules[module].__file__, encoding="utf-8") as file:
        return file.read()


@cache
def compiled(functions: tuple[Callable, ...]) -> dict[str, bytes]:
    """Module name -> what some functions need of it, as code without sources and docstrings."""
    codes = {
        name: compile(text, "<picogpt>", "exec", dont_inherit=True, optimize=2)
        for name, text in pruned(functions).items()
    }
    return {name: marshal.dumps(code) for name, code in codes.items()}


@cache
def top_level(module: str) -> dict[str, ast.stmt]:
    """Name -> the statement that makes it, for every name of a module."""
    made = {}
    for node in ast.parse(source(module)).body:
        for name in names_made(node):
            made[name] = node
    return made


def names_made(node: ast.stmt) -> list[str]:
    if isinstance(node, ast.Import | ast.ImportFrom):
        return [alias.asname or alias.name.split(".")[0] for alias in node.names]
    if isinstance(node, ast.FunctionDef | ast.ClassDef):
        return [node.name]
    if isinstance(node, ast.Assign):
        return [x.id for target in node.targets for x in ast.walk(target) if type(x) is ast.Name]
    return []


@cache
def pruned(functions: tuple[Callable, ...]) -> dict[str, str]:
    """Module name -> the source of just those parts that the functions need to run.

    Parent packages are there too, empty.
    """
    kept = defaultdict(set)
    for function in functions:
        keep(function.__module__, function.__name__, kept)
    sources = {}
    for module in kept:
        parts = module.split(".")
        sources |= {".".join(parts[:n]): "" for n in range(1, len(parts))}
    return sources | {module: part(module, names) for module, names in kept.items()}


def keep(module: str, name: str, kept: dict[str, set[str]]) -> None:
    """Put a name of a module into kept (module -> names), and all names that it needs."""
    if name in kept[module]:
        return
    kept[module].add(name)
    node = top_level(module)[name]
    if isinstance(node, ast.ImportFrom) and node.level:
        package = module.rpartition(".")[0]
        origin = resolve_name("." * node.level + (node.module or ""), package)
        alias = next(alias for alias in node.names if name == (alias.asname or alias.name))
        keep(origin, alias.name, kept)
    else:
        for x in ast.walk(node):
            if isinstance(x, ast.Name) and x.id in top_level(module):
                keep(module, x.id, kept)


def part(module: str, names: set[str]) -> str:
    """The source of those statements of a module that make the names."""
    parts = []
    for node in ast.parse(source(module)).body:
        if names.isdisjoint(names_made(node)):
            continue
        if isinstance(node, ast.Import | ast.ImportFrom):
            made = zip(node.names, names_made(node), strict=True)
            node.names = [alias for alias, name in made if name in names]
        parts.append(ast.unparse(node))
    return "\n".join(parts)
