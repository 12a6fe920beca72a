"""Two layers of features of real-valued images, rectified or binary, learnt one at a time without labels, or left at random."""

from __future__ import annotations

import dataclasses
import math
import warnings
from collections.abc import Iterator
from functools import partial
from typing import Literal, NamedTuple

import torch
from torch import Tensor

from harmonium.couplings import Dense
from harmonium.learning import ContrastiveDivergence, MomentumSGD, fit
from harmonium.learning.advice import Advice
from harmonium.models import RBM
from harmonium.recipes.shared.run_phase import in_run
from harmonium.runs.folder import Run
from harmonium.seeds import derive
from harmonium.units import Bernoulli, Gaussian, NoisyReLU, Unit

Kind = Literal["rectified", "binary"]
LEAST = 1e-6  # standard deviation that numbers are divided by


@dataclasses.dataclass(frozen=True)
class Features:
    """How two layers of one kind are learnt, one at a time, by CD-1."""

    units: int
    """Of each layer."""
    epochs: int
    """Of each layer, over the views of the training toys."""
    gain: float
    """The mean standard deviation of the pixels. Their variance given the hidden units is 1."""
    gain_above: float
    """The same of what a second rectified layer sees. A second binary layer sees probabilities."""
    learning_rate: float
    rate_above: float
    """Of the second layer."""
    batch_size: int = 50
    momentum: float = 0.9


class Split(NamedTuple):
    """The numbers of the views of the toys to learn from, and of those to be judged on."""

    learnt_from: Tensor
    judged: Tensor


def standardised(values: Tensor, learnt_from: Tensor, gain: float) -> Tensor:
    """Less the mean of the rows learnt from, with `gain` as the mean standard deviation of a column over them."""
    mean, deviation = values[learnt_from].mean(0), values[learnt_from].std(0).mean()
    return (values - mean) * (gain / deviation.clamp_min(LEAST))


def layers(run: Run, kind: Kind, pixels: Tensor, split: Split, how: Features, name: str, seed: int, *, learn: bool) -> Iterator[Tensor]:
    """What the first layer and then the second make of all views: (views, units) each.

    Parameters
    ----------
    run
        The folder of the run.
    kind
        Of the hidden units.
    pixels
        (views, pixels), of all views.
    split
        The views that the layers learn from; the labels have no part in it.
    how
        How they learn.
    name
        Of the split, in the names of the phases.
    seed
        The seed of the weights, the draws and the order of the cases.
    learn
        Whether they learn at all, or stay at their random weights.
    """
    binary = kind == "binary"
    seen = standardised(pixels, split.learnt_from, how.gain)
    visible: Unit = Gaussian(pixels.shape[1], variance=1.0)
    for place, rate in enumerate((how.learning_rate, how.rate_above)):
        rbm = machine(visible, kind, how.units, derive(seed, place))
        if learn:
            learn_layer(run, phase(name, kind, place), rbm, seen[split.learnt_from], how, rate, derive(seed, 2, place))
        found = features(rbm, seen, binary=binary)
        yield found
        visible = Bernoulli(how.units, values="probabilities") if binary else Gaussian(how.units, variance=1.0)
        seen = found if binary else standardised(found, split.learnt_from, how.gain_above)


def learn_layer(run: Run, phase: str, rbm: RBM, data: Tensor, how: Features, rate: float, seed: int) -> None:
    """One machine, in place. Two warnings tell what is meant to be so here.

    The data vary more than the visible units, which is what the gain is for; and rectified units reconstruct such data only at the edge of
    the region where they do not run away, to which each update moves them back.

    Parameters
    ----------
    run, phase
        The folder of the run, and the name of the phase.
    rbm, data
        The machine, and the rows that it learns from.
    how, rate, seed
        How it learns, at which rate, and the seed of the draws and of the order of the rows.
    """
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "in .* updates the weights were pulled back", RuntimeWarning)
        warnings.filterwarnings("ignore", "the variance of the data is", Advice)
        in_run(run, phase, fit)(
            rbm,
            data,
            negative=ContrastiveDivergence(),
            epochs=how.epochs,
            batch_size=how.batch_size,
            optimizer=partial(MomentumSGD, lr=rate, momentum=how.momentum),
            capture=data.is_cuda,
            seed=seed,
        )


def phase(name: str, kind: Kind, place: int) -> str:
    """The name of the phase in which a layer learns; the first layer is in place 0, and `name` is that of a split, if there are several."""
    return f"{name} {kind} layer {place + 1}".strip()


def machine(visible: Unit, kind: Kind, units: int, seed: int) -> RBM:
    """An untrained machine whose random weights have a spectral norm of about 1: with more, rectified units would run away."""
    hidden: Unit = Bernoulli(units) if kind == "binary" else NoisyReLU(units)
    return RBM(visible, hidden, Dense(visible.shape[0], units, scale=1 / (math.sqrt(visible.shape[0]) + math.sqrt(units)), seed=seed))


@torch.no_grad()
def features(rbm: RBM, v: Tensor, *, binary: bool) -> Tensor:
    """Probabilities of binary units, and what rectified ones give without their noise: (cases, units)."""
    return rbm.hidden_mean(v) if binary else rbm.hidden.mode(rbm.hidden_input(v))
