"""The bounds of deep Boltzmann machines small enough to sum over every state of every layer, and the one call that judges them."""

import itertools
import math
import sys

import numpy as np
import pytest
import torch

import harmonium as hm
from harmonium.likelihood import dbm_bound, evaluate
from tests import deep
from tests.likelihood.test_evaluate import QUICK, modest
from tests.models.machines import close, samples
from tests.models.test_dbm import STACKS, flat, inputs

CASES = 5


@pytest.mark.parametrize("kinds", STACKS, ids="-".join)
def test_the_bound_and_its_tightening_of_every_kind(kinds):
    model = deep.dbm(*kinds, size=0.4)
    plain, v = deep.plain(model), samples(model.layers[0], CASES, 1)
    log_z, exact = deep.log_z(plain), deep.log_likelihood(plain, v)
    found = dbm_bound(model, torch.tensor(v), log_z=log_z)
    assert found.values.dtype == torch.float64
    assert found.sample_error == 0
    assert not found.tightened
    settled = deep.bound(plain, v, inputs(model, model.mean_field(torch.tensor(v), sweeps=300)))
    close(found.values, settled, 1e-4)
    assert (found.values.numpy() <= exact + 1e-6).all()
    tight = dbm_bound(model, torch.tensor(v), log_z=log_z, samples=4000, seed=2, tighten=True)
    assert (np.abs(tight.values.numpy() - exact) < 4 * tight.errors.numpy() + 1e-5).all()
    assert (tight.errors < 0.05).all()
    assert tight.mean >= found.mean - 4 * tight.sample_error - 1e-6


def test_tightening_rises_from_above_the_bound_to_the_truth():
    """In expectation over many draws: even one sums out h1 and h3 exactly, more are never worse, many reach log p(v)."""
    model = deep.dbm("bernoulli", "bernoulli", "bernoulli", "bernoulli", size=1.6, seed=5)
    plain = deep.plain(model)
    v = np.tile([[1.0, 0.0, 1.0]], (4000, 1))
    exact, log_z = deep.log_likelihood(plain, v[:1])[0], deep.log_z(plain)
    bound = dbm_bound(model, torch.tensor(v[:1]), log_z=log_z).mean
    assert exact - bound > 0.1
    means, errors = [], []
    for count in (1, 4, 32):
        found = dbm_bound(model, torch.tensor(v), log_z=log_z, samples=count, seed=count, tighten=True)
        means.append(found.mean)
        errors.append(found.case_error)  # all cases are one, so that only the draws differ
    assert means[0] > bound + 4 * errors[0]
    for (low, high), (a, b) in zip(itertools.pairwise(means), itertools.pairwise(errors), strict=True):
        assert high - low > 4 * math.hypot(a, b)
    assert exact - 0.2 * (exact - bound) < means[-1] < exact + 4 * errors[-1]


@pytest.mark.parametrize("kinds", [STACKS[0], STACKS[3], STACKS[4]], ids="-".join)
def test_without_upper_weights_every_bound_is_the_truth(kinds):
    model = flat(deep.dbm(*kinds, size=1.5))
    v = samples(model.layers[0], CASES, 2)
    exact = deep.log_likelihood(deep.plain(model), v)
    for tighten in (False, True):
        found = dbm_bound(model, torch.tensor(v), log_z=deep.log_z(deep.plain(model)), samples=3, tighten=tighten, sweeps=1)
        close(found.values, exact, 1e-6)
        assert found.sample_error < 1e-6


def test_the_bound_is_highest_where_mean_field_has_settled():
    """No other factorial distribution of the hidden layers near by has a higher one."""
    model = deep.dbm("bernoulli", "bernoulli", "bernoulli", size=1.0)
    plain, v = deep.plain(model), samples(model.layers[0], CASES, 2)
    settled = inputs(model, model.mean_field(torch.tensor(v), sweeps=300))
    best, draw = deep.bound(plain, v, settled), np.random.default_rng(0)
    for _ in range(20):
        moved = [input + 0.1 * draw.normal(size=input.shape) for input in settled]
        assert (deep.bound(plain, v, moved) < best).all()


def test_blocks_types_and_one_log_z_a_case(monkeypatch):
    model = deep.dbm("bernoulli", "bernoulli", "bernoulli", "bernoulli")
    v = torch.tensor(samples(model.layers[0], 7, 1))
    exact = deep.log_likelihood(deep.plain(model), v.numpy())
    whole = dbm_bound(model, v, log_z=0.0).values
    shifts = torch.arange(7, dtype=torch.float64)
    close(dbm_bound(model, v.to(torch.uint8), log_z=shifts).values, whole - shifts, 1e-12)
    single = dbm_bound(deep.dbm("bernoulli", "bernoulli", "bernoulli", "bernoulli").float(), v, log_z=0.0)
    assert single.values.dtype == torch.float64
    close(single.values, whole, 1e-5)
    one, same, other = (dbm_bound(model, v, log_z=0.0, samples=5, seed=seed, tighten=True).values for seed in (0, 0, 1))
    assert torch.equal(one, same)
    assert not torch.equal(one, other)
    monkeypatch.setattr(sys.modules["harmonium.likelihood.dbm_bound"], "ROWS", 3)
    close(dbm_bound(model, v, log_z=0.0).values, whole, 1e-8)  # a block goes on until its last case has settled
    for values in (3, 50, 1000):
        monkeypatch.setattr(sys.modules["harmonium.likelihood.dbm_bound"], "VALUES", values)
        tight = dbm_bound(model, v, log_z=deep.log_z(deep.plain(model)), samples=300, tighten=True)
        assert (np.abs(tight.values.numpy() - exact) < 4 * tight.errors.numpy()).all()


def test_refusals():
    model = deep.dbm("bernoulli", "bernoulli", "bernoulli")
    with pytest.raises(ValueError, match="expect 0 or 1"):
        dbm_bound(model, torch.full((2, 3), 0.5), log_z=0.0)
    with pytest.raises(ValueError, match="samples=0"):
        dbm_bound(model, torch.ones(2, 3), log_z=0.0, samples=0)
    with pytest.raises(ValueError, match="each of 2 cases"):
        dbm_bound(model, torch.ones(2, 3), log_z=torch.zeros(3))
    with pytest.raises(ValueError, match="given"):
        evaluate(model, torch.ones(2, 3), given=hm.Given(present=torch.ones(3)))
    model.layers[2].bias.data.fill_(math.nan)
    for tighten in (False, True):
        with pytest.raises(ValueError, match="case 0 is not a finite number"):
            dbm_bound(model, torch.ones(2, 3), log_z=0.0, tighten=tighten)


# Log Z by annealing, and the one call ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kinds", [STACKS[1], STACKS[2], STACKS[3]], ids="-".join)
def test_annealing_from_either_end_meets_log_z(kinds):
    model = deep.dbm(*kinds, seed=2)
    log_z = deep.log_z(deep.plain(model))
    forward = hm.likelihood.ais(model.joint, chains=500, betas=300, seed=0)
    generator = torch.Generator().manual_seed(1)
    start = model.joint.gibbs(model.even.sample(model.even.zero_input(500), generator=generator), steps=50, generator=generator)
    backward = hm.likelihood.reverse_ais(model.joint, start, betas=300, seed=1)
    for found in (forward, backward):
        assert 0 < found.standard_error < 0.1
        assert abs(found.log_z - log_z) < 3 * found.standard_error


def test_evaluate():
    model = deep.dbm("bernoulli", "bernoulli", "bernoulli", "bernoulli", size=1.0, seed=2)
    v = torch.tensor(samples(model.layers[0], 30, 1))
    log_z = deep.log_z(deep.plain(model))
    exact_log_p = deep.log_likelihood(deep.plain(model), v.numpy()).mean()
    loose = dbm_bound(model, v, log_z=log_z)
    tight = dbm_bound(model, v, log_z=log_z, samples=3000, seed=9, tighten=True)
    exact, guess = evaluate(model, v, samples=500), evaluate(model, v, samples=500, exact=False, **QUICK)
    assert [(e.bound, e.exact) for e in (exact, guess)] == [(True, True), (True, False)]
    assert exact.log_z == pytest.approx(log_z, abs=1e-6)
    assert exact.nats == pytest.approx(loose.mean, abs=1e-6)
    assert exact.nats < exact.tightened[0] < exact_log_p + 4 * tight.sample_error * math.sqrt(6)
    assert exact.tightened[0] == pytest.approx(tight.mean, abs=0.03)
    assert exact.pseudo_likelihood is None
    assert exact.trust.startswith("A lower bound in which log Z of the machine is exact")
    assert guess.nats + guess.log_z == pytest.approx(exact.nats + log_z, abs=1e-9)
    for way in (guess.short, guess.long, guess.reverse):
        assert abs(way.log_z - log_z) < 4 * way.standard_error
    assert guess.trust.startswith("A lower bound only if log Z of the machine is right")
    assert modest(guess.trust)
    assert guess.tempered.v.shape == (100, model.even.shape[0])


def test_what_the_cases_add_up_to_bounds_log_z():
    model = deep.dbm("bernoulli", "bernoulli", "bernoulli", seed=4)
    every = model.layers[0].states(torch.arange(8))
    found = evaluate(model, torch.cat([every, every[3:]]), exact=False, **QUICK)
    log_z = deep.log_z(deep.plain(model))
    assert log_z - 0.05 < found.least_log_z < log_z


def test_the_base_is_the_means_of_the_training_cases_and_of_their_mean_field(monkeypatch):
    model, seen = deep.dbm("bernoulli", "bernoulli", "bernoulli", "bernoulli"), []
    v, training = (torch.tensor(samples(model.layers[0], cases, cases)) for cases in (7, 9))
    module = sys.modules["harmonium.likelihood.log_z"]
    run = module.ais
    monkeypatch.setattr(module, "ais", lambda *a, **k: seen.append(k["base_rates"]) or run(*a, **k))
    found = evaluate(model, v, training=training, exact=False, betas=5, sweeps=5)
    close(seen[0], model.mean_field(training, sweeps=300).phase.v.mean(0), 1e-4)
    close(seen[0][:3], training.mean(0), 1e-12)
    bounds = [dbm_bound(model, x, log_z=0.0).mean for x in (training, v)]
    assert found.gap[0] == pytest.approx(bounds[0] - bounds[1], abs=1e-9)
