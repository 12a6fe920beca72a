"""What every loader of labelled images returns."""

from dataclasses import dataclass

import torch


@dataclass(frozen=True, eq=False)
class Dataset:
    """Labelled grey images, in the split in which they were published.

    Attributes:
        name: the data set's name.
        train_images: (training cases, pixels) uint8, grey from 0 to 255, each image row by row.
        train_labels: (training cases,) int64, from 0 to classes - 1.
        test_images: (test cases, pixels) uint8.
        test_labels: (test cases,) int64.
        image_shape: (height, width) of an image; height x width = pixels.
        classes: how many classes there are.
    """

    name: str
    train_images: torch.Tensor
    train_labels: torch.Tensor
    test_images: torch.Tensor
    test_labels: torch.Tensor
    image_shape: tuple[int, int]
    classes: int

    def hold_out(self, count: int) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor]:
        """The training set without its last `count` cases, and those: (images, labels, held-out images and labels).

        The last 10,000 are the customary validation set of MNIST. All four are views: images (cases, pixels) uint8,
        labels (cases,) int64.

        Raises:
            ValueError: no case would be held out, or none would be left to train on.
        """
        cases = len(self.train_images)
        if not 1 <= count < cases:
            raise ValueError(f"{count} of {self.name}'s {cases} training cases cannot be held out: expected 1 to {cases - 1}")
        kept = cases - count
        return self.train_images[:kept], self.train_labels[:kept], self.train_images[kept:], self.train_labels[kept:]
