"""What a student's process can reach: with namespaces, and where the system gives none.

Each test is a hand-in that looks for something. What is asserted is what the teacher's page claims.
"""

import ctypes
import inspect
import os
import sys
from pathlib import Path

import pytest
from course_students import SOLUTIONS

import picogpt
from picogpt.course.assignments import ASSIGNMENTS

pytest.importorskip("fcntl", reason="grading needs POSIX")

from picogpt.course.grader import starter
from picogpt.course.grader.channel import encode
from picogpt.course.grader.process import Contained, Submission
from picogpt.course.grader.starter import Between, Limits, what_is_between

A2 = ASSIGNMENTS["a2"]
PACKAGE = str(Path(picogpt.__file__).parent)
WITHOUT = "SYS_MOUNT_SETATTR, AT_FDCWD, AT_RECURSIVE = -1"  # no system has this call


@pytest.fixture(params=["namespaces", "without"])
def between(request, monkeypatch):
    """With namespaces, and as it is on systems without them."""
    if request.param == "without":
        whole = starter.beginning().replace(f"{WITHOUT[:-2]}442", WITHOUT)
        assert WITHOUT in whole
        monkeypatch.setattr(starter, "beginning", lambda: whole)
    found = what_is_between()
    if request.param == "namespaces" and found is not Between.NAMESPACES:
        pytest.skip("this system gives us no namespaces")
    return found


def told(body: str):
    """What a function returns as gelu, with softmax and others standing in for its own."""
    lines = "".join(f"    {line}\n" for line in body.strip().splitlines())
    submission = Submission("a2.py", f"{SOLUTIONS['a2']}\ndef gelu(x):\n{lines}".encode())
    with Contained(submission, A2.given, Limits()) as contained:
        with contained.student(A2.functions[1:]) as call:
            reply = call(encode(["gelu", None, [0], {}]))
    assert "value" in reply, reply
    return reply["value"]


EVERYTHING = """
import gc, os, sys
found = [repr(os.environ), os.getcwd(), *sys.path, *sys.orig_argv]
for process in ("self", os.getppid()):
    for name in ("cmdline", "environ", "maps"):
        try:
            found.append(open(f"/proc/{process}/{name}").read())
        except OSError:
            pass
    try:
        found.append(os.readlink(f"/proc/{process}/cwd"))
    except OSError:
        pass
frame = sys._getframe()
while frame:
    found.append(frame.f_code.co_filename)
    frame = frame.f_back
stack, seen = gc.get_objects(), {}
while stack:
    thing = stack.pop()
    if id(thing) in seen:
        continue
    seen[id(thing)] = thing
    if isinstance(thing, (str, bytes)):
        found.append(str(thing))
    elif isinstance(thing, dict):
        stack += [*thing, *thing.values()]
    elif isinstance(thing, (list, tuple, set, frozenset)):
        stack += thing
    elif isinstance(thing, type(gelu.__code__)):
        stack += [thing.co_filename, thing.co_consts]
    elif isinstance(thing, type(gelu)):
        stack += [thing.__code__, thing.__doc__]
return "\\n".join(found).encode("utf-8", "replace")
"""


def test_nothing_says_where_picogpt_is_or_how_it_is_written(between, monkeypatch):
    monkeypatch.setenv("SECRET", "a secret")
    text = told(EVERYTHING).decode("utf-8")
    assert "LC_ALL" in text and "while frame:" in text  # it has looked, and found its own
    assert "a secret" not in text
    assert PACKAGE not in text
    for function in A2.functions[1:]:
        lines = [x.strip() for x in inspect.getsource(function).splitlines()[1:]]
        assert [x for x in lines if len(x) > 12 and x in text] == []


def test_functions_that_stand_in_have_no_source(between):
    body = """
import inspect
try:
    return inspect.getsource(softmax)
except OSError:
    return [softmax.__doc__, softmax.__code__.co_filename, round(float(softmax(np.zeros(2))[0]), 9)]
"""
    assert told(body) == [None, "<picogpt>", 0.5]


def test_the_library_is_found_nowhere_else(between):
    if between is not Between.NAMESPACES:
        pytest.skip("without namespaces, the file system is open, and the teacher's page says so")
    body = """
import os
found = []
for folder, folders, files in os.walk("/"):
    found += [os.path.join(folder, name) for name in folders + files]
return found
"""
    found = told(body)
    numpy = next(path for path in found if path.endswith("/numpy/__init__.py"))
    packages = {path.split("-packages/")[1].split("/")[0] for path in found if "-packages/" in path}
    assert packages <= {"numpy", "numpy.libs"}
    # A clone may be called picogpt, and NumPy may lie in it.
    others = [path for path in found if not numpy.startswith(f"{path}/")]
    assert [path for path in others if "picogpt" in Path(path).name] == []


def test_no_other_process_and_no_network(between):
    if between is not Between.NAMESPACES:
        pytest.skip("without namespaces, there are others")
    body = """
import os, socket
try:
    socket.create_connection(("127.0.0.1", 9), 1)
except OSError as error:
    said = error.strerror
return [os.getppid(), said, os.path.exists("/proc/self")]
"""
    assert told(body) == [1, "Network is unreachable", False]


def test_no_file_but_its_own_can_be_written(between, tmp_path):
    tmp_path.chmod(0o755)
    (tmp_path / "results.json").write_text("{}")
    body = f"""
import os
said = []
for path in {[str(tmp_path / "results.json"), str(tmp_path / "new"), "/new", np_file()]!r}:
    try:
        os.close(os.open(path, os.O_WRONLY | os.O_CREAT))
        said.append(path)
    except OSError:
        pass
open("own", "w").write("mine")
return said
"""
    if between is Between.NOTHING:
        pytest.skip("without namespaces and another user, it writes what we can write")
    assert told(body) == []


def np_file() -> str:
    import numpy as np

    return np.__file__


def test_the_grader_cannot_be_killed(between):
    if between is Between.NOTHING:
        pytest.skip("without namespaces and another user, it can be")
    body = f"""
import os
said = []
for pid in ({os.getpid()}, os.getppid()):
    try:
        os.kill(pid, 15)
        said.append(os.getppid() == 1)  # the first process behind walls takes no signal from there
    except OSError:
        said.append(True)
return said
"""
    assert told(body) == [True, True]


def test_it_is_another_user_without_rights(between):
    body = """
import os
try:
    os.setuid(0)
except OSError:
    pass
return [os.getuid(), os.geteuid(), os.getgroups()]
"""
    user, effective, groups = told(body)
    if os.getuid() == 0 and between is Between.USERS:
        assert user == effective >= 61184 and groups == []
    elif os.getuid() == 0 and between is Between.NAMESPACES:
        assert user == effective != 0 or not readable_by_all()
    else:
        assert user == effective == os.getuid()


def readable_by_all() -> bool:
    return os.stat(np_file()).st_mode & 4 == 4


@pytest.mark.skipif(sys.platform != "linux", reason="prctl is Linux's")
def test_the_memory_of_the_grader_is_hidden(between):
    told("return 0")
    assert ctypes.CDLL(None).prctl(3, 0, 0, 0, 0) == 0  # PR_GET_DUMPABLE


def test_no_folder_stays_behind_walls(between, tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    if between is Between.NAMESPACES:
        (tmp_path / "x").touch()
        tmp_path.chmod(0o555)  # nothing is made there that could stay
        monkeypatch.setattr(starter, "TemporaryDirectory", None)
    assert told("open('own', 'w'); return __import__('os').listdir()") in (
        ["own", "output"],
        ["output", "own"],
    )


def test_a_new_question_finds_nothing_of_the_last(between):
    submission = Submission(
        "a2.py", b"def gelu(x):\n    open(str(x), 'w')\n    import os\n    return os.listdir()"
    )
    with Contained(submission, A2.given, Limits()) as contained:
        for n in (1, 2):
            with contained.student(()) as call:
                assert sorted(call(encode(["gelu", None, [n], {}]))["value"]) == [str(n), "output"]
