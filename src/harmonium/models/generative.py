"""The interface of data models that sampling, likelihood and reports use."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol, runtime_checkable

import torch
from torch import Tensor

from harmonium.units import NOTHING, Given, Unit

if TYPE_CHECKING:
    from harmonium.models.rbm import RBM


@runtime_checkable
class Generative(Protocol):
    """The interface of `RBM`, `DBN` and `DBM`: layers around one RBM, the `machine`.

    The chains run in the machine, and its Z normalises the model. Films, completion without directed layers, and `evaluate` use this
    interface alone.

    Examples
    --------
    >>> import harmonium as hm
    >>> from harmonium.models import Generative
    >>> isinstance(hm.RBM(hm.Bernoulli(6), hm.Bernoulli(4)), Generative)
    True
    """

    @property
    def visible(self) -> Unit:
        """The units of the data."""

    @property
    def machine(self) -> RBM:
        """The RBM itself, the top RBM of a net, or the RBM of a deep Boltzmann machine's even and odd layers."""

    @property
    def bound_over(self) -> str | None:
        """None if log p is known. If only a bound is known, the name of the machine whose log Z the bound contains."""

    def machine_given(self, given: Given) -> Given:
        """What is given of a case, as the machine sees it. Raises a ValueError where the model takes none."""

    def initial_states(
        self,
        count: int,
        *,
        generator: torch.Generator,
        start: Tensor | None = None,
        labels: Tensor | None = None,
        given: Given = NOTHING,
    ) -> tuple[Tensor, Given]:
        """Initial states of `count` chains of the machine, and what is given of them.

        Parameters
        ----------
        count : int
            Number of chains.
        generator : torch.Generator
            The source of all draws.
        start : Tensor, optional
            (count, *visible.shape), data. By default the chains start at draws from the machine's own biases.
        labels : Tensor, optional
            (count,) integers, clamped.
        given : Given, optional
            Side information about each chain.

        Returns
        -------
        states : Tensor
            (count, *machine.visible.shape).
        given : Given
            As the machine sees it.
        """

    def data_mean(self, states: Tensor, *, generator: torch.Generator, given: Given = NOTHING) -> Tensor:
        """Means of the data given the machine's states: (*leading, *visible.shape).

        Parameters
        ----------
        states : Tensor
            (*leading, *machine.visible.shape).
        generator : torch.Generator
            The source of all draws, of the layers between the machine and the data.
        given : Given, optional
            Side information about each case.
        """

    def part(self, states: Tensor) -> Tensor:
        """The data in the machine's states, if its visible layer contains the data: (*leading, *visible.shape)."""

    def to_machine(self, v: Tensor, missing: Tensor, labels: Tensor | None = None, given: Given = NOTHING) -> tuple[Tensor, Tensor, Given]:
        """Data, the mask of their missing values, and what is given, for the machine's whole visible layer.

        All units beside the data are missing, except `labels`. The machine's visible layer must contain the data.

        Parameters
        ----------
        v, missing : Tensor
            (*leading, *visible.shape), the data, and a bool mask that is true where a value is missing.
        labels : Tensor, optional
            (cases,) integers. By default the label units, if there are any, are missing.
        given : Given, optional
            Side information about each case.

        Returns
        -------
        v, missing : Tensor
            (*leading, *machine.visible.shape).
        given : Given
            As the machine sees it.
        """

    def machine_mean(self, v: Tensor, given: Given = NOTHING) -> Tensor:
        """Means of the machine's visible layer, (cases, *machine.visible.shape), given data, (cases, *visible.shape)."""
