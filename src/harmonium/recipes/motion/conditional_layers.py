"""Conditional RBMs of motion, in one or two layers or as a mixture: how they learn, and how they go on with a sequence."""

from __future__ import annotations

import dataclasses
import math
import warnings
from collections.abc import Sequence
from functools import partial
from typing import Any, TypeVar

import torch
from torch import Tensor

from harmonium.couplings import Conditional, Dense
from harmonium.data import past_frames
from harmonium.learning import ContrastiveDivergence, MomentumSGD, Schedule, fit
from harmonium.learning.advice import Advice
from harmonium.models import RBM, MixtureOfRBMs
from harmonium.runs.folder import Run
from harmonium.seeds import derive, fresh_generator
from harmonium.units import Bernoulli, Gaussian, Given

START = 0.01  # standard deviation of dynamic biases; visible units' that are zero, hm.fit would begin at linear prediction
SELDOM = -1.0  # hidden biases at first

Machine = TypeVar("Machine", bound=RBM)


@dataclasses.dataclass(frozen=True)
class Learning:
    """How a machine learns by CD-1 with mean reconstructions, at a rate that falls to zero."""

    hidden: int = 200
    visits: int = 450
    """Times that each frame is learnt from."""
    learning_rate: float = 0.005
    autoregressive: float = 0.3
    """The rate of the visible units' dynamic biases, as a share of the others'. From a slow start the hidden units explain more."""
    noise: float = 0.4
    """Standard deviation of the noise that is added to the past."""
    copies: int = 15
    """Of each frame, with the same past and other noise. They share the visits: few copies are learnt by heart."""
    weight_cost: float = 5e-4
    batch_size: int = 100


def first_layer(numbers: int, how: Learning, past: int, seed: int) -> RBM:
    """Of standardised frames given `past` frames, with variances of 1 as in the paper."""
    return begun(RBM(Gaussian(numbers, variance=1.0), how.hidden, conditional(numbers, (how.hidden,), past, seed)), seed)


def second_layer(below: RBM, how: Learning, past: int, seed: int) -> RBM:
    """Of the hidden probabilities of the layer below."""
    size = math.prod(below.hidden.shape)
    return begun(RBM(Bernoulli(size, values="probabilities"), how.hidden, conditional(size, (how.hidden,), past, seed)), seed)


def mixture(numbers: int, how: Learning, components: int, past: int, seed: int) -> MixtureOfRBMs:
    """Several machines of frames, of which one accounts for each (Taylor, Sigal, Fleet & Hinton 2010); the past also says which.

    Each has weights, biases and hidden dynamic biases of its own. The visible dynamic biases are common to all.

    Parameters
    ----------
    numbers, past
        The numbers of a frame, and how many frames are the past.
    how
        The hidden units of each machine, and how they learn.
    components
        How many machines.
    seed
        Of the initial weights.
    """
    coupling = conditional(numbers, (components, 1 + how.hidden), past, seed)
    return begun(MixtureOfRBMs(Gaussian(numbers, variance=1.0), how.hidden, components, coupling=coupling), seed)


def conditional(numbers: int, hidden: tuple[int, ...], past: int, seed: int) -> Conditional:
    """Between so many numbers of a frame, the past frames, and hidden units."""
    return Conditional(Dense(numbers, hidden, seed=seed), past * numbers)


def begun(rbm: Machine, seed: int) -> Machine:
    """A machine before learning."""
    generator = torch.Generator().manual_seed(derive(seed, 0))
    with torch.no_grad():
        for side in ("visible", "hidden"):
            rbm.coupling.get_parameter(f"dynamic.{side}").normal_(0, START, generator=generator)
        rbm.hidden.get_parameter("bias").fill_(SELDOM)  # of all components of a mixture alike, which does not change the choice
    return rbm


def learn(run: Run, phase: str, rbm: RBM, pieces: Sequence[Tensor], how: Learning, seed: int) -> None:
    """Learn a machine in place, or go on where the run stopped.

    Parameters
    ----------
    run, phase
        The folder of the run, and the name of the phase.
    rbm
        The machine.
    pieces
        (time, numbers) each.
    how, seed
        How, and the seed of noise, order and draws.
    """
    frames, contexts = past_frames(pieces, frames_of_context(rbm))
    frames, contexts = frames.repeat(how.copies, 1), contexts.repeat(how.copies, 1)
    contexts += how.noise * torch.randn(contexts.shape, generator=fresh_generator(contexts, derive(seed, 0)))
    epochs = max(how.visits // how.copies, 1)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", Advice)  # of units that came to nothing, in a short run
        fit(
            rbm,
            frames,
            given=Given(context=contexts),
            negative=ContrastiveDivergence(reconstruction="mean"),
            epochs=epochs,
            batch_size=how.batch_size,
            optimizer=partial(slowly, rbm.coupling.get_parameter("dynamic.visible"), how),
            schedule=partial(Schedule, lr=lambda epoch: max(1 - epoch / epochs, 0.0)),
            weight_cost=how.weight_cost,
            standardise=False,
            precision=run.precision,
            seed=derive(seed, 1),
            callbacks=run.callbacks(phase),
            checkpoint=run.checkpoint(phase),
            progress=False,
        )


def slowly(dynamic: Tensor, how: Learning, groups: Sequence[dict[str, Any]]) -> MomentumSGD:
    """The optimiser, with a lower rate for the visible units' dynamic biases."""
    coupling, units = groups
    others = {**coupling, "params": [each for each in coupling["params"] if each is not dynamic]}
    slow = {**coupling, "params": [dynamic], "lr": how.learning_rate * how.autoregressive}
    return MomentumSGD([others, slow, units], lr=how.learning_rate, momentum=0.9)


def frames_of_context(rbm: RBM) -> int:
    """n, the number of past frames that a machine is given."""
    return len(rbm.coupling.get_parameter("dynamic.visible")) // math.prod(rbm.visible.shape)


def features(rbm: RBM, frames: Tensor) -> Tensor:
    """The hidden means of each frame that has enough frames before it: (..., time - n, *hidden) of (..., time, numbers)."""
    count = frames_of_context(rbm)
    past = torch.stack([frames[..., start : frames.shape[-2] - count + start, :] for start in range(count)], dim=-2)
    with torch.no_grad():
        return rbm.hidden_mean(frames[..., count:, :], Given(context=past.flatten(-2)))


@torch.no_grad()
def continued(
    layers: Sequence[RBM],
    past: Tensor,
    frames: int,
    *,
    sweeps: int = 5,
    generator: torch.Generator | None = None,
    shown: Tensor | None = None,
    missing: Tensor | None = None,
) -> Tensor:
    """The frames that follow, one after the other, each by alternating between the layers of a machine.

    Parameters
    ----------
    layers
        The first machine, or both, or a mixture.
    past
        (sequences, time, numbers).
    frames
        How many follow.
    sweeps
        For each frame. They start at the frame before it, or of the second machine at what the first one says.
    generator
        Hidden units are drawn with it; without one they have their means (mean field). Visible units always have their means.
    shown, missing
        Of the frames that follow, (sequences, frames, numbers), what is known of them; (numbers,) booleans say which is not.

    Returns
    -------
    Tensor
        (sequences, frames, numbers).
    """
    first, *above = layers
    window = past
    hidden = features(first, past) if above else past
    made = []
    for time in range(frames):
        given = Given(context=_last(first, window))
        v = _clamped(window[:, -1], shown, missing, time)
        for _ in range(sweeps):
            v = _clamped(first.visible_mean(_hidden(first, v, given, generator), given), shown, missing, time)
        for second in above:
            x, before = first.hidden_mean(v, given), Given(context=_last(second, hidden))
            for _ in range(sweeps):
                x = second.visible_mean(_hidden(second, x, before, generator), before)
            v = _clamped(first.visible_mean(x, given), shown, missing, time)
            hidden = torch.cat([hidden[:, 1:], first.hidden_mean(v, given)[:, None]], dim=1)
        window = torch.cat([window[:, 1:], v[:, None]], dim=1)
        made.append(v)
    return torch.stack(made, dim=1)


def mean_field(rbm: RBM, v: Tensor, given: Given, sweeps: int) -> Tensor:
    """The visible means after so many sweeps of the mean field from v: (cases, numbers)."""
    for _ in range(sweeps):
        v = rbm.visible_mean(rbm.hidden_mean(v, given), given)
    return v


def _last(rbm: RBM, window: Tensor) -> Tensor:
    return window[:, window.shape[1] - frames_of_context(rbm) :].flatten(1)


def _hidden(rbm: RBM, v: Tensor, given: Given, generator: torch.Generator | None) -> Tensor:
    return rbm.hidden_mean(v, given) if generator is None else rbm.sample_hidden(v, generator=generator, given=given)


def _clamped(v: Tensor, shown: Tensor | None, missing: Tensor | None, time: int) -> Tensor:
    return v if shown is None or missing is None else torch.where(missing, v, shown[:, time])
