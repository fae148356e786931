"""What is seen of a download."""

import io
import re
import sys

import pytest
from download_release import NAMES

from picogpt.weights.download import download
from picogpt.weights.progress import Progress
from picogpt.weights.released import DATA
from picogpt.weights.transfer import CHUNK

pytest_plugins = ["download_fixtures"]
pytestmark = pytest.mark.usefixtures("release")


class Terminal(io.StringIO):
    def isatty(self):
        return True


class Clock:
    """Stands in for the module time."""

    now = 100.0

    def monotonic(self):
        return self.now


def test_speed_and_time_left(monkeypatch):
    clock = Clock()
    monkeypatch.setattr("picogpt.weights.progress.time", clock)
    monkeypatch.setenv("COLUMNS", "80")
    progress = Progress(Terminal())
    progress.begin("weights", 100_000_000, 1_000_000_000)  # 100 MB were there before
    clock.now += 10
    progress.at(200_000_000)
    clock.now += 0.01
    progress.at(200_000_001)  # too soon to draw again
    clock.now += 0.01
    progress.at(1_000_000_000)  # but the end is always drawn
    progress.say("done")
    lines = progress.out.getvalue().removesuffix("\npicogpt: done\n").split("\r")
    assert lines == [
        "",
        "weights: 200.0 MB of 1.0 GB (20 %), 10.0 MB/s, 0:01:20 left".ljust(79),
        "weights: 1.0 GB of 1.0 GB (100 %)".ljust(79),
    ]


def test_progress_on_a_terminal(server, monkeypatch):
    monkeypatch.setattr(sys, "stderr", Terminal())
    monkeypatch.setattr("picogpt.weights.progress.REDRAW", 0)
    monkeypatch.setenv("COLUMNS", "60")
    download("124M")
    text = sys.stderr.getvalue()
    first, rest = text.split("\n", 1)
    assert first.startswith("picogpt: fetching GPT-2 124M")
    drawn = rest.removesuffix("\n").split("\r")[1:]
    assert "\n" not in "".join(drawn)
    assert {len(line) for line in drawn} == {59}
    assert len(drawn) >= 5 + 10  # five small files in one piece each, ten pieces of the large one
    assert text.endswith(f"{DATA}: 655.4 kB of 655.4 kB (100 %)"[:59].ljust(59) + "\n")


def test_plain_progress(server, monkeypatch, capsys):
    monkeypatch.setattr("picogpt.weights.progress.MIN_STEP", 1)
    monkeypatch.setattr("picogpt.weights.transfer.CHUNK", CHUNK // 4)
    download("124M")
    lines = [line for line in capsys.readouterr().err.splitlines() if DATA in line]
    assert [re.search(r"\((\d+) %\)", line)[1] for line in lines] == [
        "10", "20", "30", "40", "50", "60", "70", "80", "90", "100",
    ]  # fmt: skip
    assert all(re.search(r"B/s, 0:00:\d\d left$", line) for line in lines[:-1])


def test_small_files_take_one_plain_line(server, capsys):
    download("124M")
    lines = capsys.readouterr().err.splitlines()
    assert lines[1:] == [
        *(f"picogpt: {name}: 100 bytes of 100 bytes (100 %)" for name in NAMES[:-1]),
        f"picogpt: {DATA}: 655.4 kB of 655.4 kB (100 %)",
    ]
