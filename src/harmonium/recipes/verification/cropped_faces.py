"""Faces from the ORL photographs for verification: the middle of each, moved and mirrored copies to learn from, and pairs."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn.functional import avg_pool2d

from harmonium.data import VerificationFold, orl_faces, verification_folds
from harmonium.data.verification import ImagePairs, pairs_among
from harmonium.seeds import derive

MARGIN, REDUCED = 4, 4  # pixels at each edge that a crop leaves out, and by which a copy moves at most; pixels that become one, each way
SHAPE = tuple((side - 2 * MARGIN) // REDUCED for side in orl_faces.SHAPE)
ASIDE = (4, 6, 7, 10, 13, 16, 20, 29, 30, 34)  # people by whom settings were chosen, drawn once at random: they are in no fold


class Faces(NamedTuple):
    """Crops, each of mean 0 and mean square 1.

    Attributes
    ----------
    middle : Tensor
        (400, pixels), the middle of each photograph.
    moved, mirrored : Tensor
        (400 · copies, pixels), crops at random places, copy by copy of each photograph; and the mirror images of others.
    people : Tensor
        (400,) int64.
    """

    middle: Tensor
    moved: Tensor
    mirrored: Tensor
    people: Tensor

    @property
    def copies(self) -> int:
        """Moved crops of each photograph."""
        return len(self.moved) // len(self.middle)

    def of_copies(self) -> Tensor:
        """Who is on each copy."""
        return self.people.repeat_interleave(self.copies)


class Fold(NamedTuple):
    """What a fold learns from and is judged on.

    Attributes
    ----------
    copies : ImagePairs
        Pairs of copies, to learn from.
    train, test : ImagePairs
        Pairs of middles: of those learnt from, and of other people.
    """

    copies: ImagePairs
    train: ImagePairs
    test: ImagePairs


def load(copies: int, seed: int, data_dir: Path | None = None) -> Faces:
    """The crops, and so many copies of each of either hand.

    Parameters
    ----------
    copies
        Of each photograph, and as many of its mirror image.
    seed
        Of the places of the copies.
    data_dir
        Where the folder att_faces is, if not in $HARMONIUM_DATA or the cache.
    """
    images, people = orl_faces.load(data_dir)
    photographs = images.reshape(-1, *orl_faces.SHAPE).float()
    generator = torch.Generator().manual_seed(derive(seed, 0))
    moved, mirrored = (torch.randint(0, 2 * MARGIN + 1, (len(people), copies, 2), generator=generator) for _ in range(2))
    middle = torch.full((len(people), 1, 2), MARGIN)
    return Faces(crops(photographs, middle), crops(photographs, moved), crops(photographs.flip(-1), mirrored), people)


def crops(photographs: Tensor, places: Tensor) -> Tensor:
    """(photographs, height, width), and the upper left corners (photographs, copies, 2) -> (photographs · copies, pixels)."""
    height, width = (REDUCED * side for side in SHAPE)
    rows, columns = ((places[..., axis, None] + torch.arange(side)) for axis, side in enumerate((height, width)))
    numbers = torch.arange(len(photographs))[:, None, None, None]
    cut = photographs[numbers, rows[..., :, None], columns[..., None, :]]
    found = avg_pool2d(cut.flatten(0, 1).unsqueeze(1), REDUCED).flatten(1)
    centred = found - found.mean(1, keepdim=True)
    return centred / centred.square().mean(1, keepdim=True).sqrt()


def folds_of(faces: Faces, folds: int, seed: int, *, choosing: bool = False) -> list[Fold]:
    """The folds of the thirty people to judge by; or one fold, those to learn from and the ten set aside, for choosing settings.

    Parameters
    ----------
    faces
        All crops.
    folds, seed
        How many, and the seed of the people and the pairs.
    choosing
        Whether the ten people set aside are judged on.
    """
    aside = torch.isin(faces.people, torch.tensor(ASIDE))
    of_copies, aside_copies = faces.of_copies(), aside.repeat_interleave(faces.copies)
    if choosing:
        test = pairs_among(faces.people, aside, derive(seed, 3))
        return [Fold(pairs_among(of_copies, ~aside_copies, derive(seed, 1)), pairs_among(faces.people, ~aside, derive(seed, 2)), test)]
    judged = _kept(verification_folds(faces.people[~aside], folds, seed=seed), ~aside)
    learnt = _kept(verification_folds(of_copies[~aside_copies], folds, seed=seed), ~aside_copies)  # of the same people, by the same seed
    return [Fold(copies.train, *fold) for copies, fold in zip(learnt, judged, strict=True)]


def _kept(folds: list[VerificationFold], kept: Tensor) -> list[VerificationFold]:
    """The same pairs, numbered among all images and not only among those that are kept."""
    numbers = kept.nonzero().squeeze(1)
    return [VerificationFold(*(side._replace(images=numbers[side.images]) for side in fold)) for fold in folds]


def some(pairs: ImagePairs, count: int, seed: int) -> ImagePairs:
    """So many of the pairs, drawn at random without repeats, or all where there are fewer."""
    drawn = torch.randperm(len(pairs.same), generator=torch.Generator().manual_seed(seed))[:count]
    return ImagePairs(pairs.images[drawn], pairs.same[drawn])


def standing(pairs: ImagePairs, moved: Tensor, mirrored: Tensor, seed: int) -> Tensor:
    """Pairs of copies to learn from, (pairs, 2, pixels): by a fair coin both as they are, or both mirrored.

    Parameters
    ----------
    pairs
        Numbers of copies.
    moved, mirrored
        (copies, pixels) each.
    seed
        Of the coin.
    """
    turned = torch.rand(len(pairs.same), 1, generator=torch.Generator().manual_seed(seed)) < 0.5
    return torch.cat([moved, mirrored])[pairs.images + len(moved) * turned]
