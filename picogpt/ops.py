"""The mathematics of GPT-2, forward.

Every function maps arrays to a new array and leaves its arguments alone. Shapes are written
[..., n_seq, n_embd]: the dots stand for any leading dimensions, which are batch. float32 in
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
    differs from the exact (erf) form by up to 5e-4: with the exact form the logits are wrong.

    Source: Hendrycks & Gimpel 2016, section 2; openai/gpt-2 model.py, gelu.
    """
    # x * x * x because x**3 calls pow for every element and takes over ten times as long
    return 0.5 * x * (1.0 + np.tanh(math.sqrt(2.0 / math.pi) * (x + 0.044715 * (x * x * x))))


def softmax(x: np.ndarray) -> np.ndarray:
    """Numbers to probabilities along the last axis: [..., n] -> [..., n], each row sums to 1.

    Source: openai/gpt-2 model.py, softmax.
    """
    # Subtracting the maximum changes nothing in the quotient, and exp can no longer overflow.
    e = np.exp(x - x.max(axis=-1, keepdims=True))
    e /= e.sum(axis=-1, keepdims=True)
    return e


def layer_norm(x: np.ndarray, g: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Each vector to mean 0 and variance 1, then gain g and bias b: [..., n_embd] -> same.

    g, b: [n_embd]. The variance divides by n_embd, not n_embd - 1, and the small number that
    guards against division by zero stands under the root.

    Source: Ba et al. 2016, section 3; openai/gpt-2 model.py, norm.
    """
    x = x - x.mean(axis=-1, keepdims=True)
    variance = (x * x).mean(axis=-1, keepdims=True)
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
    """What is added to the scores so that nobody sees the future: -> [n_seq, n_past + n_seq].

    Row i is the query at position n_past + i. It is 0 for the keys up to that position, and
    minus infinity for the later ones, whose exponential in the softmax is then exactly 0.
    """
    return np.triu(np.full((n_seq, n_past + n_seq), -np.inf, dtype), k=n_past + 1)


def causal_attention(q: np.ndarray, k: np.ndarray, v: np.ndarray, tap: Tap = no_tap) -> np.ndarray:
    """Each position's mean of the values up to it, weighted by how well its query fits their keys.

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
    # The mask comes before the softmax, so that the weights of what may be seen sum to 1.
    scores += causal_mask(n_seq, n_past, scores.dtype)
    scores = tap("scores", scores)
    weights = tap("weights", softmax(scores))
    return weights @ v
