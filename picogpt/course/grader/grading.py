"""Grading a class: every submission contained, in parallel, and again only when it has changed."""

import hashlib
import secrets
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor, as_completed
from datetime import datetime
from pathlib import Path
from typing import NamedTuple

import numpy as np

from ...files import read_text, replacing
from ..assignment import Assignment, Question
from ..assignments import ASSIGNMENTS
from .asking import Problem
from .marking import Mark, mark
from .process import Contained, Submission
from .records import Record, earlier, sealed, signing, write_record
from .report import as_markdown, as_results, label, name
from .show import printable
from .starter import LIMITS, Limits
from .submissions import digest_of_submission, handed_in_at, read_submission

PACKAGE = Path(__file__).parents[2]
KNOWN = {function.__name__ for x in ASSIGNMENTS.values() for function in x.functions}


class Shown(NamedTuple):
    """What of the results students see: see report.as_results."""

    points_only: bool = False
    visibility: str | None = None


ALL = Shown()


def note_in_history(path: Path, at: datetime, digest: str, points: str) -> None:
    """Add a line for a hand-in, unless there is one already: it may only be shown otherwise."""
    line = f"{at.isoformat(' ', 'seconds')}  {digest[:12]}  {points}\n"
    before = path.read_text("ascii") if path.exists() else ""
    if not before.endswith(line):
        with replacing(path) as file:
            file.write((before + line).encode("ascii"))


def grader_version() -> str:
    """A digest of all of picogpt's code and of NumPy's version: what marks may depend on."""
    digest = hashlib.sha256(np.__version__.encode())
    for path in sorted(PACKAGE.rglob("*.py")):
        digest.update(path.read_bytes())
    return digest.hexdigest()


def claim(out: Path, assignment: str) -> None:
    """A folder of grades is for one assignment. Raises ValueError if it is for another one."""
    path = out / "assignment.txt"
    if not path.exists():
        with replacing(path) as file:
            file.write(f"{assignment}\n".encode("ascii"))
    elif (found := read_text(path).strip()) != assignment:
        raise ValueError(f"{out} is for the grades of {found:.40}; name another for {assignment}")


def seed_of(out: Path) -> int:
    """The seed of a folder of grades; drawn when it is first asked for.

    Raises ValueError if the file that should hold it does not.
    """
    path = out / "seed.txt"
    if not path.exists():
        with replacing(path) as file:
            file.write(f"{secrets.randbits(32)}\n".encode("ascii"))
    text = read_text(path).strip()
    if not (text.isascii() and text.isdigit()):
        raise ValueError(f"{path} holds {text!r:.40}, expected a number")
    return int(text)


def grade(
    assignment: Assignment,
    submissions: dict[str, Path],
    out: Path,
    seed: int,
    jobs: int,
    limits: Limits = LIMITS,
    shown: Shown = ALL,
    only: str = "",
) -> Iterator[tuple[str, dict, bool]]:
    """Grade what is not graded yet; yields (student, results, whether it was graded now).

    only: a question, or the function of several, that is asked anew, while all other points stay.
    Writes out/students/NAME/feedback.md and results.json as each is ready. The results are those of
    report.as_results, with what they depend on as extra_data.
    """
    key = {"assignment": assignment.name, "seed": seed, "shown": [*shown]}
    key["grader"] = grader_version()
    ready: dict[str, Record] = {}
    with signing(out) as secret:

        def work(student: str) -> tuple[str, dict, bool]:
            place = submissions[student], out / "students" / student
            ready[student], is_new = graded(assignment, *place, key, limits, only, secret)
            return student, ready[student].results, is_new

        pool = ThreadPoolExecutor(jobs)
        try:
            for done in as_completed([pool.submit(work, student) for student in submissions]):
                yield done.result()
        finally:
            pool.shutdown(cancel_futures=True)
        for student, record in ready.items():  # in case code has changed what others had got
            if earlier(folder := out / "students" / student, {}, secret) != record:
                write_record(folder, record)


def graded(
    assignment: Assignment,
    path: Path,
    folder: Path,
    key: dict,
    limits: Limits,
    only: str,
    secret: bytes,
) -> tuple[Record, bool]:
    """The record of a hand-in, and whether it was graded now. key: what it depends on besides."""
    submission, notes = read_submission(path, assignment.name)
    digest = digest_of_submission(submission)
    key = key | {"sha256": digest}
    needed = {name: value for name, value in key.items() if not (only and name == "grader")}
    before = earlier(folder, needed, secret)
    if before and not only:
        return before, False
    kept = kept_tests(assignment, before.results, only) if before else {}
    results = mark_submission(assignment, submission, notes, key, limits, kept)
    record = sealed(results, as_markdown(assignment, results).encode("utf-8", "replace"), secret)
    folder.mkdir(parents=True, exist_ok=True)
    points = f"{results['score']} of {assignment.points}"
    note_in_history(folder / "history.txt", handed_in_at(path), digest, points)
    write_record(folder, record)
    return record, True


def kept_tests(assignment: Assignment, results: dict, only: str) -> dict[Question, tuple]:
    """(test, mark) of the questions that are not asked anew, from the results of an earlier run.

    What is not as it was then, such as its points, is asked.
    """
    tests, more = results["tests"], results["extra_data"]
    if [test["name"] for test in tests] != [label(q) for q in assignment.questions]:
        return {}
    each = zip(assignment.questions, tests, more["problems"], more["ended"], strict=True)
    return {
        q: (test, Mark(q, test["score"], said and Problem(said), ended))
        for q, test, said, ended in each
        if only not in (q.name, test["name"]) and test["max_score"] == q.points
    }


def mark_submission(
    assignment: Assignment,
    submission: Submission,
    notes: list[str],
    key: dict,
    limits: Limits,
    kept: dict[Question, tuple],
) -> dict:
    """The results of a submission. key: what they depend on, the seed and Shown among it."""
    known = {question: mark for question, (_, mark) in kept.items()}
    marks, found = grade_one(assignment, submission, key["seed"], limits, known)
    ended = [f"{name(m)}: {m.problem.summary}" for m in marks if m.ended]
    more = {
        "remarks": notes + found.notes + ended,
        "ended": [m.ended for m in marks],
        "defined": sorted({*found.defined} & KNOWN),
    }
    results = as_results(marks, notes + found.notes, key | more, *key["shown"])
    for i, question in enumerate(assignment.questions):
        if question in kept:
            results["tests"][i] = kept[question][0]
    return results


class Found(NamedTuple):
    """What a hand-in has besides marks: notes on what was left out, and the names it defines."""

    notes: list[str]
    defined: list[str]


def grade_one(
    assignment: Assignment,
    submission: Submission,
    seed: int,
    limits: Limits,
    kept: dict[Question, Mark],
) -> tuple[list[Mark], Found]:
    """The marks of a submission, those that are kept included.

    Where the grader itself fails, that costs this student, with a note, and not the class.
    """
    try:
        with Contained(submission, assignment.given, limits) as contained:
            marks = mark(assignment, contained.student, seed, kept=kept)
            return marks, Found(contained.notes, contained.defined)
    except Exception as error:
        note = f"the grader failed, please tell its authors: {type(error).__name__}: {error}"
        unmarked = Problem("it could not be marked, see the remarks")
        marks = [Mark(q, 0, unmarked) for q in assignment.questions]
        return marks, Found([printable(f"{note:.200}")], [])


def as_rows(assignment: Assignment, results: dict[str, dict], late: dict[str, int]) -> Iterator:
    """The table of a class. One line for each student: total, points of each question, remarks.

    late: student -> hours after the deadline, if there is one.
    """
    names = [f"{q.name}: {q.title} ({q.points})" for q in assignment.questions]
    hours = ["hours late"] if late else []
    yield ["student", f"total ({assignment.points})", *names, *hours, "remarks"]
    for student in sorted(results):
        points = [test["score"] for test in results[student]["tests"]]
        remarks = "; ".join(results[student]["extra_data"]["remarks"])
        yield [student, sum(points), *points, *([late[student]] if late else []), remarks]
