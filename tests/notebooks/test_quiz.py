"""The quick questions of the notebooks, and the drawings that say where one is."""

import re
import sys
from pathlib import Path

import pytest

from picogpt.classroom.quiz import QUESTIONS, quiz, read_questions

FOLDER = Path(__file__).parents[2] / "notebooks"
sys.path.insert(0, str(FOLDER))
import architecture  # noqa: E402

SOURCES = sorted((FOLDER / "source").glob("*.py"))


def number_of(source: Path) -> str:
    """The number in its name: 0 of 00_quick_start.py, 5b of 05b_writing_fast.py."""
    return source.name.split("_")[0].lstrip("0") or "0"


ASKED = read_questions(QUESTIONS.read_text("utf-8"))


@pytest.mark.parametrize("source", SOURCES, ids=lambda path: path.stem)
def test_every_notebook_asks_its_own_five_questions(source):
    number = number_of(source)
    assert re.findall(r"^quiz\(\"?(\w+)", source.read_text("utf-8"), re.M) == [number] * 2
    assert len(ASKED[number]) == 5
    for lines in ASKED[number]:
        assert len(lines) == 6 and all(lines) and lines[4] in "abc"
        assert len(set(lines[1:4])) == 3


def test_right_and_wrong_letters(capsys):
    right = "".join(question[4] for question in ASKED["3"])
    quiz(3, right.upper())
    assert capsys.readouterr().out.count("Right.") == 5
    quiz(3, "".join("abc"[("abc".index(letter) + 1) % 3] for letter in right))
    out = capsys.readouterr().out
    assert out.count("Not ") == 5 and "Right" not in out
    quiz(3, "-----")
    assert capsys.readouterr().out == "No answers yet.\n"


@pytest.mark.parametrize("letters", ["bac", "bxcba", "abcabc"])
def test_what_are_no_answers(letters, capsys):
    quiz(3, letters)
    assert capsys.readouterr().out.startswith("Expected 5 letters")


def test_the_drawings_are_those_of_the_script():
    assert (FOLDER / "data" / "architecture.svg").read_text("utf-8") == architecture.whole()
    for source in SOURCES[1:]:
        number = number_of(source)
        drawing = f"data/here_{number}.svg"
        strip = architecture.strip(int(number) if number.isdigit() else number)
        assert (FOLDER / drawing).read_text("utf-8") == strip
        assert f"]({drawing})" in source.read_text("utf-8")
