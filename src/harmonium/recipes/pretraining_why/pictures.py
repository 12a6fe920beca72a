"""The pictures of the pretraining-why recipe: boxes of errors by task and depth, and some images."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from matplotlib.figure import Figure

from harmonium.recipes.pretraining_why.bars import SIDE, draw
from harmonium.recipes.shared.depth_pictures import COLOURS, draw_boxes
from harmonium.recipes.shared.sigmoid_nets import KINDS, Curves
from harmonium.report import Section, image_grid
from harmonium.report.style import INK, LABEL, WIDTH, page, quiet

Found = Mapping[tuple[str, str, int], Curves]


def sections(found: Found) -> list[Section]:
    """The report's parts, of the cells that have begun."""
    if not found:
        return [Section("Nothing yet", "No net has learnt labels yet.")]
    _, images = draw(40, torch.Generator().manual_seed(0))
    grid = image_grid(images.float().reshape(-1, SIDE, SIDE), columns=20)
    text = (
        "Error in percent of each net after the last epoch: blue with pre-training, orange without. A box is from the first to the third "
        "quartile with a line at the median, its whiskers reach the least and the largest. Bars are the causes of the images; the labels "
        "of the other tasks are computed from the pixels."
    )
    return [
        Section("Labels of causes and labels of pixels", text, [(boxes(found), "test error in percent by task and depth")]),
        Section(
            "Images", "Each row and column of eight is a bar with probability 1/4; then one pixel in ten is changed.", [(grid, "40 images")]
        ),
    ]


def boxes(found: Found) -> Figure:
    """A panel for each task; in it a pair of boxes for each depth."""
    tasks, depths = list(dict.fromkeys(task for task, _, _ in found)), sorted({depth for _, _, depth in found})
    figure, _ = page(WIDTH, 2.9, None)
    width = 0.95 / len(tasks)
    for place, task in enumerate(tasks):
        axes = figure.add_axes((0.055 + place * width, 0.17, width - 0.035, 0.71))
        quiet(axes)
        for number, kind in enumerate(KINDS):
            here = [depth for depth in depths if (task, kind, depth) in found]
            errors = [found[task, kind, depth]["test_error_percent"][-1] for depth in here]
            draw_boxes(axes, errors, here, number, COLOURS[kind])
        axes.set_xticks(depths)
        axes.set_ylim(bottom=0)
        axes.set_title(task, fontsize=LABEL, color=INK, loc="left")
        axes.set_xlabel("hidden layers", fontsize=LABEL, color=INK)
        if not place:
            axes.set_ylabel("test error (%)", fontsize=LABEL, color=INK)
    return figure
