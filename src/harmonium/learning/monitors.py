"""The figures that show at each epoch how the learning of a machine goes."""

from __future__ import annotations

import torch
from torch import Tensor

from harmonium.likelihood import free_energy_gap, pseudo_likelihood
from harmonium.models import RBM
from harmonium.units import Bernoulli, Given, keep_present


@torch.no_grad()
def rbm_figures(
    model: RBM,
    training: Tensor,
    validation: Tensor | None,
    *,
    generator: torch.Generator,
    given: Given | None = None,
    validation_given: Given | None = None,
) -> dict[str, float]:
    """Figures of a machine on a fixed part of its training data and, where there are any, of the validation data.

    `reconstruction_error`: squared error of v → E[h|v] → E[v|h], summed over a case, averaged over cases; not what learning
    minimises. `pseudo_likelihood`: nats a case, for binary visible units. `free_energy_gap`: nats a case. `dead` and `saturated`: shares
    of binary hidden units whose probability stays below 0.1, or above 0.9, on every one of the cases.
    """
    given = model.visible.given_by(training, given)
    phase = model.infer(training, given)
    error = keep_present(model.visible_mean(phase.hidden_mean, given) - training, given).square().flatten(1).sum(1).mean()
    figures = {"reconstruction_error": error.item()}
    if isinstance(model.visible, Bernoulli):
        figures["pseudo_likelihood"] = pseudo_likelihood(model, training, generator=generator, given=given).mean().item()
    if isinstance(model.hidden, Bernoulli):
        figures["dead"] = (phase.hidden_mean.amax(0) < 0.1).double().mean().item()
        figures["saturated"] = (phase.hidden_mean.amin(0) > 0.9).double().mean().item()
    if validation is not None and model.visible.joint and model.hidden.joint:
        few = None if given is None else given.map(lambda field: field[: len(validation)])
        gap = free_energy_gap(model, training[: len(validation)], validation, given=few, validation_given=validation_given)
        figures["free_energy_gap"] = gap
    return figures
