"""The released models: which files there are, where they are kept, and how they are judged."""

import base64
import hashlib
import json
import math
import os
import sys
from pathlib import Path

import pytest
from download_server import answer, cut, other, whole_or_range

from picogpt.config import SIZES, Config, param_shapes
from picogpt.weights import DownloadError
from picogpt.weights.download import download
from picogpt.weights.openai import openai_name, read_openai
from picogpt.weights.released import (
    DATA,
    INDEX,
    RELEASED,
    VOCABULARY,
    Published,
    data_sha256,
    find_fault,
    is_complete,
    released_folder,
)
from picogpt.weights.tf_bundle import read_index

pytest_plugins = ["download_fixtures"]

# What TensorFlow wrote for a small model, in the place of a size without published hashes.
SMALL = Path(__file__).parents[1] / "reference" / "tf_bundle" / "float32"
SIZE = "774M"
NAMES = list(RELEASED[SIZE])


def test_the_hash_of_openais_file_from_the_parameters_alone():
    params = read_openai(SMALL)[1]
    data = (SMALL / DATA).read_bytes()
    assert data_sha256(params) == hashlib.sha256(data).hexdigest()
    params["h"][3]["ln_1"]["b"] = params["h"][3]["ln_1"]["b"] + 1e-6
    assert data_sha256(params) != hashlib.sha256(data).hexdigest()


def test_openais_own_file_is_in_the_order_of_that_hash(openai_files):
    entries, at = read_index(openai_files / "model.ckpt"), 0
    for name in sorted(map(openai_name, param_shapes(SIZES["124M"])), key=str.encode):
        assert entries[name].offset == at
        at += entries[name].size
    assert at == RELEASED["124M"][DATA].n_bytes


@pytest.mark.parametrize(
    ("platform", "environment", "expected"),
    [
        ("linux", {}, "/home/ada/.cache/picogpt"),
        ("linux", {"XDG_CACHE_HOME": "/cache"}, "/cache/picogpt"),
        ("linux", {"XDG_CACHE_HOME": "cache"}, "/home/ada/.cache/picogpt"),
        ("darwin", {}, "/home/ada/Library/Caches/picogpt"),
        ("win32", {"LOCALAPPDATA": "/C/Local"}, "/C/Local/picogpt/Cache"),
        ("win32", {}, "/home/ada/AppData/Local/picogpt/Cache"),
        ("linux", {"PICOGPT_HOME": "/data"}, "/data"),
        ("linux", {"PICOGPT_HOME": "~/data"}, "/home/ada/data"),
        ("win32", {"PICOGPT_HOME": "/data", "LOCALAPPDATA": "/C/Local"}, "/data"),
    ],
)
@pytest.mark.skipif(os.name == "nt", reason="the paths are POSIX paths")
def test_released_folder(monkeypatch, platform, environment, expected):
    monkeypatch.setattr(sys, "platform", platform)
    for name in ("PICOGPT_HOME", "XDG_CACHE_HOME", "LOCALAPPDATA"):
        monkeypatch.delenv(name, raising=False)
    for name, value in ({"HOME": "/home/ada"} | environment).items():
        monkeypatch.setenv(name, value)
    assert released_folder("355M") == Path(expected) / "models" / "355M"


def test_no_home_folder(monkeypatch):
    def no_home():
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.setattr(Path, "home", no_home)
    monkeypatch.delenv("PICOGPT_HOME", raising=False)
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    with pytest.raises(FileNotFoundError, match="home directory. Set PICOGPT_HOME to a folder"):
        released_folder("124M")


@pytest.mark.parametrize("size", SIZES)
def test_length_of_the_data(size):
    """Four bytes for every parameter, and nothing else."""
    shapes = param_shapes(SIZES[size]).values()
    assert RELEASED[size][DATA].n_bytes == 4 * sum(math.prod(shape) for shape in shapes)


def test_hashes_of_openai_files(openai_files):
    for name in RELEASED["124M"]:
        if name != DATA:
            assert find_fault(openai_files / name, "124M", name) is None


def test_a_hash_that_differs(openai_files, tmp_path):
    for name in set(RELEASED["124M"]) - {DATA}:
        body = bytearray((openai_files / name).read_bytes())
        body[len(body) // 2] ^= 1
        (tmp_path / name).write_bytes(body)
        fault = find_fault(tmp_path / name, "124M", name)
        sha256 = RELEASED["124M"][name].sha256
        assert fault == f"its SHA-256 is {hashlib.sha256(body).hexdigest()}, expected {sha256}"


def test_files_without_hashes_are_judged_by_what_they_say(openai_files, monkeypatch):
    names = ["checkpoint", "hparams.json", INDEX]
    monkeypatch.setitem(RELEASED, "124M", {name: Published(None) for name in names})
    for name in names:
        assert find_fault(openai_files / name, "124M", name) is None


# A size for which only the length of the data and the hashes of the vocabulary are published


def small_files() -> dict[str, bytes]:
    vocabulary = {name: name.encode() for name in VOCABULARY}
    others = [name for name in NAMES if name not in vocabulary]
    return vocabulary | {name: (SMALL / name).read_bytes() for name in others}


@pytest.fixture
def folder(monkeypatch, server, release):
    """Where the small model will be, once it is downloaded from the server."""
    files = small_files()
    hashes = {name: hashlib.sha256(files[name]).hexdigest() for name in VOCABULARY}
    known = {name: Published(None, hashes.get(name)) for name in NAMES}
    known[DATA] = Published(len(files[DATA]))
    monkeypatch.setitem(RELEASED, SIZE, known)
    monkeypatch.setitem(SIZES, SIZE, Config(**json.loads(files["hparams.json"])))
    monkeypatch.setattr("picogpt.weights.transfer.CHUNK", 4096)
    server.files = {f"/{SIZE}/{name}": body for name, body in files.items()}
    return released_folder(SIZE)


def assert_good(folder):
    assert is_complete(SIZE)
    for name, body in small_files().items():
        assert (folder / name).read_bytes() == body


def md5(body: bytes) -> str:
    return base64.b64encode(hashlib.md5(body).digest()).decode()


def flipped(name: str) -> bytes:
    """The file with one bit changed in its middle."""
    body = bytearray(small_files()[name])
    body[len(body) // 2] ^= 4
    return bytes(body)


def test_a_good_download(folder, server):
    download(SIZE)
    assert_good(folder)
    assert [server.got(name) for name in NAMES] == [[None]] * len(NAMES)


@pytest.mark.parametrize(
    ("name", "body", "fault"),
    [
        (DATA, flipped(DATA), r"data-00000-of-00001: tensor 'model/.*' has CRC-32C 0x"),
        (INDEX, flipped(INDEX), "index: .*the block at byte .* has CRC-32C 0x"),
        (INDEX, small_files()[INDEX][:-1], "index: .*magic number"),
        (INDEX, b"", "index: .*0 bytes are fewer"),
        (INDEX, (SMALL / "../float16/model.ckpt.index").read_bytes(), "index: .*missing: model/h"),
        ("hparams.json", (SMALL / "../float16/hparams.json").read_bytes(), "not those of 774M"),
        ("hparams.json", b"<html>", "hparams.json: not JSON: Expecting value"),
        ("hparams.json", b"\xff\xff\xff", "hparams.json: .*UTF-8"),
        ("hparams.json", b"[" * 100_000, "hparams.json: not JSON: maximum recursion"),
        ("checkpoint", b"<html>", 'checkpoint: it does not begin with model_checkpoint_path: "'),
        ("vocab.bpe", bytes(9), "vocab.bpe: its SHA-256 is "),
        ("hparams.json", bytes(2**20 + 1), "hparams.json: more than 1048576 bytes arrived"),
    ],
)
def test_a_bad_download(folder, server, name, body, fault):
    server.answers[f"/{SIZE}/{name}"] = [other(body)]
    with pytest.raises(DownloadError, match=fault) as raised:
        download(SIZE)
    assert "\n" not in str(raised.value)
    assert not (folder / name).exists()
    download(SIZE)  # now the server is well
    assert_good(folder)


@pytest.mark.parametrize("name", ["checkpoint", "hparams.json", INDEX, DATA])
def test_content_md5(folder, server, name):
    body = small_files()[name]
    server.answers[f"/{SIZE}/{name}"] = [answer(200, body, Content_MD5=md5(b"another"))]
    fault = f"{name}: its MD5 is {md5(body)}, expected {md5(b'another')}".replace("+", r"\+")
    with pytest.raises(DownloadError, match=fault):
        download(SIZE)
    assert not (folder / name).exists()
    server.answers[f"/{SIZE}/{name}"] = [answer(200, body, Content_MD5=md5(body))]
    download(SIZE)
    assert_good(folder)


def test_the_md5_that_azure_gives_with_a_range(folder, server):
    def with_md5(handler, body):
        # Content-MD5 would here be that of the range, and says nothing about the whole.
        whole_or_range(handler, body, x_ms_blob_content_md5=md5(b"?"), Content_MD5=md5(body))

    server.answers[f"/{SIZE}/{DATA}"] = [cut(8192), with_md5, answer(404)]
    with pytest.raises(DownloadError, match="404"):  # after starting over
        download(SIZE)
    assert server.got(DATA) == [None, "bytes=8192-", None]


def test_a_file_of_unknown_length_is_not_continued(folder, server, monkeypatch):
    """Nothing would tell that its parts do not belong together before it is complete."""
    monkeypatch.setattr("picogpt.weights.transfer.CHUNK", 1000)
    server.answers[f"/{SIZE}/{INDEX}"] = [cut(2000)]
    download(SIZE)
    assert_good(folder)
    assert server.got(INDEX) == [None, None]


def test_data_that_changed_in_between(folder, server):
    server.answers[f"/{SIZE}/{DATA}"] = [
        cut(
            16384, serve=lambda handler, _: whole_or_range(handler, bytes(len(small_files()[DATA])))
        )
    ]
    download(SIZE)
    assert_good(folder)
    assert server.got(DATA) == [None, "bytes=16384-", None]


@pytest.mark.parametrize("name", NAMES)
def test_recheck(folder, server, capsys, name):
    download(SIZE)
    server.log.clear()
    download(SIZE, recheck=True)
    assert server.log == []
    (folder / name).write_bytes(
        b"<" + small_files()[name][1:] if "." not in name else flipped(name)
    )
    download(SIZE)
    assert server.log == []
    download(SIZE, recheck=True)
    assert_good(folder)
    assert [path for method, path, _ in server.log if method == "GET"] == [f"/{SIZE}/{name}"]
    assert f"picogpt: {name} is bad: " in capsys.readouterr().err


def test_recheck_names_a_file_of_another_length(folder, capsys):
    download(SIZE)
    n_bytes = len(small_files()[DATA])
    with open(folder / DATA, "ab") as file:
        file.write(b"more")
    download(SIZE, recheck=True)
    assert_good(folder)
    fault = f"picogpt: {DATA} is bad: it has {n_bytes + 4} bytes, expected {n_bytes}\n"
    assert fault in capsys.readouterr().err


def test_recheck_judges_the_data_by_the_new_index(folder, server):
    download(SIZE)
    server.log.clear()
    for name in (INDEX, DATA):
        (folder / name).write_bytes(flipped(name))
    download(SIZE, recheck=True)
    assert_good(folder)
    assert [server.got(name) for name in (INDEX, DATA)] == [[None], [None]]
