"""The deep belief net."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Sequence
from dataclasses import replace

import torch
from torch import Tensor, nn

from harmonium.models.directed import Directed
from harmonium.models.labels import check_labels, label_free_energy, labelled, no_labels, with_labels
from harmonium.models.rbm import RBM
from harmonium.models.shown import Shown
from harmonium.models.takes import anything, data_layer, takes
from harmonium.units import NOTHING, Given, Softmax, Unit


def above(given: Given) -> Given:
    """What is given of a case to the layers above the lowest: its context alone."""
    return Given(context=given.context)


class DBN(Shown):
    """A deep belief net: a stack of RBMs as one generative model, with directed layers below a top RBM (Hinton, Osindero & Teh 2006).

    Parameters
    ----------
    rbms : sequence of RBM
        The stack, from the data upwards. The output of each hidden layer has the shape of the next visible layer.
    untied : bool, default False
        Give the generative directions their own copies of the couplings, as contrastive wake-sleep needs. Tied directions share the RBM's.
    labels : bool, default False
        The top RBM's visible layer is `Groups(units, Softmax(1, categories=K))`: the units of the layer below, or of the data, beside a
        label. The net then models p(v, y). If False, softmax units there are ordinary units.

    Attributes
    ----------
    recognition : ModuleList of Directed
        `recognition[l]` gives layer l + 1 from layer l. These connections are approximate inference, and not part of the generative model.
    generative : ModuleList of Directed
        `generative[l]` gives layer l from layer l + 1.
    top : RBM
        The top RBM.

    Raises
    ------
    ValueError
        For no RBM, shapes that do not fit, or `labels` without label units.
    TypeError
        For members that are not RBMs.

    Notes
    -----
        p(v, h1, ..., hL) = p(v | h1) p(h1 | h2) ... p(h_{L-1}, h_L)

    Tied or not, a layer's units have separate biases for each direction: upwards those of the RBM below, as its hidden layer, and downwards
    those of the RBM above, as its visible layer.

    Examples
    --------
    >>> import torch, harmonium as hm
    >>> dbn = hm.DBN([hm.RBM(hm.Bernoulli(6), hm.Bernoulli(4)), hm.RBM(hm.Bernoulli(4), hm.Bernoulli(5))])
    >>> tuple(dbn.up(torch.ones(2, 6)).shape)
    (2, 4)
    >>> tuple(dbn.generate(3, steps=10, generator=torch.Generator().manual_seed(0)).shape)
    (3, 6)
    """

    def __init__(self, rbms: Sequence[RBM], untied: bool = False, labels: bool = False) -> None:
        super().__init__()
        if not rbms:
            raise ValueError("a deep belief net needs at least one RBM")
        others = [type(rbm).__name__ for rbm in rbms if not isinstance(rbm, RBM)]
        if others:
            raise TypeError(f"a deep belief net is a stack of RBMs, found {', '.join(others)}")
        self.untied, self.labelled = untied, labels
        seen = [rbm.visible for rbm in rbms[:-1]] + [labelled(rbms[-1])[0] if labels else rbms[-1].visible]
        for below, visible in zip(rbms, seen[1:], strict=False):
            if below.hidden.output_shape != visible.shape:
                raise ValueError(
                    f"each RBM's visible layer must have the shape of the output of the hidden layer below it (labels beside the top one "
                    f"need labels=True): found {visible.shape} on {below.hidden.output_shape}"
                )
        down = [copy.deepcopy(r.coupling) if untied else r.coupling for r in rbms[:-1]]
        self.recognition = nn.ModuleList(Directed(r.hidden, r.coupling, r.visible, upward=True) for r in rbms[:-1])
        self.generative = nn.ModuleList(Directed(r.visible, c, r.hidden, upward=False) for r, c in zip(rbms, down, strict=False))
        self.top = rbms[-1]

    @property
    def rbms(self) -> list[RBM]:
        """The stack of RBMs, bottom to top, which shares this model's tensors. For an untied net, with the recognition weights."""
        return [*(RBM(layer.neighbour, layer.unit, layer.coupling) for layer in self.upwards()), self.top]

    def upwards(self) -> Iterator[Directed]:
        """The recognition layers from the data upwards, as typed objects."""
        for layer in self.recognition:
            assert isinstance(layer, Directed)
            yield layer

    def downwards(self) -> Iterator[Directed]:
        """The generative layers from the top downwards, as typed objects."""
        for layer in reversed(self.generative):
            assert isinstance(layer, Directed)
            yield layer

    def untie(self) -> DBN:
        """A copy with separate recognition and generative weights. Its distribution is still the same."""
        return DBN([copy.deepcopy(rbm) for rbm in self.rbms], untied=True, labels=self.labelled)

    # Labels ---------------------------------------------------------------------------------------------------------------------

    @property
    def labels(self) -> Softmax | None:
        """The label units in the top RBM's visible layer, or None for a net without labels."""
        return labelled(self.top)[1] if self.labelled else None

    @property
    def penultimate(self) -> Unit:
        """The units of the top RBM's visible layer without the labels."""
        return labelled(self.top)[0] if self.labelled else self.top.visible

    @property
    def visible(self) -> Unit:
        """The units of the data."""
        lowest = next(self.upwards(), None)
        return self.penultimate if lowest is None else lowest.neighbour

    def join(self, h: Tensor, labels: Tensor | None = None, *, generator: torch.Generator | None = None, given: Given = NOTHING) -> Tensor:
        """States of the top RBM's visible layer: `h`, (cases, *penultimate.shape), beside one-hot labels.

        A net without label units returns `h`. `labels`: (cases,) integers. Labels that are not given are drawn from p(y | h), which is
        exact, with the `generator`. `given`: as the top RBM sees it. Raises a ValueError for labels of a net without any, and labels that
        do not fit.
        """
        units = self.labels
        if units is None:
            if labels is not None:
                raise no_labels()
            return h
        if labels is not None:
            return with_labels(h, check_labels(labels, len(h), units.categories), units.categories)
        if generator is None:
            raise ValueError("labels that are not given are drawn from p(y | h): give a generator")
        p = torch.softmax(-label_free_energy(self.top, h, given), dim=-1)
        return torch.cat([h, units.sample(units.zero_input(len(h)), generator=generator, mean=p)], dim=-1)

    def part(self, states: Tensor) -> Tensor:
        """States of the top RBM's visible layer without the labels. States without labels are returned unchanged."""
        if self.labels is None or states.shape[-1] == self.penultimate.shape[-1]:
            return states
        return states[..., : self.penultimate.shape[-1]]

    @takes(v=data_layer)
    def up(self, v: Tensor, *, generator: torch.Generator | None = None, layers: int | None = None, given: Given = NOTHING) -> Tensor:
        """The states below the top RBM, without labels, which `join` adds: (*leading, *penultimate.shape) by default.

        Parameters
        ----------
        v : Tensor
            (*leading, *visible.shape), data.
        generator : torch.Generator, optional
            With a generator each layer is sampled. By default each holds its means.
        layers : int, optional
            Number of directed layers to pass, counted from the data. By default all.
        given : Given, optional
            Side information about each case. The layers above the lowest use its context alone.
        """
        for layer in self.recognition[:layers]:
            v, given = layer(v, generator, given), above(given)
        return v

    @takes(h=anything)
    def down(self, h: Tensor, *, generator: torch.Generator | None = None, layers: int | None = None, given: Given = NOTHING) -> Tensor:
        """Visible means given the states of a layer above: (*leading, *visible.shape).

        Parameters
        ----------
        h : Tensor
            States of the top RBM's visible layer, with or without labels, or of the layer that `layers` names.
        generator : torch.Generator, optional
            With a generator the layers in between are sampled. By default they hold means, as the visible layer always does.
        layers, given
            Number of directed layers from `h` to the data, by default all; the rest as for `up`.
        """
        h = self.part(h) if layers is None else h
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
        given: Given = NOTHING,
    ) -> Tensor:
        """`count` samples of the model, as means of the visible layer: Gibbs sampling in the top RBM, then one top-down pass.

        Parameters
        ----------
        count, steps, generator
            The number of samples, of Gibbs sweeps in the top RBM, and the source of all draws.
        start : Tensor, optional
            (count, *visible.shape), data that one up-pass sends to the top RBM. By default the chains start at random states of the top
            RBM.
        labels : Tensor, optional
            (count,) integers, the class that stays clamped in each chain. By default the label units are free.
        given : Given, optional
            Side information about each sample.

        Returns
        -------
        Tensor
            (count, *visible.shape).
        """
        states, side = self.initial_states(count, generator=generator, start=start, labels=labels, given=given)
        states = self.top.gibbs(states, steps=max(steps - 1, 0), generator=generator, given=side)
        side = side.whole()
        h = self.top.sample_hidden(states, generator=generator, given=side)
        if not len(self.generative):
            return self.part(self.top.visible_mean(h, side))
        return self.down(self.top.sample_visible(h, generator=generator, given=side), generator=generator, given=given)

    @takes(start=data_layer)
    @torch.no_grad()
    def initial_states(
        self, count: int, *, generator: torch.Generator, start: Tensor | None = None, labels: Tensor | None = None, given: Given = NOTHING
    ) -> tuple[Tensor, Given]:
        """Initial states of chains in the top RBM, (count, *top.visible.shape), and what is given of them. Arguments: as `generate`."""
        visible, side = self.top.visible, self.machine_given(given)
        if start is None:
            states = visible.sample(visible.zero_input(count), generator=generator, given=side)
            states = states if labels is None else self.join(self.part(states), labels)
        else:
            states = self.join(self.up(start, generator=generator, given=given), labels, generator=generator, given=side)
        if labels is None:
            return states, side
        free = torch.ones(visible.shape, dtype=torch.bool, device=states.device)
        free[self.penultimate.shape[-1] :] = False
        return states, replace(side, missing=free)

    # The common interface (`Generative`), with `visible` and `part` above ----------------------------------------------------------

    @property
    def machine(self) -> RBM:
        """The top RBM."""
        return self.top

    @property
    def bound_over(self) -> str | None:
        """None for a net of one RBM, whose log p(v) has a closed form up to log Z. Otherwise "top RBM"."""
        return "top RBM" if len(self.recognition) else None

    def machine_given(self, given: Given) -> Given:
        """What is given of a case, as the top RBM sees it."""
        return above(given) if len(self.recognition) else given

    @torch.no_grad()
    def data_mean(self, states: Tensor, *, generator: torch.Generator, given: Given = NOTHING) -> Tensor:
        """One stochastic top-down pass from states of the top RBM's visible layer: (*leading, *visible.shape).

        The lowest layer holds means. For a net of one RBM it is E[v | h], for hidden units drawn given the states.
        """
        if len(self.generative):
            return self.down(states, generator=generator, given=given)
        return self.part(self.top.data_mean(states, generator=generator, given=given))

    @takes(v=data_layer)
    def machine_mean(self, v: Tensor, given: Given = NOTHING) -> Tensor:
        """The result of an up-pass of means, beside the labels' probabilities if there are labels: (cases, *top.visible.shape)."""
        x = self.up(v, given=given)
        if self.labels is None:
            return x
        return torch.cat([x, torch.softmax(-label_free_energy(self.top, x, self.machine_given(given)), dim=-1)], dim=-1)

    def to_machine(self, v: Tensor, missing: Tensor, labels: Tensor | None = None, given: Given = NOTHING) -> tuple[Tensor, Tensor, Given]:
        """Data and mask of a net of one RBM, beside the labels. Labels that are not given are free.

        Raises a ValueError for labels of a net without any.
        """
        if self.labels is None and labels is None:
            return v, missing, given
        x, mask = v.reshape(-1, v.shape[-1]), missing.reshape(-1, v.shape[-1])
        classes = x.new_zeros(len(x), dtype=torch.long) if labels is None else labels
        states = self.join(x, classes)
        free = mask.new_full((len(x), states.shape[-1] - x.shape[-1]), labels is None)
        leading = v.shape[:-1]
        return states.reshape(*leading, -1), torch.cat([mask, free], dim=-1).reshape(*leading, -1), given

    def arguments(self) -> dict[str, object]:
        """The constructor's arguments, which make an untrained copy."""
        return {"rbms": self.rbms, "untied": self.untied, "labels": self.labelled}
