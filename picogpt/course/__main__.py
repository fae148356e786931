"""The command line of the course: assignments to hand out, checking oneself, grading a class."""

import argparse
import os
import sys
from pathlib import Path

from .. import command
from ..files import locked, replacing
from .assignment import Assignment
from .assignments import ASSIGNMENTS
from .grader.checking import STUDENT_SEED, assignment_named, check_file
from .grader.grading import as_csv, claim, find_submissions, grade, left_out, seed_of
from .handout.forms import write_assignment

DESCRIPTION = """\
GPT-2 as a course.

  python -m picogpt.course assignments --out handouts
  python -m picogpt.course check a2.py
  python -m picogpt.course grade a2 submissions --jobs 2 --out grades"""

GRADE = """\
Grades every .py or .ipynb file in a folder, or in a folder for each student. Writes grades.csv and,
for each student, students/NAME/feedback.md and results.json (for Gradescope). When it is called
again, it grades only what has changed.

Students' code runs in processes of its own with limits on time and memory. That keeps mistakes
from doing harm, and not malice: it is no sandbox, and such a process can read the files that you
can read. For the code of people you do not trust, use a container (see the teacher's guide,
picogpt/course/README.md)."""


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
    grade.set_defaults(work=grade_class)
    args = p.parse_args(argv)
    if (getattr(args, "seed", None) or 0) < 0:
        p.error(f"--seed is {args.seed}, expected a number of at least 0")
    if getattr(args, "jobs", 1) < 1:
        p.error(f"--jobs is {args.jobs}, expected at least 1")
    return args


def write_assignments(args: argparse.Namespace) -> None:
    """The handout, file and notebook of each assignment."""
    named = [assignment_named(name) for name in args.names]
    for assignment in named or [x for x in ASSIGNMENTS.values() if not x.variant_of]:
        for path in write_assignment(assignment, args.out):
            print(path)


def grade_class(args: argparse.Namespace) -> None:
    """Grade all submissions, saying what is done."""
    if os.name != "posix":
        raise ValueError("grading needs a POSIX system, such as Linux, macOS or WSL")
    assignment = assignment_named(args.name)
    submissions = find_submissions(args.submissions)
    args.out.mkdir(parents=True, exist_ok=True)
    waiting = f"another grader is at work in {args.out}: waiting for it"
    with locked(args.out / "grade.lock", lambda: say(waiting)):
        grade_submissions(args, assignment, submissions)


def grade_submissions(args: argparse.Namespace, assignment: Assignment, submissions: dict) -> None:
    """What grade_class does while no other grader writes to the folder."""
    reasons = left_out(args.submissions)
    lines = [f"{name!r}: not graded, {reason}" for name, reason in reasons.items()]
    for line in lines:
        say(line)
    with replacing(args.out / "not_graded.txt") as file:
        file.write("".join(f"{line}\n" for line in lines).encode("utf-8", "replace"))
    claim(args.out, assignment.name)
    seed = seed_of(args.out) if args.seed is None else args.seed
    results = {}
    for student, result, is_new in grade(assignment, submissions, args.out, seed, args.jobs):
        results[student] = result
        points = f"{result['score']} of {assignment.points}"
        place = f"[{len(results)}/{len(submissions)}]"
        say(f"{place} {student}: {points}{'' if is_new else ', as before'}")
    with replacing(args.out / "grades.csv") as file:
        file.write(as_csv(assignment, results).encode("utf-8", "replace"))
    print(args.out / "grades.csv")


def say(line: str) -> None:
    print(f"picogpt: {line}", file=sys.stderr)


def main(argv: list[str] | None = None) -> int:
    """The command `python -m picogpt.course`. Returns its exit status."""
    args = parse(argv)
    return command.finish(lambda: args.work(args))


if __name__ == "__main__":
    sys.exit(main())
