"""The real 124M against published texts, ids and logits. Downloads it; run by make test-gpt2."""

import json

import numpy as np
import pytest

import picogpt


@pytest.fixture(scope="module")
def model():
    return picogpt.load("124M")


def greedy_ids(model, ids: list[int], n: int) -> list[int]:
    """The n ids that greedy decoding appends, each from a full forward pass."""
    ids = list(ids)
    for _ in range(n):
        ids.append(int(model(ids)[-1].argmax()))
    return ids[-n:]


@pytest.mark.parametrize(
    ("prompt", "text"),
    [
        (  # picoGPT, README
            "Alan Turing theorized that computers would one day become",
            (
                " the most powerful machines on the planet.\n\nThe computer is a machine that can "
                "perform complex calculations, and it can perform these calculations in a way "
                "that is very similar to the human brain."
            ),
        ),
        # transformers, tests/models/gpt2/test_modeling_gpt2.py: one left-padded batch
        ("Hello, my dog is a little", " bit of a mess. I'm not sure if he's going"),
        ("Today, I", "'m going to be doing a lot of research on this. I"),
    ],
)
def test_greedy_text(model, prompt, text):
    # picoGPT's text are 40 tokens; the others were cut off earlier
    assert model.generate(prompt, max_new_tokens=40).startswith(text)


@pytest.mark.parametrize(
    ("ids", "expected"),
    [
        (  # transformers, tests/models/gpt2/test_modeling_gpt2.py: "The dog"
            [464, 3290],
            "373 1043 287 257 2214 1474 262 16246 286 2688 290 2688 27262 13 198 198 464 3290",
        ),
        # fastGPT, tests: "San Francisco is", "Cars are"
        ([15017, 6033, 318], "257 1748 286 517 621 352 1510 661"),
        ([34, 945, 389], "407 3142 284 307 973 287 262 7647 1256 286 257 7072 13"),
    ],
)
def test_greedy_ids(model, ids, expected):
    expected = [int(i) for i in expected.split()]
    assert greedy_ids(model, ids, len(expected)) == expected
    text = model.generate(model.tokenizer.decode(ids), max_new_tokens=len(expected))
    assert text == model.tokenizer.decode(expected)


def test_order_of_the_likeliest_tokens(model, test_data):
    # Published by Transformer Explainer for the same weights with the exact (erf) GELU, which
    # shifts logits a little: tokens whose published logits lie well apart must keep their order.
    published = json.loads((test_data / "reference" / "gpt2-124M.json").read_text("utf-8"))
    for example in published["prompts"]:
        logits = model(example["ids"])[-1]
        ours = logits[example["top_ids"]]
        theirs = np.array(example["top_logits"])
        well_apart = theirs[:, None] - theirs[None] > 0.25
        assert well_apart.any()
        assert (ours[:, None] > ours[None])[well_apart].all(), example["prompt"]
