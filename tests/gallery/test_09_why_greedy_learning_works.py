"""The variational bound before, with and after a second layer, by sums over every state in NumPy."""

import itertools

import numpy as np
import torch
from scipy.special import expit, logsumexp

from tests.gallery.scripts import run


def states(units: int) -> np.ndarray:
    return np.array(list(itertools.product([0.0, 1.0], repeat=units)))


def log_bernoulli(x: np.ndarray, logits: np.ndarray) -> np.ndarray:
    """log p of each state (rows) under each row of logits: (states, rows)."""
    return x @ logits.T - np.logaddexp(0, logits).sum(1)


def parameters(rbm: torch.nn.Module) -> list[np.ndarray]:
    return [part.detach().numpy() for part in (rbm.coupling.weight, rbm.visible.bias, rbm.hidden.bias)]


def summed(net: torch.nn.Module, v: np.ndarray) -> tuple[float, float]:
    """The mean log p(v) and the mean bound."""
    first, second = net.rbms
    weight, visible, hidden = parameters(first)
    upper, generative, top = parameters(second)
    h = states(len(hidden))
    prior = h @ generative + np.logaddexp(0, h @ upper + top).sum(1)
    prior = prior - logsumexp(prior)
    log_down = log_bernoulli(v, h @ weight.T + visible)
    log_q = log_bernoulli(h, v @ weight + hidden).T
    assert np.allclose(np.exp(log_q).sum(1), 1)
    return logsumexp(log_down + prior, axis=1).mean(), (np.exp(log_q) * (log_down + prior - log_q)).sum(1).mean()


def rbm_log_p(rbm: torch.nn.Module, v: np.ndarray) -> float:
    """The mean log p(v), from the joint table of energies."""
    weight, visible, hidden = parameters(rbm)
    every, h = states(len(visible)), states(len(hidden))
    log_z = logsumexp((every @ visible)[:, None] + h @ hidden + every @ weight @ h.T)
    return (logsumexp((v @ visible)[:, None] + h @ hidden + v @ weight @ h.T, axis=1) - log_z).mean()


def test_why_greedy_learning_works() -> None:
    found = run("plot_09_why_greedy_learning_works")
    assert found["figures"] == ["why_greedy_learning_works"]
    curves, old = found["curves"], found["old"]
    assert len(old) == 10
    for number in range(10):
        v = found["cases"][number].numpy()
        assert abs(old[number] - rbm_log_p(found["firsts"][number], v)) < 1e-9
        for start in ("tied", "random", "two units"):
            log_p, bound = curves[start, number].numpy()
            np.testing.assert_allclose((log_p[-1], bound[-1]), summed(found["nets"][start, number], v), atol=1e-9)
            assert (log_p >= bound - 1e-12).all()
            assert (np.diff(bound) > -1e-12).all()  # an exact step on E_Q log p(h)
        log_p, bound = curves["tied", number].numpy()
        assert abs(log_p[0] - old[number]) < 1e-8
        assert abs(bound[0] - old[number]) < 1e-8
        assert (bound >= old[number] - 1e-12).all()
        assert bound[-1] > old[number] + 0.01
        assert not found["falls"]["tied", number]
        for start in ("random", "two units"):
            assert curves[start, number][1, 0] < old[number] - 0.1

    # After the start nothing is promised: on some machines log p falls while its bound rises.
    for start, machines in (("random", 5), ("two units", 4)):
        assert sum(found["falls"][start, number] > 0 for number in range(10)) == machines
        assert sum(bool(curves[start, number][1, -1] > old[number]) for number in range(10)) == 8
    log_p, bound = curves["random", 5].numpy()
    assert log_p[:20].max() > log_p[-1] + 0.01
    assert bound[-1] > bound[log_p.argmax()] + 0.05


def test_the_step_is_the_gradient_of_the_prior() -> None:
    """The second layer's first step follows the slope of Σ q(h) log p(h), by central differences of the enumerated sum."""
    found = run("plot_09_why_greedy_learning_works", **{"MACHINES, STEPS": "6, 1"})
    v, first, second = found["cases"][4].numpy(), found["firsts"][4], found["nets"]["tied", 4].top
    weight, visible, hidden = parameters(first)
    h = states(len(hidden))
    visits = expit(v @ weight + hidden)
    share = np.prod(np.where(h[:, None] == 1, visits, 1 - visits), axis=2).mean(1)

    def expected(upper: np.ndarray, generative: np.ndarray, top: np.ndarray) -> float:
        prior = h @ generative + np.logaddexp(0, h @ upper + top).sum(1)
        return float(share @ prior - logsumexp(prior))

    before = [weight.T, hidden, visible]
    for place, (start, end) in enumerate(zip(before, parameters(second), strict=True)):
        for index in np.ndindex(start.shape):
            shifted = [[part.copy() for part in before] for _ in range(2)]
            shifted[0][place][index] += 1e-5
            shifted[1][place][index] -= 1e-5
            slope = (expected(*shifted[0]) - expected(*shifted[1])) / 2e-5
            assert abs((end - start)[index] - 0.3 * slope) < 1e-8
