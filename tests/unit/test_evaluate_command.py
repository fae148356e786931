"""python -m picogpt.evaluate, against the functions that it calls, and on wrong files."""

import json
import math
from pathlib import Path

import numpy as np
import pytest
from support import bits_per_byte

import picogpt
from picogpt.evaluate.__main__ import PROTOCOLS, main
from picogpt.evaluate.published import (
    PUBLISHED,
    WHY_THEY_DIFFER,
    other_protocols,
    published,
)

TINY = Path(__file__).parents[1] / "reference" / "tiny"
HELLASWAG = {"activity_label": "A", "ctx_a": "b", "ctx_b": "c", "ctx": "b c", "label": 1,
             "endings": ["d", "e"]}  # fmt: skip


def figures(capsys, *argv) -> dict:
    assert main([*map(str, argv), "-m", str(TINY), "--json"]) == 0
    return json.loads(capsys.readouterr().out)


def test_documents(tmp_path, capsys):
    path = tmp_path / "tales.txt"
    path.write_text("One tale. " * 20 + "\n<|endoftext|>\nAnother one.\n", "utf-8")
    found = figures(capsys, "text", path)
    model = picogpt.load(TINY)
    documents = ["One tale. " * 20, "Another one."]
    bits, nats = bits_per_byte(model.params, model.config, model.tokenizer, documents)
    assert found["bits per byte"] == pytest.approx(bits, rel=1e-5)
    assert found["perplexity per token"] == pytest.approx(math.exp(nats), rel=1e-5)


def test_cbt(tmp_path, capsys):
    path = tmp_path / "cbt.txt"
    block = (
        "".join(f"{i} Say {i} .\n" for i in range(1, 3)) + "21 The XXXXX ran .\tfox\t\tcat|fox\n\n"
    )
    path.write_text(block * 2, "utf-8")
    found = figures(capsys, "cbt", "--data", path)
    model = picogpt.load(TINY)
    context = "Say 1 . Say 2 . The"
    skip = len(model.tokenizer.encode(context)) - 1
    totals = []
    for word in ("cat", "fox"):
        ids = model.tokenizer.encode(f"{context} {word} ran .")
        assert len(ids) <= model.config.n_ctx
        logits = model(ids).astype(np.float64)
        log_p = logits - np.log(np.exp(logits).sum(-1, keepdims=True))
        totals.append(sum(log_p[i, ids[i + 1]] for i in range(skip, len(ids) - 1)))
    assert found["items"] == 2
    assert found["acc"] == float(totals[1] > totals[0])


@pytest.mark.parametrize(("task", "protocol"), [(t, p) for t in PROTOCOLS for p in PROTOCOLS[t]])
def test_every_protocol_answers(tmp_path, capsys, task, protocol):
    path = tmp_path / ("data.jsonl" if task == "hellaswag" else "data.txt")
    path.write_text({
        "hellaswag": json.dumps(HELLASWAG), "cbt": "1 a\n21 b XXXXX\tc\t\tc|d\n",
    }.get(task, "One tale of a fox\n"), "utf-8")  # fmt: skip
    data = [path] if task == "text" else ["--data", path]
    found = figures(capsys, task, *data, "--protocol", protocol, "--limit", 1)
    assert found["protocol"] == protocol
    assert all(math.isfinite(x) for x in found.values() if isinstance(x, float))


@pytest.mark.parametrize(
    ("task", "name", "content", "message"),
    [
        ("text", "a.txt", b" \n", "there is no text in it"),
        ("text", "a.txt", b"\xff", "not UTF-8"),
        ("lambada", "a.jsonl", b'{"text": 3}', "line 1: text is 3, expected str"),
        ("lambada", "a.jsonl", b"{", "line 1: not JSON"),
        ("lambada", "a.txt", b"", "there are no items in it"),
        ("hellaswag", "a.jsonl", b'{"endings": ["a"], "label": 4}', "line 1: label is 4"),
        ("cbt", "a.txt", b"21 no blank\ta\t\ta|b", "line 1: expected query"),
    ],
)
def test_what_cannot_be_evaluated(tmp_path, capsys, task, name, content, message):
    path = tmp_path / name
    path.write_bytes(content)
    data = [str(path)] if task == "text" else ["--data", str(path)]
    assert main([task, *data, "-m", str(TINY)]) == 1
    err = capsys.readouterr().err
    assert err.startswith(f"picogpt: {path}: ")
    assert message in err


def test_usage(capsys):
    with pytest.raises(SystemExit) as end:
        main(["text", "a.txt", "--stride", "3"])
    assert end.value.code == 2
    assert capsys.readouterr().err.startswith("picogpt: --stride needs --protocol stream")


def test_published_figures():
    assert published("lambada", "openai", "774M")[0] == "accuracy 60.12 (paper)"
    assert published("lambada", "openai", None) == []
    assert published("hellaswag", "llm.c", "355M") == []
    assert all(protocol in PROTOCOLS[task] for task, protocol in PUBLISHED)
    assert other_protocols("lambada", "openai", "124M") == [
        "last-token: accuracy 46.67 (transformers #13761)",
        "last-word: accuracy 32.56 (lm-evaluation-harness #2159)",
        "last-word: perplexity 40.06 (lm-evaluation-harness #2159)",
        "last-word: accuracy 32.3 (nanochat)",
    ]
    several = {task for task in PROTOCOLS if sum(task == of for of, _ in PUBLISHED) > 1}
    assert several == {*WHY_THEY_DIFFER}


def test_the_published_figures_are_shown_with_the_reason_why_they_differ(
    tmp_path, capsys, monkeypatch
):
    path = tmp_path / "a.txt"
    path.write_text("The fox ran to the river\n")
    monkeypatch.setattr("picogpt.evaluate.__main__.load", lambda name: picogpt.load(TINY))
    assert main(["lambada", "--data", str(path), "-m", "124M"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "lambada, protocol last-word"
    assert "published: accuracy 32.56 (lm-evaluation-harness #2159)" in lines
    assert "published, by another protocol: openai: accuracy 45.99 (paper)" in lines
    assert lines[-1] == f"They differ because {WHY_THEY_DIFFER['lambada']}."
