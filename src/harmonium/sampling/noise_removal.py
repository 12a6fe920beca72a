"""A whole schedule of top-down effects, which removes structured noise from data."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from harmonium.models import DBN
from harmonium.sampling.top_down import TopDownState, check_weights, init, step


class Cleaned(NamedTuple):
    """The result of a whole schedule.

    Attributes
    ----------
    first : Tensor
        (steps, cases, *its shape), the first hidden layer after each step.
    reconstruction : Tensor
        (steps, cases, *visible.shape), the reconstruction of each step.
    clean : Tensor or None
        (steps, cases, *visible.shape), the probability that each pixel is clean. None without `robust`.
    state : TopDownState
        The state after the last step. Its `top` is the input of a classifier.

    Examples
    --------
    >>> import torch, harmonium as hm
    >>> dbn = hm.DBN([hm.RBM(hm.Bernoulli(6), hm.Bernoulli(4)), hm.RBM(hm.Bernoulli(4), hm.Bernoulli(5))])
    >>> found = hm.sampling.remove_noise(dbn, torch.ones(2, 6), hm.sampling.top_down.linear(3), robust=0.1)
    >>> tuple(found.clean.shape), tuple(found.state.top.shape)
    ((3, 2, 6), (2, 4))
    """

    first: Tensor
    reconstruction: Tensor
    clean: Tensor | None
    state: TopDownState


def remove_noise(
    dbn: DBN,
    v: Tensor,
    schedule: Sequence[tuple[float, float]],
    *,
    generator: torch.Generator | None = None,
    robust: float | None = None,
    ink: float = 0.5,
    sweeps: int = 1,
) -> Cleaned:
    """Removes structured noise from data: an up-pass, then one top-down `step` for each (α, β) of a schedule.

    The module `top_down` gives the equations. All steps are kept. To save memory, call `top_down.init` and `top_down.step` directly.

    Parameters
    ----------
    dbn : DBN
        A net of at least two RBMs.
    v : Tensor
        (cases, *visible.shape), data of any type that the visible units accept.
    schedule : sequence of tuple
        One pair (α, β) per step, the weights of the input from below and from above. `top_down.linear` makes one.
    generator : torch.Generator, optional
        With a generator the layers are sampled. Without one they hold means.
    robust : float, optional
        ε, the prior probability that a pixel is noise, between 0 and 1. It needs `Bernoulli` visible units.
    ink : float, default 0.5
        The probability that a noisy pixel is on, between 0 and 1.
    sweeps : int, default 1
        Gibbs sweeps in the top RBM per step.

    Returns
    -------
    Cleaned
        Reconstructions of each step, and the last state.

    Raises
    ------
    ValueError
        As `top_down.init` and `top_down.step` do, before any computation, and for an empty schedule.

    Examples
    --------
    >>> import torch, harmonium as hm
    >>> dbn = hm.DBN([hm.RBM(hm.Bernoulli(6), hm.Bernoulli(4)), hm.RBM(hm.Bernoulli(4), hm.Bernoulli(5))])
    >>> found = hm.sampling.remove_noise(dbn, torch.ones(2, 6), hm.sampling.top_down.linear(3))
    >>> tuple(found.reconstruction[-1].shape)
    (2, 6)
    """
    check_weights(schedule, dbn, robust, ink)
    state = init(dbn, v, generator=generator, sweeps=sweeps)
    first, reconstruction, clean = [], [], []
    for bottom_up, top_down in schedule:
        state, info = step(dbn, state, bottom_up=bottom_up, top_down=top_down, generator=generator, robust=robust, ink=ink, sweeps=sweeps)
        first.append(state.first)
        reconstruction.append(info.reconstruction)
        if info.clean is not None:
            clean.append(info.clean)
    return Cleaned(torch.stack(first), torch.stack(reconstruction), torch.stack(clean) if clean else None, state)
