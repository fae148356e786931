"""`python -m picogpt.train` as a user meets it: killed, resumed, and given bad input."""

import json
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from support import bits_per_byte

import picogpt
from picogpt.bpe.pretokenize import ALPHABET
from picogpt.bpe.tokenizer import ENDOFTEXT
from picogpt.config import flatten
from picogpt.train import __main__ as command
from picogpt.train.__main__ import main
from picogpt.weights.export import save_huggingface
from picogpt.weights.huggingface import huggingface_name
from picogpt.weights.safetensors import write_safetensors

TALES = "\n<|endoftext|>\n".join(
    f"THE TALE OF {name}\n\nOnce upon a time {name} went to the wood, and there was no end of it."
    for name in ("FOX", "HEN", "Snow", "Jack", "the cat", "Puss", "Hans", "Grete")
)
SIZES = ["--n-layer", "1", "--n-head", "2", "--n-embd", "8", "--n-ctx", "8"]
STEPS = ["--steps", "24", "--eval-every", "5", "--eval-windows", "4", "--batch", "4"]
EXTRAS = ["--accumulate", "2", "--dropout", "0.1", "--lr", "1e-2", "--sample", "Once"]
ROOT = Path(picogpt.__file__).parents[1]
ENVIRONMENT = {**os.environ, "PYTHONPATH": str(ROOT), "OPENBLAS_NUM_THREADS": "1"}

# The command, which kills itself at the given number of events: before each step, and before
# and after each file comes under its name.
KILLED = """
import os, signal, sys
from picogpt.train import loop
from picogpt.train.__main__ import main

events = int(sys.argv.pop(1))

def counted(function):
    def wrapper(*args, **kwargs):
        global events
        events -= 1
        if events == 0:
            os.kill(os.getpid(), signal.SIGKILL)
        return function(*args, **kwargs)
    return wrapper

loop.update = counted(loop.update)
os.replace, os.fsync = counted(os.replace), counted(os.fsync)
loop.append_to_log = counted(loop.append_to_log)
sys.exit(main())
"""


@pytest.fixture
def corpus(tmp_path) -> Path:
    """A folder with tales.txt, and the folder of a vocabulary of single bytes."""
    (tmp_path / "tales.txt").write_text(TALES, "utf-8")
    (tmp_path / "bytes").mkdir()
    encoder = {token: i for i, token in enumerate([*ALPHABET, ENDOFTEXT])}
    (tmp_path / "bytes" / "encoder.json").write_text(json.dumps(encoder), "utf-8")
    (tmp_path / "bytes" / "vocab.bpe").write_text("#version: 0.2\n", "utf-8")
    return tmp_path


def arguments(corpus: Path, out: str, *more: str) -> list[str]:
    text, vocabulary = str(corpus / "tales.txt"), str(corpus / "bytes")
    return [text, "--out", str(corpus / out), "--tokenizer", vocabulary, *SIZES, *STEPS, *more]


def results(out: Path) -> dict:
    """All that a run has come to, but for what depends on the clock."""
    found = {path.name: path.read_bytes() for path in out.iterdir() if path.is_file()}
    lines = (out / "run" / "log.jsonl").read_text("utf-8").splitlines()
    found["log"] = [json.loads(line) for line in lines]
    with np.load(out / "run" / "checkpoint.npz", allow_pickle=False) as file:
        found |= {name: file[name].tobytes() for name in file if name != "state"}
        found["state"] = json.loads(str(file["state"]))
    for record in [*found["log"], found["state"]]:
        for name in ("tokens_per_second", "seconds_left", "seconds"):
            record.pop(name, None)
    found["state"].pop("log_bytes")  # the length of numbers such as the speed
    return found


@pytest.fixture(scope="module")
def finished() -> dict:
    """Where the first test that trains without interruption leaves its folder, for the others."""
    return {}


@pytest.fixture
def uninterrupted(corpus, finished, tmp_path_factory) -> dict:
    """The results of a run in the folder "whole"."""
    if not finished:
        assert main(arguments(corpus, "whole", *EXTRAS)) == 0
        finished["out"] = tmp_path_factory.mktemp("finished") / "out"
        shutil.copytree(corpus / "whole", finished["out"])
    else:
        shutil.copytree(finished["out"], corpus / "whole")
    return results(corpus / "whole")


def test_a_run_killed_at_random_events_is_as_if_it_was_not(corpus, uninterrupted):
    rng = random.Random()
    seed = rng.randrange(1000)  # another one each time: pytest shows it if the test fails
    rng.seed(seed)
    code = []
    while len(code) < 7:
        events = str(rng.randrange(1, 40))
        args = [sys.executable, "-c", KILLED, events, *arguments(corpus, "out", *EXTRAS)]
        code.append(subprocess.run([*args, "--resume"], env=ENVIRONMENT, check=False).returncode)
        assert code[-1] in (0, -signal.SIGKILL), seed
    assert -signal.SIGKILL in code
    assert main([*arguments(corpus, "out", *EXTRAS), "--resume"]) == 0
    assert results(corpus / "out") == uninterrupted, seed


def test_a_run_killed_at_random_times_is_as_if_it_was_not(corpus, uninterrupted):
    command = [
        sys.executable,
        "-m",
        "picogpt.train",
        *arguments(corpus, "out", *EXTRAS),
        "--resume",
    ]
    for _ in range(3):
        process = subprocess.Popen(command, env=ENVIRONMENT, stdout=subprocess.PIPE)
        process.stdout.readline()  # it has begun
        time.sleep(random.random() * 0.2)
        process.kill()
        process.wait()
    assert main(command[3:]) == 0
    assert results(corpus / "out") == uninterrupted
    assert [r["step"] for r in uninterrupted["log"]][:6] == [0, 5, 10, 15, 20, 24]


def test_an_average_is_resumed_too(corpus):
    more = ("--average", "0.8", "--optimizer", "muon")
    whole, parts = arguments(corpus, "averaged", *more), arguments(corpus, "parts", *more)
    assert main(whole) == 0
    for events in ("25", "40"):
        args = [sys.executable, "-c", KILLED, events, *parts, "--resume"]
        killed = subprocess.run(args, env=ENVIRONMENT, check=False)
        assert killed.returncode == -signal.SIGKILL
    assert main([*parts, "--resume"]) == 0
    found = results(corpus / "averaged")
    assert results(corpus / "parts") == found
    assert found["state"]["best_step"] == 24  # the last, whose average is in the checkpoint
    kept = picogpt.load(corpus / "averaged").params["wte"].tobytes()
    assert kept != found["params/wte"]
    with np.load(corpus / "averaged" / "run" / "checkpoint.npz") as file:
        assert kept == file["average/wte"].tobytes()


def test_ctrl_c_ends_after_the_step_and_says_how_to_go_on(
    corpus, uninterrupted, capfd, monkeypatch
):
    honest = command.train

    def train(run, pool, stop_asked):
        def press():
            if run.state.step == 7:
                signal.raise_signal(signal.SIGINT)
            return stop_asked()

        honest(run, pool, press)

    monkeypatch.setattr(command, "train", train)
    assert main(arguments(corpus, "out", *EXTRAS)) == 130
    assert "the same command with --resume" in capfd.readouterr().err
    assert results(corpus / "out")["state"]["step"] == 7
    monkeypatch.setattr(command, "train", honest)
    assert main([*arguments(corpus, "out", *EXTRAS), "--resume"]) == 0
    assert results(corpus / "out") == uninterrupted


def test_a_second_ctrl_c_ends_at_once(capfd):
    before = signal.getsignal(signal.SIGINT)
    with pytest.raises(KeyboardInterrupt), command.ctrl_c() as asked:
        signal.raise_signal(signal.SIGINT)
        assert asked()
        signal.raise_signal(signal.SIGINT)
    assert capfd.readouterr().err.strip() == "picogpt: ending after this step"
    assert signal.getsignal(signal.SIGINT) is before


def test_the_number_of_threads_changes_nothing(corpus, uninterrupted):
    for n in ("1", "3"):
        assert main(arguments(corpus, n, *EXTRAS, "--threads", n)) == 0
        assert results(corpus / n) == uninterrupted


@pytest.mark.skipif(os.name != "posix", reason="elsewhere a process cannot begin anew")
def test_openblas_leaves_the_threads_to_us_unless_told_otherwise(monkeypatch):
    begun = []
    monkeypatch.setattr(os, "execv", lambda *args: begun.append(args))
    monkeypatch.setenv("OPENBLAS_NUM_THREADS", "3")
    command.restart_without_blas_threads()
    assert not begun
    monkeypatch.delenv("OPENBLAS_NUM_THREADS")
    command.restart_without_blas_threads()
    assert begun == [(sys.executable, sys.orig_argv)]
    assert os.environ["OPENBLAS_NUM_THREADS"] == "1"


def test_the_command_from_the_shell(corpus):
    environment = {k: v for k, v in ENVIRONMENT.items() if k != "OPENBLAS_NUM_THREADS"}
    args = [sys.executable, "-m", "picogpt.train", *arguments(corpus, "out", "--batch", "6")]
    done = subprocess.run(args, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0
    assert re.fullmatch(r"picogpt: about \d+:\d\d:\d\d for the remaining steps\n", done.stderr)
    assert done.stdout.splitlines()[-1].startswith(f"{corpus / 'out'}: the weights of step 24")
    settings = json.loads((corpus / "out" / "run" / "settings.json").read_text("utf-8"))
    assert settings["--accumulate"] == 2  # the greatest number up to 4 that divides 6 and 4


def test_resuming_a_run_that_is_over_changes_nothing(corpus, uninterrupted):
    assert main([*arguments(corpus, "whole", *EXTRAS), "--resume"]) == 0
    assert results(corpus / "whole") == uninterrupted


def test_what_is_said_at_the_end_is_true(corpus, capsys):
    valid = corpus / "valid.txt"
    # unlike the tales: learning them for long only harms
    documents = ["zqx jvk\n\nzqx jvk zqx jvk.", "ZQX jvk ZQX jvk."]
    valid.write_text("\n<|endoftext|>\n".join(documents), "utf-8")
    assert main(arguments(corpus, "out", "--valid", str(valid), "--lr", "0.1")) == 0
    model = picogpt.load(corpus / "out")
    bits, nats = bits_per_byte(model.params, model.config, model.tokenizer, documents)
    end = capsys.readouterr().out.splitlines()[-1]
    assert end.endswith(f"on all held-out text {nats:.4f} nats/token, {bits:.4f} bits/byte")
    *evaluations, final = results(corpus / "out")["log"]
    assert final["final"]
    assert final["valid_bits_per_byte"] == pytest.approx(bits)
    assert final["valid_windows"] == "9 of 9"
    assert final["step"] == min(evaluations, key=lambda record: record["valid_loss"])["step"] < 24
    assert {record["valid_windows"] for record in evaluations} == {"4 of 9"}


def test_a_sample_now_and_then(uninterrupted):
    assert [r["step"] for r in uninterrupted["log"] if "sample" in r] == [0, 24]
    assert uninterrupted["log"][0]["sample"].startswith("Once")


@pytest.fixture
def fox(corpus) -> Path:
    """A model to go on with."""
    assert main(arguments(corpus, "fox")) == 0
    return corpus / "fox"


def test_fine_tuning(corpus, fox):
    before = flatten(picogpt.load(fox).params)
    args = [str(corpus / "tales.txt"), "--out", str(corpus / "out"), "--init", str(fox), *STEPS]
    assert main([*args, "--freeze", "1"]) == 0
    settings = json.loads((corpus / "out" / "run" / "settings.json").read_text("utf-8"))
    assert (settings["--lr"], settings["n_embd"]) == (5e-5, 8)
    after = flatten(picogpt.load(corpus / "out").params)
    changed = {path for path, x in after.items() if not np.array_equal(x, before[path])}
    assert changed == {"ln_f.g", "ln_f.b"}
    log = results(corpus / "out")["log"]
    assert log[0]["valid_loss"] == results(fox)["log"][-2]["valid_loss"]  # from where it stood


def test_fine_tuning_of_an_untied_head(corpus, fox, capsys):
    model = picogpt.load(fox)
    params = model.params | {"lm_head": model.params["wte"] + np.float32(0.1)}
    save_huggingface(corpus / "untied", model.config, params, model.tokenizer)
    args = [str(corpus / "tales.txt"), "--out", str(corpus / "out"), *STEPS, "--freeze", "0"]
    args += ["--init", str(corpus / "untied")]
    assert main(args) == 0
    after = picogpt.load(corpus / "out").params
    assert np.array_equal(after["wte"], params["wte"])
    assert not np.array_equal(after["lm_head"], params["lm_head"])
    assert main([*args, "--resume"]) == 0


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (["--lr", "2e-2"], "other settings: --lr was 0.01, now it is 0.02"),
        (["--steps", "23"], "--steps is 23, and 24 are done already"),
        (["--optimizer", "muon"], "other settings: --optimizer was 'adamw', now it is 'muon'"),
        (["--n-embd", "16"], "other settings: n_embd was 8, now it is 16"),
        (["--held-out", "0.3"], "other settings: --held-out was 0.05, now it is 0.3"),
        (["--seed", "1"], "other settings: --seed was 0, now it is 1"),
    ],
)
def test_resuming_with_other_settings(corpus, uninterrupted, capsys, change, message):
    assert main([*arguments(corpus, "whole", *EXTRAS, *change), "--resume"]) == 1
    assert message in capsys.readouterr().err
    assert results(corpus / "whole") == uninterrupted


def test_a_run_in_parts_whose_end_is_settled_on_the_way(corpus):
    """With muon and a stable rate: stopped, gone on with, and stopped earlier than it was to."""
    muon = ["--optimizer", "muon", "--lr", "1e-2", "--warmup", "2"]
    end = ["--steps", "15", "--decay", "5"]
    assert main(arguments(corpus, "whole", *muon, *end)) == 0
    parts = arguments(corpus, "parts", *muon, "--steps", "99", "--decay", "5")
    code = [sys.executable, "-c", KILLED, "14", *parts]  # after the evaluation of step 5
    assert subprocess.run(code, env=ENVIRONMENT, check=False).returncode == -signal.SIGKILL
    assert main([*arguments(corpus, "parts", *muon, *end), "--resume"]) == 0
    assert results(corpus / "parts") == results(corpus / "whole")


def test_rates_that_follow_from_others(corpus, uninterrupted):
    settings = json.loads((corpus / "whole" / "run" / "settings.json").read_text("utf-8"))
    assert (settings["--lr"], settings["--min-lr"], settings["--warmup"]) == (1e-2, 1e-3, 1)


def test_resuming_with_another_vocabulary(corpus, uninterrupted, capsys):
    path = corpus / "bytes" / "encoder.json"
    encoder = json.loads(path.read_text("utf-8"))
    encoder["a"], encoder["b"] = encoder["b"], encoder["a"]
    path.write_text(json.dumps(encoder), "utf-8")
    assert main([*arguments(corpus, "whole", *EXTRAS), "--resume"]) == 1
    assert "other settings: SHA-256 of the vocabulary was " in capsys.readouterr().err


def test_resuming_with_another_held_out_text(corpus, capsys):
    valid = corpus / "valid.txt"
    valid.write_text("The fox.", "utf-8")
    args = arguments(corpus, "out", "--valid", str(valid))
    assert main(args) == 0
    valid.write_text("The hen.", "utf-8")
    assert main([*args, "--resume"]) == 1
    assert "other settings: SHA-256 of --valid was " in capsys.readouterr().err


def test_an_empty_held_out_text(corpus, capsys):
    (corpus / "empty.txt").write_text("\n<|endoftext|>\n", "utf-8")
    assert main(arguments(corpus, "out", "--valid", str(corpus / "empty.txt"))) == 1
    assert "the text of --valid is empty" in capsys.readouterr().err
    assert not (corpus / "out").exists()


def test_one_window_is_enough(corpus):
    text = corpus / "tales.txt"
    text.write_text("1234567", "utf-8")  # with <|endoftext|> 8 tokens: no target for the last
    valid = corpus / "valid.txt"
    valid.write_text("The fox.", "utf-8")
    assert main(arguments(corpus, "out", "--valid", str(valid))) == 1
    text.write_text("12345678", "utf-8")
    assert main(arguments(corpus, "out", "--valid", str(valid))) == 0


def test_resuming_with_another_text(corpus, uninterrupted, capsys):
    with open(corpus / "tales.txt", "a") as file:
        file.write("And then?")
    assert main([*arguments(corpus, "whole", *EXTRAS), "--resume"]) == 1
    assert "other settings: SHA-256 of the texts was " in capsys.readouterr().err
    assert results(corpus / "whole") == uninterrupted


def test_a_run_is_not_overwritten(corpus, uninterrupted, capsys):
    assert main(arguments(corpus, "whole", *EXTRAS)) == 1
    assert "already holds a run: add --resume" in capsys.readouterr().err
    assert results(corpus / "whole") == uninterrupted


def test_two_processes_in_one_folder(corpus, uninterrupted, capsys):
    with command.run_folder.alone(corpus / "whole"):
        assert main([*arguments(corpus, "whole", *EXTRAS), "--resume"]) == 1
    assert "another process is training in" in capsys.readouterr().err


def test_nothing_to_resume(corpus, capsys):
    assert main([*arguments(corpus, "out"), "--resume"]) == 0
    assert capsys.readouterr().out.startswith(
        f"there is nothing to resume in {corpus / 'out'}: a new run"
    )


@pytest.mark.parametrize(
    ("text", "more", "message"),
    [
        (b"", [], "the texts to learn from are empty"),
        (b" \n<|endoftext|>\n", [], "the texts to learn from are empty"),
        (b"one tale", [], "the text is one line, too little to hold out a part: name a file"),
        (b"a<|endoftext|>b", [], "make 2 tokens, expected at least 9: one window of n_ctx = 8"),
        (b"caf\xe9", [], r"tales.txt: not UTF-8: .* byte 3"),
        (None, ["--valid", "nowhere.txt"], "nowhere.txt"),
        (None, ["--n-head", "3"], "n_head 3 does not divide n_embd 8"),
        (None, ["--n-layer", "0"], "n_layer is 0, expected a positive integer"),
        (None, ["--tokenizer", "nowhere"], "nowhere"),
    ],
)
def test_bad_input_writes_nothing(corpus, capsys, text, more, message):
    if text is not None:
        (corpus / "tales.txt").write_bytes(text)
    assert main(arguments(corpus, "out", *more)) == 1
    (error,) = capsys.readouterr().err.splitlines()
    assert error.startswith("picogpt: ")
    assert re.search(message, error), error
    assert not (corpus / "out").exists()


def test_freezing_more_than_there_is(corpus, fox, capsys):
    args = [str(corpus / "tales.txt"), "--out", str(corpus / "out"), "--init", str(fox)]
    assert main([*args, "--freeze", "2"]) == 1
    assert "--freeze is 2, and the model has 1 blocks" in capsys.readouterr().err
    assert not (corpus / "out").exists()


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (["--steps", "0"], "--steps is 0, expected at least 1"),
        (["--batch", "-1"], "--batch is -1, expected at least 1"),
        (["--threads", "0"], "--threads is 0, expected at least 1"),
        (["--accumulate", "3"], "--accumulate 3 does not divide --batch 4"),
        (["--eval-every", "0"], "--eval-every is 0, expected at least 1"),
        (["--eval-windows", "0"], "--eval-windows is 0, expected at least 1"),
        (["--patience", "0"], "--patience is 0, expected at least 1"),
        (["--seed", "-1"], "--seed is -1, expected at least 0"),
        (["--lr", "0"], "--lr is 0.0, expected a number above 0"),
        (["--lr", "nan"], "--lr is nan, expected a number above 0"),
        (["--clip", "inf"], "--clip is inf, expected a number above 0"),
        (["--min-lr", "1"], "--min-lr is 1.0, expected 0 to --lr, which is 0.001"),
        (["--warmup", "24"], "--warmup is 24, expected 0 to 23"),
        (["--weight-decay", "-1"], "--weight-decay is -1.0, expected at least 0"),
        (["--beta2", "1"], "--beta2 is 1.0, expected at least 0 and below 1"),
        (["--dropout", "1"], "--dropout is 1.0, expected at least 0 and below 1"),
        (["--held-out", "0"], "--held-out is 0.0, expected a number between 0 and 1"),
        (["--freeze", "1"], "--freeze needs --init"),
        (["--init", "124M"], "expected either --tokenizer .* or --init"),
    ],
)
def test_wrong_usage(corpus, capsys, more, message):
    with pytest.raises(SystemExit) as exit:
        main(arguments(corpus, "out", *more))
    assert exit.value.code == 2
    (error,) = capsys.readouterr().err.splitlines()
    assert re.search(f"picogpt: {message}", error), error


def test_sizes_belong_to_init(corpus, capsys):
    with pytest.raises(SystemExit):
        main([str(corpus / "tales.txt"), "--out", "out", "--init", "124M", "--n-ctx", "8"])
    assert "the sizes of the model are those of --init" in capsys.readouterr().err


def test_help_is_worth_reading(capsys):
    with pytest.raises(SystemExit) as exit:
        main(["--help"])
    assert exit.value.code == 0
    assert "--resume" in capsys.readouterr().out


def test_the_vocabulary_of_a_model_by_its_name(corpus):
    more = ["--tokenizer", "fairytale", "--steps", "1", "--warmup", "0"]
    assert main(arguments(corpus, "out", *more)) == 0
    ours, theirs = picogpt.load(corpus / "out").tokenizer, picogpt.load("fairytale").tokenizer
    assert ours.encoder == theirs.encoder


def test_weights_that_are_no_numbers_are_not_blamed_on_the_learning_rate(corpus, fox, capsys):
    model = picogpt.load(fox)
    flat = flatten(model.params) | {"wpe": np.full_like(model.params["wpe"], np.nan)}
    tensors = {huggingface_name(path): x for path, x in flat.items()}
    shutil.copytree(fox, corpus / "nan", ignore=shutil.ignore_patterns("run"))
    write_safetensors(corpus / "nan" / "model.safetensors", tensors)
    args = [str(corpus / "tales.txt"), "--out", str(corpus / "out"), "--init", str(corpus / "nan")]
    assert main(args) == 1
    error = capsys.readouterr().err
    assert "the parameter wpe holds nan" in error
    assert "--lr" not in error
