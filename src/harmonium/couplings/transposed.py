"""A coupling seen from the other side."""

from __future__ import annotations

import torch
from torch import Tensor

from harmonium.couplings.coupling import Coupling
from harmonium.units import NOTHING, Given


class Transposed(Coupling):
    """A coupling with its two sides exchanged: the visible side is the hidden side of `coupling`.

    It is the same form of the same tensors. With it an RBM is turned upside down: its hidden layer becomes the layer of the data (Hinton,
    Osindero & Teh 2006, section 3, doi:10.1162/neco.2006.18.7.1527).

    Parameters
    ----------
    coupling : Coupling
        The coupling to transpose; its parameters are shared, not copied.

    Examples
    --------
    >>> import torch, harmonium as hm
    >>> coupling = hm.Dense(3, 2)
    >>> turned = hm.Transposed(coupling)
    >>> turned.visible, turned.hidden
    ((2,), (3,))
    >>> torch.equal(turned.matrix(), coupling.weight.T)
    True
    """

    def __init__(self, coupling: Coupling) -> None:
        super().__init__()
        self.visible, self.hidden = coupling.hidden, coupling.visible
        self.coupling = coupling

    def to_hidden(self, s_v: Tensor, given: Given = NOTHING) -> Tensor:
        return self.coupling.to_visible(s_v, given)

    def to_visible(self, s_h: Tensor, given: Given = NOTHING) -> Tensor:
        return self.coupling.to_hidden(s_h, given)

    def visible_alone(self, s_v: Tensor, given: Given = NOTHING) -> Tensor | float:
        return self.coupling.hidden_alone(s_v, given)

    def hidden_alone(self, s_h: Tensor, given: Given = NOTHING) -> Tensor | float:
        return self.coupling.visible_alone(s_h, given)

    @property
    def core(self) -> Coupling:
        core = self.coupling.core
        return self if core is self.coupling else Transposed(core)

    @torch.no_grad()
    def matrix(self) -> Tensor:
        return self.coupling.matrix().T

    def accumulate_gradient(
        self, s_v: Tensor, s_h: Tensor, *, weights: Tensor | None, scale: float, fresh: bool, given: Given = NOTHING
    ) -> None:
        self.coupling.accumulate_gradient(s_h, s_v, weights=weights, scale=scale, fresh=fresh, given=given)

    def accumulate_one_way(
        self, s_v: Tensor, s_h: Tensor, *, upward: bool, weights: Tensor | None, scale: float, fresh: bool, given: Given = NOTHING
    ) -> None:
        self.coupling.accumulate_one_way(s_h, s_v, upward=not upward, weights=weights, scale=scale, fresh=fresh, given=given)

    def scales(self, visible: Tensor | float, hidden: Tensor | float) -> dict[str, Tensor | float]:
        return {f"coupling.{name}": factor for name, factor in self.coupling.scales(hidden, visible).items()}

    def arguments(self) -> dict[str, object]:
        return {"coupling": self.coupling}
