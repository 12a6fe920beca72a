"""Exact samples of machines that can be enumerated, drawn from the oracle's tables; planted machines."""

import numpy as np
import torch

import harmonium as hm
from tests import oracle
from tests.models.machines import endless, plain


def exact_samples(rbm, cases, seed):
    """Independent draws of p(v), (cases, *visible.shape): from the table of visible states, or where these have no end from that of
    the hidden ones (or their quadrature), v given h."""
    draw, machine = np.random.default_rng(seed), plain(rbm)
    if not endless(rbm.visible):
        v, p = oracle.visible_distribution(machine)
        return torch.tensor(v[draw.choice(len(v), size=cases, p=p / p.sum())])
    h, p = oracle.visible_distribution(machine.flipped())
    h = torch.tensor(h[draw.choice(len(h), size=cases, p=p / p.sum())])
    return rbm.sample_visible(h.to(rbm.visible.blank()), generator=torch.Generator().manual_seed(seed))


def planted(odds=0.0):
    """Ten pixels that one hidden unit turns on or off together: two modes, of which that with the unit on is exp(odds) times the other.

    Each pixel has a log-odds of -3 with the unit off and of 3 with it on; Gibbs sampling hardly ever crosses.
    """
    rbm = hm.RBM(hm.Bernoulli(10), hm.Bernoulli(1)).double()
    with torch.no_grad():
        rbm.visible.bias.fill_(-3)
        rbm.coupling.weight.fill_(6)
        rbm.hidden.bias.fill_(odds - 10 * 3)
    return rbm
