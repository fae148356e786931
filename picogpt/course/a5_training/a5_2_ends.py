"""Assignment 5, the two ends of the model, where the gradient begins and where it arrives."""

import numpy as np

from ...backward import d_cross_entropy, d_embed
from ...ops import softmax
from ..a2_operations.a2_2_loss import random_targets
from ..assignment import FLOATS, normal, question, sizes


def at_targets(logits, targets):
    """1 at each row's target, 0 elsewhere: the shape of logits."""
    return np.eye(logits.shape[-1], dtype=logits.dtype)[targets]


def not_divided(logits, targets):
    """The loss is a mean: its gradient, too, is divided by the number of targets."""
    return d_cross_entropy(logits, targets) * float(targets.size)


def divided_by_n_seq(logits, targets):
    """The loss is the mean over the targets of all members of the batch: you divide by n_seq."""
    return d_cross_entropy(logits, targets) * (targets.size / targets.shape[-1])


def divided_by_n_vocab_too(logits, targets):
    """The loss is the mean over the targets: n_vocab does not divide."""
    return d_cross_entropy(logits, targets) / logits.shape[-1]


def sign_swapped(logits, targets):
    """The sign is wrong: a higher logit makes the loss smaller at the target, larger elsewhere."""
    return -d_cross_entropy(logits, targets)


def nothing_subtracted(logits, targets):
    """These are the probabilities: at the target of each row 1 is still to be subtracted."""
    return softmax(logits) / float(targets.size)


def only_at_the_targets(logits, targets):
    """Every logit of a row counts, through the sum in the softmax, and not only the target's."""
    return d_cross_entropy(logits, targets) * at_targets(logits, targets)


def softmax_forgotten(logits, targets):
    """What 1 is subtracted from are the probabilities: the softmax is missing."""
    return (logits - at_targets(logits, targets)) / float(targets.size)


def every_target_in_every_row(logits, targets):
    """dlogits[..., targets] are the columns of all targets, in every row: a row has one target."""
    dlogits = softmax(logits)
    dlogits[..., targets] -= 1.0
    return dlogits / float(targets.size)


LOSS_MISTAKES = (
    *(not_divided, divided_by_n_seq, divided_by_n_vocab_too, sign_swapped, nothing_subtracted),
    *(only_at_the_targets, softmax_forgotten, every_target_in_every_row),
)


@question(d_cross_entropy, 3, LOSS_MISTAKES)
def loss_gradient(ask, rng):
    """What the model said minus what is true"""
    for n, dtype in zip((3, 2), FLOATS, strict=True):
        logits = 2.0 * normal(rng, sizes(rng, n), dtype)
        ask(d_cross_entropy, logits, random_targets(rng, logits))
    # Large numbers; the first and the last token, one of them twice; a single position
    logits = 2000.0 * normal(rng, (2, 3, 4))
    ask(d_cross_entropy, logits, np.array([[0, 3, 3], [3, 0, 1]]))
    ask(d_cross_entropy, normal(rng, (1, 3)), np.array([2]))
    ask(d_cross_entropy, normal(rng, (2, 2, 3, 4)), rng.integers(4, size=(2, 2, 3)))


def repeated_tokens_lost(dx, ids, wte, wpe):
    """dwte[ids] += dx adds only once to a row that several ids name, what comes last: np.add.at
    adds every time."""
    _, dwpe = d_embed(dx, ids, wte, wpe)
    dwte = np.zeros_like(wte)
    dwte[ids] += dx
    return dwte, dwpe


def tokens_averaged(dx, ids, wte, wpe):
    """A token that occurs several times gets the sum of the gradients, and not their mean."""
    dwte, dwpe = d_embed(dx, ids, wte, wpe)
    counts = np.bincount(ids.reshape(-1), minlength=len(wte)).astype(dx.dtype)
    return dwte / np.maximum(counts, 1.0)[:, None], dwpe


def batch_forgotten(dx, ids, wte, wpe):
    """Each position occurs in every member of the batch: its gradient is the sum over them."""
    dwte, _ = d_embed(dx, ids, wte, wpe)
    dwpe = np.zeros_like(wpe)
    dwpe[: dx.shape[-2]] = dx
    return dwte, dwpe


def positions_averaged(dx, ids, wte, wpe):
    """A position's gradient is the sum over the members of the batch, and not their mean."""
    dwte, dwpe = d_embed(dx, ids, wte, wpe)
    return dwte, dwpe / (ids.size // ids.shape[-1])


def unused_positions_missing(dx, ids, wte, wpe):
    """dwpe has the shape of wpe: the positions that no token stood at have a gradient of 0."""
    dwte, dwpe = d_embed(dx, ids, wte, wpe)
    return dwte, dwpe[: dx.shape[-2]]


EMBED_MISTAKES = (
    *(repeated_tokens_lost, tokens_averaged, batch_forgotten, positions_averaged),
    unused_positions_missing,
)


@question(d_embed, 2, EMBED_MISTAKES)
def embed_gradients(ask, rng):
    """Rows that are used in several places"""
    n_embd, n_vocab = sizes(rng, 2)
    # More ids than there are tokens: some come twice
    for shape, dtype in zip(((2, 4), (5,), (2, 2, 3)), (*FLOATS, np.float64), strict=True):
        wte, wpe = normal(rng, (n_vocab, n_embd), dtype), normal(rng, (6, n_embd), dtype)
        ids = rng.integers(n_vocab, size=shape)
        ask(d_embed, normal(rng, (*shape, n_embd), dtype), ids, wte, wpe)
    # All positions that there are, the first and the last token, one of them three times
    for ids in ([[n_vocab - 1, 0] * 3], [0, n_vocab - 1, 0, 0], [n_vocab - 1]):
        wte, wpe = normal(rng, (n_vocab, n_embd)), normal(rng, (6, n_embd))
        ids = np.array(ids)
        ask(d_embed, normal(rng, (*ids.shape, n_embd)), ids, wte, wpe)
