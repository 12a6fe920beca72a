"""The pictures of the removal of structured noise."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from harmonium.data import Dataset
from harmonium.models import DBN
from harmonium.recipes.denoise.schedule import Schedule
from harmonium.report import Section, fantasies, image_grid, learning_curves
from harmonium.runs.folder import Run
from harmonium.sampling import remove_noise

FRAMES = 8  # of a schedule's steps


def sections(
    run: Run, dbn: DBN, data: Dataset, noisy: Mapping[str, Tensor], schedules: Mapping[str, Schedule], rows: Sequence[dict[str, Any]]
) -> list[Section]:
    """The report's parts: the table; under each kind of noise what the first hidden layer would like to reconstruct, step by step."""
    parts = []
    if rows:
        text = (
            "Percent of the test digits taken for another, by the free energies of the labels after each way of looking. Schedules were "
            "chosen on validation digits under strokes, grid, block and border together, one for all of them."
        )
        parts.append(Section("Does it improve recognition?", text, table=rows))
    every = torch.cat(list(noisy.values()))
    parts.append(
        Section(
            "The noise",
            "",
            [
                (
                    image_grid(every.reshape(-1, *data.image_shape), columns=len(next(iter(noisy.values())))),
                    ", ".join(noisy) + ", one row per kind",
                )
            ],
        )
    )
    for way, schedule in schedules.items():
        figures = []
        for kind, images in noisy.items():
            found = remove_noise(dbn, images, schedule.path, robust=schedule.robust, ink=schedule.ink)
            steps = torch.linspace(0, len(found.reconstruction) - 1, min(FRAMES, len(found.reconstruction))).round().long()
            frames = torch.cat([(images.float() / 255)[:, None], found.reconstruction[steps].movedim(0, 1)], dim=1)
            numbers = [0, *(int(step) + 1 for step in steps)]
            picture = fantasies(frames.reshape(*frames.shape[:2], *data.image_shape), steps=numbers, limits=(0, 1), row="digit")
            figures.append(
                (picture, f"{kind}: the noisy digit, then what the first hidden layer would like to reconstruct after so many steps")
            )
        parts.append(Section(f"Step by step: {way}", schedule.words, figures))
    parts.append(Section("Learning", "", [(learning_curves(run.histories()), "the figures of each phase against its epochs")]))
    return parts
