"""Deep nets of the states of phones, pre-trained layer by layer or not (Mohamed, Dahl & Hinton 2012)."""

from __future__ import annotations

import dataclasses
from functools import partial
from itertools import accumulate, pairwise

from torch import Tensor, nn

from harmonium.couplings import Dense
from harmonium.data import StackedFrames
from harmonium.learning import Callback, ContrastiveDivergence, MomentumSGD, TrainingState, features, fine_tune, fit
from harmonium.models import DBN, RBM
from harmonium.recipes.phones.mixture_phones import Inputs
from harmonium.recipes.shared.random_weights import spread
from harmonium.runs.folder import Run
from harmonium.seeds import derive
from harmonium.units import Bernoulli, Gaussian

TRIES = 5  # epochs in a row that may err more than the best one, each at half of the rate before
Examples = tuple[StackedFrames, Tensor]  # windows, and the state of each one's middle frame


@dataclasses.dataclass(frozen=True)
class Layers:
    """The hidden layers, and how they are learnt without labels, one at a time, by CD-1."""

    units: int = 2048
    """Of each layer."""
    depths: tuple[int, ...] = (1, 2, 3, 4)
    """Hidden layers of the nets that are compared."""
    inputs: Inputs = "cepstra"
    """What the nets see of a frame: the mixtures' 39 numbers, or 40 log filters and the energy with their deltas, 123."""
    frames: int = 11
    """Of a window."""
    first_epochs: int = 60
    """Of the layer that sees the features."""
    epochs: int = 20
    """Of the others."""
    first_rate: float = 0.002
    rate: float = 0.02
    momentum: float = 0.9
    weight_cost: float = 2e-4
    batch_size: int = 128


@dataclasses.dataclass(frozen=True)
class Descent:
    """How the nets learn the states."""

    epochs: int = 40
    """At most."""
    rate: float = 0.5
    enough: float = 0.5
    """The rate is halved after each epoch from the first one on that lowers the error on validation by less, in percentage points."""
    least: float = 0.1
    """Learning ends after an epoch of halved rate that lowers it by less, if it lowers it at all."""
    momentum: float = 0.5
    dropout: float = 0.2
    """The share of hidden units that are left out."""
    batch_size: int = 128


class Newbob(Callback):
    """The rate stays as it is while epochs gain on the validation cases, then is halved after each one, until these gain nothing more.

    After an epoch that errs more, learning goes on from the best weights at half of the rate. Five such epochs in a row end it.

    Parameters
    ----------
    enough
        Halving begins after the first epoch by which the least error so far falls by less, in percentage points.
    least
        Learning ends after an epoch of halved rate by which it falls by less, if it falls.
    metric
        Of the rows of the history.

    Notes
    -----
    The schedule of ICSI's QuickNet for nets of phones, which has 0.5 points to begin halving and to end, and ends after an epoch that errs
    more: momentum and a high rate make such epochs early on.
    """

    def __init__(self, enough: float, least: float, metric: str = "validation_error_percent") -> None:
        self.enough, self.least, self.metric = enough, least, metric

    def on_epoch(self, state: TrainingState) -> None:
        errors = [row[self.metric] for row in state.history]
        gains = [before - after for before, after in pairwise(accumulate(errors, min))]
        if not gains:
            return
        if gains[-1] == 0:
            state.model.load_state_dict(state.best)
        halved = any(gain < self.enough for gain in gains[:-1])
        if halved or gains[-1] < self.enough:
            for group in state.optimizer.param_groups:
                group["lr"] /= 2
        in_vain = len(gains) >= TRIES and not any(gains[-TRIES:])
        state.stopped = in_vain or (halved and 0 < gains[-1] < self.least)


def pretrain(run: Run, phase: str, windows: StackedFrames, how: Layers, device: str, seed: int) -> DBN:
    """The deepest stack: Gaussian visible units of variance 1, and binary hidden ones. Shallower nets are its lower part.

    Parameters
    ----------
    run, phase
        The folder of the run, and what the phases' names begin with.
    windows, how
        What is learnt from, and how.
    device, seed
        Where, and the seed of weights and draws.
    """
    rbms: list[RBM] = []
    for place, (below, above) in enumerate(pairwise([windows.shape[1], *[how.units] * max(how.depths)])):
        visible = Bernoulli(below, values="probabilities") if place else Gaussian(below, variance=1.0)
        rbm, name = RBM(visible, Bernoulli(above), seed=derive(seed, place)).to(device), f"{phase} {place + 1}"
        fit(
            rbm,
            features(windows, *rbms),
            negative=ContrastiveDivergence(),
            epochs=how.epochs if place else how.first_epochs,
            batch_size=how.batch_size,
            optimizer=partial(MomentumSGD, lr=how.rate if place else how.first_rate, momentum=how.momentum),
            weight_cost=how.weight_cost,
            precision=run.precision,
            seed=derive(seed, 10, place),
            callbacks=run.callbacks(name),
            checkpoint=run.checkpoint(name),
            progress=False,
        )
        rbms.append(rbm)
    return DBN(rbms)


def untrained(inputs: int, how: Layers, seed: int) -> DBN:
    """The same stack with random weights, as large as Glorot & Bengio (2010) have them for logistic units."""
    sizes = enumerate(pairwise([inputs, *[how.units] * max(how.depths)]))
    couplings = [Dense(below, above, scale=spread(below, above), seed=derive(seed, place)) for place, (below, above) in sizes]
    first, *others = (RBM(Bernoulli(each.visible[0], values="probabilities"), Bernoulli(each.hidden[0]), each) for each in couplings)
    return DBN([RBM(Gaussian(inputs, variance=1.0), first.hidden, first.coupling), *others])


def learn_states(run: Run, phase: str, net: nn.Module, train: Examples, validation: Examples, how: Descent, seed: int) -> None:
    """Backpropagation, in place, from the weights that a net has. It ends as it was when it erred least on validation.

    Parameters
    ----------
    run, phase
        The folder of the run, and the name of the phase.
    net
        With a softmax over the states on top.
    train, validation
        Windows, and the states of their middle frames.
    how, seed
        How it learns, and the seed of the order of the frames.
    """
    fine_tune(
        net,
        *train,
        validation=validation,
        epochs=how.epochs,
        head_epochs=0,
        batch_size=how.batch_size,
        optimizer=partial(MomentumSGD, lr=how.rate, momentum=how.momentum),
        precision=run.precision,
        seed=seed,
        callbacks=[Newbob(how.enough, how.least), *run.callbacks(phase)],
        checkpoint=run.checkpoint(phase),
        progress=False,
    )
