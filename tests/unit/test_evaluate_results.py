"""An evaluation that is killed goes on where it stopped; a file of another run is refused."""

import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

import picogpt
from picogpt.evaluate import results
from picogpt.evaluate.__main__ import main
from picogpt.evaluate.request import Request

TINY = Path(__file__).parents[1] / "reference" / "tiny"
FAIRYTALE = Path(picogpt.__file__).parent / "bundled" / "fairytale"


@pytest.fixture(scope="module")
def tiny():
    model = picogpt.load(TINY)
    return model.params, model.config.n_head


ITEMS = [[Request([1, 2, 3][: 2 + i % 2], 1), Request([3, 2, 1], 2)] for i in range(9)]


def test_only_what_is_missing_is_computed(tiny, tmp_path, monkeypatch):
    expected = results.run(ITEMS, *tiny)
    monkeypatch.setattr(results, "TOKENS_AT_ONCE", 12)  # two items
    out = tmp_path / "results.jsonl"
    results.run(ITEMS, *tiny, out=out)
    lines = out.read_bytes().splitlines(keepends=True)
    out.write_bytes(b"".join(lines[:5]) + lines[5][:9])  # four items, and part of a line
    computed = []
    monkeypatch.setattr(
        results, "reply", lambda r, *_, reply=results.reply: computed.append(r) or reply(r, *_)
    )
    again = results.run(ITEMS, *tiny, out=out)
    assert sum(map(len, computed)) == 2 * (len(ITEMS) - 4)
    rows = [json.loads(line)["item"] for line in out.read_text().splitlines()[1:]]
    assert sorted(rows) == list(range(len(ITEMS)))
    for row, wanted in zip(again, expected, strict=True):
        assert row["logprobs"] == pytest.approx(wanted["logprobs"], abs=1e-4)
        assert row["greedy"] == wanted["greedy"]


def test_a_file_that_is_not_of_this_run(tiny, tmp_path):
    out = tmp_path / "results.jsonl"
    results.run(ITEMS, *tiny, out=out)
    before = out.read_bytes()
    with pytest.raises(ValueError, match="line 1: belongs to another run"):
        results.run(ITEMS[1:], *tiny, out=out)
    with pytest.raises(ValueError, match="belongs to another run"):
        results.run(ITEMS, *tiny, out=out, banned=[1])
    assert out.read_bytes() == before
    out.write_text("my diary")
    with pytest.raises(ValueError, match="not overwritten"):
        results.run(ITEMS, *tiny, out=out)
    assert out.read_text() == "my diary"


@pytest.mark.parametrize(
    "row", [{"item": 99, "logprobs": [0.0, 0.0], "greedy": [True, True]}, {"item": 0},
            {"item": 0, "logprobs": [0.0], "greedy": [True]}, {"item": True}]
)  # fmt: skip
def test_lines_that_are_no_results(tiny, tmp_path, row):
    out = tmp_path / "results.jsonl"
    results.run(ITEMS, *tiny, out=out)
    out.write_text(out.read_text().splitlines()[0] + "\n" + json.dumps(row) + "\n")
    with pytest.raises(ValueError, match="line 2: is not the result"):
        results.run(ITEMS, *tiny, out=out)


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="Windows has no SIGKILL")
def test_kill_and_go_on(tmp_path, capsys):
    passages = [f"The fox saw {i} crows in the old tree and ran to the tree" for i in range(600)]
    data, out = tmp_path / "passages.txt", tmp_path / "results.jsonl"
    data.write_text("\n".join(passages), "utf-8")
    argv = ["lambada", "--data", str(data), "-m", str(FAIRYTALE), "--out", str(out), "--json"]
    with subprocess.Popen([sys.executable, "-m", "picogpt.evaluate", *argv]) as process:
        while process.poll() is None and not (out.exists() and out.read_bytes().count(b"\n") > 50):
            time.sleep(0.01)
        process.kill()
    kept = out.read_bytes()[: out.read_bytes().rfind(b"\n") + 1]
    assert 50 < kept.count(b"\n") <= len(passages), "killed too late"
    assert main(argv) == 0
    resumed = json.loads(capsys.readouterr().out)
    assert out.read_bytes().startswith(kept)
    rows = [json.loads(line)["item"] for line in out.read_text().splitlines()[1:]]
    assert sorted(rows) == list(range(len(passages)))
    assert main([*argv[:5], "--json"]) == 0
    whole = json.loads(capsys.readouterr().out)
    assert resumed["accuracy"] == whole["accuracy"]
    assert resumed["perplexity"] == pytest.approx(whole["perplexity"], rel=1e-5)
