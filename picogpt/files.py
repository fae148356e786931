"""Reading files without trusting them, writing them whole, and locking them.

Nothing that is read is trusted: text must be UTF-8, and JSON must be an object in which no key
occurs twice. What is written gets its name only when it is complete, so that a crash never leaves
half a file under a real name.
"""

import errno
import json
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from reprlib import repr as short_repr
from typing import BinaryIO

if os.name == "nt":
    import msvcrt
else:
    import fcntl

LFS_POINTER = b"version https://git-lfs"
MAX_JSON = 100_000_000  # bytes; the largest tokenizers have 20 million
_numbers = count()  # of the files that this process has written
POLL = 0.2  # seconds between two looks at a lock that another process holds


def read_text(path: Path) -> str:
    """The text of a UTF-8 file, its line ends as they are.

    Raises FileNotFoundError; ValueError, whose message begins with the path, if it is not UTF-8.
    """
    # As bytes first: text mode would change line ends and, on Windows, not assume UTF-8.
    return _decode(path.read_bytes() if path.is_fifo() else require(path).read_bytes(), f"{path}: ")


def require(path: Path) -> Path:
    """The path itself.

    Raises FileNotFoundError if there is no such file, ValueError if it is only Git LFS's pointer to
    a file that was not fetched.
    """
    if not path.is_file():
        where = "there is" if path.parent == Path() else f"{path.parent} has"
        raise FileNotFoundError(f"{where} no file {path.name}")
    with open(path, "rb") as file:
        if file.read(len(LFS_POINTER)) == LFS_POINTER:
            raise ValueError(
                f"{path}: is only Git LFS's pointer to the file; git lfs pull fetches it"
            )
    return path


def read_json(path: Path) -> dict:
    """The JSON object in a file. Raises as read_text does, and ValueError as parse_json does."""
    if require(path).stat().st_size > MAX_JSON:
        raise ValueError(f"{path}: has more than {MAX_JSON} bytes, too many for a JSON file")
    text = read_text(path)
    try:
        return parse_json(text)
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from None


def parse_json(text: str | bytes) -> dict:
    """The JSON object in a text, or in UTF-8 bytes.

    Raises ValueError if it is something else, or if a key occurs twice in one object: programs
    differ in which of the two values they take.
    """
    if isinstance(text, bytes):
        text = _decode(text)
    try:
        value = json.loads(text, object_pairs_hook=_unique)
    except (ValueError, RecursionError) as error:
        raise ValueError(f"not JSON: {error}") from None
    if type(value) is not dict:
        raise ValueError(f"holds a JSON {type(value).__name__}, expected an object")
    return value


def brief(value) -> str:
    """A value from JSON in at most 80 characters, for a message, even a list of a million lists."""
    return f"{short_repr(value):.80}"


@contextmanager
def replacing(path: Path) -> Iterator[BinaryIO]:
    """A file to write to. It is renamed to `path` at the end of the block, unless that raises.

    Raises ValueError if a folder or a device has that name, FileNotFoundError if it has no folder.
    """
    # Of a link, what it leads to is replaced. (Path.resolve raises for two links to each other.)
    path = Path(os.path.realpath(path))
    if path.exists() and not path.is_file():
        raise ValueError(f"{path}: is not an ordinary file, and is not replaced")
    if not path.parent.is_dir():
        raise FileNotFoundError(f"{path.parent}: there is no such folder")
    # A name that no other process uses, in case two write the same file at the same time.
    part = path.with_name(f"{path.name}.{os.getpid()}.{next(_numbers)}.part")
    try:
        with open(part, "wb") as file:
            try:
                yield file
            except OSError as error:
                if error.errno is None:  # how NumPy says that not all of an array was written
                    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path)) from None
                raise
            file.flush()
            os.fsync(file.fileno())  # or a power cut could leave a good name with nothing under it
        os.replace(part, path)
    finally:
        part.unlink(missing_ok=True)


def write_json(path: Path, value: dict) -> None:
    """Write an object as indented JSON, in UTF-8."""
    with replacing(path) as file:
        file.write(json.dumps(value, indent=2, ensure_ascii=False).encode("utf-8") + b"\n")


def check_free(folder: Path) -> None:
    """Raise FileExistsError unless there is no such folder yet, or nothing in it."""
    if folder.exists() and not folder.is_dir():
        raise FileExistsError(f"{folder}: is a file, expected a folder that does not exist yet")
    if folder.exists() and any(folder.iterdir()):
        raise FileExistsError(f"{folder}: is not empty, and nothing is overwritten")


@contextmanager
def locked(path: Path, on_wait: Callable[[], None]) -> Iterator[None]:
    """Hold the lock `path`; if another process holds it, call on_wait once and wait for it.

    The operating system frees the lock when the process that holds it ends, however it ends. The
    file itself is never removed, or else two processes could lock two files of the same name.
    """
    with open(path, "ab") as file:  # closing it frees the lock
        if not _try_lock(file):
            on_wait()
            while not _try_lock(file):
                time.sleep(POLL)
        yield


def _try_lock(file) -> bool:
    try:
        if os.name == "nt":
            msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
        else:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        return True
    except (BlockingIOError, PermissionError):  # POSIX, Windows: somebody else holds it
        return False


def _decode(data: bytes, where: str = "") -> str:
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError as error:
        raise ValueError(f"{where}not UTF-8: {error.reason} at byte {error.start}") from None


def _unique(pairs: list[tuple]) -> dict:
    """The object with these pairs of key and value."""
    value = dict(pairs)
    if len(value) < len(pairs):
        keys = set()
        twice = next(key for key, _ in pairs if key in keys or keys.add(key))
        raise ValueError(f"the key {twice!r:.80} occurs twice in one object")
    return value
