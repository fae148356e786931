"""BERT's tokenizer in the forms that picogpt reads, against the libraries that have it.

The vocabularies are learned here, by Hugging Face's trainer, and the ids compared on a megabyte.
"""

import json

import many_languages
import pytest
from tokenizers import BertWordPieceTokenizer, Tokenizer, normalizers, pre_tokenizers
from transformers import BertTokenizer

from picogpt.bpe import load_tokenizer
from picogpt.bpe.added_tokens import AddedTokens
from picogpt.bpe.saved import save_huggingface_tokenizer
from picogpt.bpe.wordpiece import Cleaning, WordPiece

TEXTS = many_languages.texts()
SETTINGS = [
    {},
    {"lowercase": False},
    {"lowercase": True, "strip_accents": False},
    {"lowercase": False, "strip_accents": True},
    {"handle_chinese_chars": False},
    {"clean_text": False},
]


def learn(**options) -> BertWordPieceTokenizer:
    judge = BertWordPieceTokenizer(**options)
    judge.train_from_iterator(
        [text[:60_000] for text in TEXTS.values()], vocab_size=4000, show_progress=False
    )
    return judge


def same_text(text: str, other: str) -> bool:
    return "".join(text.split()) == "".join(other.split())


@pytest.mark.parametrize("options", SETTINGS, ids=str)
def test_tokenizer_json(tmp_path, options):
    judge = learn(**options)
    judge.save(str(tmp_path / "tokenizer.json"))
    ours = load_tokenizer(tmp_path)
    for language, text in TEXTS.items():
        ids = judge.encode(text, add_special_tokens=False).ids
        assert ours.encode(text, allow_endoftext=True) == ids, language
        assert (
            0.01 < ids.count(judge.token_to_id("[UNK]")) / len(ids) < 0.7 or language != "Chinese"
        )
        assert same_text(ours.decode(ids), judge.decode(ids, skip_special_tokens=False))
    save_huggingface_tokenizer(tmp_path, ours, 512)
    saved, theirs = load_tokenizer(tmp_path), Tokenizer.from_file(str(tmp_path / "tokenizer.json"))
    text = "".join(text[:5000] for text in TEXTS.values())
    assert saved.encode(text) == ours.encode(text) == theirs.encode(text).ids


@pytest.mark.parametrize("settings", [{}, {"do_lower_case": False}, {"strip_accents": False}, {"tokenize_chinese_chars": False}], ids=str)  # fmt: skip
@pytest.mark.parametrize("form", ["vocab.txt", "tokenizer.json"])
def test_as_transformers_writes_and_reads_it(tmp_path, settings, form):
    learn().save_model(str(tmp_path))
    judge = BertTokenizer.from_pretrained(tmp_path, **settings)
    judge.add_tokens(["König", "##x"])
    judge.add_special_tokens({"additional_special_tokens": ["<|user|>"]})
    judge.save_pretrained(tmp_path)
    if form == "vocab.txt":
        (tmp_path / "tokenizer.json").unlink()
        decoder = {
            str(i): {"content": token.content} for i, token in judge.added_tokens_decoder.items()
        }
        path = tmp_path / "tokenizer_config.json"
        described = json.loads(path.read_text("utf-8")) | {"added_tokens_decoder": decoder}
        path.write_text(json.dumps(described), "utf-8")
        for token in decoder.values():
            token["normalized"] = token["content"] in ("König", "##x")
        path.write_text(json.dumps(described), "utf-8")
    else:
        (tmp_path / "vocab.txt").unlink()
    ours = load_tokenizer(tmp_path)
    assert ours.endoftext == judge.sep_token_id
    assert ours.bos == judge.cls_token_id
    hard = "[CLS]König könig <|user|>König##x[SEP][MASK] [UNK]x[PAD] " + "x" * 101 + " " + "x" * 100
    for text in (*TEXTS.values(), hard, "", " ", "\x00", "中"):
        expected = judge.encode(text, add_special_tokens=False)
        assert ours.encode(text, allow_endoftext=True) == expected


@pytest.mark.parametrize("options", SETTINGS, ids=str)
def test_cleaning_of_every_character(options):
    cleaning = Cleaning(**options)
    judge = normalizers.BertNormalizer(**cleaning._asdict())
    ours = WordPiece({"[UNK]": 0}, AddedTokens([], "[UNK]", "[UNK]"), cleaning)
    splitter = pre_tokenizers.BertPreTokenizer()
    for character in many_languages.known_to_all():
        for text in (character, f"a{character}b"):
            assert ours.normalize(text) == judge.normalize_str(text)
        assert [*ours.split(text)] == [word for word, _ in splitter.pre_tokenize_str(text)]
