"""A community of experts: its likelihood by SciPy's normal densities, its bars and its top gate counted anew."""

import itertools

import numpy as np
import pytest
from scipy import stats
from scipy.special import expit, logsumexp

from tests.gallery.scripts import run


def test_community_of_experts() -> None:
    found = run("plot_34_community_of_experts", **{"SIDE, SEEDS, EPOCHS, LONG": "6, 1, 100, 150"})
    assert found["figures"] == ["community_of_experts"]
    net, test = found["net"], found["test"].double().numpy()
    weight = net.experts[0].coupling.weight.detach().double().numpy()
    b, c, mean = (each.bias.detach().double().numpy() for each in (net.experts[0].unit, net.top_gates, net.top_linear))
    noise = np.exp(net.visible.log_variance.detach().double().numpy())
    terms = []
    for gates in itertools.product([0.0, 1.0], repeat=12):
        if sum(gates) > 6:  # which has a probability below 0.001
            continue
        s = np.array(gates)
        log_share = np.log(np.where(s == 1, expit(c), expit(-c))).sum()
        part = weight * s
        terms.append(log_share + stats.multivariate_normal(b + part @ mean, part @ part.T + np.diag(noise)).logpdf(test[:40]))
    own = logsumexp(np.array(terms), axis=0)
    assert net.log_probability(found["test"][:40]).detach().numpy() == pytest.approx(own, abs=0.02)

    bars = np.concatenate([np.kron(np.ones((6, 1)), np.eye(6)[each][None]).reshape(1, -1) for each in range(6)])
    bars = np.concatenate([bars, bars.reshape(6, 6, 6).transpose(0, 2, 1).reshape(6, 36)])
    cosine = np.abs((weight / np.linalg.norm(weight, axis=0)).T @ bars.T / np.sqrt(6))
    assert (cosine.max(0) > 0.97).sum() >= 11
    assert max(found["found"]) >= 11
    scores = found["scores"]
    assert scores["community of experts"] > max(scores["factor analyser"], scores["Gaussian"]) + 10
    assert found["noise"] == pytest.approx(0.3, abs=0.02)

    influence, is_upright = found["influence"].numpy(), found["is_upright"].numpy()
    assert abs(influence[is_upright].mean() - influence[~is_upright].mean()) > 3
    assert found["right"] > 0.8
    assert found["upright"].float().mean().item() == pytest.approx(0.5, abs=0.12)
