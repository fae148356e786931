"""What is handed out: text, file and notebook of the same functions."""

import inspect
import json
import re
from collections import defaultdict
from pathlib import Path

import numpy as np
import pytest

from picogpt import course
from picogpt.course.__main__ import main
from picogpt.course.a2_operations import a2_1_ops
from picogpt.course.assignments import ASSIGNMENTS
from picogpt.course.grader.asking import Ask
from picogpt.course.grader.local import Live
from picogpt.course.handout.forms import as_markdown, as_notebook, as_script
from picogpt.course.handout.pieces import pieces, read_sections

ALL = pytest.mark.parametrize("assignment", ASSIGNMENTS.values(), ids=lambda x: x.name)


def code_of(notebook: dict) -> str:
    cells = [cell for cell in notebook["cells"] if cell["cell_type"] == "code"]
    return "\n".join("".join(cell["source"]) for cell in cells)


@ALL
def test_every_form_holds_every_stub(assignment):
    script, text = as_script(assignment), as_markdown(assignment)
    notebook = json.loads(as_notebook(assignment))
    codes = defaultdict(list)
    for kind, content in pieces(assignment):
        if match := kind == "code" and re.match(r"def (\w+)", content):
            codes[match[1]].append(content)
    for function in assignment.functions:
        (code,) = codes[function.__name__]
        assert code in script
        assert code in text
        assert code in code_of(notebook)
        assert f"check({function.__name__})" in code_of(notebook)
        assert re.search(rf"^### {function.__name__} \(\d+ points?\)$", text, re.MULTILINE)
    assert f"## The functions\n\nAbout {assignment.hours} hours, " in text
    assert f" {assignment.points} points in all:\n\n| function |" in text


def call_with_anything(function):
    parameters = inspect.signature(function).parameters.values()
    named = {p.name: None for p in parameters if p.kind == p.KEYWORD_ONLY}
    return function(*[None] * (len(parameters) - len(named)), **named)


@ALL
def test_the_file_runs(assignment):
    source = as_script(assignment)
    exec(compile(source, "script", "exec"), names := {})  # noqa: S102
    assert names["ASSIGNMENT"] == assignment.name
    for function in assignment.functions:
        with pytest.raises(NotImplementedError):
            call_with_anything(names[function.__name__])
        assert names[function.__name__].__doc__[:20] == function.__doc__[:20]
    assert max(map(len, source.splitlines())) <= 100


@ALL
def test_what_is_asked_for_is_a_part_of_what_the_reference_takes(assignment):
    """The same parameters in the same order, less some that have a default."""
    exec(as_script(assignment), names := {})  # noqa: S102
    for function in assignment.functions:
        theirs = inspect.signature(function).parameters
        asked = inspect.signature(names[function.__name__]).parameters
        assert [*asked] == [name for name in theirs if name in asked]
        for name, parameter in theirs.items():
            if name not in asked:
                assert parameter.default is not inspect.Parameter.empty, name
            else:
                assert (asked[name].kind, asked[name].default) == (
                    parameter.kind,
                    parameter.default,
                )


def test_a_section_ends_with_a_block_of_python(tmp_path):
    path = tmp_path / "a9.md"
    path.write_text("# A\n\n### f\n\nText.\n\n```python\ndef f(): ...\n```\n")
    assert read_sections(path) == ("# A", {"f": ("Text.", "def f(): ...")})
    path.write_text("# A\n\n### f\n\nText.\n")
    with pytest.raises(ValueError, match="the section f does not end with a block of Python"):
        read_sections(path)


@ALL
def test_the_notebook_is_one(assignment):
    """As Jupyter's format 4.4 has it."""
    notebook = json.loads(as_notebook(assignment))
    assert notebook.keys() == {"cells", "metadata", "nbformat", "nbformat_minor"}
    assert (notebook["nbformat"], notebook["nbformat_minor"]) == (4, 4)
    for cell in notebook["cells"]:
        more = {"execution_count", "outputs"} if cell["cell_type"] == "code" else set()
        assert cell.keys() == {"cell_type", "metadata", "source"} | more
        assert all(line.endswith("\n") for line in cell["source"][:-1])


@ALL
def test_hints_unfold(assignment):
    text = as_markdown(assignment)
    assert text.count("<details><summary>Hint") == text.count("</details>") >= 1
    # Markdown inside is read as Markdown only after an empty line
    assert text.count("</summary>\n\n") == text.count("</summary>")
    for heading in ("## Goal", "## Background", "## The functions", "## Hand in"):
        assert text.count(f"\n{heading}\n") == 1
    assert text.startswith("# Assignment ")


def test_what_is_written(tmp_path, capsys):
    out = tmp_path / "handouts"
    assert main(["assignments", "--out", str(out)]) == 0
    names = [name for name, assignment in ASSIGNMENTS.items() if not assignment.variant_of]
    expected = [out / f"{name}{suffix}" for name in names for suffix in (".md", ".py", ".ipynb")]
    assert capsys.readouterr().out.splitlines() == [str(path) for path in expected]
    assert sorted(out.iterdir()) == sorted([*expected, out / "AGENTS.md"])


def test_a_variant_by_name(tmp_path):
    assert main(["assignments", "a2-rmsnorm", "--out", str(tmp_path)]) == 0
    text = (tmp_path / "a2-rmsnorm.md").read_text("utf-8")
    assert text.startswith("# Assignment 2, with RMSNorm")
    assert "### rms_norm (4 points)" in text
    assert "### layer_norm" not in text
    assert "### gelu (3 points)" in text


def test_nobodys_work_is_overwritten(tmp_path, capsys):
    (tmp_path / "a2.ipynb").write_text("mine")
    assert main(["assignments", "a2", "--out", str(tmp_path)]) == 1
    assert "a2.ipynb exists already" in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ["a2.ipynb"]
    assert (tmp_path / "a2.ipynb").read_text() == "mine"


def test_no_such_assignment(tmp_path, capsys):
    assert main(["assignments", "a2", "b", "--out", str(tmp_path / "x")]) == 1
    assert capsys.readouterr().err.startswith("picogpt: there is no assignment 'b', expected a")
    assert not (tmp_path / "x").exists()


GUIDE = (Path(course.__file__).parent / "README.md").read_text("utf-8")


def test_the_guide_tells_the_points_and_variants():
    for name, assignment in ASSIGNMENTS.items():
        if not assignment.variant_of:
            (row,) = [line for line in GUIDE.splitlines() if line.startswith(f"| {name} |")]
            *_, points, variants, _ = map(str.strip, row.split("|"))
            assert points == str(assignment.points)
            names = [x for x, other in ASSIGNMENTS.items() if other.variant_of == name]
            assert sorted(variants.split(", ")) == sorted(f"`{x}`" for x in names)


def test_the_guides_question():
    names = {name: getattr(a2_1_ops, name) for name in ("np", "softmax", "question", "FLOATS")}
    names |= {"normal": a2_1_ops.normal, "sizes": a2_1_ops.sizes}
    for block in GUIDE.split("```python\n")[1:]:
        exec(block.split("```")[0], names)  # noqa: S102
    asked, (sorts,) = names["softmax_keeps_places"], names["softmax_keeps_places"].mistakes
    assert sorts is names["sorts"]
    for function, hint in ((names["softmax"], None), (sorts, "You sort the row: each")):
        with Live({"softmax": function}, ()).student(()) as call:
            ask = Ask(call, asked, {"softmax"})
            asked.ask(ask, np.random.default_rng(0))
        problem = ask.problem()
        assert problem is None if hint is None else problem.hint.startswith(hint)
    x = np.eye(2)
    assert np.array_equal(names["weighted"](x, x), names["softmax"](x))


@pytest.mark.parametrize("name", ["a1", "a2", "a3", "a4", "a5", "a6"])
def test_hours_and_points_are_those_of_the_teachers_page(name):
    assignment = ASSIGNMENTS[name]
    (line,) = (line for line in GUIDE.splitlines() if line.startswith(f"| {name} |"))
    assert line.split(" | ")[2:4] == [str(assignment.hours), str(assignment.points)]
    assert f"About {assignment.hours} hours" in as_markdown(assignment)
