"""Every cell can be run again after a full run, and then says what it said before.

The cells of each source are run in order, and then once more from the last to the first, in one
namespace, as a kernel would run them. Notebooks that train are left out: a cell of theirs takes a
minute, and what a cell of training says depends on the weights that it begins with.
"""

import ast
import contextlib
import importlib.util
import io
import re
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pytest
from matplotlib.image import AxesImage
from matplotlib.lines import Line2D
from matplotlib.patches import Rectangle
from matplotlib.text import Text

FOLDER = Path(__file__).parents[2] / "notebooks"
spec = importlib.util.spec_from_file_location("build", FOLDER / "build.py")
build = importlib.util.module_from_spec(spec)
spec.loader.exec_module(build)

SOURCES = sorted((FOLDER / "source").glob("*.py"))
TRAINING = ("07", "11", "12")
TIMED = re.compile(r"perf_counter|\bseconds\(")  # what such a cell prints depends on the clock


def shown(figure) -> str:
    """The data of a figure: its lines, bars, images and words."""
    found = [line.get_xydata() for line in figure.findobj(Line2D)]
    found += [image.get_array() for image in figure.findobj(AxesImage)]
    found += [bar.get_bbox().get_points() for bar in figure.findobj(Rectangle)]
    numbers = [f"{np.ma.filled(x, np.nan).astype(float).round(4).tolist()}" for x in found]
    return "\n".join(["a figure:", *numbers, *(text.get_text() for text in figure.findobj(Text))])


def run_cell(source: str, namespace: dict) -> str:
    """What the cell prints and draws, and the value in which it ends."""
    printed = io.StringIO()
    tree = ast.parse(source)
    last = tree.body.pop() if isinstance(tree.body[-1], ast.Expr) else None
    with contextlib.redirect_stdout(printed):
        exec(compile(tree, "<cell>", "exec"), namespace)
        if last is not None:
            value = eval(compile(ast.Expression(last.value), "<cell>", "eval"), namespace)
            if value is not None and not hasattr(value, "_repr_html_"):
                print(repr(value))
    drawn = [shown(plt.figure(number)) for number in plt.get_fignums()]
    plt.close("all")
    return "\n".join([printed.getvalue(), *drawn])


@pytest.mark.filterwarnings("ignore:.*non-interactive:UserWarning")
@pytest.mark.parametrize(
    "source", [s for s in SOURCES if s.name[:2] not in TRAINING], ids=lambda path: path.stem
)
def test_every_cell_once_more_in_reverse_order(source, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    plt.switch_backend("Agg")
    cells = [cell for cell in build.read_source(source).cells if cell.cell_type == "code"]
    namespace: dict = {"__name__": "__main__"}
    said = [run_cell(cell.source, namespace) for cell in cells]
    for cell, text in zip(cells, said, strict=True):
        if cell.source.startswith("attempt("):
            assert text.startswith("Not yet: "), f"nobody has answered, and it says {text}"
    for number in range(len(cells) - 1, -1, -1):
        cell = cells[number].source
        try:
            again = run_cell(cell, namespace)
        except Exception as error:
            raise AssertionError(f"run once more, this cell fails: {error!r}\n{cell}") from error
        if not TIMED.search(cell):
            assert again == said[number], f"run once more, this cell says something else:\n{cell}"
