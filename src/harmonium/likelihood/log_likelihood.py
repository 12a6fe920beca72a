"""log p of cases, for a known log Z."""

from __future__ import annotations

import math
from dataclasses import replace

import torch
from torch import Tensor

from harmonium.data.tables import as_tensor
from harmonium.likelihood.check_machine import check_machine
from harmonium.likelihood.exact_log_z import BLOCK, MOST_STATES, log_sum
from harmonium.models import RBM, BoltzmannMachine
from harmonium.sampling.gaps import check_mask, fill, gaps
from harmonium.units import NOTHING, Given, Unit

ROWS = 4096  # cases processed together


@torch.no_grad()
def log_likelihood(model: RBM | BoltzmannMachine, data: Tensor, *, log_z: float | Tensor, given: Given = NOTHING) -> Tensor:
    """Compute log p(v) = -F(v) - log Z of each case, in nats.

    Parameters
    ----------
    model : RBM or BoltzmannMachine
        The machine.
    data : Tensor
        Cases, (cases, *visible.shape). NaN may stand in the gaps of `given`.
    log_z : float or Tensor
        log Z, by any method: one number, or (cases,).
    given : Given, optional
        What is given of each case. Masks are (cases, *visible.shape), or one for all.

    Returns
    -------
    Tensor
        log p(v), (cases,), float64.

    Raises
    ------
    ValueError
        If data lie outside the visible units' support. Grey levels do: a binary unit that learns from probabilities still has the states 0
        and 1, so a grey image has no probability. Binarise it, and report how with the number.
    TypeError
        For models that have no partition function of their own.

    Notes
    -----
    Where units are *absent* the result is log p(v | mask). `log_z` must then be that of each case's own mask, (cases,), because Z depends
    on it, as it does on the length of a document or a context. Where values are *missing* the result is log p(v_seen), summed over the
    missing values, and there is one Z. This enumerates the states of one layer for each case, at most 2^25.

    Examples
    --------
    >>> import torch, harmonium as hm
    >>> rbm = hm.RBM(hm.Bernoulli(6), hm.Bernoulli(4))
    >>> log_z = hm.likelihood.exact_log_z(rbm)
    >>> log_p = hm.likelihood.log_likelihood(rbm, torch.eye(6), log_z=log_z)
    >>> log_p.shape, round(log_p.mean().item(), 1)
    (torch.Size([6]), -4.2)
    """
    check_machine(model, "log_likelihood", general=True)
    visible, like = model.visible, model.visible.zero_input()
    if isinstance(model, BoltzmannMachine):
        model.check_normalisable(given)
        rows, _, log_z = checked(visible, data, NOTHING, log_z)
        parts = torch.split(rows.to(like), max(1, BLOCK * 16 // (1 if model.hidden is None else int(model.hidden.count))))
        return torch.cat([-model.free_energy(part).double() for part in parts]) - log_z.to(like.device)
    rows, given, log_z = checked(visible, data, given, log_z)
    found = []
    for start in range(0, len(rows), ROWS):
        here = slice(start, start + ROWS)
        side = given.rows(here).to(like.device)
        v = rows[here].to(like)
        found.append(-model.free_energy(v, side).double() if side.missing is None else _log_seen(model, v, side))
    total = torch.cat(found)
    return total - log_z.to(total.device)


def checked(visible: Unit, data: Tensor, given: Given, log_z: float | Tensor) -> tuple[Tensor, Given, Tensor]:
    """Data with filled gaps, masks expanded to each case, and log Z as float64. Raises ValueError where these do not fit."""
    rows = as_tensor(data)
    given = replace(given, **_masks(visible, given, rows))
    rows = fill(visible, rows, gaps(given))
    visible.check_states(rows)
    log_z = torch.as_tensor(log_z, dtype=torch.float64)
    if log_z.dim() and log_z.shape != (len(rows),):
        raise ValueError(f"log_z must be one number, or one for each of {len(rows)} cases, found shape {tuple(log_z.shape)}")
    return rows, given, log_z


def _masks(visible: Unit, given: Given, rows: Tensor) -> dict[str, Tensor]:
    """The masks, checked and expanded to every case."""
    masks = {name: mask for name, mask in (("present", given.present), ("missing", given.missing)) if mask is not None}
    for name, mask in masks.items():
        check_mask(visible, mask, name)
        if mask.dim() == rows.dim() and len(mask) not in (1, len(rows)):
            raise ValueError(f"given.{name} must have one row for each of {len(rows)} cases, or be one for all, found {len(mask)} rows")
    return {name: mask.bool().expand(rows.shape) for name, mask in masks.items()}


def _log_seen(model: RBM, v: Tensor, given: Given) -> Tensor:
    """log Σ exp(-E(v, h)) over h and the missing values of v, of each case: (cases,), float64.

    Given h the visible units are independent. So the missing ones are summed out in closed form and h is enumerated. If the visible layer
    has fewer states, those that agree with the seen values are enumerated in its place.
    """
    visible, hidden, coupling = model.visible, model.hidden, model.coupling
    smaller = min(visible.count, hidden.count)
    if smaller > MOST_STATES:
        raise ValueError(
            "the likelihood of data with missing values lists the states of one layer, at most 2^25 of them, and the smaller one of this "
            "machine has " + ("infinitely many" if smaller == math.inf else f"2^{math.log2(smaller):.0f}")
        )
    assert given.missing is not None

    def log_seen(case: Given, v: Tensor, missing: Tensor) -> float:
        if hidden.count > visible.count:

            def of_visible(numbers: Tensor) -> Tensor:
                states = visible.states(numbers)
                agree = (missing | (states == v)).flatten(1).all(1)
                return torch.where(agree, -model.free_energy(states, case.whole()), -math.inf)

            return log_sum(int(visible.count), of_visible, v.device)
        seen, unseen = case.only(present=~missing), case.only(present=missing)
        s_v, energy = visible.statistic(v, seen), visible.energy(v, seen)

        def of_hidden(numbers: Tensor) -> Tensor:
            h = hidden.states(numbers)
            s_h = hidden.statistic(h)
            met = coupling.interaction(s_v.expand(len(numbers), *s_v.shape), s_h, case)
            return met - energy - hidden.energy(h) + visible.log_partition(coupling.to_visible(s_h, case), unseen)

        return log_sum(int(hidden.count), of_hidden, v.device)

    found = [log_seen(given.map(lambda field, n=n: field[n]), v[n], given.missing[n]) for n in range(len(v))]  # type: ignore[misc]
    return torch.tensor(found, dtype=torch.float64, device=v.device)
