"""Making one HTML file of a trace and the files beside this one. It needs no other file."""

import base64
import hashlib
import html
import json
import re
from collections.abc import Sequence
from pathlib import Path

from ..files import replacing

FOLDER = Path(__file__).parent
SCRIPTS = ("numbers.js", "pictures.js", "sampling.js", "map.js", "boxes.js")
BOXES = ["map", *re.findall(r'<section id="(\w+)"', (FOLDER / "page.html").read_text("utf-8"))]


class Explanation:
    """A page about a prompt: `html` is its text, `save` writes it, a notebook shows it inline.

    boxes: those of BOXES to show, or None for all.
    Raises ValueError for a box that does not exist.
    """

    def __init__(self, traced: dict, boxes: Sequence[str] | None = None):
        if unknown := [box for box in boxes or () if box not in BOXES]:
            raise ValueError(f"there is no box {unknown[0]!r:.80}, only {', '.join(BOXES)}")
        self.html = assemble(traced | {"boxes": boxes and [*boxes]})

    def save(self, path: str | Path) -> Path:
        """Write the page to a file, whole or not at all, and return its path."""
        path = Path(path)
        with replacing(path) as file:
            file.write(self.html.encode("utf-8"))
        return path

    def __repr__(self) -> str:
        return f"<a page of {len(self.html) / 1e6:.1f} MB: save(path) writes it>"

    def _repr_html_(self) -> str:
        return frame("What GPT-2 computes", self.html, 45)


def frame(title: str, page: str, height: float) -> str:
    """HTML that shows a page within a notebook, `height` rem high: em would be the notebook's."""
    # Otherwise it would be light or dark as the system is, and not as JupyterLab.
    return (
        '<style>[data-jp-theme-light="true"] iframe.picogpt{color-scheme:light}'
        '[data-jp-theme-light="false"] iframe.picogpt{color-scheme:dark}</style>'
        f'<iframe class="picogpt" title="{html.escape(title)}" '
        f'srcdoc="{html.escape(page)}" sandbox="allow-scripts" '
        f'style="width:100%;height:{height}rem;border:1px solid #888"></iframe>'
    )


def assemble(traced: dict, form: str = "") -> str:
    """The page. form: HTML before the boxes, for the server's field for a prompt."""
    script = "\n".join((FOLDER / name).read_text("utf-8") for name in SCRIPTS)
    digest = base64.b64encode(hashlib.sha256(script.encode("utf-8")).digest()).decode("ascii")
    # "<" would let a prompt end the script element; a lone surrogate stays an escape of JSON
    data = json.dumps(traced).replace("<", "\\u003c")
    parts = {
        "policy": f"default-src 'none'; script-src 'sha256-{digest}'; "
        f"style-src 'unsafe-inline'; form-action '{'self' if form else 'none'}'; base-uri 'none'",
        "style": (FOLDER / "page.css").read_text("utf-8"),
        "script": script,
        "form": form,
        "data": data,
    }
    page = (FOLDER / "page.html").read_text("utf-8")
    # in one pass: what is put in, such as the prompt, may itself hold such a mark
    return re.sub(r"\{\{(\w+)\}\}", lambda mark: parts[mark[1]], page)
