"""What was handed in: which files count, and which are left out, and why."""

import hashlib
import os
from collections import Counter
from datetime import datetime
from pathlib import Path

from .process import Submission
from .show import printable

SUFFIXES = (".py", ".ipynb")
MAX_BYTES = 20_000_000  # of one submission; a notebook may hold pictures


def find_submissions(folder: Path) -> dict[str, Path]:
    """Student -> file or folder. A student is a file, or a folder with a file, as it is named.

    Raises FileNotFoundError if there is no folder, ValueError if there is nothing in it.
    """
    if not folder.is_dir():
        raise FileNotFoundError(f"there is no folder {folder}")
    found = [path for path in sorted(folder.iterdir()) if is_submission(path)]
    if not found:
        raise ValueError(f"{folder} holds no {' or '.join(SUFFIXES)} files, and no folders")
    names = [path.name if path.is_dir() else path.stem for path in found]
    times = Counter(names)
    return {x if times[x] == 1 else path.name: path for x, path in zip(names, found, strict=True)}


def is_submission(path: Path) -> bool:
    """Not what other programs leave among the submissions (.DS_Store, __MACOSX), and no link."""
    if path.name.startswith((".", "_")) or path.is_symlink():
        return False
    return path.is_dir() or (path.is_file() and path.suffix.lower() in SUFFIXES)


def left_out(folder: Path, assignment: str) -> dict[str, str]:
    """Name -> why it is not graded, of all in a folder and in the students' folders there, but what
    begins with a dot or underscore."""
    found = {path.name: why_not(path) for path in visible(folder) if not is_submission(path)}
    for student in filter(Path.is_dir, filter(is_submission, visible(folder))):
        inside = visible(student)
        counts = counting(student, assignment) if inside else []
        for path in inside:
            if counts != [path]:
                found[f"{student.name}/{path.name}"] = why_not(path)
    return found


def visible(folder: Path) -> list[Path]:
    """What is in a folder, but not what begins with a dot or underscore; nothing if it is closed."""
    try:
        return sorted(path for path in folder.iterdir() if not path.name.startswith((".", "_")))
    except OSError:
        return []


def why_not(path: Path) -> str:
    """Why a file or folder is not graded."""
    if path.is_symlink():
        return "it is a link, which is not followed"
    if path.is_dir():
        return "it is a folder in a folder"
    if not path.is_file():
        return "it is neither a file nor a folder"
    if path.suffix.lower() in SUFFIXES:
        return "another file counts, or none, since there are several"
    return f"expected {' or '.join(SUFFIXES)}"


def handed_in_at(path: Path) -> datetime:
    """When the newest file of a hand-in was last changed, in local time."""
    times = [path.stat().st_mtime]
    if path.is_dir():
        try:
            # of a folder the files count, and not when it was copied
            times = [p.stat().st_mtime for p in path.iterdir() if p.is_file()] or times
        except OSError:  # a folder that cannot be read costs one student, and not the class
            pass
    return datetime.fromtimestamp(max(times))


def read_submission(path: Path, assignment: str) -> tuple[Submission, list[str]]:
    """The file that counts, and notes: a submission that cannot be read is empty."""
    try:
        return read_file(path, assignment)
    except OSError as error:
        return Submission("", b""), [printable(f"{path.name} cannot be read: {error.strerror}")]


def counting(path: Path, assignment: str) -> list[Path]:
    """The files of a hand-in that count: there should be one. Raises OSError for a closed folder."""
    if not path.is_dir():
        return [path]
    files = [p for p in sorted(path.iterdir()) if is_submission(p) and p.is_file()]
    return [p for p in files if p.stem == assignment] or files


def read_file(path: Path, assignment: str) -> tuple[Submission, list[str]]:
    """The file that counts, of several in a folder the one that has the assignment's name.

    Returns an empty submission and a note if none counts. Raises OSError for what cannot be read.
    """
    files = counting(path, assignment)
    if len(files) != 1:
        names = ", ".join(p.name for p in files) or "nothing"
        note = f"expected one .py or .ipynb file, or one named {assignment}, found {names}"
        return Submission("", b""), [printable(note)]
    if (size := files[0].stat().st_size) > MAX_BYTES:
        return Submission("", b""), [f"{files[0].name} has {size} bytes, too many to be read"]
    return Submission(files[0].name, files[0].read_bytes()), []


def digest_of_submission(submission: Submission) -> str:
    """A digest of a file and its name, which may be any bytes."""
    return hashlib.sha256(os.fsencode(submission.name) + b"\0" + submission.data).hexdigest()
