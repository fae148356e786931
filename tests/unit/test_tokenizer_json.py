"""Byte-level tokenizers in Hugging Face's files: GPT-2's are read, all else refused by name."""

import json
import shutil
from pathlib import Path

import pytest
from huggingface_files import FOLDER, REFERENCE, change, copy, json_values, places, refused, set_at
from hypothesis import given
from hypothesis import strategies as st

from picogpt.bpe import load_tokenizer
from picogpt.bpe.saved import save_huggingface_tokenizer
from picogpt.config import Config
from picogpt.gpt2 import GPT2


@pytest.fixture(scope="module")
def tokenizer():
    return load_tokenizer(REFERENCE / "bpe")


@pytest.fixture
def plain(tmp_path) -> Path:
    return copy("plain", tmp_path)


def test_no_vocabulary(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"has no tokenizer: neither encoder\.json"):
        load_tokenizer(tmp_path)


def test_of_two_vocabularies_that_of_the_models_layout_counts(plain):
    expected = load_tokenizer(plain).encoder
    (plain / "encoder.json").write_text("{}", "utf-8")
    (plain / "config.json").write_text("{}", "utf-8")
    assert load_tokenizer(plain).encoder == expected
    (plain / "config.json").unlink()
    with pytest.raises(FileNotFoundError, match=r"has no file vocab\.bpe$"):
        load_tokenizer(plain)


@pytest.fixture
def two_files(tmp_path) -> Path:
    """A folder with vocab.json and merges.txt."""
    shutil.copy(REFERENCE / "bpe" / "encoder.json", tmp_path / "vocab.json")
    shutil.copy(REFERENCE / "bpe" / "vocab.bpe", tmp_path / "merges.txt")
    return tmp_path


def test_tokenizer_json(plain, tokenizer):
    read = load_tokenizer(plain)
    assert (read.encoder, read.ranks) == (tokenizer.encoder, tokenizer.ranks)


def test_vocab_json_and_merges_txt(two_files, tokenizer):
    read = load_tokenizer(two_files)
    assert (read.encoder, read.ranks) == (tokenizer.encoder, tokenizer.ranks)


def test_tokenizer_json_goes_first(plain, two_files):
    """As in transformers."""
    shutil.copy(plain / "tokenizer.json", two_files)
    (two_files / "merges.txt").write_text("damaged", "utf-8")
    assert load_tokenizer(two_files).n_vocab == 800


@pytest.mark.parametrize("name", ["vocab.json", "merges.txt"])
def test_half_a_vocabulary(two_files, name):
    (two_files / name).unlink()
    with pytest.raises(FileNotFoundError, match=f"has no file {name}$"):
        load_tokenizer(two_files)


BYTE_LEVEL = {"type": "ByteLevel", "add_prefix_space": False, "use_regex": False}
PATTERN = r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"
SPLIT = {"type": "Split", "pattern": {"Regex": PATTERN}, "behavior": "Isolated", "invert": False}
NFC = {"type": "NFC"}
DIGITS = r" ?\p{N}| ?\P{N}"  # one character a word


def with_pattern(pattern) -> dict:
    return SPLIT | {"pattern": {"Regex": pattern}}


def in_sequence(*steps: dict) -> dict:
    return {"type": "Sequence", "pretokenizers": list(steps)}


ENDOFTEXT = {"id": 41, "content": "<|endoftext|>", "lstrip": False, "rstrip": False}
BOS = {"SpecialToken": {"id": "<|endoftext|>", "type_id": 0}}
OTHER = {"SpecialToken": {"id": "!", "type_id": 0}}
TEXT = {"Sequence": {"id": "A", "type_id": 0}}


@pytest.mark.parametrize(
    ("place", "value", "message"),
    [
        ("normalizer", {"type": "Lowercase"}, "normalizer is {'type': 'Lowercase'}"),
        ("pre_tokenizer", None, "pre_tokenizer is None"),
        ("pre_tokenizer.type", "Whitespace", "pre_tokenizer is {"),
        ("pre_tokenizer.type", "Sequence", "pre_tokenizer.pretokenizers is None, expected a list"),
        ("pre_tokenizer.add_prefix_space", ..., "pre_tokenizer is {"),
        ("pre_tokenizer.add_prefix_space", 1, "pre_tokenizer is {"),
        ("pre_tokenizer.use_regex", False, "pre_tokenizer is {"),
        ("pre_tokenizer", in_sequence({"type": "Digits"}, BYTE_LEVEL), "pre_tokenizer is {"),
        ("pre_tokenizer", in_sequence(SPLIT | {"invert": True}, BYTE_LEVEL), "pre_tokenizer is {"),
        ("pre_tokenizer", in_sequence(SPLIT, BYTE_LEVEL | {"add_prefix_space": True}), "pre_tok"),
        ("pre_tokenizer", in_sequence(SPLIT, SPLIT, BYTE_LEVEL), "pre_tokenizer is {"),
        ("pre_tokenizer", in_sequence(with_pattern(" "), BYTE_LEVEL), "finds no word in '\\x00"),
        ("pre_tokenizer", in_sequence(with_pattern("(a+)+"), BYTE_LEVEL), "'(a+)+' cannot be read"),
        ("pre_tokenizer", in_sequence(with_pattern(5), BYTE_LEVEL), "pre_tokenizer is {"),
        (
            "pre_tokenizer",
            in_sequence(with_pattern(DIGITS), BYTE_LEVEL | {"use_regex": True}),
            "but picogpt computes a pattern and then ByteLevel; use transformers' tokenizer",
        ),
        ("pre_tokenizer", in_sequence(SPLIT | {"pattern": {"String": " "}}, BYTE_LEVEL), "pre_tok"),
        ("normalizer", {"type": "Sequence", "normalizers": [NFC, NFC]}, "normalizer is {"),
        ("decoder.type", "WordPiece", "decoder is {"),
        ("decoder", None, "decoder is None"),
        (
            "model.type",
            "Unigram",
            "model.type is 'Unigram', which is SentencePiece's, expected BPE or",
        ),
        ("model.type", "WordLevel", "model.type is 'WordLevel', expected BPE or WordPiece; use"),
        ("model.byte_fallback", True, "model.byte_fallback is True"),
        ("model.dropout", 0.1, "model.dropout is 0.1"),
        ("model.continuing_subword_prefix", "##", "model.continuing_subword_prefix is '##'"),
        ("model.end_of_word_suffix", "</w>", "model.end_of_word_suffix is '</w>'"),
        ("model.ignore_merges", True, "model.ignore_merges is True"),
        ("model", [], "model is [], expected a dict"),
        ("model.vocab", [["a", 0]], "model.vocab is [['a', 0]], expected a dict"),
        ("model.vocab", {}, "vocabulary and merges do not fit: 799 tokens have no id"),
        ("model.merges", {}, "model.merges is {}, expected a list"),
        ("model.merges", ["h e", 1], "model.merges has 1 at 1, expected two symbols"),
        ("model.merges", ["h e x"], "model.merges has 'h e x' at 0"),
        ("model.merges", [["h"]], "model.merges has ['h'] at 0"),
        ("model.merges", [["h", ["e"]]], "model.merges has ['h', ['e']] at 0"),
        ("model.merges", [["", "e"]], "do not fit: merge 0 joins ('', 'e')"),
        ("model.merges", [], "do not fit: 543 tokens are made by no merge"),
        ("post_processor", {"type": "RobertaProcessing"}, "post_processor is {'type': 'Roberta"),
        ("post_processor", {"single": [BOS, TEXT, BOS]}, "at most bos before a text"),
        ("post_processor", {"single": [OTHER, TEXT]}, "at most bos before a text"),
        ("post_processor", 5, "post_processor is 5"),
        ("post_processor", {}, "post_processor is {}"),
        ("added_tokens", [ENDOFTEXT | {"content": ""}], "added_tokens has {'content': ''"),
        (
            "added_tokens",
            [ENDOFTEXT | {"content": "<pad>"}],
            "ids of the tokens are not numbers",
        ),
        ("added_tokens", [ENDOFTEXT | {"lstrip": 1}], "gives '<|endoftext|>' lstrip 1"),
        ("added_tokens", [ENDOFTEXT | {"id": 1600}], "numbers from 0 to 799, each once"),
        ("added_tokens", [ENDOFTEXT | {"id": -1}], "numbers from 0 to 799, each once"),
        ("added_tokens", [ENDOFTEXT | {"id": "41"}], "gives '<|endoftext|>' the id '41'"),
        ("added_tokens", ["<|endoftext|>"], "gives '<|endoftext|>' the id None"),
        ("added_tokens", [7], "added_tokens has 7, expected a token"),
        ("added_tokens", 7, "added_tokens is 7, expected a list"),
    ],
)
def test_tokenizers_with_other_ids(plain, place, value, message):
    set_at(plain / "tokenizer.json", place, value)
    assert message in refused(load_tokenizer, plain, "tokenizer.json")


def strings(pairs: list) -> list:
    return [" ".join(pair) for pair in pairs]


def test_forms_of_older_tokenizers(plain, tokenizer):
    path = plain / "tokenizer.json"
    merges = json.loads(path.read_text("utf-8"))["model"]["merges"]
    for place, value in {
        "model.merges": strings(merges),
        "model.type": ...,
        "model.ignore_merges": ...,
        "model.unk_token": "",
        "model.dropout": 0.0,
        "pre_tokenizer.use_regex": ...,
        "post_processor": {"type": "ByteLevel", "add_prefix_space": True, "trim_offsets": False},
        "truncation": {"max_length": 512},
    }.items():
        set_at(path, place, value)
    read = load_tokenizer(plain)
    assert (read.encoder, read.ranks) == (tokenizer.encoder, tokenizer.ranks)


def test_endoftext_among_the_added_tokens_only(plain):
    set_at(plain / "tokenizer.json", "model.vocab.<|endoftext|>", ...)
    assert load_tokenizer(plain).endoftext == 41


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("add_prefix_space", 1, "add_prefix_space is 1, expected true or false"),
        ("add_bos_token", 1, "add_bos_token is 1, expected true or false"),
        ("add_eos_token", True, "add_eos_token is True"),
        ("tokenizer_class", "BertTokenizer", "tokenizer_class is 'BertTokenizer'"),
        ("pad_token", 5, "pad_token has 5, expected a token"),
        ("pad_token", {"content": 5}, "pad_token has {'content': 5}, expected a token"),
        ("eos_token", ENDOFTEXT | {"lstrip": 1}, "eos_token gives '<|endoftext|>' lstrip 1"),
        ("additional_special_tokens", 5, "additional_special_tokens has 5"),
        ("extra_special_tokens", {"x": ""}, "extra_special_tokens has ''"),
        ("added_tokens_decoder", [], "added_tokens_decoder is [], expected an object"),
        ("added_tokens_decoder", {"²": {"content": "<a>"}}, "gives '<a>' the id '²'"),
    ],
)
@pytest.mark.parametrize("name", ["tokenizer_config.json", "special_tokens_map.json"])
def test_settings_with_other_ids(plain, name, key, value, message):
    if not (plain / name).exists():
        (plain / name).write_text("{}", "utf-8")
    change(plain / name, **{key: value})
    assert message in refused(load_tokenizer, plain, name)


def test_settings_with_the_same_ids(plain):
    change(
        plain / "tokenizer_config.json",
        tokenizer_class="GPT2TokenizerFast",
        pad_token="<|endoftext|>",
        eos_token=ENDOFTEXT,
        added_tokens_decoder={"41": ENDOFTEXT},
        chat_template="{{ messages }}",
        model_max_length=7,
    )
    assert load_tokenizer(plain).n_vocab == 800


def test_added_tokens_json(two_files):
    set_at(two_files / "vocab.json", "<|endoftext|>", ...)
    path = two_files / "added_tokens.json"
    path.write_text('{"<|endoftext|>": 41}', "utf-8")
    assert load_tokenizer(two_files).endoftext == 41
    path.write_text('{"<|endoftext|>": 41, "<pad>": "x"}', "utf-8")
    assert "gives '<pad>' the id 'x'" in refused(load_tokenizer, two_files, "added_tokens.json")


@pytest.fixture(scope="module")
def fuzzed(tmp_path_factory) -> Path:
    """A folder that hypothesis writes to again and again."""
    return tmp_path_factory.mktemp("fuzz")


TOKENIZER = json.loads((FOLDER / "plain" / "tokenizer.json").read_text("utf-8"))


def test_gaps_in_the_ids(plain):
    set_at(plain / "tokenizer.json", "added_tokens", [ENDOFTEXT | {"id": 803}])
    read = load_tokenizer(plain)
    assert (read.n_vocab, read.endoftext, read.unused) == (804, 803, (41, 800, 801, 802))
    assert read.decode([41, read.encode("h")[0], 802]) == "h"
    with pytest.raises(ValueError, match="token id 804 is out of range, expected 0 to 803"):
        read.decode([804])


def test_another_pattern(plain):
    step = with_pattern(r"\p{N}|[^\p{N}]+")
    set_at(plain / "tokenizer.json", "pre_tokenizer", in_sequence(step, BYTE_LEVEL))
    read = load_tokenizer(plain)
    assert [word.text for word in read.words("the 42, and\n\nI")] == [
        "the ",
        "4",
        "2",
        ", and\n\nI",
    ]
    save_huggingface_tokenizer(plain, read, 1024)
    assert load_tokenizer(plain).pattern == read.pattern == step["pattern"]["Regex"]
    step |= {"behavior": "Removed", "invert": True}
    set_at(plain / "tokenizer.json", "pre_tokenizer", in_sequence(step, BYTE_LEVEL))
    assert load_tokenizer(plain).pattern == read.pattern


@pytest.mark.parametrize("steps", [[], [{"type": "ByteLevel"}]])
def test_a_token_before_every_text(plain, steps):
    """Where tokenizer.json says so, whatever is beside it; tokenizers' ids are in tests/judges."""
    assert not load_tokenizer(plain).added.add_bos_token
    change(plain / "tokenizer_config.json", add_bos_token=True)
    assert not load_tokenizer(plain).added.add_bos_token
    steps = {"type": "Sequence", "processors": [*steps, {"single": [BOS, TEXT]}]}
    set_at(plain / "tokenizer.json", "post_processor", steps)
    read = load_tokenizer(plain)
    assert read.added.add_bos_token
    model = GPT2(Config(n_vocab=800, n_ctx=999, n_embd=4, n_head=2, n_layer=1), {}, read)
    assert model.prompt_ids("the") == [41, *read.encode("the")]
    assert model.prompt_ids("") == model.prompt_ids([]) == [41]
    assert model.prompt_ids([5]) == [5]
    assert model.chat().prompt_ids(["Hello"])[0] == 41
    assert model.chat(dialogue=True).prompt_ids(["the"]) == [*read.encode("the"), 41]
    save_huggingface_tokenizer(plain, read, 1024)
    assert load_tokenizer(plain).added.add_bos_token


def test_add_bos_token_counts_without_tokenizer_json(two_files):
    config = two_files / "tokenizer_config.json"
    for value in (True, False):
        config.write_text(json.dumps({"add_bos_token": value}), "utf-8")
        assert load_tokenizer(two_files).added.add_bos_token is value


@given(st.sampled_from(places(TOKENIZER)), json_values)
def test_any_tokenizer_is_refused_or_read(fuzzed, place, value):
    shutil.copy(FOLDER / "plain" / "tokenizer.json", fuzzed)
    set_at(fuzzed / "tokenizer.json", place, value)
    try:
        assert 800 <= load_tokenizer(fuzzed).n_vocab < 1600
    except ValueError:
        refused(load_tokenizer, fuzzed)
