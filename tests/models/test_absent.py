"""Absent visible units: the machine of each case is the one from which they have been removed."""

import math

import numpy as np
import pytest
import torch

import harmonium as hm
from harmonium.units import Given
from tests import oracle

from .machines import LAYERS, close, endless, machine, named, plain, samples
from .test_gradient import mask

CASES = 5
HIDDEN = {"poisson": "spin", "exponential": "stepped"}  # a partner that these kinds can have, in place of the last
kinds = pytest.mark.parametrize(
    ("visible", "hidden"), [(v, h) for v in LAYERS for h in ("bernoulli", "softmax", HIDDEN.get(v, "gaussian_bernoulli"))]
)


def masked(visible, hidden):
    """A machine, its data with NaN at the absent places, the mask, and the cases as the oracle's smaller machines and shorter rows."""
    rbm = machine(visible, hidden, seed=4)
    v, present = samples(rbm.visible, CASES, 1), mask(visible, CASES)
    present[0] = True
    holed = torch.tensor(np.where(present, v, math.nan))
    return rbm, holed, present, [(oracle.without(plain(rbm), row), v[n : n + 1, row]) for n, row in enumerate(present)]


@kinds
def test_free_energy_and_hidden_means(visible, hidden):
    rbm, v, present, cases = masked(visible, hidden)
    given = Given(torch.tensor(present))
    close(rbm.free_energy(v, given), [oracle.free_energy(small, row)[0] for small, row in cases])
    close(rbm.hidden_mean(v, given), [oracle.hidden_moments(small, row)[0][0] for small, row in cases])


@kinds
def test_visible_conditionals_and_hidden_free_energy(visible, hidden):
    rbm, _, present, cases = masked(visible, hidden)
    given, h = Given(torch.tensor(present)), samples(rbm.hidden, CASES, 2)
    generator = torch.Generator().manual_seed(0)
    means = rbm.visible_mean(torch.tensor(h), given).detach().numpy()
    drawn = rbm.sample_visible(torch.tensor(h), generator=generator, given=given).numpy()
    energies = rbm.hidden_free_energy(torch.tensor(h), given)
    for n, (small, _) in enumerate(cases):
        assert not means[n][~present[n]].any()
        assert not drawn[n][~present[n]].any()
        close(means[n][present[n]], oracle.hidden_moments(small.flipped(), h[n : n + 1])[0][0])
        close(energies[n], oracle.free_energy(small.flipped(), h[n : n + 1])[0])


@kinds
def test_log_z_depends_on_the_mask(visible, hidden):
    rbm, _, present, cases = masked(visible, hidden)
    if endless(visible) and endless(hidden):
        with pytest.raises(ValueError, match="mask"):
            hm.likelihood.exact_log_z(rbm, given=Given(torch.tensor(present[1])))
        return
    for row, (small, _) in zip(present, cases, strict=True):
        close(hm.likelihood.exact_log_z(rbm, given=Given(torch.tensor(row))), oracle.log_z(small))


@kinds
def test_gradient(visible, hidden):
    """Summed over cases, against finite differences of each smaller machine's free energy."""
    rbm, v, present, _ = masked(visible, hidden)
    exact, full = plain(rbm), samples(rbm.visible, CASES, 1)

    def total(moved):
        return sum(oracle.free_energy(oracle.without(moved, row), full[n : n + 1, row])[0] for n, row in enumerate(present))

    given = Given(torch.tensor(present))
    rbm.accumulate_gradient(rbm.infer(v, given), fresh=True, given=given)
    for key, slope in oracle.numerical_gradient(exact, total).items():
        parameter = named(rbm, key)
        if parameter is not None:
            close(parameter.grad, slope)


def test_the_likelihood_of_masked_data_reads_no_absent_place():
    rbm, v, present, cases = masked("bernoulli", "bernoulli")
    found = hm.likelihood.log_likelihood(rbm, v, log_z=0.0, given=Given(torch.tensor(present)))
    close(found, [-oracle.free_energy(small, row)[0] for small, row in cases])


def test_the_likelihood_of_many_masked_cases():
    rbm, v, present, cases = masked("bernoulli", "bernoulli")
    found = hm.likelihood.log_likelihood(rbm, v.repeat(1000, 1), log_z=0.0, given=Given(torch.tensor(present).repeat(1000, 1)))
    close(found[-CASES:], [-oracle.free_energy(small, row)[0] for small, row in cases])


def test_gibbs_never_draws_an_absent_unit():
    rbm, v, present, _ = masked("bernoulli_softmax", "bernoulli")
    generator, given = torch.Generator().manual_seed(1), Given(torch.tensor(present))
    state, _ = hm.sampling.gibbs.step(rbm, hm.sampling.gibbs.GibbsState(v, given), generator=generator)
    assert torch.isfinite(state.v).all()
    assert not state.v[~torch.tensor(present)].any()


def test_what_stands_beside_a_document_may_be_absent():
    rbm, words = machine("replicated_bernoulli", "spin", seed=4), 3.0
    v, h = samples(rbm.visible, CASES, 1), samples(rbm.hidden, CASES, 2)
    present = np.array([[True, True, n % 2 == 0, n > 2] for n in range(CASES)])
    given = Given(present=torch.tensor(present), length=torch.full((CASES,), words))
    free = rbm.free_energy(torch.tensor(np.where(present, v, math.nan)), given)
    up = rbm.hidden_free_energy(torch.tensor(h), given)
    for n, row in enumerate(present):
        small = oracle.without(plain(rbm), row)
        close(free[n], oracle.free_energy(small, v[n : n + 1, row])[0])
        close(up[n], oracle.free_energy(small.flipped(), h[n : n + 1])[0])
        close(hm.likelihood.exact_log_z(rbm, given=given.map(lambda field, n=n: field[n])), oracle.log_z(small))
