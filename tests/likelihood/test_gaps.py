"""Two meanings of a gap, two likelihoods: without the unit at all, or summed over its values."""

import math

import numpy as np
import pytest
import torch

import harmonium as hm
from harmonium.units import Given
from tests import gapped, oracle
from tests.models.machines import close, machine, plain, samples

CASES = 6
kinds = pytest.mark.parametrize("visible", gapped.KINDS)


def holed(visible, hidden="bernoulli"):
    """A machine, data with NaN in the gaps, the data without, and the mask of the gaps."""
    rbm = machine(visible, hidden, seed=3, size=1.0)
    v = samples(rbm.visible, CASES, 1)
    gaps = gapped.mask(plain(rbm), CASES, 2)
    return rbm, torch.tensor(np.where(gaps, math.nan, v)), v, gaps


def absent(rbm, v, gaps):
    """log p(v | mask) of each case, as the package has it: Z is that of the case's own mask."""
    present = torch.tensor(~gaps)
    log_z = torch.tensor([hm.likelihood.exact_log_z(rbm, given=Given(present=row)) for row in present])
    return hm.likelihood.log_likelihood(rbm, v, log_z=log_z, given=Given(present=present))


def missing(rbm, v, gaps):
    return hm.likelihood.log_likelihood(rbm, v, log_z=hm.likelihood.exact_log_z(rbm), given=Given(missing=torch.tensor(gaps)))


@kinds
def test_absent_units_do_not_exist(visible):
    rbm, nan, v, gaps = holed(visible)
    expected = []
    for row, gap in zip(v, gaps, strict=True):
        small = oracle.without(plain(rbm), ~gap)
        expected.append(oracle.log_likelihood(small, row[None, ~gap])[0] if not gap.all() else 0.0)
    close(absent(rbm, nan, gaps), expected)


PAIRS = [(v, h) for v in gapped.KINDS for h in ("bernoulli", "softmax", "gaussian") if h != "gaussian" or "gaussian" not in v]


@pytest.mark.parametrize(("visible", "hidden"), PAIRS)
def test_missing_values_are_summed_over(visible, hidden):
    rbm, nan, v, gaps = holed(visible, hidden)
    log_z = oracle.log_z(plain(rbm))
    expected = [gapped.log_seen(plain(rbm), row, gap) - log_z for row, gap in zip(v, gaps, strict=True)]
    found = missing(rbm, nan, gaps)
    close(found, expected)
    assert found[1].item() == pytest.approx(0, abs=1e-6)  # nothing was seen of this case


@kinds
def test_the_two_meanings_differ(visible):
    rbm, nan, _, gaps = holed(visible)
    partly = gaps.any(1) & ~gaps.all(1)
    assert partly.any()
    difference = (absent(rbm, nan, gaps) - missing(rbm, nan, gaps)).abs().numpy()
    assert (difference[partly] > 1e-3).all()
    assert (difference[~partly] < 1e-6).all()


@pytest.mark.parametrize("hidden", [2, 7])
def test_the_side_that_has_fewer_states_is_listed(hidden):
    rbm = hm.RBM(hm.Bernoulli(4), hm.Bernoulli(hidden), seed=2).double()
    rbm.coupling.weight.data *= 100
    v, gaps = samples(rbm.visible, CASES, 1), gapped.mask(plain(rbm), CASES, 2)
    expected = [gapped.log_seen(plain(rbm), row, gap) for row, gap in zip(v, gaps, strict=True)]
    found = hm.likelihood.log_likelihood(rbm, torch.tensor(v), log_z=0.0, given=Given(missing=torch.tensor(gaps)))
    close(found, expected)


def test_one_mask_for_all_cases_and_float32():
    rbm, _, v, gaps = holed("bernoulli")
    each = missing(rbm, torch.tensor(v), np.tile(gaps[2], (CASES, 1)))
    close(missing(rbm, torch.tensor(v), gaps[2]), each, 1e-12)
    close(missing(rbm.float(), torch.tensor(v).float(), gaps[2]), each, 1e-5)


def test_an_image_shaped_layer():
    rbm = hm.RBM(hm.Bernoulli((2, 2)), hm.Bernoulli(3), seed=1).double()
    flat = hm.RBM(hm.Bernoulli(4), hm.Bernoulli(3), rbm.coupling.__class__(4, 3)).double()
    flat.coupling.weight.data = rbm.coupling.weight.data
    v, gaps = torch.ones(3, 2, 2, dtype=torch.float64), torch.tensor([[True, False], [False, True]]).expand(3, 2, 2)
    for kind in ("missing", "present"):
        found = hm.likelihood.log_likelihood(rbm, v, log_z=0.0, given=Given(**{kind: gaps}))
        close(found, hm.likelihood.log_likelihood(flat, v.flatten(1), log_z=0.0, given=Given(**{kind: gaps.flatten(1)})), 1e-12)


def test_refusals():
    rbm, nan, v, gaps = holed("bernoulli")
    with pytest.raises(ValueError, match=r"NaN.*present"):
        hm.likelihood.log_likelihood(rbm, nan, log_z=0.0)
    with pytest.raises(ValueError, match="shape of the states"):
        missing(rbm, nan, gaps[:, :2])
    with pytest.raises(ValueError, match=f"each of {CASES} cases.*found 4 rows"):
        missing(rbm, nan, gaps[:4])
    with pytest.raises(ValueError, match="log_z must be one number"):
        hm.likelihood.log_likelihood(rbm, v, log_z=torch.zeros(4))
    with pytest.raises(ValueError, match="one mask"):
        hm.likelihood.exact_log_z(rbm, given=Given(present=torch.tensor(gaps)))
    spoilt = nan.clone()
    spoilt[0, 0] = 0.3  # seen, and no state
    with pytest.raises(ValueError, match=r"0\.3"):
        missing(rbm, spoilt, gaps)
    large = hm.RBM(hm.Bernoulli(30), hm.Bernoulli(26))
    with pytest.raises(ValueError, match=r"smaller one of this machine has 2\^26"):
        hm.likelihood.log_likelihood(large, torch.zeros(1, 30), log_z=0.0, given=Given(missing=torch.ones(1, 30, dtype=torch.bool)))
    real = hm.RBM(hm.Gaussian(2), hm.Gaussian(2))
    with pytest.raises(ValueError, match="infinitely many"):
        hm.likelihood.log_likelihood(real, torch.zeros(1, 2), log_z=0.0, given=Given(missing=torch.tensor([[True, False]])))
    with pytest.raises(ValueError, match="missing"):
        hm.likelihood.pseudo_likelihood(rbm, torch.tensor(v), generator=torch.Generator(), given=Given(missing=torch.tensor(gaps)))


@pytest.mark.parametrize("kind", ["present", "missing"])
def test_half_a_choice_is_no_gap(kind):
    rbm = machine("softmax", "bernoulli")
    mask = torch.tensor([[True, True, False, False, False, False]])
    with pytest.raises(ValueError, match=f"the mask {kind}.*softmax group.*found 1"):
        hm.likelihood.log_likelihood(rbm, torch.tensor(samples(rbm.visible, 1, 0)), log_z=0.0, given=Given(**{kind: mask}))
