"""What all checks share: how they say no, and how an answer is read."""

from collections.abc import Callable

import numpy as np

from ...ops import token_logprobs


class NotYet(Exception):
    """What is still wrong with an answer, in words for the person who gave it."""


def expect(condition, message: str) -> None:
    """Raise NotYet with the message unless the condition holds."""
    if not condition:
        raise NotYet(message)


def attempt(check: Callable, *answers) -> None:
    """Print whether the answers to an exercise pass its check.

    An exercise that nobody has solved yet must not keep the cells below it from running.
    """
    try:
        check(*answers)
    except NotYet as missing:
        print(f"Not yet: {missing}.")
    except Exception as error:  # noqa: BLE001 - an answer can be wrong in any way
        print(f"Not yet: it stops with {type(error).__name__}: {error}")
    else:
        print("Right!")


def numbers(answer, shape: tuple[int, ...] | None = ()) -> np.ndarray:
    """A number, list, tuple, iterator or array as float64 of a shape, of any length for None.

    Raises NotYet.
    """
    expect(answer is not None, "no answer yet")
    if hasattr(answer, "__next__"):
        answer = list(answer)
    try:
        x = np.asarray(answer, float)
    except (TypeError, ValueError):
        what = "a number" if shape == () else "numbers"
        raise NotYet(f"expected {what}, not {answer!r:.50}") from None
    if shape == ():
        expect(x.size == 1, f"the shape is {list(x.shape)}, expected one number")
        return x.reshape(())
    if shape is None:
        expect(x.ndim == 1, f"expected a list of numbers, not {answer!r:.50}")
        return x
    expect(x.shape == shape, f"the shape is {list(x.shape)}, expected {list(shape)}")
    return x


def logprob(model, beginning: str, ending: str) -> float:
    """log p(ending | beginning), in nats, as in notebook 9."""
    start = [model.tokenizer.endoftext, *model.tokenizer.encode(beginning)]
    end = model.tokenizer.encode(ending)
    return float(token_logprobs(model([*start, *end[:-1]])[len(start) - 1 :], end).sum())
