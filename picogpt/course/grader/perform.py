"""The student's functions at work: a request comes in, their answer goes out, both as bytes.

The same code serves both ways of checking: in the student's own Python, where checks are quick
and nothing needs to be contained, and in a process of its own, when a class is graded.
"""

import math
import os
import sys
import traceback
from collections.abc import Iterator
from itertools import islice
from types import FunctionType, ModuleType

import numpy as np

from .channel import MAX_ITEMS, decode, encode


def new_namespace(given: dict) -> dict:
    """Where a submission is to be run: a module's, in which the given functions stand already."""
    module = sys.modules["submission"] = ModuleType("submission")
    vars(module).update(given)
    return vars(module)


def answer(namespace: dict, given: dict, request: bytes) -> bytes:
    """Call a function of the namespace, or a program that uses its names.

    request: [name, source, args, kwargs], encoded; source is None for a function of the
    namespace, and else the text of a function that is run as if it stood there.

    The answer is {"value": what came back, "changed": [args, kwargs] if the call has written into
    them, else None}, or {"raised": the exception's class and its bases, "said": its last line,
    "where": the student's line}.
    """
    name, source, args, kwargs = decode(request)
    before = encode([args, kwargs])
    if source is None and not callable(namespace.get(name)):
        return encode({"raised": ["NotImplementedError"], "said": "", "where": ""})
    function = namespace[name] if source is None else program(name, source, namespace, given)
    try:
        value = function(*args, **kwargs)
        if isinstance(value, Iterator):  # a generator has not begun yet
            value = list(islice(value, MAX_ITEMS))
        changed = [args, kwargs] if encode([args, kwargs]) != before else None
        return encode({"value": value, "changed": changed})
    except (Exception, SystemExit) as error:  # noqa: BLE001
        raised = [cls.__name__ for cls in type(error).__mro__]
        return encode({"raised": raised, "said": said(error), "where": where(error, namespace)})


def said(error: BaseException) -> str:
    """An exception's last line, as Python prints it."""
    return f"{traceback.format_exception_only(error)[-1].strip():.300}"


def program(name: str, source: str, namespace: dict, given: dict) -> FunctionType:
    """The function of a source text, with NumPy, math and the namespace's names as its globals."""
    exec(source, found := {"np": np, "math": math})  # noqa: S102, the source is the grader's own
    names = {**found, **given, **namespace}
    return FunctionType(found[name].__code__, names)


def where(error: BaseException, namespace: dict) -> str:
    """The student's line that an exception went through last, if any."""
    place = ""
    for frame, line in traceback.walk_tb(error.__traceback__):
        if frame.f_globals is namespace:
            file = frame.f_code.co_filename
            # In a notebook the file has a name that says nothing to anybody
            file = "" if os.sep in file or file.startswith("<") else f"{file}, "
            place = f"{file}line {line}, in {frame.f_code.co_name}"
    return place
