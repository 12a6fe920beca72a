"""The start of a conditional machine of real-valued frames: linear prediction from the context."""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from torch import Tensor, nn

from harmonium.models import RBM
from harmonium.units import Gaussian, Given
from harmonium.units.groups import leaves

RIDGES = [10.0**power for power in range(-6, 2)]  # multiples of the context's mean variance


class Prediction(NamedTuple):
    """What a context predicts of frames.

    Attributes
    ----------
    means : Tensor
        c A, (cases, *visible.shape), zero where nothing is predicted.
    parameter : Parameter, optional
        The machine's dynamic biases A, (context, visible), if they are to be set.
    matrix : Tensor, optional
        Their new values.
    """

    means: Tensor
    parameter: nn.Parameter | None = None
    matrix: Tensor | None = None

    @torch.no_grad()
    def set(self) -> None:
        """Give the machine these dynamic biases."""
        if self.parameter is not None and self.matrix is not None:
            self.parameter.copy_(self.matrix)


@torch.no_grad()
def linear_prediction(machine: RBM, rows: Tensor, weights: Tensor | None, given: Given) -> Prediction:
    """Dynamic biases with which the Gaussian visible units predict the frames linearly; a machine's own ones, where they are not zero.

    The machine then starts at the base rates of frames given their contexts, as one without a context starts at those of the data. From
    zero, thousands of updates would go into the same prediction, and until then the frames that a machine generates may grow without bound.

    Parameters
    ----------
    machine : RBM
        The machine, which is not changed.
    rows : Tensor
        Frames, (cases, *visible.shape), without gaps.
    weights : Tensor, optional
        The weight of each case, (cases,).
    given : Given
        What is given of each case.

    Returns
    -------
    Prediction
        Dynamic biases that are zero for other units, or those that were set; none where they are frozen at zero.
    """
    dynamic = getattr(machine.coupling, "dynamic", None)
    if not isinstance(dynamic, nn.ParameterDict) or given.context is None or len(rows) < 2:
        return Prediction(torch.zeros_like(rows))
    matrix = dynamic["visible"]
    real = torch.zeros(matrix.shape[1], dtype=torch.bool, device=matrix.device)
    for start, stop, leaf in leaves(machine.visible):
        real[start:stop] = isinstance(leaf, Gaussian)
    own = bool(matrix.any())
    if not bool(real.any()) or not (own or matrix.requires_grad):
        return Prediction(torch.zeros_like(rows))
    found, context, frames = matrix.clone(), given.context.to(matrix).flatten(1), rows.flatten(1)[:, real]
    if not own:
        found[:, real] = ridge_regression(context.double(), frames.double(), weights).to(found)
    return Prediction((context @ found * real).reshape(rows.shape), matrix, found)


def ridge_regression(inputs: Tensor, outputs: Tensor, weights: Tensor | None = None) -> Tensor:
    """The coefficients, (inputs, outputs), of linear regression with a constant and a ridge penalty.

    Parameters
    ----------
    inputs, outputs : Tensor
        (cases, inputs) and (cases, outputs), float64.
    weights : Tensor, optional
        (cases,).

    Notes
    -----
    The penalty is the multiple of the inputs' mean variance with the least generalised cross-validation (Golub, Heath & Wahba 1979,
    doi:10.1080/00401706.1979.10489751), |y - H y|² / (1 - tr H / n)² for n cases and the hat matrix H, which includes the constant. One
    penalty serves all outputs, each in units of its own variance.
    """
    share = inputs.new_full((len(inputs), 1), 1 / len(inputs)) if weights is None else weights.double()[:, None] / weights.double().sum()
    x, y = inputs - (share * inputs).sum(0), outputs - (share * outputs).sum(0)
    variances, directions = torch.linalg.eigh(x.T @ (share * x))
    variances = variances.clamp_min(0)
    along = directions.T @ (x.T @ (share * y))
    spread = (share * y.square()).sum(0).clamp_min(1e-300)
    best, found = math.inf, torch.zeros_like(along)
    for ridge in RIDGES:
        shrunk = 1 / (variances + ridge * variances.mean()).clamp_min(1e-300)
        free = 1 - (1 + (variances * shrunk).sum().item()) / len(x)
        if free <= 0:
            continue
        explained = ((2 * shrunk - variances * shrunk.square())[:, None] * along.square()).sum(0)
        score = ((spread - explained) / spread).mean().item() / free**2
        if score < best:
            best, found = score, directions @ (shrunk[:, None] * along)
    return found
