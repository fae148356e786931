"""Finding and reading the vocabulary in a folder, whichever files it is in."""

from pathlib import Path

from .openai_vocab import read_openai_tokenizer
from .tokenizer import Tokenizer
from .tokenizer_json import SENTENCEPIECE, read_huggingface_tokenizer

OPENAI = ("encoder.json", "vocab.bpe")
HUGGINGFACE = ("tokenizer.json", "vocab.json", "merges.txt", "vocab.txt", *SENTENCEPIECE)


def load_tokenizer(folder: str | Path) -> Tokenizer:
    """The tokenizer of the vocabulary in a folder.

    Its files are encoder.json and vocab.bpe (OpenAI's); or tokenizer.json, or vocab.json and
    merges.txt, or vocab.txt (Hugging Face's). If both are there, Hugging Face's are
    read beside a config.json, and otherwise OpenAI's.
    Raises FileNotFoundError for a missing file; ValueError for a damaged one, or for a tokenizer
    of another kind.
    """
    folder = Path(folder)
    openai, huggingface = (
        [name for name in names if (folder / name).is_file()] for names in (OPENAI, HUGGINGFACE)
    )
    if not openai and not huggingface:
        raise FileNotFoundError(
            f"{folder} has no tokenizer: neither encoder.json and vocab.bpe (OpenAI's) nor "
            "tokenizer.json, vocab.json and merges.txt, or vocab.txt (Hugging Face's)"
        )
    if huggingface and (not openai or (folder / "config.json").is_file()):
        return read_huggingface_tokenizer(folder)
    return read_openai_tokenizer(folder)
