"""Reading picogpt's own source, by its syntax tree: stubs of functions, and just what they need.

Nothing in the library marks what a student has to write. A stub is a function's signature and
docstring, taken from where it stands, so that the two cannot drift apart.
"""

import ast
import re
import sys
import textwrap
from collections import defaultdict
from collections.abc import Callable, Iterable
from functools import cache
from importlib.util import resolve_name

WIDTH = 100
INDENT = "    "


@cache
def source(module: str) -> str:
    """The text of a module that is imported already."""
    with open(sys.modules[module].__file__, encoding="utf-8") as file:
        return file.read()


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


def definition(function: Callable) -> str:
    """The text of a function or class, as it stands in its module."""
    module = function.__module__
    return ast.get_source_segment(source(module), top_level(module)[function.__name__])


def stub(function: Callable, omit: Iterable[str] = ()) -> str:
    """A function's signature and docstring, and `raise NotImplementedError` in place of the rest.

    omit: parameters to leave out, with the sentences of the docstring that speak of them; any
    other word there stands for its sentences alone, and "f.word" for what f alone is to omit.
    """
    (node,) = ast.parse(definition(function)).body
    if not isinstance(node, ast.FunctionDef):
        raise TypeError(f"{function.__name__} is no function, and has no stub")
    omit = {word.removeprefix(f"{node.name}.") for word in omit}
    arguments = parameters(node.args, omit)
    returns = f" -> {ast.unparse(node.returns)}" if node.returns else ""
    line = f"def {node.name}({', '.join(arguments)}){returns}:"
    if len(line) > WIDTH:
        lines = [f"def {node.name}(", *(f"{INDENT}{x}," for x in arguments), f"){returns}:"]
        line = "\n".join(lines)
    doc = ast.get_source_segment(definition(function), node.body[0])
    return f"{line}\n{INDENT}{without(omit, doc)}\n{INDENT}raise NotImplementedError\n"


def parameters(args: ast.arguments, omit: set[str]) -> list[str]:
    """The parameters of a function as they are written, less those to omit."""

    def written(arg, default):
        text = ast.unparse(arg)
        if default is None:
            return text
        return f"{text}{' = ' if arg.annotation else '='}{ast.unparse(default)}"

    defaults = [None] * (len(args.args) - len(args.defaults)) + args.defaults
    plain = [written(*x) for x in zip(args.args, defaults, strict=True) if x[0].arg not in omit]
    named = zip(args.kwonlyargs, args.kw_defaults, strict=True)
    named = [written(*x) for x in named if x[0].arg not in omit]
    return [*plain, *(["*", *named] if named else [])]


def without(omit: set[str], doc: str) -> str:
    """A docstring, quotes included, without the sentences that hold one of the words.

    What a semicolon ends is a sentence too.
    """
    unwanted = re.compile(rf"\b({'|'.join(map(re.escape, sorted(omit)))})\b")
    if not omit or not unwanted.search(doc):
        return doc
    paragraphs = []
    for paragraph in doc.strip('"').rstrip().split("\n\n"):
        if unwanted.search(paragraph):
            sentences = re.split(r"(?<=;)\s+|(?<=\.)\s+(?=[A-Z])", paragraph.strip())
            wanted = " ".join(" ".join(s.split()) for s in sentences if not unwanted.search(s))
            wanted = re.sub(r";(?= [A-Z]|$)", ".", wanted)
            paragraph = textwrap.indent(textwrap.fill(wanted, WIDTH - len(INDENT)), INDENT)
        if paragraph:
            paragraphs.append(paragraph)
    text = "\n\n".join(paragraphs).lstrip()
    return f'"""{text}\n{INDENT}"""' if "\n" in text else f'"""{text}"""'
