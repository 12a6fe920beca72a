"""The abstract base class of all couplings."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from harmonium.units import NOTHING, Given


class Coupling(nn.Module, ABC):
    """A form <s_v, coupling, s_h> of two layers' statistics, (*leading, *visible) and (*leading, *hidden), linear in each of them.

    It is bilinear, except for terms of one layer alone, such as the dynamic biases of a context.

    Attributes
    ----------
    visible, hidden : tuple of int
        The shapes of one case's visible and hidden statistic.
    """

    visible: tuple[int, ...]
    """The shape of one case's visible statistic."""

    hidden: tuple[int, ...]
    """The shape of one case's hidden statistic."""

    @abstractmethod
    def to_hidden(self, s_v: Tensor, given: Given = NOTHING) -> Tensor:
        """The input of the hidden layer, ∂<s_v, coupling, s_h>/∂s_h: (*leading, *hidden)."""

    @abstractmethod
    def to_visible(self, s_h: Tensor, given: Given = NOTHING) -> Tensor:
        """The input of the visible layer, ∂<s_v, coupling, s_h>/∂s_v: (*leading, *visible)."""

    def interaction(self, s_v: Tensor, s_h: Tensor, given: Given = NOTHING) -> Tensor:
        """<s_v, coupling, s_h>: (*leading), nats.

        Parameters
        ----------
        s_v, s_h : torch.Tensor
            The statistics, (*leading, *visible) and (*leading, *hidden).
        given : Given, optional
            Side information about each case.
        """
        input = self.to_hidden(s_v, given)
        return (input * s_h).sum(dim=tuple(range(-len(self.hidden), 0))) + self.visible_alone(s_v, given)

    def visible_alone(self, s_v: Tensor, given: Given = NOTHING) -> Tensor | float:
        """The terms of the interaction without a hidden unit: (*leading), or zero."""
        return 0.0

    def hidden_alone(self, s_h: Tensor, given: Given = NOTHING) -> Tensor | float:
        """The terms of the interaction without a visible unit: (*leading), or zero."""
        return 0.0

    @torch.no_grad()
    def matrix(self) -> Tensor:
        """The bilinear part as a matrix of the flattened statistics: (visible size, hidden size)."""
        size = math.prod(self.visible)
        like = next(self.parameters())
        rows = torch.eye(size, dtype=like.dtype, device=like.device).reshape(size, *self.visible)
        return self.bilinear(rows).reshape(size, -1)

    @property
    def core(self) -> Coupling:
        """The bilinear part as a coupling; the coupling itself where it adds nothing else."""
        return self

    def bilinear(self, s_v: Tensor) -> Tensor:
        """The part of the hidden layer's input that depends on the visible layer: (*leading, *hidden)."""
        return self.core.to_hidden(s_v)

    @abstractmethod
    def scales(self, visible: Tensor | float, hidden: Tensor | float) -> dict[str, Tensor | float]:
        """The factor of each parameter, by its name, when visible states are multiplied by `visible` and hidden states by `hidden`.

        The two are (size) of the flattened statistics, or one number for all. They are for units whose statistic is the state over its
        variance, so that it is divided by the same factor. Each result broadcasts to its parameter.
        """

    @abstractmethod
    def arguments(self) -> dict[str, object]:
        """The constructor's arguments that make an untrained coupling of the same sizes."""

    @abstractmethod
    def accumulate_gradient(
        self, s_v: Tensor, s_h: Tensor, *, weights: Tensor | None, scale: float, fresh: bool, given: Given = NOTHING
    ) -> None:
        """Adds scale · Σ weights · ∂(-interaction)/∂θ over the leading axes to each parameter's `.grad`; replaces it if `fresh`.

        Parameters
        ----------
        s_v, s_h : torch.Tensor
            The statistics, (*leading, *visible) and (*leading, *hidden).
        weights : torch.Tensor or None
            (*leading); None gives every case a weight of one.
        scale : float
            The factor of the sum.
        fresh : bool
            Whether to replace the gradient.
        given : Given, optional
            Side information about each case.
        """

    def accumulate_one_way(
        self, s_v: Tensor, s_h: Tensor, *, upward: bool, weights: Tensor | None, scale: float, fresh: bool, given: Given = NOTHING
    ) -> None:
        """`accumulate_gradient` for the terms of the interaction that a directed layer, p(one layer | the other), contains.

        By default all terms, as is right for a coupling without terms of one layer alone.

        Parameters
        ----------
        s_v, s_h : torch.Tensor
            The statistics, (*leading, *visible) and (*leading, *hidden).
        upward : bool
            If true, the terms that contain hidden units, of p(hidden | visible). Otherwise those that contain visible units.
        weights, scale, fresh, given
            As for `accumulate_gradient`.
        """
        self.accumulate_gradient(s_v, s_h, weights=weights, scale=scale, fresh=fresh, given=given)


def as_shape(shape: int | Sequence[int]) -> tuple[int, ...]:
    """A size as the shape of one axis; a shape unchanged."""
    return (shape,) if isinstance(shape, int) else tuple(shape)


def rows(statistic: Tensor, shape: tuple[int, ...]) -> Tensor:
    """Reshapes a statistic, (*leading, *shape), to (cases, size), detached from the graph."""
    return statistic.detach().reshape(-1, math.prod(shape))
