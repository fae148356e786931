"""Grading a class: who is graded, what is written, and that nothing is graded twice."""

import csv
import hashlib
import hmac
import io
import json
import os
from contextlib import contextmanager
from dataclasses import replace
from types import SimpleNamespace

import pytest
from course_students import SOLUTIONS

from picogpt.course.__main__ import main
from picogpt.course.assignments import ASSIGNMENTS

pytest.importorskip("resource", reason="grading needs POSIX")

from picogpt.course.grader import grading, marking, process
from picogpt.course.grader import submissions as handed_in
from picogpt.course.handout import forms
from picogpt.course.teacher.tables import write_table

A2 = ASSIGNMENTS["a2"]
RIGHT = SOLUTIONS["a2"]
WRONG = f"{RIGHT}\ndef linear(x, w, b):\n    raise ValueError('```<b>|')\n"


@pytest.fixture
def submissions(tmp_path):
    folder = tmp_path / "submissions"
    folder.mkdir()
    return folder


@pytest.fixture
def grade(tmp_path, submissions, capsys):
    """Grades, and returns (status, rows of the table by student, lines on stderr)."""

    def run(*more: str) -> tuple[int, dict, list[str]]:
        out = tmp_path / "grades"
        status = main(["grade", "a2", str(submissions), "--out", str(out), *more])
        err = capsys.readouterr().err.splitlines()
        # What there is between the code and the grader differs from system to system
        err = [line for line in err if "students' code runs" not in line]
        if not (out / "grades.csv").exists():
            return status, {}, err
        rows = csv.DictReader(io.StringIO((out / "grades.csv").read_text("utf-8")))
        return status, {row["student"]: row for row in rows}, err

    return run


def test_a_class(tmp_path, submissions, grade):
    (submissions / "alice.py").write_text(RIGHT)
    (submissions / "j.doe").mkdir()
    notebook = {"cells": [{"cell_type": "code", "source": WRONG}]}
    (submissions / "j.doe" / "a2 (1).ipynb").write_text(json.dumps(notebook))
    (submissions / "empty").mkdir()
    status, rows, err = grade("--jobs", "2")
    assert status == 0
    assert {name: row["total (20)"] for name, row in rows.items()} == {
        "alice": "20",
        "empty": "0",
        "j.doe": "18",
    }
    assert rows["j.doe"]["linear: x @ w + b (2)"] == "0"
    assert rows["j.doe"]["softmax: Each row sums to 1 (2)"] == "2"
    assert rows["empty"]["remarks"] == (
        "expected one .py or .ipynb file, or one named a2, found nothing"
    )
    assert sorted(line.split("] ")[1] for line in err) == [
        *("alice: 20 of 20", "empty: 0 of 20", "j.doe: 18 of 20"),
    ]
    assert [line.split("] ")[0] for line in err] == [f"picogpt: [{i}/3" for i in (1, 2, 3)]

    feedback = (tmp_path / "grades" / "students" / "j.doe" / "feedback.md").read_text("utf-8")
    assert feedback.startswith("# a2: the operations\n\n18 of 20 points\n")
    assert "| linear | x @ w + b | 0/2 | see below |" in feedback
    # a fence that what stands in it cannot close
    assert "````text\nit raises ValueError: ```<b>| (code cell 1, line " in feedback


@pytest.mark.parametrize("make", [forms.as_script, forms.as_notebook])
def test_the_handout_itself_gets_no_points_and_no_remarks(submissions, grade, make):
    suffix = ".ipynb" if make is forms.as_notebook else ".py"
    (submissions / f"alice{suffix}").write_text(make(A2), "utf-8")
    _, rows, _ = grade()
    assert (rows["alice"]["total (20)"], rows["alice"]["remarks"]) == ("0", "")


def test_what_gradescope_reads(tmp_path, submissions, grade):
    (submissions / "bob.py").write_text(WRONG)
    grade()
    results = json.loads((tmp_path / "grades" / "students" / "bob" / "results.json").read_bytes())
    assert results["score"] == 18
    assert [test["max_score"] for test in results["tests"]] == [q.points for q in A2.questions]
    (failed,) = [test for test in results["tests"] if test["status"] == "failed"]
    assert (failed["name"], failed["score"]) == ("linear: x @ w + b", 0)
    assert failed["output"].startswith("it raises ValueError: ```<b>| (bob.py, line ")
    assert results["extra_data"]["seed"] == int((tmp_path / "grades" / "seed.txt").read_text())


def test_only_what_changed_is_graded_again(tmp_path, submissions, grade, monkeypatch):
    graded = []
    honest = grading.grade_one

    def grade_one(assignment, submission, *more):
        graded.append(submission.name)
        return honest(assignment, submission, *more)

    monkeypatch.setattr(grading, "grade_one", grade_one)
    (submissions / "alice.py").write_text("def gelu(x): return 0")
    (submissions / "bob.py").write_text("def softmax(x): return 0 * x")
    _, first, _ = grade()
    assert sorted(graded) == ["alice.py", "bob.py"]
    graded.clear()

    _, again, err = grade()
    assert graded == []
    assert again == first
    assert sorted(line.split("] ")[1] for line in err) == [
        *("alice: 0 of 20, as before", "bob: 1 of 20, as before"),
    ]

    (submissions / "bob.py").write_text("def softmax(x): return x")
    (submissions / "carol.py").write_text("")
    grade()
    assert sorted(graded) == ["bob.py", "carol.py"]
    graded.clear()

    bob = tmp_path / "grades" / "students" / "bob"
    results = bob / "results.json"
    whole = results.read_bytes()
    for damaged in (
        b"{}",
        whole.replace(b'"score": 0', b'"score": 1', 1),
        whole.replace(b'"tests"', b'"test"'),
    ):
        results.write_bytes(damaged)
        grade()
        assert graded == ["bob.py"]
        assert results.read_bytes() == whole
        graded.clear()
    forged = json.loads(whole.replace(b'"score": 0', b'"score": 1', 1))
    del forged["extra_data"]["seal"]
    text = json.dumps(forged, sort_keys=True).encode() + b"\0" + (bob / "feedback.md").read_bytes()
    forged["extra_data"]["seal"] = hmac.new(b"", text, hashlib.sha256).hexdigest()
    results.write_text(json.dumps(forged))  # with the seal of another key
    grade()
    assert graded == ["bob.py"]
    assert results.read_bytes() == whole
    graded.clear()
    (bob / "feedback.md").write_text("20 of 20 points")
    grade()
    assert graded == ["bob.py"]
    assert "0 of 20 points" in (bob / "feedback.md").read_text()
    graded.clear()
    (bob / "feedback.md").unlink()
    grade()
    assert graded == ["bob.py"]
    assert (results.parent / "feedback.md").is_file()
    graded.clear()
    results.write_bytes(results.read_bytes()[:-9])  # an interrupted copy, say
    grade()
    assert graded == ["bob.py"]
    graded.clear()

    grade("--seed", "1")
    assert len(graded) == 3
    graded.clear()

    grade("--seed", "1")
    assert graded == []
    monkeypatch.setattr(grading, "grader_version", lambda: "another")
    grade("--seed", "1")
    assert len(graded) == 3


def test_the_seed_is_drawn_once_and_is_not_the_students(tmp_path, submissions, grade):
    (submissions / "alice.py").write_text("")
    grade()
    seed = (tmp_path / "grades" / "seed.txt").read_text()
    assert int(seed) != 0
    grade()
    assert (tmp_path / "grades" / "seed.txt").read_text() == seed


def test_the_version_of_the_grader(tmp_path, monkeypatch):
    (tmp_path / "a.py").write_text("1")
    monkeypatch.setattr(grading, "PACKAGE", tmp_path)
    first = grading.grader_version()
    assert grading.grader_version() == first
    (tmp_path / "a.py").write_text("2")
    assert grading.grader_version() != first


def found(submissions) -> dict:
    return {x: p.name for x, p in handed_in.find_submissions(submissions).items()}


def test_who_has_handed_in(submissions):
    for name in ("a.py", "b.py", "b.ipynb", "c.txt", ".hidden.py", "_x.py"):
        (submissions / name).write_text("")
    for name in ("d", "e.f", "__MACOSX", ".git"):
        (submissions / name).mkdir()
    os.symlink("/etc/passwd", submissions / "g.py")
    names = {"a": "a.py", "b.py": "b.py", "b.ipynb": "b.ipynb", "d": "d", "e.f": "e.f"}
    assert found(submissions) == names


@pytest.mark.parametrize(
    ("files", "counts"),
    [
        (["x.py"], "x.py"),
        (["x.ipynb", "notes.txt"], "x.ipynb"),
        (["x.py", "a2.py"], "a2.py"),
        (["x.py", "y.py"], None),
        (["a2.py", "a2.ipynb"], None),
        ([".x.py"], None),
    ],
)
def test_which_file_counts(tmp_path, files, counts):
    for name in files:
        (tmp_path / name).write_text("x = 1")
    submission, notes = handed_in.read_submission(tmp_path, "a2")
    if counts:
        assert (submission.name, submission.data, notes) == (counts, b"x = 1", [])
    else:
        assert submission.data == b""
        assert notes[0].startswith("expected one .py or .ipynb file, or one named a2, found ")


def test_a_file_that_is_too_large(tmp_path, monkeypatch):
    monkeypatch.setattr(handed_in, "MAX_BYTES", 4)
    (tmp_path / "x.py").write_text("x = 1")
    submission, notes = handed_in.read_submission(tmp_path / "x.py", "a2")
    assert (submission.data, notes) == (b"", ["x.py has 5 bytes, too many to be read"])


def test_a_failure_of_the_grader_costs_one_student(submissions, grade, monkeypatch):
    (submissions / "alice.py").write_text(RIGHT)
    (submissions / "mallory.py").write_text(WRONG)
    mark = grading.mark

    def fails_once(assignment, student, seed, kept):
        monkeypatch.setattr(grading, "mark", mark)
        raise ZeroDivisionError("a mistake in a question")

    monkeypatch.setattr(grading, "mark", fails_once)
    status, rows, _ = grade()
    assert status == 0
    assert (rows["alice"]["total (20)"], rows["mallory"]["total (20)"]) == ("0", "18")
    assert "the grader failed" in rows["alice"]["remarks"]
    assert "ZeroDivisionError: a mistake in a question" in rows["alice"]["remarks"]


def test_no_cell_is_a_formula(tmp_path):
    marks = {"tests": [{"score": 1}], "extra_data": {"remarks": ["=1", "-1"]}}
    write_table(tmp_path / "grades.csv", grading.as_rows(A2, {"=HYPERLINK(1)": marks}, {}))
    (_, row) = (tmp_path / "grades.csv").read_text().splitlines()
    assert row == "'=HYPERLINK(1),1,1,'=1; -1"


@pytest.mark.parametrize(
    ("arguments", "status", "message"),
    [
        (["grade", "a2", "nowhere", "--out", "x"], 1, "there is no folder nowhere"),
        (["grade", "a2", ".", "--out", "x"], 1, ". holds no .py or .ipynb files, and no folders"),
        (["grade", "a9", ".", "--out", "x"], 1, "there is no assignment 'a9', expected a"),
        (["grade", "a2", ".", "--out", "x", "--jobs", "0"], 2, "--jobs is 0, expected at least 1"),
        (["grade", "a2", ".", "--out", "x", "--seed", "-1"], 2, "--seed is -1, expected a number"),
        (["grade", "a2", "."], 2, "arguments are required: --out"),
        ([], 2, "the following arguments are required: command"),
    ],
)
def test_wrong_usage(tmp_path, monkeypatch, capsys, arguments, status, message):
    monkeypatch.chdir(tmp_path)
    try:
        assert main(arguments) == status
    except SystemExit as end:
        assert end.code == status
    err = capsys.readouterr().err
    assert err.startswith("picogpt: ")
    assert message in err
    assert err.count("\n") == 1
    assert list(tmp_path.iterdir()) == []


def test_a_damaged_seed(tmp_path, submissions, grade):
    (submissions / "alice.py").write_text("")
    (tmp_path / "grades").mkdir()
    (tmp_path / "grades" / "seed.txt").write_text("x")
    status, _, (line,) = grade()
    assert status == 1
    assert line.endswith("seed.txt holds 'x', expected a number")


def test_a_folder_of_grades_is_for_one_assignment(tmp_path, submissions, grade, capsys):
    (submissions / "alice.py").write_text(RIGHT)
    _, before, _ = grade()
    out = tmp_path / "grades"
    assert main(["grade", "a1", str(submissions), "--out", str(out)]) == 1
    message = f"picogpt: {out} is for the grades of a2; name another for a1\n"
    assert capsys.readouterr().err == message
    _, after, (line,) = grade()
    assert (after, line) == (before, "picogpt: [1/1] alice: 20 of 20, as before")


def test_elsewhere_than_on_posix(submissions, grade, monkeypatch):
    monkeypatch.setattr("picogpt.course.__main__.os", SimpleNamespace(name="nt"))
    status, _, (line,) = grade()
    assert (status, line) == (
        1,
        "picogpt: grading needs a POSIX system, such as Linux, macOS or WSL",
    )


@pytest.mark.parametrize(
    ("name", "make", "reason"),
    [
        ("al.txt", lambda path: path.write_text(RIGHT), "expected .py or .ipynb"),
        ("al.zip", lambda path: path.write_text(RIGHT), "expected .py or .ipynb"),
        ("al.py", lambda path: path.symlink_to("/etc/passwd"), "it is a link"),
        ("al.py", lambda path: os.mkfifo(path), "it is neither a file nor a folder"),
    ],
)
def test_what_is_not_graded_is_listed(tmp_path, submissions, grade, name, make, reason):
    (submissions / "bob.py").write_text("")
    make(submissions / name)
    status, rows, err = grade()
    assert (status, [*rows]) == (0, ["bob"])
    line = (tmp_path / "grades" / "not_graded.txt").read_text("utf-8")
    assert line.startswith(f"{name!r}: not graded, {reason}")
    assert err[0] == f"picogpt: {line.strip()}"


def test_a_name_that_is_no_utf_8_costs_no_one_else(tmp_path, submissions, grade):
    try:
        (submissions / os.fsdecode(b"al\xff.py")).write_text("def gelu(x): return x")
    except OSError:
        pytest.skip("this file system holds no such name")
    (submissions / "bob.PY").write_text("def gelu(x): return x")
    status, rows, _ = grade()
    assert status == 0
    assert {name: row["total (20)"] for name, row in rows.items()} == {"al?": "1", "bob": "1"}
    status, _, err = grade()
    assert status == 0
    assert all(line.endswith("as before") for line in err)


def test_a_file_that_cannot_be_read_is_empty(tmp_path, monkeypatch):
    def refuse(path):
        raise PermissionError(13, "Permission denied")

    (tmp_path / "x.py").write_text("x = 1")
    monkeypatch.setattr(handed_in.Path, "read_bytes", refuse)
    submission, notes = handed_in.read_submission(tmp_path / "x.py", "a2")
    assert (submission.data, notes) == (b"", ["x.py cannot be read: Permission denied"])


def test_a_folder_with_two_names_one_of_them_no_utf_8(submissions, grade):
    (submissions / "al").mkdir()
    (submissions / "al" / "x.py").write_text("")
    try:
        (submissions / "al" / os.fsdecode(b"y\xff.py")).write_text("")
    except OSError:
        pytest.skip("this file system holds no such name")
    status, rows, _ = grade()
    assert status == 0
    assert rows["al"]["remarks"].startswith("expected one .py or .ipynb file, or one named a2")


def test_two_graders_in_one_folder_take_turns(submissions, grade, monkeypatch):
    waits = []

    @contextmanager
    def locked(path, on_wait):
        waits.append(path.name)
        on_wait()  # as if another one held it at first
        yield

    (submissions / "bob.py").write_text("")
    monkeypatch.setattr("picogpt.course.__main__.locked", locked)
    status, _, err = grade()
    assert (status, waits) == (0, ["grade.lock"])
    assert "another grader is at work" in err[0]


def test_a_suffix_in_capitals(submissions, grade):
    notebook = {"cells": [{"cell_type": "code", "source": "def gelu(x): return x"}]}
    (submissions / "al.IPYNB").write_text(json.dumps(notebook))
    _, rows, _ = grade()
    assert rows["al"]["total (20)"] == "1"


def test_the_key_is_in_no_file_while_code_runs(tmp_path, submissions, grade, monkeypatch):
    path = tmp_path / "grades" / "grader.key"
    found = []
    honest = grading.grade_one

    def grade_one(*args):
        found.append(path.exists())
        return honest(*args)

    monkeypatch.setattr(grading, "grade_one", grade_one)
    (submissions / "alice.py").write_text("")
    grade()
    key = path.read_bytes()
    assert path.stat().st_mode & 0o777 == 0o600 and len(key) == 32
    (submissions / "alice.py").write_text("x = 1")
    grade()
    assert path.read_bytes() == key
    assert found == [False, False]


def test_what_code_changes_meanwhile_is_put_right(tmp_path, submissions, grade, monkeypatch):
    """Bob's code writes to the files of alice, who was graded before him, in this run or earlier."""
    alice = tmp_path / "grades" / "students" / "alice"
    honest = grading.grade_one

    def grade_one(assignment, submission, *more):
        if submission.name == "bob.py":
            for name in ("feedback.md", "results.json"):
                (alice / name).write_text("{}")
        return honest(assignment, submission, *more)

    monkeypatch.setattr(grading, "grade_one", grade_one)
    (submissions / "alice.py").write_text("def gelu(x): return x")
    for bobs in ("", "x = 1"):
        (submissions / "bob.py").write_text(bobs)
        _, rows, _ = grade()
        assert rows["alice"]["total (20)"] == "1"
        assert "1 of 20 points" in (alice / "feedback.md").read_text()
        assert json.loads((alice / "results.json").read_bytes())["score"] == 1


def test_one_question_is_asked_anew(tmp_path, submissions, grade, monkeypatch):
    (submissions / "bob.py").write_text(WRONG)
    grade()
    bob = tmp_path / "grades" / "students" / "bob"
    before = (bob / "results.json").read_bytes(), (bob / "feedback.md").read_bytes()
    asked = []
    honest = marking.mark_question

    def mark_question(assignment, question, *more):
        asked.append(question.title)
        return replace(honest(assignment, question, *more), points=1, problem=None)

    monkeypatch.setattr(marking, "mark_question", mark_question)
    monkeypatch.setattr(grading, "grader_version", lambda: "another")
    status, rows, err = grade("--only", "linear: x @ w + b")
    assert (status, asked, err) == (0, ["x @ w + b"], ["picogpt: [1/1] bob: 19 of 20"])
    assert rows["bob"]["linear: x @ w + b (2)"] == "1"
    old, new = json.loads(before[0]), json.loads((bob / "results.json").read_bytes())
    for one, other in zip(old["tests"], new["tests"], strict=True):
        assert one == other or one["name"] == "linear: x @ w + b"
    assert b"it raises" in before[1] and b"it raises" not in (bob / "feedback.md").read_bytes()
    asked.clear()

    assert grade()[2] == ["picogpt: [1/1] bob: 19 of 20, as before"]
    grade("--only", "softmax")
    assert asked == ["Each row sums to 1", "Large numbers do not overflow"]
    (submissions / "bob.py").write_text(RIGHT)  # nothing of this one is known
    asked.clear()
    grade("--only", "softmax")
    assert len(asked) == len(A2.questions)
    status, _, (line,) = grade("--only", "softmin")
    assert (status, line) == (1, "picogpt: a2 has no question 'softmin'")


def test_what_failed_its_question_still_has_a_stand_in_when_one_is_asked_anew(submissions, grade):
    (submissions / "bob.py").write_text(WRONG)
    assert grade()[1]["bob"]["total (20)"] == "18"
    assert grade("--only", "together")[1]["bob"]["total (20)"] == "18"


def test_what_counts_not_in_a_students_folder_is_listed(tmp_path, submissions, grade):
    for name in (
        "al/a2.py",
        "al/old.py",
        "al/a2.pdf",
        "al/.x",
        "al/more/a2.py",
        "bo/x.py",
        "bo/y.py",
    ):
        (submissions / name).parent.mkdir(parents=True, exist_ok=True)
        (submissions / name).write_text("def gelu(x): return x")
    _, rows, _ = grade()
    assert rows["al"]["total (20)"] == "1"
    several = "another file counts, or none, since there are several"
    assert (tmp_path / "grades" / "not_graded.txt").read_text().splitlines() == [
        "'al/a2.pdf': not graded, expected .py or .ipynb",
        "'al/more': not graded, it is a folder in a folder",
        f"'al/old.py': not graded, {several}",
        f"'bo/x.py': not graded, {several}",
        f"'bo/y.py': not graded, {several}",
    ]


MANY = '{"cells": [], "x": [' + "[]," * 3_000_000 + "[]]}"  # 200 MB of lists


def test_a_notebook_that_takes_too_much_is_read_once(submissions, monkeypatch):
    read = []
    honest = process.ask_once

    def ask_once(*args, **kwargs):
        read.append(args[2])
        return honest(*args, **kwargs)

    monkeypatch.setattr(process, "ask_once", ask_once)
    submission = process.Submission("a.ipynb", MANY.encode())
    limits = process.Limits(seconds=20, megabytes=300)
    marks, _ = grading.grade_one(A2, submission, 0, limits, {})
    assert read == ["read"]
    assert {m.problem.summary for m in marks[:-1]} == {"it ended its process, with exit status 0"}
    read.clear()
    grading.grade_one(A2, process.Submission("a.py", RIGHT.encode()), 0, limits, {})
    assert read == ["read"]
