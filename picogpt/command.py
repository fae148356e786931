"""What picogpt's command lines have in common: how they take arguments, and how they end.

Whatever goes wrong is said in one line on stderr that begins with "picogpt: ". The exit status
is 2 for wrong usage, 1 for any other failure, and 130 after Ctrl-C, as shells expect.
"""

import argparse
import os
import sys
from collections.abc import Callable


class Parser(argparse.ArgumentParser):
    """argparse, but an error is one line instead of the whole usage."""

    def __init__(self, **kwargs):
        super().__init__(formatter_class=argparse.RawDescriptionHelpFormatter, **kwargs)

    def error(self, message: str):
        self.exit(2, f"picogpt: {message} (see {self.prog} --help)\n")


def finish(work: Callable[[], None]) -> int:
    """Do the work of a command and return its exit status."""
    # UTF-8 whatever the locale, and a "?" for the few characters that it cannot hold
    sys.stdout.reconfigure(encoding="utf-8", errors="replace")
    sys.stderr.reconfigure(encoding="utf-8", errors="replace")
    try:
        work()
        sys.stdout.flush()
        return 0
    except BrokenPipeError:  # the reader, such as `head`, has seen enough
        # Python may flush standard output once more at exit, which must not fail again (its
        # documentation of the module signal, "Note on SIGPIPE").
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except KeyboardInterrupt:
        print(file=sys.stderr)
        return 130
    except (OSError, ValueError, MemoryError) as error:
        print(f"picogpt: {error}", file=sys.stderr)
        return 1
