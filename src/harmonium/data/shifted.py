"""Images moved by whole pixels, anew at each visit: translated copies without end."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from harmonium.data.tables import as_tensor


class Shifted:
    """Images that are shifted anew each time that rows are requested: a source for `hm.fit` and `hm.fine_tune`.

    Every image moves by whole pixels, up to `most` each way, down and across; all shifts are as likely. The images are held, not copied.

    Parameters
    ----------
    images : torch.Tensor or numpy.ndarray
        (cases, pixels), each image row by row, of any type.
    most : int
        The largest shift.
    shape : tuple of int
        (height, width) of an image.
    ground : float, default 0
        What stands where nothing of the image does.

    Raises
    ------
    ValueError
        For images of another shape, and for a negative shift or one that leaves nothing of an image.

    Examples
    --------
    >>> import torch, harmonium as hm
    >>> digits = hm.data.digits.load()
    >>> source = hm.data.Shifted(digits.train_images, most=1, shape=(8, 8))
    >>> rbm = hm.RBM(hm.Bernoulli(64, values="probabilities"), hm.Bernoulli(20))
    >>> state = hm.fit(rbm, source, epochs=1, progress=False)
    """

    def __init__(self, images: Any, *, most: int, shape: tuple[int, int], ground: float = 0.0) -> None:
        self._images = as_tensor(images).detach()
        if self._images.dim() != 2 or len(shape) != 2 or self._images.shape[1] != shape[0] * shape[1] or not len(self._images):
            raise ValueError(
                f"images of shape {tuple(shape)} are (cases, height x width), at least one case, found {tuple(self._images.shape)}"
            )
        if not 0 <= most < min(shape):
            raise ValueError(f"images of shape {tuple(shape)} are shifted by 0 to {min(shape) - 1} pixels at most, found most={most}")
        self.most, self._of_one, self.ground = most, shape, ground

    def __len__(self) -> int:
        return len(self._images)

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of all images: (cases, pixels)."""
        return tuple(self._images.shape)

    def rows(self, indices: Tensor, generator: torch.Generator) -> Tensor:
        """Some cases, each shifted anew.

        Parameters
        ----------
        indices : torch.Tensor
            (rows,) int64.
        generator : torch.Generator
            The source of the draws; the images are shifted on its device.

        Returns
        -------
        torch.Tensor
            (rows, pixels) float32; uint8 grey becomes grey / 255.
        """
        images = self._images[indices.to(self._images.device)].to(generator.device)
        grey = images.float() / 255 if images.dtype == torch.uint8 else images.float()
        height, width = self._of_one
        moves = torch.randint(-self.most, self.most + 1, (2, len(grey), 1), generator=generator, device=grey.device)
        down, across = (torch.arange(size, device=grey.device) - move for size, move in zip(self._of_one, moves, strict=True))
        inside = ((down >= 0) & (down < height)).unsqueeze(2) & ((across >= 0) & (across < width)).unsqueeze(1)
        places = down.clamp(0, height - 1).unsqueeze(2) * width + across.clamp(0, width - 1).unsqueeze(1)
        return torch.where(inside.flatten(1), grey.gather(1, places.flatten(1)), self.ground)
