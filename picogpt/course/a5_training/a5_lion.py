"""Assignment 5 with Lion instead of AdamW: of a gradient nothing but the sign counts."""

from dataclasses import replace

import numpy as np

from ...backward import loss_and_gradients
from ...config import flatten, unflatten
from ...train.adamw import adamw, clip_gradients, is_matrix, zero_moments
from ...train.schedule import learning_rate
from ..a3_model.a3_assignment import random_ids
from ..a3_model.a3_inputs import random_params
from ..assignment import normal, question, together
from .a5_4_step_size import random_linear
from .a5_5_adamw import ask_for_decay
from .a5_assignment import A5

USUAL = (0.9, 0.99)  # betas


def lion(
    params: dict,
    grads: dict,
    momentum: dict,
    *,
    lr: float,
    betas: tuple[float, float] = (0.9, 0.99),
    weight_decay: float = 0.1,
) -> None:
    """One step of the parameters in params, in place; their momentum is updated in place too.

    params, grads, momentum: path -> array; the momentum is 0 before the first step. Every number
    of a parameter moves by lr, up or down.

    Source: Chen et al. 2023, algorithm 2.
    """
    beta1, beta2 = betas
    for path, x in params.items():
        g, m = grads[path], momentum[path]
        direction = np.sign(beta1 * m + (1.0 - beta1) * g)
        if is_matrix(path, x):
            x *= 1.0 - lr * weight_decay
        x -= lr * direction
        m *= beta2
        m += (1.0 - beta2) * g


def lion_with(direction, params, grads, momentum, lr, betas=USUAL, weight_decay=0.1):
    """lion, moving against another direction(m, g, beta1, beta2)."""
    beta1, beta2 = betas
    for path, x in params.items():
        g, m = grads[path], momentum[path]
        decay = weight_decay * x if x.ndim == 2 else 0.0
        x -= lr * (direction(m, g, beta1, beta2) + decay)
        m *= beta2
        m += (1.0 - beta2) * g


def sign_forgotten(*args, **rates):
    """You move by the mean itself: what counts of it is the sign alone."""
    lion_with(lambda m, g, beta1, beta2: beta1 * m + (1.0 - beta1) * g, *args, **rates)


def sign_of_the_gradient(*args, **rates):
    """This is the sign of the gradient: the momentum is missing in the direction."""
    lion_with(lambda m, g, beta1, beta2: np.sign(g), *args, **rates)


def sign_of_the_old_momentum(*args, **rates):
    """This is the sign of the momentum: the new gradient is missing in the direction."""
    lion_with(lambda m, g, beta1, beta2: np.sign(m), *args, **rates)


def sign_of_the_new_momentum(*args, **rates):
    """The direction is a mean of its own, with beta1, and not the updated momentum."""
    lion_with(lambda m, g, beta1, beta2: np.sign(beta2 * m + (1.0 - beta2) * g), *args, **rates)


def betas_swapped(*args, betas=USUAL, **rates):
    """The first of the betas is that of the direction, the second that of the momentum."""
    lion(*args, betas=betas[::-1], **rates)


def momentum_first(params, grads, momentum, *, betas=USUAL, **rates):
    """The direction is made of the momentum before it is updated: update it last."""
    for path, m in momentum.items():
        m *= betas[1]
        m += (1.0 - betas[1]) * grads[path]
    before = {path: m.copy() for path, m in momentum.items()}
    lion(params, grads, before, betas=betas, **rates)


def one_beta(*args, betas=USUAL, **rates):
    """The momentum is a mean of its own, with beta2, and not what the direction is the sign of."""
    lion(*args, betas=(betas[0], betas[0]), **rates)


def uphill(*args, **rates):
    """The gradient points to where the loss grows: the step goes the other way."""
    lion_with(lambda m, g, beta1, beta2: -np.sign(beta1 * m + (1.0 - beta1) * g), *args, **rates)


def momentum_not_kept(params, grads, momentum, **rates):
    """The momentum begins again with every step: write into its arrays, as in m *= beta2."""
    lion(params, grads, {path: m.copy() for path, m in momentum.items()}, **rates)


def parameters_not_kept(params, *args, **rates):
    """The parameters are as before: x -= ... writes into an array, x = x - ... makes a new one, and
    one that is put into the dict is not the model's."""
    new = {path: x.copy() for path, x in params.items()}
    lion(new, *args, **rates)
    params.update(new)


STEP_MISTAKES = (
    *(sign_forgotten, sign_of_the_gradient, sign_of_the_old_momentum, sign_of_the_new_momentum),
    *(betas_swapped, momentum_first, one_beta, uphill, momentum_not_kept, parameters_not_kept),
)


def several_steps(w, b, w_grads, b_grads, rates):
    params = {"w": w.copy(), "b": b.copy()}
    momentum = {"w": np.zeros_like(w), "b": np.zeros_like(b)}
    for i in range(len(w_grads)):
        # Other dicts each time, as flatten makes them: what counts is what the arrays become
        grads = {"w": w_grads[i], "b": b_grads[i]}
        lion(dict(params), grads, dict(momentum), weight_decay=0.0, **rates)
    return params["w"], params["b"], momentum["w"], momentum["b"]


def random_rates(rng):
    """lr and betas, with which a wrong direction soon shows in a sign."""
    lr, beta1, beta2 = (float(rng.uniform(low, low + 0.05)) for low in (0.1, 0.7, 0.85))
    return {"lr": lr, "betas": (beta1, beta2)}


@question(lion, 4, STEP_MISTAKES)
def lion_steps(ask, rng):
    """Several steps, without decay"""
    for n_steps in (1, 3, 20):
        w, b = random_linear(rng)
        grads = (normal(rng, (n_steps, *x.shape)) for x in (w, b))
        ask(several_steps, w, b, *grads, random_rates(rng))
    # Large gradients, and numbers that get none, now and then or ever: the sign of 0 is 0
    w, b = random_linear(rng)
    w_grads, b_grads = (100.0 * normal(rng, (4, *x.shape)) for x in (w, b))
    w_grads[:, 0], w_grads[::2, 1], b_grads[3:] = 0.0, 0.0, 0.0
    ask(several_steps, w, b, w_grads, b_grads, random_rates(rng))
    # A sign has no size, however small the gradients; what is not said is as the signature has it
    w_grads, b_grads = (1e-12 * normal(rng, (20, *x.shape)) for x in (w, b))
    ask(several_steps, w, b, w_grads, b_grads, {"lr": float(rng.uniform(0.1, 0.2))})


def vectors_decay_too(params, *args, lr, weight_decay=0.1, **rates):
    """Biases and gains do not decay: they are arrays of one axis."""
    for x in params.values():
        x *= 1.0 - lr * weight_decay
    lion(params, *args, lr=lr, weight_decay=0.0, **rates)


def decay_in_the_gradient(params, grads, momentum, *, weight_decay=0.1, **rates):
    """You add the decay to the gradient, of which no more than the sign is left. Lion shrinks the
    weight itself, apart from the gradient."""
    added = {path: weight_decay * x * (x.ndim == 2) for path, x in params.items()}
    grads = {path: g + added[path] for path, g in grads.items()}
    lion(params, grads, momentum, weight_decay=0.0, **rates)


def rate_forgotten(*args, lr, weight_decay=0.1, **rates):
    """A weight shrinks by the factor 1 - lr * weight_decay: the learning rate is missing."""
    lion(*args, lr=lr, weight_decay=weight_decay / lr, **rates)


def decay_forgotten(*args, **rates):
    """The weight decay is missing."""
    lion(*args, **rates | {"weight_decay": 0.0})


def decay_after_the_step(params, *args, lr, weight_decay=0.1, **rates):
    """What decays is the weight as it was before the step: shrink it first, and then move it."""
    lion(params, *args, lr=lr, weight_decay=0.0, **rates)
    for x in params.values():
        x *= 1.0 - lr * weight_decay * (x.ndim == 2)


DECAY_MISTAKES = (
    *(vectors_decay_too, decay_in_the_gradient, rate_forgotten, decay_forgotten),
    decay_after_the_step,
)


def what_decay_adds(params, grads, rates):
    after = []
    for other in ({"weight_decay": 0.0}, {}):
        learning, given = ({path: x.copy() for path, x in d.items()} for d in (params, grads))
        momentum = {path: np.zeros_like(x) for path, x in params.items()}
        lion(learning, given, momentum, **rates | other)
        after.append((learning, momentum))
    return [{path: y[path] - x[path] for path in x} for x, y in zip(*after, strict=True)]


@question(lion, 2, DECAY_MISTAKES)
def lion_decay(ask, rng):
    """Matrices shrink, vectors do not"""
    ask_for_decay(ask, rng, what_decay_adds, random_rates)


def training(ids, targets, params, n_head, n_steps):
    params = unflatten({path: x.copy() for path, x in flatten(params).items()})
    learning = flatten(params)
    momentum = {path: np.zeros_like(x) for path, x in learning.items()}
    losses = []
    for step in range(n_steps):
        loss, grads = loss_and_gradients(ids, targets, params, n_head)
        grads = flatten(grads)
        clip_gradients(grads, 1.0)
        rate = learning_rate(step, steps=n_steps, warmup=1, peak=0.01, least=0.001)
        lion(learning, grads, momentum, lr=rate)
        losses.append(loss)
    return losses, params["wte"]


@together(4)
def whole_training(ask, rng):
    """GPT-2 learns with Lion, and with your own functions"""
    params, n_head = random_params(rng, n_layer=2)
    ids, targets = random_ids(rng, params, (2, 3, 5))
    ask(training, ids, targets, params, n_head, 3)


A5_LION = replace(
    A5.variant(
        "lion",
        "the backward pass and Lion",
        {adamw: lion},
        (lion_steps, lion_decay, whole_training),
    ),
    given=tuple(function for function in A5.given if function is not zero_moments),
)
