"""Asking for one prompt after another: what `python -m picogpt` does without a prompt."""

import contextlib
import sys
from collections.abc import Callable
from dataclasses import asdict, replace

from .decoding.sampling import Sampling

HELP = """\
Type the beginning of a text. Ctrl-C ends what is being written, Ctrl-D ends picogpt.
/more goes on with the last text, /settings shows the settings, /set NAME VALUE changes one."""

WHOLE = ("top_k", "max_new_tokens")  # settings that are whole numbers


def ask(write: Callable, sampling: Sampling, max_new_tokens: int) -> None:
    """Ask for prompts until Ctrl-D.

    write(prompt, sampling, max_new_tokens) prints a text and returns it.
    """
    last = ""

    def answer(prompt):
        nonlocal sampling, max_new_tokens, last
        word, _, rest = prompt.partition(" ")
        if word == "/settings":
            print(show(sampling, max_new_tokens))
        elif word == "/set":
            sampling, max_new_tokens = changed(rest, sampling, max_new_tokens)
            print(show(sampling, max_new_tokens))
        elif word == "/more" and last:
            last = write(last, sampling, max_new_tokens)
        elif word.startswith("/"):
            print(HELP)
        elif prompt:
            last = write(prompt, sampling, max_new_tokens)

    print(HELP)
    ask_for_lines(answer)


def ask_for_lines(answer: Callable[[str], None]) -> None:
    """Ask for lines until Ctrl-D, and answer each; Ctrl-C ends an answer.

    Raises ValueError if standard input is closed.
    """
    if sys.stdin is None:
        raise ValueError("standard input is closed")
    prepare_editing()
    while True:
        try:
            line = input("> ")
        except EOFError:
            print()
            return
        except KeyboardInterrupt:
            print("\nCtrl-D ends picogpt.")
            continue
        try:
            answer(line)
        except KeyboardInterrupt:
            print()
        except (OSError, ValueError) as error:
            print(f"picogpt: {error}")


def prepare_editing() -> None:
    """Let input() edit the line, recall earlier ones, and take a pasted text as one prompt."""
    with contextlib.suppress(ImportError):  # Windows has none
        import readline

        readline.parse_and_bind("set enable-bracketed-paste on")


def show(sampling: Sampling, max_new_tokens: int) -> str:
    """The settings that can be changed, in one line."""
    settings = {"max_new_tokens": max_new_tokens} | asdict(sampling)
    return ", ".join(f"{name} {value}" for name, value in settings.items() if is_number(value))


def is_number(value) -> bool:
    """Whether /set can change a setting: whether it is a number, or off."""
    return value is None or isinstance(value, int | float)


def changed(text: str, sampling: Sampling, max_new_tokens: int) -> tuple[Sampling, int]:
    """The settings after "/set NAME VALUE". Raises ValueError if it cannot be done."""
    name, _, value = text.strip().partition(" ")
    settings = {"max_new_tokens": max_new_tokens} | asdict(sampling)
    names = [name for name, value in settings.items() if is_number(value)]
    if name not in names:
        raise ValueError(f"no setting {name!r:.80}, expected one of {', '.join(names)}")
    try:
        number = None if value == "off" else (int if name in WHOLE else float)(value)
    except ValueError:
        raise ValueError(f"{name} is {value!r:.80}, expected a number, or off") from None
    if name != "max_new_tokens":
        return replace(sampling, **{name: number}), max_new_tokens
    if number is None or number < 1:
        raise ValueError(f"max_new_tokens is {number}, expected at least 1")
    return sampling, number
