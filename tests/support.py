"""What several tests need: random weights that prove something, and how far results are apart."""

from collections.abc import Iterable

import numpy as np

from picogpt.bpe import Tokenizer
from picogpt.config import Config, param_shapes, unflatten
from picogpt.evaluate.documents import cut_documents, encode_documents
from picogpt.evaluate.score import score, token_lengths


def random_params(config: Config, seed: int) -> dict:
    """A tree of parameters, float32, in which no tensor can be dropped or swapped unnoticed.

    The usual initialisation has zero biases and unit gains, so that a model which forgets them
    looks right, and matrices so small that attention is a plain mean. Here every tensor is drawn:
    gains around 1, biases around 0, and matrices with entries of 1.5 / sqrt(n_in), which makes
    queries and keys of normalised inputs large enough for attention to choose.
    """
    rng = np.random.default_rng(seed)
    flat = {}
    for path, shape in param_shapes(config).items():
        x = rng.standard_normal(shape, dtype=np.float32)
        kind = path.split(".")[-1]
        if kind == "g":
            x = 1.0 + 0.3 * x
        elif kind == "b":
            x *= 0.2
        else:
            n_in = shape[0] if kind == "w" else config.n_embd  # wte is also the output matrix
            x *= 1.5 / n_in**0.5
        flat[path] = x
    return unflatten(flat)


def error(actual: np.ndarray, expected: np.ndarray) -> float:
    """max |actual - expected| over the range (max - min) of the expected values."""
    assert actual.shape == expected.shape, (actual.shape, expected.shape)
    difference = np.abs(actual.astype(np.float64) - expected)
    return float(difference.max() / (expected.max() - expected.min()))


def part_of(golden, prefix: str) -> dict[str, np.ndarray]:
    """The arrays of an npz file whose names begin with the prefix, under the rest of the name."""
    return {k.removeprefix(prefix): golden[k] for k in golden if k.startswith(prefix)}


def bits_per_byte(
    params: dict, config: Config, tokenizer: Tokenizer, documents: Iterable[str]
) -> tuple[float, float]:
    """Bits per byte and nats per token of documents that are not empty, by the whole protocol."""
    tokens = encode_documents(documents, tokenizer)
    windows = cut_documents(tokens, config.n_ctx, tokenizer.endoftext)
    result = score(windows, params, config.n_head, token_lengths(tokenizer))
    return result.bits_per_byte, result.nats_per_token
