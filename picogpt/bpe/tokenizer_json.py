"""A vocabulary in Hugging Face's files.

vocab.json and merges.txt are encoder.json and vocab.bpe under other names. tokenizer.json holds
both, and beside them a description of everything that a tokenizer can do to a text; here it must
describe what GPT-2's does. tokenizer_config.json is for transformers' classes.

Source: the models, pre_tokenizers and processors of https://github.com/huggingface/tokenizers.
"""

import json
from pathlib import Path

from ..files import brief, read_json, replacing, write_json
from .openai_vocab import read_merges, write_merges
from .tokenizer import ENDOFTEXT, Tokenizer

# What tokenizer.json must say, by the path to it; None stands for null and for nothing at all.
# Only what ids depend on is here: truncation and padding, for instance, belong to batches.
TOKENIZER = {
    "normalizer": (None,),
    "pre_tokenizer.type": ("ByteLevel",),
    "pre_tokenizer.add_prefix_space": (False,),
    "pre_tokenizer.use_regex": (True, None),
    "decoder.type": ("ByteLevel",),
    "model.type": ("BPE", None),
    "model.dropout": (None, 0),
    "model.continuing_subword_prefix": (None, ""),
    "model.end_of_word_suffix": (None, ""),
    "model.ignore_merges": (False, None),
}
# And tokenizer_config.json, if it is there.
TOKENIZER_CONFIG = {
    "tokenizer_class": (
        "GPT2Tokenizer",
        "GPT2TokenizerFast",
        "PreTrainedTokenizerFast",
        "TokenizersBackend",
        None,
    ),
    "add_prefix_space": (False, None),
    "add_bos_token": (False, None),
    "add_eos_token": (False, None),
}
# Where it names tokens, apart from bos_token, eos_token and their like.
MORE_TOKENS = ("additional_special_tokens", "extra_special_tokens", "added_tokens_decoder")


def read_huggingface_tokenizer(folder: Path) -> Tokenizer:
    """The tokenizer in a folder: tokenizer.json, or else vocab.json and merges.txt.

    Raises FileNotFoundError for a missing file; ValueError for a damaged one, or for one that
    asks for other ids than GPT-2's tokenizer gives.
    """
    for name in ("tokenizer_config.json", "special_tokens_map.json"):
        if (folder / name).is_file():
            check_settings(folder / name)
    path = folder / "tokenizer.json"
    if path.is_file():  # the one that transformers believes where both are
        encoder, merges = read_tokenizer_json(path)
    else:
        path = folder / "vocab.json"
        encoder, merges = read_json(path), read_merges(folder / "merges.txt")
        if (added := folder / "added_tokens.json").is_file():
            encoder |= read_added_tokens(added)
    try:
        return Tokenizer(encoder, merges)
    except ValueError as error:
        raise ValueError(f"{path}: vocabulary and merges do not fit: {error}") from None


def read_tokenizer_json(path: Path) -> tuple[dict[str, int], list[tuple[str, str]]]:
    """Token -> id, and the merges in order, of a tokenizer.json that describes GPT-2's tokenizer."""
    described = read_json(path)
    try:
        check_options(described, TOKENIZER)
        check_post_processor(described.get("post_processor"))
        encoder = get_typed(described, "model.vocab", dict)
        merges = get_typed(described, "model.merges", list)
        for token in get_typed(described, "added_tokens", list):
            check_token("added_tokens", token)
            # Another id than in model.vocab leaves a gap there, which Tokenizer refuses.
            encoder[ENDOFTEXT] = token.get("id") if isinstance(token, dict) else None
        return encoder, [read_pair(rank, pair) for rank, pair in enumerate(merges)]
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from None


def get(described: dict, path: str):
    """The value at a path such as "model.type"; None if there is none."""
    value = described
    for key in path.split("."):
        value = value.get(key) if isinstance(value, dict) else None
    return value


def get_typed(described: dict, path: str, kind: type):
    """The value at a path. Raises ValueError if it is of another type."""
    if type(value := get(described, path)) is not kind:
        raise ValueError(f"{path} is {brief(value)}, expected a {kind.__name__}")
    return value


def check_options(described: dict, accepted: dict[str, tuple]) -> None:
    """Raise ValueError if the value at one of the paths is not one of those accepted."""
    for path, values in accepted.items():
        if (value := get(described, path)) not in values:
            raise ValueError(f"{path} is {brief(value)}, but in GPT-2 it is {values[0]!r}")


def check_post_processor(described) -> None:
    """Raise ValueError if something is added to the ids of a text, such as a first token."""
    adds_nothing = described is None
    if isinstance(described, dict):
        adds_nothing = (
            described.get("type") == "ByteLevel"  # for offsets, which are not used here
            or described.get("single") == [{"Sequence": {"id": "A", "type_id": 0}}]
        )
    if not adds_nothing:
        raise ValueError(f"post_processor is {brief(described)}, but GPT-2's adds no tokens")


def check_token(where: str, token) -> None:
    """Raise ValueError unless a special token, an object or its text, is a plain <|endoftext|>.

    transformers cuts special tokens out of every text, whatever the merges say.
    """
    content = token.get("content") if isinstance(token, dict) else token
    if content != ENDOFTEXT:
        raise ValueError(f"{where} has {brief(content)}, but picogpt knows only {ENDOFTEXT}")
    for flag in ("lstrip", "rstrip", "single_word"):
        if isinstance(token, dict) and token.get(flag):
            raise ValueError(f"{where} gives {ENDOFTEXT} the flag {flag}, which changes ids")


def read_pair(rank: int, pair) -> tuple[str, str]:
    """A merge: "Ġ t" in older files, ["Ġ", "t"] in newer ones."""
    symbols = pair.split(" ") if isinstance(pair, str) else pair
    if isinstance(symbols, list) and len(symbols) == 2:
        first, second = symbols
        if isinstance(first, str) and isinstance(second, str):
            return first, second
    raise ValueError(f"model.merges has {brief(pair)} at {rank}, expected two symbols")


def check_settings(path: Path) -> None:
    """Raise ValueError if tokenizer_config.json or its like asks for other ids than GPT-2's."""
    described = read_json(path)
    try:
        check_options(described, TOKENIZER_CONFIG)
        for name, token in described.items():
            if name.endswith("_token") and isinstance(token, (str, dict)):
                check_token(f"{name!a:.80}", token)
        for name in MORE_TOKENS:
            tokens = described.get(name) or []
            if isinstance(tokens, dict):
                tokens = list(tokens.values())
            for token in tokens if isinstance(tokens, list) else [tokens]:
                check_token(name, token)
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from None


def read_added_tokens(path: Path) -> dict[str, int]:
    """The id of <|endoftext|> from added_tokens.json, which stood beside vocab.json."""
    added = read_json(path)
    for token in added:
        if token != ENDOFTEXT:
            raise ValueError(f"{path}: names {token!a:.80}, but picogpt knows only {ENDOFTEXT}")
    return added


def save_huggingface_tokenizer(folder: Path, tokenizer: Tokenizer, n_ctx: int) -> None:
    """Write vocab.json, merges.txt, tokenizer.json and tokenizer_config.json into a folder.

    n_ctx: the longest text, in tokens, that transformers shall accept without a warning.
    """
    encoder = dict(sorted(tokenizer.encoder.items(), key=lambda item: item[1]))
    merges = [" ".join(pair) for pair in tokenizer.ranks]
    with replacing(folder / "vocab.json") as file:
        file.write(json.dumps(encoder, ensure_ascii=False).encode("utf-8"))
    write_merges(folder / "merges.txt", tokenizer)
    write_json(folder / "tokenizer.json", tokenizer_json(encoder, merges))
    names = dict.fromkeys(("bos_token", "eos_token", "unk_token"), ENDOFTEXT)
    settings = {"tokenizer_class": "GPT2Tokenizer", "add_prefix_space": False}
    write_json(folder / "tokenizer_config.json", settings | names | {"model_max_length": n_ctx})


def tokenizer_json(encoder: dict[str, int], merges: list[str]) -> dict:
    """GPT-2's tokenizer as tokenizer.json describes it."""
    byte_level = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True}
    endoftext = {
        "id": encoder[ENDOFTEXT],
        "content": ENDOFTEXT,
        "single_word": False,
        "lstrip": False,
        "rstrip": False,
        "normalized": False,
        "special": True,
    }
    return {
        "version": "1.0",
        "truncation": None,
        "padding": None,
        "added_tokens": [endoftext],
        "normalizer": None,
        "pre_tokenizer": byte_level | {"use_regex": True},
        "post_processor": None,
        "decoder": byte_level | {"use_regex": True},
        "model": {
            "type": "BPE",
            "dropout": None,
            "unk_token": None,
            "continuing_subword_prefix": None,
            "end_of_word_suffix": None,
            "fuse_unk": False,
            "byte_fallback": False,
            "ignore_merges": False,
            "vocab": encoder,
            "merges": merges,
        },
    }
