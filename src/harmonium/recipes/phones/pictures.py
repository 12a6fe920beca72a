"""The pictures and the table of the phones recipe."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from harmonium.data.speech import filter_bank
from harmonium.recipes.phones.heard_speech import Heard
from harmonium.recipes.phones.recognition import GMM, Judged, Segments, ratio
from harmonium.report import Section, learning_curves
from harmonium.report.style import INK, LABEL, LINES, MUTED, PAPER, SMALL, WIDTH, page, quiet

SECONDS = 0.01  # from one frame to the next
ROW, SPECTRUM = 0.34, 2.1  # inches


def words(name: str) -> str:
    """What a model is called in pictures."""
    kind, _, depth = name.rpartition(" ")
    if name == GMM:
        return "GMM-HMM"
    known = {"dnn": "DNN", "dbn_dnn": "DBN-DNN"}
    return f"{known[kind]}, {depth} layer{'s' * (depth != '1')}" if kind in known else "DBN-DNN, realigned"


def sections(found: Mapping[str, Judged], histories: Mapping[str, Sequence[Mapping[str, float]]], recording: Heard | None) -> list[Section]:
    """The report's parts. `recording`: the one that is drawn, None where nothing has been recognised yet."""
    made = []
    if recording is not None:
        text = (
            "Errors are substitutions, deletions and insertions over the phones said. Standard errors are over speakers. The weight of the "
            "language, the penalty of a phone and the part of the priors were chosen on the validation speakers."
        )
        made.append(
            Section("Phone errors", text, [(by_model(found), "phone error by model, with a standard error to each side")], table(found))
        )
        picture = recognised(recording, found)
        about = "A recording as a spectrogram, where its phones are by the mixtures' alignment, and what each model recognises."
        made.append(Section("A recording", f"{about} Coloured phones differ from what is said there.", [(picture, recording.id)]))
    curves = {name: rows for name, rows in histories.items() if "validation_error_percent" in rows[-1]}
    if curves:
        made.append(
            Section(
                "Learning",
                "Frames whose state is not the aligned one.",
                [(learning_curves(curves, metrics=("train_error_percent", "validation_error_percent")), "the figures of each epoch")],
            )
        )
    return made


def table(found: Mapping[str, Judged]) -> list[dict[str, object]]:
    """A row for each model."""
    rows: list[dict[str, object]] = []
    for name, each in found.items():
        said = each.counts[:, 3]
        row: dict[str, object] = {"model": words(name), "phone error %": spread(*ratio(each.errors, said))}
        if name != GMM:
            row["less than the GMM-HMM"] = spread(*ratio(found[GMM].errors - each.errors, said))
        row["right frames %"] = spread(*ratio(each.counts[:, 4], each.counts[:, 5]))
        row |= {kind: f"{ratio(each.counts[:, place], said)[0]:.1f} %" for place, kind in enumerate(("substituted", "deleted", "inserted"))}
        row |= {name: each.chosen[name] for name in ("weight", "penalty", "prior")}
        rows.append(row)
    return rows


def spread(value: float, error: float) -> str:
    """A value ± its standard error."""
    return f"{value:.2f} ± {error:.2f}"


def by_model(found: Mapping[str, Judged]) -> Figure:
    """A bar for each model, with a standard error to each side."""
    height = 0.55 + 0.36 * len(found)
    figure, head = page(WIDTH, height, None)
    axes = figure.add_axes((0.2, 0.45 / height, 0.72, (height - 0.5) / (height + head)))
    quiet(axes)
    for place, (name, each) in enumerate(found.items()):
        value, error = ratio(each.errors, each.counts[:, 3])
        colour = LINES[0] if name == GMM else LINES[1] if name.startswith("dnn") else LINES[2]
        axes.barh(place, value, 0.62, color=colour, xerr=error, error_kw={"ecolor": INK, "capsize": 3})
        axes.annotate(f"{value:.1f}", (value + error, place), (6, 0), textcoords="offset points", va="center", fontsize=SMALL, color=INK)
    axes.set_yticks(range(len(found)), [words(name) for name in found], fontsize=LABEL)
    axes.set_ylim(len(found) - 0.5, -0.5)
    axes.set_xlim(left=0)
    axes.margins(x=0.08)
    axes.grid(False, axis="y")
    axes.set_xlabel("phone error, percent", fontsize=LABEL, color=INK)
    return figure


def recognised(recording: Heard, found: Mapping[str, Judged]) -> Figure:
    """The spectrogram of a recording above its phones: those said, and those that each model recognises."""
    said = next(iter(found.values())).shown.said
    rows = {"said": said} | {words(name): each.shown.found for name, each in found.items()}
    height = SPECTRUM + ROW * len(rows) + 0.5
    figure, _ = page(WIDTH, height, None)
    left, width = 0.145, 0.845
    frames = said[-1][2]
    above = figure.add_axes((left, 1 - (SPECTRUM - 0.06) / height, width, (SPECTRUM - 0.12) / height))
    bands = filter_bank(recording.samples(), recording.rate, with_deltas=False)[:, 1:]
    above.imshow(
        bands.T, origin="lower", aspect="auto", cmap="Greys", extent=(0, frames * SECONDS, 0, bands.shape[1]), interpolation="nearest"
    )
    above.set_yticks([])
    above.set_ylabel("mel bands", fontsize=SMALL, color=MUTED)
    below = figure.add_axes((left, 0.42 / height, width, ROW * len(rows) / height))
    for place, segments in enumerate(rows.values()):
        draw_phones(below, segments, said, place)
    below.set_yticks(range(len(rows)), list(rows), fontsize=SMALL)
    below.set_ylim(len(rows) - 0.5, -0.5)
    below.set_xlabel("seconds", fontsize=SMALL, color=MUTED)
    for axes in (above, below):
        axes.set_xlim(0, frames * SECONDS)
        axes.tick_params(length=0, labelsize=SMALL)
        for side in axes.spines.values():
            side.set_visible(False)
    above.set_xticks([])
    return figure


def draw_phones(axes: Axes, segments: Segments, said: Segments, place: int) -> None:
    """A row of phones as boxes, coloured where most of their frames are of another phone in what is said."""
    for phone, start, end in segments:
        same = sum(max(0, min(end, stop) - max(start, first)) for name, first, stop in said if name == phone)
        right = 2 * same >= end - start
        box: dict[str, Any] = {"facecolor": "#e8edf2" if right else LINES[4], "edgecolor": PAPER, "linewidth": 1.0}
        axes.broken_barh([(start * SECONDS, (end - start) * SECONDS)], (place - 0.42, 0.84), **box)
        if end - start >= 4:
            middle = (start + end) / 2 * SECONDS
            axes.text(middle, place, phone.lower(), ha="center", va="center", fontsize=SMALL - 1.5, color=INK, clip_on=True)
