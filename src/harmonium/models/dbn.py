"""The deep belief net."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn

from harmonium.models.directed import Directed
from harmonium.models.rbm import RBM
from harmonium.units import Given


def above(given: Given | None) -> Given | None:
    """What is given of a case as the layers above the lowest see it: no more than its context."""
    return None if given is None or given.context is None else Given(context=given.context)


class DBN(nn.Module):
    """A stack of RBMs as one generative model: directed layers below a top RBM (Hinton, Osindero & Teh 2006).

        p(v, h1, ..., hL) = p(v | h1) p(h1 | h2) ... p(h_{L-1}, h_L)

    `rbms`: bottom to top, each one's hidden layer of the shape of the next one's visible layer. `recognition[l]` gives layer l + 1
    from layer l and `generative[l]` layer l from layer l + 1; while tied, both are made of the same tensors as the RBM they came
    from. The bottom-up connections are no part of the generative model: they are its approximate inference.
    """

    def __init__(self, rbms: Sequence[RBM]) -> None:
        super().__init__()
        if not rbms:
            raise ValueError("a deep belief net needs at least one RBM")
        for below, above in pairwise(rbms):
            if below.hidden.output_shape != above.visible.shape:
                raise ValueError(
                    f"each RBM's visible layer must have the shape of what is seen of the hidden layer below it: found "
                    f"{above.visible.shape} on {below.hidden.output_shape}"
                )
        self.recognition = nn.ModuleList(Directed(r.hidden, r.coupling, r.visible, upward=True) for r in rbms[:-1])
        self.generative = nn.ModuleList(Directed(r.visible, r.coupling, r.hidden, upward=False) for r in rbms[:-1])
        self.top = rbms[-1]

    @property
    def rbms(self) -> list[RBM]:
        """The stack as it was learnt, bottom to top, sharing this model's tensors."""
        layers = [layer for layer in self.recognition if isinstance(layer, Directed)]
        return [*(RBM(layer.neighbour, layer.unit, layer.coupling) for layer in layers), self.top]

    def up(self, v: Tensor, *, generator: torch.Generator | None = None, layers: int | None = None, given: Given | None = None) -> Tensor:
        """The states of the top RBM's visible layer, or after `layers` directed layers: means, or samples with a generator.

        `given`: what is given of each case, of which the layers above the lowest see the context alone.
        """
        for layer in self.recognition[:layers]:
            v, given = layer(v, generator, given), above(given)
        return v

    def down(self, h: Tensor, *, generator: torch.Generator | None = None, layers: int | None = None, given: Given | None = None) -> Tensor:
        """Visible means given states of the top RBM's visible layer (or of the layer `layers` above the data).

        With a generator every layer between is sampled, and the pixels are shown as means. `given`: as for `up`.
        """
        path = list(self.generative[:layers])[::-1]
        for layer in path[:-1]:
            h = layer(h, generator, above(given))
        return path[-1](h, None, given) if path else h

    @torch.no_grad()
    def generate(
        self, count: int, *, steps: int = 1000, generator: torch.Generator, start: Tensor | None = None, given: Given | None = None
    ) -> Tensor:
        """`count` fantasies, as means of the visible layer: (count, *visible.shape).

        Alternating Gibbs sampling in the top RBM for `steps` sweeps, then one top-down pass. The chains begin at `start` (data:
        (count, *visible.shape)), sent up once, or else at random states of the top RBM. `given`: what is given of each fantasy, fields of
        (count, ...).
        """
        visible, top = self.top.visible, above(given) if len(self.generative) else given
        random = visible.sample(visible.blank(count), generator=generator, given=top)
        states = random if start is None else self.up(start, generator=generator, given=given)
        states = self.top.gibbs(states, steps=max(steps - 1, 0), generator=generator, given=top)
        h = self.top.sample_hidden(states, generator=generator, given=top)
        if not len(self.generative):
            return self.top.visible_mean(h, top)
        return self.down(self.top.sample_visible(h, generator=generator, given=top), generator=generator, given=given)

    def arguments(self) -> dict[str, object]:
        """The constructor's arguments that make an untrained copy."""
        return {"rbms": self.rbms}
