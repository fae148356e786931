"""Starting processes for students' code, quickly: see child.py, whose other side this is."""

import json
import os
import signal
import socket
import struct
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

import numpy as np

# Python without the site's packages, and picogpt without its own: the process that is started has
# the standard library and NumPy, and of picogpt the files of this folder until it forgets them.
BEGIN = """
import socket, sys, types
_, channel, folder, numpy = sys.argv
sys.path.append(numpy)
for name, path in (("", []), (".course", []), (".course.grader", [folder])):
    sys.modules["picogpt" + name] = types.ModuleType("picogpt" + name)
    sys.modules["picogpt" + name].__path__ = path
from picogpt.course.grader.child import main
sys.path.remove(numpy)
main(socket.socket(fileno=int(channel)))
"""
ENVIRONMENT = {"OPENBLAS_NUM_THREADS": "1", "PATH": os.defpath, "LC_ALL": "C.UTF-8"}
PATIENCE = 10  # seconds for what takes a millisecond, or a tenth of a second at the beginning


class Limits(NamedTuple):
    """What the code of one question may take."""

    seconds: int = 5  # of processor time
    patience: int = 20  # seconds on the clock, which an honest question needs on no machine
    megabytes: int = 1024  # of address space, of which Python and NumPy take the first 200


LIMITS = Limits()


class Starter:
    """The process that starts the others, one at a time. close() ends it."""

    def __init__(self):
        self._begin()

    def _begin(self) -> None:
        self._control, theirs = socket.socketpair()
        self._control.settimeout(PATIENCE)
        folder, numpy = Path(__file__).parent, Path(np.__file__).parents[1]
        arguments = [str(theirs.fileno()), str(folder), str(numpy)]
        with theirs:
            self._process = subprocess.Popen(
                [sys.executable, "-I", "-S", "-c", BEGIN, *arguments],
                pass_fds=[theirs.fileno()],
                start_new_session=True,  # or Ctrl-C would reach it too
                env=ENVIRONMENT,
                stdin=subprocess.DEVNULL,
            )

    def start(self, folder: str, limits: Limits) -> tuple[socket.socket, int]:
        """A new process, in a folder: the socket on which to speak to it, and its id."""
        ours, theirs = socket.socketpair()
        with theirs:
            request = {"folder": folder, "seconds": limits.seconds, "megabytes": limits.megabytes}
            data = json.dumps(request).encode("ascii")
            socket.send_fds(self._control, [data], [theirs.fileno()])
            return ours, self._reply()

    def end(self, pid: int) -> int | None:
        """Kill a process and its group. Returns its status as os.waitpid does, if it is known."""
        for kill in (os.killpg, os.kill):
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

    def close(self) -> None:
        self._control.close()
        self._process.kill()
        self._process.wait()
