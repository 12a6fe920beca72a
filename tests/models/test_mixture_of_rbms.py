"""The implicit mixture of RBMs against a table of every (v, h, z), made by loops over its energy in NumPy."""

import copy
import itertools

import numpy as np
import pytest
import torch

import harmonium as hm
from tests.learning.signal import contrastive_gradient
from tests.models.machines import close

K, V, H = 3, 4, 2
HIDDEN = {
    "bernoulli": (lambda: hm.Bernoulli(H), list(itertools.product((0, 1), repeat=H)), lambda h: 0.0),
    "spin": (lambda: hm.Spin(H), list(itertools.product((-1, 1), repeat=H)), lambda h: 0.0),
    "softmax": (lambda: hm.Softmax(1, categories=3), [tuple(row) for row in np.eye(3)], lambda h: 0.0),
    "binomial": (
        lambda: hm.Binomial(H, copies=2),
        list(itertools.product((0, 1, 2), repeat=H)),
        lambda h: -np.log(2.0) * (np.array(h) == 1).sum(),
    ),
}
EVERY = np.array(list(itertools.product((0, 1), repeat=V)), dtype=float)


def made(hidden="bernoulli", seed=0, visible=None, components=K):
    """A random float64 mixture."""
    mixture = hm.MixtureOfRBMs(visible or hm.Bernoulli(V), HIDDEN[hidden][0](), components).double()
    draw = np.random.default_rng(seed)
    for parameter in mixture.parameters():
        parameter.data = torch.tensor(draw.normal(size=parameter.shape) * 0.8)
    return mixture


def table(mixture, hidden="bernoulli"):
    """Every (z, h) with exp(-E) beside every v: choices, hidden states, and (v, (z, h))."""
    b, w, c = (x.detach().numpy() for x in (mixture.visible.bias, mixture.coupling.weight, mixture.hidden.bias))
    width = c.shape[1]
    pairs, terms = [], []
    for z in range(len(c)):
        column, weight = w[:, z * width], w[:, z * width + 1 : (z + 1) * width]
        for h in HIDDEN[hidden][1]:
            energies = []
            for v in EVERY:
                energy = HIDDEN[hidden][2](h)
                for i in range(V):
                    energy -= v[i] * (b[i] + column[i])
                    for j in range(len(h)):
                        energy -= v[i] * weight[i, j] * h[j]
                energies.append(energy - c[z, 0] - sum(c[z, 1 + j] * h[j] for j in range(len(h))))
            pairs.append((z, h))
            terms.append(np.exp(-np.array(energies)))
    return pairs, np.array(terms).T


def of_each(pairs, terms):
    """Σ_h exp(-E) by component: (v, K)."""
    return np.stack([terms[:, [pair[0] == k for pair in pairs]].sum(1) for k in range(K)], 1)


@pytest.mark.parametrize("hidden", HIDDEN)
def test_energies_and_probabilities_are_those_of_the_table(hidden):
    mixture, v = made(hidden), torch.tensor(EVERY)
    pairs, terms = table(mixture, hidden)
    shares = of_each(pairs, terms)
    close(mixture.free_energy(v), -np.log(terms.sum(1)), 1e-10)
    close(mixture.component_free_energies(v), -np.log(shares), 1e-10)
    close(mixture.responsibilities(v), shares / shares.sum(1, keepdims=True), 1e-10)
    softer = shares ** (1 / 3)
    close(mixture.responsibilities(v, temperature=3.0), softer / softer.sum(1, keepdims=True), 1e-10)
    assert mixture.cluster(v).tolist() == shares.argmax(1).tolist()
    log_z = hm.likelihood.exact_log_z(mixture)
    assert log_z == pytest.approx(np.log(terms.sum()), abs=1e-10)
    close(hm.likelihood.log_likelihood(mixture, v, log_z=log_z).exp(), terms.sum(1) / terms.sum(), 1e-10)
    evidence = [hm.likelihood.exact_log_z(component) for component in mixture.components]
    close(torch.tensor(evidence, dtype=torch.float64) + mixture.offsets(), np.log(shares.sum(0)), 1e-10)


def test_joint_energies_are_those_of_the_table():
    mixture = made()
    pairs, terms = table(mixture)
    for number, (z, h) in enumerate(pairs):
        state = torch.zeros(len(EVERY), K, 1 + H, dtype=torch.float64)
        state[:, z] = torch.tensor([1.0, *h])
        close(mixture.energy(torch.tensor(EVERY), state), -np.log(terms[:, number]), 1e-10)


def test_components_are_machines_with_the_same_distributions():
    mixture, v = made(visible=hm.Gaussian(V)), torch.randn(5, V, generator=torch.Generator().manual_seed(0)).double()
    each = torch.stack([component.free_energy(v) for component in mixture.components], -1) - mixture.offsets()
    close(mixture.component_free_energies(v), each.detach(), 1e-10)
    assert all(type(component) is hm.RBM for component in mixture.components)
    documents = hm.MixtureOfRBMs(hm.ReplicatedSoftmax(V), hm.Bernoulli(H), K)
    with pytest.raises(TypeError, match="where each visible unit has a bias of its own, found"):
        _ = documents.components


def test_gaussian_data_have_one_partition_function_of_all_components():
    """Quadrature over v: the trapezium rule on a grid is exact for sums of Gaussians that it resolves."""
    mixture = hm.MixtureOfRBMs(hm.Gaussian(1, learn_variance=False), hm.Bernoulli(H), K).double()
    for number, parameter in enumerate(mixture.parameters()):
        parameter.data = torch.tensor(np.random.default_rng(number).normal(size=parameter.shape))
    grid = torch.linspace(-15, 15, 3001, dtype=torch.float64)[:, None]
    area = torch.exp(-mixture.free_energy(grid)).sum().item() * 0.01
    assert hm.likelihood.exact_log_z(mixture) == pytest.approx(np.log(area), abs=1e-9)
    each = torch.tensor([hm.likelihood.exact_log_z(component) for component in mixture.components], dtype=torch.float64)
    assert (each + mixture.offsets()).logsumexp(0).item() == pytest.approx(np.log(area), abs=1e-9)


def numerical(mixture, function, step=1e-5):
    """The gradient of a function of a mixture's parameters, by central differences, in the order of the parameters."""
    found = []
    for number, parameter in enumerate(mixture.parameters()):
        slopes = np.zeros(parameter.numel())
        for place in range(parameter.numel()):
            values = []
            for sign in (1, -1):
                moved = copy.deepcopy(mixture)
                list(moved.parameters())[number].data.view(-1)[place] += sign * step
                values.append(function(moved))
            slopes[place] = (values[0] - values[1]) / (2 * step)
        found.append(slopes.reshape(parameter.shape))
    return found


def test_the_exact_gradient_is_that_of_the_table():
    mixture, rows = made(), [1, 1, 6, 12]

    def loss(moved):
        terms = table(moved)[1]
        return np.log(terms.sum()) - np.log(terms.sum(1))[rows].mean()

    rule, generator = hm.ExactGradient(), torch.Generator().manual_seed(0)
    hm.learning.write_gradient(mixture, mixture.infer(torch.tensor(EVERY[rows])), rule, {}, generator=generator)
    for parameter, expected in zip(mixture.parameters(), numerical(mixture, loss), strict=True):
        close(parameter.grad, expected, 1e-7)


@pytest.mark.parametrize("temperature", [1.0, 4.0])
def test_contrastive_divergence_has_the_expected_statistics(temperature):
    """The mean reconstruction after one step, and its spread over components, within four standard errors of the table."""
    mixture, start, count = made(), 9, 40_000
    mixture.hidden.temperature.fill_(temperature)
    pairs, terms = table(mixture)
    shares = of_each(pairs, terms)[start] ** (1 / temperature)
    shares /= shares.sum()
    chosen = np.array([pair[0] for pair in pairs])
    within = terms[start] / np.array([terms[start][chosen == z].sum() for z in chosen])
    down = terms / terms.sum(0)
    expected = down @ (shares[chosen] * within)  # of every v
    v, generator = torch.tensor(EVERY[[start]]).expand(count, V), torch.Generator().manual_seed(1)
    positive = hm.learning.Positive(mixture.infer(v), 1 / count, 1.0, hm.Given())
    drawn = hm.ContrastiveDivergence().particles(mixture, positive, {}, generator=generator)
    seen = np.bincount((drawn.numpy() @ 2 ** np.arange(V)[::-1]).astype(int), minlength=len(EVERY)) / count
    assert (np.abs(seen - expected) < 4 * np.sqrt(expected * (1 - expected) / count)).all()
    close(positive.phase.hidden_mean[0, :, 0], shares, 1e-10)


def test_sampling_has_the_distribution_of_the_table():
    mixture, count = made(seed=3), 20_000
    mixture.coupling.weight.data *= 0.5  # so that chains change their component often
    terms = table(mixture)[1].sum(1)
    expected = terms / terms.sum()
    drawn = mixture.sample(count, steps=60, generator=torch.Generator().manual_seed(0))
    seen = np.bincount((drawn.numpy() @ 2 ** np.arange(V)[::-1]).astype(int), minlength=len(EVERY)) / count
    assert (np.abs(seen - expected) < 4 * np.sqrt(expected * (1 - expected) / count)).all()


def of_frames(seed=4):
    """A mixture given a context of two numbers, and what each context makes of it, by loops: a mixture without one, with other biases."""
    coupling = hm.Conditional(hm.Dense(V, (K, 1 + H)), 2)
    mixture = hm.MixtureOfRBMs(V, H, K, coupling=coupling).double()
    draw = np.random.default_rng(seed)
    for parameter in mixture.parameters():
        parameter.data = torch.tensor(draw.normal(size=parameter.shape) * 0.8)

    def under(context):
        plain = made()
        plain.coupling.weight.data = coupling.coupling.weight.data.clone()
        to_visible, to_hidden = (coupling.dynamic[side].detach().numpy() for side in ("visible", "hidden"))
        for i in range(V):
            shift = sum(context[t] * to_visible[t, i] for t in range(2))
            plain.visible.bias.data[i] = mixture.visible.bias.data[i] + shift
        for k, j in itertools.product(range(K), range(1 + H)):
            shift = sum(context[t] * to_hidden[t, k * (1 + H) + j] for t in range(2))
            plain.hidden.bias.data[k, j] = mixture.hidden.bias.data[k, j] + shift
        return table(plain)

    return mixture, under


def test_a_context_moves_biases_and_the_choice_among_components():
    mixture, under = of_frames()
    v, found = torch.tensor(EVERY), []
    for context in ((0.0, 0.0), (1.3, -0.7), (-0.4, 2.0)):
        pairs, terms = under(context)
        shares = of_each(pairs, terms)
        one = hm.Given(context=torch.tensor(context, dtype=torch.float64))
        every = hm.Given(context=one.context.expand(len(v), 2))
        close(mixture.free_energy(v, every), -np.log(terms.sum(1)), 1e-10)
        close(mixture.component_free_energies(v, every), -np.log(shares), 1e-10)
        close(mixture.responsibilities(v, given=every), shares / shares.sum(1, keepdims=True), 1e-10)
        assert mixture.cluster(v, every).tolist() == shares.argmax(1).tolist()
        assert hm.likelihood.exact_log_z(mixture, given=one) == pytest.approx(np.log(terms.sum()), abs=1e-10)
        down = terms / terms.sum(0)  # p(v | z, h)
        for number, (z, h) in enumerate(pairs):
            state = torch.zeros(K, 1 + H, dtype=torch.float64)
            state[z] = torch.tensor([1.0, *h])
            close(mixture.visible_mean(state, one), down[:, number] @ EVERY, 1e-10)
        found.append(shares.sum(0) / shares.sum())
    assert np.abs(found[0] - found[1]).max() > 0.1
    with pytest.raises(TypeError, match="only where the coupling is dense, found Conditional"):
        _ = mixture.components


def test_the_gradient_of_a_mixture_given_a_context_is_that_of_its_free_energy():
    mixture, _ = of_frames()
    v, contexts = torch.tensor(EVERY[[1, 6, 12]]), torch.tensor([[0.5, -1.0], [2.0, 0.3], [-0.2, 0.9]], dtype=torch.float64)
    given = hm.Given(context=contexts)
    mixture.free_energy(v, given).sum().backward()
    expected = [parameter.grad.clone() for parameter in mixture.parameters()]
    mixture.accumulate_gradient(mixture.infer(v, given), fresh=True, given=given)
    for parameter, other in zip(mixture.parameters(), expected, strict=True):
        close(parameter.grad, other, 1e-10)


def test_a_mixture_given_a_context_learns_who_accounts_for_what(tmp_path):
    """Two kinds of rows, and a context that says which: a component comes to account for each, and the context alone tells it."""
    draw = np.random.default_rng(0)
    kind = torch.tensor(draw.random(300) < 0.5)
    rows = (torch.tensor(draw.random((300, 6))) < torch.where(kind[:, None], 0.8, 0.2)).float()
    mixture = hm.MixtureOfRBMs(6, 3, 2, coupling=hm.Conditional(hm.Dense(6, (2, 4), seed=1), 1), seed=1)
    given = hm.Given(context=kind[:, None].float())
    hm.fit(mixture, rows, given=given, epochs=40, batch_size=50, optimizer=lambda groups: torch.optim.Adam(groups, 0.02), progress=False)
    agree = (mixture.cluster(rows, given) == kind.long()).double().mean().item()
    assert max(agree, 1 - agree) > 0.9
    hm.save(mixture, tmp_path / "mixture")
    assert torch.equal(hm.load(tmp_path / "mixture").free_energy(rows, given), mixture.free_energy(rows, given))


def of_one():
    """An RBM, and the mixture of it alone."""
    rbm = hm.RBM(6, hm.Bernoulli(4), hm.Dense(6, 4, scale=0.5, seed=1)).double()
    mixture = hm.MixtureOfRBMs(6, 4, 1).double()
    with torch.no_grad():
        mixture.coupling.weight[:, 0] = 0
        mixture.coupling.weight[:, 1:] = rbm.coupling.weight
    return rbm, mixture


def test_one_component_is_an_rbm():
    """The same free energies, gradients and draws, and the same machine after learning by default."""
    rbm, mixture = of_one()
    rows = (torch.rand(60, 6, generator=torch.Generator().manual_seed(0)) < 0.4).double()
    close(mixture.free_energy(rows), rbm.free_energy(rows).detach(), 1e-12)
    for model in (rbm, mixture):
        contrastive_gradient(model, rows, None, hm.ContrastiveDivergence())
    close(mixture.coupling.weight.grad[:, 1:], rbm.coupling.weight.grad, 1e-12)
    close(mixture.hidden.bias.grad[0, 1:], rbm.hidden.bias.grad, 1e-12)
    close(mixture.visible.bias.grad, rbm.visible.bias.grad, 1e-12)
    rbm, mixture = of_one()
    for model in (rbm, mixture):
        hm.fit(model, rows, batch_size=20, epochs=5, progress=False)
    (component,) = mixture.components
    close(component.coupling.weight, rbm.coupling.weight.detach(), 1e-10)
    close(component.hidden.bias, rbm.hidden.bias.detach(), 1e-10)
    close(component.visible.bias, rbm.visible.bias.detach(), 1e-10)


def test_annealing_each_component():
    mixture = made(seed=5)
    mixture.coupling.weight.data *= 2
    found = hm.likelihood.ais_of_components(mixture, chains=200, betas=200)
    assert found.log_z == pytest.approx(np.log(table(mixture)[1].sum()), abs=4 * found.standard_error)
    assert 0 < found.standard_error < 0.02
    with pytest.raises(TypeError, match=r"takes a mixture of RBMs, found RBM; hm.likelihood.ais takes any RBM"):
        hm.likelihood.ais_of_components(hm.RBM(3, 2))


def test_saved_mixtures_come_back(tmp_path):
    mixture = made("softmax")
    hm.save(mixture, tmp_path / "mixture")
    found = hm.load(tmp_path / "mixture")
    assert type(found) is hm.MixtureOfRBMs
    assert (found.temperature, found.balance) == (mixture.temperature, mixture.balance)
    assert torch.equal(found.free_energy(torch.tensor(EVERY)), mixture.free_energy(torch.tensor(EVERY)))


def test_refusals():
    with pytest.raises(ValueError, match=r"a temperature of 1 or more, found 0\.5"):
        hm.MixtureOfRBMs(4, 2, temperature=0.5)
    with pytest.raises(ValueError, match="at least one layer, found 0"):
        hm.MixtureOfRBMs(4, 2, 0)
    with pytest.raises(ValueError, match=r"bounded discrete units along one axis, such as hm\.Bernoulli\(50\), found Gaussian"):
        hm.MixtureOfRBMs(4, hm.Gaussian(2))
    with pytest.raises(TypeError, match="found 'two'"):
        hm.MixtureOfRBMs(4, "two")


def test_a_temperature_is_above_zero() -> None:
    mixture = hm.MixtureOfRBMs(4, 3, components=2)
    for wrong in (0.0, -1.0, float("inf"), float("nan")):
        with pytest.raises(ValueError, match="a temperature is above 0 and finite"):
            mixture.responsibilities(torch.zeros(2, 4), temperature=wrong)
