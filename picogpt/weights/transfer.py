"""One file over HTTP, continued from wherever an earlier try stopped.

The bytes are appended to a file of their own. When a connection is cut or falls silent, the next
request asks for the rest of them (RFC 9110, section 14: Range). The server is not trusted: it may
ignore the range, announce a wrong length or send an error page. The caller verifies the contents of
what has arrived, and so also that all pieces are of the same file.
"""

import os
import queue
import re
import sys
import threading
import time
from collections.abc import Iterator
from http import HTTPStatus
from pathlib import Path
from urllib.parse import urljoin, urlsplit

from .errors import DownloadError, Unreachable
from .progress import Progress

CONNECT = 10.0  # seconds in which a server must accept a connection
STALL = 30.0  # seconds without a single byte after which a connection is given up
SLOWEST = 60.0  # seconds at most for a chunk
TRIES = 6  # a server is given up after so many tries in a row that bring nothing new
BACK_OFF = 1.0  # seconds before the second of them; doubled before each later one
LONGEST_PAUSE = 60.0  # seconds that a server may ask for
REDIRECTS = 5  # how often a server may point elsewhere
CHUNK = 1 << 16  # bytes read at a time; at most so many are lost when a connection is cut
UNKNOWN_LENGTH = 1 << 20  # bytes at most of a file whose length nobody published


class _Interrupted(Exception):
    """A transfer ended early, and trying again may help, after `pause` seconds at the earliest."""

    def __init__(self, problem: str, pause: float = 0.0):
        super().__init__(problem)
        self.pause = pause


def knock(session, url: str, patience: float) -> None:
    """Raise Unreachable unless the server at url answers, no matter what, within so many seconds.

    session: a requests.Session.
    """
    answers = queue.SimpleQueue()

    def ask():
        try:
            session.head(url, timeout=patience)
            answers.put(None)
        except (OSError, ValueError) as error:  # a missing certificate file, a malformed proxy, ...
            answers.put(_reason(error))

    # In a thread, because looking up a name may hang for longer and takes no time-out.
    threading.Thread(target=ask, daemon=True).start()
    try:
        problem = answers.get(timeout=patience)
    except queue.Empty:
        problem = "no answer in time"
    if problem:
        raise Unreachable(f"{url.split('/')[2]}: {problem}")  # https://host/...


def transfer(
    session, url: str, part: Path, n_bytes: int | None, progress: Progress
) -> tuple[str | None, bool]:
    """Fetch the file at url to `part`, which may already hold the beginning of it.

    n_bytes: the length of the file. If it is None, each try starts from the beginning.

    Returns the header Content-MD5 of the file (None without one) and whether `part` was put
    together from more than one answer. Raises DownloadError if this server does not deliver the
    file, and any other OSError if `part` cannot be written. `part` stays, for the next try.
    """
    import requests

    name, outer = url.rpartition("/")[2], sys.exception()
    furthest, failures = _length(part), 0
    while True:
        asked_for = 0.0
        start = _length(part) if n_bytes else 0
        if start == n_bytes:  # an earlier run fetched it all
            return None, True
        try:
            with _get(session, url, start) as response:
                start = _begin(response, part, start, n_bytes)
                progress.begin(name, start, n_bytes)
                _save(response, part, start, n_bytes, progress)
                return _content_md5(response), start > 0
        except _Interrupted as error:
            problem, asked_for = str(error), error.pause
        except requests.exceptions.ChunkedEncodingError:
            problem = f"the connection was cut after {_length(part)} bytes"
        except (requests.ConnectionError, requests.Timeout) as error:
            problem = _reason(error, outer)
        except (requests.RequestException, ValueError) as error:  # such as an impossible address
            raise DownloadError(f"{url}: {error}") from None
        failures = failures + 1 if _length(part) <= furthest else 1
        furthest = max(furthest, _length(part))
        if failures == TRIES:
            raise DownloadError(f"{url}: {problem}, and {TRIES} tries brought nothing new")
        pause = max(BACK_OFF * 2 ** (failures - 1), asked_for)
        progress.say(f"{name}: {problem}; trying again in {pause:g} s")
        time.sleep(pause)


def _length(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0


def _get(session, url: str, start: int):
    """The answer to a request for the bytes from `start` on. Its body is not read yet."""
    headers = {"Accept-Encoding": "identity"}  # a compressed body would have another length
    if start:
        headers["Range"] = f"bytes={start}-"
    for _ in range(REDIRECTS + 1):
        response = session.get(
            url, headers=headers, stream=True, timeout=(CONNECT, STALL), allow_redirects=False
        )
        if not response.is_redirect:
            return response
        response.close()
        url = _redirect(url, response.headers["Location"])
    raise DownloadError(f"{url}: more than {REDIRECTS} redirects")


def _redirect(url: str, location: str) -> str:
    """The address that an answer from url points to; from https it may only be https."""
    target = urljoin(url, location)
    allowed = ("https",) if urlsplit(url).scheme == "https" else ("https", "http")
    if urlsplit(target).scheme not in allowed:
        raise DownloadError(f"{url}: points to {target!r}, which is not {' or '.join(allowed)}")
    return target


def _begin(response, part: Path, start: int, n_bytes: int | None) -> int:
    """Where in the file the body of this answer begins: at `start`, or at 0.

    Raises DownloadError if this cannot be the file, _Interrupted if another try may help.
    """
    url, status, headers = response.url, response.status_code, response.headers
    phrases = {known.value: known.phrase for known in HTTPStatus}
    answer = f"{status} {phrases.get(status, '')}"
    if reason := headers.get("X-Error-Message"):  # the Hub's own words
        answer += f": {reason:.200}"
    if status in (408, 429) or status >= 500:
        raise _Interrupted(f"the server answers {answer}", _retry_after(headers))
    if status not in (200, 206, 416):
        raise DownloadError(f"{url}: the server answers {answer}")
    if headers.get("Content-Type", "").lower().startswith("text/html"):
        raise DownloadError(f"{url}: the server sends a web page instead of the file")
    if (encoding := headers.get("Content-Encoding", "identity")).lower() != "identity":
        raise DownloadError(f"{url}: the server sends the file encoded as {encoding!r}")
    if status == 200:  # the whole file, perhaps because this server knows no ranges
        start, length = 0, headers.get("Content-Length", "")
    else:
        span = headers.get("Content-Range", "")
        found = re.fullmatch(r"bytes ([0-9]+)-[0-9]+/([0-9]+)", span)
        if not found or int(found[1]) != start:  # in a 416 it is "bytes */length"
            part.unlink(missing_ok=True)
            raise _Interrupted(f"the server cannot continue at byte {start}")
        length = found[2]
    if n_bytes and length.isdecimal() and int(length) != n_bytes:
        raise DownloadError(f"{url}: the file has {length} bytes, expected {n_bytes}")
    return start


def _save(response, part: Path, position: int, n_bytes: int | None, progress: Progress) -> None:
    """Append the body of the answer to `part`, which is as long as `position` says."""
    if position == 0 and n_bytes and _length(part):
        # A server that starts again may deliver less than there is already.
        anew = part.with_name(f"{part.name}.anew")
        try:
            _append(response, anew, 0, n_bytes, progress)
        finally:
            if _length(anew) > _length(part) or _length(anew) == n_bytes:
                os.replace(anew, part)
            anew.unlink(missing_ok=True)
    else:
        _append(response, part, position, n_bytes, progress)


def _chunks(response) -> Iterator[bytes]:
    """The body of the answer, in chunks. Raises DownloadError if it arrives too slowly.

    In a thread, because a read that gets a byte now and then never times out.
    """
    arrived = queue.Queue(maxsize=16)

    def read():
        try:
            for chunk in response.iter_content(CHUNK):
                arrived.put(chunk)
            arrived.put(None)
        except Exception as error:  # noqa: BLE001 - any error is raised below
            arrived.put(error)

    threading.Thread(target=read, daemon=True).start()
    chunk = b""
    try:
        while isinstance(chunk := arrived.get(timeout=SLOWEST), bytes):
            yield chunk
    except queue.Empty:
        raise DownloadError(
            f"{response.url}: less than {CHUNK} bytes arrived in {SLOWEST:g} seconds"
        ) from None
    finally:
        if isinstance(chunk, bytes):  # the thread is still reading, and close would wait for it
            response.close = lambda: None
    if chunk is not None:
        context = chunk.__context__
        try:
            raise chunk
        finally:  # `raise` has put there what is being handled in this thread
            chunk.__context__ = context


def _append(response, part: Path, position: int, n_bytes: int | None, progress: Progress) -> None:
    limit = n_bytes or UNKNOWN_LENGTH
    with open(part, "ab" if position else "wb") as file:
        for chunk in _chunks(response):
            position += len(chunk)
            if position > limit:
                raise DownloadError(f"{response.url}: more than {limit} bytes arrived")
            file.write(chunk)
            progress.at(position)
        if position < (n_bytes or 0):
            raise _Interrupted(f"the connection was closed after {position} of {n_bytes} bytes")
        file.flush()
        os.fsync(file.fileno())  # or a power cut could leave a good name with nothing under it


def _retry_after(headers) -> float:
    """How many seconds the server asks us to wait, a minute at most; 0 if it gives no number."""
    seconds = headers.get("Retry-After", "")
    return min(float(seconds), LONGEST_PAUSE) if seconds.isdecimal() else 0.0


def _content_md5(response) -> str | None:
    """The MD5 of the whole file, in base64, as the server gives it."""
    # To a request for a range, Azure gives the MD5 of the whole under a name of its own.
    name = "Content-MD5" if response.status_code == 200 else "x-ms-blob-content-md5"
    found = re.fullmatch(r"[A-Za-z0-9+/]{22}==", response.headers.get(name, ""))
    return found and found[0]


def _reason(error: BaseException, outer: BaseException | None = None) -> str:
    """The original error inside one of requests, which wraps it several times, as text.

    outer: an exception that was being handled before, and has nothing to do with this one.
    """
    while error.__context__ not in (None, outer):
        error = error.__context__
    if isinstance(error, TimeoutError):
        return "no answer in time"
    text = getattr(error, "strerror", None) or str(error)
    return "".join(c if c.isprintable() else " " for c in text)  # it may quote the server
