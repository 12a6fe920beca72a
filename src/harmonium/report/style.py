"""The one look of every figure: palette, type sizes and page width, for figures of a recipe of one's own.

`page` makes the figure, `quiet` dresses axes that are put on it, `text_width` says what room a text needs; colours and sizes are constants.
Scripts that draw with pyplot get the same look from `plt.style.use("harmonium.report.figures")`.

Examples
--------
>>> figure, head = page(WIDTH, 2.0, "Energies")
>>> axes = figure.add_axes((0.1, 0.2, 0.8, (2.0 - 0.5) / (2.0 + head)))
>>> quiet(axes)
>>> _ = axes.plot([0, 1], [1, 0], color=LINES[0])
"""

import textwrap

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.layout_engine import PlaceHolderLayoutEngine

from .drawn import DPI as DPI
from .drawn import Page

WIDTH = 9.0
"""Widest figure in inches: 990 dots, so that a report 1000 dots wide shows it unscaled."""
MARGIN = 0.1
"""At the border of a page, in inches."""

PAPER, INK, MUTED, HAIR = "#ffffff", "#1f2933", "#66717c", "#dfe3e7"
"""Background, type, quiet type and hairlines."""
TITLE, LABEL, SMALL = 11.0, 9.0, 8.0
"""Sizes of type, in points."""

# Okabe and Ito's palette, told apart by every common kind of colour vision, less its yellow, too pale on paper.
LINES = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")

_GLYPH = 0.6
"""Mean glyph width over type size, a little more than the default sans needs: estimates err on the roomy side."""


def text_width(text: str, size: float) -> float:
    """Width that a text needs: an estimate, as measuring would need a renderer.

    Parameters
    ----------
    text
        Of one or more lines.
    size
        Of its type, in points.

    Returns
    -------
    float
        Of its longest line, in inches.
    """
    return _GLYPH * size / 72 * max((len(line) for line in text.splitlines()), default=0)


def page(width: float, height: float, title: str | None) -> tuple[Figure, float]:
    """A blank figure with its title.

    Parameters
    ----------
    width
        In inches; `WIDTH` at most, if the report is to show it unscaled.
    height
        Left free under the title, in inches.
    title
        Broken into lines where it is too long; None for none.

    Returns
    -------
    figure : Figure
        `width` by `height` + `head` inches.
    head : float
        The title's height, in inches.
    """
    lines = textwrap.wrap(title or "", max(12, int((width - 2 * MARGIN) / text_width("m", TITLE))))
    head = len(lines) * TITLE * 1.3 / 72 + (0.12 if lines else 0.0)
    # A layout that leaves all where it is. Without one, matplotlib takes that of the user's style, at the second saving of a figure too.
    layout = PlaceHolderLayoutEngine(adjust_compatible=True, colorbar_gridspec=False)
    figure = Page(figsize=(width, height + head), dpi=DPI, facecolor=PAPER, layout=layout)
    if lines:
        figure.text(
            MARGIN / width,
            1 - 0.12 / (height + head),
            "\n".join(lines),
            fontsize=TITLE,
            fontweight="bold",
            color=INK,
            ha="left",
            va="top",
            parse_math=False,
        )
    return figure, head


def message(text: str, title: str | None) -> Figure:
    """A small figure that says in words why there is nothing to draw.

    Parameters
    ----------
    text
        The words, of one line.
    title
        Above them.

    Returns
    -------
    Figure
    """
    figure, _ = page(max(4.0, text_width(text, LABEL) + 4 * MARGIN), 0.6, title)
    figure.text(MARGIN / figure.get_figwidth(), 0.3 / figure.get_figheight(), text, fontsize=LABEL, color=MUTED)
    return figure


def quiet(axes: Axes) -> None:
    """Takes away what carries no number, two spines and tick marks, and leaves a hairline grid.

    Parameters
    ----------
    axes
        Changed in place.
    """
    axes.spines[["top", "right"]].set_visible(False)
    axes.spines[["left", "bottom"]].set_color(HAIR)
    axes.tick_params(length=0, labelsize=SMALL, labelcolor=MUTED)
    axes.grid(True, color=HAIR, linewidth=0.6)
    axes.set_axisbelow(True)
