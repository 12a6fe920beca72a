"""The directed net with replicated weights."""

from __future__ import annotations

from harmonium.couplings import Dense, Transposed
from harmonium.models.dbn import DBN
from harmonium.models.rbm import RBM
from harmonium.units import Bernoulli


class InfiniteNet(DBN):
    """What `infinite_net` makes: a deep belief net whose directed layers are all of one RBM's tensors, shared with it."""

    def __init__(self, rbm: RBM, depth: int) -> None:
        if depth < 1:
            raise ValueError(f"a directed net has at least one layer, found depth={depth}")
        for unit in (rbm.visible, rbm.hidden):
            if unit.output_shape != unit.shape:
                raise ValueError(f"layers that stand below one another must show their states whole, and pooled ones do not: found {unit}")
        over = RBM(rbm.hidden, rbm.visible, Transposed(rbm.coupling))
        below = [rbm if level % 2 == 0 else over for level in range(depth)]
        top = below[-1].hidden
        # A belief net ends in an RBM: one more unit, joined to the top layer by no weight, leaves that layer's units independent.
        alone = RBM(top, Bernoulli(1), Dense(top.statistic_shape, 1, scale=0.0)).to(top.zero_input())
        for parameter in (*alone.hidden.parameters(), *alone.coupling.parameters()):
            parameter.requires_grad_(False)
        super().__init__([*below, alone])
        self.depth = depth

    def arguments(self) -> dict[str, object]:
        """The constructor's arguments that make an untrained copy."""
        return {"rbm": self.rbms[0], "depth": self.depth}


def infinite_net(rbm: RBM, depth: int) -> InfiniteNet:
    """The infinite directed net with tied weights that an RBM is, cut off above `depth` directed layers.

    p(v | x1) p(x1 | x2) ... p(x_depth), layers like the hidden one and layers like the visible one by turns, all of the RBM's own tensors,
    and independent units with their own biases on top (Hinton, Osindero & Teh 2006, section 3). Its p(v) is that of the RBM's Gibbs chain
    after `depth` half-sweeps from there, and nears the RBM's geometrically as it deepens. What takes a deep belief net takes it; its
    recognition layers are the exact posterior of the uncut net. ValueError for documents and pooled layers, which cannot stand above
    others.
    """
    return InfiniteNet(rbm, depth)
