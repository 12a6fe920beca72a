"""Cheap measures of a machine that need no partition function."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from harmonium.models import RBM
from harmonium.models.takes import states_of
from harmonium.units import NOTHING, Bernoulli, Given


@torch.no_grad()
def free_energy_gap(
    model: RBM, training: Tensor, validation: Tensor, *, given: Given = NOTHING, validation_given: Given = NOTHING
) -> float:
    """Compute mean F(validation) - mean F(training), in nats per case.

    Z cancels in the difference. A growing gap is overfitting.

    Parameters
    ----------
    model : RBM
        The machine.
    training, validation : Tensor
        Cases, (cases, *visible.shape), about as many of each.
    given, validation_given : Given, optional
        What is given of each case. Where Z depends on it (masks of absent units, lengths, contexts), Z cancels only if both sets have the
        same.

    Returns
    -------
    float
        The gap, in nats per case.

    Raises
    ------
    ValueError
        If values are missing.

    Notes
    -----
    The measure is that of Hinton's guide (2010, section 6).

    Examples
    --------
    >>> import torch, harmonium as hm
    >>> rbm = hm.RBM(hm.Bernoulli(6), hm.Bernoulli(4))
    >>> hm.likelihood.free_energy_gap(rbm, torch.eye(6), torch.eye(6))
    0.0
    """
    training, validation = states_of(model, model.visible, training, given), states_of(model, model.visible, validation, validation_given)
    given, validation_given = model.visible.given_by(training, given), model.visible.given_by(validation, validation_given)
    rise = model.free_energy(validation, validation_given).double().mean() - model.free_energy(training, given).double().mean()
    return rise.item()


@torch.no_grad()
def pseudo_likelihood(model: RBM, data: Tensor, *, generator: torch.Generator, given: Given = NOTHING) -> Tensor:
    """Estimate Σ_i log p(v_i | the other visible units) of each case, in nats, from one unit per case.

    Parameters
    ----------
    model : RBM
        A machine with Bernoulli visible units.
    data : Tensor
        Binary cases, (cases, *visible.shape).
    generator : torch.Generator
        Draws the unit of each case.
    given : Given, optional
        What is given of each case. Absent units do not count.

    Returns
    -------
    Tensor
        The estimate, (cases,), float64.

    Raises
    ------
    TypeError
        For other kinds of visible units.
    ValueError
        If values are missing.

    Notes
    -----
    One unit i of each case is flipped, and log σ(F(flipped) - F(v)) is multiplied by the number of units that are present. See Besag
    (1975), doi:10.2307/2987782.

    Examples
    --------
    >>> import torch, harmonium as hm
    >>> rbm = hm.RBM(hm.Bernoulli(6), hm.Bernoulli(4))
    >>> found = hm.likelihood.pseudo_likelihood(rbm, torch.eye(6), generator=torch.Generator().manual_seed(0))
    >>> found.shape, round(found.mean().item(), 1)
    (torch.Size([6]), -4.2)
    """
    if not isinstance(model.visible, Bernoulli):
        raise TypeError(f"the pseudo-likelihood by flipping takes Bernoulli visible units, found {type(model.visible).__name__}")
    data = states_of(model, model.visible, data, given)
    flat = data.flatten(1)
    if given.present is None:
        pixel = torch.randint(flat.shape[1], (len(flat), 1), generator=generator, device=flat.device)
        pixels: int | Tensor = flat.shape[1]
    else:
        present = given.present.bool().expand(data.shape).flatten(1)
        pixel = torch.rand(flat.shape, generator=generator, device=flat.device).masked_fill(~present, -1).argmax(dim=1, keepdim=True)
        pixels = present.sum(dim=1)
    flipped = flat.scatter(1, pixel, 1 - flat.gather(1, pixel)).reshape(data.shape)
    rise = model.free_energy(flipped, given).double() - model.free_energy(data, given).double()
    return pixels * F.logsigmoid(rise)
