"""Reading encoder.json and vocab.bpe: whole, and damaged in every way that comes to mind."""

import shutil
from pathlib import Path

import pytest

from picogpt.bpe import load_tokenizer

FOLDER = Path(__file__).parents[1] / "reference" / "bpe"  # see make_bpe.py


@pytest.fixture
def folder(tmp_path) -> Path:
    """A copy to damage."""
    for name in ("encoder.json", "vocab.bpe"):
        shutil.copyfile(FOLDER / name, tmp_path / name)
    return tmp_path


def refused(folder: Path) -> str:
    """The message with which the folder is refused, which is one line that says where."""
    with pytest.raises(ValueError) as caught:
        load_tokenizer(folder)
    assert type(caught.value) is ValueError  # and not UnicodeDecodeError, JSONDecodeError, ...
    message = str(caught.value)
    assert str(folder) in message
    assert "\n" not in message
    assert len(message) < len(str(folder)) + 200
    return message.replace(str(folder), "")


def test_whole(folder):
    tokenizer = load_tokenizer(str(folder))
    assert tokenizer.n_vocab == 800
    assert len(tokenizer.ranks) == 543


def test_line_ends_of_windows(folder):
    path = folder / "vocab.bpe"
    path.write_bytes(path.read_bytes().replace(b"\n", b"\r\n"))
    assert b"\r\n" in path.read_bytes()
    changed, whole = load_tokenizer(folder), load_tokenizer(FOLDER)
    assert changed.ranks == whole.ranks
    assert changed.encoder == whole.encoder


def test_no_newline_at_the_end(folder):
    path = folder / "vocab.bpe"
    path.write_bytes(path.read_bytes().removesuffix(b"\n"))
    assert load_tokenizer(folder).ranks == load_tokenizer(FOLDER).ranks


@pytest.mark.parametrize("name", ["encoder.json", "vocab.bpe"])
def test_missing_file(folder, name):
    (folder / name).unlink()
    with pytest.raises(FileNotFoundError, match=f"no file {name}"):
        load_tokenizer(folder)


@pytest.mark.parametrize("name", ["encoder.json", "vocab.bpe"])
def test_not_utf8(folder, name):
    path = folder / name
    data = path.read_bytes()
    path.write_bytes(data[:50] + b"\xff" + data[50:])
    assert refused(folder) == f"/{name}: not UTF-8: invalid start byte at byte 50"


@pytest.mark.parametrize("encoding", ["utf-16", "utf-8-sig", "cp437"])
@pytest.mark.parametrize("name", ["encoder.json", "vocab.bpe"])
def test_other_encodings(folder, name, encoding):
    path = folder / name
    text = path.read_text("utf-8").replace("\\u0120", "Ġ")
    path.write_bytes(text.encode(encoding, "replace"))
    assert refused(folder)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "/encoder.json: not JSON: "),
        ('{"a": 1', "/encoder.json: not JSON: "),
        ("\ufeff{}", "/encoder.json: not JSON: Unexpected UTF-8 BOM"),
        ("[" * 100_000, "/encoder.json: not JSON: "),
        ('{"a": ' * 100_000, "/encoder.json: not JSON: "),
        (f'{{"a": {"1" * 5000}}}', "/encoder.json: not JSON: "),
        ('{"a": 1, "b": 2, "a": 1}', "/encoder.json: not JSON: the key 'a' occurs twice"),
        ("[1, 2]", "/encoder.json: holds a JSON list, expected an object"),
        ("null", "/encoder.json: holds a JSON NoneType, expected an object"),
        ("{}", ": encoder.json and vocab.bpe do not fit: 800 tokens have no id"),
        ('{"\\ud800": 0}', ": encoder.json and vocab.bpe do not fit: 800 tokens have no id"),
    ],
)
def test_damaged_encoder(folder, text, message):
    (folder / "encoder.json").write_text(text, "utf-8")
    assert refused(folder).startswith(message)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("", "\ufeff", "/vocab.bpe: line 1 is '\\ufeff#version: 0.2', expected"),
        ("\nh e\n", "\nh e\n\n", "/vocab.bpe: line 3 is '', expected two symbols"),
        ("\nh e\n", "\nhe\n", "/vocab.bpe: line 2 is 'he', expected two symbols"),
        ("\nh e\n", "\nh  e\n", "/vocab.bpe: line 2 is 'h  e', expected two symbols"),
        ("\nh e\n", "\n e\n", "/vocab.bpe: line 2 is ' e', expected two symbols"),
        ("\nh e\n", "\nh e x\n", "/vocab.bpe: line 2 is 'h e x', expected two symbols"),
        ("\nh e\n", "\nh\te\n", "/vocab.bpe: line 2 is 'h\\te', expected two symbols"),
        ("\nh e\n", "\n" + "x" * 9999 + "\n", "/vocab.bpe: line 2 is 'xxxxx"),
        ("\nh e\n", "\n", ": encoder.json and vocab.bpe do not fit: merge 1 joins ('Ġt', 'he')"),
        ("\nh e\n", "\nh e\r\r\n", ": encoder.json and vocab.bpe do not fit: merge 0 joins"),
        ("\nh e\n", "\nh e\nh e\n", ": encoder.json and vocab.bpe do not fit: merge 1 joins"),
        ("\nh e\n", "\nh e\nh q\n", ": encoder.json and vocab.bpe do not fit: 1 tokens have no id"),
    ],
)
def test_damaged_merges(folder, old, new, message):
    path = folder / "vocab.bpe"
    text = path.read_text("utf-8")
    assert text.count(old) >= 1
    path.write_bytes(text.replace(old, new, 1).encode("utf-8"))
    assert refused(folder).startswith(message)


def test_truncated_merges(folder):
    """At the end of a line, where no line is malformed."""
    path = folder / "vocab.bpe"
    lines = path.read_bytes().split(b"\n")
    path.write_bytes(b"\n".join(lines[:300]) + b"\n")
    assert ": encoder.json and vocab.bpe do not fit: 244 tokens are made by no merge" in refused(
        folder
    )


def test_files_of_two_vocabularies(folder):
    path = folder / "encoder.json"
    path.write_text(path.read_text("ascii").replace('river"', 'rover"'), "ascii")
    assert "do not fit: 1 tokens have no id, such as 'Ġriver'" in refused(folder)
