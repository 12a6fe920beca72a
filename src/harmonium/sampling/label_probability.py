"""Classification by Gibbs sampling."""

from __future__ import annotations

import torch
from torch import Tensor

from harmonium.models import DBN, RBM
from harmonium.models.labels import label_rows, labelled, machine_of_labels, without_labels
from harmonium.units import Given


@torch.no_grad()
def gibbs_label_probability(
    model: RBM | DBN, v: Tensor, *, sweeps: int, generator: torch.Generator, average: int | None = None, given: Given | None = None
) -> Tensor:
    """The probability of every label by Gibbs sampling with all else clamped: (cases, K).

    A stochastic up-pass through a net's directed layers (of an RBM none), then in the top RBM hidden units and label units by turns, the
    labels beginning at 1 / K each (Hinton, Osindero & Teh 2006, section 6.1, begin ten at 0.1). It is E[y | h] averaged over the last
    `average` of the `sweeps` (by default the later half). As sweeps grow an RBM's tends to p(y | x), which
    `hm.models.label_log_probability` has exactly. `v`: as for that function. ValueError for models without labels.
    """
    average = (sweeps + 1) // 2 if average is None else average
    if not 1 <= average <= sweeps:
        raise ValueError(f"expected at least one sweep, and an average over no more than there are, found {sweeps=} and {average=}")
    rbm, bottom = machine_of_labels(model)
    labels = labelled(rbm)[1]
    x = bottom.from_data(v, rbm.visible.zero_input())
    if not isinstance(model, RBM):
        x, given = model.up(x, generator=generator, given=given), model.machine_given(given)
    from_x = rbm.hidden_input(without_labels(rbm, x), given)
    rows = label_rows(rbm).flatten(1)
    y, total = x.new_full((len(x), labels.categories), 1 / labels.categories), x.new_zeros(len(x), labels.categories)
    for sweep in range(sweeps):
        h = rbm.hidden.sample(from_x + (y @ rows).reshape(from_x.shape), generator=generator)
        input = rbm.hidden.statistic(h).flatten(1) @ rows.T
        mean = labels.mean(input)
        y = labels.sample(input, generator=generator, mean=mean)
        if sweep >= sweeps - average:
            total += mean
    return total / average
