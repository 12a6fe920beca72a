"""Learning within the region where a partition function exists."""

from __future__ import annotations

import math
import warnings

import torch
from torch import Tensor

from harmonium.couplings import Dense
from harmonium.learning.rules.rule import Slots
from harmonium.learning.transforms.transform import Transform
from harmonium.models import RBM
from harmonium.models.normalisable import quadratic_places
from harmonium.units import NOTHING, Given, Unit
from harmonium.units.groups import leaves

NORM = 1 - 1e-4  # the largest spectral norm of the weights between units of quadratic energy
SHARE = 0.99  # of an exponential unit's input limit: the most input that the other layer may send
FIRST, ITERATIONS = 100, 2  # iterations of the power method, before learning and after each update


class KeepNormalisable(Transform):
    """Moves weights back, after each update that took them outside, into the region where `check_normalisable` finds a partition function.

    Towards Poisson and exponential units (Yang et al. 2012), the input from the other layer stays below the limit of these units. So
    weights from units without an upper bound become zero where they are positive, and all weights from Gaussian units become zero.

    Between units of quadratic energy the spectral norm of S = diag(1/σ_v) W diag(1/σ_h) stays below one. The excess of its largest singular
    value is subtracted, S - (s - 1)₊ u v', which approaches the projection onto the ball of such matrices. u and v follow S by the power
    method.

    Noisy rectified units have no partition function. Between them and units of quadratic energy the largest growth over non-negative
    states, max |S h| / |h| over h >= 0, stays below one, because otherwise Gibbs sampling diverges. It is sought on either side of the
    leading singular vector, and may have further maxima if several singular values exceed one.

    Only dense couplings can be moved back in this way. For others a warning at the end says that the machine has no partition function.
    """

    def __init__(self, model: RBM, given: Given = NOTHING) -> None:
        """`given`: the conditions of the training cases, on which the partition function depends."""
        self.given = given
        self.slow = any(leaf.input_bound() is not None for unit in (model.visible, model.hidden) for _, _, leaf in leaves(unit))
        (rows, _, row_sides), (columns, _, column_sides) = quadratic_places(model.visible), quadratic_places(model.hidden)
        like = next(model.parameters())
        self.rows, self.columns = rows.to(like.device), columns.to(like.device)
        self.both = (row_sides[:, None] & column_sides).to(like.device)
        self.sides = row_sides.to(like.device), column_sides.to(like.device)
        self.joint = model.visible.has_joint_energy and model.hidden.has_joint_energy
        self.whole = (len(rows), len(columns)) == (math.prod(model.visible.statistic_shape), math.prod(model.hidden.statistic_shape))
        documents = model.visible.scales_hidden_bias  # their input to the hidden units depends on their length
        self.dense = isinstance(model.coupling, Dense) and model.coupling.weight.requires_grad and not documents

    @property
    def quadratic(self) -> bool:
        """Whether there are units of quadratic energy on both sides."""
        return bool(len(self.rows) and len(self.columns))

    @property
    def concerned(self) -> bool:
        """Whether the model can leave the region at all."""
        return self.slow or bool(self.quadratic)

    def init(self, model: RBM, steps: int) -> Slots:
        like = next(model.parameters())
        slots = {"pulled": like.new_zeros(()), "since": like.new_full((), float(steps))}
        if self.quadratic:
            slots["directions"] = like.new_full((len(self.columns), 1 if self.joint else 3), 1 / math.sqrt(len(self.columns)))
            if self.dense:
                self._follow(self._scaled(model), slots["directions"], FIRST)
        return slots

    @torch.no_grad()
    def after(self, model: RBM, slots: Slots) -> None:
        if not self.dense:
            return
        assert isinstance(model.coupling, Dense)
        weight, pulled = model.coupling.weight, slots["pulled"].new_zeros((), dtype=torch.bool)
        if self.slow:
            pulled = _below_limits(weight, model.visible, model.hidden) | _below_limits(weight.T, model.hidden, model.visible)
        if self.quadratic:
            pulled = pulled | self._below_norm(model, weight, slots)
        slots["pulled"] += pulled

    def _below_norm(self, model: RBM, weight: Tensor, slots: Slots) -> Tensor:
        """Subtract the excess of the largest growth. Returns whether there was any."""
        row_scale, column_scale = (_scales(unit).to(weight) for unit in (model.visible, model.hidden))
        exceeded = slots["pulled"].new_zeros((), dtype=torch.bool)
        for v in self._follow(self._scaled(model), slots["directions"], ITERATIONS).T:
            reached = self._possible(self._scaled(model) @ v[:, None], 0)[:, 0]
            s = reached.norm()
            u = reached / s.clamp_min(torch.finfo(s.dtype).tiny)
            step = torch.outer(u * row_scale * (s - NORM).clamp_min(0), v * column_scale)
            if self.whole:
                weight.sub_(step)
            else:
                weight[self.rows[:, None], self.columns] -= step
            exceeded = exceeded | (s > NORM)
        return exceeded

    @torch.no_grad()
    def _scaled(self, model: RBM) -> Tensor:
        """S. Entries between two one-sided units count only if they are positive."""
        weight = model.coupling.get_parameter("weight")
        row_scale, column_scale = (_scales(unit).to(weight) for unit in (model.visible, model.hidden))
        scaled = (weight if self.whole else weight[self.rows][:, self.columns]) / row_scale[:, None] / column_scale
        return torch.where(self.both, scaled.clamp_min(0), scaled) if self.joint else scaled

    def _follow(self, scaled: Tensor, directions: Tensor, iterations: int) -> Tensor:
        """Update right vectors of S by the power method, in place. Returns those of largest growth: (columns, 1 or 2).

        With a joint energy this is the leading singular vector. Without one, the growth over possible states has a maximum on either side
        of it. Each search starts from its own side, or from its last position if the growth is higher there.
        """
        signed = directions[:, :1]
        for _ in range(iterations):
            signed = _unit(scaled.T @ _unit(scaled @ signed))
        directions[:, :1] = signed
        if self.joint:
            return directions
        climbing = self._possible(torch.cat([signed, -signed, directions[:, 1:]], 1), 1)
        for _ in range(iterations):
            climbing = _unit(self._possible(scaled.T @ _unit(self._possible(scaled @ climbing, 0)), 1))
        growth = self._possible(scaled @ climbing, 0).norm(dim=0)
        directions[:, 1:] = torch.where(growth[:2] > growth[2:], climbing[:, :2], climbing[:, 2:])
        return directions[:, 1:]

    def _possible(self, vectors: Tensor, side: int) -> Tensor:
        """Columns of vectors. Without a joint energy they are clamped to possible states of that side's units."""
        return vectors if self.joint else torch.where(self.sides[side][:, None], vectors.clamp_min(0), vectors)

    def report(self, model: RBM, slots: Slots, steps: int) -> None:
        """One warning per run."""
        pulled, of = int(slots["pulled"].item()), steps - int(slots["since"].item())
        if pulled:
            what = "have a partition function" if self.joint else "be sampled without running away"
            warnings.warn(
                f"in {pulled} of {of} updates the weights were pulled back to where the machine can {what}: a lower learning rate, a "
                "weight cost or whitened data keep it there by themselves"
                + (
                    "; no weight may be positive towards counting or exponential units from units without an upper end" if self.slow else ""
                ),
                RuntimeWarning,
                stacklevel=3,
            )
        if self.joint:
            self._last_look(model)

    def _last_look(self, model: RBM) -> None:
        """The power method approaches the norm from below, so at the end the norm is computed exactly."""
        try:
            model.check_normalisable(self.given)
        except ValueError as error:
            if self.dense and self.quadratic and not self.slow:
                self._scale_down(model)
            else:
                warnings.warn(f"at the end of learning: {error}", RuntimeWarning, stacklevel=4)

    @torch.no_grad()
    def _scale_down(self, model: RBM) -> None:
        norm = torch.linalg.matrix_norm(self._scaled(model).double(), ord=2).item()
        model.coupling.get_parameter("weight").mul_(NORM / norm)


def _unit(vectors: Tensor) -> Tensor:
    """Columns of length one."""
    length: Tensor = vectors.norm(dim=0, keepdim=True)
    return vectors / length.clamp_min(torch.finfo(vectors.dtype).tiny)


def _scales(unit: Unit) -> Tensor:
    """σ of the units of quadratic energy: (count)."""
    found = [leaf.quadratic() for _, _, leaf in leaves(unit)]
    return torch.cat([each[0] for each in found if each is not None])


def _below_limits(weight: Tensor, unit: Unit, other: Unit) -> Tensor:
    """Reduce the input that `other` can send to `unit` to its limit, in place. Returns whether it exceeded it.

    `weight`: (statistic of `unit`, that of `other`).
    """
    pulled = weight.new_zeros((), dtype=torch.bool)
    for start, stop, leaf in leaves(unit):
        limits = leaf.input_bound()
        if limits is None:
            continue
        sent, highest = weight[start:stop], weight.new_zeros(stop - start)
        for first, last, sender in leaves(other):
            own = sent[:, first:last]
            endless = sender.max_interaction(own.T)
            for bounded in (own.clamp(max=0), torch.zeros_like(own)):  # first without positive weights, then without any
                pulled = pulled | endless.isinf().any()
                own.copy_(torch.where(endless.isinf()[:, None], bounded, own))
                endless = sender.max_interaction(own.T)
            highest = highest + endless
        most = limits.to(weight) * SHARE
        pulled = pulled | (highest > most).any()
        sent.mul_(torch.where(highest > most, most / highest, 1.0)[:, None])
    return pulled
