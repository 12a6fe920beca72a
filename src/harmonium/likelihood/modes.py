"""A lower bound on log Z from one region of states: what no chain reached may be found by mean field."""

from __future__ import annotations

import torch
from torch import Tensor

from harmonium.likelihood.as_states import as_states
from harmonium.likelihood.check_machine import check_machine
from harmonium.models import RBM
from harmonium.sampling.random_states import random_states
from harmonium.units import NOTHING, Given


@torch.no_grad()
def log_z_of_a_mode(
    model: RBM,
    v: Tensor | None = None,
    *,
    starts: int = 100,
    sweeps: int = 100,
    seed: int = 0,
    given: Given = NOTHING,
) -> float | None:
    """The highest lower bound on log Z that mean field finds from many beginnings.

    log Z ≥ E_q[-E(v, h)] + H(q) for every distribution q. With q(v) q(h) factorised, updating one layer after the other raises the right
    side until it settles at a mode, of which it gives the probability. Where the bound exceeds an estimate of log Z, this is wrong: its
    chains have missed the mode.

    Parameters
    ----------
    model : RBM
        The machine, whose layers have energies.
    v : Tensor or array, optional
        States of the visible units to begin at as well, (cases, *visible.shape).
    starts : int, default 100
        Random beginnings.
    sweeps : int, default 100
        Updates of both layers, at least one.
    seed : int, default 0
        Seed of the random beginnings.
    given : Given, optional
        One case, for all.

    Returns
    -------
    float or None
        The bound, in nats, exact up to rounding; None if mean field diverges from every beginning.

    Raises
    ------
    TypeError
        If the model is not an RBM, or if a layer has no energy.
    ValueError
        For no beginning or no sweep, and for states that are none of the visible units'.

    Notes
    -----
    With x = W s(h̄) and y = W' s(v̄), the bound is A_v(x) + A_h(y) - y · s(h̄), where A are the layers' log-partition functions: that of
    q(v) at x, q(h) at y.

    Examples
    --------
    >>> import harmonium as hm
    >>> rbm = hm.RBM(hm.Bernoulli(6), hm.Bernoulli(4), hm.Dense(6, 4, scale=1.0))
    >>> hm.likelihood.log_z_of_a_mode(rbm) < hm.likelihood.exact_log_z(rbm)
    True
    """
    check_machine(model, "a search for modes")
    if sweeps < 1 or starts < 0 or (v is None and not starts):
        raise ValueError(f"a search for modes takes at least one beginning and one sweep, found starts={starts} and sweeps={sweeps}")
    generator = torch.Generator(model.visible.zero_input().device).manual_seed(seed)
    mean = random_states(model.visible, starts, generator=generator, given=given)
    if v is not None:
        mean = torch.cat([as_states(model.visible, v, given), mean])
    for _ in range(sweeps):
        y = model.hidden_input(mean, given)
        s_h = model.hidden.statistic(model.hidden.mean(y))
        x = model.coupling.to_visible(s_h, given)
        mean = model.visible.mean(x, given)
    bound = model.visible.log_partition(x, given).double() + model.hidden.log_partition(y).double()
    bound = bound - (y * s_h).double().flatten(1).sum(1) + model.coupling.hidden_alone(s_h, given)
    finite = bound[torch.isfinite(bound)]
    return finite.max().item() if len(finite) else None
