"""Binomial units against SciPy, against their copies, and against Bernoulli units."""

import itertools
import math

import numpy as np
import pytest
import torch
from scipy import stats

import harmonium as hm
from tests.models.machines import close
from tests.units import laws

T = np.array([-25.0, -5.0, -1.0, -0.2, 0.0, 0.3, 2.0, 17.0])


def unit(copies, bias=0.25, size=T.size):
    found = hm.Binomial(size, copies=copies).double()
    found.bias.data.fill_(bias)
    return found


@pytest.mark.parametrize("copies", [1, 2, 7, 10, 1000])
def test_moments_against_enumeration(copies):
    found, input = unit(copies), torch.tensor(T)[None]
    k = np.arange(copies + 1)
    base = np.array([math.log(math.comb(copies, int(i))) for i in k])
    logs = (T + 0.25)[:, None] * k + base
    log_z = np.logaddexp.reduce(logs, axis=1)
    p = np.exp(logs - log_z[:, None])
    close(found.log_partition(input), [log_z.sum()])
    close(found.mean(input)[0], p @ k)
    close(found.variance(input)[0], stats.binom(copies, 1 / (1 + np.exp(-T - 0.25))).var())
    assert (logs[np.arange(len(T)), found.mode(input)[0].long().numpy()] >= logs.max(1) - 1e-9).all()
    single = hm.Binomial(1, copies=copies)
    single.bias.data.fill_(0.25)
    for dtype in (torch.float32, torch.float64):
        close(single.to(dtype).energy(torch.tensor(k, dtype=dtype)[:, None]), -0.25 * k - base)


@pytest.mark.parametrize("copies", [1, 4])
def test_gradients_and_gaps(copies):
    draw = np.random.default_rng(0)
    found = hm.Binomial(3, copies=copies).double()
    found.bias.data = torch.tensor(draw.normal(size=3))
    states, input = torch.tensor(draw.integers(0, copies + 1, (5, 3)).astype(float)), torch.tensor(draw.normal(size=(5, 3)))
    laws.gradients_equal_autograd(found, states, input)
    laws.absent_units_do_not_exist(found, states, input)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("copies", [1, 3, 10, 50, 51, 400])
def test_draws(copies, dtype):
    totals = [-6.0, -1.0, 0.0, 0.4, 3.0]
    found = hm.Binomial(len(totals), copies=copies).to(dtype)
    drawn = found.sample(torch.tensor(totals, dtype=dtype).expand(60_000, -1), generator=laws.generator(copies))
    assert drawn.dtype == dtype
    found.check_states(drawn)
    for column, t in zip(drawn.T, totals, strict=True):
        law = stats.binom(copies, 1 / (1 + np.exp(-t)))
        log_p = law.logpmf(np.arange(copies + 1))
        laws.follows(column, log_p)
        laws.moments_agree(column, *laws.from_table(log_p))
    assert abs(np.corrcoef(drawn.T.double()) - np.eye(len(totals))).max() < 4.5 / np.sqrt(60_000)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("copies", [1, 2, 10, 50])
def test_draws_invert_the_cumulative_distribution(copies, dtype, monkeypatch):
    for t in (-6.0, -0.5, 0.0, 0.25, 3.0):
        log_p = stats.binom(copies, 1 / (1 + np.exp(-t))).logpmf(np.arange(copies + 1))
        laws.inverts(hm.Binomial(1, copies=copies).to(dtype), t, log_p, monkeypatch, downwards=t > 0)


def test_draws_depend_on_the_generator_alone_and_have_the_shape_of_the_input():
    for copies in (10, 60):
        found = hm.Binomial((3, 2), copies=copies, bias_shape=(3, 1))
        input = torch.randn(4, 5, 3, 2, generator=laws.generator())
        draws = [
            found.sample(input, generator=laws.generator(seed), mean=mean) for seed, mean in ((1, None), (1, found.mean(input)), (2, None))
        ]
        assert draws[0].shape == input.shape
        assert torch.equal(draws[0], draws[1])
        assert not torch.equal(draws[0], draws[2])


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("copies", [10, 100])
def test_extremes(copies, dtype):
    found, input = hm.Binomial(4, copies=copies).to(dtype), torch.tensor([[-1e4, -100.0, 100.0, 1e4]], dtype=dtype)
    close(found.log_partition(input), [copies * 10100.0])
    expected = torch.tensor([[0.0, 0.0, copies, copies]], dtype=dtype)
    assert torch.allclose(found.mean(input), expected)
    assert torch.equal(found.mode(input), expected)
    assert torch.equal(found.sample(input, generator=laws.generator()), expected)
    assert found.variance(input).max() < 1e-30


def test_support():
    found = hm.Binomial(2, copies=3)
    for good in ([[0.0, 3.0]], [[0, 3]], [[True, False]], torch.tensor([[3, 1]], dtype=torch.uint8)):
        found.check(torch.as_tensor(good))
    for bad, message in (
        ([[0.0, 4.0]], "Binomial units expect whole numbers, from 0 to 3, found values from 0 to 4"),
        ([[-1, 2]], "found values from -1 to 2"),
        (torch.tensor([[3, 255]], dtype=torch.uint8), "found values from 3 to 255"),
        ([[0.5, 1.0]], 'found 0.5; Binomial.*values="means"'),
        ([[float("inf"), 1.0]], "1 NaN or infinite"),
        ([[1.0]], r"\(\.\.\., 2\)"),
        (torch.zeros(0, 2), "at least one case"),
    ):
        with pytest.raises(ValueError, match=message):
            found.check(torch.as_tensor(bad))
    means = found.as_visible_layer()
    assert (means.copies, means.values) == (3, "means")
    means.check(torch.tensor([[0.5, 3.0]]))
    with pytest.raises(ValueError, match=r"means, from 0 to 3, found values from 0.5 to 3.5"):
        means.check(torch.tensor([[0.5, 3.5]]))
    with pytest.raises(ValueError, match=r"whole numbers.*found 0.5"):
        means.check_states(torch.tensor([[0.5, 3.0]]))
    assert torch.equal(found.from_data(torch.tensor([[3, 1]], dtype=torch.uint8), torch.empty(0)), torch.tensor([[3.0, 1.0]]))
    for wrong in ({"copies": 0}, {"copies": 2.5}, {"copies": None}, {"copies": 2, "values": "binary"}):
        with pytest.raises((ValueError, TypeError), match=r"copies|values must be"):
            hm.Binomial(2, **wrong)


def test_starting_biases_and_base_inputs():
    data = torch.tensor([[3.0, 0.0, 1.0], [3.0, 0.0, 2.0]], dtype=torch.float64)
    found = hm.Binomial(3, copies=3).double()
    found.init_from(data)
    close(found.mean(found.zero_input()), np.array([3 * 7 / 8, 3 / 8, 3 * 4 / 8]), 1e-12)
    found.init_from(data, torch.tensor([1.0, 3.0], dtype=torch.float64))
    close(found.mean(found.zero_input())[2], np.array(3 * 8 / 14), 1e-12)
    mean = torch.tensor([1.7, 0.0, 3.0], dtype=torch.float64)
    close(found.mean(found.base_input(mean)), [1.7, 1e-3, 3 - 1e-3], 1e-12)
    many = hm.Binomial(1, copies=10**9)
    assert torch.isfinite(many.base_input(torch.tensor([1e9]))).all()
    many.init_from(torch.tensor([[1e9]]))
    assert torch.isfinite(many.bias).all()


def test_bounds_and_lists():
    found = hm.Binomial(3, copies=2)
    listed = found.states(torch.arange(27))
    assert {tuple(row) for row in listed.tolist()} == set(itertools.product((0.0, 1.0, 2.0), repeat=3))
    assert found.count == 27
    weights = torch.randn(3, 6, generator=laws.generator())
    close(found.max_interaction(weights), (listed @ weights).amax(0))
    assert found.input_bound() is None
    assert found.quadratic() is None


def test_one_copy_is_a_bernoulli_unit():
    one, binary = unit(1), hm.Bernoulli(len(T)).double()
    binary.load_state_dict(one.state_dict())
    input = torch.tensor(np.r_[T, np.linspace(-3, 3, 8)]).reshape(2, -1)
    states = binary.sample(input, generator=laws.generator())
    close(one.energy(states), binary.energy(states), 1e-12)
    for name in ("log_partition", "mean", "variance", "mode"):
        close(getattr(one, name)(input), getattr(binary, name)(input), 1e-12)
    zero = torch.full((1, len(T)), -0.25, dtype=torch.float64)
    assert torch.equal(one.mode(zero), binary.mode(zero))
    draw = np.random.default_rng(1)
    machines = [hm.RBM(kind, hm.Bernoulli(3)).double() for kind in (hm.Binomial(4, copies=1), hm.Bernoulli(4))]
    for machine in machines:
        machine.coupling.weight.data = torch.tensor(np.random.default_rng(5).normal(size=(4, 3)))
    v = torch.tensor(draw.integers(0, 2, (6, 4)).astype(float))
    close(machines[0].free_energy(v), machines[1].free_energy(v), 1e-12)
    close(machines[0].hidden_free_energy(v[:, :3]), machines[1].hidden_free_energy(v[:, :3]), 1e-12)


def test_n_copies_are_n_bernoulli_units_with_the_same_weights_and_biases():
    """Hidden units: the free energy of the visible layer is that of the machine in which each is spelt out as three."""
    draw = np.random.default_rng(2)
    w, b, c = draw.normal(size=(4, 2)), draw.normal(size=4), draw.normal(size=2)
    rated, spelt = hm.RBM(hm.Bernoulli(4), hm.Binomial(2, copies=3)).double(), hm.RBM(hm.Bernoulli(4), hm.Bernoulli(6)).double()
    for machine, repeats in ((rated, 1), (spelt, 3)):
        machine.visible.bias.data = torch.tensor(b)
        machine.hidden.bias.data, machine.coupling.weight.data = torch.tensor(np.tile(c, repeats)), torch.tensor(np.tile(w, (1, repeats)))
    v = spelt.visible.states(torch.arange(16))
    close(rated.free_energy(v), spelt.free_energy(v), 1e-12)
    close(rated.hidden_mean(v), spelt.hidden_mean(v).reshape(-1, 3, 2).sum(1), 1e-12)
    close(np.array(hm.likelihood.exact_log_z(rated)), np.array(hm.likelihood.exact_log_z(spelt)), 1e-12)
    # as a distribution: the copies' states, listed, add up to the count's probability
    h = spelt.hidden.states(torch.arange(64))
    joint = torch.exp(-spelt.hidden_free_energy(h)).detach().numpy()
    counts = h.reshape(-1, 3, 2).sum(1)
    for pair in itertools.product(range(4), repeat=2):
        state = torch.tensor([pair], dtype=torch.float64)
        close(torch.exp(-rated.hidden_free_energy(state)), [joint[(counts == state).all(1).numpy()].sum()], 1e-12)
