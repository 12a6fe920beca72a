"""A bound on the weights into each hidden unit."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from harmonium.learning.rules.rule import Slots
from harmonium.learning.transforms.transform import Transform
from harmonium.models import RBM
from harmonium.units.checks import as_number

LAYERS = (nn.Linear, nn.Conv1d, nn.Conv2d, nn.Conv3d)


class MaxNorm(Transform):
    """Rescales the weights into a unit after each update if their norm has grown above a bound (Hinton et al. 2012, appendix A).

    Weights that do not learn at the moment stay as they are. In `fine_tune` the argument `max_norm` adds this transform.

    Parameters
    ----------
    bound : float
        The largest norm of the weights into one unit, above 0.
    weights : sequence of torch.Tensor
        (units, inputs, ...) each: the parameters of layers of units.
    replicas : bool, default False
        Whether they are (replicas, units, inputs, ...).

    Raises
    ------
    ValueError
        For another bound.

    Notes
    -----
    w ← w · min(1, bound / ‖w‖). See Hinton, Srivastava, Krizhevsky, Sutskever & Salakhutdinov (2012), arXiv:1207.0580.
    """

    def __init__(self, bound: float, weights: Sequence[Tensor], *, replicas: bool = False) -> None:
        if not 0 < as_number(bound) < math.inf:
            raise ValueError(f"max_norm= is the largest norm of the weights into a hidden unit, above 0, found {bound!r}")
        self.bound, self.weights, self.first = bound, weights, 2 if replicas else 1

    @torch.no_grad()
    def after(self, model: RBM | nn.Module, slots: Slots) -> None:
        for weight in self.weights:
            if weight.requires_grad:
                norms = torch.linalg.vector_norm(weight, dim=tuple(range(self.first, weight.dim())), keepdim=True)
                weight.mul_((self.bound / norms).clamp_(max=1.0))


def into_hidden_units(net: nn.Module) -> list[str]:
    """The names of the weights of a net's linear and convolutional modules, but those of the last one, which gives the outputs."""
    found = [f"{name}.weight".lstrip(".") for name, module in net.named_modules() if isinstance(module, LAYERS)]
    return found[:-1]
