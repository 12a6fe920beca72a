"""A rate-coded RBM that sees two photographs of one person side by side, and the likeness by its free energy."""

from __future__ import annotations

import dataclasses
from typing import Any

import torch
from torch import Tensor

from harmonium.learning import Transform, fit
from harmonium.models import RBM
from harmonium.recipes.shared.run_phase import in_run
from harmonium.runs.folder import Run
from harmonium.seeds import derive
from harmonium.units import Binomial, Groups

WIDEST = 2.0  # standard deviations of an image from its mean at which a rate is 0 or 1


@dataclasses.dataclass(frozen=True)
class Machine:
    """The machine and its learning."""

    copies: int = 4
    """Of a visible unit, which stands for a pixel."""
    hidden: int = 200
    """Hidden units."""
    hidden_copies: int = 4
    """Of each."""
    updates: int = 3000
    """By CD-1, with the library's own rates."""
    drawn: int = 1200
    """Pairs of moved copies of each person to learn from."""


class NonNegative(Transform):
    """Weights below zero are put back to zero after each update: hidden units then add parts up (Teh & Hinton 2001)."""

    @torch.no_grad()
    def after(self, model: RBM, slots: Any) -> None:
        model.coupling.get_parameter("weight").clamp_(min=0)


def rates(crops: Tensor, copies: int) -> Tensor:
    """Crops of mean 0 and mean square 1 as how many of the copies of each pixel's unit are on, on average: the same shape.

    Parameters
    ----------
    crops
        (..., pixels).
    copies
        Of the unit of each pixel: rates are from 0 to so many.
    """
    return ((crops + WIDEST) / (2 * WIDEST)).clamp(0, 1) * copies


def pairs_to_learn_from(moved: Tensor, mirrored: Tensor, people: Tensor, count: int, seed: int) -> Tensor:
    """(people · count or a few less, 2 · pixels): pairs of moved copies of two photographs of one person, both mirrored or neither.

    Parameters
    ----------
    moved, mirrored
        (photographs, copies, pixels).
    people
        (people, photographs) numbers of those of each person.
    count
        Drawn of each person, of which those of one photograph are left out.
    seed
        Of the draws.
    """
    generator = torch.Generator().manual_seed(seed)
    either = torch.stack([moved, mirrored])
    shape = (*people.shape[:1], count)
    one, other = (torch.randint(people.shape[1], shape, generator=generator) for _ in range(2))
    places = [torch.randint(moved.shape[1], shape, generator=generator) for _ in range(2)]
    turned = torch.randint(2, shape, generator=generator)
    sides = [either[turned, people.gather(1, number), place] for number, place in zip((one, other), places, strict=True)]
    return torch.cat(sides, dim=-1)[one != other]


def machine_of_pairs(pixels: int, how: Machine, seed: int) -> RBM:
    """An untrained machine of two groups of visible units, one for each photograph.

    Parameters
    ----------
    pixels
        Of one photograph.
    how, seed
        Copies of units and number of hidden ones, and the seed of the weights.
    """
    groups = [Binomial(pixels, copies=how.copies, values="means") for _ in range(2)]
    return RBM(Groups(*groups), Binomial(how.hidden, copies=how.hidden_copies), seed=seed)


def learn(run: Run, phase: str, pairs: Tensor, how: Machine, seed: int, *, non_negative: bool) -> RBM:
    """The machine that has learnt pairs of one person, and no pair of two.

    Parameters
    ----------
    run, phase
        The folder of the run, and the name of the phase.
    pairs
        (pairs, 2 · pixels).
    how, seed
        How it learns, and the seed of its weights, draws and order.
    non_negative
        Whether no weight may be negative.
    """
    rbm = machine_of_pairs(pairs.shape[1] // 2, how, derive(seed, 0))
    in_run(run, phase, fit)(
        rbm,
        pairs,
        updates=how.updates,
        batch_size=50,
        transforms=[NonNegative()] if non_negative else (),
        seed=derive(seed, 1),
    )
    return rbm


@torch.no_grad()
def likeness(rbm: RBM, faces: Tensor) -> Tensor:
    """How much likelier each pair is than its two photographs beside themselves: (photographs, photographs), from (photographs, pixels).

    log of p(x, y) p(y, x) / (p(x, x) p(y, y)) by free energies, half of it. The partition function is in none of it, and a photograph that
    makes any pair likely gains nothing.

    Parameters
    ----------
    rbm
        The machine of pairs.
    faces
        (photographs, pixels), as rates.

    Returns
    -------
    Tensor
        (photographs, photographs), in nats.
    """
    count = len(faces)
    pairs = torch.cat([faces.repeat_interleave(count, 0), faces.repeat(count, 1)], dim=1)
    goodness = torch.cat([-rbm.free_energy(part) for part in torch.split(pairs, 1000)]).double().reshape(count, count)
    both, own = goodness + goodness.T, goodness.diag()
    return (both - own[:, None] - own) / 2
