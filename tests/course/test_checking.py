"""Checking oneself: a file from the command line, live functions in a notebook."""

import json
import signal

import numpy as np
import pytest
from course_students import SOLUTIONS
from course_support import solution

from picogpt.course import check
from picogpt.course.__main__ import main
from picogpt.course.assignments import ASSIGNMENTS
from picogpt.course.grader.starter import Limits

A2 = ASSIGNMENTS["a2"]


@pytest.fixture
def check_file(tmp_path, capsys):
    def run(source: str, name: str = "a2.py", *more: str) -> tuple[int, str, str]:
        (tmp_path / name).write_text(source, "utf-8")
        status = main(["check", str(tmp_path / name), *more])
        return status, *capsys.readouterr()

    return run


def test_a_right_file(check_file):
    status, out, err = check_file(solution(A2))
    assert (status, err) == (0, "")
    assert out.startswith("a2: the operations\n\n  gelu           The tanh form    ")
    assert out.endswith("  20 of 20 points\n")
    assert "hint" not in out


@pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="POSIX signals")
def test_an_endless_loop_costs_its_own_points(check_file, monkeypatch):
    monkeypatch.setattr("picogpt.course.grader.local.LIMITS", Limits(seconds=1))
    endless = "def softmax(x):\n    while True:\n        pass"
    status, out, _ = check_file(f'ASSIGNMENT = "a2"\n{SOLUTIONS["a2"]}\n{endless}\n')
    assert status == 0
    assert "TooLong: it was still busy after 1 seconds" in out
    assert "  gelu           The tanh form" in out.split("see below")[0]


def test_a_wrong_file(check_file):
    wrong = "def softmax(x):\n    return np.exp(x) / np.exp(x).sum(-1, keepdims=True)"
    _, out, _ = check_file(f'ASSIGNMENT = "a2"\n{SOLUTIONS["a2"]}\n{wrong}\n')
    assert "  softmax        Large numbers do not overflow        " in out
    assert "0/1  see below" in out
    assert "  19 of 20 points" in out
    _, _, details = out.partition("softmax: Large numbers do not overflow\n")
    assert details.startswith("    8 of 8 numbers differ, the first at [0, 0]: nan, expected 0\n")
    for text in ("hint: exp(1000) is infinite", "fed in:\n        x = float64 [2, 4]\n        [["):
        assert f"    {text}" in details
    assert "    came out:\n        float64 [2, 4]\n        [[nan nan nan nan]" in details
    assert "    expected:\n        float64 [2, 4]\n        [[0. 0. 0. 0.]" in details


def test_where_an_exception_was_raised(check_file):
    source = 'ASSIGNMENT = "a2"\n\ndef linear(x, w, b):\n    return {}\n'
    _, out, _ = check_file(source.format("1 / 0"))
    assert "it raises ZeroDivisionError: division by zero (a2.py, line 4, in linear)" in out
    within_numpy = "__import__('numpy').linalg.inv([[0.0]])"
    _, out, _ = check_file(source.format(within_numpy))
    assert "LinAlgError: Singular matrix (a2.py, line 4, in linear)" in out


def test_a_notebook(check_file):
    cells = ["%load_ext autoreload\nimport numpy as np", f'ASSIGNMENT = "a2"\n{SOLUTIONS["a2"]}']
    cells += ["def linear(x, w, b):\n    return y", "def (:"]
    notebook = {"cells": [{"cell_type": "code", "source": [source]} for source in cells]}
    _, out, _ = check_file(json.dumps(notebook), "work.ipynb")
    assert "NameError: name 'y' is not defined (code cell 3, line 2, in linear)" in out
    assert "About the file:\n    code cell 4 cannot be read, line 1: invalid syntax" in out
    assert "  18 of 20 points" in out


def test_imports_of_the_solution_are_told(check_file):
    source = f"{solution(A2)}\nfrom picogpt.ops import gelu\nfrom picogpt.course import check\n"
    _, out, _ = check_file(source)
    assert "About the file:\n    a2.py, line" in out
    assert out.endswith("gelu is picogpt's own, and not there when a submission is graded\n")


def test_another_seed(check_file):
    source = 'ASSIGNMENT = "a2"\ndef gelu(x): return x'
    first, again, other = (check_file(source, "a2.py", "--seed", n)[1] for n in "112")
    assert first == again != other


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("x = 1", 'a2.py does not say which assignment it is: ASSIGNMENT = "a2" is missing'),
        ('ASSIGNMENT = "a9"', "there is no assignment 'a9', expected a"),
        ("def (:", "a2.py: a2.py cannot be read, line 1: invalid syntax"),
    ],
)
def test_files_that_cannot_be_checked(check_file, source, message):
    status, out, err = check_file(source)
    assert (status, out) == (1, "")
    assert err.startswith("picogpt: ")
    assert message in err
    assert err.count("\n") == 1


def test_no_file(tmp_path, capsys):
    assert main(["check", str(tmp_path / "a2.py")]) == 1
    assert capsys.readouterr().err == f"picogpt: {tmp_path} has no file a2.py\n"


@pytest.fixture
def cell():
    """A notebook: a namespace in which cells are run."""
    namespace = {"ASSIGNMENT": "a2", "np": np}

    def run(source: str):
        exec(source, namespace)  # noqa: S102
        return namespace

    return run


def test_live_functions(cell, capsys):
    names = cell(SOLUTIONS["a2"])
    check(names["softmax"], names["gelu"])
    out = capsys.readouterr().out
    assert out.endswith("  6 of 6 points\n")
    assert "linear" not in out


def test_a_live_function_that_is_wrong(cell, capsys):
    names = cell("def softmax(x):\n    return x")
    check(names["softmax"])
    assert "  0 of 3 points" in capsys.readouterr().out


def test_it_is_the_function_that_is_given(cell, capsys):
    wrong = cell("def softmax(x):\n    return x")["softmax"]
    names = cell(SOLUTIONS["a2"])
    right = names["softmax"]
    check(wrong)
    assert "  0 of 3 points" in capsys.readouterr().out
    assert names["softmax"] is right


def test_live_functions_call_the_reference_of_earlier_ones(cell, capsys):
    names = cell(SOLUTIONS["a2"])
    cell(
        "def softmax(x):\n    raise MemoryError\n"
        "def cross_entropy(logits, targets):\n"
        "    check_targets(targets, logits.shape[-1])\n"
        "    largest = np.log(softmax(logits).max(-1))\n"
        "    of_target = np.take_along_axis(logits, targets[..., None], -1)[..., 0]\n"
        "    return (logits.max(-1) - of_target - largest).mean()"
    )
    before = dict(names)
    check(names["cross_entropy"])
    assert "  5 of 5 points" in capsys.readouterr().out
    assert names == before


@pytest.mark.parametrize(
    ("things", "error", "message"),
    [
        ("[np.exp]", TypeError, "check wants functions, as in check"),
        ("[softmax()]", TypeError, "check wants functions, as in check"),
        ("[other]", ValueError, "a2 has no function other"),
        ("[stranger]", ValueError, "there is no assignment"),
    ],
)
def test_what_cannot_be_checked(cell, things, error, message):
    names = cell("def softmax(): pass\ndef other(): pass\n")
    names["stranger"] = eval("lambda: 1", {})
    with pytest.raises(error, match=message):
        check(*eval(things, names))
