"""The oracle's own tables against closed forms, so that its truncated lists and quadrature are themselves tested."""

import math

import numpy as np
import pytest
from scipy import integrate, stats

from tests import oracle


def moments(part, input):
    """log Σ exp(-energy + input · x), mean and variance of one unit, by the table."""
    x, measure = oracle.table((part,))
    log_terms = measure - oracle.layer_energy((part,), x) + input * oracle.statistic((part,), x)[:, 0]
    log_partition = oracle.logsumexp(log_terms)
    p = np.exp(log_terms - log_partition)
    mean = p @ x[:, 0]
    return log_partition, mean, p @ (x[:, 0] - mean) ** 2


@pytest.mark.parametrize("variance", [0.7, 1.0, 1.5])
@pytest.mark.parametrize("bias", [-1.5, 0.2, 1.5])
@pytest.mark.parametrize("input", [-3.0, 0.0, 2.0])
def test_truncated_gaussian(bias, variance, input):
    found = moments(oracle.Part("truncated", np.array([bias]), variance=np.array([variance])), input)
    σ, mean = math.sqrt(variance), bias + input
    exact = stats.truncnorm(-mean / σ, math.inf, loc=mean, scale=σ)
    log_partition = input * (bias + input / 2) / variance + 0.5 * math.log(2 * math.pi * variance) + stats.norm.logcdf(mean / σ)
    np.testing.assert_allclose(found, [log_partition, exact.mean(), exact.var()], rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("log_rate", [-0.8, 0.0, 0.8])
@pytest.mark.parametrize("share", [-2.0, -1.0, 0.0, 0.3, 0.5])
def test_exponential(log_rate, share):
    rate = math.exp(log_rate)
    left = rate * (1 - share)
    found = moments(oracle.Part("exponential", np.array([log_rate])), share * rate)
    np.testing.assert_allclose(found, [-math.log(left), 1 / left, 1 / left**2], rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("log_mean", [-3.0, 0.0, 1.3])
def test_poisson(log_mean):
    found = moments(oracle.Part("poisson", np.array([0.3])), log_mean - 0.3)
    np.testing.assert_allclose(found, [math.exp(log_mean)] * 3, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("total", [-4.0, 0.3, 2.0, 6.0])
def test_stepped_sigmoid_without_end(total):
    """Copies that are all independent given the input: products and sums over the copies, one by one."""
    found = moments(oracle.Part("stepped", np.array([0.5])), total - 0.5)
    copies = total - np.arange(200) - 0.5
    p = 1 / (1 + np.exp(-copies))
    np.testing.assert_allclose(found, [np.logaddexp(0, copies).sum(), p.sum(), (p * (1 - p)).sum()], rtol=1e-8, atol=1e-8)


@pytest.mark.parametrize("kind", ["binomial", "stepped"])
def test_copies(kind):
    found = moments(oracle.Part(kind, np.array([0.5]), copies=4), 0.9)
    copies = 1.4 - (np.arange(4) + 0.5 if kind == "stepped" else np.zeros(4))
    p = 1 / (1 + np.exp(-copies))
    np.testing.assert_allclose(found, [np.logaddexp(0, copies).sum(), p.sum(), (p * (1 - p)).sum()], rtol=1e-12)


def test_documents():
    """One log-partition per length: that of a softmax, times the number of words."""
    part = oracle.Part("words", np.array([0.2, -0.4, 0.9]), length=3)
    x, measure = oracle.table((part,))
    assert len(x) == 27
    assert (x.sum(1) == 3).all()
    assert oracle.logsumexp(measure - oracle.layer_energy((part,), x)) == pytest.approx(3 * oracle.logsumexp(part.bias))
    assert (oracle.statistic((part,), x)[:, 3] == 3).all()


def test_pooled_blocks():
    x, _ = oracle.table((oracle.Part("pooled", np.zeros(4), blocks=((0, 2), (1, 3))),))
    assert sorted(map(tuple, x)) == sorted((a, b, c, d) for a, c in ((0, 0), (1, 0), (0, 1)) for b, d in ((0, 0), (1, 0), (0, 1)))


def test_a_pair_of_real_layers_against_adaptive_quadrature():
    machine = oracle.Machine(
        (oracle.Part("truncated", np.array([0.4]), variance=np.array([0.8])),),
        (oracle.Part("exponential", np.array([0.2])),),
        np.array([[-0.3]]),
    )

    def density(y, x):
        return math.exp(-((x - 0.4) ** 2) / 1.6 - math.exp(0.2) * y - 0.3 * x / 0.8 * y)

    assert oracle.log_z(machine) == pytest.approx(math.log(integrate.dblquad(density, 0, 12, 0, 60, epsabs=1e-10)[0]), abs=1e-6)


def test_convolution_in_one_dimension():
    """Against numpy's own correlation."""
    draw = np.random.default_rng(0)
    kernels, signal = draw.normal(size=(1, 1, 3)), draw.normal(size=7)
    matrix = oracle.convolution_matrix(kernels, (1, 7), (1,), (2,))
    np.testing.assert_allclose(signal @ matrix, np.correlate(signal, kernels[0, 0], "full"))
    strided = oracle.convolution_matrix(kernels, (1, 7), (2,), (0,))
    np.testing.assert_allclose(signal @ strided, np.correlate(signal, kernels[0, 0], "valid")[::2])
