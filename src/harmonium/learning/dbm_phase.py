"""The mean-field positive phase of a deep Boltzmann machine (Salakhutdinov & Hinton 2009)."""

from __future__ import annotations

import torch
from torch import Tensor

from harmonium.learning.rules import Rule
from harmonium.models import DBM, DBN, RBM
from harmonium.units import Bernoulli, Given

OF_MISSING = 5  # default sweeps of clamped Gibbs sampling
SWEEPS = 10  # default sweeps of mean field: the usual number in the literature


def mean_field_of(model: RBM | DBM, negative: Rule, *given: Given) -> DBM | None:
    """The deep Boltzmann machine whose positive phase is mean field; None for an RBM, whose positive phase is exact.

    Raises TypeError for models that `fit` does not train; ValueError if the positive phase of a deep machine would be wrong.
    """
    if isinstance(model, RBM):
        return None
    if not isinstance(model, DBM):
        advice = "hm.greedy and hm.wake_sleep learn nets" if isinstance(model, DBN) else "write the gradient with model.accumulate_gradient"
        raise TypeError(f"hm.fit learns an RBM or a deep Boltzmann machine, found {type(model).__name__}: {advice}")
    if any(given):
        raise ValueError("a deep Boltzmann machine learns from complete cases only, found given=...")
    if not negative.contrasts:
        raise ValueError(f"{type(negative).__name__} needs free energies of the data, and a deep Boltzmann machine has none in closed form")
    for number, unit in enumerate(model.layers[2::2]):
        if unit.statistic_is_learnt:
            raise ValueError(
                f"mean field keeps only the means of the even hidden layers, and the learnt variance of layer {2 * number + 2} needs "
                "the mean of their squares: fix the variance, or put the layer at an odd place"
            )
    return model


def sweeps_of(deep: DBM | None, sweeps: int | None) -> int:
    """The number of sweeps of the positive phase: of mean field, or of clamped Gibbs sampling if values are missing."""
    found = (OF_MISSING if deep is None else SWEEPS) if sweeps is None else sweeps
    if found < 1:
        what = "missing values take at least one sweep of clamped Gibbs sampling" if deep is None else "mean field takes at least one sweep"
        raise ValueError(f"{what}, found sweeps={sweeps}")
    return found


@torch.no_grad()
def dbm_metrics(model: DBM, training: Tensor, validation: Tensor | None, *, sweeps: int) -> dict[str, float]:
    """Metrics of a machine on a fixed part of its training data and, if there are any, of the validation data.

    `mean_field_change`: the change of hidden units' means in the last of `sweeps` sweeps, averaged over units and cases; if it is small,
    they suffice. `reconstruction_error`: squared error of v → mean field → E[v | mean of h1], summed over a case's units, averaged over
    cases. `free_energy_gap`: nats per case, of the variational free energy; its difference is that of the bounds. `dead` and `saturated`:
    shares of binary hidden units, of all layers, whose mean stays below 0.1, or above 0.9, on every one of the cases.
    """
    found = model.mean_field(training, sweeps=sweeps)
    _, *hidden = model.split(found.phase.v, found.phase.hidden_mean)
    error = model.visible_mean(hidden) - training
    metrics = {"reconstruction_error": error.square().sum(1).mean().item(), "mean_field_change": found.change.mean().item()}
    binary = [means for unit, means in zip(model.layers[1:], hidden, strict=True) if isinstance(unit, Bernoulli)]
    if binary:
        means = torch.cat(binary, dim=1)
        metrics["dead"] = (means.amax(0) < 0.1).double().mean().item()
        metrics["saturated"] = (means.amin(0) > 0.9).double().mean().item()
    if validation is not None:
        alike = model.variational_free_energy(found)[: len(validation)].double().mean()
        held = model.variational_free_energy(model.mean_field(validation, sweeps=sweeps)).double().mean()
        metrics["free_energy_gap"] = (held - alike).item()
    return metrics
