"""Pseudo-likelihood and free-energy gap against the oracle."""

import numpy as np
import pytest
import torch

import harmonium as hm
from harmonium.units import Given
from tests import oracle
from tests.models.machines import close, machine, plain, samples


def expectation(rbm, v, repeats=30000, **given):
    """The mean over the random pixel of the estimate for one case, and its standard error."""
    rows = torch.tensor(v).expand(repeats, -1)
    found = hm.likelihood.pseudo_likelihood(rbm, rows, generator=torch.Generator().manual_seed(0), **given).numpy()
    return found.mean(), found.std() / np.sqrt(repeats), np.unique(found.round(10))


@pytest.mark.parametrize("hidden", ["bernoulli", "gaussian", "softmax"])
def test_its_mean_over_the_random_pixel_is_the_pseudo_likelihood(hidden):
    rbm = machine("bernoulli", hidden, seed=1)
    for v in samples(rbm.visible, 3, 0):
        mean, error, values = expectation(rbm, v)
        expected = oracle.pseudo_likelihood(plain(rbm), v[None])[0]
        assert abs(mean - expected) < 4 * error
        # Three pixels, each met: the mean of the three values it can take is the pseudo-likelihood itself.
        assert values.mean() == pytest.approx(expected, abs=1e-8)


def test_absent_pixels_are_no_part_of_it():
    rbm = machine("bernoulli", "bernoulli", seed=1)
    present, v = np.array([True, False, True]), np.array([1.0, np.nan, 0.0])
    given = Given(torch.tensor(present).expand(30000, -1))
    mean, error, values = expectation(rbm, v, given=given)
    expected = oracle.pseudo_likelihood(oracle.without(plain(rbm), present), v[None, present])[0]
    assert abs(mean - expected) < 4 * error
    assert values.mean() == pytest.approx(expected, abs=1e-8)


def test_it_takes_binary_units_of_any_shape_only():
    rbm = hm.RBM(hm.Bernoulli((2, 2)), hm.Bernoulli(2), seed=1)
    found = hm.likelihood.pseudo_likelihood(rbm, torch.ones(5, 2, 2), generator=torch.Generator().manual_seed(0))
    assert found.shape == (5,)
    with pytest.raises(TypeError, match="Gaussian"):
        hm.likelihood.pseudo_likelihood(machine("gaussian", "bernoulli"), torch.zeros(1, 2), generator=torch.Generator())


@pytest.mark.parametrize("visible", ["bernoulli", "gaussian", "softmax"])
def test_the_free_energy_gap(visible):
    rbm = machine(visible, "bernoulli")
    training, validation = samples(rbm.visible, 20, 1), samples(rbm.visible, 12, 2)
    expected = oracle.free_energy(plain(rbm), validation).mean() - oracle.free_energy(plain(rbm), training).mean()
    close(hm.likelihood.free_energy_gap(rbm, torch.tensor(training), torch.tensor(validation)), expected)
