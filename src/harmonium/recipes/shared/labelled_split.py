"""Labelled images to learn from and to be judged on."""

from __future__ import annotations

import dataclasses

import torch
from torch import Tensor

from harmonium.data import Dataset

FEW = 500  # cases of a smoke run


@dataclasses.dataclass(frozen=True)
class Split:
    """The images and labels that a run learns from, and those it is judged on. Images: (cases, pixels) uint8."""

    images: Tensor
    labels: Tensor
    test_images: Tensor
    test_labels: Tensor
    name: str

    def to(self, device: str | torch.device) -> Split:
        """The same on a device."""
        images, labels, test_images, test_labels = (
            each.to(device) for each in (self.images, self.labels, self.test_images, self.test_labels)
        )
        return Split(images, labels, test_images, test_labels, self.name)


def split(data: Dataset, held_out: int, *, smoke: bool = False) -> Split:
    """All training cases and the test set; or, while settings are being chosen, the training set less `held_out` cases and these.

    `smoke`: the first few of each.
    """
    if held_out:
        images, labels, test_images, test_labels = data.hold_out(held_out)
        name = "validation"
    else:
        images, labels, test_images, test_labels = data.train_images, data.train_labels, data.test_images, data.test_labels
        name = "test"
    kept = slice(FEW if smoke else None)
    return Split(images[kept], labels[kept], test_images[kept], test_labels[kept], name)
