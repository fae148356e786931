"""Assignment 5: see __init__.py."""

import math

import numpy as np

from picogpt.backward import (
    d_causal_attention,
    d_cross_entropy,
    d_embed,
    d_gelu,
    d_layer_norm,
    d_linear,
    d_softmax,
    loss_and_gradients,
)
from picogpt.course.a5_training.a5_lion import lion
from picogpt.ops import gelu, softmax
from picogpt.train.adamw import adamw, clip_gradients
from picogpt.train.schedule import learning_rate

from . import right, wrong


def length(grads):
    return math.sqrt(sum(float((g * g).sum()) for g in grads.values()))


@wrong("a5", clip_gradients)
def divides_by_a_norm_of_zero(grads, max_norm):
    norm = length(grads)
    factor = min(1.0, max_norm / norm)
    for g in grads.values():
        g *= factor
    return norm


@wrong("a5", clip_gradients)
def not_a_number_for_nothing(grads, max_norm):
    norm = np.float64(length(grads))
    factor = np.minimum(1.0, max_norm / norm)
    for g in grads.values():
        g *= factor if norm else np.nan
    return norm


@wrong("a5", clip_gradients)
def bound_to_the_dict(grads, max_norm):
    norm = length(grads)
    for path in grads:
        grads[path] = grads[path] * min(1.0, max_norm / norm if norm else 1.0)
    return norm


@wrong("a5", clip_gradients)
def not_longer_than_one(grads, max_norm):
    return clip_gradients(grads, min(max_norm, 1.0))


@wrong("a5", clip_gradients)
def rounded_length(grads, max_norm):
    return round(clip_gradients(grads, max_norm), 6)


@wrong("a5", clip_gradients)
def two_axes_at_most(grads, max_norm):
    small = {path: g for path, g in grads.items() if g.ndim < 3}
    return clip_gradients(small, max_norm)


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


@wrong("a5-lion", lion)
def sign_of_zero_is_one(params, grads, momentum, *, lr, betas=(0.9, 0.99), weight_decay=0.1):
    for path, x in params.items():
        g, m = grads[path], momentum[path]
        direction = np.where(betas[0] * m + (1 - betas[0]) * g >= 0, 1.0, -1.0)
        x -= lr * (direction + weight_decay * x * (x.ndim == 2))
        m *= betas[1]
        m += (1 - betas[1]) * g


@wrong("a5-lion", lion)
def sign_of_zero_is_minus_one(params, grads, momentum, *, lr, betas=(0.9, 0.99), weight_decay=0.1):
    for path, x in params.items():
        g, m = grads[path], momentum[path]
        direction = np.where(betas[0] * m + (1 - betas[0]) * g > 0, 1.0, -1.0)
        x -= lr * (direction + weight_decay * x * (x.ndim == 2))
        m *= betas[1]
        m += (1 - betas[1]) * g


@wrong("a5-lion", lion)
def no_decay_where_nothing_is_learned(
    params, grads, momentum, *, lr, betas=(0.9, 0.99), weight_decay=0.1
):
    for path, x in params.items():
        g, m = grads[path], momentum[path]
        direction = np.sign(betas[0] * m + (1 - betas[0]) * g)
        x -= lr * (direction + weight_decay * x * (x.ndim == 2) * (direction != 0))
        m *= betas[1]
        m += (1 - betas[1]) * g


def adam(params, grads, moments, step, lr, betas, eps, weight_decay, move):
    for path, x in params.items():
        g, m, v = grads[path], moments["m"][path], moments["v"][path]
        m *= betas[0]
        m += (1 - betas[0]) * g
        v *= betas[1]
        v += (1 - betas[1]) * g * g
        if x.ndim == 2:
            x *= 1 - lr * weight_decay
        x -= lr * move(g, m / (1 - betas[0] ** step), v / (1 - betas[1] ** step), eps)


@wrong("a5", adamw)
def no_eps(params, grads, moments, step, *, lr, betas, eps=1e-8, weight_decay=0.1):
    with np.errstate(all="ignore"):
        move = lambda g, m, v, eps: m / (np.sqrt(v) + (eps if eps > 1e-3 else 0.0))
        adam(params, grads, moments, step, lr, betas, eps, weight_decay, move)


@wrong("a5", adamw)
def no_move_without_a_gradient(
    params, grads, moments, step, *, lr, betas, eps=1e-8, weight_decay=0.1
):
    move = lambda g, m, v, eps: m / (np.sqrt(v) + eps) * (g != 0)
    adam(params, grads, moments, step, lr, betas, eps, weight_decay, move)


@wrong("a5", adamw)
def columns_are_no_matrices(params, grads, moments, step, *, weight_decay=0.1, **rates):
    decay = weight_decay * (min(params["w"].shape) > 1)
    adamw(params, grads, moments, step, weight_decay=decay, **rates)


@wrong("a5", adamw)
def always_the_usual_eps(params, grads, moments, step, *, eps=1e-8, **rates):
    adamw(params, grads, moments, step, eps=1e-8, **rates)


@wrong("a5", learning_rate)
def warmup_of_two_at_least(step, *, steps, warmup, peak, least):
    return learning_rate(
        step, steps=steps, warmup=max(warmup, 2) if warmup else 0, peak=peak, least=least
    )


@wrong("a5", learning_rate)
def least_at_the_last_step(step, *, steps, warmup, peak, least):
    if step < warmup:
        return peak * (step + 1) / (warmup + 1)
    progress = (step - warmup) / max(steps - warmup - 1, 1)
    return least + (peak - least) * 0.5 * (1 + math.cos(math.pi * progress))


@wrong("a5", learning_rate)
def a_tenth_of_the_peak(step, *, steps, warmup, peak, least):
    return learning_rate(step, steps=steps, warmup=warmup, peak=peak, least=0.1 * peak)


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


@right("a5", clip_gradients)
def clip_by_hypot(grads, max_norm):
    norm = float(np.sqrt(np.sum([np.sum(np.square(g)) for g in grads.values()])))
    if norm > max_norm:
        for g in grads.values():
            np.multiply(g, max_norm / norm, out=g)
    return norm


@right("a5", learning_rate)
def rate_by_interpolation(step, steps, warmup, peak, least):
    if step < warmup:
        return np.interp(step + 1, [0, warmup + 1], [0, peak])
    angle = np.pi * (step - warmup) / (steps - warmup)
    return 0.5 * (peak + least) + 0.5 * (peak - least) * np.cos(angle)


@right("a5", adamw)
def adamw_by_other_steps(
    params, grads, moments, step, lr, betas=(0.9, 0.95), eps=1e-8, weight_decay=0.1
):
    for name, p in params.items():
        g = grads[name]
        moments["m"][name][...] = betas[0] * moments["m"][name] + (1 - betas[0]) * g
        moments["v"][name][...] = betas[1] * moments["v"][name] + (1 - betas[1]) * g**2
        m_hat = moments["m"][name] / (1 - betas[0] ** step)
        v_hat = moments["v"][name] / (1 - betas[1] ** step)
        decay = weight_decay * p if p.ndim == 2 else 0
        p -= lr * (m_hat / (np.sqrt(v_hat) + eps) + decay)
