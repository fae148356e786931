"""What tests of the download have instead of OpenAI's 124M: the same six files, but small."""

import hashlib
import json
import os
import random
import subprocess
import sys
import time
from pathlib import Path

from picogpt.weights.released import DATA, INDEX
from picogpt.weights.transfer import CHUNK

NAMES = ["checkpoint", "hparams.json", "encoder.json", "vocab.bpe", INDEX, DATA]
PART = "model.ckpt.part.data-00000-of-00001"
SIZE = 10 * CHUNK  # of the large file
FILES = {name: random.Random(name).randbytes(100) for name in NAMES}
FILES[DATA] = random.Random("data").randbytes(SIZE)
TOTAL = SIZE + 500
KNOWN = {name: (len(body), hashlib.sha256(body).hexdigest()) for name, body in FILES.items()}

# What a process of its own runs: the command, with the small release in place of the real one.
DRIVER = """
import json, signal, sys
from picogpt.weights import released
from picogpt.weights.__main__ import main
known = json.loads(sys.argv[1])
released.RELEASED["124M"] = {name: released.Published(*known[name]) for name in known}
signal.signal(signal.SIGINT, signal.default_int_handler)  # ignored in a shell's background
sys.exit(main(["download", "124M"]))
"""


def assert_good(folder):
    """All six files are there under their names, with the right contents, and no parts of them."""
    assert {p.name for p in folder.iterdir()} == {*NAMES, "download.lock"}
    assert_no_bad_file(folder)


def assert_no_bad_file(folder):
    """Whatever is there under a good name has the right contents."""
    for name in NAMES:
        assert not (folder / name).exists() or (folder / name).read_bytes() == FILES[name]


def command_process(server, folder):
    """The command, in a process of its own, with the surroundings of the fixture `release`."""
    home = folder.parents[1]
    env = os.environ | {"PICOGPT_WEIGHTS_URL": server.url, "PICOGPT_HOME": str(home)}
    return subprocess.Popen(
        [sys.executable, "-c", DRIVER, json.dumps(KNOWN)],
        env=env | {"PYTHONPATH": str(Path(__file__).parents[1])},
        stderr=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


def wait_for_length(path, n_bytes):
    """Wait until another process has written so many bytes."""
    deadline = time.monotonic() + 30
    while not path.exists() or path.stat().st_size < n_bytes:
        assert time.monotonic() < deadline
        time.sleep(0.01)
