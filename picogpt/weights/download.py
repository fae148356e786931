"""The download of OpenAI's released models into the cache.

A file arrives under a name like vocab.part.bpe, is verified, and only then gets its own name. So a
crash, a bad server or a second process never leaves a bad file under a good name. The parts of
an interrupted download are kept, and the next one continues them.
"""

import errno
import os
import shutil
import sys
from pathlib import Path

from ..files import locked
from .errors import DownloadError, Unreachable
from .progress import Progress, in_units
from .released import (
    DATA,
    INDEX,
    RELEASED,
    find_fault,
    is_complete,
    missing_files,
    part_of,
    released_folder,
)
from .transfer import knock, transfer

# Both hold {size}/{file}; PICOGPT_WEIGHTS_URL replaces them.
MIRRORS = (
    "https://openaipublic.blob.core.windows.net/gpt-2/models",
    "https://f001.backblazeb2.com/file/LLMs-from-scratch/gpt2",
)
# Seconds for the first answer, all mirrors together: without a network the user should not wait for
# more than five, and starting Python and importing requests take some of them.
PATIENCE = 4.0


def download(size: str, *, recheck: bool = False) -> Path:
    """The folder of a released model, after fetching what is missing. Reports on stderr.

    recheck: also read the files that are there, and fetch bad ones again.

    Raises ValueError if there is no such size, Unreachable if no server answers, DownloadError if
    the model cannot be had for another reason: no mirror has the right file, the disk is full.
    """
    folder = released_folder(size)
    if is_complete(size) and not recheck:
        return folder
    progress = Progress(sys.stderr)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        waiting = f"another process is downloading {size}; waiting for it"
        with locked(folder / "download.lock", lambda: progress.say(waiting)):
            if recheck:
                _remove_faulty(size, folder, progress)
            if not is_complete(size):
                _fetch_missing(size, folder, progress)
    except KeyboardInterrupt:
        progress.say("interrupted; what was fetched is kept, and the next download continues it")
        raise
    except DownloadError:
        raise
    except OSError as error:
        raise DownloadError(_explain(error, size, folder)) from error
    finally:
        progress.end_line()
    return folder


def _remove_faulty(size: str, folder: Path, progress: Progress) -> None:
    """Read every file that is there, and remove the bad ones."""
    for name in RELEASED[size]:
        path = folder / name
        if not path.exists():
            continue
        if name == DATA and not (folder / INDEX).exists():
            os.replace(path, part_of(path))  # to be checked when the index is there again
            continue
        progress.say(f"checking {name}")
        if fault := find_fault(path, size, name):
            progress.say(f"{name} is bad: {fault}")
            path.unlink()


def _fetch_missing(size: str, folder: Path, progress: Progress) -> None:
    """Fetch the files that are missing, from the first mirror that has them."""
    import requests  # here, because `import picogpt` should not wait for it

    mirrors = _mirrors()
    if _bytes_to_fetch(size, folder) > shutil.disk_usage(folder).free:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    failures: list[DownloadError] = []
    for address in mirrors:
        try:
            with requests.Session() as session:
                knock(session, f"{address}/{size}/checkpoint", PATIENCE / len(mirrors))
                if failures:
                    progress.say(str(failures[-1]))
                n_bytes = in_units(_bytes_to_fetch(size, folder))
                progress.say(
                    f"fetching GPT-2 {size}: {n_bytes} from {address} to {folder}; Ctrl-C stops it"
                )
                for name in missing_files(size):
                    _fetch(session, f"{address}/{size}/{name}", size, folder / name, progress)
            return
        except DownloadError as failure:
            failures.append(failure)
    absent = all(isinstance(failure, Unreachable) for failure in failures)
    raise (Unreachable if absent else DownloadError)(
        f"GPT-2 {size} cannot be downloaded ({'; '.join(map(str, failures))}). "
        f"Try again later, or put {', '.join(missing_files(size))} into {folder} by hand."
    )


def _fetch(session, url: str, size: str, path: Path, progress: Progress) -> None:
    """Fetch one file. Raises DownloadError if what the server has is not that file."""
    part = part_of(path)
    for _ in range(2):
        content_md5, continued = transfer(
            session, url, part, RELEASED[size][path.name].n_bytes, progress
        )
        fault = find_fault(part, size, path.name, content_md5)
        if not fault:
            os.replace(part, path)
            return
        part.unlink()
        if not continued:
            break
        progress.say(f"{path.name}: {fault}; its parts do not belong together, starting over")
    raise DownloadError(f"{url}: {fault}")


def _mirrors() -> tuple[str, ...]:
    """The addresses to ask, in this order."""
    chosen = os.environ.get("PICOGPT_WEIGHTS_URL")
    if not chosen:
        return MIRRORS
    if not chosen.startswith(("http://", "https://")):
        raise DownloadError(f"PICOGPT_WEIGHTS_URL is {chosen}, expected https:// or http://")
    return (chosen.rstrip("/"),)


def _bytes_to_fetch(size: str, folder: Path) -> int:
    """How much is still missing; files of unpublished length are too small to matter."""
    total = 0
    for name in missing_files(size):
        part = part_of(folder / name)
        done = part.stat().st_size if part.exists() else 0
        total += max(0, (RELEASED[size][name].n_bytes or 0) - done)
    return total


def _explain(error: OSError, size: str, folder: Path) -> str:
    """What to do about files that cannot be written."""
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        needed = in_units(_bytes_to_fetch(size, folder))
        return (
            f"the disk is full: {folder} needs {needed} more. Free some space, "
            "or set PICOGPT_HOME to a folder on another disk."
        )
    return (
        f"{error.filename or folder}: {error.strerror or error}. "
        "PICOGPT_HOME can be set to another folder to keep models in."
    )
