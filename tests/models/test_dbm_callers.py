"""What a deep Boltzmann machine answers to whoever has data: against tables of every state of every layer."""

import copy
import pickle

import numpy as np
import pytest
import torch

import harmonium as hm
from harmonium.learning import features, write_gradient
from harmonium.models import RBM, Generative
from harmonium.sampling import complete, film, tempering
from tests import deep, oracle
from tests.models.machines import close, samples
from tests.models.test_dbm import CASES, STACKS, drawn

CHAINS = 20000


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def near(found, expected):
    found = found.detach().double().numpy()
    assert (np.abs(found.mean(0) - expected) < 4.5 * found.std(0) / np.sqrt(len(found)) + 1e-9).all()


def public(kind):
    """The names of a class's own, beside those of any module."""
    return {name for name in dir(kind) if not name.startswith("_")} - set(dir(torch.nn.Module))


def test_the_names_that_an_rbm_has_too():
    """Each of them is held to a table below; what is added to both belongs there."""
    shared = {"energy", "check_normalisable", "hidden_mean", "visible_mean", "gibbs", "arguments"}
    answers = {"machine", "bound_over", "machine_given", "initial_states", "data_mean", "machine_mean", "part", "to_machine"}
    assert public(RBM) & public(hm.DBM) == shared | answers
    assert answers | {"visible"} == public(Generative)


def conditional_mean(layer, input):
    """E[x | input] of one layer by listing its states."""
    x, measure = oracle.table(layer)
    log_p = (measure - oracle.layer_energy(layer, x))[None] + input @ oracle.statistic(layer, x).T
    return np.exp(log_p - oracle.logsumexp(log_p, axis=1)[:, None]) @ x


@pytest.mark.parametrize("kinds", STACKS, ids="-".join)
def test_hidden_means_of_data(kinds):
    """The fixed point of mean field, each layer listed given its neighbours' means; died in split_with_sizes."""
    model = deep.dbm(*kinds, size=0.4)
    plain, v = deep.plain(model), samples(model.visible, CASES, 2)
    found = model.hidden_mean(torch.tensor(v))
    assert [h.shape for h in found] == [(CASES, *unit.shape) for unit in model.layers[1:]]
    means = [v, *(h.numpy() for h in found)]
    statistics = [oracle.statistic(layer, x) for layer, x in zip(plain.layers, means, strict=True)]
    for number in range(1, len(means)):
        input = statistics[number - 1] @ plain.weights[number - 1]
        if number < len(plain.weights):
            input = input + statistics[number + 1] @ plain.weights[number].T
        close(means[number], conditional_mean(plain.layers[number], input), 2e-4)
    few = model.hidden_mean(torch.tensor(v), sweeps=3, tolerance=None)
    for one, other in zip(few, model.split(*model.mean_field(torch.tensor(v), sweeps=3).phase[::3])[1:], strict=True):
        close(one, other, 0)
    close(model.machine_mean(torch.tensor(v)), model.join([torch.tensor(x) for x in means])[0], 1e-4)


def test_hidden_means_of_two_layers_are_exact():
    model = deep.dbm("gaussian", "softmax")
    v = samples(model.visible, CASES, 1)
    machine = oracle.Machine(*deep.plain(model).layers, deep.plain(model).weights[0])
    (found,) = model.hidden_mean(torch.tensor(v))
    close(found, oracle.hidden_moments(machine, v)[0], 1e-8)


@pytest.mark.parametrize("kinds", STACKS, ids="-".join)
def test_visible_means_of_hidden_states(kinds):
    model = deep.dbm(*kinds)
    plain, states = deep.plain(model), drawn(model, CASES)
    input = oracle.statistic(plain.layers[1], states[1]) @ plain.weights[0].T
    close(model.visible_mean([torch.tensor(x) for x in states[1:]]), conditional_mean(plain.layers[0], input), 1e-5)


def sweep(joint):
    """p(next even layers | even layers) of a machine of four layers, over (v, h2), v's states first."""
    p = np.exp(joint.log_p - oracle.logsumexp(joint.log_p)).transpose(0, 2, 1, 3)
    table = p.reshape(p.shape[0] * p.shape[1], -1)
    return (table / table.sum(1, keepdims=True)) @ (table / table.sum(0)).T


def test_gibbs_sampling_from_data():
    """Hidden layers begin at mean field's distribution, and all layers move: E[v] after a few sweeps and after many."""
    model = deep.dbm("bernoulli", "bernoulli", "bernoulli", "bernoulli", seed=3, size=1.2)
    joint = deep.table(deep.plain(model))
    v = joint.states[0][5]
    h2 = model.mean_field(torch.tensor(v[None]), sweeps=10).phase.v[0, 3:].numpy()
    order = oracle.table(deep.plain(model).layers[2])[0]
    start = np.zeros((len(joint.states[0]), len(order)))
    start[5] = np.where(order == 1, h2, 1 - h2).prod(1)
    move = sweep(joint)
    for steps in (1, 2, 40):
        p = (start.ravel() @ np.linalg.matrix_power(move, steps)).reshape(start.shape).sum(1)
        data = torch.tensor(v).expand(2, CHAINS // 2, -1)
        found = model.gibbs(data, steps=steps, generator=generator(steps))
        assert found.shape == data.shape
        near(found.flatten(0, 1), p @ joint.states[0])
    near(found.flatten(0, 1), deep.marginal(joint, 0))


def test_frames_and_fantasies_begin_at_data_and_end_at_the_model_s_own():
    model = deep.dbm("bernoulli", "bernoulli", "bernoulli", "bernoulli", seed=3, size=1.2)
    joint = deep.table(deep.plain(model))
    start = torch.tensor(joint.states[0][5]).expand(CHAINS, -1)
    shown = film(model, CHAINS, frames=2, steps=20, generator=generator(), start=start)
    assert shown.shape == (CHAINS, 2, 3)
    for frame in range(2):
        near(shown[:, frame], deep.marginal(joint, 0))
    with pytest.raises(ValueError, match="no labels to clamp"):
        film(model, 2, frames=1, steps=1, generator=generator(), labels=torch.zeros(2, dtype=torch.long))
    with pytest.raises(ValueError, match="whole cases"):
        film(model, 2, frames=1, steps=1, generator=generator(), given=hm.Given(context=torch.zeros(2, 1)))


def test_completion_is_exact():
    model = deep.dbm("bernoulli", "bernoulli", "bernoulli", seed=3, size=1.5)
    joint = deep.table(deep.plain(model))
    p = np.exp(joint.log_p - oracle.logsumexp(joint.log_p)).sum((1, 2))
    v = torch.tensor([1.0, torch.nan, torch.nan], dtype=torch.float64).expand(CHAINS, -1)
    found = complete(model, v, v.isnan(), steps=30, generator=generator())
    agree = joint.states[0][:, 0] == 1
    expected = p[agree] @ joint.states[0][agree] / p[agree].sum()
    near(found.v, expected)
    near(found.mean, expected)
    assert bool((found.v[:, 0] == 1).all())
    with pytest.raises(ValueError, match="no labels to clamp"):
        complete(model, v, v.isnan(), steps=1, generator=generator(), labels=torch.zeros(CHAINS).long())


def test_whether_there_is_a_partition_function():
    """Of a chain of Gaussian layers there is one while the joint precision, the identity less the weights, is positive definite."""
    for size, exists in ((0.6, True), (0.8, False)):
        model = hm.DBM([hm.Gaussian(1, variance=1.0), hm.Gaussian(1), hm.Gaussian(1)]).double()
        for link in model.couplings:
            link.weight.data.fill_(size)
        precision = np.eye(3) - size * (np.eye(3, k=1) + np.eye(3, k=-1))
        assert (np.linalg.eigvalsh(precision).min() > 0) == exists
        if exists:
            model.check_normalisable()
        else:
            with pytest.raises(ValueError, match="spectral norm"):
                model.check_normalisable()


# Whoever wants an RBM -------------------------------------------------------------------------------------------------------------


DEEP = hm.DBM([hm.Bernoulli(3), hm.Bernoulli(2), hm.Bernoulli(2)])
V = torch.zeros(4, 3)
WANT_AN_RBM = {
    "exact log Z": lambda: hm.likelihood.exact_log_z(DEEP),
    "AIS": lambda: hm.likelihood.ais(DEEP),
    "reverse AIS": lambda: hm.likelihood.reverse_ais(DEEP, V),
    "RAISE": lambda: hm.likelihood.raise_bound(DEEP, V),
    "moments": lambda: hm.likelihood.exact_moments(DEEP),
    "log-likelihood": lambda: hm.likelihood.log_likelihood(DEEP, V, log_z=0.0),
    "a distribution": lambda: hm.likelihood.exact_distribution(DEEP),
    "the free-energy gap": lambda: hm.likelihood.free_energy_gap(DEEP, V, V),
    "the pseudo-likelihood": lambda: hm.likelihood.pseudo_likelihood(DEEP, V, generator=generator()),
    "tempering": lambda: tempering.step(DEEP, tempering.init(DEEP, 2, 3, generator=generator()), generator=generator()),
    "Gibbs sampling": lambda: hm.sampling.gibbs.step(DEEP, hm.sampling.gibbs.init(DEEP, 2, generator=generator()), generator=generator()),
    "features": lambda: features(V, DEEP),
    "a gradient": lambda: write_gradient(DEEP, DEEP.mean_field(V).phase, hm.ContrastiveDivergence(), {}, generator=generator()),
    "turning": lambda: hm.models.swap_layers(DEEP),
    "an infinite net": lambda: hm.infinite_net(DEEP, 2),
    "the gauge": lambda: hm.models.zero_sum_gauge(DEEP),
    "normalisation": lambda: hm.models.check_normalisable(DEEP),
    "its free energy": lambda: DEEP.free_energy(V),
    "its hidden layer": lambda: DEEP.hidden,
}


@pytest.mark.parametrize("use", WANT_AN_RBM.values(), ids=WANT_AN_RBM.keys())
def test_one_sentence_names_the_joint(use):
    with pytest.raises((TypeError, AttributeError), match="`joint`"):
        use()


@pytest.mark.parametrize("use", [lambda: hm.DBN([DEEP]), lambda: hm.Mixture([DEEP]), lambda: hm.ProductOfExperts([DEEP, hm.Bernoulli(3)])])
def test_no_part_of_other_models(use):
    with pytest.raises(TypeError, match=r"RBMs.*found DBM"):
        use()


def test_all_models_answer_alike():
    rbm = DEEP.joint
    for model in (rbm, hm.DBN([rbm]), DEEP):
        assert isinstance(model, Generative)
        assert model.machine is rbm
    assert not isinstance(hm.SigmoidBeliefNet([hm.Bernoulli(3), hm.Bernoulli(2)]), Generative)
    with pytest.raises(TypeError, match="found SigmoidBeliefNet"):
        hm.likelihood.evaluate(hm.SigmoidBeliefNet([hm.Bernoulli(3), hm.Bernoulli(2)]), V)
    assert isinstance(DEEP.joint, RBM)
    assert not isinstance(DEEP, RBM)
    assert not hasattr(DEEP, "free_energy")


def test_copies():
    for twin in (copy.deepcopy(DEEP), pickle.loads(pickle.dumps(DEEP))):
        assert torch.equal(twin.mean_field(V).phase.hidden_mean, DEEP.mean_field(V).phase.hidden_mean)
        assert twin.joint is not DEEP.joint
