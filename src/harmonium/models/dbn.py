"""The deep belief net."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise

import torch
from torch import Tensor, nn

from harmonium.models.directed import Directed
from harmonium.models.rbm import RBM
from harmonium.units import Given, Groups, Softmax, Unit


def above(given: Given | None) -> Given | None:
    """What is given of a case as the layers above the lowest see it: no more than its context."""
    return None if given is None or given.context is None else Given(context=given.context)


class DBN(nn.Module):
    """A stack of RBMs as one generative model: directed layers below a top RBM (Hinton, Osindero & Teh 2006).

        p(v, h1, ..., hL) = p(v | h1) p(h1 | h2) ... p(h_{L-1}, h_L)

    `rbms`: bottom to top, each one's hidden layer of the shape of the next one's visible layer. `recognition[l]` gives layer l + 1
    from layer l and `generative[l]` layer l from layer l + 1; while tied, both are made of the same tensors as the RBM they came
    from. `untied`: generation has tensors of its own, as wake-sleep needs. The bottom-up connections are no part of the generative model:
    they are its approximate inference.

    The visible layer of the top RBM may be `Groups(layer, Softmax(1, categories=classes))`: the layer below and, beside it, a label. The
    net then models both together.
    """

    def __init__(self, rbms: Sequence[RBM], untied: bool = False) -> None:
        super().__init__()
        if not rbms:
            raise ValueError("a deep belief net needs at least one RBM")
        for below, above in pairwise(rbms):
            beside = above is rbms[-1] and label_part(above.visible) is not None
            shapes = [above.visible.shape, *([first_part(above.visible).shape] if beside else [])]
            if below.hidden.output_shape not in shapes:
                raise ValueError(
                    f"each RBM's visible layer must have the shape of what is seen of the hidden layer below it: found "
                    f"{above.visible.shape} on {below.hidden.output_shape}"
                )
        self.recognition = nn.ModuleList(Directed(r.hidden, r.coupling, r.visible, upward=True) for r in rbms[:-1])
        self.generative = nn.ModuleList(Directed(r.visible, r.coupling, r.hidden, upward=False) for r in rbms[:-1])
        self.top = rbms[-1]
        self.untied = False
        if untied:
            self.untie()

    def untie(self) -> DBN:
        """Gives generation tensors of its own, equal to recognition's until one of them learns; the net itself."""
        if not self.untied:
            for up, down in zip(self.recognition, self.generative, strict=True):
                down.unit, down.coupling = copy.deepcopy(down.unit), copy.deepcopy(down.coupling)
                up.neighbour = down.unit  # no tensor is kept that neither direction uses
            self.untied = True
        return self

    @property
    def rbms(self) -> list[RBM]:
        """The stack as it was learnt, bottom to top, sharing this model's tensors; of an untied net, those of recognition."""
        layers = [layer for layer in self.recognition if isinstance(layer, Directed)]
        return [*(RBM(layer.neighbour, layer.unit, layer.coupling) for layer in layers), self.top]

    @property
    def labels(self) -> Softmax | None:
        """The label units beside the layer below the top RBM, if there are any."""
        if not len(self.recognition):
            return None
        below = self.recognition[-1].unit
        assert isinstance(below, Unit)
        return None if self.top.visible.shape == below.output_shape else label_part(self.top.visible)

    def split(self, states: Tensor) -> tuple[Tensor, Tensor | None]:
        """States of the top RBM's visible layer as those of the layer below, (*leading, size), and the labels', if there are any."""
        if self.labels is None:
            return states, None
        size = self.labels.shape[0]
        return states[..., :-size], states[..., -size:]

    def beside(self, states: Tensor, labels: Tensor) -> Tensor:
        """States of the top RBM's visible layer: those of the layer below, (*leading, size), and labels (*leading,), integers.

        ValueError where the net has no labels, or for labels that are none of its classes.
        """
        return torch.cat([states, one_hot(self.labels, labels).to(states)], dim=-1)

    def up(self, v: Tensor, *, generator: torch.Generator | None = None, layers: int | None = None, given: Given | None = None) -> Tensor:
        """The states of the layer below the top RBM, or after `layers` directed layers: means, or samples with a generator.

        `given`: what is given of each case, of which the layers above the lowest see the context alone.
        """
        for layer in self.recognition[:layers]:
            v, given = layer(v, generator, given), above(given)
        return v

    def down(self, h: Tensor, *, generator: torch.Generator | None = None, layers: int | None = None, given: Given | None = None) -> Tensor:
        """Visible means given states of the layer below the top RBM (or of the layer `layers` above the data).

        With a generator every layer between is sampled, and the pixels are shown as means. `given`: as for `up`.
        """
        path = list(self.generative[:layers])[::-1]
        for layer in path[:-1]:
            h = layer(h, generator, above(given))
        return path[-1](h, None, given) if path else h

    @torch.no_grad()
    def generate(
        self,
        count: int,
        *,
        steps: int = 1000,
        generator: torch.Generator,
        start: Tensor | None = None,
        labels: Tensor | None = None,
        given: Given | None = None,
    ) -> Tensor:
        """`count` fantasies, as means of the visible layer: (count, *visible.shape).

        Alternating Gibbs sampling in the top RBM for `steps` sweeps, then one top-down pass. The chains begin at `start` (data:
        (count, *visible.shape)), sent up once, or else at random states of the top RBM. `labels`: (count,) integers, kept clamped, so
        that each fantasy is of this class; otherwise label units are free. `given`: what is given of each fantasy, fields of (count, ...).
        """
        top = above(given) if len(self.generative) else given
        states = self.beginning(count, generator=generator, start=start, labels=labels, given=given)
        states = self.dream(states, steps=max(steps - 1, 0), generator=generator, clamped=labels is not None, given=top)
        h = self.top.sample_hidden(states, generator=generator, given=top)
        if not len(self.generative):
            return self.split(self.top.visible_mean(h, top))[0]
        states, _ = self.split(self.top.sample_visible(h, generator=generator, given=top))
        return self.down(states, generator=generator, given=given)

    @torch.no_grad()
    def beginning(
        self,
        count: int,
        *,
        generator: torch.Generator,
        start: Tensor | None = None,
        labels: Tensor | None = None,
        given: Given | None = None,
    ) -> Tensor:
        """Where chains of the top RBM begin: at draws of its visible units' own biases, or at a stochastic up-pass from `start`, with these
        labels or with drawn ones: (count, *top.visible.shape). The arguments are those of `generate`."""
        visible, top = self.top.visible, above(given) if len(self.generative) else given
        states = visible.sample(visible.blank(count), generator=generator, given=top)
        if start is not None:
            risen = self.up(start, generator=generator, given=given)
            states = torch.cat([risen, states[..., risen.shape[-1] :]], dim=-1) if self.labels is not None else risen
        return states if labels is None else self.beside(self.split(states)[0], labels)

    def dream(self, states: Tensor, *, steps: int, generator: torch.Generator, clamped: bool = False, given: Given | None = None) -> Tensor:
        """States of the top RBM's visible layer after `steps` sweeps of Gibbs sampling; with `clamped` the labels stay as they are."""
        if clamped:
            free = torch.zeros_like(states, dtype=torch.bool)
            self.split(free)[0].fill_(True)
            given = replace(given or Given(), missing=free)
        return self.top.gibbs(states, steps=steps, generator=generator, given=given)

    def arguments(self) -> dict[str, object]:
        """The constructor's arguments that make an untrained copy."""
        return {"rbms": self.rbms, "untied": self.untied}


def first_part(unit: Unit) -> Unit:
    """The first part of a group, or a layer that is no group."""
    return next(unit.layers()) if isinstance(unit, Groups) else unit


def label_part(unit: Unit) -> Softmax | None:
    """The label that stands beside a layer: the second of two parts, one softmax group. None where there is none."""
    parts = list(unit.layers()) if isinstance(unit, Groups) else []
    last = parts[-1] if len(parts) == 2 else None
    return last if isinstance(last, Softmax) and last.groups == 1 else None


def one_hot(unit: Softmax | None, labels: Tensor) -> Tensor:
    """Labels, (*leading,) integers, as states of a softmax group, (*leading, categories). ValueError for labels that are none of its
    categories, or where there is no group."""
    if unit is None:
        raise ValueError(
            "the net has no labels: its top RBM's visible layer must be Groups(layer below, Softmax(1, categories=classes)), as "
            "hm.greedy(..., labels=, classes=) makes it"
        )
    if labels.is_floating_point() or labels.dtype == torch.bool or not labels.numel():
        raise ValueError(f"expected labels as integers, at least one, found shape {tuple(labels.shape)} of {labels.dtype}")
    low, high = int(labels.min()), int(labels.max())
    if low < 0 or high >= unit.categories:
        raise ValueError(f"expected labels from 0 to {unit.categories - 1}, found {low if low < 0 else high}")
    return torch.nn.functional.one_hot(labels.long(), unit.categories)
