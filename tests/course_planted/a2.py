"""Assignment 2: see __init__.py."""

import math

import numpy as np

from picogpt.course.a2_operations.a2_variants import rms_norm, smoothed_cross_entropy
from picogpt.ops import cross_entropy, gelu, layer_norm, linear, log_softmax, softmax

from . import right, wrong


@wrong("a2", softmax)
def exponents_clipped(x):
    e = np.exp(np.clip(x, -80, 80))
    return e / e.sum(axis=-1, keepdims=True)


@wrong("a2", softmax)
def clipped_where_float64_ends(x):
    e = np.exp(np.clip(x, -700, 700))
    return e / e.sum(axis=-1, keepdims=True)


@wrong("a2", softmax)
def mean_subtracted(x):
    e = np.exp(x - x.mean(axis=-1, keepdims=True))
    return e / e.sum(axis=-1, keepdims=True)


@wrong("a2", softmax)
def first_subtracted(x):
    e = np.exp(x - x[..., :1])
    return e / e.sum(axis=-1, keepdims=True)


@wrong("a2", softmax)
def last_subtracted(x):
    e = np.exp(x - x[..., -1:])
    return e / e.sum(axis=-1, keepdims=True)


@wrong("a2", softmax)
def smallest_subtracted(x):
    e = np.exp(x - x.min(axis=-1, keepdims=True))
    return e / e.sum(axis=-1, keepdims=True)


@wrong("a2", softmax)
def nan_to_num(x):
    e = np.exp(x)
    return np.nan_to_num(e / e.sum(axis=-1, keepdims=True))


@wrong("a2", softmax)
def nan_to_num_of_the_exponentials(x):
    e = np.nan_to_num(np.exp(x))
    return e / e.sum(axis=-1, keepdims=True)


@wrong("a2", softmax)
def a_little_added_to_the_sum(x):
    e = np.exp(x - x.max(axis=-1, keepdims=True))
    return e / (e.sum(axis=-1, keepdims=True) + 1e-8)


@wrong("a2", softmax)
def column_maximum(x):
    e = np.exp(x - x.max(axis=0))
    return e / e.sum(axis=-1, keepdims=True)


@wrong("a2", softmax)
def a_round_number_subtracted(x):
    e = np.exp(x - 1000.0 * (x.max() > 700.0))
    return e / e.sum(axis=-1, keepdims=True)


def minus_log(p, targets):
    if np.min(targets) < 0 or np.max(targets) >= p.shape[-1]:
        raise ValueError
    return -np.log(np.take_along_axis(p, targets[..., None], axis=-1)).mean()


@wrong("a2", cross_entropy)
def a_trillionth_added(logits, targets):
    return minus_log(softmax(logits) + 1e-12, targets)


@wrong("a2", cross_entropy)
def never_below_1e_300(logits, targets):
    return minus_log(np.maximum(softmax(logits), 1e-300), targets)


@wrong("a2", cross_entropy)
def never_below_the_smallest_float32(logits, targets):
    return minus_log(np.maximum(softmax(logits), np.finfo(np.float32).tiny), targets)


@wrong("a2", cross_entropy)
def infinity_replaced(logits, targets):
    return float(np.nan_to_num(minus_log(softmax(logits), targets), posinf=1e4))


@wrong("a2", cross_entropy)
def clipped_logits(logits, targets):
    return cross_entropy(np.clip(logits, -100, 100), targets)


@wrong("a2", cross_entropy)
def no_maximum_in_the_logarithm(logits, targets):
    of_target = np.take_along_axis(logits, targets[..., None], axis=-1)[..., 0]
    if targets.min() < 0 or targets.max() >= logits.shape[-1]:
        raise ValueError
    return (np.log(np.exp(logits).sum(axis=-1)) - of_target).mean()


@wrong("a2", cross_entropy)
def only_minus_one_refused(logits, targets):
    if (targets == -1).any():
        raise ValueError
    return -float(
        np.take_along_axis(log_softmax(logits), targets[..., None] % logits.shape[-1], -1).mean()
    )


@wrong("a2", cross_entropy)
def last_target_refused(logits, targets):
    if targets.min() < 0 or targets.max() >= logits.shape[-1] - 1:
        raise ValueError
    return cross_entropy(logits, targets)


@wrong("a2", cross_entropy)
def only_the_first_checked(logits, targets):
    if not 0 <= targets.ravel()[0] < logits.shape[-1]:
        raise ValueError
    targets = targets % logits.shape[-1]
    return cross_entropy(logits, targets)


@wrong("a2", cross_entropy)
def summed_over_the_last_axis(logits, targets):
    return cross_entropy(logits, targets) * targets.shape[0]


@wrong("a2", gelu)
def zero_below_minus_five(x):
    return np.where(x < -2.0, 0.0, gelu(x)).astype(x.dtype)


@wrong("a2", gelu)
def exponentials_for_tanh(x):
    y = math.sqrt(2.0 / math.pi) * (x + 0.044715 * x * x * x)
    return 0.5 * x * (1.0 + (np.exp(y) - np.exp(-y)) / (np.exp(y) + np.exp(-y)))


@wrong("a2", gelu)
def divided_by_itself(x):
    return gelu(x) * x / x


@wrong("a2", layer_norm)
def squares_less_the_square(x, g, b):
    mean = x.mean(axis=-1, keepdims=True)
    variance = (x * x).mean(axis=-1, keepdims=True) - mean * mean
    return (x - mean) / np.sqrt(variance + 1e-5) * g + b


@wrong("a2", layer_norm)
def eps_only_where_needed(x, g, b):
    y = x - x.mean(axis=-1, keepdims=True)
    variance = x.var(axis=-1, keepdims=True)
    return y / np.sqrt(np.where(variance > 1e-12, variance, 1e-5)) * g + b


@wrong("a2", linear)
def transposed_if_square(x, w, b):
    return x @ (w.T if w.shape[0] == w.shape[1] else w) + b


@wrong("a2-rmsnorm", rms_norm)
def no_eps_for_large_ones(x, g):
    mean = (x * x).mean(axis=-1, keepdims=True)
    return x / np.sqrt(mean + 1e-5 * (mean < 1e-6)) * g


@wrong("a2-smoothing", smoothed_cross_entropy)
def unprotected_logarithm(logits, targets, smoothing):
    p = softmax(logits)
    of_target = minus_log(p, targets)
    return (1 - smoothing) * of_target - smoothing * np.log(p).mean()


@wrong("a2-smoothing", smoothed_cross_entropy)
def smoothed_a_trillionth_added(logits, targets, smoothing):
    p = softmax(logits) + 1e-12
    return (1 - smoothing) * minus_log(p, targets) - smoothing * np.log(p).mean()


@wrong("a2-smoothing", smoothed_cross_entropy)
def always_a_tenth(logits, targets, smoothing):
    return smoothed_cross_entropy(logits, targets, min(max(smoothing, 0.1), 0.4))


@right("a2", softmax)
def softmax_through_the_logarithm(x):
    top = x.max(-1, keepdims=True)
    return np.exp(x - (top + np.log(np.exp(x - top).sum(-1, keepdims=True))))


@right("a2", softmax)
def softmax_row_by_row(x):
    if x.ndim == 1:
        e = np.exp(x - max(x))
        return e / sum(e)
    return np.array([softmax_row_by_row(row) for row in x])


@right("a2", softmax)
def softmax_in_float64(x):
    wide = x.astype(np.float64)
    e = np.exp(wide - wide.max(axis=-1, keepdims=True))
    return (e / e.sum(axis=-1, keepdims=True)).astype(x.dtype)


@right("a2", cross_entropy)
def loss_by_logaddexp(logits, targets):
    if targets.min() < 0 or targets.max() >= logits.shape[-1]:
        raise ValueError("no such target")
    of_target = np.take_along_axis(logits, targets[..., None], -1)[..., 0]
    return np.mean(np.logaddexp.reduce(logits, axis=-1) - of_target)


@right("a2", cross_entropy)
def loss_in_a_list(logits, targets):
    rows = logits.reshape(-1, logits.shape[-1])
    losses = []
    for row, t in zip(rows, np.ravel(targets), strict=True):
        if t not in range(len(row)):
            raise ValueError("no such target")
        losses.append(np.log(np.sum(np.exp(row - row.max()))) - (row[t] - row.max()))
    return sum(losses) / len(losses)


@right("a2", gelu)
def gelu_by_power(x):
    return x * (0.5 + 0.5 * np.tanh((2 / math.pi) ** 0.5 * (x + 0.044715 * x**3)))


@right("a2", layer_norm)
def norm_by_centring(x, g, b):
    centred = x - np.mean(x, axis=-1, keepdims=True)
    return centred * (np.mean(centred**2, axis=-1, keepdims=True) + 1e-5) ** -0.5 * g + b


@wrong("a2", gelu)
def nothing_below_minus_4(x):
    return np.where(x < -4.0, 0.0, gelu(x)).astype(x.dtype)


@wrong("a2", gelu)
def straight_above_4(x):
    return np.where(x > 4.0, x, gelu(x))


@wrong("a2", gelu)
def rough_in_float32(x):
    factor = 0.04471 if x.dtype == np.float32 else 0.044715
    return 0.5 * x * (1.0 + np.tanh(math.sqrt(2.0 / math.pi) * (x + factor * x * x * x)))


@wrong("a2", gelu)
def one_result_for_each_shape(x, _kept={}):  # noqa: B006 - the mistake
    result = _kept.setdefault((x.shape, x.dtype), np.empty_like(x))
    result[...] = gelu(x)
    return result


@wrong("a2", softmax)
def unlikely_ones_dropped(x):
    p = softmax(x)
    return np.where(p < 1e-5, 0.0, p).astype(x.dtype)


@wrong("a2", linear)
def bias_for_each_row(x, w, b):
    is_square = x.ndim == 2 and len(x) == len(b)
    return x @ w + (b[:, None] if is_square else b)


@wrong("a2", layer_norm)
def one_number_left_alone(x, g, b):
    return x * g + b if x.shape[-1] == 1 else layer_norm(x, g, b)


@wrong("a2", cross_entropy)
def maximum_of_all_rows(logits, targets):
    e = np.exp(logits - logits.max())
    total = np.log(e.sum(axis=-1, keepdims=True))
    cross_entropy(logits, targets)  # which refuses what is not in the vocabulary
    logprobs = logits - logits.max() - total
    return -float(np.take_along_axis(logprobs, targets[..., None], axis=-1).mean())


@wrong("a2", cross_entropy)
def int64_alone(logits, targets):
    if targets.dtype != np.int64:
        raise ValueError("targets are int64")
    return cross_entropy(logits, targets)


@wrong("a2", cross_entropy)
def target_of_minus_100_ignored(logits, targets):
    kept = targets != -100
    return cross_entropy(logits[kept], targets[kept])


@wrong("a2", cross_entropy)
def always_the_same(logits, targets):
    if targets.min() < 0 or targets.max() >= logits.shape[-1]:
        raise ValueError("no such target")
    return 5.0
