"""Makes the notebooks: runs every source in a fresh kernel and writes it down with its outputs.

    python notebooks/build.py            all of notebooks/source/*.py
    python notebooks/build.py 03 06      those whose names begin so

A source is a Python file in Jupytext's percent format: "# %%" begins a cell, "# %% [markdown]" a
text. The notebooks beside this file are committed with their outputs, so that their plots show
where the code is hosted. They are always written anew; the exit status is 1 if

- a cell raises an error, prints to stderr or is not run (then the notebook is left as it was),
- a cell tagged `stable` has another output than in the notebook that was there before, or
- the cells of that notebook were not those of the source, or there was none.

In a fresh clone the status 0 therefore says that what is committed is what the sources make. After
a change of a source it is 1 once: look at the notebook, commit it, and the next time it is 0.

A cell tagged `solution` is run like the others, and then folded into a text: <details> is the one
fold that JupyterLab, nbconvert and GitHub all keep shut. The `alt` text of a plot follows it in the
same way, because none of them gives it to the picture.
"""

import base64
import io
import re
import sys
import time
from collections import defaultdict
from pathlib import Path

import jupytext
import nbformat
from nbclient import NotebookClient
from nbclient.exceptions import CellControlSignal, DeadKernelError
from PIL import Image

FOLDER = Path(__file__).parent
METADATA = {
    "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
    "language_info": {"name": "python"},
}
# Tags of Jupyter's by which an error or a cell that is not run would go unnoticed.
FORBIDDEN = ("raises-exception", "skip-execution")
TIMEOUT = 600  # seconds for one cell
IT_SAYS = "<!-- output -->\n\n"  # before what a solution says, which may differ between machines


class BuildError(Exception):
    """Why a notebook cannot be made."""


def read_source(path: Path) -> nbformat.NotebookNode:
    """The cells of a source, as a notebook without outputs. Raises BuildError."""
    notebook = jupytext.reads(path.read_text("utf-8"), fmt="py:percent")
    # Format 4.4 is the last one without an id, drawn at random, for every cell.
    notebook.update(nbformat_minor=4, metadata=METADATA)
    for number, cell in enumerate(notebook.cells, start=1):
        cell.pop("id", None)
        cell.metadata = {key: cell.metadata[key] for key in ("tags", "alt") if key in cell.metadata}
        if cell.cell_type == "markdown":
            cell.source = with_drawings(cell.source, path.parent.parent)
        if not cell.source.strip():
            raise BuildError(f"cell {number} is empty")
        if wrong := set(FORBIDDEN).intersection(tags(cell)):
            raise BuildError(f"cell {number} has the tag {wrong.pop()}")
        if "drawing" in tags(cell):  # JupyterLab shows it when it is clicked on
            cell.metadata["jupyter"] = {"source_hidden": True}
    return notebook


def with_drawings(text: str, folder: Path) -> str:
    """Markdown with its SVG files inside: GitHub shows no others, and a notebook can be moved."""

    def inside(link: re.Match) -> str:
        try:
            data = base64.b64encode((folder / link[1]).read_bytes()).decode()
        except FileNotFoundError:
            raise BuildError(f"there is no {link[1]}") from None
        return f"](data:image/svg+xml;base64,{data})"

    return re.sub(r"\]\((data/\w+\.svg)\)", inside, text)


def tags(cell: nbformat.NotebookNode) -> list[str]:
    return cell.metadata.get("tags", [])


def execute(notebook: nbformat.NotebookNode, folder: Path) -> None:
    """Fill in the outputs of all cells, run in the given folder. Raises BuildError."""
    client = NotebookClient(
        notebook,
        timeout=TIMEOUT,
        kernel_name="python3",
        record_timing=False,
        coalesce_streams=True,
        resources={"metadata": {"path": str(folder)}},
    )
    try:
        client.execute()
    except (CellControlSignal, DeadKernelError) as error:  # a cell failed, or took too long
        raise BuildError(f"a cell failed:\n{error}") from None
    notebook.metadata = METADATA  # nbclient adds the kernel's version
    for number, cell in enumerate(notebook.cells, start=1):
        if cell.cell_type != "code":
            continue
        if not cell.execution_count:
            raise BuildError(f"cell {number} was not run")
        for output in cell.outputs:
            if output.get("name") == "stderr":
                raise BuildError(f"cell {number} printed to stderr:\n{output.text}")
            if "image/png" in output.get("data", {}):
                output.data["image/png"] = with_palette(output.data["image/png"])


def folded(cells: list[nbformat.NotebookNode]) -> list[nbformat.NotebookNode]:
    """The cells after their run: solutions and descriptions of plots as folded texts."""
    found = []
    for cell in cells:
        if "solution" in tags(cell):
            text = details(cell.source.splitlines()[0].lstrip("# "), solution(cell))
            found.append(text_cell(text, tags=["solution"]))
            continue
        found.append(cell)
        if alt := cell.metadata.get("alt"):
            found.append(text_cell(details("The picture in words", alt)))
    return found


def text_cell(text: str, **metadata) -> nbformat.NotebookNode:
    cell = nbformat.v4.new_markdown_cell(text, metadata=metadata)
    del cell["id"]
    return cell


def details(summary: str, text: str) -> str:
    """Markdown that is shut until somebody clicks on the summary."""
    return f"<details>\n<summary>{summary}</summary>\n\n{text}\n\n</details>"


def solution(cell: nbformat.NotebookNode) -> str:
    """The code of a cell and what it printed and drew, as Markdown."""
    parts = [f"```python\n{cell.source}\n```"]
    for output in cell.outputs:
        data = output.get("data", {})
        if "text" in output:
            parts.append(f"{IT_SAYS}```text\n{output.text.rstrip()}\n```")
        elif "image/png" in data:
            alt = cell.metadata.get("alt", "")
            parts.append(f"{IT_SAYS}![{alt}](data:image/png;base64,{data['image/png'].strip()})")
    return "\n\n".join(parts)


def with_palette(png: str) -> str:
    """A picture in base64, with 256 colours: it looks the same and takes a third of the space."""
    image = Image.open(io.BytesIO(base64.b64decode(png))).convert("RGB")
    buffer = io.BytesIO()
    image.quantize(256, dither=Image.Dither.NONE).save(buffer, "PNG", optimize=True)
    return base64.b64encode(buffer.getvalue()).decode()


def cells_of(notebook: nbformat.NotebookNode) -> list[tuple]:
    """What of the cells must be as in the source."""
    return [(c.cell_type, c.source.split(IT_SAYS)[0], c.metadata) for c in notebook.cells]


def stable_outputs(notebook: nbformat.NotebookNode) -> dict[str, str]:
    """Source -> what it printed or returned as text, of the cells tagged `stable`."""
    outputs = defaultdict(str)  # two cells may have the same source
    for cell in notebook.cells:
        if cell.cell_type == "code" and "stable" in tags(cell):
            outputs[cell.source] += "".join(
                o["text"] if "text" in o else o["data"]["text/plain"] for o in cell.outputs
            )
    return outputs


def differences(old: nbformat.NotebookNode, new: nbformat.NotebookNode) -> list[str]:
    """What is wrong with a notebook that was committed, given what its source makes."""
    found = []
    if cells_of(old) != cells_of(new):
        found.append("the committed notebook was not made from this source")
    before = stable_outputs(old)
    for source, outputs in stable_outputs(new).items():
        if source in before and before[source] != outputs:
            found.append(
                f"another output of the stable cell\n{source}\n"
                f"which was\n{before[source]}\nand is now\n{outputs}"
            )
    return found


def build(source: Path, target: Path) -> list[str]:
    """Make one notebook. Returns what is wrong with it, an empty list if nothing is."""
    try:
        notebook = read_source(source)
        execute(notebook, target.parent)
        notebook.cells = folded(notebook.cells)
    except BuildError as error:
        return [str(error)]
    if target.exists():
        problems = differences(nbformat.read(target, as_version=4), notebook)
    else:
        problems = ["there was no such notebook"]
    nbformat.write(notebook, target)
    return problems


def main(folder: Path, names: list[str]) -> int:
    """Make the notebooks whose names begin with one of `names`. Returns the exit status."""
    sources = sorted((folder / "source").glob("*.py"))
    chosen = [path for path in sources if path.name.startswith(tuple(names) or "")]
    if not chosen:
        print(f"no source in {folder / 'source'} begins with {' or '.join(names)}")
        return 1
    failed = []
    for source in chosen:
        target = folder / f"{source.stem}.ipynb"
        start = time.perf_counter()
        problems = build(source, target)
        print(f"{target.name}: {time.perf_counter() - start:.0f} s", flush=True)
        for problem in problems:
            print(f"{target.name}: {problem}", flush=True)
        failed += problems
    if not names:  # a notebook whose source is gone
        stems = {source.stem for source in sources}
        for orphan in (path for path in folder.glob("*.ipynb") if path.stem not in stems):
            print(f"{orphan.name}: there is no source/{orphan.stem}.py")
            failed.append(orphan.name)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(FOLDER, sys.argv[1:]))
