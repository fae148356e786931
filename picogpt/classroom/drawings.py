"""Drawings for the notebooks: pictures whose code has nothing to say about GPT-2."""

from collections.abc import Callable, Sequence

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from matplotlib.patches import FancyBboxPatch, Rectangle

from ..bpe.merges import MergeStep
from ..config import Config
from .plots import BLUE, GREEN, GREY, ORANGE, PINK, RED, SKY, WHITE_TO_BLUE


def box(ax: Axes, x: float, y: float, width: float, text: str, colour: str) -> None:
    """A labelled box with its centre at x, y."""
    place = (x - width / 2, y - 0.3)
    style = {"fc": "white", "ec": colour, "lw": 1.5, "zorder": 3}
    ax.add_patch(FancyBboxPatch(place, width, 0.6, "round,pad=0.02", **style))
    ax.text(x, y, text, ha="center", va="center", fontsize=9, zorder=4)


def arrow(ax: Axes, *points: tuple[float, float], colour: str = "black", lw: float = 1.2) -> None:
    """A line through points, with a head at the last."""
    xs, ys = zip(*points[:-1], strict=True)
    ax.plot(xs, ys, color=colour, lw=lw, solid_capstyle="butt")
    style = {"arrowstyle": "-|>", "color": colour, "lw": lw, "shrinkA": 0, "shrinkB": 0}
    ax.annotate("", points[-1], xytext=points[-2], arrowprops=style)


def branch(ax: Axes, start: float, boxes: list[tuple[str, float]], end: float, colour: str) -> None:
    """Boxes above the stream, which read it at start and add to it at end."""
    ax.plot([start, start], [0, 1.2], color=colour, lw=1.2)
    arrow(ax, (start, 1.2), (end, 1.2), (end, 0.18), colour=colour)
    x = start + 0.2
    for text, width in boxes:
        x += width / 2 + 0.1
        box(ax, x, 1.2, width, text, colour)
        x += width / 2 + 0.1
    ax.plot(end, 0, "o", ms=15, mfc="white", mec=colour, zorder=3)
    ax.text(end, -0.015, "+", ha="center", va="center", color=colour, zorder=4, fontsize=12)


def forward_pass(config: Config) -> Figure:
    """GPT-2 from ids to logits, along the residual stream."""
    fig, ax = plt.subplots(figsize=(8.5, 2.9))
    arrow(ax, (0.9, 0), (16.8, 0), lw=3, colour=GREY)
    box(ax, 0, 0, 1.7, "wte[ids]\n+ wpe", BLUE)
    branch(ax, 1.9, [("ln_1", 0.9), ("attention", 1.8)], 5.8, ORANGE)
    branch(ax, 6.7, [("ln_2", 0.9), ("c_fc", 0.9), ("gelu", 0.9), ("c_proj", 1.2)], 12.2, GREEN)
    frame = {"fc": "none", "ec": "black", "ls": "--", "lw": 1}
    ax.add_patch(FancyBboxPatch((1.5, -0.5), 11.2, 2.4, "round,pad=0.05", **frame))
    ax.text(7.1, 2.1, f"one block; there are {config.n_layer}, one after the other", ha="center")
    box(ax, 13.7, 0, 0.9, "ln_f", BLUE)
    box(ax, 15.4, 0, 1.4, "times\nwteᵀ", BLUE)
    ax.text(16.9, 0, "logits", va="center")
    ax.text(3.9, -0.3, "looks at other positions", ha="center", va="center", fontsize=8, color=GREY)
    ax.text(9.4, -0.3, "each position by itself", ha="center", va="center", fontsize=8, color=GREY)
    ax.text(0, -0.95, f"[n_seq, {config.n_embd}]", ha="center", fontsize=8)
    ax.text(
        7.1, -0.95, f"residual stream: [n_seq, {config.n_embd}] everywhere", ha="center", fontsize=8
    )
    ax.text(16.4, -0.95, f"[n_seq, {config.n_vocab}]", ha="center", fontsize=8)
    ax.set(xlim=(-1, 18.3), ylim=(-1.2, 2.5))
    ax.axis("off")
    return fig


def merge_tree(symbols: str, steps: Sequence[MergeStep]) -> Figure:
    """The merges of a word, from its symbols at the bottom to its tokens."""
    fig, ax = plt.subplots(figsize=(max(5.0, 0.75 * len(symbols)), 1.0 + 0.42 * len(steps)))
    nodes = [(symbol, float(x), 0) for x, symbol in enumerate(symbols)]  # text and place
    for symbol, x, y in nodes:
        ax.text(x, y - 0.15, symbol, ha="center", va="top", family="monospace", fontsize=12)
    for height, step in enumerate(steps, start=1):
        texts = [text for text, _, _ in nodes]
        i = next(i for i in range(len(texts)) if (texts[i], texts[i + 1]) == step.pair)
        (left, x1, y1), (right, x2, y2) = nodes[i : i + 2]
        ax.plot([x1, x1, x2, x2], [y1, height, height, y2], color=GREY, lw=1)
        x = (x1 + x2) / 2
        style = {"fc": "white", "ec": BLUE, "boxstyle": "round,pad=0.2"}
        ax.text(x, height, left + right, ha="center", va="center", family="monospace", bbox=style)
        ax.text(-0.8, height, f"rank {step.rank}", ha="right", va="center", color=BLUE, fontsize=9)
        nodes[i : i + 2] = [(left + right, x, height)]
    ax.set(xlim=(-2.2, len(symbols)), ylim=(-0.9, len(steps) + 0.5))
    ax.axis("off")
    return fig


def token_boxes(texts: Sequence[str], ids: Sequence[int], width: int = 74) -> Figure:
    """A text, token by token in boxes, with the ids below. width: characters in a line."""
    lines = [[]]
    for text, i in zip(texts, ids, strict=True):
        used = sum(cells for _, _, cells in lines[-1])
        cells = max(len(text), len(str(i)) * 0.65) + 0.6
        if used + cells > width:
            lines.append([])
        lines[-1].append((text, i, cells))
    fig, ax = plt.subplots(figsize=(8.5, 0.52 * len(lines)))
    for y, line in enumerate(lines):
        x = 0.0
        for number, (text, i, cells) in enumerate(line):
            colour = "#D6ECFA" if number % 2 else "#FBE7C2"
            ax.add_patch(Rectangle((x, y - 0.36), cells, 0.44, fc=colour))
            middle = x + cells / 2
            ax.text(middle, y - 0.14, text, ha="center", va="center", family="monospace")
            ax.text(middle, y + 0.26, str(i), ha="center", va="center", fontsize=7, color=GREY)
            x += cells
    ax.set(xlim=(0, width), ylim=(len(lines) - 0.5, -0.5))
    ax.axis("off")
    return fig


def byte_map(data: bytes, regions: Sequence[tuple[int, str]], width: int = 64) -> Figure:
    """The bytes of a file in rows, coloured by what they are for, and those of keys as text.

    regions: (end, role) of each stretch, in the order of the file.
    """
    roles = list(dict.fromkeys(role for _, role in regions))
    colours = dict(zip(roles, [SKY, ORANGE, GREEN, GREY, RED, PINK, BLUE, "black"], strict=False))
    n_rows = -(-len(data) // width)
    fig, ax = plt.subplots(figsize=(8.5, 0.2 * n_rows + 0.9))
    at = 0
    for end, role in regions:
        for i in range(at, end):
            y, x = divmod(i, width)
            ax.add_patch(Rectangle((x, y), 1, 1, fc=colours[role], ec="white", lw=0.3, alpha=0.55))
            if "key" in role and 32 < data[i] < 127:
                style = {"ha": "center", "va": "center", "family": "monospace", "fontsize": 7}
                ax.text(x + 0.5, y + 0.5, chr(data[i]), **style)
        at = end
    samples = [Rectangle((0, 0), 1, 1, fc=colours[role], alpha=0.55) for role in roles]
    fig.legend(samples, roles, ncols=4, loc="outside lower center", fontsize=9)
    ax.set(xlim=(0, width), ylim=(n_rows, 0), xticks=[], ylabel="first byte of the row")
    ax.set_yticks([y + 0.5 for y in range(n_rows)], [width * y for y in range(n_rows)], fontsize=8)
    ax.spines[:].set_visible(False)
    ax.tick_params(length=0)
    return fig


def surprise_text(texts: Sequence[str], nats: Sequence[float], width: int = 104) -> Figure:
    """A text, each token on a ground that is the darker the more it surprised (0 to 12 nats)."""
    places, x, y = [], 0, 0
    for text in texts:
        if x + len(text) > width:
            x, y = 0, y + 1
        places.append((x, y))
        x += len(text)
        if text.endswith("↵"):
            x, y = 0, y + 1
    n_lines = places[-1][1] + 1
    fig, ax = plt.subplots(figsize=(8.5, 0.7 + 0.27 * n_lines))
    scale = ScalarMappable(Normalize(0, 12), WHITE_TO_BLUE)
    for text, x, (left, line) in zip(texts, nats, places, strict=True):
        ax.add_patch(Rectangle((left, line - 0.45), len(text), 0.9, fc=scale.to_rgba(x)))
        style = {"family": "monospace", "fontsize": 9.5, "ha": "center", "va": "center"}
        ink = "white" if x > 5.5 else "black"
        ax.text(left + len(text) / 2, line, text.replace("·", " "), color=ink, **style)
    ax.set(xlim=(0, width), ylim=(n_lines - 0.4, -0.6))
    ax.axis("off")
    bar = {"orientation": "horizontal", "shrink": 0.4, "aspect": 40, "pad": 0.02}
    fig.colorbar(scale, ax=ax, label="surprise, nats", **bar)
    return fig


def alternatives(steps: Sequence[tuple[str, Sequence[tuple[str, float]]]]) -> Figure:
    """What was written and what else might have been: one column for each token.

    steps: (the token that was written, the likeliest ones with their probabilities).
    """
    n_rows = len(steps[0][1])
    fig, ax = plt.subplots(figsize=(8.5, 0.42 * n_rows + 0.9))
    scale = ScalarMappable(Normalize(0, 1), WHITE_TO_BLUE)
    for x, (written, candidates) in enumerate(steps):
        for y, (text, share) in enumerate(candidates):
            ax.add_patch(Rectangle((x + 0.02, y + 0.04), 0.96, 0.92, fc=scale.to_rgba(share)))
            style = {"ha": "center", "color": "white" if share > 0.45 else "black", "clip_on": True}
            ax.text(x + 0.5, y + 0.36, text, va="center", fontsize=8.5, **style)
            ax.text(x + 0.5, y + 0.75, f"{share:.1%}", va="center", fontsize=6.5, **style)
            if text == written:
                frame = {"fc": "none", "ec": ORANGE, "lw": 2.5, "zorder": 3}
                ax.add_patch(Rectangle((x + 0.02, y + 0.04), 0.96, 0.92, **frame))
        ax.text(x + 0.5, -0.25, written, ha="center", weight="bold", fontsize=9, clip_on=True)
    ax.set(xlim=(0, len(steps)), ylim=(n_rows, -0.6), xticks=[], ylabel="rank")
    ax.set_yticks(np.arange(n_rows) + 0.5, range(1, n_rows + 1))
    ax.spines[:].set_visible(False)
    ax.tick_params(length=0)
    fig.colorbar(scale, ax=ax, label="probability", aspect=12)
    return fig


def shares_on_a_line(shares: Sequence[float], labels: Sequence[str], rest: str) -> Figure:
    """Probabilities as pieces of a line from 0 to 1; what is missing to 1 is the rest."""
    fig, ax = plt.subplots(figsize=(8.5, 1.9))
    left = 0.0
    for i, (share, label) in enumerate(zip(shares, labels, strict=True)):
        ax.barh(0, share, left=left, color=(BLUE, SKY)[i % 2])
        if share > 0.02:  # wide enough to be read
            style = {"ha": "center", "va": "center", "color": ("white", "black")[i % 2]}
            ax.text(left + share / 2, 0, label, rotation=90, fontsize=8, **style)
        left += share
    ax.barh(0, 1 - left, left=left, color="lightgrey", hatch="//", ec="white")
    ground = {"fc": "lightgrey", "ec": "none", "pad": 2}
    ax.text((1 + left) / 2, 0, rest, ha="center", va="center", bbox=ground)
    ax.set(xlim=(0, 1), ylim=(-0.4, 1.6), yticks=[], xlabel="a random number from 0 to 1")
    ax.spines["left"].set_visible(False)
    return fig


def beam_tree(
    start: str,
    history: Sequence[Sequence[tuple[tuple, float]]],
    n_beams: int,
    label: Callable[[int], str],
    greedy: tuple,
) -> Figure:
    """The candidates of a beam search, one column for each step, joined to where they come from.

    history: of each step all (ids, total), the best first, of which n_beams were kept.
    greedy: the ids that greedy decoding takes.
    """
    fig, ax = plt.subplots(figsize=(8.5, 4.6))
    middle = (n_beams**2 - 1) / 2
    places, best = {(): (0.0, middle)}, history[-1][0][0]
    for step, found in enumerate(history, start=1):
        kept = {ids for ids, _ in found[:n_beams]}
        # below one another as their parents are, so that lines do not cross
        rows = sorted(found, key=lambda candidate: (places[candidate[0][:-1]][1], -candidate[1]))
        for row, (ids, total) in enumerate(rows):
            x0, y0 = places[ids[:-1]]
            x, y = places[ids] = (step, row + middle - (len(rows) - 1) / 2)
            colour = BLUE if ids in kept else GREY
            ends = [x0 + (0.34 if x0 else 0), x - 0.34], [y0, y]
            ax.plot(*ends, color=colour, lw=3 if best[:step] == ids else 1, zorder=0)
            edge = ORANGE if greedy[:step] == ids else colour
            frame = {
                "boxstyle": "round",
                "fc": "white",
                "ec": edge,
                "lw": 2.5 if edge == ORANGE else 1,
            }
            style = {"color": colour, "weight": "bold" if ids in kept else "normal", "fontsize": 8}
            text = f"{label(ids[-1])}  {total:.1f}".replace("-", "−")
            ax.text(x, y, text, ha="center", va="center", bbox=frame, **style)
    ax.text(-0.03, middle, start, ha="right", va="center")
    ax.set(xlim=(-0.35, len(history) + 0.4), ylim=(n_beams**2, -1))
    ax.axis("off")
    return fig


def old_and_new_scores(n: int) -> Figure:
    """The scores that are computed for one more token, without a cache and with one."""
    fig, axes = plt.subplots(1, 2, figsize=(7, 3.3))
    for ax, first in zip(axes, (0, n - 1), strict=True):
        for i in range(n):
            for j in range(i + 1):
                style = {"fc": "white", "ec": "lightgrey"}
                if i >= first:
                    style = {"fc": ORANGE, "ec": "white", "hatch": "//"}
                if i == n - 1:
                    style = {"fc": BLUE, "ec": "white"}
                ax.add_patch(Rectangle((j, i), 1, 1, **style))
        ax.set(xlim=(-0.1, n + 0.1), ylim=(n + 0.1, -0.1), aspect="equal")
        ax.set(xlabel="key", ylabel="query")
        ax.set_xticks(np.arange(n) + 0.5, range(n))
        ax.set_yticks(np.arange(n) + 0.5, range(n))
        ax.tick_params(length=0)
        ax.spines[:].set_visible(False)
    axes[0].set_title("without a cache: all of it,\nthough only the last row is new", fontsize=10)
    axes[1].set_title("with a cache:\nthe last row", fontsize=10)
    fig.suptitle(f"What is computed to write the token after position {n - 1}", fontsize=11)
    return fig
