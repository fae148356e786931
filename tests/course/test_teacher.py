"""What a teacher needs around the grades: who is missing, who is late, what was copied, exports."""

import csv
import inspect
import io
import json
import os
import textwrap
from collections import Counter, defaultdict
from datetime import datetime

import pytest
from course_planted import PLANTED, a1, a2, a3, a4, a5, a6, a6_table  # noqa: F401
from course_students import SOLUTIONS

from picogpt.course.__main__ import main
from picogpt.course.assignments import ASSIGNMENTS

pytest.importorskip("resource", reason="grading needs POSIX")

from picogpt.course.grader.process import Submission
from picogpt.course.grader.starter import Limits
from picogpt.course.grader.submissions import handed_in_at
from picogpt.course.handout.forms import as_script
from picogpt.course.teacher import similar
from picogpt.course.teacher.roster import hours_late, looks_like
from picogpt.course.teacher.similar import alike, parts

RIGHT = SOLUTIONS["a2"]
WRONG = f"{RIGHT}\ndef linear(x, w, b):\n    return x @ w\n"
ROSTER = "student,name,id,login,email,section\nalice,Alice A,1,aa,a@x,S\ndora,=Dora,2,dd,d@x,S\n"


@pytest.fixture
def folder(tmp_path):
    """A class of three, graded into tmp_path/grades by run()."""
    (tmp_path / "in").mkdir()
    for name, text in {"alice": RIGHT, "bob": WRONG, "carl": SOLUTIONS["a3"]}.items():
        (tmp_path / "in" / f"{name}.py").write_text(text)
        os.utime(tmp_path / "in" / f"{name}.py", (1_000_000, 1_000_000))
    (tmp_path / "roster.csv").write_text(ROSTER)
    return tmp_path


def run(folder, *more: str) -> dict[str, dict]:
    """The rows of the table, by student."""
    command = ["grade", "a2", str(folder / "in"), "--out", str(folder / "grades"), *more]
    assert main(command) == 0
    return {row["student"]: row for row in rows(folder / "grades" / "grades.csv")}


def rows(path) -> list[dict]:
    return list(csv.DictReader(io.StringIO(path.read_text("utf-8"))))


def test_roster_and_deadline(folder):
    due = datetime.fromtimestamp(1_000_000 - 3601).isoformat()
    table = run(folder, "--roster", str(folder / "roster.csv"), "--due", due)
    assert (folder / "grades" / "not_graded.txt").read_text().splitlines() == [
        "'dora': nothing handed in",
        "'bob': not on the roster",
        "'carl': not on the roster",
        "'carl': looks like a3",
    ]
    assert {row["hours late"] for row in table.values()} == {"2"}
    at = datetime.fromtimestamp(1_000_000)
    assert [hours_late(at, datetime.fromtimestamp(1_000_000 + s)) for s in (-1, 0, 9)] == [1, 0, 0]


def test_history_has_a_line_for_each_hand_in(folder):
    run(folder)
    run(folder)
    (folder / "in" / "bob.py").write_text(RIGHT)
    os.utime(folder / "in" / "bob.py", (2_000_000, 2_000_000))
    run(folder)
    lines = (folder / "grades" / "students" / "bob" / "history.txt").read_text().splitlines()
    assert [line.split("  ")[-1] for line in lines] == ["18 of 20", "20 of 20"]
    assert lines[1].startswith(datetime.fromtimestamp(2_000_000).isoformat(" ", "seconds"))


def test_history_does_not_say_the_same_twice(folder):
    run(folder)
    run(folder, "--points-only")
    history = folder / "grades" / "students" / "bob" / "history.txt"
    assert len(history.read_text().splitlines()) == 1


def test_a_deadline_in_another_zone(folder):
    """Half past one, an hour east of Greenwich, is half past midnight there."""
    os.utime(folder / "in" / "bob.py", (7200, 7200))
    table = run(folder, "--due", "1970-01-01T01:30+01:00")
    assert table["bob"]["hours late"] == "2"
    with pytest.raises(SystemExit, match="2"):
        run(folder, "--due", "tomorrow")


def test_a_folder_that_cannot_be_read_has_the_time_of_the_folder(tmp_path, monkeypatch):
    os.utime(tmp_path, (5, 5))

    def refuse(self):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(type(tmp_path), "iterdir", refuse)
    assert handed_in_at(tmp_path) == datetime.fromtimestamp(5)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "is no CSV file with a first line"),
        ("name\nalice\n", "has no column 'student'"),
        ("student\nalice,1\n", "'alice' has more cells than there are columns"),
        ("student\na\na\n", "names 'a' twice"),
        (f"student\n{'a' * 200_000}\n", "is no CSV file"),
    ],
)
def test_rosters_that_are_none(folder, capsys, text, message):
    (folder / "roster.csv").write_text(text)
    command = ["grade", "a2", str(folder / "in"), "--out", str(folder / "grades")]
    assert main([*command, "--roster", str(folder / "roster.csv")]) == 1
    assert message in capsys.readouterr().err


def test_statistics(folder):
    run(folder)
    found = {row["question"]: row for row in rows(folder / "grades" / "statistics.csv")}
    linear = found["linear: x @ w + b"]
    assert (linear["solved"], linear["per cent"]) == ("1", "33")
    picture = (folder / "grades" / "statistics.svg").read_text()
    assert picture.count("<rect") == 1 + len(ASSIGNMENTS["a2"].questions) and ">33 %<" in picture


def test_points_by_hand_stay(folder, capsys):
    run(folder)
    by_hand = folder / "grades" / "by_hand.csv"
    by_hand.write_text(
        "student,question,points,reason\nbob,linear: x @ w + b,1,at the blackboard\n"
    )
    for _ in range(2):
        bob = run(folder)["bob"]
        assert bob["total (20)"] == "19" and "at the blackboard" in bob["remarks"]
    assert by_hand.read_text().count("\n") == 2
    capsys.readouterr()
    for line, message in {
        "nobody,linear: x @ w + b,1,": "nothing was handed in under this name",
        "bob,linear,1,": "there is no question 'linear'",
        "bob,linear: x @ w + b,3,": "points are '3', expected 0 to 2",
        "bob,linear: x @ w + b,½,": "points are '½'",
    }.items():
        by_hand.write_text(f"student,question,points,reason\n{line}\n", "utf-8")
        command = ["grade", "a2", str(folder / "in"), "--out", str(folder / "grades")]
        assert main(command) == 1
        assert message in capsys.readouterr().err


def test_points_only_and_visibility(folder):
    run(folder, "--points-only", "--visibility", "after_due_date")
    bob = folder / "grades" / "students" / "bob"
    results = json.loads((bob / "results.json").read_text())
    assert results["visibility"] == "after_due_date" and results["score"] == 18
    assert {test["output"] for test in results["tests"]} == {""}
    assert "2 of 2" not in (text := (bob / "feedback.md").read_text()) and "fed in" not in text
    run(folder)  # what is shown has changed, so they are written anew
    assert "fed in" in (bob / "feedback.md").read_text()
    assert "visibility" not in json.loads((bob / "results.json").read_text())


def test_exports(folder):
    run(folder, "--due", "1970-01-01T00:00")

    def export(form: str) -> list[list[str]]:
        out = folder / f"{form}.csv"
        command = ["export", str(folder / "grades"), "--for", form, "--out", str(out)]
        assert main([*command, "--roster", str(folder / "roster.csv")]) == 0
        return list(csv.reader(io.StringIO(out.read_text("utf-8"))))

    assert export("canvas") == [
        ["Student", "ID", "SIS Login ID", "Section", "a2"],
        ["Points Possible", "", "", "", "20"],
        ["Alice A", "1", "aa", "S", "20"],
        ["'=Dora", "2", "dd", "S", "0"],  # no formula in a spreadsheet
    ]
    assert export("moodle")[1:] == [["1", "a@x", "20"], ["2", "d@x", "0"]]
    names, *lines = export("anonymous")
    assert names[:2] == ["student", "total (20)"] and not {"remarks", "hours late"} & {*names}
    assert Counter(line[1] for line in lines) == {"20": 1, "18": 1, "0": 1}


def test_another_assignment_is_recognized():
    for name in ("a1", "a2", "a3", "a4", "a5", "a6"):
        defined = [f.__name__ for f in ASSIGNMENTS[name].functions]
        for other in ("a1", "a6"):
            expected = None if other == name else name
            assert looks_like(defined, other) == expected, (name, other)
    assert looks_like([], "a2") is None


def test_what_is_nested_too_deeply_stops_no_class(folder):
    total = "+".join(["1"] * 900)
    for text in (f"x = {total}", f"x = a{'.b' * 900}()", f"def f():\n    return {total}"):
        (folder / "in" / "mallory.py").write_text(text)
        assert run(folder)["alice"]["total (20)"] == "20"
        assert main(["similar", "a2", str(folder / "in")]) == 0


def renamed(text: str) -> str:
    """The same program with other names, another order, other spaces and docstrings."""
    for old, new in (("inner", "zz"), ("shifted", "qq"), ("losses", "out"), ("row", "line")):
        text = text.replace(old, new)
    head, *functions = text.split("\ndef ")
    functions = [f.replace(":\n", ':\n    """My own."""\n', 1) for f in functions]
    return "\ndef ".join([head, *reversed(functions)]).replace("    ", "  ")


def test_copies_are_found():
    texts = {"alice": RIGHT, "bob": renamed(RIGHT), "library": library("a2"), "stub": as_script(A2)}
    submissions = {name: Submission("a2.py", text.encode()) for name, text in texts.items()}
    ((share, *pair),) = alike(dict(parts(submissions)), 0.6)
    assert share > 0.99 and sorted(pair) == ["alice", "bob"]


A2 = ASSIGNMENTS["a2"]


def library(name: str) -> str:
    """picogpt's own functions: a solution that owes nothing to the student's."""
    return "\n\n".join(inspect.getsource(f) for f in ASSIGNMENTS[name].functions)


def independent(name: str) -> dict[str, str]:
    """Solutions that owe nothing to each other, some of them of a few functions only."""
    ways = defaultdict(list)
    for assignment, function, written, is_right in PLANTED:
        if is_right and assignment == name.partition("-")[0]:
            ways[function].append(textwrap.dedent(inspect.getsource(written)))
    texts = {"library": library(name), "student": SOLUTIONS[name]}
    for i in range(max(map(len, ways.values()))):
        texts[f"right {i}"] = "\n".join(way[i] for way in ways.values() if i < len(way))
    return texts


@pytest.mark.parametrize("name", sorted(SOLUTIONS))
def test_independent_solutions_are_not_called_copies(name):
    texts = independent(name) | {"copy": SOLUTIONS[name]}
    submissions = {who: Submission(f"{name}.py", text.encode()) for who, text in texts.items()}
    pairs = {frozenset(pair): share for share, *pair in alike(dict(parts(submissions)), 0.0)}
    assert pairs.pop(frozenset(("student", "copy"))) == pytest.approx(1)
    assert max(pairs.values()) < 0.25, pairs


def test_the_handouts_have_rules_for_assistants(tmp_path):
    assert main(["assignments", "a2", "--out", str(tmp_path)]) == 0
    assert {path.name for path in tmp_path.iterdir()} == {"a2.md", "a2.py", "a2.ipynb", "AGENTS.md"}
    assert "Write no function" in (tmp_path / "AGENTS.md").read_text()


def test_what_takes_too_much_is_not_compared(folder, capsys, monkeypatch):
    lists = '{"cells": [], "x": [' + "[]," * 3_000_000 + "[]]}"  # 200 MB of them
    (folder / "in" / "dora.ipynb").write_text(lists)
    monkeypatch.setattr(similar, "LIMITS", Limits(seconds=20, megabytes=300))
    assert main(["similar", "a2", str(folder / "in")]) == 0
    out, err = capsys.readouterr()
    line = "picogpt: 'dora': not compared, it ended its process, with exit status 0\n"
    assert (err, out) == (line, "100%  alice  bob\n")
