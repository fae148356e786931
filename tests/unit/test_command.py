"""The command line, run as its user would run it, or, where that is the same, called."""

import contextlib
import json
import math
import os
import re
import select
import shlex
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

import picogpt
from picogpt import command
from picogpt.__main__ import main

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
    )
    return done.returncode, done.stdout.decode("utf-8"), done.stderr.decode("utf-8")


@pytest.fixture
def call(capsys):
    """As run, but without a process of its own."""

    def call(*arguments: str) -> tuple[int, str, str]:
        try:
            status = main([*arguments])
        except SystemExit as end:
            status = end.code
        return status, *capsys.readouterr()

    return call


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
@pytest.mark.parametrize("environment", [BUFFERED, BUFFERED | {"PYTHONUNBUFFERED": "1"}])
@pytest.mark.parametrize("arguments", [["--shell-completion"], ["-m", TINY, "-n", "3", "The"]])
def test_a_full_disk_under_the_output(environment, arguments):
    with open("/dev/full", "wb") as full:
        done = subprocess.run(
            [*COMMAND, *arguments],
            stdout=full,
            stderr=subprocess.PIPE,
            check=False,
            env=environment,
        )
    assert done.returncode == 1
    assert done.stderr.startswith(b"picogpt: ") and done.stderr.count(b"\n") == 1


def test_closed_standard_input(call, monkeypatch):
    monkeypatch.setattr("sys.stdin", None)
    assert call("-m", TINY, "-")[::2] == (1, "picogpt: standard input is closed\n")


def test_prints_prompt_and_continuation():
    status, out, err = run("-m", TINY, "-t", "0", "-n", "40", RIVER["prompt"])
    assert (status, out, err) == (0, RIVER["prompt"] + RIVER["text"] + "\n", "")


def test_reads_standard_input():
    stdin = (MILLER["prompt"] + "\n").encode()
    status, out, _ = run("-m", TINY, "-t", "0", "-n", "40", "-", stdin=stdin)
    assert (status, out) == (0, MILLER["prompt"] + MILLER["text"] + "\n")


@pytest.mark.parametrize("stdin", ["{}\n", "\ufeff{}\r\n", "{}"])
def test_a_pipe_is_read_without_being_asked_for(stdin):
    stdin = stdin.format("two\r\nlines" if "\r" in stdin else "two\nlines").encode()
    status, out, _ = run("-m", TINY, "-t", "0", "-n", "3", stdin=stdin)
    text = picogpt.load(TINY).generate("two\nlines", 3)
    assert (status, out) == (0, f"two\nlines{text}\n")


@pytest.mark.skipif(sys.platform == "win32", reason="a POSIX shell")
@pytest.mark.parametrize("closed", ["<&-", ">&-", "2>&-", "<&- >&- 2>&-"])
@pytest.mark.parametrize("prompt", ["The river", ""])
def test_closed_streams(closed, prompt):
    command = f"{shlex.join([*COMMAND, '-m', TINY, '-n', '2', '-v'])} {prompt and repr(prompt)}"
    done = subprocess.run(
        f"{command} {closed}", shell=True, capture_output=True, check=False,
        env=BUFFERED, stdin=subprocess.DEVNULL,
    )  # fmt: skip
    assert b"Traceback" not in done.stderr
    assert done.returncode == (2 if "<" in closed and not prompt else 0)


def test_json(call):
    options = ["-n", "9", "--seed", "5", "--json"]
    _, out, _ = call("-m", TINY, *options, "--num-samples", "2", "--stop", "e", "The river")
    first, second = map(json.loads, out.splitlines())
    model = picogpt.load(TINY)
    settings = {"temperature": 0.8, "top_k": 40, "stop": "e"}
    for record, seed in ((first, 5), (second, 6)):
        assert record["text"] == model.generate("The river", 9, seed=seed, **settings)
        assert (record["model"], record["seed"], record["prompt"]) == (TINY, seed, "The river")
        assert model.tokenizer.decode(record["ids"]).startswith(record["text"])
        assert len(record["logprobs"]) == len(record["ids"])
        assert record["tokens_per_second"] > 0
    _, out, _ = call("-m", TINY, *options, "-t", "0", "--show-probs", "The river")
    tokens = [json.loads(line) for line in out.splitlines()]
    steps = list(model.steps("The river", 9))
    assert [(token["id"], token["text"]) for token in tokens] == [(s.id, s.text) for s in steps]
    assert tokens[0]["likeliest"][0]["logprob"] == pytest.approx(steps[0].logprob)


def test_prompts_from_a_file(call, tmp_path):
    path = tmp_path / "prompts.txt"
    path.write_bytes("\ufeffThe river\r\ncat\r\n".encode())
    _, out, _ = call("-m", TINY, "-t", "0", "-n", "3", "--prompts", str(path))
    model = picogpt.load(TINY)
    prompts = ("The river", "cat")
    assert out == "".join(f"{prompt}{model.generate(prompt, 3)}\n" for prompt in prompts)


def test_tokens_that_are_banned_or_favoured(call):
    model = picogpt.load(TINY)
    (first,) = model.steps("The river", 1)
    for token in (str(first.id), first.text):
        _, out, _ = call("-m", TINY, "-t", "0", "-n", "1", "--ban", token, "The river")
        assert out == f"The river{model.generate('The river', 1, banned=[first.id])}\n"
    _, out, _ = call("-m", TINY, "-t", "0", "-n", "2", "--logit-bias", "65=1e6", "The river")
    assert out == f"The river{2 * model.tokenizer.decode([65])}\n"
    status, _, err = call("-m", TINY, "--ban", "several words of text", "The river")
    assert status == 1
    assert "'several words of text' is " in err
    assert call("-m", TINY, "--logit-bias", "65", "The river")[0] == 1


def test_completion(call):
    status, out, _ = call("--shell-completion")
    assert status == 0
    assert out.startswith('complete -o default -W "')
    assert "--temperature" in out.split()


def test_memory_that_is_not_enough(capsys):
    def work():
        raise MemoryError

    assert command.finish(work) == 1
    assert capsys.readouterr().err == "picogpt: there is not enough memory\n"


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
    seed = err.splitlines()[0].removeprefix("picogpt: seed ")
    assert run("-m", TINY, "-n", "30", "--seed", seed, "The river")[1] == out


def test_verbose_says_the_seed_and_the_speed(call):
    speed = r"picogpt: first token after (\d+\.\d\d) s"
    _, out, err = call("-m", TINY, "-n", "30", "-v", "--seed", "7", "The river")
    rate = re.fullmatch(rf"picogpt: seed 7\n{speed}, then (\d+\.\d) a second\n", err)
    assert float(rate[1]) < 60
    assert float(rate[2]) > 1
    _, _, err = call("-m", TINY, "-n", "1", "-v", "--seed", "7", "The river")
    assert re.fullmatch(rf"picogpt: seed 7\n{speed}\n", err)
    assert call("-m", TINY, "-n", "30", "--seed", "7", "The river")[1:] == (out, "")


@pytest.mark.parametrize(
    ("arguments", "options"),
    [
        (["--top-p", "0.5"], {"top_p": 0.5}),
        (["--min-p", "0.2"], {"min_p": 0.2}),
        (["--repetition-penalty", "1.5"], {"repetition_penalty": 1.5}),
        (["--lookup", "-t", "0", "--top-k", "1"], {"temperature": 0, "top_k": None}),
        (["--top-k", "0"], {"top_k": None}),
    ],
)
def test_options_of_sampling(call, arguments, options):
    options = {"temperature": 0.8, "top_k": 40, "seed": 5} | options
    text = picogpt.load(TINY).generate("The river", 30, **options)
    _, out, _ = call("-m", TINY, "-n", "30", "--seed", "5", *arguments, "The river")
    assert out == f"The river{text}\n"


def test_num_samples(call):
    status, out, err = call(
        "-m", TINY, "-n", "9", "--seed", "5", "--num-samples", "3", "--stop", "e", "The river"
    )
    options = {"temperature": 0.8, "top_k": 40, "seed": 5, "num_samples": 3, "stop": "e"}
    (texts,) = picogpt.load(TINY).generate_batch(["The river"], 9, **options)
    assert len({*texts}) == 3
    expected = [f"--- {i} of 3 ---\nThe river{text}\n" for i, text in enumerate(texts, 1)]
    assert (status, out, err) == (0, "".join(expected), "")


def test_show_probs(call):
    status, out, err = call("-m", TINY, "-t", "0", "-n", "7", "--show-probs", "The river")
    header, *lines = out.splitlines()
    model = picogpt.load(TINY)
    decode = model.tokenizer.decode
    steps = list(model.steps("The river", 7))
    assert (status, err, header) == (
        0,
        "",
        "  prob  token            the likeliest (probabilities before temperature, top-k, ...)",
    )
    assert len(lines) == len(steps) == 7
    for line, step in zip(lines, steps, strict=True):
        probability, token, others = re.fullmatch(
            r" *(\d+\.\d)%  ('.*?'|\".*?\") +(\d.*)", line
        ).groups()
        assert float(probability) == pytest.approx(100 * math.exp(step.logprob), abs=0.06)
        assert token == repr(decode([step.id]))
        likeliest = [f"{math.exp(p):.0%} {decode([i])!r}" for i, p, _ in step.likeliest(5)]
        assert re.split(r"  +", others) == likeliest
        assert likeliest[0].endswith(token)  # at temperature 0


def test_show_probs_keeps_to_the_terminals_lines(call, monkeypatch):
    lines = {}
    for columns in 60, 40:
        monkeypatch.setenv("COLUMNS", str(columns))
        _, out, _ = call("-m", TINY, "-t", "0", "-n", "7", "--show-probs", "The river")
        _, *lines[columns] = out.splitlines()
        assert max(map(len, lines[columns])) <= columns
    for narrow, wide in zip(lines[40], lines[60], strict=True):
        assert wide.startswith(narrow)
        assert len(narrow) > 24  # at least one of the likeliest
    assert lines[40] != lines[60]


@pytest.mark.parametrize("arguments", [[], ["--num-samples", "3"], ["--show-probs"], ["--lookup"]])
def test_the_notice_comes_once_and_after_the_text(arguments):
    done = subprocess.run(
        [*COMMAND, "-m", TINY, "-n", "70", "--seed", "1", *arguments, "The river"],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        check=True,
        env=BUFFERED,
    )
    out = done.stdout.decode("utf-8")
    notice = "picogpt: the text outgrew the context of 64 tokens: "
    assert out.count(notice) == 1
    *_, last = out.splitlines()
    assert last == f"{notice}from here on the model sees only the last 32 or more"


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
    words = (
        "picogpt.train",
        "picogpt.weights",
        "--temperature",
        "--seed",
        "--num-samples",
        "--show-probs",
        "PICOGPT_HOME",
        "124M",
    )
    assert all(word in out for word in words)
    assert run("--version")[1] == f"picogpt {picogpt.__version__}\n"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--prompts", "file", "x"], "--prompts FILE holds the prompts"),
        (["-t", "-1", "x"], "temperature is -1.0"),
        (["--top-k", "-1", "x"], "top_k is -1"),
        (["--top-p", "2", "x"], "top_p is 2.0"),
        (["--min-p", "-1", "x"], "min_p is -1.0"),
        (["--repetition-penalty", "0", "x"], "repetition_penalty is 0.0"),
        (["--num-samples", "0", "x"], "--num-samples is 0"),
        (["--num-samples", "2", "--lookup", "x"], "--lookup is for one text at a time"),
        (["--num-samples", "2", "--show-probs", "x"], "--show-probs shows one text to its end"),
        (["--stop", "a", "--show-probs", "x"], "it takes no --stop and no --num-samples"),
        (["-n", "0", "x"], "--max-new-tokens is 0"),
        (["-n", "many", "x"], "invalid int value: 'many'"),
        (["--seed", "-1", "x"], "--seed is -1"),
        (["--stop", "", "x"], "--stop needs a text"),
        (["--no-such-option", "x"], "unrecognized arguments"),
    ],
)
def test_wrong_usage(call, arguments, message):
    status, out, err = call("-m", TINY, *arguments)
    assert (status, out) == (2, "")
    assert err.startswith("picogpt: ")
    assert message in err
    assert err.count("\n") == 1


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["-m", "no-such-folder", "x"], "no model 'no-such-folder'"),
        (["-m", str(REFERENCE), "x"], "has no file hparams.json"),
        (["-m", "124M", "--offline", "x"], "124M is not in the cache"),
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
    assert process.wait() == 0


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
    watchdog = threading.Timer(600, process.kill)
    watchdog.start()
    assert process.stdout.read(len("The river")) == b"The river"  # before there is more to print
    time.sleep(0.5)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate()
    watchdog.cancel()
    assert process.returncode == 130
    assert err.strip() == b""


# Runs a command with a terminal as its standard input, output and error, where Ctrl-C is a signal
# (background jobs of a shell, and what they start, ignore it).
ON_TERMINAL = """
import os, signal, sys
os.login_tty(int(sys.argv[1]))
signal.signal(signal.SIGINT, signal.SIG_DFL)
os.execv(sys.argv[2], sys.argv[2:])
"""


def without_escapes(shown: bytes) -> str:
    """What a terminal shows, less the sequences that announce whether pasting is told apart."""
    text = shown.decode("utf-8", "replace")
    return re.sub(r"\x1b\[\?2004(h|l\r)", "", text).replace("\r\n", "\n")


class Terminal:
    """The command on a terminal of its own, and somebody who types."""

    def __init__(self, *arguments: str):
        self.master, slave = os.openpty()
        self.process = subprocess.Popen(
            [sys.executable, "-c", ON_TERMINAL, str(slave), *COMMAND, "-m", TINY, *arguments],
            env=BUFFERED | {"TERM": "dumb", "INPUTRC": os.devnull},
            pass_fds=[slave],
        )
        os.close(slave)
        self.watchdog = threading.Timer(600, self.process.kill)

    def __enter__(self):
        self.watchdog.start()
        return self

    def __exit__(self, *_):
        self.watchdog.cancel()
        self.process.kill()
        self.process.wait()
        os.close(self.master)

    def type(self, keys: str) -> None:
        os.write(self.master, keys.encode())

    def type_until(self, keys: str, text: str) -> None:
        """Type the keys again and again until the text is shown.

        Python overlooks a signal that comes just before it waits for a line.
        """
        shown = b""
        while text not in without_escapes(shown):
            self.type(keys)
            while select.select([self.master], [], [], 1)[0]:
                shown += os.read(self.master, 4096)

    def leave(self) -> str:
        """Type Ctrl-D again and again until the command ends, and return what it still showed.

        What was typed just before a second Ctrl-C arrives is thrown away by the terminal.
        """
        shown = b""
        while self.process.poll() is None:
            with contextlib.suppress(OSError):  # Linux: nobody reads or writes any more
                self.type(CTRL_D)
                while select.select([self.master], [], [], 1)[0]:
                    shown += os.read(self.master, 4096)
        return without_escapes(shown)

    def wait_for(self, pattern: str) -> str:
        """What is shown from now on until it ends in the pattern (or, for "", until the end)."""
        shown = b""
        while not (pattern and re.search(f"{pattern}$", without_escapes(shown))):
            try:
                data = os.read(self.master, 4096)
            except OSError:  # Linux's way to say that nobody writes to it any more
                data = b""
            if not data:
                assert not pattern, shown
                break
            shown += data
        return without_escapes(shown)


terminal = pytest.mark.skipif(sys.platform == "win32", reason="pseudo-terminals")
CTRL_C, CTRL_D, CTRL_P = "\x03", "\x04", "\x10"


@terminal
def test_prompt_after_prompt():
    model = picogpt.load(TINY)
    with Terminal("-t", "0", "-n", "5") as user:
        assert user.wait_for("> ").startswith("Type the beginning of a text. Ctrl-C ends")
        for prompt in ("The river", "cat"):
            user.type(f"{prompt}\n")
            text = model.generate(prompt, 5)
            assert user.wait_for("\n> ") == f"{prompt}\n{prompt}{text}\n> "
        user.type("\n")
        assert user.wait_for("> ") == "\n> "  # nothing is written for nothing
        user.type(CTRL_D)
        assert user.wait_for("").strip() == ""
        assert user.process.wait() == 0


@terminal
def test_the_prompt_loop_knows_earlier_prompts():
    pytest.importorskip("readline")
    with Terminal("-t", "0", "-n", "2") as user:
        user.wait_for("> ")
        user.type("The river\n")
        first = user.wait_for("\n> ")
        user.type(f"{CTRL_P}\n")
        assert user.wait_for("\n> ") == first


@terminal
def test_ctrl_c_goes_back_to_the_prompt():
    with Terminal("-t", "0", "-n", "1000000") as user:
        user.wait_for("> ")
        user.type("The river\n")
        user.wait_for("The river.{50}(?s:.*)")  # it is writing
        user.type(CTRL_C)
        user.wait_for("\n> ")
        user.type("A bird\n")
        assert "A bird\nA bird" in user.wait_for("A bird.{9}(?s:.*)")
        user.type(CTRL_C)
        user.wait_for("\n> ")
        user.type(CTRL_D)
        user.wait_for("")
        assert user.process.wait() == 0


@terminal
def test_ctrl_c_at_the_prompt_says_how_to_leave():
    with Terminal() as user:
        user.wait_for("> ")
        user.type("half a prompt")
        # Ctrl-C throws away what was typed and not read, and readline, told that there is something
        # to read, then waits for it and does not look for a signal.
        user.wait_for("half a prompt")
        user.type_until(CTRL_C, "Ctrl-D ends picogpt.\n> ")
        assert "Traceback" not in user.leave()
        assert user.process.wait() == 0


@terminal
def test_settings_are_shown_and_changed():
    with Terminal("-t", "0", "-n", "5") as user:
        user.wait_for("> ")
        user.type("/set max_new_tokens 2\n")
        assert "max_new_tokens 2, temperature 0.0, top_k None" in user.wait_for("\n> ")
        user.type("The river\n")
        text = picogpt.load(TINY).generate("The river", 2)
        assert user.wait_for("\n> ").endswith(f"The river{text}\n> ")
        user.type("/more\n")
        more = picogpt.load(TINY).generate(f"The river{text}", 2)
        assert user.wait_for("\n> ").endswith(f"The river{text}{more}\n> ")
        for wrong, message in (
            ("/set heat 1", "no setting 'heat', expected one of max_new_tokens, temperature"),
            ("/set top_p high", "top_p is 'high', expected a number, or off"),
            ("/set top_p 3", "top_p is 3.0, expected more than 0"),
            ("/set max_new_tokens 0", "max_new_tokens is 0, expected at least 1"),
        ):
            user.type(f"{wrong}\n")
            assert f"picogpt: {message}" in user.wait_for("\n> ")
        user.type("/settings\n")
        assert "max_new_tokens 2, temperature 0.0" in user.wait_for("\n> ")
        user.type("/what\n")
        assert "/set NAME VALUE changes one" in user.wait_for("\n> ")


@terminal
def test_a_pasted_text_is_one_prompt():
    pytest.importorskip("readline")
    with Terminal("-t", "0", "-n", "2") as user:
        user.wait_for("> ")
        user.type("\x1b[200~The river\nand the cat\x1b[201~\n")
        text = picogpt.load(TINY).generate("The river\nand the cat", 2)
        shown = user.wait_for(f"{re.escape(text)}\n> ")
        assert shown.endswith(f"\nThe river\nand the cat{text}\n> ")


@terminal
def test_notices_in_the_prompt_loop():
    with Terminal("-t", "0", "-n", "70", "-v", "--seed", "3") as user:
        user.wait_for("> ")
        for _ in range(2):
            user.type("The river\n")
            *_, speed, notice, prompt = user.wait_for("\n> ").split("\n")
            assert speed.startswith("picogpt: first token after ")
            assert notice.startswith("picogpt: the text outgrew the context of 64 tokens")
            assert prompt == "> "
