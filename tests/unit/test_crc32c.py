"""CRC-32C against the examples of RFC 3720, and the fast form against the plain one."""

import doctest
import tracemalloc

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from picogpt.weights import crc32c as module
from picogpt.weights.crc32c import FOLD, crc32c, crc32c_plain, mask, unmask

# An iSCSI SCSI Read (10) command, the last example of the RFC's appendix B.4.
READ_COMMAND = bytes.fromhex(
    "01c00000 00000000 00000000 00000000 14000000 00000400"
    "00000014 00000018 28000000 00000000 02000000 00000000"
)
RFC_3720 = [
    (bytes(32), 0x8A9136AA),
    (b"\xff" * 32, 0x62A8AB43),
    (bytes(range(32)), 0x46DD794E),
    (bytes(range(31, -1, -1)), 0x113FDB5C),
    (READ_COMMAND, 0xD9963A56),
]
# Lengths at which a step begins or ends, of a byte per place and of eight.
EDGES = [FOLD[2], 8 * FOLD[2], 8 * FOLD[2] + FOLD[0], 8 * (FOLD[2] + FOLD[0]), 200_000]


@pytest.mark.parametrize("function", [crc32c_plain, crc32c])
@pytest.mark.parametrize("data, expected", RFC_3720, ids=lambda _: "")
def test_examples_of_the_rfc(function, data, expected):
    assert function(data) == expected


@pytest.mark.parametrize("length", [n + d for n in EDGES for d in (-1, 0, 1, 3, 4, 5)])
def test_fast_equals_plain(length):
    data = np.random.default_rng(length).bytes(length)
    assert crc32c(data) == crc32c_plain(data)


@settings(deadline=None)
@given(st.integers(0, 100_000), st.integers(0, 2**32 - 1))
def test_fast_equals_plain_at_any_length(length, seed):
    data = np.random.default_rng(seed).bytes(length)
    assert crc32c(data) == crc32c_plain(data)


@settings(deadline=None)
@given(st.binary(max_size=100), st.integers(0, 60_000))
def test_fast_equals_plain_with_zeros_in_front(data, n_zeros):
    """Zeros in front change a CRC only because the register starts with ones."""
    assert crc32c(bytes(n_zeros) + data) == crc32c_plain(bytes(n_zeros) + data)


def test_takes_an_unaligned_part_of_a_memory_map(tmp_path):
    data = np.random.default_rng(0).bytes(100_003)
    (tmp_path / "data").write_bytes(data)
    mapped = np.memmap(tmp_path / "data", np.uint8, mode="r")
    assert crc32c(mapped[3:]) == crc32c_plain(data[3:])


def test_allocates_little_and_leaves_the_data_alone():
    data = np.full(20_000_000, 7, np.uint8)
    tracemalloc.start()
    crc32c(data)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 1_000_000
    assert (data == 7).all()


def test_mask_rotates_and_adds():
    assert mask(0) == 0xA282EAD8
    assert mask(0x00008000) == 0xA282EAD9
    assert mask(0x00000001) == 0xA284EAD8


@given(st.integers(0, 2**32 - 1))
def test_unmask_inverts_mask(crc):
    assert 0 <= mask(crc) < 2**32
    assert unmask(mask(crc)) == crc


def test_examples_in_docstrings():
    assert doctest.testmod(module).failed == 0
