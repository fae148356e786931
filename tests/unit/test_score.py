"""Scores: by hand, and token by token. How a text is cut is tested with evaluate/documents.py."""

import math
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from support import error, random_params

from picogpt.bpe import ByteLevelBPE
from picogpt.bpe.pretokenize import ALPHABET
from picogpt.bpe.tokenizer import ENDOFTEXT
from picogpt.config import Config
from picogpt.evaluate import score as scoring
from picogpt.evaluate.score import Score, cut_document, score, token_lengths
from picogpt.gpt2 import GPT2
from picogpt.model import gpt2
from picogpt.ops import softmax

BYTES = ByteLevelBPE(
    {token: i for i, token in enumerate([*ALPHABET, "th", ENDOFTEXT])}, [("t", "h")]
)
CONFIG = Config(n_vocab=258, n_ctx=8, n_embd=16, n_head=2, n_layer=2)
PARAMS = random_params(CONFIG, seed=3)
MODEL = GPT2(CONFIG, PARAMS, BYTES)
TEXTS = ["x", "the", "the moth", "éa!", "the moth went thither"]


def test_by_hand():
    # one token of two bytes had probability 1/2, another of one byte 1/4: three bits in all
    result = Score(np.array([7, 8]), np.log(np.float32([0.5, 0.25])), n_bytes=3)
    assert result.nats_per_token == pytest.approx(1.5 * math.log(2), rel=1e-6)
    assert result.perplexity == pytest.approx(2**1.5, rel=1e-6)
    assert result.bits_per_byte == pytest.approx(1.0, rel=1e-6)


def test_perplexity_of_a_model_that_knows_nothing():
    params = PARAMS | {"wte": np.ones_like(PARAMS["wte"])}  # all logits are equal
    result = GPT2(CONFIG, params, BYTES).score("the moth went thither")
    assert result.perplexity == pytest.approx(258, rel=1e-5)
    assert result.bits_per_byte == pytest.approx(math.log2(258) * 17 / 21, rel=1e-5)


def expected_logprob(ids: list[int], place: int) -> float:
    """The log-probability of ids[place]; the windows of a long text begin every half n_ctx."""
    start = max(0, math.ceil((place - CONFIG.n_ctx) / (CONFIG.n_ctx // 2))) * (CONFIG.n_ctx // 2)
    return math.log(softmax(gpt2(ids[start:place], **PARAMS, n_head=2)[-1])[ids[place]])


@pytest.mark.parametrize("text", TEXTS)
def test_each_token_has_its_log_probability(text):
    ids = [BYTES.endoftext, *BYTES.encode(text)]
    result = MODEL.score(text)
    expected = np.array([expected_logprob(ids, place) for place in range(1, len(ids))])
    assert result.ids.tolist() == ids[1:]
    assert result.logprobs.dtype == np.float32
    assert np.abs(result.logprobs - expected).max() < 1e-5
    assert result.n_bytes == len(text.encode())


def test_a_short_text_costs_a_short_pass(monkeypatch):
    passes = []
    original = scoring.gpt2

    def counted(ids, **kwargs):
        passes.append(np.shape(ids))
        return original(ids, **kwargs)

    monkeypatch.setattr(scoring, "gpt2", counted)
    for text in TEXTS:
        MODEL.score(text)
    assert passes == [(1, 1), (1, 2), (1, 6), (1, 4), (4, 8)]


def test_the_passes_may_be_shared_out(monkeypatch):
    monkeypatch.setattr(scoring, "TOKENS_AT_ONCE", 16)
    windows = cut_document(np.array([257, *BYTES.encode("the moth went thither " * 4)]), 8)
    lengths = token_lengths(BYTES)
    with ThreadPoolExecutor(2) as pool:
        shared = score(windows, PARAMS, 2, lengths, pool.map)
    assert error(shared.logprobs, score(windows, PARAMS, 2, lengths).logprobs) < 1e-6


def test_lengths_of_tokens():
    lengths = token_lengths(BYTES)
    assert lengths[BYTES.encode("th")].tolist() == [2]
    assert lengths[BYTES.encode("é")].tolist() == [1, 1]


@pytest.mark.parametrize("logprob", [-1e5, np.nan])
def test_the_perplexity_of_a_broken_model(logprob):
    perplexity = Score(np.array([1]), np.float32([logprob]), 1).perplexity
    assert perplexity == np.inf or np.isnan(perplexity)


def test_an_empty_text():
    with pytest.raises(ValueError, match="the text to score is empty"):
        MODEL.score("")
