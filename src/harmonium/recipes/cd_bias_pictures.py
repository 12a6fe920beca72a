"""The pictures of the cd-bias recipe."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from torch import Tensor

from harmonium.report.style import INK, LABEL, LINES, MUTED, SMALL, WIDTH, page, quiet

FLOOR = 1e-8  # nats: what is less is drawn there


def dots(panels: Mapping[str, Mapping[str, Tensor]], families: Sequence[str]) -> Figure:
    """A panel a setting, a column a rule, a dot a distribution in its family's colour, on a logarithmic axis; a line is the mean.

    `panels`: setting -> rule -> (families, distributions), nats.
    """
    figure, _ = page(WIDTH, 3.6, None)
    figure.set_layout_engine("constrained")
    grid = figure.subplots(1, len(panels), sharey=True, squeeze=False, width_ratios=[len(rules) for rules in panels.values()])[0]
    for axes, (setting, rules) in zip(grid, panels.items(), strict=True):
        _columns(axes, rules, families)
        _dress(axes, setting)
        axes.tick_params(axis="x", labelcolor=INK, labelsize=LABEL)
    grid[0].set_ylim(FLOOR / 2, 3 * max(values.max().item() for rules in panels.values() for values in rules.values()))
    grid[0].set_ylabel("gap in KL (nats)", fontsize=LABEL, color=MUTED)
    _families(figure, grid[0])
    return figure


def _columns(axes: Axes, rules: Mapping[str, Tensor], families: Sequence[str]) -> None:
    for column, values in enumerate(rules.values()):
        for family, row in enumerate(values):
            places = column + (family - (len(families) - 1) / 2) * 0.15 + np.linspace(-0.03, 0.03, len(row))
            label = families[family] if column == 0 else None
            axes.plot(places, row.clamp_min(FLOOR), "o", color=LINES[family], markersize=4, label=label)
        axes.plot([column - 0.4, column + 0.4], [max(values.mean().item(), FLOOR)] * 2, color=INK, linewidth=1.2)
    axes.set_yscale("log")
    axes.set_xticks(range(len(rules)), list(rules))
    axes.set_xlim(-0.6, len(rules) - 0.4)


def _families(figure: Figure, axes: Axes) -> None:
    """The colours' names, below the figure."""
    handles, labels = axes.get_legend_handles_labels()
    names = dict(zip(labels, handles, strict=True))
    figure.legend(
        list(names.values()), list(names), loc="outside lower center", ncols=len(names), frameon=False, fontsize=SMALL, labelcolor=INK
    )


def trajectories(paths: Mapping[str, Tensor], families: Sequence[str]) -> Figure:
    """KL against updates, a panel a family, a line a rule: the mean of its distributions. `paths`: rule -> (looks, distributions)."""
    rules = ["maximum likelihood", "CD-1", "CD-10", "CD-1, then maximum likelihood"]
    figure, _ = page(WIDTH, 4.4, None)
    figure.set_layout_engine("constrained")
    grid = figure.subplots(2, 3)
    updates = paths["updates"].numpy()
    for place, (axes, family) in enumerate(zip(grid.flat, families, strict=False)):
        for colour, (rule, style) in enumerate(zip(rules, ("-", "-", "--", ":"), strict=True)):
            values = paths[rule].reshape(len(updates), len(families), -1)[:, place].mean(-1)
            axes.plot(updates, values, style, color=LINES[colour], linewidth=1.6, label=rule)
        axes.set_xscale("log")
        axes.set_ylim(0, None)
        _dress(axes, f"{family}: KL (nats)")
        axes.set_xlabel("updates", fontsize=SMALL, color=MUTED)
    last = grid.flat[-1]
    last.axis("off")
    last.legend(*grid.flat[0].get_legend_handles_labels(), loc="center", frameon=False, fontsize=LABEL, labelcolor=INK)
    return figure


def flows(flow: Mapping[str, Tensor]) -> Figure:
    """KL against time, a colour a distribution. `flow`: "times" (times), and "CD-1" and "maximum likelihood" (times, distributions)."""
    figure, _ = page(5.5, 3.2, None)
    figure.set_layout_engine("constrained")
    axes = figure.subplots()
    times = flow["times"].numpy()
    for rule, style in (("maximum likelihood", ":"), ("CD-1", "-")):
        for colour, values in enumerate(flow[rule].T):
            axes.plot(times, values, style, color=LINES[colour % len(LINES)], linewidth=1.6)
    axes.set_xscale("log")
    _dress(axes, "KL (nats)")
    axes.set_xlabel("time (updates x rate)", fontsize=SMALL, color=MUTED)
    handles = [Line2D([], [], color=MUTED, linestyle=style, linewidth=1.6) for style in ("-", ":")]
    axes.legend(handles, ["CD-1", "maximum likelihood"], frameon=False, fontsize=SMALL, labelcolor=INK)
    return figure


def asymmetries(values: Tensor, steps: Sequence[int], spreads: Sequence[float]) -> Figure:
    """|J - J'| / |J| against k, a line a spread of the parameters, the last column maximum likelihood.

    `values`: (spreads, rules, distributions); the line is the median, the band the range.
    """
    figure, _ = page(5.5, 3.2, None)
    figure.set_layout_engine("constrained")
    axes = figure.subplots()
    places = np.arange(values.shape[1])
    for colour, (spread, rows) in enumerate(zip(spreads, values, strict=True)):
        axes.fill_between(places, rows.amin(-1), rows.amax(-1), color=LINES[colour], alpha=0.15, linewidth=0)
        axes.plot(places, rows.median(-1).values, "o-", color=LINES[colour], linewidth=1.6, markersize=4, label=f"spread {spread:g}")
    axes.set_yscale("log")
    axes.set_xticks(places, [*(f"CD-{k}" for k in steps), "ML"])
    _dress(axes, "")
    axes.set_ylabel("|J - J'| / |J|", fontsize=LABEL, color=MUTED)
    axes.legend(frameon=False, fontsize=SMALL, labelcolor=INK)
    return figure


def directions(paths: Mapping[str, Tensor], contrasts: Mapping[str, Tensor], families: Sequence[str]) -> Figure:
    """Cosines of CD-1's update along its trajectory, median and range; and figures of its rest in nats, a dot a distribution.

    `paths["directions"]`: (looks, 3, distributions). `contrasts`: figure -> (families, distributions).
    """
    figure, _ = page(WIDTH, 3.6, None)
    figure.set_layout_engine("constrained")
    left, right = figure.subplots(1, 2)
    updates = paths["updates"].numpy()
    for place, name in enumerate(("likelihood's gradient", "descent of the contrast")):
        rows = paths["directions"][:, place]
        left.fill_between(updates, rows.amin(-1), rows.amax(-1), color=LINES[place], alpha=0.15, linewidth=0)
        left.plot(updates, rows.median(-1).values, color=LINES[place], linewidth=1.6, label=name)
    left.set_xscale("log")
    _dress(left, "cosine with CD-1's update")
    left.set_xlabel("updates", fontsize=SMALL, color=MUTED)
    left.legend(frameon=False, fontsize=SMALL, labelcolor=INK, loc="lower left")
    _columns(right, contrasts, families)
    _dress(right, "with weight cost (nats)")
    _families(figure, right)
    return figure


def _dress(axes: Axes, title: str) -> None:
    axes.set_title(title, loc="left", fontsize=LABEL, color=INK)
    quiet(axes)
    axes.minorticks_off()
