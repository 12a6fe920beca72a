"""log Z of a machine under each condition given of some cases: exact, or by several estimates."""

from __future__ import annotations

import math
import warnings
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import partial

import torch
from torch import Tensor

from harmonium.likelihood.ais import ais
from harmonium.likelihood.annealing import Estimate
from harmonium.likelihood.distinct_given import Distinct
from harmonium.likelihood.exact_log_z import exact_log_z
from harmonium.likelihood.log_z_by_raise import RaiseEstimate
from harmonium.likelihood.modes import log_z_of_a_mode
from harmonium.likelihood.reverse_ais import reverse_ais
from harmonium.likelihood.tempered_samples import Tempered, tempered_samples
from harmonium.models import RBM
from harmonium.progress_bar import shown
from harmonium.units import NOTHING, Given

LONGER = 4  # times as many betas in the second run
MOST = 1000  # partition functions estimated in sequence


@dataclass(frozen=True)
class LogZ:
    """log Z, in nats, under one condition `given`, which `cases` of the cases share. Its standard error is zero if it is exact.

    An estimated log Z is that of `long`. `least` is a lower bound from the distinct cases (None if the units have infinitely many states).
    `of_a_mode` is one from mean field. For `short`, `long`, `reverse`, `tempered` and `raised` see `Evaluation`.
    """

    log_z: float
    log_z_error: float
    exact: bool
    cases: int
    given: Given = field(default=NOTHING, repr=False)
    short: Estimate | None = field(default=None, repr=False)
    long: Estimate | None = field(default=None, repr=False)
    reverse: Estimate | None = field(default=None, repr=False)
    tempered: Tempered | None = field(default=None, repr=False)
    raised: RaiseEstimate | None = field(default=None, repr=False)
    least: float | None = None
    of_a_mode: float | None = None


@dataclass(frozen=True)
class Effort:
    """The size of an estimate; see `evaluate`."""

    chains: int
    betas: int
    sweeps: int
    progress: bool


def each_log_z(model: RBM, distinct: Distinct, *, exact: bool | None, base_rates: Tensor, effort: Effort, seeds: Tensor) -> list[LogZ]:
    """log Z of a machine under each distinct condition.

    Parameters
    ----------
    model
        The machine.
    distinct
        The conditions, and how many cases have each.
    exact
        True or False insists on exact or on estimated log Z.
    base_rates
        Visible means of the base-rate model.
    effort
        The size of an estimate.
    seeds
        (conditions, 4).

    Raises
    ------
    ValueError
        If exact log Z is asked for and cannot be computed, if a machine has no partition function, or if more than 1,000 conditions would
        have to be estimated.
    """
    for given in distinct.given:
        model.check_normalisable(given)
    found: dict[int, LogZ] = {}
    numbers = list(range(len(distinct.given)))
    several = effort.progress and len(numbers) > 1
    for number in shown(numbers, f"log Z of each of {len(numbers):,} {distinct.what}", several):
        log_z = _exactly(model, distinct.given[number], exact)
        if log_z is not None:
            found[number] = LogZ(log_z, 0.0, True, distinct.cases[number], distinct.given[number])
    rest = [number for number in numbers if number not in found]
    if len(rest) > MOST:
        raise ValueError(
            f"log Z would have to be estimated for each of {len(rest):,} {distinct.what}, and evaluate takes at most {MOST:,}: evaluate "
            "some of the cases, drawn at random"
        )
    one_bar, effort = effort.progress and len(rest) > 1, replace(effort, progress=effort.progress and len(rest) == 1)
    for number in shown(rest, f"annealing for each of {len(rest):,} {distinct.what}", one_bar):
        drawn: list[int] = seeds[number].tolist()
        found[number] = _estimated(model, distinct.given[number], distinct.cases[number], base_rates, effort, drawn)
    return [found[number] for number in numbers]


def _exactly(model: RBM, given: Given, exact: bool | None) -> float | None:
    """log Z if it can be computed exactly and is wanted. Raises ValueError if exactness is asked for and impossible."""
    if exact is False:
        return None
    try:
        return exact_log_z(model, given=given)
    except ValueError:  # too large, or no closed form is known
        if exact:
            raise
        return None


def _estimated(model: RBM, given: Given, cases: int, base_rates: Tensor, effort: Effort, seeds: Sequence[int]) -> LogZ:
    """Estimates by AIS at two lengths, and by reverse AIS from tempered chains that share no draws with the forward ones."""
    generator = torch.Generator(model.visible.zero_input().device).manual_seed(seeds[2])
    forward = partial(ais, model, chains=effort.chains, base_rates=base_rates, given=given, progress=effort.progress)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", ".*effective sample size")  # the sentence on trust says it
        short, long = forward(betas=effort.betas, seed=seeds[0]), forward(betas=LONGER * effort.betas, seed=seeds[1])
        tempered = tempered_samples(model, effort.chains, effort.sweeps, generator=generator, given=given, progress=effort.progress)
        reverse = reverse_ais(
            model,
            tempered.v,
            betas=LONGER * effort.betas,
            base_rates=base_rates,
            seed=seeds[3],
            given=given,
            progress=effort.progress,
        )
    mode = log_z_of_a_mode(model, tempered.v, starts=effort.chains, seed=seeds[2], given=given)
    return LogZ(long.log_z, long.standard_error, False, cases, given, short, long, reverse, tempered, of_a_mode=mode)


def pooled(each: Sequence[LogZ]) -> LogZ:
    """The mean of log Z over all cases. The estimates are independent, so their errors add in squares.

    Its estimates have the least of all effective sample sizes, and log-weights of shape (distinct, chains). An exact log Z stands in for
    each kind of estimate.
    """
    if len(each) == 1:
        return each[0]
    shares = [one.cases / sum(one.cases for one in each) for one in each]
    exact = all(one.exact for one in each)
    short, long, reverse = (None if exact else _mean([_way(one, name) for one in each], shares) for name in ("short", "long", "reverse"))
    log_z = math.fsum(share * one.log_z for share, one in zip(shares, each, strict=True))
    error = math.hypot(*(share * one.log_z_error for share, one in zip(shares, each, strict=True)))
    return LogZ(log_z, error, exact, sum(one.cases for one in each), NOTHING, short, long, reverse)


def _way(one: LogZ, name: str) -> Estimate | None:
    found: Estimate | None = getattr(one, name)
    return found if found is not None or not one.exact else Estimate(one.log_z, 0.0, math.inf, torch.zeros(0))


def _mean(ways: Sequence[Estimate | None], shares: Sequence[float]) -> Estimate:
    found = [way for way in ways if way is not None]
    log_z = math.fsum(share * way.log_z for share, way in zip(shares, found, strict=True))
    error = math.hypot(*(share * way.standard_error for share, way in zip(shares, found, strict=True)))
    log_weights = torch.stack([way.log_weights for way in found if len(way.log_weights)])
    return Estimate(log_z, error, min(way.ess for way in found), log_weights)
