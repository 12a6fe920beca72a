"""Mixtures and products of experts against tables in NumPy, which share no code with them."""

import itertools

import numpy as np
import pytest
import torch
from scipy import stats

import harmonium as hm
from tests import oracle
from tests.models.machines import close, machine, plain

EVERY = np.array(list(itertools.product([0, 1], repeat=3)), dtype=float)


def experts(seed=0):
    """Two RBMs, of which one has more hidden states than visible ones, and a layer of independent units; with their log p*(v)."""
    small, wide = machine("bernoulli", hm.Bernoulli(2), seed=seed, size=1.5), machine("bernoulli", hm.Bernoulli(4), seed=seed, size=1.5)
    layer = hm.Bernoulli(3).double()
    layer.bias.data = torch.tensor(np.random.default_rng(seed).normal(size=3))
    return [small, wide, layer]


def unnormalised(expert):
    """log p*(v) of all states."""
    if isinstance(expert, hm.Bernoulli):
        return EVERY @ expert.bias.detach().numpy()
    weight, b, c = (x.detach().numpy() for x in (expert.coupling.weight, expert.visible.bias, expert.hidden.bias))
    return EVERY @ b + np.log1p(np.exp(c + EVERY @ weight)).sum(1)


def normalised(log_terms):
    return np.exp(log_terms - np.logaddexp.reduce(log_terms))


def mixture(seed=0):
    found = hm.Mixture(experts(seed)).double()
    found.logits.data = torch.tensor([0.5, -1.0, 0.2]).double()
    weights = np.exp(found.logits.detach().numpy())
    return found, weights / weights.sum(), np.array([normalised(unnormalised(expert)) for expert in found.experts])


def test_a_mixture_is_the_weighted_average():
    model, weights, each = mixture()
    close(model.log_probability(torch.tensor(EVERY)).exp(), weights @ each, 1e-10)
    close(model.responsibilities(torch.tensor(EVERY)), ((weights[:, None] * each) / (weights @ each)).T, 1e-10)


def test_a_product_is_multiplied_and_normalised():
    model = hm.ProductOfExperts(experts()).double()
    terms = sum(unnormalised(expert) for expert in model.experts)
    assert model.log_z().item() == pytest.approx(np.logaddexp.reduce(terms), abs=1e-10)
    close(model.log_probability(torch.tensor(EVERY)).exp(), normalised(terms), 1e-10)


def test_an_rbm_is_the_product_of_its_hidden_units():
    rbm = machine("bernoulli", "bernoulli", size=1.5)
    parts = [rbm.visible]
    for unit in range(3):
        one = hm.RBM(hm.Bernoulli(3), hm.Bernoulli(1)).double()
        one.coupling.weight.data.copy_(rbm.coupling.weight[:, unit, None])
        one.hidden.bias.data.copy_(rbm.hidden.bias[unit])
        parts.append(one)
    product = hm.ProductOfExperts(parts)
    expected = normalised(-oracle.free_energy(plain(rbm), EVERY))
    close(product.log_probability(torch.tensor(EVERY)).exp(), expected, 1e-10)


@pytest.mark.parametrize("seed", range(10))
def test_sharpness(seed):
    def entropy(p):
        return -(p * np.log(p)).sum(-1)

    model, weights, each = mixture(seed)
    found = model.log_probability(torch.tensor(EVERY)).exp().detach().numpy()
    assert entropy(found) >= weights @ entropy(each) - 1e-12
    assert found.max() <= each.max() + 1e-12
    # Copies of one expert: a mixture of them is no sharper, their product ever sharper.
    one = experts(seed)[0]
    every = torch.tensor(EVERY)
    same = hm.Mixture([one, one]).double().log_probability(every).exp().detach().numpy()
    product = hm.ProductOfExperts([one, one]).log_probability(every).exp().detach().numpy()
    close(same, each[0], 1e-10)
    assert entropy(product) < entropy(each[0])
    assert product.max() > each[0].max()


@pytest.mark.parametrize("kind", [hm.Mixture, hm.ProductOfExperts])
def test_samples(kind):
    model, count = kind(experts()).double(), 40_000
    drawn = model.sample(count, generator=torch.Generator().manual_seed(0)).numpy()
    share = (drawn[:, None] == EVERY).all(2).mean(0)
    terms = np.array([unnormalised(expert) for expert in model.experts])
    p = np.mean([normalised(t) for t in terms], axis=0) if kind is hm.Mixture else normalised(terms.sum(0))
    assert (np.abs(share - p) <= 5 * np.sqrt(p * (1 - p) / count)).all()


def by_differences(model, loss):
    for parameter in model.parameters():
        flat, found = parameter.data.view(-1), np.zeros(parameter.numel())
        for n in range(len(found)):
            flat[n] += 1e-5
            up = loss()
            flat[n] -= 2e-5
            found[n] = (up - loss()) / 2e-5
            flat[n] += 1e-5
        yield parameter, found.reshape(parameter.shape)


@pytest.mark.parametrize("kind", [hm.Mixture, hm.ProductOfExperts])
def test_gradients(kind):
    model, rows, weights = kind(experts()).double(), [1, 4, 4, 7], np.array([1, 0.5, 2, 0.5])

    def loss():
        terms = np.array([unnormalised(expert) for expert in model.experts])
        if kind is hm.ProductOfExperts:
            return -(weights @ np.log(normalised(terms.sum(0)))[rows]) / 4
        mixing = np.exp(model.logits.detach().numpy())
        return -(weights @ np.log(mixing / mixing.sum() @ np.array([normalised(t) for t in terms]))[rows]) / 4

    for fresh, total in ((True, 1.0), (False, 2.0)):
        model.accumulate_gradient(torch.tensor(EVERY[rows]), weights=torch.tensor(weights), scale=1 / 4, fresh=fresh)
        for parameter, expected in by_differences(model, loss):
            close(parameter.grad, total * expected, 1e-7)


def test_the_gradient_is_that_of_the_em_algorithm():
    model, weights, each = mixture()
    rows = [1, 4, 4, 7]
    model.accumulate_gradient(torch.tensor(EVERY[rows]), scale=1 / 4, fresh=True)
    r = ((weights[:, None] * each) / (weights @ each))[:, rows]
    close(model.logits.grad, -(r.mean(1) - weights), 1e-10)
    layer = model.experts[2]
    p = 1 / (1 + np.exp(-layer.bias.detach().numpy()))
    close(layer.bias.grad, -(r[2] @ (EVERY[rows] - p)) / 4, 1e-10)


def test_a_mixture_of_gaussian_layers_is_the_usual_one():
    model = hm.Mixture([hm.Gaussian(1, variance=0.5), hm.Gaussian(1, variance=2.0)])
    model.experts[0].bias.data.fill_(-1.0)
    model.experts[1].bias.data.fill_(3.0)
    x = np.linspace(-4, 8, 25)
    expected = 0.5 * stats.norm.pdf(x, -1, np.sqrt(0.5)) + 0.5 * stats.norm.pdf(x, 3, np.sqrt(2))
    close(model.log_probability(torch.tensor(x[:, None]).float()).exp(), expected, 1e-6)
    drawn = model.sample(20_000, generator=torch.Generator().manual_seed(0))
    assert drawn.mean().item() == pytest.approx(1.0, abs=5 * np.sqrt((1.25 + 4) / 20_000))


def test_a_mixture_of_gaussian_rbms_lists_their_hidden_units():
    parts = [machine(hm.Gaussian(1), hm.Bernoulli(2), seed=seed) for seed in (0, 1)]
    x = torch.linspace(-12, 12, 4001).double()[:, None]
    p = hm.Mixture(parts).double().log_probability(x).exp()
    assert torch.trapezoid(p, x[:, 0]).item() == pytest.approx(1, abs=1e-8)


def test_what_does_not_fit_is_refused():
    with pytest.raises(ValueError, match="at least one expert"):
        hm.Mixture([])
    with pytest.raises(ValueError, match="the same data"):
        hm.ProductOfExperts([hm.Bernoulli(3), hm.Spin(3)])
    with pytest.raises(ValueError, match="infinitely many"):
        hm.ProductOfExperts([hm.Gaussian(2), hm.Gaussian(2)]).log_z()
    with pytest.raises(ValueError, match=r"at most 2\^16, found 2\^20"):
        hm.Mixture([hm.RBM(hm.Bernoulli(20), hm.Bernoulli(30))]).log_probability(torch.zeros(1, 20))
    with pytest.raises(ValueError, match="0 or 1"):
        hm.Mixture([hm.Bernoulli(3)]).log_probability(torch.full((1, 3), 0.5))


@pytest.mark.parametrize("kind", [hm.Mixture, hm.ProductOfExperts])
def test_files(kind, tmp_path):
    model = kind(experts()).double()
    hm.save(model, tmp_path / "model.safetensors")
    again = hm.load(tmp_path / "model.safetensors")
    assert type(again) is kind
    assert torch.equal(again.log_probability(torch.tensor(EVERY)), model.log_probability(torch.tensor(EVERY)))


def test_an_array_is_answered_with_an_array():
    for model in (hm.Mixture([hm.Bernoulli(4)]), hm.ProductOfExperts([hm.Bernoulli(4)])):
        np.testing.assert_allclose(model.log_probability(np.zeros((2, 4))), -4 * np.log(2), rtol=1e-6)
