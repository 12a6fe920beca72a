"""How good is my model? One call, with one sentence on how far to trust the answer."""

from __future__ import annotations

import math
import textwrap
import warnings
from dataclasses import dataclass, field, replace
from functools import partial
from typing import NamedTuple

import torch
from torch import Tensor

from harmonium.likelihood.ais import ais
from harmonium.likelihood.annealing import Estimate
from harmonium.likelihood.by_raise import Raised, log_z_by_raise, some_of
from harmonium.likelihood.exact import ROWS, exact_log_z, one_case
from harmonium.likelihood.kinds import base_rates_of, bound_of, every, parts, states_of, unnormalised_of
from harmonium.likelihood.monitors import pseudo_likelihood
from harmonium.likelihood.reverse import reverse_ais
from harmonium.likelihood.states import as_states
from harmonium.likelihood.tempered import Tempered, tempered_samples
from harmonium.likelihood.trust import doubtful, of_estimates, of_exact
from harmonium.models import DBM, DBN, RBM
from harmonium.models.dbn import above
from harmonium.units import Bernoulli, Given, Unit

LONGER = 4  # times as many betas in the second run


class Row(NamedTuple):
    """One figure: `nats` a case, `case_error` its standard error over the cases; of an estimate of log Z its own figures too."""

    name: str
    nats: float
    case_error: float
    log_z: float | None = None
    log_z_error: float | None = None
    ess: float | None = None


@dataclass(frozen=True)
class Evaluation:
    """How probable a model makes some cases, in nats a case (natural logarithms), and how far to trust that.

    `nats`: the mean of log p(v), or with `bound` that of a deep model's variational bound on it; `case_error`: its standard error, of
    what these cases say of others. `log_z`, `log_z_error`: of the machine, or of a belief net's top one, and its standard error, zero where
    it is `exact`; otherwise of `long`, the longer run of AIS. An error in log Z shifts every case alike, and is no part of `case_error`.

    Where log Z is estimated: `short` and `long`, by AIS with `betas` and four times as many inverse temperatures; `reverse`, by reverse
    AIS over as many as `long` from the ends of `tempered` chains, a second estimate and no bound; `least_log_z`, what the distinct cases
    (training ones too) add up to, below which log Z cannot be (None where the units are not finite); `raised`, where it was asked for,
    by RAISE from some of the cases. `cautious` is the lowest of the figures that these give, which is the one to quote; `verdict` says in
    a word what `trust` says in a sentence.

    `tightened`: of a deep model, the importance-sampled bound and its standard error over the cases. `pseudo_likelihood`: of binary visible
    units, a case, and its standard error. `gap`: mean free energy of the validation cases less that of the training cases, nats a case,
    and its standard error; above zero it is overfitting. `trust`: one sentence.
    """

    nats: float
    case_error: float
    log_z: float
    log_z_error: float
    exact: bool
    bound: bool
    cases: int
    trust: str
    chains: int | None = None
    betas: int | None = None
    short: Estimate | None = field(default=None, repr=False)
    long: Estimate | None = field(default=None, repr=False)
    reverse: Estimate | None = field(default=None, repr=False)
    tempered: Tempered | None = field(default=None, repr=False)
    raised: Raised | None = field(default=None, repr=False)
    doubtful: bool = False
    least_log_z: float | None = None
    tightened: tuple[float, float] | None = None
    pseudo_likelihood: tuple[float, float] | None = None
    gap: tuple[float, float] | None = None

    def estimates(self) -> list[Row]:
        """The figures of log p, or of the bound, that each way to log Z gives: the exact one, or three, or four with RAISE."""
        if self.exact:
            return [Row("exact log Z", self.nats, self.case_error, self.log_z, 0.0)]
        assert self.betas is not None
        found = [
            (f"AIS, {self.betas:,} betas", self.short),
            (f"AIS, {LONGER * self.betas:,} betas", self.long),
            ("second estimate: reverse AIS", self.reverse),
        ]
        rows = [
            Row(name, self.nats + self.log_z - way.log_z, self.case_error, way.log_z, way.standard_error, way.ess)
            for name, way in found
            if way is not None
        ]
        if self.raised is not None:
            nats = self.nats + self.log_z - self.raised.log_z
            name = f"RAISE, from {self.raised.cases:,} cases"
            rows.append(Row(name, nats, self.case_error, self.raised.log_z, self.raised.standard_error))
        return rows

    @property
    def cautious(self) -> Row:
        """The lowest of the estimates, which is the one to quote: annealed chains that miss a mode promise too much, and the longer of
        two runs need not miss less."""
        return min(self.estimates(), key=lambda row: row.nats)

    @property
    def verdict(self) -> str:
        """`exact`; `consistent`, where the estimates agree, which is no proof; or `doubtful`."""
        return "exact" if self.exact else "doubtful" if self.doubtful else "consistent"

    def rows(self) -> list[Row]:
        """Every figure, for a table."""
        rows = self.estimates()
        for name, found in (
            ("tightened bound", self.tightened),
            ("pseudo-likelihood", self.pseudo_likelihood),
            ("free-energy gap to training", self.gap),
        ):
            if found is not None:
                rows.append(Row(name, *found))
        return rows

    def __str__(self) -> str:
        what = "bound on log p" if self.bound else "log p"
        plural = "s" if self.cases != 1 else ""
        lines = [
            f"{what}: {self.cautious.nats:.2f} ± {_number(self.case_error)} nats a case, over {self.cases:,} case{plural}",
            "",
            f"{'':30}{'nats a case':>12}{'±':>8}{'log Z':>11}{'±':>8}{'ESS':>7}",
        ]
        for row in self.rows():
            rest = "" if row.log_z is None else f"{row.log_z:11.2f}{_number(row.log_z_error):>8}"
            lines.append(f"{row.name:30}{row.nats:12.2f}{_number(row.case_error):>8}{rest}" + (f"{row.ess:7.0f}" if row.ess else ""))
        if self.tempered is not None and self.chains is not None:
            rates, trips = self.tempered.swap_rates, self.tempered.round_trips
            lines += [
                "",
                f"{self.chains} chains. Tempering: {len(self.tempered.betas)} temperatures, swaps accepted {rates.min():.0%} to "
                f"{rates.max():.0%},",
                f"{trips:,} round trip{'s' if trips != 1 else ''} in {self.tempered.sweeps:,} sweeps.",
            ]
        return "\n".join([*lines, "", textwrap.fill(self.trust, 76)])


@torch.no_grad()
def evaluate(
    model: RBM | DBN,
    data: Tensor,
    *,
    training: Tensor | None = None,
    validation: Tensor | None = None,
    exact: bool | None = None,
    chains: int = 100,
    betas: int = 1000,
    sweeps: int = 500,
    samples: int = 100,
    raise_cases: int = 0,
    seed: int = 0,
    given: Given | None = None,
    progress: bool = False,
) -> Evaluation:
    """The mean of log p(v) over the cases, (cases, *visible.shape), in nats, and how far to trust it.

    Exact where `exact_log_z` takes the machine. Otherwise by AIS with `betas` inverse temperatures and with four times as many, over a base
    of the training cases' means (those of the data where there are none), and by reverse AIS from the ends of as many independent tempered
    chains of `sweeps` sweeps. Of a deep belief net it is the variational bound, from `samples` up-passes a case, and its tightening, over
    log Z of the top RBM found in these ways; of a deep Boltzmann machine that of mean field, and its tightening from `samples` draws a
    case, over log Z of the machine itself, its even layers being the visible side (see `DBM`).

    `raise_cases`: also by RAISE, one chain back from each of so many of the cases, over as many betas as the longer run. Of a deep model
    it is of the same machine, from draws of the layers that go with the cases: with the annealing model on top the bound holds.

    What it proves: AIS overestimates log p in expectation, without limit where its chains miss a mode, and neither the effective sample
    size nor the standard error shows it. Reverse AIS bounds log Z from above only from exact samples, which tempered chains are not; where
    forward and reverse chains miss the same mode, both agree and both are wrong. `trust` says so.

    `training`: cases that the model learnt from; their free energy is compared with that of `validation`, by default the data. `exact`:
    True or False to insist on one way. `given`: one case (no leading axes) that all cases share; documents must all be of one length.
    `progress`: bars, on a terminal. TypeError where a layer has no energy; ValueError for a machine that has no partition
    function, for cases that are no states (grey levels), that differ in what log Z depends on, or that have missing values.
    """
    if isinstance(model, DBN) and not len(model.recognition):
        model = model.top
    if not isinstance(model, RBM | DBN):
        raise TypeError(f"evaluate takes an RBM, a deep belief net or a deep Boltzmann machine, found {type(model).__name__}")
    if chains < 2 or betas < 2:
        raise ValueError(f"evaluate takes at least two chains and two betas, found chains={chains} and betas={betas}")
    if isinstance(model, DBM) and given is not None:
        raise ValueError("the bound of a deep Boltzmann machine is of whole cases that have nothing beside them, found given=...")
    top, visible, bound = parts(model)
    given = _shared(visible, torch.as_tensor(data), given)
    v = as_states(visible, data, given)
    learnt = None if training is None else as_states(visible, training, given)
    held = v if validation is None else as_states(visible, validation, given)
    of_top = one_case(top, above(given) if isinstance(model, DBN) else given)
    top.check_normalisable(of_top)
    exact_z = _exact(top, of_top, exact)
    if raise_cases and given is not None:
        raise ValueError("RAISE is of whole cases that have nothing beside them, found given=... and raise_cases above 0")
    seeds = torch.randint(2**31, (6,), generator=torch.Generator().manual_seed(seed)).tolist()

    tightened = guessed = gap = least = None
    unnormalised = unnormalised_of(model, v, given, samples, seeds[0])
    if bound is None:
        assert isinstance(model, RBM)
        guessed = _pseudo_likelihood(model, v, given, seeds[0])
    else:
        tight = bound_of(model, v, given, samples, seeds[0], tighten=True)
        tightened = tight.mean, tight.case_error
    if not isinstance(model, DBN):  # the values of whose bound are draws
        known, at_known = v, unnormalised
        if learnt is not None:
            at_training = unnormalised_of(model, learnt, given)
            gap = _difference(at_training, unnormalised if validation is None else unnormalised_of(model, held, given))
            known, at_known = torch.cat([v, learnt]), torch.cat([unnormalised, at_training])
        if exact_z is None:
            least = _sum_of_distinct(known, at_known, visible.count)
    mean, case_error = _mean(unnormalised)

    short = long = reverse = tempered = raised = None
    doubted = False
    if exact_z is not None:
        log_z, error = exact_z, 0.0
        trust = of_exact(len(v), case_error, bound=bound)
    else:
        base_rates = base_rates_of(model, v if learnt is None else learnt, given)
        generator = torch.Generator(top.visible.blank().device).manual_seed(seeds[3])
        forward = partial(ais, top, chains=chains, base_rates=base_rates, given=of_top, progress=progress)
        backward = partial(reverse_ais, top, base_rates=base_rates, given=of_top, progress=progress)
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", ".*effective sample size")  # the sentence says it
            short, long = forward(betas=betas, seed=seeds[1]), forward(betas=LONGER * betas, seed=seeds[2])
            tempered = tempered_samples(top, chains, sweeps, generator=generator, given=of_top, progress=progress)
            reverse = backward(tempered.v, betas=LONGER * betas, seed=seeds[4])
        if raise_cases:
            x = states_of(model, some_of(v, raise_cases, seeds[5]), generator)
            raised = log_z_by_raise(top, x, betas=LONGER * betas, base_rates=base_rates, seed=seeds[5], progress=progress)
        log_z, error = long.log_z, long.standard_error
        trust = of_estimates(short, long, reverse, tempered, raised, chains=chains, least_log_z=least, bound=bound)
        doubted = doubtful(short, long, reverse, tempered, raised, chains=chains, least_log_z=least)
    return Evaluation(
        nats=mean - log_z,
        case_error=case_error,
        log_z=log_z,
        log_z_error=error,
        exact=exact_z is not None,
        bound=bound is not None,
        cases=len(v),
        trust=trust,
        chains=None if long is None else chains,
        betas=None if long is None else betas,
        short=short,
        long=long,
        reverse=reverse,
        tempered=tempered,
        raised=raised,
        doubtful=doubted,
        least_log_z=least,
        tightened=None if tightened is None else (tightened[0] - log_z, tightened[1]),
        pseudo_likelihood=guessed,
        gap=gap,
    )


def _exact(model: RBM, given: Given | None, exact: bool | None) -> float | None:
    """log Z where it can be had exactly, and is wanted. ValueError where it is insisted on and cannot."""
    if exact is False:
        return None
    try:
        return exact_log_z(model, given=given)
    except ValueError:  # too large, or no closed form is known
        if exact:
            raise
        return None


def _shared(visible: Unit, data: Tensor, given: Given | None) -> Given | None:
    """What all cases share, the length of their documents included. ValueError where they do not share it."""
    if given is not None and given.missing is not None:
        raise ValueError(
            "evaluate takes whole cases: hm.likelihood.log_likelihood sums over missing values, with a log_z from exact_log_z or ais"
        )
    for name, axes in (("present", len(visible.shape)), ("length", 0), ("context", 1)):
        value = None if given is None else getattr(given, name)
        if value is not None and value.dim() != axes:
            raise ValueError(
                f"log Z depends on what is given, and evaluate finds one: given.{name} must be that of one case, shared by all, "
                f"found shape {tuple(value.shape)}; evaluate together the cases that share it"
            )
    told = visible.given_by(data, None) if data.shape[1:] == visible.shape and len(data) else None  # as_states refuses other shapes
    if told is None or told.length is None or (given is not None and given.length is not None):
        return given
    low, high = told.length.min().item(), told.length.max().item()
    if low != high:
        raise ValueError(
            f"log Z depends on a document's length: evaluate the documents of each length by themselves, found lengths from {low:g} "
            f"to {high:g}"
        )
    return replace(given or Given(), length=visible.blank().new_tensor(low))


def _mean(values: Tensor) -> tuple[float, float]:
    """The mean over the cases and its standard error, infinite where there is one case."""
    return values.mean().item(), (values.std() / math.sqrt(len(values))).item() if len(values) > 1 else math.inf


def _difference(of_training: Tensor, of_others: Tensor) -> tuple[float, float]:
    """How much less probable the others are in the mean, Z cancelling, and its standard error."""
    (one, one_error), (other, other_error) = _mean(of_training), _mean(of_others)
    return one - other, math.hypot(one_error, other_error)


def _pseudo_likelihood(model: RBM, v: Tensor, given: Given | None, seed: int) -> tuple[float, float] | None:
    """The mean over the cases and its standard error; None where the units are not binary."""
    if not isinstance(model.visible, Bernoulli):
        return None
    generator = torch.Generator(v.device).manual_seed(seed)
    blocks = torch.split(v, ROWS)
    return _mean(torch.cat([pseudo_likelihood(model, block, generator=generator, given=every(given, block)) for block in blocks]))


def _sum_of_distinct(v: Tensor, unnormalised: Tensor, states: float) -> float | None:
    """log Σ exp over the distinct cases: log Z is at least that, as their probabilities add up to one at most. None where the visible
    states have no end, as densities may exceed one."""
    if states == math.inf:
        return None
    distinct, place = torch.unique(v.flatten(1), dim=0, return_inverse=True)
    of_each = torch.empty(len(distinct), dtype=torch.float64, device=v.device).scatter_(0, place, unnormalised)
    return of_each.logsumexp(0).item()


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.2f}" if math.isfinite(value) else "∞"
