"""An RBM against a mixture of factor analysers: both densities written out in NumPy and SciPy, and who wins where."""

import itertools

import numpy as np
import pytest
from scipy import stats
from scipy.special import logsumexp

from tests.gallery.scripts import run


def of_rbm(rbm, v):
    """log p(v) as a mixture over hidden states h of N(b + W h, σ²), whose shares are the integrals of exp(-E) over v."""
    weight, b, c = (each.detach().numpy() for each in (rbm.coupling.weight, rbm.visible.bias, rbm.hidden.bias))
    variance = rbm.visible.log_variance.exp().detach().numpy()
    states = np.array(list(itertools.product([0, 1], repeat=len(c))), dtype=float)
    means = b + states @ weight.T
    share = states @ c + ((means**2 - b**2) / (2 * variance)).sum(1)
    terms = share - logsumexp(share) + stats.norm.logpdf(v[:, None], means, np.sqrt(variance)).sum(-1)
    return logsumexp(terms, axis=1)


def of_analysers(model, v):
    logits, mean, loadings, log_variance = (parameter.detach().numpy() for parameter in model.parameters())
    terms = [
        share + stats.multivariate_normal(m, each @ each.T + np.diag(psi)).logpdf(v)
        for share, m, each, psi in zip(logits - logsumexp(logits), mean, loadings, np.exp(log_variance), strict=True)
    ]
    return logsumexp(terms, axis=0)


def test_mixture_of_factor_analysers() -> None:
    found = run("plot_28_mixture_of_factor_analysers")
    assert found["figures"] == ["mixture_of_factor_analysers"]
    scores, density = found["scores"], {"RBM": of_rbm, "factor analysers": of_analysers}
    cell = (2 * found["LIMIT"] / 200) ** 2
    for name, (_, test) in found["data"].items():
        for model, log_p in found["found"][name].items():
            own = density[model](found["learnt"][name][model], test.numpy())
            np.testing.assert_allclose(log_p(test), own, atol=1e-8)
            assert own.mean() == pytest.approx(scores[name][model], abs=1e-8)
            assert log_p(found["plane"]).exp().sum().item() * cell == pytest.approx(1, abs=0.03)  # a little lies outside the picture
    assert scores["arms"]["factor analysers"] > scores["arms"]["RBM"] + 0.7
    assert scores["grid"]["RBM"] > scores["grid"]["factor analysers"] + 0.3
    # The mixture's density of the arms is about that which generated them: 0.7 and 0.12 along and across, four of them.
    entropy = np.log(2 * np.pi * np.e * 0.7 * 0.12) + np.log(4)
    assert scores["arms"]["factor analysers"] == pytest.approx(-entropy, abs=0.1)
    assert abs(found["sizes"]["RBM"] - found["sizes"]["factor analysers"]) == 1
