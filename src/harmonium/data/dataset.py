"""The type that every loader of labelled images returns."""

from dataclasses import dataclass

import torch


@dataclass(frozen=True, eq=False)
class Dataset:
    """Labelled grey images, in the split in which they were published.

    Parameters
    ----------
    name : str
        The name of the data set.
    train_images : torch.Tensor
        (training cases, pixels) uint8, grey from 0 to 255, each image row by row.
    train_labels : torch.Tensor
        (training cases,) int64, from 0 to `classes` - 1.
    test_images : torch.Tensor
        (test cases, pixels) uint8.
    test_labels : torch.Tensor
        (test cases,) int64.
    image_shape : tuple of int
        (height, width) of an image; height x width = pixels.
    classes : int
        The number of classes.

    Examples
    --------
    >>> import harmonium as hm
    >>> digits = hm.data.digits.load()
    >>> digits.train_images.shape, digits.image_shape, digits.classes
    (torch.Size([1497, 64]), (8, 8), 10)
    >>> images, labels, held_out, _ = digits.hold_out(197)
    >>> len(images), len(held_out)
    (1300, 197)
    """

    name: str
    train_images: torch.Tensor
    train_labels: torch.Tensor
    test_images: torch.Tensor
    test_labels: torch.Tensor
    image_shape: tuple[int, int]
    classes: int

    def hold_out(self, count: int) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor]:
        """Splits the last `count` cases off the training set.

        The last 10,000 are the customary validation set of MNIST.

        Parameters
        ----------
        count : int
            The number of cases to hold out.

        Returns
        -------
        images, labels, held_out_images, held_out_labels : torch.Tensor
            Views: images (cases, pixels) uint8, labels (cases,) int64.

        Raises
        ------
        ValueError
            If no case would be held out, or none would be left for training.
        """
        cases = len(self.train_images)
        if not 1 <= count < cases:
            raise ValueError(f"{count} of {self.name}'s {cases} training cases cannot be held out: expected 1 to {cases - 1}")
        kept = cases - count
        return self.train_images[:kept], self.train_labels[:kept], self.train_images[kept:], self.train_labels[kept:]
