"""Learning raises the likelihood, and each setting does what it says."""

from functools import partial

import numpy as np
import pytest
import torch

import harmonium as hm
from tests import oracle
from tests.learning.signal import contrastive_gradient
from tests.learning.test_exact_gradient import bars_and_stripes

DATA = bars_and_stripes().float()
SGD = partial(torch.optim.SGD, lr=0.1)


def fit(rbm, data=DATA, **settings):
    return hm.fit(rbm, data, **{"epochs": 5, "batch_size": 8, "optimizer": SGD, "progress": False, **settings})


def likelihood(rbm, data=DATA):
    return hm.likelihood.log_likelihood(rbm, data, log_z=hm.likelihood.exact_log_z(rbm)).mean().item()


def new(hidden=8, seed=1, kind=hm.Bernoulli):
    rbm = hm.RBM(kind(4), hm.Bernoulli(hidden), seed=seed)
    with torch.no_grad():
        rbm.coupling.weight.mul_(10)
    return rbm


def of_teacher(cases=400):
    """Draws from a machine of three hidden units with strong weights, and the likelihood of nothing but their own frequencies."""
    teacher = oracle.Machine(*((oracle.Part("bernoulli", np.zeros(n)),) for n in (4, 3)), np.random.default_rng(4).normal(size=(4, 3)) * 2)
    # Biases that balance each unit: all that there is to learn lies in the weights.
    teacher = oracle.with_parameter(teacher, ("visible", 0, "bias"), -teacher.weight.sum(1) / 2)
    teacher = oracle.with_parameter(teacher, ("hidden", 0, "bias"), -teacher.weight.sum(0) / 2)
    states, p = oracle.visible_distribution(teacher)
    drawn = np.random.default_rng(0).choice(len(states), cases, p=p / p.sum())
    share = np.bincount(drawn) / cases
    share = share[share > 0]
    return torch.tensor(states[drawn], dtype=torch.float32), share @ np.log(share)


RULES = [
    (hm.ContrastiveDivergence(), SGD),
    (hm.ContrastiveDivergence(steps=5), SGD),
    (hm.ContrastiveDivergence(reconstruction="mean"), SGD),
    (hm.PersistentCD(chains=100), SGD),
    (hm.PersistentCD(chains=30, steps=3), SGD),
    (hm.PersistentCD(chains=100), partial(torch.optim.Adam, lr=0.01)),
    (hm.PersistentCD(chains=100), partial(torch.optim.RMSprop, lr=0.01)),
    (hm.PersistentCD(chains=100), partial(torch.optim.Adagrad, lr=0.1)),
]


@pytest.mark.parametrize(("negative", "optimizer"), RULES)
@pytest.mark.filterwarnings("ignore::harmonium.Advice")
def test_the_exact_likelihood_rises(negative, optimizer):
    """By most of what lies between independent pixels of the right base rates and the frequencies of the data themselves."""
    data, most = of_teacher()
    rbm = new()
    fit(rbm, data, epochs=0)
    least = likelihood(rbm, data)
    assert most - least > 0.25
    fit(rbm, data, epochs=60, batch_size=40, negative=negative, optimizer=optimizer)
    assert least + 0.8 * (most - least) < likelihood(rbm, data) < most


def test_a_gaussian_machine_finds_the_mean_and_the_direction_of_the_data():
    draw = np.random.default_rng(0)
    sign = draw.integers(2, size=(600, 1)) * 2 - 1
    data = torch.tensor(np.array([1.0, 2.0, 3.0]) + sign * np.array([2.0, -2.0, 0.0]) + draw.normal(size=(600, 3)), dtype=torch.float32)
    rbm = hm.RBM(hm.Gaussian(3, learn_variance=False), hm.Bernoulli(2))
    fit(rbm, data, epochs=0)
    before = likelihood(rbm, data)
    fit(rbm, data, epochs=60, batch_size=50, optimizer=partial(torch.optim.SGD, lr=0.05), negative=hm.PersistentCD(chains=100))
    assert likelihood(rbm, data) > before + 1
    learnt = rbm.coupling.weight.detach().abs().sum(1)
    assert learnt[2] < 0.4 * min(learnt[0], learnt[1])


@pytest.mark.filterwarnings("ignore::harmonium.Advice")
def test_sparsity_drives_the_mean_activity_to_its_target():
    data = DATA.repeat(20, 1)
    reached = {}
    for target in (0.1, 0.3):
        rbm = new()
        fit(rbm, data, epochs=200, batch_size=40, sparsity=hm.Sparsity(target, cost=1.0))
        reached[target] = rbm.hidden_mean(data).mean(0).detach()
        assert (reached[target] - target).abs().max() < 0.05
    plain = new()
    fit(plain, data, epochs=200, batch_size=40)
    assert (plain.hidden_mean(data).mean(0) - 0.1).abs().max() > 0.2


def test_the_sparsity_signal_by_hand():
    """cost · (q - target) on each hidden bias, and times the mean pixel on its weights, with q the decayed mean activity."""
    rbm = new(hidden=3).double()
    v, weights = DATA[:5].double(), torch.tensor([1.0, 2, 0, 1, 1]).double()
    gradients = []
    for transforms in ((), (hm.Sparsity(0.2, cost=0.7, decay=0.9),)):
        contrastive_gradient(rbm, v, weights, hm.ContrastiveDivergence(), transforms=transforms)
        gradients.append({name: parameter.grad.clone() for name, parameter in rbm.named_parameters()})
    share = weights / weights.sum()
    slope = 0.7 * (0.9 * 0.2 + 0.1 * (share @ rbm.hidden_mean(v)) - 0.2)
    added = {name: gradients[1][name] - gradients[0][name] for name in gradients[0]}
    torch.testing.assert_close(added["hidden.bias"], slope)
    torch.testing.assert_close(added["coupling.weight"], torch.outer(share @ v, slope))
    assert not added["visible.bias"].any()


@pytest.mark.parametrize("hidden", [hm.NoisyReLU, hm.TruncatedGaussian, hm.Poisson, partial(hm.Binomial, copies=4)])
def test_the_sparsity_signal_of_other_units_is_that_of_their_total_input(hidden):
    """cost · (q - target) times the derivative of each unit's total input, b + W' v, by autograd."""
    rbm = hm.RBM(hm.Bernoulli(4), hidden(3), seed=1).double()
    v = DATA[:5].double()
    gradients = []
    for transforms in ((), (hm.Sparsity(0.2, cost=0.7, decay=0.9),)):
        contrastive_gradient(rbm, v, None, hm.ContrastiveDivergence(), transforms=transforms)
        gradients.append({name: parameter.grad.clone() for name, parameter in rbm.named_parameters() if parameter.requires_grad})
    slope = 0.7 * (0.9 * 0.2 + 0.1 * rbm.hidden_mean(v).mean(0) - 0.2).detach()
    total = (rbm.hidden.bias + v @ rbm.coupling.weight).mean(0) @ slope
    wanted = torch.autograd.grad(total, (rbm.hidden.bias, rbm.coupling.weight))
    for name, each in zip(("hidden.bias", "coupling.weight"), wanted, strict=True):
        torch.testing.assert_close(gradients[1][name] - gradients[0][name], each)


@pytest.mark.filterwarnings("ignore::harmonium.Advice")
def test_a_sparsity_target_lowers_the_mean_of_rectified_units():
    data, means = DATA.repeat(5, 1), []
    for sparsity in (None, hm.Sparsity(0.1, cost=1.0)):
        rbm = hm.RBM(hm.Bernoulli(4), hm.NoisyReLU(3), seed=1)
        fit(rbm, data, epochs=400, batch_size=len(data), optimizer=partial(hm.MomentumSGD, lr=0.05, momentum=0.9), sparsity=sparsity)
        means.append(rbm.hidden_mean(data).mean(0))
    assert (means[1] - 0.1).abs().max() < 0.05
    assert means[0].min() > 0.2


@pytest.mark.parametrize(("hidden", "target"), [(hm.Bernoulli, 1.0), (hm.Bernoulli, 0.0), (hm.NoisyReLU, -0.1)])
def test_a_target_that_no_unit_can_have_is_refused(hidden, target):
    with pytest.raises(ValueError, match="a sparsity target is a"):
        fit(hm.RBM(hm.Bernoulli(4), hidden(3)), sparsity=hm.Sparsity(target))


def test_real_hidden_units_have_no_activity_to_make_sparse():
    with pytest.raises(ValueError, match="found Gaussian units"):
        fit(hm.RBM(hm.Bernoulli(4), hm.Groups(hm.Bernoulli(2), hm.Gaussian(1))), sparsity=hm.Sparsity(0.1))


@pytest.mark.parametrize("kind", [hm.Bernoulli, partial(hm.Gaussian, learn_variance=True)])
def test_weight_cost_shrinks_the_couplings_weights_alone(kind):
    """One step from the same state: weights differ by lr · cost · W, and nothing else does."""
    machines = [new(kind=kind) for _ in range(2)]
    before = machines[0].coupling.weight.detach().clone()
    for rbm, cost in zip(machines, (0.0, 0.5), strict=True):
        torch.nn.init.constant_(rbm.visible.bias, 0.3)
        fit(rbm, epochs=1, weight_cost=cost, standardise=False)
    without, with_cost = (rbm.state_dict() for rbm in machines)
    for name in without:
        expected = without[name] - 0.1 * 0.5 * before if name == "coupling.weight" else without[name]
        torch.testing.assert_close(with_cost[name], expected)


def test_weight_cost_is_for_the_weights_of_a_one_dimensional_bias_or_a_shaped_one():
    rbm = hm.RBM(hm.Bernoulli((2, 2)), hm.Bernoulli(3))
    state = fit(rbm, DATA.reshape(-1, 2, 2), epochs=1, weight_cost=0.1)
    decayed, free = state.optimizer.param_groups
    assert [id(p) for p in decayed["params"]] == [id(rbm.coupling.weight)]
    assert (decayed["weight_decay"], free["weight_decay"]) == (0.1, 0.0)


@pytest.mark.parametrize("kind", [hm.Bernoulli, hm.Gaussian])
def test_visible_biases_start_at_the_base_rates_unless_they_are_set(kind):
    data = torch.tensor([[0.0, 1, 1, 1], [0, 0, 1, 1]]).repeat(10, 1)
    rbm = new(kind=kind)
    fit(rbm, data, epochs=0)
    torch.testing.assert_close(rbm.visible.mean(torch.zeros(4)).detach(), data.mean(0), atol=0.05, rtol=0)
    chosen = new(kind=kind)
    torch.nn.init.constant_(chosen.visible.bias, 0.3)
    fit(chosen, data, epochs=0)
    assert (chosen.visible.bias == 0.3).all()


def test_float64_machines_stay_so():
    rbm = new().double()
    state = fit(rbm, DATA.double().numpy(), negative=hm.PersistentCD(chains=5), sparsity=hm.Sparsity(0.1))
    assert {p.dtype for p in rbm.parameters()} == {torch.float64} == {state.chains.dtype}


def test_divergence_stops_training_and_names_the_tensor():
    rbm = new(kind=partial(hm.Gaussian, learn_variance=False, variance=2500.0))
    with pytest.raises(FloatingPointError, match=r"(coupling\.weight|visible\.bias|hidden\.bias) is not finite at step \d+.*learning rate"):
        fit(rbm, DATA * 100, epochs=300, optimizer=partial(torch.optim.SGD, lr=1e3))


def test_the_state_can_be_trained_on():
    whole, halves = new(), new()
    fit(whole, epochs=6, negative=hm.PersistentCD(chains=5))
    state = fit(halves, epochs=2, negative=hm.PersistentCD(chains=5))
    state = fit(halves, epochs=6, negative=hm.PersistentCD(chains=5), state=state)
    assert state.epoch == state.step == 6
    assert [row["epoch"] for row in state.history] == [1, 2, 3, 4, 5, 6]
    for name, value in whole.state_dict().items():
        assert torch.equal(value, halves.state_dict()[name])


def test_a_state_trains_its_own_model_only():
    state = fit(new(), epochs=1)
    with pytest.raises(ValueError, match="another model"):
        fit(new(), epochs=2, state=state)


def test_validation_gives_the_free_energy_gap():
    rbm = new()
    state = fit(rbm, epochs=2, validation=1 - DATA[:4])
    gap = hm.likelihood.free_energy_gap(rbm, DATA[:4], 1 - DATA[:4])
    assert state.history[-1]["free_energy_gap"] == pytest.approx(gap, abs=1e-5)


def test_a_plain_function_is_a_callback():
    seen = []
    hm.fit(hm.RBM(6, 4), torch.eye(6), epochs=3, callbacks=[lambda state: seen.append(state.epoch)], progress=False)
    assert seen == [1, 2, 3]


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: hm.fit(hm.RBM(6, 4), torch.eye(6), callbacks=[3], progress=False), "found 3 in it"),
        (lambda: hm.fit(hm.RBM(6, 4), torch.eye(6), callbacks=[hm.Callback], progress=False), "in it"),
        (lambda: hm.fit(hm.RBM(6, 4), torch.eye(6), negative="cd", progress=False), r"hm\.ContrastiveDivergence\(\).* found 'cd'"),
        (lambda: hm.RBM("6", 4), "number of binary ones, found '6'"),
        (lambda: hm.RBM(6, True), "found True"),
        (lambda: hm.RBM(6.0, 4), r"found 6\.0"),
        (lambda: hm.greedy(torch.eye(6), [6, 4, "3"]), "number of binary ones, found '3'"),
        (lambda: hm.greedy(torch.eye(6), [6, 4, 3.0], replicas=2), r"found 3\.0"),
        (lambda: hm.greedy_dbm(torch.eye(6), [6, None, 3]), "found None"),
        (lambda: hm.DBM([6, [4], 3]), r"found \[4\]"),
        (lambda: hm.greedy(torch.eye(6), 6), r"such as \[784, 500, 500\], found 6"),
    ],
)
def test_what_is_no_layer_rule_or_callback_is_named(call, message):
    with pytest.raises(TypeError, match=message):
        call()


@pytest.mark.parametrize("cost", [-0.1, "a", float("nan"), float("inf")])
def test_what_is_no_weight_cost_is_refused(cost):
    with pytest.raises(ValueError, match="weight_cost is a number, zero or more, found"):
        hm.fit(hm.RBM(6, 4), torch.eye(6), weight_cost=cost, progress=False)


def test_any_integer_is_a_number_of_units():
    assert hm.RBM(np.int64(6), np.int32(4)).coupling.weight.shape == (6, 4)
    sizes, quick = [np.int64(6), 4, 3], {"epochs": 1, "progress": False}
    assert [len(unit.bias) for unit in hm.DBM(sizes).layers] == sizes
    assert [len(unit.bias) for unit in hm.greedy_dbm(torch.eye(6), sizes, **quick).layers] == sizes
    for stack in (hm.greedy(torch.eye(6), sizes, **quick), *hm.greedy(torch.eye(6), sizes, replicas=2, **quick)):
        assert [(len(rbm.visible.bias), len(rbm.hidden.bias)) for rbm in stack.rbms] == [(6, 4), (4, 3)]
