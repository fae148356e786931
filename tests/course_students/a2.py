"""Assignment 2: see __init__.py."""

SOLUTION = """
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
"""

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
        ["The mean of -log(softmax(logits)[target])", "Right for a target of probability 0"],
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
]
