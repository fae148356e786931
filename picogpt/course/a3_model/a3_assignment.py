"""Assignment 3: attention, the block and GPT-2, and what is often written instead."""

from pathlib import Path

import numpy as np

from ...model import (
    embed,
    gpt2,
    merge_heads,
    multilayer_perceptron,
    self_attention,
    split_heads,
    transformer_block,
    unembed,
)
from ...ops import causal_attention, causal_mask, gelu, layer_norm, linear, softmax
from ..assignment import Assignment, question, together
from .a3_1_attention import (
    attention_keeps_float32,
    attention_values,
    mask_values,
    merge_values,
    self_attention_values,
    split_values,
)
from .a3_inputs import random_input, random_params


def no_gelu(x, c_fc, c_proj):
    """The GELU between the two linear layers is missing."""
    return linear(linear(x, **c_fc), **c_proj)


def gelu_at_the_end(x, c_fc, c_proj):
    """The GELU stands between the two linear layers, and not at the end."""
    return gelu(no_gelu(x, c_fc, c_proj))


def relu(x, c_fc, c_proj):
    """GPT-2 has a GELU where you have a ReLU."""
    return linear(np.maximum(linear(x, **c_fc), 0.0), **c_proj)


@question(multilayer_perceptron, 1, (no_gelu, gelu_at_the_end, relu))
def multilayer_perceptron_values(ask, rng):
    """Linear, GELU, linear"""
    params, _ = random_params(rng, n_layer=1)
    x = random_input(rng, params)
    for stream in (x, x[0], x[0, 0], 2.0 * x, x[:, None]):
        ask(ask.function, stream, **params["h"][0]["mlp"])
    params, _ = random_params(rng, n_layer=1, dtype=np.float32)
    ask(ask.function, random_input(rng, params).astype(np.float32), **params["h"][0]["mlp"])


def norm_after_the_sum(x, ln_1, attn, ln_2, mlp, *, n_head):
    """You normalise after each sum; GPT-2 normalises what goes into each branch."""
    x = layer_norm(x + self_attention(x, **attn, n_head=n_head), **ln_1)
    return layer_norm(x + multilayer_perceptron(x, **mlp), **ln_2)


def first_sum_forgotten(x, ln_1, attn, ln_2, mlp, *, n_head):
    """Attention's result has to be added to x, and does not replace it."""
    x = self_attention(layer_norm(x, **ln_1), **attn, n_head=n_head)
    return x + multilayer_perceptron(layer_norm(x, **ln_2), **mlp)


def second_sum_forgotten(x, ln_1, attn, ln_2, mlp, *, n_head):
    """The perceptron's result has to be added to the stream, and does not replace it."""
    x = x + self_attention(layer_norm(x, **ln_1), **attn, n_head=n_head)
    return multilayer_perceptron(layer_norm(x, **ln_2), **mlp)


def normed_stream(x, ln_1, attn, ln_2, mlp, *, n_head):
    """What is added to is x itself, and not what the norm has made of it."""
    x = layer_norm(x, **ln_1)
    x = x + self_attention(x, **attn, n_head=n_head)
    x = layer_norm(x, **ln_2)
    return x + multilayer_perceptron(x, **mlp)


def side_by_side(x, ln_1, attn, ln_2, mlp, *, n_head):
    """The perceptron reads the stream after attention has been added to it."""
    y = self_attention(layer_norm(x, **ln_1), **attn, n_head=n_head)
    return x + y + multilayer_perceptron(layer_norm(x, **ln_2), **mlp)


def no_norm(x, ln_1, attn, ln_2, mlp, *, n_head):
    """The two layer norms are missing."""
    x = x + self_attention(x, **attn, n_head=n_head)
    return x + multilayer_perceptron(x, **mlp)


BLOCK_MISTAKES = (
    *(norm_after_the_sum, first_sum_forgotten, second_sum_forgotten, normed_stream),
    *(side_by_side, no_norm),
)


@question(transformer_block, 3, BLOCK_MISTAKES)
def block_values(ask, rng):
    """Norm, attention, sum; norm, perceptron, sum"""
    params, n_head = random_params(rng, n_layer=1)
    x = random_input(rng, params)
    for stream in (x, x[0], x[:, :1], 2.0 * x, x[:, None]):
        ask(ask.function, stream, **params["h"][0], n_head=n_head)
    params, n_head = random_params(rng, n_layer=1, dtype=np.float32)
    x = random_input(rng, params).astype(np.float32)
    ask(ask.function, x, **params["h"][0], n_head=n_head)


def no_positions(ids, wte, wpe):
    """The position embeddings wpe are missing."""
    return embed(ids, wte, np.zeros_like(wpe))


def positions_by_id(ids, wte, wpe):
    """wpe is looked up by position (0, 1, 2, ...), and not by id."""
    return no_positions(ids, wte, wpe) + wpe[np.asarray(ids) % len(wpe)]


def positions_from_one(ids, wte, wpe):
    """Positions are counted from 0."""
    return embed(ids, wte, np.roll(wpe, -1, axis=0))


def random_ids(rng, params, shape):
    return rng.integers(len(params["wte"]), size=shape)


@question(embed, 1, (no_positions, positions_by_id, positions_from_one))
def embed_values(ask, rng):
    """The token's row of wte and the position's of wpe"""
    params, _ = random_params(rng, n_layer=1)
    for shape in ((5,), (3, 4)):
        ask(ask.function, random_ids(rng, params, shape), params["wte"], params["wpe"])
    # All positions that there are, the first and the last token, one token twice; a single one
    n_vocab, n_ctx = len(params["wte"]), len(params["wpe"])
    for ids in ([n_vocab - 1, 0] + random_ids(rng, params, n_ctx - 2).tolist(), [n_vocab - 1]):
        ask(ask.function, ids, params["wte"], params["wpe"])
    ask(ask.function, random_ids(rng, params, (2, n_ctx)), params["wte"], params["wpe"])
    # More texts than positions; three axes; other positions for the same shape; float32
    for shape in ((n_ctx + 1, 2), (2, 1, 3)):
        ids = random_ids(rng, params, shape)
        ask(ask.function, ids, params["wte"], params["wpe"])
        ask(ask.function, ids, params["wte"], 2.0 * params["wpe"])
    params, _ = random_params(rng, n_layer=1, dtype=np.float32)
    ask(ask.function, random_ids(rng, params, 3), params["wte"], params["wpe"])


def ids_not_checked(ids, wte, wpe):
    """NumPy takes the id -1 from the end: look at the smallest and the largest id first."""
    ids = np.asarray(ids)
    if ids.max() >= len(wte) or ids.shape[-1] > len(wpe):
        raise ValueError("no such id or position")
    return wte[ids] + wpe[: ids.shape[-1]]


def nothing_checked(ids, wte, wpe):
    """NumPy takes the id -1 from the end, and a slice stops where the array does: look at the
    smallest and the largest id, and at the number of ids, first."""
    ids = np.asarray(ids)
    return wte[ids] + wpe[: ids.shape[-1]]


def largest_not_checked(ids, wte, wpe):
    """An id can be too large as well: n_vocab - 1 is the last one."""
    if np.min(ids) < 0 or np.shape(ids)[-1] > len(wpe):
        raise ValueError("no such id or position")
    return nothing_checked(ids, wte, wpe)


def one_id_too_many(ids, wte, wpe):
    """The last id is n_vocab - 1: n_vocab itself is too large."""
    if np.max(ids) > len(wte):
        raise ValueError("no such id")
    return largest_not_checked(ids, wte, wpe)


EMBED_MISTAKES = (ids_not_checked, nothing_checked, largest_not_checked, one_id_too_many)


@question(embed, 1, EMBED_MISTAKES)
def embed_refuses(ask, rng):
    """An id outside the vocabulary, or too many ids, is a ValueError"""
    params, _ = random_params(rng, n_layer=1)
    wte, wpe = params["wte"], params["wpe"]
    ask.accepts(embed, np.array([0, len(wte) - 1, 0]), wte, wpe)
    for wrong in (-1, len(wte), -len(wte), 1000):
        for place in (0, 2, 4):
            ids = random_ids(rng, params, 5)
            ids[place] = wrong
            ask.refuses(embed, ids, wte, wpe)
    ask.accepts(embed, random_ids(rng, params, (2, len(wpe))), wte, wpe)
    for shape in ((len(wpe) + 1,), (2, len(wpe) + 1), (1, 3 * len(wpe))):
        ask.refuses(embed, random_ids(rng, params, shape), wte, wpe)
    ask.refuses(embed, random_ids(rng, params, 2), wte, wpe[:1])


def through_blocks(ids, wte, wpe, h, n_head):
    """The residual stream after the last block."""
    x = embed(ids, wte, wpe)
    for block in h:
        x = transformer_block(x, **block, n_head=n_head)
    return x


def no_last_norm(ids, wte, wpe, h, ln_f, *, n_head):
    """The layer norm ln_f before the logits is missing."""
    return through_blocks(ids, wte, wpe, h, n_head) @ wte.T


def only_one_block(ids, wte, wpe, h, ln_f, *, n_head):
    """The stream passes all blocks of h: yours passes the first one only."""
    return unembed(through_blocks(ids, wte, wpe, h[:1], n_head), wte, ln_f)


def blocks_not_chained(ids, wte, wpe, h, ln_f, *, n_head):
    """Each block takes what the block before it has made, and not the embeddings again."""
    return unembed(through_blocks(ids, wte, wpe, h[-1:], n_head), wte, ln_f)


def probabilities(ids, wte, wpe, h, ln_f, *, n_head):
    """What is wanted are the logits: no softmax at the end."""
    return softmax(gpt2(ids, wte, wpe, h, ln_f, n_head=n_head))


def last_position_only(ids, wte, wpe, h, ln_f, *, n_head):
    """The logits of all positions are wanted, and not only those of the last one."""
    return gpt2(ids, wte, wpe, h, ln_f, n_head=n_head)[..., -1, :]


def no_logits(ids, wte, wpe, h, ln_f, *, n_head):
    """What comes out of ln_f is still to be compared with all tokens: the product with wte.T."""
    return layer_norm(through_blocks(ids, wte, wpe, h, n_head), **ln_f)


GPT2_MISTAKES = (
    *(no_last_norm, only_one_block, blocks_not_chained, probabilities, last_position_only),
    no_logits,
)


@question(gpt2, 3, GPT2_MISTAKES)
def gpt2_values(ask, rng):
    """From ids to logits"""
    params, n_head = random_params(rng, n_layer=4)
    for shape in ((6,), (2, 4)):
        ask(ask.function, random_ids(rng, params, shape), **params, n_head=n_head)
    # Fewer blocks for the same ids, and none; float32
    ids = random_ids(rng, params, 3)
    for n_layer in (4, 2, 1, 0):
        some = params | {"h": params["h"][:n_layer]}
        ask(ask.function, ids, **some, n_head=n_head)
    single, n_single = random_params(rng, n_layer=2, dtype=np.float32)
    ask(ask.function, random_ids(rng, single, 3), **single, n_head=n_single)
    n_ctx = len(params["wpe"])
    ask(ask.function, random_ids(rng, params, n_ctx), **params, n_head=n_head)
    ask(ask.function, random_ids(rng, params, 1).tolist(), **params, n_head=n_head)
    # Too many are refused, and not cut
    ask.refuses(ask.function, random_ids(rng, params, n_ctx + 1), **params, n_head=n_head)
    ask.refuses(ask.function, np.append(random_ids(rng, params, 3), -1), **params, n_head=n_head)


@together(4)
def whole_model(ask, rng):
    """GPT-2 from your own functions"""
    params, n_head = random_params(rng, n_layer=3, dtype=np.float32)
    for shape in ((7,), (3, 5)):
        ask(gpt2, random_ids(rng, params, shape), **params, n_head=n_head)


A3 = Assignment(
    name="a3",
    hours=6,
    folder=Path(__file__).parent,
    title="attention and GPT-2",
    functions=(
        *(causal_mask, causal_attention, split_heads, merge_heads, self_attention),
        *(multilayer_perceptron, transformer_block, embed, gpt2),
    ),
    questions=(
        *(mask_values, attention_values, attention_keeps_float32, split_values, merge_values),
        *(
            self_attention_values,
            multilayer_perceptron_values,
            block_values,
            embed_values,
            embed_refuses,
        ),
        *(gpt2_values, whole_model),
    ),
    given=(gelu, layer_norm, linear, softmax),
)
