"""Code that means harm, or looks as if it did: each costs its own question, and is reported.

What is tested here is that nobody's points depend on it. What it can reach is in test_walls.py.
"""

import tempfile

import pytest
from course_students import SOLUTIONS

from picogpt.course.assignments import ASSIGNMENTS
from picogpt.course.grader.extract import NOT_THERE
from picogpt.course.grader.marking import mark

fcntl = pytest.importorskip("fcntl", reason="grading needs POSIX")

from picogpt.course.grader.process import Contained, Submission
from picogpt.course.grader.starter import Limits

A2 = ASSIGNMENTS["a2"]
LIMITS = Limits(seconds=1, patience=60, megabytes=512)
RIGHT = SOLUTIONS["a2"]


def graded(source: str, limits: Limits = LIMITS, names=()) -> tuple[dict, dict, list[str]]:
    """Function -> points; function -> what is said of its first problem; notes."""
    submission = Submission("a2.py", source.encode("utf-8"))
    with Contained(submission, A2.given, limits) as contained:
        marks = mark(A2, contained.student, 7, names)
        notes = contained.notes
    points, said = {}, {}
    for m in marks:
        points[m.question.name] = points.get(m.question.name, 0) + m.points
        if m.problem:
            said.setdefault(m.question.name, f"{m.problem.summary} {m.problem.hint}")
    return points, said, notes


ALL = {"gelu": 3, "softmax": 3, "layer_norm": 4, "linear": 2, "cross_entropy": 5, "together": 3}


@pytest.fixture(autouse=True)
def nothing_is_left_behind(tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    yield
    assert [path for path in tmp_path.iterdir() if path.name.startswith("picogpt-")] == []


@pytest.mark.parametrize("name", SOLUTIONS)
def test_solutions_in_processes_of_their_own(name):
    assignment = ASSIGNMENTS[name]
    submission = Submission("work.py", SOLUTIONS[name].encode("utf-8"))
    with Contained(submission, assignment.given, LIMITS) as contained:
        marks = mark(assignment, contained.student, 7)
        assert contained.notes == []
    assert [m.problem for m in marks if m.problem] == []


def test_what_takes_too_much_or_ends_the_process():
    source = """
import ctypes
import os

def gelu(x):
    ctypes.string_at(0)

def softmax(x):
    os._exit(0)

def layer_norm(x, g, b):
    while True:
        pass

def linear(x, w, b):
    return np.empty(10**9, np.int8)
"""
    points, said, _ = graded(RIGHT + source)
    assert points == ALL | dict.fromkeys(["gelu", "softmax", "layer_norm", "linear", "together"], 0)
    assert said["gelu"] == "it crashed its process (SIGSEGV) "
    assert said["softmax"] == "it ended its process, with exit status 0 "
    assert said["layer_norm"] == "it took more than 1 s: is there an endless loop? "
    assert "Unable to allocate 954. MiB" in said["linear"]


def test_what_wants_to_be_taken_for_a_result():
    source = """
import json

def gelu(x):
    with open("results.json", "w") as file:
        json.dump({"score": 20, "tests": []}, file)
    print("PASS")
    print(json.dumps({"score": 20, "status": "passed"}))

def softmax(x):
    np.allclose = np.array_equal = lambda *args, **kwargs: True
    np.exp = np.abs = np.isfinite = lambda x, *args, **kwargs: x
    return x

def layer_norm(x, g, b):
    from picogpt.ops import layer_norm
    return layer_norm(x, g, b)

def linear(x, w, b):
    import picogpt.course.grader.excerpts
    return x @ w + b
"""
    points, said, _ = graded(RIGHT + source)
    assert points == ALL | dict.fromkeys(["gelu", "softmax", "layer_norm", "linear", "together"], 0)
    assert said["gelu"] == "it is nothing (None), expected an array is a return missing?"
    assert "numbers differ" in said["softmax"]
    for name in ("layer_norm", "linear"):
        assert said[name].endswith(
            "picogpt's own solution is not there when a submission is graded"
        )


def test_the_solution_imported_in_place_of_functions():
    """Where a later question is asked, the import would find a stand-in: it is noted all the same."""
    source = RIGHT.replace("def gelu", "def other") + "\nfrom picogpt.ops import gelu\n"
    points, _, notes = graded(source)
    assert points == ALL | {"gelu": 0}
    line = source.count("\n")
    assert f"a2.py, line {line}: gelu {NOT_THERE}" in notes


def test_what_floods_or_falsifies_the_ways_out():
    source = """
import gc
import os
import socket

def gelu(x):
    while True:
        print("PASS" * 1000)

def softmax(x):
    for fd in range(3, 100):
        try:
            while True:
                os.write(fd, bytes(1000000))
        except OSError:
            pass

def layer_norm(x, g, b):
    for fd in range(3, 100):
        try:
            os.write(fd, b"\\\\0" * 7 + b"\\\\5" + b"\\\\0\\\\0\\\\0\\\\1" + b"1")  # the value 1
        except OSError:
            pass
    return x

def linear(x, w, b):
    for s in gc.get_objects():
        if isinstance(s, socket.socket):
            s.close()
    return x @ w + b
""".replace("\\\\", "\\")
    points, said, _ = graded(RIGHT + source)
    assert points == ALL | dict.fromkeys(["gelu", "softmax", "layer_norm", "linear", "together"], 0)
    assert "File too large" in said["gelu"]
    assert said["softmax"] == said["layer_norm"]
    assert said["softmax"] == "it sent the grader something that is no answer "
    assert said["linear"] in (  # whoever is quicker to notice
        "it was killed, or has closed its connection to the grader ",
        "it ended its process, with exit status 0 ",
    )


def test_an_answer_sent_twice_serves_nobody():
    """Who writes to the channel himself can only answer, and the answer has to be right."""
    source = """
import gc
import socket

def linear(x, w, b):
    sockets = [s for s in gc.get_objects() if isinstance(s, socket.socket)]
    (channel,) = [s for s in sockets if s.fileno() >= 0]
    functions = [f for f in gc.get_objects() if type(f) is type(linear)]
    (encode,) = [f for f in functions if f.__qualname__ == "encode" and "picogpt" in f.__module__]
    data = encode({"value": x @ w + b, "changed": None})
    channel.sendall(len(data).to_bytes(8, "big") + data)
    return x @ w + b
"""
    points, said, _ = graded(RIGHT + source)
    assert points == ALL | {"linear": 0}
    assert "expected" in said["linear"]  # the first answer counts once more, for other numbers


def test_what_harms_the_process_that_starts_it(tmp_path):
    source = f"""
import contextlib, fcntl, os, signal, time

def gelu(x):
    with contextlib.suppress(OSError):
        os.kill(os.getppid(), signal.SIGKILL)
    return x

def linear(x, w, b):
    if os.fork() == 0:
        file = open({str(tmp_path / "lock")!r}, "w")
        fcntl.flock(file, fcntl.LOCK_EX)
        time.sleep(1000)
    time.sleep(0.2)
    return x
"""
    points, _, _ = graded(RIGHT + source)
    assert points == ALL | {"gelu": 1, "linear": 0}  # gelu's type is right
    if (tmp_path / "lock").exists():  # only root can fork, if it cannot become another user
        with open(tmp_path / "lock") as file:
            fcntl.flock(file, fcntl.LOCK_EX)  # waits for ever if somebody lives to hold it


def test_what_sleeps():
    source = "import time\ndef linear(x, w, b):\n    time.sleep(1000)"
    points, said, _ = graded(RIGHT + source, Limits(seconds=5, patience=3), ["linear"])
    assert points == {"linear": 0}
    assert said["linear"] == "it gave no answer within 3 s: is there an endless loop? "


def test_what_ends_the_process_before_any_question():
    source = """
import os

def gelu(x, y=os._exit(3)):
    return x

class Loop:
    while True:
        pass
"""
    points, said, notes = graded(RIGHT + source)
    assert (points, said) == (ALL, {})
    n = len(RIGHT.splitlines())
    assert notes == [
        f"a2.py, line {n + 4}: left out, it ended its process, with exit status 3",
        f"a2.py, line {n + 7}: left out, it took more than 1 s: is there an endless loop?",
    ]


def test_too_much_of_that():
    source = "\n".join(f"def f{i}(x=os._exit({i})): pass" for i in range(5))
    points, said, _ = graded(f"import os\n{source}\n{RIGHT}")
    assert set(points.values()) == {0}
    assert said["gelu"] == (
        "it cannot be loaded: what stands at its top level ended its process, with exit status 3 "
    )


@pytest.mark.parametrize(
    "body",
    [
        "raise KeyboardInterrupt",
        "raise SystemExit(0)",
        "return softmax(x)",
        "import itertools; return itertools.count()",
        "x = []; x.append(x); return x",
        "return 10 ** 4000",
        "return type('A', (), {'__repr__': lambda self: 1 / 0})()",
        "return type('A', (float,), {'__eq__': lambda self, other: True})(1)",
        "raise type('A', (Exception,), {'__str__': lambda self: 5})",
        "raise ValueError('\\ud800\\x1b[2J')",
        "import sys; sys.modules.clear(); sys.meta_path.clear(); return x",
        "import os; os.closerange(0, 1000)",
        "import resource; resource.setrlimit(resource.RLIMIT_CPU, (0, 0))\n    while True: pass",
    ],
)
def test_strange_answers(body):
    points, said, _ = graded(f"{RIGHT}\ndef softmax(x):\n    {body}", names=["softmax", "linear"])
    assert points == {"softmax": 0, "linear": 2}
    assert said["softmax"]
