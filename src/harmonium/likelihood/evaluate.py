"""The quality of a model: its likelihood in one call, with one sentence on how far to trust it."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import NamedTuple

import torch
from torch import Tensor

from harmonium.likelihood.as_states import as_states, rows_of
from harmonium.likelihood.distinct_given import Distinct, distinct, of_cases
from harmonium.likelihood.evaluation import Evaluation
from harmonium.likelihood.log_likelihood import ROWS
from harmonium.likelihood.log_z import LONGER, Effort, LogZ, each_log_z, pooled
from harmonium.likelihood.log_z_by_raise import log_z_by_raise, some_of
from harmonium.likelihood.trust import is_doubtful, of_each
from harmonium.likelihood.unnormalised import base_rates_of, states_of, unnormalised
from harmonium.likelihood.without_log_z import pseudo_likelihood
from harmonium.models import RBM, Generative
from harmonium.units import NOTHING, Bernoulli, Given, ReplicatedSoftmax, Unit


class Cases(NamedTuple):
    """Visible states, (cases, *visible.shape), and what is given of each, fields of (cases, ...)."""

    v: Tensor
    given: Given


@torch.no_grad()
def evaluate(
    model: Generative,
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
    raise_betas: int | None = None,
    seed: int = 0,
    given: Given = NOTHING,
    progress: bool = False,
) -> Evaluation:
    """Compute the mean of log p(v) over the cases, in nats, and say how far to trust it.

    log Z is exact where `exact_log_z` can compute it. Otherwise it is estimated in several ways, and the estimates are compared.

    Parameters
    ----------
    model : RBM, DBN or DBM
        The model. For a deep model the result is a bound on log p(v).
    data : Tensor
        Cases, (cases, *visible.shape).
    training : Tensor, optional
        Cases that the model learned from. Their free energy is compared with that of `validation`, where log Z is the same for all of
        these.
    validation : Tensor, optional
        Held-out cases for this comparison, by default `data`.
    exact : bool, optional
        True or False insists on exact or on estimated log Z. By default it is exact where that is possible.
    chains : int, default 100
        Number of chains of each estimate, at least two.
    betas : int, default 1000
        Number of inverse temperatures of the first run of AIS, at least two. The second run has four times as many.
    sweeps : int, default 500
        Sweeps of parallel tempering, which makes the samples for reverse AIS.
    samples : int, default 100
        For a deep belief net the number of up-passes per case; for a deep Boltzmann machine the number of draws per case of its tightened
        bound.
    raise_cases : int, default 0
        Also estimate log Z by RAISE, with one chain back from each of this many cases. For a deep model it is log Z of the same machine,
        from draws of the layers that go with the cases. The bound holds for the net that has the annealing model on top.
    raise_betas : int, optional
        Number of inverse temperatures of RAISE, at least two, by default as many as the longer run of AIS. RAISE has a bias, which falls as
        they grow. It says nothing without `raise_cases`.
    seed : int, default 0
        Seed of all draws.
    given : Given, optional
        Each field is that of one case (no leading axes), shared by all cases, or has one row per case. With rows, `training` and
        `validation` must be left out. The length of a document is read from its counts.
    progress : bool, default False
        Show the time left, in a bar on a terminal and otherwise in a line a minute.

    Returns
    -------
    Evaluation
        The figures. Printing it shows them as a table, with the sentence on trust.

    Raises
    ------
    TypeError
        For other models, and if a layer has no energy.
    ValueError
        If the machine has no partition function, if cases are no states (grey levels) or have missing values, if exact log Z is asked for
        and cannot be computed, or if log Z would have to be estimated for more than 1,000 distinct conditions.

    Notes
    -----
    *Estimates.* AIS runs with `betas` and with four times as many inverse temperatures, over a base with the training cases' means (or
    those of the data). Reverse AIS runs from the ends of as many independent tempered chains. For a deep belief net the result is the
    variational bound and its tightening, over log Z of the top RBM. For a deep Boltzmann machine it is the mean-field bound and its
    tightening, over log Z of its `joint`.

    *Trust.* AIS overestimates log p in expectation, without limit if its chains miss a mode. Neither the effective sample size nor the
    standard error shows this. Reverse AIS bounds log Z from above only if it starts from exact samples, which tempered chains do not give.
    If forward and reverse chains miss the same mode, both agree and both are wrong. `trust` says so. Mean field from random states, and
    from the ends of the tempered chains, searches for such a mode: what it finds bounds log Z from below, and refutes a lower estimate.

    *Conditions.* log Z may depend on what is given of a case: the length of a document, a context, a mask of absent units. Then it is found
    for each distinct condition, and the figures are pooled over all cases. The time grows with the number of conditions whose log Z is
    estimated; exact ones are cheap. For documents, log p is that of the sequence of words, and `perplexity` per word is reported too.

    Examples
    --------
    >>> import torch, harmonium as hm
    >>> rbm = hm.RBM(hm.Bernoulli(6), hm.Bernoulli(4))
    >>> found = hm.likelihood.evaluate(rbm, torch.eye(6))
    >>> found.verdict, round(found.nats, 1)
    ('exact', -4.2)
    """
    if not isinstance(model, Generative):
        raise TypeError(f"evaluate takes an RBM, a deep belief net or a deep Boltzmann machine, found {type(model).__name__}")
    raise_betas = LONGER * betas if raise_betas is None else raise_betas
    if min(chains, betas, raise_betas) < 2:
        raise ValueError(f"evaluate takes at least two chains and two betas, found {chains=}, {betas=} and {raise_betas=}")
    if raise_cases and given:
        raise ValueError("RAISE takes complete cases without conditions, found given=... and raise_cases above 0")
    top, visible, bound = model.machine, model.visible, model.bound_over
    cases = _cases(visible, data, given)
    beside = _shared(visible, given, asked=training is not None or validation is not None)
    learnt = None if training is None else _cases(visible, training, beside)
    held = cases if validation is None else _cases(visible, validation, beside)
    known = distinct(model.machine_given(cases.given), len(cases.v))
    seeds = torch.randint(2**31, (1 + 4 * len(known.given),), generator=torch.Generator().manual_seed(seed))
    base_rates = base_rates_of(model, *(cases if learnt is None else learnt))
    effort = Effort(chains, betas, sweeps, progress)
    each = each_log_z(top, known, exact=exact, base_rates=base_rates, effort=effort, seeds=seeds[1:].reshape(-1, 4))

    of_draws = int(seeds[0])
    found = unnormalised(model, *cases, samples=samples, seed=of_draws)
    tight = None if bound is None else unnormalised(model, *cases, samples=samples, seed=of_draws, tighten=True).values
    gap = None
    if found.sample_error == 0:  # else the values are draws
        at_training = None if learnt is None else unnormalised(model, *learnt).values
        each = _with_least(each, known, cases.v, found.values, learnt, at_training, visible.count)
        if at_training is not None and learnt is not None and _alike(model, cases, learnt, held):
            gap = _difference(at_training, found.values if validation is None else unnormalised(model, *held).values)
    if raise_cases and len(each) == 1 and not each[0].exact:
        generator = torch.Generator(cases.v.device).manual_seed(of_draws)
        x = states_of(model, some_of(cases.v, raise_cases, of_draws), generator)
        raised = log_z_by_raise(top, x, betas=raise_betas, base_rates=base_rates, seed=of_draws, progress=progress)
        each = [replace(each[0], raised=raised)]
    total = pooled(each)
    log_z = torch.tensor([one.log_z for one in each], dtype=torch.float64, device=cases.v.device)[known.place.to(cases.v.device)]
    nats, case_error = _mean(found.values - log_z)
    return Evaluation(
        nats=nats,
        case_error=case_error,
        log_z=total.log_z,
        log_z_error=total.log_z_error,
        exact=total.exact,
        bound=bound is not None,
        cases=len(cases.v),
        trust=of_each(each, known.what, case_error, chains=chains, bound=bound),
        chains=None if total.exact else chains,
        betas=None if total.exact else betas,
        short=total.short,
        long=total.long,
        reverse=total.reverse,
        tempered=total.tempered,
        raised=total.raised,
        doubtful=is_doubtful(each, chains=chains),
        least_log_z=total.least,
        log_z_of_a_mode=total.of_a_mode,
        tightened=None if tight is None else _mean(tight - log_z),
        pseudo_likelihood=_pseudo_likelihood(top, *cases, of_draws) if bound is None else None,
        gap=gap,
        perplexity=_perplexity(visible, cases, found.values - log_z),
        what=known.what,
        each=tuple(each),
    )


def _cases(visible: Unit, data: Tensor, given: Given) -> Cases:
    rows = rows_of(visible, data)
    beside = of_cases(visible, rows, given)
    return Cases(as_states(visible, rows, beside), beside)


def _shared(visible: Unit, given: Given, *, asked: bool) -> Given:
    """What training and validation cases share with the data. Raises ValueError if they are `asked` for and the data differ in it."""
    for name, axes in (("present", len(visible.shape)), ("context", 1)):
        value = getattr(given, name)
        if asked and value is not None and torch.as_tensor(value).dim() != axes:
            raise ValueError(
                f"training and validation cases are compared where all cases share what is given, and given.{name} has a row for each case "
                "of the data: leave them out"
            )
    return replace(given, length=None)


def _alike(model: Generative, *several: Cases) -> bool:
    """Whether log Z is the same for all of these cases, so that it cancels."""
    found = [distinct(model.machine_given(cases.given), len(cases.v)).given for cases in several]
    if any(len(given) > 1 for given in found):
        return False
    lengths = {float(one.length) for (one,) in found if one.length is not None}
    return len(lengths) < 2  # the rest is shared by all that are compared


def _mean(values: Tensor) -> tuple[float, float]:
    """The mean over the cases and its standard error, infinite where there is one case."""
    return values.mean().item(), (values.std() / math.sqrt(len(values))).item() if len(values) > 1 else math.inf


def _difference(of_training: Tensor, of_others: Tensor) -> tuple[float, float]:
    """The fall in mean log p from training to other cases (Z cancels), and its standard error."""
    (one, one_error), (other, other_error) = _mean(of_training), _mean(of_others)
    return one - other, math.hypot(one_error, other_error)


def _pseudo_likelihood(model: RBM, v: Tensor, given: Given, seed: int) -> tuple[float, float] | None:
    """The mean over the cases and its standard error; None where the units are not binary."""
    if not isinstance(model.visible, Bernoulli):
        return None
    generator = torch.Generator(v.device).manual_seed(seed)
    blocks = [slice(start, start + ROWS) for start in range(0, len(v), ROWS)]
    return _mean(torch.cat([pseudo_likelihood(model, v[rows], generator=generator, given=given.rows(rows)) for rows in blocks]))


def _perplexity(visible: Unit, cases: Cases, log_p: Tensor) -> float | None:
    """exp(-Σ log p / Σ words) of documents; None for other cases."""
    if not isinstance(visible, ReplicatedSoftmax):
        return None
    assert cases.given.length is not None
    return math.exp(-(log_p.sum() / cases.given.length.sum()).item())


def _with_least(
    each: list[LogZ],
    known: Distinct,
    v: Tensor,
    unnormalised: Tensor,
    learnt: Cases | None,
    at_training: Tensor | None,
    states: float,
) -> list[LogZ]:
    """Each log Z with its lower bound from the distinct cases, training cases included where all share one log Z."""
    if len(each) == 1 and learnt is not None and at_training is not None:
        v, unnormalised = torch.cat([v, learnt.v]), torch.cat([unnormalised, at_training])
        known = known._replace(place=known.place.new_zeros(len(v)))
    found = []
    for number, one in enumerate(each):
        rows = known.place == number
        found.append(one if one.exact else replace(one, least=_sum_of_distinct(v[rows], unnormalised[rows], states)))
    return found


def _sum_of_distinct(v: Tensor, unnormalised: Tensor, states: float) -> float | None:
    """log Σ exp over the distinct cases. log Z is at least that, because probabilities sum to at most one.

    None if the number of visible states is infinite, because densities may exceed one.
    """
    if states == math.inf:
        return None
    distinct, place = torch.unique(v.flatten(1), dim=0, return_inverse=True)
    of_each = torch.empty(len(distinct), dtype=torch.float64, device=v.device).scatter_(0, place, unnormalised)
    return of_each.logsumexp(0).item()
