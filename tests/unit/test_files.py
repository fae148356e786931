"""Files are read with suspicion, and written whole or not at all."""

import json
import os
import threading
from pathlib import Path

import pytest

from picogpt.files import brief, parse_json, read_json, read_text, replacing, write_json


def test_text_keeps_its_line_ends(tmp_path):
    (tmp_path / "a").write_bytes("é\r\n\n".encode())
    assert read_text(tmp_path / "a") == "é\r\n\n"


def test_text_that_is_not_utf8(tmp_path):
    (tmp_path / "a").write_bytes(b"ab\xff")
    for read in (read_text, read_json):
        with pytest.raises(ValueError) as caught:
            read(tmp_path / "a")
        assert str(caught.value) == f"{tmp_path / 'a'}: not UTF-8: invalid start byte at byte 2"
        assert type(caught.value) is ValueError


@pytest.mark.parametrize("read", [read_text, read_json])
def test_missing_file(tmp_path, read):
    for path in (tmp_path / "a", tmp_path):  # a folder is no file
        with pytest.raises(FileNotFoundError, match=f"^{path.parent} has no file {path.name}$"):
            read(path)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "not JSON: Expecting value"),
        ("{} {}", "not JSON: Extra data"),
        ("\ufeff{}", "not JSON: Unexpected UTF-8 BOM"),
        ("[" * 100_000, "not JSON: maximum recursion depth exceeded"),
        ("1" * 5000, "not JSON: Exceeds the limit"),
        ("3", "holds a JSON int, expected an object"),
        ('{"a": 1, "b": 2, "b": 3}', "not JSON: the key 'b' occurs twice in one object"),
        ('{"a": [{"b": 1, "b": 1}]}', "not JSON: the key 'b' occurs twice in one object"),
        ('{"a": 1, "\\u0061": 1}', "not JSON: the key 'a' occurs twice in one object"),
    ],
)
def test_json_that_is_no_object(tmp_path, text, message):
    for form in (text, text.encode()):
        with pytest.raises(ValueError) as caught:
            parse_json(form)
        assert str(caught.value).startswith(message)
        assert type(caught.value) is ValueError
    (tmp_path / "a").write_text(text, "utf-8")
    with pytest.raises(ValueError) as caught:
        read_json(tmp_path / "a")
    assert str(caught.value).startswith(f"{tmp_path / 'a'}: {message}")


def test_json_round_trip(tmp_path):
    value = {"b": [1, 0.5, None, True, "é\n\u2028"], "a": {}}
    write_json(tmp_path / "a", value)
    assert read_json(tmp_path / "a") == value
    assert list(read_json(tmp_path / "a")) == ["b", "a"]
    assert (tmp_path / "a").read_bytes().decode("utf-8").count("\n") > 5
    assert json.loads((tmp_path / "a").read_bytes()) == value


def test_any_value_is_shown_briefly():
    deep: list = []
    for _ in range(100_000):
        deep = [deep]
    for value in (deep, list(range(10**6)), "x" * 10**6, {i: i for i in range(1000)}, 10**4000):
        assert len(brief(value)) <= 80
    assert brief("a\nb") == r"'a\nb'"


def test_a_file_gets_its_name_at_the_end(tmp_path):
    path = tmp_path / "a"
    path.write_text("old")
    with replacing(path) as file:
        file.write(b"new")
        assert path.read_text() == "old"
    assert path.read_text() == "new"
    assert list(tmp_path.iterdir()) == [path]


def test_a_failure_leaves_the_old_file_alone(tmp_path):
    path = tmp_path / "a"
    path.write_text("old")
    with pytest.raises(KeyboardInterrupt), replacing(path) as file:
        file.write(b"new")
        raise KeyboardInterrupt
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_what_a_link_leads_to_is_replaced(tmp_path):
    (tmp_path / "a").write_text("old")
    link = tmp_path / "link"
    link.symlink_to("a")
    with replacing(link) as file:
        file.write(b"new")
    assert link.is_symlink() and (tmp_path / "a").read_text() == "new"


def test_links_that_lead_to_each_other_are_replaced(tmp_path):
    one, other = tmp_path / "one", tmp_path / "other"
    one.symlink_to(other)
    other.symlink_to(one)
    with replacing(one) as file:
        file.write(b"new")
    assert other.read_text() == "new"


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="Windows has no pipes with names")
def test_a_pipe_a_folder_and_nowhere_are_not_written_to(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path / "pipe", tmp_path):
        with pytest.raises(ValueError, match="is not an ordinary file"), replacing(path):
            pytest.fail("it was opened")
    assert (tmp_path / "pipe").is_fifo()
    with pytest.raises(FileNotFoundError, match="no such folder"), replacing(tmp_path / "b" / "c"):
        pytest.fail("it was opened")


def test_a_pointer_of_git_lfs_is_named(tmp_path):
    path = tmp_path / "config.json"
    path.write_text("version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 5\n")
    for read in (read_text, read_json):
        with pytest.raises(ValueError, match=f"^{path}: is only Git LFS's pointer"):
            read(path)


def test_a_file_that_is_missing_in_the_current_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(FileNotFoundError, match=r"^there is no file missing\.txt$"):
        read_text(Path("missing.txt"))


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="POSIX pipes")
def test_a_pipe_is_read_as_a_file(tmp_path):
    path = tmp_path / "pipe"
    os.mkfifo(path)
    writer = threading.Thread(target=path.write_text, args=("piped",))
    writer.start()
    assert read_text(path) == "piped"
    writer.join()


def test_a_json_file_beyond_reason(tmp_path, monkeypatch):
    monkeypatch.setattr("picogpt.files.MAX_JSON", 9)
    path = tmp_path / "large.json"
    path.write_text('{"a": 12345}')
    with pytest.raises(ValueError, match="has more than 9 bytes, too many for a JSON file"):
        read_json(path)


def test_two_writers_of_one_file_do_not_meet(tmp_path):
    path = tmp_path / "file"
    with replacing(path) as first:
        first.write(b"first")
        with replacing(path) as second:
            second.write(b"second")
        assert path.read_bytes() == b"second"
    assert path.read_bytes() == b"first"
    assert [*tmp_path.iterdir()] == [path]
