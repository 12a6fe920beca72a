"""Lower bounds on a deep Boltzmann machine's log-likelihood."""

from __future__ import annotations

import torch
from torch import Tensor

from harmonium.likelihood.dbn_bound import VALUES, VariationalBound, of_weights, summarised
from harmonium.likelihood.log_likelihood import ROWS, checked
from harmonium.models import DBM
from harmonium.models.dbm import SETTLED, TOLERANCE
from harmonium.units import NOTHING


@torch.no_grad()
def dbm_bound(
    dbm: DBM,
    data: Tensor,
    *,
    log_z: float | Tensor,
    samples: int = 100,
    seed: int = 0,
    tighten: bool = False,
    sweeps: int = SETTLED,
    tolerance: float | None = TOLERANCE,
) -> VariationalBound:
    """The variational bound on log p(v) of each case under a deep Boltzmann machine, or its importance-sampled tightening.

    Parameters
    ----------
    dbm : DBM
        The machine.
    data : Tensor
        Cases, (cases, *visible.shape), within the support of the data layer.
    log_z : float or Tensor
        log Z of the machine, by any method: one number, or (cases,). If the estimate is too low, the result is too high and is no bound.
    samples : int, default 100
        Number of draws per case for the tightened bound.
    seed : int, default 0
        Seed of the draws.
    tighten : bool, default False
        Return the importance-sampled bound in place of the variational one.
    sweeps, tolerance
        Passed to `DBM.mean_field`. The bound holds for any number of sweeps.

    Returns
    -------
    VariationalBound
        The bound of each case and its mean, in nats. Without `tighten` its `sample_error` is zero.

    Raises
    ------
    ValueError
        If data lie outside the data layer's support (grey levels do), if `samples` is below 1, or if a bound is not finite.

    Notes
    -----
    q is the factorial distribution of the hidden layers that mean field finds (Salakhutdinov & Hinton 2009, section 3.2). Then

        log p(v) >= E_q[-E(v, h)] - E_q[log q(h)] - log Z,

    computed in closed form, without draws. With `tighten` the value is log mean w over `samples` draws of the even hidden layers x from q.
    The odd layers are summed out exactly:

        log w = -F(v, x) - log q(x) - log Z.

    In expectation it lies between the bound and log p(v), and it approaches log p(v) as samples grow (Burda, Grosse & Salakhutdinov 2016,
    arXiv:1509.00519).

    Examples
    --------
    >>> import torch, harmonium as hm
    >>> dbm = hm.DBM([hm.Bernoulli(6), hm.Bernoulli(4), hm.Bernoulli(3)])
    >>> log_z = hm.likelihood.exact_log_z(dbm.joint)
    >>> found = hm.likelihood.dbm_bound(dbm, torch.eye(6), log_z=log_z)
    >>> found.values.shape, round(found.mean, 1), found.sample_error
    (torch.Size([6]), -4.2, 0.0)
    """
    if samples < 1:
        raise ValueError(f"the tightened bound takes at least one sample, found samples={samples}")
    visible, like = dbm.visible, dbm.even.zero_input()
    rows, _, log_z = checked(visible, data, NOTHING, log_z)
    generator = torch.Generator(like.device).manual_seed(seed)
    draws = min(samples, max(1, VALUES // max(like.numel(), dbm.odd.zero_input().numel())))
    cases = max(1, VALUES // (max(like.numel(), dbm.odd.zero_input().numel()) * draws)) if tighten else ROWS
    found = []
    for start in range(0, len(rows), cases):
        v = rows[start : start + cases].to(like)
        field = dbm.mean_field(v, sweeps=sweeps, tolerance=tolerance)
        if tighten:
            blocks = [min(draws, samples - drawn) for drawn in range(0, samples, draws)]
            log_weights = torch.cat([_log_weights(dbm, v, field.even_input, count, generator) for count in blocks])
            figures = of_weights(log_weights, tighten=True)
        else:
            values = -dbm.variational_free_energy(field).double()
            figures = values, torch.zeros_like(values), torch.full_like(values, samples)
        if not bool(torch.isfinite(figures[0]).all()):
            case = start + int((~torch.isfinite(figures[0])).nonzero()[0])
            raise ValueError(
                f"the bound of case {case} is not a finite number: an input is too large for a layer, or a parameter is not finite"
            )
        found.append(torch.stack(figures))
    values, errors, ess = torch.cat(found, dim=1)
    return summarised(values - log_z.to(values.device), errors, ess, samples, tighten)


def _log_weights(dbm: DBM, v: Tensor, even_input: Tensor, samples: int, generator: torch.Generator) -> Tensor:
    """log w + log Z of `samples` draws per case: (samples, cases), float64."""
    inputs = even_input.expand(samples, *even_input.shape)
    even = [v.expand(samples, *v.shape)]
    total = torch.zeros(samples, len(v), dtype=torch.float64, device=v.device)
    for unit, input in list(zip(dbm.even.layers(), dbm.even.split_input(inputs), strict=True))[1:]:
        even.append(unit.sample(input, generator=generator))
        total -= unit.log_probability(even[-1], input)
    return total - dbm.joint.free_energy(torch.cat(even, dim=-1)).double()
