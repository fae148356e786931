"""--download: the published file, judged before it gets its name."""

import hashlib
import json
from pathlib import Path

import pytest
from download_server import DownloadServer

from picogpt.evaluate import data_files
from picogpt.evaluate.__main__ import main
from picogpt.evaluate.data_files import DATA_FILES, DataFile

TINY = Path(__file__).parents[1] / "reference" / "tiny"
PASSAGES = b'{"text": "The fox ran to the river"}\n{"text": "The river ran to the sea"}\n'


@pytest.fixture
def server(monkeypatch, tmp_path):
    with DownloadServer() as server:
        server.files = {"/data/passages.jsonl": PASSAGES}
        url, sha256 = f"{server.url}/data/passages.jsonl", hashlib.sha256(PASSAGES).hexdigest()
        monkeypatch.setitem(DATA_FILES, "lambada", DataFile(url, len(PASSAGES), sha256))
        monkeypatch.setenv("PICOGPT_HOME", str(tmp_path / "home"))
        monkeypatch.setattr("picogpt.weights.transfer.BACK_OFF", 0.001)
        for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
            monkeypatch.delenv(name, raising=False)
        yield server


COMMAND = ["lambada", "--download", "-m", str(TINY), "--json"]


def test_it_is_fetched_once(server, tmp_path, capsys):
    for _ in range(2):
        assert main(COMMAND) == 0
        assert json.loads(capsys.readouterr().out)["items"] == 2
    assert len(server.got("passages.jsonl")) == 1
    assert (tmp_path / "home" / "data" / "passages.jsonl").read_bytes() == PASSAGES


def test_another_file_gets_no_name(server, tmp_path, capsys):
    server.files["/data/passages.jsonl"] = PASSAGES[::-1]
    assert main(COMMAND) == 1
    assert "its SHA-256 is" in capsys.readouterr().err
    assert [p.name for p in (tmp_path / "home" / "data").iterdir()] == ["download.lock"]


def test_a_task_whose_file_is_an_archive():
    with pytest.raises(ValueError, match="lambada and hellaswag, not cbt: name a file"):
        data_files.download_data("cbt")
    with pytest.raises(SystemExit):
        main(["cbt", "--download"])
