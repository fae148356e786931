"""The command line of the course: assignments to hand out, checking oneself, grading a class."""

import argparse
import os
import sys
from datetime import datetime
from pathlib import Path

from .. import command
from ..files import locked, read_text, replacing
from .assignment import Assignment
from .assignments import ASSIGNMENTS
from .grader.checking import STUDENT_SEED, assignment_named, check_file
from .grader.grading import (
    Shown,
    as_rows,
    claim,
    grade,
    seed_of,
)
from .grader.report import label
from .grader.show import printable
from .grader.starter import Between, what_is_between
from .grader.submissions import find_submissions, handed_in_at, left_out, read_submission
from .handout.forms import write_assignment
from .teacher.by_hand import changed, read_changes
from .teacher.exports import anonymous, canvas, moodle
from .teacher.roster import differences, hours_late, looks_like, read_roster
from .teacher.similar import alike, parts
from .teacher.statistics import write_statistics
from .teacher.tables import write_table

DESCRIPTION = """\
GPT-2 as a course.

  python -m picogpt.course assignments --out handouts
  python -m picogpt.course check a2.py
  python -m picogpt.course grade a2 submissions --jobs 2 --out grades
  python -m picogpt.course similar a2 submissions
  python -m picogpt.course export grades --for canvas --roster roster.csv --out canvas.csv"""

GRADE = """\
Grades every .py or .ipynb file in a folder, or in a folder for each student. Writes grades.csv,
statistics.csv and statistics.svg and, for each student, students/NAME/feedback.md, results.json (for
Gradescope) and history.txt. When it is called again, it grades only what has changed. Points that you
change by hand stand in by_hand.csv, beside grades.csv.

Students' code runs in processes of its own with limits on time and memory, and in namespaces where
Linux gives them. Where it does not, the first line says so (see "The code of strangers" in the
teacher's guide, picogpt/course/README.md)."""

BETWEEN = {
    Between.NAMESPACES: "",
    Between.USERS: "students' code runs as another user, and reads what all users can read",
    Between.NOTHING: "students' code runs as you do, and can read, change and end what you can",
}

VISIBILITY = ("hidden", "after_due_date", "after_published", "visible")
FORMS = {"canvas": canvas, "moodle": moodle, "anonymous": anonymous}


def parse(argv: list[str] | None) -> argparse.Namespace:
    """The arguments of the command, checked. Exits with status 2 if they are wrong."""
    p = command.Parser(prog="python -m picogpt.course", description=DESCRIPTION)
    commands = p.add_subparsers(required=True, metavar="command")
    hand_out = commands.add_parser("assignments", help="write what is handed out")
    hand_out.add_argument(
        "names",
        nargs="*",
        metavar="NAME",
        help=f"of {', '.join(ASSIGNMENTS)} (default: no variants)",
    )
    hand_out.add_argument("--out", type=Path, required=True, help="the folder to write to")
    hand_out.set_defaults(work=write_assignments)
    check = commands.add_parser("check", help="the points of a file, and what is wrong")
    check.add_argument("file", type=Path, help="a .py or .ipynb file")
    check.add_argument(
        "--seed", type=int, default=STUDENT_SEED, help="other numbers are fed in (default: 0)"
    )
    check.set_defaults(work=lambda args: print(check_file(args.file, args.seed)))
    grade = commands.add_parser("grade", help="grade a class", description=GRADE)
    grade.add_argument("name", help="the assignment, such as a2")
    grade.add_argument("submissions", type=Path, help="the folder of what was handed in")
    grade.add_argument("--out", type=Path, required=True, help="the folder for the grades")
    grade.add_argument("--jobs", type=int, default=1, help="at a time (default: 1)")
    grade.add_argument("--seed", type=int, help="(default: drawn, and kept in OUT/seed.txt)")
    grade.add_argument(
        "--roster", type=Path, help="a CSV file with a column `student`: who is missing"
    )
    grade.add_argument(
        "--due", type=local_time, metavar="TIME", help="such as 2026-12-01T23:59, or with a zone"
    )
    grade.add_argument(
        "--only", default="", metavar="QUESTION", help="ask it anew, and keep all other points"
    )
    grade.add_argument("--points-only", action="store_true", help="feedback without what is wrong")
    grade.add_argument("--visibility", choices=VISIBILITY, help="for Gradescope: when it is seen")
    grade.set_defaults(work=grade_class)
    similar = commands.add_parser("similar", help="hand-ins that look alike")
    similar.add_argument("name", help="the assignment, such as a2")
    similar.add_argument("submissions", type=Path, help="the folder of what was handed in")
    similar.add_argument(
        "--least", type=float, default=0.6, metavar="X", help="from this share on (default: 0.6)"
    )
    similar.set_defaults(work=print_similar)
    export = commands.add_parser("export", help="grades for other programs")
    export.add_argument("grades", type=Path, help="the folder that `grade` has written")
    export.add_argument("--for", choices=FORMS, required=True, dest="form", help="which table")
    export.add_argument(
        "--roster", type=Path, help="a CSV file: student,name,id,login,email,section"
    )
    export.add_argument("--out", type=Path, required=True, help="the CSV file to write")
    export.set_defaults(work=export_grades)
    args = p.parse_args(argv)
    if (getattr(args, "seed", None) or 0) < 0:
        p.error(f"--seed is {args.seed}, expected a number of at least 0")
    if getattr(args, "jobs", 1) < 1:
        p.error(f"--jobs is {args.jobs}, expected at least 1")
    if not 0 <= getattr(args, "least", 0) <= 1:
        p.error(f"--least is {args.least}, expected 0 to 1")
    if getattr(args, "form", "anonymous") != "anonymous" and args.roster is None:
        p.error(f"--for {args.form} needs a --roster")
    return args


def local_time(text: str) -> datetime:
    """A time in ISO 8601, in local time. Raises ValueError, as argparse expects."""
    time = datetime.fromisoformat(text)
    return time if time.tzinfo is None else time.astimezone().replace(tzinfo=None)


def write_assignments(args: argparse.Namespace) -> None:
    """The handout, file and notebook of each assignment."""
    named = [assignment_named(name) for name in args.names]
    for assignment in named or [x for x in ASSIGNMENTS.values() if not x.variant_of]:
        for path in write_assignment(assignment, args.out):
            print(path)


def require_posix() -> None:
    """Raises ValueError where there are no processes with limits."""
    if os.name != "posix":
        raise ValueError("grading needs a POSIX system, such as Linux, macOS or WSL")


def grade_class(args: argparse.Namespace) -> None:
    """Grade all submissions, saying what is done."""
    require_posix()
    assignment = assignment_named(args.name)
    if args.only and args.only not in {y for q in assignment.questions for y in (q.name, label(q))}:
        raise ValueError(f"{assignment.name} has no question {args.only!r:.80}")
    submissions = find_submissions(args.submissions)
    args.out.mkdir(parents=True, exist_ok=True)
    waiting = f"another grader is at work in {args.out}: waiting for it"
    with locked(args.out / "grade.lock", lambda: say(waiting)):
        grade_submissions(args, assignment, submissions)


def grade_submissions(args: argparse.Namespace, assignment: Assignment, submissions: dict) -> None:
    """What grade_class does while no other grader writes to the folder."""
    claim(args.out, assignment.name)
    if limits := BETWEEN[what_is_between()]:
        say(f"{limits}: see 'The code of strangers' in picogpt/course/README.md")
    reasons = left_out(args.submissions, assignment.name)
    lines = [f"{name!r}: not graded, {reason}" for name, reason in reasons.items()]
    if args.roster is not None:
        lines += differences(read_roster(args.roster), submissions)
    for line in lines:
        say(line)
    seed = seed_of(args.out) if args.seed is None else args.seed
    changes = read_changes(args.out, assignment, submissions)
    shown = Shown(args.points_only, args.visibility)
    results = {}
    for student, result, is_new in grade(
        assignment, submissions, args.out, seed, args.jobs, shown=shown, only=args.only
    ):
        results[student] = result = changed(student, result, changes)
        points = f"{result['score']} of {assignment.points}"
        place = f"[{len(results)}/{len(submissions)}]"
        say(f"{place} {student}: {points}{'' if is_new else ', as before'}")
    for student, result in sorted(results.items()):
        if other := looks_like(result["extra_data"]["defined"], assignment.name):
            lines.append(f"{student!r}: looks like {other}")
            say(lines[-1])
    with replacing(args.out / "not_graded.txt") as file:
        file.write("".join(f"{line}\n" for line in lines).encode("utf-8", "replace"))
    late = {}
    if args.due is not None:
        late = {x: hours_late(handed_in_at(path), args.due) for x, path in submissions.items()}
    write_table(args.out / "grades.csv", as_rows(assignment, results, late))
    write_statistics(args.out, assignment, results.values())
    print(args.out / "grades.csv")


def print_similar(args: argparse.Namespace) -> None:
    """The pairs of hand-ins that have much in common, the most alike first."""
    require_posix()
    name = assignment_named(args.name).name
    found = find_submissions(args.submissions)
    submissions = {x: read_submission(path, name)[0] for x, path in found.items()}
    compared = {}
    for student, counts in parts(submissions):
        if isinstance(counts, str):
            say(printable(f"{student!r}: not compared, {counts}"))
        else:
            compared[student] = counts
    for share, one, other in alike(compared, args.least):
        print(f"{share:4.0%}  {printable(one)}  {printable(other)}")


def export_grades(args: argparse.Namespace) -> None:
    """The table of grades.csv as another program reads it."""
    title = read_text(args.grades / "assignment.txt").strip()
    if args.form == "anonymous":
        write_table(args.out, anonymous(args.grades))
    else:
        write_table(args.out, FORMS[args.form](args.grades, args.roster, title))
    print(args.out)


def say(line: str) -> None:
    print(f"picogpt: {line}", file=sys.stderr)


def main(argv: list[str] | None = None) -> int:
    """The command `python -m picogpt.course`. Returns its exit status."""
    args = parse(argv)
    return command.finish(lambda: args.work(args))


if __name__ == "__main__":
    sys.exit(main())
