"""Pairs of images of people, the same or two, divided so that nobody is on both sides."""

from __future__ import annotations

from typing import Any, NamedTuple

import torch
from torch import Tensor

from harmonium.data.tables import as_tensor
from harmonium.seeds import derive


class ImagePairs(NamedTuple):
    """Pairs of images.

    Attributes
    ----------
    images : Tensor
        (pairs, 2) int64, the numbers of the two images: `faces[pairs.images]` are the pairs, (pairs, 2, pixels).
    same : Tensor
        (pairs,) int64, 1 where both show the same person, else 0.

    Examples
    --------
    >>> import torch, harmonium as hm
    >>> pairs = hm.data.ImagePairs(torch.tensor([[0, 1], [0, 2]]), torch.tensor([1, 0]))
    >>> torch.zeros(3, 64)[pairs.images].shape
    torch.Size([2, 2, 64])
    """

    images: Tensor
    same: Tensor


class VerificationFold(NamedTuple):
    """Pairs to learn from and pairs to be judged on, of other people.

    Attributes
    ----------
    train, test : ImagePairs
        As many of the same as of two people in each.

    Examples
    --------
    >>> import torch, harmonium as hm
    >>> fold = hm.data.verification_folds(torch.arange(8).repeat_interleave(3), folds=4)[0]
    >>> fold.train.images.shape, fold.test.images.shape
    (torch.Size([36, 2]), torch.Size([12, 2]))
    """

    train: ImagePairs
    test: ImagePairs


def verification_folds(people: Any, folds: int = 10, *, seed: int = 0) -> list[VerificationFold]:
    """Divide images of people into folds, in each of which the people to be judged on are among none to learn from.

    People are divided at random into `folds` groups, and each group is the test of one fold. Either side of a fold has every pair of images
    of one person, and as many pairs of two people, drawn at random without repeats.

    Parameters
    ----------
    people : Tensor or array
        (images,) integers: who is on each image.
    folds : int, default 10
        Number of folds, at least two.
    seed : int, default 0
        Seed of the groups and of the pairs of two people.

    Returns
    -------
    list of VerificationFold
        One per fold, pairs of the same people first.

    Raises
    ------
    ValueError
        If a fold would have fewer than two people, no two images of anybody, or fewer pairs of two people than of one.

    Examples
    --------
    >>> import torch, harmonium as hm
    >>> people = torch.arange(8).repeat_interleave(3)
    >>> train, test = hm.data.verification_folds(people, folds=4)[0]
    >>> len(train.same), len(test.same), test.same.tolist()
    (36, 12, [1, 1, 1, 1, 1, 1, 0, 0, 0, 0, 0, 0])
    """
    people = as_tensor(people)
    if people.dim() != 1 or people.is_floating_point():
        raise ValueError(f"expected one whole number for each image, who is on it, found shape {tuple(people.shape)} of {people.dtype}")
    names = people.unique()
    if not 2 <= folds <= len(names) // 2:
        raise ValueError(f"each of at least two folds has two people or more: {len(names)} people do not make {folds} folds")
    shuffled = names[torch.randperm(len(names), generator=torch.Generator().manual_seed(derive(seed, 0)))]
    held = [torch.isin(people, group) for group in torch.tensor_split(shuffled, folds)]
    sides = [
        [pairs_among(people, chosen, derive(seed, 1 + fold, side)) for side, chosen in enumerate((~test, test))]
        for fold, test in enumerate(held)
    ]
    return [VerificationFold(*side) for side in sides]


def pairs_among(people: Tensor, chosen: Tensor, seed: int) -> ImagePairs:
    """Every pair of one person among the chosen images, (images,) bool, and as many of two, drawn at random."""
    numbers = chosen.nonzero().squeeze(1)
    every = torch.combinations(numbers)
    alike = people[every[:, 0]] == people[every[:, 1]]
    same, different = every[alike], every[~alike]
    if not 1 <= len(same) <= len(different):
        raise ValueError(
            f"expected at least two images of somebody in each fold, and as many pairs of two people as of one, found {len(same)} pairs of "
            f"one person and {len(different)} of two among {len(numbers)} images"
        )
    drawn = torch.randperm(len(different), generator=torch.Generator().manual_seed(seed))[: len(same)].sort().values
    return ImagePairs(torch.cat([same, different[drawn]]), torch.tensor([1, 0]).repeat_interleave(len(same)))
