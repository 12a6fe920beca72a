"""Exact samples of machines that can be enumerated, drawn from the oracle's tables; planted machines."""

import math

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
    return rbm.sample_visible(h.to(rbm.visible.zero_input()), generator=torch.Generator().manual_seed(seed))


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


def two_blocks(units, bias=2.5, depth=30.0, lead=1.0):
    """Two blocks of units, visible and hidden, of which a cold chain turns one on, wholly, and a hot one neither: the first block's mode is
    exp(lead) times the other's, and both about exp(depth) times that of units that are off.

    Between these and the hot chains lies a leap of the energy, which comes to pass late, as a block needs many units on to stay on.
    """
    rbm = hm.RBM(hm.Bernoulli(2 * units), hm.Bernoulli(2 * units)).double()
    weight = (depth + 2 * units * bias) / units**2
    with torch.no_grad():
        rbm.visible.bias.fill_(-bias)
        rbm.hidden.bias.fill_(-bias)
        rbm.coupling.weight.fill_(-1)
        rbm.coupling.weight[:units, :units] = weight + lead / units**2
        rbm.coupling.weight[units:, units:] = weight
    return rbm


def of_two_blocks(rbm):
    """Its log Z, and the probability that more than half of the first block is on and of the second is not: by how many visible units of
    each are on."""
    units = rbm.visible.shape[0] // 2
    (first, against), (_, second) = rbm.coupling.weight.detach().numpy()[:: 2 * units - 1, :: 2 * units - 1]
    bias, counts = rbm.visible.bias[0].item(), np.arange(units + 1)
    ways = np.array([math.log(math.comb(units, k)) for k in counts])
    a, b = counts[:, None], counts[None]
    up = np.logaddexp(0, bias + first * a + against * b) + np.logaddexp(0, bias + against * a + second * b)
    terms = ways[:, None] + ways[None] + bias * (a + b) + units * up
    log_z = float(np.logaddexp.reduce(terms.ravel()))
    return log_z, np.exp(terms - log_z)[(a > units / 2) & (b <= units / 2)].sum()
