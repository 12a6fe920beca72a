"""The pictures and the table of the music recipe: nats by model, and piano rolls."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from matplotlib.figure import Figure
from torch import Tensor

from harmonium.recipes.music.models_of_frames import MODELS
from harmonium.report import Section
from harmonium.report.style import INK, LABEL, LINES, MUTED, SMALL, WIDTH, page, quiet

NAMES = {
    "independent": "independent notes",
    "logistic": "logistic autoregression",
    "rbm": "RBM of frames",
    "crbm": "conditional RBM",
    "rnn_rbm": "RNN-RBM",
}
MIDDLE_C = 39  # its column
Nats = Mapping[str, Mapping[str, Tensor]]


def mean_and_error(values: Tensor) -> tuple[float, float]:
    """The mean over frames and its standard error, as if frames were independent."""
    return values.mean().item(), (values.std() / math.sqrt(len(values))).item()


def by_model(found: Nats) -> Figure:
    """A dot for each model, side by side for the collections, each on a scale of its own."""
    figure, _ = page(WIDTH, 0.8 + 0.36 * len(MODELS), None)
    figure.set_layout_engine("constrained")
    panels: Any = figure.subplots(1, len(found), sharey=True, squeeze=False)[0]
    for axes, (where, models) in zip(panels, found.items(), strict=True):
        means = [models[name].mean().item() for name in MODELS]
        axes.plot(means, range(len(MODELS)), "o", color=LINES[0], markersize=6)
        for place, mean in enumerate(means):
            axes.annotate(f"{mean:.2f}", (mean, place), (0, 7), textcoords="offset points", ha="center", fontsize=SMALL)
        quiet(axes)
        axes.set_title(where.replace("_", " "), fontsize=LABEL, color=INK)
        axes.margins(x=0.25)
        axes.grid(False, axis="y")
        axes.tick_params(axis="y", labelcolor=INK, labelsize=LABEL)
    panels[0].set_yticks(range(len(MODELS)), [NAMES[name] for name in MODELS])
    panels[0].set_ylim(len(MODELS) - 0.5, -0.7)
    figure.supxlabel("nats of a frame of the test pieces", fontsize=SMALL, color=MUTED)
    return figure


def roll(piece: Tensor, begins: int) -> Figure:
    """A piano roll, (time, notes), in which what is generated begins at a frame and is orange."""
    height = 2.2
    figure, head = page(WIDTH, height, None)
    axes: Any = figure.add_axes((0.09, 0.2, 0.89, 0.74 * height / (height + head)))
    heard, notes = piece.nonzero().T.numpy()
    colours = [LINES[1] if time >= begins else LINES[0] for time in heard]
    axes.scatter(heard + 0.5, notes, c=colours, marker="s", s=9, linewidths=0)
    quiet(axes)
    axes.set_xlim(0, len(piece))
    axes.set_ylim(*(notes.min() - 3, notes.max() + 3) if len(notes) else (0, piece.shape[1]))
    middle = [MIDDLE_C + octave for octave in range(-36, 49, 12)]
    axes.set_yticks([each for each in middle if axes.get_ylim()[0] <= each <= axes.get_ylim()[1]])
    axes.set_yticklabels([f"C{4 + (int(each) - MIDDLE_C) // 12}" for each in axes.get_yticks()])
    axes.axvline(begins, color=MUTED, linewidth=0.8)
    axes.set_xlabel("frame", fontsize=SMALL, color=MUTED)
    return figure


def table(found: Nats) -> list[dict[str, object]]:
    """A row of each collection."""
    rows: list[dict[str, object]] = []
    for where, models in found.items():
        cells = {NAMES[name]: "{:.2f} ± {:.2f}".format(*mean_and_error(models[name])) for name in MODELS}
        rows.append({"collection": where.replace("_", " "), **cells})
    return rows


def sections(found: Nats, samples: Mapping[str, tuple[Tensor, int]], heard: str) -> list[Section]:
    """The report's parts. `samples`: pieces and the frame at which each begins to be generated; `heard`: where they can be listened to."""
    return [
        Section(
            "Likelihood",
            "Mean log-probability of a frame of the test pieces, given those before it. Standard errors are as if frames were independent.",
            [(by_model(found), "nats of a frame by model")],
            table(found),
        ),
        Section(
            "Samples",
            f"The beginning of a test piece (blue), and how the RNN-RBM goes on (orange). {heard}",
            [(roll(piece, begins), where.replace("_", " ")) for where, (piece, begins) in samples.items()],
        ),
    ]
