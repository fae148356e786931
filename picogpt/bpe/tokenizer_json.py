"""A vocabulary in Hugging Face's files.

tokenizer.json holds a vocabulary and a description of everything that the tokenizer does to a text.
Here it must do what GPT-2's or BERT's does. Older folders have vocab.json and merges.txt, which are
encoder.json and vocab.bpe under other names, or BERT's vocab.txt with one token a line; from these
such a description is made.

Source: the models, pre_tokenizers and processors of https://github.com/huggingface/tokenizers.
"""

from pathlib import Path

from ..files import brief, read_json, read_text
from .byte_level import ByteLevelBPE
from .openai_vocab import read_merges
from .pattern import compile_pattern
from .special_tokens import INSTEAD, Settings, added_tokens, read_settings, read_token
from .tokenizer import Tokenizer

KINDS = ("BPE", "WordPiece")
SENTENCEPIECE = ("spiece.model", "sentencepiece.bpe.model", "tokenizer.model", "spm.model")
# What the description of a model must say, by kind; None stands for null and for nothing at all.
MODEL = {
    "BPE": {
        "byte_fallback": (False, None),
        "dropout": (None, 0),
        "continuing_subword_prefix": (None, ""),
        "end_of_word_suffix": (None, ""),
        "ignore_merges": (False, None),
    },
    "WordPiece": {},
}
FORMS = ("NFC", "NFD", "NFKC", "NFKD")
# GPT-2's pattern (pretokenize.py) in the ways that it is written.
CONTRACTIONS = ("'s|'t|'re|'ve|'m|'ll|'d", "'(?:[sdmt]|ll|ve|re)")
PATTERNS = {
    *(rf"{c}| ?\p{{L}}+| ?\p{{N}}+| ?[^\s\p{{L}}\p{{N}}]+|\s+(?!\S)|\s+" for c in CONTRACTIONS),
    *(
        rf"{c}| ?\p{{L}}++| ?\p{{N}}++| ?[^\s\p{{L}}\p{{N}}]++|\s++$|\s+(?!\S)|\s"
        for c in CONTRACTIONS
    ),
}


def read_huggingface_tokenizer(folder: Path) -> Tokenizer:
    """The tokenizer in a folder: tokenizer.json, or vocab.json and merges.txt, or vocab.txt.

    Raises FileNotFoundError for a missing file; ValueError for a damaged one, or for a tokenizer
    that picogpt does not compute.
    """
    # transformers, too, prefers tokenizer.json to the others.
    if (path := folder / "tokenizer.json").is_file():
        described = read_json(path)
    elif (path := folder / "vocab.json").is_file() or (folder / "merges.txt").is_file():
        described = describe_bpe_files(path)
    elif (path := folder / "vocab.txt").is_file():
        described = describe_wordpiece_file(path)
    else:
        path = next(folder / name for name in SENTENCEPIECE if (folder / name).is_file())
        raise ValueError(f"{path}: is SentencePiece's, which picogpt does not read{INSTEAD}")
    try:
        kind = kind_of(described)
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from None
    settings = read_settings(folder, kind)
    if path.name == "tokenizer.json":  # which alone says so in transformers, by its post_processor
        settings.options.pop("add_bos_token", None)
    try:
        return (
            read_bpe(described, settings) if kind == "BPE" else read_wordpiece(described, settings)
        )
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from None


def describe_bpe_files(path: Path) -> dict:
    """vocab.json, and merges.txt beside it, as tokenizer.json would describe them."""
    vocab, merges = read_json(path), read_merges(path.with_name("merges.txt"))
    byte_level = {"type": "ByteLevel", "add_prefix_space": False}
    model = {"type": "BPE", "vocab": vocab, "merges": [list(pair) for pair in merges]}
    return {"pre_tokenizer": byte_level, "decoder": byte_level, "model": model}


def describe_wordpiece_file(path: Path) -> dict:
    """vocab.txt, whose ids are the numbers of the lines, as tokenizer.json would describe it."""
    tokens = read_text(path).replace("\r\n", "\n").removesuffix("\n").split("\n")
    vocab = {token: i for i, token in enumerate(tokens)}
    if len(vocab) < len(tokens):
        twice = next(token for i, token in enumerate(tokens) if vocab[token] != i)
        raise ValueError(f"{path}: the token {twice!r:.80} is on two lines")
    return {
        "normalizer": {"type": "BertNormalizer"},
        "pre_tokenizer": {"type": "BertPreTokenizer"},
        "model": {"type": "WordPiece", "vocab": vocab},
    }


def kind_of(described: dict) -> str:
    """The kind of a described tokenizer: "BPE" or "WordPiece". Raises ValueError for any other."""
    model = get_typed(described, "model", dict)
    kind = "BPE" if model.get("type") is None else model["type"]  # older files do not say
    if kind not in KINDS:
        note = ", which is SentencePiece's" if kind == "Unigram" else ""
        raise ValueError(f"model.type is {brief(kind)}{note}, expected BPE or WordPiece{INSTEAD}")
    for name, values in MODEL[kind].items():
        if (value := model.get(name)) not in values:
            refuse(f"model.{name}", value, repr(values[0]))
    return kind


def refuse(name: str, value, expected: str):
    """Raise ValueError for a value that makes a tokenizer another one."""
    raise ValueError(f"{name} is {brief(value)}, but picogpt computes {expected}{INSTEAD}")


def get_typed(described: dict, name: str, kind: type):
    """The value of a key. Raises ValueError if it is of another type."""
    value = described.get(name.rpartition(".")[2])
    if type(value) is not kind:
        raise ValueError(f"{name} is {brief(value)}, expected a {kind.__name__}")
    return value


def steps(described: dict, name: str, key: str) -> list:
    """The steps under a name, one after the other; key: where a Sequence keeps its steps."""
    todo, found = [described.get(name)], []
    while todo:
        step = todo.pop()
        if isinstance(step, dict) and step.get("type") == "Sequence":
            todo += reversed(get_typed(step, f"{name}.{key}", list))
        elif step is not None:
            found.append(step)
    return found


def only_type(step) -> str | None:
    """The type of a step, or None if it is not one."""
    return step.get("type") if isinstance(step, dict) else None


def read_added(described: dict) -> list:
    """The added tokens of a description."""
    tokens = get_typed(described, "added_tokens", list) if "added_tokens" in described else []
    return [
        read_token("added_tokens", token, token.get("id") if isinstance(token, dict) else None)
        for token in tokens
    ]


def read_bpe(described: dict, settings: Settings) -> ByteLevelBPE:
    """The tokenizer of a description, if it does what GPT-2's does."""
    prefix_space, pattern = read_pre_tokenizer(described)
    if [only_type(step) for step in steps(described, "decoder", "decoders")] != ["ByteLevel"]:
        refuse("decoder", described.get("decoder"), "ByteLevel")
    normalizers = steps(described, "normalizer", "normalizers")
    form = only_type(normalizers[0]) if normalizers else ""
    if len(normalizers) > 1 or form not in ("", *FORMS):
        refuse("normalizer", described["normalizer"], f"one of {', '.join(FORMS)}")
    encoder = dict(get_typed(described["model"], "model.vocab", dict))
    merges = get_typed(described["model"], "model.merges", list)
    pairs = [read_pair(rank, pair) for rank, pair in enumerate(merges)]
    added = added_tokens(read_added(described), settings, encoder)
    added.add_bos_token = read_post_processor(described, settings, added.bos)
    prefix_space = settings.options.get("add_prefix_space", prefix_space)
    try:
        return ByteLevelBPE(encoder, pairs, added, form, prefix_space, pattern)
    except ValueError as error:
        raise ValueError(f"vocabulary and merges do not fit: {error}") from None


def read_pre_tokenizer(described: dict) -> tuple[bool, str]:
    """Whether a text gets a space before it, and the pattern that cuts it, "" for GPT-2's own.

    Newer files have a Split with the pattern, and then a ByteLevel without one.
    Raises ValueError for anything else that cuts a text.
    """
    *before, last = steps(described, "pre_tokenizer", "pretokenizers") or [None]
    pattern = "" if not before else read_split(before[0]) if len(before) == 1 else None
    good = only_type(last) == "ByteLevel" and type(last.get("add_prefix_space")) is bool
    cuts = good and last.get("use_regex") in (True, None)  # by itself, into GPT-2's words
    if good and before:  # GPT-2's words stay what they are if they are cut again
        good = last["add_prefix_space"] is False and not (pattern and cuts)
    elif good:
        good = cuts
    if not good or pattern is None:
        refuse("pre_tokenizer", described.get("pre_tokenizer"), "a pattern and then ByteLevel")
    try:
        if pattern:
            compile_pattern(pattern)
    except ValueError as error:
        raise ValueError(f"pre_tokenizer: {error}{INSTEAD}") from None
    return last["add_prefix_space"], pattern


def read_split(step) -> str | None:
    """The pattern of a step that cuts a text into words, "" for GPT-2's; None if it is none."""
    pattern = step.get("pattern") if only_type(step) == "Split" else None
    # Either what is found is a word, or what is between is left out; compile_pattern sees to it
    # that nothing is.
    if not isinstance(pattern, dict) or not isinstance(pattern.get("Regex"), str):
        return None
    if (step.get("behavior"), step.get("invert")) not in (("Isolated", False), ("Removed", True)):
        return None
    return "" if pattern["Regex"] in PATTERNS else pattern["Regex"]


def read_post_processor(described: dict, settings: Settings, bos: str) -> bool:
    """Whether the token that begins a text is put before it.

    Raises ValueError if something else is added to the ids of a text.
    """
    text, found = {"Sequence": {"id": "A", "type_id": 0}}, False
    first = {"SpecialToken": {"id": bos, "type_id": 0}}
    for step in steps(described, "post_processor", "processors"):
        single = step.get("single") if isinstance(step, dict) else None
        # ByteLevel is for offsets, which are not used here.
        if only_type(step) != "ByteLevel" and single not in ([text], [first, text]):
            refuse("post_processor", described["post_processor"], "at most bos before a text")
        found |= single == [first, text]
    return found or settings.options.get("add_bos_token", False)


def read_pair(rank: int, pair) -> tuple[str, str]:
    """A merge: "Ġ t" in older files, ["Ġ", "t"] in newer ones."""
    symbols = pair.split(" ") if isinstance(pair, str) else pair
    if isinstance(symbols, list) and len(symbols) == 2:
        first, second = symbols
        if isinstance(first, str) and isinstance(second, str):
            return first, second
    raise ValueError(f"model.merges has {brief(pair)} at {rank}, expected two symbols")


def read_wordpiece(described: dict, settings: Settings) -> Tokenizer:
    """The tokenizer of a description, if it does what BERT's does.

    The [CLS] and [SEP] that its post_processor puts around a text are left out, as they are in
    transformers' pipeline for text generation.
    """
    from .wordpiece import Cleaning, WordPiece  # here, so that `import picogpt` stays quick

    normalizers = steps(described, "normalizer", "normalizers")
    if [only_type(step) for step in normalizers] != ["BertNormalizer"]:
        refuse("normalizer", described.get("normalizer"), "BertNormalizer")
    splitters = steps(described, "pre_tokenizer", "pretokenizers")
    if [only_type(step) for step in splitters] != ["BertPreTokenizer"]:
        refuse("pre_tokenizer", described.get("pre_tokenizer"), "BertPreTokenizer")
    # transformers obeys the settings beside tokenizer.json, too.
    names = {"lowercase": "do_lower_case", "handle_chinese_chars": "tokenize_chinese_chars"}
    options = {}
    for name, default in Cleaning()._asdict().items():
        value = normalizers[0].get(name, default)
        options[name] = settings.options.get(names.get(name, name), value)
        if type(options[name]) is not bool and (name, options[name]) != ("strip_accents", None):
            raise ValueError(f"normalizer.{name} is {brief(value)}, expected true or false")
    model = described["model"]
    encoder = dict(get_typed(model, "model.vocab", dict))
    added = added_tokens(read_added(described), settings, encoder)
    defaults = {
        "unk_token": "[UNK]",
        "continuing_subword_prefix": "##",
        "max_input_chars_per_word": 100,
    }
    values = []
    for name, default in defaults.items():
        value = model.get(name, settings.options.get(name, default))
        if type(value) is not type(default):
            raise ValueError(f"model.{name} is {brief(value)}, expected {default!r}, for instance")
        values.append(value)
    return WordPiece(encoder, added, Cleaning(**options), *values)
