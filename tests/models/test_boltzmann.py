"""The general Boltzmann machine against a table of its joint distribution in NumPy, which shares no code with it."""

import itertools

import numpy as np
import pytest
import torch

import harmonium as hm
from tests.models.machines import close

MACHINES = {
    "binary": lambda: hm.BoltzmannMachine(hm.Bernoulli(3), hm.Bernoulli(2)),
    "spins": lambda: hm.BoltzmannMachine(hm.Spin(2), hm.Spin(3)),
    "both": lambda: hm.BoltzmannMachine(hm.Groups(hm.Spin(1), hm.Bernoulli(2)), hm.Spin(2)),
    "visible alone": lambda: hm.BoltzmannMachine(hm.Bernoulli(4)),
}


def machine(name, seed=0, size=1.0):
    found = MACHINES[name]().double()
    draw = np.random.default_rng([seed, len(name)])
    for parameter in found.parameters():
        parameter.data = torch.tensor(size * draw.normal(size=parameter.shape))
    return found


def values(unit):
    """The two values of each unit of a layer."""
    if unit is None:
        return []
    if isinstance(unit, hm.Groups):
        return [pair for part in unit.parts for pair in values(part)]
    return [(-1, 1) if isinstance(unit, hm.Spin) else (0, 1)] * unit.shape[0]


def biases(unit):
    if unit is None:
        return []
    return [b for part in unit.parts for b in biases(part)] if isinstance(unit, hm.Groups) else unit.bias.tolist()


def table(model):
    """All joint states, (states, units), and -E of each, pair by pair."""
    states = np.array(list(itertools.product(*values(model.visible), *values(model.hidden))), dtype=float)
    bias, pairs = biases(model.visible) + biases(model.hidden), itertools.combinations(range(states.shape[1]), 2)
    negative = states @ np.array(bias)
    for weight, (i, j) in zip(model.weight.tolist(), pairs, strict=True):
        negative += weight * states[:, i] * states[:, j]
    return states, negative


def visible_states(model, cases=6, seed=1):
    states = np.array(list(itertools.product(*values(model.visible))), dtype=float)
    return states[np.random.default_rng(seed).integers(0, len(states), cases)]


@pytest.mark.parametrize("name", MACHINES)
def test_energies_and_probabilities_are_those_of_the_table(name):
    model = machine(name)
    states, negative = table(model)
    size, log_z = model.visible.shape[0], np.logaddexp.reduce(negative)
    close(model.energy(torch.tensor(states)), -negative, 1e-12)
    assert hm.likelihood.exact_log_z(model) == pytest.approx(log_z, abs=1e-10)
    matrix = model.matrix().detach()
    assert torch.equal(matrix, matrix.T)
    assert not matrix.diagonal().any()

    v = visible_states(model)
    log_v = np.array([np.logaddexp.reduce(negative[(states[:, :size] == row).all(1)]) for row in v])
    close(model.free_energy(torch.tensor(v)), -log_v, 1e-10)
    close(hm.likelihood.log_likelihood(model, torch.tensor(v), log_z=log_z), log_v - log_z, 1e-10)

    p, places = np.exp(negative - log_z), {tuple(row): n for n, row in enumerate(states)}
    listed, found = model.distribution()
    close(found, p[[places[tuple(row)] for row in listed.tolist()]], 1e-12)
    joined, given = model.posterior(torch.tensor(v))
    close(given.sum(-1), np.ones(len(v)), 1e-12)
    for row, log_p, states_of, each in zip(v, log_v, joined.tolist(), given, strict=True):
        assert len({tuple(state) for state in states_of}) == len(states_of)
        assert all(state[:size] == row.tolist() for state in states_of)
        close(each, np.exp(negative[[places[tuple(state)] for state in states_of]] - log_p), 1e-12)

    moments = hm.likelihood.exact_moments(model)
    close(moments.visible, p @ states[:, :size], 1e-12)
    close(moments.hidden, p @ states[:, size:], 1e-12)
    close(moments.product, (states[:, :size] * p[:, None]).T @ states[:, size:], 1e-12)
    second = [p @ (states[:, i] * states[:, j]) for i, j in itertools.combinations(range(states.shape[1]), 2)]
    close(moments.energy_gradient["weight"], -np.array(second), 1e-12)


@pytest.mark.parametrize("name", MACHINES)
def test_gibbs_sampling_keeps_the_distribution_and_comes_to_it(name):
    model, chains = machine(name, seed=2, size=0.7), 20_000
    states, negative = table(model)
    p = np.exp(negative - np.logaddexp.reduce(negative))
    size, draw = model.visible.shape[0], np.random.default_rng(0)
    row = states[3, :size]
    clamped = p * (states[:, :size] == row).all(1)
    for expected, held in ((p, False), (clamped / clamped.sum(), True)):
        exact = torch.tensor(states[draw.choice(len(p), chains, p=expected)])
        fresh = model.start(torch.tensor(row).expand(chains, -1), generator=torch.Generator().manual_seed(0))
        for start, steps in ((exact, 1), (fresh, 40)):
            before = start.clone()
            found = model.gibbs(start, steps=steps, clamped=held, generator=torch.Generator().manual_seed(1))
            assert torch.equal(start, before)
            drawn = (found.numpy()[:, None] == states).all(2).mean(0)
            # Exact starts are a sample themselves: twice the variance.
            assert (np.abs(drawn - expected) <= 5 * np.sqrt(2 * expected * (1 - expected) / chains) + 1e-9).all()


@pytest.mark.parametrize("name", MACHINES)
def test_the_learning_signal_is_the_gradient_of_the_likelihood(name):
    model = machine(name)
    v, weights = visible_states(model), torch.tensor([0.5, 0.0, 1.5, 1.0, 2.0, 1.0]).double()

    def loss():
        states, negative = table(model)
        size = model.visible.shape[0]
        log_v = np.array([np.logaddexp.reduce(negative[(states[:, :size] == row).all(1)]) for row in v])
        return -(weights.numpy() * (log_v - np.logaddexp.reduce(negative))).sum() / 6

    for fresh, total in ((True, 1.0), (False, 2.0)):
        states, p = model.posterior(torch.tensor(v))
        model.accumulate_gradient(states, weights[:, None] * p, scale=1 / 6, fresh=fresh)
        model.accumulate_gradient(*model.distribution(), scale=-1)
        for parameter in model.parameters():
            flat = parameter.data.view(-1)
            for n, found in enumerate(parameter.grad.view(-1)):
                flat[n] += 1e-5
                up = loss()
                flat[n] -= 2e-5
                down = loss()
                flat[n] += 1e-5
                assert found.item() == pytest.approx(total * (up - down) / 2e-5, abs=1e-7)


def test_the_sampled_signal_is_the_exact_one_within_its_errors():
    model, chains = machine("binary", size=0.7), 20_000
    v = torch.tensor(visible_states(model, cases=4))
    model.accumulate_gradient(*model.posterior(v), scale=1 / 4, fresh=True)
    model.accumulate_gradient(*model.distribution(), scale=-1)
    exact = {name: p.grad.clone() for name, p in model.named_parameters()}
    draw = torch.Generator().manual_seed(0)
    data = model.start(v.repeat(chains // 4, 1), generator=draw)
    held = model.gibbs(data, steps=30, clamped=True, generator=draw)
    free = model.gibbs(data, steps=30, generator=draw)
    model.accumulate_gradient(held, scale=1 / chains, fresh=True)
    model.accumulate_gradient(free, scale=-1 / chains)
    for name, parameter in model.named_parameters():  # two products of deviation at most a half
        assert (parameter.grad - exact[name]).abs().max() < 5 * np.sqrt(2 * 0.25 / chains), name


def test_exact_ascent_learns_parity():
    """An odd number of three units on: hidden units are needed, as pairs of visible ones know nothing of it. At best log 4 nats a case."""
    v = torch.tensor([[0, 0, 1], [0, 1, 0], [1, 0, 0], [1, 1, 1]]).double()
    model = hm.BoltzmannMachine(hm.Bernoulli(3), hm.Bernoulli(2), scale=0.5, seed=1).double()
    ascent = torch.optim.LBFGS(model.parameters(), max_iter=200, line_search_fn="strong_wolfe")

    def loss():
        model.accumulate_gradient(*model.posterior(v), scale=1 / 4, fresh=True)
        model.accumulate_gradient(*model.distribution(), scale=-1)
        return -hm.likelihood.log_likelihood(model, v, log_z=hm.likelihood.exact_log_z(model)).mean()

    ascent.step(loss)
    assert loss().item() == pytest.approx(np.log(4), abs=0.01)


def test_an_rbm_is_one_whose_other_weights_are_zero():
    rbm = hm.RBM(hm.Bernoulli(3), hm.Bernoulli(2)).double()
    general = hm.BoltzmannMachine(rbm.visible, rbm.hidden).double()
    general.weight.data.zero_()
    for weight, (i, j) in zip(general.weight.data.split(1), general.pairs().T.tolist(), strict=True):
        if i < 3 <= j:
            weight.fill_(rbm.coupling.weight[i, j - 3].item())
    assert hm.likelihood.exact_log_z(general) == pytest.approx(hm.likelihood.exact_log_z(rbm), abs=1e-10)


def test_what_does_not_fit_is_refused():
    with pytest.raises(TypeError, match="found Gaussian"):
        hm.BoltzmannMachine(hm.Bernoulli(2), hm.Gaussian(2))
    with pytest.raises(ValueError, match="are flat"):
        hm.BoltzmannMachine(hm.Bernoulli((2, 2)))
    large = hm.BoltzmannMachine(hm.Bernoulli(20), hm.Bernoulli(30))
    with pytest.raises(ValueError, match=r"at most 2\^20"):
        large.distribution()
    with pytest.raises(ValueError, match="this one has 50 units"):
        hm.likelihood.exact_log_z(large)
    with pytest.raises(ValueError, match=r"at most 2\^20"):
        large.free_energy(torch.zeros(1, 20))
    with pytest.raises(ValueError, match="take fewer cases at once"):
        hm.BoltzmannMachine(hm.Bernoulli(2), hm.Bernoulli(16)).posterior(torch.zeros(1000, 2))
    with pytest.raises(ValueError, match="0 or 1"):
        large.gibbs(torch.full((1, 50), 0.5), generator=torch.Generator())
    with pytest.raises(ValueError, match="neither gaps nor a context"):
        hm.likelihood.exact_log_z(machine("binary"), given=hm.Given(context=torch.zeros(2)))
    wide = hm.BoltzmannMachine(hm.Bernoulli(70), hm.Spin(10))
    draw = torch.Generator().manual_seed(0)
    assert wide.gibbs(wide.start(torch.zeros(4, 70), generator=draw), generator=draw).unique().tolist() == [-1, 0, 1]


@pytest.mark.parametrize("name", MACHINES)
def test_files(name, tmp_path):
    model = machine(name)
    hm.save(model, tmp_path / "machine.safetensors")
    again = hm.load(tmp_path / "machine.safetensors")
    v = torch.tensor(visible_states(model))
    assert torch.equal(again.free_energy(v), model.free_energy(v))
