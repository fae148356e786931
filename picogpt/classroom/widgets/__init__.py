"""Small pages in a notebook, moved with a slider or a click. They need no kernel and no library.

Each is one HTML text: data as JSON, a script beside this file, and the style and the pictures of
picogpt.explain. (GitHub strips scripts, so a notebook has a static picture beside each.)
"""

import html
import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from ...explain.assembly import FOLDER as EXPLAIN
from ...explain.assembly import frame

FOLDER = Path(__file__).parent


class Widget:
    """A page: `html` is its text, a notebook shows it inline, `height` rem high."""

    def __init__(self, title: str, script: str, data: dict, height: float):
        scripts = [EXPLAIN / "numbers.js", EXPLAIN / "pictures.js", FOLDER / script]
        code = "\n".join(path.read_text("utf-8") for path in scripts)
        facts = json.dumps(data).replace("<", "\\u003c")  # "<" could end the script element
        self.title, self.height = title, height
        self.html = (
            f'<!DOCTYPE html><html lang="en"><meta charset="utf-8"><title>{html.escape(title)}</title>'
            f"<style>{(EXPLAIN / 'page.css').read_text('utf-8')}</style>"
            '<body style="padding:.5rem"><main id="widget"></main>'
            f'<script type="application/json" id="data">{facts}</script><script>{code}</script></body>'
        )

    def __repr__(self) -> str:
        return f"<{self.title}: to be seen in Jupyter>"

    def _repr_html_(self) -> str:
        return frame(self.title, self.html, self.height)


def cache_slider(n_ctx: int = 16, n_prompt: int = 5) -> Widget:
    """The cache while a text is written, with a slider for the number of tokens in it.

    It is that of decoding/loop.py, in small: the prompt in one pass, then a token at a time; where
    the context is full, the older half is dropped, and the rest read again.
    """
    data = {"n_ctx": n_ctx, "n_prompt": n_prompt}
    return Widget("The cache fills", "cache.js", data, height=21)


def patch_chooser(
    depths: Sequence[str],
    tokens: Sequence[str],
    effect: np.ndarray,
    chances: np.ndarray,
    answers: Sequence[str],
) -> Widget:
    """A map of cells to patch: choose one, and see what the model answers with it.

    effect: [n_depths, n_tokens], the share of the way that each patch goes, the lowest depth first;
    chances: [n_depths + 2, n_tokens, n_answers], probabilities of the answers in one pair of texts
    with each patch, and in the last two rows, at any place, those of the two texts as they are.
    """
    data = {
        "depths": list(depths),
        "tokens": list(tokens),
        "effect": effect.round(3).tolist(),
        "chances": chances.round(4).tolist(),
        "answers": list(answers),
    }
    return Widget("Choose a cell to patch", "patch.js", data, height=17 + 2.4 * len(depths))
