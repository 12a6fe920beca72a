"""The metrics of each epoch, which show how the learning of a machine goes."""

from __future__ import annotations

import torch
from torch import Tensor

from harmonium.likelihood import free_energy_gap, pseudo_likelihood
from harmonium.models import RBM
from harmonium.sampling.clamped import draw_missing
from harmonium.sampling.gaps import gaps
from harmonium.units import NOTHING, Bernoulli, Given


@torch.no_grad()
def rbm_metrics(
    model: RBM,
    training: Tensor,
    validation: Tensor | None,
    *,
    generator: torch.Generator,
    given: Given = NOTHING,
    validation_given: Given = NOTHING,
    sweeps: int = 5,
) -> dict[str, float]:
    """Metrics of a machine on a fixed part of its training data and, if there are any, of the validation data.

    `reconstruction_error`: squared error of v → E[h|v] → E[v|h], summed over the seen values of a case, averaged over cases; learning does
    not minimise it. `pseudo_likelihood`: nats per case, for binary visible units without missing values. `free_energy_gap`: nats per case,
    if Z is the same for all cases and no value is missing. `dead` and `saturated`: shares of binary hidden units whose probability stays
    below 0.1, or above 0.9, on every one of the cases. Missing values are drawn by `sweeps` of clamped Gibbs sampling.
    """
    where = gaps(given)
    v, side = draw_missing(model, training, given, steps=sweeps, generator=generator)
    side = model.visible.given_by(v, side)
    phase = model.infer(v, side)
    error = model.visible_mean(phase.hidden_mean, side) - v
    error = error if where is None else torch.where(where, 0.0, error)
    metrics = {"reconstruction_error": error.square().flatten(1).sum(1).mean().item()}
    joint = model.visible.has_joint_energy and model.hidden.has_joint_energy
    if isinstance(model.visible, Bernoulli) and joint and given.missing is None:
        metrics["pseudo_likelihood"] = pseudo_likelihood(model, v, generator=generator, given=side).mean().item()
    if isinstance(model.hidden, Bernoulli):
        metrics["dead"] = (phase.hidden_mean.amax(0) < 0.1).double().mean().item()
        metrics["saturated"] = (phase.hidden_mean.amin(0) > 0.9).double().mean().item()
    one_z = not (side or given or validation_given)  # one partition function, and only the hidden units are summed out
    if validation is not None and joint and one_z:
        metrics["free_energy_gap"] = free_energy_gap(model, v[: len(validation)], validation)
    return metrics
