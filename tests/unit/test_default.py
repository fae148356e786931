"""Which model is loaded where none is named, and what that asks of the network."""

import pytest
from download_release import FILES, NAMES, assert_good
from download_server import answer

import picogpt
from picogpt.__main__ import main
from picogpt.weights.find import find_model

pytest_plugins = ["download_fixtures"]
pytestmark = pytest.mark.usefixtures("release")

BUNDLED = find_model("fairytale", offline=True)
NOT_CACHED = "^GPT-2 124M is not in the cache; the small model fairytale is used instead$"
NO_NETWORK = r"^GPT-2 124M cannot be downloaded \(127.0.0.1:\d+: .*; the small model fairytale is used instead$"


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
@pytest.mark.filterwarnings("error")
def test_the_124M_if_it_is_in_the_cache(server, folder, offline):
    assert find_model(None, offline) == folder
    assert server.log == []


@pytest.mark.filterwarnings("error")
def test_else_the_124M_is_downloaded(folder, capsys):
    assert find_model(None, offline=False) == folder
    assert_good(folder)
    assert "Ctrl-C stops it" in capsys.readouterr().err


def test_without_a_network_the_bundled_model(closed_port, monkeypatch):
    monkeypatch.setenv("PICOGPT_WEIGHTS_URL", closed_port)
    with pytest.warns(UserWarning, match=NO_NETWORK):
        assert find_model(None, offline=False) == BUNDLED


def test_a_silent_network_costs_no_more_than_patience(silent_port, monkeypatch):
    monkeypatch.setattr("picogpt.weights.download.PATIENCE", 0.5)
    monkeypatch.setenv("PICOGPT_WEIGHTS_URL", silent_port)
    with pytest.warns(UserWarning, match=NO_NETWORK):
        assert find_model(None, offline=False) == BUNDLED


def test_offline_the_bundled_model_and_no_request(server, tmp_path):
    with pytest.warns(UserWarning, match=NOT_CACHED):
        assert find_model(None, offline=True) == BUNDLED
    assert server.log == []
    assert not (tmp_path / "home").exists()


def test_a_model_that_is_incomplete_is_not_loaded(folder):
    folder.mkdir(parents=True)
    (folder / NAMES[0]).write_bytes(FILES[NAMES[0]])
    with pytest.warns(UserWarning, match=NOT_CACHED):
        assert find_model(None, offline=True) == BUNDLED


@pytest.mark.parametrize(
    ("variables", "reason"),
    [
        ({"HTTP_PROXY": "http://[broken"}, "Invalid URL|Failed to parse|proxy"),
        ({"HTTP_PROXY": "socks5://127.0.0.1:9"}, "SOCKS"),
        ({"PICOGPT_WEIGHTS_URL": "https://127.0.0.1", "REQUESTS_CA_BUNDLE": "no-file"}, "no-file"),
        ({"PICOGPT_WEIGHTS_URL": "ftp://example.org"}, "expected https:// or http://"),
        ({"PICOGPT_HOME": "/dev/null/home"}, "Not a directory|not a directory"),
    ],
)
def test_whatever_is_in_the_way_the_bundled_model_writes(server, monkeypatch, variables, reason):
    monkeypatch.delenv("NO_PROXY", raising=False)
    monkeypatch.delenv("no_proxy", raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    with pytest.warns(
        UserWarning, match=rf"({reason})(.|\n)*the small model fairytale is used instead$"
    ) as noticed:
        assert find_model(None, offline=False) == BUNDLED
    assert len(noticed) == 1


def test_a_proxy_that_asks_for_a_password(server, monkeypatch):
    monkeypatch.delenv("NO_PROXY", raising=False)
    monkeypatch.delenv("no_proxy", raising=False)
    server.answers["/124M/checkpoint"] = [answer(407)] * 9
    monkeypatch.setenv("HTTPS_PROXY", server.url)
    monkeypatch.setenv("PICOGPT_WEIGHTS_URL", "https://example.org")
    with pytest.warns(
        UserWarning, match="example.org: .*the small model fairytale is used instead$"
    ):
        assert find_model(None, offline=False) == BUNDLED


def test_no_home_folder(monkeypatch):
    monkeypatch.delenv("PICOGPT_HOME")

    def no_home():
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.setattr("pathlib.Path.home", no_home)
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    with pytest.warns(
        UserWarning, match="Could not determine home .* the small model fairytale is used instead"
    ):
        assert find_model(None, offline=False) == BUNDLED


def test_somebody_answers_but_has_nothing(server):
    server.answers["/124M/checkpoint"] = [answer(404)]
    with pytest.warns(UserWarning, match="404 .*the small model fairytale is used instead$"):
        assert find_model(None, offline=False) == BUNDLED


@pytest.mark.parametrize("offline", [True, False])
@pytest.mark.filterwarnings("error")
def test_by_name_it_needs_neither_network_nor_cache(server, tmp_path, offline):
    assert find_model("fairytale", offline) == BUNDLED
    assert server.log == []
    assert not (tmp_path / "home").exists()


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
