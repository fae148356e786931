"""Tables as files: CSV that a spreadsheet has written, or will read."""

import csv
import io
from collections.abc import Iterable
from pathlib import Path

from ...files import read_text, replacing


def read_table(path: Path, *needed: str) -> list[dict[str, str]]:
    """The rows of a CSV file, by the names in its first line. Cells are stripped of spaces.

    Raises FileNotFoundError; ValueError if a needed column is missing or a row has too many cells.
    """
    try:
        names, *rows = csv.reader(io.StringIO(read_text(path).removeprefix("\ufeff")))
    except (csv.Error, ValueError) as error:
        raise ValueError(f"{path} is no CSV file with a first line of names: {error}") from None
    names = [name.strip() for name in names]
    if missing := [name for name in needed if name not in names]:
        raise ValueError(f"{path} has no column {missing[0]!r}, only {', '.join(names)[:80]!r}")
    table = []
    for row in filter(None, rows):
        if len(row) > len(names):
            raise ValueError(f"{path}: {row[0]!r:.40} has more cells than there are columns")
        cells = [cell.strip() for cell in row] + [""] * (len(names) - len(row))
        table.append(dict(zip(names, cells)))
    return table


def write_table(path: Path, rows: Iterable[Iterable]) -> None:
    """Write a CSV file, whole or not at all."""
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows([map(plain, row) for row in rows])
    with replacing(path) as file:
        file.write(text.getvalue().encode("utf-8", "replace"))


def plain(cell):
    """A cell that no spreadsheet takes for a formula."""
    return f"'{cell}" if isinstance(cell, str) and cell.startswith(("=", "+", "-", "@")) else cell
