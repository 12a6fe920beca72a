"""Stepped sigmoid units against their copies one by one, against listed counts, and against the slide's curves."""

import itertools
import math

import numpy as np
import pytest
import torch
from scipy import special

import harmonium as hm
from tests.models.machines import close
from tests.units import laws

T = np.array([-25.0, -5.0, -1.0, -0.2, 0.0, 0.3, 0.5, 1.7, 2.0, 3.0, 8.3, 17.0, 60.2])
ENDS = [1, 2, 3, 6, 17, 40, None]


def unit(copies, bias=0.0, size=T.size):
    found = hm.SteppedSigmoid(size, copies=copies).double()
    found.bias.data.fill_(bias)
    return found


def sums(t, copies):
    """Log-partition, mean and variance of t (any shape) by adding up the copies, a thousand of them beyond t for the endless unit."""
    n = np.arange(1, (copies or int(max(t.max(), 0)) + 1000) + 1)
    each = t[..., None] - n + 0.5
    on = special.expit(each)
    return np.logaddexp(0, each).sum(-1), on.sum(-1), (on * special.expit(-each)).sum(-1)


def log_weights(t, copies, counts=140):
    """log p(k) for k = 0 to `copies` (or below `counts`): the generating polynomial of the copies' odds, factor by factor, in logs."""
    size = counts if copies is None else copies + 1
    log_w = np.full(size, -np.inf)
    log_w[0] = 0.0
    for n in range(1, (copies or counts + 60) + 1):
        shifted = np.concatenate([[-np.inf], log_w[:-1]])
        log_w = np.logaddexp(log_w, shifted + 0.5 - n)
    log_w = log_w + t * np.arange(size)
    return log_w - np.logaddexp.reduce(log_w)


@pytest.mark.parametrize("copies", ENDS)
def test_log_partition_mean_and_variance_are_those_of_the_copies(copies):
    input = torch.tensor(T)[None]
    log_z, mean, variance = sums(T - 0.75, copies)
    found = unit(copies, -0.75)
    close(found.log_partition(input), [log_z.sum()], 1e-13)
    close(found.mean(input)[0], mean, 1e-13)
    np.testing.assert_allclose(found.mean(input)[0].detach().numpy(), mean, rtol=1e-12)
    np.testing.assert_allclose(found.variance(input)[0].detach().numpy(), variance, rtol=2e-11)
    single = hm.SteppedSigmoid(1, copies=copies)
    close(single.log_partition(input.float().T), sums(T, copies)[0], 2e-6)
    close(single.mean(input.float()[0][:, None])[:, 0], sums(T, copies)[1], 2e-6)
    close(single.variance(input.float()[0][:, None])[:, 0], sums(T, copies)[2], 2e-6)


@pytest.mark.parametrize("copies", [1, 2, 4, 6])
def test_few_copies_by_listing_which_are_on(copies):
    """Energy of each count and p(k | x) from all 2^N on-off patterns."""
    found, b = hm.SteppedSigmoid(1, copies=copies).double(), 0.4
    found.bias.data.fill_(b)
    patterns = np.array(list(itertools.product((0, 1), repeat=copies)))
    biases = b - np.arange(copies) - 0.5
    counts = patterns.sum(1)
    weight = np.array([np.exp(patterns @ biases)[counts == k].sum() for k in range(copies + 1)])
    k = torch.arange(copies + 1, dtype=torch.float64)[:, None]
    close(found.energy(k), -np.log(weight), 1e-12)
    for t in (-3.0, 0.0, 1.3, 9.0):
        p = np.exp(patterns @ (biases + t))
        input = torch.tensor([[t]], dtype=torch.float64)
        close(found.log_partition(input), [np.log(p.sum())], 1e-12)
        p /= p.sum()
        close(found.mean(input), [[p @ counts]], 1e-12)
        close(found.variance(input), [[p @ counts**2 - (p @ counts) ** 2]], 1e-12)
        close(torch.exp(k[:, 0] * t - found.energy(k) - found.log_partition(input)), [p[counts == int(j)].sum() for j in k], 1e-12)


@pytest.mark.parametrize("copies", [3, 17, 60, None])
def test_the_energy_of_each_count(copies):
    """-b k + k²/2 - log [N choose k]_q by the products that define it, in both precisions."""
    k = np.arange((copies or 100) + 1)
    log_factor = np.concatenate([[0.0], np.cumsum(np.log1p(-np.exp(-np.arange(1.0, 200))))])
    binomial = -log_factor[k] if copies is None else log_factor[copies] - log_factor[k] - log_factor[copies - k]
    found = hm.SteppedSigmoid(1, copies=copies)
    found.bias.data.fill_(0.25)
    for dtype, tolerance in ((torch.float64, 1e-14), (torch.float32, 5e-7)):
        close(found.to(dtype).energy(torch.tensor(k, dtype=dtype)[:, None]), k * k / 2 - 0.25 * k - binomial, tolerance)


@pytest.mark.parametrize("copies", ENDS)
def test_energy_and_log_partition_fit_together(copies):
    found = unit(copies, 0.3)
    for t in T:
        k = torch.arange((copies or 130) + 1, dtype=torch.float64)
        one = hm.SteppedSigmoid(1, copies=copies).double()
        one.bias.data.fill_(0.3)
        log_p = k * t - one.energy(k[:, None]) - one.log_partition(torch.full((1, 1), t, dtype=torch.float64))
        close(torch.exp(log_p), np.exp(log_weights(t + 0.3, copies, 131)), 1e-10)
        mode = found.mode(torch.full((1, T.size), t, dtype=torch.float64))[0, 0]
        assert log_p[int(mode)] >= log_p.max() - 1e-9


@pytest.mark.parametrize("copies", [1, 2, 3, 8, 21, None])
def test_the_mode_changes_exactly_where_two_counts_are_equal(copies):
    found = hm.SteppedSigmoid(1, copies=copies).double()
    for k in range(min(copies or 9, 9)):
        log_w = log_weights(0.0, copies)
        equal = log_w[k] - log_w[k + 1]
        sides = torch.tensor([[equal - 1e-9], [equal + 1e-9]])
        close(found.mode(sides.double())[:, 0], [k, k + 1])


@pytest.mark.parametrize("copies", [1, 4, None])
def test_gradients_and_gaps(copies):
    draw = np.random.default_rng(0)
    found = hm.SteppedSigmoid(3, copies=copies).double()
    found.bias.data = torch.tensor(draw.normal(size=3) + 1)
    states, input = torch.tensor(draw.integers(0, (copies or 4) + 1, (5, 3)).astype(float)), torch.tensor(2 * draw.normal(size=(5, 3)))
    input[1] = -found.bias.data  # t = 0, where the two formulae meet
    input[2] = (copies or 4) / 2 - found.bias.data
    laws.gradients_equal_autograd(found, states, input)
    laws.absent_units_do_not_exist(found, states, input)


@pytest.mark.parametrize("copies", [1, 5, None])
def test_autograd_of_log_partition_and_mean_give_mean_and_variance(copies):
    t = torch.tensor([-9.0, -0.5, 0.0, 0.5, 1.0, 2.5, 7.0], dtype=torch.float64, requires_grad=True)
    found = hm.SteppedSigmoid(7, copies=copies).double()
    (mean,) = torch.autograd.grad(found.log_partition(t), t, create_graph=True)
    close(mean, found.mean(t), 1e-13)
    for of in (mean, found.mean(t)):
        (variance,) = torch.autograd.grad(of.sum(), t, retain_graph=True)
        close(variance, found.variance(t), 1e-12)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("copies", [1, 2, 7, 11, 12, 30, 59, 97, None])
def test_draws(copies, dtype):
    totals = [-8.0, -1.0, 0.0, 0.4, 3.3, 6.0, 15.6, 48.1]
    found = hm.SteppedSigmoid(len(totals), copies=copies).to(dtype)
    drawn = found.sample(torch.tensor(totals, dtype=dtype).expand(60_000, -1), generator=laws.generator(1))
    assert drawn.dtype == dtype
    found.check_states(drawn)
    for column, t in zip(drawn.T, totals, strict=True):
        log_p = log_weights(t, copies)
        laws.follows(column, log_p)
        laws.moments_agree(column, *laws.from_table(log_p))
    close(found.mode(torch.tensor([totals], dtype=dtype))[0], [np.argmax(log_weights(t, copies)) for t in totals])
    together = drawn[:, drawn.double().std(0) > 0]
    assert abs(np.corrcoef(together.T.double()) - np.eye(together.shape[1])).max(initial=0) < 4.5 / np.sqrt(60_000)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("copies", [1, 2, 7, 11, 12, 17, 18, 30, 59, 97, None])
def test_draws_invert_the_cumulative_distribution(copies, dtype, monkeypatch):
    for t in (-8.0, 0.0, 0.375, 3.25, 6.0, 7.875, 15.625, 29.5, 48.125):
        mirrored = copies is not None and t > copies / 2
        laws.inverts(hm.SteppedSigmoid(1, copies=copies).to(dtype), t, log_weights(t, copies), monkeypatch, downwards=mirrored)


def test_rare_counts_have_their_probability():
    """p(k = 0 | t = 4.2) is about 3e-5, near the edge of the window of counts."""
    p, n = math.exp(log_weights(4.2, None)[0]), 4_000_000
    assert 1e-5 < p < 1e-4
    for copies in (None, 80):
        drawn = hm.SteppedSigmoid(1000, copies=copies).sample(torch.full((n // 1000, 1000), 4.2), generator=laws.generator(5))
        assert abs((drawn == 0).sum().item() - n * p) < 4 * math.sqrt(n * p)


def test_draws_depend_on_the_generator_alone_and_have_the_shape_of_the_input():
    for copies in (5, None):
        found = hm.SteppedSigmoid((30, 20), copies=copies, bias_shape=(30, 1))
        input = 3 * torch.randn(12, 5, 30, 20, generator=laws.generator())
        draws = [found.sample(input, generator=laws.generator(seed)) for seed in (1, 1, 2)]
        assert draws[0].shape == input.shape
        assert torch.equal(draws[0], draws[1])
        assert not torch.equal(draws[0], draws[2])
        assert ((draws[0] - found.mean(input)).abs() < 8).all()  # blocks of a long list are put back where they were
        close(found.mean(input)[-1], sums(input[-1].double().numpy(), copies or 60)[1], 5e-6)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("copies", [1, 10, 1000, 100_000, None])
def test_extremes(copies, dtype):
    t = np.array([-1e4, -100.0, 33.25, 100.0, 9999.5, 1e4])
    n = np.inf if copies is None else copies
    found, input = hm.SteppedSigmoid(1, copies=copies).to(dtype), torch.tensor(t, dtype=dtype)[:, None]
    results = [found.log_partition(input), found.mean(input)[:, 0], found.variance(input)[:, 0]]
    for result, expected in zip(results, sums(t, copies), strict=True):
        assert result.dtype == dtype
        close(result, expected, 1e-5)
    draws = found.sample(input.expand(6, 500), generator=laws.generator()) if copies is None else None
    draws = torch.stack([found.sample(input, generator=laws.generator(seed))[:, 0] for seed in range(20)]) if draws is None else draws.T
    for column, x in zip(draws.T.double().numpy(), t, strict=True):
        centre = min(max(x, 0), n)
        assert (abs(column - centre) < 7).all()
        if centre in (0, n) and abs(x - centre) > 60:
            assert (column == centre).all()
    for result in (found.mode(input), found.energy(found.mode(input))):
        assert torch.isfinite(result).all()


def test_one_copy_is_a_bernoulli_unit_whose_bias_is_half_less():
    one, binary = unit(1, 0.25), hm.Bernoulli(T.size).double()
    binary.bias.data.fill_(-0.25)
    input = torch.tensor(np.r_[T, np.linspace(-3, 3, T.size)]).reshape(2, -1)
    states = binary.sample(input, generator=laws.generator())
    close(one.energy(states), binary.energy(states), 1e-12)
    for name in ("log_partition", "mean", "variance", "mode"):
        close(getattr(one, name)(input), getattr(binary, name)(input), 1e-12)


def test_many_copies_are_the_endless_unit():
    """As long as t stays below their number: exp(t - N) is what they differ by."""
    many, endless = unit(90), unit(None)
    input = torch.tensor(T[:-1])[None].repeat(1, 2)[:, : T.size]
    for name in ("log_partition", "mean", "variance", "mode"):
        close(getattr(many, name)(input), getattr(endless, name)(input), 1e-12)
    k = torch.arange(T.size, dtype=torch.float64) * 4
    close(many.energy_terms(k), endless.energy_terms(k), 1e-12)
    assert torch.equal(many.sample(input, generator=laws.generator()), endless.sample(input, generator=laws.generator()))
    assert abs(unit(4).mean(input) - endless.mean(input)).max() > 1


def test_copies_spelt_out_have_the_same_free_energy():
    """A hidden layer of stepped units is one of binary units with shared weights and biases c - ½, c - 1½, c - 2½."""
    draw = np.random.default_rng(2)
    w, b, c = draw.normal(size=(4, 2)), draw.normal(size=4), draw.normal(size=2)
    stepped, spelt = hm.RBM(hm.Bernoulli(4), hm.SteppedSigmoid(2, copies=3)).double(), hm.RBM(hm.Bernoulli(4), hm.Bernoulli(6)).double()
    stepped.hidden.bias.data, stepped.coupling.weight.data = torch.tensor(c), torch.tensor(w)
    spelt.hidden.bias.data = torch.tensor(np.concatenate([c - n - 0.5 for n in range(3)]))
    spelt.coupling.weight.data = torch.tensor(np.tile(w, (1, 3)))
    for machine in (stepped, spelt):
        machine.visible.bias.data = torch.tensor(b)
    v = spelt.visible.states(torch.arange(16))
    close(stepped.free_energy(v), spelt.free_energy(v), 1e-12)
    close(stepped.hidden_mean(v), spelt.hidden_mean(v).reshape(-1, 3, 2).sum(1), 1e-12)
    close(np.array(hm.likelihood.exact_log_z(stepped)), np.array(hm.likelihood.exact_log_z(spelt)), 1e-12)


def test_the_slides_curves():
    """Σ σ(x - n + ½) against log(1 + e^x) over [-10, 10]: a gap below 0.011, largest at 0; its variance against σ(x): below 0.005."""
    x = np.linspace(-10, 10, 4001)
    found = hm.SteppedSigmoid(x.size).double()
    gap = found.mean(torch.tensor(x)).detach().numpy() - np.logaddexp(0, x)
    spread = found.variance(torch.tensor(x)).detach().numpy() - special.expit(x)
    assert 0.0100 < abs(gap).max() < 0.011
    assert abs(x[abs(gap).argmax()]) < 0.01
    assert 0.0040 < abs(spread).max() < 0.005


def test_support():
    found, endless = hm.SteppedSigmoid(2, copies=3), hm.SteppedSigmoid(2)
    for good in ([[0.0, 3.0]], [[0, 3]], [[True, False]], torch.tensor([[3, 1]], dtype=torch.uint8)):
        found.check(torch.as_tensor(good))
        endless.check(100 * torch.as_tensor(good).long())
    for kind, bad, message in (
        (found, [[0.0, 4.0]], "SteppedSigmoid units expect whole numbers, from 0 to 3, found values from 0 to 4"),
        (endless, [[-1, 2]], "whole numbers, 0 or more, found values from -1 to 2"),
        (endless, [[0.5, 1.0]], 'found 0.5; SteppedSigmoid.*values="means"'),
        (endless, [[float("nan"), 1.0]], "1 NaN or infinite"),
        (found, [[1.0]], r"\(\.\.\., 2\)"),
    ):
        with pytest.raises(ValueError, match=message):
            kind.check(torch.as_tensor(bad))
    for kind, high in ((found, 3.0), (endless, 1e5)):
        means = kind.as_visible_layer()
        assert (means.copies, means.values) == (kind.copies, "means")
        means.check(torch.tensor([[0.5, high]]))
        with pytest.raises(ValueError, match=r"whole numbers.*found 0.5"):
            means.check_states(torch.tensor([[0.5, high]]))
    with pytest.raises(ValueError, match="one or more copies, a whole number, found 0"):
        hm.SteppedSigmoid(2, copies=0)


@pytest.mark.parametrize("copies", [1, 2, 3, 30, 10**6, None])
def test_starting_biases_and_base_inputs(copies):
    n = copies or 10**6
    found = hm.SteppedSigmoid(6, copies=copies, bias_shape=(6,)).double()
    found.bias.data.fill_(0.7)
    mean = np.array([0.02, 0.3, 0.5, 0.97, 0.5 * n, n - 0.02]) if copies else np.array([0.02, 0.3, 1.0, 7.0, 80.0, 1e5])
    close(found.mean(found.base_input(torch.tensor(mean))), mean, 1e-10)
    for certain, near in ((0.0, 1e-3), (float(n), n - 1e-3 if copies else n)):
        base = found.base_input(torch.full((6,), certain, dtype=torch.float64))
        close(found.mean(base), np.full(6, near), 1e-9)
    data = torch.tensor(np.random.default_rng(0).integers(0, min(n, 50) + 1, (20, 6)).astype(float))
    data[:, 0], data[:, 1] = 0, n
    weights = torch.linspace(0, 2, 20, dtype=torch.float64)
    for w, total in ((None, data.sum(0)), (weights, weights @ data)):
        found.init_from(data, w)
        expected = n * (total + 1) / (n * 20 + 2) if copies else (total + 0.5) / 20
        close(found.mean(found.zero_input()), expected, 1e-9)
    single = hm.SteppedSigmoid(6, copies=copies)
    single.init_from(data.float())
    assert torch.isfinite(single.bias).all()
    assert torch.isfinite(single.base_input(data[0].float())).all()


def test_bounds_and_lists():
    found, endless = hm.SteppedSigmoid(3, copies=2), hm.SteppedSigmoid((3, 2), bias_shape=(3, 1))
    listed = found.states(torch.arange(27))
    assert {tuple(row) for row in listed.tolist()} == set(itertools.product((0.0, 1.0, 2.0), repeat=3))
    weights = torch.randn(3, 6, generator=laws.generator())
    close(found.max_interaction(weights), (listed @ weights).amax(0))
    assert found.input_bound() is None
    assert found.quadratic() is None
    scale, one_sided = endless.quadratic()
    assert torch.equal(scale, torch.ones(6, dtype=torch.float64))
    assert one_sided.tolist() == [True] * 6
    assert endless.input_bound() is None
    assert endless.count == math.inf
    sided = torch.tensor([[-1.0, 0.0, 2.0], [0.0, 0.0, -9.0], [-2.0, 0.0, 0.0]])
    assert torch.equal(hm.SteppedSigmoid(3).max_interaction(sided), torch.tensor([0, 0, math.inf]))
    with pytest.raises(TypeError, match="SteppedSigmoid units have no finite list"):
        endless.states(torch.arange(2))
