"""The maker of the notebooks: what it writes, and what it does not let pass."""

import base64
import importlib.util
import io
import shutil
from pathlib import Path

import nbformat
import numpy as np
import pytest
from PIL import Image

PATH = Path(__file__).parents[2] / "notebooks" / "build.py"
spec = importlib.util.spec_from_file_location("build", PATH)
build = importlib.util.module_from_spec(spec)
spec.loader.exec_module(build)

SOURCE = """\
# %% [markdown]
# # A title
# And a **text**.

# %%
x = 20

# %% tags=["stable"]
x + 1

# %% tags=["solution"]
# A solution of exercise 1
x = 2

print("Right.")
"""


@pytest.fixture
def folder(tmp_path):
    """A folder with one source."""
    (tmp_path / "source").mkdir()
    (tmp_path / "source" / "01_one.py").write_text(SOURCE, "utf-8")
    return tmp_path


@pytest.fixture(scope="session")
def once_made(tmp_path_factory):
    """A folder with the source and its notebook, made once, since a kernel takes long to start."""
    folder = tmp_path_factory.mktemp("notebooks")
    (folder / "source").mkdir()
    (folder / "source" / "01_one.py").write_text(SOURCE, "utf-8")
    build.main(folder, [])
    return folder


@pytest.fixture
def made(once_made, tmp_path):
    """A copy of that folder."""
    return shutil.copytree(once_made, tmp_path / "made")


def change(folder: Path, old: str, new: str) -> None:
    """Change the source."""
    path = folder / "source" / "01_one.py"
    assert old in path.read_text("utf-8")
    path.write_text(path.read_text("utf-8").replace(old, new), "utf-8")


def make(folder: Path, capsys) -> tuple[int, str]:
    """The exit status and what was said."""
    status = build.main(folder, [])
    return status, capsys.readouterr().out


def test_a_notebook_is_made_and_made_again_the_same(folder, capsys):
    status, said = make(folder, capsys)
    assert (status, "there was no such notebook" in said) == (1, True)
    path = folder / "01_one.ipynb"
    first = path.read_bytes()
    text, *code, solution = nbformat.read(path, as_version=4).cells
    assert (text.cell_type, text.source) == ("markdown", "# A title\nAnd a **text**.")
    assert [cell.source for cell in code] == ["x = 20", "x + 1"]
    assert [cell.execution_count for cell in code] == [1, 2]
    assert code[1].outputs[0].data["text/plain"] == "21"
    assert (solution.cell_type, code[1].metadata) == ("markdown", {"tags": ["stable"]})
    assert solution.source.startswith("<details>\n<summary>A solution of exercise 1</summary>\n\n")
    assert (
        '\n\n```python\n# A solution of exercise 1\nx = 2\n\nprint("Right.")\n```'
        in solution.source
    )
    assert solution.source.endswith("```text\nRight.\n```\n\n</details>")
    status, said = make(folder, capsys)
    assert status == 0, said
    assert path.read_bytes() == first
    nbformat.validate(nbformat.read(path, as_version=4))


@pytest.mark.parametrize(
    ("cell", "message"),
    [
        ("1 / 0", "ZeroDivisionError"),
        ("import sys\nprint('oh', file=sys.stderr)", "cell 5 printed to stderr:\noh"),
        ("import os\nos._exit(1)", "a cell failed"),
        ("", "cell 5 is empty"),
    ],
)
def test_a_cell_that_fails(made, capsys, cell, message):
    before = (made / "01_one.ipynb").read_bytes()
    change(made, '"Right.")\n', f'"Right.")\n\n# %%\n{cell}\n')
    status, said = make(made, capsys)
    assert status == 1
    assert message in said
    assert (made / "01_one.ipynb").read_bytes() == before


@pytest.mark.parametrize("tag", ["skip-execution", "raises-exception"])
def test_a_tag_that_hides_what_goes_wrong(folder, capsys, tag):
    change(folder, '"solution"', f'"{tag}"')
    status, said = make(folder, capsys)
    assert status == 1
    assert f"cell 4 has the tag {tag}" in said
    assert not (folder / "01_one.ipynb").exists()


def test_a_cell_that_is_not_run(folder, capsys, monkeypatch):
    def run_none(client):
        return client.nb

    monkeypatch.setattr(build.NotebookClient, "execute", run_none)
    status, said = make(folder, capsys)
    assert status == 1
    assert "cell 2 was not run" in said


def test_another_output_of_a_stable_cell(made, capsys):
    """As it would come from a changed library: the same cells, but not what they give."""
    path = made / "01_one.ipynb"
    path.write_text(path.read_text("utf-8").replace('"21"', '"22"'), "utf-8")
    status, said = make(made, capsys)
    assert status == 1
    assert "another output of the stable cell\nx + 1\nwhich was\n22\nand is now\n21\n" in said
    assert make(made, capsys)[0] == 0


def test_other_outputs_may_change(made, capsys):
    path = made / "01_one.ipynb"
    path.write_text(path.read_text("utf-8").replace("Right.\\n", "Wrong.\\n"), "utf-8")
    assert "Wrong" in path.read_text("utf-8")
    assert make(made, capsys)[0] == 0


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("x = 20", "x = 10 + 10"),
        ("a **text**", "another text"),
        ('tags=["stable"]', ""),
        ("# %%\nx = 20\n\n", "# %%\nx = 20\n\n# %%\nprint(3)\n\n"),
    ],
)
def test_a_notebook_that_was_not_made_from_its_source(made, capsys, old, new):
    change(made, old, new)
    status, said = make(made, capsys)
    assert status == 1
    assert "the committed notebook was not made from this source" in said
    assert "stable cell" not in said
    assert make(made, capsys)[0] == 0


def test_a_palette_keeps_the_picture():
    y, x = np.mgrid[:90, :120]
    smooth = np.stack([200 - y, 2 * x, np.where(x > y, 240, 90)], axis=-1)
    picture = (smooth + np.random.default_rng(0).integers(8, size=smooth.shape)).astype(np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(picture).save(buffer, "PNG")
    new = base64.b64decode(build.with_palette(base64.b64encode(buffer.getvalue()).decode()))
    image = Image.open(io.BytesIO(new))
    assert image.mode == "P"
    assert np.abs(np.array(image.convert("RGB"), float) - picture).mean() < 6
    assert len(new) < len(buffer.getvalue())


def test_a_notebook_without_a_source(made, capsys):
    (made / "01_one.ipynb").rename(made / "02_two.ipynb")
    make(made, capsys)
    status, said = make(made, capsys)
    assert status == 1
    assert "02_two.ipynb: there is no source/02_two.py" in said
    assert build.main(made, ["01"]) == 0


def test_no_source_of_that_name(folder, capsys):
    assert build.main(folder, ["07", "08"]) == 1
    assert "begins with 07 or 08" in capsys.readouterr().out


def test_what_only_draws_is_folded(tmp_path):
    path = tmp_path / "01_one.py"
    path.write_text('# %% tags=["drawing"]\nx = 20\n\n# %%\nx\n', "utf-8")
    drawing, other = build.read_source(path).cells
    assert drawing.metadata == {"tags": ["drawing"], "jupyter": {"source_hidden": True}}
    assert other.metadata == {}


PLOT = """\
# %%
import matplotlib.pyplot as plt

# %% tags=["stable"] alt="A line that rises."
plt.plot([1, 2])
plt.show()

# %% tags=["solution"] alt="A line that falls."
# A solution
plt.plot([2, 1])
plt.show()
"""


def test_a_plot_is_described_below_it_and_inside_a_solution(tmp_path, capsys):
    (tmp_path / "source").mkdir()
    (tmp_path / "source" / "01_one.py").write_text(PLOT, "utf-8")
    build.main(tmp_path, [])
    _, plot, words, solution = nbformat.read(tmp_path / "01_one.ipynb", as_version=4).cells
    assert "image/png" in plot.outputs[-1].data
    assert words.source == (
        "<details>\n<summary>The picture in words</summary>\n\nA line that rises.\n\n</details>"
    )
    assert "\n\n![A line that falls.](data:image/png;base64," in solution.source


def test_the_code_of_a_solution_is_compared_but_not_what_it_says():
    def cells(text):
        return build.cells_of(nbformat.from_dict({"cells": [build.text_cell(text)]}))

    assert cells(f"x{build.IT_SAYS}1") == cells(f"x{build.IT_SAYS}2")
    assert cells(f"x{build.IT_SAYS}1") != cells(f"y{build.IT_SAYS}1")


def test_drawings_are_inside_the_notebook(folder):
    (folder / "data").mkdir()
    (folder / "data" / "one.svg").write_text("<svg/>", "utf-8")
    path = folder / "source" / "01_one.py"
    path.write_text("# %% [markdown]\n# ![A line](data/one.svg)\n", "utf-8")
    (cell,) = build.read_source(path).cells
    link = cell.source.removeprefix("![A line](data:image/svg+xml;base64,").removesuffix(")")
    assert base64.b64decode(link) == b"<svg/>"
    (folder / "data" / "one.svg").unlink()
    with pytest.raises(build.BuildError, match="there is no data/one.svg"):
        build.read_source(path)
