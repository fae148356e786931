"""Assignment 5 with RMSNorm: another norm, and the gradient of the model around it."""

from dataclasses import replace

import numpy as np

from ...backward import (
    d_cross_entropy,
    d_embed,
    d_layer_norm,
    d_multilayer_perceptron,
    d_self_attention,
    d_transformer_block,
    loss_and_gradients,
    rows,
)
from ...config import flatten, unflatten
from ...model import gpt2
from ...ops import cross_entropy, layer_norm, project
from ...tap import record
from ...train.adamw import adamw, clip_gradients, zero_moments
from ...train.schedule import learning_rate
from ..a2_operations.a2_variants import rms_norm
from ..a3_model.a3_assignment import random_ids
from ..a3_model.a3_inputs import random_input, random_params
from ..assignment import FLOATS, normal, question, together
from .a5_3_attention import recorded
from .a5_assignment import (
    A5,
    back_through_attention,
    back_through_mlp,
    batches_of_edges,
    random_batch,
    wrong_batches,
)
from .a5_rmsnorm_forward import rms_block, rms_gpt2
from .a5_rmsnorm_gradient import d_rms_norm, norm_gradients


def d_rms_block(
    dy: np.ndarray,
    x: np.ndarray,
    seen: dict,
    ln_1: dict,
    attn: dict,
    ln_2: dict,
    mlp: dict,
    *,
    n_head: int,
) -> tuple[np.ndarray, dict]:
    """dy, x: [..., n_seq, n_embd] -> dx of the same shape, and the gradients of the parameters.

    seen: the activations of the block. At each sum the gradient goes both ways: unchanged along
    the residual stream, and through the branch, where it is added when the branch began.
    """
    # y = mid + multilayer_perceptron(rms_norm(mid, **ln_2), **mlp)
    dnormed, dmlp = d_multilayer_perceptron(dy, seen["ln_2"], seen["mlp"], **mlp)
    dmid, dg_2 = d_rms_norm(dnormed, seen["resid_mid"], ln_2["g"])
    dmid += dy
    # mid = x + self_attention(rms_norm(x, **ln_1), **attn)
    dnormed, dattn = d_self_attention(dmid, seen["ln_1"], seen["attn"], **attn, n_head=n_head)
    dx, dg_1 = d_rms_norm(dnormed, x, ln_1["g"])
    dx += dmid
    return dx, {"ln_1": {"g": dg_1}, "attn": dattn, "ln_2": {"g": dg_2}, "mlp": dmlp}


def rms_loss_and_gradients(ids, targets, params: dict, n_head: int) -> tuple[float, dict]:
    """The mean cross-entropy of the targets, and its gradient for every parameter.

    ids, targets: [..., n_seq], where each target is the id that follows; the gradients are a new
    tree like params. Raises ValueError for an id or target outside the vocabulary, and for more
    positions than n_ctx.
    """
    activations = {}
    logits = rms_gpt2(ids, **params, n_head=n_head, tap=record(activations))
    loss = cross_entropy(logits, targets)
    seen = unflatten(activations)
    streams = [seen["embed"], *(block["resid"] for block in seen["h"])]
    # logits = rms_norm(x, **ln_f) @ wte.T
    dlogits = d_cross_entropy(logits, targets)
    dhead = rows(dlogits).T @ rows(seen["ln_f"])
    dx, dg_f = d_rms_norm(project(dlogits, params["wte"]), streams[-1], params["ln_f"]["g"])
    dh = []
    for i in reversed(range(len(params["h"]))):
        dx, dblock = d_rms_block(dx, streams[i], seen["h"][i], **params["h"][i], n_head=n_head)
        dh.insert(0, dblock)
    dwte, dwpe = d_embed(dx, ids, params["wte"], params["wpe"])
    return loss, {"wte": dwte + dhead, "wpe": dwpe, "h": dh, "ln_f": {"g": dg_f}}


def first_stream_forgotten(dy, x, seen, ln_1, attn, ln_2, mlp, *, n_head):
    """At the sum after the perceptron the gradient goes both ways: dy itself is to be added to what
    comes back through the branch."""
    dmid, second = back_through_mlp(dy, seen["resid_mid"], seen, ln_2, mlp, d_rms_norm)
    dx, first = back_through_attention(dmid, x, seen, ln_1, attn, n_head, d_rms_norm)
    return dx + dmid, first | second


def second_stream_forgotten(dy, x, seen, ln_1, attn, ln_2, mlp, *, n_head):
    """At the sum after attention the gradient goes both ways: that of resid_mid is to be added to
    what comes back through the branch."""
    dmid, second = back_through_mlp(dy, seen["resid_mid"], seen, ln_2, mlp, d_rms_norm)
    dx, first = back_through_attention(dmid + dy, x, seen, ln_1, attn, n_head, d_rms_norm)
    return dx, first | second


def norms_of_their_results(dy, x, seen, ln_1, attn, ln_2, mlp, *, n_head):
    """A norm's gradient needs what the norm has read, resid_mid and x, and not what it has made of
    it."""
    dmid, second = back_through_mlp(dy, seen["ln_2"], seen, ln_2, mlp, d_rms_norm)
    dx, first = back_through_attention(
        dmid + dy, seen["ln_1"], seen, ln_1, attn, n_head, d_rms_norm
    )
    return dx + dmid + dy, first | second


def random_rms_params(rng, n_layer, dtype=np.float64, n_head=None):
    """(a tree of the parameters of GPT-2 with RMSNorm, n_head)."""
    params, n_head = random_params(rng, n_layer, dtype, n_head)
    norms = [block[name] for block in params["h"] for name in ("ln_1", "ln_2")]
    for norm in (*norms, params["ln_f"]):
        del norm["b"]
    return params, n_head


@question(d_rms_block, 3, (first_stream_forgotten, second_stream_forgotten, norms_of_their_results))
def block_gradients(ask, rng):
    """Both branches, and the stream past them"""
    for n_head, dtype in zip((2, 3), FLOATS, strict=True):
        params, _ = random_rms_params(rng, 1, dtype, n_head)
        x = random_input(rng, params).astype(dtype)
        (block,) = params["h"]
        seen = recorded(rms_block, x, block, n_head)
        ask(d_rms_block, normal(rng, x.shape, dtype), x, seen, **block, n_head=n_head)


def gradient_of_the_last_use(ids, targets, params, n_head):
    """What wte gets as the matrix of the logits alone."""
    seen = {}
    logits = rms_gpt2(ids, **params, n_head=n_head, tap=record(seen))
    return rows(d_cross_entropy(logits, targets)).T @ rows(seen["ln_f"])


def last_use_forgotten(ids, targets, params, n_head):
    """wte serves at both ends: its gradient as the matrix of the logits is to be added."""
    loss, grads = rms_loss_and_gradients(ids, targets, params, n_head)
    last = gradient_of_the_last_use(ids, targets, params, n_head)
    return loss, grads | {"wte": grads["wte"] - last}


def first_use_forgotten(ids, targets, params, n_head):
    """wte serves at both ends: its gradient as the table of embeddings is to be added."""
    loss, grads = rms_loss_and_gradients(ids, targets, params, n_head)
    return loss, grads | {"wte": gradient_of_the_last_use(ids, targets, params, n_head)}


def blocks_in_reverse(ids, targets, params, n_head):
    """The gradients of the blocks stand in the order of params["h"], the first block's first."""
    loss, grads = rms_loss_and_gradients(ids, targets, params, n_head)
    return loss, grads | {"h": grads["h"][::-1]}


@question(rms_loss_and_gradients, 4, (last_use_forgotten, first_use_forgotten, blocks_in_reverse))
def model_gradients(ask, rng):
    """Every parameter of GPT-2 with RMSNorm"""
    params, n_head = random_rms_params(rng, n_layer=2)
    for ids, targets in random_batch(rng, params):
        ask(rms_loss_and_gradients, ids, targets, params, n_head)
    for ids, targets in batches_of_edges(rng, params):
        ask(rms_loss_and_gradients, ids, targets, params, n_head)
    deep, n_deep = random_rms_params(rng, 4, np.float32, 5 - n_head)
    ask(rms_loss_and_gradients, *next(iter(random_batch(rng, deep))), deep, n_deep)
    for ids, targets in wrong_batches(rng, params):
        ask.refuses(rms_loss_and_gradients, ids, targets, params, n_head)


def training(ids, targets, params, n_head, n_steps):
    params = unflatten({path: x.copy() for path, x in flatten(params).items()})
    learning = flatten(params)
    moments = zero_moments(learning)
    losses = []
    for step in range(n_steps):
        loss, grads = rms_loss_and_gradients(ids, targets, params, n_head)
        grads = flatten(grads)
        clip_gradients(grads, 1.0)
        rate = learning_rate(step, steps=n_steps, warmup=1, peak=0.05, least=0.01)
        adamw(learning, grads, moments, step + 1, lr=rate)
        losses.append(loss)
    return losses, params["wte"]


@together(4)
def whole_training(ask, rng):
    """GPT-2 with RMSNorm learns, with your own functions"""
    params, n_head = random_rms_params(rng, n_layer=2)
    ids, targets = random_ids(rng, params, (2, 3, 5))
    ask(training, ids, targets, params, n_head, 3)


GIVEN_INSTEAD = {layer_norm: rms_norm, gpt2: rms_gpt2}

A5_RMSNORM = replace(
    A5.variant(
        "rmsnorm",
        "the backward pass and AdamW, with RMSNorm",
        {
            d_layer_norm: d_rms_norm,
            d_transformer_block: d_rms_block,
            loss_and_gradients: rms_loss_and_gradients,
        },
        (norm_gradients, block_gradients, model_gradients, whole_training),
    ),
    given=tuple(GIVEN_INSTEAD.get(function, function) for function in A5.given),
)
