"""No wrong function earns all points of its questions, and no right one loses any."""

import pytest
from course_planted import PLANTED, a1, a2, a3, a4, a5, a5_steps, a6, a6_table  # noqa: F401

from picogpt.course.assignments import ASSIGNMENTS
from picogpt.course.grader.local import Live, by_name
from picogpt.course.grader.marking import mark

# Mistakes that are not known, each of which gives the same wrong answers as a known one
LOOK_LIKE_A_KNOWN_ONE = (
    *(a4.more_than_k_is_k, a4.token_0_ends_the_text, a4.temperature_of_two_at_most),
    *(a6.zeros_left_out, a6.only_int32_refused, a6.one_dimension_for_a_single_number),
    *(a6_table.forty_eight_are_too_few, a6_table.half_of_the_magic, a6_table.begins_at_one),
    *(a6_table.empty_contents_refused, a6_table.half_of_the_checksum),
)


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


@pytest.mark.parametrize("written", LOOK_LIKE_A_KNOWN_ONE, ids=lambda x: x.__name__)
def test_no_hint_is_better_than_a_wrong_one(written):
    ((name, function),) = [x[:2] for x in PLANTED if x[2] is written]
    assignment = ASSIGNMENTS[name]
    functions = by_name(assignment.functions) | {function: written}
    found = mark(assignment, Live(functions, assignment.given).student, 0, [function])
    hints = {m.problem.hint for m in found if m.problem}
    assert hints and hints <= {"", "This is in order, and must not be refused."}


def refuse(*args, **kwargs):
    raise ValueError("no")


@pytest.mark.parametrize("assignment", ASSIGNMENTS.values(), ids=lambda x: x.name)
@pytest.mark.parametrize("same", [refuse, lambda *args, **kwargs: 1.0], ids=["refusing", "1.0"])
def test_always_the_same_earns_nothing(assignment, same):
    written = dict.fromkeys(by_name(assignment.functions), same)
    found = mark(assignment, Live(written, assignment.given).student, seed=0)
    assert [m.question.title for m in found if m.points] == []
