"""The exact likelihood and bound of nets against the sum over every state of every layer."""

import sys

import numpy as np
import pytest
import torch

import harmonium as hm
from harmonium.likelihood import exact_dbn
from harmonium.models import Directed
from tests import oracle
from tests.likelihood.test_dbn_bound import CASES, STACKS, net, summed, truth
from tests.models.machines import close, machine, plain, samples

UNLISTED = {"gaussian", "stepped", "pooled"}  # as layers between
LISTED = [kinds for kinds in STACKS if kinds[0] not in ("replicated", "pooled") and not UNLISTED & {*kinds[1:-1]}]


@pytest.mark.parametrize("kinds", LISTED, ids="-".join)
def test_every_kind(kinds):
    dbn = net(*kinds, size=0.8)
    v = samples(dbn.visible, CASES, 1)
    found = exact_dbn(dbn, torch.tensor(v))
    for value, expected in zip(found, truth(dbn, v), strict=True):
        assert value.dtype == torch.float64
        close(value, expected, 1e-8)


def test_recognition_and_generation_that_have_parted():
    dbn = net("bernoulli", "bernoulli", "bernoulli", "bernoulli", seed=5)
    first, second, _ = dbn.rbms
    others = [machine("bernoulli", "bernoulli", seed=9), machine("bernoulli", "bernoulli", seed=10)]
    for level, other in enumerate(others):
        dbn.generative[level] = Directed(other.visible, other.coupling, (first, second)[level].hidden, upward=False)
    v = samples(first.visible, CASES, 1)
    pairs = [(plain(first), plain(others[0])), (plain(second), plain(others[1]))]
    exact, bound = summed(pairs, plain(dbn.top), v)
    found = exact_dbn(dbn, torch.tensor(v))
    close(found.log_likelihood, exact, 1e-9)
    close(found.bound, bound, 1e-9)
    assert (exact - bound > 1e-3).all()


def test_labels_are_summed_out():
    below = machine("bernoulli", "bernoulli")
    size = below.hidden.shape[0]
    top = hm.RBM(hm.Groups(hm.Bernoulli(size), hm.Softmax(1, categories=3)), hm.Bernoulli(4), hm.Dense(size + 3, 4, scale=1.0)).double()
    dbn = hm.DBN([below, top], labels=True)
    v = samples(below.visible, CASES, 3)
    h, _ = oracle.table(plain(below).hidden)
    joint, _ = oracle.table(plain(top).visible)
    log_joint = oracle.log_likelihood(plain(top), joint)
    prior = np.array([oracle.logsumexp(log_joint[(joint[:, :size] == row).all(1)], axis=0) for row in h])
    log_down = -oracle.energies(plain(below), v, h) + oracle.free_energy(plain(below).flipped(), h)
    close(exact_dbn(dbn, torch.tensor(v)).log_likelihood, oracle.logsumexp(log_down + prior, axis=1), 1e-9)


def test_one_machine_blocks_and_float32(monkeypatch):
    rbm = machine("bernoulli", "bernoulli")
    v = samples(rbm.visible, CASES, 0)
    for value in exact_dbn(hm.DBN([rbm]), torch.tensor(v)):
        close(value, oracle.log_likelihood(plain(rbm), v), 1e-9)
    dbn = net("bernoulli", "bernoulli", "bernoulli")
    whole = exact_dbn(dbn, torch.tensor(v))
    monkeypatch.setattr(sys.modules["harmonium.likelihood.exact_dbn"], "BLOCK", 30)
    close(exact_dbn(dbn, torch.tensor(v)).bound, whole.bound, 1e-12)
    found = exact_dbn(dbn.float(), torch.tensor(v).to(torch.uint8))
    close(found.log_likelihood, whole.log_likelihood, 1e-5)
    assert found.bound.dtype == torch.float64


def test_what_it_refuses():
    v = torch.zeros(1, 3)
    wide = hm.DBN([hm.RBM(hm.Bernoulli(3), hm.Bernoulli(15)), hm.RBM(hm.Bernoulli(15), hm.Bernoulli(2))])
    with pytest.raises(ValueError, match=r"takes any size.*at most 2\^14, found 2\^15"):
        exact_dbn(wide, v)
    endless = hm.DBN([hm.RBM(hm.Bernoulli(3), hm.Gaussian(2)), hm.RBM(hm.Gaussian(2), hm.Bernoulli(2))])
    with pytest.raises(ValueError, match="infinitely many"):
        exact_dbn(endless, v)
    documents = hm.RBM(hm.ReplicatedSoftmax(3), hm.Bernoulli(2))
    with pytest.raises(ValueError, match="documents"):
        exact_dbn(hm.DBN([documents, hm.RBM(hm.Bernoulli(2), hm.Bernoulli(2))]), v)
    with pytest.raises(ValueError, match=r"found 0\.5"):
        exact_dbn(net("bernoulli", "bernoulli", "bernoulli"), torch.full((1, 3), 0.5))
    noisy = hm.DBN([hm.RBM(hm.Bernoulli(3), hm.NoisyReLU(2)), hm.RBM(hm.NoisyReLU(2), hm.Bernoulli(2))])
    with pytest.raises(TypeError, match="bound"):
        exact_dbn(noisy, v)
