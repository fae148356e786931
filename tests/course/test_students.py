"""The hand-ins of course_students.py get the points that they deserve."""

import pytest
from course_students import MISTAKES, SOLUTIONS
from course_support import lost, marks

from picogpt.course.assignments import ASSIGNMENTS


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
