"""The zero-sum gauge: other parameters, the same distribution."""

import numpy as np
import pytest
import torch

import harmonium as hm
from harmonium.units import Given
from tests import oracle
from tests.models.machines import close, machine, plain, randomise

PAIRS = [
    ("softmax", "bernoulli"),
    ("bernoulli", "softmax"),
    ("softmax", "softmax"),
    ("softmax", "learnt_gaussian"),
    ("gaussian", "softmax"),
    ("bernoulli_softmax", "gaussian_bernoulli"),
    ("bernoulli_softmax", "softmax"),
    ("softmax", "truncated"),
    ("spin", "softmax"),
    ("pooled", "softmax"),
    ("binomial", "bernoulli_softmax"),
]


def groups(unit, start=0):
    """Where the categories of each Softmax group stand, and its layer: [(slice, biases)]."""
    found = []
    for part in unit.layers() if isinstance(unit, hm.Groups) else [unit]:
        size = int(np.prod(part.statistic_shape))
        if isinstance(part, hm.Softmax):
            found += [
                (slice(start + g * part.categories, start + (g + 1) * part.categories), part.grouped(part.bias)[g])
                for g in range(part.groups)
            ]
        start += size
    return found


def assert_zero_sums(rbm):
    weight = rbm.coupling.weight
    for categories, biases in groups(rbm.visible):
        assert weight[categories].sum(0).abs().max() < 1e-12
        assert biases.sum().abs() < 1e-12
    for categories, biases in groups(rbm.hidden):
        assert weight[:, categories].sum(1).abs().max() < 1e-12
        assert biases.sum().abs() < 1e-12


@pytest.mark.parametrize(("visible", "hidden"), PAIRS)
def test_the_distribution_is_the_same(visible, hidden):
    rbm = machine(visible, hidden, seed=5)
    before = {name: tensor.clone() for name, tensor in rbm.state_dict().items()}
    found = hm.zero_sum_gauge(rbm)
    assert_zero_sums(found)
    assert all(torch.equal(tensor, before[name]) for name, tensor in rbm.state_dict().items())
    assert not torch.equal(found.coupling.weight, rbm.coupling.weight)
    old, new = plain(rbm), plain(found)
    v, h, p = oracle.joint_distribution(old)
    if "learnt_gaussian" in hidden or "gaussian" in visible or "truncated" in hidden or "gaussian" in hidden:  # nodes move with the biases
        energies = [oracle.energies(each, v[:40], h[:40]) for each in (old, new)]
        shift = energies[0] - energies[1]
        close(shift - shift[0, 0], np.zeros_like(shift), 1e-10)
    else:
        close(oracle.joint_distribution(new)[2], p, 1e-10)


def test_it_is_where_it_was_once_there():
    once = hm.zero_sum_gauge(machine("softmax", "softmax"))
    twice = hm.zero_sum_gauge(once)
    for name, tensor in once.state_dict().items():
        close(tensor, twice.state_dict()[name].numpy(), 1e-14)


def test_any_gauge_leads_to_the_same():
    """Constants added to the weights and biases of a group, and taken from the other layer's biases, vanish."""
    rbm = machine("softmax", "bernoulli")
    moved = machine("softmax", "bernoulli")
    with torch.no_grad():
        constant = torch.tensor([0.5, -2.0, 1.0], dtype=torch.float64)
        moved.coupling.weight[:3] += constant
        moved.hidden.bias -= constant
        moved.visible.bias[3:] += 7
    for name, tensor in hm.zero_sum_gauge(rbm).state_dict().items():
        close(tensor, hm.zero_sum_gauge(moved).state_dict()[name].numpy(), 1e-12)


def test_documents_take_up_the_rest_a_word():
    rbm = hm.RBM(hm.ReplicatedSoftmax(4), hm.Softmax(2, categories=3)).double()
    rbm.coupling.weight.data = torch.tensor(np.random.default_rng(0).normal(size=(5, 6)))
    randomise(rbm.visible, np.random.default_rng(1))
    found = hm.zero_sum_gauge(rbm)
    assert_zero_sums(found)
    counts = torch.tensor([[1, 0, 2, 0], [0, 0, 0, 3], [1, 1, 1, 0]], dtype=torch.float64)
    logs = []
    for each in (rbm, found):
        log_z = hm.likelihood.exact_log_z(each, given=Given(length=torch.tensor(3)))
        logs.append(hm.likelihood.log_likelihood(each, counts, log_z=log_z).numpy())
    close(logs[0], logs[1], 1e-10)
    lengths = torch.tensor([[1, 0, 0, 0], [2, 5, 0, 1]], dtype=torch.float64)
    close(found.free_energy(lengths), rbm.free_energy(lengths).detach().numpy(), 1e-10)


def test_machines_without_categories_come_back_as_they_are():
    rbm = machine("bernoulli", "gaussian")
    found = hm.zero_sum_gauge(rbm)
    assert found is not rbm
    assert all(torch.equal(tensor, rbm.state_dict()[name]) for name, tensor in found.state_dict().items())


def test_what_has_no_such_gauge_is_refused():
    with pytest.raises(TypeError, match="LowRank"):
        hm.zero_sum_gauge(hm.RBM(hm.Softmax(1, categories=3), hm.Bernoulli(4), hm.LowRank(3, 4, rank=2)))
    with pytest.raises(TypeError, match="Exponential units have no bias"):
        hm.zero_sum_gauge(hm.RBM(hm.Softmax(1, categories=3), hm.Exponential(4)))
    with pytest.raises(ValueError, match=r"shared bias of shape \(1,\)"):
        hm.zero_sum_gauge(hm.RBM(hm.Softmax(1, categories=3), hm.Bernoulli(4, bias_shape=(1,))))
    with pytest.raises(ValueError, match="length scales"):
        hm.zero_sum_gauge(hm.RBM(hm.Groups(hm.ReplicatedSoftmax(3), hm.Softmax(1, categories=2)), hm.Bernoulli(4)))
