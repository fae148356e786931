"""Assignment 5, the gradients: see __init__.py."""

import math

import numpy as np

from picogpt.backward import (
    d_causal_attention,
    d_cross_entropy,
    d_embed,
    d_gelu,
    d_layer_norm,
    d_linear,
    d_self_attention,
    d_softmax,
    loss_and_gradients,
)
from picogpt.ops import gelu, softmax

from . import right, wrong


@wrong("a5", loss_and_gradients)
def ids_clipped(ids, targets, params, n_head):
    return loss_and_gradients(np.clip(ids, 0, len(params["wte"]) - 1), targets, params, n_head)


@wrong("a5", loss_and_gradients)
def targets_clipped(ids, targets, params, n_head):
    return loss_and_gradients(ids, np.clip(targets, 0, len(params["wte"]) - 1), params, n_head)


@wrong("a5", loss_and_gradients)
def texts_cut(ids, targets, params, n_head):
    n_ctx = len(params["wpe"])
    return loss_and_gradients(ids[..., :n_ctx], targets[..., :n_ctx], params, n_head)


@wrong("a5", loss_and_gradients)
def full_context_refused(ids, targets, params, n_head):
    if ids.shape[-1] == len(params["wpe"]):
        raise ValueError
    return loss_and_gradients(ids, targets, params, n_head)


@wrong("a5", loss_and_gradients)
def negative_targets_accepted(ids, targets, params, n_head):
    return loss_and_gradients(ids, np.where(targets < 0, 0, targets), params, n_head)


@wrong("a5", d_softmax)
def through_the_logarithm(dy, y):
    dlog = dy * y
    return y * (dlog / y - dlog.sum(axis=-1, keepdims=True))


@wrong("a5", d_softmax)
def square_matrices_transposed(dy, y):
    if y.shape[-1] == y.shape[-2]:
        return d_softmax(dy.swapaxes(-1, -2), y.swapaxes(-1, -2)).swapaxes(-1, -2)
    return d_softmax(dy, y)


@wrong("a5", d_gelu)
def by_differences(dy, x):
    return dy * (gelu(x + 1e-4) - gelu(x - 1e-4)) / 2e-4


@wrong("a5", d_gelu)
def by_the_result_over_x(dy, x):
    return d_gelu(dy, x) * x / x


@wrong("a5", d_gelu)
def cosh_overflows(dy, x):
    c = math.sqrt(2 / math.pi)
    u = c * (x + 0.044715 * x**3)
    e = np.exp(u)
    tanh = (e - 1 / e) / (e + 1 / e)
    return dy * 0.5 * (1 + tanh + x * (1 - tanh * tanh) * c * (1 + 3 * 0.044715 * x * x))


@wrong("a5", d_cross_entropy)
def no_maximum(logits, targets):
    e = np.exp(logits)
    dlogits = e / e.sum(axis=-1, keepdims=True)
    np.put_along_axis(
        dlogits, targets[..., None], np.take_along_axis(dlogits, targets[..., None], -1) - 1, -1
    )
    return dlogits / targets.size


@wrong("a5", d_cross_entropy)
def divided_by_different_targets(logits, targets):
    return d_cross_entropy(logits, targets) * targets.size / len(np.unique(targets))


@wrong("a5", d_embed)
def last_token_left_out(dx, ids, wte, wpe):
    dwte, dwpe = d_embed(dx, ids, wte, wpe)
    dwte[-1] = 0.0
    return dwte, dwpe


@wrong("a5", d_embed)
def a_token_twice_at_most(dx, ids, wte, wpe):
    dwte, dwpe = d_embed(dx, ids, wte, wpe)
    counts = np.bincount(ids.ravel(), minlength=len(wte))
    return dwte * np.minimum(1.0, 2 / np.maximum(counts, 1))[:, None].astype(dx.dtype), dwpe


@wrong("a5", d_linear)
def square_weights_transposed(dy, x, w):
    dx, dw, db = d_linear(dy, x, w)
    return (dy @ w, dw, db) if w.shape[0] == w.shape[1] else (dx, dw, db)


@wrong("a5", d_linear)
def two_leading_axes_at_most(dy, x, w):
    dx, dw, db = d_linear(dy, x, w)
    return dx, dw, db if dy.ndim < 4 else dy.sum(axis=(0, 1))


@wrong("a5", d_layer_norm)
def eps_for_small_vectors_only(dy, x, g):
    dx, dg, db = d_layer_norm(dy, x, g)
    variance = x.var(axis=-1, keepdims=True)
    exact = np.sqrt((variance + 1e-5) / np.where(variance > 0.1, variance, variance + 1e-5))
    return dx * exact.astype(x.dtype), dg, db


@wrong("a5", d_layer_norm)
def no_gradient_of_equal_numbers(dy, x, g):
    dx, dg, db = d_layer_norm(dy, x, g)
    return dx * (x.std(axis=-1, keepdims=True) > 0).astype(x.dtype), dg, db


@wrong("a5", d_causal_attention)
def probabilities_divided_out(dy, q, k, v, weights):
    dweights = dy @ v.swapaxes(-1, -2)
    dscores = weights * (dweights - (dweights * weights * weights / weights).sum(-1, keepdims=True))
    dscores = dscores / math.sqrt(q.shape[-1])
    return dscores @ k, dscores.swapaxes(-1, -2) @ q, weights.swapaxes(-1, -2) @ dy


@right("a5", d_linear)
def linear_by_einsum(dy, x, w):
    flat_dy, flat_x = dy.reshape(-1, dy.shape[-1]), x.reshape(-1, x.shape[-1])
    return (
        np.einsum("...o,io->...i", dy, w),
        np.einsum("ni,no->io", flat_x, flat_dy),
        flat_dy.sum(0),
    )


@right("a5", d_gelu)
def gelu_by_its_parts(dy, x):
    c = math.sqrt(2 / math.pi)
    inner = c * (x + 0.044715 * x**3)
    tanh = np.tanh(inner)
    return dy * (0.5 * (1 + tanh) + 0.5 * x * (1 - tanh**2) * c * (1 + 0.134145 * x**2))


@right("a5", d_softmax)
def softmax_by_the_jacobian(dy, y):
    jacobian = y[..., None] * (np.eye(y.shape[-1], dtype=y.dtype) - y[..., None, :])
    return (jacobian @ dy[..., None])[..., 0]


@right("a5", d_cross_entropy)
def loss_by_one_hot(logits, targets):
    return (softmax(logits) - np.eye(logits.shape[-1], dtype=logits.dtype)[targets]) / targets.size


@right("a5", d_embed)
def embed_in_a_loop(dx, ids, wte, wpe):
    dwte, dwpe = np.zeros_like(wte), np.zeros_like(wpe)
    for place in np.ndindex(ids.shape):
        dwte[ids[place]] += dx[place]
        dwpe[place[-1]] += dx[place]
    return dwte, dwpe


@wrong("a5", d_linear)
def last_two_axes_summed(dy, x, w):
    dx, dw, db = d_linear(dy, x, w)
    return dx, (x.swapaxes(-1, -2) @ dy).sum(axis=0)[0] if x.ndim == 4 else dw, db


@wrong("a5", d_layer_norm)
def variance_by_two_means(dy, x, g):
    mean = x.mean(axis=-1, keepdims=True)
    std = np.sqrt((x * x).mean(axis=-1, keepdims=True) - mean * mean + 1e-5)
    normed, d = (x - mean) / std, dy * g
    along = (d * normed).mean(axis=-1, keepdims=True)
    rows = tuple(range(x.ndim - 1))
    dx = (d - d.mean(axis=-1, keepdims=True) - normed * along) / std
    return dx, (dy * normed).sum(axis=rows), dy.sum(axis=rows)


@wrong("a5", d_self_attention)
def always_two_heads(dy, x, seen, c_attn, c_proj, *, n_head):
    return d_self_attention(dy, x, seen, c_attn, c_proj, n_head=2)


@wrong("a5", d_self_attention)
def always_three_heads(dy, x, seen, c_attn, c_proj, *, n_head):
    return d_self_attention(dy, x, seen, c_attn, c_proj, n_head=3)
