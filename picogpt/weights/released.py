"""OpenAI's released models: which files there are, where they are kept, how they are verified.

A file gets its name in the cache only after its contents were verified: by the published size and
SHA-256, or, where none was published, by checksums from OpenAI's server or in the files themselves.
So a file with the right name is good, and to know that a model is complete it is enough to look at
the sizes of its files.
"""

import base64
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np

from ..config import SIZES, flatten
from ..files import parse_json
from .errors import CheckpointError
from .home import home
from .openai import openai_name, openai_shapes
from .shapes import check_shapes
from .tf_bundle import check_crc, map_shard, read_index, stored_bytes

PREFIX = "model.ckpt"
INDEX = f"{PREFIX}.index"
DATA = f"{PREFIX}.data-00000-of-00001"
CHECKPOINT = b'model_checkpoint_path: "model.ckpt"'  # how the file `checkpoint` begins


class Published(NamedTuple):
    """What is known beforehand about a released file; None where nobody published it."""

    n_bytes: int | None
    sha256: str | None = None


VOCABULARY = {  # the same in every size
    "encoder.json": Published(
        1_042_301, "196139668be63f3b5d6574427317ae82f612a97c5d1cdaf36ed2256dbf636783"
    ),
    "vocab.bpe": Published(
        456_318, "1ce1664773c50f3e0cc8842619a93edc4624525b728b188a9e0be33b7726adc5"
    ),
}

# The files of each size, in the order in which they are fetched: a wrong address is noticed before
# the large file, and the index, which verifies the data, comes before the data.
RELEASED: dict[str, dict[str, Published]] = {
    "124M": {
        "checkpoint": Published(
            77, "dd1b025d2e155283f5e300ce95bf6d5b6bc0f7fe010db73daa6975eb896ab9cb"
        ),
        "hparams.json": Published(
            90, "d9d56e4121c427164e0c55c6f03c08e1daf9002b9b672825112d19097b680318"
        ),
        **VOCABULARY,
        INDEX: Published(5215, "71916f763f9746f9b2a06b12d91996cf1084ae008d0424543d39391c5f2dc687"),
        DATA: Published(
            497_759_232, "2060c885360cc0cf41d7a6dbc4d24b5127aae20260c8b5ae521b5a6578407118"
        ),
    },
    "355M": {
        "checkpoint": Published(77),
        "hparams.json": Published(91),
        **VOCABULARY,
        INDEX: Published(10_399),
        DATA: Published(1_419_292_672),
    },
    "774M": {
        "checkpoint": Published(None),
        "hparams.json": Published(None),
        **VOCABULARY,
        INDEX: Published(None),
        DATA: Published(3_096_120_320),
    },
    "1558M": {
        "checkpoint": Published(None),
        "hparams.json": Published(None),
        **VOCABULARY,
        INDEX: Published(None),
        DATA: Published(6_230_444_800),
    },
}


def released_folder(size: str) -> Path:
    """The folder of a released model in the cache, whether it is there or not.

    Raises ValueError if there is no such size.
    """
    if size not in RELEASED:
        raise ValueError(f"no released model {size!r}, expected one of {', '.join(RELEASED)}")
    return home() / "models" / size


def part_of(path: Path) -> Path:
    """The path of a file while it is downloaded: model.ckpt.part.index for model.ckpt.index.

    The ending stays the same, so that index and data can be read before they get their names.
    """
    return path.with_stem(f"{path.stem}.part")


def missing_files(size: str) -> list[str]:
    """The names of the files that are not in the cache, or not of their published length."""
    folder = released_folder(size)

    def is_there(name: str, n_bytes: int | None) -> bool:
        path = folder / name
        return path.is_file() and n_bytes in (None, path.stat().st_size)

    return [name for name, known in RELEASED[size].items() if not is_there(name, known.n_bytes)]


def is_complete(size: str) -> bool:
    """Whether all files of a released model are in the cache. Reads none of them."""
    return not missing_files(size)


def find_fault(path: Path, size: str, name: str, content_md5: str | None = None) -> str | None:
    """What is wrong with the contents of the file at `path`, which is to be `name`; None if good.

    content_md5: the header Content-MD5 of the answer, if it had one.
    """
    n_bytes, sha256 = RELEASED[size][name]
    found = path.stat().st_size
    if n_bytes not in (None, found):
        return f"it has {found} bytes, expected {n_bytes}"
    if sha256:
        return _differ("SHA-256", digest(path, "sha256").hex(), sha256)
    if content_md5:  # RFC 1864: base64 of the 128 bits
        found = base64.b64encode(digest(path, "md5")).decode()
        if fault := _differ("MD5", found, content_md5):
            return fault
    return _find_inner_fault(path, size, name)


def _differ(what: str, found: str, expected: str) -> str | None:
    return None if found == expected else f"its {what} is {found}, expected {expected}"


def digest(path: Path, algorithm: str, head: bytes = b"") -> bytes:
    """The hash of a file, or of `head` and the file."""
    import hashlib  # here, because it loads OpenSSL, and only a download needs it

    with open(path, "rb") as file:
        # Systems that forbid MD5 for security still allow it as protection against accidents.
        new = partial(hashlib.new, algorithm, head, usedforsecurity=False)
        return hashlib.file_digest(file, new).digest()


def data_sha256(params: dict) -> str:
    """The SHA-256 that OpenAI's file of data has if these are its parameters, in whatever file.

    TensorFlow writes the tensors one after the other in the order of their names, and nothing else.
    """
    import hashlib

    tensors = {openai_name(path): x for path, x in flatten(params).items()}
    hashed = hashlib.sha256()
    for name in sorted(tensors, key=str.encode):
        hashed.update(np.ascontiguousarray(tensors[name], "<f4"))
    return hashed.hexdigest()


def _find_inner_fault(path: Path, size: str, name: str) -> str | None:
    """What is wrong with a file whose hash nobody published, by what is in it; None if good."""
    try:
        if name == "checkpoint" and not path.read_bytes().startswith(CHECKPOINT):
            return f"it does not begin with {CHECKPOINT.decode()}"
        if name == "hparams.json" and parse_json(path.read_bytes()) != asdict(SIZES[size]):
            return f"its numbers are not those of {size}"
        if name == INDEX:  # reading it looks at the checksum of every block
            entries = read_index(path.with_suffix(""))
            shapes = {name: entry.shape for name, entry in entries.items()}
            check_shapes(shapes, SIZES[size], openai_shapes, f"GPT-2 {size}")
        if name == DATA:
            _check_tensors(path)
        return None
    except ValueError as error:
        return str(error)


def _check_tensors(data: Path) -> None:
    """Raise CheckpointError unless the data have the checksums in the index beside them."""
    shard = map_shard(data)
    for name, entry in read_index(data.with_name(PREFIX)).items():
        try:
            check_crc(entry, stored_bytes(entry, shard))
        except CheckpointError as error:
            raise CheckpointError(f"tensor {name!r} {error}") from None
