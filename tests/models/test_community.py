"""The community of experts against sums over gates of SciPy's normal densities, and against quadrature over the linear units."""

import itertools

import numpy as np
import pytest
import torch
from scipy import stats
from scipy.special import expit, logsumexp

import harmonium as hm
from harmonium.models import CommunityStates

from .machines import close

SIZES = [(3, [2]), (2, [3, 2]), (3, [2, 1, 2])]


def net(visible, hidden, seed=0):
    """All parameters at random; the variances of hidden units stay at 1."""
    found, draw = hm.CommunityOfExperts(visible, hidden).double(), np.random.default_rng(seed)
    for parameter in found.parameters():
        parameter.data = torch.tensor(draw.normal(size=parameter.shape))
    return found


def arrays(model):
    """Weights and biases of linear units and of gates, from the data upwards, and the visible variances."""
    linear = [(each.unit.bias, each.coupling.weight) for each in model.experts] + [(model.top_linear.bias, None)]
    gates = [(each.unit.bias, each.coupling.weight) for each in model.selection] + [(model.top_gates.bias, None)]
    numbers = [[None if each is None else each.detach().numpy() for each in pair] for pair in (*linear, *gates)]
    return numbers[: len(linear)], numbers[len(linear) :], np.exp(model.visible.log_variance.detach().numpy())


def log_joint(model, v, gates, linear):
    """log p(v, s, y) of one case, unit by unit."""
    of_linear, of_gates, variance = arrays(model)
    total = 0.0
    for level, states in enumerate([v, *linear]):
        bias, weight = of_linear[level]
        means = bias if weight is None else bias + weight @ (gates[level] * linear[level])
        total += stats.norm.logpdf(states, means, np.sqrt(variance) if level == 0 else 1.0).sum()
    for level, states in enumerate(gates):
        bias, weight = of_gates[level]
        p = expit(bias if weight is None else bias + weight @ gates[level + 1])
        total += np.log(np.where(states == 1, p, 1 - p)).sum()
    return total


def every(hidden):
    """All states of the gates, split into layers."""
    for states in itertools.product([0.0, 1.0], repeat=sum(hidden)):
        yield np.split(np.array(states), np.cumsum(hidden)[:-1])


def linear_gaussian(model, gates):
    """Mean and covariance of (v, y1, ..., yL) given the gates: x = b + B x + noise, so that x = (1 - B)^-1 (b + noise)."""
    of_linear, _, variance = arrays(model)
    sizes = [len(bias) for bias, _ in of_linear]
    starts = np.cumsum([0, *sizes])
    couple = np.zeros((starts[-1], starts[-1]))
    for level, (_, weight) in enumerate(of_linear[:-1]):
        rows, columns = slice(starts[level], starts[level + 1]), slice(starts[level + 1], starts[level + 2])
        couple[rows, columns] = weight * gates[level]
    inverse = np.linalg.inv(np.eye(starts[-1]) - couple)
    noise = np.concatenate([variance, np.ones(starts[-1] - sizes[0])])
    return inverse @ np.concatenate([bias for bias, _ in of_linear]), inverse @ np.diag(noise) @ inverse.T


def log_terms(model, rows, hidden):
    """log p(s) p(v | s): (cases, states of the gates)."""
    size = rows.shape[1]
    found = []
    for gates in every(hidden):
        of_gates = arrays(model)[1]
        log_p = 0.0
        for level, states in enumerate(gates):
            bias, weight = of_gates[level]
            p = expit(bias if weight is None else bias + weight @ gates[level + 1])
            log_p += np.log(np.where(states == 1, p, 1 - p)).sum()
        mean, covariance = linear_gaussian(model, gates)
        density = stats.multivariate_normal(mean[:size], covariance[:size, :size])
        found.append(log_p + np.atleast_1d(density.logpdf(rows)))
    return np.array(found).T


def data(units, cases=4, seed=1):
    return 1.5 * np.random.default_rng(seed).normal(size=(cases, units))


@pytest.mark.parametrize(("visible", "hidden"), SIZES)
def test_the_likelihood_is_the_sum_over_gates(visible, hidden):
    model, rows = net(visible, hidden), data(visible)
    close(model.log_probability(torch.tensor(rows)), logsumexp(log_terms(model, rows, hidden), axis=1), 1e-10)


def test_the_likelihood_is_the_integral_of_the_joint_density():
    model, v = net(1, [1, 1]), np.array([0.7])
    side, step = np.linspace(-9, 9, 181), 0.1
    y1, y2 = (each.ravel() for each in np.meshgrid(side, side))
    total = 0.0
    for gates in every([1, 1]):
        hidden = CommunityStates(
            [torch.tensor(s).expand(len(y1), 1) for s in gates], [torch.tensor(y1)[:, None].clone(), torch.tensor(y2)[:, None].clone()]
        )
        values = model.log_joint(torch.tensor(v).expand(len(y1), 1), hidden)
        total += values.exp().sum().item() * step**2
        own = log_joint(model, v, gates, [y1[:1], y2[:1]])
        assert values[0].item() == pytest.approx(own, abs=1e-10)
    assert np.log(total) == pytest.approx(model.log_probability(torch.tensor(v)[None]).item(), abs=1e-8)


@pytest.mark.parametrize(("visible", "hidden"), SIZES)
def test_samples_have_the_joint_distribution(visible, hidden):
    model, count = net(visible, hidden), 20_000
    v, states = model.sample(count, generator=torch.Generator().manual_seed(0))
    of_gates, _ = arrays(model)[1][-1]
    p = expit(of_gates)
    assert (np.abs(states.gates[-1].mean(0).numpy() - p) < 5 * np.sqrt(p * (1 - p) / count)).all()
    # At the true density, log p(v) - log of its estimate is a log-ratio whose exponential averages one: here the first two moments of v.
    shares = np.exp([log_terms_of_gates(model, gates) for gates in every(hidden)])
    parts = [linear_gaussian(model, gates) for gates in every(hidden)]
    mean = sum(share * m[:visible] for share, (m, _) in zip(shares, parts, strict=True))
    second = sum(share * (c + np.outer(m, m))[:visible, :visible] for share, (m, c) in zip(shares, parts, strict=True))
    variance = np.diag(second) - mean**2
    assert (np.abs(v.mean(0).numpy() - mean) < 5 * np.sqrt(variance / count)).all()
    products = torch.einsum("ni,nj->nij", v, v)
    error = products.std(0).numpy() / np.sqrt(count)
    assert (np.abs(products.mean(0).numpy() - second) < 5 * error).all()


def log_terms_of_gates(model, gates):
    total = 0.0
    for level, states in enumerate(gates):
        bias, weight = arrays(model)[1][level]
        p = expit(bias if weight is None else bias + weight @ gates[level + 1])
        total += np.log(np.where(states == 1, p, 1 - p)).sum()
    return total


@pytest.mark.parametrize(("visible", "hidden"), SIZES)
def test_gibbs_sampling_has_the_posterior_moments(visible, hidden):
    """Of gates, outputs and their squares: by conditional Gaussians, summed over gates."""
    model, row, chains = net(visible, hidden), data(visible, 1), 8_000
    terms = log_terms(model, row, hidden)[0]
    shares = np.exp(terms - logsumexp(terms))
    expected = []
    for gates in every(hidden):
        mean, covariance = linear_gaussian(model, gates)
        gain = covariance[visible:, :visible] @ np.linalg.inv(covariance[:visible, :visible])
        m = mean[visible:] + gain @ (row[0] - mean[:visible])
        c = covariance[visible:, visible:] - gain @ covariance[:visible, visible:]
        s = np.concatenate(gates)
        expected.append(np.concatenate([s, s * m, m, np.diag(c) + m**2]))
    expected = shares @ np.array(expected)
    found = model.gibbs(torch.tensor(row).expand(chains, -1), steps=25, generator=torch.Generator().manual_seed(0))
    s, y = torch.cat(found.gates, 1), torch.cat(found.linear, 1)
    drawn = torch.cat([s, s * y, y, y * y], 1)
    error = drawn.std(0).numpy() / np.sqrt(chains)
    assert (np.abs(drawn.mean(0).numpy() - expected) < 5 * error + 1e-9).all()
    assert {*s.unique().tolist()} <= {0.0, 1.0}


def test_gibbs_sampling_leaves_its_start_alone_and_repeats():
    model, rows = net(3, [2]), torch.tensor(data(3))
    start = model.sample(4, generator=torch.Generator().manual_seed(3))[1]
    before = [each.clone() for part in start for each in part]
    one, two = (model.gibbs(rows, start, steps=2, generator=torch.Generator().manual_seed(1)) for _ in range(2))
    assert all(torch.equal(a, b) for a, b in zip(before, [each for part in start for each in part], strict=True))
    assert all(torch.equal(a, b) for part, other in zip(one, two, strict=True) for a, b in zip(part, other, strict=True))
    none = model.gibbs(rows, start, steps=0, generator=torch.Generator())
    assert torch.equal(none.linear[0], start.linear[0])


def test_the_delta_rule_is_the_gradient_of_the_joint_density():
    model, rows = net(2, [3, 2]), torch.tensor(data(2, 3))
    hidden = model.sample(3, generator=torch.Generator().manual_seed(0))[1]
    weights = torch.tensor([0.2, 1.0, 2.0]).double()
    model.accumulate_gradient(rows, hidden, weights=weights, scale=0.5, fresh=True)
    (lowest, between, top), (gates, top_gates), variance = arrays(model)
    (s1, s2), (y1, y2) = ([each.numpy() for each in part] for part in hidden)
    w, v = 0.5 * weights.numpy()[:, None], rows.numpy()
    away = v - lowest[0] - (s1 * y1) @ lowest[1].T
    expected = {
        "experts.0.coupling.weight": (w * away / variance).T @ (s1 * y1),
        "experts.0.unit.bias": (w * away / variance).sum(0),
        "experts.0.unit.log_variance": (w * (away**2 / variance - 1) / 2).sum(0),
        "experts.1.coupling.weight": (w * (y1 - between[0] - (s2 * y2) @ between[1].T)).T @ (s2 * y2),
        "experts.1.unit.bias": (w * (y1 - between[0] - (s2 * y2) @ between[1].T)).sum(0),
        "top_linear.bias": (w * (y2 - top[0])).sum(0),
        "selection.0.coupling.weight": (w * (s1 - expit(gates[0] + s2 @ gates[1].T))).T @ s2,
        "selection.0.unit.bias": (w * (s1 - expit(gates[0] + s2 @ gates[1].T))).sum(0),
        "top_gates.bias": (w * (s2 - expit(top_gates[0]))).sum(0),
    }
    found = {id(parameter): parameter.grad for parameter in model.parameters()}
    assert len(found) == len(expected)
    for name, value in expected.items():
        close(-found[id(model.get_parameter(name))], value, 1e-10)


def test_the_mean_delta_rule_is_the_gradient_of_the_likelihood():
    model, row = net(2, [2]), torch.tensor(data(2, 1))
    (-model.log_probability(row).sum()).backward()
    exact = {name: parameter.grad.clone() for name, parameter in model.named_parameters()}
    chains = 20_000
    hidden = model.gibbs(row.expand(chains, -1), steps=20, generator=torch.Generator().manual_seed(0))
    model.accumulate_gradient(row.expand(chains, -1), hidden, scale=1 / chains, fresh=True)
    for name, parameter in model.named_parameters():
        np.testing.assert_allclose(parameter.grad.numpy(), exact[name].numpy(), atol=0.08, err_msg=name)


def blocks(count, seed):
    """Three blocks of three pixels of varying intensity, each on with probability 0.2, and noise of standard deviation 0.2."""
    draw = np.random.default_rng(seed)
    on = (draw.random((count, 3)) < 0.2) * draw.uniform(1, 4, (count, 3))
    return on.repeat(3, axis=1) + 0.2 * draw.normal(size=(count, 9))


def test_learning_finds_a_block_for_each_expert():
    """From this seed; others end with two experts on one block."""
    rows, held = blocks(300, 0), torch.tensor(blocks(100, 1)).float()
    model = hm.CommunityOfExperts(9, [3], seed=3)
    history = model.fit(rows, epochs=60, batch_size=50, seed=3)
    assert history.shape == (60,)
    weight = model.experts[0].coupling.weight.detach().numpy().T.reshape(3, 3, 3)
    share = weight.sum(2) ** 2 / 3 / (weight**2).sum((1, 2))[:, None]
    assert sorted(share.argmax(1)) == [0, 1, 2]
    assert share.max(1).min() > 0.98
    assert model.visible.log_variance.exp().mean().item() == pytest.approx(0.04, abs=0.015)
    assert model.top_gates.mean(torch.zeros(3)).detach().numpy() == pytest.approx(np.full(3, 0.2), abs=0.1)
    alone = stats.multivariate_normal(rows.mean(0), np.cov(rows.T)).logpdf(held.numpy()).mean()  # any factor analysis has less
    assert model.log_probability(held).mean() > alone + 1


def test_fits_repeat_and_go_on():
    rows = blocks(60, 0)
    one, two, other = (hm.CommunityOfExperts(9, [3, 1]) for _ in range(3))
    assert torch.equal(one.fit(rows, epochs=2, seed=1), two.fit(rows, epochs=2, seed=1))
    assert not torch.equal(one.visible.bias, (other.fit(rows, epochs=2, seed=2), other.visible.bias)[1])
    before = one.visible.bias.detach().clone()
    assert one.fit(rows, epochs=0, start=False).shape == (0,)
    assert torch.equal(before, one.visible.bias)


def test_a_file_holds_a_community(tmp_path):
    model = net(3, [2, 1]).float()
    hm.save(model, tmp_path / "community.safetensors")
    found = hm.load(tmp_path / "community.safetensors")
    rows = torch.tensor(data(3)).float()
    assert torch.equal(found.log_probability(rows), model.log_probability(rows))
    assert "3 Gaussian" in model._repr_html_()


def test_what_does_not_fit_is_refused():
    for visible, hidden in ((0, [2]), (3, []), (3, [2, 0])):
        with pytest.raises(ValueError, match="at least one visible unit"):
            hm.CommunityOfExperts(visible, hidden)
    model = net(3, [2])
    with pytest.raises(ValueError, match="0 sweeps or more"):
        model.gibbs(torch.zeros(2, 3).double(), steps=-1, generator=torch.Generator())
    with pytest.raises(ValueError, match="expected epochs and sweeps"):
        model.fit(data(3), batch_size=0)
    with pytest.raises(ValueError, match="Gaussian"):
        model.fit(np.full((2, 3), np.nan))
    with pytest.raises(ValueError, match="at most 16"):
        net(2, [17]).log_probability(torch.zeros(1, 2).double())
