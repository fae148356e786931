"""Assignment 5, the steps: see __init__.py."""

import math

import numpy as np

from picogpt.course.a5_training.a5_lion import lion
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
def no_eps(params, grads, moments, step, *, lr, betas=(0.9, 0.95), eps=1e-8, weight_decay=0.1):
    with np.errstate(all="ignore"):
        move = lambda g, m, v, eps: m / (np.sqrt(v) + (eps if eps > 1e-3 else 0.0))
        adam(params, grads, moments, step, lr, betas, eps, weight_decay, move)


@wrong("a5", adamw)
def no_move_without_a_gradient(
    params, grads, moments, step, *, lr, betas=(0.9, 0.95), eps=1e-8, weight_decay=0.1
):
    move = lambda g, m, v, eps: m / (np.sqrt(v) + eps) * (g != 0)
    adam(params, grads, moments, step, lr, betas, eps, weight_decay, move)


@wrong("a5", adamw)
def columns_are_no_matrices(params, grads, moments, step, *, weight_decay=0.1, **rates):
    decays = lambda path, x: x.ndim == 2 and x.shape[1] > 1
    adamw(params, grads, moments, step, weight_decay=weight_decay, decays=decays, **rates)


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


def adamw_with_decay_of(decays):
    def step(params, grads, moments, step, **rates):
        adamw(params, grads, moments, step, decays=decays, **rates)

    return step


DECAYS = {
    "of_w_alone": lambda path, x: path.endswith("w"),
    "of_no_embeddings": lambda path, x: x.ndim == 2 and path not in ("wte", "wpe"),
    "of_no_norms": lambda path, x: x.ndim == 2 and "ln" not in path,
    "of_gpt_2": lambda path, x: path in ("wte", "wpe") or path.endswith(".w"),
    "of_no_biases": lambda path, x: x.ndim == 2 and not path.endswith(".b"),
    "of_the_large": lambda path, x: x.size > 3,
}
for name, decays in DECAYS.items():
    planted = adamw_with_decay_of(decays)
    planted.__name__ = f"decay_{name}"
    wrong("a5", adamw)(planted)


@wrong("a5", adamw)
def m_bound_to_the_dict(params, grads, moments, step, **rates):
    moments["m"] |= {path: m.copy() for path, m in moments["m"].items()}
    adamw(params, grads, moments, step, **rates)


@wrong("a5", adamw)
def moments_in_another_dict(params, grads, moments, step, **rates):
    moments["v"] = {path: v.copy() for path, v in moments["v"].items()}
    adamw(params, grads, moments, step, **rates)


@wrong("a5", adamw)
def betas_of_the_paper(params, grads, moments, step, betas=(0.9, 0.999), **rates):
    adamw(params, grads, moments, step, betas=betas, **rates)


@wrong("a5", adamw)
def another_usual_eps(params, grads, moments, step, eps=1e-6, **rates):
    adamw(params, grads, moments, step, eps=eps, **rates)


@wrong("a5", adamw)
def weight_decay_of_pytorch(params, grads, moments, step, weight_decay=0.01, **rates):
    adamw(params, grads, moments, step, weight_decay=weight_decay, **rates)


@wrong("a5-lion", lion)
def momentum_bound_to_the_dict(params, grads, momentum, **rates):
    momentum |= {path: m.copy() for path, m in momentum.items()}
    lion(params, grads, momentum, **rates)


@wrong("a5-lion", lion)
def one_usual_beta(params, grads, momentum, betas=(0.95, 0.99), **rates):
    lion(params, grads, momentum, betas=betas, **rates)


@wrong("a5-lion", lion)
def no_decay_of_embeddings(params, grads, momentum, *, lr, weight_decay=0.1, **rates):
    for path, x in params.items():
        if x.ndim == 2 and not path.startswith("wte"):
            x *= 1 - lr * weight_decay
    lion(params, grads, momentum, lr=lr, weight_decay=0.0, **rates)


@wrong("a5", learning_rate)
def nothing_at_the_end(step, *, steps, **rates):
    return learning_rate(step, steps=steps, **rates) if step < steps else 0.0


@wrong("a5", clip_gradients)
def a_hundredth_over_is_not_much(grads, max_norm):
    return clip_gradients(grads, max_norm) if length(grads) > 1.01 * max_norm else length(grads)


@wrong("a5", clip_gradients)
def a_trillionth_added(grads, max_norm):
    norm = length(grads)
    for g in grads.values():
        g *= min(1.0, max_norm / (norm + 1e-12))
    return norm


@wrong("a5", adamw)
def large_gradients_clipped(params, grads, moments, step, **rates):
    grads = {path: np.clip(g, -5.0, 5.0) for path, g in grads.items()}
    adamw(params, grads, moments, step, **rates)


@wrong("a5", adamw)
def a_tenth_decays_at_most(params, grads, moments, step, *, lr, weight_decay=0.1, **rates):
    weight_decay = min(weight_decay, 0.1 / lr)
    adamw(params, grads, moments, step, lr=lr, weight_decay=weight_decay, **rates)


@wrong("a5-lion", lion)
def a_sign_with_a_size(params, grads, momentum, *, lr, betas=(0.9, 0.99), weight_decay=0.1):
    for path, x in params.items():
        g, m = grads[path], momentum[path]
        direction = np.tanh(1e6 * (betas[0] * m + (1 - betas[0]) * g))
        x -= lr * (direction + weight_decay * x * (x.ndim == 2))
        m *= betas[1]
        m += (1 - betas[1]) * g
