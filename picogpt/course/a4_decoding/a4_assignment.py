"""Assignment 4: the KV cache and decoding, and what is often written instead."""

from pathlib import Path

import numpy as np

from ...decoding.sampling import keep_top_k, keep_top_p
from ...model import embed, merge_heads, multilayer_perceptron, split_heads, unembed
from ...ops import causal_attention, layer_norm, linear, softmax
from ..a3_model.a3_inputs import random_params
from ..assignment import Assignment, question, together
from .a4_1_cache import append_values, attention_values, new_cache_sizes, through_blocks
from .a4_2_sampling import random_logits, top_k_values, top_p_values
from .a4_3_choice import (
    choose_greedily,
    choose_values,
    draw_forbidden,
    draw_values,
)
from .a4_reference import (
    append_to_cache,
    cached_attention,
    cached_gpt2,
    choose_token,
    draw,
    generate,
    new_cache,
)


def positions_from_0(ids, wte, wpe, h, ln_f, *, n_head, cache):
    """Your positions start again at 0: the first id stands at position n_past, tell embed so."""
    x = through_blocks(embed(ids, wte, wpe), h, n_head, cache, range(len(h)))
    cache["n_past"] += len(ids)
    return unembed(x, wte, ln_f)


def same_place_for_all(ids, wte, wpe, h, ln_f, *, n_head, cache):
    """Each block needs its own place in the cache: pass its number as `layer`."""
    x = embed(ids, wte, wpe, cache["n_past"])
    x = through_blocks(x, h, n_head, cache, [0] * len(h))
    cache["n_past"] += len(ids)
    return unembed(x, wte, ln_f)


def never_moves_on(ids, wte, wpe, h, ln_f, *, n_head, cache):
    """n_past has to move on at the end, by n_seq, or what comes next overwrites these positions."""
    logits = cached_gpt2(ids, wte, wpe, h, ln_f, n_head=n_head, cache=cache)
    cache["n_past"] -= len(ids)
    return logits


def moves_on_by_one(ids, wte, wpe, h, ln_f, *, n_head, cache):
    """n_past moves on by the number of ids, and not by one."""
    logits = cached_gpt2(ids, wte, wpe, h, ln_f, n_head=n_head, cache=cache)
    cache["n_past"] -= len(ids) - 1
    return logits


def moves_on_first(ids, wte, wpe, h, ln_f, *, n_head, cache):
    """n_past moves on at the end: before the blocks have written, it leaves a gap in the cache."""
    x = embed(ids, wte, wpe, cache["n_past"])
    cache["n_past"] += len(ids)
    return unembed(through_blocks(x, h, n_head, cache, range(len(h))), wte, ln_f)


def moves_on_in_each_block(ids, wte, wpe, h, ln_f, *, n_head, cache):
    """n_past moves on once, after the last block: all layers write at the same positions."""
    x = embed(ids, wte, wpe, cache["n_past"])
    for layer, block in enumerate(h):
        x = through_blocks(x, [block], n_head, cache, [layer])
        cache["n_past"] += len(ids)
    return unembed(x, wte, ln_f)


def last_logits_only(ids, wte, wpe, h, ln_f, *, n_head, cache):
    """The logits after each of the ids are wanted, and not only those after the last one."""
    return cached_gpt2(ids, wte, wpe, h, ln_f, n_head=n_head, cache=cache)[-1]


def no_last_norm(ids, wte, wpe, h, ln_f, *, n_head, cache):
    """The layer norm ln_f before the logits is missing: see unembed."""
    x = embed(ids, wte, wpe, cache["n_past"])
    x = through_blocks(x, h, n_head, cache, range(len(h)))
    cache["n_past"] += len(ids)
    return x @ wte.T


def read_in_pieces(pieces, params, n_head):
    cache = new_cache(params, n_head)
    logits = [cached_gpt2(ids, **params, n_head=n_head, cache=cache) for ids in pieces]
    return {"logits of each piece": logits, "n_past": cache["n_past"]}


def read_in_turn(pieces, params, n_head):
    """Two texts, a piece of each in turn, with a cache for each."""
    caches = [new_cache(params, n_head) for _ in range(2)]
    return [
        cached_gpt2(ids, **params, n_head=n_head, cache=caches[i % 2])
        for i, ids in enumerate(pieces)
    ]


GPT2_MISTAKES = (
    *(positions_from_0, same_place_for_all, never_moves_on, moves_on_by_one, moves_on_first),
    *(moves_on_in_each_block, last_logits_only, no_last_norm),
)


def random_ids(rng, params, n):
    return rng.integers(len(params["wte"]), size=n).tolist()


@question(cached_gpt2, 3, GPT2_MISTAKES)
def gpt2_values(ask, rng):
    """A text in pieces has the logits of the whole"""
    params, n_head = random_params(rng, n_layer=2)
    n_ctx = len(params["wpe"])
    # Up to the last position that there is, in pieces and at once
    for lengths in ((2, 1, 1), (1, 2, 1), (3, n_ctx - 4, 1), (n_ctx,), (1,) * n_ctx):
        ask(read_in_pieces, [random_ids(rng, params, n) for n in lengths], params, n_head)
    ask(read_in_turn, [random_ids(rng, params, n) for n in (2, 1, 1, 2)], params, n_head)
    params, n_head = random_params(rng, n_layer=3, dtype=np.float32)
    ask(read_in_pieces, [random_ids(rng, params, n) for n in (2, 1)], params, n_head)


def first_position(ids, n_new, read, choose):
    """read returns a row for each id: the scores for what comes next are in the last one, not the first."""
    return generate(ids, n_new, lambda new: read(new)[:1], choose)


def read_again(ids, n_new, read, choose):
    """The model remembers what it has read: pass only the new token, and not the whole text."""
    written = []
    for _ in range(n_new):
        written.append(choose(read([*ids, *written])[-1]))
    return written


def prompt_not_read(ids, n_new, read, choose):
    """The model has to read the whole prompt, and not only its last token."""
    return generate(ids[-1:], n_new, read, choose)


def last_one_read(ids, n_new, read, choose):
    """Nobody asks what comes after the last token: the pass that reads it is done for nothing."""
    written = generate(ids, n_new, read, choose)
    if written:
        read(written[-1:])
    return written


def prompt_returned(ids, n_new, read, choose):
    """Only the new tokens are wanted, and not the prompt."""
    return ids + generate(ids, n_new, read, choose)


def one_too_few_written(ids, n_new, read, choose):
    """You write one token too few: the one that follows the prompt is the first of n_new."""
    return generate(ids, n_new - 1, read, choose)


def generated(ids, n_new, table):
    seen, shapes = [], []

    def read(new):
        seen.extend(int(i) for i in new)
        return table[np.array(new)]

    def choose(logits):  # the least likely, which nobody would take who has not asked
        shapes.append(np.shape(logits))
        return int(np.argmin(logits))

    tokens = list(generate(ids, n_new, read, choose))
    return {"tokens": tokens, "read": seen, "shapes that choose was given": shapes}


def written(ids, n_new, table):
    """The tokens alone: who writes none may have read the prompt."""
    read, choose = (lambda new: table[np.array(new)]), (lambda logits: int(logits.argmax()))
    return list(generate(ids, n_new, read, choose))


GENERATE_MISTAKES = (
    *(first_position, read_again, prompt_not_read, last_one_read, prompt_returned),
    one_too_few_written,
)


@question(generate, 2, GENERATE_MISTAKES)
def generate_values(ask, rng):
    """Read, choose, and read what was chosen"""
    for n_prompt in (3, 2, 4):
        n_vocab = len(random_logits(rng))
        table = np.stack([rng.permutation(n_vocab) for _ in range(n_vocab)]).astype(float)
        ids = rng.integers(n_vocab, size=n_prompt).tolist()
        ask(generated, ids, int(rng.integers(2, 5)), table)
    ask(generated, ids, 1, table)
    ask(generated, ids[:1], 2, table)
    ask(written, ids, 0, table)
    table[:, 0] = -1.0  # token 0 each time: it has no meaning of its own
    ask(generated, ids, 100, table)


def conversation(prompt, more, n_new, numbers, params, n_head, temperature, top_k, top_p):
    cache = new_cache(params, n_head)
    numbers = iter(numbers)

    def read(ids):
        return cached_gpt2(ids, **params, n_head=n_head, cache=cache)

    def choose(logits):
        settings = {"temperature": temperature, "top_k": top_k, "top_p": top_p}
        return choose_token(logits, next(numbers), **settings)

    first = list(generate(prompt, n_new, read, choose))
    # The last token has not been read yet
    second = list(generate([first[-1], *more], n_new, read, choose))
    return {"tokens": first + second, "n_past": cache["n_past"]}


@together(3)
def whole_conversation(ask, rng):
    """Text from your own cache and sampler"""
    params, n_head = random_params(rng, n_layer=2)
    for temperature, top_k, top_p in ((0.0, None, None), (1.5, 6, 0.9)):
        prompt, more = random_ids(rng, params, 2), random_ids(rng, params, 1)
        numbers = rng.random(8).tolist()
        ask(conversation, prompt, more, 3, numbers, params, n_head, temperature, top_k, top_p)


A4 = Assignment(
    name="a4",
    hours=5,
    folder=Path(__file__).parent,
    title="the KV cache and decoding",
    functions=(
        *(new_cache, append_to_cache, cached_attention, cached_gpt2),
        *(keep_top_k, keep_top_p, draw, choose_token, generate),
    ),
    questions=(
        *(new_cache_sizes, append_values, attention_values, gpt2_values),
        *(top_k_values, top_p_values, draw_values, draw_forbidden),
        *(choose_greedily, choose_values, generate_values, whole_conversation),
    ),
    given=(
        *(causal_attention, layer_norm, linear, softmax),
        *(embed, multilayer_perceptron, merge_heads, split_heads, unembed),
    ),
    imports="from collections.abc import Callable\n\nimport numpy as np",
)
