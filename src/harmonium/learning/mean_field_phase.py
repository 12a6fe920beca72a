"""The mean-field positive phase of a deep Boltzmann machine (Salakhutdinov & Hinton 2009)."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from harmonium.learning.rules import Rule
from harmonium.models import DBM, Phase
from harmonium.units import Bernoulli, Given

SWEEPS = 10  # by default: the usual number in the literature


class MeanFieldPhase:
    """The positive phase of a deep Boltzmann machine: `sweeps` sweeps of mean field, by default 10.

    Raises ValueError where it would be wrong: for side information, for a rule that needs free energies of the data, for fewer than one
    sweep, and for learnt variances of even hidden layers.
    """

    def __init__(self, model: DBM, rule: Rule, sweeps: int | None, *given: Given) -> None:
        self.model, self.sweeps = model, SWEEPS if sweeps is None else sweeps
        if self.sweeps < 1:
            raise ValueError(f"mean field takes at least one sweep, found sweeps={sweeps}")
        if any(given):
            raise ValueError("a deep Boltzmann machine learns from complete cases only, found given=...")
        if not rule.contrasts:
            raise ValueError(f"{type(rule).__name__} needs free energies of the data, and a deep Boltzmann machine has none in closed form")
        for number, unit in enumerate(model.layers[2::2]):
            if unit.statistic_is_learnt:
                raise ValueError(
                    f"mean field keeps only the means of the even hidden layers, and the learnt variance of layer {2 * number + 2} needs "
                    "the mean of their squares: fix the variance, or put the layer at an odd place"
                )

    def __call__(self, v: Tensor, given: Given, generator: torch.Generator) -> tuple[Phase, Given]:
        return self.model.mean_field(v, sweeps=self.sweeps).phase, given

    def states(self, rows: Tensor) -> Tensor:
        return self.model.mean_field(rows).phase.v

    def settings(self, given: Given) -> dict[str, Any]:
        return {"given": None, "sweeps": self.sweeps}

    def metrics(
        self, training: Tensor, given: Given, held: Tensor | None, held_given: Given, generator: torch.Generator
    ) -> dict[str, float]:
        return dbm_metrics(self.model, training, held, sweeps=self.sweeps)


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
