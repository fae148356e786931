"""Right and wrong answers to the notebooks' exercises, as cases for pytest."""

import numpy as np
import pytest
from support import random_params

import picogpt
from picogpt.bpe.learn import learn_bpe
from picogpt.classroom.checks.verdict import attempt
from picogpt.classroom.texts import TALE
from picogpt.config import Config

TOKENIZER = learn_bpe([TALE], n_vocab=400)
CONFIG = Config(n_vocab=400, n_ctx=512, n_embd=24, n_head=3, n_layer=2)
MODEL = picogpt.GPT2(CONFIG, random_params(CONFIG, 5), TOKENIZER)


def cases(table: dict) -> list:
    """check -> (right answers, {answer: what the verdict must say}, what the check also needs).

    An answer is the first argument of the check, a tuple of two for two.
    """
    found = []
    for check, (right, wrong, *more) in table.items():
        name = check.__name__.removeprefix("check_")
        assert len(right) >= 5 and len(wrong) >= 5, name
        for i, answer in enumerate(right):
            found.append(pytest.param(check, answer, more, "Right!", id=f"{name}-right-{i}"))
        for i, (answer, said) in enumerate(wrong):
            found.append(pytest.param(check, answer, more, said, id=f"{name}-wrong-{i}"))
    return found


def judge(check, answer, more, said, capsys) -> None:
    """That the verdict on an answer is Right!, or says what is wrong with it."""
    answers = answer if check.__name__ == "check_2_2" else (answer,)
    attempt(check, *answers, *more)
    verdict = capsys.readouterr().out
    assert verdict.startswith("Right!" if said == "Right!" else "Not yet: ") and said in verdict


def in_place(x: np.ndarray, new) -> np.ndarray:
    """x itself, with other numbers in it."""
    x[:] = new
    return x
