"""Which model is loaded where none is named, and what that asks of the network."""


import pytest
from download_release import FILES, NAMES, assert_good
from download_server import answer

import picogpt
from picogpt.__main__ import main
from picogpt.gpt2 import find_model
from picogpt.weights import DownloadError, Unreachable

pytest_plugins = ["download_fixtures"]
pytestmark = pytest.mark.usefixtures("release")

BUNDLED = find_model("fairytale", offline=True)
NOT_CACHED = "picogpt: GPT-2 124M is not in the cache: the small fairytale writes\n"
NO_NETWORK = (
    "picogpt: GPT-2 124M cannot be downloaded, because no server answers: "
    "the small fairytale writes\n"
)


@pytest.fixture
def cached(folder):
    """The small release is in the cache."""
    folder.mkdir(parents=True)
    for name, body in FILES.items():
        (folder / name).write_bytes(body)


def test_the_bundled_model_is_in_the_package():
    assert BUNDLED.parts[-3:] == ("picogpt", "bundled", "fairytale")


@pytest.mark.usefixtures("cached")
@pytest.mark.parametrize("offline", [True, False])
def test_the_124M_if_it_is_in_the_cache(server, folder, capsys, offline):
    assert find_model(None, offline) == folder
    assert server.log == []
    assert capsys.readouterr().err == ""


def test_else_the_124M_is_downloaded(folder, capsys):
    assert find_model(None, offline=False) == folder
    assert_good(folder)
    assert "fairytale" not in capsys.readouterr().err


def test_without_a_network_the_bundled_model(closed_port, monkeypatch, capsys):
    monkeypatch.setenv("PICOGPT_WEIGHTS_URL", closed_port)
    assert find_model(None, offline=False) == BUNDLED
    assert capsys.readouterr().err == NO_NETWORK


def test_a_silent_network_costs_no_more_than_patience(silent_port, monkeypatch, capsys):
    monkeypatch.setattr("picogpt.weights.download.PATIENCE", 0.5)
    monkeypatch.setenv("PICOGPT_WEIGHTS_URL", silent_port)
    assert find_model(None, offline=False) == BUNDLED
    assert capsys.readouterr().err == NO_NETWORK


def test_offline_the_bundled_model_and_no_request(server, tmp_path, capsys):
    assert find_model(None, offline=True) == BUNDLED
    assert server.log == []
    assert not (tmp_path / "home").exists()
    assert capsys.readouterr().err == NOT_CACHED


def test_a_model_that_is_incomplete_is_not_loaded(folder, capsys):
    folder.mkdir(parents=True)
    (folder / NAMES[0]).write_bytes(FILES[NAMES[0]])
    assert find_model(None, offline=True) == BUNDLED
    assert capsys.readouterr().err == NOT_CACHED


def test_somebody_answers_but_has_nothing(server):
    """Then the network is not absent, and what is wrong is worth knowing."""
    server.answers["/124M/checkpoint"] = [answer(404)]
    with pytest.raises(DownloadError, match="404") as raised:
        find_model(None, offline=False)
    assert not isinstance(raised.value, Unreachable)


@pytest.mark.parametrize("offline", [True, False])
def test_by_name_it_needs_neither_network_nor_cache(server, tmp_path, capsys, offline):
    assert find_model("fairytale", offline) == BUNDLED
    assert server.log == []
    assert not (tmp_path / "home").exists()
    assert capsys.readouterr().err == ""


def test_a_folder_of_the_same_name_needs_its_path(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "fairytale").mkdir()
    assert find_model("fairytale", offline=True) == BUNDLED
    assert find_model("./fairytale", offline=True).resolve() == tmp_path / "fairytale"


# load and the command ask for it


@pytest.fixture
def asked(monkeypatch):
    """What find_model is asked for; nothing is found."""
    calls = []

    def find(*arguments):
        calls.append(arguments)
        raise FileNotFoundError("nothing is found")

    monkeypatch.setattr("picogpt.gpt2.find_model", find)
    return calls


@pytest.mark.parametrize("offline", [True, False])
def test_load(asked, offline):
    with pytest.raises(FileNotFoundError):
        picogpt.load(offline=offline)
    assert asked == [(None, offline)]


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ([], (None, False)),
        (["--offline"], (None, True)),
        (["--model", "fairytale"], ("fairytale", False)),
        (["--offline", "-m", "124M"], ("124M", True)),
    ],
)
def test_command(asked, options, expected):
    assert main([*options, "Once upon a time"]) == 1
    assert asked == [expected]


def test_a_named_124M_that_cannot_be_had_is_an_error(closed_port, monkeypatch, capsys):
    monkeypatch.setenv("PICOGPT_WEIGHTS_URL", closed_port)
    assert main(["--model", "124M", "Once upon a time"]) == 1
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("picogpt: GPT-2 124M cannot be downloaded (127.0.0.1:")
    assert err.count("\n") == 1
