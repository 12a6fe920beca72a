"""What an evaluation needs to know of each kind of model."""

from __future__ import annotations

import torch
from torch import Tensor

from harmonium.likelihood.bounds import VariationalBound, dbn_bound
from harmonium.likelihood.distinct import part
from harmonium.likelihood.exact import ROWS, log_likelihood
from harmonium.likelihood.mean_field import SWEEPS, TOLERANCE, dbm_bound
from harmonium.models import DBM, DBN, RBM, label_free_energy, label_log_probability
from harmonium.models.labels import with_labels
from harmonium.units import Given, Unit


def parts(model: RBM | DBN) -> tuple[RBM, Unit, str | None]:
    """The machine whose log Z counts, the layer of the data and, where the figure is a bound, what to call the machine."""
    if isinstance(model, DBM):
        return model, model.layers[0], "machine"
    return (model.top, model.visible, "top RBM") if isinstance(model, DBN) else (model, model.visible, None)


def bound_of(model: RBM | DBN, v: Tensor, given: Given | None, samples: int, seed: int, *, tighten: bool) -> VariationalBound:
    """Over a log Z of zero."""
    if isinstance(model, DBM):
        return dbm_bound(model, v, log_z=0.0, samples=samples, seed=seed, tighten=tighten)
    assert isinstance(model, DBN)
    return dbn_bound(model, v, log_z=0.0, samples=samples, seed=seed, given=given, tighten=tighten)


def unnormalised_of(model: RBM | DBN, v: Tensor, given: Given | None, samples: int = 1, seed: int = 0) -> Tensor:
    """-F(v) of each case, or a bound on it, (cases,) float64. `given`: a row for each case."""
    if isinstance(model, DBM | DBN):
        return bound_of(model, v, given, samples, seed, tighten=False).values
    return log_likelihood(model, v, log_z=0.0, given=given)


def base_rates_of(model: RBM | DBN, v: Tensor, given: Given | None) -> Tensor:
    """The visible means, (*visible.shape), of the machine or of the net's top one, that go with these cases; where units are absent in
    some, those of the others."""
    blocks = [slice(start, start + ROWS) for start in range(0, len(v), ROWS)]
    if isinstance(model, DBM):
        return torch.stack([model.mean_field(v[x], sweeps=SWEEPS, tolerance=TOLERANCE).phase.v.sum(0) for x in blocks]).sum(0) / len(v)
    if isinstance(model, RBM):
        if given is None or given.present is None:
            return v.mean(0)
        present = given.present.to(v)
        return torch.where(present.any(0), (v * present).sum(0) / present.sum(0).clamp_min(1), v.mean(0))
    mean = torch.stack([model.up(v[x], given=part(given, x)).sum(0) for x in blocks]).sum(0) / len(v)
    if model.labels is None:
        return mean
    return torch.cat([mean, label_log_probability(model, v, given=given).exp().mean(0)])


def states_of(model: RBM | DBN, v: Tensor, generator: torch.Generator) -> Tensor:
    """Visible states of the machine, or of the net's top one, that go with these cases: drawn from the bound's own Q."""
    if isinstance(model, DBM):
        inputs = model.visible.split_input(model.mean_field(v, sweeps=SWEEPS, tolerance=TOLERANCE).even_input)
        above = list(zip(model.visible.layers(), inputs, strict=True))[1:]
        return torch.cat([v, *(unit.sample(input, generator=generator) for unit, input in above)], dim=-1)
    if isinstance(model, RBM):
        return v
    below = model.up(v, generator=generator)
    if model.labels is None:
        return below
    probability = torch.softmax(-label_free_energy(model.top, below), dim=-1)
    return with_labels(below, probability.multinomial(1, generator=generator)[:, 0], probability.shape[-1])
