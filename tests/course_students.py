"""Hand-ins as people write them: not in the library's way, and not the known mistakes' way."""

# assignment -> a whole solution
SOLUTIONS = {
    "a2": """
import numpy as np
from math import sqrt, pi

EPS = 1e-5

def gelu(x):
    inner = sqrt(2 / pi) * (x + 0.044715 * x ** 3)
    return 0.5 * x * (1 + np.tanh(inner))

def softmax(x):
    shifted = x - np.max(x, axis=-1, keepdims=True)
    return np.exp(shifted) / np.sum(np.exp(shifted), axis=-1, keepdims=True)

def layer_norm(x, g, b):
    mean = np.mean(x, -1, keepdims=True)
    std = np.sqrt(np.var(x, -1, keepdims=True) + EPS)
    return g * (x - mean) / std + b

def linear(x, w, b):
    return np.einsum("...i,io->...o", x, w) + b

def check_targets(targets, n):
    for t in np.ravel(targets):
        if not 0 <= t < n:
            raise ValueError("no such target: %d" % t)

def cross_entropy(logits, targets):
    check_targets(targets, logits.shape[-1])
    losses = []
    for row, target in zip(logits.reshape(-1, logits.shape[-1]), np.ravel(targets)):
        top = row.max()
        losses.append(top + np.log(np.exp(row - top).sum()) - row[target])
    return np.mean(losses)
""",
    "a1": """
from functools import cache
from picogpt.bpe.pretokenize import split

@cache
def byte_alphabet():
    keep = list(range(ord("!"), ord("~") + 1)) + list(range(161, 173)) + list(range(174, 256))
    table, n = {}, 0
    for b in range(256):
        if b in keep:
            table[b] = chr(b)
        else:
            table[b] = chr(256 + n)
            n += 1
    return "".join(table[b] for b in range(256))

def to_symbols(word):
    return "".join([byte_alphabet()[b] for b in word.encode("utf-8")])

def to_bytes(symbols):
    return bytes(byte_alphabet().index(c) for c in symbols)

def merge_word(symbols, ranks):
    # all places of the best pair at once, as OpenAI does
    word = tuple(symbols)
    while True:
        pairs = [p for p in zip(word, word[1:]) if p in ranks]
        if not pairs:
            return list(word)
        first, second = min(pairs, key=ranks.get)
        new, i = [], 0
        while i < len(word):
            if i + 1 < len(word) and word[i] == first and word[i + 1] == second:
                new.append(first + second)
                i += 2
            else:
                new.append(word[i])
                i += 1
        word = tuple(new)

def encode(text, encoder, ranks):
    ids = []
    for word in split(text):
        ids += [encoder[t] for t in merge_word(list(to_symbols(word)), ranks)]
    return ids

def decode(ids, encoder):
    decoder = {v: k for k, v in encoder.items()}
    data = b""
    for i in ids:
        try:
            data += to_bytes(decoder[i])
        except KeyError:
            raise ValueError(f"unknown id {i}")
    return data.decode("utf-8", "replace")

def learn(words, n_merges):
    split_words = {w: list(w) for w in words}
    age = {c: i for i, c in enumerate(sorted(byte_alphabet()))}
    merges = []
    for step in range(n_merges):
        counts = {}
        for w, symbols in split_words.items():
            for a, b in zip(symbols, symbols[1:]):
                counts[a, b] = counts.get((a, b), 0) + words[w]
        if len(counts) == 0:
            break
        top = max(counts.values())
        best = sorted((age[a], age[b], a, b) for (a, b), n in counts.items() if n == top)[0]
        a, b = best[2:]
        merges.append((a, b))
        age[a + b] = len(age)
        for w in split_words:
            split_words[w] = merge_word(split_words[w], {(a, b): 0})
    return merges
""",
    "a3": """
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

def feed_forward(x, c_fc, c_proj):
    return linear(gelu(linear(x, **c_fc)), c_proj["w"], c_proj["b"])

def transformer_block(x, ln_1, attn, ln_2, mlp, *, n_head):
    a = x + self_attention(layer_norm(x, **ln_1), **attn, n_head=n_head)
    return a + feed_forward(layer_norm(a, **ln_2), **mlp)

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
""",
    "a4": """
from collections.abc import Callable
import numpy as np
from picogpt.model import embed, feed_forward, merge_heads, split_heads, unembed
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
        x = feed_forward(layer_norm(x, **b["ln_2"]), **b["mlp"]) + x
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
    logits, new = read(ids), []
    while True:
        new.append(choose(logits[-1]))
        if len(new) == n_new:
            return new
        logits = read(new[-1:])
""",
    "a5": """
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

def d_feed_forward(dy, x, seen, c_fc, c_proj):
    d, g_proj = layer(dy, seen["gelu"], c_proj["w"])
    dx, g_fc = layer(d_gelu(d, seen["c_fc"]), x, c_fc["w"])
    return dx, dict(c_fc=g_fc, c_proj=g_proj)

def norm(dy, x, ln):
    dx, dg, db = d_layer_norm(dy, x, ln["g"])
    return dx, dict(g=dg, b=db)

def d_transformer_block(dy, x, seen, ln_1, attn, ln_2, mlp, *, n_head):
    grads = {}
    d, grads["mlp"] = d_feed_forward(dy, seen["ln_2"], seen["mlp"], **mlp)
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
    dlogits = d_cross_entropy(logits, targets)
    d, dwte, _ = d_linear(dlogits, acts["ln_f"], wte.T)
    d, dln_f = norm(d, acts["h"][-1]["resid"], params["ln_f"])
    grads = {"ln_f": dln_f, "h": [None] * len(h)}
    for i in range(len(h) - 1, -1, -1):
        x = acts["h"][i - 1]["resid"] if i else acts["embed"]
        d, grads["h"][i] = d_transformer_block(d, x, acts["h"][i], **h[i], n_head=n_head)
    first, grads["wpe"] = d_embed(d, ids, wte, params["wpe"])
    grads["wte"] = first + dwte.T
    return cross_entropy(logits, targets), grads

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
""",
    "a6": """
import math
import struct
from functools import cache
import numpy as np
from picogpt.weights.sstable import Handle

MAGIC = bytes.fromhex("57fb808b247547db")

class Damaged(ValueError):
    pass

def need(condition, what):
    if not condition:
        raise Damaged(what)

def read_varint(data, at):
    groups = []
    while not groups or data[at - 1] >= 128:
        need(at < len(data) and len(groups) < 10, "varint")
        groups.append(data[at] % 128)
        at += 1
    number = 0
    for group in reversed(groups):
        number = number * 128 + group
    return number, at

@cache
def crc_table():
    table = list(range(256))
    for _ in range(8):
        table = [c // 2 ^ (c % 2) * 0x82F63B78 for c in table]
    return table

def crc32c(data):
    c = 0xFFFFFFFF
    for b in bytes(data):
        c = crc_table()[(c ^ b) % 256] ^ (c // 256)
    return 0xFFFFFFFF - c

def mask(crc):
    bits = f"{crc:032b}"
    return (int(bits[-15:] + bits[:-15], 2) + 0xA282EAD8) % 2**32

def read_handle(data, at):
    offset, at = read_varint(data, at)
    size, at = read_varint(data, at)
    return Handle(size=size, offset=offset), at

def read_footer(file):
    need(len(file) >= 48 and file.endswith(MAGIC), "footer")
    first, at = read_handle(file, len(file) - 48)
    return first, read_handle(file, at)[0]

def read_block(file, handle):
    offset, size = handle
    block = file[offset:offset + size + 5]
    need(len(block) == size + 5, "short")
    need(struct.unpack("<I", block[-4:])[0] == mask(crc32c(block[:-4])), "checksum")
    need(block[-5] == 0, "compressed")
    return block[:-5]

def block_entries(contents):
    need(len(contents) >= 4, "no restarts")
    n = struct.unpack("<I", contents[-4:])[0]
    end = len(contents) - 4 * (n + 1)
    need(end >= 0, "restarts")
    return list(entries(contents[:end]))

def entries(body):
    at, key = 0, b""
    while at != len(body):
        shared, at = read_varint(body, at)
        rest, at = read_varint(body, at)
        n, at = read_varint(body, at)
        need(shared <= len(key) and at + rest + n <= len(body), "lengths")
        key = key[:shared] + body[at:at + rest]
        at += rest + n
        yield key, body[at - n:at]

def read_table(file):
    _, index = read_footer(file)
    handles = [read_handle(value, 0)[0] for _, value in block_entries(read_block(file, index))]
    return {k: v for h in handles for k, v in block_entries(read_block(file, h))}

def read_message(data):
    fields, at = {}, 0
    while at < len(data):
        tag, at = read_varint(data, at)
        number, kind = divmod(tag, 8)
        need(kind in (0, 1, 2, 5), "wire type")
        if kind == 0:
            value, at = read_varint(data, at)
        else:
            n, at = read_varint(data, at) if kind == 2 else ({1: 8, 5: 4}[kind], at)
            need(n <= len(data) - at, "field")
            value, at = data[at:at + n], at + n
        if kind in (1, 5):
            value = struct.unpack("<Q" if kind == 1 else "<I", value)[0]
        fields[number] = fields.get(number, []) + [value]
    return fields

def read_entry(data):
    m = read_message(data)
    def number(i):
        return m[i][0] if i in m else 0
    dims = read_message(m[2][0]).get(2, []) if 2 in m else []
    shape = tuple(sum(read_message(dim).get(1, [])) for dim in dims)
    return dict(
        dtype=number(1), shape=shape, offset=number(4), size=number(5), crc32c=number(6)
    )

def read_tensor(entry, data):
    begin, size = entry["offset"], entry["size"]
    need(entry["dtype"] == 1 and size == 4 * math.prod(entry["shape"]), "type or size")
    need(mask(crc32c(data[begin:begin + size])) == entry["crc32c"], "checksum")
    return np.ndarray(entry["shape"], "<f4", data, begin)

def read_bundle(index, data):
    tensors = {}
    for key, message in read_table(index).items():
        if key != b"":
            tensors[str(key, "utf-8")] = read_tensor(read_entry(message), data)
    return tensors

def parameter_tree(tensors):
    tree = {}
    for name, x in tensors.items():
        *path, last = name.split("/")[1:]
        branch = tree
        for key in path:
            branch = branch.setdefault(key, {})
        branch[last] = x.reshape(x.shape[1:]) if last == "w" else x
    n = sum(key.startswith("h") for key in tree)
    tree["h"] = [tree.pop(f"h{i}") for i in range(n)]
    return tree
""",
}

# The same hands, where a variant asks for something else
SOLUTIONS["a6-half"] = (
    SOLUTIONS["a6"]
    + """
def read_widened(entry, data):
    n, begin = math.prod(entry["shape"]), entry["offset"]
    need(entry["dtype"] in (1, 14, 19), "type")
    need(entry["size"] == n * (4 if entry["dtype"] == 1 else 2), "size")
    need(mask(crc32c(data[begin:begin + entry["size"]])) == entry["crc32c"], "checksum")
    if entry["dtype"] == 1:
        x = np.frombuffer(data, "<f4", n, begin)
    elif entry["dtype"] == 19:
        x = np.array(struct.unpack_from(f"<{n}e", data, begin), np.float32)
    else:
        x = np.zeros((n, 2), "<u2")
        x[:, 1] = struct.unpack_from(f"<{n}H", data, begin)
        x = x.view("<f4")
    return x.reshape(entry["shape"])

def read_widened_bundle(index, data):
    table = read_table(index)
    return {key.decode(): read_widened(read_entry(table[key]), data) for key in table if key}
"""
)
SOLUTIONS["a6-shards"] = (
    SOLUTIONS["a6"]
    + """
def read_shard_entry(data):
    return read_entry(data) | {"shard_id": read_message(data).get(3, [0])[-1]}

def read_shards(index, shards):
    tensors = {}
    for key, message in read_table(index).items():
        if key == b"":
            need(read_message(message).get(1, [0]) == [len(shards)], "number of files")
            continue
        entry = read_shard_entry(message)
        need(entry["shard_id"] < len(shards), "no such file")
        tensors[key.decode()] = read_tensor(entry, shards[entry["shard_id"]])
    return tensors
"""
)

# assignment, what is written instead, the title of the question that it costs, part of the hint
MISTAKES = [
    (
        "a2",
        """
def gelu(x):
    from math import erf
    numbers = [0.5 * t * (1 + erf(t / 2 ** 0.5)) for t in x.ravel()]
    return np.array(numbers, x.dtype).reshape(x.shape)
""",
        ["The tanh form"],
        "with the error function",
    ),
    (
        "a2",
        """
def gelu(x):
    c = np.float64(0.7978845608028654)
    return x / 2 * (1 + np.tanh(c * (x + 0.044715 * x * x * x)))
""",
        ["float32 in, float32 out"],
        "math.sqrt does not",
    ),
    (
        "a2",
        """
def softmax(x):
    return np.exp(x) / np.exp(x).sum(-1, keepdims=True)
""",
        ["Large numbers do not overflow"],
        "subtract each row's maximum",
    ),
    (
        "a2",
        """
def softmax(x):
    x -= x.max(-1, keepdims=True)
    return np.exp(x) / np.exp(x).sum(-1, keepdims=True)
""",
        ["Each row sums to 1", "Large numbers do not overflow"],
        "writes into the caller's array",
    ),
    (
        "a2",
        """
def layer_norm(x, g, b):
    n = x.shape[-1]
    m = x.sum(-1, keepdims=True) / n
    v = ((x - m) ** 2).sum(-1, keepdims=True) / (n - 1)
    return g * (x - m) * (v + EPS) ** -0.5 + b
""",
        ["Mean 0, variance 1, then gain and bias"],
        "divides by n - 1",
    ),
    (
        "a2",
        """
def layer_norm(x, g, b):
    return g * (x - x.mean(-1, keepdims=True)) / (EPS + x.std(-1, keepdims=True)) + b
""",
        ["Mean 0, variance 1, then gain and bias"],
        "outside the root",
    ),
    (
        "a2",
        """
def linear(x, w, b):
    return x @ w.transpose() + b
""",
        ["x @ w + b"],
        "no transpose",
    ),
    (
        "a2",
        """
def cross_entropy(logits, targets):
    check_targets(targets, logits.shape[-1])
    p = np.exp(logits) / np.exp(logits).sum(-1, keepdims=True)
    onehot = np.eye(logits.shape[-1])[targets]
    return -(onehot * np.log(p)).mean()
""",
        ["The mean of -log(softmax(logits)[target])", "Finite for a target of probability 0"],
        "you divide by n_vocab too",
    ),
    (
        "a2",
        """
def cross_entropy(logits, targets):
    lse = np.log(np.exp(logits - logits.max(-1, keepdims=True)).sum(-1)) + logits.max(-1)
    return (lse - np.take_along_axis(logits, targets[..., None], -1)[..., 0]).mean()
""",
        ["A target outside the vocabulary is a ValueError"],
        "takes the index -1 from the end",
    ),
    (
        "a1",
        """
def byte_alphabet():
    printable = [*range(33, 127), *range(161, 256)]
    rest = [b for b in range(256) if b not in printable]
    return "".join(chr(b) if b in printable else chr(256 + rest.index(b)) for b in range(256))
""",
        ["A printable character for each of 256 bytes"],
        "soft hyphen",
    ),
    (
        "a1",
        """
def to_symbols(word):
    return "".join(byte_alphabet()[ord(c)] for c in word)
""",
        ["A symbol for each byte of a word"],
        "",
    ),
    (
        "a1",
        """
def merge_word(symbols, ranks):
    out = []
    for s in symbols:
        out.append(s)
        while len(out) > 1 and (out[-2], out[-1]) in ranks:
            out[-2:] = [out[-2] + out[-1]]
    return out
""",
        ["The lowest rank first, until no pair has one"],
        "",
    ),
    (
        "a1",
        """
def merge_word(symbols, ranks):
    symbols, i = list(symbols), 0
    while i < len(symbols) - 1:
        if (symbols[i], symbols[i + 1]) in ranks:
            symbols[i:i + 2] = [symbols[i] + symbols[i + 1]]
            i = 0
        else:
            i += 1
    return symbols
""",
        ["The lowest rank first, until no pair has one"],
        "join the leftmost pair that has a rank",
    ),
    (
        "a1",
        """
def encode(text, encoder, ranks):
    return [encoder[t] for t in merge_word(list(to_symbols(text)), ranks)]
""",
        ["Text to ids"],
        "split the text first",
    ),
    (
        "a1",
        """
def decode(ids, encoder):
    decoder = {v: k for k, v in encoder.items()}
    text = ""
    for i in ids:
        if i not in decoder:
            raise ValueError(i)
        text += to_bytes(decoder[i]).decode("utf-8", errors="replace")
    return text
""",
        ["Ids to text"],
        "join the bytes of all",
    ),
    (
        "a1",
        """
def decode(ids, encoder):
    decoder = {v: k for k, v in encoder.items()}
    return to_bytes("".join([decoder[i] for i in ids])).decode(errors="replace")
""",
        ["An id that no token has is a ValueError"],
        "a dict raises a KeyError",
    ),
    (
        "a1",
        """
def learn(words, n_merges):
    merges = []
    parts = {w: list(w) for w in words}
    while len(merges) < n_merges:
        counts = {}
        for w in words:
            for pair in zip(parts[w], parts[w][1:]):
                counts[pair] = counts.get(pair, 0) + words[w]
        if not counts:
            return merges
        best = max(counts, key=lambda p: counts[p])
        merges.append(best)
        parts = {w: merge_word(parts[w], {best: 0}) for w in words}
    return merges
""",
        ["The most frequent pair, again and again"],
        "compare their ages",
    ),
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
        "np.sqrt(n_head_dim) is a NumPy float64",
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
    return layer_norm(x + feed_forward(x, **mlp), **ln_2)
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
        x = x + feed_forward(layer_norm(x, **b["ln_2"]), **b["mlp"])
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
        x = x + feed_forward(layer_norm(x, **b["ln_2"]), **b["mlp"])
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
        "it belongs to the second",
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
    d, g_mlp = d_feed_forward(dy, seen["ln_2"], seen["mlp"], **mlp)
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
        m = moments["m"][name] = betas[0] * moments["m"][name] + (1 - betas[0]) * g
        v = moments["v"][name] = betas[1] * moments["v"][name] + (1 - betas[1]) * g * g
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
    (
        "a6",
        """
def read_varint(data, at):
    number = 0
    for length in range(1, 11):
        if at + length > len(data):
            raise Damaged("varint")
        byte = data[at + length - 1]
        number = number << 7 | byte & 127
        if byte < 128:
            return number, at + length
    raise Damaged("varint")
""",
        ["Seven bits from each byte, and the position after the last one"],
        "The first byte holds the lowest seven bits",
    ),
    (
        "a6",
        """
def read_varint(data, at):
    number, shift = 0, 0
    while True:
        byte = data[at]
        number |= (byte & 127) << shift
        at, shift = at + 1, shift + 7
        if byte < 128:
            return number, at
""",
        ["A varint that is cut off or too long is a ValueError"],
        "an IndexError is raised: it has to be a ValueError",
    ),
    (
        "a6",
        """
def crc32c(data):
    import zlib
    return zlib.crc32(data)
""",
        ["Eight steps for each byte"],
        "zlib's CRC-32",
    ),
    (
        "a6",
        """
def crc32c(data):
    c = 0xFFFFFFFF
    for b in data:
        c ^= b
        for _ in range(8):
            c = c >> 1 ^ 0x82F63B78 if c & 1 else c >> 1
    return ~c
""",
        ["Eight steps for each byte"],
        "Python's ~ makes a negative number",
    ),
    (
        "a6",
        """
def mask(crc):
    crc = (crc + 0xA282EAD8) % 2**32
    return crc >> 15 | crc % 2**15 << 17
""",
        ["Rotated, then increased"],
        "The rotation comes first",
    ),
    (
        "a6",
        """
def read_handle(data, at):
    offset, at = read_varint(data, at)
    size, at = read_varint(data, at)
    return (offset, size), at
""",
        ["An offset and a size"],
        "Handle(offset, size), and no other tuple",
    ),
    (
        "a6",
        """
def read_footer(file):
    need(len(file) >= 48, "short")
    footer = file[:48]
    need(footer[40:] == MAGIC, "magic")
    first, at = read_handle(footer, 0)
    return first, read_handle(footer, at)[0]
""",
        ["Two handles, if the magic number is right"],
        "the last 48 bytes of the file",
    ),
    (
        "a6",
        """
def read_footer(file):
    need(len(file) >= 48, "short")
    need(struct.unpack(">Q", file[-8:])[0] == 0xDB4775248B80FB57, "magic")
    first, at = read_handle(file, len(file) - 48)
    return first, read_handle(file, at)[0]
""",
        ["Two handles, if the magic number is right"],
        "little-endian",
    ),
    (
        "a6",
        """
def read_block(file, handle):
    end = sum(handle)
    need(end + 5 <= len(file), "short")
    contents = file[handle[0]:end]
    need(file[end] == 0, "compressed")
    need(int.from_bytes(file[end + 1:end + 5], "little") == crc32c(contents + bytes(1)), "checksum")
    return contents
""",
        ["The contents, if their checksum is right"],
        "What is stored is the masked checksum",
    ),
    (
        "a6",
        """
def block_entries(contents):
    at, key, found = 0, b"", []
    while at < len(contents):
        shared, at = read_varint(contents, at)
        rest, at = read_varint(contents, at)
        n, at = read_varint(contents, at)
        key = key[:shared] + contents[at:at + rest]
        found.append((key, contents[at + rest:at + rest + n]))
        at += rest + n
    return found
""",
        [
            "Keys that share their beginnings, up to the restart points",
            "Lengths that do not fit are a ValueError",
        ],
        "The entries end where the array of restart points begins",
    ),
    (
        "a6",
        """
def entries(body):
    at, rest = 0, b""
    while at < len(body):
        n_shared, at = read_varint(body, at)
        n_rest, at = read_varint(body, at)
        n, at = read_varint(body, at)
        need(at + n_rest + n <= len(body) and (at > 3 or not n_shared), "lengths")
        key = rest[:n_shared] + body[at:at + n_rest]
        rest = body[at:at + n_rest]
        at += n_rest + n
        yield key, body[at - n:at]
""",
        ["Keys that share their beginnings, up to the restart points"],
        "with the whole key before it",
    ),
    (
        "a6",
        """
def read_table(file):
    handle, _ = read_footer(file)
    table = {}
    for _, value in block_entries(read_block(file, handle)):
        table.update(block_entries(read_block(file, read_handle(value, 0)[0])))
    return table
""",
        ["All keys and values of all blocks"],
        "the first one's is empty",
    ),
    (
        "a6",
        """
def read_message(data):
    fields, at = {}, 0
    while at < len(data):
        tag, at = read_varint(data, at)
        if tag & 7 == 0:
            value, at = read_varint(data, at)
        elif tag & 7 in (1, 2, 5):
            n, at = read_varint(data, at) if tag & 7 == 2 else (8 if tag & 7 == 1 else 4, at)
            need(at + n <= len(data), "field")
            value, at = data[at:at + n], at + n
        else:
            raise Damaged("wire type")
        fields.setdefault(tag >> 3, []).append(value)
    return fields
""",
        ["Fields of all kinds"],
        "int.from_bytes makes them of bytes",
    ),
    (
        "a6",
        """
def read_entry(data):
    m = read_message(data)
    shape = tuple(read_message(dim)[1][0] for dim in read_message(m[2][0])[2])
    names = {1: "dtype", 4: "offset", 5: "size", 6: "crc32c"}
    return {name: m[i][0] for i, name in names.items()} | {"shape": shape}
""",
        ["Type, shape, place and checksum, where what is zero is not written"],
        "the first tensor's offset is 0",
    ),
    (
        "a6",
        """
def read_tensor(entry, data):
    stored = data[entry["offset"]:entry["offset"] + entry["size"]]
    need(mask(crc32c(stored)) == entry["crc32c"], "checksum")
    need(entry["dtype"] == 1, "type")
    return np.frombuffer(stored, "<f4").reshape(entry["shape"])
""",
        ["A view of the data, and no copy"],
        "A slice of bytes is a copy",
    ),
    (
        "a6",
        """
def read_tensor(entry, data):
    need(entry["dtype"] == 1, "type")
    need(entry["size"] == 4 * math.prod(entry["shape"]), "size")
    return np.frombuffer(
        data, np.float32, entry["size"] // 4, entry["offset"]
    ).reshape(entry["shape"])
""",
        ["What is not as the index says is a ValueError"],
        "damage goes unnoticed",
    ),
    (
        "a6",
        """
def read_tensor(entry, data):
    right = 4 * math.prod(entry["shape"]) == entry["size"] and entry["dtype"] == 1
    stored = memoryview(data)[entry["offset"]:entry["offset"] + entry["size"]]
    need(right and mask(crc32c(stored)) == entry["crc32c"], "damaged")
    return np.frombuffer(stored, np.float32).reshape(entry["shape"], order="F")
""",
        ["Its numbers, in its shape"],
        "Numbers stand row after row",
    ),
    (
        "a6",
        """
def read_tensor(entry, data):
    right = 4 * math.prod(entry["shape"]) == entry["size"] and entry["dtype"] == 1
    stored = data[entry["offset"]:entry["offset"] + entry["size"]]
    need(right and mask(crc32c(stored)) == entry["crc32c"], "damaged")
    numbers = struct.unpack(">%df" % (len(stored) // 4), stored)
    return np.array(numbers, np.float32).reshape(entry["shape"])
""",
        ["Its numbers, in its shape", "A view of the data, and no copy"],
        "The bytes of each number are in the wrong order",
    ),
    (
        "a6",
        """
def parameter_tree(tensors):
    tree = {"h": []}
    blocks = []
    for name in sorted(tensors):
        x = tensors[name]
        _, first, *rest = name.split("/")
        if first[0] == "h" and first not in blocks:
            blocks.append(first)
            tree["h"].append({})
        branch = tree["h"][blocks.index(first)] if first in blocks else tree
        path = rest if first in blocks else [first, *rest]
        for key in path[:-1]:
            branch = branch.setdefault(key, {})
        branch[path[-1]] = x[0] if path[-1] == "w" else x
    return tree
""",
        ["Blocks in their order, matrices of two axes"],
        "sorted as texts, where h10 comes before h2",
    ),
    (
        "a6-half",
        """
def read_widened(entry, data):
    size = {1: 4, 14: 2, 19: 2}.get(entry["dtype"])
    need(size and size * math.prod(entry["shape"]) == entry["size"], "type or size")
    stored = memoryview(data)[entry["offset"]:entry["offset"] + entry["size"]]
    need(mask(crc32c(stored)) == entry["crc32c"], "checksum")
    kind = "<f4" if size == 4 else "<f2"
    return np.frombuffer(stored, kind).astype(np.float32, copy=False).reshape(entry["shape"])
""",
        ["float32, bfloat16 and float16"],
        "bfloat16 is another type than float16",
    ),
]
