"""The pictures and tables of the few-labels recipe."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import stdev

from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter

from harmonium.models import RBM
from harmonium.recipes.few_labels.labelled_subsets import START_NAMES, Found
from harmonium.report import Section, filters, learning_curves
from harmonium.report.style import INK, LABEL, LINES, MUTED, PAPER, SMALL, WIDTH, page, quiet
from harmonium.runs.folder import Run

WORDS = dict(zip(START_NAMES, ("features of all images", "random start"), strict=True))
PUBLISHED = {"pretrained": {100: 18.3, 1000: 6.35, 10_000: 2.73}, "random": {100: 24.0, 1000: 11.29, 10_000: 5.27}}


def sections(run: Run, found: Sequence[Found], layers: Sequence[RBM]) -> list[Section]:
    """The report's parts, of a finished or an unfinished run. `layers`: those that are learnt."""
    made = []
    if found:
        made.append(
            Section(
                "Labels",
                "Errors on the judged cases by number of labelled ones. A dot is a labelled subset with its net, a line the mean, a "
                "diamond the published value. Right, what the features gain, subset by subset, with the standard error of the mean.",
                [(against_labels(found), "error against the number of labels")],
                [row(each) for each in found],
            )
        )
    if layers:
        weight = layers[0].coupling.matrix().detach()[:, :100]
        made.append(
            Section("Features", "", [(filters(weight, (28, 28)), "weights of the lowest layer's first units, learnt without labels")])
        )
    keys = ("epoch", "reconstruction_error", "train_error_percent", "validation_error_percent")
    curves = {phase: [{key: row[key] for key in keys if key in row} for row in rows] for phase, rows in run.histories().items()}
    words = "Of several nets the mean; while settings are being chosen that is over all settings."
    made.append(Section("Learning", words, [(learning_curves(curves), "the figures of each epoch")]))
    return made


def row(found: Found) -> dict[str, object]:
    """What came out, as a row of the table."""
    spread = f" ± {stdev(found.errors):.2f}" if len(found.errors) > 1 else ""
    return {
        "labels": f"{found.count:,}",
        "start": WORDS[found.start],
        "learning rate": f"{found.rate:g}",
        "weight cost": f"{found.weight_cost:g}",
        "epochs": found.epochs,
        "held-out error %": f"{found.held_out_error:.2f}",
        "error %, mean ± sd of the subsets": f"{found.mean:.2f}{spread}",
        "on the labelled cases %": f"{sum(found.train_errors) / len(found.train_errors):.2f}",
    }


def against_labels(found: Sequence[Found]) -> Figure:
    """Errors of both starts, and the gain, against the number of labels."""
    counts = sorted({each.count for each in found})
    figure, _ = page(WIDTH, 3.6, None)
    figure.set_layout_engine("constrained")
    left, right = figure.subplots(1, 2)
    for colour, start in zip(LINES, START_NAMES, strict=False):
        some = [each for each in found if each.start == start]
        left.plot([each.count for each in some], [each.mean for each in some], color=colour, linewidth=1.8, label=WORDS[start])
        for each in some:
            left.plot([each.count] * len(each.errors), each.errors, "o", color=colour, markersize=3)
        theirs = {count: error for count, error in PUBLISHED[start].items() if count in counts}
        left.plot(list(theirs), list(theirs.values()), "D", color=colour, markeredgecolor=PAPER, markersize=7)
    pairs = [(a, b) for a in found for b in found if a.count == b.count and (a.start, b.start) == START_NAMES]
    gains = [a.gain_over(b) for a, b in pairs]
    right.axhline(0, color=MUTED, linewidth=1.0)
    right.errorbar([a.count for a, _ in pairs], [gain for gain, _ in gains], [error for _, error in gains], fmt="o-", color=LINES[2])
    left.set_yscale("log")
    left.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    left.yaxis.set_minor_formatter(FuncFormatter(lambda value, _: f"{value:g}" if str(value)[0] in "25" else ""))
    left.legend(frameon=False, fontsize=SMALL, labelcolor=INK)
    for axes, title in ((left, "error (%)"), (right, "gain (percentage points)")):
        quiet(axes)
        axes.tick_params(which="both", length=0, labelsize=SMALL, labelcolor=MUTED)
        axes.set_xscale("log")
        axes.set_xticks(counts, [f"{count:,}" for count in counts])
        axes.tick_params(axis="x", which="minor", bottom=False, labelbottom=False)
        axes.set_xlabel("labelled cases", fontsize=SMALL, color=MUTED)
        axes.set_title(title, loc="left", fontsize=LABEL, color=INK)
    return figure
