"""Lower bounds on a deep belief net's log-likelihood."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from itertools import pairwise

import torch
from torch import Tensor

from harmonium.likelihood.log_likelihood import checked, log_likelihood
from harmonium.models import DBN, label_free_energy
from harmonium.models.dbn import above
from harmonium.notebook import as_html
from harmonium.units import NOTHING, Exponential, Gaussian, Given, TruncatedGaussian, Unit
from harmonium.units.checks import no_joint
from harmonium.units.groups import leaves

VALUES = 2**22  # numbers of the widest layer that are processed together


@dataclass(frozen=True)
class VariationalBound:
    """Lower bounds on log p(v), in nats.

    The two standard errors of `mean` are separate. Each is infinite where a single sample, or a single case, gives no estimate of it.

    Parameters
    ----------
    mean : float
        Mean of `values` over the cases.
    sample_error : float
        Standard error of `mean` for these cases, from the finite number of samples.
    case_error : float
        Standard error of `mean` over cases, from the spread of the values.
    samples : int
        Number of samples per case.
    tightened : bool
        Whether this is the importance-sampled bound.
    values : Tensor
        The bound of each case, (cases,), float64.
    errors : Tensor
        Standard error of each value over the samples, (cases,), float64.
    ess : Tensor
        Effective sample size of each case's importance weights, (cases,), between 1 and `samples`.
    """

    _repr_html_ = as_html

    mean: float
    sample_error: float
    case_error: float
    samples: int
    tightened: bool
    values: Tensor = field(repr=False)
    errors: Tensor = field(repr=False)
    ess: Tensor = field(repr=False)


@torch.no_grad()
def dbn_bound(
    dbn: DBN,
    data: Tensor,
    *,
    log_z: float | Tensor,
    samples: int = 100,
    seed: int = 0,
    tighten: bool = False,
    given: Given = NOTHING,
) -> VariationalBound:
    """The variational bound on log p(v) of each case under a deep belief net, or its importance-sampled tightening.

    Parameters
    ----------
    dbn : DBN
        The net. For a net of one RBM the values are log p(v).
    data : Tensor
        Cases, (cases, *visible.shape), within the support of the visible units.
    log_z : float or Tensor
        log Z of the top RBM, by any method. One number, or (cases,) where it depends on what is given (a context). If the estimate is too
        low, the result is too high and is no bound.
    samples : int, default 100
        Number of up-passes per case.
    seed : int, default 0
        Seed of the draws.
    tighten : bool, default False
        Return the importance-sampled bound in place of the variational one.
    given : Given, optional
        What is given of each case, as for `log_likelihood`. Where units are absent, or values missing, the bound is on the log-probability
        of the others. Below a directed layer the two are the same: units that are independent given the layer above are summed out by
        leaving them out.

    Returns
    -------
    VariationalBound
        The bound of each case and its mean, in nats.

    Raises
    ------
    ValueError
        If data lie outside the visible units' support (grey levels do), if there are pooled layers between two machines, if two machines
        that share a layer disagree on its states, or if a bound is not finite.
    TypeError
        If a layer has no joint energy.

    Notes
    -----
    With x_0 = v, and x_1 ... x_L drawn by the stochastic up-pass Q through the recognition layers,

        log w = Σ_l [log p(x_{l-1} | x_l) - log Q(x_l | x_{l-1})] - F_top(x_L) - log Z_top.

    F of a top RBM with label units sums these out. The bound is E_Q[log w], here a mean over `samples` draws (Hinton, Osindero & Teh 2006,
    doi:10.1162/neco.2006.18.7.1527; Salakhutdinov & Murray 2008, doi:10.1145/1390156.1390266). With `tighten` the value is log mean w. In
    expectation it lies between the bound and log p(v), and it approaches log p(v) as samples grow (Burda, Grosse & Salakhutdinov 2016,
    arXiv:1509.00519).

    Examples
    --------
    >>> import torch, harmonium as hm
    >>> dbn = hm.DBN([hm.RBM(hm.Bernoulli(6), hm.Bernoulli(4)), hm.RBM(hm.Bernoulli(4), hm.Bernoulli(3))])
    >>> log_z = hm.likelihood.exact_log_z(dbn.top)
    >>> found = hm.likelihood.dbn_bound(dbn, torch.eye(6), log_z=log_z)
    >>> found.values.shape, round(found.mean, 1)
    (torch.Size([6]), -4.2)
    """
    if samples < 1:
        raise ValueError(f"the bound takes at least one sample, found samples={samples}")
    check_machines(dbn)
    if not len(dbn.recognition):
        values = _log_p(dbn, data, log_z, given)
        return summarised(values, torch.zeros_like(values), torch.full_like(values, samples), samples, tighten)
    visible, like = dbn.visible, dbn.visible.zero_input()
    rows, given, log_z = checked(visible, data, given, log_z)
    if given.missing is not None:
        given = given.only(present=~given.missing)
    generator = torch.Generator(like.device).manual_seed(seed)
    widest = max(math.prod(unit.statistic_shape) for rbm in dbn.rbms for unit in (rbm.visible, rbm.hidden))
    draws = min(samples, max(1, VALUES // widest))
    cases = max(1, VALUES // (widest * draws))
    found = []
    for start in range(0, len(rows), cases):
        here = slice(start, start + cases)
        side = given.rows(here).to(like.device)
        v = rows[here].to(like)
        side = visible.given_by(v, side)
        blocks = [min(draws, samples - drawn) for drawn in range(0, samples, draws)]
        log_weights = torch.cat([_log_weights(dbn, v, count, generator, side) for count in blocks])
        if not bool((log_weights < math.inf).all()):  # NaN is not below it either
            case = start + int((~(log_weights < math.inf)).any(0).nonzero()[0])
            raise ValueError(
                f"the bound of case {case} is not a finite number: an input is too large for a layer, or a parameter is not finite"
            )
        found.append(torch.stack(of_weights(log_weights, tighten=tighten)))
    values, errors, ess = torch.cat(found, dim=1)
    return summarised(values - log_z.to(values.device), errors, ess, samples, tighten)


def _log_p(dbn: DBN, data: Tensor, log_z: float | Tensor, given: Given) -> Tensor:
    """log p(v) under a net of one RBM, its labels summed out: (cases,), float64."""
    if dbn.labels is None:
        return log_likelihood(dbn.top, data, log_z=log_z, given=given)
    if given.present is not None or given.missing is not None:
        raise ValueError(
            "the bound of a net of one RBM with labels takes complete cases: with gaps use hm.likelihood.log_likelihood(dbn.top, ...), "
            "where the labels are missing values"
        )
    rows, given, log_z = checked(dbn.visible, data, given, log_z)
    rows = rows.to(dbn.top.visible.zero_input())
    given = given.to(rows.device)
    return torch.logsumexp(-label_free_energy(dbn.top, rows, given).double(), dim=-1) - log_z.to(rows.device)


def _log_weights(dbn: DBN, v: Tensor, samples: int, generator: torch.Generator, given: Given) -> Tensor:
    """log w + log Z_top of `samples` up-passes per case: (samples, cases), float64."""
    total = torch.zeros(samples, len(v), dtype=torch.float64, device=v.device)
    below = v
    downwards = list(dbn.downwards())[::-1]
    uppers = [*(layer.unit for layer in downwards[1:]), dbn.penultimate]
    for up, down, upper in zip(dbn.upwards(), downwards, uppers, strict=True):
        input = up.input(below, given)
        # The first input is the same for every sample of a case.
        states = up.unit.sample(input.expand(samples, len(v), *up.unit.statistic_shape), generator=generator)
        upper.check(states)  # the upper machine has no probability for states outside its units' support
        total += down.log_probability(below, states, given)
        total -= up.unit.log_probability(states, input)
        below, given = states, above(given)
    if dbn.labels is None:
        return total - dbn.top.free_energy(below, given).double()
    return total + torch.logsumexp(-label_free_energy(dbn.top, below, given).double(), dim=-1)


def of_weights(log_weights: Tensor, *, tighten: bool) -> tuple[Tensor, Tensor, Tensor]:
    """Each case's value, its standard error over the samples and the effective sample size of its weights, from (samples, cases)."""
    samples = len(log_weights)
    weights = torch.exp(log_weights - log_weights.amax(0))
    ess = weights.sum(0).square() / weights.square().sum(0)
    values = log_weights.logsumexp(0) - math.log(samples) if tighten else log_weights.mean(0)
    if samples == 1:
        return values, torch.full_like(values, math.inf), ess
    spread = weights.std(0) / weights.mean(0) if tighten else log_weights.std(0)
    return values, spread / math.sqrt(samples), ess


def summarised(values: Tensor, errors: Tensor, ess: Tensor, samples: int, tightened: bool) -> VariationalBound:
    """A `VariationalBound` from the figures of each case, (cases,) each."""
    cases = len(values)
    case_error = (values.std() / math.sqrt(cases)).item() if cases > 1 else math.inf
    return VariationalBound(
        values.mean().item(), errors.square().sum().sqrt().item() / cases, case_error, samples, tightened, values, errors, ess
    )


def check_machines(dbn: DBN) -> None:
    """Raise an error unless every layer's conditionals are probabilities, of the same states from below and from above."""
    rbms = dbn.rbms
    for rbm in rbms:
        for unit in (rbm.visible, rbm.hidden):
            for _, _, leaf in leaves(unit):
                if not leaf.has_joint_energy:
                    raise no_joint(leaf, "a bound")
    for below, upper in pairwise(rbms):
        hidden, visible = below.hidden, upper.visible if upper is not rbms[-1] else dbn.penultimate
        if hidden.output_shape != hidden.shape:
            raise ValueError(
                "no bound is known for a net with pooled layers between its machines: the upper machine models only the pooled map, and "
                "neither models which unit of a block is on, so recognition and generation have different states"
            )
        if _real(hidden) != _real(visible):
            raise ValueError(
                f"two machines that share a layer must agree on which of its units are real-valued: found {type(hidden).__name__} units "
                f"as the lower one's hidden layer and {type(visible).__name__} units as the upper one's visible layer; a density and a "
                "probability do not compare"
            )


def _real(unit: Unit) -> list[bool]:
    """For each unit of a layer, flattened: whether its states have a density."""
    return [
        isinstance(leaf, Gaussian | TruncatedGaussian | Exponential) for _, _, leaf in leaves(unit) for _ in range(math.prod(leaf.shape))
    ]
