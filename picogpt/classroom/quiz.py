"""Five quick questions per notebook: quiz(3) asks those of notebook 3, quiz(3, "abcab") checks.

The questions are in data/quiz.txt. There a line "# 3" begins those of notebook 3; a question is a
line, three answers, and a line with the right letter and the reason.
"""

import textwrap

from .texts import DATA

QUESTIONS = DATA / "quiz.txt"
LETTERS = "abc"


def read_questions(text: str) -> dict[str, list[list[str]]]:
    """Notebook -> its questions, each [question, a, b, c, right letter, reason]."""
    found = {}
    for part in text.split("\n# ")[1:]:
        number, *questions = part.strip().split("\n\n")
        found[number] = [
            [*lines[:4], lines[4][0], lines[4][2:]] for lines in map(str.splitlines, questions)
        ]
    return found


def quiz(notebook: int | str, letters: str | None = None) -> None:
    """Print the questions; or, with five letters, which of them are right, and why.

    A "-" leaves a question out: quiz(3, "a--c-") answers two of them.
    """
    questions = read_questions(QUESTIONS.read_text("utf-8"))[str(notebook)]
    if letters is None:
        for i, (question, *answers, _, _) in enumerate(questions, start=1):
            print(textwrap.fill(f"{i}. {question}", 96, subsequent_indent="   "))
            for letter, answer in zip(LETTERS, answers):
                print(textwrap.fill(f"   {letter}) {answer}", 96, subsequent_indent="      "))
        return
    given = "".join(letters).replace(" ", "").lower()
    if len(given) != len(questions) or not set(given) <= {*LETTERS, "-"}:
        print(f"Expected {len(questions)} letters, each a, b or c, or - to leave a question out.")
        return
    for i, (letter, (*_, right, reason)) in enumerate(zip(given, questions), start=1):
        if letter == right:
            print(textwrap.fill(f"{i}. Right. {reason}", 96, subsequent_indent="   "))
        elif letter in LETTERS:
            print(f"{i}. Not {letter}.")
    if not set(given) & set(LETTERS):
        print("No answers yet.")
