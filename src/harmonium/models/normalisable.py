"""Whether a joint energy has a partition function."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from harmonium.couplings import Dense
from harmonium.units import Gaussian, Groups, Unit

if TYPE_CHECKING:
    from harmonium.models.rbm import RBM


def gaussian_parts(unit: Unit, start: int = 0) -> Iterator[tuple[int, Gaussian]]:
    """The Gaussian layers inside a layer, each with the place of its first unit in the flattened states."""
    if isinstance(unit, Gaussian):
        yield start, unit
    elif isinstance(unit, Groups):
        for part in unit.layers():
            yield from gaussian_parts(part, start)
            start += part.shape[0]


def gaussian_places(unit: Unit) -> tuple[Tensor, Tensor]:
    """The flat places of a layer's Gaussian units and their variances: (count,) integers, (count,) float64."""
    places, variances = [torch.empty(0, dtype=torch.long)], [torch.empty(0, dtype=torch.float64)]
    for start, part in gaussian_parts(unit):
        variance = part.log_variance.detach().double().exp().expand(part.shape).flatten()
        places.append(torch.arange(start, start + len(variance)))
        variances.append(variance.cpu())
    return torch.cat(places), torch.cat(variances)


@torch.no_grad()
def check_normalisable(rbm: RBM) -> None:
    """Raises a ValueError where exp(-energy) cannot be integrated.

    With discrete bounded units on at least one side every joint of the present kinds is normalisable. Two real-valued sides need a
    positive definite precision: the spectral norm of diag(1/σ_v) W diag(1/σ_h) over the Gaussian pairs must be below one.
    """
    (rows, row_variance), (columns, column_variance) = gaussian_places(rbm.visible), gaussian_places(rbm.hidden)
    if not len(rows) or not len(columns):
        return
    if not isinstance(rbm.coupling, Dense):
        raise TypeError(f"Gaussian units on both sides: normalisation is known for a dense coupling, found {rbm.coupling}")
    weight = rbm.coupling.weight.detach().double().cpu()[rows][:, columns]
    norm = torch.linalg.matrix_norm(weight / row_variance.sqrt()[:, None] / column_variance.sqrt(), ord=2).item()
    if not norm < 1:
        raise ValueError(
            "this machine has no partition function: with Gaussian units on both sides the spectral norm of diag(1/σ_v) W diag(1/σ_h) "
            f"must be below 1, found {norm:.4g}; use smaller weights, larger variances or a weight cost"
        )
