"""The process in which a student's code runs, and the one that starts it.

Starting Python and NumPy takes longer than most questions. So one process does it once, goes behind
the walls that there are, and then waits: for each question it makes a copy of itself (os.fork),
which takes a millisecond. The copy gives up its rights, limits what it may use, runs what was handed
in, and answers questions.

This process is given nothing to forge. It holds no expected result, no path, of the grader's modules
the few that work here, and of picogpt what a function may use that comes after, compiled. It is
told the inputs and gives the outputs, and whether they are right is decided elsewhere.
"""

import importlib.abc
import importlib.util
import json
import marshal
import os
import resource
import signal
import socket
import struct
import sys
from contextlib import suppress
from importlib import import_module
from pathlib import Path

import numpy.random
import regex  # noqa: F401 - here, because the library that a student is given needs it

from . import walls
from .cells import cells
from .channel import decode, encode, receive, send
from .extract import DEFINITIONS, extract, run, solution_imports
from .perform import answer, new_namespace
from .shapes import shapes

MAX_OUTPUT = 1_000_000  # bytes in one file, what is printed included


def main(control: socket.socket) -> None:
    """Serve the grader, behind walls if this system lets us build them."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    package = Path(numpy.__path__[0])
    folders = [package, package.with_name("numpy.libs")]
    folders = [*walls.system_folders(), *(str(x) for x in folders if x.is_dir())]
    if not walls.behind(lambda: serve(control, folders, True), folders):
        serve(control, folders, False)


def serve(control: socket.socket, folders: list[str], walled: bool) -> None:
    """Start a process for each request, and end it when told, until the grader closes.

    The first message says what there is between it and the grader, see starter.Between. A request
    is JSON, with the socket on which the new process is to be spoken to; the reply is its process
    id. The next message means that it is over; the reply is its exit status.
    """
    with suppress(OSError):
        walls.hide()
    to_no_one = walls.can_drop(folders)
    control.sendall(bytes([2 if walled else 1 if to_no_one else 0]))
    while True:
        request, sockets, _, _ = socket.recv_fds(control, 4096, 1)
        if not request:
            return
        pid = os.fork()
        if pid == 0:
            control.close()
            be_student(socket.socket(fileno=sockets[0]), to_no_one, **json.loads(request))
        os.close(sockets[0])
        control.sendall(struct.pack(">q", pid))
        if not control.recv(1):
            return
        if walled:
            with suppress(ProcessLookupError):
                os.kill(-1, signal.SIGKILL)  # all but this one, which is the first of its kind
        _, status = os.waitpid(pid, 0)
        control.sendall(struct.pack(">q", status))


def be_student(
    channel: socket.socket, to_no_one: bool, folder: str | None, seconds: int, megabytes: int
) -> None:
    """The life of one process. Never returns. folder: None behind walls, where it makes its own."""
    try:
        os.setsid()  # a group of its own, so that all of it can be ended together
        if folder is None:
            walls.new_scratch()
        else:
            os.chdir(folder)
            if to_no_one:
                os.chown(folder, walls.NO_ONE, walls.NO_ONE)
        walls.drop(to_no_one)
        output = os.open("output", os.O_WRONLY | os.O_CREAT)
        os.dup2(output, 1)
        os.dup2(output, 2)
        limit(seconds, megabytes)
        work(channel)
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
        ("NPROC", 0, 0),  # no processes and no threads
    ):
        with suppress(ValueError, OSError):  # a system that does not know this limit
            resource.setrlimit(getattr(resource, f"RLIMIT_{name}"), (soft, hard))


def work(channel: socket.socket) -> None:
    """Do what the first message asks for: [what, arguments by name]."""
    what, arguments = decode(receive(channel))
    if what == "answer":
        answer_questions(channel, **arguments)
    else:
        send(channel, encode({"read": read, "shapes": shapes}[what](**arguments)))


def read(name: str, data: bytes) -> list | str:
    """What cells makes of a file, or what it says of one that cannot be read."""
    try:
        return cells(name, data)
    except ValueError as error:
        return str(error)


def answer_questions(
    channel: socket.socket,
    sources: list,
    skip: list[str],
    library: dict[str, bytes],
    given: list,
    stand_ins: list,
) -> None:
    """Take what was handed in, then answer, until the grader closes.

    sources: what was handed in, see cells; skip: places of statements that have ended a process
    before. library: module name -> code, all that this process has of picogpt; given, stand_ins:
    [module, name] of its functions. The answers are the places of the statements, the notes
    and the names defined, then a message for each statement.
    """
    forget_the_grader()
    given, stand_ins = find(library, given), find(library, stand_ins)
    namespace = new_namespace(given)
    statements, notes = extract(sources)
    notes += solution_imports(statements, {x.__name__: x.__module__ for x in given.values()})
    statements = [x for x in statements if x.where not in skip]
    defined = [x.node.name for x in statements if isinstance(x.node, DEFINITIONS)]
    send(channel, encode([[x.where for x in statements], notes, defined]))
    for statement in statements:
        send(channel, encode(run(statement, namespace)))
    namespace.update(stand_ins)
    while True:
        send(channel, answer(namespace, given, receive(channel)))


class Library(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Modules from their code: the few functions of picogpt that may be used."""

    def __init__(self, codes: dict[str, bytes]):
        self.codes = codes

    def find_spec(self, name, path, target=None):
        if name not in self.codes:
            return None
        is_package = any(other.startswith(f"{name}.") for other in self.codes)
        return importlib.util.spec_from_loader(name, self, is_package=is_package)

    def exec_module(self, module):
        exec(marshal.loads(self.codes[module.__name__]), vars(module))  # noqa: S102, S302


def find(library: dict[str, bytes], places: list) -> dict:
    """Name -> function, of [module, name] in the library."""
    sys.meta_path.insert(0, Library(library))
    try:
        return {name: getattr(import_module(module), name) for module, name in places}
    finally:
        del sys.meta_path[0]


def forget_the_grader() -> None:
    """From here on, `import picogpt` finds the library only."""
    for name in [name for name in sys.modules if name.split(".")[0] == "picogpt"]:
        del sys.modules[name]
