"""Spin units: closed forms, draws, and the Bernoulli machine that they are after a change of variables."""

import itertools

import numpy as np
import pytest
import torch

import harmonium as hm
from tests.models.machines import close
from tests.units import laws

T = np.array([-30.0, -5.0, -1.0, -0.2, 0.0, 0.3, 2.0, 17.0])


def unit(bias=0.25, size=T.size):
    found = hm.Spin(size).double()
    found.bias.data.fill_(bias)
    return found


def test_moments_against_enumeration():
    found, input = unit(), torch.tensor(T)[None]
    t = T + 0.25
    logs = np.stack([-t, t])
    log_z = np.logaddexp(*logs)
    p = np.exp(logs - log_z)
    close(found.log_partition(input), [log_z.sum()])
    close(found.mean(input)[0], p[1] - p[0])
    close(found.variance(input)[0], 1 - (p[1] - p[0]) ** 2)
    np.testing.assert_allclose(found.variance(input)[0].detach().numpy(), 4 * p[0] * p[1], rtol=1e-12)
    assert torch.equal(found.mode(input)[0], torch.tensor(np.where(t > 0, 1.0, -1.0)))
    close(found.mode(torch.full((1, T.size), -0.25)), np.full((1, T.size), -1.0))  # a tie
    states = torch.tensor(np.sign(np.arange(len(T)) % 2 - 0.5))
    close(found.energy(states), -0.25 * states.sum())


def test_gradients_and_gaps():
    draw = np.random.default_rng(0)
    found = hm.Spin(3).double()
    found.bias.data = torch.tensor(draw.normal(size=3))
    states, input = torch.tensor(draw.choice([-1.0, 1.0], (5, 3))), torch.tensor(draw.normal(size=(5, 3)))
    laws.gradients_equal_autograd(found, states, input)
    laws.absent_units_do_not_exist(found, states, input)
    zero = hm.Spin(1).double()
    total = zero.log_partition(torch.zeros(1, 1, dtype=torch.float64))
    (slope,) = torch.autograd.grad(total.sum(), zero.bias, create_graph=True)
    (curve,) = torch.autograd.grad(slope.sum(), zero.bias)
    close(torch.cat([slope, curve]), [0.0, 1.0], 1e-12)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("known", [False, True])
def test_draws(dtype, known):
    found = hm.Spin(3).to(dtype)
    found.bias.data = torch.tensor([-0.4, 0.0, 1.2], dtype=dtype)
    input = torch.tensor([0.3, 0.0, -0.1], dtype=dtype).expand(100_000, 3)
    drawn = found.sample(input, generator=laws.generator(1), mean=found.mean(input) if known else None)
    assert drawn.dtype == dtype
    found.check_states(drawn)
    for column, t in zip(drawn.T, (-0.1, 0.0, 1.1), strict=True):
        up = 1 / (1 + np.exp(-2 * t))
        laws.follows((column + 1) / 2, np.log([1 - up, up]))
    assert torch.equal(drawn, found.sample(input, generator=laws.generator(1)))
    assert abs(np.corrcoef(drawn.T.double()) - np.eye(3)).max() < 4 / np.sqrt(100_000)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_extremes(dtype):
    found, input = hm.Spin(4).to(dtype), torch.tensor([[-1e4, -100.0, 100.0, 1e4]], dtype=dtype)
    close(found.log_partition(input), [20200.0])
    assert torch.equal(found.mean(input), torch.tensor([[-1.0, -1.0, 1.0, 1.0]], dtype=dtype))
    assert torch.equal(found.sample(input, generator=laws.generator()), found.mode(input))
    assert found.variance(input).max() < 1e-30


def test_support():
    found = hm.Spin(2)
    for good in ([[-1.0, 1.0]], [[-1, 1]]):
        found.check(torch.tensor(good))
    for bad, message in (
        ([[0.0, 1.0]], r"-1 or \+1, found 0; 2 \* x - 1"),
        ([[True, True]], "found true or false"),
        (torch.ones(1, 2, dtype=torch.uint8) * 3, "found 3"),
        ([[float("nan"), 1.0]], "1 NaN"),
        ([[1.0]], r"\(\.\.\., 2\)"),
        ([[0.5, 1.0]], "means"),
    ):
        with pytest.raises(ValueError, match=message):
            found.check(torch.as_tensor(bad))
    means = found.as_visible_layer()
    means.check(torch.tensor([[0.5, -1.0]]))
    with pytest.raises(ValueError, match=r"means between -1 and 1, found values from 0.5 to 1.5"):
        means.check(torch.tensor([[0.5, 1.5]]))
    with pytest.raises(ValueError, match=r"-1 or \+1, found 0.5"):
        means.check_states(torch.tensor([[0.5, -1.0]]))
    with pytest.raises(ValueError, match="values must be"):
        hm.Spin(2, values="probabilities")
    grey = torch.tensor([[0, 255]], dtype=torch.uint8)
    means.check(grey)
    assert torch.equal(means.from_data(grey, torch.empty(0)), torch.tensor([[-1.0, 1.0]]))
    assert found.from_data(torch.tensor([[-1, 1]]), torch.empty(0)).dtype == torch.float32


def test_starting_biases_and_base_inputs():
    data = torch.tensor([[1.0, -1.0, 1.0], [1.0, -1.0, -1.0], [1.0, -1.0, 1.0]], dtype=torch.float64)
    found = hm.Spin(3).double()
    found.init_from(data)
    close(found.mean(found.zero_input()), [2 * 4 / 5 - 1, 2 * 1 / 5 - 1, 2 * 3 / 5 - 1], 1e-12)
    found.init_from(data, torch.tensor([0.0, 1.0, 1.0], dtype=torch.float64))
    close(found.mean(found.zero_input())[2], np.array(0.0), 1e-12)
    shared = hm.Spin((3, 2), bias_shape=(3, 1)).double()
    shared.init_from(data[:, :, None].expand(3, 3, 2))
    close((shared.mean(shared.zero_input()) + 1) / 2, np.array([[7 / 8] * 2, [1 / 8] * 2, [5 / 8] * 2]), 1e-12)
    mean = torch.tensor([0.3, -1.0, 1.0], dtype=torch.float64)
    close(found.mean(found.base_input(mean)), [0.3, -0.998, 0.998], 1e-12)


def test_bounds_and_lists():
    found = hm.Spin(3)
    listed = found.states(torch.arange(8))
    assert {tuple(row) for row in listed.tolist()} == set(itertools.product((-1.0, 1.0), repeat=3))
    assert found.count == 8
    weights = torch.randn(3, 6, generator=laws.generator())
    close(found.max_interaction(weights), (listed @ weights).amax(0))
    assert found.input_bound() is None
    assert found.quadratic() is None


@pytest.mark.parametrize("hidden", ["spin", "bernoulli"])
def test_a_spin_machine_is_a_bernoulli_machine_after_the_change_of_variables(hidden):
    """v = 2u - 1 (and h = 2g - 1): weights times two for each layer changed, biases moved; the energies differ by a constant."""
    draw = np.random.default_rng(3)
    w, b, c = draw.normal(size=(4, 3)), draw.normal(size=4), draw.normal(size=3)
    spins = hm.RBM(hm.Spin(4), hm.Spin(3) if hidden == "spin" else hm.Bernoulli(3)).double()
    binary = hm.RBM(hm.Bernoulli(4), hm.Bernoulli(3)).double()
    spins.coupling.weight.data, spins.visible.bias.data, spins.hidden.bias.data = map(torch.tensor, (w, b, c))
    if hidden == "spin":
        moved, constant = (4 * w, 2 * (b - w.sum(1)), 2 * (c - w.sum(0))), b.sum() + c.sum() - w.sum()
    else:
        moved, constant = (2 * w, 2 * b, c - w.sum(0)), b.sum()
    binary.coupling.weight.data, binary.visible.bias.data, binary.hidden.bias.data = map(torch.tensor, moved)
    u = binary.visible.states(torch.arange(16))
    close(spins.free_energy(2 * u - 1), binary.free_energy(u) + constant, 1e-12)
    close(np.array(hm.likelihood.exact_log_z(spins)), np.array(hm.likelihood.exact_log_z(binary) - constant), 1e-12)
    close(spins.hidden_mean(2 * u - 1), 2 * binary.hidden_mean(u) - 1 if hidden == "spin" else binary.hidden_mean(u), 1e-12)
    g = binary.hidden.states(torch.arange(8))
    close((spins.visible_mean(2 * g - 1 if hidden == "spin" else g) + 1) / 2, binary.visible_mean(g), 1e-12)
