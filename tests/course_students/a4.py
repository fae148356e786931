"""Assignment 4: see __init__.py."""

SOLUTION = """
from collections.abc import Callable
import numpy as np
from picogpt.model import embed, multilayer_perceptron, merge_heads, split_heads, unembed
from picogpt.ops import causal_attention, layer_norm, linear, softmax

def new_cache(params, n_head):
    n_ctx, n_embd = np.shape(params["wpe"])
    shape = [len(params["h"]), n_head, n_ctx, n_embd // n_head]
    make = lambda: np.empty(shape, params["wte"].dtype)
    return dict(k=make(), v=make(), n_past=0)

def append_to_cache(cache, layer, k, v):
    start, n = cache["n_past"], k.shape[1]
    both = []
    for name, new in zip("kv", (k, v)):
        room = cache[name][layer]
        for i in range(n):
            room[:, start + i] = new[:, i]
        both.append(room[:, : start + n].copy())
    return both

def cached_attention(x, c_attn, c_proj, *, n_head, cache, layer):
    # one query at a time, so that there is nothing to mask
    n, e = x.shape
    qkv = linear(x, **c_attn)
    q, k, v = [split_heads(qkv[:, i * e:(i + 1) * e], n_head) for i in range(3)]
    k, v = append_to_cache(cache, layer, k, v)
    rows = []
    for i in range(n):
        end = k.shape[1] - n + i + 1
        w = softmax(np.einsum("hd,hkd->hk", q[:, i], k[:, :end]) / (e // n_head) ** 0.5)
        rows.append(np.einsum("hk,hkd->hd", w, v[:, :end]).ravel())
    return linear(np.array(rows), **c_proj)

def cached_gpt2(ids, wte, wpe, h, ln_f, *, n_head, cache):
    start, n = cache["n_past"], len(ids)
    x = wte[np.array(ids)] + wpe[start : start + n]
    for i in range(len(h)):
        b = h[i]
        a = cached_attention(layer_norm(x, **b["ln_1"]), **b["attn"],
                             n_head=n_head, cache=cache, layer=i)
        x = a + x
        x = multilayer_perceptron(layer_norm(x, **b["ln_2"]), **b["mlp"]) + x
    cache["n_past"] = start + n
    return layer_norm(x, **ln_f) @ wte.T

def keep_top_k(logits, top_k):
    kept = logits.copy()
    if top_k < logits.size:
        kept[logits < sorted(logits)[-top_k]] = -np.inf
    return kept

def keep_top_p(logits, top_p):
    p = softmax(logits)
    kept, total = set(), 0.0
    for i in sorted(range(len(p)), key=lambda i: p[i], reverse=True):
        kept.add(i)
        total += p[i]
        if total >= top_p:
            break
    return np.where([i in kept for i in range(len(p))], logits, -np.inf)

def draw(logits, u):
    p = softmax(logits.astype(np.float64))
    rest = u * p.sum()
    for i in range(len(p)):
        rest -= p[i]
        if rest < 0:
            return i
    return int(np.flatnonzero(p)[-1])

def choose_token(logits, u, *, temperature, top_k, top_p):
    if not temperature:
        return np.argmax(logits)
    logits = logits * (1 / temperature)
    logits = keep_top_k(logits, top_k or len(logits))
    return draw(keep_top_p(logits, top_p or 1.0), u)

def generate(ids, n_new, read, choose):
    new = []
    while len(new) < n_new:
        new.append(choose(read(new[-1:] or ids)[-1]))
    return new
"""

MISTAKES = [
    (
        "a4",
        """
def new_cache(params, n_head):
    n_ctx, n_embd = params["wpe"].shape
    a = np.zeros((len(params["h"]), n_head, n_ctx, n_embd // n_head), params["wpe"].dtype)
    return {"k": a, "v": a, "n_past": 0}
""",
        ["Room for all positions"],
        "the same array",
    ),
    (
        "a4",
        """
def append_to_cache(cache, layer, k, v):
    n = k.shape[1]
    cache["k"][layer][:, :n] = k
    cache["v"][layer][:, :n] = v
    return cache["k"][layer][:, :n], cache["v"][layer][:, :n]
""",
        ["After the old positions, in the layer's place"],
        "You write at position 0, over the old ones",
    ),
    (
        "a4",
        """
def append_to_cache(cache, layer, k, v):
    start = cache["n_past"]
    stop = cache["n_past"] = start + k.shape[1]
    cache["k"][layer][:, start:stop] = k
    cache["v"][layer][:, start:stop] = v
    return cache["k"][layer][:, :stop], cache["v"][layer][:, :stop]
""",
        ["After the old positions, in the layer's place"],
        "the next layer still has to write at the same positions",
    ),
    (
        "a4",
        """
def cached_attention(x, c_attn, c_proj, *, n_head, cache, layer):
    q, k, v = [split_heads(t, n_head) for t in np.array_split(linear(x, **c_attn), 3, axis=1)]
    k, v = append_to_cache(cache, layer, k, v)
    scores = q @ np.moveaxis(k, 1, 2) / q.shape[-1] ** 0.5
    scores[:, np.tril(np.ones(scores.shape[1:])) == 0] = -np.inf
    return linear(merge_heads(softmax(scores) @ v), **c_proj)
""",
        ["New queries see old and new keys"],
        "off by the cache's length",
    ),
    (
        "a4",
        """
def cached_gpt2(ids, wte, wpe, h, ln_f, *, n_head, cache):
    x = wte[np.array(ids)] + wpe[: len(ids)]
    for i, b in enumerate(h):
        normed = layer_norm(x, **b["ln_1"])
        x = x + cached_attention(normed, **b["attn"], n_head=n_head, cache=cache, layer=i)
        x = x + multilayer_perceptron(layer_norm(x, **b["ln_2"]), **b["mlp"])
    cache["n_past"] += len(ids)
    return unembed(x, wte, ln_f)
""",
        ["A text in pieces has the logits of the whole"],
        "Your positions start again at 0",
    ),
    (
        "a4",
        """
def cached_gpt2(ids, wte, wpe, h, ln_f, *, n_head, cache):
    x = embed(ids, wte, wpe, cache["n_past"])
    for i, b in enumerate(h):
        normed = layer_norm(x, **b["ln_1"])
        x = x + cached_attention(normed, **b["attn"], n_head=n_head, cache=cache, layer=i)
        x = x + multilayer_perceptron(layer_norm(x, **b["ln_2"]), **b["mlp"])
    return unembed(x, wte, ln_f)
""",
        ["A text in pieces has the logits of the whole"],
        "n_past has to move on at the end",
    ),
    (
        "a4",
        """
def keep_top_k(logits, top_k):
    kept = np.full_like(logits, -np.inf)
    best = np.argsort(logits)[-top_k:]
    kept[best] = logits[best]
    return kept
""",
        ["The k likeliest, and what ties with the last of them"],
        "the same logit as the k-th",
    ),
    (
        "a4",
        """
def keep_top_p(logits, top_p):
    order = np.argsort(logits)[::-1]
    total = np.cumsum(softmax(logits)[order])
    kept = np.full_like(logits, -np.inf)
    kept[order[total < top_p]] = logits[order[total < top_p]]
    return kept
""",
        ["The fewest likely tokens that together reach p"],
        "The token with which the sum reaches top_p is kept",
    ),
    (
        "a4",
        """
def keep_top_p(logits, top_p):
    kept, total = np.full_like(logits, -np.inf), 0
    for i, p in enumerate(softmax(logits)):
        if total < top_p:
            kept[i] = logits[i]
        total += p
    return kept
""",
        ["The fewest likely tokens that together reach p"],
        "in the order of the ids; begin with the likeliest token",
    ),
    (
        "a4",
        """
def draw(logits, u):
    return int(np.searchsorted(np.cumsum(softmax(logits)), u))
""",
        ["Never a token of probability 0"],
        "At u = 0 you draw a forbidden token",
    ),
    (
        "a4",
        """
def draw(logits, u):
    order = np.argsort(logits)[::-1]
    total = np.cumsum(softmax(logits.astype(float))[order])
    return int(order[np.argmax(total > u * total[-1])])
""",
        ["Each token as often as its probability says"],
        "in the order of the ids, and not from the likeliest",
    ),
    (
        "a4",
        """
def choose_token(logits, u, *, temperature, top_k, top_p):
    if temperature == 0:
        return np.argmax(logits)
    if top_k:
        logits = keep_top_k(logits, top_k)
    if top_p:
        logits = keep_top_p(logits, top_p)
    return draw(logits / temperature, u)
""",
        ["Temperature, top-k, top-p, draw"],
        "The temperature comes first",
    ),
    (
        "a4",
        """
def choose_token(logits, u, *, temperature, top_k, top_p):
    logits = logits / temperature
    if top_k is not None:
        logits = keep_top_k(logits, top_k)
    if top_p is not None:
        logits = keep_top_p(logits, top_p)
    return draw(logits, u)
""",
        ["The likeliest token at temperature 0"],
        "nothing can be divided by it",
    ),
    (
        "a4",
        """
def generate(ids, n_new, read, choose):
    text = list(ids)
    for _ in range(n_new):
        text.append(choose(read(text)[-1]))
    return text[len(ids):]
""",
        ["Read, choose, and read what was chosen"],
        "pass only the new token",
    ),
    (
        "a4",
        """
def generate(ids, n_new, read, choose):
    new = []
    for _ in range(n_new):
        new.append(choose(read(ids)[0]))
        ids = new[-1:]
    return new
""",
        ["Read, choose, and read what was chosen"],
        "in the last one, not the first",
    ),
]
