"""The bundled model in transformers: the same tokens, logits and text."""

import numpy as np
import pytest
import torch
from support import error
from torch_gpt2 import torch_greedy, torch_logits
from transformers import AutoTokenizer, GPT2LMHeadModel

import picogpt
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
