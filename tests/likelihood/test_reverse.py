"""Reverse annealed importance sampling against exact log Z and against the forward direction."""

import math

import numpy as np
import pytest
import torch

import harmonium as hm
from harmonium.units import Given
from tests import oracle
from tests.likelihood.drawn import exact_samples, planted
from tests.models.machines import PAIRS, machine, plain

KINDS = [
    ("bernoulli", "bernoulli"),
    ("gaussian", "bernoulli"),
    ("softmax", "bernoulli"),
    ("binomial", "spin"),
    ("truncated", "bernoulli"),
    ("bernoulli", "gaussian"),
]


def test_within_three_standard_errors_of_the_truth():
    near = 0
    for repeat in range(30):
        rbm = machine(*KINDS[repeat % len(KINDS)], seed=repeat, size=(0.1, 0.7, 1.2)[repeat % 3])
        log_z = oracle.log_z(plain(rbm))
        for found in (
            hm.likelihood.reverse_ais(rbm, exact_samples(rbm, 200, repeat), betas=60, seed=repeat),
            hm.likelihood.ais(rbm, chains=200, betas=60, seed=repeat),
        ):
            assert 0 < found.standard_error < 0.2
            near += abs(found.log_z - log_z) < 3 * found.standard_error
    assert near >= 59  # of 60


def test_the_ratios_are_unbiased_over_two_hundred_repeats():
    """Few chains and betas, so that both vary a good deal: the mean of Ẑ / Z forwards and of Z / Ẑ backwards is one all the same."""
    rbm = machine("bernoulli", "bernoulli", seed=4, size=1.5)
    log_z, rates = oracle.log_z(plain(rbm)), torch.full((3,), 0.4)
    betas = [0.0, 0.3, 0.6, 1.0]
    forward, backward = [], []
    for seed in range(200):
        forward.append(hm.likelihood.ais(rbm, chains=10, betas=betas, seed=seed, base_rates=rates).log_z)
        samples = exact_samples(rbm, 10, seed)
        backward.append(hm.likelihood.reverse_ais(rbm, samples, betas=betas, seed=seed, base_rates=rates).log_z)
    for ratio in (np.exp(np.array(forward) - log_z), np.exp(log_z - np.array(backward))):
        error = ratio.std(ddof=1) / math.sqrt(200)
        assert 0.002 < error < 0.03
        assert abs(ratio.mean() - 1) < 3 * error


@pytest.mark.parametrize(("visible", "hidden"), PAIRS)
def test_every_pair(visible, hidden):
    """With few betas, so that a transition that is not the reversal of the forward one would show."""
    rbm = machine(visible, hidden, seed=6)
    log_z = oracle.log_z(plain(rbm))
    found = hm.likelihood.reverse_ais(rbm, exact_samples(rbm, 2000, 3), betas=np.linspace(0, 1, 9).tolist(), seed=1)
    weights = np.exp(-found.log_weights.numpy())
    ratio = math.exp(log_z - found.log_z)
    error = ratio * weights.std(ddof=1) / weights.mean() / math.sqrt(2000)
    assert abs(ratio - 1) < 4 * error + 1e-6
    assert error < 0.1
    assert found.standard_error == pytest.approx(error / ratio, rel=1e-9)


def test_forward_is_low_and_reverse_high_on_two_modes():
    """The base is near the lesser mode, and hardly a chain crosses: each direction errs to the side that the theory gives."""
    rbm = planted(odds=2.0)
    log_z = oracle.log_z(plain(rbm))
    assert log_z == pytest.approx(math.log1p(math.exp(2)) + 10 * math.log1p(math.exp(-3)), abs=1e-6)
    rates, forward, backward = torch.full((10,), 0.2), [], []
    for seed in range(60):
        forward.append(hm.likelihood.ais(rbm, chains=10, betas=60, seed=seed, base_rates=rates).log_z)
        samples = exact_samples(rbm, 10, seed)
        backward.append(hm.likelihood.reverse_ais(rbm, samples, betas=60, seed=seed, base_rates=rates).log_z)
    for found, sign in ((forward, -1), (backward, 1)):
        assert sign * (np.mean(found) - log_z) > 3 * np.std(found) / math.sqrt(60)
        assert sign * (np.mean(found) - log_z) > 1


def test_samples_of_one_mode_make_both_directions_agree_on_what_is_wrong():
    rbm = planted(odds=4.0)  # the mode that no chain meets has 98% of the probability
    log_z, rates = oracle.log_z(plain(rbm)), torch.full((10,), 0.05)
    samples = exact_samples(rbm, 20000, 0)
    samples = samples[samples.sum(1) < 5][:100]
    backward = hm.likelihood.reverse_ais(rbm, samples, betas=200, base_rates=rates)
    forward = hm.likelihood.ais(rbm, chains=100, betas=200, base_rates=rates)
    assert abs(forward.log_z - backward.log_z) < 0.1
    assert min(forward.ess, backward.ess) > 90
    assert log_z - max(forward.log_z, backward.log_z) > 3.5


def test_a_mask_of_absent_units_and_nan_there():
    rbm = machine("bernoulli", "bernoulli", seed=8, size=1.2)
    present = np.array([True, False, True])
    small = oracle.without(plain(rbm), present)
    v, p = oracle.visible_distribution(small)
    samples = np.full((2000, 3), math.nan)
    samples[:, present] = v[np.random.default_rng(0).choice(len(v), size=2000, p=p)]
    found = hm.likelihood.reverse_ais(rbm, torch.tensor(samples), betas=50, given=Given(present=torch.tensor(present)))
    assert abs(found.log_z - oracle.log_z(small)) < 3.5 * found.standard_error + 1e-6
    assert abs(oracle.log_z(small) - oracle.log_z(plain(rbm))) > 0.1


def test_documents_of_one_length():
    rbm = machine("replicated", "bernoulli", seed=2, size=1.2)
    given = Given(length=torch.tensor(3.0, dtype=torch.float64))
    found = hm.likelihood.reverse_ais(rbm, exact_samples_of_documents(rbm, 1000), betas=50, given=given)
    assert abs(found.log_z - oracle.log_z(plain(rbm))) < 3.5 * found.standard_error + 1e-6
    with pytest.raises(ValueError, match="documents of 2 words, found lengths from 3 to 3"):
        hm.likelihood.reverse_ais(rbm, exact_samples_of_documents(rbm, 10), betas=5, given=Given(length=torch.tensor(2.0)))


def exact_samples_of_documents(rbm, cases):
    v, p = oracle.visible_distribution(plain(rbm))
    return torch.tensor(v[np.random.default_rng(0).choice(len(v), size=cases, p=p / p.sum())])


def test_the_same_seed_gives_the_same_estimate_and_float32_works():
    rbm = machine("bernoulli", "bernoulli", seed=1).float()
    samples = exact_samples(rbm, 50, 0)
    found = [hm.likelihood.reverse_ais(rbm, samples, betas=20, seed=seed).log_z for seed in (0, 0, 1)]
    assert found[0] == found[1] != found[2]
    as_bytes = hm.likelihood.reverse_ais(rbm, samples.to(torch.uint8), betas=20, seed=0)
    assert as_bytes.log_z == found[0]
    assert as_bytes.log_weights.dtype == torch.float64


def test_refusals():
    rbm = machine("bernoulli", "bernoulli")
    for wrong in (torch.zeros(4, 2), torch.zeros(0, 3), torch.zeros(3)):
        with pytest.raises(ValueError, match=r"shape \(cases, 3\)"):
            hm.likelihood.reverse_ais(rbm, wrong, betas=10)
    with pytest.raises(ValueError, match="Bernoulli units expect 0 or 1"):
        hm.likelihood.reverse_ais(rbm, torch.full((4, 3), 0.5), betas=10)
    with pytest.raises(ValueError, match="betas must increase"):
        hm.likelihood.reverse_ais(rbm, torch.zeros(4, 3), betas=1)


def test_a_bar_where_somebody_watches(monkeypatch, capsys):
    rbm = machine("bernoulli", "bernoulli")
    quiet = hm.likelihood.ais(rbm, chains=5, betas=10, progress=True)
    assert capsys.readouterr().err == ""
    monkeypatch.setattr("sys.stderr.isatty", lambda: True)
    hm.likelihood.ais(rbm, chains=5, betas=10)
    assert capsys.readouterr().err == ""
    assert hm.likelihood.ais(rbm, chains=5, betas=10, progress=True).log_z == quiet.log_z
    assert "annealing" in capsys.readouterr().err


def test_a_context():
    """Samples drawn from the list of all states, whose probabilities depend on the context."""
    rbm = hm.RBM(hm.Bernoulli(4), hm.Bernoulli(3), hm.Conditional(hm.Dense(4, 3), 2)).double()
    with torch.no_grad():
        for parameter in rbm.parameters():
            parameter.copy_(torch.randn(parameter.shape, generator=torch.Generator().manual_seed(4), dtype=torch.float64))
    given = Given(context=torch.tensor([0.5, 2.0], dtype=torch.float64))
    log_z = hm.likelihood.exact_log_z(rbm, given=given)
    v = rbm.visible.states(torch.arange(16))
    p = (-rbm.free_energy(v, Given(context=given.context.expand(16, 2))) - log_z).exp().detach().numpy()
    samples = v[np.random.default_rng(0).choice(16, size=1000, p=p / p.sum())]
    found = hm.likelihood.reverse_ais(rbm, samples, betas=30, given=given)
    assert abs(found.log_z - log_z) < 3.5 * found.standard_error
    assert abs(log_z - hm.likelihood.exact_log_z(rbm, given=Given(context=torch.zeros(2, dtype=torch.float64)))) > 0.1
