"""Models by their names on the Hub: found on the disk, or fetched from a Hub on loopback."""

import json
import shutil

import hub_server
import numpy as np
import pytest
from download_server import answer, cut, whole_or_range
from hub_server import COMMIT, Always, files_of
from support import random_params

import picogpt
from picogpt.bpe.learn import learn_bpe
from picogpt.config import Config
from picogpt.weights import CheckpointError, DownloadError, Unreachable
from picogpt.weights.__main__ import main
from picogpt.weights.hub_cache import HubName, find_snapshot, hub_name, own_cache
from picogpt.weights.released import DATA, RELEASED, Published, data_sha256

pytest_plugins = ["download_fixtures"]

NAME = "ada/tiny-gpt2"
OTHER = "89abcdef" * 5
TOKEN = "hf_secret"


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A small model, as transformers would publish it."""
    tokenizer = learn_bpe(["the king and the queen had a daughter"], 265)
    config = Config(n_vocab=265, n_ctx=16, n_embd=32, n_head=2, n_layer=2)
    model = picogpt.GPT2(config, random_params(config, seed=1), tokenizer)
    folder = tmp_path_factory.mktemp("model") / "tiny"
    model.save(folder)
    return folder


@pytest.fixture
def hub(folder, monkeypatch, tmp_path):
    """A Hub that has the model, and nothing on the disk."""
    monkeypatch.setenv("PICOGPT_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("HF_HOME", str(tmp_path / "shared"))
    for name in (
        "HF_HUB_CACHE",
        "HUGGINGFACE_HUB_CACHE",
        "HF_HUB_OFFLINE",
        "HTTP_PROXY",
        "http_proxy",
    ):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HF_TOKEN", TOKEN)
    monkeypatch.setattr("picogpt.weights.transfer.BACK_OFF", 0.001)
    with hub_server.serving() as hub:
        monkeypatch.setenv("HF_ENDPOINT", hub.url + "/")
        hub.publish(NAME, files_of(folder))
        yield hub


def listing_of(hub) -> dict:
    return json.loads(hub.files[f"/api/models/{NAME}/revision/main?blobs=true"])


def put_into_shared_cache(folder, root, name=NAME, commit=COMMIT, ref="main"):
    """As Hugging Face's libraries do, with links to blobs."""
    model = root / "hub" / ("models--" + name.replace("/", "--"))
    snapshot, blobs = model / "snapshots" / commit, model / "blobs"
    snapshot.mkdir(parents=True)
    blobs.mkdir()
    for i, path in enumerate(sorted(folder.iterdir())):
        shutil.copy(path, blobs / str(i))
        (snapshot / path.name).symlink_to(f"../../blobs/{i}")
    (model / "refs").mkdir()
    (model / "refs" / ref).write_text(commit)
    return snapshot


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("ada/tiny-gpt2", HubName("ada/tiny-gpt2", "main")),
        ("ada/tiny_gpt2.5@v1.0", HubName("ada/tiny_gpt2.5", "v1.0")),
        ("ada/tiny@refs/pr/1", HubName("ada/tiny", "refs/pr/1")),
        ("distilgpt2", HubName("distilbert/distilgpt2", "main")),
        ("distilgpt2@v2", HubName("distilbert/distilgpt2", "v2")),
    ],
)
def test_names(text, expected):
    assert hub_name(text) == expected


@pytest.mark.parametrize(
    "text",
    ["tiny", "/ada/tiny", "./ada/tiny", "a/b/c", "ada/..", "../tiny", "ada/ti ny", "ada/tiny@", "ada/tiny@../x", "ada\\tiny", ""],
)  # fmt: skip
def test_what_is_no_name(text):
    assert hub_name(text) is None


def test_a_model_is_fetched_once(hub, folder):
    model = picogpt.load(NAME)
    assert np.array_equal(model.params["wte"], picogpt.load(folder).params["wte"])
    assert model.tokenizer.encode("the king") == picogpt.load(folder).tokenizer.encode("the king")
    n_requests = len(hub.log)
    picogpt.load(NAME)
    picogpt.load(f"{NAME}@{COMMIT}", offline=True)
    assert len(hub.log) == n_requests
    snapshot = find_snapshot(HubName(NAME))
    assert snapshot == own_cache() / "models--ada--tiny-gpt2" / "snapshots" / COMMIT
    assert files_of(snapshot) == files_of(folder)
    assert [path.name for path in snapshot.parent.iterdir()] == [COMMIT]


def test_the_token_stays_at_the_hub(hub):
    picogpt.load(NAME)
    assert all(headers["Authorization"] == f"Bearer {TOKEN}" for _, headers in hub.headers)
    assert [path for _, path, _ in hub.storage.log]
    seen = []
    body = next(iter(hub.storage.files.values()))

    def look(handler, _):
        seen.append(handler.headers.get("Authorization"))
        whole_or_range(handler, body)

    shutil.rmtree(own_cache())
    hub.storage.answers[next(iter(hub.storage.files))] = Always(look)
    picogpt.load(NAME)
    assert seen == [None]


def test_a_revision(hub, folder):
    hub.publish(NAME, files_of(folder), OTHER, "v2")
    picogpt.load(f"{NAME}@v2")
    assert find_snapshot(HubName(NAME, "v2")).name == OTHER
    assert find_snapshot(HubName(NAME)) is None
    assert all(COMMIT not in path for path, _ in hub.headers)


def test_shards_of_pytorch_or_safetensors(hub, folder):
    """Of what a repository holds, only what is needed is fetched."""
    files = files_of(folder)
    weights = files.pop("model.safetensors")
    index = {"weight_map": {name: "part-1.safetensors" for name in json.loads(weights[8:][: int.from_bytes(weights[:8], "little")]) if name != "__metadata__"}}  # fmt: skip
    files |= {"model.safetensors.index.json": json.dumps(index).encode()}
    files |= {"part-1.safetensors": weights, "pytorch_model.bin": b"x", "README.md": b"x"}
    files |= {"onnx/model.onnx": b"x"}
    hub.publish(NAME, files)
    picogpt.load(NAME)
    assert not any("pytorch_model" in path or "README" in path for path, _ in hub.headers)


@pytest.mark.parametrize("variable", ["HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE", "HF_HOME"])
@pytest.mark.parametrize("revision", ["", "@main", f"@{COMMIT}"])
def test_the_shared_cache(hub, folder, tmp_path, monkeypatch, variable, revision):
    snapshot = put_into_shared_cache(folder, tmp_path / "elsewhere")
    inside = "" if variable == "HF_HOME" else "hub"
    monkeypatch.setenv(variable, str(tmp_path / "elsewhere" / inside))
    assert find_snapshot(hub_name(NAME + revision)) == snapshot
    picogpt.load(NAME + revision)
    assert hub.log == []


@pytest.mark.parametrize("missing", ["config.json", "model.safetensors", "tokenizer.json"])
def test_a_part_of_a_model_in_the_shared_cache_does_not_count(hub, folder, tmp_path, missing):
    snapshot = put_into_shared_cache(folder, tmp_path / "shared")
    (snapshot / missing).resolve().unlink()  # a link to nothing is left
    if missing == "tokenizer.json":
        (snapshot / "vocab.json").unlink()
    assert find_snapshot(HubName(NAME)) is None
    picogpt.load(NAME)
    assert find_snapshot(HubName(NAME)).is_relative_to(own_cache())


def test_offline(hub, monkeypatch):
    with pytest.raises(FileNotFoundError, match="offline was asked for"):
        picogpt.load(NAME, offline=True)
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    with pytest.raises(FileNotFoundError, match="offline was asked for"):
        picogpt.load(NAME)
    assert hub.log == []


def test_an_interrupted_download_goes_on(hub, folder):
    body = files_of(folder)["model.safetensors"]
    path = "/" + hub_server.sha256(body)
    hub.storage.answers[path] = [cut(70_000)] * 7
    with pytest.raises(DownloadError, match="brought nothing new"):
        picogpt.load(NAME)
    assert find_snapshot(HubName(NAME)) is None
    hub.storage.answers[path] = []
    picogpt.load(NAME)
    assert hub.storage.log[-1][2] == "bytes=65536-"  # what came after the last whole chunk is lost


def test_a_file_that_is_not_the_announced_one(hub, folder):
    good = hub.answers[f"/{NAME}/resolve/{COMMIT}/merges.txt"]
    hub.answers[f"/{NAME}/resolve/{COMMIT}/merges.txt"] = Always(
        lambda handler, body: whole_or_range(handler, body[::-1])
    )
    with pytest.raises(DownloadError, match="its sha1 is [0-9a-f]{40}, expected"):
        picogpt.load(NAME)
    hub.answers[f"/{NAME}/resolve/{COMMIT}/merges.txt"] = good
    body = files_of(folder)["model.safetensors"]
    hub.storage.answers["/" + hub_server.sha256(body)] = Always(
        lambda handler, body: whole_or_range(handler, body[::-1])
    )
    with pytest.raises(DownloadError, match="its sha256 is [0-9a-f]{64}, expected"):
        picogpt.load(NAME)
    assert find_snapshot(HubName(NAME)) is None


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"sha": None}, "the commit is null|the commit is None"),
        ({"sha": "../../etc"}, "expected 40 digits"),
        ({"siblings": {}}, "expected a list"),
        ({"siblings": []}, "there is no file config.json"),
        ({"siblings": [3, {"rfilename": 4}, None]}, "there is no file config.json"),
        ({"siblings": [{"rfilename": "config.json"}]}, "its size is"),
        ({"siblings": [{"rfilename": "config.json", "size": -1, "blobId": "0"}]}, "its size is -1"),
        ({"siblings": [{"rfilename": "config.json", "size": 10, "blobId": 7}]}, "its hash"),
        ({"siblings": [{"rfilename": "config.json", "size": True, "lfs": {}}]}, "its size is"),
    ],
)
def test_a_listing_that_makes_no_sense(hub, change, message):
    hub.list(NAME, listing_of(hub) | change)
    with pytest.raises(DownloadError, match=message):
        picogpt.load(NAME)


def test_an_answer_that_is_no_listing(hub):
    for body in (b"[]", b"{", b"\xff"):
        hub.files[f"/api/models/{NAME}/revision/main?blobs=true"] = body
        with pytest.raises(DownloadError):
            picogpt.load(NAME)


@pytest.mark.parametrize("status", [401, 403, 404])
def test_the_hub_says_why(hub, status):
    hub.refuse(NAME, status, "Access to model ada/tiny-gpt2 is restricted.", "GatedRepo")
    with pytest.raises(DownloadError, match=f"{status} .*: Access to model .* is restricted"):
        picogpt.load(NAME)


def test_another_kind_of_model_is_refused_before_its_weights(hub, folder):
    files = files_of(folder)
    files["config.json"] = files["config.json"].replace(b'"gpt2"', b'"bert"')
    hub.publish(NAME, files)
    with pytest.raises(CheckpointError, match="model_type is 'bert'"):
        picogpt.load(NAME)
    assert hub.storage.log == []


def test_no_weights_and_no_tokenizer(hub, folder):
    files = files_of(folder)
    weights = files.pop("model.safetensors")
    hub.publish(NAME, files | {"tf_model.h5": b"x"})
    with pytest.raises(DownloadError, match="there are no weights"):
        picogpt.load(NAME)
    config = {"config.json": files["config.json"], "model.safetensors": weights}
    hub.publish(NAME, config, OTHER)
    with pytest.raises(DownloadError, match="there is no tokenizer"):
        picogpt.load(NAME)


def test_a_redirect_from_https_to_http_is_refused_elsewhere_too(hub):
    """One to another scheme than http: nothing is opened."""
    hub.answers[f"/{NAME}/resolve/{COMMIT}/config.json"] = Always(
        answer(302, Location="file:///etc/passwd")
    )
    with pytest.raises(DownloadError, match="points to 'file:///etc/passwd'"):
        picogpt.load(NAME)


def test_nobody_answers(hub, monkeypatch, closed_port):
    monkeypatch.setenv("HF_ENDPOINT", closed_port)
    with pytest.raises(Unreachable):
        picogpt.load(NAME)
    monkeypatch.setenv("HF_ENDPOINT", "ftp://example.org")
    with pytest.raises(DownloadError, match="HF_ENDPOINT is 'ftp://example.org'"):
        picogpt.load(NAME)


def test_the_released_models(hub, folder, tmp_path, closed_port, monkeypatch):
    """On the disk already under their names on the Hub; else OpenAI's, else the Hub's."""
    hub.publish("openai-community/gpt2", files_of(folder))
    monkeypatch.setattr("picogpt.weights.download.MIRRORS", (closed_port,))
    monkeypatch.delenv("PICOGPT_WEIGHTS_URL", raising=False)
    with pytest.warns(UserWarning, match="The Hub's copy of 124M is used, but .* NOT those whose"):
        assert picogpt.load("124M").config.n_embd == 32
    n_requests = len(hub.log)
    for name in ("gpt2", "124M", "openai-community/gpt2"):
        picogpt.load(name)
    assert len(hub.log) == n_requests
    monkeypatch.delenv("HF_ENDPOINT")
    with pytest.raises(Unreachable):  # nobody answers, and no other Hub was named
        picogpt.load("355M")


@pytest.mark.parametrize(("known", "end"), [(True, "OpenAI's, bit by bit"), (False, "no hash of")])
def test_the_hubs_copy_is_compared_with_the_published_hash(hub, folder, known, end, monkeypatch):
    data = Published(1, data_sha256(picogpt.load(folder).params) if known else None)
    monkeypatch.setitem(RELEASED["124M"], DATA, data)
    hub.publish("openai-community/gpt2", files_of(folder))
    monkeypatch.setattr("picogpt.weights.download.MIRRORS", ("http://127.0.0.1:1",))
    monkeypatch.delenv("PICOGPT_WEIGHTS_URL", raising=False)
    with pytest.warns(UserWarning, match=end):
        picogpt.load("124M")


def test_what_is_kept_is_listed_and_removed(hub, folder, tmp_path, capsys):
    assert main(["download", NAME]) == 0
    snapshot = find_snapshot(HubName(NAME))
    assert capsys.readouterr().out == f"{NAME} is complete, and every file is good: {snapshot}\n"
    put_into_shared_cache(folder, tmp_path / "shared", "bob/other")
    (own_cache() / "models--eve--half" / "snapshots").mkdir(parents=True)
    (own_cache() / "models--eve--nothing").mkdir()  # nobody answered
    (tmp_path / "home" / "models" / "355M").mkdir(parents=True)
    assert main(["list"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split("  ")[0] for line in lines] == ["355M", NAME, "eve/half", "bob/other"]
    assert "not complete" in lines[0] and "kB  /" in lines[1] and "Hugging Face's" in lines[3]
    for name in (NAME, "eve/half", "355M"):
        assert main(["remove", name]) == 0
    assert main(["remove", NAME]) == main(["remove", "bob/other"]) == 1
    assert "hf cache rm" in capsys.readouterr().err
    assert len([*own_cache().iterdir()]) == 1 and find_snapshot(HubName("bob/other"))
    assert main(["list"]) == 0
    assert capsys.readouterr().out.count("\n") == 1


def test_download_takes_the_newest_commit(hub, folder):
    main(["download", NAME])
    hub.publish(NAME, files_of(folder), OTHER)
    picogpt.load(NAME)
    assert find_snapshot(HubName(NAME)).name == COMMIT
    main(["download", NAME])
    assert find_snapshot(HubName(NAME)).name == OTHER
