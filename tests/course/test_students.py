"""The hand-ins of course_students.py get the points that they deserve."""

import pytest
from course_students import MISTAKES, SOLUTIONS
from course_support import lost, marks

from picogpt.course.assignments import ASSIGNMENTS
from picogpt.course.grader.asking import PASSED_ON


@pytest.mark.parametrize("name", SOLUTIONS)
@pytest.mark.parametrize("seed", range(3))
def test_another_way_to_write_it_gets_all_points(name, seed):
    found = marks(ASSIGNMENTS[name], SOLUTIONS[name], seed)
    assert [m.problem for m in found if m.problem] == []


@pytest.mark.parametrize(("name", "source", "titles", "hint"), MISTAKES)
def test_a_mistake_is_recognised_in_another_hand(name, source, titles, hint):
    found = marks(ASSIGNMENTS[name], SOLUTIONS[name] + source)
    assert [question.title for question in lost(found)] == titles
    (problem, *_) = [m.problem for m in found if m.problem]
    assert hint in problem.hint


@pytest.mark.parametrize(
    ("name", "source", "hint"),
    [
        ("a1", "def encode(*args):\n    yield from kept(*args)", PASSED_ON),
        ("a1", "def learn(*args):\n    return [list(pair) for pair in kept(*args)]", PASSED_ON),
        ("a2", "def layer_norm(x, gain, bias):\n    return kept(x, gain, bias)", PASSED_ON),
        ("a2", "def layer_norm(x, g, b, eps=1e-5):\n    return kept(x, g, b)", ""),
    ],
)
def test_what_has_to_stay_of_a_signature(name, source, hint):
    """What works alone, and not with the others, costs the last question, with a hint."""
    function = source.removeprefix("def ").partition("(")[0]
    found = marks(ASSIGNMENTS[name], f"{SOLUTIONS[name]}\nkept = {function}\n{source}\n")
    assert [question.name for question in lost(found)] == (["together"] if hint else [])
    assert [m.problem.hint for m in found if m.problem] == ([hint] if hint else [])
