"""Figures with axes: learning curves and the confusion matrix."""

import textwrap
from collections.abc import Mapping, Sequence
from itertools import cycle
from typing import Literal

import matplotlib
import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator

from .drawn import numbers
from .style import HAIR, INK, LABEL, LINES, MARGIN, MUTED, SMALL, WIDTH, message, page, quiet, text_width

Rows = Sequence[Mapping[str, float | None]]

AXIS_LABELS: Mapping[str, str] = {
    "reconstruction_error": "reconstruction error (squared, per case)",
    "free_energy_gap": "free-energy gap (nats)",
    "pseudo_likelihood": "pseudo-log-likelihood (nats)",
    "log_likelihood": "log-likelihood (nats)",
    "bound": "bound on log-likelihood (nats)",
    "update_ratio": "update / weight",
    "dead": "dead units (share)",
    "saturated": "saturated units (share)",
    "swap_rate": "swaps accepted (share, all pairs)",
    "least_swap_rate": "swaps accepted (share, worst pair)",
    "round_trips": "round trips (per chain and epoch)",
    "loss": "loss (nats per case)",
    "error_percent": "error (%)",
    "squared_error": "squared error (per case)",
    "learning_rate": "learning rate",
    "seconds": "time (s)",
}
"""What a metric's axis says, unit included; any other key is written out in words."""

_SPLITS: Mapping[str, Literal["-", "--", ":"]] = {"train": "-", "validation": "--", "test": ":"}


def learning_curves(histories: Mapping[str, Rows], *, metrics: Sequence[str] | None = None, title: str | None = None) -> Figure:
    """How every recorded number went, epoch by epoch: one panel a metric, one coloured line a phase.

    Keys that differ only in `train_`, `validation_` or `test_` share a panel, as solid, dashed and dotted lines. An
    axis is logarithmic where its values are all positive and span a factor of fifty. A metric that stays at one value in
    every phase is no curve: unless it was asked for, it is named below with its value.

    Parameters
    ----------
    histories
        Phase ("layer 1", "fine-tuning") -> one row an epoch; a row has "epoch" (else its place, from 1) and
        any metrics. Rows may lack a metric, and a line goes on over those between two that have it, as where it is recorded every few
        epochs; None, NaN and infinities leave a gap.
    metrics
        The keys to draw, in this order; by default every key that has a finite value, in order of appearance.
    title
        Stands above the figure.

    Returns
    -------
    Figure

    Examples
    --------
    >>> from harmonium.report import learning_curves
    >>> rows = [{"epoch": 1, "error_percent": 9.0, "dead": 0.0}, {"epoch": 2, "error_percent": 4.0, "dead": 0.0}]
    >>> [axes.get_ylabel() for axes in learning_curves({"fine-tuning": rows}).axes]
    ['error (%)']
    """
    recorded = dict.fromkeys(key for rows in histories.values() for row in rows for key in row if key != "epoch")
    wanted = recorded if metrics is None else [key for key in metrics if key in recorded]
    panels: dict[str, list[str]] = {}
    for key in wanted:
        if any(_has(rows, key) for rows in histories.values()):
            panels.setdefault(_split(key)[1], []).append(key)
    if not panels:
        return message("Nothing has been recorded yet.", title)

    constant = {label: value for label, keys in panels.items() if metrics is None and (value := _only_value(histories, keys)) is not None}
    panels = {label: keys for label, keys in panels.items() if label not in constant}
    told = textwrap.wrap(
        "Constant, and not drawn: " + "; ".join(f"{_axis_label(label)} {value:g}" for label, value in constant.items()) if constant else "",
        int((WIDTH if len(panels) > 2 else 5.0) / text_width("m", SMALL)),
    )
    if not panels:
        return message(" ".join(told), title)

    drawn = [phase for phase, rows in histories.items() if any(_has(rows, key) for keys in panels.values() for key in keys)]
    colours = dict(zip(drawn, cycle(LINES), strict=False))
    columns = min(3, len(panels))
    rows_of_panels = -(-len(panels) // columns)
    width = {1: 5.0, 2: 7.5, 3: WIDTH}[columns]
    names_in_line = max(1, int((width - 2 * MARGIN) / (max(text_width(phase, LABEL) for phase in drawn) + 0.4)))
    legend_room = 0.15 + 0.2 * -(-len(drawn) // names_in_line)
    foot = 1.3 * SMALL / 72 * len(told) + (0.1 if told else 0.0)
    figure, head = page(width, 2.3 * rows_of_panels + legend_room + foot, title)
    height = figure.get_figheight()
    if told:
        figure.text(MARGIN / width, 0.06 / height, "\n".join(told), fontsize=SMALL, color=MUTED, va="bottom")
    figure.set_layout_engine(
        ConstrainedLayoutEngine(
            rect=(0.0, foot / height, 1.0, 1 - (head + legend_room + foot) / height), w_pad=0.08, h_pad=0.08, wspace=0.03, hspace=0.03
        )
    )
    grid = figure.subplots(rows_of_panels, columns, squeeze=False)
    for axes, (label, keys) in zip(grid.flat, panels.items(), strict=False):
        _panel(axes, label, keys, histories, colours)
    for axes in grid.flat[len(panels) :]:
        axes.remove()

    legend = figure.legend(
        [Line2D([], [], color=colour, linewidth=2.0) for colour in colours.values()],
        list(colours),
        loc="upper left",
        bbox_to_anchor=(MARGIN / width, 1 - head / height),
        ncols=names_in_line,
        frameon=False,
        fontsize=LABEL,
        labelcolor=INK,
        borderpad=0.2,
        borderaxespad=0.0,
        handlelength=1.4,
        columnspacing=1.6,
    )
    legend.set_in_layout(False)
    return figure


def _panel(axes: Axes, label: str, keys: Sequence[str], histories: Mapping[str, Rows], colours: Mapping[str, str]) -> None:
    drawn = []
    for phase, rows in histories.items():
        epochs = np.array([row.get("epoch", place) for place, row in enumerate(rows, start=1)], dtype=np.float64)
        for key in keys:
            recorded = _recorded(rows, key)
            values = _column(rows, key)[recorded]
            finite = np.isfinite(values)
            if finite.any():
                # A value with a gap on either side is a line of no length: only a dot shows it.
                alone = finite & ~np.append(finite[1:], False) & ~np.insert(finite[:-1], 0, False)
                axes.plot(
                    epochs[recorded],
                    values,
                    _SPLITS.get(_split(key)[0], "-"),
                    color=colours[phase],
                    linewidth=1.6,
                    marker="o",
                    markersize=4,
                    markevery=np.flatnonzero(alone).tolist(),
                    label=phase,
                )
                drawn.append(values[finite])
    values = np.concatenate(drawn)
    if values.min() > 0 and values.max() >= 50 * values.min():
        axes.set_yscale("log")
    quiet(axes)
    axes.minorticks_off()
    axes.xaxis.set_major_locator(MaxNLocator(5, integer=True, steps=[1, 2, 5, 10], min_n_ticks=1))
    if np.ptp(axes.dataLim.intervalx) == 0:
        axes.set_xlim(axes.dataLim.x0 - 1, axes.dataLim.x0 + 1)
    axes.set_xlabel("epoch", fontsize=SMALL, color=MUTED)
    # Written along the top, not up the side: long labels stay readable in a small panel.
    axes.set_ylabel(_axis_label(label), fontsize=LABEL, color=INK, rotation=0, ha="left", va="bottom")
    axes.yaxis.set_label_coords(0.0, 1.03)
    splits = list(dict.fromkeys(_split(key)[0] for key in keys))
    if len(splits) > 1:
        axes.legend(
            [Line2D([], [], color=MUTED, linestyle=_SPLITS.get(split, "-"), linewidth=1.4) for split in splits],
            splits,
            frameon=False,
            fontsize=SMALL,
            labelcolor=MUTED,
            handlelength=1.8,
        )


def _split(key: str) -> tuple[str, str]:
    """ "validation_error_percent" -> ("validation", "error_percent")."""
    first, _, rest = key.partition("_")
    return (first, rest) if first in _SPLITS and rest else ("", key)


def _axis_label(metric: str) -> str:
    if metric in AXIS_LABELS:
        return AXIS_LABELS[metric]
    for ending, unit in (("_percent", " (%)"), ("_nats", " (nats)"), ("_seconds", " (s)"), ("_share", " (share)")):
        if metric.endswith(ending):
            return metric.removesuffix(ending).replace("_", " ") + unit
    return metric.replace("_", " ")


def _only_value(histories: Mapping[str, Rows], keys: Sequence[str]) -> float | None:
    """The value that some metrics have in every row of every phase, None where they differ or there is but one row."""
    values = np.concatenate([_column(rows, key) for rows in histories.values() for key in keys])
    finite = values[np.isfinite(values)]
    return float(finite[0]) if len(finite) > 1 and np.ptp(finite) == 0 else None


def _has(rows: Rows, key: str) -> bool:
    return bool(np.isfinite(_column(rows, key)).any())


def _recorded(rows: Rows, key: str) -> npt.NDArray[np.bool_]:
    """False for rows that lack the key between two that have it."""
    has = np.array([key in row for row in rows], dtype=np.bool_)
    return np.asarray(has | ~np.logical_or.accumulate(has) | ~np.logical_or.accumulate(has[::-1])[::-1])


def _column(rows: Rows, key: str) -> npt.NDArray[np.float64]:
    """One value a row; whatever is missing or not finite is NaN, which a line skips."""
    values = np.array([row.get(key) for row in rows], dtype=np.float64)
    return np.where(np.isfinite(values), values, np.nan)


def confusion(matrix: npt.ArrayLike, classes: Sequence[object], *, title: str | None = None) -> Figure:
    """Counts of predicted (columns) for every true class (rows).

    Only errors are coloured, on a scale of their own: the diagonal, which would drown them, is grey. Cells without a
    case are empty; at the end of each row stands the share of its cases that are wrong.

    Parameters
    ----------
    matrix
        (C, C) counts, true by predicted.
    classes
        C names.
    title
        Stands above the figure.

    Returns
    -------
    Figure

    Raises
    ------
    ValueError
        The matrix is not (C, C), or has a negative or fractional count.

    Examples
    --------
    >>> from harmonium.report import confusion
    >>> confusion([[9, 1], [0, 10]], ["cat", "dog"]).axes[0].get_xlabel()
    'predicted'
    """
    counts = numbers(matrix)
    size = len(classes)
    if counts.shape != (size, size) or size == 0:
        raise ValueError(f"matrix must have shape ({size}, {size}) for {size} classes; got {counts.shape}")
    if (counts < 0).any() or (counts != np.floor(counts)).any():
        raise ValueError("matrix must hold counts: whole numbers, none negative")
    errors = np.where(np.eye(size, dtype=bool), 0, counts).astype(np.float64)
    worst = max(1.0, float(errors.max()))

    names = [str(name) for name in classes]
    cell = min(0.5, 7.6 / size)
    size_of_type = max(5.0, min(LABEL, 24 * cell))
    left = max(text_width(name, size_of_type) for name in names) + 0.4
    upright = max(len(name) for name in names) * size_of_type * 0.6 / 72 < cell
    top = (0.2 if upright else max(text_width(name, size_of_type) for name in names)) + 0.2
    right, side = 0.75, cell * size
    figure, _ = page(left + side + right, top + side + 2 * MARGIN, title)
    width, height = figure.get_size_inches()
    axes = figure.add_axes((left / width, MARGIN * 1.5 / height, side / width, side / height))
    axes.imshow(
        np.where(np.eye(size, dtype=bool), np.nan, errors),
        cmap=matplotlib.colormaps["Oranges"].with_extremes(bad="#e9ecef"),
        vmin=0.0,
        vmax=worst * 1.25,  # the map's darkest end would hide the numbers written on it
        interpolation="nearest",
    )
    for row in range(size):
        for column in range(size):
            if counts[row, column]:
                axes.text(
                    column,
                    row,
                    f"{int(counts[row, column])}",
                    ha="center",
                    va="center",
                    fontsize=size_of_type,
                    color=MUTED if row == column else "white" if errors[row, column] > 0.75 * worst else INK,
                )
        share = errors[row].sum() / max(1, counts[row].sum())
        axes.text(size - 0.3, row, f"{share:.1%}", ha="left", va="center", fontsize=size_of_type, color=MUTED)
    axes.text(size - 0.3, -0.75, "wrong", ha="left", va="bottom", fontsize=size_of_type, color=MUTED)
    axes.set_xticks(range(size), names, rotation=0 if upright else 90)
    axes.set_yticks(range(size), names)
    axes.set_xticks(np.arange(size - 1) + 0.5, minor=True)
    axes.set_yticks(np.arange(size - 1) + 0.5, minor=True)
    axes.grid(True, which="minor", color="white", linewidth=1.0)
    axes.tick_params(which="both", length=0, labelsize=size_of_type, labelcolor=INK)
    axes.tick_params(axis="x", labeltop=True, labelbottom=False)
    axes.xaxis.set_label_position("top")
    axes.set_xlabel("predicted", fontsize=LABEL, color=MUTED)
    axes.set_ylabel("true", fontsize=LABEL, color=MUTED)
    axes.spines[:].set_color(HAIR)
    return figure
