"""The pictures and tables of the mnist-exact recipe: nats against updates and seconds, and the gradients beside their published nats."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from statistics import fmean, stdev
from typing import TypeVar

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, FuncFormatter

from harmonium.recipes.exact.measured_learning import Gradient, Learnt, mean_at, shared_seconds
from harmonium.report import Section, against_time, filters
from harmonium.report.names import name_ends
from harmonium.report.style import HAIR, INK, LABEL, LINES, MUTED, PAPER, SMALL, WIDTH, page, quiet, text_width

Curve = Sequence[tuple[float, float]]
Key = TypeVar("Key", bound=tuple[str, bool])


def rule_sections(rules: Mapping[str, Sequence[Learnt]], rates: Mapping[str, float], published: Mapping[str, float]) -> list[Section]:
    """The rules' pictures and tables. `rates`: the learning rate of each; `published`: levels to compare with."""
    updates = {name: [[(each.updates, each.nats) for each in one.measurements] for one in machines] for name, machines in rules.items()}
    means = {name: _means(machines) for name, machines in rules.items()}
    seconds = {name: [(each["processor seconds"], each["nats"]) for each in rows] for name, rows in means.items()}
    least, best = shared_seconds(rules), max((one for machines in rules.values() for one in machines), key=lambda one: one.nats)
    hidden, repeats = best.machine.hidden.shape[0], max(map(len, rules.values()))
    table = [
        {
            "rule": name,
            "learning rate": f"{rates[name]:g}",
            **{f"{each['updates']:,.0f} updates": f"{each['nats']:.2f}" for each in means[name]},
            "sd at the end": f"{_spread(machines):.2f}",
            f"at {least:.0f} s": "–" if (nats := mean_at(machines, least)) is None else f"{nats:.2f}",
            "seconds": f"{fmean(one.measurements[-1].seconds for one in machines):.0f}",
        }
        for name, machines in rules.items()
    ]
    return [
        Section(
            "At equal updates",
            f"{hidden} hidden units, test images binarised once, exact log Z. Each line is the mean of {repeats} machines "
            "that differ in their seed; the band is from the least to the most.",
            [(against_updates(updates, published), "nats a test case after so many updates, by learning rule")],
            table,
        ),
        Section(
            "At equal seconds",
            "The same machines. Seconds are the processor's own, so that other programs on the machine do not count.",
            [(against_time(seconds, published), "nats a test case after so many processor seconds, by learning rule")],
        ),
        _best_section(best),
    ]


def centring_sections(
    machines: Mapping[tuple[Gradient, bool], Sequence[Learnt]], published: Mapping[tuple[Gradient, bool], float], protocol: str
) -> list[Section]:
    """The gradients' pictures and tables. Keys: the gradient, and whether it learnt from negatives."""
    nats = {key: [one.nats for one in each] for key, each in machines.items()}
    best = max((one for (_, negatives), each in machines.items() if not negatives for one in each), key=lambda one: one.nats)
    table = [
        {
            "gradient": gradient,
            "cases": "negatives" if negatives else "images",
            "nats": f"{fmean(values):.2f}",
            "each machine": ", ".join(f"{value:.2f}" for value in values),
            "published": published.get((gradient, negatives), ""),
        }
        for (gradient, negatives), values in nats.items()
    ]
    return [
        Section(
            "Centring",
            f"{best.machine.hidden.shape[0]} hidden units, thresholded images and their negatives (1 - v), {protocol}, exact log Z. A rule "
            "that does not mind which state of a pixel is called 1 reaches the same nats on both.",
            [(beside_published(nats, published), "nats a test case by gradient, on images and on negatives, and the published ones")],
            table,
        ),
        _best_section(best),
    ]


def search_section(found: Mapping[str, Mapping[float, Learnt]], text: str) -> Section:
    """What each learning rate came to on the held-out cases: rule -> rate -> machine."""
    rows = [{"rule": name, **{f"rate {rate:g}": f"{one.nats:.2f}" for rate, one in each.items()}} for name, each in found.items()]
    return Section("The search", text, table=rows)


def _best_section(best: Learnt) -> Section:
    return Section(
        f"The best machine of {best.machine.hidden.shape[0]} hidden units",
        f"{best.nats:.2f} nats a test case, log Z {best.measurements[-1].log_z:.2f}.",
        [(filters(best.machine.coupling.matrix().detach(), (28, 28)), "the weights of all its hidden units")],
    )


def _means(machines: Sequence[Learnt]) -> list[dict[str, float]]:
    """Of each measurement, over machines."""
    return [
        {
            "updates": each[0].updates,
            "processor seconds": fmean(one.seconds for one in each),
            "nats": fmean(one.nats for one in each),
        }
        for each in zip(*(one.measurements for one in machines), strict=True)
    ]


def _spread(machines: Sequence[Learnt]) -> float:
    return stdev(one.nats for one in machines) if len(machines) > 1 else math.nan


def against_updates(curves: Mapping[str, Sequence[Curve]], levels: Mapping[str, float]) -> Figure:
    """A line for each name, the mean of its curves of (updates, nats), in a band from the least to the most; dashed levels to compare with.

    All curves of a name have the same updates; their axis is logarithmic.
    """
    room = max(text_width(name, SMALL) for name in [*curves, *levels]) + 0.3
    figure, _ = page(WIDTH, 4.2, None)
    width, height = figure.get_size_inches()
    axes = figure.add_axes((0.6 / width, 0.5 / height, (width - 0.7 - room) / width, (height - 0.85) / height))
    ends, ticks = [], set()
    for colour, (name, each) in zip(LINES, curves.items(), strict=False):
        updates, nats = np.array(each[0])[:, 0], np.array(each)[:, :, 1]
        axes.fill_between(updates, nats.min(0), nats.max(0), color=colour, alpha=0.2, linewidth=0)
        axes.plot(updates, nats.mean(0), color=colour, linewidth=1.8, marker="o", markersize=3.5)
        ends.append((float(nats.mean(0)[-1]), name, colour))
        ticks |= set(updates.tolist())
    for name, value in levels.items():
        axes.axhline(value, color=MUTED, linewidth=1.0, linestyle="--")
        ends.append((value, name, INK))
    quiet(axes)
    axes.set_xscale("log")
    axes.minorticks_off()
    axes.xaxis.set_major_locator(FixedLocator(sorted(ticks)))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.0f}"))
    axes.set_xlabel("updates", fontsize=SMALL, color=MUTED)
    axes.set_title("log-likelihood (nats a case)", loc="left", fontsize=LABEL, color=INK)
    name_ends(axes, ends, height - 0.85)
    return figure


def beside_published(found: Mapping[Key, Sequence[float]], published: Mapping[Key, float]) -> Figure:
    """A bar for each (gradient, on negatives): the mean nats of its machines, a dot each machine, and a diamond the published value."""
    keys = list(found)
    values = [value for each in found.values() for value in each] + [published[key] for key in keys if key in published]
    low, high = min(values), max(values)
    margin = max(high - low, 1.0)
    figure, _ = page(WIDTH, 0.8 + 0.42 * len(keys), None)
    figure.set_layout_engine("constrained")
    axes = figure.subplots()
    start = low - 0.15 * margin
    for place, key in enumerate(keys):
        mean = fmean(found[key])
        axes.barh(place, mean - start, left=start, height=0.62, color=LINES[0] if not key[1] else LINES[5], alpha=0.55)
        axes.plot(found[key], [place] * len(found[key]), "o", color=INK, markersize=3.5)
        texts = f"{mean:.2f}"
        if key in published:
            axes.plot([published[key]], [place], "D", color=LINES[1], markeredgecolor=PAPER, markersize=8)
            texts += f"  (published {published[key]:.2f})"
        right = max(mean, published.get(key, mean), *found[key])
        axes.text(right + 0.02 * margin, place, texts, va="center", fontsize=SMALL, color=INK)
    axes.set_yticks(range(len(keys)), [f"{gradient}, {'negatives' if negatives else 'images'}" for gradient, negatives in keys])
    axes.invert_yaxis()
    axes.set_xlim(start, high + 0.35 * margin)
    axes.set_xlabel("nats a test case; a dot is a machine, a diamond the published value", fontsize=SMALL, color=MUTED)
    quiet(axes)
    axes.grid(False, axis="y")
    axes.spines["left"].set_color(HAIR)
    axes.tick_params(axis="y", labelcolor=INK, labelsize=LABEL)
    return figure
