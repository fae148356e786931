"""Assignment 3 with parallel blocks: attention and perceptron read the same, as in GPT-J."""

import numpy as np

from ...model import embed, gpt2, multilayer_perceptron, self_attention, transformer_block, unembed
from ...ops import layer_norm
from ..assignment import question, together
from .a3_assignment import A3, random_ids
from .a3_inputs import random_input, random_params


def parallel_block(x: np.ndarray, ln: dict, attn: dict, mlp: dict, *, n_head: int) -> np.ndarray:
    """Attention and the perceptron side by side: [..., n_seq, n_embd] -> same.

    Both read the same layer norm of the residual stream, and both results are added to it.

    Source: Wang & Komatsuzaki 2021, GPT-J-6B.
    """
    normed = layer_norm(x, **ln)
    return x + self_attention(normed, **attn, n_head=n_head) + multilayer_perceptron(normed, **mlp)


def parallel_gpt2(
    ids, wte: np.ndarray, wpe: np.ndarray, h: list[dict], ln_f: dict, *, n_head: int
) -> np.ndarray:
    """GPT-2 with parallel blocks: ids [..., n_seq] -> logits [..., n_seq, n_vocab].

    Raises ValueError for an id outside the vocabulary or more positions than n_ctx.
    """
    x = embed(ids, wte, wpe)
    for block in h:
        x = parallel_block(x, **block, n_head=n_head)
    return unembed(x, wte, ln_f)


def one_after_the_other(x, ln, attn, mlp, *, n_head):
    """The perceptron reads what attention reads, and not what attention has made of it."""
    return transformer_block(x, ln, attn, ln, mlp, n_head=n_head)


def first_norm_only(x, ln, attn, mlp, *, n_head):
    """The perceptron reads the layer norm too, and not x itself."""
    return (
        x
        + self_attention(layer_norm(x, **ln), **attn, n_head=n_head)
        + multilayer_perceptron(x, **mlp)
    )


def second_norm_only(x, ln, attn, mlp, *, n_head):
    """Attention reads the layer norm too, and not x itself."""
    return (
        x
        + self_attention(x, **attn, n_head=n_head)
        + multilayer_perceptron(layer_norm(x, **ln), **mlp)
    )


def stream_forgotten(x, ln, attn, mlp, *, n_head):
    """Both results have to be added to x."""
    return parallel_block(x, ln, attn, mlp, n_head=n_head) - x


def stream_twice(x, ln, attn, mlp, *, n_head):
    """x is added once, and not once in each branch."""
    return parallel_block(x, ln, attn, mlp, n_head=n_head) + x


def no_norm(x, ln, attn, mlp, *, n_head):
    """The layer norm is missing."""
    return x + self_attention(x, **attn, n_head=n_head) + multilayer_perceptron(x, **mlp)


def norm_after_the_sum(x, ln, attn, mlp, *, n_head):
    """You normalise the sum; what is normalised is what goes into the branches."""
    return layer_norm(no_norm(x, ln, attn, mlp, n_head=n_head), **ln)


BLOCK_MISTAKES = (
    *(one_after_the_other, first_norm_only, second_norm_only, stream_forgotten, stream_twice),
    *(no_norm, norm_after_the_sum),
)


def with_one_norm(block):
    """The parameters of a parallel block, from those of GPT-2's."""
    return {"ln": block["ln_1"], "attn": block["attn"], "mlp": block["mlp"]}


@question(parallel_block, 3, BLOCK_MISTAKES)
def block_values(ask, rng):
    """Norm; attention and perceptron; sum"""
    params, n_head = random_params(rng, n_layer=1)
    x = random_input(rng, params)
    for stream in (x, x[0], x[:, :1]):
        ask(parallel_block, stream, **with_one_norm(params["h"][0]), n_head=n_head)


def random_model(rng, n_layer, dtype=np.float64):
    """All arguments of parallel_gpt2 but the ids, and ids of several shapes."""
    params, n_head = random_params(rng, n_layer, dtype)
    ids = [random_ids(rng, params, shape) for shape in ((6,), (2, 4))]
    return params | {"h": [with_one_norm(block) for block in params["h"]], "n_head": n_head}, ids


def no_last_norm(ids, wte, wpe, h, ln_f, *, n_head):
    """The layer norm ln_f before the logits is missing."""
    x = embed(ids, wte, wpe)
    for block in h:
        x = parallel_block(x, **block, n_head=n_head)
    return x @ wte.T


def blocks_not_chained(ids, wte, wpe, h, ln_f, *, n_head):
    """Each block takes what the block before it has made, and not the embeddings again."""
    return parallel_gpt2(ids, wte, wpe, h[-1:], ln_f, n_head=n_head)


@question(parallel_gpt2, 3, (no_last_norm, blocks_not_chained))
def gpt2_values(ask, rng):
    """From ids to logits"""
    model, several = random_model(rng, n_layer=2)
    for ids in several:
        ask(parallel_gpt2, ids, **model)
    n_ctx = len(model["wpe"])
    ask(parallel_gpt2, random_ids(rng, model, n_ctx), **model)
    ask(parallel_gpt2, random_ids(rng, model, 1).tolist(), **model)
    ask.refuses(parallel_gpt2, random_ids(rng, model, n_ctx + 1), **model)
    ask.refuses(parallel_gpt2, np.append(several[0], -1), **model)


@together(4)
def whole_parallel_model(ask, rng):
    """GPT-2 with parallel blocks from your own functions"""
    model, several = random_model(rng, n_layer=3, dtype=np.float32)
    for ids in several:
        ask(parallel_gpt2, ids, **model)


A3_PARALLEL = A3.variant(
    "parallel",
    "attention and GPT-2, with parallel blocks",
    {transformer_block: parallel_block, gpt2: parallel_gpt2},
    (block_values, gpt2_values, whole_parallel_model),
)
