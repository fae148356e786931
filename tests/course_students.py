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
}

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
]
