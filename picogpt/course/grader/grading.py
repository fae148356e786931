"""Grading a class: every submission contained, in parallel, and again only when it has changed."""

import hashlib
import json
import os
import secrets
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor, as_completed
from datetime import datetime
from pathlib import Path
from typing import NamedTuple

import numpy as np

from ...files import read_json, read_text, replacing, write_json
from ..assignment import Assignment
from .asking import Problem
from .marking import Mark, mark
from .process import Contained, Submission
from .report import as_markdown, as_results, name
from .show import printable
from .starter import LIMITS, Limits

SUFFIXES = (".py", ".ipynb")
MAX_BYTES = 20_000_000  # of one submission; a notebook may hold pictures
PACKAGE = Path(__file__).parents[2]


class Shown(NamedTuple):
    """What of the results students see: see report.as_results."""

    points_only: bool = False
    visibility: str | None = None


ALL = Shown()


def find_submissions(folder: Path) -> dict[str, Path]:
    """Student -> file or folder. A student is a file, or a folder with a file, as it is named.

    Raises FileNotFoundError if there is no folder, ValueError if there is nothing in it.
    """
    if not folder.is_dir():
        raise FileNotFoundError(f"there is no folder {folder}")
    found = [path for path in sorted(folder.iterdir()) if is_submission(path)]
    if not found:
        raise ValueError(f"{folder} holds no {' or '.join(SUFFIXES)} files, and no folders")
    names = [path.name if path.is_dir() else path.stem for path in found]
    times = Counter(names)
    return {x if times[x] == 1 else path.name: path for x, path in zip(names, found, strict=True)}


def is_submission(path: Path) -> bool:
    """Not what other programs leave among the submissions (.DS_Store, __MACOSX), and no link."""
    if path.name.startswith((".", "_")) or path.is_symlink():
        return False
    return path.is_dir() or (path.is_file() and path.suffix.lower() in SUFFIXES)


def left_out(folder: Path) -> dict[str, str]:
    """Name -> why it is not graded, of all in a folder but what begins with a dot or underscore."""
    found = {}
    for path in sorted(folder.iterdir()):
        if path.name.startswith((".", "_")) or is_submission(path):
            continue
        if path.is_symlink():
            found[path.name] = "it is a link, which is not followed"
        elif not path.is_file():
            found[path.name] = "it is neither a file nor a folder"
        else:
            found[path.name] = f"expected {' or '.join(SUFFIXES)}"
    return found


def handed_in_at(path: Path) -> datetime:
    """When the newest file of a hand-in was last changed, in local time."""
    times = [path.stat().st_mtime]
    if path.is_dir():
        try:
            # of a folder the files count, and not when it was copied
            times = [p.stat().st_mtime for p in path.iterdir() if p.is_file()] or times
        except OSError:  # a folder that cannot be read costs one student, and not the class
            pass
    return datetime.fromtimestamp(max(times))


def note_in_history(path: Path, at: datetime, digest: str, points: str) -> None:
    """Add a line for a hand-in, unless there is one already: it may only be shown otherwise."""
    line = f"{at.isoformat(' ', 'seconds')}  {digest[:12]}  {points}\n"
    before = path.read_text("ascii") if path.exists() else ""
    if not before.endswith(line):
        with replacing(path) as file:
            file.write((before + line).encode("ascii"))


def read_submission(path: Path, assignment: str) -> tuple[Submission, list[str]]:
    """The file that counts, and notes: a submission that cannot be read is empty."""
    try:
        return read_file(path, assignment)
    except OSError as error:
        return Submission("", b""), [printable(f"{path.name} cannot be read: {error.strerror}")]


def read_file(path: Path, assignment: str) -> tuple[Submission, list[str]]:
    """The file that counts, of several in a folder the one that has the assignment's name.

    Returns an empty submission and a note if none counts. Raises OSError for what cannot be read.
    """
    files = [path]
    if path.is_dir():
        files = [p for p in sorted(path.iterdir()) if is_submission(p) and p.is_file()]
        named = [p for p in files if p.stem == assignment]
        files = named or files
    if len(files) != 1:
        names = ", ".join(p.name for p in files) or "nothing"
        note = f"expected one .py or .ipynb file, or one named {assignment}, found {names}"
        return Submission("", b""), [printable(note)]
    if (size := files[0].stat().st_size) > MAX_BYTES:
        return Submission("", b""), [f"{files[0].name} has {size} bytes, too many to be read"]
    return Submission(files[0].name, files[0].read_bytes()), []


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
) -> Iterator[tuple[str, dict, bool]]:
    """Grade what is not graded yet; yields (student, results, whether it was graded now).

    Writes out/students/NAME/feedback.md and results.json as each is ready. The results are those of
    report.as_results, with what they depend on as extra_data.
    """
    version = grader_version()

    def work(student: str) -> tuple[str, dict, bool]:
        submission, notes = read_submission(submissions[student], assignment.name)
        digest = digest_of_submission(submission)
        key = {"assignment": assignment.name, "seed": seed, "grader": version, "sha256": digest}
        key |= {"shown": [*shown]}
        folder = out / "students" / student
        if results := earlier(folder, key):
            return student, results, False
        marks, more = grade_one(assignment, submission, seed, limits)
        ended = [f"{name(m)}: {m.problem.summary}" for m in marks if m.ended]
        remarks = {"remarks": notes + more + ended}
        results = as_results(marks, notes + more, key | remarks, *shown)
        results["extra_data"]["digest"] = digest_of(results)
        folder.mkdir(parents=True, exist_ok=True)
        feedback = as_markdown(assignment, marks, notes + more, shown.points_only)
        with replacing(folder / "feedback.md") as file:
            file.write(feedback.encode("utf-8", "replace"))
        points = f"{results['score']} of {assignment.points}"
        note_in_history(folder / "history.txt", handed_in_at(submissions[student]), digest, points)
        write_json(folder / "results.json", results)  # last: it says that all is done
        return student, results, True

    pool = ThreadPoolExecutor(jobs)
    try:
        for done in as_completed([pool.submit(work, student) for student in submissions]):
            yield done.result()
    finally:
        pool.shutdown(cancel_futures=True)


def earlier(folder: Path, key: dict) -> dict | None:
    """The results of an earlier run, if they depend on the same and are as they were written."""
    try:
        results = read_json(folder / "results.json")
    except (FileNotFoundError, ValueError):
        return None
    extra_data = results.get("extra_data")
    same = isinstance(extra_data, dict) and key.items() <= extra_data.items()
    whole = same and extra_data.pop("digest", None) == digest_of(results)
    return results if whole and (folder / "feedback.md").is_file() else None


def digest_of_submission(submission: Submission) -> str:
    """A digest of a file and its name, which may be any bytes."""
    return hashlib.sha256(os.fsencode(submission.name) + b"\0" + submission.data).hexdigest()


def digest_of(results: dict) -> str:
    """A digest of the results, by which a file that was damaged or changed is known."""
    return hashlib.sha256(json.dumps(results, sort_keys=True).encode("ascii")).hexdigest()


def grade_one(
    assignment: Assignment, submission: Submission, seed: int, limits: Limits
) -> tuple[list[Mark], list[str]]:
    """The marks of a submission, and notes on what of it was left out.

    Where the grader itself fails, that costs this student, with a note, and not the class.
    """
    try:
        with Contained(submission, assignment.given, limits) as contained:
            return mark(assignment, contained.student, seed), contained.notes
    except Exception as error:
        note = f"the grader failed, please tell its authors: {type(error).__name__}: {error}"
        unmarked = Problem("it could not be marked, see the remarks")
        return [Mark(q, 0, unmarked) for q in assignment.questions], [printable(f"{note:.200}")]


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
