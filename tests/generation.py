"""What the tests of writing share: a small model, its specification, and a count of its work."""

from collections.abc import Callable, Sequence
from functools import partial

import numpy as np
from support import random_params

from picogpt.config import Config, flatten, unflatten
from picogpt.decoding import loop
from picogpt.decoding.loop import GrowingText
from picogpt.decoding.sampling import Sampling, choose_token
from picogpt.model import gpt2

NO_END = -1  # no token has this id, so no text ends by itself


def float64_params(config: Config, seed: int) -> dict:
    """random_params in float64: two tokens so nearly alike that rounding decides never occur."""
    flat = flatten(random_params(config, seed))
    return unflatten({path: x.astype(np.float64) for path, x in flat.items()})


def with_bias(params: dict, token: int, bias: float) -> dict:
    """The same model, but the logit of a token is larger by bias everywhere (others change, too).

    The bias of the last layer norm is what reaches all logits alike.
    """
    row = params["wte"][token]
    g, b = params["ln_f"]["g"], params["ln_f"]["b"]
    return params | {"ln_f": {"g": g, "b": b + row * (bias / float(row @ row))}}


def choice(sampling: Sampling, seed: int | list[int] = 0) -> Callable:
    """A GrowingText's choose, with a generator of its own."""
    return partial(choose_token, sampling=sampling, rng=np.random.default_rng(seed))


GREEDY = choice(Sampling())


def growing_text(ids: Sequence[int], n_new: int, choose: Callable = GREEDY) -> GrowingText:
    """A text for token_steps, to be continued by n_new tokens."""
    return GrowingText([*ids], choose=choose, end=len(ids) + n_new)


def plain_steps(
    ids: Sequence[int],
    n_new: int,
    params: dict,
    config: Config,
    choose: Callable = GREEDY,
    endoftext: int = NO_END,
) -> list[tuple[int, np.ndarray]]:
    """The specification of token_steps: each token, and its logits by a whole forward pass.

    Past the context it passes over the window: when the text outgrows it, all but the last
    n_ctx / 2 tokens (rounded up) are dropped.
    """
    ids, start, steps = [*ids], 0, []
    while len(steps) < n_new:
        if len(ids) - start > config.n_ctx:
            start = len(ids) - (config.n_ctx + 1) // 2
        logits = gpt2(ids[start:], **params, n_head=config.n_head)[-1]
        token = choose(logits, ids)
        if token == endoftext:
            break
        ids.append(token)
        steps.append((token, logits))
    return steps


def record_passes(monkeypatch) -> list[tuple[int, ...]]:
    """The shapes of the ids of all forward passes from now on."""
    passes = []

    def counted(ids, **kwargs):
        passes.append(np.shape(ids))
        return gpt2(ids, **kwargs)

    monkeypatch.setattr(loop, "gpt2", counted)
    return passes
