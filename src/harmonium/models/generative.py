"""What sampling, likelihood and reports ask of a model of data, whatever its layers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol, runtime_checkable

import torch
from torch import Tensor

from harmonium.units import Given, Unit

if TYPE_CHECKING:
    from harmonium.models.rbm import RBM


@runtime_checkable
class Generative(Protocol):
    """An `RBM`, a `DBN` or a `DBM`: layers around one RBM, the `machine`, whose chains run and whose Z normalises.

    Films, completion (but through directed layers) and `evaluate` need no more than this.
    """

    @property
    def visible(self) -> Unit:
        """The units of the data."""

    @property
    def machine(self) -> RBM:
        """An RBM itself, a net's top one, the RBM of a deep Boltzmann machine's even and odd layers."""

    @property
    def bound_over(self) -> str | None:
        """Where no more than a bound on log p is known, what to call the machine whose log Z is in it; None where log p itself is."""

    def machine_given(self, given: Given | None) -> Given | None:
        """What is given of a case as the machine sees it. ValueError where the model takes none."""

    def initial_states(
        self,
        count: int,
        *,
        generator: torch.Generator,
        start: Tensor | None = None,
        labels: Tensor | None = None,
        given: Given | None = None,
    ) -> tuple[Tensor, Given | None]:
        """Where `count` chains of the machine begin, (count, *machine.visible.shape), and what is given of them.

        At `start`, data of (count, *visible.shape), or else at draws from the machine's own biases; `labels`: (count,) integers, clamped.
        """

    def data_mean(self, states: Tensor, *, generator: torch.Generator, given: Given | None = None) -> Tensor:
        """The means of the data given the machine's states, (*leading, *machine.visible.shape): (*leading, *visible.shape)."""

    def part(self, states: Tensor) -> Tensor:
        """The data of the machine's states, where its visible layer holds them: (*leading, *visible.shape)."""

    def to_machine(
        self, v: Tensor, missing: Tensor, labels: Tensor | None = None, given: Given | None = None
    ) -> tuple[Tensor, Tensor, Given | None]:
        """Data and the mask of what is missing of them, and what is given, as those of the machine's whole visible layer.

        What stands beside the data is missing, but for `labels`. Where the machine's visible layer holds the data.
        """

    def machine_mean(self, v: Tensor, given: Given | None = None) -> Tensor:
        """The means of the machine's visible layer that go with data, (cases, *visible.shape): (cases, *machine.visible.shape)."""
