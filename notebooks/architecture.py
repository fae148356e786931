"""The drawings of the whole model, in data/: one with all shapes, and strips that say "you are here".

    python notebooks/architecture.py

They are SVG on a white ground, which GitHub and Jupyter show in light and in dark.
"""

from html import escape
from pathlib import Path

FOLDER = Path(__file__).parent / "data"
BLUE, ORANGE, GREEN, PINK, GREY = "#0072B2", "#E69F00", "#009E73", "#CC79A7", "#666666"
HEAD = (
    '<marker id="head" viewBox="0 0 10 10" refX="9" refY="5" markerWidth="7" markerHeight="7" '
    'orient="auto"><path d="M0 0 10 5 0 10z" fill="context-stroke"/></marker>'
)


def svg(width: int, height: int, title: str, parts: list[str]) -> str:
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" '
        f'role="img" font-family="Helvetica, Arial, sans-serif" font-size="13">'
        f"<title>{escape(title)}</title><defs>{HEAD}</defs>"
        f'<rect width="{width}" height="{height}" fill="white"/>\n'
        + "\n".join(parts)
        + "\n</svg>\n"
    )


def text(
    x: float, y: float, words: str, anchor: str = "middle", colour: str = "black", **style
) -> str:
    more = "".join(f' {name.replace("_", "-")}="{value}"' for name, value in style.items())
    return (
        f'<text x="{x}" y="{y}" text-anchor="{anchor}" fill="{colour}"{more}>{escape(words)}</text>'
    )


def box(x: float, y: float, width: float, words: str, colour: str, full: bool = False) -> str:
    """A labelled box, 28 high, with its centre at x, y."""
    fill = colour if full else "white"
    ink = "white" if full and colour not in (ORANGE, PINK) else "black"
    return (
        f'<rect x="{x - width / 2}" y="{y - 14}" width="{width}" height="28" rx="6" fill="{fill}" '
        f'stroke="{colour}" stroke-width="1.8"/>' + text(x, y + 4.5, words, colour=ink)
    )


def arrow(path: str, colour: str = "black", width: float = 1.6, head: bool = True) -> str:
    end = ' marker-end="url(#head)"' if head else ""
    return f'<path d="{path}" fill="none" stroke="{colour}" stroke-width="{width}"{end}/>'


def plus(x: float, y: float, colour: str) -> str:
    circle = f'<circle cx="{x}" cy="{y}" r="10" fill="white" stroke="{colour}" stroke-width="1.8"/>'
    return circle + text(x, y + 5, "+", colour=colour, font_size=17)


def branch(top: int, boxes: list[tuple[str, str]], colour: str) -> list[str]:
    """A branch of a block: it leaves the stream at top, and adds to it below its last box."""
    parts = [arrow(f"M170 {top}H400V{top + 12}", colour)]
    for i, (words, shape) in enumerate(boxes):
        y = top + 26 + 42 * i
        parts += [box(400, y, 210, words, colour), text(515, y + 5, shape, "start", GREY)]
        if i:
            parts.append(arrow(f"M400 {y - 28}V{y - 14}", colour))
    end = top + 26 + 42 * (len(boxes) - 1)
    return [*parts, arrow(f"M295 {end}H181", colour), plus(170, end, colour)]


ATTENTION = [
    ("ln_1: to one size", "[n_seq, n_embd]"),
    ("c_attn: queries, keys, values", "[n_seq, 3 n_embd]"),
    ("cut into heads", "3 x [n_head, n_seq, n_head_dim]"),
    ("scores, mask, softmax: weights", "[n_head, n_seq, n_seq]"),
    ("weights times values", "[n_head, n_seq, n_head_dim]"),
    ("heads side by side, c_proj", "[n_seq, n_embd]"),
]
MLP = [
    ("ln_2: to one size", "[n_seq, n_embd]"),
    ("c_fc: four times as wide", "[n_seq, 4 n_embd]"),
    ("gelu: each number by itself", "[n_seq, 4 n_embd]"),
    ("c_proj: back again", "[n_seq, n_embd]"),
]


def whole() -> str:
    """From the text to the next token, with the shape of everything."""
    parts = [text(170, 30, "The king had three", font_size=16, font_weight="bold")]
    parts += [arrow("M170 38V56"), box(170, 71, 230, "tokenizer", BLUE)]
    parts += [text(515, 76, "ids [n_seq]   (notebook 1)", "start", GREY)]
    parts += [arrow("M170 85V103"), box(170, 118, 230, "wte[ids] + wpe[0 to n_seq - 1]", BLUE)]
    parts += [text(515, 123, "[n_seq, n_embd]   (notebook 2)", "start", GREY)]
    parts.append(arrow("M170 132V672", GREY, 5, head=False))
    parts.append(
        text(
            158,
            400,
            "the residual stream  [n_seq, n_embd]",
            "middle",
            GREY,
            transform="rotate(-90 158 400)",
        )
    )
    parts.append(
        '<rect x="115" y="148" width="620" height="508" rx="10" fill="none" stroke="black" '
        'stroke-dasharray="6 4"/>'
    )
    parts += [
        text(
            725, 166, "one block; there are n_layer of them (notebook 4)", "end", font_weight="bold"
        )
    ]
    parts += [*branch(190, ATTENTION, ORANGE), *branch(468, MLP, GREEN)]
    parts += [text(725, 192, "attention (notebook 3)", "end", font_weight="bold")]
    parts += [text(725, 470, "MLP (notebook 2)", "end", font_weight="bold")]
    parts += [box(170, 686, 230, "ln_f", BLUE), text(515, 691, "[n_seq, n_embd]", "start", GREY)]
    parts += [arrow("M170 700V718"), box(170, 733, 230, "times wte transposed: logits", BLUE)]
    parts += [text(515, 738, "[n_seq, n_vocab]", "start", GREY)]
    parts += [arrow("M170 747V765"), box(170, 780, 230, "softmax of the last row", PINK)]
    parts += [text(515, 785, "probabilities [n_vocab]   (notebook 5)", "start", GREY)]
    parts += [arrow("M170 794V812"), box(170, 827, 230, "choose one", PINK)]
    parts += [text(515, 832, "one id", "start", GREY), arrow("M170 841V860")]
    parts += [text(170, 878, "sons", font_size=16, font_weight="bold")]
    parts.append(arrow("M145 873H30V25H82", PINK))
    parts.append(
        text(22, 450, "append it, and ask again", colour=PINK, transform="rotate(-90 22 450)")
    )
    return svg(
        750, 895, "GPT-2 from the text to the next token, with the shape of every result", parts
    )


# The stations of the strip: (name, what it says, its colour, its width).
STATIONS = [
    ("text", "text", GREY, 44),
    ("tokens", "tokens", BLUE, 60),
    ("embed", "wte + wpe", BLUE, 78),
    ("attention", "ln_1, attention", ORANGE, 108),
    ("mlp", "ln_2, MLP", GREEN, 82),
    ("logits", "ln_f, logits", BLUE, 84),
    ("choice", "choose a token", PINK, 108),
]
INSIDE = ("tokens", "embed", "attention", "mlp", "logits")
# Notebook -> the stations that it is about, and what it does with them.
HERE = {
    1: (("text", "tokens"), "a text becomes numbers"),
    2: (("embed", "mlp"), "what is done at each position by itself"),
    3: (("attention",), "what a position learns from those before it"),
    4: (INSIDE[1:], "all parts together, and what they cost"),
    5: (("choice",), "from probabilities to a text"),
    "5b": (INSIDE[1:], "the same parts, asked again and again with less work"),
    6: (INSIDE[1:], "where the numbers of all these parts are stored"),
    7: (INSIDE[1:], "the way back through the same parts: how they learn"),
    8: (("attention", "mlp"), "what the parts of a trained model do"),
    9: (("text", *INSIDE, "choice"), "the whole of it, from outside"),
    10: (("logits",), "how good the probabilities are, by five rules"),
    11: (INSIDE[1:], "the same parts, taught one thing more"),
    12: (INSIDE[1:], "the same parts, in less space"),
}


def strip(number: int | str) -> str:
    """You are here: the stations of a notebook are full, the others are hollow."""
    here, words = HERE[number]
    parts, x = [], 12.0
    for name, label, colour, width in STATIONS:
        parts.append(box(x + width / 2, 42, width, label, colour, full=name in here))
        x += width + 20
        if name != "choice":
            parts.append(arrow(f"M{x - 20} 42H{x - 1}"))
    parts.append(
        '<rect x="242" y="20" width="226" height="44" rx="8" fill="none" stroke="black" stroke-dasharray="5 4"/>'
    )
    parts.append(text(355, 14, "n_layer blocks", font_size=11, colour=GREY))
    parts.append(arrow(f"M{x - 74} 56V78H34V58", PINK, 1.2))
    parts.append(text(x / 2, 96, f"You are here: {words}.", font_weight="bold"))
    return svg(round(x) - 8, 104, f"You are here: {words}", parts)


def main() -> None:
    (FOLDER / "architecture.svg").write_text(whole(), "utf-8")
    for number in HERE:
        (FOLDER / f"here_{number}.svg").write_text(strip(number), "utf-8")


if __name__ == "__main__":
    main()
