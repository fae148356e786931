"""The characters on which regex and tiktoken may differ: what only the newer Unicode knows.

Each comes with the tables of some version of Unicode. The two versions are not listed here but asked.
"""

import regex
import tiktoken

EVERY = "".join(map(chr, [*range(0xD800), *range(0xE000, 0x110000)]))


def tiktoken_matches(pattern: str) -> set[str]:
    """The characters that a pattern matches for tiktoken."""
    # One token a byte, so that the tokens are the bytes of what the pattern matches.
    ranks = {bytes([byte]): byte for byte in range(256)}
    judge = tiktoken.Encoding("bytes", pat_str=pattern, mergeable_ranks=ranks, special_tokens={})
    return {*bytes(judge.encode(EVERY)).decode("utf-8")}


NEWER = tiktoken_matches(r"\P{Cn}") ^ {*regex.findall(r"\P{Cn}", EVERY)}
