"""Assignment 6: see __init__.py."""

SOLUTION = """
import math
import struct
from functools import cache
import numpy as np
from picogpt.weights.sstable import Handle

MAGIC = bytes.fromhex("57fb808b247547db")

class Damaged(ValueError):
    pass

def need(condition, what):
    if not condition:
        raise Damaged(what)

def read_varint(data, at):
    groups = []
    while not groups or data[at - 1] >= 128:
        need(at < len(data) and len(groups) < 10, "varint")
        groups.append(data[at] % 128)
        at += 1
    number = 0
    for group in reversed(groups):
        number = number * 128 + group
    return number, at

@cache
def crc_table():
    table = list(range(256))
    for _ in range(8):
        table = [c // 2 ^ (c % 2) * 0x82F63B78 for c in table]
    return table

def crc32c(data):
    c = 0xFFFFFFFF
    for b in bytes(data):
        c = crc_table()[(c ^ b) % 256] ^ (c // 256)
    return 0xFFFFFFFF - c

def mask(crc):
    bits = f"{crc:032b}"
    return (int(bits[-15:] + bits[:-15], 2) + 0xA282EAD8) % 2**32

def read_handle(data, at):
    offset, at = read_varint(data, at)
    size, at = read_varint(data, at)
    return Handle(size=size, offset=offset), at

def read_footer(file):
    need(len(file) >= 48 and file.endswith(MAGIC), "footer")
    first, at = read_handle(file, len(file) - 48)
    return first, read_handle(file, at)[0]

def read_block(file, handle):
    offset, size = handle
    block = file[offset:offset + size + 5]
    need(len(block) == size + 5, "short")
    need(struct.unpack("<I", block[-4:])[0] == mask(crc32c(block[:-4])), "checksum")
    need(block[-5] == 0, "compressed")
    return block[:-5]

def block_entries(contents):
    need(len(contents) >= 4, "no restarts")
    n = struct.unpack("<I", contents[-4:])[0]
    end = len(contents) - 4 * (n + 1)
    need(end >= 0, "restarts")
    return list(entries(contents[:end]))

def entries(body):
    at, key = 0, b""
    while at != len(body):
        shared, at = read_varint(body, at)
        rest, at = read_varint(body, at)
        n, at = read_varint(body, at)
        need(shared <= len(key) and at + rest + n <= len(body), "lengths")
        key = key[:shared] + body[at:at + rest]
        at += rest + n
        yield key, body[at - n:at]

def read_table(file):
    _, index = read_footer(file)
    handles = [read_handle(value, 0)[0] for _, value in block_entries(read_block(file, index))]
    return {k: v for h in handles for k, v in block_entries(read_block(file, h))}

def read_message(data):
    fields, at = {}, 0
    while at < len(data):
        tag, at = read_varint(data, at)
        number, kind = divmod(tag, 8)
        need(kind in (0, 1, 2, 5), "wire type")
        if kind == 0:
            value, at = read_varint(data, at)
        else:
            n, at = read_varint(data, at) if kind == 2 else ({1: 8, 5: 4}[kind], at)
            need(n <= len(data) - at, "field")
            value, at = data[at:at + n], at + n
        if kind in (1, 5):
            value = struct.unpack("<Q" if kind == 1 else "<I", value)[0]
        fields[number] = fields.get(number, []) + [value]
    return fields

def read_entry(data):
    m = read_message(data)
    def number(i):
        return m[i][0] if i in m else 0
    dims = read_message(m[2][0]).get(2, []) if 2 in m else []
    shape = tuple(sum(read_message(dim).get(1, [])) for dim in dims)
    return dict(
        dtype=number(1), shape=shape, offset=number(4), size=number(5), crc32c=number(6)
    )

def read_tensor(entry, data):
    begin, size = entry["offset"], entry["size"]
    need(entry["dtype"] == 1 and size == 4 * math.prod(entry["shape"]), "type or size")
    need(mask(crc32c(data[begin:begin + size])) == entry["crc32c"], "checksum")
    return np.ndarray(entry["shape"], "<f4", data, begin)

def read_bundle(index, data):
    tensors = {}
    for key, message in read_table(index).items():
        if key != b"":
            tensors[str(key, "utf-8")] = read_tensor(read_entry(message), data)
    return tensors

def parameter_tree(tensors):
    tree = {}
    for name, x in tensors.items():
        *path, last = name.split("/")[1:]
        branch = tree
        for key in path:
            branch = branch.setdefault(key, {})
        branch[last] = x.reshape(x.shape[1:]) if last == "w" else x
    n = sum(key.startswith("h") for key in tree)
    tree["h"] = [tree.pop(f"h{i}") for i in range(n)]
    return tree
"""

# The same hand, where a variant asks for something else
HALF = (
    SOLUTION
    + """
def read_widened(entry, data):
    n, begin = math.prod(entry["shape"]), entry["offset"]
    need(entry["dtype"] in (1, 14, 19), "type")
    need(entry["size"] == n * (4 if entry["dtype"] == 1 else 2), "size")
    need(mask(crc32c(data[begin:begin + entry["size"]])) == entry["crc32c"], "checksum")
    if entry["dtype"] == 1:
        x = np.frombuffer(data, "<f4", n, begin)
    elif entry["dtype"] == 19:
        x = np.array(struct.unpack_from(f"<{n}e", data, begin), np.float32)
    else:
        x = np.zeros((n, 2), "<u2")
        x[:, 1] = struct.unpack_from(f"<{n}H", data, begin)
        x = x.view("<f4")
    return x.reshape(entry["shape"])

def read_widened_bundle(index, data):
    table = read_table(index)
    return {key.decode(): read_widened(read_entry(table[key]), data) for key in table if key}
"""
)

SHARDS = (
    SOLUTION
    + """
def read_shard_entry(data):
    return read_entry(data) | {"shard_id": read_message(data).get(3, [0])[-1]}

def read_shards(index, shards):
    tensors = {}
    for key, message in read_table(index).items():
        if key == b"":
            need(read_message(message).get(1, [0]) == [len(shards)], "number of files")
            continue
        entry = read_shard_entry(message)
        need(entry["shard_id"] < len(shards), "no such file")
        tensors[key.decode()] = read_tensor(entry, shards[entry["shard_id"]])
    return tensors
"""
)

MISTAKES = [
    (
        "a6",
        """
def read_varint(data, at):
    number = 0
    for length in range(1, 11):
        if at + length > len(data):
            raise Damaged("varint")
        byte = data[at + length - 1]
        number = number << 7 | byte & 127
        if byte < 128:
            return number, at + length
    raise Damaged("varint")
""",
        ["Seven bits from each byte, and the position after the last one"],
        "The first byte holds the lowest seven bits",
    ),
    (
        "a6",
        """
def read_varint(data, at):
    number, shift = 0, 0
    while True:
        byte = data[at]
        number |= (byte & 127) << shift
        at, shift = at + 1, shift + 7
        if byte < 128:
            return number, at
""",
        ["A varint that is cut off or too long is a ValueError"],
        "",
    ),
    (
        "a6",
        """
def crc32c(data):
    import zlib
    return zlib.crc32(data)
""",
        ["Eight steps for each byte"],
        "zlib's CRC-32",
    ),
    (
        "a6",
        """
def crc32c(data):
    c = 0xFFFFFFFF
    for b in data:
        c ^= b
        for _ in range(8):
            c = c >> 1 ^ 0x82F63B78 if c & 1 else c >> 1
    return ~c
""",
        ["Eight steps for each byte"],
        "Python's ~ makes a negative number",
    ),
    (
        "a6",
        """
def mask(crc):
    crc = (crc + 0xA282EAD8) % 2**32
    return crc >> 15 | crc % 2**15 << 17
""",
        ["Rotated, then increased"],
        "The rotation comes first",
    ),
    (
        "a6",
        """
def read_handle(data, at):
    offset, at = read_varint(data, at)
    size, at = read_varint(data, at)
    return (offset, size), at
""",
        ["An offset and a size"],
        "Handle(offset, size), and no other tuple",
    ),
    (
        "a6",
        """
def read_footer(file):
    need(len(file) >= 48, "short")
    footer = file[:48]
    need(footer[40:] == MAGIC, "magic")
    first, at = read_handle(footer, 0)
    return first, read_handle(footer, at)[0]
""",
        ["Two handles, if the magic number is right"],
        "the last 48 bytes of the file",
    ),
    (
        "a6",
        """
def read_footer(file):
    need(len(file) >= 48, "short")
    need(struct.unpack(">Q", file[-8:])[0] == 0xDB4775248B80FB57, "magic")
    first, at = read_handle(file, len(file) - 48)
    return first, read_handle(file, at)[0]
""",
        ["Two handles, if the magic number is right"],
        "little-endian",
    ),
    (
        "a6",
        """
def read_block(file, handle):
    end = sum(handle)
    need(end + 5 <= len(file), "short")
    contents = file[handle[0]:end]
    need(file[end] == 0, "compressed")
    need(int.from_bytes(file[end + 1:end + 5], "little") == crc32c(contents + bytes(1)), "checksum")
    return contents
""",
        ["The contents, if their checksum is right"],
        "What is stored is the masked checksum",
    ),
    (
        "a6",
        """
def block_entries(contents):
    at, key, found = 0, b"", []
    while at < len(contents):
        shared, at = read_varint(contents, at)
        rest, at = read_varint(contents, at)
        n, at = read_varint(contents, at)
        key = key[:shared] + contents[at:at + rest]
        found.append((key, contents[at + rest:at + rest + n]))
        at += rest + n
    return found
""",
        [
            "Keys that share their beginnings, up to the restart points",
            "Lengths that do not fit are a ValueError",
        ],
        "The entries end where the array of restart points begins",
    ),
    (
        "a6",
        """
def entries(body):
    at, rest = 0, b""
    while at < len(body):
        n_shared, at = read_varint(body, at)
        n_rest, at = read_varint(body, at)
        n, at = read_varint(body, at)
        need(at + n_rest + n <= len(body) and (at > 3 or not n_shared), "lengths")
        key = rest[:n_shared] + body[at:at + n_rest]
        rest = body[at:at + n_rest]
        at += n_rest + n
        yield key, body[at - n:at]
""",
        [
            "Keys that share their beginnings, up to the restart points",
            "Lengths that do not fit are a ValueError",
        ],
        "with the whole key before it",
    ),
    (
        "a6",
        """
def read_table(file):
    handle, _ = read_footer(file)
    table = {}
    for _, value in block_entries(read_block(file, handle)):
        table.update(block_entries(read_block(file, read_handle(value, 0)[0])))
    return table
""",
        ["All keys and values of all blocks"],
        "the first one's is empty",
    ),
    (
        "a6",
        """
def read_message(data):
    fields, at = {}, 0
    while at < len(data):
        tag, at = read_varint(data, at)
        if tag & 7 == 0:
            value, at = read_varint(data, at)
        elif tag & 7 in (1, 2, 5):
            n, at = read_varint(data, at) if tag & 7 == 2 else (8 if tag & 7 == 1 else 4, at)
            need(at + n <= len(data), "field")
            value, at = data[at:at + n], at + n
        else:
            raise Damaged("wire type")
        fields.setdefault(tag >> 3, []).append(value)
    return fields
""",
        ["Fields of all kinds"],
        "int.from_bytes makes them of bytes",
    ),
    (
        "a6",
        """
def read_entry(data):
    m = read_message(data)
    shape = tuple(read_message(dim)[1][0] for dim in read_message(m[2][0])[2])
    names = {1: "dtype", 4: "offset", 5: "size", 6: "crc32c"}
    return {name: m[i][0] for i, name in names.items()} | {"shape": shape}
""",
        ["Type, shape, place and checksum, where what is zero is not written"],
        "",
    ),
    (
        "a6",
        """
def read_tensor(entry, data):
    stored = data[entry["offset"]:entry["offset"] + entry["size"]]
    need(mask(crc32c(stored)) == entry["crc32c"], "checksum")
    need(entry["dtype"] == 1, "type")
    return np.frombuffer(stored, "<f4").reshape(entry["shape"])
""",
        ["A view of the data, and no copy"],
        "A slice of bytes is a copy",
    ),
    (
        "a6",
        """
def read_tensor(entry, data):
    need(entry["dtype"] == 1, "type")
    need(entry["size"] == 4 * math.prod(entry["shape"]), "size")
    return np.frombuffer(
        data, np.float32, entry["size"] // 4, entry["offset"]
    ).reshape(entry["shape"])
""",
        ["What is not as the index says is a ValueError"],
        "damage goes unnoticed",
    ),
    (
        "a6",
        """
def read_tensor(entry, data):
    right = 4 * math.prod(entry["shape"]) == entry["size"] and entry["dtype"] == 1
    stored = memoryview(data)[entry["offset"]:entry["offset"] + entry["size"]]
    need(right and mask(crc32c(stored)) == entry["crc32c"], "damaged")
    return np.frombuffer(stored, np.float32).reshape(entry["shape"], order="F")
""",
        ["Its numbers, in its shape"],
        "Numbers stand row after row",
    ),
    (
        "a6",
        """
def read_tensor(entry, data):
    right = 4 * math.prod(entry["shape"]) == entry["size"] and entry["dtype"] == 1
    stored = data[entry["offset"]:entry["offset"] + entry["size"]]
    need(right and mask(crc32c(stored)) == entry["crc32c"], "damaged")
    numbers = struct.unpack(">%df" % (len(stored) // 4), stored)
    return np.array(numbers, np.float32).reshape(entry["shape"])
""",
        ["Its numbers, in its shape", "A view of the data, and no copy"],
        "The numbers are little-endian",
    ),
    (
        "a6",
        """
def parameter_tree(tensors):
    tree = {"h": []}
    blocks = []
    for name in sorted(tensors):
        x = tensors[name]
        _, first, *rest = name.split("/")
        if first[0] == "h" and first not in blocks:
            blocks.append(first)
            tree["h"].append({})
        branch = tree["h"][blocks.index(first)] if first in blocks else tree
        path = rest if first in blocks else [first, *rest]
        for key in path[:-1]:
            branch = branch.setdefault(key, {})
        branch[path[-1]] = x[0] if path[-1] == "w" else x
    return tree
""",
        ["Blocks in their order, matrices of two axes"],
        "sorted as texts, where h10 comes before h2",
    ),
    (
        "a6-half",
        """
def read_widened(entry, data):
    size = {1: 4, 14: 2, 19: 2}.get(entry["dtype"])
    need(size and size * math.prod(entry["shape"]) == entry["size"], "type or size")
    stored = memoryview(data)[entry["offset"]:entry["offset"] + entry["size"]]
    need(mask(crc32c(stored)) == entry["crc32c"], "checksum")
    kind = "<f4" if size == 4 else "<f2"
    return np.frombuffer(stored, kind).astype(np.float32, copy=False).reshape(entry["shape"])
""",
        ["float32, bfloat16 and float16"],
        "bfloat16 is another type than float16",
    ),
]
