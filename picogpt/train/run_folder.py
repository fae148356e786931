"""The folder that a training run writes.

    my-model/             the model folder: the best weights so far, ready for use
    my-model/run/         what the run itself needs; may be deleted when it is over
        settings.json     what was asked for, with hashes of the texts; it is written last, so a
                          folder that has it is complete
        train.npy         the tokens to learn from
        valid.npy         the tokens held out
        checkpoint.npz    everything that changes: weights, moments, and the state
        log.jsonl         one line for every evaluation
        lock              held by the process that trains here

All files but the log are written whole, under another name, and renamed: a process that is killed
leaves either the old file or the new one. Nothing is pickled.

In the functions, `out` is my-model and `folder` is my-model/run.
"""

import hashlib
import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path

import numpy as np

from ..files import locked, read_json, replacing, write_json

SETTINGS, LOG, CHECKPOINT, LOCK = "settings.json", "log.jsonl", "checkpoint.npz", "lock"
TOKENS = ("train.npy", "valid.npy")


@dataclass
class State:
    """Where a run is. With weights and moments, all that it needs to go on."""

    step: int = 0  # updates of the weights so far
    best_loss: float | None = None  # the lowest held-out loss so far; None: not evaluated yet
    best_step: int = 0
    worse: int = 0  # evaluations since the best
    losses: list[float] = field(default_factory=list)  # of the steps since the last evaluation
    log_bytes: int = 0  # length of the log
    seconds: float = 0.0  # spent so far


def find_run(out: Path, resume: bool) -> bool:
    """Whether the folder holds a run to go on with. False means that it is free for a new one.

    Raises ValueError if it is neither, or if resume does not fit.
    """
    folder = out / "run"
    if (folder / SETTINGS).is_file():
        if not resume:
            raise ValueError(f"{out} already holds a run: add --resume to go on with it")
        if not (folder / CHECKPOINT).is_file():
            raise ValueError(f"{folder} has no {CHECKPOINT}, so the run in it cannot be resumed")
        return True
    if out.exists() and not out.is_dir():
        raise ValueError(f"{out} is a file, expected a folder that does not exist yet")
    # A process that was killed while it prepared a run may have left these, with no SETTINGS.
    unfinished = {LOCK, CHECKPOINT, SETTINGS, *TOKENS}
    others = [path for path in out.glob("*") if path != folder]
    others += [
        path
        for path in folder.glob("*")
        if re.sub(r"(\.\d+)*\.part$", "", path.name) not in unfinished
    ]
    if others:
        raise ValueError(f"{out} is not empty and holds no run: choose another folder")
    return False


@contextmanager
def alone(out: Path) -> Iterator[None]:
    """Lock the folder for this process. Raises ValueError if another process has it."""

    def refuse():
        raise ValueError(f"another process is training in {out}")

    (out / "run").mkdir(parents=True, exist_ok=True)
    with locked(out / "run" / LOCK, on_wait=refuse):
        for folder in (out, out / "run"):
            for left_behind in folder.glob("*.part"):  # by a process that was killed
                left_behind.unlink()
        yield


def write_tokens(folder: Path, train: np.ndarray, valid: np.ndarray) -> None:
    for name, tokens in zip(TOKENS, (train, valid)):
        with replacing(folder / name) as file:
            np.save(file, tokens)


def read_tokens(folder: Path) -> tuple[np.ndarray, np.ndarray]:
    """The tokens to learn from, and those held out, mapped into memory: [n_tokens] each."""
    return tuple(np.load(folder / name, mmap_mode="r", allow_pickle=False) for name in TOKENS)


def with_hashes(folder: Path, settings: dict) -> dict:
    """The settings, with the SHA-256 of the tokens that were made with them."""
    hashes = {}
    for name in TOKENS:
        with open(folder / name, "rb") as file:
            hashes[f"SHA-256 of {name}"] = hashlib.file_digest(file, "sha256").hexdigest()
    return settings | hashes


def write_settings(folder: Path, settings: dict) -> None:
    """settings: name -> value, the names as a user would understand them.

    The tokens must be written before this.
    """
    write_json(folder / SETTINGS, with_hashes(folder, settings))


def check_settings(folder: Path, settings: dict) -> None:
    """Raise ValueError if the run was begun with other settings, or its tokens have changed.

    The length of the run and of its final decay may differ.
    """
    old, new = read_json(folder / SETTINGS), with_hashes(folder, settings)
    length = {"--steps", "--decay"}
    if old.get("--steps") != new.get("--steps"):
        length.add("--warmup")  # which follows from the steps, if nothing is said
    for name in new | old:
        if name not in length and old.get(name) != new.get(name):
            raise ValueError(
                f"the run in {folder} was begun with other settings: {name} was "
                f"{old.get(name)!r}, now it is {new.get(name)!r}"
            )


def write_checkpoint(path: Path, params: dict, moments: dict, state: State) -> None:
    """params: path -> array; moments: as made by adamw.zero_moments."""
    arrays = {f"params/{name}": x for name, x in params.items()}
    for kind, moment in moments.items():
        arrays |= {f"{kind}/{name}": x for name, x in moment.items()}
    arrays["state"] = np.array(json.dumps(asdict(state)))
    with replacing(path) as file:
        np.savez(file, **arrays)


def read_checkpoint(path: Path, params: dict, moments: dict) -> State:
    """Fill params and moments, which have the right shapes, from the file; return the state.

    Raises ValueError if the file is damaged or holds other arrays.
    """
    arrays = {f"params/{name}": x for name, x in params.items()}
    for kind, moment in moments.items():
        arrays |= {f"{kind}/{name}": x for name, x in moment.items()}
    try:
        with np.load(path, allow_pickle=False) as file:
            for name, x in arrays.items():
                found = file[name]
                if found.shape != x.shape or found.dtype != x.dtype:
                    raise ValueError(f"{name} is {found.dtype} {list(found.shape)}")
                x[...] = found
            return read_state(json.loads(str(file["state"])))
    except Exception as error:  # noqa: BLE001 - a damaged file makes zipfile raise almost any
        raise ValueError(f"{path} is damaged: {error}") from None


def read_state(values: dict) -> State:
    """The state in a checkpoint. Raises ValueError for values of other types."""
    state = State(**values)
    for name in ("step", "best_step", "worse", "log_bytes"):
        if type(getattr(state, name)) is not int or getattr(state, name) < 0:
            raise ValueError(f"{name} is {getattr(state, name)!r:.80}, expected a whole number")
    numbers = [*state.losses, state.seconds] if isinstance(state.losses, list) else [None]
    if state.best_loss is not None:
        numbers.append(state.best_loss)
    if not all(type(x) in (int, float) for x in numbers):
        raise ValueError(f"losses and seconds are {numbers!r:.80}, expected numbers")
    return state


def append_to_log(path: Path, record: dict) -> int:
    """Add a line to the log. Returns the log's new length in bytes."""
    text = json.dumps(record, ensure_ascii=False, allow_nan=False)
    with open(path, "ab") as file:
        file.write(text.encode("utf-8", "replace") + b"\n")
        return file.tell()


def cut_log(path: Path, n_bytes: int) -> None:
    """Remove from the log what was written after the checkpoint: it will be written again.

    A log that somebody has shortened or deleted stays as it is.
    """
    with open(path, "ab") as file:
        file.truncate(min(n_bytes, file.tell()))
