"""Bennett's acceptance ratio: the difference of two machines' log partition functions (Bennett 1976; Shirts & Chodera 2008)."""

from __future__ import annotations

import math
import warnings
from dataclasses import dataclass

import torch
from torch import Tensor

from harmonium.likelihood.as_states import as_states
from harmonium.models import RBM
from harmonium.notebook import as_html
from harmonium.units import NOTHING, Given

HALVINGS = 200  # of the bracket of log Z2 - log Z1, until float64 has no number between its ends
LITTLE = 0.01  # overlap below which to warn


@dataclass(frozen=True)
class Difference:
    """log Z of a second machine minus log Z of a first, in nats.

    Parameters
    ----------
    log_z : float
        log Z2 - log Z1.
    standard_error : float
        Standard error for independent samples. Samples of one Markov chain must be thinned first.
    ess : float
        Effective sample size, overlap · n1 n2 / (n1 + n2). It equals 1 / (standard_error² + 1/n1 + 1/n2); that of an importance sample is
        1 / (standard_error² + 1/n).
    overlap : float
        ∫ p1 p2 / (π1 p1 + π2 p2) with the shares π of the samples: 0 if the machines have no state in common, 1 if they are the same.
    """

    _repr_html_ = as_html

    log_z: float
    standard_error: float
    ess: float
    overlap: float


@torch.no_grad()
def bridge(first: RBM, second: RBM, first_samples: Tensor, second_samples: Tensor, *, given: Given = NOTHING) -> Difference:
    """Estimate log Z2 - log Z1 of two machines with the same visible layer, from samples of both.

    The hidden layers may differ. So a machine can be bridged to one whose log Z is known.

    Parameters
    ----------
    first, second : RBM
        The two machines, with visible layers of the same shape.
    first_samples, second_samples : Tensor
        Independent samples of each, (n1, *visible.shape) and (n2, *visible.shape).
    given : Given, optional
        One case (no leading axes), for both machines.

    Returns
    -------
    Difference
        log Z2 - log Z1, its standard error, the effective sample size and the overlap.

    Raises
    ------
    ValueError
        If the visible layers differ, if samples lie outside a machine's support, or if a machine has no partition function.
    TypeError
        If a layer has no energy.

    Warns
    -----
    UserWarning
        If the overlap is below 0.01.

    Notes
    -----
    With u = F1 - F2 the estimate solves

        Σ_n σ(u(v_n) - Δ + log(n2 / n1)) = n2

    over the samples of both machines, by bisection to the last bit. It has the least variance of all bridges from n1 and n2 independent
    samples (Bennett 1976, doi:10.1016/0021-9991(76)90078-4). It is multistate reweighting with two states (Shirts & Chodera 2008,
    doi:10.1063/1.2978177). If the samples miss a mode, neither the estimate nor its standard error shows it.

    Examples
    --------
    >>> import torch, harmonium as hm
    >>> first = hm.RBM(hm.Bernoulli(6), hm.Bernoulli(2))
    >>> second = hm.RBM(hm.Bernoulli(6), hm.Bernoulli(4), hm.Dense(6, 4, scale=0.5))
    >>> def samples(rbm, count, seed):
    ...     states, p = hm.likelihood.exact_distribution(rbm)
    ...     return states[p.multinomial(count, replacement=True, generator=torch.Generator().manual_seed(seed))]
    >>> found = hm.likelihood.bridge(first, second, samples(first, 500, 0), samples(second, 500, 1))
    >>> exact = hm.likelihood.exact_log_z(second) - hm.likelihood.exact_log_z(first)
    >>> abs(found.log_z - exact) < 3 * found.standard_error
    True
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
            f"the bridge estimate is unreliable: the two machines' overlap is {information / most:.1e} of 1; use machines between them, or "
            "annealing",
            stacklevel=3,  # past the decorator, to the caller
        )
    return Difference(difference, error, information, information / most)


def _log_ratio(first: RBM, second: RBM, rows: Tensor, given: Given) -> Tensor:
    """F1 - F2 of each state: (cases,), float64."""
    found = []
    for model in (first, second):
        v = as_states(model.visible, rows, given)
        every = given.to(v.device).expand(len(v))
        found.append(model.free_energy(v, every).double().cpu())
    return found[0] - found[1]
