"""The house stands as designed: what imports what, and how long it takes."""

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[2] / "picogpt"
SOURCES = sorted(PACKAGE.rglob("*.py"))

# From the ground up: a room imports from rooms before it, and from itself.
ROOMS = [
    "plain",
    "files",
    "command",
    "other_names",
    "tap",
    "ops",
    "threads",
    "config",
    "kv_cache",
    "model",
    "backward",
    "bpe",
    "weights",
    "decoding",
    "evaluate",
    "lens",
    "explain",
    "gpt2",
    "interactive",
    "chat",
    "train",
    "tasks",
    "bundled",
    "course",
    "classroom",
    "__init__",
    "__main__",
]


def room_of(parts: tuple[str, ...]) -> str:
    """The room of a module, given its path within the package without ".py"."""
    return parts[-1] if parts[-1] == "__main__" else parts[0]


def imports(path: Path) -> list[tuple[str, bool]]:
    """The modules that a source imports, by absolute name, and whether at its top level."""
    package = ["picogpt", *path.relative_to(PACKAGE).parent.parts]
    tree = ast.parse(path.read_text("utf-8"))
    found = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found += [(alias.name, node in tree.body) for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) + 1 - node.level] if node.level else []
            module = ".".join([*base, *([node.module] if node.module else [])])
            # `from . import command` names a module, `from .ops import gelu` does not
            for alias in node.names:
                is_module = (
                    PACKAGE.parent / f"{module}.{alias.name}".replace(".", "/")
                ).with_suffix(".py")
                name = f"{module}.{alias.name}" if is_module.exists() else module
                found.append((name, node in tree.body))
    return found


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_a_room_imports_only_rooms_above_it(path):
    own = room_of(path.relative_to(PACKAGE).with_suffix("").parts)
    for name, _ in imports(path):
        if name.split(".")[0] == "picogpt":
            other = room_of(tuple(name.split(".")[1:]) or ("__init__",))
            assert ROOMS.index(other) <= ROOMS.index(own), f"{own} imports {name}"


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_third_parties(path):
    allowed = {*sys.stdlib_module_names, "picogpt", "numpy", "regex", "requests"} - {"pickle"}
    if path.parent.name == "classroom" and path.stem in ("plots", "drawings"):
        allowed.add("matplotlib")  # of the extra "notebooks"; nothing else imports these two
    for name, top_level in imports(path):
        assert name.split(".")[0] in allowed
        assert not (name == "requests" and top_level), "requests takes long to import"


def test_import_leaves_the_network_alone():
    code = "import sys, picogpt; sys.exit('requests' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_the_readme_shows_every_room_in_the_order_of_reading():
    readme = (PACKAGE.parent / "README.md").read_text("utf-8")
    table = readme.split("## How to read it")[1].split("| room | what it is |")[1].split("\n\n")[0]
    cells = [line.split("|")[1] for line in table.splitlines()[2:]]
    shown = [name for cell in cells for name in re.findall(r"`(\w+)(?:\.py|/)`", cell)]
    assert shown == ROOMS
    there = {path.stem for path in PACKAGE.iterdir() if path.suffix == ".py" or path.is_dir()}
    assert there - {"__pycache__"} == {*ROOMS}
