"""What is told about a wrong answer: how it differs, and what is likely to be the cause."""

import math
import re

import numpy as np
import pytest

from picogpt.course.assignment import question
from picogpt.course.grader.asking import Ask, NotWritten
from picogpt.course.grader.channel import Other
from picogpt.course.grader.compare import difference
from picogpt.course.grader.local import Live
from picogpt.course.grader.process import Ended
from picogpt.course.grader.show import printable, show


def double(x, y=None):
    return x * 2.0


def half(x, y=None):
    """You divide by two."""
    return x / 2.0


def fails(x, y=None):
    """You look at an item that is not there."""
    return x[99]


@question(double, 1, (half, fails))
def doubles(ask, rng):
    """Twice the number"""


def problem(function, *args, what=double, **options):
    """What is said of a student's `double`; None if it is right."""
    with Live({"double": function}, ()).student(()) as call:
        ask = Ask(call, doubles, {"double"})
        ask(what, *args, **options)
    return ask.problem()


X = np.random.default_rng(0).standard_normal((2, 3))


def test_a_right_answer():
    assert problem(lambda x: x + x, X) is None
    assert problem(lambda x: x * np.float32(2), X.astype(np.float32)) is None


@pytest.mark.parametrize(
    ("function", "summary", "hint"),
    [
        (lambda x: x / 2.0, "6 of 6 numbers differ", "You divide by two."),
        (lambda x: x[99], "it raises IndexError: index 99", "look at an item that is not there"),
        (lambda x: x[98], "it raises IndexError: index 98", "^$"),
        (lambda x: None, r"it is nothing \(None\), expected an array", "is a return missing?"),
        (lambda x: [*x], "it is a list, expected an array", "^$"),
        (lambda x: "a", "it is a str, expected an array", "^$"),
        (lambda x: (x / 2.0).astype(">f8"), "6 of 6 numbers differ", "You divide by two."),
        (lambda x: x * 2j, "it is a complex128 array, expected an array", "^$"),
        (lambda x: (x * 2).T, r"the shape is \[3, 2\], expected \[2, 3\]", "are two axes swapped"),
        (lambda x: x[0], r"the shape is \[3\], expected \[2, 3\]", "^$"),
        (lambda x: x * 6, "6 of 6 numbers differ", "every number is 3 times what it should be"),
        (lambda x: 2 * x - 1, "6 of 6 numbers differ", "every number is too small by 1"),
        (lambda x: x / 0.0, "6 of 6 numbers differ", "nan or inf: a division by zero"),
        (lambda x: (2 * x).astype("f"), "the numbers are float32, expected float64", "an astype"),
        (lambda x: 2 * x + np.eye(2, 3), r"2 of 6 .* the first at \[0, 0\]: 1.25", "^$"),
    ],
)
def test_a_wrong_answer(function, summary, hint):
    found = problem(function, X)
    assert re.match(summary, found.summary), found.summary
    assert re.search(hint, found.hint), found.hint
    assert found.fed_in.startswith("x = float64 [2, 3]\n[[ 0.1257")


def test_more_precision_than_asked_for_is_wrong():
    found = problem(lambda x: x * np.float64(2.0), X.astype(np.float32))
    assert found.summary == "the numbers are float64, expected float32"
    assert "Python's floats" in found.hint


def test_a_millionth_is_wrong_in_float64_and_right_in_float32():
    assert problem(lambda x: x * 2.000001, X)
    assert problem(lambda x: x * np.float32(2.000001), X.astype(np.float32)) is None
    assert problem(lambda x: x * np.float32(2.0001), X.astype(np.float32))


@pytest.mark.parametrize("refuses", [True, False])
def test_what_was_fed_in_is_what_was_fed_in_then(refuses):
    x = np.ones(2)
    with Live({"double": lambda x: x / 2.0}, ()).student(()) as call:
        ask = Ask(call, doubles, {"double"})
        (ask.refuses if refuses else ask)(double, x)
        x[:] = 7.0  # a question may go on with the same array
    assert ask.problem().fed_in == "x = float64 [2]\n[1. 1.]"
    assert ask.problem().hint == "You divide by two."


@pytest.mark.parametrize("known", [True, False])
def test_a_hint_explains_all_answers_the_right_ones_too(known):
    def wrong_if_negative(x, y=None):
        """You divide negative numbers."""
        return np.where(x < 0, x / 2.0, x * 2.0)

    @question(double, 1, (half, wrong_if_negative)[: 1 + known])
    def asked(ask, rng):
        """Twice the number"""

    with Live({"double": wrong_if_negative}, ()).student(()) as call:
        ask = Ask(call, asked, {"double"})
        for x in (np.array([-1.0, 1.0]), np.ones(2)):
            ask(double, x)
    assert ask.problem().hint == ("You divide negative numbers." if known else "")


def test_arguments_must_stay_as_they_are():
    def in_place(x, y=None):
        x *= 2.0
        return x

    found = problem(in_place, X)
    assert found.summary == "the result is right, but the function changes its argument x"
    assert found.hint == "x += 1 writes into the caller's array, x = x + 1 makes a new one"


def test_unless_they_are_what_is_asked_for():
    def reference(x, y=None):
        x *= 2.0

    reference.__name__ = "double"

    def wrong(x, y=None):
        x *= 3.0

    assert problem(reference, X, what=reference, in_place=True) is None
    found = problem(wrong, X, what=reference, in_place=True)
    assert found.summary.startswith("at [0]: at [0]: 6 of 6 numbers differ")
    assert problem(lambda x: 2 * x, X, what=reference, in_place=True)


def test_what_is_not_written():
    def stub(x):
        raise NotImplementedError

    for nothing in (stub, None, 7):
        with pytest.raises(NotWritten):
            problem(nothing, X)


def test_what_is_written_and_says_what_it_cannot_do():
    def compressed(x):
        raise NotImplementedError("compressed")

    assert problem(compressed, X).summary.startswith("it raises NotImplementedError: compressed")


def test_programs_run_among_the_students_functions():
    def program(x):
        return np.abs(double(x)).sum() + math.pi

    assert problem(lambda x: x + x, X, what=program) is None
    assert problem(lambda x: x / 2.0, X, what=program).hint == "You divide by two."
    assert problem(lambda x: x * 5.0, X, what=program).summary.startswith("it is ")
    found = problem(lambda x: np.multiply(x, 2.0, out=x), X, what=program)
    assert found.summary == "the result is right, but what x holds has been written into"


def test_a_program_without_the_function():
    def program(x):
        return double(x)

    with Live({}, ()).student(()) as call, pytest.raises(NotWritten):
        Ask(call, doubles, {"double"})(program, X)


def test_a_clue():
    def clue(got, expected):
        return f"{got.shape}." if expected[0, 0] == 2 * X[0, 0] else None

    assert problem(lambda x: x / 2.0, X, clue=clue).hint == "You divide by two. (2, 3)."
    assert problem(lambda x: x / 3.0, X, clue=clue).hint == "(2, 3)."
    assert problem(lambda x: x / 2.0, X + 1, clue=clue).hint == "You divide by two."


def refuses(function):
    with Live({"double": function}, ()).student(()) as call:
        ask = Ask(call, doubles, {"double"})
        ask.refuses(double, X)
    return ask.problem()


def test_refusing():
    def strict(x):
        raise UnicodeDecodeError("a", b"", 0, 1, "b")  # a ValueError

    assert refuses(strict) is None
    assert refuses(lambda x: x / 2.0).hint == "You divide by two."
    assert refuses(lambda x: x[98]).expected == "raise ValueError(...)"
    assert refuses(lambda x: x[98]).summary.startswith("it raises IndexError")


@pytest.mark.parametrize("changed", [[[], {}], [[X, X], {}], [[X], {"y": 1}]])
def test_forged_arguments(changed):
    answer = {"value": 2.0 * X, "changed": changed}
    with pytest.raises(Ended):
        Ask(lambda request: answer, doubles, {"double"})(double, X)


INF, NAN = float("inf"), float("nan")


@pytest.mark.parametrize(
    ("got", "expected", "same"),
    [
        (1, 1.0, True),
        (np.float32(1.5), 1.5, True),
        (np.array(1.5), 1.5, True),
        (1.0 + 1e-12, 1.0, True),
        (1.0 + 1e-7, 1.0, False),
        (10**400, 1.0, False),
        (10**400, 1, False),
        (10**10 + 1, 10**10, False),
        (np.int64(3), 3, True),
        (INF, INF, True),
        (-INF, INF, False),
        (NAN, 1.0, False),
        (1.0, NAN, False),
        (True, 1, True),
        ("a", "a", True),
        ("a", "b", False),
        ("1", 1, False),
        (b"a", b"a", True),
        (None, None, True),
        (0, None, False),
        ([1, 2], (1, 2), True),
        ([1, 2], [1, 2, 3], False),
        ([1, 2, 3], [1, 2], False),
        ([[1], ["a"]], [[1], ["a"]], True),
        ([[1], ["a"]], [[1], ["b"]], False),
        ({"a": [1.0]}, {"a": [1.0]}, True),
        ({"a": [1.0]}, {"a": [2.0]}, False),
        ({"a": 1}, {"b": 1}, False),
        ({1}, {1}, True),
        ({1}, {2}, False),
        (np.array([1, -INF]), np.array([1, -INF]), True),
        (np.array([1, 0.0]), np.array([1, -INF]), False),
        (np.array([1.0, NAN]), np.array([1.0, 2.0]), False),
        (np.zeros(3), np.zeros(3), True),
        (np.full(3, 1e-3), np.zeros(3), False),
        (np.zeros(0), np.zeros(0), True),
        (np.arange(3, dtype=np.int32), np.arange(3), True),
        (np.arange(3.0), np.arange(3), False),
        (np.array([True]), np.array([False]), False),
        (np.zeros(1), 0.0, False),
        (Other("float", "0.0"), 0.0, False),
    ],
    ids=str,
)
def test_difference(got, expected, same):
    found = difference(got, expected, "float64")
    assert (found is None) == same, found


@pytest.mark.filterwarnings("error")
def test_a_signalling_nan_is_compared_quietly():
    nan = np.array([0x7F800001], np.uint32).view(np.float32)
    assert difference(nan, np.ones(1, np.float32), "float32") is not None


def test_values_are_shown_briefly():
    assert show(np.zeros((100, 100))).startswith("float64 [100, 100]\n[[0. 0. ... 0. 0.]\n")
    assert show({"w": np.zeros((2, 3)), "h": [{"b": np.zeros(2)}]}) == (
        "{'w': float64 [2, 3], 'h': [{'b': float64 [2]}]}"
    )
    assert show(Other("A", "<A>")) == "<A>"
    assert show("a" * 1000) == f"'{'a' * 399} ..."
    assert len(show(np.zeros((9, 5, 2))).splitlines()) == 13


def test_of_several_arrays_each_is_shown():
    pair = (np.ones((2, 2)), np.arange(3))
    assert show(pair) == "[0] = float64 [2, 2]\n[[1. 1.]\n [1. 1.]]\n[1] = int64 [3]\n[0 1 2]"
    assert show([np.ones(1)] * 9).endswith("\n[5] = float64 [1]\n[1.]\n...")


def test_nothing_unprintable_is_shown():
    assert printable("a\ud800\x1b[1m\n\tb\x00é") == "a?\ufffd[1m\n\tb\ufffdé"
