"""How long it takes to grade 200 submissions of assignment 2, two at a time.

They are what a class hands in: right ones, each known mistake several times, files that were hardly
begun, and ten that loop for ever or end their process. There is no peer: what is asked is a time.
"""

import subprocess
import sys
import tempfile
import time
from itertools import cycle, islice
from pathlib import Path

from course_students import SOLUTIONS
from course_support import planted, solution

from picogpt.course.assignments import ASSIGNMENTS
from picogpt.course.handout.forms import as_script

N_SUBMISSIONS = 200
RIGHT = SOLUTIONS["a2"]
HOSTILE = (
    f"{RIGHT}\ndef gelu(x):\n    while True:\n        pass\n",
    f"{RIGHT}\nimport os\ndef linear(x, w, b):\n    os._exit(0)\n",
)


def submissions() -> list[str]:
    """The sources, of which no two are the same file."""
    a2 = ASSIGNMENTS["a2"]
    mistakes = [(q.name, m) for q in a2.questions for m in q.mistakes]
    wrong = [planted(a2, name, mistake) for name, mistake in mistakes]
    usual = cycle([RIGHT, solution(a2), *wrong, as_script(a2)])
    sources = [*islice(cycle(HOSTILE), 10), *islice(usual, N_SUBMISSIONS - 10)]
    return [f"# student {i}\n{source}" for i, source in enumerate(sources)]


def measure() -> list[tuple[str, str, str, str, str]]:
    """The row of the table: measure, ours, no peer, no ratio, what is asked."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "in").mkdir()
        for i, source in enumerate(submissions()):
            (folder / "in" / f"student{i}.py").write_text(source, "utf-8")
        command = [sys.executable, "-m", "picogpt.course", "grade", "a2", str(folder / "in")]
        start = time.perf_counter()
        subprocess.run(
            [*command, "--jobs", "2", "--out", str(folder / "out")],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            check=True,
        )
        seconds = time.perf_counter() - start
        graded = (folder / "out" / "grades.csv").read_text("utf-8").count("\nstudent")
    if graded != N_SUBMISSIONS:
        raise SystemExit(f"{graded} of {N_SUBMISSIONS} submissions were graded")
    name = f"grade {N_SUBMISSIONS} submissions of assignment 2, two at a time"
    return [(name, f"{seconds:.0f} s", "", "", "<= 300 s")]


if __name__ == "__main__":
    for row in measure():
        print(" | ".join(row))
