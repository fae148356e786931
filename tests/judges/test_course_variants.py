"""The references of the assignments' variants, against other people's implementations."""

import keras
import numpy as np
import pytest
import torch
from support import error
from tokenizers import Tokenizer, models
from torch.nn import functional
from torch_gpt2 import torch_name
from torch_training import torch_loss, torch_parameters, torch_trainable
from transformers import TypicalLogitsWarper
from transformers.models.bloom.modeling_bloom import build_alibi_tensor

from picogpt.bpe.pretokenize import to_symbols
from picogpt.config import Config, flatten, param_shapes, unflatten
from picogpt.course.a1_tokenizer.a1_1_tokens import random_word, vocabulary
from picogpt.course.a1_tokenizer.a1_variants import longest_match
from picogpt.course.a2_operations.a2_variants import rms_norm, smoothed_cross_entropy
from picogpt.course.a3_model.a3_alibi import alibi_attention, alibi_bias
from picogpt.course.a4_decoding.a4_typical import keep_typical
from picogpt.course.a4_decoding.a4_window import window_attention
from picogpt.course.a5_training.a5_lion import lion
from picogpt.course.a5_training.a5_rmsnorm import random_rms_params, rms_loss_and_gradients
from picogpt.course.a5_training.a5_rmsnorm_gradient import d_rms_norm


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


def test_typical(rng):
    for _ in range(200):
        logits = 2.0 * rng.standard_normal(20)
        logits[rng.integers(20, size=5)] = -np.inf
        typical_p = float(rng.uniform(0.01, 0.99))
        expected = TypicalLogitsWarper(typical_p)(None, torch.from_numpy(logits)[None])[0].numpy()
        assert np.array_equal(keep_typical(logits, typical_p), expected)


@pytest.mark.parametrize("n_window", [1, 3, 9])
def test_window_attention(rng, n_window):
    n_seq, n_head, n_head_dim = 9, 2, 4
    n_embd = n_head * n_head_dim
    x = rng.standard_normal((n_seq, n_embd))
    c_attn = {"w": rng.standard_normal((n_embd, 3 * n_embd)), "b": rng.standard_normal(3 * n_embd)}
    c_proj = {"w": rng.standard_normal((n_embd, n_embd)), "b": rng.standard_normal(n_embd)}

    shape = (1, n_head, n_window, n_head_dim)
    cache = {"k": np.empty(shape), "v": np.empty(shape), "n_past": 0}
    rows = []
    for row in x:
        y = window_attention(row[None], c_attn, c_proj, n_head=n_head, cache=cache, layer=0)
        rows.append(y)
        cache["n_past"] += 1

    qkv = functional.linear(*map(torch.from_numpy, (x, c_attn["w"].T, c_attn["b"])))
    q, k, v = qkv.view(n_seq, 3, n_head, n_head_dim).permute(1, 2, 0, 3)
    band = torch.ones(n_seq, n_seq).tril().triu(1 - n_window).bool()
    heads = functional.scaled_dot_product_attention(q, k, v, attn_mask=band)
    merged = heads.permute(1, 0, 2).reshape(n_seq, n_embd)
    expected = functional.linear(merged, *map(torch.from_numpy, (c_proj["w"].T, c_proj["b"])))
    assert error(np.concatenate(rows), expected.numpy()) < 1e-12


def test_d_rms_norm(rng):
    x, dy, g = (*rng.standard_normal((2, 4, 3, 8)), rng.standard_normal(8))
    x *= 0.01  # so that what is added under the root shows
    leaves = [torch.tensor(a, requires_grad=True) for a in (x, g)]
    y = functional.rms_norm(leaves[0], (8,), leaves[1], eps=1e-5)
    expected = torch.autograd.grad(y, leaves, torch.from_numpy(dy))
    for ours, theirs in zip(d_rms_norm(dy, x, g), expected, strict=True):
        assert error(ours, theirs.numpy()) < 1e-12


def test_the_gradient_of_gpt2_with_rms_norm(rng):
    """transformers' GPT-2, whose layer norms are exchanged."""
    params, n_head = random_rms_params(rng, n_layer=2)
    (n_vocab, n_embd), n_ctx = params["wte"].shape, len(params["wpe"])
    ids, targets = rng.integers(n_vocab, size=(2, 3, 5))
    config = Config(n_vocab, n_ctx, n_embd, n_head, 2)
    with_biases = unflatten(
        {path: np.zeros(shape) for path, shape in param_shapes(config).items()} | flatten(params)
    )
    model = torch_trainable(config, with_biases, torch.float64)
    for path in [path for path in flatten(params) if path.endswith(".g")]:
        norm = torch.nn.RMSNorm(n_embd, eps=1e-5, dtype=torch.float64)
        norm.weight = torch.nn.Parameter(model.get_parameter(torch_name(path)).detach())
        model.set_submodule(torch_name(path).removesuffix(".weight"), norm)
    expected_loss = torch_loss(model, ids, targets)
    expected_loss.backward()
    loss, grads = rms_loss_and_gradients(ids, targets, params, n_head)
    assert loss == pytest.approx(expected_loss.item(), rel=1e-12)
    parameters = torch_parameters(model, params)
    for path, ours in flatten(grads).items():
        assert error(ours, parameters[path].grad.numpy()) < 1e-11, path


def test_lion(rng):
    """Keras's, whose rates are float32: these are exact there."""
    params = {"w": rng.standard_normal((3, 4)), "b": rng.standard_normal(4)}
    momentum = {path: np.zeros_like(x) for path, x in params.items()}
    theirs = {path: keras.Variable(x, dtype="float64") for path, x in params.items()}
    judge = keras.optimizers.Lion(2.0**-5, beta_1=0.8, beta_2=0.95, weight_decay=0.25)
    judge.exclude_from_weight_decay(var_list=[theirs["b"]])
    for _ in range(5):
        grads = {path: rng.standard_normal(x.shape) for path, x in params.items()}
        judge.apply([keras.ops.convert_to_tensor(g) for g in grads.values()], [*theirs.values()])
        lion(params, grads, momentum, lr=2.0**-5, betas=(0.8, 0.95), weight_decay=0.25)
        for path, x in params.items():
            assert error(x, keras.ops.convert_to_numpy(theirs[path])) < 1e-12
