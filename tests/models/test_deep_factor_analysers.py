"""Deep mixtures of factor analysers against their integral over the factors, by quadrature, and against the mixture written out."""

import numpy as np
import pytest
import torch
from scipy import integrate, stats
from scipy.special import logsumexp

import harmonium as hm

from .machines import close


def jumbled(found, seed=0):
    draw = np.random.default_rng(seed)
    for parameter in found.parameters():
        parameter.data.copy_(torch.tensor(draw.normal(size=tuple(parameter.shape))))
    return found


def deep(factors=2, noise="each", seed=0):
    return jumbled(hm.DeepMixtureOfFactorAnalysers(hm.MixtureOfFactorAnalysers(4, 2, factors, noise=noise), 3, 1), seed)


def plain(found):
    """Log-proportions, means, loadings and variances of a flat mixture, as arrays."""
    logits, mean, loadings, log_variance = (parameter.detach().numpy() for parameter in found.parameters())
    return logits - logsumexp(logits), mean, loadings, np.broadcast_to(np.exp(log_variance), mean.shape)


def cases(count=20):
    return 2 * np.random.default_rng(1).normal(size=(count, 4))


@pytest.mark.parametrize("noise", ["each", "shared"])
def test_the_collapse_is_the_mixture_of_all_pairs(noise):
    """Each pair's covariance is L (A A' + Φ) L' + Ψ, with and without missing values."""
    found, v = deep(noise=noise), cases()
    missing = np.random.default_rng(2).random(v.shape) < 0.3
    terms = [[], []]
    for share, mean, loadings, variance, prior in zip(*plain(found.base), found.priors, strict=True):
        for log_mixing, m, a, phi in zip(*plain(prior), strict=True):
            centre, covariance = mean + loadings @ m, loadings @ (a @ a.T + np.diag(phi)) @ loadings.T + np.diag(variance)
            terms[0].append(share + log_mixing + stats.multivariate_normal(centre, covariance).logpdf(v))
            seen = [
                stats.multivariate_normal(centre[s], covariance[np.ix_(s, s)]).logpdf(row[s]) if s.any() else 0.0
                for row, s in zip(v, ~missing, strict=True)
            ]
            terms[1].append(share + log_mixing + np.array(seen))
    close(found.log_likelihood(torch.tensor(v)), logsumexp(terms[0], axis=0), 1e-10)
    close(found.flat().log_likelihood(torch.tensor(v)), logsumexp(terms[0], axis=0), 1e-10)
    close(found.log_likelihood(np.where(missing, np.nan, v), hm.Given(missing=missing)), logsumexp(terms[1], axis=0), 1e-10)


def test_the_density_is_the_integral_over_the_factors():
    """Σ_k π_k ∫ N(v; μ + L z, Ψ) p_k(z) dz on a grid of z: nothing here knows that the integral is Gaussian."""
    found, v = deep(factors=1), cases(5)
    z = np.linspace(-15, 15, 20_001)
    total = np.zeros(len(v))
    for share, mean, loadings, variance, prior in zip(*plain(found.base), found.priors, strict=True):
        given_z = stats.norm.pdf(v[:, None], mean + z[:, None] * loadings[:, 0], np.sqrt(variance)).prod(-1)
        density = sum(
            np.exp(log_mixing) * stats.norm.pdf(z, m[0], np.sqrt(a[0, 0] ** 2 + phi[0]))
            for log_mixing, m, a, phi in zip(*plain(prior), strict=True)
        )
        total += np.exp(share) * integrate.trapezoid(given_z * density, z)
    close(found.log_likelihood(torch.tensor(v)), np.log(total), 1e-8)


def test_before_learning_it_is_its_base():
    base = jumbled(hm.MixtureOfFactorAnalysers(4, 2, 2))
    found = hm.DeepMixtureOfFactorAnalysers(base, 3, 2)
    close(found.log_likelihood(cases()), base.log_likelihood(cases()), 1e-12)


def test_samples_come_from_the_top():
    """Ancestral sampling in NumPy has the same moments, in standard errors."""
    found, count, draw = deep(), 40_000, np.random.default_rng(3)
    drawn = found.sample(count, generator=torch.Generator().manual_seed(0)).numpy()
    log_mixing, mean, loadings, variance = plain(found.base)
    own = []
    for k, prior in enumerate(found.priors):
        size = round(count * np.exp(log_mixing[k]))
        shares, m, a, phi = plain(prior)
        c = draw.choice(3, size, p=np.exp(shares))
        z = m[c] + (a[c] @ draw.normal(size=(size, 1, 1)))[..., 0] + np.sqrt(phi[c]) * draw.normal(size=(size, 2))
        own.append(mean[k] + z @ loadings[k].T + np.sqrt(variance[k]) * draw.normal(size=(size, 4)))
    own = np.concatenate(own)
    for power in (1, 2):
        error = np.hypot((drawn**power).std(0), (own**power).std(0)) / np.sqrt(count)
        assert (np.abs((drawn**power).mean(0) - (own**power).mean(0)) <= 5 * error).all()


def ring(count, seed):
    """Three bent curves in four dimensions, whose factors are not Gaussian."""
    draw = np.random.default_rng(seed)
    turn = draw.uniform(0, 2 * np.pi, count)
    flat = np.stack([np.cos(turn), np.sin(turn)], axis=1) @ np.array([[1.0, 0.5, -0.5, 2.0], [0.3, -1.0, 1.0, 0.2]])
    return 3 * flat + 8 * draw.integers(0, 3, count)[:, None] + 0.3 * draw.normal(size=(count, 4))


def test_learning_finds_priors_that_are_not_gaussian():
    data, new = ring(3000, 0), ring(2000, 1)
    base = hm.MixtureOfFactorAnalysers(4, 3, 2)
    base.fit(data)
    kept = [parameter.clone() for parameter in base.parameters()]
    found = hm.DeepMixtureOfFactorAnalysers(base, 6, 1)
    before, after = found.fit(data).tolist()
    assert before == pytest.approx(base.log_likelihood(data).mean(), abs=1e-10)
    assert after == pytest.approx(found.log_likelihood(data).mean(), abs=1e-10)
    assert after > before + 0.3
    assert found.log_likelihood(new).mean() > base.log_likelihood(new).mean() + 0.3
    assert all(torch.equal(one, other) for one, other in zip(kept, base.parameters(), strict=True))
    # The flat mixture goes on from there, and never down.
    history = found.flat().fit(data, iterations=5, start=False)
    assert history[0].item() == pytest.approx(after, abs=1e-9)
    assert (history.diff() >= 0).all()


def test_gradients_reach_every_parameter():
    found, v = deep(), torch.tensor(cases(6))
    found.log_likelihood(v).mean().backward()
    for parameter in found.parameters():
        flat = parameter.data.view(-1)
        for n in range(len(flat)):
            before = flat[n].item()
            flat[n] = before + 1e-5
            up = found.log_likelihood(v).mean().item()
            flat[n] = before - 1e-5
            assert (up - found.log_likelihood(v).mean().item()) / 2e-5 == pytest.approx(parameter.grad.view(-1)[n].item(), abs=1e-7)
            flat[n] = before


def test_files(tmp_path):
    found = deep(noise="shared")
    hm.save(found, tmp_path / "model")
    again = hm.load(tmp_path / "model")
    assert type(again) is hm.DeepMixtureOfFactorAnalysers
    assert torch.equal(again.log_likelihood(torch.tensor(cases())), found.log_likelihood(torch.tensor(cases())))


def test_what_does_not_fit_is_refused():
    with pytest.raises(ValueError, match="a base with factors"):
        hm.DeepMixtureOfFactorAnalysers(hm.MixtureOfFactorAnalysers(4, 2, 0), 3, 0)
    with pytest.raises(ValueError, match="found factors=3 and visible=2"):
        hm.DeepMixtureOfFactorAnalysers(hm.MixtureOfFactorAnalysers(4, 2, 2), 3, 3)
    with pytest.raises(ValueError, match=r"rows of shape \(cases, 4\)"):
        deep().fit(cases()[:, :3])
