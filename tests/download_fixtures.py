"""Fixtures of the tests of the download."""

import socket

import pytest
from download_release import FILES, KNOWN
from download_server import DownloadServer

from picogpt.weights.released import RELEASED, Published


@pytest.fixture
def server():
    """A server that has the small release."""
    with DownloadServer() as server:
        server.files = {f"/124M/{name}": body for name, body in FILES.items()}
        yield server


@pytest.fixture
def release(monkeypatch, tmp_path, server):
    """The small release, an empty cache, one address, short pauses, no proxy."""
    known = {name: Published(*known) for name, known in KNOWN.items()}
    monkeypatch.setitem(RELEASED, "124M", known)
    monkeypatch.setenv("PICOGPT_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("PICOGPT_WEIGHTS_URL", server.url)
    monkeypatch.setattr("picogpt.weights.transfer.BACK_OFF", 0.001)
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def folder(tmp_path):
    """Where the model will be."""
    return tmp_path / "home" / "models" / "124M"


@pytest.fixture
def closed_port():
    """The address of a port on which nobody listens."""
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))  # bound, not listening, so that nobody else takes it
        yield f"http://127.0.0.1:{s.getsockname()[1]}"


@pytest.fixture
def silent_port():
    """The address of a port that accepts connections and never says anything."""
    with socket.create_server(("127.0.0.1", 0)) as s:
        yield f"http://127.0.0.1:{s.getsockname()[1]}"
