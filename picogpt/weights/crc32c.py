"""CRC-32C, the checksum of TensorFlow's checkpoints (Castagnoli's polynomial, RFC 3720 B.4).

A checksum of this kind is a remainder. The bits of a message are the coefficients (0 or 1) of one
long polynomial, the first bit that of the highest power. It is divided by a fixed polynomial P of
degree 32; coefficients are added modulo 2, so adding is XOR. The 32 bits of the remainder are the
CRC. The plain form below divides one byte at a time. The fast form
first makes the message short without changing its remainder.
"""

import numpy as np

# x^32 + x^28 + x^27 + ... + x^6 + 1 without x^32; the lowest bit is x^31, as in the register.
POLYNOMIAL = 0x82F63B78


def _table() -> list[int]:
    """What a register with b in its lowest byte becomes after eight steps of the division."""
    table = []
    for register in range(256):
        for _ in range(8):
            register = (register >> 1) ^ (POLYNOMIAL if register & 1 else 0)
        table.append(register)
    return table


TABLE = _table()


def crc32c_plain(data: bytes) -> int:
    """The CRC-32C of data, byte by byte: the definition, at about 10 MB a second.

    >>> hex(crc32c_plain(b"123456789"))
    '0xe3069283'
    """
    register = 0xFFFFFFFF
    for byte in data:
        register = TABLE[(register ^ byte) & 0xFF] ^ (register >> 8)
    return register ^ 0xFFFFFFFF


# 7 divides 1001, so 1000 counts as -1 in a division by 7, and 123456 leaves the same remainder
# as 456 - 123: the front of a number can be folded onto its back. In the same way P divides
# x^5685 + x^1362 + x^426 + 1 (found by search; few such sums have only four terms), and
# squaring that gives x^(2 * 5685) + x^(2 * 1362) + x^(2 * 426) + 1, as the mixed terms come in
# pairs and 1 + 1 = 0. After three squarings the exponents count bytes, after six they count
# groups of 8. So a byte at the front may be erased if it is added (XOR) at three later places.
FOLD = (5685 - 1362, 5685 - 426, 5685)  # how many places later


def _fold(message: np.ndarray, unit: int) -> np.ndarray:
    """A message of FOLD[2] * unit bytes with the same CRC as this longer one (uint8 arrays).

    unit: bytes per place, a power of two. A message that is not longer is returned as it is.
    """
    step, _, length = distances = [places * unit for places in FOLD]
    end = len(message) - length  # whatever lies before is erased
    if end <= 0:
        return message
    added = np.zeros(length, np.uint8)  # to the bytes that come next
    added[:4] ^= 0xFF  # a register of ones at the start: as if these bits were flipped
    for start in range(0, end, step):
        block = message[start : min(start + step, end)]
        size = len(block)
        block = block ^ added[:size]
        added[:-size] = added[size:]
        added[-size:] = 0
        for distance in distances:
            added[distance - size : distance] ^= block
    added[:4] ^= 0xFF  # the shorter message starts with a register of ones again
    return message[end:] ^ added


def crc32c(data) -> int:
    """The CRC-32C of bytes or of a contiguous array: crc32c_plain at a hundred times its speed.

    Works through a memory-mapped array piece by piece; what it allocates stays below 1 MB.

    >>> crc32c(bytes(100_000)) == crc32c_plain(bytes(100_000))
    True
    """
    message = np.frombuffer(data, np.uint8)
    for unit in (8, 1):
        message = _fold(message, unit)
    return crc32c_plain(message.tobytes())


def mask(crc: int) -> int:
    """A CRC as TensorFlow and LevelDB store it (leveldb/util/crc32c.h).

    The CRC of bytes that contain their own CRC says little. So it is changed before it is stored:
    rotated right by 15 bits, and a constant added.
    """
    rotated = (crc >> 15 | crc << 17) & 0xFFFFFFFF
    return (rotated + 0xA282EAD8) & 0xFFFFFFFF


def unmask(masked: int) -> int:
    """The inverse of mask."""
    rotated = (masked - 0xA282EAD8) & 0xFFFFFFFF
    return (rotated >> 17 | rotated << 15) & 0xFFFFFFFF
