"""Which machines have a partition function."""

import numpy as np
import pytest
import torch

import harmonium as hm
from tests import oracle

from .machines import PAIRS, close, machine, plain


def of_norm(rbm, norm):
    """The Gaussian-Gaussian machine with its weights scaled so that diag(1/σ_v) W diag(1/σ_h) has this spectral norm."""
    σ_v, σ_h = (unit.log_variance.detach().exp().sqrt().numpy() for unit in (rbm.visible, rbm.hidden))
    found = np.linalg.svd(rbm.coupling.weight.detach().numpy() / σ_v[:, None] / σ_h[None, :], compute_uv=False)[0]
    rbm.coupling.weight.data *= norm / found
    return rbm


@pytest.mark.parametrize("refused", [hm.likelihood.exact_log_z, hm.likelihood.ais, hm.RBM.check_normalisable])
def test_two_real_layers_need_a_spectral_norm_below_one(refused):
    with pytest.raises(ValueError, match=r"spectral norm.*1\.01"):
        refused(of_norm(machine("gaussian", "learnt_gaussian"), 1.01))


def test_just_below_one_there_is_a_partition_function():
    rbm = of_norm(machine("gaussian", "learnt_gaussian"), 0.99)
    rbm.check_normalisable()
    close(hm.likelihood.exact_log_z(rbm), oracle.gaussian_log_z(plain(rbm)))


def test_only_the_real_units_of_mixed_layers_count():
    rbm = machine("gaussian_bernoulli", "gaussian_bernoulli")
    rbm.coupling.weight.data.fill_(50.0)
    rbm.coupling.weight.data[0, 0] = 0.5
    rbm.check_normalisable()
    rbm.coupling.weight.data[0, 0] = 5.0
    with pytest.raises(ValueError, match="spectral norm"):
        rbm.check_normalisable()


@pytest.mark.parametrize(("visible", "hidden"), [pair for pair in PAIRS if not all("gaussian" in kind for kind in pair)])
def test_any_weights_do_where_one_side_is_discrete(visible, hidden):
    rbm = machine(visible, hidden)
    rbm.coupling.weight.data *= 10
    rbm.check_normalisable()
    assert np.isfinite(hm.likelihood.exact_log_z(rbm))


def test_weights_that_are_not_numbers_are_refused():
    rbm = machine("gaussian", "gaussian")
    rbm.coupling.weight.data[0, 0] = torch.nan
    with pytest.raises((ValueError, torch.linalg.LinAlgError)):
        rbm.check_normalisable()
