"""A submission whose code runs in processes of its own, with limits: the grader's side.

Who is asked here answers with values; whether they are right is decided on this side, from what
no student's process has ever held. What else keeps it in is the operating system's: see walls.py.
"""

import os
import signal
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from typing import NamedTuple

from .channel import decode, encode, receive, send
from .excerpts import compiled
from .show import printable
from .starter import Limits, Starter

MAX_SKIPPED = 3  # statements of one submission that may end their process
LOOP = "is there an endless loop?"
BROKEN = "sent the grader something that is no answer"


class Ended(Exception):
    """A process has ended, or has to be ended: "took more than 5 s"."""


class Submission(NamedTuple):
    """A file as it was handed in."""

    name: str  # "a2.py"
    data: bytes


def is_reading(answer) -> bool:
    """Whether it is what child.read makes."""
    match answer:
        case str() | [*_]:
            return True
    return False


def are_shapes(answer) -> bool:
    """Whether it is what shapes.shapes makes."""
    match answer:
        case [*shapes]:
            return all(
                isinstance(x, tuple) and [*map(type, x)] == [str, int, int] and min(x[1:]) > 0
                for x in shapes
            )
    return False


def is_beginning(answer) -> bool:
    """Whether it is [places of statements, notes, names], see child.answer_questions."""
    match answer:
        case [[*places], [*notes], [*names]]:
            return all(isinstance(text, str) for text in places + notes + names)
    return False


def is_note(answer) -> bool:
    return answer is None or isinstance(answer, str)


def is_answer(answer) -> bool:
    """Whether it is what perform.answer makes."""
    match answer:
        case {"value": _, "changed": None | [list(), dict()]}:
            return True
        case {"raised": list(), "said": str(), "where": str()}:
            return True
    return False


class Process:
    """One process and the way to it. All that it sends is suspect."""

    def __init__(self, starter: Starter, folder: str | None, limits: Limits):
        self.starter, self.limits = starter, limits
        self.channel, self.pid = starter.start(folder, limits)
        self.deadline = time.monotonic() + limits.patience
        self.status: int | None = None

    def ask(self, request: bytes, is_valid: Callable = is_answer):
        """Send a request and return the answer to it. Raises Ended."""
        self.channel.settimeout(self.limits.patience)
        with suppress(OSError):  # if it has ended, so will the answer say
            send(self.channel, request)
        return self.answer(is_valid)

    def answer(self, is_valid: Callable):
        """The next message, decoded. Raises Ended if none comes, or none that is valid."""
        try:
            answer = decode(receive(self.channel, self.deadline))
        except TimeoutError:
            raise Ended(f"gave no answer within {self.limits.patience} s: {LOOP}") from None
        except (EOFError, OSError):
            self.end()
            raise Ended(self.reason()) from None
        except ValueError:
            raise Ended(BROKEN) from None
        if not is_valid(answer):
            raise Ended(BROKEN)
        return answer

    def end(self) -> None:
        """Kill it, if that has not been done."""
        if self.pid:
            self.channel.close()
            self.status = self.starter.end(self.pid)
            self.pid = 0

    def reason(self) -> str:
        """What a process did that has ended by itself."""
        if self.status is None:
            return "ended its process"
        if os.WIFEXITED(self.status):
            return f"ended its process, with exit status {os.WEXITSTATUS(self.status)}"
        number = os.WTERMSIG(self.status)
        if number == signal.SIGXCPU:
            return f"took more than {self.limits.seconds} s: {LOOP}"
        if number == signal.SIGKILL:
            return "was killed, or has closed its connection to the grader"
        return f"crashed its process ({signal.Signals(number).name})"


@contextmanager
def new_process(starter: Starter, limits: Limits) -> Iterator[Process]:
    """A new process, in a scratch folder that is removed with it."""
    with starter.folder() as folder:
        process = Process(starter, folder, limits)
        try:
            yield process
        finally:
            process.end()


def ask_once(starter: Starter, limits: Limits, what: str, is_valid: Callable, **arguments):
    """What one function of child.work makes of its arguments, in a new process. Raises Ended."""
    with new_process(starter, limits) as process:
        return process.ask(encode([what, arguments]), is_valid)


class Contained:
    """A submission whose code runs in processes of its own. To be used in a `with` statement.

    given: functions that every submission finds. notes: on what of this one was left out.
    """

    def __init__(self, submission: Submission, given: Iterable[Callable], limits: Limits):
        self.submission, self.given, self.limits = submission, list(given), limits
        self.skip: list[str] = []  # the places of statements that have ended a process
        self.ends: list[str] = []  # what each of them did
        self.notes: list[str] = []
        self.defined: list[str] = []  # names
        self.sources: list | str | None = None  # see child.read
        self.broken: Ended | None = None  # why it cannot be loaded, which need not be tried again

    def __enter__(self):
        self.starter = Starter()
        return self

    def __exit__(self, *exception):
        self.starter.close()

    @contextmanager
    def student(self, stand_ins: Iterable[Callable]) -> Iterator[Callable[[bytes], dict]]:
        """A process that has run the submission, as a function from requests to answers.

        stand_ins: functions that take the place of the submission's own. See perform.answer for
        requests and answers. Raises Ended, and so does the function it yields.
        """
        task = {
            "library": compiled((*self.given, *stand_ins)),
            "given": [[f.__module__, f.__name__] for f in self.given],
            "stand_ins": [[f.__module__, f.__name__] for f in stand_ins],
        }
        self.read()
        loaded = False
        while not loaded:
            with new_process(self.starter, self.limits) as process:
                with self.unless_broken():
                    loaded = self.load(process, task)
                if loaded:
                    yield process.ask

    @contextmanager
    def unless_broken(self) -> Iterator[None]:
        """Raise what has ended this block once before: it need not be tried for every question."""
        if self.broken:
            raise self.broken
        try:
            yield
        except Ended as end:
            self.broken = end
            raise

    def read(self) -> None:
        """Find the code in the file, once. Raises Ended."""
        if self.sources is None:
            name, data = self.submission
            with self.unless_broken():
                self.sources = ask_once(
                    self.starter, self.limits, "read", is_reading, name=name, data=data
                )

    def load(self, process: Process, task: dict) -> bool:
        """Run the submission's statements. Returns False if one of them has ended the process.

        It is skipped from then on. Raises Ended if there are too many of the kind.
        """
        unread = [self.sources] if isinstance(self.sources, str) else []
        task |= {"sources": [] if unread else self.sources, "skip": self.skip}
        places, notes, self.defined = process.ask(encode(["answer", task]), is_beginning)
        notes = unread + notes
        for place in places:
            try:
                note = process.answer(is_note)
            except Ended as end:
                if len(self.skip) == MAX_SKIPPED:
                    raise Ended(f"cannot be loaded: what stands at its top level {end}") from None
                self.skip.append(place)
                self.ends.append(f"{place}: left out, it {end}")
                return False
            notes += [note] if note else []
        self.notes = [*map(printable, notes + self.ends)]
        return True
