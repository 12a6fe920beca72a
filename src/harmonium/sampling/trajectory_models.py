"""What the models of one training run have in common, and how likely two of them are to exchange their states."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from harmonium.models import RBM
from harmonium.models.saving import describe
from harmonium.units import NOTHING, Given


def check_alike(models: Sequence[RBM], least: int = 1, given: Given = NOTHING) -> None:
    """Checks the models of a trajectory.

    Raises
    ------
    ValueError
        Unless there are at least `least` models, with the same layers and coupling, each with a partition function.
    TypeError
        If a layer has no energy.
    """
    if len(models) < least:
        raise ValueError(f"expected a trajectory of at least {least} model{'s' * (least > 1)}, found {len(models)}")
    first = describe(models[0])
    for number, model in enumerate(models):
        found = describe(model)
        if found != first:
            differing = next(name for name in first if found.get(name) != first[name])
            raise ValueError(
                f"the models of a trajectory must have the same layers and coupling: number {number} has the {differing} "
                f"{found.get(differing)} and the first {first[differing]}"
            )
        model.check_normalisable(given)


@torch.no_grad()
def acceptance(first: RBM, second: RBM, v_first: Tensor, v_second: Tensor, given: Given = NOTHING) -> Tensor:
    """The probability that two models exchange their states. The hidden units are summed out.

        min(1, p_1(v_2) p_2(v_1) / (p_1(v_1) p_2(v_2)))

    Parameters
    ----------
    first, second : RBM
        The two models.
    v_first, v_second : Tensor
        (chains, *visible.shape), their visible states.
    given : Given, optional
        Side information about each chain.

    Returns
    -------
    Tensor
        (chains,), probabilities.
    """
    return log_ratio_of(first, second, v_first, v_second, given).clamp(max=0).exp()


def log_ratio_of(first: RBM, second: RBM, v_first: Tensor, v_second: Tensor, given: Given) -> Tensor:
    """log p_1(v_2) p_2(v_1) / (p_1(v_1) p_2(v_2)): (chains,)."""
    gain = first.free_energy(v_first, given) - first.free_energy(v_second, given)
    return gain + second.free_energy(v_second, given) - second.free_energy(v_first, given)
