"""The directed net with tied weights that is equivalent to an RBM."""

from __future__ import annotations

from harmonium.couplings import Dense, Transposed
from harmonium.models.dbn import DBN
from harmonium.models.rbm import RBM
from harmonium.units import Bernoulli


class InfiniteNet(DBN):
    """A deep belief net whose directed layers all share one RBM's tensors. `infinite_net` makes it.

    Parameters
    ----------
    rbm : RBM
        The machine whose tensors are shared.
    depth : int
        Number of directed layers.

    Raises
    ------
    ValueError
        For `depth` below 1, documents and pooled layers.

    Examples
    --------
    >>> import harmonium as hm
    >>> from harmonium.models import InfiniteNet
    >>> net = InfiniteNet(hm.RBM(hm.Bernoulli(6), hm.Bernoulli(4)), depth=3)
    >>> [layer.unit.shape for layer in net.upwards()]
    [(4,), (6,), (4,)]
    """

    def __init__(self, rbm: RBM, depth: int) -> None:
        if depth < 1:
            raise ValueError(f"a directed net has at least one layer, found depth={depth}")
        for unit in (rbm.visible, rbm.hidden):
            if unit.output_shape != unit.shape:
                raise ValueError(f"a layer below another must pass on all of its states, and pooled layers do not: found {unit}")
        over = RBM(rbm.hidden, rbm.visible, Transposed(rbm.coupling))
        below = [rbm if level % 2 == 0 else over for level in range(depth)]
        top = below[-1].hidden
        # A belief net ends in an RBM. One extra unit, with zero weights, leaves the units of the top layer independent.
        alone = RBM(top, Bernoulli(1), Dense(top.statistic_shape, 1, scale=0.0)).to(top.zero_input())
        for parameter in (*alone.hidden.parameters(), *alone.coupling.parameters()):
            parameter.requires_grad_(False)
        super().__init__([*below, alone])
        self.depth = depth

    def arguments(self) -> dict[str, object]:
        """The constructor's arguments, which make an untrained copy."""
        return {"rbm": self.rbms[0], "depth": self.depth}


def infinite_net(rbm: RBM, depth: int) -> InfiniteNet:
    """The infinite directed net with tied weights that is equivalent to an RBM, truncated above `depth` directed layers.

    Parameters
    ----------
    rbm : RBM
        The machine. The net shares its tensors.
    depth : int
        Number of directed layers.

    Returns
    -------
    InfiniteNet
        A `DBN`. Its recognition layers are the exact posterior of the net without truncation.

    Raises
    ------
    ValueError
        For `depth` below 1, and for documents and pooled layers, which cannot be above other layers.

    Notes
    -----
    The net is

        p(v | x1) p(x1 | x2) ... p(x_depth)

    Layers like the hidden one and layers like the visible one alternate. The top layer's units are independent, with their own biases
    (Hinton, Osindero & Teh 2006, section 3). The net's p(v) is that of the RBM's Gibbs chain after `depth` half-sweeps from the top layer.
    It converges geometrically to the RBM's p(v) as `depth` grows.

    Examples
    --------
    >>> import torch, harmonium as hm
    >>> net = hm.infinite_net(hm.RBM(hm.Bernoulli(6), hm.Bernoulli(4)), depth=3)
    >>> tuple(net.generate(2, steps=10, generator=torch.Generator().manual_seed(0)).shape)
    (2, 6)
    """
    return InfiniteNet(rbm, depth)
