"""Exact moments and the log Z of documents, against every joint state in a table."""

import itertools
import math

import numpy as np
import pytest
import torch

import harmonium as hm
from harmonium.likelihood import exact_log_z, exact_moments
from harmonium.likelihood.exact_log_z import count_vectors
from harmonium.units import Given
from tests import gapped, oracle
from tests.models.machines import EVERY_PAIR, allowed, close, given, machine, named, plain, randomise

LISTED = ("bernoulli", "softmax", "spin", "binomial", "stepped", "pooled")
ENDLESS = ("learnt_gaussian", "gaussian_bernoulli", "poisson", "learnt_truncated", "exponential", "replicated", "replicated_bernoulli")
SOME = [
    *(("bernoulli", kind) for kind in (*LISTED, *ENDLESS[:5])),
    *((kind, "spin") for kind in (*LISTED, *ENDLESS)),
    ("replicated", "poisson"),
    ("replicated_bernoulli", "gaussian_bernoulli"),
]
SOME = [pair for pair in dict.fromkeys(SOME) if pair in EVERY_PAIR]


def expected(exact):
    """E[v], E[h] and E[s_v s_h'] over the table."""
    v, h, p = oracle.joint_distribution(exact)
    return p.sum(1) @ v, p.sum(0) @ h, oracle.statistic(exact.visible, v).T @ p @ oracle.statistic(exact.hidden, h)


@pytest.mark.parametrize(("visible", "hidden"), SOME)
def test_moments_and_gradient_of_every_kind(visible, hidden):
    rbm = machine(visible, hidden, seed=2)
    exact = plain(rbm)
    found = exact_moments(rbm, given=given(rbm.visible))
    assert found.log_z == pytest.approx(oracle.log_z(exact), abs=1e-5)
    for one, other in zip((found.visible, found.hidden, found.product), expected(exact), strict=True):
        assert one.dtype == torch.float64
        close(one, other)
    by_parameter = {parameter: found.energy_gradient[name] for name, parameter in rbm.named_parameters() if parameter.requires_grad}
    assert len(by_parameter) == len(found.energy_gradient)
    assert all(parameter.grad is None for parameter in rbm.parameters())
    for key, slope in oracle.numerical_gradient(exact, oracle.log_z).items():
        parameter = named(rbm, key)
        if parameter is not None:
            close(by_parameter.pop(parameter).reshape(slope.shape), -slope, 1e-4)
    assert not by_parameter


@pytest.mark.parametrize("sizes", [(3, 5), (5, 3), (15, 16)])
def test_the_side_that_is_listed_does_not_matter(sizes):
    """Independent units, of known means; the last machine is of several blocks."""
    rbm = hm.RBM(hm.Bernoulli(sizes[0]), hm.Bernoulli(sizes[1]))
    draw = np.random.default_rng(1)
    rbm.coupling.weight.data.zero_()
    for unit in (rbm.visible, rbm.hidden):
        unit.bias.data = torch.tensor(draw.normal(size=unit.shape)).float()
    found = exact_moments(rbm)
    v, h = (1 / (1 + np.exp(-unit.bias.detach().double().numpy())) for unit in (rbm.visible, rbm.hidden))
    for one, other in zip((found.visible, found.hidden, found.product), (v, h, np.outer(v, h)), strict=True):
        close(one, other, 1e-10)


@pytest.mark.parametrize("visible", gapped.KINDS)
def test_absent_units_have_no_moments(visible):
    rbm = machine(visible, "bernoulli", seed=3)
    gap = gapped.mask(plain(rbm), 6, 2)
    row = next(row for row in gap if row.any() and not row.all())
    small = oracle.without(plain(rbm), ~row)
    found = exact_moments(rbm, given=Given(present=torch.tensor(~row)))
    mean, hidden, product = expected(small)
    close(found.visible[torch.tensor(~row)], mean)
    close(found.hidden, hidden)
    assert not found.visible[torch.tensor(row)].any()
    close(found.product[torch.tensor(~row)], product)
    assert not found.product[torch.tensor(row)].any()


@pytest.mark.parametrize("hidden", [2, 6])
@pytest.mark.parametrize("kind", [hm.Bernoulli, hm.Spin])
def test_absent_units_where_either_side_is_listed(kind, hidden):
    rbm = hm.RBM(kind(4), hm.Bernoulli(hidden), hm.Dense(4, hidden, scale=1.0, seed=2)).double()
    present = np.array([True, False, True, True])
    small = oracle.without(plain(rbm), present)
    found = exact_moments(rbm, given=Given(present=torch.tensor(present)))
    mean, hidden_mean, _ = expected(small)
    close(found.visible, np.insert(mean, 1, 0.0), 1e-9)
    close(found.hidden, hidden_mean, 1e-9)
    assert found.log_z == pytest.approx(oracle.log_z(small), abs=1e-9)


@pytest.mark.parametrize("hidden", [2, 6])
def test_a_context(hidden):
    rbm = hm.RBM(hm.Bernoulli(4), hm.Bernoulli(hidden), hm.Conditional(hm.Dense(4, hidden), 2)).double()
    for parameter in rbm.parameters():
        parameter.data.normal_(generator=torch.Generator().manual_seed(len(parameter)))
    context = torch.tensor([0.5, -1.0], dtype=torch.float64)
    found = exact_moments(rbm, given=Given(context=context))
    shifts = (context @ rbm.coupling.dynamic[side].detach() for side in ("visible", "hidden"))
    base = plain(hm.RBM(rbm.visible, rbm.hidden, rbm.coupling.coupling))
    exact = oracle.Machine(base.visible, base.hidden, base.weight, *(shift.numpy() for shift in shifts))
    for one, other in zip((found.visible, found.hidden, found.product), expected(exact), strict=True):
        close(one, other, 1e-9)
    close(found.energy_gradient["coupling.dynamic.hidden"], -np.outer(context, expected(exact)[1]), 1e-9)


def test_exact_maximum_likelihood_of_a_tiny_machine():
    """Gradient ascent by the data's phase and these moments ends where the two agree, and never falls on the way."""
    rbm = hm.RBM(hm.Bernoulli(3), hm.Bernoulli(4), hm.Dense(3, 4, scale=0.5, seed=1)).double()
    data = torch.tensor([[1, 1, 0], [0, 0, 1], [1, 0, 0], [1, 1, 0]], dtype=torch.float64)
    likelihoods = []
    for _ in range(300):
        model = exact_moments(rbm)
        likelihoods.append(hm.likelihood.log_likelihood(rbm, data, log_z=model.log_z).mean().item())
        rbm.accumulate_gradient(rbm.infer(data), scale=1 / len(data), fresh=True)
        with torch.no_grad():
            for name, parameter in rbm.named_parameters():
                parameter -= 0.5 * (parameter.grad - model.energy_gradient[name])
    assert (np.diff(likelihoods) > -1e-9).all()
    assert likelihoods[-1] > -1.5 * math.log(2) - 0.15  # minus the entropy of the data
    close(exact_moments(rbm).visible, data.mean(0), 0.02)


def test_refusals():
    with pytest.raises(ValueError, match="both sides: Gaussian and Gaussian"):
        exact_moments(machine("gaussian", "gaussian"))
    with pytest.raises(ValueError, match=r"2\^26"):
        exact_moments(hm.RBM(hm.Bernoulli(30), hm.Bernoulli(26)))
    with pytest.raises(TypeError, match="NoisyReLU"):
        exact_moments(hm.RBM(hm.Bernoulli(3), hm.NoisyReLU(2)))


UNBOUNDED = ("gaussian", "learnt_gaussian", "poisson", "truncated", "exponential", "unbounded_stepped", "gaussian_bernoulli", "stepped")


@pytest.mark.parametrize("hidden", UNBOUNDED)
@pytest.mark.parametrize("words", [1, 3, 4])
def test_documents_of_a_length_are_listed(hidden, words):
    """The oracle lists sequences of words, the package vectors of counts with their multinomial coefficients."""
    rbm = machine("replicated", hidden)
    found = exact_log_z(rbm, given=Given(length=torch.tensor(words)))
    close(found, oracle.log_z(plain(rbm, words)))


@pytest.mark.parametrize("hidden", ["gaussian", "poisson"])
def test_documents_beside_other_units(hidden):
    rbm = hm.RBM(hm.Groups(hm.Bernoulli(2), hm.ReplicatedSoftmax(3), hm.Spin(1)), machine("spin", hidden).hidden).double()
    draw = np.random.default_rng(0)
    randomise(rbm.visible, draw)
    rbm.coupling.weight.data = torch.tensor(allowed(draw.normal(size=rbm.coupling.weight.shape), rbm.visible, rbm.hidden, 0.7))
    close(exact_log_z(rbm, given=Given(length=torch.tensor(3.0))), oracle.log_z(plain(rbm, 3)))
    present = np.array([True, False, True, True, True, True])
    side = Given(length=torch.tensor(3.0), present=torch.tensor(present))
    close(exact_log_z(rbm, given=side), oracle.log_z(oracle.without(plain(rbm, 3), present)))


@pytest.mark.parametrize(("length", "categories"), [(0, 3), (1, 2), (5, 2), (4, 4), (2, 9)])
def test_every_vector_of_counts_once(length, categories):
    expected = {row for row in itertools.product(range(length + 1), repeat=categories) if sum(row) == length}
    found = count_vectors(length, categories, torch.arange(len(expected))).tolist()
    assert len(found) == len({tuple(row) for row in found})
    assert {tuple(row) for row in found} == expected


def test_independent_words_of_long_documents():
    """Without weights log Z is D log Σ exp(b), here of 39,711 vectors of counts, beside that of a Gaussian layer."""
    rbm = hm.RBM(hm.ReplicatedSoftmax(4), hm.Gaussian(1)).double()
    rbm.coupling.weight.data.zero_()
    rbm.visible.bias.data = torch.tensor([0.3, -1.0, 0.5, 2.0], dtype=torch.float64)
    found = exact_log_z(rbm, given=Given(length=torch.tensor(60)))
    alone = 60 * np.log(np.exp(rbm.visible.bias.detach().numpy()).sum()) + 0.5 * math.log(2 * math.pi)
    assert found == pytest.approx(alone, abs=1e-9)


def test_documents_that_cannot_be_listed():
    rbm = machine("replicated", "gaussian")
    with pytest.raises(ValueError, match="length"):
        exact_log_z(rbm)
    with pytest.raises(ValueError, match=r"one length.*2\.5"):
        exact_log_z(rbm, given=Given(length=torch.tensor(2.5)))
    with pytest.raises(ValueError, match=r"one length.*\[2, 3\]"):
        exact_log_z(rbm, given=Given(length=torch.tensor([2, 3])))
    with pytest.raises(ValueError, match=r"vectors of counts.*at most 2\^25"):
        exact_log_z(hm.RBM(hm.ReplicatedSoftmax(50), hm.Gaussian(2)), given=Given(length=torch.tensor(40)))
