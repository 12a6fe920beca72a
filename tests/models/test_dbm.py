"""Deep Boltzmann machines against tables of every state of every layer."""

import itertools

import numpy as np
import pytest
import torch

import harmonium as hm
from harmonium.files import read_tensors, write_tensors
from tests import deep, oracle
from tests.models.machines import close, samples
from tests.sampling.test_stationarity import moments

STACKS = [
    ("bernoulli", "bernoulli", "bernoulli"),
    ("bernoulli", "bernoulli", "bernoulli", "bernoulli"),
    ("gaussian", "bernoulli", "softmax"),
    ("softmax", "softmax", "bernoulli", "spin"),
    ("gaussian_bernoulli", "binomial", "spin"),
    ("spin", "bernoulli", "gaussian"),
    ("bernoulli", "pooled", "poisson"),
]
CASES = 5


def drawn(model, cases, seed=1):
    """States of each layer from the data upwards, broadly spread."""
    return [samples(unit, cases, seed + number) for number, unit in enumerate(model.layers)]


@pytest.mark.parametrize("kinds", STACKS, ids="-".join)
def test_the_energy_is_that_of_the_layers_and_of_neighbours(kinds):
    model = deep.dbm(*kinds)
    states = drawn(model, CASES)
    expected = [deep.energy(deep.plain(model), rows) for rows in zip(*states, strict=True)]
    even, odd = model.join([torch.tensor(x) for x in states])
    close(model.joint.energy(even, odd), expected, 1e-10)
    close(model.energy(torch.tensor(states[0]), [torch.tensor(x) for x in states[1:]]), expected, 1e-10)
    for found, x in zip(model.split(even, odd), states, strict=True):
        close(found, x, 0)


@pytest.mark.parametrize("kinds", STACKS, ids="-".join)
def test_every_layer_given_its_neighbours(kinds):
    """The mean of each layer given all others, by listing its own states with the others fixed."""
    model = deep.dbm(*kinds)
    plain, states = deep.plain(model), drawn(model, CASES)
    even, odd = model.join([torch.tensor(x) for x in states])
    found = model.split(model.joint.visible_mean(odd), model.joint.hidden_mean(even))
    for number, layer in enumerate(plain.layers):
        x, measure = oracle.table(layer)
        for case in range(CASES):
            input = np.zeros(oracle.statistic(layer, x).shape[1])
            if number > 0:
                input += oracle.statistic(plain.layers[number - 1], states[number - 1])[case] @ plain.weights[number - 1]
            if number < len(plain.weights):
                input += plain.weights[number] @ oracle.statistic(plain.layers[number + 1], states[number + 1])[case]
            log_p = measure - oracle.layer_energy(layer, x) + oracle.statistic(layer, x) @ input
            close(found[number][case], np.exp(log_p - oracle.logsumexp(log_p)) @ x, 1e-5)


@pytest.mark.parametrize("kinds", STACKS, ids="-".join)
def test_log_z_by_either_parity(kinds):
    model = deep.dbm(*kinds)
    expected = deep.log_z(deep.plain(model))
    joint = model.joint
    assert hm.likelihood.exact_log_z(joint) == pytest.approx(expected, abs=1e-5)
    for states, free_energy in ((joint.visible, joint.free_energy), (joint.hidden, joint.hidden_free_energy)):
        if np.isfinite(states.count):
            every = states.states(torch.arange(int(states.count)))
            assert torch.logsumexp(-free_energy(every), 0).item() == pytest.approx(hm.likelihood.exact_log_z(joint), abs=1e-10)


def test_the_likelihood_of_the_data_alone():
    """The even hidden layers are values that were not seen."""
    model = deep.dbm("bernoulli", "bernoulli", "bernoulli", "bernoulli", "bernoulli")
    v = samples(model.layers[0], CASES, 1)
    hidden = model.even.shape[0] - v.shape[1]
    rows = torch.cat([torch.tensor(v), torch.full((CASES, hidden), torch.nan, dtype=torch.float64)], dim=1)
    found = hm.likelihood.log_likelihood(
        model.joint, rows, log_z=hm.likelihood.exact_log_z(model.joint), given=hm.Given(missing=rows.isnan())
    )
    close(found, deep.log_likelihood(deep.plain(model), v), 1e-9)


def log_volume(layer):
    """log Z of a layer by itself."""
    x, measure = oracle.table(layer)
    return oracle.logsumexp(measure - oracle.layer_energy(layer, x))


def flat(model):
    """Upper weights of zero."""
    for link in model.couplings[1:]:
        link.weight.data.zero_()
    return model


@pytest.mark.parametrize("kinds", [("bernoulli", "bernoulli", "bernoulli"), ("gaussian", "softmax", "spin", "bernoulli")], ids="-".join)
def test_without_upper_weights_it_is_its_rbm(kinds):
    model = flat(deep.dbm(*kinds))
    below = oracle.Machine(deep.plain(model).layers[0], deep.plain(model).layers[1], deep.plain(model).weights[0])
    v = samples(model.layers[0], CASES, 3)
    above = [log_volume(layer) for layer in deep.plain(model).layers[2:]]
    assert hm.likelihood.exact_log_z(model.joint) == pytest.approx(oracle.log_z(below) + sum(above), abs=1e-6)
    found = model.mean_field(torch.tensor(v), sweeps=1)
    close(model.variational_free_energy(found), oracle.free_energy(below, v) - sum(above), 1e-6)
    close(model.odd.split(found.phase.hidden_mean)[0], oracle.hidden_moments(below, v)[0], 1e-6)
    h = torch.tensor(oracle.table(below.hidden)[0])
    close(model.visible_mean([h]), oracle.hidden_moments(below.flipped(), h.numpy())[0], 1e-6)


def test_of_two_layers_it_is_an_rbm():
    model = deep.dbm("bernoulli", "bernoulli")
    rbm = hm.RBM(model.layers[0], model.layers[1], model.couplings[0])
    v = torch.tensor(samples(model.layers[0], CASES, 3))
    close(model.joint.free_energy(v), rbm.free_energy(v), 1e-12)
    found = model.mean_field(v, sweeps=1)
    close(found.phase.hidden_mean, rbm.hidden_mean(v), 1e-12)
    close(model.variational_free_energy(found), rbm.free_energy(v), 1e-12)


# Mean field ---------------------------------------------------------------------------------------------------------------------


def inputs(model, found):
    """Each hidden layer's, from the bottom, as arrays."""
    pieces = [None] * len(model.layers)
    pieces[::2], pieces[1::2] = model.even.split_input(found.even_input), model.odd.split_input(found.phase.input)
    return [piece.numpy() for piece in pieces[1:]]


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def test_mean_field_by_hand():
    """Doubled input on the way up, but for the top; then h2 and h4, then h1 and h3."""
    model = deep.dbm("bernoulli", "bernoulli", "bernoulli", "bernoulli", "bernoulli", size=1.0)
    w1, w2, w3, w4 = deep.plain(model).weights
    b1, b2, b3, b4 = (unit.bias.detach().numpy() for unit in model.layers[1:])
    v = samples(model.layers[0], CASES, 1)
    h1 = sigmoid(2 * v @ w1 + b1)
    h2 = sigmoid(2 * h1 @ w2 + b2)
    h3 = sigmoid(2 * h2 @ w3 + b3)
    h4 = sigmoid(h3 @ w4 + b4)
    for sweeps in (1, 2, 7):
        old, means = None, [h1, h2, h3, h4]
        for _ in range(sweeps):
            old = means
            m1, m2, m3, m4 = means
            m2, m4 = sigmoid(m1 @ w2 + m3 @ w3.T + b2), sigmoid(m3 @ w4 + b4)
            m1, m3 = sigmoid(v @ w1 + m2 @ w2.T + b1), sigmoid(m2 @ w3 + m4 @ w4.T + b3)
            means = [m1, m2, m3, m4]
        found = model.mean_field(torch.tensor(v), sweeps=sweeps)
        _, *hidden = model.split(found.phase.v, found.phase.hidden_mean)
        for layer, expected in zip(hidden, means, strict=True):
            close(layer, expected, 1e-12)
        change = np.concatenate([np.abs(a - b) for a, b in zip(means, old, strict=True)], axis=1).mean(1)
        close(found.change, change, 1e-12)
    again = model.joint.infer(found.phase.v)
    for one, other in zip(found.phase, again, strict=True):
        close(one, other, 1e-12)


@pytest.mark.parametrize("kinds", STACKS, ids="-".join)
def test_the_bound_never_falls_from_sweep_to_sweep_and_never_passes_the_truth(kinds):
    model = deep.dbm(*kinds, size=1.0)
    plain, v = deep.plain(model), samples(model.layers[0], CASES, 2)
    exact, last = deep.log_likelihood(plain, v), -np.inf
    for sweeps in (1, 2, 3, 4, 8, 300):
        found = model.mean_field(torch.tensor(v), sweeps=sweeps)
        bound = deep.bound(plain, v, inputs(model, found))
        close(-model.variational_free_energy(found) - deep.log_z(plain), bound, 1e-5)
        assert (bound > last - 1e-9).all()
        last = bound
    assert (found.change < 1e-9).all()
    assert (last < exact + 1e-6).all()
    if kinds[:3] == ("bernoulli", "bernoulli", "bernoulli"):
        assert (exact - last).max() > 1e-3  # the test has something to tell apart


def test_sweeps_end_where_nothing_changes():
    model = deep.dbm("bernoulli", "bernoulli", "bernoulli", size=0.5)
    v = torch.tensor(samples(model.layers[0], CASES, 2))
    calls, update = [], model.layers[2].mean
    model.layers[2].mean = lambda input: calls.append(1) or update(input)
    found = model.mean_field(v, sweeps=500, tolerance=1e-4)
    assert found.change.max() <= 1e-4
    assert 3 < len(calls) < 60
    before = model.mean_field(v, sweeps=len(calls) - 2)
    assert before.change.max() > 1e-4
    with pytest.raises(ValueError, match="at least one sweep"):
        model.mean_field(v, sweeps=0)


def test_leading_axes_and_types():
    model = deep.dbm("bernoulli", "bernoulli", "bernoulli").float()
    v = torch.tensor(samples(model.layers[0], 6, 2), dtype=torch.float32)
    found, flat = model.mean_field(v.reshape(2, 3, -1)), model.mean_field(v)
    assert found.change.shape == (2, 3)
    assert found.phase.v.dtype == torch.float32
    close(found.phase.v.flatten(0, 1), flat.phase.v, 1e-6)
    close(model.variational_free_energy(found).flatten(), model.variational_free_energy(flat), 1e-5)


# Sampling, gradients, files -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kinds", [("bernoulli", "bernoulli", "bernoulli", "bernoulli"), ("softmax", "bernoulli", "spin")], ids="-".join)
def test_gibbs_sampling_leaves_the_joint_as_it_is(kinds):
    model, chains = deep.dbm(*kinds, seed=3), 20000
    joint = deep.table(deep.plain(model))
    p = np.exp(joint.log_p - oracle.logsumexp(joint.log_p)).ravel()
    rows = np.random.default_rng(0).choice(len(p), chains, p=p / p.sum())
    states = [x[place] for x, place in zip(joint.states, np.unravel_index(rows, joint.log_p.shape), strict=True)]
    start, _ = model.join([torch.tensor(x) for x in states])
    generator = torch.Generator().manual_seed(1)
    last = model.joint.gibbs(start, steps=3, generator=generator)
    assert (last != start).any(1).double().mean() > 0.3
    above = model.joint.sample_hidden(last, generator=generator)
    every = np.array(list(itertools.product(*(range(len(x)) for x in joint.states))))
    whole = [x[every[:, number]] for number, x in enumerate(joint.states)]
    terms = moments(*(np.concatenate(whole[side::2], axis=1) for side in (0, 1)))
    expected = p @ terms
    error = np.sqrt(np.maximum(p @ terms**2 - expected**2, 0) / chains)
    gap = np.abs(moments(last.numpy(), above.numpy()).mean(0) - expected)
    assert (gap <= 4.5 * error + 1e-9).all()


@pytest.mark.parametrize("kinds", STACKS[:5], ids="-".join)
def test_the_gradient_is_autograd_s_of_the_energy(kinds):
    model = deep.dbm(*kinds)
    even, _ = model.join([torch.tensor(x) for x in drawn(model, CASES)])
    weights = torch.tensor(np.random.default_rng(5).uniform(0, 2, CASES))
    (0.7 * weights * model.joint.free_energy(even)).sum().backward()
    expected = {name: parameter.grad.clone() for name, parameter in model.named_parameters()}
    model.zero_grad()
    model.joint.accumulate_gradient(model.joint.infer(even), weights=weights, scale=0.7)
    for name, parameter in model.named_parameters():
        close(parameter.grad, expected[name], 1e-8)


def test_fantasies_have_the_marginals_of_the_data_s_layer():
    model = deep.dbm("bernoulli", "bernoulli", "bernoulli", "bernoulli", seed=3)
    expected = deep.marginal(deep.table(deep.plain(model)), 0)
    v = torch.tensor(samples(model.layers[0], 8000, 2))
    for start in (None, v):
        found = model.generate(8000, steps=30, generator=torch.Generator().manual_seed(0), start=start)
        assert found.shape == (8000, 3)
        error = found.std(0).numpy() / np.sqrt(8000)
        assert (np.abs(found.mean(0).numpy() - expected) < 4.5 * error).all()


def test_a_fantasy_of_one_step_begins_at_the_data():
    """With weights so large that h1 and h2 copy v, one sweep shows what it began at."""
    model = hm.DBM([hm.Bernoulli(4), hm.Bernoulli(4), hm.Bernoulli(4)]).double()
    with torch.no_grad():
        for link in model.couplings:
            link.weight.copy_(40 * torch.eye(4))
        for unit, bias in zip(model.layers, (-20, -40, -20), strict=True):
            unit.bias.fill_(bias)
    v = torch.tensor([[1.0, 0, 1, 0], [0, 0, 1, 1]], dtype=torch.float64)
    close(model.generate(2, steps=1, generator=torch.Generator().manual_seed(0), start=v), v, 1e-4)


@pytest.mark.parametrize("kinds", [STACKS[1], STACKS[3], STACKS[4]], ids="-".join)
def test_files(tmp_path, kinds):
    model = deep.dbm(*kinds).float()
    hm.save(model, tmp_path / "dbm")
    found = hm.load(tmp_path / "dbm")
    assert type(found) is hm.DBM
    assert [type(unit) for unit in found.layers] == [type(unit) for unit in model.layers]
    for name, tensor in model.state_dict().items():
        assert torch.equal(found.state_dict()[name], tensor)
    v = torch.tensor(samples(model.layers[0], CASES, 1), dtype=torch.float32)
    assert torch.equal(found.mean_field(v).phase.v, model.mean_field(v).phase.v)
    assert type(hm.load(saved(model.joint, tmp_path / "joint"))) is hm.RBM
    tensors, header = read_tensors(tmp_path / "dbm")  # a machine that was an RBM itself had no joint
    write_tensors(tmp_path / "old", {name.removeprefix("joint."): tensor for name, tensor in tensors.items()}, header)
    old = hm.load(tmp_path / "old")
    assert all(torch.equal(a, b) for a, b in zip(old.state_dict().values(), model.state_dict().values(), strict=True))
    write_tensors(tmp_path / "none", {name: tensor for name, tensor in tensors.items() if "hidden" not in name}, header)
    with pytest.raises(ValueError, match=r"none cannot be loaded.*expected joint\.hidden"):
        hm.load(tmp_path / "none")


def saved(model, path):
    hm.save(model, path)
    return path


def test_refusals():
    bits = [hm.Bernoulli(3), hm.Bernoulli(2), hm.Bernoulli(4)]
    with pytest.raises(ValueError, match="at least one hidden layer"):
        hm.DBM(bits[:1])
    with pytest.raises(ValueError, match="3 layers have 2 couplings between them, found 1"):
        hm.DBM(bits, [None])
    with pytest.raises(ValueError, match="between layers 1 and 2 expects"):
        hm.DBM(bits, [None, hm.Dense(3, 4)])
    with pytest.raises(ValueError, match="document"):
        hm.DBM([hm.ReplicatedSoftmax(3), *bits[1:]])
    with pytest.raises(TypeError, match=r"NoisyReLU.*deep Boltzmann machine"):
        hm.DBM([bits[0], hm.NoisyReLU(2), bits[2]])


def test_weights_are_drawn_with_the_seed():
    one, same, other = (hm.DBM([hm.Bernoulli(3) for _ in range(3)], seed=seed) for seed in (0, 0, 5))
    first, second = (link.weight for link in one.couplings)
    assert not torch.equal(first, second)
    for a, b in zip(one.couplings, same.couplings, strict=True):
        assert torch.equal(a.weight, b.weight)
    assert not torch.equal(first, other.couplings[0].weight)
    low = hm.DBM([hm.Bernoulli(3), hm.Bernoulli(4), hm.Bernoulli(2)], [hm.LowRank(3, 4, rank=1), None])
    assert [type(link).__name__ for link in low.couplings] == ["LowRank", "Dense"]
