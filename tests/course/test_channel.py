"""Values on their way between two processes: all plain data comes through, nothing else does."""

import itertools
import json
import socket
import struct
import time

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from picogpt.course.grader.channel import MAX_BYTES, Other, decode, encode, receive, send

SCALARS = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text()
HASHABLE = SCALARS | st.binary() | st.tuples(st.text(), st.text())
VALUES = st.recursive(
    SCALARS | st.binary(),
    lambda x: st.lists(x) | st.tuples(x, x) | st.dictionaries(HASHABLE, x) | st.sets(HASHABLE),
)


@given(VALUES)
def test_what_goes_in_comes_out(value):
    assert decode(encode(value)) == value


@pytest.mark.parametrize("dtype", [bool, np.int8, np.uint64, np.float16, np.float32, np.float64])
@pytest.mark.parametrize("shape", [(), (0,), (3,), (2, 0, 4), (2, 3, 4)])
def test_arrays(dtype, shape):
    rng = np.random.default_rng(0)
    array = (10 * rng.standard_normal(shape)).astype(dtype)
    x, y = decode(encode([array, {"a": (array.T,)}]))
    assert np.array_equal(x, array)
    assert np.array_equal(y["a"][0], array.T)
    assert (x.dtype, x.shape) == (array.dtype, shape)
    x[...] = 0  # it may be written into


def test_the_order_of_bytes_does_not_count():
    x = decode(encode(np.arange(3.0, dtype=">f4")))
    assert (x.dtype, x.tolist()) == (np.float32, [0.0, 1.0, 2.0])


def test_infinities_and_nan():
    x = decode(encode([float("inf"), np.array([np.nan, -np.inf])]))
    assert x[0] == float("inf")
    assert np.array_equal(x[1], [np.nan, -np.inf], equal_nan=True)


def test_iterators_are_lists_and_endless_ones_are_cut():
    assert decode(encode(iter("ab"))) == ["a", "b"]
    assert decode(encode(itertools.count()))[:3] == [0, 1, 2]


class Strange:
    def __repr__(self):
        return "<strange>"


def test_objects_do_not_pass():
    assert decode(encode([Strange(), np.array([Strange()]), 1j])) == [
        Other("Strange", "<strange>"),
        Other("object array", "array([<strange>], dtype=object)"),
        Other("complex", "1j"),
    ]


TREES = (
    *(["array"], ["array", "object", 1], ["array", "float64", 2], ["array", "float64", -1]),
    *(["array", "float64", 1.5], ["array", "float64", 1 << 70], ["array", "float64", "a"]),
    *([], ["nothing"], [["list"]], ["other"], ["bytes", "xyz"], ["dict", 1], ["dict", [1]]),
    *({"a": 1}, ["set", ["list"]], ["dict", [["list"], 1]]),
)


@pytest.mark.parametrize("tree", TREES, ids=str)
def test_damaged_trees(tree):
    data = json.dumps(tree).encode()
    with pytest.raises(ValueError, match="no value that was encoded"):
        decode(struct.pack(">I", len(data)) + data)


@given(st.binary())
def test_any_other_bytes(data):
    try:
        decode(data)
    except ValueError:
        pass


def test_too_deep():
    data = b"[" * 100_000
    with pytest.raises(ValueError, match="no value that was encoded"):
        decode(struct.pack(">I", len(data)) + data)


@pytest.fixture
def ends():
    ours, theirs = socket.socketpair()
    with ours, theirs:
        yield ours, theirs


def test_messages_keep_their_borders(ends):
    ours, theirs = ends
    for message in (b"one", b"", b"three"):
        send(ours, message)
    assert [receive(theirs) for _ in range(3)] == [b"one", b"", b"three"]


def test_a_closed_end(ends):
    ours, theirs = ends
    ours.sendall(struct.pack(">Q", 5) + b"abc")
    ours.close()
    with pytest.raises(EOFError):
        receive(theirs)


def test_a_message_that_is_too_long(ends):
    ours, theirs = ends
    ours.sendall(struct.pack(">Q", MAX_BYTES + 1))
    with pytest.raises(ValueError, match="expected 64000000 at most"):
        receive(theirs)


def test_a_deadline_holds_for_the_whole_message(ends):
    ours, theirs = ends
    ours.sendall(struct.pack(">Q", 5) + b"abc")
    with pytest.raises(TimeoutError):
        receive(theirs, time.monotonic() + 0.02)
