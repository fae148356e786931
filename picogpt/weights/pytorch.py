"""Reading what torch.save writes, without PyTorch and without running a pickle.

Since PyTorch 1.6 the file is a zip, whose members are stored as they are: data.pkl describes the
objects, and data/0, data/1, ... hold the numbers. Before that it was several pickles, one after the
other, and then the numbers. In both, a tensor is a view of a *storage*, a row of numbers, given by
where it begins, its shape, and how far apart neighbours are along each axis (its strides). Here
too, float32 tensors in row order are views of the memory-mapped file.

Source: torch/serialization.py, _save and _legacy_save; torch/_utils.py, _rebuild_tensor_v2.
"""

import io
import math
import struct
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np

from ..files import require
from .errors import CheckpointError, about
from .tf_bundle import as_float32, map_shard
from .unpickle import Machine, describe

# The name of a storage in the pickle -> the type of its numbers, as tf_bundle.as_float32 knows it.
STORAGES = {
    "FloatStorage": "float32",
    "HalfStorage": "float16",
    "BFloat16Storage": "bfloat16",
    "DoubleStorage": "float64",
    **dict.fromkeys(("ByteStorage", "CharStorage", "BoolStorage"), "int8"),
    "ShortStorage": "int16",
    "IntStorage": "int32",
    "LongStorage": "int64",
}
ITEM_SIZES = {"bfloat16": 2} | {x: np.dtype(x).itemsize for x in STORAGES.values() if x[0] != "b"}
LEGACY_MAGIC = 0x1950A86A20F9469CFC6C
LEGACY_PROTOCOL = 1001
MAX_PICKLE = 10_000_000  # bytes; that of the largest GPT-2 has 100,000
MAX_DIRECTORY = 1_000_000  # bytes in which a zip lists its members; that GPT-2's takes 50,000
MAX_AXES = 8


class Storage(NamedTuple):
    """A row of numbers in the file: its key, the type of the numbers, and how many there are."""

    key: str
    dtype: str
    n: int


class TorchTensor(NamedTuple):
    """A view of a storage: where it begins, and how many numbers lie between neighbours."""

    storage: Storage
    offset: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]

    def array(self, data: np.ndarray) -> np.ndarray:
        """The tensor as float32; data: the bytes of its storage, uint8.

        Raises CheckpointError if its numbers are not floats, or it reaches beyond its storage.
        """
        if self.storage.dtype.startswith("int"):
            raise CheckpointError(f"holds {self.storage.dtype} numbers, expected floats")
        if len(data) != self.storage.n * ITEM_SIZES[self.storage.dtype]:
            raise CheckpointError(
                f"its storage has {len(data)} bytes, not {self.storage.n} numbers"
            )
        # An axis of stride 0 would make any number of numbers out of one.
        if math.prod(self.shape) > self.storage.n:
            raise CheckpointError(f"has more numbers than the {self.storage.n} of its storage")
        last = self.offset + sum((n - 1) * stride for n, stride in zip(self.shape, self.strides))
        if 0 not in self.shape and last >= self.storage.n:
            raise CheckpointError(f"reaches beyond the {self.storage.n} numbers of its storage")
        numbers = storage_numbers(data, self.storage.dtype)
        view = np.lib.stride_tricks.as_strided(
            numbers[self.offset :], self.shape, [4 * stride for stride in self.strides]
        )
        return np.require(view, requirements=["C", "A"])  # a copy only where it has to be


def storage_numbers(data: np.ndarray, dtype: str) -> np.ndarray:
    """The bytes of a storage as float32 numbers; a view if they are that already."""
    if dtype == "float64":
        with np.errstate(over="ignore"):  # check_finite looks at them later
            return data.view("<f8").astype(np.float32)
    return as_float32(data, dtype)


class Storages:
    """Hands out the storages that a pickle names, and remembers them."""

    def __init__(self):
        self.found: dict[str, Storage] = {}

    def __call__(self, name) -> Storage:
        """name: ("storage", its class, key, device, how many numbers, ...)."""
        if type(name) is not tuple or len(name) < 5 or name[0] != "storage":
            raise CheckpointError(f"the pickle names {describe(name)} as a storage")
        kind, key, n = describe(name[1]).removeprefix("torch "), name[2], name[4]
        if kind not in STORAGES or type(key) is not str or type(n) is not int or n < 0:
            raise CheckpointError(f"the pickle names a storage {describe(key)} of {kind:.80}")
        return self.found.setdefault(key, Storage(key, STORAGES[kind], n))


def rebuild_tensor(storage, offset, shape, strides, *_) -> TorchTensor:
    """torch._utils._rebuild_tensor and _rebuild_tensor_v2."""
    if type(storage) is not Storage or len(strides) != len(shape) or len(shape) > MAX_AXES:
        raise CheckpointError("the pickle makes a tensor of something else")
    sizes = (offset, *shape, *strides)
    if not all(type(x) is int and 0 <= x < 1 << 48 for x in sizes):
        raise CheckpointError("the pickle makes a tensor with impossible sizes")
    return TorchTensor(storage, offset, tuple(shape), tuple(strides))


def size(values) -> tuple:
    """torch.Size."""
    if len(values) > MAX_AXES:
        raise CheckpointError(f"the pickle makes a shape of {len(values)} axes")
    return tuple(values)


def ordered_dict(pairs=()) -> dict:
    """collections.OrderedDict, which is filled by later instructions."""
    if pairs not in ((), []):
        raise CheckpointError("the pickle fills an OrderedDict in a way that torch.save never does")
    return {}


STAND_INS: dict[str, Callable] = {
    "collections OrderedDict": ordered_dict,
    "torch._utils _rebuild_tensor": rebuild_tensor,
    "torch._utils _rebuild_tensor_v2": rebuild_tensor,
    "torch._utils _rebuild_parameter": lambda tensor, *_: tensor,
    "torch Size": size,
    **{f"torch {name}": lambda: None for name in STORAGES},  # never called
}

Reader = Callable[[TorchTensor], np.ndarray]


def read_pytorch(path: Path) -> tuple[object, Reader]:
    """The object in a file, with a TorchTensor for each tensor, and a function that reads those.

    Raises FileNotFoundError; CheckpointError if the file is damaged, or asks for anything but
    dicts, lists, numbers, texts and tensors.
    """
    with about(require(path)):
        data = map_shard(path)
        try:
            is_zip = bytes(data[:4]) == b"PK\x03\x04"
            return read_zip(path, data) if is_zip else read_legacy(data)
        except (zipfile.BadZipFile, NotImplementedError, struct.error) as error:
            raise CheckpointError(f"not what torch.save writes: {error}") from None
        except UnicodeDecodeError:
            raise CheckpointError("a text in it is not UTF-8") from None


class ShortReads(io.FileIO):
    """A file of which zipfile, which reads the list of members whole, gets only a short one."""

    def read(self, n: int = -1) -> bytes:
        if n > MAX_DIRECTORY:
            raise CheckpointError(f"the list of its members, of {n} bytes, is too long")
        return super().read(MAX_DIRECTORY if n < 0 else n)


def read_zip(path: Path, data: np.ndarray) -> tuple[object, Reader]:
    """See read_pytorch; data: the bytes of the file, uint8."""
    members = {}
    with ShortReads(path) as file, zipfile.ZipFile(file) as archive:
        for member in archive.infolist():
            name = member.filename.partition("/")[2]  # below the folder that holds them all
            if name in members:
                raise CheckpointError(f"it has two members {name!r:.80}")
            members[name] = member
    if sum(member.compress_size for member in members.values()) > len(data):
        raise CheckpointError("its members lie on each other")

    def stored(name: str) -> np.ndarray:
        """The bytes of a member, where they lie in the file."""
        if name not in members:
            raise CheckpointError(f"it has no member {name!r:.80}")
        member = members[name]
        if member.compress_type != zipfile.ZIP_STORED or member.flag_bits & 1:
            raise CheckpointError(f"{name!r:.80} is compressed, which torch.save never does")
        header = bytes(data[member.header_offset : member.header_offset + 30])
        if len(header) < 30 or header[:4] != b"PK\x03\x04":
            raise CheckpointError(f"{name!r:.80} does not begin where the zip says")
        begin = member.header_offset + 30 + sum(struct.unpack("<HH", header[26:]))
        if begin + member.file_size > len(data):
            raise CheckpointError(f"{name!r:.80} reaches beyond the end of the file")
        return data[begin : begin + member.file_size]

    if "byteorder" in members and bytes(stored("byteorder")) != b"little":
        raise CheckpointError("its numbers are big-endian, expected little-endian")
    made = Machine(beginning(stored("data.pkl")), STAND_INS, Storages()).run()
    return made, lambda tensor: tensor.array(stored(f"data/{tensor.storage.key}"))


def read_legacy(data: np.ndarray) -> tuple[object, Reader]:
    """See read_pytorch; the format before PyTorch 1.6."""
    storages = Storages()
    machine = Machine(beginning(data), STAND_INS, storages)
    if machine.run() != LEGACY_MAGIC:
        raise CheckpointError("it does not begin as a file of torch.save does")
    protocol, system, made, keys = (machine.run() for _ in range(4))
    if protocol != LEGACY_PROTOCOL or type(system) is not dict or type(keys) is not list:
        raise CheckpointError(f"it is of version {describe(protocol)}, expected {LEGACY_PROTOCOL}")
    if system.get("little_endian") is not True:
        raise CheckpointError("its numbers are big-endian, expected little-endian")
    parts, at = {}, machine.at
    for key in keys:
        if type(key) is not str or key not in storages.found:
            raise CheckpointError(f"it lists a storage {describe(key)} that no tensor has")
        n = int.from_bytes(bytes(data[at : at + 8]), "little")
        begin, at = at + 8, at + 8 + n * ITEM_SIZES[storages.found[key].dtype]
        if n != storages.found[key].n or at > len(data):
            raise CheckpointError(f"storage {key!r:.80} has {n} numbers, which do not fit")
        parts[key] = data[begin:at]

    def read(tensor: TorchTensor) -> np.ndarray:
        if tensor.storage.key not in parts:
            raise CheckpointError(f"it has no storage {tensor.storage.key!r:.80}")
        return tensor.array(parts[tensor.storage.key])

    return made, read


def state_dict(found) -> dict[str, TorchTensor]:
    """Name -> tensor, of what torch.save(model.state_dict()) wrote; torch.compile adds a prefix."""
    if type(found) is not dict or not all(type(x) is TorchTensor for x in found.values()):
        raise CheckpointError("it does not hold tensors by their names")
    n_used: dict[Storage, int] = {}
    for tensor in found.values():
        if not tensor.storage.dtype.startswith("int"):  # masks are not read
            n_used[tensor.storage] = n_used.get(tensor.storage, 0) + math.prod(tensor.shape)
    for storage, n in n_used.items():
        if n > 2 * storage.n:  # one matrix may have two names
            raise CheckpointError(f"tensors of {n} numbers share a storage of {storage.n}")
    return {str(name).removeprefix("_orig_mod."): tensor for name, tensor in found.items()}


def beginning(data: np.ndarray) -> bytes:
    """The first bytes, in which the pickle must end; the numbers may follow it."""
    return data[:MAX_PICKLE].tobytes()
