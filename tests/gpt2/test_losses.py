"""Ten steps of training the real 124M, against the losses that llm.c publishes.

llm.c (test_gpt2.c) compares its losses with PyTorch's, on the first batch of the validation part
of tiny Shakespeare. Each speech there is a document: <|endoftext|> stands before it.
"""

import numpy as np
import pytest

import picogpt
from picogpt.backward import loss_and_gradients
from picogpt.config import flatten, unflatten
from picogpt.train.adamw import adamw, zero_moments

N_BATCH, N_SEQ = 4, 64
PUBLISHED = [
    5.270007133483887,
    4.059706687927246,
    3.3751230239868164,
    2.8007826805114746,
    2.315382242202759,
    1.8490285873413086,
    1.3946564197540283,
    0.9991465210914612,
    0.6240804195404053,
    0.37651097774505615,
]

# The beginning of Coriolanus, as tiny Shakespeare has it: a little more than the batch needs.
TEXT = """\
First Citizen:
Before we proceed any further, hear me speak.

All:
Speak, speak.

First Citizen:
You are all resolved rather to die than to famish?

All:
Resolved. resolved.

First Citizen:
First, you know Caius Marcius is chief enemy to the people.

All:
We know't, we know't.

First Citizen:
Let us kill him, and we'll have corn at our own price.
Is't a verdict?

All:
No more talking on't; let it be done: away, away!

Second Citizen:
One word, good citizens.

First Citizen:
We are accounted poor citizens, the patricians good.
What authority surfeits on would relieve us: if they
would yield us but the superfluity, while it were
wholesome, we might guess they relieved us humanely;
but they think we are too dear: the leanness that
afflicts us, the object of our misery, is as an
inventory to particularise their abundance; our
sufferance is a gain to them Let us revenge this with
our pikes, ere we become rakes: for the gods know I
speak this in hunger for bread, not in thirst for revenge.
"""


def first_batch(tokenizer) -> tuple[np.ndarray, np.ndarray]:
    """The first tokens of the text and those that follow each: [N_BATCH, N_SEQ] both."""
    speeches = TEXT.split("\n\n")
    tokens = [
        i
        for speech in speeches
        # the empty line belongs to the speech before it
        for i in (tokenizer.endoftext, *tokenizer.encode(speech + "\n\n"))
    ][: N_BATCH * N_SEQ + 1]
    batch = np.array(tokens)
    return batch[:-1].reshape(N_BATCH, N_SEQ), batch[1:].reshape(N_BATCH, N_SEQ)


def losses(params: dict, n_head: int, ids, targets, n_steps: int) -> list[float]:
    """The loss before each of n_steps steps as llm.c takes them: every parameter decays."""
    # copies: released weights are mapped from their file, and cannot be written to
    flat = {path: np.array(x) for path, x in flatten(params).items()}
    params, moments, found = unflatten(flat), zero_moments(flat), []
    for step in range(1, n_steps + 1):
        loss, grads = loss_and_gradients(ids, targets, params, n_head)
        rates = {"lr": 1e-4, "betas": (0.9, 0.999), "eps": 1e-8, "weight_decay": 0.01}
        adamw(flat, flatten(grads), moments, step, decays=lambda path, x: True, **rates)
        found.append(loss)
    return found


def test_ten_losses():
    model = picogpt.load("124M")
    ids, targets = first_batch(model.tokenizer)
    found = losses(model.params, model.config.n_head, ids, targets, len(PUBLISHED))
    assert found == pytest.approx(PUBLISHED, abs=1e-2)
