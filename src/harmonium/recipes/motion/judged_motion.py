"""Errors of prediction, whether generated walks stay in the range of captured ones, and errors of missing joints."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import NamedTuple

import torch
from torch import Tensor

from harmonium.recipes.motion.walks import Walks, windows
from harmonium.runs.contract import Metric

SECOND = 30  # frames
LIMITS = (0.01, 0.99)  # quantiles of captured seconds between which a generated one is in range
TOLD = (1, 2, 3, 5, 10, 15, 20, 30)  # steps of which every model is recorded; of the main ones every step is


class Errors(NamedTuple):
    """Mean squared errors of standardised numbers.

    Attributes
    ----------
    by_step : Tensor
        (steps,).
    by_piece : Tensor
        (pieces, steps): of each held-out piece, whose windows overlap, so that standard errors are over pieces.
    """

    by_step: Tensor
    by_piece: Tensor


def errors(predicted: Tensor, future: Tensor, piece: Tensor) -> Errors:
    """Of predictions, (windows, steps, numbers), beside what came; `piece`: (windows,), the piece each window is of."""
    squared = (predicted - future).square().mean(2).double()
    return Errors(squared.mean(0), torch.stack([squared[piece == number].mean(0) for number in range(int(piece.max()) + 1)]))


def metrics(found: Mapping[str, Errors], main: str, beside: str) -> list[Metric]:
    """Every step of the machine and of AR(n), some of the others, and how the first two differ piece by piece.

    Parameters
    ----------
    found
        Of each model, by name; a name is "" or ends in an underscore.
    main, beside
        The names that are recorded at every step.
    """
    rows: list[Metric] = []
    for name, each in found.items():
        steps = range(1, len(each.by_step) + 1)
        rows += [(f"mse_{name}step_{k}", each.by_step[k - 1].item(), "variances") for k in steps if name in (main, beside) or k in TOLD]
    less = found[beside].by_piece - found[main].by_piece
    rows += [(f"mse_{beside}less_step_{k}", less[:, k - 1].mean().item(), "variances") for k in TOLD if k <= less.shape[1]]
    of_pieces = less.std(0) / math.sqrt(len(less))
    rows += [
        (f"mse_{beside}less_step_{k}_standard_error", of_pieces[k - 1].item(), "variances")
        for k in TOLD
        if k <= less.shape[1] and len(less) > 1
    ]
    ahead = (found[main].by_step <= found[beside].by_step)[1:]
    return [*rows, ("steps_from_2_at_or_below_ar", float(ahead.sum()), f"of {len(ahead)}")]


def seconds_of(walks: Walks, frames: Tensor) -> Tensor:
    """Of each second of a sequence (time, numbers): its energy, the mean square of its numbers, and its mean joint speed in mm a frame."""
    speed = walks.positions(frames).diff(dim=0).norm(dim=2).mean(1)
    energy = frames[1:].double().square().mean(1)
    count = len(speed) // SECOND
    return torch.stack([each[: count * SECOND].reshape(count, SECOND).mean(1) for each in (energy, speed)], dim=1)


def limits(walks: Walks) -> Tensor:
    """(2, 2): the 1 % and 99 % quantiles of energy and speed over all seconds, at every start, of the captured frames learnt from."""
    every = [seconds_of(walks, piece[start:]) for piece in walks.learnt for start in range(SECOND)]
    return torch.cat([each for each in every if len(each)]).quantile(torch.tensor(LIMITS, dtype=torch.float64), dim=0)


def percent_in_range(walks: Walks, generated: Tensor, between: Tensor) -> tuple[float, float]:
    """Of seconds whose energy and speed are both in range, and of walks all of whose seconds are. `generated`: (walks, time, numbers)."""
    seconds = torch.stack([seconds_of(walks, walk) for walk in generated])
    inside = ((seconds >= between[0]) & (seconds <= between[1])).all(2)
    return 100 * inside.double().mean().item(), 100 * inside.all(1).double().mean().item()


def nearest_neighbour(walks: Walks, past: int, before: Tensor, shown: Tensor, missing: Tensor) -> Tensor:
    """Missing numbers from the learnt stretch of frames, the present one and those before it, whose known numbers are nearest.

    Parameters
    ----------
    walks
        What was learnt from.
    past
        How many frames before the present one are compared.
    before, shown, missing
        As for `filled_in`: whole frames, then frames of which some numbers are not looked at. Of the former's, too, only known ones are.
    """
    kept = windows(walks.learnt, past, 1)
    learnt = torch.cat([kept[0], kept[1]], dim=1)
    known = learnt[:, :, ~missing].flatten(1)
    whole = torch.cat([before[:, before.shape[1] - past :], shown], dim=1)
    made = []
    for time in range(shown.shape[1]):
        seen = whole[:, time : time + past + 1, ~missing].flatten(1)
        frame = shown[:, time].clone()
        frame[:, missing] = learnt[torch.cdist(seen, known).argmin(1), -1][:, missing]
        made.append(frame)
    return torch.stack(made, dim=1)
