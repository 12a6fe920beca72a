"""What the fine-tuning of one net and of replicas have in common."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import nullcontext

from torch import Tensor, nn

from harmonium.learning.backpropagation import Loss, is_classification
from harmonium.learning.loop.averaged_weights import Averaged, averaged_weights
from harmonium.learning.loop.state import TrainingState
from harmonium.learning.loop.trainer import Choice, Chooses
from harmonium.learning.transforms import Averaging, Transform
from harmonium.learning.transforms.max_norm import MaxNorm, into_hidden_units
from harmonium.learning.tuned_cases import Inputs, as_inputs, as_targets, check_cases, input_rows

Cases = tuple[Inputs, Tensor]


def tuning_transforms(
    net: nn.Module, many: nn.Module | None, max_norm: float | None, averaging: float | None, averaged: bool
) -> list[Transform]:
    """What changes the weights after the optimiser's step.

    Parameters
    ----------
    net : torch.nn.Module
        The net, or a pattern of replicas.
    many : torch.nn.Module, optional
        The module of the replicas' stacked parameters.
    max_norm, averaging, averaged
        As for `fine_tune`.

    Raises
    ------
    ValueError
        For settings that cannot be combined.
    """
    found: list[Transform] = []
    if max_norm is not None:
        names = into_hidden_units(net)
        if not names:
            raise ValueError("max_norm= bounds the weights into hidden units: the net has no linear or convolutional module below its last")
        weights = [(many or net).get_parameter(name) for name in names]
        found.append(MaxNorm(max_norm, weights, replicas=many is not None))
    if averaging is not None:
        found.append(Averaging(averaging))
    elif averaged:
        raise ValueError("averaged=True ends with the averaged weights: give averaging=, the share of the steps to average over")
    return found


def checked_validation(net: nn.Module, validation: Cases | None, loss: Loss) -> Cases | None:
    """Validation cases as inputs and targets. Raises ValueError for what the net cannot take, now and not only after an epoch."""
    if validation is None:
        return None
    inputs, targets = as_inputs(validation[0]), as_targets(validation[1], loss)
    check_cases(net, inputs, targets, loss)
    input_rows(net, inputs, next(net.parameters()).detach())
    return inputs, targets


def chosen_by(kind: Callable[[str, int | None], Choice], held: Cases | None, patience: int | None, averaged: bool) -> Chooses | None:
    """What chooses the best epoch: the error on validation cases, or their loss if they are no labels; None without any."""
    if held is None:
        return None
    choice = kind("validation_error_percent" if is_classification(held[1]) else "validation_loss", patience)
    return Averaged(choice) if averaged else choice


def measured(state: TrainingState, figures: Callable[[], dict[str, float]], averaged: bool) -> Callable[[], dict[str, float]]:
    """Figures of a training; those of its averaged parameters, if they are asked for."""

    def metrics() -> dict[str, float]:
        with averaged_weights(state) if averaged else nullcontext():
            return figures()

    return metrics
