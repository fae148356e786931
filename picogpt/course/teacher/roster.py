"""Who should have handed in, and what came instead, and when.

A roster is a CSV file with a column `student`, which names the file or folder of each hand-in, and
any of `name`, `id`, `login`, `email` and `section`, which exports.py needs.
"""

import math
from collections.abc import Iterable
from datetime import datetime
from pathlib import Path

from ..assignments import ASSIGNMENTS
from .tables import read_table


def read_roster(path: Path) -> dict[str, dict[str, str]]:
    """Student -> the row of the roster. Raises ValueError for a name that stands in it twice."""
    roster: dict[str, dict[str, str]] = {}
    for row in read_table(path, "student"):
        if row["student"] in roster:
            raise ValueError(f"{path} names {row['student']!r:.60} twice")
        roster[row["student"]] = row
    return roster


def differences(roster: Iterable[str], handed_in: Iterable[str]) -> list[str]:
    """A line for each student who has not handed in, and for each hand-in of nobody."""
    lines = [f"{name!r}: nothing handed in" for name in sorted({*roster} - {*handed_in})]
    return lines + [f"{name!r}: not on the roster" for name in sorted({*handed_in} - {*roster})]


def looks_like(defined: Iterable[str], assignment: str) -> str | None:
    """The assignment that a hand-in seems to be, if it has nothing of the one it should be.

    defined: the names of the functions in it. It is the assignment of which it has most, and more
    than half.
    """
    defined = {*defined}

    def share(name: str) -> float:
        functions = {function.__name__ for function in ASSIGNMENTS[name].functions}
        return len(functions & defined) / len(functions)

    best = max(ASSIGNMENTS, key=share)
    return best if share(assignment) == 0 and share(best) > 0.5 else None


def hours_late(at: datetime, due: datetime) -> int:
    """Whole hours after the deadline, begun ones included; 0: in time."""
    return max(0, math.ceil((at - due).total_seconds() / 3600))
