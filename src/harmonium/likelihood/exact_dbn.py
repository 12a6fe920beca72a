"""The likelihood of a deep belief net small enough to enumerate, and its variational bound without sampling."""

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
BLOCK = 2**22  # numbers processed together


class ExactNet(NamedTuple):
    """Exact figures of each case, in nats.

    Parameters
    ----------
    log_likelihood : Tensor
        log p(v), (cases,), float64.
    bound : Tensor
        The variational bound on it, (cases,), float64.

    Examples
    --------
    >>> import torch, harmonium as hm
    >>> dbn = hm.DBN([hm.RBM(hm.Bernoulli(6), hm.Bernoulli(4))])
    >>> found = hm.likelihood.exact_dbn(dbn, torch.eye(6))
    >>> torch.equal(found.bound, found.log_likelihood)  # one RBM: both are log p(v)
    True
    """

    log_likelihood: Tensor
    bound: Tensor


@torch.no_grad()
def exact_dbn(dbn: DBN, data: Tensor) -> ExactNet:
    """log p(v) and the variational bound of each case, by enumerating every hidden layer below the top RBM's hidden one.

    `dbn_bound` estimates the bound for nets of any size.

    Parameters
    ----------
    dbn : DBN
        The net. Each enumerated layer has at most 2^14 states, and one side of the top RBM at most 2^25. For a net of one RBM both figures
        are log p(v).
    data : Tensor
        Cases, (cases, *visible.shape), of any kind of visible unit but documents.

    Returns
    -------
    ExactNet
        log p(v) and the bound, (cases,) each.

    Raises
    ------
    ValueError
        For larger nets, layers with infinitely many states, documents, data outside the visible units' support, and nets that `dbn_bound`
        does not take.
    TypeError
        If a layer has no joint energy.

    Notes
    -----
    From the top downwards, with Q the recognition layers,

        log p(x_l) = log Σ p(x_l | x_{l+1}) p(x_{l+1})
        bound(x_l) = Σ Q(x_{l+1} | x_l) [log p(x_l | x_{l+1}) - log Q(x_{l+1} | x_l) + bound(x_{l+1})]

    In the top RBM both equal log p, and labels beside its units are summed out (Hinton, Osindero & Teh 2006,
    doi:10.1162/neco.2006.18.7.1527).

    Examples
    --------
    >>> import torch, harmonium as hm
    >>> dbn = hm.DBN([hm.RBM(hm.Bernoulli(6), hm.Bernoulli(4)), hm.RBM(hm.Bernoulli(4), hm.Bernoulli(3))])
    >>> found = hm.likelihood.exact_dbn(dbn, torch.eye(6))
    >>> bool((found.bound <= found.log_likelihood).all())
    True
    """
    check_machines(dbn)
    if isinstance(dbn.visible, ReplicatedSoftmax):
        raise ValueError("exact_dbn takes no documents, whose log Z depends on the length: use hm.likelihood.dbn_bound")
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
