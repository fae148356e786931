"""Make picogpt/bpe/unicode16.py: which characters tiktoken takes for letters, numbers and spaces.

Run from the repository's root, in the reference environment, then format what it wrote:

    PYTHONPATH=.:tests python tests/reference/make_unicode16.py
    ruff format picogpt/bpe/unicode16.py
"""

from pathlib import Path
from textwrap import fill

import tiktoken

TEXT = '''"""Unicode's letters, numbers and spaces, which the pattern in pretokenize.py tells apart.

Nothing to read here: ranges of code points in hexadecimal, made by
tests/reference/make_unicode16.py. They stand here because every library has the tables of some
version of Unicode, and ids must not depend on which one happens to be installed. These are
version 16, as in tiktoken: the general categories L and N, and the property White_Space.
"""

LETTERS = """
{L}
"""

NUMBERS = """
{N}
"""

SPACES = """
{s}
"""
'''


def characters(pattern: str) -> set[str]:
    """All characters of which tiktoken's regular expressions say that they match the pattern."""
    every = "".join(map(chr, [*range(0xD800), *range(0xE000, 0x110000)]))
    # With one token per byte and a pattern that matches one character, the tokens of a text
    # are the bytes of the characters that match.
    bytes_only = {bytes([byte]): byte for byte in range(256)}
    encoding = tiktoken.Encoding(
        "bytes", pat_str=pattern, mergeable_ranks=bytes_only, special_tokens={}
    )
    return set(bytes(encoding.encode(every)).decode("utf-8"))


def ranges(characters: set[str]) -> str:
    """{"A", "B", "C", "_"} -> "41-43 5f"."""
    found: list[list[int]] = []
    for code in sorted(map(ord, characters)):
        if found and found[-1][-1] == code - 1:
            found[-1] = [found[-1][0], code]
        else:
            found.append([code])
    words = ["-".join(f"{code:x}" for code in limits) for limits in found]
    return fill(" ".join(words), width=100, break_on_hyphens=False)


if __name__ == "__main__":
    tables = {name: ranges(characters(rf"\p{{{name}}}")) for name in "LN"}
    tables["s"] = ranges(characters(r"\s"))
    Path("picogpt/bpe/unicode16.py").write_text(TEXT.format(**tables), encoding="utf-8")
