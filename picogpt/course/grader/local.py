"""The student's code in the student's own Python, where nothing needs to be contained."""

import signal
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager

import numpy as np

from .cells import cells
from .channel import decode
from .extract import extract, run
from .perform import answer, new_namespace
from .starter import LIMITS


def by_name(functions: Iterable[Callable]) -> dict[str, Callable]:
    return {function.__name__: function for function in functions}


class Live:
    """Functions as they stand in a namespace, such as a notebook's.

    functions: those that are meant, should others have taken their names there.
    """

    def __init__(
        self, namespace: dict, given: Iterable[Callable], functions: Iterable[Callable] = ()
    ):
        self.namespace, self.given = namespace, by_name(given)
        self.functions = by_name(functions)

    @contextmanager
    def student(self, stand_ins: Iterable[Callable]) -> Iterator[Callable[[bytes], dict]]:
        """As Contained.student. The stand-ins are in their places only until it is over."""
        bound = self.functions | by_name(stand_ins)
        before = {name: self.namespace[name] for name in bound if name in self.namespace}
        self.namespace.update(bound)
        try:
            with np.errstate(all="ignore"):  # an overflow is what some questions look for
                yield lambda request: decode(answer(self.namespace, self.given, request))
        finally:
            for name in bound:
                del self.namespace[name]
            self.namespace.update(before)


class Local:
    """A file, whose statements are run anew for each question. Raises ValueError as cells."""

    def __init__(self, name: str, data: bytes, given: Iterable[Callable]):
        self.given = list(given)
        self.statements, self.unread = extract(cells(name, data))
        self.notes: list[str] = []

    @contextmanager
    def student(self, stand_ins: Iterable[Callable]) -> Iterator[Callable[[bytes], dict]]:
        """As Contained.student."""
        namespace = new_namespace(by_name(self.given))
        notes = [note for x in self.statements if (note := run(x, namespace))]
        self.notes = [*self.unread, *notes]
        with Live(namespace, self.given).student(stand_ins) as call:
            yield lambda request: within_patience(call, request)


class TooLong(Exception):
    """What a student's function gets that does not end by itself."""


def within_patience(call: Callable[[bytes], dict], request: bytes) -> dict:
    """call(request); a function that is still busy after LIMITS.seconds gets a TooLong."""
    if not hasattr(signal, "setitimer"):  # Windows
        return call(request)

    def end(*_):
        raise TooLong(f"it was still busy after {LIMITS.seconds} seconds")

    before = signal.signal(signal.SIGALRM, end)
    signal.setitimer(signal.ITIMER_REAL, LIMITS.seconds)
    try:
        return call(request)
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
