"""The pictures and tables of the cd-bias recipe."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from torch import Tensor

from harmonium.recipes.cd_bias.measured import Measured
from harmonium.recipes.cd_bias.phases import ALL_STEPS, RATE, SPREADS
from harmonium.report import Section
from harmonium.report.style import INK, LABEL, LINES, MUTED, SMALL, WIDTH, page, quiet

FLOOR = 1e-8  # nats: what is less is drawn there
GAP = "KL(p_0 || model) where the rule rests, less that of the likelihood's optimum that is reached from there"


def sections(found: Measured, families: Mapping[str, str], weight_cost: float) -> list[Section]:
    """The report's parts. `families`: how the distributions of each are drawn, in words."""
    plain, cost, names = found.gaps(), found.gaps_with_cost(), tuple(families)

    def by_family(gaps: Mapping[str, Tensor]) -> dict[str, Tensor]:
        return {rule: gap.reshape(len(families), -1) for rule, gap in gaps.items()}

    means = {"mean": by_family(plain), "weight cost": by_family(cost)}
    table = [
        {"family": family, "drawn": how}
        | {f"{rule}, {which}": gap[place].mean().item() for which, gaps in means.items() for rule, gap in gaps.items()}
        for place, (family, how) in enumerate(families.items())
    ]
    return [
        Section(
            "Bias of the fixed points",
            f"{GAP}, in nats: a dot for each distribution (the mean over its starts), a line for the mean. Left no weight cost, where "
            f"optima may have infinite weights; right a weight cost of {weight_cost:g} in every rule, the likelihood's too, with PCD and "
            "tempered CD begun at CD-1's rests. What lies below 1e-8, negative values too, is drawn there.",
            [(dots({"no weight cost": by_family(plain), "with weight cost": by_family(cost)}, names), GAP)],
            table,
        ),
        Section(
            "Trajectories",
            f"KL(p_0 || model) against updates from small random weights at rate {RATE}: the mean of each family's distributions. "
            "The fourth line goes on by exact likelihood after half of the updates.",
            [(trajectories(found.paths, names), "KL against updates, in nats")],
        ),
        Section(
            "The end of CD-1",
            "The sparse family's distributions, no weight cost: the differential equation that ever smaller steps follow, "
            "integrated far beyond any training (time is updates times rate). Optima have infinite weights; on the way there Gibbs "
            "sampling slows down, and CD-1, which sees one sweep, may lose what it had learnt.",
            [(flows(found.flow), "KL(p_0 || model) in nats against time: solid CD-1, dotted maximum likelihood")],
        ),
        Section(
            "A gradient of nothing",
            "The derivative J of a gradient is symmetric. |J - J'| / |J| (Frobenius) of the mean update, at machines with all "
            "parameters from N(0, spread²): its median over the distributions, and its range.",
            [(asymmetries(found.field["asymmetry"], ALL_STEPS, SPREADS), "asymmetry of the update's derivative; ML: rounding")],
        ),
        Section(
            "The other objective",
            "Left: the cosine of CD-1's mean update with the likelihood's gradient, and with the descent direction of the contrast "
            "KL(p_0 || p_∞) - KL(p_1 || p_∞), along CD-1's trajectory: median and range. Right, with weight cost: by how much the "
            "contrast falls, its weight cost added, where descent goes on from CD-1's rest, and how far both ends are from the "
            "likelihood's optimum. CD-1 rests where its objective still falls.",
            [(directions(found.paths, by_family(found.contrasts()), names), "what CD-1 follows")],
        ),
        Section("Every distribution", table=_every_distribution(names, plain, cost)),
    ]


def _every_distribution(families: Sequence[str], plain: Mapping[str, Tensor], cost: Mapping[str, Tensor]) -> list[dict[str, object]]:
    """The gaps of each: (distributions) for each rule, without and with weight cost."""
    count = len(next(iter(plain.values()))) // len(families)
    rows: list[dict[str, object]] = [{"distribution": f"{family}, {number + 1}"} for family in families for number in range(count)]
    for words, gaps in (("", plain), (", weight cost", cost)):
        for rule, gap in gaps.items():
            for row, value in zip(rows, gap.tolist(), strict=True):
                row[rule + words] = value
    return rows


def dots(panels: Mapping[str, Mapping[str, Tensor]], families: Sequence[str]) -> Figure:
    """One panel per setting, one column per rule, one dot per distribution in its family's colour, on a logarithmic axis.

    A line is the mean.

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
    """KL against updates, one panel per family, one line per rule: the mean of its distributions.

    `paths`: rule -> (measurements, distributions).
    """
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
    """KL against time, one colour per distribution. `flow`: "times" (times), and "CD-1" and "maximum likelihood" (times, distributions)."""
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
    """|J - J'| / |J| against k, one line per spread of the parameters, the last column maximum likelihood.

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
    """Cosines of CD-1's update along its trajectory, median and range; and quantities at its rest in nats, one dot per distribution.

    `paths["directions"]`: (measurements, 3, distributions). `contrasts`: quantity -> (families, distributions).
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
