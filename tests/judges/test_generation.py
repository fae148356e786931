"""Writing, against transformers with the same weights: processors, searches, batches, scores."""

import itertools

import numpy as np
import pytest
import torch
from generation import NO_END, growing_text, with_bias
from support import error, random_params
from torch_gpt2 import torch_beams, torch_gpt2, torch_logits
from transformers import (
    LogitsProcessorList,
    MinPLogitsWarper,
    NoBadWordsLogitsProcessor,
    RepetitionPenaltyLogitsProcessor,
    SequenceBiasLogitsProcessor,
    TemperatureLogitsWarper,
    TopKLogitsWarper,
    TopPLogitsWarper,
)

from picogpt.config import Config
from picogpt.decoding.beam import beam_search
from picogpt.decoding.lookup import Lookup
from picogpt.decoding.loop import token_steps
from picogpt.decoding.sampling import Sampling, process_logits
from picogpt.evaluate.score import cut_document, score
from picogpt.ops import token_logprobs

# The settings, in the order in which transformers applies its processors.
SETTINGS = {
    "logit_bias": {3: 2.5, 17: -4.0, 20: -float("inf")},
    "repetition_penalty": 1.3,
    "banned": [5, 6, 30],
    "temperature": 0.7,
    "top_k": 12,
    "top_p": 0.9,
    "min_p": 0.08,
}
THEIRS = {
    "logit_bias": lambda x: SequenceBiasLogitsProcessor({(i,): bias for i, bias in x.items()}),
    "repetition_penalty": RepetitionPenaltyLogitsProcessor,
    "banned": lambda ids: NoBadWordsLogitsProcessor([[i] for i in ids]),
    "temperature": TemperatureLogitsWarper,
    "top_k": TopKLogitsWarper,
    "top_p": TopPLogitsWarper,
    "min_p": MinPLogitsWarper,
}
COMBINATIONS = [
    names for n in range(1, 8) for names in itertools.combinations(SETTINGS, n)
]  # in the order of SETTINGS


def ours(logits, ids, settings) -> np.ndarray:
    return process_logits(logits, ids, Sampling(**{"temperature": 1.0} | settings))


def theirs(logits, ids, settings) -> np.ndarray:
    processors = LogitsProcessorList(THEIRS[name](settings[name]) for name in settings)
    return processors(torch.tensor([ids]), torch.tensor(logits)[None])[0].numpy()


def assert_equal(actual, expected):
    assert np.array_equal(np.isneginf(actual), np.isneginf(expected))
    allowed = expected > -np.inf
    largest = np.abs(expected[allowed]).max()
    assert np.abs(actual[allowed] - expected[allowed]).max() <= 1e-6 * largest


@pytest.mark.parametrize("n_vocab", [40, 5000])
@pytest.mark.parametrize("scale", [0.5, 2, 6])
def test_processed_logits(n_vocab, scale):
    rng = np.random.default_rng(n_vocab)
    logits = scale * rng.standard_normal(n_vocab, np.float32)
    ids = rng.integers(40, size=15).tolist()
    for names in COMBINATIONS:
        settings = {name: SETTINGS[name] for name in names}
        assert_equal(ours(logits, ids, settings), theirs(logits, ids, settings))


@pytest.mark.parametrize("seed", range(50))
def test_processed_logits_of_other_values(seed):
    rng = np.random.default_rng(seed)
    logits = rng.uniform(0.2, 5) * rng.standard_normal(200, np.float32)
    ids = rng.integers(200, size=rng.integers(1, 60)).tolist()
    values = {
        "logit_bias": dict(zip(rng.permutation(200)[:9].tolist(), rng.normal(0, 5, 9).tolist())),
        "repetition_penalty": rng.uniform(0.3, 3),
        "banned": rng.permutation(200)[:4].tolist(),
        "temperature": rng.uniform(0.1, 5),
        "top_k": int(rng.integers(1, 250)),
        "top_p": rng.uniform(0.01, 0.999),
        "min_p": rng.uniform(0, 1),
    }
    settings = {name: value for name, value in values.items() if rng.random() < 0.6}
    settings = settings or values
    assert_equal(ours(logits, ids, settings), theirs(logits, ids, settings))


@pytest.mark.parametrize(
    "settings",
    [{"top_k": 3}, {"min_p": 1.0}, {"min_p": 0.5}, {"top_p": 1e-6}, {"top_k": 1, "top_p": 0.5}],
)
def test_equal_logits(settings):
    logits = np.float32([1, 4, 2, 4, 3, 3, 0, 4, 4])
    expected = theirs(logits, [0], settings)
    actual = ours(logits, [0], settings)
    if "top_p" in settings:  # they keep the last of equal tokens, we the first, both as many
        assert sorted(actual) == sorted(expected)
        assert actual[1] == expected[8] == 4
    else:
        assert np.array_equal(actual, expected)


CONFIG = Config(n_vocab=24, n_ctx=48, n_embd=16, n_head=2, n_layer=2)
END = CONFIG.n_vocab - 1  # as in torch_gpt2
N_NEW = 10
# Models that are more and more inclined to end
MODELS = [with_bias(random_params(CONFIG, seed), END, bias=seed + 1.0) for seed in range(4)]
JUDGES = [torch_gpt2(CONFIG, params) for params in MODELS]
PROMPTS = [[5], [1, 2, 3], [7, 7, 2, 9, 11, 4, 0, 3]]


@pytest.mark.parametrize("early_stopping", [False, True])
@pytest.mark.parametrize("length_penalty", [0.0, 0.5, 1.0, 2.0])
@pytest.mark.parametrize("n_beams", [1, 2, 3, 4, 5])
def test_beam_search(n_beams, length_penalty, early_stopping):
    options = {"length_penalty": length_penalty, "early_stopping": early_stopping}
    n_ended = n_long = 0
    for params, judge in zip(MODELS, JUDGES, strict=True):
        for prompt in PROMPTS:
            expected = torch_beams(judge, prompt, N_NEW, n_beams, **options)
            actual = beam_search(
                prompt,
                params,
                CONFIG,
                n_beams=n_beams,
                max_new_tokens=N_NEW,
                endoftext=END,
                **options,
            )
            assert [text.ids for text in actual] == [ids for ids, _ in expected]
            assert [text.score for text in actual] == pytest.approx(
                [total for _, total in expected], rel=1e-5
            )
            n_ended += sum(len(text.ids) < N_NEW for text in actual)
            n_long += sum(len(text.ids) == N_NEW for text in actual)
    assert n_ended + n_long == len(MODELS) * len(PROMPTS) * n_beams
    assert min(n_ended, n_long) >= 3


def written(prompts, params, config, n, endoftext=NO_END, **options) -> list[list[int]]:
    texts = [growing_text(ids, n) for ids in prompts]
    for _ in token_steps(texts, params, config, endoftext=endoftext, **options):
        pass
    return [text.ids[len(ids) :] for text, ids in zip(texts, prompts, strict=True)]


@torch.no_grad()
def torch_batch(judge, prompts, n, eos) -> list[list[int]]:
    """Greedy continuations of prompts that are padded on the left to the same length."""
    longest = max(map(len, prompts))
    ids = torch.tensor([[0] * (longest - len(ids)) + ids for ids in prompts])
    mask = torch.tensor([[0] * (longest - len(ids)) + [1] * len(ids) for ids in prompts])
    out = judge.generate(
        ids,
        attention_mask=mask,
        max_new_tokens=n,
        do_sample=False,
        eos_token_id=eos,
        pad_token_id=END,
    )
    found = out[:, longest:].tolist()
    return [ids[: ids.index(END)] if eos is not None and END in ids else ids for ids in found]


@pytest.mark.parametrize("model", range(4))
def test_batches_equal_left_padded_ones(model):
    params, judge = MODELS[model], JUDGES[model]
    rng = np.random.default_rng(model)
    prompts = [rng.integers(END, size=n).tolist() for n in (1, 20, 7, 3, 12, 7)]
    assert written(prompts, params, CONFIG, 28) == torch_batch(judge, prompts, 28, None)
    expected = torch_batch(judge, prompts, 28, END)
    assert written(prompts, params, CONFIG, 28, END) == expected


def test_some_rows_of_these_batches_end_before_others():
    lengths = [
        {len(ids) for ids in torch_batch(judge, [[i] for i in range(END)], 28, END)}
        for judge in JUDGES
    ]
    assert all(len(different) > 2 for different in lengths)


@pytest.mark.parametrize("model", range(4))
def test_lookup_equals_greedy(model):
    for prompt in PROMPTS:
        expected = torch_batch(JUDGES[model], [prompt], 40, None)
        assert written([prompt], MODELS[model], CONFIG, 40, make_guess=Lookup()) == expected


@torch.no_grad()
@pytest.mark.parametrize("model", range(4))
def test_sliding_window_equals_greedy_on_what_is_kept(model):
    expected = [*PROMPTS[1]]
    start = 0
    for _ in range(100):
        if len(expected) - start > CONFIG.n_ctx:
            start = len(expected) - CONFIG.n_ctx // 2
        logits = torch_logits(JUDGES[model], [expected[start:]])
        expected.append(int(logits[0, -1].argmax()))
    with pytest.warns(UserWarning, match="outgrew"):
        actual = written([PROMPTS[1]], MODELS[model], CONFIG, 100)
    assert actual == [expected[3:]]


def test_token_logprobs():
    rng = np.random.default_rng(0)
    logits = 5 * rng.standard_normal((2, 7, 300), np.float32)
    targets = rng.integers(300, size=(2, 7))
    expected = torch.log_softmax(torch.tensor(logits), -1).gather(
        -1, torch.tensor(targets)[..., None]
    )
    assert error(token_logprobs(logits, targets), expected[..., 0].numpy()) < 1e-6


@torch.no_grad()
@pytest.mark.parametrize("n_ids", [2, 10, 49, 50, 73, 200])
def test_score_equals_windows_of_torch(n_ids):
    """Windows begin every half context; each scores what no window before it had."""
    ids = np.random.default_rng(n_ids).integers(CONFIG.n_vocab, size=n_ids)
    expected = []
    for begin in range(0, n_ids, CONFIG.n_ctx // 2):
        n_new = min(begin + CONFIG.n_ctx, n_ids - 1) - len(expected)
        if n_new <= 0:
            break
        window = torch.tensor(ids[begin : begin + CONFIG.n_ctx])
        logprobs = torch.log_softmax(JUDGES[0](window[None]).logits[0], -1)
        places = range(len(expected), len(expected) + n_new)
        expected += [logprobs[place - begin, ids[place + 1]].item() for place in places]
    assert len(expected) == n_ids - 1
    windows = cut_document(ids, CONFIG.n_ctx)
    result = score(windows, MODELS[0], CONFIG.n_head, np.ones(CONFIG.n_vocab, int))
    assert result.ids.tolist() == ids[1:].tolist()
    assert np.abs(result.logprobs - expected).max() < 1e-4
    assert result.perplexity == pytest.approx(np.exp(-np.mean(expected)), rel=1e-5)
