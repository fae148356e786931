"""Every assignment and variant: the solution, the stub, and each known mistake."""

from contextlib import contextmanager

import pytest
from course_support import lost, marks

from picogpt.course.assignments import ASSIGNMENTS
from picogpt.course.grader.excerpts import pruned
from picogpt.course.grader.local import Live, by_name
from picogpt.course.grader.marking import mark
from picogpt.course.handout.forms import as_script

ALL = pytest.mark.parametrize("assignment", ASSIGNMENTS.values(), ids=lambda x: x.name)


def mistakes() -> list:
    """(assignment, question, mistake), each mistake once: a variant shares most with its base."""
    seen, found = set(), []
    for assignment in ASSIGNMENTS.values():
        for question in assignment.questions:
            for mistake in question.mistakes:
                if (question, mistake) not in seen:
                    seen.add((question, mistake))
                    name = f"{assignment.name}-{question.name}-{mistake.__name__}"
                    found.append(pytest.param(assignment, question, mistake, id=name))
    return found


@ALL
@pytest.mark.parametrize("seed", range(3))
def test_the_solution_gets_all_points(assignment, seed):
    student = Live(by_name(assignment.functions), assignment.given).student
    assert [m.problem for m in mark(assignment, student, seed) if m.problem] == []


@ALL
def test_the_stub_gets_none(assignment):
    found = marks(assignment, as_script(assignment))
    assert [m.points for m in found] == [0] * len(assignment.questions)
    assert {m.problem.summary for m in found[:-1]} == {"not written yet"}


@ALL
def test_nothing_at_all_gets_none(assignment):
    assert sum(m.points for m in marks(assignment, "")) == 0


@pytest.mark.parametrize(("assignment", "question", "mistake"), mistakes())
def test_a_mistake_costs_its_own_question_and_is_named(assignment, question, mistake):
    written = by_name(assignment.functions) | {question.name: mistake}
    # In questions about other functions the reference stands in for this one
    found = mark(assignment, Live(written, assignment.given).student, 0, [question.name])
    assert lost(found) == [question]
    (problem,) = [m.problem for m in found if m.problem]
    assert problem.hint.startswith(" ".join(mistake.__doc__.split()))


@ALL
def test_each_assignment_knows_six_mistakes_or_more(assignment):
    assert sum(len(question.mistakes) for question in assignment.questions) >= 6
    if assignment.variant_of:
        base = ASSIGNMENTS[assignment.variant_of]
        new = {m for q in assignment.questions for m in q.mistakes}
        assert new - {m for q in base.questions for m in q.mistakes}


@ALL
def test_every_function_is_asked_about_and_the_last_question_is_the_whole(assignment):
    asked = [question.function for question in assignment.questions]
    assert list(dict.fromkeys(asked)) == [*assignment.functions, None]


def test_every_assignment_has_two_variants():
    for name, assignment in ASSIGNMENTS.items():
        if not assignment.variant_of:
            assert sum(other.variant_of == name for other in ASSIGNMENTS.values()) == 2


@ALL
def test_what_a_student_is_given_does_not_hold_what_is_asked_for(assignment):
    for function in assignment.functions:
        library = pruned((*assignment.given, *assignment.before(function)))
        assert f"def {function.__name__}(" not in "\n".join(library.values())


@ALL
def test_other_seeds_feed_in_other_numbers(assignment):
    """Some edges are asked with every seed, but no function is asked nothing else."""

    def requests(function: str, seed: int) -> list[bytes]:
        live = Live(by_name(assignment.functions), assignment.given)
        asked = []

        @contextmanager
        def listening(stand_ins):
            with live.student(stand_ins) as call:
                yield lambda request: asked.append(request) or call(request)

        mark(assignment, listening, seed, [function])
        return asked

    for function in by_name(assignment.functions):
        first, second = requests(function, 1), requests(function, 2)
        assert first == requests(function, 1)
        assert set(first) - set(second) and set(second) - set(first), function
