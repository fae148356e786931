"""Assignment 5, AdamW, and what is often written instead."""

import math

import numpy as np

from ...train.adamw import adamw, zero_moments
from ..assignment import normal, question
from .a5_4_step_size import random_linear

USUAL = (0.9, 0.95)  # betas


def adamw_with(
    direction, params, grads, moments, step, lr, betas=USUAL, eps=1e-8, weight_decay=0.1
):
    """adamw with another direction(m, v, 1 - beta1**step, 1 - beta2**step, eps)."""
    biases = [1.0 - beta**step for beta in betas]
    for path, x in params.items():
        m, v = (moments[name][path] for name in "mv")
        for moment, beta, new in zip((m, v), betas, (grads[path], grads[path] ** 2), strict=True):
            moment *= beta
            moment += (1.0 - beta) * new
        decay = weight_decay * x if x.ndim == 2 else 0.0
        x -= lr * (direction(m, v, *biases, eps) + decay)


def not_corrected(*args, **rates):
    """m and v begin at 0, and are too small at first: divide them by 1 - beta**step."""
    adamw_with(lambda m, v, bias1, bias2, eps: m / (np.sqrt(v) + eps), *args, **rates)


def only_m_corrected(*args, **rates):
    """v begins at 0 too: it is divided by 1 - beta2**step."""
    adamw_with(lambda m, v, bias1, bias2, eps: m / bias1 / (np.sqrt(v) + eps), *args, **rates)


def power_forgotten(*args, betas=USUAL, **rates):
    """What m and v lack is 1 - beta**step, less with every step: the power is missing."""
    b1, b2 = (1.0 - beta for beta in betas)
    move = lambda m, v, _1, _2, eps: m / b1 / (np.sqrt(v / b2) + eps)
    adamw_with(move, *args, betas=betas, **rates)


def counted_from_zero(params, grads, moments, step, **rates):
    """step is 1 for the first step already: the power is step, and not step + 1."""
    adamw(params, grads, moments, step + 1, **rates)


def eps_inside_the_root(*args, **rates):
    """Your eps stands under the root: it is added after the root is taken."""
    adamw_with(lambda m, v, bias1, bias2, eps: m / bias1 / np.sqrt(v / bias2 + eps), *args, **rates)


def eps_before_the_correction(*args, **rates):
    """eps is added to the root of the corrected v: correct v first."""
    root = lambda v, bias2, eps: (np.sqrt(v) + eps) / math.sqrt(bias2)
    adamw_with(lambda m, v, bias1, bias2, eps: m / bias1 / root(v, bias2, eps), *args, **rates)


def v_without_its_root(*args, **rates):
    """m is divided by the root of v: v is a mean of squares."""
    adamw_with(lambda m, v, bias1, bias2, eps: m / bias1 / (v / bias2 + eps), *args, **rates)


def betas_swapped(*args, betas=USUAL, **rates):
    """The first of the betas is that of the mean m, the second that of the mean square v."""
    adamw(*args, betas=betas[::-1], **rates)


def uphill(params, grads, moments, step, **rates):
    """The gradient points to where the loss grows: the step goes the other way."""
    adamw_with(
        lambda m, v, bias1, bias2, eps: -m / bias1 / (np.sqrt(v / bias2) + eps),
        *(params, grads, moments, step),
        **rates,
    )


def moments_not_kept(params, grads, moments, step, **rates):
    """m and v begin again with every step: write into the arrays of moments, as in m *= beta1."""
    moments = {name: {path: x.copy() for path, x in moments[name].items()} for name in "mv"}
    adamw(params, grads, moments, step, **rates)


def parameters_not_kept(params, *args, **rates):
    """The parameters are as before: x -= ... writes into an array, x = x - ... makes a new one, and
    one that is put into the dict is not the model's."""
    new = {path: x.copy() for path, x in params.items()}
    adamw(new, *args, **rates)
    params.update(new)


STEP_MISTAKES = (
    *(not_corrected, only_m_corrected, power_forgotten, counted_from_zero, eps_inside_the_root),
    *(eps_before_the_correction, v_without_its_root, betas_swapped, uphill, moments_not_kept),
    parameters_not_kept,
)


def several_steps(w, b, w_grads, b_grads, rates):
    params = {"w": w.copy(), "b": b.copy()}
    moments = zero_moments(params)
    for i in range(len(w_grads)):
        # Other dicts each time, as flatten makes them: what counts is what the arrays become
        grads, kept = {"w": w_grads[i], "b": b_grads[i]}, {k: dict(moments[k]) for k in moments}
        adamw(dict(params), grads, kept, i + 1, weight_decay=0.0, **rates)
    return params["w"], params["b"]


def random_rates(rng):
    """lr, betas and eps, which is so large that its place shows."""
    lr, beta1, eps = (float(rng.uniform(low, 2.0 * low)) for low in (0.05, 0.4, 0.1))
    return {"lr": lr, "betas": (beta1, float(rng.uniform(0.9, 0.99))), "eps": eps}


@question(adamw, 4, STEP_MISTAKES)
def adamw_steps(ask, rng):
    """Several steps, without decay"""
    for n_steps in (1, 4):
        w, b = random_linear(rng)
        grads = (normal(rng, (n_steps, *x.shape)) for x in (w, b))
        ask(several_steps, w, b, *grads, random_rates(rng))
    # Large gradients, and numbers that get none, now and then or ever; a usual eps; float32
    w, b = random_linear(rng)
    w_grads, b_grads = (100.0 * normal(rng, (5, *x.shape)) for x in (w, b))
    w_grads[:, 0], w_grads[::2, 1], b_grads[3:] = 0.0, 0.0, 0.0
    usual = random_rates(rng) | {"eps": 1e-8}
    ask(several_steps, w, b, w_grads, b_grads, usual)
    few = [x.astype(np.float32) for x in (w, b, w_grads[:2], b_grads[:2])]
    ask(several_steps, *few, random_rates(rng))
    # What is not said is as the signature has it, eps too, of which large gradients show nothing
    w_grads, b_grads = (1e-7 * normal(rng, (4, *x.shape)) for x in (w, b))
    ask(several_steps, w, b, w_grads, b_grads, {"lr": float(rng.uniform(0.1, 0.2))})


def vectors_decay_too(*args, **rates):
    """Biases and gains do not decay: they are arrays of one axis."""
    adamw(*args, decays=lambda path, x: True, **rates)


def adamw_with_l2(decays, params, grads, moments, step, weight_decay=0.1, **rates):
    """adamw with the decay in the gradient, of those parameters that decays(path, x) says."""
    added = {path: weight_decay * x for path, x in params.items() if decays(path, x)}
    grads = {path: g + added.get(path, 0.0) for path, g in grads.items()}
    adamw(params, grads, moments, step, weight_decay=0.0, **rates)


def decay_in_the_gradient(*args, **rates):
    """You add the decay to the gradient, where the division by sqrt(v) distorts it. AdamW shrinks
    the weight itself, apart from the gradient."""
    adamw_with_l2(lambda path, x: x.ndim == 2, *args, **rates)


def decay_in_every_gradient(*args, **rates):
    """You add the decay to the gradients, of vectors too. AdamW shrinks the weights themselves,
    apart from their gradients, and matrices alone."""
    adamw_with_l2(lambda path, x: True, *args, **rates)


def rate_forgotten(*args, lr, weight_decay=0.1, **rates):
    """A weight shrinks by the factor 1 - lr * weight_decay: the learning rate is missing."""
    adamw(*args, lr=lr, weight_decay=weight_decay / lr, **rates)


def decay_forgotten(*args, **rates):
    """The weight decay is missing."""
    adamw(*args, **rates | {"weight_decay": 0.0})


def weights_grow(*args, weight_decay=0.1, **rates):
    """Decay makes weights smaller: yours grow."""
    adamw(*args, weight_decay=-weight_decay, **rates)


def decay_after_the_step(params, *args, lr, weight_decay=0.1, **rates):
    """What decays is the weight as it was before the step: shrink it first, and then move it."""
    adamw(params, *args, lr=lr, weight_decay=0.0, **rates)
    for x in params.values():
        x *= 1.0 - lr * weight_decay * (x.ndim == 2)


DECAY_MISTAKES = (
    *(vectors_decay_too, decay_in_the_gradient, decay_in_every_gradient, rate_forgotten),
    *(decay_forgotten, weights_grow, decay_after_the_step),
)
PATHS = ("wte", "wpe", "h.0.ln_1.g", "h.1.attn.c_attn.w", "h.1.attn.c_attn.b")


def what_decay_adds(params, grads, rates):
    after = []
    for other in ({"weight_decay": 0.0}, {}):
        learning, given = ({path: x.copy() for path, x in d.items()} for d in (params, grads))
        adamw(learning, given, zero_moments(learning), 1, **rates | other)
        after.append(learning)
    return {path: after[1][path] - after[0][path] for path in params}


def matrices_and_vectors(rng):
    """What decays is decided by the axes and not by the path: each path is that of a matrix once,
    and once that of a vector. Matrices of one row or one column are matrices too."""
    shapes = [(2, 3), (3,), (1, 3), (1,), (3, 1)]
    for order in (shapes, [(3,), (2, 3), (3,), (3, 1), (1,)]):
        yield {path: normal(rng, shape) for path, shape in zip(PATHS, order, strict=True)}


def ask_for_decay(ask, rng, what_decay_adds, random_rates):
    for params in matrices_and_vectors(rng):
        grads = {path: normal(rng, x.shape) for path, x in params.items()}
        weight_decay = {"weight_decay": float(rng.uniform(2.0, 5.0))}
        ask(what_decay_adds, params, grads, random_rates(rng) | weight_decay)
    # Where nothing is learned, decay goes on; what is not said is as the signature has it
    grads = {path: np.zeros_like(x) for path, x in params.items()}
    ask(what_decay_adds, params, grads, random_rates(rng))


@question(adamw, 2, DECAY_MISTAKES)
def adamw_decay(ask, rng):
    """Matrices shrink, vectors do not"""
    ask_for_decay(ask, rng, what_decay_adds, random_rates)
