"""The small pages of the notebooks, in chromium."""

import re
import warnings

import numpy as np
import pytest

from picogpt import Config
from picogpt.classroom.widgets import cache_slider, patch_chooser
from picogpt.decoding.loop import GrowingText, token_steps
from picogpt.train.init import initial_params

N_CTX, N_PROMPT = 9, 4


def reads_of_the_loop(end: int) -> list[int]:
    """How many tokens the library has read in all, when the text has N_PROMPT, ..., end tokens."""
    config = Config(n_vocab=5, n_ctx=N_CTX, n_embd=8, n_head=2, n_layer=1)
    params = initial_params(config, np.random.default_rng(0))
    text = GrowingText([1] * N_PROMPT, choose=lambda logits, ids: 1, end=end + 1)
    read, seen = [], 0
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for _ in token_steps([text], params, config, endoftext=-1):
            now = len(text.ids) - 1 - text.start  # without the token that was just chosen
            read.append(1 if seen and now > seen else now)
            seen = now
    return np.cumsum(read).tolist()


def test_the_slider_counts_what_the_loop_reads(visit, tmp_path):
    path = tmp_path / "cache.html"
    path.write_text(cache_slider(N_CTX, N_PROMPT).html, "utf-8")
    page = visit(path.as_uri())
    last = 2 * N_CTX
    shown = []
    for n in range(N_PROMPT, last + 1):
        page.locator("input").fill(str(n))
        text = page.locator("main").inner_text()
        shown.append(int(re.search(r"so far: (\d+) with the cache", text)[1]))
        assert f"{n} tokens in the text" in text
    assert shown == reads_of_the_loop(last)


PAPER = {"true": "rgb(255, 255, 255)", "false": "rgb(23, 23, 27)"}


@pytest.mark.parametrize("is_light", PAPER)
def test_a_frame_is_light_or_dark_as_jupyterlab_is(visit, tmp_path, is_light):
    path = tmp_path / "cell.html"
    cell = f'<body data-jp-theme-light="{is_light}">{cache_slider()._repr_html_()}</body>'
    path.write_text(f"<!DOCTYPE html><title>a cell</title>{cell}", "utf-8")
    page = visit(path.as_uri(), theme="null")
    body = page.frame_locator("iframe").locator("body")
    assert body.evaluate("x => getComputedStyle(x).backgroundColor") == PAPER[is_light]


def test_a_cell_shows_the_answer_with_its_patch(visit, tmp_path):
    rng = np.random.default_rng(0)
    effect, chances = rng.random((3, 2)), rng.random((5, 2, 2)) / 2
    tokens = ["<b>", "that"]  # a text, not an element
    widget = patch_chooser(["embed", "block 0", "block 1"], tokens, effect, chances, ["he", "she"])
    path = tmp_path / "patch.html"
    path.write_text(widget.html, "utf-8")
    page = visit(path.as_uri())
    cell = page.get_by_label("after block 0, at <b>")
    shade = cell.evaluate("x => getComputedStyle(x).backgroundColor")
    red, _, blue = map(float, re.findall(r"[\d.]+", shade))
    assert blue > red  # a positive effect, as in the notebook's picture
    cell.click()
    text = page.locator("main").inner_text()
    assert f"After block 0, at <b>: {effect[1, 0]:.2f} of the way" in text
    for row in (chances[3, 0], chances[1, 0], chances[4, 0]):
        for p in row:
            assert f"{100 * round(p, 4):.2f} %" in text
