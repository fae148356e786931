"""The exercises of notebooks 0 and 1: what a model is, and tokens."""

import numpy as np

from ...ops import cross_entropy
from ...tap import edit
from ..texts import TALE
from .verdict import expect, logprob, numbers


def check_0_1(function, model) -> None:
    """The token of a text that surprised most."""
    for text in ("The king sat on his refrigerator and wept.", TALE, "Because he was tired."):
        score = model.score(text)
        expected = model.tokenizer.decode([score.ids[score.logprobs.argmin()]])
        found = function(model, text)
        expect(isinstance(found, str), f"expected a string, not {found!r:.50}")
        expect(found != "", "no answer yet")
        near = found != expected and found.strip(" ·") == expected.strip()
        expect(not near, f"the space belongs to the token: {expected!r}, not {found!r}")
        expect(found == expected, f"{found!r} is not what surprised most in {text!r:.50}")


def check_0_2(function, model) -> None:
    """The likeliest of some endings."""
    for beginning, endings in (
        ("Once upon a", [" mountain of glass", " time", " throne"]),
        # The last one is likely by itself, and shorter than the first.
        ("Once upon", [" a time", " time", " the"]),
        ("He went into the forest, and", [" of", " there he met an old woman", " dragonwise"]),
        # The second is the beginning of the first, which therefore cannot be likelier.
        ("There was once a", [" zigzag who lived in a house with his wife", " zigzag"]),
    ):
        chances = {ending: logprob(model, beginning, ending) for ending in endings}
        found = function(model, beginning, list(endings))
        expect(found in endings, f"expected one of the endings, not {found!r:.50}")
        best = max(chances, key=chances.get)
        expect(chances[found] > chances[best] - 0.1, f"after {beginning!r}, {best!r} is likelier")


def check_0_3(answer, model) -> None:
    """The mean surprise on TALE without attention."""
    answer = numbers(answer)
    text = model.tokenizer.encode(TALE)

    def is_without(name) -> bool:
        """Whether the answer is the loss with this silenced, with <|endoftext|> before or not."""
        edits = {f"h.{i}.{name}": np.zeros_like for i in range(model.config.n_layer)}
        texts = (np.array(ids) for ids in ([model.tokenizer.endoftext, *text], text))
        losses = [cross_entropy(model(x[:-1], tap=edit(edits)), x[1:]) for x in texts]
        return bool(np.isclose(answer, losses, rtol=1e-3).any())

    if not is_without("attn.c_proj"):
        expect(not is_without("attn.merged"), "the bias of c_proj still speaks: silence c_proj")
        expect(not is_without("mlp.c_proj"), "that is the surprise without the MLPs")
        expect(False, "not the mean surprise without attention, in nats per token")


def check_1_1(answer, tokenizer) -> None:
    """The id of the longest token."""
    i = numbers(answer)
    expect(
        i % 1 == 0 and 0 <= i < tokenizer.n_vocab,
        f"expected one id, a whole number, not {answer!r:.50}",
    )
    expect(i != tokenizer.endoftext, "another one than <|endoftext|>")
    sizes = [len(tokenizer.decode_bytes([i])) for i in range(tokenizer.n_vocab)]
    sizes[tokenizer.endoftext] = 0
    own = sizes[int(i)]
    expect(own == max(sizes), f"its length in bytes is {own}, and there is a longer one")


def check_1_2(answer, tokenizer) -> None:
    """Ids that do not come back when they are decoded and encoded again."""
    ids = numbers(answer, None)
    expect(len(ids) > 0, "no answer yet")
    real = (ids % 1 == 0) & (ids >= 0) & (ids < tokenizer.n_vocab)
    expect(real.all(), f"ids are whole numbers from 0 to {tokenizer.n_vocab - 1}")
    ids = [int(i) for i in ids]
    expect(tokenizer.encode(tokenizer.decode(ids)) != ids, "these come back as they were")


def check_1_3(function) -> None:
    """The most frequent pair of neighbouring symbols."""
    for words, expected, why in (
        (
            {("l", "o", "w"): 5, ("l", "o", "x"): 2, ("n", "e", "w"): 6},
            ("l", "o"),
            "l o occurs 5 + 2 times, more than any other pair",
        ),
        (
            {("c", "d"): 1, ("c", "d", "e"): 1, ("a", "b"): 5},
            ("a", "b"),
            "a word that occurs 5 times has its pairs 5 times",
        ),
        (
            {("b", "c"): 3, ("a", "a", "a", "a", "a"): 2},
            ("a", "a"),
            "a word can have a pair several times, and each time counts",
        ),
        ({("a", "b"): 3, ("b", "a"): 2, ("b", "a", "x"): 2}, ("b", "a"), "b a is not a b"),
        (
            {("a",): 10, ("b", "c"): 3},
            ("b", "c"),
            "a pair does not reach from one word to the next",
        ),
        (
            {("x", "a", "b"): 2, ("y", "a", "b"): 2, ("x", "c"): 3},
            ("a", "b"),
            "every two neighbours are a pair, also the second and the third",
        ),
    ):
        found = function(dict(words))
        expect(found is not None, "no answer yet")
        expect(not isinstance(found, str), "expected the two symbols, not the two joined")
        with_count = len(found) == 2 and not isinstance(found[0], str) and len(found[0]) == 2
        expect(not with_count, f"expected a pair alone, without its count: {found[0]}")
        expect(tuple(found) == expected, f"{why} (in {words})")
