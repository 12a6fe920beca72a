"""The sigmoid belief net against a table of its joint distribution in NumPy, which shares no code with it."""

import itertools

import numpy as np
import pytest
import torch

import harmonium as hm
from tests.models.machines import close

SIZES = [(3, 2), (4, 3), (2, 3, 2), (3, 2, 2, 1)]


def binary(units):
    return np.array(list(itertools.product([0, 1], repeat=units)), dtype=float)


def net(sizes, seed=0, size=1.5):
    draw = np.random.default_rng(seed)
    found = hm.SigmoidBeliefNet([hm.Bernoulli(n) for n in sizes]).double()
    for parameter in found.parameters():
        parameter.data = torch.tensor(size * draw.normal(size=parameter.shape))
    return found


def arrays(model):
    """Weights, (below, above) each, and biases from the data upwards."""
    return [layer.coupling.weight.detach().numpy() for layer in model.generative], [u.bias.detach().numpy() for u in model.layers]


def log_joint(weights, biases, layers):
    """Σ log p(s_i | parents), unit by unit."""
    total = 0.0
    for level, states in enumerate(layers):
        for unit, state in enumerate(states):
            x = biases[level][unit]
            if level < len(weights):
                x = x + weights[level][unit] @ layers[level + 1]
            p = 1 / (1 + np.exp(-x))
            total += np.log(p if state else 1 - p)
    return total


def table(model, rows):
    """log p(v, h) of each row and every joint state of the hidden layers, (cases, states), and these states, a list of (states, units)."""
    weights, biases = arrays(model)
    sizes = [len(b) for b in biases[1:]]
    joined = binary(sum(sizes))
    hidden = np.split(joined, np.cumsum(sizes)[:-1], axis=1)
    found = [[log_joint(weights, biases, [v, *(h[s] for h in hidden)]) for s in range(len(joined))] for v in rows]
    return np.array(found), hidden


def data(units, cases=5, seed=1):
    return torch.tensor(np.random.default_rng(seed).integers(0, 2, (cases, units)).astype(float))


@pytest.mark.parametrize("sizes", SIZES)
def test_probabilities_are_those_of_the_table(sizes):
    model, v = net(sizes), data(sizes[0])
    joint, hidden = table(model, v.numpy())
    states = [v[:, None].expand(-1, joint.shape[1], -1), *(torch.tensor(h).expand(len(v), -1, -1) for h in hidden)]
    close(model.log_joint(states), joint, 1e-10)
    log_p = np.logaddexp.reduce(joint, axis=1)
    close(model.log_probability(v), log_p, 1e-10)
    found = model.posterior(v)
    close(found.log_likelihood, log_p, 1e-10)
    every = torch.tensor(binary(sizes[0]))
    assert model.log_probability(every).exp().sum().item() == pytest.approx(1, abs=1e-12)
    # The two lists are in orders of their own.
    p = np.exp(joint - log_p[:, None])
    places = {tuple(row): n for n, row in enumerate(np.concatenate(hidden, axis=1))}
    order = [places[tuple(row)] for row in torch.cat(found.states, dim=1).numpy()]
    assert sorted(order) == list(range(joint.shape[1]))
    close(found.probability, p[:, order], 1e-10)
    for mean, states in zip(found.means, hidden, strict=True):
        close(mean, p @ states, 1e-10)


def test_the_truck_the_earthquake_and_the_house():
    model = hm.SigmoidBeliefNet([hm.Bernoulli(1), hm.Bernoulli(2)]).double()
    (weight,), (house, causes) = [layer.coupling.weight for layer in model.generative], [unit.bias for unit in model.layers]
    weight.data.fill_(20.0), house.data.fill_(-20.0), causes.data.fill_(-10.0)
    found = model.posterior(torch.ones(1, 1))
    p = {tuple(row.tolist()): q.item() for row, q in zip(found.states[0], found.probability[0], strict=True)}
    assert p[0, 0] == pytest.approx(4.5396e-5, rel=1e-4)
    assert p[1, 1] == pytest.approx(4.5396e-5, rel=1e-4)
    assert p[1, 0] == p[0, 1] == pytest.approx(0.4999546, abs=1e-7)


def test_samples_have_the_joint_distribution():
    model, count = net((2, 2, 1)), 40_000
    states = torch.cat(model.sample(count, generator=torch.Generator().manual_seed(0)), dim=1).numpy()
    weights, biases = arrays(model)
    expected = np.exp([log_joint(weights, biases, [s[:2], s[2:4], s[4:]]) for s in binary(5)])
    drawn = np.bincount((states @ (2 ** np.arange(5)[::-1])).astype(int), minlength=32) / count
    assert (np.abs(drawn - expected) <= 5 * np.sqrt(expected * (1 - expected) / count) + 1e-9).all()


@pytest.mark.parametrize("sizes", [(3, 3), (2, 2, 2)])
def test_gibbs_sampling_comes_to_the_posterior_and_stays_there(sizes):
    model, chains = net(sizes), 20_000
    row = data(sizes[0], 1)
    joint, hidden = table(model, row.numpy())
    p = np.exp(joint[0] - np.logaddexp.reduce(joint[0]))
    joined = np.concatenate(hidden, axis=1)
    draw = np.random.default_rng(0)
    exact = torch.tensor(joined[draw.choice(len(p), chains, p=p)])
    parts = list(exact.split([len(u) for u in arrays(model)[1][1:]], dim=1))
    for start, steps in ((parts, 1), (None, 60)):
        found = model.gibbs(row.expand(chains, -1), start, steps=steps, generator=torch.Generator().manual_seed(1))
        numbers = (torch.cat(found, dim=1).numpy() @ (2 ** np.arange(joined.shape[1])[::-1])).astype(int)
        drawn = np.bincount(numbers, minlength=len(p)) / chains
        # Exact starts are a sample themselves: twice the variance.
        assert (np.abs(drawn - p) <= 5 * np.sqrt(2 * p * (1 - p) / chains) + 1e-9).all()
    assert torch.equal(torch.cat(parts, dim=1), exact)  # the start is not written to


def by_differences(model, loss):
    """∂ loss / ∂θ by central differences, parameter by parameter."""
    found = {}
    for name, parameter in model.named_parameters():
        gradient, flat = np.zeros(parameter.numel()), parameter.data.view(-1)
        for n in range(parameter.numel()):
            flat[n] += 1e-5
            up = loss()
            flat[n] -= 2e-5
            gradient[n] = (up - loss()) / 2e-5
            flat[n] += 1e-5
        found[name] = gradient.reshape(parameter.shape)
    return found


@pytest.mark.parametrize("sizes", SIZES)
def test_the_learning_rule_with_the_exact_posterior_is_the_gradient_of_the_likelihood(sizes):
    model, v = net(sizes), data(sizes[0])
    weights = torch.tensor([0.5, 0.0, 1.5, 1.0, 2.0]).double()

    def loss():
        return -(weights.numpy() * np.logaddexp.reduce(table(model, v.numpy())[0], axis=1)).sum() / 5

    expected = by_differences(model, loss)
    for fresh, total in ((True, 1.0), (False, 2.0), (True, 1.0)):
        model.accumulate_gradient(model.posterior(v), weights=weights, scale=1 / 5, fresh=fresh)
        for name, parameter in model.named_parameters():
            close(parameter.grad, total * expected[name], 1e-7)


def test_the_learning_rule_of_states_is_s_j_times_s_i_less_p_i():
    model, v = net((3, 2, 2)), data(3)
    h1, h2 = model.gibbs(v, steps=2, generator=torch.Generator().manual_seed(0))
    model.accumulate_gradient([v, h1, h2], scale=1 / 5, fresh=True)
    (w1, w2), (b0, b1, b2) = arrays(model)
    below, middle, top = v.numpy(), h1.numpy(), h2.numpy()
    p0, p1, p2 = (1 / (1 + np.exp(-x)) for x in (b0 + middle @ w1.T, b1 + top @ w2.T, b2))
    close(model.generative[0].coupling.weight.grad, -(below - p0).T @ middle / 5, 1e-12)
    close(model.generative[1].coupling.weight.grad, -(middle - p1).T @ top / 5, 1e-12)
    for unit, states, p in zip(model.layers, (below, middle, top), (p0, p1, p2), strict=True):
        close(unit.bias.grad, -(states - p).mean(0), 1e-12)


def test_averaged_over_gibbs_samples_the_rule_is_the_exact_gradient():
    model, cases = net((3, 2, 2)), 5
    v, chains = data(3, cases), 8000
    model.accumulate_gradient(model.posterior(v), scale=1 / cases, fresh=True)
    exact = {name: p.grad.clone() for name, p in model.named_parameters()}
    hidden = model.gibbs(v.repeat(chains, 1), steps=40, generator=torch.Generator().manual_seed(0))
    model.accumulate_gradient([v.repeat(chains, 1), *hidden], scale=1 / (cases * chains), fresh=True)
    for name, parameter in model.named_parameters():  # a term's deviation is below one
        assert (parameter.grad - exact[name]).abs().max() < 5 / np.sqrt(cases * chains), name


def kl(q, log_joint):
    """Σ q (log q - log p(v, h)), so that minus it is the bound."""
    return (q * (np.log(np.maximum(q, 1e-300)) - log_joint)).sum(-1)


def factorial(means, hidden):
    """q of every joint state: (cases, states)."""
    q, states = np.concatenate([mean.numpy() for mean in means], axis=1), np.concatenate(hidden, axis=1)
    return np.prod(np.where(states[None] > 0, q[:, None], 1 - q[:, None]), axis=2)


@pytest.mark.parametrize("sizes", SIZES)
def test_mean_field_is_a_bound_and_stationary(sizes):
    model, v = net(sizes), data(sizes[0])
    joint, hidden = table(model, v.numpy())
    log_p = np.logaddexp.reduce(joint, axis=1)
    exact, looser = model.mean_field(v, tolerance=1e-12), model.mean_field(v, tolerance=1e-12, quadratic=True)
    close(exact.bound, -kl(factorial(exact.means, hidden), joint), 1e-9)
    assert (exact.bound.numpy() <= log_p + 1e-9).all()
    assert (looser.bound.numpy() <= -kl(factorial(looser.means, hidden), joint) + 1e-9).all()
    assert exact.change <= 1e-9
    # No unit's probability can be changed for the better.
    for level, mean in enumerate(exact.means):
        for unit in range(mean.shape[1]):
            for other in (-1e-3, 1e-3):
                moved = [m.clone() for m in exact.means]
                moved[level][:, unit] = (moved[level][:, unit] + other).clamp(0, 1)
                assert (-kl(factorial(moved, hidden), joint) <= exact.bound.numpy() + 1e-9).all()


@pytest.mark.parametrize("quadratic", [False, True])
@pytest.mark.parametrize("sizes", SIZES)
def test_no_update_of_mean_field_lowers_the_bound(sizes, quadratic):
    for seed in range(5):
        model, v = net(sizes, seed, size=3), data(sizes[0])
        found = model.mean_field(v, quadratic=quadratic, sweeps=1)
        for _ in range(15):
            later = model.mean_field(v, quadratic=quadratic, sweeps=1, start=found)
            assert (later.bound >= found.bound - 1e-10).all()
            found = later
        close(model.bound(found), found.bound, 1e-9)


def softplus_bound(x2, mean, slope):
    """The quadratic bound, written out: E[x]/2 + log 2cosh(ξ/2) + tanh(ξ/2)/4ξ (E[x²] - ξ²)."""
    return mean / 2 + np.log(2 * np.cosh(slope / 2)) + np.tanh(slope / 2) / (4 * slope) * (x2 - slope**2)


def test_the_quadratic_bound_is_that_of_the_paper():
    model, v = net((4, 3)), data(4)
    found = model.mean_field(v, quadratic=True, sweeps=3)
    (weight,), (b0, b1) = arrays(model)
    q, states = found.means[0].numpy(), binary(3)
    p = np.prod(np.where(states[None] > 0, q[:, None], 1 - q[:, None]), axis=2)
    x = b0 + states @ weight.T
    mean, square = p @ x, p @ x**2
    close(found.slopes[0], np.sqrt(square), 1e-9)
    expected = (v.numpy() * mean - softplus_bound(square, mean, found.slopes[0].numpy())).sum(1)
    expected += (q * b1 - np.log1p(np.exp(b1))).sum(1) - (q * np.log(q) + (1 - q) * np.log(1 - q)).sum(1)
    close(found.bound, expected, 1e-9)


@pytest.mark.parametrize("quadratic", [False, True])
@pytest.mark.parametrize("sizes", SIZES)
def test_the_gradient_of_the_bound(sizes, quadratic):
    model, v = net(sizes), data(sizes[0])
    weights = torch.tensor([0.5, 0.0, 1.5, 1.0, 2.0]).double()
    found = model.mean_field(v, quadratic=quadratic)
    expected = by_differences(model, lambda: -(weights * model.bound(found)).sum().item() / 5)
    for fresh, total in ((True, 1.0), (False, 2.0)):
        model.accumulate_gradient(found, weights=weights, scale=1 / 5, fresh=fresh)
        for name, parameter in model.named_parameters():
            close(parameter.grad, total * expected[name], 1e-6)


@pytest.mark.parametrize("quadratic", [False, True])
def test_variational_learning_never_lowers_its_bound(quadratic):
    """E-steps by coordinate ascent, M-steps by gradient descent of the largest rate that is promised."""
    for seed in range(4):
        sizes = (5, 4, 3)
        model, v = net(sizes, seed), data(5, 12, seed)
        descent = torch.optim.SGD(model.parameters(), lr=4 / (max(sizes[1:]) + 1))
        found, bounds = None, []
        for _ in range(60):
            found = model.mean_field(v, quadratic=quadratic, start=found, sweeps=2)
            bounds.append(found.bound.mean().item())
            model.accumulate_gradient(found, scale=1 / len(v), fresh=True)
            descent.step()
            bounds.append(model.bound(found).mean().item())
        assert min(np.diff(bounds)) > -1e-12
        assert bounds[-1] > bounds[0] + 0.2
        assert (model.bound(found) <= model.log_probability(v) + 1e-12).all()


def test_weights_that_saturate_stay_finite():
    model, v = net((3, 2), size=200.0), data(3)
    for quadratic in (False, True):
        found = model.mean_field(v, quadratic=quadratic)
        model.accumulate_gradient(found, fresh=True)
        assert torch.isfinite(found.bound).all()
        assert all(torch.isfinite(p.grad).all() for p in model.parameters())
    model.accumulate_gradient(model.posterior(v), fresh=True)
    assert all(torch.isfinite(p.grad).all() for p in model.parameters())


def test_a_net_of_one_rbms_tensors_is_the_infinite_net():
    rbm = hm.RBM(hm.Bernoulli(3), hm.Bernoulli(2)).double()
    rbm.coupling.weight.data.normal_(generator=torch.Generator().manual_seed(0))
    tied = hm.SigmoidBeliefNet([rbm.visible, rbm.hidden, rbm.visible], [rbm.coupling, hm.Transposed(rbm.coupling)])
    v = torch.tensor(binary(3))
    (w1, w2), biases = (
        [rbm.coupling.weight.detach().numpy(), rbm.coupling.weight.detach().numpy().T],
        [u.bias.detach().numpy() for u in tied.layers],
    )
    expected = [np.logaddexp.reduce([log_joint([w1, w2], biases, [x, h, u]) for h in binary(2) for u in binary(3)]) for x in binary(3)]
    close(tied.log_probability(v), np.array(expected), 1e-10)


def test_what_does_not_fit_is_refused(tmp_path):
    with pytest.raises(ValueError, match="at least one hidden layer"):
        hm.SigmoidBeliefNet([hm.Bernoulli(2)])
    with pytest.raises(TypeError, match="found Gaussian"):
        hm.SigmoidBeliefNet([hm.Gaussian(2), hm.Bernoulli(2)])
    with pytest.raises(ValueError, match="are flat"):
        hm.SigmoidBeliefNet([hm.Bernoulli((2, 2)), hm.Bernoulli(2)])
    with pytest.raises(ValueError, match=r"expects statistics of shapes \(3,\)"):
        hm.SigmoidBeliefNet([hm.Bernoulli(2), hm.Bernoulli(2)], [hm.Dense(3, 2)])
    large = hm.SigmoidBeliefNet([hm.Bernoulli(2), hm.Bernoulli(20)])
    with pytest.raises(ValueError, match="found 20 hidden units and 3 cases"):
        large.posterior(torch.zeros(3, 2))
    with pytest.raises(ValueError, match="quadratic=True"):
        large.mean_field(torch.zeros(3, 2))
    assert torch.isfinite(large.mean_field(torch.zeros(3, 2), quadratic=True).bound).all()
    small = hm.SigmoidBeliefNet([hm.Bernoulli(2), hm.Bernoulli(2)])
    for method in (small.posterior, small.mean_field):
        with pytest.raises(ValueError, match="0 or 1"):
            method(torch.full((1, 2), 0.5))
        with pytest.raises(ValueError, match="expected cases"):
            method(torch.zeros(2))
    with pytest.raises(ValueError, match=r"of \[2, 2\] units, found \[2, 3\]"):
        small.log_joint([torch.zeros(1, 2), torch.zeros(1, 3)])
    with pytest.raises(ValueError, match="of other cases"):
        small.mean_field(torch.zeros(1, 2), start=small.mean_field(torch.zeros(1, 2)), quadratic=True)


def test_files(tmp_path):
    model = net((3, 2, 2)).float()
    hm.save(model, tmp_path / "net.safetensors")
    again = hm.load(tmp_path / "net.safetensors")
    assert isinstance(again, hm.SigmoidBeliefNet)
    v = data(3).float()
    assert torch.equal(again.log_probability(v), model.log_probability(v))
