"""What an assignment is: functions to write, and questions about them."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np


@dataclass(frozen=True)
class Question:
    """One line in the table of points.

    ask(ask, rng): draws inputs and asks the student's function, see asking.Ask.
    function: the reference of the function in question, or None for everything together.
    mistakes: what is often written instead, whose docstrings are the hints.
    """

    ask: Callable[..., None]
    function: Callable | None
    points: int
    mistakes: tuple[Callable, ...]

    @property
    def name(self) -> str:
        """What it asks about: "layer_norm", or "together"."""
        return self.function.__name__ if self.function else "together"

    @property
    def title(self) -> str:
        """The first line of its docstring."""
        return self.ask.__doc__.splitlines()[0]


def question(
    function: Callable, points: int, mistakes: tuple[Callable, ...] = ()
) -> Callable[[Callable], Question]:
    """Makes a question about a function of what it decorates: ask(ask, rng)."""
    return lambda ask: Question(ask, function, points, mistakes)


def together(points: int) -> Callable[[Callable], Question]:
    """Makes the final question, which runs everything that the student wrote."""
    return lambda ask: Question(ask, None, points, ())


@dataclass(frozen=True)
class Assignment:
    """Functions to write, in the order in which one builds on the other, and the questions.

    folder: where its text NAME.md stands. given: functions that the student need not write, but
    import. imports: the lines at the top of the student's file, apart from those of the given
    functions.
    """

    name: str  # "a2"
    hours: int  # of work, for students who have programmed with NumPy before
    title: str
    folder: Path
    functions: tuple[Callable, ...]
    questions: tuple[Question, ...]
    given: tuple[Callable, ...] = ()
    imports: str = "import math\n\nimport numpy as np"
    variant_of: str = ""  # the name of the assignment whose handout it shares

    @property
    def points(self) -> int:
        return sum(question.points for question in self.questions)

    def before(self, function: Callable) -> tuple[Callable, ...]:
        """The functions that come before one: those that it may use."""
        return self.functions[: self.functions.index(function)]

    def variant(
        self,
        name: str,
        title: str,
        instead: dict[Callable, Callable],
        questions: tuple[Question, ...],
    ) -> "Assignment":
        """The same assignment with other functions instead of some, and their questions.

        questions: those about the new functions, and about old ones in place of what was asked
        about them; a question "together" takes the old one's place.
        """
        functions = tuple(instead.get(f, f) for f in self.functions)
        new = {question.function for question in questions}
        kept = [q for q in self.questions if q.function not in {*instead, *new}]
        order = [*functions, None]
        questions = sorted([*kept, *questions], key=lambda q: order.index(q.function))
        return replace(
            self,
            name=f"{self.name}-{name}",
            title=title,
            functions=functions,
            questions=tuple(questions),
            variant_of=self.name,
        )


FLOATS = (np.float64, np.float32)


def sizes(rng: np.random.Generator, n: int) -> tuple[int, ...]:
    """n different sizes, so that no axis can be taken for another; small, to be looked at."""
    return tuple(map(int, rng.permutation(np.arange(2, n + 3))[:n]))


def normal(rng: np.random.Generator, shape: tuple[int, ...], dtype=np.float64) -> np.ndarray:
    """Independent numbers of mean 0 and variance 1."""
    return rng.standard_normal(shape).astype(dtype)
