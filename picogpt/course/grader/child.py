"""The process in which a student's code runs, and the one that starts it.

Starting Python and NumPy takes longer than most questions. So one process does it once, and then
waits: for each question it makes a copy of itself (os.fork), which takes a millisecond. The
copy limits what it may use, runs what was handed in, and answers questions.

This process is given nothing to forge: it does not import picogpt, and holds no expected result and
no solution but those of the functions before the one in question. It is told the inputs and gives the
outputs, and whether they are right is decided elsewhere. But it runs as the user who grades, and can
find whatever that user can read: see "The code of strangers" in picogpt/course/README.md.
"""

import importlib.abc
import importlib.util
import json
import os
import resource
import socket
import struct
import sys
from contextlib import suppress
from importlib import import_module

import numpy.random  # noqa: F401
import regex  # noqa: F401 - here, because the library that a student is given needs it

from .channel import decode, encode, receive, send
from .extract import extract, run, solution_imports
from .perform import answer, new_namespace

MAX_OUTPUT = 1_000_000  # bytes in one file, what is printed included


def main(control: socket.socket) -> None:
    """Start a process for each request, and end it when told, until the grader closes.

    A request is JSON, with the socket on which the new process is to be spoken to; the reply is
    its process id. The next message means that it is over; the reply is its exit status.
    """
    while True:
        request, sockets, _, _ = socket.recv_fds(control, 4096, 1)
        if not request:
            return
        pid = os.fork()
        if pid == 0:
            control.close()
            be_student(socket.socket(fileno=sockets[0]), **json.loads(request))
        os.close(sockets[0])
        control.sendall(struct.pack(">q", pid))
        if not control.recv(1):
            return
        _, status = os.waitpid(pid, 0)
        control.sendall(struct.pack(">q", status))


def be_student(channel: socket.socket, folder: str, seconds: int, megabytes: int) -> None:
    """The life of one process. Never returns."""
    try:
        os.setsid()  # a group of its own, so that all of it can be ended together
        os.chdir(folder)
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        output = os.open("output", os.O_WRONLY | os.O_CREAT)
        os.dup2(output, 1)
        os.dup2(output, 2)
        limit(seconds, megabytes)
        answer_questions(channel)
    except EOFError:
        pass  # the grader knows enough
    finally:
        os._exit(0)


def limit(seconds: int, megabytes: int) -> None:
    """Ask the operating system to end what takes too much."""
    size = megabytes * 1_000_000
    for name, soft, hard in (
        ("CPU", seconds, seconds + 1),
        ("AS", size, size),  # address space, the libraries included; macOS ignores it
        ("FSIZE", MAX_OUTPUT, MAX_OUTPUT),
        ("CORE", 0, 0),
        ("NPROC", 0, 0),  # no processes and no threads, unless the user is root
    ):
        with suppress(ValueError, OSError):  # a system that does not know this limit
            resource.setrlimit(getattr(resource, f"RLIMIT_{name}"), (soft, hard))


def answer_questions(channel: socket.socket) -> None:
    """Take what was handed in, then answer, until the grader closes.

    The first message says what there is: "library", module name -> source, is all that this
    process has of picogpt; "given" and "stand_ins" are [module, name] of its functions; "name" and
    "data" are the file handed in; "skip" are places of statements that have ended a process before.
    The answers are the places of the statements and the notes, then a message for each statement.
    """
    task = decode(receive(channel))
    forget_the_grader()
    sys.meta_path.insert(0, Library(task["library"]))
    given, stand_ins = find(task["given"]), find(task["stand_ins"])
    namespace = new_namespace(given)
    try:
        statements, notes = extract(task["name"], task["data"])
    except ValueError as error:
        statements, notes = [], [str(error)]
    notes += solution_imports(statements, set(given))
    statements = [x for x in statements if x.where not in task["skip"]]
    send(channel, encode([[x.where for x in statements], notes]))
    for statement in statements:
        send(channel, encode(run(statement, namespace)))
    namespace.update(stand_ins)
    while True:
        send(channel, answer(namespace, given, receive(channel)))


class Library(importlib.abc.MetaPathFinder, importlib.abc.InspectLoader):
    """Modules from their sources: the few functions of picogpt that may be used."""

    def __init__(self, sources: dict[str, str]):
        self.sources = sources

    def find_spec(self, name, path, target=None):
        if name in self.sources:
            return importlib.util.spec_from_loader(name, self)
        return None

    def is_package(self, name):
        return any(other.startswith(f"{name}.") for other in self.sources)

    def get_source(self, name):
        return self.sources[name]


def find(places: list) -> dict:
    """Name -> function, of [module, name] in the library."""
    return {name: getattr(import_module(module), name) for module, name in places}


def forget_the_grader() -> None:
    """From here on, `import picogpt` finds the library only."""
    for name in [name for name in sys.modules if name.split(".")[0] == "picogpt"]:
        del sys.modules[name]
