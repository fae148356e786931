"""The command `python -m picogpt.bpe`: texts shown as tokens, and vocabularies learned."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from picogpt.bpe import load_tokenizer
from picogpt.bpe.__main__ import main

REFERENCE = Path(__file__).parents[1] / "reference"
CASE = json.loads((REFERENCE / "learn_bpe.json").read_text("utf-8"))["prose"]


@pytest.fixture
def text(tmp_path) -> Path:
    path = tmp_path / "text.txt"
    path.write_bytes(CASE["text"].encode("utf-8"))
    return path


def learn(*arguments) -> int:
    return main(["learn", *map(str, arguments)])


def test_learns_from_all_files(tmp_path, capsys):
    first, second = CASE["text"].split("<|endoftext|>")
    paths = [tmp_path / "first.txt", tmp_path / "second.txt"]
    for path, part in zip(paths, (first, second)):
        path.write_bytes(part.encode("utf-8"))
    out = tmp_path / "out"
    assert learn(*paths, "--n-vocab", CASE["n_vocab"], "--out", out) == 0
    assert list(map(" ".join, load_tokenizer(out).ranks)) == CASE["merges"]
    said, progress = capsys.readouterr()
    assert said == f"{CASE['n_vocab']} tokens, in encoder.json and vocab.bpe: {out}\n"
    assert progress.splitlines()[:2] == [f"picogpt: reading {path}" for path in paths]
    assert " of them distinct\n" in progress


def test_line_ends_are_left_alone(tmp_path):
    path = tmp_path / "windows.txt"
    path.write_bytes(b"a\r\n\r\nb\r\n\r\n")
    assert learn(path, "--n-vocab", 259, "--out", tmp_path / "out") == 0
    assert [*load_tokenizer(tmp_path / "out").ranks] == [("č", "Ċ"), ("čĊ", "č")]


def test_as_a_process(text, tmp_path):
    """With a locale that cannot print what is learned."""
    command = [sys.executable, "-m", "picogpt.bpe", "learn", text, "--n-vocab", "957", "--out"]
    done = subprocess.run(
        [*command, tmp_path / "out"],
        env=os.environ | {"PYTHONIOENCODING": "ascii"},
        capture_output=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith(b"957 tokens")
    assert b"picogpt: merge 500 of 700: " in done.stderr
    assert load_tokenizer(tmp_path / "out").n_vocab == 957


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "there is no text to learn from"),
        (b"one\ncaf\xe9 two", "bad.txt: not UTF-8: invalid continuation byte at byte 7"),
        (b"abc ab", "the text can fill a vocabulary of at most 260 tokens, not 300"),
        (None, "has no file bad.txt"),
    ],
)
def test_bad_texts(tmp_path, capsys, data, message):
    if data is not None:
        (tmp_path / "bad.txt").write_bytes(data)
    assert learn(tmp_path / "bad.txt", "--n-vocab", 300, "--out", tmp_path / "out") == 1
    said, err = capsys.readouterr()
    assert said == ""
    assert err.splitlines()[-1].startswith("picogpt: ")
    assert message in err.splitlines()[-1]
    assert not (tmp_path / "out").exists()


def test_nothing_is_overwritten(text, tmp_path, capsys):
    out = tmp_path / "out"
    assert learn(text, "--n-vocab", 300, "--out", out) == 0
    before = (out / "encoder.json").read_bytes()
    capsys.readouterr()
    for place, message in [(out, "is not empty, and nothing is overwritten"), (text, "is a file")]:
        assert learn(text, "--n-vocab", 310, "--out", place) == 1
        err = capsys.readouterr().err
        assert err.startswith(f"picogpt: {place}: {message}")
        assert err.count("\n") == 1  # no work was begun in vain
    assert (out / "encoder.json").read_bytes() == before


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "the following arguments are required: command"),
        (["forget"], "argument command: invalid choice: 'forget'"),
        (["learn", "--n-vocab", "300", "--out", "x"], "the following arguments are required: TEXT"),
        (["learn", "t", "--out", "x"], "the following arguments are required: --n-vocab"),
        (["learn", "t", "--n-vocab", "300"], "the following arguments are required: --out"),
        (["learn", "t", "--n-vocab", "many", "--out", "x"], "argument --n-vocab: invalid int"),
        (["learn", "t", "--n-vocab", "256", "--out", "x"], "n_vocab is 256, expected 257 "),
    ],
)
def test_wrong_usage(capsys, arguments, message):
    with pytest.raises(SystemExit) as exited:
        main(arguments)
    assert exited.value.code == 2
    err = capsys.readouterr().err
    assert err.startswith(f"picogpt: {message}")
    assert err.count("\n") == 1


@pytest.mark.parametrize("arguments", [["--help"], ["learn", "--help"]])
def test_help(capsys, arguments):
    with pytest.raises(SystemExit) as exited:
        main(arguments)
    assert exited.value.code == 0
    text = capsys.readouterr().out
    assert "python -m picogpt.bpe learn tales.txt --n-vocab 4096 --out my-vocabulary" in text


def test_a_text_as_tokens_and_back(capsys):
    tiny = str(REFERENCE / "tiny")
    tokenizer = load_tokenizer(REFERENCE / "tiny")
    ids = tokenizer.encode("The river né")
    for arguments, expected in (
        (["encode", "The river né"], " ".join(map(str, ids))),
        (["explain", "The river né"], tokenizer.explain("The river né")),
        (["count", "The river né"], f"{len(ids)} tokens, 13 bytes"),
        (["decode", *map(str, ids)], "The river né"),
    ):
        assert main([*arguments, "-m", tiny]) == 0
        assert capsys.readouterr().out == expected + "\n"
    assert main(["decode", "100000", "-m", tiny]) == 1
    assert "token id 100000 is out of range" in capsys.readouterr().err
