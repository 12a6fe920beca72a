"""A last step after learning: visible biases with which the mean field's next frame errs least."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from harmonium.data import past_frames
from harmonium.models import RBM
from harmonium.recipes.motion.conditional_layers import frames_of_context, mean_field
from harmonium.recipes.motion.linear_prediction import ridge
from harmonium.units import Given

ROUNDS = 3  # what hidden units say depends on the biases, which are found anew by it


@torch.no_grad()
def settle(rbm: RBM, pieces: Sequence[Tensor], penalty: float, sweeps: int) -> None:
    """Change a machine's visible biases, constant and dynamic, by ridge regression of what the mean field leaves of the next frame.

    Contrastive divergence compares a frame with its own reconstruction, and with noise on the past. The mean field does not see the frame.

    Parameters
    ----------
    rbm
        A machine that has learnt, changed in place.
    pieces
        (time, numbers) each: what it has learnt from.
    penalty
        Of the squared change of the dynamic biases, beside the mean squared error of a frame.
    sweeps
        Of the mean field.
    """
    frames, contexts = past_frames(pieces, frames_of_context(rbm))
    given, before = Given(context=contexts), contexts[:, -frames.shape[1] :]
    dynamic, constant = rbm.coupling.get_parameter("dynamic.visible"), rbm.visible.get_parameter("bias")
    learnt = dynamic.clone(), constant.clone()
    for _ in range(ROUNDS):
        left = frames - mean_field(rbm, before, given, sweeps) + contexts @ (dynamic - learnt[0]) + constant - learnt[1]
        change = ridge(contexts, left, penalty)
        for parameter, own, each in zip((dynamic, constant), learnt, change, strict=True):
            parameter.copy_(own + each)
