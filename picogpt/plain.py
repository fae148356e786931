"""GPT-2, the whole of it, as short as it can be.

This file is the specification: everything that picogpt computes in a faster way, in batches, with
a cache or with a look inside, must agree with it. It takes a tree of parameters under the names of
OpenAI's checkpoint (see config.py), and ids [n_seq], the numbers of the tokens of one text:

    ids = model.tokenizer.encode("The capital of France is")
    logits = gpt2(ids, **model.params, n_head=model.config.n_head)
    text = model.tokenizer.decode(generate(ids, 10, model.params, model.config.n_head))

Source: Radford et al. 2019, section 2.3; openai/gpt-2 model.py.
"""

import math

import numpy as np


def gelu(x):
    return 0.5 * x * (1 + np.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x * x * x)))


def softmax(x):
    exp = np.exp(x - x.max(axis=-1, keepdims=True))  # minus the maximum, or exp would overflow
    return exp / exp.sum(axis=-1, keepdims=True)


def layer_norm(x, g, b):
    mean = x.mean(axis=-1, keepdims=True)
    variance = x.var(axis=-1, keepdims=True)
    return (x - mean) / np.sqrt(variance + 1e-5) * g + b


def linear(x, w, b):
    return x @ w + b  # [n_seq, n_in] -> [n_seq, n_out]


def causal_attention(q, k, v):
    scores = q @ k.T / math.sqrt(q.shape[-1])  # [n_seq, n_head_dim] -> [n_seq, n_seq]
    visible = np.tri(len(q), dtype=bool)  # row i, the query of position i, sees columns 0 to i
    weights = softmax(np.where(visible, scores, -np.inf))
    return weights @ v  # [n_seq, n_seq] -> [n_seq, n_head_dim]


def self_attention(x, c_attn, c_proj, n_head):
    qkv = linear(x, **c_attn)  # [n_seq, n_embd] -> [n_seq, 3 * n_embd]
    q, k, v = np.split(qkv, 3, axis=-1)  # each [n_seq, n_embd]
    q, k, v = (np.split(y, n_head, axis=-1) for y in (q, k, v))  # each n_head x [n_seq, n_head_dim]
    heads = [causal_attention(q[i], k[i], v[i]) for i in range(n_head)]
    merged = np.concatenate(heads, axis=-1)  # [n_seq, n_embd]
    return linear(merged, **c_proj)


def multilayer_perceptron(x, c_fc, c_proj):
    hidden = gelu(linear(x, **c_fc))  # [n_seq, n_embd] -> [n_seq, 4 * n_embd]
    return linear(hidden, **c_proj)  # -> [n_seq, n_embd]


def transformer_block(x, ln_1, attn, ln_2, mlp, n_head):
    x = x + self_attention(layer_norm(x, **ln_1), **attn, n_head=n_head)
    x = x + multilayer_perceptron(layer_norm(x, **ln_2), **mlp)
    return x


def gpt2(ids, wte, wpe, h, ln_f, lm_head=None, *, n_head):
    x = wte[ids] + wpe[: len(ids)]  # [n_seq] -> [n_seq, n_embd]
    for block in h:
        x = transformer_block(x, **block, n_head=n_head)
    x = layer_norm(x, **ln_f)
    head = wte if lm_head is None else lm_head
    return x @ head.T  # -> [n_seq, n_vocab]


def generate(ids, max_new_tokens, params, n_head):
    ids = list(ids)
    for _ in range(max_new_tokens):
        logits = gpt2(ids, **params, n_head=n_head)  # everything anew, for one more token
        ids.append(int(logits[-1].argmax()))
    return ids
