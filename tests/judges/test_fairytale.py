"""The bundled model in transformers: the same tokens, logits and text."""

import re

import numpy as np
import pytest
import torch
from support import bits_per_byte, error
from torch_gpt2 import torch_greedy, torch_logits
from transformers import AutoTokenizer, GPT2LMHeadModel

import picogpt
from picogpt.evaluate.documents import split_documents
from picogpt.files import read_text
from picogpt.weights.find import find_model

TALE = 'Once upon a time there lived a king who had three daughters, and "the eldest..."\n\nÉté!'


@pytest.fixture(scope="module")
def ours():
    return picogpt.load("fairytale")


@pytest.fixture(scope="module")
def theirs():
    folder = find_model("fairytale", offline=True)
    return GPT2LMHeadModel.from_pretrained(folder, dtype=torch.float32).eval()


def test_tokens(ours):
    tokenizer = AutoTokenizer.from_pretrained(find_model("fairytale", offline=True))
    ids = ours.tokenizer.encode(TALE)
    assert tokenizer(TALE)["input_ids"] == ids
    assert tokenizer.decode(ids) == TALE
    assert tokenizer.eos_token_id == ours.tokenizer.endoftext == ours.config.n_vocab - 1


def test_logits(ours, theirs):
    ids = np.array([ours.tokenizer.endoftext, *ours.tokenizer.encode(TALE * 20)][:256])
    assert len(ids) == ours.config.n_ctx
    assert error(ours(ids), torch_logits(theirs, ids[None])[0]) < 1e-5


def test_greedy_text(ours, theirs):
    ids = ours.tokenizer.encode("Once upon a time")
    expected = ours.tokenizer.decode(torch_greedy(theirs, ids, 60)).split("<|endoftext|>")[0]
    assert ours.generate("Once upon a time", 60) == expected


def figure(name: str) -> float:
    """What stands after the name in its line of the model card."""
    card = (find_model("fairytale", offline=True).parent / "README.md").read_text("utf-8")
    return float(re.search(rf"^ *{name}: (\S+)$", card, re.MULTILINE)[1])


def test_held_out_figures(ours, test_data):
    """The judge is the book."""
    text = read_text(test_data / "corpus" / "fairy-tales-valid.txt")
    bits, nats = bits_per_byte(ours.params, ours.config, ours.tokenizer, split_documents(text))
    # of their four decimals the last may be rounded otherwise on another machine
    assert figure("held-out bits per byte") == pytest.approx(bits, abs=1.1e-4)
    assert figure("held-out nats per token") == pytest.approx(nats, abs=1.1e-4)
