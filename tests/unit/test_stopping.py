"""Tokens to pieces of text, and the strings that stop it."""

import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from picogpt.bpe import ByteLevelBPE
from picogpt.bpe.pretokenize import ALPHABET
from picogpt.bpe.tokenizer import ENDOFTEXT
from picogpt.decoding.stopping import (
    TextWriter,
    held_back,
    pieces_of_text,
    stop_position,
    stop_strings,
)

BYTES = ByteLevelBPE({symbol: i for i, symbol in enumerate([*ALPHABET, ENDOFTEXT])}, [])


def pieces(data: bytes) -> list[str]:
    """What is given out for a text whose tokens are these bytes, one by one."""
    ids = [BYTES.encoder[ALPHABET[byte]] for byte in data]
    return list(pieces_of_text(iter(ids), TextWriter(BYTES)))


class WholePieces:
    """A decoder whose tokens are pieces of text."""

    def push(self, piece):
        return piece

    def flush(self):
        return ""


def until_stop(pieces, stop):
    """What is given out of these pieces of text."""
    writer = TextWriter(BYTES, stop)
    writer.decoder = WholePieces()
    return pieces_of_text(pieces, writer)


def test_pieces_are_never_broken_inside_a_character():
    assert pieces("aé猫🐈".encode()) == ["a", "é", "猫", "🐈"]


def test_a_character_that_is_cut_off_comes_at_the_end():
    assert pieces("a猫".encode()[:-1]) == ["a", "\ufffd"]


@pytest.mark.parametrize(
    ("text", "stop", "expected"),
    [
        (["one ", "two ", "three"], ["two"], "one "),
        (["one t", "w", "o three"], ["two"], "one "),  # spans three pieces
        (["one tw", "enty"], ["two"], "one twenty"),  # held back, then released
        (["one tw"], ["two"], "one tw"),  # the text ends with the beginning of a stop string
        (["abcabd"], ["bd", "abd"], "abc"),  # both end here: the longer one counts
        (["aaab"], ["aab"], "a"),
        (["a", "a", "a", "b"], ["aab"], "a"),
        (["", "a", ""], ["x"], "a"),
        (["abc"], [], "abc"),
        (["xyz"], ["xyz"], ""),
        (["ab", "c"], ["bcd", "c"], "ab"),  # the first complete one, not the first begun
    ],
)
def test_until_stop(text, stop, expected):
    given_out = list(until_stop(text, stop))
    assert "".join(given_out) == expected
    assert "" not in given_out


texts = st.text(alphabet="ab", max_size=12)
stops = st.lists(texts.filter(bool), max_size=3)


def first_complete(text: str, stop: list[str]) -> int:
    """Where the stop string begins that is the first to be complete as the text grows."""
    for end in range(len(text) + 1):
        begins = [end - len(s) for s in stop if text[:end].endswith(s)]
        if begins:
            return min(begins)
    return len(text)


@given(st.lists(texts), stops)
@example(["baa", "a"], ["a", "baaa"])
def test_stopped_text_ends_where_a_stop_string_is_first_complete(pieces, stop):
    text = "".join(pieces)
    begin = first_complete(text, stop)
    assert stop_position(text, stop) == begin
    assert "".join(until_stop(pieces, stop)) == text[:begin]


@given(st.text(alphabet="ab", max_size=8), stops)
def test_no_more_is_held_back_than_may_begin_a_stop_string(text, stop):
    assume(not any(s in text for s in stop))
    starts = [n for n in range(1, len(text) + 1) for s in stop if s.startswith(text[-n:])]
    assert held_back(text, stop) == max(starts, default=0)


def test_what_cannot_begin_a_stop_string_is_given_out_at_once():
    given_out = until_stop(iter(["Hello", ", wor", "ld"]), ["\n\n", "."])
    assert [next(given_out) for _ in range(3)] == ["Hello", ", wor", "ld"]


def test_nothing_is_computed_after_a_stop_string():
    pieces = iter(["one ", "two ", "three"])
    assert "".join(until_stop(pieces, ["two"])) == "one "
    assert next(pieces) == "three"


def test_a_long_text_is_not_read_again_for_each_token():
    writer = TextWriter(BYTES, ["<end>"])
    for token in BYTES.encode("abc<" * 50):
        writer.push(token)
        assert len(writer.held) < len("<end>")


def test_stop_strings():
    assert stop_strings("end") == ("end",)
    assert stop_strings(["a", "b"]) == ("a", "b")
    assert stop_strings([]) == ()
    for bad in ("", ["a", ""]):
        with pytest.raises(ValueError, match="a stop string is empty"):
            stop_strings(bad)
