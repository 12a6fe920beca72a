"""Biases that depend on a context."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from harmonium.couplings.coupling import Coupling, as_shape, rows
from harmonium.couplings.products import add_product
from harmonium.units import NOTHING, Given


class Conditional(Coupling):
    """A coupling with dynamic biases, which are linear in a context c such as past frames.

    The machine models p(v | c), and its partition function depends on c. Every function of data then takes `given=Given(context=c)`, with c
    (*leading, *context) of numbers or truth values, and raises a ValueError without it: energies, conditionals, Gibbs sampling, `hm.fit`,
    and, for one context at a time, `hm.likelihood.exact_log_z` and `ais`.

    Parameters
    ----------
    coupling : Coupling
        The base, any coupling.
    context : int or sequence of int
        The size or shape of one case's context.

    Attributes
    ----------
    dynamic : torch.nn.ParameterDict
        "visible", A: (context, visible), and "hidden", B: (context, hidden), of flattened shapes. Both are made zero, where the machine is
        the one without a context. `hm.fit` starts A at the linear prediction of real-valued frames, if it is still zero then.

    Raises
    ------
    ValueError
        For a context without numbers.

    Notes
    -----
    The interaction is <s_v, base, s_h> + <s_v, c A> + <s_h, c B> (Taylor, Hinton & Roweis 2006). With Gaussian visible units A is the
    autoregressive matrix. Scale contexts like the visible units' data.

    Learning is by contrastive divergence, whose particles share the context of their case. Persistent chains belong to no case and are
    refused. To let the context drive the hidden units alone, freeze the other side:
    `coupling.dynamic["visible"].requires_grad_(False)`.

    Examples
    --------
    The context of a frame is the window of frames before it, flattened; `hm.data.past_frames` makes it:

    >>> import torch, harmonium as hm
    >>> sequence = torch.sin(torch.arange(40.0))[:, None] * torch.ones(5)
    >>> frames, contexts = hm.data.past_frames(sequence, 3)
    >>> frames.shape, contexts.shape
    (torch.Size([37, 5]), torch.Size([37, 15]))
    >>> rbm = hm.RBM(hm.Gaussian(5), hm.Bernoulli(4), hm.Conditional(hm.Dense(5, 4), 15))
    >>> state = hm.fit(rbm, frames, given=hm.Given(context=contexts), epochs=1, progress=False)
    >>> rbm.free_energy(frames, hm.Given(context=contexts)).shape
    torch.Size([37])
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
        # In a module of their own, they follow the base's parameters; training reports the relative change of the first parameter.
        self.dynamic = nn.ParameterDict({side: nn.Parameter(torch.zeros(size, math.prod(shape))) for side, shape in sides.items()})

    def _context(self, given: Given) -> Tensor:
        """The context as (*leading, context size), of the type and device of the parameters."""
        found = given.context
        if found is None:
            raise ValueError(
                "a conditional coupling makes its dynamic biases from a context: expected given=Given(context=...) of shape "
                f"(..., {', '.join(map(str, self.context))}), found none"
            )
        axes = len(self.context)
        if found.dim() < axes or tuple(found.shape[found.dim() - axes :]) != self.context:
            raise ValueError(
                f"expected given=Given(context=...) of shape (..., {', '.join(map(str, self.context))}), found {tuple(found.shape)}"
            )
        return found.to(self.dynamic["hidden"]).flatten(found.dim() - axes)

    def _bias(self, side: str, shape: tuple[int, ...], given: Given) -> Tensor:
        bias: Tensor = self._context(given) @ self.dynamic[side]
        return bias.reshape(*bias.shape[:-1], *shape)

    def to_hidden(self, s_v: Tensor, given: Given = NOTHING) -> Tensor:
        return self.coupling.to_hidden(s_v, given) + self._bias("hidden", self.hidden, given)

    def to_visible(self, s_h: Tensor, given: Given = NOTHING) -> Tensor:
        return self.coupling.to_visible(s_h, given) + self._bias("visible", self.visible, given)

    def visible_alone(self, s_v: Tensor, given: Given = NOTHING) -> Tensor:
        met = s_v * self._bias("visible", self.visible, given)
        return met.sum(dim=tuple(range(-len(self.visible), 0))) + self.coupling.visible_alone(s_v, given)

    def hidden_alone(self, s_h: Tensor, given: Given = NOTHING) -> Tensor:
        met = s_h * self._bias("hidden", self.hidden, given)
        return met.sum(dim=tuple(range(-len(self.hidden), 0))) + self.coupling.hidden_alone(s_h, given)

    @property
    def core(self) -> Coupling:
        return self.coupling.core

    def accumulate_gradient(
        self, s_v: Tensor, s_h: Tensor, *, weights: Tensor | None, scale: float, fresh: bool, given: Given = NOTHING
    ) -> None:
        self.coupling.accumulate_gradient(s_v, s_h, weights=weights, scale=scale, fresh=fresh, given=given)
        for side, statistic, shape in (("visible", s_v, self.visible), ("hidden", s_h, self.hidden)):
            self._accumulate(side, rows(statistic, shape), given, s_h.shape[: s_h.dim() - len(self.hidden)], weights, scale, fresh)

    def accumulate_one_way(
        self, s_v: Tensor, s_h: Tensor, *, upward: bool, weights: Tensor | None, scale: float, fresh: bool, given: Given = NOTHING
    ) -> None:
        self.coupling.accumulate_one_way(s_v, s_h, upward=upward, weights=weights, scale=scale, fresh=fresh, given=given)
        side, statistic = ("hidden", rows(s_h, self.hidden)) if upward else ("visible", rows(s_v, self.visible))
        self._accumulate(side, statistic, given, s_h.shape[: s_h.dim() - len(self.hidden)], weights, scale, fresh)

    @torch.no_grad()
    def _accumulate(
        self,
        side: str,
        statistic: Tensor,
        given: Given,
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
