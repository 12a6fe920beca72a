"""How two layers are wired: the one abstract level below every coupling."""

from __future__ import annotations

from abc import ABC, abstractmethod

from torch import Tensor, nn

from harmonium.units import Given


class Coupling(nn.Module, ABC):
    """A bilinear form <s_v, coupling, s_h> of two layers' statistics, (*leading, *visible) and (*leading, *hidden)."""

    @abstractmethod
    def to_hidden(self, s_v: Tensor, given: Given | None = None) -> Tensor:
        """The hidden layer's input, ∂<s_v, coupling, s_h>/∂s_h: (*leading, *hidden)."""

    @abstractmethod
    def to_visible(self, s_h: Tensor, given: Given | None = None) -> Tensor:
        """The visible layer's input, ∂<s_v, coupling, s_h>/∂s_v: (*leading, *visible)."""

    def interaction(self, s_v: Tensor, s_h: Tensor, given: Given | None = None) -> Tensor:
        """<s_v, coupling, s_h>: (*leading), nats."""
        input = self.to_hidden(s_v, given)
        return (input * s_h).flatten(start_dim=s_v.dim() - self.visible_dims).sum(-1)

    @abstractmethod
    def arguments(self) -> dict[str, object]:
        """The constructor's arguments that make an untrained coupling of the same sizes."""

    @property
    @abstractmethod
    def visible_dims(self) -> int:
        """How many axes one case's visible statistic has."""

    @abstractmethod
    def accumulate_gradient(
        self, s_v: Tensor, s_h: Tensor, *, weights: Tensor | None, scale: float, fresh: bool, given: Given | None = None
    ) -> None:
        """Adds scale · Σ weights · ∂(-interaction)/∂θ over the leading axes to each parameter's `.grad` (replaces it if `fresh`)."""
