"""Bits per byte: every token is scored once, with enough context, and by its true probability."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from support import bits_per_byte, random_params

from picogpt.bpe import ByteLevelBPE
from picogpt.bpe.pretokenize import ALPHABET
from picogpt.bpe.tokenizer import ENDOFTEXT
from picogpt.config import Config
from picogpt.evaluate.documents import cut_documents, encode_documents
from picogpt.evaluate.score import NOT_SCORED, cut_document, score, token_lengths
from picogpt.model import gpt2
from picogpt.ops import softmax

# bytes, and one token of two letters, so that tokens and bytes are not the same
BYTES = ByteLevelBPE(
    {token: i for i, token in enumerate([*ALPHABET, "th", ENDOFTEXT])}, [("t", "h")]
)
CONFIG = Config(n_vocab=258, n_ctx=8, n_embd=16, n_head=2, n_layer=2)
PARAMS = random_params(CONFIG, seed=3)
TALES = ["the moth went thither", "é!", "x", "a bird in the hand is worth two in the bush"]


@given(st.integers(1, 100), st.integers(1, 12))
def test_every_token_is_scored_once_with_half_a_window_before_it(n_tokens, n_ctx):
    windows = cut_document(np.arange(n_tokens), n_ctx)  # each id is its own place
    assert windows.ids.shape == windows.targets.shape
    assert windows.ids.shape[1] == n_ctx
    scored = windows.targets != NOT_SCORED
    assert sorted(windows.targets[scored].tolist()) == list(range(1, n_tokens))
    for ids, targets in zip(windows.ids, windows.targets):
        for place in np.flatnonzero(targets != NOT_SCORED):
            target = targets[place]
            context = ids[: place + 1]
            assert context.tolist() == list(range(target - len(context), target))
            assert len(context) >= min(n_ctx / 2, target)


@given(st.integers(2, 100), st.integers(1, 12))
def test_windows_overlap_by_half(n_tokens, n_ctx):
    ids = cut_document(np.arange(n_tokens), n_ctx).ids
    assert ids[:, 0].tolist() == [i * (n_ctx - n_ctx // 2) for i in range(len(ids))]


def test_no_window_sees_two_documents():
    windows = cut_documents(encode_documents(TALES, BYTES), CONFIG.n_ctx, BYTES.endoftext)
    texts = [BYTES.decode(ids[ids != BYTES.endoftext]) for ids in windows.ids]
    for text in texts:
        assert any(text in tale for tale in TALES)
    starts = windows.ids[:, 0] == BYTES.endoftext
    assert starts.sum() == len(TALES)
    assert not (windows.targets == BYTES.endoftext).any()


def probability_by_probability(tale: str) -> float:
    """The nats of a tale by the protocol's words, one token and one forward pass at a time."""
    ids = [BYTES.endoftext, *BYTES.encode(tale)]
    half = CONFIG.n_ctx // 2
    nats = 0.0
    for target in range(1, len(ids)):
        # the first window that has the token among its targets begins at a multiple of half
        start = 0
        while start + CONFIG.n_ctx < target:
            start += half
        probabilities = softmax(gpt2(ids[start:target], **PARAMS, n_head=CONFIG.n_head)[-1])
        nats -= math.log(probabilities[ids[target]])
    return nats


def test_score_is_that_of_the_probabilities():
    windows = cut_documents(encode_documents(TALES, BYTES), CONFIG.n_ctx, BYTES.endoftext)
    result = score(windows, PARAMS, CONFIG.n_head, token_lengths(BYTES))
    n_tokens = sum(len(BYTES.encode(tale)) for tale in TALES)
    nats = sum(map(probability_by_probability, TALES))
    assert len(result.ids) == len(result.logprobs) == n_tokens
    assert result.nats_per_token == pytest.approx(nats / n_tokens, rel=1e-5)
    assert result.n_bytes == sum(len(tale.encode()) for tale in TALES)
    assert n_tokens < result.n_bytes


def test_bits_per_byte():
    nats = sum(map(probability_by_probability, TALES))
    bits, loss = bits_per_byte(PARAMS, CONFIG, BYTES, TALES)
    assert bits == pytest.approx(nats / math.log(2) / len("".join(TALES).encode()), rel=1e-5)
    assert loss == pytest.approx(nats / sum(len(BYTES.encode(t)) for t in TALES), rel=1e-5)


def test_batches_do_not_matter(monkeypatch):
    expected = bits_per_byte(PARAMS, CONFIG, BYTES, TALES)
    monkeypatch.setattr("picogpt.evaluate.score.TOKENS_AT_ONCE", 24)  # 3 windows
    assert bits_per_byte(PARAMS, CONFIG, BYTES, TALES) == pytest.approx(expected, rel=1e-6)


def test_untied_head():
    head = random_params(CONFIG, seed=4)["wte"]
    bits, _ = bits_per_byte(PARAMS | {"lm_head": head}, CONFIG, BYTES, ["ab"])
    logits = gpt2([257, *BYTES.encode("a")], **PARAMS, lm_head=head, n_head=CONFIG.n_head)
    p = softmax(logits)[[0, 1], BYTES.encode("ab")]
    assert bits == pytest.approx(-np.log2(p).sum() / 2, rel=1e-5)


@pytest.mark.parametrize(
    ("n", "chosen"), [(1, [0]), (3, [0, 3, 6]), (10, range(10)), (99, range(10))]
)
def test_spread(n, chosen):
    windows = cut_document(np.arange(44), 8)
    few = windows.spread(n)
    assert few.ids[:, 0].tolist() == [4 * i for i in chosen]
