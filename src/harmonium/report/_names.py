"""Names at the ends of lines, in place of a legend."""

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes

from ._style import INK, MUTED, SMALL


def name_ends(axes: Axes, ends: Sequence[tuple[float, str, str]], height: float) -> None:
    """Writes each (value, name, colour) at the right of axes `height` inches high, none over another; values not finite are left out."""
    low, high = axes.get_ylim()
    step = (high - low) * 1.5 * SMALL / 72 / height  # a line of type
    named = sorted((end for end in ends if np.isfinite(end[0])), reverse=True)
    for (_, name, colour), place in zip(named, _apart([float(np.clip(end[0], low, high)) for end in named], low, step), strict=True):
        axes.annotate(
            name,
            (1.0, place),
            xycoords=("axes fraction", "data"),
            xytext=(6, 0),
            textcoords="offset points",
            va="center",
            fontsize=SMALL,
            color=colour if colour != MUTED else INK,
            annotation_clip=False,
        )


def _apart(places: Sequence[float], low: float, step: float) -> list[float]:
    """Places in falling order, moved down where they are less than a step apart, and up again from what would be below `low`."""
    moved: list[float] = []
    for place in places:
        moved.append(min(place, moved[-1] - step) if moved else place)
    for at in reversed(range(len(moved))):
        moved[at] = max(moved[at], low if at + 1 == len(moved) else moved[at + 1] + step)
    return moved
