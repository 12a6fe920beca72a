"""Whether a joint energy has a partition function."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from harmonium.units import NOTHING, Given, Unit
from harmonium.units.checks import no_joint
from harmonium.units.groups import leaves

if TYPE_CHECKING:
    from harmonium.models.rbm import RBM


def quadratic_places(unit: Unit) -> tuple[Tensor, Tensor, Tensor]:
    """The flat indices of a layer's quadratic units, their σ, and whether they are one-sided: (count,) each."""
    places, scales, sides = [torch.empty(0, dtype=torch.long)], [torch.empty(0, dtype=torch.float64)], [torch.empty(0, dtype=torch.bool)]
    for start, stop, leaf in leaves(unit):
        found = leaf.quadratic()
        if found is not None:
            places.append(torch.arange(start, stop))
            scales.append(found[0].cpu())
            sides.append(found[1].cpu())
    return torch.cat(places), torch.cat(scales), torch.cat(sides)


@torch.no_grad()
def check_normalisable(rbm: RBM, given: Given = NOTHING) -> None:
    """Checks that exp(-energy) can be summed over all states. Only machines with unbounded units can fail.

    Parameters
    ----------
    rbm : RBM
        The machine.
    given : Given, optional
        Side information. The contribution of a context is included.

    Raises
    ------
    ValueError
        If the partition function does not exist, or its existence is not guaranteed.
    TypeError
        If a layer has no energy.

    Notes
    -----
    W is the coupling's matrix between the two layers' statistics.

    - Exponential and Poisson units: their energy grows more slowly than quadratically. The highest input from any states of the other
      layer, and from a context, must stay below a limit. For an exponential unit the limit is its rate. For a Poisson unit the input must
      only be bounded. So W <= 0 towards rectified, Poisson and exponential units, and W = 0 towards Gaussian units. This is necessary and
      sufficient.
    - Gaussian, truncated Gaussian and unbounded stepped sigmoid units (σ = 1) on both sides: the spectral norm of diag(1/σ_v) W diag(1/σ_h)
      must be below one. Entries between two one-sided units count only if they are positive. This is necessary and sufficient for Gaussian
      pairs, and sufficient for the others.

    Examples
    --------
    >>> import harmonium as hm
    >>> from harmonium.models import check_normalisable
    >>> check_normalisable(hm.RBM(hm.Gaussian(2), hm.Gaussian(2), hm.Dense(2, 2, scale=0.01)))
    >>> check_normalisable(hm.RBM(hm.Gaussian(2), hm.Gaussian(2), hm.Dense(2, 2, scale=100.0)))
    Traceback (most recent call last):
        ...
    ValueError: this machine has no partition function ...
    """
    for unit in (rbm.visible, rbm.hidden):
        for _, _, leaf in leaves(unit):
            if not leaf.has_joint_energy:
                raise no_joint(leaf, "a partition function")
    (rows, row_scale, row_side), (columns, column_scale, column_side) = quadratic_places(rbm.visible), quadratic_places(rbm.hidden)
    slow = any(leaf.input_bound() is not None for unit in (rbm.visible, rbm.hidden) for _, _, leaf in leaves(unit))
    if not slow and (not len(rows) or not len(columns)):
        return
    matrix = rbm.coupling.matrix().double()
    if not bool(torch.isfinite(matrix).all()):
        raise ValueError("this machine has no partition function: its weights are not all finite numbers")
    _check_limits(
        rbm.visible, rbm.hidden, matrix.T, "hidden", given, _from_context(rbm.coupling.to_visible, rbm.hidden, rbm.visible, given)
    )
    _check_limits(rbm.hidden, rbm.visible, matrix, "visible", given, _from_context(rbm.coupling.to_hidden, rbm.visible, rbm.hidden, given))
    if not len(rows) or not len(columns):
        return
    scaled = matrix.cpu()[rows][:, columns] / row_scale[:, None] / column_scale
    scaled = torch.where(row_side[:, None] & column_side, scaled.clamp_min(0), scaled)
    norm = torch.linalg.matrix_norm(scaled, ord=2).item()
    if not norm < 1:
        kind = "rectified or Gaussian" if bool(row_side.any() | column_side.any()) else "Gaussian"
        raise ValueError(
            f"this machine has no partition function that is guaranteed to exist: with {kind} units on both sides the spectral norm of "
            f"diag(1/σ_v) W diag(1/σ_h) must be below 1, found {norm:.4g}; use smaller weights, larger variances or a weight cost"
        )


def _from_context(send: Callable[[Tensor, Given], Tensor], sender: Unit, receiver: Unit, given: Given) -> Tensor | None:
    """The highest input that a context alone adds to each unit, over the given cases: (size) of the unit's statistic, or None."""
    if given.context is None:
        return None
    found = send(sender.zero_input(), given)
    return found.double().reshape(-1, math.prod(receiver.statistic_shape)).amax(0)


def _check_limits(unit: Unit, other: Unit, matrix: Tensor, name: str, given: Given, dynamic: Tensor | None) -> None:
    """Checks each unit's highest input against its limit.

    `matrix`: (statistic of `other`, statistic of `unit`). `dynamic`: the input that a context adds, (statistic of `unit`).
    """
    for start, stop, leaf in leaves(unit):
        limits = leaf.input_bound()
        if limits is None:
            continue
        highest = other.max_interaction(matrix[:, start:stop], given)
        if dynamic is not None:
            highest = highest + dynamic[start:stop]
        limits = limits.to(highest)
        worst = int((highest - limits).nan_to_num(nan=math.inf).argmax())  # inf - inf: no unit allows an infinite input
        if not bool((highest < limits).all()):
            raise ValueError(
                f"this machine has no partition function: the highest input that the {name} layer ({type(other).__name__}) can send to "
                f"{type(leaf).__name__} unit {worst} must stay below {limits[worst].item():.4g}, found {highest[worst].item():.4g}; "
                "weights towards rectified or counting units must not be positive, and weights towards Gaussian units must be zero"
            )
