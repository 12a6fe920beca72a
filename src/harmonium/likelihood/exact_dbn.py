"""The likelihood of a deep belief net small enough to see whole, and its bound without draws."""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from torch import Tensor

from harmonium.likelihood.as_states import as_states
from harmonium.likelihood.dbn_bound import check_machines
from harmonium.likelihood.exact_log_z import exact_log_z
from harmonium.models import DBN, label_free_energy
from harmonium.models.enumerate_states import enumerate_states
from harmonium.units import ReplicatedSoftmax

MOST_STATES = 2**14  # of one hidden layer
BLOCK = 2**22  # numbers looked at together


class ExactNet(NamedTuple):
    """log p(v) of each case, and the variational bound on it, in nats: (cases,) float64 each."""

    log_likelihood: Tensor
    bound: Tensor


@torch.no_grad()
def exact_dbn(dbn: DBN, data: Tensor) -> ExactNet:
    """log p(v) and the variational bound of each case, by listing the states of every hidden layer below the top RBM's hidden one.

    From the top downwards, with Q the recognition layers,

        log p(x_l) = log Σ p(x_l | x_{l+1}) p(x_{l+1})
        bound(x_l) = Σ Q(x_{l+1} | x_l) [log p(x_l | x_{l+1}) - log Q(x_{l+1} | x_l) + bound(x_{l+1})]

    and both log p in the top RBM, labels beside its units summed out (Hinton, Osindero & Teh 2006). `dbn_bound` estimates the second of
    nets of any size. `data`: (cases, *visible.shape), of any kind of unit; the listed layers have at most 2^14 states each, and one side of
    the top RBM 2^25. Of a net of one RBM both are log p(v).

    ValueError for larger nets, layers without end, documents, data outside the visible units' support, and for nets of which `dbn_bound`
    knows no bound; TypeError where a layer has no joint energy.
    """
    check_machines(dbn)
    if isinstance(dbn.visible, ReplicatedSoftmax):
        raise ValueError("documents have a log Z for each length, and a net of them no likelihood here: hm.likelihood.dbn_bound takes them")
    recognition, generative = list(dbn.upwards()), list(dbn.downwards())[::-1]
    listed = [as_states(dbn.visible, data)]
    for layer in recognition:
        listed.append(enumerate_states(layer.unit, MOST_STATES, "the exact likelihood of a net (hm.likelihood.dbn_bound takes any size)"))
    unnormalised = -dbn.top.free_energy(listed[-1]) if dbn.labels is None else -label_free_energy(dbn.top, listed[-1])
    if dbn.labels is not None:
        unnormalised = torch.logsumexp(unnormalised.double(), dim=-1)
    log_p = bound = unnormalised.double() - exact_log_z(dbn.top)
    for up, down, below, above in list(zip(recognition, generative, listed, listed[1:], strict=False))[::-1]:
        pairs = []
        for rows in torch.split(below, max(1, BLOCK // (len(above) * max(above[0].numel(), below[0].numel())))):
            log_down = down.log_probability(rows[:, None], above[None])
            log_q = up.unit.log_probability(above[None], up.input(rows)[:, None])
            weighed = torch.where(log_q > -math.inf, log_q.exp() * (log_down - log_q + bound), 0.0)
            pairs.append((torch.logsumexp(log_down + log_p, dim=1), weighed.sum(1)))
        log_p, bound = (torch.cat(column) for column in zip(*pairs, strict=True))
    return ExactNet(log_p, bound)
