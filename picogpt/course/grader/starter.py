"""Starting processes for students' code, quickly: see child.py, whose other side this is."""

import json
import os
import signal
import socket
import struct
import subprocess
import sys
from contextlib import AbstractContextManager, nullcontext, suppress
from enum import Enum
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

import numpy as np

from ...files import read_text
from .walls import hide

# The modules of the grader that work in the process that is started, each after those it imports.
# Their text goes through a pipe, so that nothing in the process says where picogpt is.
MODULES = ("channel", "cells", "extract", "perform", "shapes", "walls", "child")
BEGIN = """
import socket, sys, types
sys.path.append({numpy!r})
for name in ("picogpt", "picogpt.course", "picogpt.course.grader"):
    sys.modules[name] = types.ModuleType(name)
    sys.modules[name].__path__ = []
for name, text in {sources!r}.items():
    module = sys.modules[name] = types.ModuleType(name)
    module.__package__, _, last = name.rpartition(".")
    setattr(sys.modules[module.__package__], last, module)
    exec(compile(text, "<grader>", "exec"), vars(module))
sys.path.remove({numpy!r})
module.main(socket.socket(fileno=int(sys.argv[1])))
"""
ENVIRONMENT = {"OPENBLAS_NUM_THREADS": "1", "PATH": os.defpath, "LC_ALL": "C.UTF-8"}
PATIENCE = 10  # seconds for what takes a millisecond, or a tenth of a second at the beginning


class Limits(NamedTuple):
    """What the code of one question may take."""

    seconds: int = 5  # of processor time
    patience: int = 20  # seconds on the clock, which an honest question needs on no machine
    megabytes: int = 1024  # of address space, of which Python and NumPy take the first 200


LIMITS = Limits()


class Between(Enum):
    """What there is between a student's code and the grader."""

    NOTHING = 0
    USERS = 1
    NAMESPACES = 2


def beginning() -> str:
    """The program with which the process begins."""
    folder = Path(__file__).parent
    sources = {f"picogpt.course.grader.{x}": read_text(folder / f"{x}.py") for x in MODULES}
    return BEGIN.format(numpy=str(Path(np.__file__).parents[1]), sources=sources)


class Starter:
    """The process that starts the others, one at a time. close() ends it."""

    def __init__(self):
        with suppress(OSError):
            hide()
        self._begin()

    def _begin(self) -> None:
        self._control, theirs = socket.socketpair()
        self._control.settimeout(PATIENCE)
        with theirs:
            self._process = subprocess.Popen(
                [sys.executable, "-I", "-S", "-", str(theirs.fileno())],
                pass_fds=[theirs.fileno()],
                start_new_session=True,  # or Ctrl-C would reach it too
                cwd="/",
                env=ENVIRONMENT,
                stdin=subprocess.PIPE,
            )
        with self._process.stdin as program:
            program.write(beginning().encode("utf-8"))
        self.between = Between(self._control.recv(1)[0])

    def folder(self) -> AbstractContextManager[str | None]:
        """A new folder for a process to work in; behind walls it makes one itself."""
        if self.between is Between.NAMESPACES:
            return nullcontext()
        return TemporaryDirectory(prefix="picogpt-", ignore_cleanup_errors=True)

    def start(self, folder: str | None, limits: Limits) -> tuple[socket.socket, int]:
        """A new process, in a folder: the socket on which to speak to it, and its id."""
        ours, theirs = socket.socketpair()
        with theirs:
            request = {"folder": folder, "seconds": limits.seconds, "megabytes": limits.megabytes}
            data = json.dumps(request).encode("ascii")
            socket.send_fds(self._control, [data], [theirs.fileno()])
            return ours, self._reply()

    def end(self, pid: int) -> int | None:
        """Kill a process and its group. Returns its status as os.waitpid does, if it is known."""
        # Behind walls that process has another id, and is ended from within
        for kill in () if self.between is Between.NAMESPACES else (os.killpg, os.kill):
            with suppress(ProcessLookupError, PermissionError):
                kill(pid, signal.SIGKILL)
        try:
            self._control.sendall(b".")
            return self._reply()
        except (OSError, EOFError):  # that process has killed or stopped the starter
            self.close()
            self._begin()
            return None

    def _reply(self) -> int:
        data = self._control.recv(8)
        if len(data) < 8:
            raise EOFError
        return struct.unpack(">q", data)[0]

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        self.close()

    def close(self) -> None:
        self._control.close()
        self._process.kill()
        self._process.wait()


def what_is_between() -> Between:
    """What this system puts between a student's code and the grader."""
    with Starter() as starter:
        return starter.between
