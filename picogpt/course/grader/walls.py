"""Walls around a student's process, built from what the operating system offers.

With Linux's namespaces such a process sees a file system that holds Python and NumPy alone, no other
process, and no network. root can have them, and so can other users where the system lets them. With
or without them, what root grades runs as another user.

Source: the manual pages namespaces(7), user_namespaces(7), mount_setattr(2), prctl(2).
"""

import ctypes
import os
import signal
import struct
import sys
from collections.abc import Callable
from pathlib import Path

SCRATCH = "/scratch"  # the one folder behind the walls that can be written to
# Where the new file system is built: every Linux has this folder, and nothing comes from there.
ROOT = "/proc"
NO_ONE = 61184 + os.getpid() % 4336  # a user whom nobody is; two classes side by side have two

# Constants of Linux's header files, named as there
CLONE_NEWNS, CLONE_NEWIPC, CLONE_NEWUSER = 0x20000, 0x8000000, 0x10000000
CLONE_NEWPID, CLONE_NEWNET = 0x20000000, 0x40000000
MS_RDONLY, MS_NOSUID, MS_NODEV, MS_BIND, MS_REC, MS_PRIVATE = 1, 2, 4, 1 << 12, 1 << 14, 1 << 18
SYS_MOUNT_SETATTR, AT_FDCWD, AT_RECURSIVE = 442, -100, 0x8000
PR_SET_PDEATHSIG, PR_SET_DUMPABLE, PR_SET_NO_NEW_PRIVS = 1, 4, 38
CAPABILITY_VERSION_3 = 0x20080522


def call(name: str, *args: int | bytes | None) -> None:
    """Call a function of the C library. Raises OSError if it fails or is not there."""
    function = getattr(ctypes.CDLL(None, use_errno=True), name, None)
    if function is None:
        raise OSError(f"this system has no {name}")
    if function(*(ctypes.c_long(x) if isinstance(x, int) else x for x in args)) < 0:
        raise OSError(ctypes.get_errno(), f"{name}: {os.strerror(ctypes.get_errno())}")


def hide() -> None:
    """Keep this process's memory from all others but root's. Raises OSError where it cannot be."""
    call("prctl", PR_SET_DUMPABLE, 0, 0, 0, 0)


def behind(work: Callable[[], None], folders: list[str]) -> bool:
    """Do the work in namespaces of its own, with these folders; False if there can be none.

    It is done by a process that is the first of its kind there, so that it cannot be killed from
    within, and ends with this one.
    """
    pid = os.fork()
    if pid:
        return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) != 1
    try:
        separate(folders)
        if first := os.fork():
            os.waitpid(first, 0)
            os._exit(0)
        call("prctl", PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    except OSError:
        os._exit(1)
    try:
        work()
    finally:
        os._exit(0)


def separate(folders: list[str]) -> None:
    """Leave the namespaces of all others. Raises OSError where the system does not let us."""
    user, group = os.getuid(), os.getgid()
    spaces = CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWNET | CLONE_NEWIPC
    call("unshare", spaces | (CLONE_NEWUSER if user else 0))
    if user:
        Path("/proc/self/setgroups").write_text("deny")
        Path("/proc/self/uid_map").write_text(f"{user} {user} 1")
        Path("/proc/self/gid_map").write_text(f"{group} {group} 1")
    mount(None, "/", MS_REC | MS_PRIVATE)
    mount("tmpfs", ROOT, MS_NOSUID | MS_NODEV, "size=1m,mode=755")
    for folder in folders:
        os.makedirs(ROOT + folder, exist_ok=True)
        mount(folder, ROOT + folder, MS_BIND | MS_REC)
        for packages in ("site-packages", "dist-packages"):
            if os.path.isdir(f"{ROOT}{folder}/{packages}"):
                mount("tmpfs", f"{ROOT}{folder}/{packages}", 0, "size=1m,mode=755")
    os.mkdir(ROOT + SCRATCH)
    read_only = struct.pack("QQQQ", MS_RDONLY | MS_NOSUID | MS_NODEV, 0, 0, 0)
    at = AT_FDCWD, os.fsencode(ROOT), AT_RECURSIVE
    call("syscall", SYS_MOUNT_SETATTR, *at, read_only, len(read_only))
    os.chroot(ROOT)
    call("prctl", PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)


def mount(source: str | None, target: str, flags: int, options: str = "") -> None:
    kind = b"tmpfs" if source == "tmpfs" else None
    names = source and os.fsencode(source), os.fsencode(target)
    call("mount", *names, kind, flags, options.encode("ascii"))


def system_folders() -> list[str]:
    """The folders of which Python and NumPy need something, the C library's first."""
    with open("/proc/self/maps", encoding="utf-8", errors="surrogateescape") as file:
        mapped = [Path(line.split(maxsplit=5)[5].strip()) for line in file if "/" in line]
    library = [str(x.parent) for x in mapped if x.name.startswith(("libc.", "libc-", "ld-musl"))]
    return [*library[:1], *filter(os.path.isdir, sys.path)]


def new_scratch() -> None:
    """An empty folder to work in, behind the walls, that goes with this process."""
    call("unshare", CLONE_NEWNS)
    mount("tmpfs", SCRATCH, MS_NOSUID | MS_NODEV, "size=16m,nr_inodes=1000,mode=777")
    os.chdir(SCRATCH)


def can_drop(folders: list[str]) -> bool:
    """Whether this process may become another user, who can read what is in these folders."""
    if pid := os.fork():
        return os.waitpid(pid, 0)[1] == 0
    try:
        drop(True)
        os._exit(not all(os.access(folder, os.R_OK | os.X_OK) for folder in folders))
    finally:
        os._exit(1)


def drop(to_no_one: bool) -> None:
    """Give up for good what root can do, and, if told to, being root. Raises OSError."""
    if to_no_one:
        os.setgroups([])
        os.setgid(NO_ONE)
        os.setuid(NO_ONE)
    if sys.platform == "linux":
        call("capset", struct.pack("Ii", CAPABILITY_VERSION_3, 0), bytes(24))
        call("prctl", PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
        hide()
