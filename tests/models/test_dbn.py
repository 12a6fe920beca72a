"""Deep belief nets against NumPy written out by hand."""

import itertools

import numpy as np
import pytest
import torch

import harmonium as hm
from tests import oracle

from .machines import close, machine, plain


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def array(tensor):
    return tensor.detach().double().numpy()


def stack(*sizes, seed=0, scale=1.0):
    draw = np.random.default_rng(seed)
    rbms = [hm.RBM(hm.Bernoulli(a), hm.Bernoulli(b)).double() for a, b in itertools.pairwise(sizes)]
    for rbm in rbms:
        for parameter in rbm.parameters():
            parameter.data = torch.tensor(scale * draw.normal(size=parameter.shape))
    return hm.DBN(rbms)


def test_means_upwards_and_downwards():
    dbn = stack(6, 5, 4, 3)
    bottom, middle, _ = dbn.rbms
    v = np.random.default_rng(1).integers(2, size=(7, 6)).astype(float)
    first = sigmoid(v @ array(bottom.coupling.weight) + array(bottom.hidden.bias))
    second = sigmoid(first @ array(middle.coupling.weight) + array(middle.hidden.bias))
    close(dbn.up(torch.tensor(v), layers=0), v, 1e-12)
    close(dbn.up(torch.tensor(v), layers=1), first, 1e-12)
    close(dbn.up(torch.tensor(v)), second, 1e-12)
    h = np.random.default_rng(2).integers(2, size=(7, 5)).astype(float)
    close(dbn.down(torch.tensor(h), layers=1), sigmoid(h @ array(bottom.coupling.weight).T + array(bottom.visible.bias)), 1e-12)


def test_between_top_and_pixels_every_layer_is_sampled():
    dbn = stack(3, 2, 2, 2, scale=2.0)
    bottom, middle, _ = dbn.rbms
    states = np.array([[1.0, 0.0]])
    found = dbn.down(torch.tensor(states).expand(40000, -1), generator=torch.Generator().manual_seed(0)).detach().numpy()
    p = sigmoid(states @ array(middle.coupling.weight).T + array(middle.visible.bias))[0]
    every, _ = oracle.table((oracle.Part("bernoulli", np.zeros(2)),))
    chance = np.prod(np.where(every == 1, p, 1 - p), axis=1)
    means = sigmoid(every @ array(bottom.coupling.weight).T + array(bottom.visible.bias))
    assert (np.abs(found.mean(0) - chance @ means) < 4 * found.std(0) / np.sqrt(len(found))).all()
    # Pixels are shown as means: each is one of the four that the layer above allows.
    assert np.abs(found[:, None] - means[None]).max(2).min(1).max() < 1e-9


def test_tied_layers_are_the_same_tensors():
    dbn = stack(6, 5, 4, 3)
    for index, rbm in enumerate(dbn.rbms[:-1]):
        recognition, generative = dbn.recognition[index], dbn.generative[index]
        assert recognition.coupling.weight is generative.coupling.weight is rbm.coupling.weight
        assert recognition.unit.bias is rbm.hidden.bias
        assert generative.unit.bias is rbm.visible.bias
    assert dbn.rbms[-1] is dbn.top
    assert sum(p.numel() for p in dbn.parameters()) == 6 * 5 + 5 * 4 + 4 * 3 + 6 + 2 * 5 + 2 * 4 + 3


@pytest.mark.parametrize("bottom", ["bernoulli", "gaussian", "softmax"])
def test_generated_pixels_have_the_exact_mean(bottom):
    """E[v] = Σ_h E[v | h] p_top(h), with p_top enumerated, within four standard errors over independent chains."""
    below, top = machine(bottom, "bernoulli", seed=1), machine("bernoulli", "bernoulli", seed=2)
    h, p_top = oracle.visible_distribution(plain(top))
    expected = p_top @ oracle.hidden_moments(plain(below).flipped(), h)[0]
    found = hm.DBN([below, top]).generate(20000, steps=30, generator=torch.Generator().manual_seed(3)).numpy()
    error = found.std(0) / np.sqrt(len(found))
    assert (np.abs(found.mean(0) - expected) < 4 * error).all()
    assert (error < 0.02).all()


def test_generation_can_start_from_data():
    """After one sweep from data far from equilibrium the chains are where one sweep takes them, not at equilibrium."""
    below, top = machine("bernoulli", "bernoulli", seed=1), machine("bernoulli", "bernoulli", seed=2, size=3.0)
    data = torch.ones(20000, 3, dtype=torch.float64)
    found = hm.DBN([below, top]).generate(20000, steps=1, generator=torch.Generator().manual_seed(3), start=data).numpy()
    states, first = oracle.conditional(plain(below), data[:1].numpy())
    up, transition = oracle.conditional(plain(top), states)
    down = oracle.conditional(plain(top).flipped(), up)[1]
    expected = (first[0] @ transition @ down) @ oracle.hidden_moments(plain(below).flipped(), states)[0]
    assert (np.abs(found.mean(0) - expected) < 4 * found.std(0) / np.sqrt(len(found))).all()


def test_one_rbm_is_a_deep_belief_net():
    rbm = machine("bernoulli", "softmax", seed=4)
    v, p = oracle.visible_distribution(plain(rbm))
    found = hm.DBN([rbm]).generate(20000, steps=30, generator=torch.Generator().manual_seed(5)).detach().numpy()
    assert (np.abs(found.mean(0) - p @ v) < 4 * found.std(0) / np.sqrt(len(found))).all()


def test_layers_that_do_not_fit_are_refused():
    with pytest.raises(ValueError, match=r"\(4,\) on \(5,\)"):
        hm.DBN([hm.RBM(hm.Bernoulli(6), hm.Bernoulli(5)), hm.RBM(hm.Bernoulli(4), hm.Bernoulli(3))])
    with pytest.raises(ValueError, match="at least one"):
        hm.DBN([])
