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
from harmonium.units import Exponential, Gaussian, Given, TruncatedGaussian, Unit
from harmonium.units.groups import leaves
from harmonium.units.unit import no_joint

VALUES = 2**22  # numbers of the widest layer that are looked at together


@dataclass(frozen=True)
class VariationalBound:
    """Lower bounds on log p(v), in nats.

    `values`, `errors`: of each case, and its standard error over the samples, (cases,) float64. `mean`: over the cases. Its two
    standard errors are apart: `sample_error`, of this mean over these cases, from the finite number of samples; `case_error`, of what
    these cases say of others, from the spread of the values. Either is infinite where a single one cannot tell. `ess`: the effective
    sample size of each case's importance weights, (cases,), between 1 and `samples`.
    """

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
    given: Given | None = None,
) -> VariationalBound:
    """The variational bound on log p(v) of each case, or its importance-sampled tightening.

    With x_0 = v, and x_1 ... x_L drawn by the stochastic up-pass Q through the recognition layers,

        log w = Σ_l [log p(x_{l-1} | x_l) - log Q(x_l | x_{l-1})] - F_top(x_L) - log Z_top

    (F of a top RBM with label units sums these out) and the bound is E_Q[log w] (Hinton, Osindero & Teh 2006; Salakhutdinov & Murray
    2008), here a mean over `samples` draws. With
    `tighten` it is log mean w, which in expectation lies between the bound and log p(v), and nears log p(v) as samples grow (Burda,
    Grosse & Salakhutdinov 2016). A net of one RBM has no Q: the values are log p(v).

    `log_z`: of the top RBM, however estimated; an estimate that is too low makes a "bound" that is too high. One number, or one a case
    where it depends on what is given (a context). `given`: as for `log_likelihood`. Where units are absent, or values missing, the bound
    is on the log-probability of the others: below a directed layer the two are the same, because units that are independent given the
    layer above are summed out by leaving them out.

    ValueError for data outside the visible units' support, grey levels too, for pooled layers between two machines, and where two machines
    that share a layer disagree on its states; TypeError where a layer has no joint energy.
    """
    if samples < 1:
        raise ValueError(f"the bound is a mean over one sample or more, found samples={samples}")
    check_machines(dbn)
    if not len(dbn.recognition):
        values = _log_p(dbn, data, log_z, given)
        return summarised(values, torch.zeros_like(values), torch.full_like(values, samples), samples, tighten)
    visible, like = dbn.visible, dbn.visible.zero_input()
    rows, given, log_z = checked(visible, data, given, log_z)
    if given is not None and given.missing is not None:
        given = given.only(present=~given.missing)
    generator = torch.Generator(like.device).manual_seed(seed)
    widest = max(math.prod(unit.statistic_shape) for rbm in dbn.rbms for unit in (rbm.visible, rbm.hidden))
    draws = min(samples, max(1, VALUES // widest))
    cases = max(1, VALUES // (widest * draws))
    found = []
    for start in range(0, len(rows), cases):
        here = slice(start, start + cases)
        side = None if given is None else given.map(lambda field, here=here: field[here].to(like.device))  # type: ignore[misc]
        v = rows[here].to(like)
        side = visible.given_by(v, side)
        blocks = [min(draws, samples - drawn) for drawn in range(0, samples, draws)]
        log_weights = torch.cat([_log_weights(dbn, v, count, generator, side) for count in blocks])
        if not bool((log_weights < math.inf).all()):  # NaN is not below it either
            case = start + int((~(log_weights < math.inf)).any(0).nonzero()[0])
            raise ValueError(
                f"the bound of case {case} is not a finite number: an input is past what a layer can bear, or a parameter is not finite"
            )
        found.append(torch.stack(of_weights(log_weights, tighten=tighten)))
    values, errors, ess = torch.cat(found, dim=1)
    return summarised(values - log_z.to(values.device), errors, ess, samples, tighten)


def _log_p(dbn: DBN, data: Tensor, log_z: float | Tensor, given: Given | None) -> Tensor:
    """log p(v) of a net of one RBM, its labels summed out: (cases,) float64."""
    if dbn.labels is None:
        return log_likelihood(dbn.top, data, log_z=log_z, given=given)
    if given is not None and (given.present is not None or given.missing is not None):
        raise ValueError(
            "a net of one RBM with labels takes whole cases here: hm.likelihood.log_likelihood(dbn.top, ...) takes gaps beside the units, "
            "the labels among the missing values"
        )
    rows, given, log_z = checked(dbn.visible, data, given, log_z)
    rows = rows.to(dbn.top.visible.zero_input())
    given = None if given is None else given.map(lambda field: field.to(rows.device))
    return torch.logsumexp(-label_free_energy(dbn.top, rows, given).double(), dim=-1) - log_z.to(rows.device)


def _log_weights(dbn: DBN, v: Tensor, samples: int, generator: torch.Generator, given: Given | None) -> Tensor:
    """log w + log Z_top of `samples` up-passes from each case: (samples, cases), float64."""
    total = torch.zeros(samples, len(v), dtype=torch.float64, device=v.device)
    below = v
    downwards = list(dbn.downwards())[::-1]
    uppers = [*(layer.unit for layer in downwards[1:]), dbn.penultimate]
    for up, down, upper in zip(dbn.upwards(), downwards, uppers, strict=True):
        input = up.input(below, given)
        # The first input is the same for every sample of a case.
        states = up.unit.sample(input.expand(samples, len(v), *up.unit.statistic_shape), generator=generator)
        upper.check(states)  # the machine above has no probability for states outside its units' support
        total += down.log_probability(below, states, given)
        total -= up.unit.log_probability(states, input)
        below, given = states, above(given)
    if dbn.labels is None:
        return total - dbn.top.free_energy(below, given).double()
    return total + torch.logsumexp(-label_free_energy(dbn.top, below, given).double(), dim=-1)


def of_weights(log_weights: Tensor, *, tighten: bool) -> tuple[Tensor, Tensor, Tensor]:
    """Each case's value, its standard error over the samples and the effective sample size of its weights, of (samples, cases)."""
    samples = len(log_weights)
    weights = torch.exp(log_weights - log_weights.amax(0))
    ess = weights.sum(0).square() / weights.square().sum(0)
    values = log_weights.logsumexp(0) - math.log(samples) if tighten else log_weights.mean(0)
    if samples == 1:
        return values, torch.full_like(values, math.inf), ess
    spread = weights.std(0) / weights.mean(0) if tighten else log_weights.std(0)
    return values, spread / math.sqrt(samples), ess


def summarised(values: Tensor, errors: Tensor, ess: Tensor, samples: int, tightened: bool) -> VariationalBound:
    """The figures of each case, (cases,) each, with their means and errors over the cases."""
    cases = len(values)
    case_error = (values.std() / math.sqrt(cases)).item() if cases > 1 else math.inf
    return VariationalBound(
        values.mean().item(), errors.square().sum().sqrt().item() / cases, case_error, samples, tightened, values, errors, ess
    )


def check_machines(dbn: DBN) -> None:
    """Whether every layer's conditionals are probabilities, of the same states from below and from above."""
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
                "no bound is known for a net with pooled layers between its machines: the machine above gives the pooled map alone, and "
                "which unit of a block is on belongs to neither of the two, so that recognition and generation are not of the same states"
            )
        if _real(hidden) != _real(visible):
            raise ValueError(
                f"two machines that share a layer must agree on which of its units are real-valued: found {type(hidden).__name__} units "
                f"as the lower one's hidden layer and {type(visible).__name__} units as the upper one's visible layer; a density and a "
                "probability do not compare"
            )


def _real(unit: Unit) -> list[bool]:
    """Of each unit of a layer, flattened, whether its states have a density."""
    return [
        isinstance(leaf, Gaussian | TruncatedGaussian | Exponential) for _, _, leaf in leaves(unit) for _ in range(math.prod(leaf.shape))
    ]
