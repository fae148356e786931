"""The mathematics of GPT-2, forward.

Every function maps arrays to a new array and leaves its arguments alone. Shapes are written
[..., n_seq, n_embd]: the dots stand for any leading dimensions, the batch. float32 in
gives float32 out (and float64 gives float64, which the gradient checks need): that is why all
constants are Python floats, which take on the array's type, and not NumPy scalars, which
would turn float32 into float64.
"""

import math

import numpy as np

from .tap import Tap, no_tap


def gelu(x: np.ndarray) -> np.ndarray:
    """Gaussian error linear unit, elementwise, in the tanh form: [...] -> [...].

    GELU(x) = x P(X <= x) for a standard normal X: x where x is large, 0 where it is very
    negative, smooth in between. GPT-2 was trained with this tanh approximation of it, which
    differs from the exact (erf) form by up to 5e-4: the exact form gives slightly different logits.

    Source: Hendrycks & Gimpel 2016, section 2; openai/gpt-2 model.py, gelu.
    """
    # 0.5 * x * (1 + tanh(sqrt(2 / pi) * (x + 0.044715 * x^3))), in place after the first product:
    # with a new array for each intermediate result it takes up to twice as long.
    y = x * x
    y *= 0.044715
    y += 1.0
    y *= x
    y *= math.sqrt(2.0 / math.pi)
    np.tanh(y, out=y)
    y += 1.0
    y *= x
    y *= 0.5
    return y


def softmax(x: np.ndarray) -> np.ndarray:
    """Numbers to probabilities along the last axis: [..., n] -> [..., n], each row sums to 1.

    Source: openai/gpt-2 model.py, softmax.
    """
    # Subtracting the maximum changes nothing in the quotient, and exp can no longer overflow.
    y = x - x.max(axis=-1, keepdims=True)
    y = np.exp(y, out=y)
    y /= y.sum(axis=-1, keepdims=True)
    return y


def layer_norm(x: np.ndarray, g: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Each vector to mean 0 and variance 1, then gain g and bias b: [..., n_embd] -> same.

    g, b: [n_embd]. The variance divides by n_embd, not n_embd - 1, and the small number that
    guards against division by zero is inside the square root.

    Source: Ba et al. 2016, section 3; openai/gpt-2 model.py, norm.
    """
    x = x - x.sum(axis=-1, keepdims=True) / x.shape[-1]  # faster than np.mean for small arrays
    variance = np.vecdot(x, x)[..., None] / x.shape[-1]
    x /= np.sqrt(variance + 1e-5)
    x *= g
    x += b
    return x


def project(x: np.ndarray, w: np.ndarray) -> np.ndarray:
    """x @ w as one matrix product: [..., n_in], [n_in, n_out] -> [..., n_out]."""
    # For x of three or more dimensions NumPy's @ makes a product of its own for each leading
    # index, and so would read all weights again for every member of a batch.
    rows = x.reshape(-1, x.shape[-1]) @ w
    return rows.reshape(*x.shape[:-1], w.shape[-1])


def linear(x: np.ndarray, w: np.ndarray, b: np.ndarray) -> np.ndarray:
    """x @ w + b: [..., n_in] -> [..., n_out] with w [n_in, n_out], b [n_out].

    Source: openai/gpt-2 model.py, conv1d (a convolution of width 1 is a linear layer).
    """
    y = project(x, w)
    y += b
    return y


def causal_mask(n_seq: int, n_past: int, dtype: np.dtype) -> np.ndarray:
    """The mask, which is added to the scores so that no position sees a later one.

    Returns [n_seq, n_past + n_seq].

    Row i is for the query at position n_past + i. The row is 0 for the keys up to that position,
    and minus infinity for the later ones, whose exponential in the softmax is then exactly 0.
    """
    return np.triu(np.full((n_seq, n_past + n_seq), -np.inf, dtype), k=n_past + 1)


def causal_attention(q: np.ndarray, k: np.ndarray, v: np.ndarray, tap: Tap = no_tap) -> np.ndarray:
    """The formula of attention: for each position, the weighted mean of the values up to it.

    The better a value's key matches the position's query, the greater its weight. Two functions are
    built on this one: kv_cache.attention calls it for the keys and values of a cache, and
    model.self_attention is the whole layer, with the linear maps before and after it.

    q: [..., n_seq, n_head_dim]; k, v: [..., n_past + n_seq, n_head_dim], where the queries are
    those of the last n_seq positions; returns [..., n_seq, n_head_dim].

        softmax(q k^T / sqrt(n_head_dim) + mask) v

    Source: Vaswani et al. 2017, section 3.2.1; openai/gpt-2 model.py, multihead_attn.
    """
    n_seq, n_head_dim = q.shape[-2:]
    n_past = k.shape[-2] - n_seq
    # A dot product of n_head_dim independent terms of size 1 has size sqrt(n_head_dim). Without
    # the scale the softmax would saturate: one weight near 1, and no gradient to learn from.
    scores = (q * (1.0 / math.sqrt(n_head_dim))) @ k.swapaxes(-1, -2)
    # The mask comes before the softmax, so that the weights of what may be seen sum to 1. A single
    # query is at the last position and sees every key, so it needs no mask.
    if n_seq > 1:
        scores += causal_mask(n_seq, n_past, scores.dtype)
    scores = tap("scores", scores)
    weights = tap("weights", softmax(scores))
    return weights @ v


def log_softmax(x: np.ndarray) -> np.ndarray:
    """The logarithm of softmax, in nats, along the last axis: [..., n] -> [..., n]."""
    # log(e / sum) is written log(e) - log(sum): where the quotient is too small for a float, its
    # logarithm would be minus infinity. The maximum is subtracted for the reason given in softmax.
    y = x - x.max(axis=-1, keepdims=True)
    y -= np.log(np.exp(y).sum(axis=-1, keepdims=True))
    return y


def token_logprobs(logits: np.ndarray, targets: np.ndarray) -> np.ndarray:
    """How likely each target was, by the model: log(softmax(logits)[target]), in nats.

    logits: [..., n_seq, n_vocab]; targets: integers [..., n_seq]; returns [..., n_seq].
    Raises ValueError if the targets have another shape or are not in the vocabulary.
    """
    targets = np.asarray(targets)
    n_vocab = logits.shape[-1]
    if targets.shape != logits.shape[:-1]:
        raise ValueError(f"targets are {list(targets.shape)}, expected {list(logits.shape[:-1])}")
    if targets.min() < 0 or targets.max() >= n_vocab:
        wrong = targets[(targets < 0) | (targets >= n_vocab)][0]
        raise ValueError(f"target {wrong} is not in the vocabulary (0 to {n_vocab - 1})")
    return np.take_along_axis(log_softmax(logits), targets[..., None], axis=-1)[..., 0]


def cross_entropy(logits: np.ndarray, targets: np.ndarray) -> float:
    """How surprised the model is by the targets: the mean of -log(softmax(logits)[target]), nats.

    logits: [..., n_seq, n_vocab]; targets: integers [..., n_seq]. It is log(n_vocab) for a model
    that knows nothing, 0 for one that knows everything.
    Raises ValueError as token_logprobs does.
    """
    return -float(token_logprobs(logits, targets).mean())
