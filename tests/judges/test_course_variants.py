"""The references of the assignments' variants, against other people's implementations."""

import numpy as np
import pytest
import torch
from support import error
from tokenizers import Tokenizer, models
from torch.nn import functional
from transformers.models.bloom.modeling_bloom import build_alibi_tensor

from picogpt.bpe.pretokenize import to_symbols
from picogpt.course.assignments.a1_tokens import random_word, vocabulary
from picogpt.course.assignments.a1_variants import longest_match
from picogpt.course.assignments.a2_variants import rms_norm, smoothed_cross_entropy
from picogpt.course.assignments.a3_alibi import alibi_attention, alibi_bias


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(0)


def test_rms_norm(rng):
    x, g = 0.01 * rng.standard_normal((2, 3, 8)), rng.standard_normal(8)
    expected = functional.rms_norm(torch.from_numpy(x), (8,), torch.from_numpy(g), eps=1e-5)
    assert error(rms_norm(x, g), expected.numpy()) < 1e-12


@pytest.mark.parametrize("smoothing", [0.0, 0.1, 0.5])
def test_smoothed_cross_entropy(rng, smoothing):
    logits, targets = rng.standard_normal((5, 7)), rng.integers(7, size=5)
    expected = functional.cross_entropy(
        torch.from_numpy(logits), torch.from_numpy(targets), label_smoothing=smoothing
    )
    assert smoothed_cross_entropy(logits, targets, smoothing) == pytest.approx(float(expected))


@pytest.mark.parametrize("n_head", [1, 2, 8])
def test_alibi(rng, n_head):
    """BLOOM's bias is that of the key's place, and the softmax sees only its differences."""
    n_seq, n_head_dim = 5, 4
    q, k, v = (rng.standard_normal((n_head, n_seq, n_head_dim)) for _ in range(3))
    bias = build_alibi_tensor(torch.ones(1, n_seq), n_head, torch.float64)
    mask = torch.full((n_seq, n_seq), -torch.inf, dtype=torch.float64).triu(1)
    arrays = (torch.from_numpy(x) for x in (q, k, v))
    expected = functional.scaled_dot_product_attention(*arrays, attn_mask=bias + mask)
    assert error(alibi_attention(q, k, v), expected.numpy()) < 1e-6  # its slopes are float32
    diagonal = np.diagonal(alibi_bias(n_head, n_seq, 2, np.float64), 2, axis1=1, axis2=2)
    assert np.array_equal(diagonal, np.zeros((n_head, n_seq)))


def test_longest_match(rng):
    encoder, _ = vocabulary(rng)
    judge = Tokenizer(
        models.WordPiece(
            {token: i for token, i in encoder.items()} | {"[UNK]": len(encoder)},
            unk_token="[UNK]",
            continuing_subword_prefix="",
        )
    )
    for _ in range(200):
        word = to_symbols(random_word(rng, 12))
        assert longest_match(word, {*encoder}) == judge.encode(word).tokens
