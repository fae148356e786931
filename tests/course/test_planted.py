"""No wrong function earns all points of its questions, and no right one loses any."""

import pytest
from course_planted import PLANTED, a1, a2, a3, a4, a5, a5_steps, a6, a6_table  # noqa: F401

from picogpt.course.assignments import ASSIGNMENTS
from picogpt.course.grader.local import Live, by_name
from picogpt.course.grader.marking import mark


def name_of(planted) -> str:
    assignment, function, written, _ = planted
    return f"{assignment}-{function}-{written.__name__}"


@pytest.mark.parametrize("planted", PLANTED, ids=name_of)
@pytest.mark.parametrize("seed", range(2))
def test_a_planted_function_is_judged_rightly(planted, seed):
    name, function, written, is_right = planted
    assignment = ASSIGNMENTS[name]
    functions = by_name(assignment.functions) | {function: written}
    found = mark(assignment, Live(functions, assignment.given).student, seed, [function])
    problems = [m.problem for m in found if m.problem]
    assert (not problems) == is_right, problems


def refuse(*args, **kwargs):
    raise ValueError("no")


@pytest.mark.parametrize("assignment", ASSIGNMENTS.values(), ids=lambda x: x.name)
@pytest.mark.parametrize("same", [refuse, lambda *args, **kwargs: 1.0], ids=["refusing", "1.0"])
def test_always_the_same_earns_nothing(assignment, same):
    written = dict.fromkeys(by_name(assignment.functions), same)
    found = mark(assignment, Live(written, assignment.given).student, seed=0)
    assert [m.question.title for m in found if m.points] == []
