"""The download when there are several servers, none, several processes, or no room on the disk."""

import errno
import io
import os
import shutil
import socket
import threading
from collections import namedtuple

import pytest
from download_release import (
    FILES,
    NAMES,
    PART,
    SIZE,
    TOTAL,
    assert_good,
    assert_no_bad_file,
    command_process,
    wait_for_length,
)
from download_server import DownloadServer, answer, cut, stall, whole_or_range

from picogpt.weights import DownloadError, Unreachable, transfer
from picogpt.weights.download import MIRRORS, PATIENCE, download
from picogpt.weights.released import DATA
from picogpt.weights.transfer import CHUNK

pytest_plugins = ["download_fixtures"]
pytestmark = pytest.mark.usefixtures("release")


# Mirrors and the absent network


def use_mirrors(monkeypatch, *addresses):
    monkeypatch.delenv("PICOGPT_WEIGHTS_URL")
    monkeypatch.setattr("picogpt.weights.download.MIRRORS", addresses)


def test_the_next_mirror_helps(server, folder, monkeypatch, closed_port, silent_port, capsys):
    monkeypatch.setattr("picogpt.weights.download.PATIENCE", 4.0)  # one second for each
    with DownloadServer() as half:
        half.files = {f"/124M/{name}": FILES[name] for name in NAMES[:3]}
        use_mirrors(monkeypatch, closed_port, silent_port, half.url, server.url)
        download("124M")
        assert_good(folder)
        assert [len(half.got(name)) for name in NAMES] == [1, 1, 1, 1, 0, 0]
        assert [len(server.got(name)) for name in NAMES] == [0, 0, 0, 1, 1, 1]
    said = [line for line in capsys.readouterr().err.splitlines() if "bytes (" not in line]
    assert said[:4] == [
        f"picogpt: {silent_port.removeprefix('http://')}: no answer in time",
        f"picogpt: fetching GPT-2 124M: {TOTAL / 1000:.1f} kB from {half.url} to {folder}; Ctrl-C stops it",
        f"picogpt: {half.url}/124M/vocab.bpe: the server answers 404 Not Found",
        f"picogpt: fetching GPT-2 124M: {(TOTAL - 300) / 1000:.1f} kB from {server.url} to {folder}; Ctrl-C stops it",
    ]


def test_a_mirror_continues_what_another_began(server, folder, monkeypatch):
    with DownloadServer() as first:
        first.files = server.files
        first.answers[f"/124M/{DATA}"] = [cut(4 * CHUNK), answer(404)]
        use_mirrors(monkeypatch, first.url, server.url)
        download("124M")
    assert_good(folder)
    assert server.got(DATA) == [f"bytes={4 * CHUNK}-"]


def test_nobody_answers(folder, monkeypatch, closed_port, capsys):
    use_mirrors(monkeypatch, closed_port, closed_port)
    refused = f"{closed_port.removeprefix('http://')}: Connection refused"
    with pytest.raises(Unreachable) as raised:
        download("124M")
    assert str(raised.value) == (
        f"GPT-2 124M cannot be downloaded ({refused}; {refused}). Try again later, "
        f"or put {', '.join(NAMES)} into {folder} by hand."
    )
    assert capsys.readouterr().err == ""  # the error says it all


def test_somebody_answers_but_has_nothing(server, monkeypatch, closed_port):
    """Then the network is not absent."""
    server.files.clear()
    use_mirrors(monkeypatch, closed_port, server.url)
    with pytest.raises(DownloadError) as raised:
        download("124M")
    assert not isinstance(raised.value, Unreachable)


def test_silence_costs_no_more_than_patience(monkeypatch, silent_port):
    assert PATIENCE <= 4  # which leaves a second for everything else
    monkeypatch.setattr("picogpt.weights.download.PATIENCE", 0.8)
    use_mirrors(monkeypatch, *[silent_port] * 8)
    allowed = []

    def knock(session, url, patience):
        allowed.append(patience)
        return transfer.knock(session, url, patience)

    monkeypatch.setattr("picogpt.weights.download.knock", knock)
    with pytest.raises(Unreachable, match="no answer"):
        download("124M")
    assert len(allowed) == 8
    assert sum(allowed) == pytest.approx(0.8)  # seconds, for all together


def test_a_name_server_that_hangs_costs_no_more(monkeypatch):
    monkeypatch.setattr("picogpt.weights.download.PATIENCE", 0.3)
    released = threading.Event()

    def hang(*_, **__):
        released.wait(3600)
        raise socket.gaierror("too late")

    monkeypatch.setattr(socket, "getaddrinfo", hang)
    with pytest.raises(Unreachable, match="no answer"):
        download("124M")
    assert not released.is_set()  # it did not wait for the name server
    released.set()


def test_addresses():
    assert MIRRORS == (
        "https://openaipublic.blob.core.windows.net/gpt-2/models",
        "https://f001.backblazeb2.com/file/LLMs-from-scratch/gpt2",
    )


@pytest.mark.parametrize("url", ["ftp://host", "/a/folder", "file:///a/folder"])
def test_an_address_that_is_not_http(monkeypatch, url):
    monkeypatch.setenv("PICOGPT_WEIGHTS_URL", url)
    with pytest.raises(DownloadError, match=f"PICOGPT_WEIGHTS_URL is {url}, expected https://"):
        download("124M")


@pytest.mark.parametrize(
    "url", ["http://", "http://:80", "http://[::1", "http://a..b", "http://a b"]
)
def test_an_address_that_makes_no_sense(monkeypatch, url):
    monkeypatch.setenv("PICOGPT_WEIGHTS_URL", url)
    with pytest.raises(DownloadError) as raised:
        download("124M")
    assert "\n" not in str(raised.value)
    assert "no answer" not in str(raised.value)  # but what is wrong with it


def test_an_address_that_ends_in_a_slash(server, folder, monkeypatch):
    server.files = {f"/gpt2/124M/{name}": FILES[name] for name in NAMES}
    monkeypatch.setenv("PICOGPT_WEIGHTS_URL", f"{server.url}/gpt2/")
    download("124M")
    assert_good(folder)


def test_proxies_are_respected(server, folder, monkeypatch):
    server.files = {f"http://far.example/gpt2/124M/{name}": FILES[name] for name in NAMES}
    monkeypatch.setenv("PICOGPT_WEIGHTS_URL", "http://far.example/gpt2")
    monkeypatch.setenv("HTTP_PROXY", server.url)
    monkeypatch.setenv("http_proxy", server.url)
    monkeypatch.delenv("NO_PROXY", raising=False)
    monkeypatch.delenv("no_proxy", raising=False)
    download("124M")
    assert_good(folder)


# The disk

Usage = namedtuple("Usage", "total used free")


def test_too_little_space(server, folder, monkeypatch):
    monkeypatch.setattr(shutil, "disk_usage", lambda _: Usage(10**9, 10**9, SIZE))
    with pytest.raises(DownloadError) as raised:
        download("124M")
    assert str(raised.value) == (
        f"the disk is full: {folder} needs {TOTAL / 1000:.1f} kB more. Free some space, "
        "or set PICOGPT_HOME to a folder on another disk."
    )
    assert server.log == []
    monkeypatch.setattr(shutil, "disk_usage", lambda _: Usage(10**9, 10**9, TOTAL))
    download("124M")


def test_the_disk_fills_up(server, folder, monkeypatch):
    room = SIZE // 2

    class FullDisk(io.FileIO):
        def write(self, data):
            nonlocal room
            room -= len(data)
            if room < 0:
                raise OSError(errno.ENOSPC, "No space left on device")
            return super().write(data)

    def open_file(path, mode):
        return FullDisk(path, mode.replace("b", ""))

    monkeypatch.setattr("picogpt.weights.transfer.open", open_file, raising=False)
    with pytest.raises(DownloadError, match="the disk is full: .* needs .* kB more. Free some"):
        download("124M")
    assert len(server.got(DATA)) == 1  # neither tried again nor taken for the server's fault
    assert (folder / PART).read_bytes() == FILES[DATA][: 4 * CHUNK]
    assert_no_bad_file(folder)


@pytest.mark.skipif(os.name == "nt", reason="the message is that of POSIX")
def test_a_folder_that_cannot_be(monkeypatch, tmp_path):
    (tmp_path / "file").write_text("in the way")
    monkeypatch.setenv("PICOGPT_HOME", str(tmp_path / "file"))
    with pytest.raises(DownloadError) as raised:
        download("124M")
    assert str(raised.value) == (
        f"{tmp_path}/file/models/124M: Not a directory. "
        "PICOGPT_HOME can be set to another folder to keep models in."
    )


# Several processes


def test_two_processes(server, folder):
    begun, go_on = threading.Event(), threading.Event()

    def slowly(handler, body):
        begun.set()
        go_on.wait()
        whole_or_range(handler, body)

    server.answers["/124M/checkpoint"] = [slowly]
    first = command_process(server, folder)
    begun.wait()
    second = command_process(server, folder)
    line = second.stderr.readline()
    assert line == "picogpt: another process is downloading 124M; waiting for it\n"
    go_on.set()
    for each in (first, second):
        each.communicate()
        assert each.returncode == 0
    assert_good(folder)
    assert [server.got(name) for name in NAMES] == [[None]] * len(NAMES)


def test_a_killed_process_leaves_no_bad_file_and_no_lock(server, folder):
    server.answers[f"/124M/{DATA}"] = [stall(4 * CHUNK)]
    victim = command_process(server, folder)
    wait_for_length(folder / PART, 4 * CHUNK)
    victim.kill()
    victim.communicate()
    assert not (folder / DATA).exists()
    assert_no_bad_file(folder)
    download("124M")
    assert_good(folder)
    assert server.got(DATA) == [None, f"bytes={4 * CHUNK}-"]
