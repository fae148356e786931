"""Every form of tokenizer that picogpt reads, against the library that wrote it.

The vocabularies are learned here, by Hugging Face's trainers, and the ids compared on a megabyte.
"""

import json
from pathlib import Path

import many_languages
import pytest
from tokenizers import (
    AddedToken,
    Regex,
    Tokenizer,
    decoders,
    models,
    normalizers,
    pre_tokenizers,
    processors,
    trainers,
)
from transformers import AutoTokenizer, GPT2Tokenizer

from picogpt.bpe import load_tokenizer
from picogpt.bpe.saved import save_huggingface_tokenizer
from picogpt.config import Config
from picogpt.gpt2 import GPT2

TEXTS = many_languages.texts()
PATTERN = r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"
SIZES = {"n_ctx": 8, "n_embd": 4, "n_head": 2, "n_layer": 1}
SPLIT = pre_tokenizers.Split(Regex(PATTERN), "isolated")


def byte_level(add_prefix_space=False, use_regex=True):
    return pre_tokenizers.ByteLevel(add_prefix_space=add_prefix_space, use_regex=use_regex)


@pytest.fixture(scope="module")
def learned() -> Tokenizer:
    """A byte-level tokenizer of 3,000 tokens, as GPT-2's."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = byte_level()
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=3000,
        special_tokens=["<s>", "<pad>", "</s>", "<|endoftext|>"],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator((text[:40_000] for text in TEXTS.values()), trainer)
    return tokenizer


def copy(tokenizer: Tokenizer) -> Tokenizer:
    return Tokenizer.from_str(tokenizer.to_str())


def agree(folder: Path, encode) -> None:
    """picogpt's ids are the judge's, for all texts, and mean the same."""
    ours = load_tokenizer(folder)
    for language, text in TEXTS.items():
        assert ours.encode(text, allow_endoftext=True) == encode(text), language
    for text in ("", " ", "  a", "a", "\n"):
        assert ours.encode(text, allow_endoftext=True) == encode(text), repr(text)
    save_huggingface_tokenizer(folder, ours, 1024)
    saved, text = load_tokenizer(folder), "".join(text[:5000] for text in TEXTS.values())
    assert saved.encode(text) == ours.encode(text)
    assert Tokenizer.from_file(str(folder / "tokenizer.json")).encode(
        text, add_special_tokens=False
    ).ids == ours.encode(text, allow_endoftext=True)


PRE_TOKENIZERS = {
    "ByteLevel": byte_level(),
    "with a space before": byte_level(add_prefix_space=True),
    "Sequence of one": pre_tokenizers.Sequence([byte_level()]),
    "Sequence in a Sequence": pre_tokenizers.Sequence([pre_tokenizers.Sequence([byte_level()])]),
    "Split": pre_tokenizers.Sequence([SPLIT, byte_level(use_regex=False)]),
    "Split and split again": pre_tokenizers.Sequence([SPLIT, byte_level()]),
    "what is matched": pre_tokenizers.Sequence(
        [pre_tokenizers.Split(Regex(PATTERN), "removed", invert=True), byte_level(use_regex=False)]
    ),
}


@pytest.mark.parametrize("name", PRE_TOKENIZERS)
def test_pre_tokenizers(tmp_path, learned, name):
    judge = copy(learned)
    judge.pre_tokenizer = PRE_TOKENIZERS[name]
    judge.post_processor = processors.ByteLevel(trim_offsets=False)
    judge.save(str(tmp_path / "tokenizer.json"))
    agree(tmp_path, lambda text: judge.encode(text).ids)


# Of GPT-4 as tokenizers writes it, of GPT-4 as tiktoken does, of GPT-4o, and of Qwen 2.
CL100K = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*"
    r"|\s*[\r\n]+|\s+(?!\S)|\s+"
)
OTHER_PATTERNS = {
    "cl100k": CL100K,
    "possessive": r"'(?i:[sdmt]|ll|ve|re)|[^\r\n\p{L}\p{N}]?+\p{L}++|\p{N}{1,3}"
    r"| ?[^\s\p{L}\p{N}]++[\r\n]*+|\s*[\r\n]|\s+(?!\S)|\s+",
    "o200k": r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+"
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)?"
    r"|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*"
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)?"
    r"|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+",
    "one digit": CL100K.replace("{1,3}", ""),
    "ranges": r"[a-zA-ZäöüÄÖÜß\-]+|\d{2,4}|\d|\D(?=\d)|[^a-zA-ZäöüÄÖÜß\d\-]",
}


@pytest.mark.parametrize("name", OTHER_PATTERNS)
@pytest.mark.parametrize("how", [("isolated", False), ("removed", True)])
def test_other_patterns(tmp_path, learned, name, how):
    judge = copy(learned)
    split = pre_tokenizers.Split(Regex(OTHER_PATTERNS[name]), *how)
    judge.pre_tokenizer = pre_tokenizers.Sequence([split, byte_level(use_regex=False)])
    judge.save(str(tmp_path / "tokenizer.json"))
    agree(tmp_path, lambda text: judge.encode(text).ids)


def test_gaps_in_the_ids(tmp_path, learned):
    described = json.loads(learned.to_str())
    moved = lambda i: i + (5 if i >= 1000 else 0) + (70 if i >= 2000 else 0)
    vocab = {token: moved(i) for token, i in described["model"]["vocab"].items()}
    described["model"]["vocab"] = vocab
    (tmp_path / "tokenizer.json").write_text(json.dumps(described), "utf-8")
    judge = Tokenizer.from_file(str(tmp_path / "tokenizer.json"))
    agree(tmp_path, lambda text: judge.encode(text).ids)
    ours = load_tokenizer(tmp_path)
    assert ours.n_vocab == 1 + max(vocab.values()) == judge.get_vocab_size() + 75
    assert [*ours.unused] == [i for i in range(ours.n_vocab) if judge.id_to_token(i) is None]


def prompt_ids(folder: Path, text: str) -> list[int]:
    """The ids with which a text would be continued, without the model."""
    ours = load_tokenizer(folder)
    return GPT2(Config(n_vocab=ours.n_vocab, **SIZES), {}, ours).prompt_ids(text)


def test_a_token_before_every_text(tmp_path, learned):
    judge = copy(learned)
    judge.post_processor = processors.TemplateProcessing(
        single="<s> $A", pair="<s> $A <s>:1 $B:1", special_tokens=[("<s>", 0)]
    )
    judge.save(str(tmp_path / "tokenizer.json"))
    write(tmp_path / "tokenizer_config.json", {"bos_token": "<s>", "eos_token": "</s>"})
    for _ in range(2):  # as tokenizers has written it, and as picogpt does
        for language, text in TEXTS.items():
            assert prompt_ids(tmp_path, text) == judge.encode(text).ids, language
        save_huggingface_tokenizer(tmp_path, load_tokenizer(tmp_path), 1024)
        judge = Tokenizer.from_file(str(tmp_path / "tokenizer.json"))
    assert load_tokenizer(tmp_path).encode("now") == judge.encode("now").ids[1:]


@pytest.mark.parametrize("wanted", [True, False])
def test_add_bos_token(tmp_path, learned, wanted):
    """The setting counts where there is no tokenizer.json; there transformers does not look at it."""
    learned.model.save(str(tmp_path))
    settings = {"tokenizer_class": "GPT2Tokenizer", "bos_token": "<s>", "eos_token": "</s>"}
    write(tmp_path / "tokenizer_config.json", settings | {"add_bos_token": wanted})
    write(tmp_path / "config.json", {"model_type": "gpt2"})
    text = TEXTS["German"][:9000]
    expected = AutoTokenizer.from_pretrained(tmp_path)(text).input_ids
    assert (expected[0] == 0) == wanted
    assert prompt_ids(tmp_path, text) == expected
    save_huggingface_tokenizer(tmp_path, load_tokenizer(tmp_path), 1024)
    assert AutoTokenizer.from_pretrained(tmp_path)(text).input_ids == expected
    assert prompt_ids(tmp_path, text) == expected
    learned.save(str(tmp_path / "tokenizer.json"))
    write(tmp_path / "tokenizer_config.json", settings | {"add_bos_token": wanted})
    expected = AutoTokenizer.from_pretrained(tmp_path)(text).input_ids
    assert prompt_ids(tmp_path, text) == expected


@pytest.mark.parametrize(
    ("form", "in_sequence"),
    [("NFC", False), ("NFC", True), ("NFD", False), ("NFKC", False), ("NFKD", True)],
)
def test_normal_forms(tmp_path, learned, form, in_sequence):
    judge = copy(learned)
    normalizer = getattr(normalizers, form)()
    judge.normalizer = normalizers.Sequence([normalizer]) if in_sequence else normalizer
    judge.save(str(tmp_path / "tokenizer.json"))
    agree(tmp_path, lambda text: judge.encode(text).ids)


def test_merges_as_lists_and_as_texts(tmp_path, learned):
    described = json.loads(learned.to_str())
    for kind in (list, " ".join):
        described["model"]["merges"] = [
            kind(pair if isinstance(pair, list) else pair.split(" "))
            for pair in described["model"]["merges"]
        ]
        (tmp_path / "tokenizer.json").write_text(json.dumps(described), "utf-8")
        agree(tmp_path, lambda text: learned.encode(text).ids)


@pytest.mark.parametrize("version", ["", "#version: 0.2\n", "#version: 0.2 - trained by me\n"])
@pytest.mark.parametrize("added", [False, True])
def test_vocab_json_and_merges_txt(tmp_path, learned, version, added):
    learned.model.save(str(tmp_path))
    merges = (tmp_path / "merges.txt").read_text("utf-8").partition("\n")[2]
    (tmp_path / "merges.txt").write_text(version + merges, "utf-8")
    if added:
        n = learned.get_vocab_size()
        write(tmp_path / "added_tokens.json", {"[PAD]": n + 1, "König": n})
        write(tmp_path / "special_tokens_map.json", {"pad_token": "[PAD]", "eos_token": "</s>"})
    judge = GPT2Tokenizer.from_pretrained(tmp_path)
    if added:  # how older folders were read; the newest transformers does not look at the file
        judge.add_tokens(["König"])
        judge.add_special_tokens({"pad_token": "[PAD]"})
    if not version:  # transformers takes the first line for the version's, whatever it says
        judge = learned
        agree(tmp_path, lambda text: judge.encode(text).ids) if not added else None
        return
    agree(tmp_path, lambda text: judge.encode(text, add_special_tokens=False))


def write(path: Path, value: dict) -> None:
    path.write_text(json.dumps(value, ensure_ascii=False), "utf-8")


ADDED = [
    AddedToken("[PAD]", special=True),
    AddedToken("[PAD]2", special=True),
    AddedToken("<left>", lstrip=True),
    AddedToken("<right>", rstrip=True, normalized=False),
    AddedToken("<both>", lstrip=True, rstrip=True, special=True),
    AddedToken("könig", single_word=True),
    AddedToken("K\u00f6nig", normalized=True),
    AddedToken("éte\u0301", normalized=True),
    AddedToken("ﬁ", normalized=True),
    AddedToken("ab", normalized=False),
    AddedToken("bc", normalized=True),
    AddedToken("的一", single_word=True),
    AddedToken("  ", normalized=False),
]


def with_added_tokens(texts: dict[str, str]) -> str:
    """Pieces of texts, with added tokens before and after and inside words."""
    rng = many_languages.random.Random(1)
    pieces = []
    for text in texts.values():
        for start in range(0, 40_000, 7):
            pieces.append(text[start : start + rng.randrange(7)])
            pieces.append(rng.choice(["", " ", "\n  ", "a", "_", "é"]))
            pieces.append(rng.choice([*(t.content for t in ADDED), "<|endoftext|>", "abc", "[PA"]))
            pieces.append(rng.choice(["", " ", "\t ", "b", "7", "."]))
    return "".join(pieces)


@pytest.mark.parametrize("form", ["", "NFC", "NFKC"])
@pytest.mark.parametrize("add_prefix_space", [False, True])
def test_added_tokens(tmp_path, learned, form, add_prefix_space):
    judge = copy(learned)
    judge.pre_tokenizer = byte_level(add_prefix_space=add_prefix_space)
    if form:
        judge.normalizer = getattr(normalizers, form)()
    judge.add_tokens(ADDED)
    judge.save(str(tmp_path / "tokenizer.json"))
    text = with_added_tokens(TEXTS)
    ours = load_tokenizer(tmp_path)
    assert ours.encode(text, allow_endoftext=True) == judge.encode(text).ids
    assert ours.n_vocab == judge.get_vocab_size() == learned.get_vocab_size() + len(ADDED)
    agree(tmp_path, lambda text: judge.encode(text).ids)


@pytest.mark.parametrize("fast", [False, True])
def test_a_model_with_tokens_of_its_own(tmp_path, learned, fast):
    """As people add them, and transformers writes them."""
    learned.model.save(str(tmp_path))
    judge = GPT2Tokenizer.from_pretrained(tmp_path, eos_token="</s>", bos_token="<s>")
    judge.add_special_tokens({"pad_token": "[PAD]", "additional_special_tokens": ["<|user|>"]})
    judge.add_tokens(["Donaudampfschiff", "ngpt"])
    judge.save_pretrained(tmp_path)
    if not fast:
        (tmp_path / "tokenizer.json").unlink()
        judge.backend_tokenizer.model.save(str(tmp_path))
        decoder = {str(i): {"content": t.content, "lstrip": t.lstrip, "rstrip": t.rstrip}
                   for i, t in judge.added_tokens_decoder.items()}  # fmt: skip
        settings = json.loads((tmp_path / "tokenizer_config.json").read_text("utf-8"))
        write(tmp_path / "tokenizer_config.json", settings | {"added_tokens_decoder": decoder})
    ours = load_tokenizer(tmp_path)
    text = "<s>Hallo <|user|> ein Donaudampfschiff[PAD]</s> ngpt"
    assert ours.encode(text, allow_endoftext=True) == judge.encode(text, add_special_tokens=False)
    assert ours.endoftext == judge.eos_token_id
    assert ours.bos == judge.bos_token_id
    assert ours.decode(ours.encode(text)) == text
    agree(tmp_path, lambda text: judge.encode(text, add_special_tokens=False))
