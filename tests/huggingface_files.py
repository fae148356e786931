"""Files of Hugging Face's layout, to be changed and damaged."""

import json
import shutil
from pathlib import Path

import pytest
from hypothesis import strategies as st

REFERENCE = Path(__file__).parent / "reference"
FOLDER = REFERENCE / "huggingface"  # see make_huggingface.py


def copy(name: str, path: Path) -> Path:
    return Path(shutil.copytree(FOLDER / name, path / "model"))


def change(path: Path, **changes) -> None:
    """Change keys of a JSON object in a file; ... takes a key away."""
    for key, value in changes.items():
        set_at(path, key, value)


def set_at(path: Path, place: str, value) -> None:
    """Change the value at a place such as "model.type" in a JSON file; ... takes it away."""
    whole = branch = json.loads(path.read_text("utf-8"))
    *parents, key = place.split(".")
    for parent in parents:
        branch = branch[parent]
    if value is ...:
        del branch[key]
    else:
        branch[key] = value
    path.write_text(json.dumps(whole), "utf-8")


def refused(read, folder: Path, name: str = "") -> str:
    """The message with which a folder is refused: one line that begins with the path."""
    with pytest.raises(ValueError) as caught:
        read(folder)
    message = str(caught.value)
    assert message.startswith(str(folder / name))
    assert "\n" not in message
    assert len(message) < len(str(folder)) + 400
    return message.removeprefix(str(folder))


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=5,
)


def places(value, path: str = "") -> list[str]:
    """The paths to all values in a JSON object, but not into long ones."""
    found = [path] if path else []
    if isinstance(value, dict) and len(value) < 60:
        for key, inner in value.items():
            found += places(inner, f"{path}.{key}" if path else key)
    return found
