"""Clusters of digits: the figures counted one by one, and the clusters from free energies written out."""

import numpy as np
import pytest
from scipy.special import logsumexp

from tests.gallery.scripts import run


def test_implicit_mixture() -> None:
    found = run("plot_29_implicit_mixture")
    assert found["figures"] == ["implicit_mixture"]
    labels, clusters = found["labels"], found["found"]

    def purity(each: np.ndarray) -> float:
        return float(sum(max((labels[each == k] == digit).sum() for digit in range(10)) for k in range(10)) / len(labels))

    def information(each: np.ndarray) -> float:
        joint = np.array([[((each == k) & (labels == digit)).mean() for digit in range(10)] for k in range(10)])
        entropies = [-(p[p > 0] * np.log(p[p > 0])).sum() for p in (joint, joint.sum(0), joint.sum(1))]
        return float(2 * (entropies[1] + entropies[2] - entropies[0]) / (entropies[1] + entropies[2]))

    for figure in (purity, information):
        assert figure(clusters["mixture of RBMs"]) > figure(clusters["k-means"])

    x, mixture = found["images"].double().numpy(), found["mixture"]
    weight, bias = (tensor.detach().double().numpy() for tensor in (mixture.coupling.weight, mixture.hidden.bias))
    inputs = (x @ weight).reshape(len(x), 10, 21) + bias
    log_terms = inputs[..., 0] + np.logaddexp(0, inputs[..., 1:]).sum(-1)
    assert (log_terms.argmax(1) == clusters["mixture of RBMs"]).mean() > 0.999
    shares = np.exp(log_terms - logsumexp(log_terms, axis=1, keepdims=True)).mean(0)
    assert shares == pytest.approx(np.full(10, 0.1), abs=0.03)
