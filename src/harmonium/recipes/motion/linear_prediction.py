"""Linear prediction from the last frames, AR(n), with a ridge penalty: what conditional machines are compared with."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from harmonium.data import past_frames


class Autoregression(NamedTuple):
    """Frames as a linear function of the frames before them.

    Attributes
    ----------
    past : int
        n, the number of frames that it sees.
    weights : Tensor
        (n · numbers, numbers) float64, oldest frame first.
    constant : Tensor
        (numbers,) float64.
    """

    past: int
    weights: Tensor
    constant: Tensor

    def continued(self, past: Tensor, frames: int) -> Tensor:
        """The frames that follow, each predicted from those before it: (sequences, frames, numbers) of (sequences, time, numbers)."""
        window, made = past[:, past.shape[1] - self.past :].double(), []
        for _ in range(frames):
            made.append(window.flatten(1) @ self.weights + self.constant)
            window = torch.cat([window[:, 1:], made[-1][:, None]], dim=1)
        return torch.stack(made, dim=1).float()


def ridge(inputs: Tensor, outputs: Tensor, penalty: float) -> tuple[Tensor, Tensor]:
    """Weights, (inputs, outputs), and a constant that make the mean squared error plus penalty · |weights|² least, in float64."""
    x, y = inputs.double(), outputs.double()
    x_mean, y_mean = x.mean(0), y.mean(0)
    x, y = x - x_mean, y - y_mean
    weights = torch.linalg.solve(x.T @ x + penalty * len(x) * torch.eye(x.shape[1], dtype=x.dtype), x.T @ y)
    return weights, y_mean - x_mean @ weights


def autoregression(pieces: Sequence[Tensor], past: int, penalty: float) -> Autoregression:
    """AR(n) of pieces.

    Parameters
    ----------
    pieces
        (time, numbers) each.
    past
        n, the number of frames that it sees.
    penalty
        Of the squared weights, beside the mean squared error of a frame.
    """
    frames, contexts = past_frames(pieces, past)
    return Autoregression(past, *ridge(contexts, frames, penalty))


def filled_in(pieces: Sequence[Tensor], past: int, penalty: float, before: Tensor, shown: Tensor, missing: Tensor) -> Tensor:
    """Missing numbers, each frame's predicted linearly from its other numbers and from the n frames before, as far as filled in.

    Parameters
    ----------
    pieces, past, penalty
        As for `autoregression`.
    before, shown
        (sequences, time, numbers) and (sequences, frames, numbers): whole frames, and the frames after them.
    missing
        (numbers,) booleans: those of `shown` that are not looked at.
    """
    frames, contexts = past_frames(pieces, past)
    weights, constant = ridge(torch.cat([contexts, frames[:, ~missing]], dim=1), frames[:, missing], penalty)
    window, made = before[:, before.shape[1] - past :].double(), []
    for time in range(shown.shape[1]):
        frame = shown[:, time].double()
        frame[:, missing] = torch.cat([window.flatten(1), frame[:, ~missing]], dim=1) @ weights + constant
        window = torch.cat([window[:, 1:], frame[:, None]], dim=1)
        made.append(frame)
    return torch.stack(made, dim=1).float()
