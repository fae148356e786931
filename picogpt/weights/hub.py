"""A model from the Hugging Face Hub, over HTTP.

First the Hub says which commit a revision is, and the size and a hash of each file. Then the files
of that commit are fetched, so that they belong together even if somebody changes the repository
meanwhile, and compared with the hashes. config.json comes first: a model that is not a GPT-2 is
refused before its weights are fetched.

HF_ENDPOINT is the address of the Hub, or of a mirror; HF_TOKEN is sent there and nowhere else.

Source: huggingface.co/docs/hub/api; the files' hashes: Git's of a blob, or SHA-256 (Git LFS).
"""

import os
import shutil
import sys
from pathlib import Path
from typing import NamedTuple
from urllib.parse import quote, urlsplit

from ..files import brief, locked, parse_json, replacing
from .config_json import read_config
from .download import PATIENCE
from .errors import DownloadError
from .hub_cache import COMMIT, HubName, is_whole, own_cache
from .huggingface import FILES, read_index
from .progress import Progress, in_units
from .released import digest, part_of
from .transfer import knock, transfer

ENDPOINT = "https://huggingface.co"
# What a tokenizer may be made of.
TOKENIZER = ("tokenizer.json", "tokenizer_config.json", "vocab.json", "merges.txt", "vocab.txt")
TOKENIZER += ("added_tokens.json", "special_tokens_map.json")


class HubFile(NamedTuple):
    """What the Hub says about a file: its size, and its hash, of kind sha1 (Git's) or sha256."""

    n_bytes: int
    kind: str
    hash: str


def fetch_snapshot(name: HubName) -> Path:
    """The folder of a model, with the files of the newest commit of its revision.

    Raises DownloadError (Unreachable if no server answers) if the model cannot be had,
    CheckpointError or ValueError if picogpt cannot compute it. What was fetched is kept for the
    next try.
    """
    import requests

    endpoint = os.environ.get("HF_ENDPOINT", "").rstrip("/") or ENDPOINT
    if urlsplit(endpoint).scheme not in ("http", "https"):
        raise DownloadError(f"HF_ENDPOINT is {endpoint!r:.80}, expected https:// or http://")
    folder = own_cache() / name.folder
    progress = Progress(sys.stderr)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        waiting = f"another process is fetching {name}; waiting for it"
        with (
            locked(folder / "download.lock", lambda: progress.say(waiting)),
            requests.Session() as session,
        ):
            session.auth = token_for(endpoint)
            knock(session, endpoint, PATIENCE)
            commit, files = _listing(session, endpoint, name, folder, progress)
            snapshot = folder / "snapshots" / commit
            if not is_whole(snapshot):
                address = f"{endpoint}/{name.repository}/resolve/{commit}"
                _fetch_files(session, address, files, snapshot, progress)
            ref = folder / "refs" / name.revision
            ref.parent.mkdir(parents=True, exist_ok=True)
            with replacing(ref) as file:
                file.write(commit.encode())
            return snapshot
    except KeyboardInterrupt:
        progress.say("interrupted; what was fetched is kept, and the next download continues it")
        raise
    finally:
        progress.end_line()


def token_for(endpoint: str):
    """A function for requests that adds HF_TOKEN to every request to the endpoint.

    The files themselves are often on other servers, which must not see it.
    """
    token = os.environ.get("HF_TOKEN", "").strip()
    own = urlsplit(endpoint)

    def authorize(request):
        url = urlsplit(request.url)
        if token and (url.scheme, url.netloc) == (own.scheme, own.netloc):
            request.headers["Authorization"] = f"Bearer {token}"
        return request

    return authorize


def _listing(
    session, endpoint: str, name: HubName, folder: Path, progress: Progress
) -> tuple[str, dict[str, HubFile]]:
    """The commit of a revision, and its files. Raises DownloadError for an answer without them."""
    revision = quote(name.revision, safe="")
    url = f"{endpoint}/api/models/{name.repository}/revision/{revision}?blobs=true"
    answer = folder / "listing.json"
    transfer(session, url, answer, None, progress)
    try:
        listing = parse_json(answer.read_bytes())
    except ValueError as error:
        raise DownloadError(f"{url}: {error}") from None
    finally:
        answer.unlink(missing_ok=True)
    commit, siblings = listing.get("sha"), listing.get("siblings")
    if not isinstance(commit, str) or not COMMIT.fullmatch(commit):
        raise DownloadError(f"{url}: the commit is {brief(commit)}, expected 40 digits")
    if not isinstance(siblings, list):
        raise DownloadError(f"{url}: the files are {brief(siblings)}, expected a list")
    files = {}
    for entry in siblings:
        entry = entry if isinstance(entry, dict) else {}
        lfs = entry.get("lfs")
        kind, hash = (
            ("sha256", lfs.get("sha256"))
            if isinstance(lfs, dict)
            else ("sha1", entry.get("blobId"))
        )
        if isinstance(file := entry.get("rfilename"), str):
            files[file] = HubFile(entry.get("size"), kind, hash)
    return commit, files


def _fetch_files(
    session, address: str, files: dict[str, HubFile], snapshot: Path, progress: Progress
) -> None:
    """Fetch what picogpt needs of a commit. The folder gets its name when it is complete."""
    arriving = snapshot.with_name(f"{snapshot.name}.part")
    arriving.mkdir(parents=True, exist_ok=True)

    def fetch(file: str) -> Path:
        if file not in files:
            raise DownloadError(f"{address}: there is no file {file}")
        if not (arriving / file).is_file():
            _fetch(session, f"{address}/{file}", files[file], arriving / file, progress)
        return arriving / file

    read_config(fetch("config.json").parent)
    found = [file for name in FILES for file in (name, f"{name}.index.json") if file in files]
    if not found:
        raise DownloadError(f"{address}: there are no weights: neither {' nor '.join(FILES)}")
    weights = [found[0]]
    if found[0].endswith(".index.json"):
        weights += read_index(fetch(found[0]))
    wanted = [*(file for file in TOKENIZER if file in files), *weights]
    n_bytes = sum(files[file].n_bytes for file in wanted if file in files and _is_size(files[file]))
    if n_bytes > shutil.disk_usage(arriving).free:
        raise DownloadError(
            f"the disk is full: {arriving} needs {in_units(n_bytes)}; see PICOGPT_HOME"
        )
    progress.say(f"fetching {in_units(n_bytes)} from {address}; Ctrl-C stops it")
    for file in wanted:
        fetch(file)
    if not is_whole(arriving):
        raise DownloadError(f"{address}: there is no tokenizer that picogpt reads")
    os.replace(arriving, snapshot)


def _is_size(file: HubFile) -> bool:
    return type(file.n_bytes) is int and file.n_bytes > 0


def _fetch(session, url: str, file: HubFile, path: Path, progress: Progress) -> None:
    """Fetch one file. Raises DownloadError unless it has the announced size and hash."""
    if not _is_size(file) or not isinstance(file.hash, str):
        raise DownloadError(
            f"{url}: its size is {brief(file.n_bytes)}, its hash {brief(file.hash)}"
        )
    part = part_of(path)
    for _ in range(2):
        _, continued = transfer(session, url, part, file.n_bytes, progress)
        # Git's hash of a file is that of its length and its bytes.
        head = b"blob %d\0" % file.n_bytes if file.kind == "sha1" else b""
        found = digest(part, file.kind, head).hex()
        if found == file.hash:
            os.replace(part, path)
            return
        part.unlink()
        if not continued:
            break
        progress.say(f"{path.name}: its parts do not belong together, starting over")
    raise DownloadError(f"{url}: its {file.kind} is {found}, expected {file.hash!r:.80}")
