"""Learning the merges: against Hugging Face's trainer, and the plain form against the fast one."""

import json
import os
from itertools import islice
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from picogpt.bpe import load_tokenizer
from picogpt.bpe.learn import count_words, learn_bpe, learn_merges, learn_merges_plainly
from picogpt.bpe.merges import merge
from picogpt.bpe.openai_vocab import save_tokenizer
from picogpt.bpe.tokenizer import ENDOFTEXT

REFERENCE = Path(__file__).parents[1] / "reference"
CASES = json.loads((REFERENCE / "learn_bpe.json").read_text("utf-8"))  # see make_learn_bpe.py

some_words = st.dictionaries(st.text("abc", min_size=1, max_size=9), st.integers(1, 3), max_size=9)
some_texts = st.lists(st.text("ab é\n") | st.text(max_size=20) | st.just(ENDOFTEXT), max_size=5)


@pytest.mark.parametrize("name", CASES)
def test_vocabulary_equals_the_judge(name):
    case = CASES[name]
    tokenizer = learn_bpe([case["text"]], case["n_vocab"])
    assert list(map(" ".join, tokenizer.ranks)) == case["merges"]
    assert tokenizer.encoder == {token: i for i, token in enumerate(case["tokens"])}


@pytest.mark.parametrize("name", CASES)
def test_plain_form_equals_the_judge(name):
    case = CASES[name]
    n = min(len(case["merges"]), 60)
    merges = islice(learn_merges_plainly(count_words([case["text"]])), n)
    assert list(map(" ".join, merges)) == case["merges"][:n]


@given(some_words)
@example({"abababab": 1})
@example({"aaaaaaaa": 1, "aaa": 2, "baaab": 3})
def test_fast_form_equals_the_plain_one(words):
    assert list(learn_merges(words)) == list(learn_merges_plainly(words))


@given(some_texts)
def test_all_merges_make_every_word_one_new_token(texts):
    words = count_words(texts)
    merges = list(learn_merges(words))
    ranks = {pair: rank for rank, pair in enumerate(merges)}
    assert all(merge(word, ranks) == [word] for word in words)
    assert len({*map("".join, merges)}) == len(merges)  # no symbol is made in two ways


def test_counts_words():
    words = count_words(["A cow, a calf.", "", f"café{ENDOFTEXT}a cow{ENDOFTEXT}"])
    assert words == {"A": 1, "Ġcow": 2, ",": 1, "Ġa": 1, "Ġcalf": 1, ".": 1, "cafÃ©": 1, "a": 1}


def test_several_texts_are_as_good_as_one():
    text, n_vocab = CASES["prose"]["text"], 400
    parts = text.split("\n")  # a text's end, unlike a line's, is no word
    one = learn_bpe([ENDOFTEXT.join(parts)], n_vocab)
    assert learn_bpe(iter(parts), n_vocab).encoder == one.encoder


def test_log():
    lines = []
    learn_bpe([CASES["prose"]["text"]], 257 + 700, lines.append)
    words = count_words([CASES["prose"]["text"]])
    merges = list(learn_merges(words))
    assert lines == [
        f"{sum(words.values()):,} words, {len(words)} of them distinct",
        f"merge 500 of 700: {' '.join(merges[499])}",
    ]


@pytest.mark.parametrize(
    ("texts", "n_vocab", "message"),
    [
        (["abc"], 256, r"n_vocab is 256, expected 257 \(.*\) to 1000000"),
        (["abc"], 1_000_001, "n_vocab is 1000001, expected 257"),
        ([], 257, "there is no text to learn from"),
        (["", ENDOFTEXT], 300, "there is no text to learn from"),
        (["a \ud83d b"], 257, "surrogates not allowed"),
        (["abc ab"], 262, "a vocabulary of at most 260 tokens, not 262"),
    ],
)
def test_bad_input(texts, n_vocab, message):
    with pytest.raises(ValueError, match=message):
        learn_bpe(texts, n_vocab)


def test_the_smallest_and_the_largest_vocabulary():
    assert learn_bpe(["abc ab"], 257).encode("ab") == [64, 65]  # GPT-2's own ids of a and b
    assert learn_bpe(["abc ab"], 260).encode("abc ab") == [258, 257]  # ab, " ab", abc


@pytest.mark.parametrize("name", ["prose", "ties of bytes"])
def test_saved_files_load_again(tmp_path, name):
    tokenizer = learn_bpe([CASES[name]["text"]], CASES[name]["n_vocab"])
    save_tokenizer(tmp_path / "new" / "folder", tokenizer)
    loaded = load_tokenizer(tmp_path / "new" / "folder")
    assert loaded.encoder == tokenizer.encoder
    assert [*loaded.ranks] == [*tokenizer.ranks]


def test_saved_files_are_as_openai_writes_them(tmp_path):
    save_tokenizer(tmp_path, learn_bpe(["the the cat"], 259))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["encoder.json", "vocab.bpe"]
    assert (tmp_path / "vocab.bpe").read_bytes() == b"#version: 0.2\nh e\nt he\n"
    encoder = (tmp_path / "encoder.json").read_bytes()
    assert encoder.startswith(b'{"!": 0, "\\"": 1, ')
    assert encoder.endswith(b', "\\u0143": 255, "he": 256, "the": 257, "<|endoftext|>": 258}')


def test_openais_files_are_saved_byte_for_byte(openai_files, tmp_path):
    save_tokenizer(tmp_path, load_tokenizer(openai_files))
    for name in ("encoder.json", "vocab.bpe"):
        assert (tmp_path / name).read_bytes() == (openai_files / name).read_bytes()


def test_nothing_is_overwritten(tmp_path):
    tokenizer = learn_bpe(["the the cat"], 259)
    (tmp_path / "vocab.bpe").write_text("mine")
    (tmp_path / "note").write_text("mine")
    for out, message in [(tmp_path, "is not empty"), (tmp_path / "note", "is a file")]:
        with pytest.raises(FileExistsError, match=message):
            save_tokenizer(out, tokenizer)
    assert {path.name: path.read_text() for path in tmp_path.iterdir()} == {
        "vocab.bpe": "mine",
        "note": "mine",
    }


@pytest.mark.parametrize(
    ("interrupted", "complete"), [("encoder.json", []), ("vocab.bpe", ["encoder.json"])]
)
def test_an_interrupted_save_leaves_no_half_file(tmp_path, monkeypatch, interrupted, complete):
    replace = os.replace

    def replace_or_fail(source, target):
        if target.name == interrupted:
            raise OSError("no space left")
        replace(source, target)

    monkeypatch.setattr(os, "replace", replace_or_fail)
    with pytest.raises(OSError, match="no space left"):
        save_tokenizer(tmp_path, learn_bpe(["the the cat"], 259))
    assert [path.name for path in tmp_path.iterdir()] == complete
