"""Images that are moved anew each time that they are visited."""

from __future__ import annotations

from abc import ABC, abstractmethod

import torch
from torch import Tensor


class MovingImages(ABC):
    """A source of images that are held, not copied, and of which each visit makes new ones.

    Parameters
    ----------
    images : Tensor
        (cases, pixels), each image row by row; uint8 grey from 0 to 255, or numbers.
    of_one : tuple of int
        (height, width) of an image, or (planes, height, width).
    """

    def __init__(self, images: Tensor, of_one: tuple[int, ...]) -> None:
        self._images, self._of_one = images, of_one

    def __len__(self) -> int:
        return len(self._images)

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of all images: (cases, pixels)."""
        return tuple(self._images.shape)

    def rows(self, indices: Tensor, generator: torch.Generator) -> Tensor:
        """Some cases, each moved anew.

        Parameters
        ----------
        indices : torch.Tensor
            (rows,) int64.
        generator : torch.Generator
            The source of the draws; the images are moved on its device.

        Returns
        -------
        torch.Tensor
            (rows, pixels) float32; uint8 grey becomes grey / 255.
        """
        images = self._images[indices.to(self._images.device)].to(generator.device)
        grey = images.float() / 255 if images.dtype == torch.uint8 else images.float()
        return self.moved(grey.reshape(-1, *self._of_one), generator).flatten(1)

    @abstractmethod
    def moved(self, images: Tensor, generator: torch.Generator) -> Tensor:
        """Images, (rows, *shape of one), as this visit shows them: of the same shape."""
