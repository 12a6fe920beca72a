"""Words beside the axes of a figure: names at the ends of lines, in place of a legend, and what stands beside a row."""

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes

from .style import INK, MUTED, SMALL


def name_beside(axes: Axes, text: str, height: float, *, colour: str = INK, size: float = SMALL, gap: float = 6.0) -> None:
    """Writes a text at the right of axes, at a height of its data, which need not lie within them.

    Parameters
    ----------
    axes
        Where the text stands beside; the figure must leave room for it (`harmonium.report.style.text_width`).
    text
        What to write.
    height
        Its middle, in the data's unit of the vertical axis.
    colour
        Of the type.
    size
        Of the type, in points.
    gap
        Between axes and text, in points.

    Examples
    --------
    >>> from matplotlib.figure import Figure
    >>> axes = Figure().add_subplot()
    >>> name_beside(axes, "CD-1", 0.5)
    >>> axes.texts[0].get_text()
    'CD-1'
    """
    axes.annotate(
        text,
        (1.0, height),
        xycoords=("axes fraction", "data"),
        xytext=(gap, 0),
        textcoords="offset points",
        va="center",
        fontsize=size,
        color=colour,
        annotation_clip=False,
    )


def name_ends(axes: Axes, ends: Sequence[tuple[float, str, str]], height: float) -> None:
    """Writes names at the right of axes, at the ends of their lines, moved apart so that none stands over another.

    Parameters
    ----------
    axes
        With the lines, and with their final limits.
    ends
        (value, name, colour) of each line; a line whose value is not finite gets no name, one beyond the limits a name at the border.
        The muted colour, too pale for type, is written in ink.
    height
        Of the axes, in inches.
    """
    low, high = axes.get_ylim()
    step = (high - low) * 1.5 * SMALL / 72 / height  # a line of type
    named = sorted((end for end in ends if np.isfinite(end[0])), reverse=True)
    for (_, name, colour), place in zip(named, _apart([float(np.clip(end[0], low, high)) for end in named], low, step), strict=True):
        name_beside(axes, name, place, colour=colour if colour != MUTED else INK)


def _apart(places: Sequence[float], low: float, step: float) -> list[float]:
    """Places in falling order, moved down where they are less than a step apart, and up again from what would be below `low`."""
    moved: list[float] = []
    for place in places:
        moved.append(min(place, moved[-1] - step) if moved else place)
    for at in reversed(range(len(moved))):
        moved[at] = max(moved[at], low if at + 1 == len(moved) else moved[at + 1] + step)
    return moved
