"""From texts to batches: documents, held-out documents, windows."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from picogpt.bpe import ByteLevelBPE
from picogpt.bpe.pretokenize import ALPHABET
from picogpt.bpe.tokenizer import ENDOFTEXT
from picogpt.evaluate.documents import encode_documents, split_documents
from picogpt.train.data import batch, epoch_windows, hold_out

BYTES = ByteLevelBPE({token: i for i, token in enumerate([*ALPHABET, ENDOFTEXT])}, [])


@pytest.mark.parametrize(
    ("text", "documents"),
    [
        ("THE FOX\n\nOnce.\n<|endoftext|>\nTHE HEN\n\nTwice.\n<|endoftext|>\n",
         ["THE FOX\n\nOnce.", "THE HEN\n\nTwice."]),
        ("One.\r\n<|endoftext|>\r\nTwo.\r\n", ["One.", "Two."]),
        ("One.<|endoftext|>Two.", ["One.", "Two."]),
        ("  verse\n    more verse\n<|endoftext|>\n", ["  verse\n    more verse"]),
        ("<|endoftext|>\n \n<|endoftext|>", []),
        ("", []),
        ("no separator\n\n", ["no separator"]),
    ],
)  # fmt: skip
def test_documents_of_a_text(text, documents):
    assert split_documents(text) == documents


def test_each_document_starts_from_endoftext():
    end = BYTES.endoftext
    tokens = encode_documents(["ab", "é"], BYTES)
    assert tokens.tolist() == [end, *BYTES.encode("ab"), end, *BYTES.encode("é")]
    assert tokens.dtype == np.uint16


def test_a_large_vocabulary_needs_uint32():
    class Large:
        n_vocab, endoftext = 65537, 65536

        def encode(self, text):
            return [1]

    tokens = encode_documents(["x"], Large())
    assert tokens.dtype == np.uint32
    assert tokens.tolist() == [65536, 1]


@given(st.integers(2, 60), st.floats(0.01, 0.5), st.integers(0, 99))
def test_held_out_documents_are_a_part_of_all(n, fraction, seed):
    documents = [f"tale {i}" for i in range(n)]
    learn, held = hold_out(documents, fraction, seed)
    assert len(held) == max(1, round(fraction * n))
    assert sorted(learn + held, key=documents.index) == documents
    assert learn == sorted(learn, key=documents.index)
    assert held == sorted(held, key=documents.index)
    assert hold_out(documents, fraction, seed) == (learn, held)


def test_another_seed_holds_out_other_documents():
    documents = [str(i) for i in range(100)]
    assert hold_out(documents, 0.1, 0)[1] != hold_out(documents, 0.1, 1)[1]
    assert hold_out(documents, 0.1, 0)[1] != documents[:10]


def test_of_a_single_text_the_last_lines_are_held_out():
    text = "".join(f"line {i}\n" for i in range(40))
    (learn,), (held,) = hold_out([text], 0.1, 0)
    assert learn + held == text
    assert held == "line 36\nline 37\nline 38\nline 39\n"
    with pytest.raises(ValueError, match="the text is one line, .* name a file with --valid"):
        hold_out(["one tale"], 0.1, 0)


@pytest.mark.parametrize(("n", "fraction"), [(2, 0.9), (3, 0.9)])
def test_too_few_documents_to_hold_some_out(n, fraction):
    with pytest.raises(ValueError, match=f"the text has {n} documents .* name a file with --valid"):
        hold_out(["a"] * n, fraction, 0)


@given(st.integers(9, 200), st.integers(1, 8), st.integers(1, 7), st.integers(0, 5))
def test_an_epoch_predicts_every_token_once(n_tokens, n_ctx, n_batch, seed):
    tokens = np.arange(n_tokens)  # each token is its own place
    n_windows = n_tokens // n_ctx
    targets = np.concatenate(
        [batch(tokens, n_ctx, n_batch, seed, step)[1] for step in range(n_windows)]
    )
    epochs = targets.reshape(n_batch, n_windows * n_ctx)  # that many batches are n_batch epochs
    for epoch in epochs:
        assert len(set(epoch.tolist())) == len(epoch) > n_tokens - n_ctx


@given(st.integers(9, 200), st.integers(1, 8), st.integers(0, 50))
def test_targets_follow_their_ids(n_tokens, n_ctx, step):
    tokens = np.arange(n_tokens, dtype=np.uint16)
    ids, targets = batch(tokens, n_ctx, 3, 0, step)
    assert ids.shape == targets.shape == (3, n_ctx)
    assert np.array_equal((ids + 1) % n_tokens, targets)  # the last one is followed by the first
    assert np.array_equal(ids[:, 1:], targets[:, :-1])


def test_epochs_differ_in_order_and_in_cuts():
    first, second = (epoch_windows(1000, 10, 0, epoch) for epoch in range(2))
    assert set(first % 10) != set(second % 10)
    for windows in (first, second):
        assert (np.diff(windows) % 1000 == 10).mean() < 0.1  # all of them, if not shuffled
    assert not np.array_equal(np.diff(first) % 1000, np.diff(second) % 1000)
    assert not np.array_equal(first, epoch_windows(1000, 10, 1, 0))


def test_a_new_epoch_begins_where_one_ends():
    tokens = np.arange(100)
    ids = np.concatenate([batch(tokens, 10, 4, 0, step)[0] for step in range(5)])  # two epochs
    expected = [epoch_windows(100, 10, 0, epoch) for epoch in range(2)]
    assert np.array_equal(ids[:, 0], np.concatenate(expected))
