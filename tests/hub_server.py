"""The Hugging Face Hub on loopback, after its public documentation: a listing, and files.

Large files lie on a server of their own, to which the Hub redirects (Git LFS).
"""

import hashlib
import json
from contextlib import contextmanager
from pathlib import Path

from download_server import DownloadServer, send, whole_or_range

COMMIT = "0123456789abcdef0123456789abcdef01234567"


def git_hash(body: bytes) -> str:
    return hashlib.sha1(b"blob %d\0" % len(body) + body).hexdigest()


def sha256(body: bytes) -> str:
    return hashlib.sha256(body).hexdigest()


class Hub(DownloadServer):
    """storage: the server of large files. headers: path and headers of every request.

    published: name -> the files of the model.
    """

    answers_heads = True

    def __init__(self, storage: DownloadServer):
        super().__init__()
        self.storage, self.headers, self.published = storage, [], {}

    def publish(self, name: str, files: dict[str, bytes], commit: str = COMMIT, revision="main"):
        """A model, as the Hub shows it."""
        siblings, self.published[name] = [], files
        for file, body in files.items():
            entry = {"rfilename": file, "size": len(body), "blobId": git_hash(body)}
            answer = self.small(commit)
            if file.endswith((".safetensors", ".bin")):
                entry["lfs"] = {"sha256": sha256(body), "size": len(body), "pointerSize": 134}
                self.storage.files[f"/{sha256(body)}"] = body
                answer = self.redirect(commit, body)
            for at in (commit, revision):
                path = f"/{name}/resolve/{at}/{file}"
                self.files[path], self.answers[path] = body, Always(answer)
            siblings.append(entry)
        listing = {"id": name, "sha": commit, "private": False, "siblings": siblings}
        self.list(name, listing, revision)

    def list(self, name: str, listing: dict, revision: str = "main") -> None:
        path = f"/api/models/{name}/revision/{revision}?blobs=true"
        self.files[path] = json.dumps(listing).encode()
        self.answers[path] = Always(self.small(COMMIT))

    def refuse(self, name: str, status: int, message: str, code: str) -> None:
        """What the Hub says where it does not show a model."""

        def answer(handler, _):
            self.note(handler)
            send(handler, status, X_Error_Message=message, X_Error_Code=code)

        self.answers[f"/api/models/{name}/revision/main?blobs=true"] = Always(answer)

    def note(self, handler) -> None:
        self.headers.append((handler.path, dict(handler.headers)))

    def small(self, commit):
        def answer(handler, body):
            self.note(handler)
            etag = f'"{git_hash(body)}"'
            whole_or_range(handler, body, ETag=etag, X_Repo_Commit=commit)

        return answer

    def redirect(self, commit, body):
        def answer(handler, _):
            self.note(handler)
            send(
                handler,
                302,
                Location=f"{self.storage.url}/{sha256(body)}",
                X_Repo_Commit=commit,
                X_Linked_Size=len(body),
                X_Linked_ETag=f'"{sha256(body)}"',
                ETag=f'"{sha256(body)}"',
            )

        return answer


class Always(list):
    """The same answer each time."""

    def __init__(self, answer):
        super().__init__([answer])

    def pop(self, _):
        return self[0]


@contextmanager
def serving():
    """A Hub and its storage."""
    with DownloadServer() as storage, Hub(storage) as hub:
        yield hub


def files_of(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}
