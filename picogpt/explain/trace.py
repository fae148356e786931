"""What the page shows about a prompt: activations, the lens, the likeliest tokens, as JSON.

Arrays are written as base64 of whole numbers with a scale for each row: of 16 bits, or of 8 if the
page would otherwise be too large. Logits and statistics keep their float32.
"""

import base64
import inspect
from collections.abc import Callable, Sequence
from functools import partial

import numpy as np

from .. import model as composed
from .. import ops
from ..bpe import Tokenizer
from ..bpe.pretokenize import to_symbols
from ..config import Config
from ..decoding import sampling as choosing
from ..decoding.sampling import Sampling, check_logits, choose_token, whole_number
from ..lens.reading import attention_maps, lookback
from ..model import gpt2, unembed
from ..ops import softmax
from ..tap import Tap, no_tap, record
from ..weights.activation_functions import function_name

MAX_TOKENS = 64  # tokens on a page
MAX_PAGE = 3_500_000  # bytes of packed activations
N_TOP = 1000  # tokens whose logits are kept at each position
N_BINS = 64  # for the logits of all others
# What is kept of a block; q, k and v are parts of c_attn, and the rest is a sum or a GELU of these.
KEPT = ("ln_1", "attn.c_attn", "attn.merged", "attn.c_proj", "resid_mid")
KEPT += ("ln_2", "mlp.c_fc", "mlp.c_proj", "resid")
FUNCTIONS = [composed.embed, composed.split_heads, composed.merge_heads, composed.self_attention]
FUNCTIONS += [composed.multilayer_perceptron, composed.transformer_block, composed.unembed]
FUNCTIONS += [ops.layer_norm, ops.linear, ops.causal_attention, ops.causal_mask, ops.softmax]
FUNCTIONS += [ops.gelu, choosing.process_logits, choosing.draw]


def continue_ids(
    ids: Sequence[int],
    params: dict,
    config: Config,
    max_new_tokens: int,
    choose: Callable[[np.ndarray, Sequence[int]], int],
    endoftext: int,
    tap: Tap = no_tap,
) -> list[int]:
    """The prompt's ids and those that follow, up to <|endoftext|>: the naive loop, under a tap.

    Raises ValueError if they are more than the page or the model can hold.
    """
    ids, largest = [*ids], min(MAX_TOKENS, config.n_ctx)
    if len(ids) + max_new_tokens > largest:
        raise ValueError(
            f"the prompt has {len(ids)} tokens, and {max_new_tokens} are to follow; "
            f"together the page holds at most {largest}"
        )
    for _ in range(max_new_tokens):
        logits = gpt2(ids, **params, n_head=config.n_head, tap=tap, at=-1)
        ids.append(choose(logits, ids))
        if ids[-1] == endoftext:
            break
    return ids


def trace(
    prompt_ids: Sequence[int],
    max_new_tokens: int,
    config: Config,
    params: dict,
    tokenizer: Tokenizer,
    *,
    seed: int | None = None,
    blocks: Sequence[int] | None = None,
    tap: Tap = no_tap,
) -> dict:
    """Everything that the page shows. seed: None takes the likeliest tokens, else they are drawn.

    Raises ValueError as continue_ids and what_fits do, if the model's logits are not finite, and
    unless the activation function is GPT-2's, which the page computes and explains.
    """
    if (name := function_name(params)) != "gelu_new":
        raise ValueError(f"the page explains gelu_new, but this model's activation is {name}")
    sampling = Sampling(0.0 if seed is None else 1.0, banned=tokenizer.unused)
    rng = np.random.default_rng([seed or 0, 0])
    choose = partial(choose_token, sampling=sampling, rng=rng)
    ids = continue_ids(prompt_ids, params, config, max_new_tokens, choose, tokenizer.endoftext, tap)
    blocks, bits = what_fits(config, len(ids), blocks)
    activations = recorded_activations(ids, params, config, tap)
    lens = lens_readings(activations, params)
    likeliest = top_logits(activations["logits"])
    maps = attention_maps(activations, config.n_layer)
    shown = {*ids, *np.unique(likeliest["ids"]).tolist(), *np.unique(lens["ids"]).tolist()}
    return {
        "config": vars(config) | {"n_head_dim": config.n_head_dim, "tied": "lm_head" not in params},
        "ids": ids,
        "n_prompt": len(prompt_ids),
        "drawn": seed is not None,  # else the likeliest token is taken each time
        "endoftext": tokenizer.endoftext,
        "texts": {i: tokenizer.decode([i]) for i in sorted(shown)},
        "words": words(tokenizer.decode(prompt_ids), tokenizer),
        "shapes": {name: list(x.shape) for name, x in activations.items()},
        "bits": bits,
        "blocks": blocks,
        "arrays": arrays(activations, config, blocks, bits),
        "statistics": statistics(activations, config.n_layer),
        "maps": [pack(x, 16) for x in maps],
        "patterns": [[patterns(head, ids) for head in x] for x in maps],
        "lens": {name: exact(x) for name, x in lens.items()},
        "likeliest": {name: exact(x) for name, x in likeliest.items()},
        "sources": {f.__name__: source(f) for f in FUNCTIONS},
    }


def recorded_activations(
    ids: Sequence[int], params: dict, config: Config, tap: Tap
) -> dict[str, np.ndarray]:
    """Name -> activation, as the tap left it. Raises ValueError for logits that are not finite."""
    activations: dict[str, np.ndarray] = {}
    recorded = record(activations)
    gpt2(ids, **params, n_head=config.n_head, tap=lambda name, x: recorded(name, tap(name, x)))
    check_logits(activations["logits"], len(ids))
    return activations


def what_fits(
    config: Config, n_seq: int, blocks: Sequence[int] | None = None
) -> tuple[list[int], int]:
    """The blocks whose activations are kept, and the bits for each number, 16 or 8.

    blocks: those that are wanted. None means all of them, or as many as fit, evenly spread.
    Raises ValueError for a block that the model does not have, or if they do not all fit.
    """
    block = n_seq * 14 * config.n_embd  # numbers: what KEPT names
    n_fit = max(2, MAX_PAGE // block)
    if blocks is None:
        n = min(config.n_layer, n_fit)
        blocks = sorted({round(i) for i in np.linspace(0, config.n_layer - 1, n)})
    blocks = sorted({whole_number("a block to keep", i, 0) for i in blocks})
    if any(i >= config.n_layer for i in blocks):
        raise ValueError(f"blocks are {blocks!r:.80}, expected numbers up to {config.n_layer - 1}")
    if len(blocks) > n_fit:
        raise ValueError(f"{len(blocks)} blocks are wanted, but the page holds at most {n_fit}")
    return blocks, 16 if 2 * block * len(blocks) <= MAX_PAGE else 8


def arrays(activations: dict, config: Config, blocks: Sequence[int], bits: int) -> dict:
    """Name -> packed array, and for each block the products of queries and keys, not yet scaled."""
    names = ["wte", "wpe", "embed", "ln_f"]
    names += [f"h.{i}.{name}" for i in blocks for name in KEPT]
    packed = {name: pack(activations[name], bits) for name in names}
    for i in blocks:
        q, k = activations[f"h.{i}.attn.q"], activations[f"h.{i}.attn.k"]
        packed[f"h.{i}.products"] = pack(q @ k.swapaxes(-1, -2), 16)
    return packed


def statistics(activations: dict, n_layer: int) -> dict:
    """Name -> mean, standard deviation and length of the stream at each position, [n_seq, 3]."""
    names = ["embed"] + [f"h.{i}.{x}" for i in range(n_layer) for x in ("resid_mid", "resid")]
    found = {}
    for name in names:
        x = activations[name]
        found[name] = exact(np.stack([x.mean(-1), x.std(-1), np.linalg.norm(x, axis=-1)], -1))
    return found


def lens_readings(activations: dict, params: dict, n_best: int = 4) -> dict[str, np.ndarray]:
    """What the model would say after each block, as lens.logit_lens, but block by block.

    ids and probs: [n_layer + 1, n_seq, n_best]; moved: [n_layer + 1, n_seq], the share of the
    stream's length that the block has added.
    """
    names = ["embed", *(f"h.{i}.resid" for i in range(len(params["h"])))]
    ids, probs, moved = [], [], []
    for before, name in zip([names[0], *names], names):
        x = activations[name]
        p = softmax(unembed(x, params["wte"], params["ln_f"], params.get("lm_head")))
        best = np.argsort(-p, axis=-1, kind="stable")[:, :n_best]
        ids.append(best.astype(np.int32))
        probs.append(np.take_along_axis(p, best, -1))
        step = np.linalg.norm(x - activations[before], axis=-1)
        moved.append(step / np.maximum(np.linalg.norm(x, axis=-1), 1e-30))
    return {"ids": np.stack(ids), "probs": np.stack(probs), "moved": np.stack(moved)}


def top_logits(logits: np.ndarray) -> dict[str, np.ndarray]:
    """The N_TOP largest logits of each position, and the others in N_BINS bins: [n_seq, ...].

    ids, logits: the largest, in order; bin_logits, bin_counts: the mean logit of the tokens in
    each bin, the likeliest first, and how many they are.
    """
    order = np.argsort(-logits, axis=-1, kind="stable")
    best, rest = order[:, :N_TOP], order[:, N_TOP:]
    groups = np.array_split(rest, N_BINS, axis=-1) if rest.shape[-1] else []
    # the mean in the sense of the softmax: a bin's mass at temperature 1 is exact
    means = [log_mean_exp(np.take_along_axis(logits, group, -1)) for group in groups if group.size]
    counts = [group.shape[-1] for group in groups if group.size]
    return {
        "ids": best.astype(np.int32),
        "logits": np.take_along_axis(logits, best, -1),
        "bin_logits": np.stack(means, -1) if means else np.zeros((len(logits), 0), np.float32),
        "bin_counts": np.array(counts, np.int32),
    }


def log_mean_exp(logits: np.ndarray) -> np.ndarray:
    """The logarithm of the mean of the exponentials along the last axis: [..., n] -> [...]."""
    largest = logits.max(axis=-1, keepdims=True)
    return np.log(np.exp(logits - largest).mean(axis=-1)) + largest[..., 0]


def patterns(head: np.ndarray, ids: Sequence[int]) -> dict[str, float]:
    """What a head does in this text: name -> the mean share of its attention.

    head: [n_seq, n_seq]. The first position, which can only see itself, does not count. Duplicate
    and induction are means over the positions whose token stood in the text before.
    """
    if len(ids) < 3:
        return {}
    shares = {"previous token": lookback(head, 1).mean(), "first token": head[2:, 0].mean()}
    shares["itself"] = lookback(head, 0)[1:].mean()
    earlier = [[j for j in range(i) if ids[j] == ids[i]] for i in range(len(ids))]
    if again := [i for i in range(len(ids)) if earlier[i]]:
        shares["duplicate"] = np.mean([head[i, earlier[i]].sum() for i in again])
        after = [head[i, [j + 1 for j in earlier[i] if j + 1 < i]].sum() for i in again]
        shares["induction"] = np.mean(after)
    return {name: round(float(share), 4) for name, share in shares.items()}


def words(text: str, tokenizer: Tokenizer) -> list[dict]:
    """The words of a text, each with its bytes, symbols, merges by rank, and ids."""
    return [
        {
            "text": word.text,
            "bytes": list(word.text.encode("utf-8")),
            "symbols": list(to_symbols(word.text)),
            "merges": [[step.rank, step.symbols] for step in word.merges],
            "ids": list(word.ids),
        }
        for word in tokenizer.words(text)
    ]


def source(function: Callable) -> list[str]:
    """The file and the text of a function."""
    return [function.__module__.replace(".", "/") + ".py", inspect.getsource(function)]


def base64_of(x: np.ndarray) -> str:
    return base64.b64encode(np.ascontiguousarray(x).tobytes()).decode("ascii")


def exact(x: np.ndarray) -> dict:
    """An array as it is, float32 or int32, little-endian."""
    kind = "i4" if x.dtype.kind == "i" else "f4"
    return {"kind": kind, "shape": list(x.shape), "data": base64_of(x.astype("<" + kind))}


def pack(x: np.ndarray, bits: int) -> dict:
    """An array in whole numbers of so many bits, times a scale for each row of the last axis."""
    largest = (1 << (bits - 1)) - 1
    scale = np.maximum(np.abs(x).max(axis=-1, keepdims=True), 1e-30) / largest
    whole = np.rint(x / scale).astype(f"<i{bits // 8}")
    return {
        "kind": f"i{bits // 8}",
        "shape": list(x.shape),
        "data": base64_of(whole),
        "scale": base64_of(scale.astype("<f4")),
    }
