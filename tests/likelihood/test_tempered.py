"""Tempered samples against the oracle's table, on two modes that plain Gibbs sampling hardly crosses."""

import numpy as np
import pytest
import torch

import harmonium as hm
from harmonium.likelihood.tempered_samples import _adapted, tempered_samples
from harmonium.sampling import tempering
from tests import oracle
from tests.likelihood.drawn import of_two_blocks, planted, two_blocks
from tests.models.machines import machine, plain


def drawn(rbm, chains, sweeps, seed=0):
    return tempered_samples(rbm, chains, sweeps, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize(("visible", "hidden"), [("bernoulli", "bernoulli"), ("gaussian", "bernoulli")])
def test_the_samples_are_the_machine_s(visible, hidden):
    rbm = machine(visible, hidden, seed=3, size=1.5)
    found = drawn(rbm, 4000, 30)
    v, p = oracle.visible_distribution(plain(rbm)) if visible == "bernoulli" else (None, None)
    if v is not None:
        mean, second = p @ v, np.einsum("n,ni,nj->ij", p, v, v)
    else:
        h, p = oracle.visible_distribution(plain(rbm).flipped())
        of_h = rbm.visible_mean(torch.tensor(h)).detach().numpy()
        mean, second = p @ of_h, np.einsum("n,ni,nj->ij", p, of_h, of_h) + np.diag(rbm.visible.log_variance.exp().detach().numpy())
    x = found.v.numpy()
    for got, expected in ((x, mean), (np.einsum("ni,nj->nij", x, x), second)):
        error = got.std(0, ddof=1) / np.sqrt(len(x))
        assert (np.abs(got.mean(0) - expected) < 4 * error + 1e-9).all()


def test_both_modes_are_found_that_gibbs_sampling_does_not_join():
    """Five pixels and a hidden unit: each mode is left for the other by way of the heat alone."""
    rbm = hm.RBM(hm.Bernoulli(5), hm.Bernoulli(1)).double()
    with torch.no_grad():
        rbm.visible.bias.fill_(-3)
        rbm.coupling.weight.fill_(6)
        rbm.hidden.bias.fill_(1 - 5 * 3)
    v, p = oracle.visible_distribution(plain(rbm))
    share = p[v.sum(1) > 2.5].sum()
    assert 0.7 < share < 0.75
    found = drawn(rbm, 300, 1000)
    on = (found.v.sum(1) > 2.5).double().mean().item()
    assert abs(on - share) < 4 * np.sqrt(share * (1 - share) / 300)
    assert found.round_trips > 300
    at_once = rbm.gibbs(torch.zeros(500, 5, dtype=torch.float64), steps=60, generator=torch.Generator().manual_seed(0))
    assert abs((at_once.sum(1) > 2.5).double().mean().item() - share) > 0.2


def test_the_temperatures_are_adapted(monkeypatch):
    gentle, steep = machine("bernoulli", "bernoulli", seed=1, size=0.01), hm.RBM(hm.Bernoulli(60), hm.Bernoulli(40))
    with torch.no_grad():
        steep.coupling.weight.normal_(std=1.5, generator=torch.Generator().manual_seed(0))
    assert len(drawn(gentle, 20, 20).betas) == 2
    found = drawn(steep, 50, 200)
    assert len(found.betas) > 8
    assert found.betas[0] == 0
    assert found.betas[-1] == 1
    assert 0.2 < found.swap_rates.min() <= found.swap_rates.max() < 0.6
    assert len(found.swap_rates) == len(found.betas) - 1
    for name in ("REPLICAS", "MOST_REPLICAS"):
        monkeypatch.setattr(f"harmonium.likelihood.tempered_samples.{name}", 6)
    few = drawn(steep, 50, 200)
    assert len(few.betas) == 6
    assert few.swap_rates.max() < found.swap_rates.min()


def test_no_temperature_is_dropped_while_a_pair_hardly_swaps():
    """Where the last of five pairs is hardly ever accepted, its place takes two pairs, and the others lose none."""
    even, slow = torch.tensor([0.45, 0.59, 0.45, 0.6, 0.6]).double(), torch.tensor([0.45, 0.59, 0.45, 0.6, 0.002]).double()
    state = tempering.from_states(torch.arange(6.0).reshape(6, 1, 1), 6)
    assert len(_adapted(state, even).betas) == 6 - 1
    found = _adapted(state, slow)
    assert len(found.betas) == 6 + 1
    assert int((found.betas >= 0.8).sum()) == 3
    assert found.v.flatten().tolist() == (5 * found.betas).round().tolist()
    assert len(_adapted(tempering.from_states(torch.zeros(30, 1, 1), 30), torch.full((29,), 0.01).double()).betas) == 30


@pytest.mark.parametrize("seed", range(3))
def test_a_leap_of_the_energy_that_comes_late_is_bridged(seed):
    """A hundred sweeps, of which the temperatures' adaptation sees ten at a time, before the colder chains have found the modes."""
    assert drawn(two_blocks(20), 100, 100, seed).swap_rates.min() > 0.1


def test_beyond_a_leap_of_the_energy_modes_have_their_shares():
    rbm = two_blocks(16, depth=25.0)
    log_z, share = of_two_blocks(rbm)
    assert hm.likelihood.exact_log_z(two_blocks(4, depth=12.0)) == pytest.approx(of_two_blocks(two_blocks(4, depth=12.0))[0], abs=1e-9)
    found = drawn(rbm, 200, 500)
    first, second = (block.sum(1) > 8 for block in found.v.split(16, dim=1))
    assert found.swap_rates.min() > 0.1
    assert 0.7 < share < 0.75
    assert abs((first & ~second).double().mean().item() - share) < 4 * np.sqrt(share * (1 - share) / 200)
    backward = hm.likelihood.reverse_ais(rbm, found.v, betas=2000, seed=1)
    assert abs(backward.log_z - log_z) < 4 * backward.standard_error


def test_the_same_seed_gives_the_same_samples_of_the_machine_s_type():
    rbm = planted().float()
    one, again, other = (drawn(rbm, 10, 20, seed) for seed in (0, 0, 1))
    assert torch.equal(one.v, again.v)
    assert not torch.equal(one.v, other.v) or one.round_trips != other.round_trips
    assert one.v.dtype == torch.float32
    with pytest.raises(ValueError, match="at least one chain and one sweep"):
        drawn(rbm, 0, 10)
