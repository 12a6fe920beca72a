"""How good each of several became, against the time it was given."""

from collections.abc import Mapping, Sequence
from itertools import cycle

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, FuncFormatter

from .names import name_ends
from .style import HAIR, INK, LABEL, LINES, MUTED, SMALL, page, quiet, text_width

_WIDTH, _HEIGHT = 7.5, 3.8
_TICKS = (0.1, 0.3, 1, 3, 10, 30, 60, 180, 600, 1800, 3600, 10_800, 36_000, 108_000)
_UNITS = ((3600.0, "h"), (60.0, "min"), (1.0, "s"))


def against_time(
    curves: Mapping[str, Sequence[tuple[float, float]]],
    levels: Mapping[str, float] | None = None,
    *,
    label: str = "log-likelihood (nats per case)",
    floor: float | None = None,
    title: str | None = None,
) -> Figure:
    """One line for each name over (seconds, value) points, the time on a logarithmic axis; dashed levels to compare with.

    Parameters
    ----------
    curves
        Name -> (seconds above zero, value) in order; values that are not finite leave a gap.
    levels
        Name -> value, as of published results.
    label
        What the values are, unit included.
    floor
        Values below it are cut off; by default none is.
    title
        Stands above the figure.

    Returns
    -------
    Figure

    Raises
    ------
    ValueError
        There is no curve, or a time is not above zero.

    Examples
    --------
    >>> from harmonium.report import against_time
    >>> figure = against_time({"CD-1": [(1, -120.0), (60, -101.0)]}, {"published": -100.0})
    >>> [text.get_text() for text in figure.axes[0].texts]
    ['published', 'CD-1']
    """
    if not curves or any(not points for points in curves.values()):
        raise ValueError("against_time draws at least one curve of at least one (seconds, value) point")
    if any(not seconds > 0 for points in curves.values() for seconds, _ in points):
        raise ValueError("the time axis is logarithmic: seconds must be above zero")
    levels = levels or {}
    names = [*curves, *levels]
    room = max(text_width(name, SMALL) for name in names) + 0.25
    figure, head = page(_WIDTH + room, _HEIGHT, title)
    width, height = figure.get_size_inches()
    axes = figure.add_axes((0.75 / width, 0.55 / height, (_WIDTH - 0.85) / width, (height - head - 0.9) / height))
    ends: list[tuple[float, str, str]] = []
    for (name, points), colour in zip(curves.items(), cycle(LINES), strict=False):
        seconds, values = np.array(points, dtype=np.float64).T
        values = np.where(np.isfinite(values), values, np.nan)
        axes.plot(seconds, values, color=colour, linewidth=1.8, marker="o", markersize=3.5)
        last = values[np.isfinite(values)]
        ends.append((float(last[-1]) if len(last) else np.nan, name, colour))
    for name, value in levels.items():
        axes.axhline(value, color=MUTED, linewidth=1.0, linestyle="--")
        ends.append((value, name, MUTED))
    quiet(axes)
    axes.set_xscale("log")
    axes.minorticks_off()
    axes.xaxis.set_major_locator(FixedLocator(_TICKS))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda seconds, _: _time(seconds)))
    low, high = axes.get_ylim()
    axes.set_ylim(low if floor is None else max(low, floor), high)
    name_ends(axes, ends, height - head - 0.9)
    axes.set_xlabel("time of training", fontsize=SMALL, color=MUTED)
    axes.set_ylabel(label, fontsize=LABEL, color=INK, rotation=0, ha="left", va="bottom")
    axes.yaxis.set_label_coords(0.0, 1.03)
    axes.spines["bottom"].set_color(HAIR)
    return figure


def _time(seconds: float) -> str:
    """In the largest unit of which it is at least one."""
    for size, unit in _UNITS:
        if seconds >= size:
            return f"{seconds / size:g} {unit}"
    return f"{seconds:g} s"
