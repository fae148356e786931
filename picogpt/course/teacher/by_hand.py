"""Points that a person has changed, and that no further grading changes back.

They stand in `by_hand.csv` in the folder of the grades, which the grader reads and never writes:

    student,question,points,reason
    alice,softmax: Large numbers do not overflow,2,shown at the blackboard
"""

from collections.abc import Iterable
from pathlib import Path

from ..assignment import Assignment
from .tables import read_table

FILE = "by_hand.csv"


def read_changes(
    out: Path, assignment: Assignment, students: Iterable[str]
) -> dict[tuple[str, str], tuple[int, str]]:
    """(student, question) -> (points, reason). Nothing where the file does not exist.

    Raises ValueError for a student who has handed in nothing, a question that the assignment does
    not have, or points that it cannot be worth.
    """
    if not (out / FILE).exists():
        return {}
    worth = {f"{q.name}: {q.title}": q.points for q in assignment.questions}
    changes = {}
    for row in read_table(out / FILE, "student", "question", "points", "reason"):
        where = f"{out / FILE}, {row['student']!r:.40}"
        if row["student"] not in students:
            raise ValueError(f"{where}: nothing was handed in under this name")
        most = worth.get(row["question"])
        if most is None:
            raise ValueError(f"{where}: there is no question {row['question']!r:.80}")
        if not (row["points"].isascii() and row["points"].isdigit() and int(row["points"]) <= most):
            raise ValueError(f"{where}: points are {row['points']!r:.20}, expected 0 to {most}")
        changes[row["student"], row["question"]] = int(row["points"]), row["reason"]
    return changes


def changed(student: str, results: dict, changes: dict) -> dict:
    """The results of a student with the points changed, and a remark for each change."""
    tests, remarks = [], [*results["extra_data"]["remarks"]]
    for test in results["tests"]:
        if (student, test["name"]) in changes:
            points, reason = changes[student, test["name"]]
            remarks.append(f"{test['name']}: {points} by hand, not {test['score']}: {reason}")
            test = test | {"score": points}
        tests.append(test)
    score = sum(test["score"] for test in tests)
    extra_data = results["extra_data"] | {"remarks": remarks}
    return results | {"tests": tests, "score": score, "extra_data": extra_data}
