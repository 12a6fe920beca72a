"""The kinds of machine that are compared, and what one comes to: made, learnt, and its predictions."""

from __future__ import annotations

import dataclasses
import math
import time
from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor

from harmonium.couplings.products import Precision
from harmonium.data.rating_table import Ratings
from harmonium.recipes.ratings.learning import Learning, contrastive, learn, predictive, start
from harmonium.recipes.ratings.rated_cases import Measure, by_bins, by_levels, rated, standardised
from harmonium.recipes.ratings.rating_machine import Rated, RatingMachine
from harmonium.seeds import derive
from harmonium.units import Bernoulli, Gaussian

Watch = Callable[[str, int, float, float, float], None]  # part of learning, epoch, seconds, loss of a rating, RMSE of the judged


@dataclasses.dataclass(frozen=True)
class Machine:
    """A machine and its learning."""

    by_items: bool = True
    """A case is an item, and its units are users; otherwise a case is a user."""
    variance: float = 0.0
    """Of Gaussian visible units, over that of the ratings; 0 for softmax units."""
    bins: int = 0
    """Categories of real ratings for softmax units; 0 for the levels of the scale."""
    degree: int = 1
    """Of the polynomials of the rating that an item's own weights are made of; -1 for a weight per category, as in the paper."""
    hidden: int = 30
    """Hidden units."""
    gaussian_hidden: bool = False
    """Hidden units of unit variance, in place of binary ones."""
    rank: int = 0
    """Factors of the items' own weights; 0 leaves them whole."""
    conditional: bool = True
    """Whether hidden units also see which places are rated, those to be judged by too."""
    learning: Learning = Learning()


class Predicted(NamedTuple):
    """What a machine predicts, on the scale: the means and the modes of the judged ratings, and the means after contrastive divergence."""

    mean: Tensor
    mode: Tensor
    contrastive: Tensor


def measure_of(how: Machine, learnt: Ratings) -> Measure:
    """How ratings are states of the machine's units."""
    if how.variance:
        return standardised(learnt.values)
    return by_bins(learnt.values, how.bins) if how.bins else by_levels(learnt.scale)


def basis_of(how: Machine, size: int) -> Tensor:
    """(columns, size): orthogonal polynomials over the categories, or the identity."""
    if how.variance or how.degree < 0:
        return torch.eye(size)
    powers = torch.linspace(-1, 1, size, dtype=torch.float64)[:, None] ** torch.arange(how.degree + 1)
    columns: Tensor = torch.linalg.qr(powers)[0]
    return math.sqrt(size) * columns.T.float()


def made(how: Machine, measure: Measure, items: int, seed: int) -> RatingMachine:
    """An untrained machine of so many items."""
    visible = measure.unit(how.variance)
    hidden = Gaussian(how.hidden, variance=1.0) if how.gaussian_hidden else Bernoulli(how.hidden)
    basis = basis_of(how, len(measure.values))
    return RatingMachine(visible, hidden, items, basis, rank=how.rank, conditional=how.conditional, seed=seed)


def learn_and_predict(
    how: Machine,
    learnt: Ratings,
    judged: Ratings,
    seed: int,
    watch: Watch,
    *,
    device: str = "cpu",
    precision: Precision = "float32",
) -> tuple[RatingMachine, Predicted]:
    """A machine that has learnt, and what it predicts of the judged ratings.

    Parameters
    ----------
    how
        The machine and its learning.
    learnt, judged
        Ratings of the same users and items.
    seed
        Of weights, order and draws.
    watch
        Is told of each epoch.
    device, precision
        Where it learns, and the precision of the products in an update.
    """
    if how.by_items:
        learnt, judged = learnt.transposed(), judged.transposed()
    measure = measure_of(how, learnt)
    seen = rated(learnt, judged, measure).to(device)
    machine = made(how, measure, len(learnt.item_names), derive(seed, 0)).to(device)
    start(machine, seen, how.learning.prior)
    kinds = (
        ("contrastive divergence", contrastive(machine, how.learning.steps), how.learning.contrastive),
        ("prediction", predictive(machine), how.learning.predictive),
    )
    began, after = time.monotonic(), predictions(machine, measure, seen, judged)[0]
    first = after
    for place, (part, loss, epochs) in enumerate(kinds):
        for epoch, found in enumerate(learn(machine, seen, how.learning, loss, epochs, derive(seed, 1, place), precision), 1):
            after = predictions(machine, measure, seen, judged)[0]
            watch(part, epoch, time.monotonic() - began, found, rmse(after, judged.values))
        first = after if place == 0 else first
    mean, mode = predictions(machine, measure, seen, judged)
    return machine, Predicted(mean, mode, first)


@torch.no_grad()
def predictions(machine: RatingMachine, measure: Measure, seen: Rated, judged: Ratings) -> tuple[Tensor, Tensor]:
    """The means and the modes of ratings that are not seen, on the scale; they are on the CPU."""
    device = seen.states.device
    input = machine.prediction_input(seen, judged.users.to(device), judged.items.to(device))
    low, high = judged.scale.low, judged.scale.high
    mean, mode = (measure.ratings(each(input).cpu()).clamp(low, high) for each in (machine.visible.mean, machine.visible.mode))
    return mean, mode


def rmse(predicted: Tensor, values: Tensor) -> float:
    """The root of the mean squared error."""
    return (predicted.double() - values).square().mean().sqrt().item()


def mae(predicted: Tensor, values: Tensor) -> float:
    """The mean absolute error."""
    return (predicted.double() - values).abs().mean().item()
