"""The download of OpenAI's real files. Needs the network; 124M itself goes to the usual cache."""

import pytest

from picogpt.weights import DownloadError
from picogpt.weights.download import MIRRORS, download
from picogpt.weights.released import DATA, RELEASED, is_complete


@pytest.mark.parametrize("address", MIRRORS)
@pytest.mark.parametrize("size", RELEASED)
def test_small_files(monkeypatch, tmp_path, size, address):
    """All but the data, from each mirror: found there, and good by every measure."""
    monkeypatch.setenv("PICOGPT_HOME", str(tmp_path))
    monkeypatch.setenv("PICOGPT_WEIGHTS_URL", address)
    small = {name: known for name, known in RELEASED[size].items() if name != DATA}
    monkeypatch.setitem(RELEASED, size, small)
    download(size)
    assert {p.name for p in (tmp_path / "models" / size).iterdir()} == {*small, "download.lock"}


@pytest.mark.parametrize("address", MIRRORS)
@pytest.mark.parametrize("size", RELEASED)
def test_data_can_be_resumed(size, address):
    """The server knows ranges, and its file has the published length."""
    import requests

    n_bytes = RELEASED[size][DATA].n_bytes
    headers = {"Range": f"bytes={n_bytes - 100}-", "Accept-Encoding": "identity"}
    response = requests.get(f"{address}/{size}/{DATA}", headers=headers, timeout=30)
    assert response.status_code == 206
    assert response.headers["Content-Range"] == f"bytes {n_bytes - 100}-{n_bytes - 1}/{n_bytes}"
    assert len(response.content) == 100


def test_a_size_that_does_not_exist(monkeypatch, tmp_path):
    """What OpenAI's server says about a file that it does not have is one clear line."""
    monkeypatch.setenv("PICOGPT_HOME", str(tmp_path))
    monkeypatch.setenv("PICOGPT_WEIGHTS_URL", MIRRORS[0])
    monkeypatch.setitem(RELEASED, "125M", RELEASED["124M"])
    with pytest.raises(DownloadError, match="125M/checkpoint: the server answers 40"):
        download("125M")


def test_124M():
    download("124M", recheck=True)
    assert is_complete("124M")
