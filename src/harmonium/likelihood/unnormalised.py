"""The unnormalised log-likelihood of data under each kind of model, in one form."""

from __future__ import annotations

from functools import singledispatch

import torch
from torch import Tensor

from harmonium.likelihood.dbm_bound import dbm_bound
from harmonium.likelihood.dbn_bound import VariationalBound, dbn_bound, summarised
from harmonium.likelihood.log_likelihood import ROWS, log_likelihood
from harmonium.models import DBM, DBN, RBM, Generative, label_free_energy
from harmonium.models.dbm import SETTLED, TOLERANCE
from harmonium.models.labels import with_labels
from harmonium.units import Given, Groups


@singledispatch
def unnormalised(model: Generative, v: Tensor, given: Given, *, samples: int = 1, seed: int = 0, tighten: bool = False) -> VariationalBound:
    """log p(v) + log Z of the model's machine for each case, or a bound on it. A nonzero `sample_error` means that it is sampled."""
    raise TypeError(f"no likelihood is known for a {type(model).__name__}: an RBM, a deep belief net and a deep Boltzmann machine have one")


@unnormalised.register
def _of_rbm(model: RBM, v: Tensor, given: Given, *, samples: int = 1, seed: int = 0, tighten: bool = False) -> VariationalBound:
    values = log_likelihood(model, v, log_z=0.0, given=given)
    return summarised(values, torch.zeros_like(values), torch.full_like(values, samples), samples, tighten)


@unnormalised.register
def _of_dbn(model: DBN, v: Tensor, given: Given, *, samples: int = 1, seed: int = 0, tighten: bool = False) -> VariationalBound:
    return dbn_bound(model, v, log_z=0.0, samples=samples, seed=seed, given=given, tighten=tighten)


@unnormalised.register
def _of_dbm(model: DBM, v: Tensor, given: Given, *, samples: int = 1, seed: int = 0, tighten: bool = False) -> VariationalBound:
    return dbm_bound(model, v, log_z=0.0, samples=samples, seed=seed, tighten=tighten)


def base_rates_of(model: Generative, v: Tensor, given: Given) -> Tensor:
    """Visible means, (*visible.shape), of the model's machine for these cases. Cases in which a unit is absent do not count for it.

    `given` has one row per case.
    """
    blocks = [slice(start, start + ROWS) for start in range(0, len(v), ROWS)]
    if given.present is not None and model.bound_over is None:
        present = given.present.to(v)
        return torch.where(present.any(0), (v * present).sum(0) / present.sum(0).clamp_min(1), v.mean(0))
    return torch.stack([model.machine_mean(v[rows], given.rows(rows)).sum(0) for rows in blocks]).sum(0) / len(v)


@singledispatch
def states_of(model: Generative, v: Tensor, generator: torch.Generator) -> Tensor:
    """Visible states of the model's machine for these cases, drawn from the bound's own Q."""
    return v


@states_of.register
def _drawn_by_dbm(model: DBM, v: Tensor, generator: torch.Generator) -> Tensor:
    visible = model.joint.visible
    assert isinstance(visible, Groups)
    inputs = visible.split_input(model.mean_field(v, sweeps=SETTLED, tolerance=TOLERANCE).even_input)
    above = list(zip(visible.layers(), inputs, strict=True))[1:]
    return torch.cat([v, *(unit.sample(input, generator=generator) for unit, input in above)], dim=-1)


@states_of.register
def _drawn_by_dbn(model: DBN, v: Tensor, generator: torch.Generator) -> Tensor:
    below = model.up(v, generator=generator)
    if model.labels is None:
        return below
    probability = torch.softmax(-label_free_energy(model.top, below), dim=-1)
    return with_labels(below, probability.multinomial(1, generator=generator)[:, 0], probability.shape[-1])
