"""What the notebooks share: it is found from anywhere, and needs Matplotlib for plots alone."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from picogpt.classroom.texts import DATA

ROOT = Path(__file__).parents[2]
REFERENCE = ROOT / "tests" / "reference"
SOURCES = sorted((ROOT / "notebooks" / "source").glob("*.py"))


def test_what_is_copied_from_the_reference_is_the_same():
    copies = {"model.npz": "forward.npz", "backward.npz": "backward.npz"}
    copies |= {f"tiny/{path.name}": f"tiny/{path.name}" for path in (REFERENCE / "tiny").iterdir()}
    for original, copy in copies.items():
        assert (REFERENCE / original).read_bytes() == (DATA / copy).read_bytes(), copy


def test_without_matplotlib():
    """As after a plain installation: everything but the two modules that draw."""
    folder = ROOT / "picogpt" / "classroom"
    names = [path.stem for path in folder.glob("*.py") if path.stem not in ("plots", "drawings")]
    code = "import sys; sys.modules['matplotlib'] = None\n"
    code += "\n".join(f"import picogpt.classroom.{name}" for name in names)
    subprocess.run([sys.executable, "-c", code], check=True, cwd=ROOT)


@pytest.mark.parametrize("source", SOURCES, ids=lambda path: path.stem)
def test_a_notebook_runs_in_any_folder_and_says_how_to_get_picogpt(source):
    text = source.read_text("utf-8")
    assert '%pip install "picogpt[notebooks] @ ADDRESS"' in text.split("\n# %%")[0]
    code = [cell.split("\n", 1)[1] for cell in text.split("\n# %%") if "[markdown]" not in cell]
    for line in "\n".join(code).splitlines():
        assert "../" not in line and 'Path("' not in line, line


@pytest.mark.parametrize("source", SOURCES, ids=lambda path: path.stem)
def test_every_plot_has_an_alternative_text(source):
    for cell in source.read_text("utf-8").split("\n# %%")[1:]:
        head, _, code = cell.partition("\n")
        draws = re.search(r"plt\.show\(\)|^(loss_bars|draw_curves)\(", code, re.MULTILINE)
        if draws and "[markdown]" not in head:
            assert re.search(r' alt="[^"]{30,}"$', head), code


@pytest.mark.parametrize("source", SOURCES, ids=lambda path: path.stem)
def test_links_lead_somewhere(source):
    """Those within the project: to other notebooks, to code, to drawings."""
    cells = ("\n" + source.read_text("utf-8")).split("\n# %%")[1:]
    words = "\n".join(cell for cell in cells if cell.startswith(" [markdown]"))
    targets = re.findall(r"\]\(([^)\s]+)\)", words)
    within = [target for target in targets if not target.startswith("https://")]
    for target in within:
        path = (source if ".ipynb" in target else source.parent).parent / target
        assert path.with_suffix(".py").exists() or path.exists(), target
    assert any(".ipynb" in target for target in within)
