"""The two files of a vocabulary, as OpenAI released them.

encoder.json is one object, token -> id. vocab.bpe lists the merges in the order in which they
were learned, two symbols a line, below a first line "#version: 0.2". Both are UTF-8.
"""

import json
from pathlib import Path

from ..files import check_free, read_json, read_text, replacing
from .byte_level import ByteLevelBPE


def read_openai_tokenizer(folder: Path) -> ByteLevelBPE:
    """The tokenizer of the vocabulary in encoder.json and vocab.bpe.

    Raises FileNotFoundError for a missing file and ValueError for a damaged one.
    """
    encoder = read_json(folder / "encoder.json")
    merges = read_merges(folder / "vocab.bpe")
    try:
        return ByteLevelBPE(encoder, merges)
    except ValueError as error:
        raise ValueError(f"{folder}: encoder.json and vocab.bpe do not fit: {error}") from None


def read_merges(path: Path) -> list[tuple[str, str]]:
    """vocab.bpe: the merges in order, below a line "#version: 0.2" that may be missing.

    Lines may end with CRLF, which git and old editors write on Windows: the symbols themselves hold
    no carriage return, because byte 13 is written "č".
    """
    lines = read_text(path).replace("\r\n", "\n").removesuffix("\n").split("\n")
    if "#version" in lines[0][1:]:  # something stands before it, such as a byte order mark
        raise ValueError(f"{path}: line 1 is {lines[0]!r:.80}, expected '#version: 0.2'")
    first = 1 if lines[0].startswith("#version") else 0  # some writers leave the line out
    merges = []
    for number, line in enumerate(lines[first:], start=first + 1):
        pair = tuple(line.split(" "))
        if len(pair) != 2 or not all(pair):
            raise ValueError(
                f"{path}: line {number} is {line!r:.80}, expected two symbols, separated by a space"
            )
        merges.append(pair)
    return merges


def write_merges(path: Path, tokenizer: ByteLevelBPE) -> None:
    """Write the merges as vocab.bpe has them; Hugging Face's merges.txt is the same."""
    lines = ["#version: 0.2", *map(" ".join, tokenizer.ranks)]
    with replacing(path) as file:
        file.write("".join(f"{line}\n" for line in lines).encode("utf-8"))


def save_tokenizer(folder: str | Path, tokenizer: ByteLevelBPE) -> None:
    """Write encoder.json and vocab.bpe to a folder, which is made if it does not exist.

    Raises FileExistsError if something is there already.
    """
    folder = Path(folder)
    check_free(folder)
    folder.mkdir(parents=True, exist_ok=True)
    with replacing(folder / "encoder.json") as file:
        file.write(json.dumps(tokenizer.encoder).encode("utf-8"))
    write_merges(folder / "vocab.bpe", tokenizer)
