"""Looking inside, against transformers' hidden states and attentions."""

import numpy as np
import pytest
import torch
from support import error, random_params
from torch_gpt2 import torch_gpt2

from picogpt.config import Config
from picogpt.lens import attention_maps, logit_lens
from picogpt.model import gpt2
from picogpt.tap import record

CONFIG = Config(n_vocab=100, n_ctx=32, n_embd=48, n_head=4, n_layer=3)


@pytest.fixture(scope="module")
def runs():
    """Our activations and parameters, and all that transformers shows of the same run."""
    params = random_params(CONFIG, seed=0)
    ids = np.random.default_rng(0).integers(CONFIG.n_vocab, size=(2, CONFIG.n_ctx))
    activations = {}
    gpt2(ids, **params, n_head=CONFIG.n_head, tap=record(activations))
    model = torch_gpt2(CONFIG, params)
    model.set_attn_implementation("eager")  # the others do not tell their weights
    with torch.no_grad():
        shown = model(torch.as_tensor(ids), output_hidden_states=True, output_attentions=True)
    return activations, params, model, shown


def test_attention_maps(runs):
    activations, _, _, shown = runs
    expected = torch.stack(shown.attentions).numpy()
    assert error(attention_maps(activations, CONFIG.n_layer), expected) < 1e-5


def test_logit_lens(runs):
    activations, params, model, shown = runs
    # transformers' last hidden state is normed already
    *hidden, last = shown.hidden_states
    with torch.no_grad():
        normed = [model.transformer.ln_f(x) for x in hidden] + [last]
        expected = torch.stack([model.lm_head(x) for x in normed]).numpy()
    logits = logit_lens(activations, params)
    for depth in range(CONFIG.n_layer + 1):
        assert error(logits[depth], expected[depth]) < 1e-5
