"""The pictures and the tables of the motion recipe: errors by step, and skeletons that walk."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from matplotlib.figure import Figure
from PIL import Image, ImageDraw
from torch import Tensor

from harmonium.recipes.motion.judged_motion import TOLD, Errors
from harmonium.recipes.motion.walks import Walks
from harmonium.report import Film, Section, fantasies, film
from harmonium.report.names import name_ends
from harmonium.report.style import INK, LABEL, LINES, MUTED, SMALL, WIDTH, page, quiet

NAMES = {
    "": "conditional RBM",
    "two_layers_": "two layers",
    "mixture_": "mixture of machines",
    "ar_": "AR(n)",
    "repeat_": "last frame again",
}
SIDE, FINER = 200, 3  # dots of a tile, and how much finer it is drawn
HIGH, SPAN = 1750.0, 2100.0  # mm: what a tile shows above the ground, and across
TURN = 0.6  # radians from a view of the side
RIGHT = (5, 6, 7, 8, 14, 15, 16, 17)  # joints of the right leg and arm
LEG = RIGHT[:4]


def by_step(found: Mapping[str, Errors]) -> Figure:
    """Mean squared error against the number of steps ahead."""
    width, height = 7.5, 3.6
    figure, head = page(width + 1.3, height, None)
    total = width + 1.3
    axes: Any = figure.add_axes((0.7 / total, 0.5 / (height + head), (width - 0.8) / total, (height - 0.8) / (height + head)))
    top, ends = 0.0, []
    for (name, each), colour in zip(found.items(), LINES, strict=False):
        values = each.by_step.numpy()
        axes.plot(range(1, len(values) + 1), values, color=colour, linewidth=1.8)
        top = top if name == "repeat_" else max(top, float(values.max()))
        ends.append((float(values[-1]), NAMES[name], colour))
    quiet(axes)
    axes.set_xlim(0.5, None)
    axes.set_ylim(0, 1.25 * top)
    name_ends(axes, ends, height - 0.8)
    axes.set_xlabel("steps ahead, of 1/30 s", fontsize=SMALL, color=MUTED)
    axes.set_ylabel("mean squared error (variances)", fontsize=LABEL, color=INK, rotation=0, ha="left", va="bottom")
    axes.yaxis.set_label_coords(0.0, 1.03)
    return figure


def errors_table(found: Mapping[str, Errors]) -> list[dict[str, object]]:
    """A row of each model."""
    steps = [k for k in TOLD if all(k <= len(each.by_step) for each in found.values())]
    return [{"model": NAMES[name], **{f"step {k}": round(each.by_step[k - 1].item(), 4) for k in steps}} for name, each in found.items()]


def drawn(walks: Walks, frames: Tensor, missing: Sequence[int] = ()) -> np.ndarray[Any, Any]:
    """A sequence (time, numbers) as pictures of the skeleton: (time, SIDE, SIDE) from 0, white, to 1, black.

    It is seen from its right and a little from in front of or behind it, and stays in the middle, over a ground whose marks go by.

    Parameters
    ----------
    walks
        Whose skeleton it is.
    frames
        Standardised.
    missing
        Joints whose bones are drawn thick.
    """
    points = walks.positions(frames)
    ground = points[..., 2].amin(1).median().item()
    centre = points[:, :1] * torch.tensor([1.0, 1.0, 0.0])
    heading = (points[-1, 0] - points[0, 0])[:2]
    angle = torch.atan2(heading[1], heading[0]) - TURN
    across = torch.stack([angle.cos(), angle.sin(), torch.zeros(())])
    along = ((points - centre) @ across).numpy()
    height = points[..., 2].numpy() - ground
    travelled = (points[:, 0] @ across).numpy()
    scale = FINER * SIDE / SPAN
    made = []
    for time in range(len(points)):
        sheet = Image.new("L", (FINER * SIDE, FINER * SIDE), 255)
        pen = ImageDraw.Draw(sheet)
        floor = scale * (HIGH + 20)
        pen.line([(0, floor), (FINER * SIDE, floor)], fill=190, width=FINER)
        for mark in np.arange(-SPAN, SPAN, 500.0):
            x = scale * ((mark - travelled[time]) % (2 * SPAN) - SPAN / 2)
            pen.line([(x, floor), (x - 12 * FINER, floor + 8 * FINER)], fill=190, width=FINER)
        place = [(scale * (along[time, joint] + SPAN / 2), scale * (HIGH - height[time, joint])) for joint in range(points.shape[1])]
        for parent, joint in walks.skeleton.bones:
            right = joint in RIGHT
            width = (6 if joint in missing else 3) * FINER
            pen.line([place[parent], place[joint]], fill=0 if right else 120, width=width)
        head = max(range(points.shape[1]), key=lambda joint: points[0, joint, 2].item())
        x, y = place[head]
        pen.ellipse([x - 7 * FINER, y - 16 * FINER, x + 7 * FINER, y - 1 * FINER], fill=60)
        made.append(1 - np.asarray(sheet.resize((SIDE, SIDE), Image.Resampling.LANCZOS), dtype=np.float32) / 255)
    return np.stack(made)


def walking(walks: Walks, sequences: Mapping[str, Tensor], missing: Sequence[int] = ()) -> Film:
    """Sequences side by side, at 15 of their 30 frames a second."""
    tiles = np.stack([drawn(walks, frames, missing)[::2] for frames in sequences.values()])
    return film(1 - tiles, columns=len(tiles), limits=(0.0, 1.0), seconds=2 / 30, hold=2 / 30)


def strip(walks: Walks, sequences: Mapping[str, Tensor], missing: Sequence[int] = (), *, every: int) -> Figure:
    """Frames of sequences, a row each, for paper."""
    tiles = np.stack([1 - drawn(walks, frames, missing)[::every][:8] for frames in sequences.values()])
    return fantasies(tiles, limits=(0.0, 1.0), row="", rows=list(sequences))


def divided(pieces: Sequence[Tensor]) -> Figure:
    """The probability that each component accounts for a frame, of pieces (time, components) beside each other."""
    components, gap = pieces[0].shape[1], 4
    height = 0.5 + 0.28 * components
    figure, head = page(WIDTH, height, None)
    axes: Any = figure.add_axes((0.13, 0.42 / (height + head), 0.86, (height - 0.5) / (height + head)))
    rows = np.concatenate([np.pad(piece.numpy(), ((0, gap), (0, 0)), constant_values=np.nan) for piece in pieces])[:-gap]
    extent = (0, len(rows) / 30, components + 0.5, 0.5)
    axes.imshow(rows.T, cmap="Blues", vmin=0, vmax=1, aspect="auto", interpolation="nearest", extent=extent)
    shares = torch.cat(list(pieces)).mean(0).tolist()
    axes.set_yticks(range(1, components + 1), [f"component {number}: {share:.0%}" for number, share in enumerate(shares, 1)])
    axes.tick_params(length=0, labelsize=SMALL, labelcolor=MUTED)
    axes.spines[:].set_visible(False)
    axes.set_xlabel("seconds; white gaps between pieces", fontsize=SMALL, color=MUTED)
    return figure


def sections(
    walks: Walks,
    found: Mapping[str, Errors],
    generated: Mapping[str, Tensor],
    in_range: Sequence[Mapping[str, object]],
    completed: Mapping[str, Tensor],
    of_missing: Sequence[Mapping[str, object]],
    accounting: Sequence[Tensor],
) -> list[Section]:
    """The report's parts.

    Parameters
    ----------
    walks
        The sequences.
    found
        Errors of prediction, by model.
    generated, completed
        Sequences that models made, and ones whose leg they filled in, by model; each (sequences, frames, numbers).
    in_range, of_missing
        Rows of the two tables.
    accounting
        Of the mixture, as for `divided`; nothing where there is none.
    """
    names = ", ".join(generated)
    text = "Which component accounts for each frame of the sequences that were not learnt from."
    mixed = [Section("The mixture", text, [(divided(accounting), "probability of each component")])] if accounting else []
    return [
        Section(
            "Prediction",
            "Mean squared error of standardised numbers, so many frames ahead of sequences that were not learnt from: 1 is the variance "
            "over all frames that were.",
            [(by_step(found), "error by steps ahead")],
            errors_table(found),
        ),
        Section(
            "Generated walks",
            f"From left to right: {names}. The right side is black, the left grey. A second is in range if its energy, the mean square of "
            "its numbers, and its mean joint speed are between the 1 % and 99 % quantiles of seconds that were learnt from.",
            [(walking(walks, generated), f"walks: {names}"), (strip(walks, generated, every=25), "every 25th frame")],
            in_range,
        ),
        Section(
            "Missing joints",
            f"The numbers of the right leg (thick) were left out and filled in. From left to right: {', '.join(completed)}.",
            [(walking(walks, completed, LEG), "filled in"), (strip(walks, completed, LEG, every=6), "every sixth frame")],
            of_missing,
        ),
        *mixed,
    ]
