"""The tokenizer against its judges' values, and by its properties."""

import json
import random
import tracemalloc
from collections import deque
from pathlib import Path
from unittest.mock import patch

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from picogpt.bpe import ByteLevelBPE, StreamDecoder, load_tokenizer, pretokenize, tokenizer
from picogpt.bpe.merges import MergeStep, merge, merge_steps
from picogpt.bpe.pretokenize import ALPHABET, split, stretches, to_bytes, to_symbols

FOLDER = Path(__file__).parents[1] / "reference" / "bpe"  # see make_bpe.py
SMALL = load_tokenizer(FOLDER)
ENCODED = json.loads((FOLDER / "encoded.json").read_text("ascii"))
DECODED = json.loads((FOLDER / "decoded.json").read_text("ascii"))

ids_lists = st.lists(st.integers(0, SMALL.n_vocab - 1))
# Bytes above 127, one token each: what makes or breaks UTF-8.
high_bytes = st.lists(st.sampled_from([SMALL.encoder[symbol] for symbol in ALPHABET[0x80:]]))


def tiny(*merges: tuple[str, str]) -> ByteLevelBPE:
    """A tokenizer with the bytes' symbols, <|endoftext|> and a few merges."""
    tokens = ["<|endoftext|>", *ALPHABET, *map("".join, merges)]
    return ByteLevelBPE({token: i for i, token in enumerate(tokens)}, list(merges))


@pytest.mark.parametrize(("text", "words", "ids"), ENCODED, ids=range(len(ENCODED)))
def test_words_and_ids_equal_the_judges(text, words, ids):
    assert list(split(tokenizer.without_surrogates(text))) == words
    assert SMALL.encode(text) == ids
    assert SMALL.encode(text) == ids  # the second time from the table of words


@pytest.mark.parametrize(("ids", "text"), DECODED, ids=range(len(DECODED)))
def test_texts_equal_the_judges(ids, text):
    assert SMALL.decode(ids) == text


@given(st.text())
def test_decode_inverts_encode(text):
    assert SMALL.decode(SMALL.encode(text)) == text


def test_surrogates():
    assert SMALL.encode("\ud83d\udc08") == SMALL.encode("🐈")
    assert SMALL.decode(SMALL.encode("a\udc08\ud83d b")) == "a\ufffd\ufffd b"
    assert SMALL.explain("\udc08") == SMALL.explain("\ufffd")
    assert SMALL.merge_steps("\udc08") == SMALL.merge_steps("\ufffd")


def test_endoftext_is_text_unless_allowed():
    end = SMALL.encoder["<|endoftext|>"]
    text = "cat<|endoftext|><|endoftext|> cat"
    assert SMALL.endoftext == end
    assert end not in SMALL.encode(text)
    cat, space_cat = SMALL.encode("cat"), SMALL.encode(" cat")
    assert SMALL.encode(text, allow_endoftext=True) == [*cat, end, end, *space_cat]
    assert SMALL.encode("<|endoftext|>", allow_endoftext=True) == [end]
    assert SMALL.decode([*cat, end]) == "cat<|endoftext|>"


@pytest.mark.parametrize("bad", [-1, SMALL.n_vocab, 10**30])
def test_ids_out_of_range(bad):
    for decode in (SMALL.decode, SMALL.decode_bytes, lambda ids: StreamDecoder(SMALL).push(ids[1])):
        with pytest.raises(ValueError, match=f"{bad} .* 0 to {SMALL.n_vocab - 1}"):
            decode([0, bad])


@given(ids_lists | high_bytes)
def test_stream_equals_decode(ids):
    decoder = StreamDecoder(SMALL)
    pieces = [decoder.push(i) for i in ids]
    assert "".join([*pieces, decoder.flush()]) == SMALL.decode(ids)


@given(st.text(st.characters(exclude_characters="\ufffd", exclude_categories=["Cs"])))
def test_stream_holds_back_incomplete_characters(text):
    decoder = StreamDecoder(SMALL)
    shown = ""
    for i in [SMALL.encoder[symbol] for symbol in to_symbols(text)]:
        shown += decoder.push(i)
        assert text.startswith(shown)
    assert shown == text
    assert decoder.flush() == ""


def test_alphabet():
    assert len(set(ALPHABET)) == 256
    assert all(symbol.isprintable() and not symbol.isspace() for symbol in ALPHABET)
    assert to_symbols(" né\n") == "ĠnÃ©Ċ"
    assert to_bytes(ALPHABET) == bytes(range(256))


def test_split():
    words = ["I", "'ll", " ", " say", ":", " hi", "2", "u"]
    assert list(split("I'll  say: hi2u")) == words
    assert list(split("")) == []


@given(st.text(st.sampled_from("ab7.'s \n\u3000é")), st.integers(1, 10))
def test_blocks_change_no_word(text, size):
    whole = list(split(text))
    with patch.object(pretokenize, "_BLOCK", size):
        assert list(split(text)) == whole


def test_stretches():
    assert list(stretches("I'll say: hi2u")) == [(["I'll"], ["say:", "hi2u"])]
    assert list(stretches("three   spaces")) == [(["three", "  ", " spaces"], [])]


@given(st.text(st.sampled_from("ab7.'s \n\u3000é")), st.integers(1, 10))
def test_stretches_have_the_words_of_the_text(text, size):
    with patch.object(pretokenize, "_BLOCK", size):
        found = []
        for whole, without_space in stretches(text):
            found += [*whole, *(f" {stretch}" for stretch in without_space)]
        assert "".join(found) == text
        assert [word for stretch in found for word in split(stretch)] == list(split(text))


def test_split_takes_little_memory():
    text = "word " * 200_000
    tracemalloc.start()
    deque(split(text), maxlen=0)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 4 * len(text)


def test_the_pattern_is_openais():
    pattern = r"""'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"""
    assert pretokenize._WORD.pattern == pattern


def test_what_is_no_text_and_no_row_of_ids():
    for text in (None, 5, b"bytes", ["a"]):
        with pytest.raises(TypeError, match="the text to encode is .*, expected a text"):
            SMALL.encode(text)
    for ids in (5, [[1, 2]], [1.5], "ab", np.ones((2, 2), int)):
        with pytest.raises(TypeError, match="expected a list of whole numbers"):
            SMALL.decode(ids)
    assert SMALL.decode(np.array([1, 2])) == SMALL.decode([1, 2])


def test_names_of_other_libraries():
    assert len(SMALL) == SMALL.n_vocab
    with pytest.raises(TypeError, match=r"tokenizer.encode\(text\) gives the ids"):
        SMALL("a text")
    with pytest.raises(AttributeError, match="'eos_token_id'; in picogpt that is tokenizer.endof"):
        SMALL.eos_token_id  # noqa: B018
    with pytest.raises(AttributeError, match="did you mean encode"):
        SMALL.encod  # noqa: B018


def test_merge_steps():
    ranks = {("e", "r"): 0, ("l", "o"): 1, ("lo", "w"): 2}
    assert list(merge_steps("lower", ranks)) == [
        MergeStep(0, ("e", "r"), ["l", "o", "w", "er"]),
        MergeStep(1, ("l", "o"), ["lo", "w", "er"]),
        MergeStep(2, ("lo", "w"), ["low", "er"]),
    ]
    assert [step.symbols for step in merge_steps("aaa", {("a", "a"): 0})] == [["aa", "a"]]
    assert list(merge_steps("", ranks)) == []


def random_merges(rng: random.Random) -> list[tuple[str, str]]:
    """Up to 30 merges of two letters, which no text could teach in this order."""
    tokens, pairs = ["a", "b"], []
    for _ in range(rng.randrange(1, 30)):
        pair = (rng.choice(tokens), rng.choice(tokens))
        pairs.append(pair)
        tokens.append("".join(pair))
    return rng.sample(list(dict.fromkeys(pairs)), k=len(set(pairs)))


@pytest.mark.parametrize("seed", range(10))
def test_merge_ends_as_merge_steps(seed):
    rng = random.Random(seed)
    for _ in range(200):
        ranks = {pair: rank for rank, pair in enumerate(random_merges(rng))}
        word = "".join(rng.choices("ab", k=rng.randrange(40)))
        steps = [list(word), *(step.symbols for step in merge_steps(word, ranks))]
        assert merge(word, ranks) == steps[-1]


class CountedRanks(dict):
    """Ranks that count how often they are asked."""

    asked = 0

    def get(self, pair):
        self.asked += 1
        return super().get(pair)

    def __contains__(self, pair):
        self.asked += 1
        return super().__contains__(pair)


def test_merge_of_a_long_word_looks_at_each_place_a_few_times():
    word = "ab" * 5000
    ranks = CountedRanks({("a", "b"): 0, ("ab", "ab"): 1, ("abab", "abab"): 2})
    assert merge(word, ranks) == ["abababab"] * 1250
    assert ranks.asked < 10 * len(word)


def test_words_are_kept_within_bounds():
    text = " ".join(f"{a}{b}" for a in "abcdefgh" for b in "abcdefgh") + " " + "z" * 100
    ids = SMALL.encode(text)
    bounded = load_tokenizer(FOLDER)
    with patch.object(tokenizer._Words, "MAX_WORDS", 5):
        assert bounded.encode(text) == ids
    assert 0 < len(bounded._words) <= 5
    assert all(len(word) <= 32 for word in SMALL._words)


def test_explain():
    letters = tiny(("e", "r"), ("l", "o"), ("lo", "w"), ("Ġ", "n"))
    assert letters.explain("lower né") == (
        "'lower'\n"
        "          l o w e r\n"
        "       0  l o w er\n"
        "       1  lo w er\n"
        "       2  low er\n"
        "     ids  259 257\n"
        "' né'\n"
        "          Ġ n Ã ©\n"
        "       3  Ġn Ã ©\n"
        "     ids  260 196 170"
    )
    assert [step.rank for step in letters.merge_steps("lower")] == [0, 1, 2]


@pytest.mark.parametrize(
    ("change", "merges", "message"),
    [
        ({}, [("a", "bc")], "merge 0 joins .'a', 'bc'."),
        ({}, [("", "a")], "merge 0 joins .'', 'a'."),
        ({}, [("a", "b"), ("a", "b")], "merge 1 joins .* as merge 0 does"),
        ({}, [("a", "b")], "1 tokens have no id, such as 'ab'"),
        ({"ab": 257}, [], "1 tokens are made by no merge, such as 'ab'"),
        ({"\u3042": 257}, [], "made by no merge"),
        ({"ab": 256}, [("a", "b")], "numbers from 0 to 257, each once"),
        ({"ab": 516}, [("a", "b")], "numbers from 0 to 257, each once"),
        ({"ab": 257.0}, [("a", "b")], "numbers from 0 to 257, each once"),
        ({"ab": "257"}, [("a", "b")], "numbers from 0 to 257, each once"),
        ({"!": True}, [], "numbers from 0 to 256, each once"),
    ],
)
def test_bad_vocabulary(change, merges, message):
    encoder = {token: i for i, token in enumerate(["<|endoftext|>", *sorted(ALPHABET)])}
    assert encoder["!"] == 1
    assert ByteLevelBPE(dict(encoder), []).n_vocab == 257
    with pytest.raises(ValueError, match=message):
        ByteLevelBPE(encoder | change, merges)


@pytest.mark.parametrize("token", ["<|endoftext|>", "a", "Ġ"])
def test_missing_token(token):
    encoder = {token: i for i, token in enumerate(["<|endoftext|>", *ALPHABET])}
    del encoder[token]
    with pytest.raises(
        ValueError, match=f"1 tokens have no id, such as '{token}'".replace("|", ".")
    ):
        ByteLevelBPE(encoder, [])
