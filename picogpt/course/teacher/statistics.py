"""How each question went, as a table and as a plot."""

from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from xml.sax.saxutils import escape

from ...files import replacing
from ..assignment import Assignment
from .tables import write_table


def write_statistics(out: Path, assignment: Assignment, results: Iterable[dict]) -> None:
    """Write statistics.csv and statistics.svg: for each question who solved it, and the commonest
    thing that was wrong."""
    results = list(results)
    rows = []
    for i, question in enumerate(assignment.questions):
        solved = sum(result["tests"][i]["score"] == question.points for result in results)
        problems = Counter(filter(None, (r["extra_data"]["problems"][i] for r in results)))
        commonest, times = problems.most_common(1)[0] if problems else ("", 0)
        title = f"{question.name}: {question.title}"
        share = round(100 * solved / len(results))
        rows.append((title, question.points, solved, share, commonest, times))
    head = ("question", "points", "solved", "per cent", "commonest problem", "times")
    write_table(out / "statistics.csv", [head, *rows])
    with replacing(out / "statistics.svg") as file:
        file.write(plot([(title, share) for title, _, _, share, *_ in rows]).encode("utf-8"))


def plot(bars: list[tuple[str, int]]) -> str:
    """A bar for each (label, per cent), as SVG, which every browser shows."""
    height = 24 * len(bars) + 8
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="760" height="{height}" '
        'font-family="sans-serif" font-size="12"><rect width="100%" height="100%" fill="white"/>'
    ]
    for i, (label, share) in enumerate(bars):
        y = 24 * i + 4
        lines += [
            f'<rect x="400" y="{y}" width="{3 * share}" height="18" fill="#2f78b7"/>',
            f'<text x="392" y="{y + 13}" text-anchor="end">{escape(label)}</text>',
            f'<text x="{404 + 3 * share}" y="{y + 13}">{share} %</text>',
        ]
    return "\n".join([*lines, "</svg>\n"])
