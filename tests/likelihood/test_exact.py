"""Exact log Z and the likelihood that it gives: limits, blocks, types."""

import math

import numpy as np
import pytest
import torch

import harmonium as hm
from tests import oracle
from tests.models.machines import close, machine, plain, samples


def test_too_large_a_machine_is_refused_with_advice():
    with pytest.raises(ValueError, match=r"2\^26.*ais"):
        hm.likelihood.exact_log_z(hm.RBM(hm.Bernoulli(30), hm.Bernoulli(26)))
    with pytest.raises(ValueError, match=r"2\^26"):
        hm.likelihood.exact_log_z(hm.RBM(hm.Groups(hm.Gaussian(1), hm.Bernoulli(13)), hm.Groups(hm.Gaussian(1), hm.Bernoulli(13))))


def test_the_smaller_side_is_listed():
    """Nine hundred units on one side and three on the other: all states of the three are listed, whichever side they are on."""
    rbm = hm.RBM(hm.Bernoulli(900), hm.Bernoulli(3), seed=1).double()
    rbm.coupling.weight.data *= 30
    h = oracle.table(plain(rbm).hidden)[0]
    input = h @ plain(rbm).weight.T
    assert hm.likelihood.exact_log_z(rbm) == pytest.approx(oracle.logsumexp(np.logaddexp(0, input).sum(1)), abs=1e-8)
    turned = hm.RBM(hm.Bernoulli(3), hm.Bernoulli(900)).double()
    turned.coupling.weight.data = rbm.coupling.weight.data.T.clone()
    assert hm.likelihood.exact_log_z(turned) == pytest.approx(hm.likelihood.exact_log_z(rbm), abs=1e-8)


def test_more_states_than_one_block_holds():
    """Independent units: log Z is a sum over units, listed here in four blocks."""
    rbm = hm.RBM(hm.Bernoulli(16), hm.Bernoulli(17)).double()
    rbm.coupling.weight.data.zero_()
    biases = np.random.default_rng(0).normal(size=33)
    rbm.visible.bias.data, rbm.hidden.bias.data = torch.tensor(biases[:16]), torch.tensor(biases[16:])
    assert hm.likelihood.exact_log_z(rbm) == pytest.approx(np.logaddexp(0, biases).sum(), abs=1e-9)


@pytest.mark.parametrize("kind", ["bernoulli", "softmax", "bernoulli_softmax"])
def test_probabilities_add_up_to_one(kind):
    rbm = machine(kind, "gaussian_bernoulli")
    states = rbm.visible.states(torch.arange(int(rbm.visible.count)))
    log_p = hm.likelihood.log_likelihood(rbm, states, log_z=hm.likelihood.exact_log_z(rbm))
    assert log_p.exp().sum().item() == pytest.approx(1, abs=1e-9)


def test_the_likelihood_takes_every_type_of_data_and_many_cases():
    rbm = machine("bernoulli", "bernoulli").float()
    v = samples(rbm.visible, 5000, 0)
    expected = -oracle.free_energy(plain(rbm), v)
    for data in (v, v.astype(np.uint8), v.astype(bool), torch.tensor(v), torch.tensor(v, dtype=torch.int64)):
        found = hm.likelihood.log_likelihood(rbm, data, log_z=2.0)
        assert found.dtype == torch.float64
        close(found, expected - 2, 1e-5)


@pytest.mark.parametrize("levels", [np.array([[0, 128, 255]], dtype=np.uint8), np.array([[0.0, 0.5, 1.0]])])
def test_grey_levels_have_no_probability_even_where_a_machine_learns_from_them(levels):
    rbm = hm.RBM(hm.Bernoulli(3, values="probabilities"), hm.Bernoulli(2), seed=3)
    with pytest.raises(ValueError, match="Bernoulli units expect 0 or 1"):
        hm.likelihood.log_likelihood(rbm, levels, log_z=0.0)


def test_bits_of_any_type_are_states():
    rbm = hm.RBM(hm.Bernoulli(3, values="probabilities"), hm.Bernoulli(2), seed=3)
    bits = np.array([[0, 1, 1]], dtype=np.uint8)
    for rows in (bits, bits.astype(bool), bits.astype(float)):
        close(hm.likelihood.log_likelihood(rbm, rows, log_z=0.0), -oracle.free_energy(plain(rbm), bits.astype(float)), 1e-6)


def test_one_hot_bytes_are_no_grey_levels():
    rbm = hm.RBM(hm.Softmax(1, categories=3, values="probabilities"), hm.Bernoulli(2), seed=3)
    rows = np.eye(3, dtype=np.uint8)
    close(hm.likelihood.log_likelihood(rbm, rows, log_z=0.0), -oracle.free_energy(plain(rbm), rows.astype(float)), 1e-6)


@pytest.mark.parametrize("data", [[[0.0, 0.3, 1.0]], [[0.0, math.nan, 1.0]], [[0.0, 1.0]]])
def test_data_outside_the_support_are_refused(data):
    with pytest.raises(ValueError, match="Bernoulli units expect"):
        hm.likelihood.log_likelihood(machine("bernoulli", "bernoulli"), torch.tensor(data), log_z=0.0)
