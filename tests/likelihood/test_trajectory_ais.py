"""Annealing along a training trajectory against exact log Z, in both directions and from each kind of start."""

import copy
import importlib
import math
from functools import cache, partial

import numpy as np
import pytest
import torch

import harmonium as hm
from harmonium.units import NOTHING, Given
from tests import oracle
from tests.likelihood.drawn import exact_samples
from tests.models.machines import PAIRS, machine, plain, randomise

module = importlib.import_module("harmonium.likelihood.trajectory_ais")  # the name is the function's too

STARTS = ["factorial", "listed", "switched on"]
KINDS = [
    ("bernoulli", "bernoulli"),
    ("gaussian", "bernoulli"),
    ("softmax", "bernoulli"),
    ("binomial", "spin"),
    ("truncated", "bernoulli"),
    ("bernoulli", "gaussian"),
    ("bernoulli_softmax", "pooled"),
]


@pytest.fixture(params=STARTS)
def start(request, monkeypatch):
    if request.param == "switched on":
        monkeypatch.setattr(module, "LISTED", 0)
    return request.param


def path(rbm, start="factorial", models=8, seed=0):
    """Machines on the way to `rbm`: weights grow unevenly, from nothing or from a little, and the biases wander."""
    draw, found = torch.Generator().manual_seed(seed), []
    for share in torch.linspace(0 if start == "factorial" else 0.15, 1, models).tolist():
        model = copy.deepcopy(rbm)
        with torch.no_grad():
            for name, parameter in model.named_parameters():
                if name.startswith("coupling"):
                    parameter *= share**1.5
                elif name.endswith("bias") and parameter.requires_grad:
                    parameter += (1 - share) * 0.2 * torch.randn(parameter.shape, generator=draw).to(parameter)
        found.append(model)
    return found


def ratio(result, log_z, sign=1):
    """Ẑ / Z forwards, Z / Ẑ backwards (sign -1): unbiased; and its standard error."""
    weights = np.exp(sign * result.log_weights.numpy())
    found = math.exp(sign * (result.log_z - log_z))
    return found, found * weights.std(ddof=1) / weights.mean() / math.sqrt(len(weights))


def test_within_three_standard_errors_of_the_truth(start):
    near = 0
    for repeat in range(50):
        rbm = machine(*KINDS[repeat % len(KINDS)], seed=repeat, size=(0.1, 0.7, 1.2)[repeat % 3])
        models, log_z = path(rbm, start, seed=repeat), oracle.log_z(plain(rbm))
        for found in (
            hm.likelihood.trajectory_ais(models, chains=200, betas=5, seed=repeat),
            hm.likelihood.reverse_trajectory_ais(models, exact_samples(rbm, 200, repeat), betas=5, seed=repeat),
        ):
            assert 0 < found.standard_error < 0.3
            near += abs(found.log_z - log_z) < 3 * found.standard_error
    assert near >= 97  # of 100


def test_the_ratios_are_unbiased_over_two_hundred_repeats(start):
    """Few chains and models, so that both vary a good deal: the mean of Ẑ / Z forwards and of Z / Ẑ backwards is one all the same."""
    rbm = machine("bernoulli", "bernoulli", seed=4, size=1.5)
    models, log_z = path(rbm, start, models=4), oracle.log_z(plain(rbm))
    forward, backward = [], []
    for seed in range(5000, 5200):
        forward.append(hm.likelihood.trajectory_ais(models, chains=10, betas=[0.0, 1.0], seed=seed).log_z)
        samples = exact_samples(rbm, 10, seed)
        backward.append(hm.likelihood.reverse_trajectory_ais(models, samples, betas=[0.0, 1.0], seed=seed).log_z)
    for found in (np.exp(np.array(forward) - log_z), np.exp(log_z - np.array(backward))):
        error = found.std(ddof=1) / math.sqrt(200)
        assert 0.002 < error < 0.03
        assert abs(found.mean() - 1) < 3 * error


@pytest.mark.parametrize(("visible", "hidden"), PAIRS[::3])
def test_kinds(visible, hidden):
    """With few models, so that a wrong distribution or a transition that is not reversed would show."""
    rbm = machine(visible, hidden, seed=6)
    log_z = oracle.log_z(plain(rbm))
    for steps, start in ((1, "factorial"), (2, "other")):
        models = path(rbm, start, models=5)
        forward = hm.likelihood.trajectory_ais(models, chains=2000, steps=steps, betas=4, seed=1)
        backward = hm.likelihood.reverse_trajectory_ais(models, exact_samples(rbm, 2000, 3), steps=steps, betas=4, seed=1)
        for found, sign in ((forward, 1), (backward, -1)):
            one, error = ratio(found, log_z, sign)
            assert abs(one - 1) < 4 * error + 1e-6
            assert error < 0.1
            assert found.standard_error == pytest.approx(error / one, rel=1e-6)


def test_one_model_alone(start):
    """Without coupling, or listed, its log Z is exact; switched on it is that of ais from the machine's own biases."""
    rbm = machine("bernoulli", "bernoulli", seed=3)
    if start == "factorial":
        rbm.coupling.weight.data.zero_()
    found, log_z = hm.likelihood.trajectory_ais([rbm], chains=500, betas=50), oracle.log_z(plain(rbm))
    if start == "switched on":
        assert 0 < abs(found.log_z - log_z) < 4 * found.standard_error
    else:
        assert found.log_z == pytest.approx(log_z, abs=1e-12)
        assert found.ess == pytest.approx(500)
        assert found.standard_error == 0


@cache
def learnt(seed=0):
    """Two modes, the right half on in a fifth of the data, learnt along a trajectory; 12 x 5."""
    generator = torch.Generator().manual_seed(seed)
    left = torch.rand(1000, 1, generator=generator) < 0.8
    ink = torch.where(left, torch.arange(12) < 6, torch.arange(12) >= 6)
    data = (ink ^ (torch.rand(1000, 12, generator=generator) < 0.02)).float()
    kept, rbm = hm.Trajectory(ratio=1.05), hm.RBM(hm.Bernoulli(12), hm.Bernoulli(5), seed=seed)
    make = partial(torch.optim.SGD, lr=0.1)
    hm.fit(rbm, data, negative=hm.PersistentCD(200), epochs=60, optimizer=make, seed=seed, callbacks=[kept], progress=False)
    return rbm, kept.models()


@pytest.mark.filterwarnings("ignore:anneal:UserWarning")
@pytest.mark.filterwarnings("ignore::harmonium.Advice")
def test_a_learnt_machine_of_two_modes(monkeypatch):
    """With as many distributions ordinary annealing often misses the lesser mode, and does not know it: the trajectory does not miss it."""
    monkeypatch.setattr(module, "LISTED", 0)
    rbm, models = learnt(2)
    log_z, near, far = oracle.log_z(plain(rbm)), 0, 0
    for seed in range(10):
        forward = hm.likelihood.trajectory_ais(models, chains=200, betas=10, seed=seed)
        backward = hm.likelihood.reverse_trajectory_ais(models, exact_samples(rbm, 200, seed), betas=10, seed=seed)
        assert max(forward.standard_error, backward.standard_error) < 0.25
        near += sum(abs(found.log_z - log_z) < 3 * found.standard_error for found in (forward, backward))
        ordinary = hm.likelihood.ais(rbm, chains=200, betas=len(models) + 10, seed=seed)
        far += ordinary.log_z < log_z - 3 * ordinary.standard_error
    assert near >= 19  # of 20
    assert far >= 4  # of 10


@pytest.mark.filterwarnings("ignore:annealing:UserWarning")
@pytest.mark.filterwarnings("ignore::harmonium.Advice")
def test_forward_is_low_and_backward_high_where_the_path_is_coarse():
    rbm, models = learnt()
    coarse, log_z = [models[0], models[len(models) // 2], models[-1]], oracle.log_z(plain(rbm))
    forward, backward = [], []
    for seed in range(60):
        forward.append(hm.likelihood.trajectory_ais(coarse, chains=10, seed=seed).log_z)
        backward.append(hm.likelihood.reverse_trajectory_ais(coarse, exact_samples(rbm, 10, seed), seed=seed).log_z)
    for found, sign in ((forward, -1), (backward, 1)):
        assert sign * (np.mean(found) - log_z) > 3 * np.std(found) / math.sqrt(60)


def test_documents_of_one_length(start):
    rbm = machine("replicated", "bernoulli", seed=2, size=1.2)
    given = Given(length=torch.tensor(3.0, dtype=torch.float64))
    models, log_z = path(rbm, start), oracle.log_z(plain(rbm))
    found = hm.likelihood.trajectory_ais(models, chains=1000, betas=5, given=given)
    assert abs(found.log_z - log_z) < 3.5 * found.standard_error + 1e-6
    v, p = oracle.visible_distribution(plain(rbm))
    samples = torch.tensor(v[np.random.default_rng(0).choice(len(v), size=1000, p=p / p.sum())])
    back = hm.likelihood.reverse_trajectory_ais(models, samples, betas=5, given=given)
    assert abs(back.log_z - log_z) < 3.5 * back.standard_error + 1e-6


def test_a_mask_of_absent_units(start):
    rbm = machine("bernoulli", "bernoulli", seed=8, size=1.2)
    present = np.array([True, False, True])
    log_z = oracle.log_z(oracle.without(plain(rbm), present))
    given = Given(present=torch.tensor(present))
    found = hm.likelihood.trajectory_ais(path(rbm, start), chains=1000, betas=5, given=given)
    assert abs(found.log_z - log_z) < 3.5 * found.standard_error + 1e-6
    assert abs(log_z - oracle.log_z(plain(rbm))) > 0.1


def test_a_context(start):
    rbm = hm.RBM(hm.Bernoulli(4), hm.Bernoulli(3), hm.Conditional(hm.Dense(4, 3), 2)).double()
    with torch.no_grad():
        for parameter in rbm.parameters():
            parameter.copy_(torch.randn(parameter.shape, generator=torch.Generator().manual_seed(4), dtype=torch.float64))
    given = Given(context=torch.tensor([0.5, 2.0], dtype=torch.float64))
    log_z = hm.likelihood.exact_log_z(rbm, given=given)
    for models in (path(rbm, start), [rbm, rbm]):
        found = hm.likelihood.trajectory_ais(models, chains=1000, betas=5, given=given)
        assert abs(found.log_z - log_z) < 3.5 * found.standard_error + 1e-6


def test_visible_states_listed_where_they_are_fewer():
    """Drawn from the table of the first machine: nothing is left to weigh where the others are the same."""
    rbm = hm.RBM(hm.Bernoulli(3), hm.Bernoulli(6)).double()
    randomise(rbm.visible, np.random.default_rng(0))
    rbm.coupling.weight.data.normal_(generator=torch.Generator().manual_seed(0))
    samples = module._ladder([rbm], 2, NOTHING).sample(20000, torch.Generator().manual_seed(1))
    v, p = oracle.visible_distribution(plain(rbm))
    shares = np.array([(samples.numpy() == row).all(1).mean() for row in v])
    assert (np.abs(shares - p) < 4 * np.sqrt(p * (1 - p) / 20000)).all()
    assert hm.likelihood.trajectory_ais([rbm, rbm], chains=3).log_z == pytest.approx(oracle.log_z(plain(rbm)))


def test_the_same_seed_gives_the_same_estimate_and_float32_works():
    models = [model.float() for model in path(machine("bernoulli", "bernoulli", seed=1), "listed")]
    found = [hm.likelihood.trajectory_ais(models, chains=50, seed=seed) for seed in (0, 0, 1)]
    assert found[0].log_z == found[1].log_z != found[2].log_z
    assert found[0].log_weights.dtype == torch.float64
    samples = exact_samples(models[-1], 50, 0)
    back = [hm.likelihood.reverse_trajectory_ais(models, samples, seed=seed).log_z for seed in (0, 0, 1)]
    assert back[0] == back[1] != back[2]


def test_models_too_far_apart_warn():
    models = path(machine("bernoulli", "bernoulli", seed=1, size=1.0), models=2)
    models[1].coupling.weight.data *= 20
    with pytest.warns(UserWarning, match=r"effective sample size is .* of 200 chains.*more than the present 2 models and betas"):
        hm.likelihood.trajectory_ais(models, chains=200)


def test_refusals():
    models = path(machine("bernoulli", "bernoulli"))
    with pytest.raises(ValueError, match="at least one model"):
        hm.likelihood.trajectory_ais([])
    with pytest.raises(ValueError, match="the same layers and coupling"):
        hm.likelihood.trajectory_ais([machine("spin", "bernoulli"), *models])
    with pytest.raises(ValueError, match="betas must increase"):
        hm.likelihood.trajectory_ais(models, betas=1)
    with pytest.raises(ValueError, match=r"shape \(cases, 3\)"):
        hm.likelihood.reverse_trajectory_ais(models, torch.zeros(4, 2))
    far = path(machine("gaussian", "gaussian"))
    far[3].coupling.weight.data.fill_(5)
    with pytest.raises(ValueError, match="no partition function"):
        hm.likelihood.trajectory_ais(far)
    with pytest.raises(TypeError, match="a partition function"):
        hm.likelihood.trajectory_ais([hm.RBM(hm.Bernoulli(3), hm.NoisyReLU(2))])
