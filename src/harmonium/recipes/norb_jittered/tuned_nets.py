"""Nets of one and of two layers of a kind of hidden units, from learnt and from random weights, fine-tuned with labels."""

from __future__ import annotations

import dataclasses
from functools import partial

import torch
from torch import Tensor, nn

from harmonium.couplings import Dense
from harmonium.data import standardise
from harmonium.data.norb import NAMES
from harmonium.learning import MomentumSGD, Schedule, fine_tune
from harmonium.models import DBN, RBM
from harmonium.nets import classifier
from harmonium.recipes.shared.feature_layers import Features, Kind, features, learn_layer, machine, phase
from harmonium.recipes.shared.random_weights import spread
from harmonium.recipes.shared.run_phase import in_run
from harmonium.runs.folder import Run
from harmonium.seeds import derive
from harmonium.units import Bernoulli, Gaussian, NoisyReLU, Unit

CLASSES = len(NAMES) + 1  # and no toy
STARTS: dict[str, tuple[bool, ...]] = {
    "one_layer": (False,),
    "one_layer_pretrained": (True,),
    "two_layers": (False, False),
    "two_layers_first_pretrained": (True, False),
    "two_layers_pretrained": (True, True),
}
"""Whether each layer of a net begins as it was learnt without labels."""


@dataclasses.dataclass(frozen=True)
class Tuning:
    """How nets of a kind are fine-tuned, at a rate that falls linearly to zero; they end at the epoch that errs least on held-out toys."""

    learning_rate: float
    """Where a layer is pre-trained, at first."""
    random_rate: float
    """Where none is."""
    epochs: int = 30
    batch_size: int = 100
    momentum: float = 0.9
    weight_cost: float = 1e-4


def widths(inputs: int, units: int) -> tuple[int, int, int]:
    """Numbers of inputs, and of units of either layer: the second has half as many, as in the paper."""
    return inputs, units, max(units // 2, 1)


def learnt_layers(run: Run, kind: Kind, seen: Tensor, how: Features, seed: int) -> list[RBM]:
    """Two layers learnt without labels, one after the other, as layers of a net: the second takes what the first one gives, as it is.

    Parameters
    ----------
    run, kind
        The folder of the run, and the kind of hidden units.
    seen
        (cases, pixels) to learn from, of mean 0 and mean deviation 1.
    how, seed
        How they learn, and the seed of their weights and draws.
    """
    inputs, units, above = widths(seen.shape[1], how.units)
    first = machine(Gaussian(inputs, variance=1.0), kind, units, derive(seed, 0)).to(seen.device)
    learn_layer(run, phase("", kind, 0), first, seen, how, how.learning_rate, derive(seed, 2))
    below = features(first, seen, binary=kind == "binary")
    if kind == "binary":
        second = machine(Bernoulli(units, values="probabilities"), kind, above, derive(seed, 1)).to(seen.device)
        learn_layer(run, phase("", kind, 1), second, below, how, how.rate_above, derive(seed, 3))
        return [first, second]
    standard = standardise(below)
    second = machine(Gaussian(units, variance=1.0), kind, above, derive(seed, 1)).to(seen.device)
    learn_layer(run, phase("", kind, 1), second, standard(below), how, how.rate_above, derive(seed, 3))
    shift = torch.zeros(units) if standard.mean is None else standard.mean
    return [first, unstandardised(second, shift.to(seen), float(standard.deviation))]


@torch.no_grad()
def unstandardised(rbm: RBM, mean: Tensor, deviation: float) -> RBM:
    """The machine in place, for inputs x where it learnt from (x - mean) / deviation: its hidden units have the same total inputs.

    Parameters
    ----------
    rbm
        Learnt from standardised inputs, (cases, below).
    mean, deviation
        (below,), and the one number that all inputs were divided by.
    """
    weight, bias = rbm.coupling.get_parameter("weight"), rbm.hidden.get_parameter("bias")
    weight.div_(deviation)
    bias.sub_(mean @ weight)
    return rbm


def random_layer(kind: Kind, below: int, units: int, seed: int) -> RBM:
    """A layer whose weights are of a size fit for backpropagation (Glorot & Bengio 2010).

    Parameters
    ----------
    kind
        Of its units.
    below, units
        Numbers of inputs and of units.
    seed
        Of the weights.
    """
    hidden: Unit = Bernoulli(units) if kind == "binary" else NoisyReLU(units)
    coupling = Dense(below, units, scale=spread(below, units, linear=kind == "rectified"), seed=seed)
    return RBM(Gaussian(below, variance=1.0), hidden, coupling)


def net_of(kind: Kind, start: str, learnt: list[RBM], seed: int) -> nn.Sequential:
    """A net of layers learnt or at random below a softmax layer; random layers of one seed are the same in every net of a kind.

    Parameters
    ----------
    kind, start
        Of hidden units; and one of `STARTS`.
    learnt
        Both learnt layers.
    seed
        Of the random layers and of the softmax layer.
    """
    layers = []
    for place, (own, pretrained) in enumerate(zip(learnt, STARTS[start], strict=False)):
        (below,), (units,) = own.visible.shape, own.hidden.shape
        layers.append(own if pretrained else random_layer(kind, below, units, derive(seed, place)).to(own.visible.zero_input()))
    return classifier(DBN(layers), CLASSES, seed=derive(seed, 2), scale=0.01)


def tune(
    run: Run,
    phase: str,
    net: nn.Sequential,
    learnt: tuple[Tensor, Tensor],
    valid: tuple[Tensor, Tensor],
    how: Tuning,
    rate: float,
    seed: int,
) -> None:
    """Backpropagation, in place; the net ends with the weights that err least on the held-out toys.

    Parameters
    ----------
    run, phase
        The folder of the run, and the name of the phase.
    net
        The net.
    learnt, valid
        Pixels and categories: of the toys to learn from, and of those held out.
    how, rate, seed
        How it learns, at which rate at first, and the seed of the order of the cases.
    """
    in_run(run, phase, fine_tune)(
        net,
        *learnt,
        validation=valid,
        epochs=how.epochs,
        head_epochs=0,
        batch_size=how.batch_size,
        optimizer=partial(MomentumSGD, lr=rate, momentum=how.momentum),
        schedule=partial(Schedule, lr=lambda epoch: 1 - epoch / how.epochs),
        weight_cost=how.weight_cost,
        capture=learnt[0].is_cuda,
        seed=seed,
    )
