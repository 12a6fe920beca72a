"""Several kinds of unit side by side in one layer."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from typing import Self

import torch
from torch import Tensor, nn

from harmonium.units.checks import check_shape
from harmonium.units.given import NOTHING, Given
from harmonium.units.unit import Unit


class Groups(Unit):
    """Several kinds of unit side by side in one layer, such as pixels beside a label.

    States, means and samples of the parts are joined along the last axis. Energies and log-partitions add.

    Parameters
    ----------
    *parts : Unit
        One or more layers of one-dimensional shape.

    Raises
    ------
    ValueError
        Without parts, and for a part whose shape has more than one axis.

    Examples
    --------
    Four pixels beside a label of three classes:

    >>> import torch, harmonium as hm
    >>> layer = hm.Groups(hm.Bernoulli(4), hm.Softmax(1, categories=3))
    >>> layer.shape
    (7,)
    >>> pixels, label = layer.split(torch.tensor([[1.0, 0.0, 1.0, 1.0, 0.0, 0.0, 1.0]]))
    >>> pixels, label
    (tensor([[1., 0., 1., 1.]]), tensor([[0., 0., 1.]]))
    >>> hm.RBM(layer, hm.Bernoulli(5)).coupling.visible
    (7,)
    """

    def __init__(self, *parts: Unit) -> None:
        if not parts or any(len(part.shape) != 1 or len(part.statistic_shape) != 1 for part in parts):
            raise ValueError(f"Groups takes one or more layers of one-dimensional shape, found {[part.shape for part in parts]}")
        super().__init__(sum(part.shape[0] for part in parts))
        self.parts = nn.ModuleList(parts)

    @property
    def has_joint_energy(self) -> bool:  # type: ignore[override]
        return all(part.has_joint_energy for part in self.layers())

    @property
    def statistic_is_learnt(self) -> bool:  # type: ignore[override]
        return any(part.statistic_is_learnt for part in self.layers())

    @property
    def scales_hidden_bias(self) -> bool:  # type: ignore[override]
        return any(part.scales_hidden_bias for part in self.layers())

    @property
    def statistic_shape(self) -> tuple[int, ...]:
        return (sum(part.statistic_shape[0] for part in self.layers()),)

    def layers(self) -> Iterator[Unit]:
        """The parts in order."""
        for part in self.parts:
            assert isinstance(part, Unit)
            yield part

    def split(self, states: Tensor) -> tuple[Tensor, ...]:
        """The states, means or samples of each part: views of (*leading, part.shape[0])."""
        return torch.split(states, [part.shape[0] for part in self.layers()], dim=-1)

    def split_input(self, input: Tensor) -> tuple[Tensor, ...]:
        """The input of each part: views of (*leading, part.statistic_shape[0])."""
        return torch.split(input, [part.statistic_shape[0] for part in self.layers()], dim=-1)

    def split_given(self, given: Given) -> list[Given]:
        """The side information of each part, its masks cut to the part's units."""
        masks: list[Given] = []
        start = 0
        for part in self.layers():
            masks.append(given.part(start, start + part.shape[0]))
            start += part.shape[0]
        return masks

    def split_mean(self, mean: Tensor | None) -> Sequence[Tensor | None]:
        """The mean of each part; None for each where the mean is None."""
        return [None] * len(self.parts) if mean is None else self.split(mean)

    def _join(self, function: Callable[[Unit, Tensor, Given], Tensor], pieces: tuple[Tensor, ...], given: Given) -> Tensor:
        return torch.cat([function(*each) for each in zip(self.layers(), pieces, self.split_given(given), strict=True)], dim=-1)

    def statistic(self, states: Tensor, given: Given = NOTHING) -> Tensor:
        return self._join(lambda part, x, mask: part.statistic(x, mask), self.split(states), given)

    def energy_terms(self, states: Tensor) -> Tensor:
        return self._join(lambda part, x, _: part.energy_terms(x), self.split(states), NOTHING)

    def log_partition(self, input: Tensor, given: Given = NOTHING) -> Tensor:
        parts = zip(self.layers(), self.split_input(input), self.split_given(given), strict=True)
        return torch.stack([part.log_partition(x, mask) for part, x, mask in parts]).sum(0)

    def mean(self, input: Tensor, given: Given = NOTHING) -> Tensor:
        return self._join(lambda part, x, mask: part.mean(x, mask), self.split_input(input), given)

    def variance(self, input: Tensor, given: Given = NOTHING) -> Tensor:
        return self._join(lambda part, x, mask: part.variance(x, mask), self.split_input(input), given)

    def mode(self, input: Tensor, given: Given = NOTHING) -> Tensor:
        return self._join(lambda part, x, mask: part.mode(x, mask), self.split_input(input), given)

    def sample(self, input: Tensor, *, generator: torch.Generator, given: Given = NOTHING, mean: Tensor | None = None) -> Tensor:
        pieces = zip(self.layers(), self.split_input(input), self.split_given(given), self.split_mean(mean), strict=True)
        return torch.cat([part.sample(x, generator=generator, given=mask, mean=m) for part, x, mask, m in pieces], dim=-1)

    def parameter_gradient(
        self, states: Tensor, input: Tensor | None, weights: Tensor | None = None, given: Given = NOTHING
    ) -> dict[str, Tensor]:
        inputs = [None] * len(self.parts) if input is None else self.split_input(input)
        pieces = zip(self.layers(), self.split(states), inputs, self.split_given(given), strict=True)
        return {
            f"parts.{index}.{name}": gradient
            for index, (part, x, part_input, mask) in enumerate(pieces)
            for name, gradient in part.parameter_gradient(x, part_input, weights, mask).items()
        }

    def mean_parameter_gradient(
        self, input: Tensor, weights: Tensor | None = None, given: Given = NOTHING, mean: Tensor | None = None
    ) -> dict[str, Tensor]:
        pieces = zip(self.layers(), self.split_input(input), self.split_given(given), self.split_mean(mean), strict=True)
        return {
            f"parts.{index}.{name}": gradient
            for index, (part, x, mask, m) in enumerate(pieces)
            for name, gradient in part.mean_parameter_gradient(x, weights, mask, m).items()
        }

    def check(self, states: Tensor) -> None:
        check_shape("Groups", states, self.shape)
        for part, x in zip(self.layers(), self.split(states), strict=True):
            part.check(x)

    def check_states(self, states: Tensor) -> None:
        check_shape("Groups", states, self.shape)
        for part, x in zip(self.layers(), self.split(states), strict=True):
            part.check_states(x)

    def from_data(self, data: Tensor, like: Tensor) -> Tensor:
        return self._join(lambda part, x, _: part.from_data(x, like), self.split(data), NOTHING)

    def init_from(self, data: Tensor, weights: Tensor | None = None) -> None:
        for part, x in zip(self.layers(), self.split(data), strict=True):
            part.init_from(x, weights)

    @property
    def output_shape(self) -> tuple[int, ...]:
        return (sum(math.prod(part.output_shape) for part in self.layers()),)

    def output(self, states: Tensor) -> Tensor:
        return self._join(lambda part, x, _: part.output(x), self.split(states), NOTHING)

    def from_output(self, output: Tensor, generator: torch.Generator | None = None) -> Tensor:
        pieces = torch.split(output, [math.prod(part.output_shape) for part in self.layers()], dim=-1)
        return self._join(lambda part, x, _: part.from_output(x, generator), pieces, NOTHING)

    def given_by(self, states: Tensor, given: Given = NOTHING) -> Given:
        for part, x in zip(self.layers(), self.split(states), strict=True):
            given = part.given_by(x, given)
        return given

    def standard(self) -> tuple[Tensor, Tensor] | None:
        found = [(part, part.standard()) for part in self.layers()]
        if all(each is None for _, each in found):
            return None
        like = next(self.parameters())
        pairs = [(like.new_zeros(part.shape), like.new_ones(part.statistic_shape)) if each is None else each for part, each in found]
        return torch.cat([origin for origin, _ in pairs]).detach(), torch.cat([scale for _, scale in pairs]).detach()

    def standardise_gradient(self) -> None:
        for part in self.layers():
            part.standardise_gradient()

    def bounds(self, data: Tensor | None) -> dict[str, tuple[Tensor, Tensor]]:
        pieces = [None] * len(self.parts) if data is None else self.split(data)
        return {
            f"parts.{index}.{name}": pair
            for index, (part, x) in enumerate(zip(self.layers(), pieces, strict=True))
            for name, pair in part.bounds(x).items()
        }

    def max_interaction(self, weights: Tensor, given: Given = NOTHING) -> Tensor:
        pieces = torch.split(weights, [part.statistic_shape[0] for part in self.layers()])
        return torch.stack([part.max_interaction(w, given) for part, w in zip(self.layers(), pieces, strict=True)]).sum(0)

    def base_input(self, mean: Tensor) -> Tensor:
        return self._join(lambda part, x, _: part.base_input(x), self.split(mean), NOTHING)

    @property
    def count(self) -> float:
        counts = [part.count for part in self.layers()]
        return math.inf if math.inf in counts else math.prod(counts)

    def states(self, numbers: Tensor) -> Tensor:
        columns = []
        for part in self.layers():
            if not math.isfinite(part.count):
                return part.states(numbers)
            columns.append(part.states(numbers % int(part.count)))
            numbers = numbers // int(part.count)
        return torch.cat(columns, dim=-1)

    def join_machine(self, *, visible: bool) -> None:
        for part in self.layers():
            part.join_machine(visible=visible)

    def as_visible_layer(self) -> Self:
        return type(self)(*(part.as_visible_layer() for part in self.layers()))

    def arguments(self) -> dict[str, object]:
        return {"parts": list(self.layers())}

    def extra_repr(self) -> str:
        return ""


def leaves(unit: Unit, start: int = 0) -> Iterator[tuple[int, int, Unit]]:
    """The layers that a layer is made of, each as (start, stop, layer).

    `start` and `stop` are where its statistic begins and ends in that of the whole layer, flattened.
    """
    if not isinstance(unit, Groups):
        yield start, start + math.prod(unit.statistic_shape), unit
        return
    for part in unit.layers():
        yield from leaves(part, start)
        start += math.prod(part.statistic_shape)


def check_distinct(*layers: Unit) -> None:
    """Raises a ValueError if one object stands for two layers: they would share their parameters."""
    parts = [leaf for layer in layers for _, _, leaf in leaves(layer)]
    twice = next((leaf for number, leaf in enumerate(parts) if any(leaf is other for other in parts[:number])), None)
    if twice is not None:
        raise ValueError(f"one {type(twice).__name__} object stands for two layers, which would share its parameters: make one for each")
