"""Images moved by whole pixels, anew at each visit: translated copies without end."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor

from harmonium.data.moving_images import MovingImages
from harmonium.data.tables import as_tensor


class Shifted(MovingImages):
    """Images that are shifted anew each time that rows are requested: a source for `hm.fit` and `hm.fine_tune`.

    Every image moves by whole pixels, up to `most` each way, down and across; all shifts are as likely. The planes of a colour image move
    together. The images are held, not copied.

    Parameters
    ----------
    images : torch.Tensor or numpy.ndarray
        (cases, pixels), each image row by row, one plane after the other, of any type.
    most : int
        The largest shift.
    shape : tuple of int
        (height, width) of an image, or (planes, height, width) of one in colour.
    ground : float, default 0
        What stands where nothing of the image does.
    mirrored : bool, default False
        Whether half of the images, drawn anew, are turned left to right first.

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

    def __init__(self, images: Any, *, most: int, shape: tuple[int, ...], ground: float = 0.0, mirrored: bool = False) -> None:
        held, sides = as_tensor(images).detach(), shape[-2:]
        if held.dim() != 2 or len(shape) not in (2, 3) or held.shape[1] != math.prod(shape) or not len(held):
            wanted = "(cases, height x width), or (cases, planes x height x width) in colour"
            raise ValueError(f"images of shape {tuple(shape)} are {wanted}, at least one case, found {tuple(held.shape)}")
        if not isinstance(most, int) or not 0 <= most < min(sides):
            raise ValueError(f"images of shape {tuple(shape)} are shifted by 0 to {min(sides) - 1} whole pixels at most, found {most=}")
        super().__init__(held, shape)
        self.most, self.ground, self.mirrored = most, ground, mirrored

    def moved(self, images: Tensor, generator: torch.Generator) -> Tensor:
        if self.mirrored:
            turned = torch.rand(len(images), generator=generator, device=images.device) < 0.5
            images = torch.where(turned.reshape(-1, *[1] * (images.dim() - 1)), images.flip(-1), images)
        height, width = images.shape[-2:]
        moves = torch.randint(-self.most, self.most + 1, (2, len(images), 1), generator=generator, device=images.device)
        down, across = (torch.arange(size, device=images.device) - move for size, move in zip((height, width), moves, strict=True))
        inside = ((down >= 0) & (down < height)).unsqueeze(2) & ((across >= 0) & (across < width)).unsqueeze(1)
        places = down.clamp(0, height - 1).unsqueeze(2) * width + across.clamp(0, width - 1).unsqueeze(1)
        planes = images.reshape(len(images), -1, height * width)
        moved = planes.gather(2, places.flatten(1).unsqueeze(1).expand_as(planes)).reshape(len(images), -1, height, width)
        return torch.where(inside.unsqueeze(1), moved, self.ground).view_as(images)
