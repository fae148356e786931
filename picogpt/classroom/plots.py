"""The look of the notebooks' plots: colours, tokens as labels, a matrix, bars of losses.

The colours are those of Okabe and Ito (2008), which the colour-blind can tell apart.
"""

from collections.abc import Iterable, Sequence

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.image import AxesImage

BLUE, ORANGE, GREEN, RED = "#0072B2", "#E69F00", "#009E73", "#D55E00"
PINK, SKY, GREY = "#CC79A7", "#56B4E9", "#808080"
WHITE_TO_BLUE = LinearSegmentedColormap.from_list("white to blue", ["white", SKY, BLUE, "#00263D"])
DIVERGING = LinearSegmentedColormap.from_list(
    "diverging", ["#7A3000", RED, "white", BLUE, "#00263D"]
)

plt.rcParams |= {
    "figure.figsize": (7.5, 3.2),
    "figure.dpi": 100,
    "figure.constrained_layout.use": True,
    "axes.prop_cycle": plt.cycler(color=[BLUE, ORANGE, GREEN, RED, PINK, SKY, "black"]),
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.titlesize": 11,
    "font.size": 10,
    "legend.frameon": False,
}


def token_labels(tokenizer, ids: Iterable[int]) -> list[str]:
    """The text of each token as a label, with "·" for a space and "↵" for a line feed."""
    texts = (tokenizer.decode([i]).replace(" ", "·").replace("\n", "↵") for i in ids)
    return ["".join(map(plottable, text)) for text in texts]


def plottable(character: str) -> str:
    """The character, or "□" if the font of the plots lacks it: GPT-2 has Japanese tokens, too."""
    lacking = not character.isprintable() or "\u2e80" <= character != "\ufffd"
    return "□" if lacking else character


def heatmap(
    ax: Axes,
    matrix: np.ndarray,
    rows: Sequence[str] = (),
    columns: Sequence[str] = (),
    numbers: str | None = None,
    **options,
) -> AxesImage:
    """Draw a matrix as colours, with labels at its rows and columns.

    numbers: how to write each number into its field, such as ".2f"; None for not at all.
    options: for imshow. Without cmap: white for 0, dark blue for the largest number.
    """
    if "cmap" not in options:
        options = {"cmap": WHITE_TO_BLUE, "vmin": 0.0} | options
    image = ax.imshow(matrix, **options)
    ax.spines[:].set_visible(False)
    ax.set_xticks(range(len(columns)), columns, rotation=90)
    ax.set_yticks(range(len(rows)), rows)
    ax.tick_params(length=0)
    if numbers is not None:
        for (i, j), x in np.ndenumerate(matrix):
            red, green, blue, _ = image.cmap(image.norm(x)) if np.isfinite(x) else (1, 1, 1, 1)
            dark = 0.3 * red + 0.6 * green + 0.1 * blue < 0.5
            text = f"{x:{numbers}}".replace("inf", "∞").replace("-", "−")
            ax.text(j, i, text, ha="center", va="center", color="white" if dark else "black")
    return image


def loss_bars(losses: dict[str, float], n_vocab: int) -> None:
    """Draw what a model, the first of the losses, loses by mistakes: bars, in nats per token."""
    fig, ax = plt.subplots(figsize=(7.5, 0.8 + 0.3 * len(losses)))
    bars = ax.barh(list(losses), list(losses.values()), color=ORANGE)
    bars[0].set_color(BLUE)
    ground = {"fc": "white", "ec": "none", "pad": 1}  # where a number stands on the dashed line
    ax.bar_label(bars, fmt="%.2f", padding=3, bbox=ground)
    ax.axvline(np.log(n_vocab), color=GREY, ls="--", zorder=0, label="a model that knows nothing")
    ax.invert_yaxis()
    ax.set_xlabel("loss on an unseen text, nats per token")
    fig.legend(*ax.get_legend_handles_labels(), loc="outside upper right")
    plt.show()
