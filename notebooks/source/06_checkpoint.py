# %% [markdown]
# # 6. Reading a TensorFlow checkpoint, byte by byte
#
# ![You are here: where the numbers of all these parts are stored](data/here_6.svg)
#
# **Goal:** open the files in which OpenAI published GPT-2, without TensorFlow, and understand each
# of their bytes.
#
# Weights come in files, and files can be read. These were written by TensorFlow, a library of some
# hundred megabytes. Reading them takes two pages of Python. On the way you meet ideas that many
# other file formats use: varints, sorted tables, Protocol Buffers, checksums and memory maps. You
# need to know what a byte and a hexadecimal number are. About 35 minutes.
#
# The example is a very small GPT-2 with random weights, written by TensorFlow for this project's
# tests. The format is that of the real ones.
#
# > Is picogpt not installed, for example on Colab? Type this in a cell, run it, and restart the
# > kernel: `%pip install "picogpt[notebooks] @ ADDRESS"`. Replace ADDRESS with `file://` and the full
# > path of the project's folder, or with `git+` and the address of its repository.

# %%
FOLDER = "tiny"  # or "124M", GPT-2 itself, once notebook 0 has downloaded it

# %%
import hashlib
import tempfile
import time
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np

import picogpt
from picogpt.classroom import drawings
from picogpt.classroom.checks.verdict import attempt
from picogpt.classroom.checks.writing import check_6_1, check_6_2, check_6_3
from picogpt.classroom.plots import BLUE, ORANGE
from picogpt.classroom.texts import DATA
from picogpt.config import SIZES, flatten
from picogpt.weights import CheckpointError
from picogpt.weights.crc32c import TABLE, crc32c, crc32c_plain, mask, unmask
from picogpt.weights.openai import read_openai
from picogpt.weights.released import released_folder
from picogpt.weights.sstable import (
    block_entries,
    read_block,
    read_footer,
    read_handle,
    read_restarts,
    read_table,
    read_varint,
)
from picogpt.weights.tf_bundle import read_entry, read_index

folder = released_folder(FOLDER) if FOLDER in SIZES else DATA / FOLDER

# %% [markdown]
# ## 6.1 The files

# %% tags=["stable"]
for path in sorted(folder.iterdir()):
    print(f"{path.stat().st_size:10,}  {path.name}")

# %% [markdown]
# `hparams.json` holds the five sizes of the model, `encoder.json` and `vocab.bpe` the vocabulary
# ([notebook 1](01_tokens.ipynb)), and the text file `checkpoint` says what the names of the other
# files begin with. Two files matter here:
#
# - `model.ckpt.data-00000-of-00001`: the numbers of all tensors, one after the other, and nothing
#   else;
# - `model.ckpt.index`: a table that says which tensor lies where.

# %%
index = (folder / "model.ckpt.index").read_bytes()
data = (folder / "model.ckpt.data-00000-of-00001").read_bytes()

# %% [markdown]
# ## 6.2 Begin at the end
#
# A program that writes a table block by block does not know at the beginning where the blocks will
# be. So it writes the list of the blocks at the end. The last 48 bytes of the file, the *footer*,
# say where this list is, and reading begins there.

# %% tags=["stable"]
footer = index[-48:]
for i in range(0, 48, 16):
    print(footer[i : i + 16].hex(" "))

# %% [markdown]
# The last eight bytes are the *magic number*, by which a file of this kind is recognised. They are
# written *little-endian*, the lowest byte first, as Intel and ARM processors keep numbers in
# memory:

# %% tags=["stable"]
print(hex(int.from_bytes(footer[-8:], "little")))

# %% [markdown]
# It is the beginning of the SHA-1, a kind of fingerprint, of the line
# `http://code.google.com/p/leveldb/`: the format is that of LevelDB, a small database.

# %%
line = b"http://code.google.com/p/leveldb/\n"
assert hashlib.sha1(line).hexdigest().startswith(f"{int.from_bytes(footer[-8:], 'little'):x}")

# %% [markdown]
# Before it come four numbers, and zeros that fill up the space.
#
# ## 6.3 Varints
#
# Most numbers in these files are small, but some are large. A *varint* takes as many bytes as a
# number needs. Each byte holds seven bits of it, the lowest first, and its eighth bit says whether
# another byte follows. Here is $856 = 6 \cdot 128 + 88$:

# %% tags=["stable"]
for byte in bytes([0xD8, 0x06]):
    more, bits = byte >> 7, byte & 0b1111111
    print(f"{byte:08b}   more follow: {more}   seven bits: {bits:07b} = {bits}")
print(88 + 6 * 128)


# %%
def varint(data, at):
    """The number at a place, and the place after it."""
    number, shift = 0, 0
    while True:
        byte = data[at]
        number |= (byte & 0b1111111) << shift
        at, shift = at + 1, shift + 7
        if byte < 0b10000000:
            return number, at


for example in (b"\x00", b"\x7f", b"\x80\x01", b"\xd8\x06", b"\xff\xff\xff\xff\x0f"):
    assert varint(example, 0) == read_varint(example, 0)

# %% [markdown]
# Two varints, an offset and a size, are a *handle*: they say where a block lies. The footer has two
# of them: one for the "metaindex", which is empty here, and one for the index block.

# %% tags=["stable"]
metaindex, index_block = read_footer(index)
print(metaindex)
print(index_block)

# %% [markdown]
# ## 6.4 A table of tables
#
# The index block has one entry for each block of data: a key, and the block's handle. No key in the
# block comes after this key in the alphabet. (So in a large database a key is found in two steps,
# without reading everything.)

# %% tags=["stable"]
for key, value in block_entries(read_block(index, index_block)):
    handle, _ = read_handle(value, 0)
    print(f"keys up to {key}: {handle}")
contents = read_block(index, handle)

# %% [markdown]
# (No tensor is called `n`. Any key that comes after all names will do, and this is a short one.)
#
# Now for the entries. The keys are the tensors' names, in alphabetical order, so that neighbours
# begin alike. An entry therefore says how many bytes its key *shares* with the key before it, and
# writes only the rest: three varints (shared, rest, size of the value), the rest of the key, the
# value.
#
# **Guess first.** How many bytes of "model/h0/attn/c_attn/w" does its entry have to write, after
# "model/h0/attn/c_attn/b"?

# %% tags=["stable"]
end_of_entries, restarts = read_restarts(contents)
at, key, written = 0, b"", []
while at < end_of_entries:
    n_shared, at = varint(contents, at)
    n_rest, at = varint(contents, at)
    n_value, at = varint(contents, at)
    rest = contents[at : at + n_rest]
    key = key[:n_shared] + rest
    written.append(rest)
    if len(written) <= 6:
        print(f"{n_shared:2} shared, then {rest.decode():22} -> {key.decode()}")
    at += n_rest + n_value

# %% [markdown]
# One byte is enough, the "w". (The first key is empty: its value says how many data files there
# are.)
#
# To find one key, a program should not have to read all of them. So every sixteenth entry shares
# nothing with the one before it, and its place is noted at the end of the block. These places are
# the *restart points*: four bytes for each, and at the very end four bytes for their number.

# %% tags=["stable"]
entries = block_entries(contents)
print("restart points:", restarts, " of", len(entries), "entries")
print("as bytes:", contents[end_of_entries:].hex(" "))
in_full = sum(len(key) for key, _ in entries)
print(f"all keys together: {in_full} bytes, of which {sum(map(len, written))} are written")

# %% [markdown]
# After its contents each block has five more bytes: one for the kind of compression (0 is none),
# and four for a checksum. Here is the whole file, every byte of it:


# %% alt="The bytes of the whole index in rows, coloured by what they are for: lengths, keys, values, restart points, checksums, footer, magic number."
def regions(file):
    """(end, role) of every stretch of the index, in order."""
    found = []
    metaindex, index_block = read_footer(file)
    blocks = [read_handle(value, 0)[0] for _, value in block_entries(read_block(file, index_block))]
    for block in [*blocks, metaindex, index_block]:
        contents = read_block(file, block)
        at, (end, _) = 0, read_restarts(contents)
        while at < end:
            _, at = varint(contents, at)
            n_rest, at = varint(contents, at)
            n_value, at = varint(contents, at)
            found.append((block.offset + at, "lengths"))
            found.append((block.offset + at + n_rest, "rest of the key"))
            at += n_rest + n_value
            found.append((block.offset + at, "value"))
        found.append((block.offset + block.size, "restart points"))
        found.append((block.offset + block.size + 5, "compression, checksum"))
    return [*found, (len(file) - 8, "footer"), (len(file), "magic number")]


drawings.byte_map(index, regions(index))
plt.show()

# %% [markdown]
# ## 6.5 Protocol Buffers
#
# The values are messages in the encoding of Protocol Buffers. A message is a list of fields. Each
# has a number instead of a name, and a file that both sides know says which name belongs to which
# number (here TensorFlow's `tensor_bundle.proto`). A field begins with a varint, `number << 3 |
# wire_type`, where the wire type says how its value is written: 0 for a varint, 2 for a varint that
# gives a size and then that many bytes, 5 for four bytes. Let us take one apart:

# %% tags=["stable"]
FIELDS = {1: "dtype", 2: "shape", 3: "shard_id", 4: "offset", 5: "size", 6: "crc32c"}
chosen = "model/h0/attn/c_attn/w"
message = dict(entries)[chosen.encode()]
print(message.hex(" "), "\n")


def fields(message):
    """(number, value) of each field of a message."""
    at, found = 0, []
    while at < len(message):
        tag, at = varint(message, at)
        number, wire_type = tag >> 3, tag & 0b111
        if wire_type == 0:
            value, at = varint(message, at)
        else:
            size, at = varint(message, at) if wire_type == 2 else (4, at)
            value, at = message[at : at + size], at + size
        found.append((number, value))
    return found


for number, value in fields(message):
    shown = value if isinstance(value, int) else value.hex(" ")
    print(f"{number} {FIELDS[number]:7} {shown}")

# %% [markdown]
# The type 1 is float32. A field that is zero is not written at all: here the number of the file
# (`shard_id`) is missing. The shape is a message of its own, with a field 2 for every dimension,
# and this field is again a message, with the size in its field 1:

# %% tags=["stable"]
shape = [dict(fields(dimension))[1] for _, dimension in fields(dict(fields(message))[2])]
print(shape)

# %%
entry = read_entry(message, num_shards=1)
assert entry == read_index(folder / "model.ckpt")[chosen]
assert list(entry.shape) == shape
print(str(entry).replace(", offset", ",\n    offset"))

# %% [markdown]
# ## 6.6 The numbers
#
# At last we have all that we need: the tensor's bytes begin at `offset` and are `size` long. Each
# number takes four.

# %% tags=["stable"]
stored = data[entry.offset : entry.offset + entry.size]
print(stored[:16].hex(" "), "...")

# %% [markdown]
# A float32 is one bit for the sign, eight for the exponent $e$ and 23 for the fraction $f$:
# $\pm\, 2^{e - 127}\,(1 + f / 2^{23})$. The first number by hand:

# %% tags=["stable"]
bits = int.from_bytes(stored[:4], "little")
sign, exponent, fraction = bits >> 31, (bits >> 23) & 0xFF, bits & 0x7FFFFF
print(f"{sign:b} {exponent:08b} {fraction:023b}   e = {exponent}")
number = (-1) ** sign * 2.0 ** (exponent - 127) * (1 + fraction / 2**23)
print(f"{number:.6f}")

# %% [markdown]
# NumPy does that for all of them at once, without copying a byte: `frombuffer` only notes where the
# numbers lie and what type they are.

# %%
tensor = np.frombuffer(stored, "<f4").reshape(shape)  # "<" for little-endian
assert tensor[0, 0, 0] == np.float32(number)

model = picogpt.load(folder)
assert np.array_equal(tensor[0], model.params["h"][0]["attn"]["c_attn"]["w"])
print(tensor.shape, tensor.dtype, tensor[0, 0, :4])

# %% [markdown]
# The dimension of size 1 in front is there because OpenAI wrote these products as *convolutions* of
# width 1: a matrix that slides along the text and sees one position at a time. It is the same
# product.
#
# ## 6.7 Checksums
#
# Bits flip: on disks, in cables, in memory. So each tensor, and each block of the index, comes with
# a checksum called CRC-32C: the message, taken as one long binary number, is divided by a fixed
# number, and the remainder is kept. It is long division, as in school, but nothing is borrowed or
# carried: to subtract is to take the XOR, bit by bit. Here 1101 is divided by 1011 (the three zeros
# make room for the remainder):
#
#     1101000
#     1011
#      110000
#      1011
#       11100
#       1011
#        1010
#        1011
#           1    the remainder
#
# CRC-32C divides by a number of 33 bits, so its remainder has 32. A table holds the remainder for
# each byte value, and so eight bits are divided in one step. The bits of a byte are taken lowest
# first. The register, which holds the remainder so far, begins as all ones, so that zeros in front
# of the message count as well, and at the end every bit of it is inverted:


# %%
def crc(message):
    register = 0xFFFFFFFF
    for byte in message:
        register = TABLE[(register ^ byte) & 0xFF] ^ (register >> 8)
    return register ^ 0xFFFFFFFF


assert crc(b"123456789") == 0xE3069283  # the usual test of a CRC-32C
assert crc(stored) == unmask(entry.crc32c) == crc32c(stored)
for name, value in {
    "computed": crc(stored),
    "stored": entry.crc32c,
    "unmasked": unmask(entry.crc32c),
}.items():
    print(f"{name:8} {value:#010x}")

# %% [markdown]
# Stored checksums are *masked*: rotated by 15 bits and increased by a constant. Otherwise there
# would be trouble with data that contains checksums itself, since the CRC of bytes that end in
# their own CRC is always the same number.
#
# A remainder of 32 bits notices every single flipped bit, every odd number of them, and any damage
# within 32 neighbouring bits. Of all other damage, about one case in four billion goes unnoticed.
# We try each bit of the first 96 bytes:

# %%
small = stored[:96]
noticed = 0
for bit in range(8 * len(small)):
    damaged = bytearray(small)
    damaged[bit // 8] ^= 1 << bit % 8
    noticed += crc(damaged) != crc(small)
print(f"{noticed} of {8 * len(small)} single flipped bits noticed")

# %% [markdown]
# Byte by byte is slow in Python. The library's `crc32c` first folds the long message onto a short
# one that has the same remainder, with NumPy (`picogpt/weights/crc32c.py` says how):
#
# **Guess first.** How many times faster is the NumPy version: 3, 30 or 300 times?

# %%
rng = np.random.default_rng(0)
long_message = rng.bytes(20_000_000)
start = time.perf_counter()
fast = crc32c(long_message)
middle = time.perf_counter()
slow = crc32c_plain(long_message[:200_000])
end = time.perf_counter()
assert crc32c(long_message[:200_000]) == slow
plain, folded = 0.2 / (end - middle), 20 / (middle - start)  # MB per second
print(f"plain: {plain:.1f} MB/s   folded: {folded:.0f} MB/s, {folded / plain:.0f} times faster")

# %% [markdown]
# ## 6.8 Memory maps
#
# To *read* 498 MB of GPT-2's weights means to copy them from the disk into the operating system's
# memory, and from there into Python's. A *memory map* asks for less: the file becomes a range of
# addresses, and only when a number in it is used is its page of 4096 bytes fetched. Opening takes
# no time, nothing is in memory twice, and two programs that map the same file share it.
#
# **Guess first.** Which is quicker: to read a file of 64 MB, or to map it and then use all of it?


# %% alt="Bars on a logarithmic axis: reading a file takes long, mapping it hardly any time, even when one row is then used. Mapping it and using all rows lies between."
def milliseconds(f, times=3):
    spent = []
    for _ in range(times):
        start = time.perf_counter()
        f()
        spent.append(time.perf_counter() - start)
    return 1e3 * min(spent)


with tempfile.TemporaryDirectory() as temporary:
    path = Path(temporary) / "weights"
    rng.standard_normal((16_000, 1000), np.float32).tofile(path)  # 64 MB

    def mapped():
        return np.memmap(path, np.float32, mode="r").reshape(-1, 1000)

    times = {
        "read the file": milliseconds(lambda: np.fromfile(path, np.float32)),
        "map it": milliseconds(mapped),
        "map it, use one row": milliseconds(lambda: mapped()[9000].sum()),
        "map it, use all rows": milliseconds(lambda: mapped().sum()),
    }

fig, ax = plt.subplots(figsize=(7.5, 2.2))
bars = ax.barh(list(times), list(times.values()), color=[ORANGE, BLUE, BLUE, BLUE])
ax.bar_label(bars, fmt="%.2f", padding=3)
ax.set_xscale("log")
ax.set_xticks([0.01, 0.1, 1, 10, 100], ["0.01", "0.1", "1", "10", "100"])
ax.invert_yaxis()
ax.set(xlabel="milliseconds, for 64 MB that the system has in memory already")
plt.show()

# %% [markdown]
# Mapping is quicker, even if all of the file is used: nothing is copied, and no new memory has to
# be found. (The disk plays no part here, because the system still has the new file in memory.)
#
# All float32 parameters that the reader returns are views of a single map, which nobody can write
# to. (`picogpt.load` then copies a small model, so that its products can read the memory straight
# on.)

# %%
_, mapped_params = read_openai(folder)
big = mapped_params["h"][0]["attn"]["c_attn"]["w"]
print("has a copy of its own:", big.base is None, "  can be written to:", big.flags.writeable)
assert np.shares_memory(big, mapped_params["wte"].base)

# %% [markdown]
# ## 6.9 The whole reader
#
# Here are the steps together, compared with the library's reader tensor by tensor. What we did by
# hand in 6.2 to 6.4, the library's `read_footer`, `read_handle`, `read_block` and `block_entries`
# do here. They also check every length, since a file may be damaged, or crafted to do harm.


# %%
def read_checkpoint(index, data):
    _, index_block = read_footer(index)
    tensors = {}
    for _, value in block_entries(read_block(index, index_block)):
        handle, _ = read_handle(value, 0)
        for key, message in block_entries(read_block(index, handle)):
            if key:  # the empty key holds the number of files
                found = dict(fields(message))
                sizes = [dict(fields(dimension))[1] for _, dimension in fields(found[2])]
                begin = found.get(4, 0)
                stored = data[begin : begin + found[5]]
                tensors[key.decode()] = np.frombuffer(stored, "<f4").reshape(sizes)
    return tensors


tensors = read_checkpoint(index, data)
expected = flatten(model.params)
for path, parameter in expected.items():
    ours = tensors["model/" + path.replace("h.", "h", 1).replace(".", "/")]
    assert np.array_equal(ours.reshape(parameter.shape), parameter)
assert len(tensors) == len(expected)
print(
    len(tensors),
    "tensors,",
    sum(x.size for x in tensors.values()),
    "numbers, all as they should be",
)

# %% [markdown]
# ## Common mistakes
#
# > - *The wrong byte order or type.* Any four bytes make some float, so there is no error.
# > - *Tensors in the order of the blocks.* Names are sorted as text, and `h10` comes before `h2`.
# > - *The matrix transposed*: OpenAI's are $[n_\mathrm{in}, n_\mathrm{out}]$ ([notebook 4](04_forward_pass.ipynb)).
# > - *The masked checksum compared with the computed one.*
# > - *A copy by accident*: `astype`, arithmetic or a list of rows makes a new array, and then the
# >   memory map is of no use.
# > - *Trust.* A length in a file may be wrong. And many checkpoints are *pickled* (stored with
# >   Python's `pickle`). Such a file is a program: loading it runs it.

# %% tags=["stable"]
values = np.array([0.5, -1.25, 3.0], "<f4").tobytes()
for name, dtype in (("<f4", "<f4"), (">f4", ">f4"), ("<f2", "<f2"), ("<i4", "<i4")):
    print(f"as {name}: {np.frombuffer(values, dtype)}")

# %% tags=["stable"]
names = [f"model/h{i}/ln_1/b" for i in range(12)]
print("as text:   ", *(name[6:9].strip("/") for name in sorted(names)))
print("as numbers:", *(name[6:9].strip("/") for name in names))
checksum = crc32c(b"123456789")
print(f"masked {mask(checksum):#010x}, computed {checksum:#010x}")

# %% [markdown]
# **Guess first.** Which of these are views of the file's bytes, and which have copied them?

# %% tags=["stable"]
x = np.frombuffer(data, "<f4", count=1000)
for name, result in {
    "x[:100]": x[:100],
    "x.reshape(100, 10).T": x.reshape(100, 10).T,
    'x.astype("<f4")': x.astype("<f4"),
    "2 * x": 2 * x,
    "np.stack([x, x])": np.stack([x, x]),
}.items():
    print(f"{name:21} {'a view' if np.shares_memory(result, x) else 'a copy'}")

# %% [markdown]
# A view says only in which order to step through the bytes that are there. New values need new
# memory, and `astype` takes it even where the type stays the same.
#
# This is what the library says about a damaged index: cut off, with a flipped bit in a name, with
# another magic number, and far too short.

# %% tags=["stable"]
flipped = bytearray(index)
flipped[20] ^= 1
for wrong in (index[:-1], bytes(flipped), index[:-8] + b"8 bytes!", b"too short"):
    try:
        read_table(wrong)
    except CheckpointError as error:
        print(error)

# %% [markdown]
# ## Five quick questions
#
# Nothing to compute: this is just to see what has stuck. Put your five letters into the second
# cell, and "-" for a question that you leave out.

# %% tags=["stable"]
from picogpt.classroom.quiz import quiz

quiz(6)

# %%
quiz(6, "-----")

# %% [markdown]
# ## Exercises
#
# The solutions are at the end. Click on one to open it.
#
# **Exercise 1.** The other direction: turn a number into the bytes of its varint.

# %% [markdown]
# *Easy.*
#
# *Warm-up, without a computer:* How many bytes does 300 take, and what is the first one?
#
# <details><summary>Answer</summary>Two; 300 = 2 * 128 + 44, so the first holds 44, and its eighth
# bit is set.</details>
#
# <details><summary>First hint</summary>Take the lowest seven bits, and shift them out. When are you
# done?</details>
# <details><summary>Second hint</summary>All bytes but the last have the eighth bit set.</details>


# %%
def write_varint(number):
    """0 <= number -> bytes"""
    return b""  # your lines


# %%
attempt(check_6_1, write_varint)

# %% [markdown]
# **Exercise 2.** Which tensor does the byte number 40,000 of the data file belong to?

# %% [markdown]
# *Easy.*
#
# <details><summary>First hint</summary><code>read_index(folder / "model.ckpt")</code> maps names to
# entries with <code>offset</code> and <code>size</code>.</details>
# <details><summary>Second hint</summary>Look for the entry that begins at or before the byte, and
# ends after it.</details>

# %%
owner = None  # your answer, a name such as "model/wpe"


# %%
attempt(check_6_2, owner, folder)

# %% [markdown]
# **Exercise 3.** One bit of this copy of the data file has been flipped. In which tensor?

# %% [markdown]
# *Medium.*
#
# <details><summary>First hint</summary>6.7 compares the computed and the stored checksum of one
# tensor. Do it for all entries of <code>read_index</code>.</details>
# <details><summary>Second hint</summary>What is stored is masked:
# <code>unmask(entry.crc32c)</code>.</details>

# %%
flipped_data = bytearray(data)
flips = np.random.default_rng(3)
flipped_data[int(flips.integers(len(data)))] ^= 1 << int(flips.integers(8))


def damaged_tensor(data):
    """The bytes of the data file -> the name of the tensor whose checksum is wrong"""
    name = None  # your lines
    return name


# %%
attempt(check_6_3, damaged_tensor, folder)

# %% [markdown]
# ## Solutions


# %% tags=["solution"]
# A solution of exercise 1
def varint_solution(number):
    written = []
    while number >= 0b10000000:
        written.append(0b10000000 | (number & 0b1111111))
        number >>= 7
    return bytes([*written, number])


check_6_1(varint_solution)

# %% tags=["solution"]
# A solution of exercise 2
known = read_index(folder / "model.ckpt")
check_6_2(next(name for name, e in known.items() if e.offset <= 40_000 < e.offset + e.size), folder)


# %% tags=["solution"]
# A solution of exercise 3
def damaged_solution(data):
    for name, e in read_index(folder / "model.ckpt").items():
        if crc32c(data[e.offset : e.offset + e.size]) != unmask(e.crc32c):
            return name


check_6_3(damaged_solution, folder)
print(damaged_solution(flipped_data))

# %% [markdown]
# ## To go on
#
# - The code: [`picogpt/weights/sstable.py`](../picogpt/weights/sstable.py), `tf_bundle.py`,
#   `crc32c.py` and `openai.py`; and `safetensors.py` for Hugging Face's format, which does the same
#   with a header in JSON.
# - LevelDB's `doc/table_format.md`; TensorFlow's `tensor_bundle.proto`; RFC 3720, appendix B.4, on
#   CRC-32C.
# - Next: [notebook 7](07_training.ipynb), where weights like these come from.
