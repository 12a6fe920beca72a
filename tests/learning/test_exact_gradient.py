"""The learning signal from exact particles: maximum likelihood itself, with no sampling noise."""

import math

import numpy as np
import pytest
import torch

import harmonium as hm
from harmonium.learning import Rule
from tests import oracle
from tests.learning.signal import contrastive_gradient
from tests.models.machines import close, machine, named, plain, samples


def bars_and_stripes():
    """The 2 x 2 patterns whose rows, or whose columns, are each all on or all off: eight, blank and full among them twice."""
    bits = torch.tensor([[0, 0], [0, 1], [1, 0], [1, 1]], dtype=torch.float64)
    rows, columns = bits[:, :, None].expand(-1, 2, 2), bits[:, None, :].expand(-1, 2, 2)
    return torch.cat([rows, columns]).reshape(8, 4)


def test_bars_and_stripes_are_learnt_to_the_entropy_of_the_data():
    data = bars_and_stripes()
    optimum = -(math.log(4) + math.log(8)) / 2
    rbm = hm.RBM(hm.Bernoulli(4), hm.Bernoulli(8)).double()
    rbm.coupling.weight.data.normal_(std=0.5, generator=torch.Generator().manual_seed(0))
    states = rbm.visible.states(torch.arange(16))
    optimizer = torch.optim.Adam(rbm.parameters(), lr=0.1)
    for _ in range(900):
        p = torch.softmax(-rbm.free_energy(states).detach(), dim=0)
        rbm.accumulate_gradient(rbm.infer(data), scale=1 / 8, fresh=True)
        rbm.accumulate_gradient(rbm.infer(states), weights=p, scale=-1.0)
        optimizer.step()
    reached = oracle.log_likelihood(plain(rbm), data.numpy()).mean()
    assert optimum - 0.01 < reached <= optimum + 1e-9


class Fixed(Rule):
    """Particles that are handed in, as exact as they are."""

    def __init__(self, particles, *, paired=False):
        self.rows, self.paired = particles, paired

    def particles(self, model, positive, slots, *, generator):
        return self.rows


def gradient(rbm, v, weights, negative):
    contrastive_gradient(rbm, v, weights, negative)
    return {name: parameter.grad.clone() for name, parameter in rbm.named_parameters()}


def free_energy_slope(rbm, rows, weights):
    """Of the weighted mean free energy, by the oracle's finite differences."""
    share = weights / weights.sum()
    return oracle.numerical_gradient(plain(rbm), lambda moved: float(share @ oracle.free_energy(moved, rows)))


@pytest.mark.parametrize("paired", [False, True])
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize(("visible", "hidden"), [("bernoulli", "bernoulli"), ("learnt_gaussian", "softmax")])
def test_the_signal_is_data_minus_model(visible, hidden, weighted, paired):
    """Each average is divided by its own weight, and paired particles bear that of their case."""
    rbm = machine(visible, hidden)
    v, particles = samples(rbm.visible, 5, 1), samples(rbm.visible, 5 if paired else 7, 2)
    weights = np.array([0.5, 2.0, 0.0, 1.0, 3.0]) if weighted else np.ones(5)
    found = gradient(rbm, torch.tensor(v), torch.tensor(weights) if weighted else None, Fixed(torch.tensor(particles), paired=paired))
    data = free_energy_slope(rbm, v, weights)
    model = free_energy_slope(rbm, particles, weights if paired else np.ones(len(particles)))
    for key, slope in data.items():
        if named(rbm, key) is not None:
            name = next(name for name, parameter in rbm.named_parameters() if parameter is named(rbm, key))
            close(found[name], slope - model[key])


@pytest.mark.parametrize("paired", [False, True])
def test_a_row_of_weight_two_is_the_row_twice(paired):
    rbm = machine("bernoulli", "bernoulli")
    v, particles = torch.tensor(samples(rbm.visible, 4, 1)), torch.tensor(samples(rbm.visible, 4, 2))
    twice = torch.tensor([0, 1, 1, 2, 3])
    weighted = gradient(rbm, v, torch.tensor([1.0, 2, 1, 1], dtype=torch.float64), Fixed(particles, paired=paired))
    repeated = gradient(rbm, v[twice], None, Fixed(particles[twice] if paired else particles, paired=paired))
    for name, value in weighted.items():
        close(value, repeated[name], 1e-12)


def test_rows_without_any_weight_teach_nothing():
    rbm = machine("bernoulli", "bernoulli")
    v = torch.tensor(samples(rbm.visible, 4, 1))
    found = gradient(rbm, v, torch.zeros(4, dtype=torch.float64), Fixed(v))
    assert not any(value.any() for value in found.values())


def test_persistent_chains_learn_alike_from_a_weight_and_from_a_repeated_row():
    """The chains do not know the data, so that one full-batch update with the same chains is the same to rounding."""
    v = torch.tensor(samples(machine("bernoulli", "bernoulli").visible, 4, 1))
    results = []
    for rows, weights in ((v, [1.0, 2.0, 1.0, 1.0]), (v[[0, 1, 1, 2, 3]], None)):
        rbm = machine("bernoulli", "bernoulli")
        settings = {"negative": hm.PersistentCD(chains=6), "epochs": 3, "batch_size": 10, "sample_weight": weights, "seed": 3}
        hm.fit(rbm, rows, progress=False, **settings)
        results.append(rbm.state_dict())
    for name, value in results[0].items():
        close(value, results[1][name], 1e-9)
