"""The jittered pairs shrunk to 32 x 32 pixels of either camera: NORB's, the whole set of toy objects, or some that are drawn for a run."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor

from harmonium.data import standardise, toy_objects
from harmonium.data.norb import TOYS, shrunk
from harmonium.data.standardise import Mean
from harmonium.data.toys.some_jittered import some_jittered
from harmonium.files import read_tensors, write_tensors
from harmonium.recipes.shared.norb_pairs import Objects, real
from harmonium.recipes.shared.norb_views import Views, chosen, joined, split
from harmonium.runs.folder import Run
from harmonium.seeds import derive

CAMERAS, SIDE = 2, 32


class Drawn(NamedTuple):
    """How many toy objects are drawn for a run that does not take the whole set.

    Attributes
    ----------
    views : int
        Of each toy: its directions and lightings.
    copies, judged : int
        Of each view, before clutters of their own: those of the training toys, and those of the test toys.
    """

    views: int
    copies: int
    judged: int


class Labelled(NamedTuple):
    """Pairs, and what they show.

    Attributes
    ----------
    pixels : Tensor
        (pairs, 2048) float32.
    categories : Tensor
        (pairs,) int64.
    """

    pixels: Tensor
    categories: Tensor


class Cases(NamedTuple):
    """What nets learn from, by what they stop, and what they are judged on.

    Attributes
    ----------
    learnt, valid, judged : Labelled
        Pairs of four training toys of each category, of the fifth, and of the test toys.
    """

    learnt: Labelled
    valid: Labelled
    judged: Labelled


def load(run: Run, objects: Objects, data_dir: Path | None, count: int, few: Drawn | None, seed: int) -> tuple[Views, bool]:
    """The views, and whether they are of toy objects.

    Parameters
    ----------
    run
        The folder of the run, which keeps what was drawn for it.
    objects, data_dir
        As for `harmonium.recipes.shared.norb_pairs.real`.
    count
        Pairs of either part that are used at most.
    few
        The toy objects to draw; None takes those of the whole set.
    seed
        Of the choice or of the drawing.
    """
    pairs = real(run, "jittered", objects, data_dir)
    if pairs is None and few is not None:
        return drawn(run, few, seed), True
    return chosen(pairs or toy_objects.load("jittered"), count, seed, rows), pairs is None


def rows(images: Any) -> Tensor:
    """(pairs, 2, height, width) -> (pairs, 2048), both cameras' images shrunk."""
    return shrunk(images, SIDE).flatten(1)


def drawn(run: Run, few: Drawn, seed: int) -> Views:
    """Toy objects of a run's own, drawn once.

    Parameters
    ----------
    run
        The folder of the run, which keeps them.
    few, seed
        How many are drawn, and the seed.
    """
    path = run.checkpoint("toys")
    if not path.exists():
        parts = [
            _drawn(part, few.views, copies, derive(seed, place)) for place, (part, copies) in enumerate(zip(TOYS, few[1:], strict=True))
        ]
        write_tensors(path, joined(parts)._asdict(), {})
    return Views(**read_tensors(path)[0])


def _drawn(part: str, views: int, copies: int, seed: int) -> tuple[Tensor, Tensor, Tensor]:
    pixels, facts = [], []
    for pairs, category, toy in some_jittered(part, views, copies, seed):
        pixels.append(rows(pairs))
        facts += [(category, toy)] * len(pairs)
    categories, toys = torch.tensor(facts).unbind(1)
    return torch.cat(pixels), categories, toys


def cases_of(views: Views, mean: Mean, seed: int, device: str, *, tuning: bool) -> Cases:
    """The views as nets see them: of mean 0, divided by the mean deviation of a pixel, both over the pairs learnt from.

    Parameters
    ----------
    views
        All views.
    mean
        As for `hm.data.standardise`.
    seed
        It says which toy of each category is held out.
    device
        Where they go.
    tuning
        Whether the toys held out are judged on as well, in place of the test toys.
    """
    learnt, valid = split(views, seed, tuning=True)
    judged = valid if tuning else split(views, seed, tuning=False).judged
    standard = standardise(views.pixels[learnt], mean)
    return Cases(
        *(Labelled(standard(views.pixels[rows]).to(device), views.categories[rows].to(device)) for rows in (learnt, valid, judged))
    )
