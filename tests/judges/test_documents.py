"""Bits per byte against transformers' losses, taken window by window as the protocol says it."""

import math

import pytest
import torch
from support import bits_per_byte, random_params
from torch_gpt2 import torch_gpt2

from picogpt.bpe import ByteLevelBPE
from picogpt.bpe.pretokenize import ALPHABET
from picogpt.bpe.tokenizer import ENDOFTEXT
from picogpt.config import Config

MERGES = [("t", "h"), ("th", "e"), ("Ġ", "the"), ("i", "n")]
ENCODER = {t: i for i, t in enumerate([*ALPHABET, *map("".join, MERGES), ENDOFTEXT])}
TOKENIZER = ByteLevelBPE(ENCODER, MERGES)
TALES = ["the fox in the wood " * 9, "é", "ox", "In the end the thing was hidden in thin ink. " * 3]


def torch_nats(model, ids: list[int], n_ctx: int) -> float:
    """The nats of a document, after the loop in transformers' perplexity.md.

    Windows begin every half context; a window's loss counts only the targets that no window
    before had. transformers shifts the labels itself: labels[i] is predicted from ids[:i].
    """
    nats, done = 0.0, 0  # done: the targets up to here are scored
    stride = n_ctx - n_ctx // 2
    for begin in range(0, len(ids), stride):
        # one token more than n_ctx: the last one is a target only
        end = min(begin + n_ctx, len(ids) - 1)
        n_new = end - done
        if n_new <= 0:
            break
        window = torch.tensor([ids[begin:end]])
        targets = torch.tensor(ids[begin + 1 : end + 1])
        losses = torch.nn.functional.cross_entropy(
            model(window).logits[0], targets, reduction="none"
        )
        nats += losses[-n_new:].double().sum().item()
        done = end
    assert done == len(ids) - 1
    return nats


@pytest.mark.parametrize("n_ctx", [6, 7, 16, 64])
@torch.no_grad()
def test_bits_per_byte(n_ctx):
    config = Config(n_vocab=len(ENCODER), n_ctx=n_ctx, n_embd=24, n_head=3, n_layer=2)
    params = random_params(config, seed=n_ctx)
    model = torch_gpt2(config, params)
    documents = [[TOKENIZER.endoftext, *TOKENIZER.encode(tale)] for tale in TALES]
    nats = sum(torch_nats(model, ids, n_ctx) for ids in documents)
    bits, loss = bits_per_byte(params, config, TOKENIZER, TALES)
    assert bits == pytest.approx(nats / math.log(2) / sum(len(t.encode()) for t in TALES), rel=1e-5)
    assert loss == pytest.approx(nats / sum(len(ids) - 1 for ids in documents), rel=1e-5)


@torch.no_grad()
def test_a_document_in_one_window_has_transformers_own_loss():
    config = Config(n_vocab=len(ENCODER), n_ctx=256, n_embd=24, n_head=3, n_layer=2)
    params = random_params(config, seed=1)
    ids = torch.tensor([[TOKENIZER.endoftext, *TOKENIZER.encode(TALES[0])]])
    expected = torch_gpt2(config, params)(ids, labels=ids).loss.item()
    assert bits_per_byte(params, config, TOKENIZER, TALES[:1])[1] == pytest.approx(
        expected, rel=1e-5
    )
