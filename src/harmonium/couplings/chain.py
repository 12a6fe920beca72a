"""A chain of layers, each connected to the next, as one coupling of the even layers with the odd ones."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn

from harmonium.couplings.coupling import Coupling
from harmonium.units import NOTHING, Given


class Chain(Coupling):
    """The coupling of a deep Boltzmann machine: layers 0, 1, ..., L, of which only neighbours are connected.

    `sizes` are those of the layers' statistics, from the bottom. The even layers form the visible side and the odd layers the hidden
    side. Only products of neighbouring layers are computed: the zero blocks of the whole matrix are never multiplied.

    Parameters
    ----------
    couplings : sequence of Coupling
        One or more. `couplings[l]` has layer l as its visible side and layer l + 1 as its hidden side. All statistics are flat.

    Raises
    ------
    ValueError
        Without couplings, for statistics that are not flat, and for neighbouring couplings that do not fit.

    Notes
    -----
    The interaction is <s_v, chain, s_h> = Σ_l <s_l, couplings[l], s_{l+1}>, where s_v joins the statistics of the even layers side by side,
    and s_h those of the odd layers.

    Examples
    --------
    >>> import torch, harmonium as hm
    >>> chain = hm.Chain([hm.Dense(6, 4), hm.Dense(4, 2, seed=1)])
    >>> chain.visible, chain.hidden  # layers 0 and 2, and layer 1
    ((8,), (4,))
    >>> bottom, middle, top = chain.layers(torch.zeros(3, 8), torch.zeros(3, 4))
    >>> bottom.shape, middle.shape, top.shape
    (torch.Size([3, 6]), torch.Size([3, 4]), torch.Size([3, 2]))
    """

    def __init__(self, couplings: Sequence[Coupling]) -> None:
        super().__init__()
        shapes = [(coupling.visible, coupling.hidden) for coupling in couplings]
        if not shapes or any(len(shape) != 1 for pair in shapes for shape in pair):
            raise ValueError(f"a chain takes one or more couplings of flat statistics, found {shapes}")
        for number, ((_, below), (above, _)) in enumerate(pairwise(shapes), start=1):
            if below != above:
                raise ValueError(f"neighbours in a chain share layer {number}, found shape {below} from below and {above} from above")
        self.couplings = nn.ModuleList(couplings)
        self.sizes = [shapes[0][0][0], *(hidden[0] for _, hidden in shapes)]
        """The size of each layer's statistic, from the bottom."""
        self.visible, self.hidden = (sum(self.sizes[::2]),), (sum(self.sizes[1::2]),)

    def links(self) -> list[Coupling]:
        """The couplings from the bottom upwards."""
        return [coupling for coupling in self.couplings if isinstance(coupling, Coupling)]

    def layers(self, s_v: Tensor, s_h: Tensor) -> list[Tensor]:
        """The statistic of each layer from the bottom, from the joined ones: views of (*leading, size)."""
        found = [s_v] * len(self.sizes)
        found[::2], found[1::2] = torch.split(s_v, self.sizes[::2], dim=-1), torch.split(s_h, self.sizes[1::2], dim=-1)
        return found

    def from_below(self, layer: int, statistic: Tensor, given: Given = NOTHING) -> Tensor:
        """The part of a layer's input that comes from the layer below: (*leading, size of the layer's statistic).

        Parameters
        ----------
        layer : int
            Number of the layer that receives the input, from 1 to L.
        statistic : Tensor
            (*leading, size), the statistic of layer `layer` - 1.
        given : Given, optional
            Side information about each case.
        """
        found: Tensor = self.links()[layer - 1].to_hidden(statistic, given)
        return found

    def from_above(self, layer: int, statistic: Tensor, given: Given = NOTHING) -> Tensor:
        """The part of a layer's input that comes from the layer above: (*leading, size of the layer's statistic).

        Parameters
        ----------
        layer : int
            Number of the layer that receives the input, from 0 to L - 1.
        statistic : Tensor
            (*leading, size), the statistic of layer `layer` + 1.
        given : Given, optional
            Side information about each case.
        """
        found: Tensor = self.links()[layer].to_visible(statistic, given)
        return found

    def _across(self, statistic: Tensor, side: int, given: Given) -> Tensor:
        """The inputs of the layers of one side, 0 for even and 1 for odd, from the joined statistics of the other side."""
        neighbours, found = torch.split(statistic, self.sizes[1 - side :: 2], dim=-1), []
        for layer in range(side, len(self.sizes), 2):
            inputs = []
            if layer > 0:
                inputs.append(self.from_below(layer, neighbours[(layer - 1) // 2], given))
            if layer < len(self.couplings):
                inputs.append(self.from_above(layer, neighbours[(layer + 1) // 2], given))
            found.append(inputs[0] if len(inputs) == 1 else inputs[0] + inputs[1])
        return found[0] if len(found) == 1 else torch.cat(found, dim=-1)

    def to_hidden(self, s_v: Tensor, given: Given = NOTHING) -> Tensor:
        return self._across(s_v, 1, given)

    def to_visible(self, s_h: Tensor, given: Given = NOTHING) -> Tensor:
        return self._across(s_h, 0, given)

    def _alone(self, statistic: Tensor, side: int, given: Given) -> Tensor | float:
        """The interaction's terms of one side alone, which some couplings add."""
        total: Tensor | float = 0.0
        links = self.links()
        for layer, piece in zip(range(side, len(self.sizes), 2), torch.split(statistic, self.sizes[side::2], dim=-1), strict=True):
            if layer > 0:
                total = total + links[layer - 1].hidden_alone(piece, given)
            if layer < len(links):
                total = total + links[layer].visible_alone(piece, given)
        return total

    def visible_alone(self, s_v: Tensor, given: Given = NOTHING) -> Tensor | float:
        return self._alone(s_v, 0, given)

    def hidden_alone(self, s_h: Tensor, given: Given = NOTHING) -> Tensor | float:
        return self._alone(s_h, 1, given)

    @torch.no_grad()
    def matrix(self) -> Tensor:
        like = next(self.parameters())
        found = torch.zeros(*self.visible, *self.hidden, dtype=like.dtype, device=like.device)
        rows = torch.split(torch.arange(found.shape[0]), self.sizes[::2])
        columns = torch.split(torch.arange(found.shape[1]), self.sizes[1::2])
        for layer, coupling in enumerate(self.links()):
            block = coupling.matrix()
            row, column = rows[(layer + 1) // 2], columns[layer // 2]
            found[row[0] : row[-1] + 1, column[0] : column[-1] + 1] = block.T if layer % 2 else block
        return found

    @property
    def core(self) -> Coupling:
        cores = [coupling.core for coupling in self.links()]
        return self if all(core is link for core, link in zip(cores, self.links(), strict=True)) else Chain(cores)

    @torch.no_grad()
    def accumulate_gradient(
        self, s_v: Tensor, s_h: Tensor, *, weights: Tensor | None, scale: float, fresh: bool, given: Given = NOTHING
    ) -> None:
        for coupling, (below, above) in zip(self.links(), pairwise(self.layers(s_v, s_h)), strict=True):
            coupling.accumulate_gradient(below, above, weights=weights, scale=scale, fresh=fresh, given=given)

    def scales(self, visible: Tensor | float, hidden: Tensor | float) -> dict[str, Tensor | float]:
        factors: list[Tensor | float] = [1.0] * len(self.sizes)
        for side, factor in enumerate((visible, hidden)):
            sizes = self.sizes[side::2]
            factors[side::2] = torch.split(factor, sizes) if isinstance(factor, Tensor) else [factor] * len(sizes)
        return {
            f"couplings.{layer}.{name}": factor
            for layer, (coupling, pair) in enumerate(zip(self.links(), pairwise(factors), strict=True))
            for name, factor in coupling.scales(*pair).items()
        }

    def arguments(self) -> dict[str, object]:
        return {"couplings": self.links()}
