"""The mathematics, backward: the gradient of every function of the forward pass, by hand.

Everything here is one rule, the chain rule. If y = f(x) and dy says how the loss changes with
each number of y, then d_f(dy, ...) returns how it changes with each number of f's arguments: dx
has the shape of x. Above each gradient stands the line of the forward pass that it differentiates,
in its shortest form: word for word as in plain.py (the loss: ops.py). What the derivatives need
from the forward pass is taken from the activations that a tap has recorded. drop is the dropout
mask as a tap (tap.dropout_tap): it multiplies the gradient as it multiplied the activation. Without
dropout it is no_tap.

    loss, grads = loss_and_gradients(ids, targets, params, n_head=12)
    grads["h"][3]["attn"]["c_attn"]["w"]       # the shape of that parameter
"""

import math
from collections.abc import Callable

import numpy as np

from .config import unflatten
from .model import gpt2, merge_heads, split_heads
from .ops import cross_entropy, gelu, project, softmax
from .tap import Tap, dropout_tap, no_tap, under


def rows(x: np.ndarray) -> np.ndarray:
    """All leading dimensions as one: [..., n] -> [n_rows, n]."""
    return x.reshape(-1, x.shape[-1])


def sum_rows(x: np.ndarray) -> np.ndarray:
    """The gradient of what all rows share, the sum over the rows: [..., n] -> [n]."""
    return rows(x).sum(axis=0)


def d_gelu(dy: np.ndarray, x: np.ndarray) -> np.ndarray:
    """dy, x: [...] -> dx [...]"""
    # forward: return 0.5 * x * (1 + np.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x * x * x)))
    # that is y = x * p,  p = 0.5 * (1 + tanh(u)),  u = a * x + b * x^3
    # dy/dx = p + x p' = p (1 + x (1 - p) (2 a + 6 b x^2))
    a = math.sqrt(2.0 / math.pi)
    b = 0.044715 * a
    p = (np.tanh((x * x * b + a) * x) + 1.0) * 0.5
    # The product rule, with tanh' = 1 - tanh^2 = 4 p (1 - p):
    return dy * p * ((x * x * (6.0 * b) + 2.0 * a) * x * (1.0 - p) + 1.0)


def d_softmax(dy: np.ndarray, y: np.ndarray) -> np.ndarray:
    """dy, y: [..., n] -> dx [..., n], from the result y of the softmax alone."""
    # forward: return exp / exp.sum(axis=-1, keepdims=True)
    # y_i = exp(x_i) / sum_j exp(x_j): dy_i / dx_j is y_i * ((1 if i == j else 0) - y_j)
    return (dy - np.vecdot(dy, y)[..., None]) * y


def d_layer_norm(
    dy: np.ndarray, x: np.ndarray, g: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """dy, x: [..., n_embd] -> dx [..., n_embd], dg [n_embd], db [n_embd].

    Source: Ba et al. 2016, section 3, differentiated.
    """
    # forward: return (x - mean) / np.sqrt(variance + 1e-5) * g + b
    centered = x - x.mean(axis=-1, keepdims=True)
    std = np.sqrt(np.vecdot(centered, centered)[..., None] / x.shape[-1] + 1e-5)
    normed = centered / std
    dnormed = dy * g
    # The norm removes from x its mean and its length. A change of x along either is lost, so
    # the gradient loses its components along the constant vector and along normed itself.
    along = np.vecdot(dnormed, normed)[..., None] / x.shape[-1]
    dx = (dnormed - dnormed.mean(axis=-1, keepdims=True) - normed * along) / std
    return dx, sum_rows(dy * normed), sum_rows(dy)


def d_linear(
    dy: np.ndarray, x: np.ndarray, w: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """dy [..., n_out], x [..., n_in] -> dx [..., n_in], dw [n_in, n_out], db [n_out]."""
    # forward: return x @ w + b
    # All rows share w and b: their gradients are sums over the rows, which for w is a product.
    return project(dy, w.T), rows(x).T @ rows(dy), sum_rows(dy)


def d_causal_attention(
    dy: np.ndarray,
    q: np.ndarray,
    k: np.ndarray,
    v: np.ndarray,
    weights: np.ndarray,
    drop: Tap = no_tap,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """dy, q, k, v: [..., n_seq, n_head_dim] -> dq, dk, dv, of the same shape.

    weights: [..., n_seq, n_seq], the result of the softmax, before drop.
    """
    # forward: return weights @ v
    dweights = drop("weights", dy @ v.swapaxes(-1, -2))
    dv = drop("weights", weights).swapaxes(-1, -2) @ dy
    # forward: weights = softmax(np.where(visible, scores, -np.inf))
    # Where a score was masked the weight is 0, and so is the gradient.
    dscores = d_softmax(dweights, weights)
    # forward: scores = q @ k.T / math.sqrt(q.shape[-1])
    scale = 1.0 / math.sqrt(q.shape[-1])
    dq = dscores @ (k * scale)
    dk = dscores.swapaxes(-1, -2) @ (q * scale)
    return dq, dk, dv


def d_cross_entropy(logits: np.ndarray, targets: np.ndarray) -> np.ndarray:
    """logits [..., n_seq, n_vocab], targets [..., n_seq] -> dlogits [..., n_seq, n_vocab].

    What the model said minus what is true: each row is its probabilities with 1 subtracted at
    the target, divided by the number of targets, since the loss is a mean. It sums to 0.
    """
    # forward: return -float(token_logprobs(logits, targets).mean())
    # that is loss = mean(log(sum_j exp(logits_j)) - logits_target)
    dlogits = softmax(logits)
    targets = np.asarray(targets)
    rows(dlogits)[np.arange(targets.size), targets.reshape(-1)] -= 1.0
    dlogits *= 1.0 / targets.size
    return dlogits


def d_embed(
    dx: np.ndarray, ids: np.ndarray, wte: np.ndarray, wpe: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """dx [..., n_seq, n_embd], ids [..., n_seq] -> dwte [n_vocab, n_embd], dwpe [n_ctx, n_embd]."""
    # forward: x = wte[ids] + wpe[: len(ids)]
    # A row that is used several times gets the sum of all its gradients.
    dwte = np.zeros_like(wte)
    np.add.at(dwte, ids, dx)
    dwpe = np.zeros_like(wpe)
    dwpe[: dx.shape[-2]] = dx.reshape(-1, *dx.shape[-2:]).sum(axis=0)
    return dwte, dwpe


def d_self_attention(
    dy: np.ndarray,
    x: np.ndarray,
    seen: dict,
    c_attn: dict,
    c_proj: dict,
    *,
    n_head: int,
    drop: Tap = no_tap,
) -> tuple[np.ndarray, dict]:
    """dy, x: [..., n_seq, n_embd] -> dx of the same shape, and the gradients of the parameters.

    seen: the activations under "attn.".
    """
    # forward: return linear(merged, **c_proj)
    dmerged, dw, db = d_linear(drop("c_proj", dy), seen["merged"], c_proj["w"])
    dc_proj = {"w": dw, "b": db}
    # forward: merged = np.concatenate(heads, axis=-1)
    dheads = split_heads(dmerged, n_head)
    # forward: heads = [causal_attention(q[i], k[i], v[i]) for i in range(n_head)]
    dqkv = d_causal_attention(dheads, seen["q"], seen["k"], seen["v"], seen["weights"], drop)
    # forward: q, k, v = np.split(qkv, 3, axis=-1)
    dqkv = np.concatenate([merge_heads(d) for d in dqkv], axis=-1)
    # forward: qkv = linear(x, **c_attn)
    dx, dw, db = d_linear(dqkv, x, c_attn["w"])
    return dx, {"c_attn": {"w": dw, "b": db}, "c_proj": dc_proj}


def d_multilayer_perceptron(
    dy: np.ndarray,
    x: np.ndarray,
    seen: dict,
    c_fc: dict,
    c_proj: dict,
    act: Callable = gelu,
    *,
    drop: Tap = no_tap,
) -> tuple[np.ndarray, dict]:
    """dy, x: [..., n_embd] -> dx [..., n_embd], and the gradients of the parameters.

    seen: the activations under "mlp.". Raises ValueError unless the activation is GPT-2's gelu.
    """
    if act is not gelu:
        raise ValueError(f"there is no gradient of {act.__name__} here, only of GPT-2's own gelu")
    # forward: return linear(hidden, **c_proj)
    dhidden, dw, db = d_linear(drop("c_proj", dy), seen["gelu"], c_proj["w"])
    dc_proj = {"w": dw, "b": db}
    # forward: hidden = gelu(linear(x, **c_fc))
    dhidden = d_gelu(dhidden, seen["c_fc"])
    dx, dw, db = d_linear(dhidden, x, c_fc["w"])
    return dx, {"c_fc": {"w": dw, "b": db}, "c_proj": dc_proj}


def d_transformer_block(
    dy: np.ndarray,
    x: np.ndarray,
    seen: dict,
    ln_1: dict,
    attn: dict,
    ln_2: dict,
    mlp: dict,
    *,
    n_head: int,
    drop: Tap = no_tap,
) -> tuple[np.ndarray, dict]:
    """dy, x: [..., n_seq, n_embd] -> dx of the same shape, and the gradients of the parameters.

    seen: the activations of the block. At each sum the gradient goes both ways: unchanged along
    the residual stream, and through the branch; the two are added where the branch left the stream.
    """
    # forward: x = x + multilayer_perceptron(layer_norm(x, **ln_2), **mlp)
    dnormed, dmlp = d_multilayer_perceptron(
        dy, seen["ln_2"], seen["mlp"], **mlp, drop=under("mlp.", drop)
    )
    dmid, dg, db = d_layer_norm(dnormed, seen["resid_mid"], ln_2["g"])
    dln_2 = {"g": dg, "b": db}
    dmid += dy
    # forward: x = x + self_attention(layer_norm(x, **ln_1), **attn, n_head=n_head)
    dnormed, dattn = d_self_attention(
        dmid, seen["ln_1"], seen["attn"], **attn, n_head=n_head, drop=under("attn.", drop)
    )
    dx, dg, db = d_layer_norm(dnormed, x, ln_1["g"])
    dx += dmid
    return dx, {"ln_1": {"g": dg, "b": db}, "attn": dattn, "ln_2": dln_2, "mlp": dmlp}


def d_unembed(
    dlogits: np.ndarray, x: np.ndarray, normed: np.ndarray, head: np.ndarray, ln_f: dict
) -> tuple[np.ndarray, np.ndarray, dict]:
    """dlogits [..., n_vocab], x [..., n_embd] -> dx [..., n_embd], dhead [n_vocab, n_embd], dln_f.

    normed: the activation ln_f; head: wte, or a separate lm_head.
    """
    # forward: return x @ head.T
    dnormed = project(dlogits, head)
    dhead = rows(dlogits).T @ rows(normed)
    # forward: x = layer_norm(x, **ln_f)
    dx, dg, db = d_layer_norm(dnormed, x, ln_f["g"])
    return dx, dhead, {"g": dg, "b": db}


def d_gpt2(
    dlogits: np.ndarray, ids, activations: dict, params: dict, n_head: int, drop: Tap = no_tap
) -> dict:
    """dlogits [..., n_seq, n_vocab] -> the gradients of all parameters, a tree like params.

    activations: what a tap has recorded of gpt2(ids, **params, n_head=n_head), before drop.
    """
    seen = unflatten(activations)
    # The stream as it enters each block, and as it leaves the last one.
    streams = [drop("embed", seen["embed"]), *(block["resid"] for block in seen["h"])]
    head = params.get("lm_head", params["wte"])
    dx, dhead, dln_f = d_unembed(dlogits, streams[-1], seen["ln_f"], head, params["ln_f"])
    dh = []
    for i in reversed(range(len(params["h"]))):
        dx, dblock = d_transformer_block(
            dx, streams[i], seen["h"][i], **params["h"][i],
            n_head=n_head, drop=under(f"h.{i}.", drop),
        )  # fmt: skip
        dh.insert(0, dblock)
    dwte, dwpe = d_embed(drop("embed", dx), ids, params["wte"], params["wpe"])
    grads = {"wte": dwte, "wpe": dwpe, "h": dh, "ln_f": dln_f}
    if "lm_head" in params:
        return grads | {"lm_head": dhead}
    dwte += dhead  # the tied matrix serves at both ends
    return grads


# What the derivatives need from the forward pass. The rest, above all the scores, is two fifths of
# the memory, which can be reused at once.
SAVED = (
    *("embed", "ln_1", "attn.q", "attn.k", "attn.v", "attn.weights", "attn.merged"),
    *("resid_mid", "ln_2", "mlp.c_fc", "mlp.gelu", "resid", "ln_f"),
)


def loss_and_gradients(
    ids,
    targets,
    params: dict,
    n_head: int,
    *,
    dropout: float = 0.0,
    rng: np.random.Generator | None = None,
) -> tuple[float, dict]:
    """The mean cross-entropy of the targets, and its gradient for every parameter.

    ids, targets: [..., n_seq], where each target is the id that follows; the gradients are a new
    tree like params. dropout is the rate, and rng draws its masks. Raises ValueError for an id or
    target outside the vocabulary, and for more positions than n_ctx.
    """
    drop = dropout_tap(dropout, rng) if dropout else no_tap
    activations = {}

    def tap(name, x):
        if name.endswith(SAVED):
            activations[name] = x
        return drop(name, x)

    logits = gpt2(ids, **params, n_head=n_head, tap=tap)
    loss = cross_entropy(logits, targets)
    dlogits = d_cross_entropy(logits, targets)
    return loss, d_gpt2(dlogits, ids, activations, params, n_head, drop)
