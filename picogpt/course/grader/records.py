"""What is kept of a graded hand-in, sealed with a key, so that nobody but the grader can have written it.

The key lies in the folder of the grades, but not while students' code runs: then it is in the memory
of the grader alone. Who is interrupted so rudely that it is lost grades the class again.
"""

import hashlib
import hmac
import json
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import NamedTuple

from ...files import read_json, replacing, write_json

LENGTH = 32  # bytes of the key


class Record(NamedTuple):
    """results: those of report.as_results, with a seal over them and the feedback."""

    results: dict
    feedback: bytes


@contextmanager
def signing(out: Path) -> Iterator[bytes]:
    """The key of a folder of grades, which is in no file until the end of the block."""
    path = out / "grader.key"
    secret = b""
    with suppress(OSError):
        secret = path.read_bytes()
    if len(secret) != LENGTH:
        secret = secrets.token_bytes(LENGTH)
    path.unlink(missing_ok=True)
    try:
        yield secret
    finally:
        path.unlink(missing_ok=True)
        with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            file.write(secret)


def seal(results: dict, feedback: bytes, secret: bytes) -> str:
    """What only those can write who have the key."""
    text = json.dumps(results, sort_keys=True).encode("ascii")
    return hmac.new(secret, text + b"\0" + feedback, hashlib.sha256).hexdigest()


def sealed(results: dict, feedback: bytes, secret: bytes) -> Record:
    """The record of a hand-in that has been graded."""
    more = results["extra_data"] | {"seal": seal(results, feedback, secret)}
    return Record(results | {"extra_data": more}, feedback)


def write_record(folder: Path, record: Record) -> None:
    with replacing(folder / "feedback.md") as file:
        file.write(record.feedback)
    write_json(folder / "results.json", record.results)  # last: it says that all is done


def earlier(folder: Path, key: dict, secret: bytes) -> Record | None:
    """The record of an earlier run, if it depends on the same and is as the grader has written it."""
    try:
        record = Record(read_json(folder / "results.json"), (folder / "feedback.md").read_bytes())
    except (OSError, ValueError):
        return None
    more = record.results.get("extra_data")
    if not (isinstance(more, dict) and key.items() <= more.items()):
        return None
    bare = {name: value for name, value in more.items() if name != "seal"}
    expected = seal(record.results | {"extra_data": bare}, record.feedback, secret)
    return record if more.get("seal") == expected else None
