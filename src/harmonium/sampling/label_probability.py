"""Class probabilities by Gibbs sampling."""

from __future__ import annotations

import torch
from torch import Tensor

from harmonium.data.tables import as_tensor
from harmonium.models import DBN, RBM
from harmonium.models.labels import label_rows, labelled, machine_of_labels, without_labels
from harmonium.units import NOTHING, Given


@torch.no_grad()
def gibbs_label_probability(
    model: RBM | DBN, v: Tensor, *, sweeps: int, generator: torch.Generator, average: int | None = None, given: Given = NOTHING
) -> Tensor:
    """Estimates the probability of every label by Gibbs sampling with the data clamped.

    A stochastic up-pass goes through a net's directed layers; an RBM has none. Then the hidden units and the label units of the top RBM are
    drawn in turn. Each label starts at probability 1 / K. Hinton, Osindero & Teh (2006, section 6.1) start ten labels at 0.1.

    Parameters
    ----------
    model : RBM or DBN
        A model with label units.
    v : Tensor
        (cases, *shape), data. For an RBM, the visible units without the labels.
    sweeps : int
        Number of Gibbs sweeps.
    generator : torch.Generator
        The source of all draws.
    average : int, optional
        E[y | h] is averaged over the last `average` sweeps. The default is the later half of them.
    given : Given, optional
        Side information about each case.

    Returns
    -------
    Tensor
        (cases, K), probabilities. For an RBM they tend to p(y | v) as `sweeps` grows.

    Raises
    ------
    ValueError
        For a model without labels, or if `average` is not between 1 and `sweeps`.

    See Also
    --------
    harmonium.models.label_log_probability : the exact values for an RBM.

    Examples
    --------
    >>> import torch, harmonium as hm
    >>> generator = torch.Generator().manual_seed(0)
    >>> rbm = hm.RBM(hm.Groups(hm.Bernoulli(6), hm.Softmax(1, categories=3)), hm.Bernoulli(4))
    >>> p = hm.sampling.gibbs_label_probability(rbm, torch.ones(2, 6), sweeps=20, generator=generator)
    >>> tuple(p.shape), torch.allclose(p.sum(1), torch.ones(2))
    ((2, 3), True)
    """
    average = (sweeps + 1) // 2 if average is None else average
    if not 1 <= average <= sweeps:
        raise ValueError(f"expected at least one sweep, and an average over at most all of them, found {sweeps=} and {average=}")
    rbm, bottom = machine_of_labels(model)
    labels = labelled(rbm)[1]
    v = as_tensor(v)
    bottom.check(v)
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
