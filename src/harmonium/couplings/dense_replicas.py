"""Dense couplings of several machines as one."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from harmonium.couplings.coupling import Coupling
from harmonium.couplings.products import add_product, times
from harmonium.units import NOTHING, Given


class DenseReplicas(Coupling):
    """The dense couplings of R machines of one shape. Every statistic has an axis of replicas before its cases.

    Parameters
    ----------
    visible, hidden : tuple of int
        The shapes of one case's statistics.
    weight : torch.Tensor
        W, (replicas, visible, hidden), of flattened sizes.

    Notes
    -----
    The interaction of replica r is s_v' W_r s_h. All products are batched ones.

    Examples
    --------
    >>> import torch
    >>> from harmonium.couplings.dense_replicas import DenseReplicas
    >>> coupling = DenseReplicas((3,), (2,), torch.zeros(4, 3, 2))
    >>> coupling.to_hidden(torch.ones(4, 5, 3)).shape
    torch.Size([4, 5, 2])
    """

    def __init__(self, visible: tuple[int, ...], hidden: tuple[int, ...], weight: Tensor) -> None:
        super().__init__()
        self.visible, self.hidden = visible, hidden
        self.weight = nn.Parameter(weight)

    def to_hidden(self, s_v: Tensor, given: Given = NOTHING) -> Tensor:
        return times(s_v.flatten(2), self.weight).reshape(*s_v.shape[:2], *self.hidden)

    def to_visible(self, s_h: Tensor, given: Given = NOTHING) -> Tensor:
        return times(s_h.flatten(2), self.weight, transposed=True).reshape(*s_h.shape[:2], *self.visible)

    @torch.no_grad()
    def accumulate_gradient(
        self, s_v: Tensor, s_h: Tensor, *, weights: Tensor | None, scale: float, fresh: bool, given: Given = NOTHING
    ) -> None:
        """`s_v`, `s_h`: (replicas, cases, ...). The sum is over each replica's cases. `weights`: (replicas, cases)."""
        add_product(self.weight, s_v.flatten(2), s_h.flatten(2), weights=weights, scale=scale, fresh=fresh)

    def scales(self, visible: Tensor | float, hidden: Tensor | float) -> dict[str, Tensor | float]:
        return {"weight": (visible[:, None] if isinstance(visible, Tensor) else visible) * hidden}

    def arguments(self) -> dict[str, object]:
        raise TypeError("replicas are taken out before they are saved: hm.save(replicas.take(0), path)")
