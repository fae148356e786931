"""The command `python -m picogpt.weights download SIZE`."""

import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from download_release import (
    FILES,
    NAMES,
    PART,
    assert_good,
    assert_no_bad_file,
    command_process,
    wait_for_length,
)
from download_server import answer, stall

import picogpt
from picogpt.config import flatten
from picogpt.weights import CheckpointError
from picogpt.weights.__main__ import main
from picogpt.weights.huggingface import huggingface_name
from picogpt.weights.released import DATA
from picogpt.weights.safetensors import write_safetensors
from picogpt.weights.transfer import CHUNK

pytest_plugins = ["download_fixtures"]
pytestmark = pytest.mark.usefixtures("release")


def test_fetches_and_then_checks(server, folder, capsys):
    for _ in range(2):
        assert main(["download", "124M"]) == 0
        assert capsys.readouterr().out == f"124M is complete, and every file is good: {folder}\n"
        assert_good(folder)
    assert [server.got(name) for name in NAMES] == [[None]] * len(NAMES)


def test_names_a_bad_file_and_fetches_it_again(server, folder, capsys):
    main(["download", "124M"])
    (folder / "vocab.bpe").write_bytes(bytes(100))
    server.log.clear()
    assert main(["download", "124M"]) == 0
    assert "picogpt: vocab.bpe is bad: its SHA-256 is " in capsys.readouterr().err
    assert_good(folder)
    assert [len(server.got(name)) for name in NAMES] == [0, 0, 0, 1, 0, 0]


def test_a_bad_file_is_gone_even_if_it_cannot_be_fetched_again(server, folder):
    main(["download", "124M"])
    (folder / DATA).write_bytes(FILES[DATA][::-1])
    server.files.clear()
    assert main(["download", "124M"]) == 1
    assert not (folder / DATA).exists()


def test_failure(server, capsys):
    server.answers["/124M/vocab.bpe"] = [answer(404)]
    assert main(["download", "124M"]) == 1
    out, err = capsys.readouterr()
    assert out == ""
    assert err.splitlines()[-1].startswith("picogpt: GPT-2 124M cannot be downloaded (http://127")


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        ([], "the following arguments are required: command"),
        (["download"], "the following arguments are required: NAME"),
        (["download", "125M"], "argument NAME: '125M', expected one of 124M, "),
        (["remove"], "the following arguments are required: NAME"),
        (["upload", "124M"], "argument command: invalid choice: 'upload'"),
    ],
)
def test_wrong_usage(capsys, argv, message):
    with pytest.raises(SystemExit) as exited:
        main(argv)
    assert exited.value.code == 2
    err = capsys.readouterr().err
    assert err.startswith(f"picogpt: {message}")
    assert err.count("\n") == 1


@pytest.mark.parametrize("argv", [["--help"], ["download", "--help"]])
def test_help(capsys, argv):
    with pytest.raises(SystemExit) as exited:
        main(argv)
    assert exited.value.code == 0
    text = capsys.readouterr().out
    for word in ("124M", "1558M", "PICOGPT_HOME", "PICOGPT_WEIGHTS_URL"):
        assert word in text


@pytest.mark.skipif(os.name == "nt", reason="Windows has no signal for Ctrl-C to one process")
def test_ctrl_c(server, folder):
    server.answers[f"/124M/{DATA}"] = [stall(4 * CHUNK)]
    process = command_process(server, folder)
    wait_for_length(folder / PART, 4 * CHUNK)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate()
    assert process.returncode == 130
    assert (out, err.splitlines()[-2:]) == (
        "",
        ["picogpt: interrupted; what was fetched is kept, and the next download continues it", ""],
    )
    assert_no_bad_file(folder)


def test_nothing_slow_is_imported_before_it_is_needed():
    program = "import sys, picogpt.weights.download; sys.exit('requests' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0


def test_check_finds_a_changed_byte_and_a_number_that_is_none(tmp_path, capsys):
    tiny = Path(__file__).parents[1] / "reference" / "tiny"
    assert main(["check", str(tiny)]) == 0
    assert "every file is good" in capsys.readouterr().out
    folder = Path(shutil.copytree(tiny, tmp_path / "model"))
    data = folder / "model.ckpt.data-00000-of-00001"
    content = bytearray(data.read_bytes())
    content[1000] ^= 1
    data.write_bytes(content)
    assert main(["check", str(folder)]) == 1
    assert "CRC-32C" in capsys.readouterr().err
    with pytest.raises(CheckpointError, match="CRC-32C"):
        picogpt.load(folder)
    params = picogpt.load(folder, verify=False).params
    assert params["wte"].shape == (800, 24)
    model = picogpt.load(tiny)
    wpe = model.params["wpe"].copy()
    wpe[3, 4] = np.nan
    damaged = picogpt.GPT2(model.config, model.params | {"wpe": wpe}, model.tokenizer)
    with pytest.raises(CheckpointError, match="the parameter wpe holds nan"):
        damaged.save(tmp_path / "nan")
    assert not (tmp_path / "nan").exists()
    model.save(tmp_path / "nan")
    tensors = {huggingface_name(path): x for path, x in flatten(damaged.params).items()}
    write_safetensors(tmp_path / "nan" / "model.safetensors", tensors)
    with pytest.raises(CheckpointError, match="the parameter wpe holds nan"):
        picogpt.load(tmp_path / "nan")
