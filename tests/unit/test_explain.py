"""The page about a prompt: what is recorded is what the model computes, and any text is safe."""

import base64
import json
import re
import signal
import socket
import subprocess
import sys
import threading
import urllib.error
import urllib.request

import numpy as np
import pytest

import picogpt
from picogpt.explain.__main__ import main
from picogpt.explain.server import LONGEST_PROMPT, make_server
from picogpt.explain.trace import patterns, top_logits, what_fits
from picogpt.lens.reading import logit_lens
from picogpt.tap import record

MODEL = picogpt.load("fairytale")
NASTY = "</script><!--<b>\"'& \U0001f600 \u05e9\u05dc\u05d5\u05dd \x00 \ud800 {{data}}"


def data_of(page: str) -> dict:
    return json.loads(re.search(r'id="data">(.*?)</script>', page, re.DOTALL)[1])


def unpacked(packed: dict) -> np.ndarray:
    x = np.frombuffer(base64.b64decode(packed["data"]), "<" + packed["kind"])
    x = x.reshape(packed["shape"])
    if "scale" not in packed:
        return x
    scale = np.frombuffer(base64.b64decode(packed["scale"]), "<f4")
    return x * scale.reshape(*packed["shape"][:-1], 1)


@pytest.fixture(scope="module")
def king():
    return data_of(MODEL.explain("The king and the king", 3).html)


def test_the_arrays_are_what_a_tap_sees(king):
    activations = {}
    logits = MODEL(king["ids"], tap=record(activations))
    for name, packed in king["arrays"].items():
        if name.endswith("products"):
            continue
        x = activations[name]
        assert np.abs(unpacked(packed) - x).max() < 1e-4 * np.abs(x).max(), name
    likeliest = {name: unpacked(packed) for name, packed in king["likeliest"].items()}
    there = np.take_along_axis(logits, likeliest["ids"].astype(int), -1)
    np.testing.assert_allclose(likeliest["logits"], there, atol=1e-4)
    for i, maps in enumerate(king["maps"]):
        np.testing.assert_allclose(
            unpacked(maps), activations[f"h.{i}.attn.weights"], atol=1e-4, err_msg=str(i)
        )


def test_the_lens_is_that_of_the_room_lens(king):
    activations = {}
    MODEL(king["ids"], tap=record(activations))
    logits = logit_lens(activations, MODEL.params)
    probs = np.exp(logits - logits.max(-1, keepdims=True))
    probs /= probs.sum(-1, keepdims=True)
    ids = unpacked(king["lens"]["ids"]).astype(int)
    expected = np.take_along_axis(probs, ids, -1)
    np.testing.assert_allclose(unpacked(king["lens"]["probs"]), expected, atol=1e-5)
    np.testing.assert_allclose(expected[..., 0], probs.max(-1), atol=1e-5)


def test_the_bins_keep_the_probability_of_the_rare():
    logits = np.random.default_rng(1).normal(size=(2, 3000)).astype(np.float32)
    found = top_logits(logits)
    total = np.exp(found["logits"]).sum(-1)
    total += (np.exp(found["bin_logits"]) * found["bin_counts"]).sum(-1)
    np.testing.assert_allclose(total, np.exp(logits).sum(-1), rtol=1e-5)
    assert found["bin_counts"].sum() + found["ids"].shape[-1] == 3000


@pytest.mark.parametrize(
    "name", ["previous token", "first token", "itself", "duplicate", "induction"]
)
def test_patterns_are_named(name):
    ids = [7, 5, 6, 7, 5, 6]
    column = {"previous token": [0, 0, 1, 2, 3, 4], "first token": [0] * 6, "itself": range(6)}
    column |= {"duplicate": [0, 0, 0, 0, 1, 2], "induction": [0, 0, 0, 1, 2, 3]}
    head = np.eye(6, dtype=np.float32)[[*column[name]]]
    found = patterns(head, ids)
    assert found[name] == pytest.approx(1) and max(found, key=found.get) == name
    even = np.tri(6) / np.arange(1, 7)[:, None]  # each position looks at all before it alike
    found = patterns(even, [*range(6)])
    assert found["itself"] == pytest.approx(np.mean([1 / i for i in range(2, 7)]), abs=1e-4)
    assert found["first token"] == pytest.approx(np.mean([1 / i for i in range(3, 7)]), abs=1e-4)
    assert "induction" not in found  # no token stands in it twice


def test_what_fits():
    assert what_fits(MODEL.config, 24) == ([*range(MODEL.config.n_layer)], 16)
    assert what_fits(picogpt.config.SIZES["124M"], 20) == ([*range(12)], 8)
    blocks, bits = what_fits(picogpt.config.SIZES["1558M"], 20)
    assert bits == 8 and blocks[0] == 0 and blocks[-1] == 47 and len(blocks) < 10


def test_blocks_can_be_chosen():
    assert what_fits(MODEL.config, 24, []) == ([], 16)
    assert what_fits(MODEL.config, 24, (4, 1, 1)) == ([1, 4], 16)
    assert what_fits(picogpt.config.SIZES["1558M"], 20, [30, 17]) == ([17, 30], 16)
    assert what_fits(picogpt.config.SIZES["1558M"], 20, range(30, 35)) == ([*range(30, 35)], 8)
    n = MODEL.config.n_layer
    wrong = {(n,): f"numbers up to {n - 1}", (-1,): "at least 0", (0.5,): "whole"}
    for blocks, message in wrong.items():
        with pytest.raises((ValueError, TypeError), match=message):
            what_fits(MODEL.config, 24, blocks)
    with pytest.raises(ValueError, match="9 blocks are wanted, but the page holds at most 7"):
        what_fits(picogpt.config.SIZES["1558M"], 20, range(9))
    data = data_of(MODEL.explain("The king", 0, blocks=[2]).html)
    assert data["blocks"] == [2] and "h.2.resid" in data["arrays"]
    assert not any(name.startswith("h.1.") for name in data["arrays"])


def test_boxes_can_be_chosen():
    page = MODEL.explain("The king", 0, blocks=[], boxes=("next", "map")).html
    assert data_of(page)["boxes"] == ["next", "map"]
    assert data_of(MODEL.explain("The king", 0).html)["boxes"] is None
    with pytest.raises(ValueError, match="no box .heads\\?., only map, text, embed"):
        MODEL.explain("The king", 0, boxes=["heads", "heads?"])


def test_any_text_can_be_a_prompt():
    page = MODEL.explain(NASTY, 1).html
    assert page.count("</script>") == 2 and page.encode("utf-8")
    data = data_of(page)
    assert data["ids"][: data["n_prompt"]] == MODEL.tokenizer.encode(NASTY)
    assert "".join(word["text"] for word in data["words"]) == NASTY.replace("\ud800", "\ufffd")
    assert not re.findall(
        r"https?://(?!www.w3.org/2000/svg)[\w.]+/", page.split("<script>")[0].split('id="data"')[0]
    )


def test_the_seed_draws_and_none_is_greedy():
    greedy = data_of(MODEL.explain("The king", 4).html)
    assert greedy["ids"] == [
        *MODEL.prompt_ids("The king"),
        *(s.id for s in MODEL.steps("The king", 4)),
    ]
    drawn = [data_of(MODEL.explain("The king", 8, seed=s).html)["ids"] for s in (1, 1, 2)]
    assert drawn[0] == drawn[1] != drawn[2]


def test_too_long_a_text_is_refused():
    with pytest.raises(ValueError, match="at most 64"):
        MODEL.explain("The king. " * 60)


def test_damaged_weights_are_named():
    broken = picogpt.GPT2(
        MODEL.config, MODEL.params | {"wpe": MODEL.params["wpe"] * np.nan}, MODEL.tokenizer
    )
    with pytest.raises(ValueError, match="damaged"):
        broken.explain("The king", 0)


def test_save_and_notebook(tmp_path):
    page = MODEL.explain("The king", 1)
    assert page.save(tmp_path / "page.html").read_text("utf-8") == page.html
    assert [*tmp_path.iterdir()] == [tmp_path / "page.html"]
    assert 'sandbox="allow-scripts"' in page._repr_html_() and "<script>" not in page._repr_html_()


def test_the_command(tmp_path, capsys):
    out = tmp_path / "page.html"
    assert main(["The king", "-m", "fairytale", "-n", "2", "--out", str(out)]) == 0
    assert len(data_of(out.read_text("utf-8"))["ids"]) == len(MODEL.prompt_ids("The king")) + 2
    assert main(["The king " * 99, "-m", "fairytale", "--out", str(out)]) == 1
    assert "at most 64" in capsys.readouterr().err
    with pytest.raises(SystemExit, match="2"):
        main(["The king", "-n", "-1"])
    assert main("King -m fairytale -n 0 --blocks 2 4 --out".split() + [str(out)]) == 0
    assert data_of(out.read_text("utf-8"))["blocks"] == [2, 4]


def test_a_taken_port(capsys):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        assert main(["--serve", "-m", "fairytale", "--port", port]) == 1
    assert f"port {port}: " in capsys.readouterr().err


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX signals")
def test_ctrl_c_ends_the_server():
    program = (
        "import signal, sys\n"
        "signal.signal(signal.SIGINT, signal.default_int_handler)\n"  # see download_release.py
        "from picogpt.explain.__main__ import main\n"
        "sys.exit(main('--serve -m fairytale --port 0'.split()))\n"
    )
    command = [sys.executable, "-c", program]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as server:
        line = server.stderr.readline()  # the server answers from here on
        assert ask(re.search(r"http://\S+", line)[0])[0] == 200
        server.send_signal(signal.SIGINT)
        assert server.stderr.read().strip() == "" and server.wait() == 130


@pytest.fixture(scope="module")
def server():
    with make_server(MODEL, "The king", 2) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def ask(address: str, **headers) -> tuple[int, str]:
    request = urllib.request.Request(address, headers=headers)
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(request, timeout=30) as answer:
            return answer.status, answer.read().decode("utf-8")
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode("utf-8")


def test_the_server_computes_each_prompt(server):
    status, page = ask(server + "/?prompt=The+queen&n=1")
    assert status == 200
    assert data_of(page)["ids"][:-1] == MODEL.prompt_ids("The queen")
    assert "The queen</textarea>" in page and "form-action 'self'" in page


def test_the_server_silences_heads(server):
    silent = data_of(ask(server + "/?prompt=The+queen&n=0&silence=2.3")[1])["arrays"]
    d = MODEL.config.n_head_dim
    merged = unpacked(silent["h.2.attn.merged"])
    assert not merged[:, 3 * d : 4 * d].any() and merged[:, : 3 * d].any()


def test_the_server_answers_to_its_own_address_alone(server):
    assert ask(server + "/", Host="example.org")[0] == 403
    assert ask(server + "/", Host="")[0] == 403


@pytest.mark.parametrize("path", ["/page.css", "/../../README.md", "/%2e%2e/README.md"])
def test_the_server_has_no_files(server, path):
    assert ask(server + path)[0] == 404


@pytest.mark.parametrize(
    "query",
    [
        "prompt=" + "a" * (LONGEST_PROMPT + 1),
        "n=99",
        "n=-1",
        "n=many",
        "silence=3",
        "silence=99.1",
        "a=1&b=2&c=3&d=4",
        "silence=<script>",
    ],
)
def test_the_server_says_what_is_wrong(server, query):
    status, page = ask(server + "/?" + query)
    assert status == 400 and 'role="alert"' in page and "<script>" not in page
