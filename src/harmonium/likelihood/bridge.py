"""Bennett's acceptance ratio: how far apart the partition functions of two machines are (Bennett 1976; Shirts & Chodera 2008)."""

from __future__ import annotations

import math
import warnings
from dataclasses import dataclass

import torch
from torch import Tensor

from harmonium.likelihood.as_states import as_states
from harmonium.models import RBM
from harmonium.units import Given

HALVINGS = 200  # of the bracket of log Z2 - log Z1, until float64 has no number between its ends
LITTLE = 0.01  # overlap that warns


@dataclass(frozen=True)
class Difference:
    """log Z of a second machine less that of a first, in nats.

    `standard_error`: for independent samples; those of one chain need thinning first. `overlap`: ∫ p1 p2 / (π1 p1 + π2 p2) with the shares
    π of the samples, from 0 where the machines have no state in common to 1 where they are the same. `ess`: overlap · n1 n2 / (n1 + n2),
    which is 1 / (standard_error² + 1/n1 + 1/n2), as an importance sample's is 1 / (standard_error² + 1/n).
    """

    log_z: float
    standard_error: float
    ess: float
    overlap: float


@torch.no_grad()
def bridge(first: RBM, second: RBM, first_samples: Tensor, second_samples: Tensor, *, given: Given | None = None) -> Difference:
    """log Z2 - log Z1 of two machines of the same visible layer, from samples of both: (n1, *visible.shape) and (n2, *visible.shape).

    With u = F1 - F2 it solves Σ_n σ(u(v_n) - Δ + log(n2 / n1)) = n2 over the samples of both, by bisection to the last bit: the
    least variance of all bridges from n1 and n2 independent samples, that of multistate reweighting with two states. The hidden layers may
    differ, and so a machine may be bridged to one whose log Z is known. `given`: one case (no leading axes), for both machines.

    Samples that miss a mode hide it, and the standard error does not know. Warns where the overlap is below one in a hundred. ValueError
    for samples outside either machine's support, or for a machine that has no partition function; TypeError where a layer has no energy.
    """
    if first.visible.shape != second.visible.shape:
        raise ValueError(f"the visible layers must be the same, found shapes {first.visible.shape} and {second.visible.shape}")
    for model in (first, second):
        model.check_normalisable(given)
    counts = len(first_samples), len(second_samples)
    rise = torch.cat([_log_ratio(first, second, rows, given) for rows in (first_samples, second_samples)])
    if not bool(rise.isfinite().all()):
        raise ValueError("the free energies of the samples must be finite in both machines, found some that are not")
    shift = math.log(counts[1] / counts[0])
    low, high = rise.min().item(), rise.max().item()
    for _ in range(HALVINGS):
        middle = (low + high) / 2
        if middle in (low, high):
            break
        too_low = torch.sigmoid(rise - middle + shift).sum().item() > counts[1]
        low, high = (middle, high) if too_low else (low, middle)
    difference = (low + high) / 2
    second_share = torch.sigmoid(rise - difference + shift)
    information = (second_share * torch.sigmoid(difference - shift - rise)).sum().item()
    most = counts[0] * counts[1] / sum(counts)
    error = math.sqrt(max(1 / information - 1 / most, 0.0)) if information > 0 else math.inf
    if information < LITTLE * most:
        warnings.warn(
            f"the bridge hardly stands: the two machines' overlap is {information / most:.1e} of 1; go by machines between them, or anneal",
            stacklevel=3,  # past the decorator, to the caller
        )
    return Difference(difference, error, information, information / most)


def _log_ratio(first: RBM, second: RBM, rows: Tensor, given: Given | None) -> Tensor:
    """F1 - F2 of each state: (cases,), float64."""
    found = []
    for model in (first, second):
        v = as_states(model.visible, rows, given)
        every = None if given is None else given.map(lambda field, v=v: field.to(v.device).expand(len(v), *field.shape))  # type: ignore[misc]
        found.append(model.free_energy(v, every).double().cpu())
    return found[0] - found[1]
