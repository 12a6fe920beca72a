"""What a machine says of a case's label: by the free energy of each."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from harmonium.models.dbn import DBN, first_part, label_part, one_hot
from harmonium.models.rbm import RBM
from harmonium.units import Groups

ROWS = 1024  # cases looked at together


@torch.no_grad()
def label_free_energy(rbm: RBM, x: Tensor) -> Tensor:
    """F(x, y) of each label y, exact, for a machine whose visible layer is `Groups(layer, Softmax(1, categories=classes))`.

    `x`: states, or means, of the layer, (cases, *layer.shape). Returns (cases, classes), nats; p(y | x) = softmax(-F(x, ·)). The hidden
    units' input from x is computed once, and each label adds its own row of weights. ValueError where no label stands beside the layer.
    """
    labels, visible, hidden = label_part(rbm.visible), rbm.visible, rbm.hidden
    if labels is None or not isinstance(visible, Groups):
        raise ValueError(f"a label is a softmax group beside another layer, Groups(layer, Softmax(1, categories=classes)); found {visible}")
    layer = first_part(visible)
    if x.shape[1:] != layer.shape:
        raise ValueError(f"expected states of the layer beside the label, (cases, {layer.shape[0]}), found {tuple(x.shape)}")
    every = one_hot(labels, torch.arange(labels.categories, device=x.device)).to(x)
    nothing = layer.blank(labels.categories)[:, : layer.shape[0]].to(x)
    of_label = rbm.coupling.to_hidden(visible.statistic(torch.cat([nothing, every], dim=1)))
    blocks = []
    for rows in torch.split(x, ROWS):
        blind = torch.cat([rows, rows.new_zeros(len(rows), labels.categories)], dim=1)
        input = rbm.coupling.to_hidden(visible.statistic(blind))
        alone = [layer.energy(rows) + labels.energy(every[k]) - hidden.log_partition(input + of_label[k]) for k in range(len(every))]
        blocks.append(torch.stack(alone, dim=1))
    return torch.cat(blocks)


@torch.no_grad()
def label_log_probability(model: RBM | DBN, v: Tensor, *, generator: torch.Generator | None = None, passes: int = 1) -> Tensor:
    """log p(y | v) of each label y, (cases, classes), nats, by the exact free energies of the machine that has them.

    Of a belief net the top RBM is asked, after a deterministic up-pass of means (what Hinton, Osindero & Teh 2006 report), or with a
    generator after `passes` stochastic ones, over which the probabilities are averaged. `v`: (cases, *visible.shape), of an RBM the layer
    beside its label. ValueError for models without labels.
    """
    if passes < 1 or (passes > 1 and generator is None):
        raise ValueError(f"several up-passes differ only if they are drawn: give a generator, and at least one pass; found {passes=}")
    if isinstance(model, RBM):
        return torch.log_softmax(-label_free_energy(model, v), dim=1)
    total: list[Tensor] = []
    for _ in range(passes):
        risen = torch.cat([model.up(rows, generator=generator) for rows in torch.split(v, ROWS)])
        total.append(torch.log_softmax(-label_free_energy(model.top, risen), dim=1))
    return total[0] if passes == 1 else torch.stack(total).logsumexp(0) - math.log(passes)
