"""Contrastive divergence raises the exact held-out likelihood with every kind of unit, visible and hidden.

The data come from a mixture of two products of independent units, whose likelihood is known: how much there is to learn beyond the base
rates, where learning starts, is the difference of the two.
"""

from functools import partial

import numpy as np
import pytest
import torch
from scipy import special, stats

import harmonium as hm
from harmonium.units import NOTHING, Given

CASES = 400
WORDS = 8


class Piece:
    """A few columns of data from a distribution of scipy's, `to` turning its draws into states and `back` states into its draws."""

    def __init__(self, law, *, to=lambda x: x, back=lambda x: x, extra=lambda x: 0.0):
        self.law, self.to, self.back, self.extra = law, to, back, extra

    def draw(self, cases, random):
        return self.to(np.asarray(self.law.rvs(size=cases, random_state=random), dtype=float).reshape(cases, -1))

    def log_p(self, states):
        law, x = self.law, self.back(states)
        x = x if isinstance(law, stats._multivariate.multi_rv_frozen) else x[:, 0]
        return (law.logpdf(x) if hasattr(law, "logpdf") and law.dist.name in REAL else law.logpmf(x)) + self.extra(states)


REAL = ("norm", "expon", "truncnorm")


def choice(p):
    return Piece(stats.multinomial(1, p))


def pooled(p):
    """At most one of two units is on, with these probabilities."""
    return Piece(stats.multinomial(1, [1 - sum(p), *p]), to=lambda x: x[:, 1:], back=lambda x: np.column_stack([1 - x.sum(1), x]))


def words(p):
    """A document's counts, with the probability of its word sequence."""
    return Piece(stats.multinomial(WORDS, p), extra=lambda n: special.gammaln(n + 1).sum(1) - special.gammaln(WORDS + 1))


def stepped(bias, copies=40):
    """The number of independent copies that are on."""
    p = np.ones(1)
    for on in special.expit(bias - 0.5 - np.arange(copies)):
        p = np.convolve(p, [1 - on, on])
    return Piece(stats.rv_discrete(values=(np.arange(copies + 1), p / p.sum())))


def spin(p):
    return Piece(stats.bernoulli(p), to=lambda x: 2 * x - 1, back=lambda x: (x + 1) / 2)


def positive(mean, deviation=1.0):
    return Piece(stats.truncnorm(-mean / deviation, np.inf, mean, deviation))


def each(law, low, high):
    """Units that are low and high in turn, or high and low."""
    return [law(low), law(high), law(low), law(high)], [law(high), law(low), law(high), law(low)]


def both(*sources):
    return [p for first, _ in sources for p in first], [p for _, second in sources for p in second]


BITS = each(lambda p: Piece(stats.bernoulli(p)), 0.1, 0.9)
NORMAL = each(lambda mean: Piece(stats.norm(mean, 1)), -1.5, 1.5)
VISIBLE = {
    "Bernoulli": (lambda: hm.Bernoulli(4), BITS),
    "Spin": (lambda: hm.Spin(4), each(spin, 0.1, 0.9)),
    "Gaussian": (lambda: hm.Gaussian(4, learn_variance=False), NORMAL),
    "Gaussian, learnt variances": (
        lambda: hm.Gaussian(4, learn_variance=True),
        each(lambda mean: Piece(stats.norm(mean, 3)), 10, 20),
    ),
    "Softmax": (lambda: hm.Softmax(3, categories=3), ([choice([0.8, 0.1, 0.1])] * 3, [choice([0.1, 0.1, 0.8])] * 3)),
    "Binomial": (lambda: hm.Binomial(4, copies=5), each(lambda p: Piece(stats.binom(5, p)), 0.3, 0.7)),
    "SteppedSigmoid": (lambda: hm.SteppedSigmoid(4, copies=4), each(partial(stepped, copies=4), 0.5, 3.5)),
    "SteppedSigmoid without end": (lambda: hm.SteppedSigmoid(4), each(stepped, 0.5, 3.5)),
    "Poisson": (lambda: hm.Poisson(4), each(lambda rate: Piece(stats.poisson(rate)), 1, 4)),
    "Exponential": (lambda: hm.Exponential(4), each(lambda mean: Piece(stats.expon(scale=mean)), 0.2, 3)),
    "TruncatedGaussian": (lambda: hm.TruncatedGaussian(4, learn_variance=False), each(positive, 0, 3)),
    "TruncatedGaussian, learnt variances": (
        lambda: hm.TruncatedGaussian(4, learn_variance=True),
        each(lambda mean: positive(mean, 3.0), 1, 12),
    ),
    "ReplicatedSoftmax": (lambda: hm.ReplicatedSoftmax(4), ([words([0.4, 0.4, 0.1, 0.1])], [words([0.1, 0.1, 0.4, 0.4])])),
    "PooledBlocks": (lambda: hm.PooledBlocks(6, pool=(2,)), ([pooled([0.8, 0.1])] * 3, [pooled([0.1, 0.8])] * 3)),
    "Groups": (lambda: hm.Groups(hm.Bernoulli(4), hm.Gaussian(4, learn_variance=False)), both(BITS, NORMAL)),
}
HIDDEN = {
    "Bernoulli": lambda: hm.Bernoulli(2),
    "Spin": lambda: hm.Spin(2),
    "Gaussian": lambda: hm.Gaussian(1),
    "Gaussian, learnt variances": lambda: hm.Gaussian(1, learn_variance=True),
    "Softmax": lambda: hm.Softmax(1, categories=3),
    "Binomial": lambda: hm.Binomial(2, copies=3),
    "SteppedSigmoid": lambda: hm.SteppedSigmoid(2, copies=4),
    "SteppedSigmoid without end": lambda: hm.SteppedSigmoid(2),
    "Poisson": lambda: hm.Poisson(2),
    "Exponential": lambda: hm.Exponential(2),
    "TruncatedGaussian": lambda: hm.TruncatedGaussian(2),
    "TruncatedGaussian, learnt variances": lambda: hm.TruncatedGaussian(2, learn_variance=True),
    "PooledBlocks": lambda: hm.PooledBlocks(2, pool=(2,)),
    "Groups": lambda: hm.Groups(hm.Bernoulli(1), hm.Gaussian(1)),
}


def drawn(source, seed):
    """Cases of one half of the mixture or the other, and their mean log-probability under it, in nats."""
    random = np.random.default_rng(seed)
    of_first = random.random(CASES) < 0.5
    halves = [np.concatenate([piece.draw(CASES, random) for piece in half], axis=1) for half in source]
    data = np.where(of_first[:, None], *halves)
    log_p = []
    for half in source:
        start, total = 0, np.zeros(CASES)
        for piece in half:
            width = piece.draw(1, np.random.default_rng(0)).shape[1]
            total = total + piece.log_p(data[:, start : start + width])
            start += width
        log_p.append(total)
    return torch.tensor(data).float(), (np.logaddexp(*log_p) - np.log(2)).mean()


def likelihood(rbm, data):
    """The mean exact log-likelihood; documents are all of one length, with one Z."""
    given = Given(length=torch.tensor(float(WORDS))) if isinstance(rbm.visible, hm.ReplicatedSoftmax) else NOTHING
    return hm.likelihood.log_likelihood(rbm, data, log_z=hm.likelihood.exact_log_z(rbm, given=given)).mean().item()


def share_learnt(visible, hidden, source, *, optimizer, **settings):
    """How much of what there was to learn beyond base rates held-out data show to have been learnt."""
    data, _ = drawn(source, 0)
    held_out, best = drawn(source, 1)
    rbm = hm.RBM(visible(), hidden(), seed=1)
    rbm.coupling.weight.data *= 10  # away from zero, where all hidden units are alike and the slope small
    hm.fit(rbm, data, epochs=0, progress=False)
    before = likelihood(rbm, held_out)
    assert best - before > 0.3
    hm.fit(rbm, data, progress=False, **{"epochs": 30, "batch_size": 20, "optimizer": optimizer, **settings})
    return (likelihood(rbm, held_out) - before) / (best - before)


def momentum(rate):
    return partial(hm.MomentumSGD, lr=rate, momentum=0.9)


# Other and more steps where the slope changes fast: near what an exponential unit bears, which is where the data take a hidden one, and
# along variances.
STEPS = {
    ("visible", "Exponential"): {"optimizer": momentum(1e-3), "epochs": 50},
    ("visible", "Gaussian, learnt variances"): {"optimizer": momentum(3e-3), "epochs": 50},
    ("visible", "TruncatedGaussian, learnt variances"): {"epochs": 50},
    ("hidden", "Exponential"): {"optimizer": partial(torch.optim.Adam, lr=5e-4), "epochs": 100},
}


@pytest.mark.filterwarnings("ignore:in .* updates the weights were pulled back:RuntimeWarning")
@pytest.mark.parametrize("kind", VISIBLE)
def test_every_visible_kind(kind):
    visible, source = VISIBLE[kind]
    settings = {"optimizer": momentum(1e-2), **STEPS.get(("visible", kind), {})}
    share = share_learnt(visible, lambda: hm.Bernoulli(2), source, **settings)
    assert 0.6 < share < 1.01


@pytest.mark.filterwarnings("ignore:in .* updates the weights were pulled back:RuntimeWarning")
@pytest.mark.parametrize("kind", HIDDEN)
def test_every_hidden_kind(kind):
    settings = {"optimizer": momentum(1e-2), **STEPS.get(("hidden", kind), {})}
    share = share_learnt(lambda: hm.Bernoulli(4), HIDDEN[kind], BITS, **settings)
    assert 0.6 < share < 1.01


def reconstruction_error(rbm, data):
    return (rbm.visible_mean(rbm.hidden_mean(data)) - data).square().sum(1).mean().item()


@pytest.mark.parametrize("noise", ["sigmoid", "unit", "none"])
@pytest.mark.parametrize("side", ["visible", "hidden"])
def test_noisy_rectified_units_reconstruct_better(side, noise):
    """No likelihood exists, so that the squared error of held-out data tells."""
    kind, source = partial(hm.NoisyReLU, noise=noise), each(positive, 0, 3) if side == "visible" else BITS
    layers = (kind(4), hm.Bernoulli(2)) if side == "visible" else (hm.Bernoulli(4), kind(2))
    (data, _), (held_out, _) = drawn(source, 0), drawn(source, 1)
    rbm = hm.RBM(*layers, seed=1)
    hm.fit(rbm, data, epochs=0, progress=False)
    before = reconstruction_error(rbm, held_out)
    hm.fit(rbm, data, epochs=50, batch_size=20, optimizer=partial(hm.MomentumSGD, lr=1e-2, momentum=0.9), progress=False)
    assert reconstruction_error(rbm, held_out) < 0.7 * before
