"""Who is learnt from and who is identified, and how often a likeness picks another person from a gallery."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from harmonium.data.orl_faces import OF_EACH
from harmonium.recipes.verification.cropped_faces import ASIDE
from harmonium.seeds import derive

LEARNT = 20  # people of each split


class Split(NamedTuple):
    """People to learn from and others to identify: the numbers of their photographs, person by person.

    Attributes
    ----------
    learnt, judged : Tensor
        (people, 10) int64.
    """

    learnt: Tensor
    judged: Tensor


def splits_of(people: Tensor, partitions: int, seed: int, *, choosing: bool = False) -> list[Split]:
    """Of the thirty people to judge by: `partitions` times, three splits that identify ten people each and learn from the twenty others.

    For choosing settings, as many splits identify the ten set aside, each after learning from twenty of the thirty.

    Parameters
    ----------
    people
        (photographs,), who is on each.
    partitions, seed
        How often the thirty are divided into three, and the seed.
    choosing
        Whether the ten set aside are identified.
    """
    names = torch.unique(people)
    of_each = torch.stack([(people == person).nonzero().squeeze(1) for person in names])
    aside = torch.isin(names, torch.tensor(ASIDE))
    others, found = of_each[~aside], []
    for partition in range(partitions):
        order = torch.randperm(len(others), generator=torch.Generator().manual_seed(derive(seed, partition)))
        for part in others[order].chunk(3):
            learnt = others[~torch.isin(others[:, 0], part[:, 0])]
            found.append(Split(learnt, of_each[aside] if choosing else part))
    return found


def error_percent(likeness: Tensor) -> float:
    """How often the most alike photograph of the gallery is of another person.

    Parameters
    ----------
    likeness
        (photographs, photographs), of each to be identified (rows) with each of the gallery (columns), of ten people, person by person. A
        gallery has the same number's photograph of each person, the others of that person are identified, and galleries of all numbers
        are averaged.
    """
    people = len(likeness) // OF_EACH
    by_number = likeness.reshape(people, OF_EACH, people, OF_EACH)
    right = by_number.argmax(2) == torch.arange(people)[:, None, None]  # of photograph and gallery
    other = ~torch.eye(OF_EACH, dtype=torch.bool)
    return 100 * (1 - right[:, other].double().mean().item())
