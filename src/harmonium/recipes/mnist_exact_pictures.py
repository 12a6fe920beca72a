"""The pictures of the mnist-exact recipe: nats against updates, and the gradients beside their published nats."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from statistics import fmean
from typing import TypeVar

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, FuncFormatter

from harmonium.report.names import name_ends
from harmonium.report.style import HAIR, INK, LABEL, LINES, MUTED, PAPER, SMALL, WIDTH, page, quiet, text_width

Curve = Sequence[tuple[float, float]]
Key = TypeVar("Key", bound=tuple[str, bool])


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
