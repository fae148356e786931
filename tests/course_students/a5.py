"""Assignment 5: see __init__.py."""

SOLUTION = """
import math
import numpy as np
from picogpt.config import unflatten
from picogpt.model import gpt2, merge_heads, split_heads
from picogpt.ops import cross_entropy, softmax
from picogpt.tap import record

def leading(x):
    return tuple(range(x.ndim - 1))

def d_linear(dy, x, w):
    dw = np.tensordot(x, dy, axes=(leading(x), leading(dy)))
    return np.einsum("...o,io->...i", dy, w), dw, dy.sum(axis=leading(dy))

def d_gelu(dy, x):
    k, c = 0.044715, math.sqrt(2 / math.pi)
    u = c * (x + k * x ** 3)
    du = c * (1 + 3 * k * x ** 2)
    sech2 = 1 / np.cosh(u) ** 2
    return dy * (0.5 * (1 + np.tanh(u)) + 0.5 * x * sech2 * du)

def d_softmax(dy, y):
    n = y.shape[-1]
    jacobian = y[..., :, None] * (np.eye(n, dtype=y.dtype) - y[..., None, :])
    return np.einsum("...i,...ij->...j", dy, jacobian)

def d_layer_norm(dy, x, g):
    # step by step: xc = x - mean, var = mean(xc^2), inv = (var + eps)^-0.5, normed = xc * inv
    n = x.shape[-1]
    xc = x - x.mean(-1, keepdims=True)
    var = (xc ** 2).mean(-1, keepdims=True)
    inv = (var + 1e-5) ** -0.5
    dn = dy * g
    dinv = (dn * xc).sum(-1, keepdims=True)
    dvar = dinv * -0.5 * inv ** 3
    dxc = dn * inv + dvar * 2 * xc / n
    dx = dxc - dxc.sum(-1, keepdims=True) / n
    return dx, (dy * xc * inv).sum(leading(dy)), dy.sum(leading(dy))

def d_cross_entropy(logits, targets):
    p = softmax(logits)
    out = p - (np.arange(p.shape[-1]) == np.asarray(targets)[..., None])
    return (out / np.asarray(targets).size).astype(logits.dtype)

def d_embed(dx, ids, wte, wpe):
    dwte, dwpe = np.zeros(wte.shape, wte.dtype), np.zeros(wpe.shape, wpe.dtype)
    for place in np.ndindex(np.shape(ids)):
        dwte[ids[place]] += dx[place]
        dwpe[place[-1]] += dx[place]
    return dwte, dwpe

def d_causal_attention(dy, q, k, v, weights):
    dv = np.einsum("...ij,...id->...jd", weights, dy)
    ds = d_softmax(np.einsum("...id,...jd->...ij", dy, v), weights)
    ds = ds / math.sqrt(q.shape[-1])
    return np.einsum("...ij,...jd->...id", ds, k), np.einsum("...ij,...id->...jd", ds, q), dv

def layer(dy, x, w):
    dx, dw, db = d_linear(dy, x, w)
    return dx, {"w": dw, "b": db}

def d_self_attention(dy, x, seen, c_attn, c_proj, *, n_head):
    dmerged, g_proj = layer(dy, seen["merged"], c_proj["w"])
    dh = split_heads(dmerged, n_head)
    three = d_causal_attention(dh, seen["q"], seen["k"], seen["v"], seen["weights"])
    dx, g_attn = layer(np.concatenate([merge_heads(d) for d in three], axis=-1), x, c_attn["w"])
    return dx, {"c_proj": g_proj, "c_attn": g_attn}

def d_multilayer_perceptron(dy, x, seen, c_fc, c_proj):
    d, g_proj = layer(dy, seen["gelu"], c_proj["w"])
    dx, g_fc = layer(d_gelu(d, seen["c_fc"]), x, c_fc["w"])
    return dx, dict(c_fc=g_fc, c_proj=g_proj)

def norm(dy, x, ln):
    dx, dg, db = d_layer_norm(dy, x, ln["g"])
    return dx, dict(g=dg, b=db)

def d_transformer_block(dy, x, seen, ln_1, attn, ln_2, mlp, *, n_head):
    grads = {}
    d, grads["mlp"] = d_multilayer_perceptron(dy, seen["ln_2"], seen["mlp"], **mlp)
    d, grads["ln_2"] = norm(d, seen["resid_mid"], ln_2)
    dmid = dy + d
    d, grads["attn"] = d_self_attention(dmid, seen["ln_1"], seen["attn"], **attn, n_head=n_head)
    d, grads["ln_1"] = norm(d, x, ln_1)
    return dmid + d, grads

def loss_and_gradients(ids, targets, params, n_head):
    acts = {}
    logits = gpt2(ids, **params, n_head=n_head, tap=record(acts))
    acts = unflatten(acts)
    wte, h = params["wte"], params["h"]
    loss = cross_entropy(logits, targets)
    dlogits = d_cross_entropy(logits, targets)
    d, dwte, _ = d_linear(dlogits, acts["ln_f"], wte.T)
    d, dln_f = norm(d, acts["h"][-1]["resid"], params["ln_f"])
    grads = {"ln_f": dln_f, "h": [None] * len(h)}
    for i in range(len(h) - 1, -1, -1):
        x = acts["h"][i - 1]["resid"] if i else acts["embed"]
        d, grads["h"][i] = d_transformer_block(d, x, acts["h"][i], **h[i], n_head=n_head)
    first, grads["wpe"] = d_embed(d, ids, wte, params["wpe"])
    grads["wte"] = first + dwte.T
    return loss, grads

def clip_gradients(grads, max_norm):
    everything = np.concatenate([g.ravel() for g in grads.values()])
    norm = np.linalg.norm(everything)
    for path in grads:
        grads[path][...] = grads[path] * min(1, max_norm / norm)
    return float(norm)

def learning_rate(step, *, steps, warmup, peak, least):
    if step < warmup:
        return (step + 1) / (warmup + 1) * peak
    angle = math.pi * (step - warmup) / (steps - warmup)
    return least + (peak - least) * math.cos(angle / 2) ** 2

def adamw(params, grads, moments, step, *, lr, betas=(0.9, 0.95), eps=1e-8, weight_decay=0.1):
    b1, b2 = betas
    for name in params:
        p, g = params[name], grads[name]
        moments["m"][name][...] = b1 * moments["m"][name] + (1 - b1) * g
        moments["v"][name][...] = b2 * moments["v"][name] + (1 - b2) * g * g
        m_hat = moments["m"][name] / (1 - b1 ** step)
        v_hat = moments["v"][name] / (1 - b2 ** step)
        update = m_hat / (np.sqrt(v_hat) + eps)
        if p.ndim > 1:
            update = update + weight_decay * p
        p -= lr * update
"""

MISTAKES = [
    (
        "a5",
        """
def d_linear(dy, x, w):
    rows_x, rows_dy = x.reshape(-1, x.shape[-1]), dy.reshape(-1, dy.shape[-1])
    return dy @ w.T, rows_x.T @ rows_dy, dy
""",
        ["x, w and b, where all rows share w and b"],
        "its gradient is the sum of the rows of dy",
    ),
    (
        "a5",
        """
def d_gelu(dy, x):
    from math import erf
    def slope(t):
        density = math.exp(-t * t / 2) / math.sqrt(2 * math.pi)
        return 0.5 * (1 + erf(t / math.sqrt(2))) + t * density
    return dy * np.array([slope(t) for t in x.ravel().tolist()], x.dtype).reshape(x.shape)
""",
        ["Product rule and chain rule"],
        "GPT-2 has the tanh form",
    ),
    (
        "a5",
        """
def d_softmax(dy, y):
    return y * dy
""",
        ["Each row's numbers share a sum"],
        "the row's sum of dy * y, is still to be subtracted",
    ),
    (
        "a5",
        """
def d_layer_norm(dy, x, g):
    inv = 1 / np.sqrt(x.var(-1, keepdims=True) + 1e-5)
    normed = (x - x.mean(-1, keepdims=True)) * inv
    return dy * g * inv, (dy * normed).sum(leading(dy)), dy.sum(leading(dy))
""",
        ["x, through the mean and the variance too; gain and bias"],
        "as if they were constants",
    ),
    (
        "a5",
        """
def d_layer_norm(dy, x, g):
    inv = 1 / np.sqrt(x.var(-1, keepdims=True) + 1e-5)
    normed = (x - x.mean(-1, keepdims=True)) * inv
    d = dy * g
    dx = d - d.mean(-1, keepdims=True) - normed * (d * normed).mean(-1, keepdims=True)
    return dx * inv, np.sum(dy * normed, axis=0), np.sum(dy, axis=0)
""",
        ["x, through the mean and the variance too; gain and bias"],
        "and not over the first alone",
    ),
    (
        "a5",
        """
def d_cross_entropy(logits, targets):
    d = softmax(logits).reshape(-1, logits.shape[-1])
    for i, t in enumerate(targets.ravel()):
        d[i, t] -= 1
    return d.reshape(logits.shape)
""",
        ["What the model said minus what is true"],
        "divided by the number of targets",
    ),
    (
        "a5",
        """
def d_embed(dx, ids, wte, wpe):
    dwte, dwpe = np.zeros_like(wte), np.zeros_like(wpe)
    dwte[ids] = dwte[ids] + dx
    dwpe[:ids.shape[-1]] += dx.sum(axis=tuple(range(ids.ndim - 1)))
    return dwte, dwpe
""",
        ["Rows that are used in several places"],
        "np.add.at",
    ),
    (
        "a5",
        """
def d_causal_attention(dy, q, k, v, weights):
    ds = d_softmax(dy @ v.swapaxes(-1, -2), weights)
    return ds @ k, ds.swapaxes(-1, -2) @ q, weights.swapaxes(-1, -2) @ dy
""",
        ["Queries, keys and values"],
        "the scale is missing",
    ),
    (
        "a5",
        """
def d_transformer_block(dy, x, seen, ln_1, attn, ln_2, mlp, *, n_head):
    d, g_mlp = d_multilayer_perceptron(dy, seen["ln_2"], seen["mlp"], **mlp)
    d, g_2 = norm(d, seen["resid_mid"], ln_2)
    d, g_attn = d_self_attention(d + dy, seen["ln_1"], seen["attn"], **attn, n_head=n_head)
    d, g_1 = norm(d, x, ln_1)
    return d, {"ln_1": g_1, "attn": g_attn, "ln_2": g_2, "mlp": g_mlp}
""",
        ["Both branches, and the stream past them"],
        "At the sum after attention the gradient goes both ways",
    ),
    (
        "a5",
        """
def clip_gradients(grads, max_norm):
    norms = {path: np.linalg.norm(g) for path, g in grads.items()}
    for path, g in grads.items():
        if norms[path] > max_norm:
            g *= max_norm / norms[path]
    return float(np.sqrt(sum(n ** 2 for n in norms.values())))
""",
        ["All together, down and not up; the length before"],
        "one length and one factor",
    ),
    (
        "a5",
        """
def adamw(params, grads, moments, step, *, lr, betas=(0.9, 0.95), eps=1e-8, weight_decay=0.1):
    b1, b2 = betas
    for name, p in params.items():
        g, m, v = grads[name], moments["m"][name], moments["v"][name]
        m += (1 - b1) * (g - m)
        v += (1 - b2) * (g * g - v)
        p *= 1 - lr * weight_decay
        p -= lr * m / (np.sqrt(v) + eps)
""",
        ["Several steps, without decay", "Matrices shrink, vectors do not"],
        "divide them by 1 - beta**step",
    ),
    (
        "a5",
        """
def adamw(params, grads, moments, step, *, lr, betas=(0.9, 0.95), eps=1e-8, weight_decay=0.1):
    for name in params:
        g = grads[name] + (weight_decay * params[name] if params[name].ndim == 2 else 0)
        m, v = moments["m"][name], moments["v"][name]
        m[:] = betas[0] * m + (1 - betas[0]) * g
        v[:] = betas[1] * v + (1 - betas[1]) * g * g
        m, v = m / (1 - betas[0] ** step), v / (1 - betas[1] ** step)
        params[name] -= lr * m / (np.sqrt(v) + eps)
""",
        ["Matrices shrink, vectors do not"],
        "AdamW shrinks the weight itself",
    ),
    (
        "a5",
        """
def adamw(params, grads, moments, step, *, lr, betas=(0.9, 0.95), eps=1e-8, weight_decay=0.1):
    for name in params:
        g, m, v = grads[name], moments["m"][name], moments["v"][name]
        m[:] = betas[0] * m + (1 - betas[0]) * g
        v[:] = betas[1] * v + (1 - betas[1]) * g * g
        m_hat, v_hat = m / (1 - betas[0] ** step), v / (1 - betas[1] ** step)
        decay = weight_decay * params[name] * (params[name].ndim == 2)
        params[name] = params[name] - lr * (m_hat / (np.sqrt(v_hat) + eps) + decay)
""",
        ["Several steps, without decay"],
        "one that is put into the dict is not the model's",
    ),
]
