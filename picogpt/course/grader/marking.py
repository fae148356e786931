"""Marking a submission: all questions of an assignment, none of which an earlier mistake can sink.

Each question asks about one function, while all functions before it are the reference's: a wrong
softmax costs the points of softmax, and not those of attention. The last question runs everything
together. There too the reference stands in for what was wrong, so that no mistake costs twice;
but it counts only when half of the points before it are earned.
"""

import zlib
from collections.abc import Callable, Iterable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np

from ..assignment import Assignment, Question
from .asking import Ask, NotWritten, Problem
from .process import Ended

# A student's code that has run with some stand-ins: see Contained.student, Live.student
Student = Callable[[Iterable[Callable]], AbstractContextManager[Callable[[bytes], dict]]]


@dataclass(frozen=True)
class Mark:
    """A question, the points it was worth to a student, and what was wrong, if anything.

    ended: whether the student's code has ended its process, or taken too much.
    """

    question: Question
    points: int
    problem: Problem | None
    ended: bool = False


def mark(
    assignment: Assignment,
    student: Student,
    seed: int,
    names: Iterable[str] = (),
    kept: Mapping[Question, Mark] = MappingProxyType({}),
) -> list[Mark]:
    """The marks of an assignment's questions, or of those about some functions.

    kept: marks of questions that are not asked again. The inputs of a question follow from the seed
    and the question alone.
    """
    names = set(names)
    marks = []
    for question in assignment.questions:
        if names and question.name not in names:
            continue
        if question in kept:
            marks.append(kept[question])
        elif question.function:
            stand_ins = assignment.before(question.function)
            marks.append(mark_question(assignment, question, student, stand_ins, seed))
        else:
            marks.append(mark_together(assignment, question, student, marks, seed))
    return marks


def mark_together(
    assignment: Assignment, question: Question, student: Student, marks: list[Mark], seed: int
) -> Mark:
    """The mark of the final question, given those of all others."""
    earned = sum(mark.points for mark in marks)
    possible = sum(mark.question.points for mark in marks)
    if 2 * earned < possible:
        summary = f"counts from {(possible + 1) // 2} of the {possible} points above"
        return Mark(question, 0, Problem(summary))
    wrong = {mark.question.function for mark in marks if mark.problem}
    stand_ins = [function for function in assignment.functions if function in wrong]
    return mark_question(assignment, question, student, stand_ins, seed)


def mark_question(
    assignment: Assignment,
    question: Question,
    student: Student,
    stand_ins: Iterable[Callable],
    seed: int,
) -> Mark:
    key = zlib.crc32(f"{question.name} {question.title}".encode())
    rng = np.random.default_rng([seed, key])
    functions = {function.__name__ for function in assignment.functions}
    ask = None
    try:
        with student(stand_ins) as call:
            ask = Ask(call, question, functions)
            question.ask(ask, rng)
    except NotWritten:
        return Mark(question, 0, Problem("not written yet"))
    except Ended as end:
        if not (ask and ask.wrong):
            return Mark(question, 0, Problem(f"it {end}"), ended=True)
    problem = ask.problem()
    return Mark(question, 0 if problem else question.points, problem)
