"""Kinds of unit that are another kind in other clothes, as whole machines."""

import numpy as np
import pytest
import torch
from scipy import linalg, stats

import harmonium as hm
from harmonium.units import NOTHING, Given

from .machines import close, machine


def log_likelihood(rbm, data, given=NOTHING, case=NOTHING):
    log_z = hm.likelihood.exact_log_z(rbm, given=case)
    return hm.likelihood.log_likelihood(rbm, torch.as_tensor(data), log_z=log_z, given=given)


def with_parameters(rbm, visible_bias, hidden_bias, weight):
    rbm = rbm.double()
    rbm.visible.bias.data, rbm.hidden.bias.data, rbm.coupling.weight.data = (
        torch.as_tensor(x).clone() for x in (visible_bias, hidden_bias, weight)
    )
    return rbm


def binary(hidden="bernoulli"):
    """A machine of binary visible units, its parameters, and all its visible states."""
    rbm = machine("bernoulli", hidden, seed=8)
    parameters = (rbm.visible.bias.data, rbm.hidden.bias.data, rbm.coupling.weight.data)
    return rbm, *parameters, rbm.visible.states(torch.arange(8))


COPY = {
    "binomial": (lambda size: hm.Binomial(size, copies=1), 0.0),
    "stepped": (lambda size: hm.SteppedSigmoid(size, copies=1), 0.5),  # its one copy is offset by a half
    "pooled": (lambda size: hm.PooledBlocks(size, pool=(1,)), 0.0),
}


@pytest.mark.parametrize("copy", COPY)
@pytest.mark.parametrize("hidden", ["bernoulli", "gaussian", "softmax"])
def test_one_copy_is_a_binary_unit(copy, hidden):
    rbm, a, c, weight, v = binary(hidden)
    make, offset = COPY[copy]
    below = with_parameters(hm.RBM(make(3), rbm.hidden), a + offset, c, weight)
    close(log_likelihood(below, v), log_likelihood(rbm, v), 1e-10)
    if hidden == "bernoulli":
        above = with_parameters(hm.RBM(make(3), make(3)), a + offset, c + offset, weight)
        close(log_likelihood(above, v), log_likelihood(rbm, v), 1e-10)
        close(above.hidden_mean(v), rbm.hidden_mean(v), 1e-12)


def test_spins_are_binary_units_after_a_change_of_variables():
    """With s = 2v - 1 and t = 2h - 1: J = W/4, and the biases take up the rest."""
    rbm, a, c, weight, v = binary()
    states, expected = 2 * v - 1, log_likelihood(rbm, v)
    below = with_parameters(hm.RBM(hm.Spin(3), hm.Bernoulli(3)), a / 2, c + weight.sum(0) / 2, weight / 2)
    close(log_likelihood(below, states), expected, 1e-10)
    above = with_parameters(hm.RBM(hm.Bernoulli(3), hm.Spin(3)), a + weight.sum(1) / 2, c / 2, weight / 2)
    close(log_likelihood(above, v), expected, 1e-10)
    both = with_parameters(hm.RBM(hm.Spin(3), hm.Spin(3)), a / 2 + weight.sum(1) / 4, c / 2 + weight.sum(0) / 4, weight / 4)
    close(log_likelihood(both, states), expected, 1e-10)
    close((both.hidden_mean(states) + 1) / 2, rbm.hidden_mean(v), 1e-12)


@pytest.mark.parametrize("hidden", ["bernoulli", "spin", "softmax", "gaussian"])
def test_a_document_of_one_word_is_a_softmax(hidden):
    """The coupling's last row is what the hidden biases were."""
    draw = np.random.default_rng(2)
    layer = machine("bernoulli", hidden, seed=8).hidden
    weight, bias = (torch.tensor(draw.normal(size=shape)) for shape in ((4, *layer.shape), 4))
    one = hm.RBM(hm.Softmax(1, categories=4), layer).double()
    one.visible.bias.data, one.coupling.weight.data = bias.clone(), weight.clone()
    states = torch.eye(4, dtype=torch.float64)
    expected = log_likelihood(one, states)
    below = layer.bias.data.clone()
    words = hm.RBM(hm.ReplicatedSoftmax(4), layer).double()
    assert not layer.bias.any()
    words.visible.bias.data, words.coupling.weight.data = bias.clone(), torch.cat([weight, below[None]])
    log_z = torch.logsumexp(-words.free_energy(states), 0).item()
    close(hm.likelihood.log_likelihood(words, states, log_z=log_z), expected, 1e-10)
    close(words.hidden_mean(states), layer.mean(states @ weight + below), 1e-12)
    if hidden != "gaussian":
        close(hm.likelihood.exact_log_z(words, given=Given(length=torch.tensor(1.0))), log_z, 1e-10)


def test_a_document_is_its_words():
    """Without hidden units that answer, a document of five words is five draws of one softmax; with them its log Z is its own."""
    rbm = hm.RBM(hm.ReplicatedSoftmax(3), hm.Bernoulli(2)).double()
    rbm.visible.bias.data = torch.tensor([0.3, -1.0, 0.8], dtype=torch.float64)
    rbm.coupling.weight.data.zero_()
    counts = torch.tensor([[3.0, 0.0, 2.0], [1.0, 4.0, 0.0]], dtype=torch.float64)
    found = log_likelihood(rbm, counts, case=Given(length=torch.tensor(5.0)))
    close(found, counts @ torch.log_softmax(rbm.visible.bias, 0), 1e-10)


def test_one_block_of_all_is_a_softmax_with_an_off_state():
    draw = np.random.default_rng(2)
    weight, bias, c = (torch.tensor(draw.normal(size=shape)) for shape in ((4, 3), 4, 3))
    block = with_parameters(hm.RBM(hm.PooledBlocks(4, pool=(4,)), hm.Bernoulli(3)), bias, c, weight)
    nothing = torch.zeros(1, dtype=torch.float64)
    softmax = with_parameters(
        hm.RBM(hm.Softmax(1, categories=5), hm.Bernoulli(3)), torch.cat([bias, nothing]), c, torch.cat([weight, nothing.expand(1, 3)])
    )
    states = torch.eye(5, dtype=torch.float64)
    close(log_likelihood(block, states[:, :4]), log_likelihood(softmax, states), 1e-10)


def test_many_copies_are_the_endless_ones():
    """Forty copies differ from no end of them by e^-40 or so."""
    _, a, c, weight, v = binary()
    few, none = (with_parameters(hm.RBM(hm.Bernoulli(3), hm.SteppedSigmoid(3, copies=copies)), a, c, weight) for copies in (40, None))
    close(log_likelihood(few, v), log_likelihood(none, v), 1e-10)


def analyser(seed, size=6, factors=3):
    """A factor analyser, v ~ N(mean, L L' + Psi): mean (size), L (size, factors), the diagonal of Psi (size)."""
    draw = np.random.default_rng(seed)
    return draw.normal(size=size), draw.normal(size=(size, factors)), draw.uniform(0.3, 2.0, size)


@pytest.mark.parametrize("seed", range(3))
def test_two_gaussian_layers_are_a_factor_analyser(seed):
    """W = L (I + L' Psi^-1 L)^-1/2 with hidden variances of one: the same density, and the same covariance to 1e-10.

    Its hidden units are the posterior's factors, whitened: their biases take the mean away.
    """
    mean, loadings, psi = analyser(seed)
    weight = loadings @ np.linalg.inv(linalg.sqrtm(np.eye(3) + loadings.T @ (loadings / psi[:, None])).real)
    rbm = hm.RBM(hm.Gaussian(6, learn_variance=True), hm.Gaussian(3))
    rbm = with_parameters(rbm, mean, -(mean / psi) @ weight, weight)
    rbm.visible.log_variance.data = torch.tensor(np.log(psi))
    rbm.check_normalisable()
    covariance = loadings @ loadings.T + np.diag(psi)
    precision = torch.autograd.functional.hessian(lambda v: rbm.free_energy(v), torch.zeros(6, dtype=torch.float64)).numpy()
    assert np.abs(np.linalg.inv(precision) - covariance).max() < 1e-10
    data = np.random.default_rng(9).multivariate_normal(mean, covariance, size=20)
    close(log_likelihood(rbm, data), stats.multivariate_normal(mean, covariance).logpdf(data), 1e-10)
    # A factor analyser's weights always lie inside what can be normalised.
    assert np.linalg.eigvalsh(weight.T @ (weight / psi[:, None])).max() < 1


def test_documents_cannot_be_hidden():
    with pytest.raises(ValueError, match="layer of data"):
        hm.RBM(hm.Bernoulli(3), hm.ReplicatedSoftmax(4))


def test_one_object_cannot_stand_for_two_layers():
    """[hm.Bernoulli(3)] * 3 is one layer thrice: its biases would be learned as one."""
    one, other = hm.Bernoulli(3), hm.Bernoulli(3)
    makers = (
        lambda: hm.RBM(one, one),
        lambda: hm.RBM(hm.Groups(other, one), one),
        lambda: hm.DBM([one, other, one]),
        lambda: hm.BoltzmannMachine(one, one),
        lambda: hm.greedy(torch.eye(3), [other, one, one], epochs=1, progress=False),
    )
    for make in makers:
        with pytest.raises(ValueError, match="one Bernoulli object stands for two layers"):
            make()
