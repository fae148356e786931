"""What picogpt's commands have in common: how they take arguments, and how they end.

If something goes wrong, one line on stderr, which begins with "picogpt: ", says what. The exit
status is 2 for wrong usage, 1 for any other failure, and 130 after Ctrl-C, as shells expect.
"""

import argparse
import os
import sys
import warnings
from collections.abc import Callable

OTHER_COMMANDS = """\
Other commands, each with its own --help:

  python -m picogpt.train       train a GPT-2 on texts, or fine-tune one
  python -m picogpt.bpe         show how a text becomes tokens; learn a vocabulary
  python -m picogpt.evaluate    how well a model predicts: texts, LAMBADA, WikiText, HellaSwag, CBT
  python -m picogpt.chat        talk with a model, turn by turn
  python -m picogpt.tasks       summarize, translate, answer, classify, complete code
  python -m picogpt.explain     one page on which a prompt can be followed through the model
  python -m picogpt.weights     download a model, check its files, write it in another form
  python -m picogpt.course      GPT-2 as assignments for a class"""


class Parser(argparse.ArgumentParser):
    """argparse, but an error is one line instead of the whole usage."""

    def __init__(self, **kwargs):
        super().__init__(formatter_class=argparse.RawDescriptionHelpFormatter, **kwargs)

    def error(self, message: str):
        self.exit(2, f"picogpt: {message} (see {self.prog} --help)\n")

    def shell_completion(self) -> str:
        """A line for bash or zsh, after which Tab completes options and file names."""
        options = [option for action in self._actions for option in action.option_strings]
        return f'complete -o default -W "{" ".join(options)}" {self.prog}'


def say(line: str) -> None:
    """Print a line for the person at the terminal, on stderr: stdout is for what was asked for."""
    if sys.stderr is not None:  # somebody may have closed it
        print(f"picogpt: {line}", file=sys.stderr, flush=True)


def read_stdin() -> str:
    """The text of standard input without its last newline, as in the shell's $(...).

    A byte order mark and carriage returns, which Windows adds, are removed.
    Raises ValueError if it is closed, or not UTF-8.
    """
    if sys.stdin is None:
        raise ValueError("standard input is closed")
    sys.stdin.reconfigure(encoding="utf-8-sig", newline=None)
    try:
        return sys.stdin.read().removesuffix("\n")
    except UnicodeDecodeError as error:
        raise ValueError(f"standard input is not UTF-8: {error}") from None


def finish(work: Callable[[], None]) -> int:
    """Do the work of a command and return its exit status."""
    for stream in (sys.stdout, sys.stderr):
        if stream is not None:
            # UTF-8 whatever the locale, and a "?" for the few characters that it cannot hold
            stream.reconfigure(encoding="utf-8", errors="replace")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("always", UserWarning)
            warnings.showwarning = lambda message, *_: say(str(message))
            work()
        if sys.stdout is not None:
            sys.stdout.flush()
        return 0
    except BrokenPipeError:  # the reader, such as `head`, has seen enough
        return 0
    except KeyboardInterrupt:
        if sys.stderr is not None:
            print(file=sys.stderr)
        return 130
    except MemoryError as error:
        say(f"there is not enough memory ({error})" if str(error) else "there is not enough memory")
        return 1
    except (OSError, ValueError, TypeError) as error:
        say(str(error))
        return 1
    finally:
        empty_output()


def empty_output() -> None:
    """Write what standard output still holds, or drop it if that fails."""
    try:
        if sys.stdout is not None:
            sys.stdout.flush()
    except OSError:
        # At exit Python flushes once more, which must not fail again (its documentation of the
        # module signal, "Note on SIGPIPE").
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
