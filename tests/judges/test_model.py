"""The whole model against transformers, live, small and at the full size of 124M."""

import numpy as np
import pytest
from generation import NO_END, growing_text
from support import error, random_params
from torch_gpt2 import torch_gpt2, torch_greedy, torch_logits

from picogpt.config import SIZES, Config
from picogpt.decoding.loop import token_steps
from picogpt.model import gpt2

SMALL = [
    Config(n_vocab=100, n_ctx=32, n_embd=48, n_head=4, n_layer=3),
    Config(n_vocab=257, n_ctx=16, n_embd=40, n_head=1, n_layer=1),
    Config(n_vocab=300, n_ctx=64, n_embd=36, n_head=12, n_layer=5),
]


def greedy(config: Config, params: dict, ids: list[int], n: int) -> list[int]:
    steps = token_steps([growing_text(ids, n)], params, config, endoftext=NO_END)
    return [step.id for _, step in steps]


@pytest.mark.parametrize("config", SMALL)
@pytest.mark.parametrize("seed", range(3))
def test_small_models(config, seed):
    params = random_params(config, seed)
    model = torch_gpt2(config, params)
    ids = np.random.default_rng(seed).integers(config.n_vocab, size=(2, config.n_ctx))
    assert error(gpt2(ids, **params, n_head=config.n_head), torch_logits(model, ids)) < 1e-5
    prompt = ids[0, :5].tolist()
    n = config.n_ctx - 5
    assert greedy(config, params, prompt, n) == torch_greedy(model, prompt, n)


@pytest.fixture(scope="module")
def full_size():
    config = SIZES["124M"]
    params = random_params(config, seed=0)
    return config, params, torch_gpt2(config, params)


def test_logits_at_full_size(full_size):
    config, params, model = full_size
    ids = np.random.default_rng(0).integers(config.n_vocab, size=(1, 200))
    ours = gpt2(ids, **params, n_head=config.n_head)
    assert ours.dtype == np.float32
    assert error(ours, torch_logits(model, ids)) < 1e-5


def test_greedy_at_full_size(full_size):
    config, params, model = full_size
    prompt = np.random.default_rng(1).integers(config.n_vocab, size=300).tolist()
    assert greedy(config, params, prompt, 40) == torch_greedy(model, prompt, 40)
