"""Biases that depend on a context."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from harmonium.couplings.coupling import Coupling, add_product, as_shape, rows
from harmonium.units import Given


class Conditional(Coupling):
    """A coupling with dynamic biases made of a context c, such as past frames (Taylor, Hinton & Roweis 2006):

        <s_v, coupling, s_h> = <s_v, base, s_h> + <s_v, c A> + <s_h, c B>

    so that the machine models p(v | c), and its partition function depends on c. `coupling`: the base, any coupling. `context`: the
    size or shape of one case's context. `dynamic["visible"]`, A: (context, visible) and `dynamic["hidden"]`, B: (context, hidden), of
    flattened shapes; both start at zero, where the machine is the one without a context. For hidden units alone to be driven, freeze
    the other: `coupling.dynamic["visible"].requires_grad_(False)`.

    Everything that looks at data then takes `given=Given(context=c)`, c (*leading, *context), of numbers or truth values, and
    raises a ValueError without it: energies, conditionals, Gibbs sampling, `hm.fit`, and, for one context at a time,
    `hm.likelihood.exact_log_z` and `ais`. Learning is by contrastive divergence, whose particles share the context of their case;
    persistent chains belong to no case and are refused.

    For a sequence of frames the context of a frame is the window of frames before it, flattened; `hm.data.past_frames` cuts it out:

        frames, contexts = hm.data.past_frames(sequence, 3)                        (time - 3, size), (time - 3, 3 · size)
        coupling = hm.Conditional(hm.Dense(size, 100), contexts.shape[1])
        hm.fit(hm.RBM(hm.Gaussian(size), hm.Bernoulli(100), coupling), frames, given=hm.Given(context=contexts))

    With Gaussian visible units A is the autoregressive matrix. Contexts are best scaled as the visible units' data are.
    """

    def __init__(self, coupling: Coupling, context: int | Sequence[int]) -> None:
        super().__init__()
        self.context = as_shape(context)
        if not self.context or min(self.context) < 1:
            raise ValueError(f"a context has at least one number along each axis of its shape, found {self.context}")
        self.visible, self.hidden = coupling.visible, coupling.hidden
        self.coupling = coupling
        size = math.prod(self.context)
        sides = {"visible": self.visible, "hidden": self.hidden}
        # In a module of their own the base's parameters come before them: the first is the one whose relative change training reports.
        self.dynamic = nn.ParameterDict({side: nn.Parameter(torch.zeros(size, math.prod(shape))) for side, shape in sides.items()})

    def _context(self, given: Given | None) -> Tensor:
        """(*leading, context size), of the parameters' type and device."""
        found = None if given is None else given.context
        if found is None:
            raise ValueError(
                "a conditional coupling makes its dynamic biases of a context: expected given=Given(context=...) of shape "
                f"(..., {', '.join(map(str, self.context))}), found none"
            )
        axes = len(self.context)
        if found.dim() < axes or tuple(found.shape[found.dim() - axes :]) != self.context:
            raise ValueError(
                f"expected given=Given(context=...) of shape (..., {', '.join(map(str, self.context))}), found {tuple(found.shape)}"
            )
        return found.to(self.dynamic["hidden"]).flatten(found.dim() - axes)

    def _bias(self, side: str, shape: tuple[int, ...], given: Given | None) -> Tensor:
        bias: Tensor = self._context(given) @ self.dynamic[side]
        return bias.reshape(*bias.shape[:-1], *shape)

    def to_hidden(self, s_v: Tensor, given: Given | None = None) -> Tensor:
        return self.coupling.to_hidden(s_v, given) + self._bias("hidden", self.hidden, given)

    def to_visible(self, s_h: Tensor, given: Given | None = None) -> Tensor:
        return self.coupling.to_visible(s_h, given) + self._bias("visible", self.visible, given)

    def visible_alone(self, s_v: Tensor, given: Given | None = None) -> Tensor:
        met = s_v * self._bias("visible", self.visible, given)
        return met.sum(dim=tuple(range(-len(self.visible), 0))) + self.coupling.visible_alone(s_v, given)

    def hidden_alone(self, s_h: Tensor, given: Given | None = None) -> Tensor:
        met = s_h * self._bias("hidden", self.hidden, given)
        return met.sum(dim=tuple(range(-len(self.hidden), 0))) + self.coupling.hidden_alone(s_h, given)

    @property
    def core(self) -> Coupling:
        return self.coupling.core

    def accumulate_gradient(
        self, s_v: Tensor, s_h: Tensor, *, weights: Tensor | None, scale: float, fresh: bool, given: Given | None = None
    ) -> None:
        self.coupling.accumulate_gradient(s_v, s_h, weights=weights, scale=scale, fresh=fresh, given=given)
        for side, statistic, shape in (("visible", s_v, self.visible), ("hidden", s_h, self.hidden)):
            self._accumulate(side, rows(statistic, shape), given, s_h.shape[: s_h.dim() - len(self.hidden)], weights, scale, fresh)

    def accumulate_one_way(
        self, s_v: Tensor, s_h: Tensor, *, upward: bool, weights: Tensor | None, scale: float, fresh: bool, given: Given | None = None
    ) -> None:
        self.coupling.accumulate_one_way(s_v, s_h, upward=upward, weights=weights, scale=scale, fresh=fresh, given=given)
        side, statistic = ("hidden", rows(s_h, self.hidden)) if upward else ("visible", rows(s_v, self.visible))
        self._accumulate(side, statistic, given, s_h.shape[: s_h.dim() - len(self.hidden)], weights, scale, fresh)

    @torch.no_grad()
    def _accumulate(
        self,
        side: str,
        statistic: Tensor,
        given: Given | None,
        leading: Sequence[int],
        weights: Tensor | None,
        scale: float,
        fresh: bool,
    ) -> None:
        """The gradient of one side's dynamic biases: `statistic` (cases, size)."""
        context = self._context(given)
        context = rows(context.expand(*leading, context.shape[-1]), context.shape[-1:])
        if weights is not None:
            context = context * weights.reshape(-1, 1)
        add_product(self.dynamic[side], context, statistic, scale=scale, fresh=fresh)

    def scales(self, visible: Tensor | float, hidden: Tensor | float) -> dict[str, Tensor | float]:
        base = {f"coupling.{name}": factor for name, factor in self.coupling.scales(visible, hidden).items()}
        return {**base, "dynamic.visible": visible, "dynamic.hidden": hidden}

    def arguments(self) -> dict[str, object]:
        return {"coupling": self.coupling, "context": self.context}

    def extra_repr(self) -> str:
        return f"context={self.context}"
