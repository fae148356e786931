"""What a person sees while waiting for a download.

On a terminal one line is rewritten, ten times a second at most. Anywhere else (a log, a notebook)
a plain line appears for every tenth of a file, or for every 10 MB of a smaller one.
"""

import shutil
import time
from datetime import timedelta
from typing import TextIO

REDRAW = 0.1  # seconds
MIN_STEP = 10_000_000  # bytes between two plain lines


def in_units(n_bytes: int) -> str:
    """497759232 -> "497.8 MB"."""
    for unit, size in (("GB", 10**9), ("MB", 10**6), ("kB", 10**3)):
        if n_bytes >= size:
            return f"{n_bytes / size:.1f} {unit}"
    return f"{n_bytes} bytes"


class Progress:
    """Messages about files that are being fetched. They go to `out`, usually standard error."""

    def __init__(self, out: TextIO):
        self.out = out
        self.on_terminal = out.isatty()
        self.unfinished_line = False  # on a terminal: the cursor is in the line that is rewritten

    def say(self, text: str) -> None:
        """A line of its own."""
        self.end_line()
        print(f"picogpt: {text}", file=self.out, flush=True)

    def end_line(self) -> None:
        """Leave the line that was being rewritten, if there is one."""
        if self.unfinished_line:
            print(file=self.out, flush=True)
            self.unfinished_line = False

    def begin(self, name: str, position: int, total: int | None) -> None:
        """Bytes are about to arrive, the first of them at `position` of the file."""
        self.name, self.first, self.total = name, position, total
        self.began = time.monotonic()
        self.drawn_at, self.drawn_position = 0.0, position

    def at(self, position: int) -> None:
        """The file has arrived up to `position`."""
        done = position == self.total
        if self.on_terminal:
            now = time.monotonic()
            if done or now - self.drawn_at >= REDRAW:
                columns = shutil.get_terminal_size().columns - 1  # a full line would scroll
                line = self._line(position).ljust(columns)[:columns]
                print(f"\r{line}", end="", file=self.out, flush=True)
                self.drawn_at, self.unfinished_line = now, True
        else:
            step = max((self.total or 0) // 10, MIN_STEP)
            if done or position // step > self.drawn_position // step:
                self.say(self._line(position))
                self.drawn_position = position

    def _line(self, position: int) -> str:
        seconds = time.monotonic() - self.began
        speed = (position - self.first) / max(seconds, 1e-3)  # bytes per second
        line = f"{self.name}: {in_units(position)}"
        if self.total is None:
            return line
        line += f" of {in_units(self.total)} ({100 * position // self.total} %)"
        if position == self.total or speed == 0:
            return line
        left = timedelta(seconds=round((self.total - position) / speed))
        return f"{line}, {in_units(int(speed))}/s, {left} left"
