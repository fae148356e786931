"""Files of torch.save, made by PyTorch (tests/reference/make_pytorch.py), good and bad."""

import pickle
import pickletools
import random
import shutil
import zipfile
from pathlib import Path

import numpy as np
import pytest

from picogpt.config import Config, flatten
from picogpt.weights import CheckpointError
from picogpt.weights.huggingface import read_huggingface
from picogpt.weights.model_folder import read_model, without_surplus
from picogpt.weights.pytorch import read_pytorch, state_dict
from picogpt.weights.safetensors import read_safetensors
from picogpt.weights.unpickle import INSTRUCTIONS, Machine

FOLDER = Path(__file__).parents[1] / "reference" / "pytorch"
EXPECTED = read_safetensors(FOLDER / "model.safetensors")
CONFIG = Config(n_vocab=13, n_ctx=6, n_embd=4, n_head=2, n_layer=2)


def arrays(path: Path) -> dict:
    found, read = read_pytorch(path)
    return {name: read(tensor) for name, tensor in state_dict(found).items()}


def bfloat16(x: np.ndarray) -> np.ndarray:
    """Rounded to the nearest, ties to even."""
    bits = x.view(np.uint32).astype(np.uint64)
    bits += 0x7FFF + ((bits >> 16) & 1)
    return (bits & 0xFFFF0000).astype(np.uint32).view(np.float32)


@pytest.mark.parametrize("name", ["zip", "legacy", "views", "double", "half", "bfloat16"])
def test_every_form_has_the_same_numbers(name):
    found = arrays(FOLDER / f"{name}.bin")
    narrowed = {"half": lambda x: x.astype(np.float16), "bfloat16": bfloat16}.get(name, np.copy)
    assert found.keys() == EXPECTED.keys()
    for key, x in EXPECTED.items():
        assert found[key].dtype == np.float32
        assert np.array_equal(found[key], narrowed(x)), key


def test_float32_is_mapped():
    found = arrays(FOLDER / "zip.bin")
    assert not any(x.flags.writeable or x.flags.owndata for x in found.values())


@pytest.fixture
def folder(tmp_path):
    shutil.copy(FOLDER / "config.json", tmp_path)
    return tmp_path


@pytest.fixture(scope="module")
def params(tmp_path_factory):
    """The same model from safetensors, path -> array."""
    folder = tmp_path_factory.mktemp("safetensors")
    for name in ("config.json", "model.safetensors"):
        shutil.copy(FOLDER / name, folder)
    return flatten(read_huggingface(folder)[1])


def assert_same(found: tuple[Config, dict], params: dict) -> None:
    assert found[0] == CONFIG
    flat = flatten(found[1])
    assert flat.keys() == params.keys()
    assert all(np.array_equal(flat[path], x) for path, x in params.items())


@pytest.mark.parametrize("name", ["zip", "legacy", "views"])
def test_a_folder_with_pytorch_model_bin(folder, params, name):
    shutil.copy(FOLDER / f"{name}.bin", folder / "pytorch_model.bin")
    assert_same(read_model(folder), params)


def test_a_folder_with_shards(folder, params):
    for path in FOLDER.glob("pytorch_model*"):
        shutil.copy(path, folder)
    assert_same(read_model(folder), params)
    (folder / "pytorch_model-00002-of-00002.bin").unlink()
    with pytest.raises(FileNotFoundError, match="pytorch_model-00002-of-00002.bin"):
        read_model(folder)


def test_nanogpt(tmp_path, params):
    shutil.copy(FOLDER / "ckpt.pt", tmp_path)
    assert_same(read_model(tmp_path), params)
    shutil.copy(FOLDER / "zip.bin", tmp_path / "ckpt.pt")
    with pytest.raises(CheckpointError, match="it has no model_args"):
        read_model(tmp_path)


def test_surplus_rows_are_left_out(params):
    tree = read_huggingface(FOLDER)[1]
    config, fewer = without_surplus(CONFIG, tree, 11)
    assert config.n_vocab == 11
    assert np.array_equal(fewer["wte"], params["wte"][:11])


# Pickles that mean harm, or nothing


class Evil:
    def __reduce__(self):
        import os

        return os.system, ("touch /tmp/never",)


def written(tmp_path, data: bytes, **members: bytes) -> Path:
    """A file of torch.save's new form with this data.pkl."""
    path = tmp_path / "evil.bin"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("x/data.pkl", data)
        for name, content in members.items():
            archive.writestr(f"x/{name}", content)
    return path


def refused(path: Path) -> str:
    with pytest.raises(CheckpointError) as error:
        found, read = read_pytorch(path)
        for tensor in state_dict(found).values():
            read(tensor)
    assert "\n" not in str(error.value)
    return str(error.value)


@pytest.mark.parametrize("protocol", [2, 4, 5])
def test_no_function_is_fetched(tmp_path, protocol):
    path = written(tmp_path, pickle.dumps({"a": Evil()}, protocol=protocol))
    assert "asks for 'posix system', which is not run" in refused(path) or "nt system" in refused(
        path
    )


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"\x80\x02cbuiltins\neval\n.", "asks for 'builtins eval', which is not run"),
        (b"\x80\x02(S'os.system'\n", r"the instruction b'S' at byte 3"),
        (b"i", "the instruction b'i' at byte 0"),
        (b"", "the pickle ends at byte 0"),
        (b"X\xff\xff\xff\xffa", "ends at byte 6, in an instruction"),
        (b"h\x00.", "recalls value 0, which it never kept"),
        (b"t.", "a mark that is not there"),
        (b"(0.", "takes from an empty stack"),
        (b"}]K\x01s.", "has a list as a key"),
        (b"K\x01K\x02a.", "expects a list, found 1"),
        (b"}(K\x01u.", "a key without a value"),
        (b"K\x01)R.", "calls 1"),
        (b"ctorch FloatStorage\n", "no end of the line"),
        (b"ctorch._utils\n_rebuild_tensor_v2\n)R.", "_rebuild_tensor_v2 with wrong arguments"),
        (b"K\x01Q.", "names 1 as a storage"),
        (b"X\x01\x00\x00\x00\xff.", "is not UTF-8"),
        (b"].", "it does not hold tensors by their names"),
        (b"}" * 1_000_001, "more than 1,000,000 instructions"),
    ],
)
def test_bad_pickles(tmp_path, data, message):
    assert message in refused(written(tmp_path, data))


def test_a_value_that_holds_itself(tmp_path):
    loop = []
    loop.append(loop)
    refused(written(tmp_path, pickle.dumps({"a": loop}, protocol=2)))


def test_numbers_beyond_the_storage(tmp_path):
    """A good file in whose pickle the sizes are changed."""
    with zipfile.ZipFile(FOLDER / "half.bin") as archive:
        members = {name.partition("/")[2]: archive.read(name) for name in archive.namelist()}
    data = members.pop("data.pkl")
    wpe = b"K\x06K\x04\x86"  # the shape of wpe, (6, 4)
    assert data.count(wpe) >= 1
    rest = {name: content for name, content in members.items() if name.startswith("data/")}
    refused(written(tmp_path, data.replace(wpe, b"K\x07K\x04\x86", 1), **rest))
    large = b"K\x06J\xff\xff\xff\x7f\x86"
    refused(written(tmp_path, data.replace(wpe, large, 1), **rest))
    negative = b"K\x06J\xff\xff\xff\xff\x86"
    assert "impossible sizes" in refused(written(tmp_path, data.replace(wpe, negative, 1), **rest))


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_bad_zips(tmp_path):
    with zipfile.ZipFile(FOLDER / "zip.bin") as archive:
        data = archive.read(archive.namelist()[0])
    assert "no member 'data/" in refused(written(tmp_path, data))
    assert "no member 'data.pkl'" in refused(written_under(tmp_path, "../../x.pkl", data))
    path = tmp_path / "twice.bin"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("x/data.pkl", data)
        archive.writestr("x/data.pkl", data)
    assert "two members 'data.pkl'" in refused(path)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("x/data.pkl", data)
    assert "compressed, which torch.save never does" in refused(path)
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("x/byteorder", b"big")
    assert "big-endian" in refused(path)
    path.write_bytes(b"PK\x03\x04nothing else")
    assert "not what torch.save writes" in refused(path)
    with zipfile.ZipFile(path, "w") as archive:
        for i in range(14_000):
            archive.writestr(f"x/a member with a name of {i}", b"")
    assert "is too long" in refused(path)


def test_members_that_lie_on_each_other(tmp_path):
    """A hundred names for the same bytes: each would be widened by itself."""
    path = written(tmp_path, b"}.", **{f"data/{i:03}": bytes(1000) for i in range(100)})
    whole = path.read_bytes()
    begin = whole.index(b"x/data/000") - 30
    end = begin + (whole.index(b"x/data/001") - 30 - begin)
    directory = bytearray(whole[whole.index(b"PK\x01\x02") :])
    at = len("x/data.pkl") + 46
    for _ in range(100):
        directory[at + 42 : at + 46] = begin.to_bytes(4, "little")
        at += 46 + len("x/data/000")
    directory[-6:-2] = end.to_bytes(4, "little")  # where the list of members begins now
    path.write_bytes(whole[:end] + directory)
    assert "its members lie on each other" in refused(path)


def bomb(shape: str, strides: str, n_names: int = 1) -> bytes:
    """A pickle of tensors that view one storage of 8 float16 numbers."""
    tensor = "ctorch._utils\n_rebuild_tensor_v2\n((X\x07\0\0\0storagectorch\nHalfStorage\n"
    tensor += f"X\x01\0\0\x000X\x03\0\0\0cpuK\x08tQK\0{shape}{strides}tRq\0"
    first = f"}}X\x01\0\0\0a{tensor}s"
    more = "".join(f"X\x01\0\0\0{chr(98 + i)}h\0s" for i in range(n_names - 1))
    return (first + more + ".").encode("latin-1")


def test_a_small_storage_never_makes_a_large_tensor(tmp_path):
    good = written(tmp_path, bomb("K\x08\x85", "K\x01\x85", 2), **{"data/0": bytes(16)})
    assert {name: x.shape for name, x in arrays(good).items()} == {"a": (8,), "b": (8,)}
    huge = "J\xff\xff\xff\x7f"
    for shape, strides in ((f"{huge}\x85", "K\0\x85"), (f"{huge}{huge}\x86", "K\0K\0\x86")):
        path = written(tmp_path, bomb(shape, strides), **{"data/0": bytes(16)})
        assert "share a storage of 8" in refused(path)
    path = written(tmp_path, bomb("K\x09\x85", "K\0\x85"), **{"data/0": bytes(16)})
    assert "has more numbers than the 8 of its storage" in refused(path)
    path = written(tmp_path, bomb("K\x08\x85", "K\x01\x85", 3), **{"data/0": bytes(16)})
    assert "tensors of 24 numbers share a storage of 8" in refused(path)


@pytest.mark.parametrize("call", [b"ctorch\nSize\n", b"ctorch._utils\n_rebuild_tensor\n"])
def test_long_shapes_are_not_copied_again_and_again(tmp_path, call):
    """Half a million instructions that would copy a list of as many values each."""
    args = b"h\0\x85" if b"Size" in call else b"(NK\0h\0h\0t"
    path = written(tmp_path, b"](" + 400_000 * b"N" + b"eq\0" + 100_000 * (call + args + b"R0"))
    assert "the pickle makes a" in refused(path)


def written_under(tmp_path, name: str, data: bytes) -> Path:
    path = tmp_path / "evil.bin"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(name, data)
    return path


@pytest.mark.parametrize("name", ["zip.bin", "legacy.bin", "ckpt.pt"])
def test_any_damage_is_found_or_means_nothing(tmp_path, name):
    rng = random.Random(name)
    good = (FOLDER / name).read_bytes()
    path = tmp_path / name
    n_refused = 0
    for _ in range(400):
        data = bytearray(good)
        for _ in range(rng.choice([1, 1, 3, 20])):
            data[rng.randrange(len(data))] = rng.randrange(256)
        path.write_bytes(data[: rng.randrange(len(data))] if rng.random() < 0.1 else data)
        try:
            found, read = read_pytorch(path)
            tensors = found["model"] if name == "ckpt.pt" else found
            for tensor in state_dict(tensors).values():
                assert read(tensor).dtype == np.float32
        except (CheckpointError, KeyError, TypeError) as error:
            assert name == "ckpt.pt" or isinstance(error, CheckpointError), error
            n_refused += 1
    assert n_refused > 20


def test_the_machine_knows_what_pickletools_knows():
    """Each instruction is one of pickle's, and none of those that can do harm is there."""
    known = {ord(opcode.code): opcode.name for opcode in pickletools.opcodes}
    names = {known[code] for code in INSTRUCTIONS}
    assert not names & {"INST", "OBJ", "NEWOBJ", "NEWOBJ_EX", "EXT1", "EXT2", "EXT4", "PERSID"}
    machine = Machine(pickle.dumps([1, -2, 3.5, "é", (True, None), {"a": 2**70}], 2), {}, None)
    assert machine.run() == [1, -2, 3.5, "é", (True, None), {"a": 2**70}]
