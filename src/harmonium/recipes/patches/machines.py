"""Gaussian-visible RBMs with binary and with rectified hidden units, learnt from whitened patches."""

from __future__ import annotations

import dataclasses
import math
import warnings
from functools import partial

import torch
from torch import Tensor

from harmonium.couplings import Dense
from harmonium.learning import ContrastiveDivergence, MomentumSGD, RestrictedGradient, Schedule, fit
from harmonium.learning.advice import Advice
from harmonium.models import RBM
from harmonium.recipes.shared.run_phase import in_run
from harmonium.runs.folder import Run
from harmonium.seeds import derive
from harmonium.units import Bernoulli, Gaussian, SteppedSigmoid, TruncatedGaussian, Unit

MACHINES = ("gaussian_binary", "stepped_sigmoid", "rectified")
LONGEST = 0.95  # singular value of rectified units' weights at the start: from 1 on there is no partition function


@dataclasses.dataclass(frozen=True)
class Features:
    """How a machine begins, and how it learns by CD-1 with a rate that falls to zero."""

    learning_rate: float
    norm: float
    """Of the weights into a hidden unit at the start, in standard deviations of the patches; less where rectified units take no more."""
    bias: float
    """Of the hidden units at the start: far enough below zero that a unit is seldom on."""
    bound: float = 0.3
    """The largest norm of the gradient of a unit's weights."""
    batch_size: int = 100


def hidden_units(name: str, units: int) -> Unit:
    """The hidden layer of a machine.

    Parameters
    ----------
    name
        One of `MACHINES`.
    units
        How many.
    """
    if name == "gaussian_binary":
        return Bernoulli(units)
    return SteppedSigmoid(units) if name == "stepped_sigmoid" else TruncatedGaussian(units)


def machine(name: str, components: int, units: int, how: Features, seed: int) -> RBM:
    """A machine before learning. One variance, of all visible units, is learnt: white patches have no axes of their own.

    Short weights of white data hardly learn, because what they would learn is beyond correlations. So they begin long, with singular values
    that are all alike.

    Parameters
    ----------
    name, units
        As for `hidden_units`.
    components
        Of a patch.
    how
        How it begins.
    seed
        Of the weights.
    """
    rbm = RBM(Gaussian(components, variance_shape=(1,)), hidden_units(name, units), Dense(components, units, seed=seed))
    with torch.no_grad():
        left, values, right = torch.linalg.svd(rbm.coupling.get_parameter("weight"), full_matrices=False)
        singular = min(how.norm * math.sqrt(units / len(values)), math.inf if name == "gaussian_binary" else LONGEST)
        rbm.coupling.get_parameter("weight").copy_(singular * left @ right)
        rbm.hidden.get_parameter("bias").fill_(how.bias)
    return rbm


def learn(run: Run, phase: str, rbm: RBM, patches: Tensor, how: Features, updates: int, seed: int) -> None:
    """One machine, in place.

    Weights that leave the region where rectified units have a partition function are moved back, which a warning says; so it does of units
    that came to nothing in a short run.

    Parameters
    ----------
    run, phase
        The folder of the run, and the name of the phase.
    rbm, patches
        The machine, and the patches that it learns from.
    how, updates, seed
        How it learns, for how long, and the seed of the draws and of the order of the patches.
    """
    epochs = max(round(updates * how.batch_size / len(patches)), 2)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "in .* updates the weights were pulled back", RuntimeWarning)
        warnings.simplefilter("ignore", Advice)
        in_run(run, phase, fit)(
            rbm,
            patches,
            negative=ContrastiveDivergence(),
            epochs=epochs,
            batch_size=how.batch_size,
            optimizer=partial(MomentumSGD, lr=how.learning_rate),
            schedule=partial(Schedule, lr=lambda epoch: max(1 - epoch / epochs, 0.0)),
            transforms=[RestrictedGradient(how.bound)],
            standardise=False,
            seed=derive(seed, 1),
        )
