"""The command line, run as its user would run it."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

import picogpt

REFERENCE = Path(__file__).parents[1] / "reference"
TINY = str(REFERENCE / "tiny")
RIVER, MILLER, *_ = json.loads((REFERENCE / "tiny.json").read_text("utf-8"))
COMMAND = [sys.executable, "-m", "picogpt"]
BUFFERED = {name: value for name, value in os.environ.items() if name != "PYTHONUNBUFFERED"}


def run(*arguments: str, stdin: bytes = b"", home: Path | None = None) -> tuple[int, str, str]:
    """Exit status, standard output and standard error of the command."""
    environment = BUFFERED | {"PICOGPT_HOME": str(home or REFERENCE / "no-such-home")}
    environment["PYTHONIOENCODING"] = "ascii"  # a locale that cannot print what a model writes
    done = subprocess.run(
        [*COMMAND, *arguments],
        input=stdin,
        capture_output=True,
        check=False,
        env=environment,
        timeout=60,
    )
    return done.returncode, done.stdout.decode("utf-8"), done.stderr.decode("utf-8")


def test_prints_prompt_and_continuation():
    status, out, err = run("-m", TINY, "-t", "0", "-n", "40", RIVER["prompt"])
    assert (status, out, err) == (0, RIVER["prompt"] + RIVER["text"] + "\n", "")


def test_reads_standard_input():
    stdin = (MILLER["prompt"] + "\n").encode()
    status, out, _ = run("-m", TINY, "-t", "0", "-n", "40", "-", stdin=stdin)
    assert (status, out) == (0, MILLER["prompt"] + MILLER["text"] + "\n")


def test_standard_input_that_is_not_utf8():
    status, out, err = run("-m", TINY, "-", stdin=b"caf\xe9")
    assert (status, out) == (1, "")
    assert err.startswith("picogpt: standard input is not UTF-8: ")
    assert err.count("\n") == 1


def test_argument_that_is_not_utf8():
    status, out, _ = run("-m", TINY, "-n", "3", os.fsdecode(b"caf\xe9 "))
    assert status == 0
    assert out.startswith("caf? ")


def test_samples_by_default_and_repeats_with_a_seed():
    first, second = (run("-m", TINY, "-n", "30", "--seed", "5", "The river") for _ in range(2))
    assert first == second
    model = picogpt.load(TINY)
    text = model.generate("The river", 30, temperature=0.8, top_k=40, seed=5)
    assert first[1] == f"The river{text}\n"
    assert text != RIVER["text"]


def test_the_drawn_seed_is_shown_and_repeats_the_text():
    _, out, err = run("-m", TINY, "-n", "30", "-v", "The river")
    seed = err.removeprefix("picogpt: seed ").strip()
    assert run("-m", TINY, "-n", "30", "--seed", seed, "The river")[1] == out


def test_stop():
    stop = RIVER["text"][5:8]
    expected = RIVER["prompt"] + RIVER["text"].split(stop)[0] + "\n"
    assert run("-m", TINY, "-t", "0", "--stop", stop, RIVER["prompt"])[1] == expected


def test_empty_prompt():
    status, out, _ = run("-m", TINY, "-n", "5", "")
    assert status == 0
    assert len(out) > 1


def test_prompt_that_begins_with_a_dash():
    assert run("-m", TINY, "-n", "2", "--", "-5 degrees")[1].startswith("-5 degrees")


def test_help_and_version():
    status, out, _ = run("--help")
    assert status == 0
    assert all(word in out for word in ("--temperature", "--seed", "PICOGPT_HOME", "124M"))
    assert run("--version")[1] == f"picogpt {picogpt.__version__}\n"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "the following arguments are required: prompt"),
        (["-t", "-1", "x"], "temperature is -1.0"),
        (["--top-k", "0", "x"], "top_k is 0"),
        (["--top-p", "2", "x"], "top_p is 2.0"),
        (["-n", "0", "x"], "--max-new-tokens is 0"),
        (["-n", "many", "x"], "invalid int value: 'many'"),
        (["--seed", "-1", "x"], "--seed is -1"),
        (["--stop", "", "x"], "--stop needs a text"),
        (["--no-such-option", "x"], "unrecognized arguments"),
    ],
)
def test_wrong_usage(arguments, message):
    status, out, err = run("-m", TINY, *arguments)
    assert (status, out) == (2, "")
    assert err.startswith("picogpt: ")
    assert message in err
    assert err.count("\n") == 1


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["-m", "no-such-folder", "x"], "no model 'no-such-folder'"),
        (["-m", str(REFERENCE), "x"], "has no file hparams.json"),
        (["--offline", "x"], "124M is not in the cache"),
        (["-m", TINY, "cat " * 100], "leaves no room"),
    ],
)
def test_other_failures(arguments, message):
    status, out, err = run(*arguments)
    assert (status, out) == (1, "")
    assert err.startswith("picogpt: ")
    assert message in err
    assert err.count("\n") == 1


def test_a_closed_pipe_ends_it_quietly():
    process = subprocess.Popen(
        [*COMMAND, "-m", TINY, "-n", "60", "The river"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=BUFFERED,
    )
    process.stdout.close()
    assert process.stderr.read() == b""
    assert process.wait(60) == 0


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX signals")
def test_ctrl_c_ends_it_quietly(tmp_path):
    slow = (  # the command, but the first token takes an hour
        "import signal, sys, time, picogpt.gpt2\n"
        # background jobs of a shell, and what they start, ignore Ctrl-C
        "signal.signal(signal.SIGINT, signal.default_int_handler)\n"
        "picogpt.gpt2.choose_token = lambda *args, **kwargs: time.sleep(3600)\n"
        "from picogpt.__main__ import main\n"
        "sys.exit(main())"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", slow, "-m", TINY, "-n", "60", "The river"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=BUFFERED,
    )
    watchdog = threading.Timer(60, process.kill)
    watchdog.start()
    assert process.stdout.read(len("The river")) == b"The river"  # before there is more to print
    time.sleep(0.5)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate()
    watchdog.cancel()
    assert process.returncode == 130
    assert err.strip() == b""
