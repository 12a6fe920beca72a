"""Turned and scaled pieces of faces: many images of few people, made from the ORL photographs."""

from __future__ import annotations

import math
from pathlib import Path
from typing import NamedTuple

import torch
from scipy.ndimage import gaussian_filter
from torch import Tensor

from harmonium.data import Dataset, Standardising, orl_faces
from harmonium.data.warp import resampled
from harmonium.seeds import derive

SIDE = 25  # pixels of a piece
TURN = math.pi / 2  # either way
SCALES = (1.4, 1.8)  # a photograph's width over that of a piece
CONTRAST = 0.3  # largest change of a varied piece's contrast, as a share
BRIGHTNESS = 0.4  # standard deviation of what is added to all of its pixels, of the mean variance 1
LEARNT_FROM = 30  # people; the others are judged on


class Pieces(NamedTuple):
    """Images of mean 0 in each pixel of those learnt from, whose average variance is 1; and what makes grey levels of them again."""

    data: Dataset
    standard: Standardising

    def as_grey(self, images: Tensor) -> Tensor:
        """Grey levels from 0 to 1, (..., pixels)."""
        return self.standard.inverse(images)


def load(copies: int, data_dir: Path | None = None) -> Pieces:
    """So many pieces of each photograph, by person: the first thirty to learn from, the last ten to be judged on. Labels are people."""
    photographs, people = orl_faces.load(data_dir)
    grey = pieces(photographs.reshape(-1, *orl_faces.SHAPE), copies)
    labels, first = people.repeat_interleave(copies), LEARNT_FROM * orl_faces.OF_EACH * copies
    mean = grey[:first].double().mean(0)
    standard = Standardising(mean, (grey[:first] - mean).square().mean().sqrt().item())
    images = standard(grey)
    data = Dataset("faces", images[:first], labels[:first], images[first:], labels[first:], (SIDE, SIDE), orl_faces.PEOPLE)
    return Pieces(data, standard)


def varied(images: Tensor, seed: int) -> Tensor:
    """Each piece mirrored or not, its contrast and its brightness changed, all at random: (cases, 625)."""
    generator = torch.Generator().manual_seed(seed)
    mirrored = torch.rand(len(images), 1, generator=generator) < 0.5
    contrast = 1 + CONTRAST * (2 * torch.rand(len(images), 1, generator=generator) - 1)
    brightness = BRIGHTNESS * torch.randn(len(images), 1, generator=generator)
    return torch.where(mirrored, images.reshape(-1, SIDE, SIDE).flip(2).flatten(1), images) * contrast + brightness


def pieces(photographs: Tensor, copies: int) -> Tensor:
    """Squares about the middle of each photograph, turned and scaled at random: (photographs · copies, pixels) from 0 to 1.

    Parameters
    ----------
    photographs
        (photographs, height, width) uint8.
    copies
        Of each. Angles are uniform over half a turn, scales over `SCALES`.
    """
    height, width = photographs.shape[1:]
    apart = width / SCALES[0] / SIDE  # pixels of a photograph, at most, from one of a piece to the next
    smooth = torch.from_numpy(gaussian_filter(photographs.numpy() / 255.0, (0, 0.4 * apart, 0.4 * apart))).float()
    steps = torch.arange(SIDE) - (SIDE - 1) / 2
    found = []
    for number, photograph in enumerate(smooth):
        generator = torch.Generator().manual_seed(derive(0, number))
        turn, size = torch.rand(2, copies, 1, 1, generator=generator)
        angle, step = TURN * (2 * turn - 1), width / SIDE / (SCALES[0] + (SCALES[1] - SCALES[0]) * size)
        cos, sin = step * angle.cos(), step * angle.sin()
        rows = (height - 1) / 2 + cos * steps[:, None] + sin * steps
        columns = (width - 1) / 2 + cos * steps - sin * steps[:, None]
        inside = rows.clamp(0, height - 1), columns.clamp(0, width - 1)
        found.append(resampled(photograph.expand(copies, -1, -1), *inside).flatten(1))
    return torch.cat(found)
