"""The download, from a server on loopback that behaves well or badly."""

import hashlib
import io
import random
import time
from functools import partial

import pytest
import requests
from download_release import (
    FILES,
    NAMES,
    PART,
    SIZE,
    TOTAL,
    assert_good,
    assert_no_bad_file,
)
from download_server import (
    DownloadServer,
    answer,
    cut,
    other,
    send,
    stall,
    whole,
    whole_or_range,
)

from picogpt.weights import DownloadError, Unreachable
from picogpt.weights.download import download
from picogpt.weights.progress import Progress
from picogpt.weights.released import DATA, INDEX, is_complete, released_folder
from picogpt.weights.transfer import CHUNK, transfer

pytest_plugins = ["download_fixtures"]
pytestmark = pytest.mark.usefixtures("release")

ANOTHER = random.Random("another").randbytes(SIZE)  # a file of the same length


def test_download(server, folder, capsys):
    assert not is_complete("124M")
    assert download("124M") == folder == released_folder("124M")
    assert_good(folder)
    assert is_complete("124M")
    for name in NAMES:
        assert server.got(name) == [None]
    first_line = capsys.readouterr().err.splitlines()[0]
    assert first_line == (
        f"picogpt: fetching GPT-2 124M: {TOTAL / 1000:.1f} kB from {server.url} to {folder}; Ctrl-C stops it"
    )


def test_a_complete_model_is_neither_fetched_nor_locked(server, folder, capsys):
    folder.mkdir(parents=True)
    for name, body in FILES.items():
        (folder / name).write_bytes(body)
    assert download("124M") == folder
    assert (server.log, capsys.readouterr().err) == ([], "")
    assert not (folder / "download.lock").exists()


def test_only_what_is_missing_is_fetched(server, folder):
    download("124M")
    server.log.clear()
    (folder / "vocab.bpe").unlink()
    (folder / INDEX).write_bytes(FILES[INDEX][:-1])  # not of the published length
    assert not is_complete("124M")
    download("124M")
    assert_good(folder)
    assert {path for _, path, _ in server.log} == {
        f"/124M/{name}" for name in ("checkpoint", "vocab.bpe", INDEX)
    }
    assert server.got("checkpoint") == []


def test_recheck_fetches_a_bad_file_again(server, folder, capsys):
    download("124M")
    server.log.clear()
    (folder / "vocab.bpe").write_bytes(bytes(100))  # the right length
    download("124M")
    assert server.log == []
    download("124M", recheck=True)
    assert_good(folder)
    assert [server.got(name) for name in NAMES] == [[], [], [], [None], [], []]
    digest = hashlib.sha256(bytes(100)).hexdigest()
    assert f"vocab.bpe is bad: its SHA-256 is {digest}, expected " in capsys.readouterr().err


def test_unknown_size():
    with pytest.raises(ValueError, match="no released model '125M', expected one of 124M, 355M"):
        download("125M")


# Interruptions


def test_resumes_after_a_cut(server, folder, capsys):
    server.answers[f"/124M/{DATA}"] = [cut(3 * CHUNK + 5)]
    download("124M")
    assert_good(folder)
    assert server.got(DATA) == [None, f"bytes={3 * CHUNK}-"]
    assert "trying again in 0.001 s" in capsys.readouterr().err


def test_resumes_in_a_later_run(server, folder, capsys):
    server.answers[f"/124M/{DATA}"] = [cut(4 * CHUNK), answer(404)]
    with pytest.raises(DownloadError, match=f"{DATA}: the server answers 404 Not Found"):
        download("124M")
    assert (folder / PART).read_bytes() == FILES[DATA][: 4 * CHUNK]
    server.log.clear()
    capsys.readouterr()
    download("124M")
    assert_good(folder)
    assert [server.got(name) for name in NAMES] == [[]] * 5 + [[f"bytes={4 * CHUNK}-"]]
    assert f"{6 * CHUNK / 1000:.1f} kB from" in capsys.readouterr().err  # what is still to come


def test_progress_resets_the_count_of_failures(server, folder, monkeypatch):
    monkeypatch.setattr("picogpt.weights.transfer.TRIES", 2)
    server.answers[f"/124M/{DATA}"] = [cut(n * CHUNK) for n in range(1, 10)]
    download("124M")
    assert_good(folder)
    assert len(server.got(DATA)) == 10


def test_gives_up_a_server_that_brings_nothing_new(server, folder, monkeypatch):
    pauses = []
    monkeypatch.setattr(time, "sleep", pauses.append)
    monkeypatch.setattr("picogpt.weights.transfer.BACK_OFF", 1.0)
    server.answers[f"/124M/{DATA}"] = [cut(CHUNK)] * 100
    problem = f"{DATA}: the connection was cut after {CHUNK} bytes, and 6 tries brought nothing new"
    with pytest.raises(DownloadError, match=problem):
        download("124M")
    assert len(server.got(DATA)) == 1 + 6 - 1  # the first brought something, and counts as one
    assert pauses == [1, 2, 4, 8, 16]
    assert_no_bad_file(folder)


def test_survives_a_server_without_ranges(server, folder):
    server.answers[f"/124M/{DATA}"] = [cut(4 * CHUNK, serve=whole), whole]
    download("124M")
    assert_good(folder)
    assert server.got(DATA) == [None, f"bytes={4 * CHUNK}-"]


def test_does_not_go_on_for_ever_without_ranges(server):
    """No try gets farther than the first, from the beginning: that is no progress."""
    tries = [cut(4 * CHUNK, serve=whole), cut(3 * CHUNK, serve=whole)]
    server.answers[f"/124M/{DATA}"] = tries * 50
    with pytest.raises(DownloadError, match="brought nothing new"):
        download("124M")
    assert len(server.got(DATA)) == 6


def test_resumes_after_a_stall(server, folder, monkeypatch):
    monkeypatch.setattr("picogpt.weights.transfer.STALL", 0.5)
    server.answers[f"/124M/{DATA}"] = [stall(5 * CHUNK)]
    download("124M")
    assert_good(folder)
    assert server.got(DATA) == [None, f"bytes={5 * CHUNK}-"]


def test_a_stray_short_answer_costs_nothing_of_what_was_fetched(server, folder):
    """A whole file is promised, and cut off before there is as much as before."""
    server.answers[f"/124M/{DATA}"] = [cut(6 * CHUNK), cut(CHUNK, serve=whole), answer(404)]
    with pytest.raises(DownloadError, match="404"):
        download("124M")
    assert (folder / PART).read_bytes() == FILES[DATA][: 6 * CHUNK]
    assert not [path for path in folder.iterdir() if path.name.endswith(".anew")]
    download("124M")
    assert_good(folder)


@pytest.mark.parametrize(("asked", "pause"), [("3", 3), ("3600", 60), ("soon", 1), ("0", 1)])
def test_a_server_may_ask_for_time_within_reason(server, folder, monkeypatch, asked, pause):
    pauses = []
    monkeypatch.setattr(time, "sleep", pauses.append)
    monkeypatch.setattr("picogpt.weights.transfer.BACK_OFF", 1.0)
    server.answers[f"/124M/{DATA}"] = [answer(503, Retry_After=asked)]
    download("124M")
    assert pauses == [pause]
    assert_good(folder)


def drip(handler, body):
    """The file, but a byte only now and then."""
    send(handler, 200, Content_Length=len(body))
    for i in range(len(body)):
        if handler.server.closing.wait(0.02):
            return
        handler.wfile.write(body[i : i + 1])


def test_a_server_that_drips_is_given_up_for_the_next(server, folder, monkeypatch):
    monkeypatch.setattr("picogpt.weights.transfer.SLOWEST", 0.3)
    with DownloadServer() as slow:
        slow.files = server.files
        slow.answers[f"/124M/{DATA}"] = [drip]
        monkeypatch.delenv("PICOGPT_WEIGHTS_URL")
        monkeypatch.setattr("picogpt.weights.download.MIRRORS", (slow.url, server.url))
        download("124M")
        assert len(slow.got(DATA)) == 1
    assert_good(folder)
    assert len(server.got(DATA)) == 1


def test_types_are_compared_without_regard_to_case(server, folder):
    good = lambda handler, body: whole_or_range(handler, body, Content_Encoding="Identity")
    server.answers[f"/124M/{DATA}"] = [good]
    download("124M")
    assert_good(folder)
    server.answers["/124M/checkpoint"] = [answer(200, b"x", Content_Type="Text/HTML")]
    (folder / "checkpoint").unlink()
    with pytest.raises(DownloadError, match="a web page instead of the file"):
        download("124M")


def test_starts_over_when_the_range_is_refused(server, folder):
    refuse = answer(416, Content_Range="bytes */7")
    elsewhere = answer(206, b"x" * 10, Content_Range=f"bytes 0-9/{SIZE}")
    server.answers[f"/124M/{DATA}"] = [cut(CHUNK), refuse, cut(CHUNK), elsewhere]
    download("124M")
    assert_good(folder)
    assert server.got(DATA) == [None, f"bytes={CHUNK}-", None, f"bytes={CHUNK}-", None]


def test_a_part_that_is_too_long_is_dropped(server, folder):
    folder.mkdir(parents=True)
    (folder / PART).write_bytes(bytes(SIZE + 1))
    download("124M")
    assert_good(folder)


def test_a_complete_part_is_not_fetched_again(server, folder):
    folder.mkdir(parents=True)
    (folder / PART).write_bytes(FILES[DATA])
    download("124M")
    assert_good(folder)
    assert server.got(DATA) == []


def test_starts_over_when_the_object_has_changed(server, folder, capsys):
    server.answers[f"/124M/{DATA}"] = [cut(4 * CHUNK, serve=lambda h, _: whole(h, ANOTHER))]
    download("124M")
    assert_good(folder)
    assert server.got(DATA) == [None, f"bytes={4 * CHUNK}-", None]
    assert "its parts do not belong together, starting over" in capsys.readouterr().err


def test_starts_over_only_once(server, folder):
    halves = [cut(4 * CHUNK), other(ANOTHER)]
    server.answers[f"/124M/{DATA}"] = halves * 10
    with pytest.raises(DownloadError, match=f"{DATA}: its SHA-256 is "):
        download("124M")
    assert len(server.got(DATA)) == 4
    assert not (folder / PART).exists()
    assert_no_bad_file(folder)


# Servers that are wrong

WEB_PAGE = b"<html>The file is not here, but something else is</html>"


@pytest.mark.parametrize(
    ("reply", "problem"),
    [
        (answer(404), "the server answers 404 Not Found"),
        (answer(403), "the server answers 403 Forbidden"),
        (answer(304), "the server answers 304 Not Modified"),
        (answer(200, WEB_PAGE, Content_Type="text/html; charset=utf-8"), "sends a web page"),
        (answer(200, WEB_PAGE), f"the file has {len(WEB_PAGE)} bytes, expected 100"),
        (answer(200, bytes(100), Content_Length=99), "the file has 99 bytes, expected 100"),
        (answer(200, bytes(100), Content_Length=101), "the file has 101 bytes, expected 100"),
        (answer(200, bytes(100)), "its SHA-256 is "),
        (answer(200, bytes(100), Content_Encoding="gzip"), "sends the file encoded as 'gzip'"),
        (answer(302, Location="ftp://host/file"), "'ftp://host/file', which is not https or http"),
        (answer(302, Location="file:///etc/passwd"), "which is not https or http"),
        (answer(302, Location="http://a..b/vocab.bpe"), "label empty or too long"),
    ],
)
def test_a_wrong_answer(server, folder, reply, problem):
    server.answers["/124M/vocab.bpe"] = [reply]
    with pytest.raises(DownloadError, match=problem) as raised:
        download("124M")
    assert "\n" not in str(raised.value)
    assert "vocab.bpe" in str(raised.value)
    assert not isinstance(raised.value, Unreachable)
    assert len(server.got("vocab.bpe")) == 1  # trying again would not help
    assert_no_bad_file(folder)
    download("124M")  # now the server is well
    assert_good(folder)


@pytest.mark.parametrize("status", [408, 429, 500, 503])
def test_a_passing_error(server, folder, status):
    server.answers["/124M/vocab.bpe"] = [answer(status)]
    download("124M")
    assert_good(folder)
    assert len(server.got("vocab.bpe")) == 2


def test_a_lasting_error(server, folder):
    server.answers["/124M/vocab.bpe"] = [answer(500)] * 100
    with pytest.raises(DownloadError, match="vocab.bpe: the server answers 500 Internal Server"):
        download("124M")
    assert len(server.got("vocab.bpe")) == 6


def test_something_that_is_not_http(server):
    def greet(handler, _):
        handler.wfile.write(b"SSH-2.0-OpenSSH_9.6\x1b[2J\r\n")
        handler.close_connection = True

    server.answers["/124M/vocab.bpe"] = [greet] * 6
    with pytest.raises(DownloadError, match="vocab.bpe: SSH-2.0-OpenSSH_9.6 .2J") as raised:
        download("124M")
    assert str(raised.value).isprintable()


def test_a_reason_is_not_that_of_an_exception_being_handled(server, monkeypatch, capsys):
    monkeypatch.setattr("picogpt.weights.transfer.STALL", 0.5)
    server.answers["/124M/vocab.bpe"] = [stall(50)]
    try:
        raise FileNotFoundError("no model here yet")
    except FileNotFoundError:
        download("124M")
    said = capsys.readouterr().err
    assert "picogpt: vocab.bpe: no answer in time; trying again in 0.001 s\n" in said


def test_a_body_without_length(server, folder):
    """Chunked transfer coding does not say how much will come."""

    def chunked(body, handler, _):
        handler.send_response(200)
        handler.send_header("Transfer-Encoding", "chunked")
        handler.end_headers()
        handler.wfile.write(b"%x\r\n%b\r\n0\r\n\r\n" % (len(body), body))

    too_long, too_short = (partial(chunked, FILES["vocab.bpe"] + b"x"), partial(chunked, b"x"))
    server.answers["/124M/vocab.bpe"] = [too_long]
    with pytest.raises(DownloadError, match="vocab.bpe: more than 100 bytes arrived"):
        download("124M")
    server.answers["/124M/vocab.bpe"] = [too_short, partial(chunked, FILES["vocab.bpe"])]
    download("124M")
    assert_good(folder)


def test_follows_redirects(server, folder):
    server.files["/124M/vocab.bpe"] = None
    server.files["/elsewhere"] = FILES["vocab.bpe"]
    server.answers["/124M/vocab.bpe"] = [answer(302, Location=f"{server.url}/there")]
    server.answers["/there"] = [answer(307, Location="/elsewhere")]  # relative
    download("124M")
    assert_good(folder)


def test_does_not_follow_redirects_for_ever(server):
    server.answers["/124M/vocab.bpe"] = [answer(302, Location=f"{server.url}/124M/vocab.bpe")] * 99
    with pytest.raises(DownloadError, match="more than 5 redirects"):
        download("124M")
    assert len(server.got("vocab.bpe")) == 6


def test_https_does_not_lead_to_http(tmp_path):
    class Redirecting(requests.adapters.BaseAdapter):
        def send(self, request, **_):
            response = requests.Response()
            response.status_code, response.url = 302, request.url
            response.headers["Location"] = "http://host/file"
            response.request, response.raw = request, io.BytesIO()
            return response

        def close(self):
            """Nothing is open."""

    with requests.Session() as session:
        session.mount("https://", Redirecting())
        with pytest.raises(
            DownloadError, match="points to 'http://host/file', which is not https$"
        ):
            transfer(session, "https://host/file", tmp_path / "f", 1, Progress(io.StringIO()))


def test_asks_for_no_compression(server, folder):
    encodings = []

    def note(handler, body):
        encodings.append(handler.headers["Accept-Encoding"])
        whole_or_range(handler, body)

    server.answers["/124M/vocab.bpe"] = [note]
    download("124M")
    assert encodings == ["identity"]
