"""Ratio matching."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor
from torch.nn import functional as F

from harmonium.learning.rules.rule import Positive, Rule, Slots
from harmonium.models import RBM
from harmonium.units import Bernoulli, Given, Spin, Unit
from harmonium.units.checks import no_joint
from harmonium.units.given import keep_present
from harmonium.units.groups import leaves

BLOCK = 2**22  # numbers processed together: flipped states times hidden units


@dataclass(frozen=True)
class RatioMatching(Rule):
    """Minimise the mean over the data of Σ_i (1 - p(v_i | the other visible units))², without samples of the model (Hyvärinen 2007).

    It takes binary visible units (`Bernoulli`, `Spin`) and any hidden units that have an energy. Z cancels from the ratios. So no chain
    runs, and units may be absent.

    Parameters
    ----------
    flips : int, optional
        Number of units of each case that are flipped, at least one, drawn anew at each update. By default every unit is flipped.

    Raises
    ------
    ValueError
        For fewer than one flip. When learning starts: for more flips than units, other visible units, visible units whose data are
        probabilities, missing values (they would have to be drawn from the model) and contexts.
    TypeError
        When learning starts: if a hidden layer has no energy.

    Notes
    -----
    The objective is

        J = <Σ_i σ(F(v) - F(v with unit i flipped))²>_data.

    If the data come from a machine of the same family, J is least at that machine (Hyvärinen 2007, doi:10.1016/j.csda.2006.09.003). With
    `flips` each unit is flipped equally often, and the terms are weighted so that the gradient is right on average. (Dauphin & Bengio 2013
    choose units in another way.) An update costs flips · hidden units per case, and the coupling's matrix is written out.

    Examples
    --------
    >>> import torch, harmonium as hm
    >>> rbm = hm.RBM(hm.Bernoulli(6), hm.Bernoulli(4))
    >>> rows = torch.eye(6)
    >>> before = hm.likelihood.evaluate(rbm, rows).nats
    >>> state = hm.fit(rbm, rows, negative=hm.RatioMatching(), epochs=3, progress=False)
    >>> hm.likelihood.evaluate(rbm, rows).nats > before
    True
    """

    flips: int | None = None

    contrasts: ClassVar[bool] = False

    def __post_init__(self) -> None:
        if self.flips is not None and self.flips < 1:
            raise ValueError(f"ratio matching flips at least one unit of each case, found flips={self.flips}")

    def check(self, model: RBM, given: Given) -> None:
        if not model.hidden.has_joint_energy:
            raise no_joint(model.hidden, "a ratio of probabilities")
        others = sorted({type(leaf).__name__ for _, _, leaf in leaves(model.visible) if not isinstance(leaf, Bernoulli | Spin)})
        if others:
            raise ValueError(f"ratio matching flips binary visible units, Bernoulli or Spin, found {', '.join(others)}")
        for _, _, leaf in leaves(model.visible):
            if isinstance(leaf, Bernoulli | Spin) and leaf.values != "binary":
                raise ValueError(
                    f'ratio matching flips binary values, and values="{leaf.values}" are none: declare what grey levels mean with '
                    "hm.data.binarise(images, ...)"
                )
        size = math.prod(model.visible.shape)
        if self.flips is not None and self.flips > size:
            raise ValueError(f"ratio matching cannot flip flips={self.flips} of {size} visible units")
        if given.missing is not None:
            raise ValueError(
                "ratio matching draws no samples, and missing values would have to be drawn; learn from complete cases, or "
                "use PersistentCD. (Units that do not exist for a case are absent: given=Given(present=...))"
            )
        if given.context is not None:
            raise ValueError("ratio matching takes no contexts; use ContrastiveDivergence")

    @torch.no_grad()
    def gradient(self, model: RBM, positive: Positive, slots: Slots, *, generator: torch.Generator) -> None:
        """Σ c_ni ∂(F(v_n) - F(v_n with unit i flipped))/∂θ with c = 2 σ² (1 - σ), and the free energy's gradient is E[∂E/∂θ | v].

        The interaction of a flipped state is that of the state itself and that of one unit alone, both linear in the statistics: for the
        coupling Σ_i c_ni s_h(n, i) belongs to v_n, and Σ_n c_ni (change of v_ni) s_h(n, i) to unit i.
        """
        visible, hidden, coupling = model.visible, model.hidden, model.coupling
        data, given = positive.phase, positive.given
        cases, size = len(data.v), math.prod(visible.shape)
        flips = size if self.flips is None else self.flips
        states = keep_present(data.v, given)
        v, input = states.reshape(cases, size), data.input.reshape(cases, -1)
        order = torch.arange(size, device=v.device)
        if flips < size:  # each case takes the next `flips` places of this order, cyclically
            order = torch.randperm(size, generator=generator, device=v.device)
        units = torch.eye(size, dtype=v.dtype, device=v.device)[order].reshape(size, *visible.shape)
        towards = coupling.bilinear(units).reshape(size, -1)  # each unit's input to the hidden ones

        flipped = _both(visible) - states
        change = (flipped - states).reshape(cases, size)
        gain = (visible.energy_terms(flipped) - visible.energy_terms(states)).reshape(cases, size)
        shares = positive.shares
        share = (shares[:, None] if isinstance(shares, Tensor) else torch.full_like(v[:, :1], shares)) * (size / flips)
        if given.present is not None:
            share = share * given.present.reshape(cases, size)
        share = share.expand(cases, size)
        log_sum = hidden.log_partition(data.input)[:, None]

        model.zero_grad(set_to_none=False)
        of_case, of_unit = torch.empty_like(input), torch.zeros_like(towards)
        told, moved = torch.empty_like(v[:, 0]), torch.zeros_like(v[0])
        rows = max(1, BLOCK // (flips * input.shape[1]))
        for start in range(0, cases, rows):
            here = slice(start, min(start + rows, cases))
            place = torch.arange(here.start * flips, here.stop * flips, device=v.device) % size
            unit = order[place].reshape(-1, flips)
            by = change[here].gather(1, unit)
            inputs = torch.addcmul(input[here, None], by[:, :, None], towards[place].reshape(*unit.shape, -1))
            inputs = inputs.reshape(-1, *coupling.hidden)
            log_ratio = hidden.log_partition(inputs).reshape(unit.shape) - log_sum[here] - gain[here].gather(1, unit)
            wrong = log_ratio.sigmoid()  # p(flipped) / (p(flipped) + p(v))
            factor = share[here].gather(1, unit) * 2 * wrong * wrong * torch.sigmoid(-log_ratio)
            mean = hidden.mean(inputs)
            hidden.add_gradient(hidden.mean_parameter_gradient(inputs, factor.flatten(), mean=mean), scale=-1.0, fresh=False)
            s_h = hidden.statistic(mean).reshape(*unit.shape, -1)
            told[here] = factor.sum(1)
            of_case[here] = -torch.bmm(factor[:, None], s_h)[:, 0]
            pushed = factor * by
            first = here.start * flips % size
            around = first, -(first + len(place)) % size  # complete cycles, so each place is summed in a fixed order
            moved += F.pad(pushed.flatten(), around).reshape(-1, size).sum(0)
            of_unit -= F.pad((s_h * pushed[:, :, None]).flatten(0, 1), (0, 0, *around)).reshape(-1, *of_unit.shape).sum(0)

        s_h = hidden.statistic(data.hidden_mean).reshape(cases, -1)
        of_case.addcmul_(told[:, None], s_h)
        s_v = torch.cat([data.s_v, units])
        coupling.accumulate_gradient(s_v, torch.cat([of_case, of_unit]).reshape(-1, *coupling.hidden), weights=None, scale=1.0, fresh=False)
        hidden.add_gradient(hidden.mean_parameter_gradient(data.input, told, mean=data.hidden_mean), scale=1.0, fresh=False)
        by_unit = torch.empty_like(moved)
        by_unit[order] = moved
        linear = visible.parameter_gradient(by_unit.reshape(1, *visible.shape), None)  # in the states
        visible.add_gradient(linear, scale=-1.0, fresh=False)


def _both(visible: Unit) -> Tensor:
    """The sum of each unit's two states, (*visible.shape). Subtracting a state from it flips the state."""
    sums = [torch.full(leaf.shape, 1.0 if isinstance(leaf, Bernoulli) else 0.0) for _, _, leaf in leaves(visible)]
    return (sums[0] if len(sums) == 1 else torch.cat(sums, dim=-1)).to(visible.zero_input())
