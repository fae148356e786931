"""Asking the student's code, judging what comes back, and saying what is wrong with it."""

import inspect
import textwrap
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from types import FunctionType
from typing import NamedTuple

import numpy as np

from ..assignment import Question
from .channel import decode, encode
from .compare import difference, precision
from .perform import said
from .process import BROKEN, Ended
from .show import show

Clue = Callable[[object, object], str | None]


@dataclass(frozen=True)
class Problem:
    """What a student is told about a wrong answer; what is empty is not shown.

    guess: the hint if there is no better one.
    """

    summary: str
    hint: str = ""
    fed_in: str = ""
    came_out: str = ""
    expected: str = ""
    guess: str = ""


class NotWritten(Exception):
    """There is nothing to ask."""


class Asked(NamedTuple):
    """One call of the student's code, and what came of it."""

    what: Callable
    args: list
    kwargs: dict
    mode: str  # "value", "in place", "unchanged", "refuses" or "accepts": what of it counts
    outcome: object  # what counts, the last line of an exception, REFUSED or ACCEPTED


PASSED_ON = (
    "alone, each of your functions is right, or ours stands in: does each keep the names and the order "
    "of its arguments, and return what its first line promises, a list and no generator, for example?"
)
REFUSED = "ValueError"
ACCEPTED = "no ValueError"


class Ask:
    """What a question is given: `ask(softmax, x)` compares the student's softmax with ours.

    A wrong answer does not end the question: what comes of the further ones helps to tell which
    mistake it is. `problem()` says it all in the end.

    student: from requests to answers, see perform.answer. functions: the names that the student
    has defined, as far as the assignment knows them.
    """

    def __init__(self, student: Callable[[bytes], dict], question: Question, functions: set[str]):
        self.student = student
        self.question = question
        self.function = question.function
        self.functions = functions
        self.asked: list[Asked] = []
        self.wrong: list[tuple[Asked, Problem]] = []

    def __call__(
        self, what: Callable, *args, clue: Clue | None = None, in_place: bool = False, **kwargs
    ) -> None:
        """Ask for what(*args, **kwargs), and compare the answer with the reference's.

        what: a reference function, of which the student has written another; or any function that
            calls such functions, a program, which is run as if it stood in their file.
        clue(got, expected): a sentence to add to the hint, or None.
        in_place: what counts is what becomes of the arguments, not what is returned.
        """
        args, kwargs = copied(args, kwargs)
        reply = self.call(what, args, kwargs)
        mode = "in place" if in_place else "value"
        if "raised" in reply:
            self.note(Asked(what, args, kwargs, mode, reply["said"]), exception(reply))
            return
        got = reply["value"]
        if in_place:
            got = reply["changed"] or [args, kwargs]
        expected = carried_out(what, args, kwargs, mode)
        problem = None
        if text := difference(got, expected, precision(*args, *kwargs.values())):
            hint = (clue and clue(got, expected)) or ""
            problem = Problem(text, hint, "", show(got), show(expected), guess(got, expected) or "")
        elif reply["changed"] and not in_place:
            problem = self.in_place_problem(what, args, kwargs, reply["changed"])
            mode = "unchanged"
        self.note(Asked(what, args, kwargs, mode, got), problem)

    def refuses(self, what: Callable, *args, **kwargs) -> None:
        """Expect a ValueError."""
        args, kwargs = copied(args, kwargs)
        reply = self.call(what, args, kwargs)
        wanted = "raise ValueError(...)"
        if "raised" not in reply:
            summary = "it accepts what makes no sense, expected a ValueError"
            problem = Problem(summary, "", "", show(reply["value"]), wanted)
            self.note(Asked(what, args, kwargs, "refuses", reply["value"]), problem)
        elif REFUSED in reply["raised"]:
            self.note(Asked(what, args, kwargs, "refuses", REFUSED), None)
        else:
            problem = replace(exception(reply), expected=wanted)
            self.note(Asked(what, args, kwargs, "refuses", reply["said"]), problem)

    def accepts(self, what: Callable, *args, **kwargs) -> None:
        """Expect no ValueError, whatever else comes of it: who refuses everything is wrong too."""
        args, kwargs = copied(args, kwargs)
        reply = self.call(what, args, kwargs)
        if REFUSED in reply.get("raised", ()):
            problem = replace(exception(reply), hint="This is in order, and must not be refused.")
            self.note(Asked(what, args, kwargs, "accepts", REFUSED), problem)
        else:
            self.note(Asked(what, args, kwargs, "accepts", ACCEPTED), None)

    def call(self, what: Callable, args: list, kwargs: dict) -> dict:
        """The answer of the student's code. Raises NotWritten if there is none yet."""
        name = what.__name__
        source = None if name in self.functions else textwrap.dedent(inspect.getsource(what))
        reply = self.student(encode([name, source, args, kwargs]))
        changed = reply.get("changed") or [args, kwargs]
        if len(changed[0]) != len(args) or changed[1].keys() != kwargs.keys():
            raise Ended(BROKEN)
        raised, said = reply.get("raised", ()), reply.get("said", "")
        if said in ("", "NotImplementedError") and "NotImplementedError" in raised:
            raise NotWritten  # it is our stub's: a student's own says what is not there
        if "NameError" in raised and f"'{self.question.name}'" in said:
            raise NotWritten
        return reply

    def note(self, asked: Asked, problem: Problem | None) -> None:
        """Remember an answer, and what is wrong with it, if anything."""
        self.asked.append(asked)
        if problem:
            self.wrong.append((asked, problem))

    def problem(self) -> Problem | None:
        """What is wrong with the first wrong answer, and a hint if it explains all answers."""
        if not self.wrong:
            return None
        asked, problem = self.wrong[0]
        # The right ones too: who makes a mistake makes it wherever it can be made
        answers = [*(asked for asked, _ in self.wrong), *self.asked]
        mistakes = [m for m in self.question.mistakes if all(self.explains(m, x) for x in answers)]
        hints = [" ".join(m.__doc__.split()) for m in mistakes[:1]]
        hint = " ".join([*hints, *filter(None, [problem.hint])]) or problem.guess
        if self.question.function is None:
            hint = hint or PASSED_ON
        fed_in = describe_call(asked.what, asked.args, asked.kwargs)
        return replace(problem, hint=hint, fed_in=fed_in, guess="")

    def explains(self, mistake: Callable, asked: Asked) -> bool:
        """Whether a mistake comes to the same answer or exception."""
        if asked.mode == "unchanged":
            return False  # the answer is right, and a mistake is not what made the change
        what = mistake
        if asked.what.__name__ not in self.functions:  # a program, in a file with this mistake
            names = asked.what.__globals__ | {self.question.name: mistake}
            what = FunctionType(asked.what.__code__, names)
        try:
            outcome = carried_out(what, asked.args, asked.kwargs, asked.mode)
        except Exception as error:  # noqa: BLE001, whatever the student's code may raise
            judged = asked.mode in ("refuses", "accepts") and isinstance(error, ValueError)
            outcome = REFUSED if judged else said(error)
        if asked.mode == "accepts" and outcome is not REFUSED:
            outcome = ACCEPTED
        kind = precision(*asked.args, *asked.kwargs.values())
        return difference(asked.outcome, outcome, kind) is None

    def in_place_problem(self, what: Callable, args: list, kwargs: dict, changed: list) -> Problem:
        """Which argument the student's function has written into."""
        bind = inspect.signature(what).bind
        before = bind(*args, **kwargs).arguments
        after = bind(*changed[0], **changed[1]).arguments
        name = next(
            (n for n in before if difference(after[n], before[n], "float64")), "an argument"
        )
        hint = "it belongs to the caller: make a new one, or work on a copy"
        if what.__name__ not in self.functions:  # a program, whose arguments have other names
            return Problem(
                f"the result is right, but what {name} holds has been written into", hint
            )
        if isinstance(before.get(name), np.ndarray):
            hint = (
                f"{name} += 1 writes into the caller's array, {name} = {name} + 1 makes a new one"
            )
        return Problem(f"the result is right, but the function changes its argument {name}", hint)


def exception(reply: dict) -> Problem:
    """The problem when the student's code has raised an exception."""
    place = f" ({reply['where']})" if reply["where"] else ""
    hint = ""
    # A module's name stands in quotes, unlike that of a CheckpointError
    if "'picogpt" in reply["said"]:
        hint = "picogpt's own solution is not there when a submission is graded"
    return Problem(f"it raises {reply['said']}{place}", hint)


def copied(args: Iterable, kwargs: dict) -> list:
    """[args, kwargs], which nobody else will write into."""
    return decode(encode([list(args), kwargs]))


def carried_out(what: Callable, args: list, kwargs: dict, mode: str):
    """What counts of a call of our own: what it returns, or what becomes of its arguments."""
    args, kwargs = copied(args, kwargs)
    with np.errstate(all="ignore"):
        value = decode(encode(what(*args, **kwargs)))
    return [args, kwargs] if mode == "in place" else value


def describe_call(what: Callable, args: list, kwargs: dict) -> str:
    """The arguments by name, one after the other."""
    bound = inspect.signature(what).bind(*args, **kwargs).arguments
    return "\n".join(f"{name} = {show(value)}" for name, value in bound.items())


def guess(got, expected) -> str | None:
    """The likely cause of a wrong answer, from the two values alone."""
    if got is None:
        return "is a return missing?"
    if not (isinstance(got, np.ndarray) and isinstance(expected, np.ndarray)):
        return None
    if got.shape != expected.shape:
        if got.ndim == expected.ndim > 1 and sorted(got.shape) == sorted(expected.shape):
            return "are two axes swapped?"
        return None
    if got.dtype != expected.dtype and got.dtype == np.float64:
        return (
            "a NumPy scalar, such as np.sqrt(2.0), or an array made without a dtype turns float32 "
            "into float64; Python's floats (math.sqrt) do not"
        )
    if got.dtype != expected.dtype:
        return f"the result has the type of the input: is there an astype or a dtype={got.dtype}?"
    kind = precision(expected)
    return guess_from_numbers(got.astype(np.float64), expected.astype(np.float64), kind)


def guess_from_numbers(got: np.ndarray, expected: np.ndarray, kind: str) -> str | None:
    if np.isfinite(expected).all() and not (got < np.inf).all():  # minus infinity may be meant
        return "nan or inf: a division by zero, or the exponential of a large number?"
    is_square = got.ndim > 1 and got.shape[-1] == got.shape[-2]
    if is_square and difference(got.swapaxes(-1, -2), expected, kind) is None:
        return "rows and columns are swapped"
    finite = np.isfinite(expected) & np.isfinite(got) & (expected != 0)
    if finite.any():
        factor = float(np.median(got[finite] / expected[finite]))
        if factor and abs(factor - 1.0) > 1e-3 and difference(got, factor * expected, kind) is None:
            return f"every number is {factor:.6g} times what it should be"
        shift = float(np.median(got[finite] - expected[finite]))
        too_much = abs(shift) > 1e-3 * np.abs(expected[finite]).max()
        if too_much and difference(got, expected + shift, kind) is None:
            side = "large" if shift > 0 else "small"
            return f"every number is too {side} by {abs(shift):.6g}"
    return None
