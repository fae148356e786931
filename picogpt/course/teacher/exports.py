"""The grades of a class in the tables that other programs read, and without names.

Source: Canvas, "How do I import grades in the Gradebook?"; Moodle, "Grade import".
"""

import random
from collections.abc import Iterator
from pathlib import Path

from .roster import read_roster
from .tables import read_table


def grades(out: Path) -> tuple[str, dict[str, str]]:
    """The greatest total, and student -> total, as grades.csv has them.

    Raises FileNotFoundError or ValueError if the folder holds no grades.
    """
    rows = read_table(out / "grades.csv", "student")
    column = next((name for name in (rows or [{}])[0] if name.startswith("total (")), None)
    if column is None:
        raise ValueError(f"{out / 'grades.csv'} has no grades")
    most = column.removeprefix("total (").removesuffix(")")
    return most, {row["student"].removeprefix("'"): row[column] for row in rows}


def canvas(out: Path, roster: Path, title: str) -> Iterator[tuple]:
    """Canvas's gradebook: it knows a student by ID, and a task by its name."""
    most, totals = grades(out)
    yield "Student", "ID", "SIS Login ID", "Section", title
    yield "Points Possible", "", "", "", most
    for student, row in read_roster(roster).items():
        cells = (row.get(name, "") for name in ("name", "id", "login", "section"))
        yield *cells, totals.get(student, "0")


def moodle(out: Path, roster: Path, title: str) -> Iterator[tuple]:
    """Moodle's import: which column is what is asked when it is uploaded."""
    _, totals = grades(out)
    yield "ID number", "Email address", title
    for student, row in read_roster(roster).items():
        yield row.get("id", ""), row.get("email", ""), totals.get(student, "0")


def anonymous(out: Path) -> Iterator[tuple]:
    """The whole table without names and remarks, its lines in a new order."""
    rows = read_table(out / "grades.csv", "student")
    random.SystemRandom().shuffle(rows)
    columns = (
        [name for name in rows[0] if name not in ("student", "remarks", "hours late")]
        if rows
        else []
    )
    yield "student", *columns
    for i, row in enumerate(rows, 1):
        yield i, *(row[name] for name in columns)
