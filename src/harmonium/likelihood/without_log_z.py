"""Cheap figures of how good a machine is that need no partition function."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from harmonium.models import RBM
from harmonium.units import Bernoulli, Given


@torch.no_grad()
def free_energy_gap(
    model: RBM, training: Tensor, validation: Tensor, *, given: Given | None = None, validation_given: Given | None = None
) -> float:
    """Mean F(validation) - mean F(training), in nats a case: Z cancels, so a growing gap is overfitting (Hinton 2010, section 6).

    `training`, `validation`: (cases, *visible.shape), of about the same number; `given`, `validation_given`: what is given of each. Where Z
    depends on it (masks of absent units, lengths, contexts) it cancels only if both have the same. ValueError where values are missing.
    """
    given, validation_given = model.visible.given_by(training, given), model.visible.given_by(validation, validation_given)
    rise = model.free_energy(validation, validation_given).double().mean() - model.free_energy(training, given).double().mean()
    return rise.item()


@torch.no_grad()
def pseudo_likelihood(model: RBM, data: Tensor, *, generator: torch.Generator, given: Given | None = None) -> Tensor:
    """A one-unit-a-case estimate of Σ_i log p(v_i | the other visible units), in nats: (cases,) (Besag 1975).

    For binary visible units: one pixel i of each case is flipped, and log σ(F(flipped) - F(v)) counts for all of them, but for absent
    ones. TypeError for other kinds; ValueError where values are missing.
    """
    if not isinstance(model.visible, Bernoulli):
        raise TypeError(f"the pseudo-likelihood by flipping takes Bernoulli visible units, found {type(model.visible).__name__}")
    flat = data.flatten(1)
    if given is None or given.present is None:
        pixel = torch.randint(flat.shape[1], (len(flat), 1), generator=generator, device=flat.device)
        pixels: int | Tensor = flat.shape[1]
    else:
        present = given.present.bool().expand(data.shape).flatten(1)
        pixel = torch.rand(flat.shape, generator=generator, device=flat.device).masked_fill(~present, -1).argmax(dim=1, keepdim=True)
        pixels = present.sum(dim=1)
    flipped = flat.scatter(1, pixel, 1 - flat.gather(1, pixel)).reshape(data.shape)
    rise = model.free_energy(flipped, given).double() - model.free_energy(data, given).double()
    return pixels * F.logsigmoid(rise)
