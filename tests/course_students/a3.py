"""Assignment 3: see __init__.py."""

SOLUTION = """
import math
import numpy as np
from picogpt.ops import gelu, layer_norm, linear, softmax

def causal_mask(n_seq, n_past, dtype):
    mask = np.zeros((n_seq, n_past + n_seq), dtype=dtype)
    for i in range(n_seq):
        mask[i, n_past + i + 1:] = -np.inf
    return mask

def causal_attention(q, k, v):
    n, m = q.shape[-2], k.shape[-2]
    scores = np.matmul(q, np.moveaxis(k, -1, -2)) / math.sqrt(q.shape[-1])
    return np.matmul(softmax(scores + causal_mask(n, m - n, q.dtype)), v)

def split_heads(x, n_head):
    return np.stack(np.split(x, n_head, axis=-1), axis=-3)

def merge_heads(x):
    return np.concatenate([x[..., h, :, :] for h in range(x.shape[-3])], axis=-1)

def self_attention(x, c_attn, c_proj, *, n_head):
    e = x.shape[-1]
    qkv = x @ c_attn["w"] + c_attn["b"]
    q, k, v = qkv[..., :e], qkv[..., e:2 * e], qkv[..., 2 * e:]
    q, k, v = [split_heads(t, n_head) for t in (q, k, v)]
    return linear(merge_heads(causal_attention(q, k, v)), **c_proj)

def multilayer_perceptron(x, c_fc, c_proj):
    return linear(gelu(linear(x, **c_fc)), c_proj["w"], c_proj["b"])

def transformer_block(x, ln_1, attn, ln_2, mlp, *, n_head):
    a = x + self_attention(layer_norm(x, **ln_1), **attn, n_head=n_head)
    return a + multilayer_perceptron(layer_norm(a, **ln_2), **mlp)

def embed(ids, wte, wpe):
    ids = np.array(ids)
    if (ids < 0).any() or (ids >= len(wte)).any():
        raise ValueError("unknown id")
    n = ids.shape[-1]
    if n > len(wpe):
        raise ValueError("too long")
    return wte[ids] + wpe[np.arange(n)]

def gpt2(ids, wte, wpe, h, ln_f, *, n_head):
    x = embed(ids, wte, wpe)
    for block in h:
        x = transformer_block(x, n_head=n_head, **block)
    return np.einsum("...e,ve->...v", layer_norm(x, **ln_f), wte)
"""

MISTAKES = [
    (
        "a3",
        """
def causal_mask(n_seq, n_past, dtype):
    i = np.arange(n_seq)[:, None] + n_past
    j = np.arange(n_past + n_seq)[None, :]
    return np.where(j < i, 0.0, -np.inf).astype(dtype)
""",
        ["0 for what may be seen, minus infinity for the future"],
        "begins one column too early. Row 0 does not attend to column 0",
    ),
    (
        "a3",
        """
def causal_attention(q, k, v):
    scores = q @ k.swapaxes(-1, -2) / q.shape[-1] ** 0.5
    mask = np.triu(np.ones(scores.shape[-2:]), 2 + k.shape[-2] - q.shape[-2]) == 1
    return softmax(np.where(mask, -np.inf, scores).astype(q.dtype)) @ v
""",
        ["The mean of what each position may see, weighted"],
        "Row 0 attends to column 1, which comes later.",
    ),
    (
        "a3",
        """
def causal_attention(q, k, v):
    mask = causal_mask(q.shape[-2], k.shape[-2] - q.shape[-2], q.dtype)
    return softmax(q @ k.swapaxes(-1, -2) + mask) / math.sqrt(q.shape[-1]) @ v
""",
        ["The mean of what each position may see, weighted"],
        "The scale belongs before the softmax",
    ),
    (
        "a3",
        """
def causal_attention(q, k, v):
    mask = causal_mask(q.shape[-2], k.shape[-2] - q.shape[-2], q.dtype)
    return softmax(q @ k.swapaxes(-1, -2) / np.sqrt(q.shape[-1]) + mask) @ v
""",
        ["float32 in, float32 out"],
        "Something makes float64 of float32",
    ),
    (
        "a3",
        """
def split_heads(x, n_head):
    *batch, n, e = x.shape
    return x.reshape(*batch, n_head, n, e // n_head)
""",
        ["The heads side by side become an axis"],
        "A reshape alone mixes positions",
    ),
    (
        "a3",
        """
def self_attention(x, c_attn, c_proj, *, n_head):
    k, q, v = np.array_split(linear(x, **c_attn), 3, axis=-1)
    heads = [split_heads(t, n_head) for t in (q, k, v)]
    return linear(merge_heads(causal_attention(*heads)), **c_proj)
""",
        ["Queries, keys and values, heads, projection"],
        "queries first, then the keys",
    ),
    (
        "a3",
        """
def transformer_block(x, ln_1, attn, ln_2, mlp, *, n_head):
    x = layer_norm(x + self_attention(x, **attn, n_head=n_head), **ln_1)
    return layer_norm(x + multilayer_perceptron(x, **mlp), **ln_2)
""",
        ["Norm, attention, sum; norm, perceptron, sum"],
        "You normalise after each sum",
    ),
    (
        "a3",
        """
def embed(ids, wte, wpe):
    return wte[np.array(ids)] + wpe[:np.shape(ids)[-1]]
""",
        ["An id outside the vocabulary, or too many ids, is a ValueError"],
        "takes the id -1 from the end",
    ),
    (
        "a3",
        """
def gpt2(ids, wte, wpe, h, ln_f, *, n_head):
    x = embed(ids, wte, wpe)
    for block in h:
        x = transformer_block(x, **block, n_head=n_head)
    return x @ wte.T
""",
        ["From ids to logits"],
        "ln_f before the logits is missing",
    ),
]
