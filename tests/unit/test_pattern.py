"""Patterns of other vocabularies: the known ones are read, and none can stop the program.

What they cut is compared with Hugging Face's tokenizers in tests/judges.
"""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from picogpt.bpe import pattern as module
from picogpt.bpe.pattern import compile_pattern, split_by
from picogpt.bpe.pretokenize import split

GPT2 = r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"
CL100K = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*"
    r"|\s*[\r\n]+|\s+(?!\S)|\s+"
)


def test_the_words_of_gpt4():
    text = "I'LL say\tHi 12345 !?\n\n  now"
    words = ["I", "'LL", " say", "\tHi", " ", "123", "45", " !?\n\n", " ", " now"]
    assert list(split_by(compile_pattern(CL100K), text)) == words


@given(st.text())
def test_gpt2s_own_pattern_cuts_as_ever(text):
    assert list(split_by(compile_pattern(GPT2), text)) == list(split(text))


@given(st.text())
def test_the_words_are_the_text(text):
    assert "".join(split_by(compile_pattern(CL100K), text)) == text


@pytest.mark.parametrize(
    "text",
    [
        *("(a+)+|(?s:.)", r"(?:a{99}){99}|\s|\S", r"\w+|\s|\S", r"^a|\s|\S", r"a$|\s|\S", r"(a)|.|\n"),
        *(r"a{1,3}+|\s|\S", r"a{100}|\s|\S", r"(?:a)*|\s|\S", r"(?:(?:a))|\s|\S", r"(?s:a)|\s|\S"),
        *(r"(?i:ss)|\s|\S", r"(?i:ß)|\s|\S", r"[[:alpha:]]|\s|\S", r"[a&&b]|\s|\S", r"(?<=a)b|\s|\S"),
        *(r"\Qa\E|\s|\S", r"a{,3}|\s|\S", r"(?P<x>a)|\s|\S", "(?#", "[", "(", "\\", ""),
        "a|" * 600 + r"\s|\S",
    ],
)  # fmt: skip
def test_what_could_explode_or_means_two_things(text):
    with pytest.raises(ValueError, match="^the pattern .* cannot be read$"):
        compile_pattern(text)


@pytest.mark.parametrize("text", [r"\p{Nobody}|\s|\S", r"[z-a]|\s|\S"])
def test_what_does_not_compile(text):
    with pytest.raises(ValueError, match="^the pattern .* is not valid: "):
        compile_pattern(text)


def test_a_pattern_that_leaves_something_out():
    with pytest.raises(ValueError, match=r"the pattern finds no word in '\\x00 "):
        compile_pattern(r"\p{L}+")
    most = compile_pattern(r"x(?!y)|[^x]+")
    for text in ("axy", "xxy", "xy"):
        with pytest.raises(ValueError, match="the pattern finds no word in 'x'"):
            list(split_by(most, text))
    assert list(split_by(most, "axa")) == ["a", "x", "a"]
    with pytest.raises(ValueError, match="the pattern finds no word in 'x'"):
        list(split_by(compile_pattern(r"x(?=[ ])|[^x]+"), "ax"))


def test_a_pattern_that_would_take_for_ever(monkeypatch):
    monkeypatch.setattr(module, "_SECONDS", 0.1)
    with pytest.raises(ValueError, match="takes too long"):
        list(split_by(compile_pattern(r"\S*" * 9 + r"@@(?!a)|\s|\S"), "a" * 9999))


# Pieces that such patterns are made of, and others.
PIECES = [*CL100K.replace("|", "@|@").split("@"), *"()[]{}?*+|\\^$.a,1&-'", r"\p{L}", "(?i:", "(?!"]


@given(st.lists(st.sampled_from(PIECES), max_size=12).map("".join))
def test_any_pattern_is_read_or_refused(text):
    try:
        pattern = compile_pattern(text)
    except ValueError as error:
        assert str(error).startswith("the pattern ")
    else:
        assert "".join(split_by(pattern, "Ab1 \n.")) == "Ab1 \n."
