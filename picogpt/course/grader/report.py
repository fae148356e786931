"""Marks as people and other programs read them: plain text, Markdown, Gradescope's results.json."""

import re

from ..assignment import Assignment, Question
from .asking import Problem
from .marking import Mark
from .show import printable

INDENT = "    "


def total(marks: list[Mark]) -> str:
    """ "17 of 20" """
    return f"{sum(m.points for m in marks)} of {sum(m.question.points for m in marks)}"


def label(question: Question) -> str:
    return f"{question.name}: {question.title}"


def name(mark: Mark) -> str:
    return label(mark.question)


def as_text(assignment: Assignment, marks: list[Mark], notes: list[str]) -> str:
    """The table of points, then every problem."""
    rows = [(m.question.name, m.question.title, f"{m.points}/{m.question.points}") for m in marks]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = [f"{assignment.name}: {assignment.title}", ""]
    for row, m in zip(rows, marks, strict=True):
        cells = [cell.ljust(width) for cell, width in zip(row[:2], widths[:2], strict=True)]
        points = row[2].rjust(widths[2])
        lines.append(f"  {'  '.join(cells)}  {points}  {remark(m.problem)}".rstrip())
    lines += ["", f"  {total(marks)} points"]
    for m in marks:
        if has_details(m.problem):
            lines += ["", name(m), indent(details(m.problem))]
    if notes:
        lines += ["", "About the file:", *map(indent, notes)]
    return "\n".join(lines)


def has_details(problem: Problem | None) -> bool:
    """Whether there is more to say than fits into the table."""
    return problem is not None and problem != Problem(problem.summary)


def remark(problem: Problem | None) -> str:
    """What the table says of a problem."""
    if problem is None:
        return ""
    return "see below" if has_details(problem) else problem.summary


def details(problem: Problem) -> str:
    """All about a problem."""
    parts = [problem.summary]
    if problem.hint:
        parts.append(f"hint: {problem.hint}")
    for title, text in (
        ("fed in", problem.fed_in),
        ("came out", problem.came_out),
        ("expected", problem.expected),
    ):
        if text:
            parts.append(f"{title}:\n{indent(text)}")
    return printable("\n".join(parts))


def indent(text: str) -> str:
    return "\n".join(INDENT + line for line in text.splitlines())


def as_markdown(assignment: Assignment, results: dict) -> str:
    """The table of points, then every problem, of what as_results has made.

    Whatever may come from the student's code stands in a block of plain text, where it is not
    read as Markdown or HTML.
    """
    points = f"{results['score']} of {assignment.points} points"
    lines = [f"# {assignment.name}: {assignment.title}", "", points, ""]
    lines += ["| function | question | points | |", "|---|---|---|---|"]
    below = []
    for test in results["tests"]:
        function, _, title = test["name"].partition(": ")
        said = test["output"]
        if "\n" in said:
            below += ["", f"## {test['name']}", "", block(said)]
            said = "see below"
        lines.append(f"| {function} | {title} | {test['score']}/{test['max_score']} | {said} |")
    lines += below
    if results["output"]:
        lines += ["", "## About the file", "", block(results["output"])]
    return "\n".join(lines) + "\n"


def block(text: str) -> str:
    """A fenced block, whose fence is longer than any in the text."""
    longest = max(map(len, re.findall("`+", text)), default=0)
    fence = "`" * max(3, longest + 1)
    return f"{fence}text\n{text}\n{fence}"


def as_results(
    marks: list[Mark],
    notes: list[str],
    extra_data: dict,
    points_only: bool = False,
    visibility: str | None = None,
) -> dict:
    """What Gradescope reads.

    points_only: without what was wrong; visibility: when students see it, in Gradescope's words.

    Source: Gradescope's documentation of autograders, "Output format".
    """
    seen = {} if visibility is None else {"visibility": visibility}
    return seen | {
        "score": sum(mark.points for mark in marks),
        "output": "\n".join(notes),
        "output_format": "text",
        "test_output_format": "text",
        "tests": [
            {
                "name": name(mark),
                "score": mark.points,
                "max_score": mark.question.points,
                "status": "failed" if mark.problem else "passed",
                "output": details(mark.problem) if mark.problem and not points_only else "",
            }
            for mark in marks
        ],
        "extra_data": extra_data | {"problems": [mark.problem and told(mark) for mark in marks]},
    }


def told(mark: Mark) -> str:
    """What statistics count: the hint, or in its place what came out wrong."""
    return printable(mark.problem.hint or mark.problem.summary)
