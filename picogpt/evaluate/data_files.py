"""The data of the published tasks, fetched on request from where it was published.

CBT and WikiText are published as archives, which you fetch and unpack by hand.
"""

import hashlib
import os
import sys
from pathlib import Path
from typing import NamedTuple

from ..files import locked
from ..weights import DownloadError
from ..weights.home import home
from ..weights.progress import Progress
from ..weights.transfer import transfer


class DataFile(NamedTuple):
    """Where the file of a task is published, its length and its SHA-256."""

    url: str
    n_bytes: int
    sha256: str


DATA_FILES = {
    "lambada": DataFile(
        "https://openaipublic.blob.core.windows.net/gpt-2/data/lambada_test.jsonl",
        1_819_752,
        "4aa8d02cd17c719165fc8a7887fddd641f43fcafa4b1c806ca8abc31fabdb226",
    ),
    "hellaswag": DataFile(
        "https://raw.githubusercontent.com/rowanz/hellaswag/master/data/hellaswag_val.jsonl",
        12_246_618,
        "0aa3b88843990f3f10a97b9575c94d7b71fb2205240ba04ae4884d9e9c992588",
    ),
}


def download_data(task: str) -> Path:
    """The file of a task, fetched if it is not there yet. Reports on stderr.

    Raises ValueError for a task that has none here, DownloadError if it cannot be fetched.
    """
    if task not in DATA_FILES:
        raise ValueError(f"--download knows {' and '.join(DATA_FILES)}, not {task}: name a file")
    import requests  # here, because most evaluations need no network

    url, n_bytes, sha256 = DATA_FILES[task]
    path = home() / "data" / url.rpartition("/")[2]
    path.parent.mkdir(parents=True, exist_ok=True)
    progress = Progress(sys.stderr)
    waiting = f"another process is downloading {path.name}; waiting for it"
    with locked(path.with_name("download.lock"), lambda: progress.say(waiting)):
        if not path.exists():
            part = path.with_name(path.name + ".part")
            progress.say(f"fetching {path.name} from {url} to {path.parent}")
            try:
                with requests.Session() as session:
                    transfer(session, url, part, n_bytes, progress)
            finally:
                progress.end_line()
            found = hashlib.sha256(part.read_bytes()).hexdigest()
            if found != sha256:
                part.unlink()
                raise DownloadError(f"{url}: its SHA-256 is {found}, expected {sha256}")
            os.replace(part, path)
    return path
