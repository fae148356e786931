"""Assignment 5: the backward pass and AdamW, and what is often written instead."""

from pathlib import Path

import numpy as np

from ...backward import (
    d_causal_attention,
    d_cross_entropy,
    d_embed,
    d_gelu,
    d_gpt2,
    d_layer_norm,
    d_linear,
    d_multilayer_perceptron,
    d_self_attention,
    d_softmax,
    d_transformer_block,
    loss_and_gradients,
)
from ...config import flatten, unflatten
from ...model import gpt2, merge_heads, split_heads
from ...ops import causal_attention, cross_entropy, gelu, layer_norm, linear, softmax
from ...tap import record
from ...train.adamw import adamw, clip_gradients, zero_moments
from ...train.schedule import learning_rate
from ..a3_model.a3_assignment import random_ids
from ..a3_model.a3_inputs import random_params
from ..assignment import FLOATS, Assignment, question, together
from .a5_1_ops import gelu_gradient, linear_gradients, norm_gradients, softmax_gradient
from .a5_2_ends import embed_gradients, loss_gradient
from .a5_3_attention import (
    attention_gradients,
    multilayer_perceptron_gradients,
    random_block,
    self_attention_gradients,
)
from .a5_4_step_size import clip_values, rate_values
from .a5_5_adamw import adamw_decay, adamw_steps


def back_through_mlp(dy, read, seen, ln_2, mlp, d_norm=d_layer_norm):
    """The second branch of a block: the gradient of what its norm has read, and the parameters'."""
    dnormed, dmlp = d_multilayer_perceptron(dy, seen["ln_2"], seen["mlp"], **mlp)
    dmid, *dln_2 = d_norm(dnormed, read, ln_2["g"])
    return dmid, {"ln_2": dict(zip("gb", dln_2)), "mlp": dmlp}


def back_through_attention(dmid, read, seen, ln_1, attn, n_head, d_norm=d_layer_norm):
    """The first branch of a block, in the same way."""
    dnormed, dattn = d_self_attention(dmid, seen["ln_1"], seen["attn"], **attn, n_head=n_head)
    dx, *dln_1 = d_norm(dnormed, read, ln_1["g"])
    return dx, {"ln_1": dict(zip("gb", dln_1)), "attn": dattn}


def first_stream_forgotten(dy, x, seen, ln_1, attn, ln_2, mlp, *, n_head):
    """At the sum after the perceptron the gradient goes both ways: dy itself is to be added to what
    comes back through the branch."""
    dmid, second = back_through_mlp(dy, seen["resid_mid"], seen, ln_2, mlp)
    dx, first = back_through_attention(dmid, x, seen, ln_1, attn, n_head)
    return dx + dmid, first | second


def second_stream_forgotten(dy, x, seen, ln_1, attn, ln_2, mlp, *, n_head):
    """At the sum after attention the gradient goes both ways: that of resid_mid is to be added to
    what comes back through the branch."""
    dmid, second = back_through_mlp(dy, seen["resid_mid"], seen, ln_2, mlp)
    dx, first = back_through_attention(dmid + dy, x, seen, ln_1, attn, n_head)
    return dx, first | second


def attention_from_dy(dy, x, seen, ln_1, attn, ln_2, mlp, *, n_head):
    """What attention has added reaches the perceptron too: its gradient is that of resid_mid, and
    not dy alone."""
    dmid, second = back_through_mlp(dy, seen["resid_mid"], seen, ln_2, mlp)
    dx, first = back_through_attention(dy, x, seen, ln_1, attn, n_head)
    return dx + dmid + dy, first | second


def norms_of_their_results(dy, x, seen, ln_1, attn, ln_2, mlp, *, n_head):
    """A norm's gradient needs what the norm has read, resid_mid and x, and not what it has made of
    it."""
    dmid, second = back_through_mlp(dy, seen["ln_2"], seen, ln_2, mlp)
    dx, first = back_through_attention(dmid + dy, seen["ln_1"], seen, ln_1, attn, n_head)
    return dx + dmid + dy, first | second


def both_norms_of_x(dy, x, seen, ln_1, attn, ln_2, mlp, *, n_head):
    """The second norm has read the stream after attention, seen["resid_mid"], and not x."""
    dmid, second = back_through_mlp(dy, x, seen, ln_2, mlp)
    dx, first = back_through_attention(dmid + dy, x, seen, ln_1, attn, n_head)
    return dx + dmid + dy, first | second


BLOCK_MISTAKES = (
    *(first_stream_forgotten, second_stream_forgotten, attention_from_dy),
    *(norms_of_their_results, both_norms_of_x),
)


@question(d_transformer_block, 3, BLOCK_MISTAKES)
def block_gradients(ask, rng):
    """Both branches, and the stream past them"""
    for n_head, dtype in zip((2, 3), FLOATS, strict=True):
        dy, x, seen, block, _ = random_block(rng, dtype, n_head)
        ask(ask.function, dy, x, seen, **block, n_head=n_head)


def with_a_head(ids, targets, params, n_head):
    """loss_and_gradients, with what wte gets as the last matrix apart, as lm_head."""
    return loss_and_gradients(ids, targets, params | {"lm_head": params["wte"]}, n_head)


def last_use_forgotten(ids, targets, params, n_head):
    """wte serves at both ends: its gradient as the matrix of the logits is to be added."""
    loss, grads = with_a_head(ids, targets, params, n_head)
    del grads["lm_head"]
    return loss, grads


def first_use_forgotten(ids, targets, params, n_head):
    """wte serves at both ends: its gradient as the table of embeddings is to be added."""
    loss, grads = with_a_head(ids, targets, params, n_head)
    grads["wte"] = grads.pop("lm_head")
    return loss, grads


def blocks_in_reverse(ids, targets, params, n_head):
    """The gradients of the blocks stand in the order of params["h"], the first block's first."""
    loss, grads = loss_and_gradients(ids, targets, params, n_head)
    return loss, grads | {"h": grads["h"][::-1]}


def gradients_with(change, ids, targets, params, n_head):
    """loss_and_gradients from other activations, change(the right ones)."""
    seen = {}
    logits = gpt2(ids, **params, n_head=n_head, tap=record(seen))
    loss = cross_entropy(logits, targets)  # which looks at the targets first
    dlogits = d_cross_entropy(logits, targets)
    return loss, d_gpt2(dlogits, ids, change(seen), params, n_head)


def own_result_read(ids, targets, params, n_head):
    """A block has read what came out of the block before it, the first the embeddings, and not its
    own result."""

    def one_later(seen):
        results = {f"h.{i - 1}.resid": seen[f"h.{i}.resid"] for i in range(1, len(params["h"]))}
        return seen | {"embed": seen["h.0.resid"]} | results

    return gradients_with(one_later, ids, targets, params, n_head)


def last_norm_of_its_result(ids, targets, params, n_head):
    """The last norm has read the last block's result, and not what it has made of it, ln_f."""
    last = f"h.{len(params['h']) - 1}.resid"
    return gradients_with(lambda seen: seen | {last: seen["ln_f"]}, ids, targets, params, n_head)


MODEL_MISTAKES = (
    *(last_use_forgotten, first_use_forgotten, blocks_in_reverse, own_result_read),
    last_norm_of_its_result,
)


def random_batch(rng, params):
    """ids and targets of several shapes."""
    for shape in ((5,), (2, 4)):
        yield random_ids(rng, params, shape), random_ids(rng, params, shape)


def batches_of_edges(rng, params):
    """All positions that there are, with the first and the last token; a single position."""
    n_vocab, n_ctx = len(params["wte"]), len(params["wpe"])
    ids, targets = random_ids(rng, params, (2, n_ctx))
    ids[:2], targets[:2] = (0, n_vocab - 1), (n_vocab - 1, 0)
    return (ids, targets), random_ids(rng, params, (2, 1))


def wrong_batches(rng, params):
    """An id and a target outside the vocabulary, on either side; more positions than n_ctx."""
    n_vocab, n_ctx = len(params["wte"]), len(params["wpe"])
    for wrong in (-1, n_vocab):
        for which in (0, 1):
            batch = random_ids(rng, params, (2, 4))
            batch[which, rng.integers(4)] = wrong
            yield batch
    yield random_ids(rng, params, (2, n_ctx + 1))


@question(loss_and_gradients, 4, MODEL_MISTAKES)
def model_gradients(ask, rng):
    """Every parameter of GPT-2"""
    params, n_head = random_params(rng, n_layer=2)
    for ids, targets in random_batch(rng, params):
        ask(loss_and_gradients, ids, targets, params, n_head)
    for ids, targets in batches_of_edges(rng, params):
        ask(loss_and_gradients, ids, targets, params, n_head)
    deep, n_deep = random_params(rng, 4, np.float32, 5 - n_head)
    ask(loss_and_gradients, *next(iter(random_batch(rng, deep))), deep, n_deep)
    for ids, targets in wrong_batches(rng, params):
        ask.refuses(loss_and_gradients, ids, targets, params, n_head)


def training(ids, targets, params, n_head, n_steps):
    params = unflatten({path: x.copy() for path, x in flatten(params).items()})
    learning = flatten(params)
    moments = zero_moments(learning)
    losses = []
    for step in range(n_steps):
        loss, grads = loss_and_gradients(ids, targets, params, n_head)
        grads = flatten(grads)
        clip_gradients(grads, 1.0)
        rate = learning_rate(step, steps=n_steps, warmup=1, peak=0.05, least=0.01)
        adamw(learning, grads, moments, step + 1, lr=rate)
        losses.append(loss)
    return losses, params["wte"]


@together(4)
def whole_training(ask, rng):
    """GPT-2 learns, with your own functions"""
    params, n_head = random_params(rng, n_layer=2)
    ids, targets = random_ids(rng, params, (2, 3, 5))
    ask(training, ids, targets, params, n_head, 3)


A5 = Assignment(
    name="a5",
    hours=9,
    folder=Path(__file__).parent,
    title="the backward pass and AdamW",
    functions=(
        *(d_linear, d_gelu, d_softmax, d_layer_norm, d_cross_entropy, d_embed),
        *(d_causal_attention, d_self_attention, d_multilayer_perceptron, d_transformer_block),
        *(loss_and_gradients, clip_gradients, learning_rate, adamw),
    ),
    questions=(
        *(linear_gradients, gelu_gradient, softmax_gradient, norm_gradients, loss_gradient),
        *(embed_gradients, attention_gradients, self_attention_gradients),
        *(multilayer_perceptron_gradients, block_gradients, model_gradients, clip_values),
        *(rate_values, adamw_steps, adamw_decay, whole_training),
    ),
    given=(
        *(causal_attention, cross_entropy, gelu, layer_norm, linear, softmax),
        *(gpt2, merge_heads, split_heads, record, flatten, unflatten, zero_moments),
    ),
)
