"""Mixtures of factor analysers against SciPy's normal densities, scikit-learn's estimators, and NumPy's conditional Gaussians."""

import numpy as np
import pytest
import torch
from scipy import stats
from scipy.special import logsumexp
from sklearn.cluster import KMeans
from sklearn.decomposition import FactorAnalysis
from sklearn.mixture import GaussianMixture

import harmonium as hm
from harmonium.models import factor_cases, factor_start
from harmonium.models.factor_cases import as_cases
from harmonium.models.factor_em import expect, maximise

from .machines import close

UNITS, COMPONENTS, FACTORS = 5, 3, 2


def model(seed=0, noise="each", units=UNITS, components=COMPONENTS, factors=FACTORS):
    """Unequal proportions, means, loadings and variances, all at random."""
    found, draw = hm.MixtureOfFactorAnalysers(units, components, factors, noise=noise), np.random.default_rng(seed)
    for parameter in found.parameters():
        parameter.data.copy_(torch.tensor(draw.normal(size=tuple(parameter.shape))))
    return found


def parts(found):
    """Proportions, means and assembled covariances, as arrays."""
    logits, mean, loadings, log_variance = (parameter.detach().numpy().copy() for parameter in found.parameters())
    variance = np.broadcast_to(np.exp(log_variance), mean.shape)
    covariance = np.array([each @ each.T + np.diag(psi) for each, psi in zip(loadings, variance, strict=True)])
    return np.exp(logits - logsumexp(logits)), mean, covariance


def log_joint(found, v, seen=None):
    """log π_k + log N(v; μ_k, C_k), marginal over what was not seen: (cases, components)."""
    seen = np.ones(v.shape, dtype=bool) if seen is None else seen
    terms = np.zeros((len(v), len(parts(found)[0])))
    for n, (row, s) in enumerate(zip(v, seen, strict=True)):
        for k, (share, mean, covariance) in enumerate(zip(*parts(found), strict=True)):
            terms[n, k] = np.log(share)
            if s.any():
                terms[n, k] += stats.multivariate_normal(mean[s], covariance[np.ix_(s, s)]).logpdf(row[s])
    return terms


def cases(count=40, seed=1, units=UNITS):
    return 2 * np.random.default_rng(seed).normal(size=(count, units))


def gaps(count=40, seed=2, units=UNITS, share=0.4):
    """Where values are missing. The first case lacks all of its values and the second one none."""
    found = np.random.default_rng(seed).random((count, units)) < share
    found[0], found[1] = True, False
    return found


def clusters(count, seed=0, units=6):
    """Cases of three long clusters in units of measurement that differ."""
    draw = np.random.default_rng(seed)
    centres, loadings = 4 * draw.normal(size=(3, units)), 1.5 * draw.normal(size=(3, units, 2))
    chosen = draw.integers(0, 3, count)
    noise = draw.normal(size=(count, units)) * draw.uniform(0.3, 1, (3, units))[chosen]
    rows = centres[chosen] + (loadings[chosen] @ draw.normal(size=(count, 2, 1)))[..., 0] + noise
    return rows * 10 ** draw.uniform(-1, 1, units)


@pytest.mark.parametrize("noise", ["each", "shared"])
@pytest.mark.parametrize("factors", [0, 1, FACTORS, UNITS])
def test_densities_are_those_of_the_assembled_covariances(noise, factors):
    found, v = model(noise=noise, factors=factors), cases()
    terms = log_joint(found, v)
    close(found.log_likelihood(torch.tensor(v)), logsumexp(terms, axis=1), 1e-10)
    close(found.responsibilities(torch.tensor(v)), np.exp(terms - logsumexp(terms, axis=1, keepdims=True)), 1e-10)


@pytest.mark.parametrize("noise", ["each", "shared"])
def test_missing_values_are_integrated_out(noise, monkeypatch):
    found, v, missing = model(noise=noise), cases(), gaps()
    terms = log_joint(found, v, ~missing)
    given, holed = hm.Given(missing=missing), np.where(missing, np.nan, v)
    close(found.log_likelihood(holed, given), logsumexp(terms, axis=1), 1e-10)
    close(found.responsibilities(holed, given), np.exp(terms - logsumexp(terms, axis=1, keepdims=True)), 1e-10)
    whole = found.log_likelihood(holed, given)
    monkeypatch.setattr(factor_cases, "NUMBERS", 200)  # blocks of a few cases, the last one shorter
    close(found.log_likelihood(holed, given), whole, 1e-12)


def test_posteriors_of_the_factors():
    """By the joint Gaussian of the seen units and the factors."""
    found, v, missing = model(), cases(), gaps()
    mean, covariance = found.factors(np.where(missing, np.nan, v), hm.Given(missing=missing))
    _, centres, covariances = parts(found)
    for n in range(10):
        s = ~missing[n]
        for k, loadings in enumerate(found.loadings.detach().numpy()):
            gain = loadings[s].T @ np.linalg.inv(covariances[k][np.ix_(s, s)])
            np.testing.assert_allclose(mean[n, k], gain @ (v[n] - centres[k])[s], atol=1e-10)
            np.testing.assert_allclose(covariance[n, k], np.eye(FACTORS) - gain @ loadings[s], atol=1e-10)
    mean, covariance = found.factors(torch.tensor(v))
    none = found.factors(torch.tensor(v), hm.Given(missing=np.zeros_like(missing)))
    close(mean, none[0].numpy(), 1e-10)
    close(covariance, none[1].numpy(), 1e-10)


def test_completion():
    """Means by conditioning each component; draws by their moments, in standard errors."""
    found, v, missing = model(), cases(3), gaps(3)
    terms = log_joint(found, v, ~missing)
    shares = np.exp(terms - logsumexp(terms, axis=1, keepdims=True))
    _, centres, covariances = parts(found)
    means, seconds = np.zeros_like(v), np.zeros((*v.shape, UNITS))
    for n, gap in enumerate(missing):
        s = ~gap
        for k in range(COMPONENTS):
            gain = covariances[k][:, s] @ np.linalg.inv(covariances[k][np.ix_(s, s)])
            mean = centres[k] + gain @ (v[n] - centres[k])[s]
            means[n] += shares[n, k] * mean
            seconds[n] += shares[n, k] * (np.outer(mean, mean) + covariances[k] - gain @ covariances[k][s])
    holed = np.where(missing, np.nan, v)
    completed = found.complete(holed)
    np.testing.assert_allclose(completed, np.where(missing, means, v), atol=1e-10)
    np.testing.assert_array_equal(completed, found.complete(np.where(missing, 1e9, v), missing))
    count, generator = 20_000, torch.Generator().manual_seed(0)
    drawn = found.complete(torch.tensor(holed).repeat_interleave(count, 0), generator=generator).numpy().reshape(3, count, UNITS)
    assert (drawn[:, :, :][:, 0][~missing] == v[~missing]).all()
    for n in range(3):
        products = np.einsum("ci,cj->cij", drawn[n], drawn[n])
        assert (np.abs(drawn[n].mean(0) - means[n]) <= 5 * drawn[n].std(0) / np.sqrt(count) + 1e-10).all()
        assert (np.abs(products.mean(0) - seconds[n]) <= 5 * products.std(0) / np.sqrt(count) + 1e-10).all()


@pytest.mark.parametrize("noise", ["each", "shared"])
def test_samples(noise):
    found, count = model(noise=noise), 40_000
    drawn = found.sample(count, generator=torch.Generator().manual_seed(0)).numpy()
    shares, means, covariances = parts(found)
    mean = shares @ means
    second = np.einsum("k,kij->ij", shares, covariances + np.einsum("ki,kj->kij", means, means))
    products = np.einsum("ci,cj->cij", drawn, drawn)
    assert (np.abs(drawn.mean(0) - mean) <= 5 * drawn.std(0) / np.sqrt(count)).all()
    assert (np.abs(products.mean(0) - second) <= 5 * products.std(0) / np.sqrt(count)).all()


def test_one_component_is_factor_analysis():
    data = model(4, units=6, components=1).sample(400, generator=torch.Generator().manual_seed(0)).numpy()
    found = hm.MixtureOfFactorAnalysers(6, 1, 2)
    history = found.fit(data, iterations=2000, tolerance=1e-12)
    best = FactorAnalysis(2, tol=1e-9, max_iter=2000).fit(data)
    assert history[-1].item() == pytest.approx(best.score(data), rel=1e-6)
    np.testing.assert_allclose(found.log_likelihood(data), best.score_samples(data), rtol=1e-4)
    np.testing.assert_allclose(parts(found)[2][0], best.get_covariance(), rtol=1e-3, atol=1e-3 * np.abs(best.get_covariance()).max())


def test_without_factors_it_is_a_mixture_of_diagonal_gaussians():
    data = clusters(400)
    found = hm.MixtureOfFactorAnalysers(6, 3, 0)
    history = found.fit(data, iterations=5000, tolerance=1e-12)
    shares, means, covariances = parts(found)
    precisions = 1 / np.diagonal(covariances, axis1=1, axis2=2)
    best = GaussianMixture(
        3, covariance_type="diag", tol=1e-10, max_iter=5000, reg_covar=0, weights_init=shares, means_init=means, precisions_init=precisions
    ).fit(data)
    assert history[-1].item() == pytest.approx(best.score(data), rel=1e-6)
    # One step from parameters that are not converged.
    start = hm.MixtureOfFactorAnalysers(6, 3, 0)
    start.fit(data, iterations=0)
    shares, means, covariances = parts(start)
    start.fit(data, iterations=1, start=False)
    terms = (
        np.log(shares)
        + np.array([stats.norm.logpdf(data, m, np.sqrt(np.diag(c))).sum(1) for m, c in zip(means, covariances, strict=True)]).T
    )
    r = np.exp(terms - logsumexp(terms, axis=1, keepdims=True))
    expected = (r.T @ data) / r.sum(0)[:, None]
    np.testing.assert_allclose(start.mean.detach(), expected, rtol=1e-8)
    np.testing.assert_allclose(np.diagonal(parts(start)[2], axis1=1, axis2=2), (r.T @ data**2) / r.sum(0)[:, None] - expected**2, rtol=1e-6)


def test_with_as_many_factors_as_units_it_is_a_mixture_of_gaussians():
    data = clusters(400)
    found = hm.MixtureOfFactorAnalysers(6, 3, 6)
    history = found.fit(data, iterations=1000, tolerance=1e-8)
    shares, means, covariances = parts(found)
    best = GaussianMixture(3, tol=1e-8, weights_init=shares, means_init=means, precisions_init=np.linalg.inv(covariances), reg_covar=0)
    assert history[-1].item() == pytest.approx(best.fit(data).score(data), abs=1e-4)


@pytest.mark.parametrize("noise", ["each", "shared"])
@pytest.mark.parametrize("missing", [False, True])
@pytest.mark.parametrize("seed", range(3))
def test_no_step_of_em_lowers_the_likelihood(noise, missing, seed):
    """Step by step, because `fit` would take back a step that did; from parameters far from the data, and with a floor that binds."""
    data = clusters(150, seed)
    mask = hm.Given(missing=gaps(150, seed, 6, 0.3)) if missing else hm.Given()
    rows, floor = as_cases(data, 6, mask), torch.tensor(0.2 * data.var(0))
    at = model(seed, noise, 6, 4, 2).analysers()
    at = at._replace(variance=at.variance.maximum(floor))
    values = []
    for _ in range(60):
        expected = expect(at, rows)
        values.append(expected.log_likelihood.item() / 150)
        at = maximise(at, expected, floor, noise == "shared")
    assert (np.diff(values) >= -1e-11 * np.abs(values[:-1])).all()
    assert values[-1] > values[0] + 1
    assert (at.variance == floor).any()
    history = hm.MixtureOfFactorAnalysers(6, 4, 2, noise=noise).fit(data, given=mask, iterations=60, seed=seed)
    assert (history.diff() >= 0).all()


def test_rounding_does_not_lower_it_where_there_is_almost_no_noise():
    """More factors than cases explain their clusters completely: the variances end at the floor, 10⁻⁸ of the data's."""
    data = np.random.default_rng(0).normal(size=(60, 12)) + 5 * np.repeat(np.random.default_rng(1).normal(size=(12, 12)), 5, axis=0)
    for mask in (hm.Given(), hm.Given(missing=gaps(60, 1, 12, 0.1))):
        found = hm.MixtureOfFactorAnalysers(12, 12, 6)
        found.fit(data, given=mask, iterations=0)
        floor, rows, values = torch.tensor(1e-8 * data.var(0)), as_cases(data, 12, mask), []
        at = found.analysers()
        for _ in range(40):
            expected = expect(at, rows)
            values.append(expected.log_likelihood.item() / 60)
            at = maximise(at, expected, floor, False)
        assert (at.variance == floor).float().mean() > 0.5
        assert (np.diff(values) >= -1e-8 * np.abs(values[:-1])).all()


def test_fewer_distinct_cases_than_components():
    history = hm.MixtureOfFactorAnalysers(2, 3, 1).fit(np.array([[0.0, 0.0], [1.0, 1.0]] * 5), iterations=20)
    assert history.isfinite().all()


@pytest.mark.parametrize("noise", ["each", "shared"])
@pytest.mark.parametrize("missing", [False, True])
def test_gradients_vanish_where_em_converged(noise, missing):
    """By central differences of SciPy's density of the seen values, for some of every parameter; and by autograd for all."""
    truth = model(0, noise, 6, 2, 1)
    truth.mean.data.mul_(4)
    truth.loadings.data.mul_(1.5)
    truth.log_variance.data.mul_(0.3)
    data = truth.sample(200, generator=torch.Generator().manual_seed(0)).numpy()
    mask = np.zeros((200, 6), dtype=bool)
    mask[:, 2] = missing * (np.random.default_rng(0).random(200) < 0.4)
    given, found = hm.Given(missing=mask), hm.MixtureOfFactorAnalysers(6, 2, 1, noise=noise)
    found.fit(data, given=given, iterations=3000, tolerance=1e-13)

    def log_likelihood():
        total = 0.0
        for pattern in np.unique(mask, axis=0):
            s, own = ~pattern, (mask == pattern).all(1)
            each = [
                np.log(share) + stats.multivariate_normal(mean[s], covariance[np.ix_(s, s)]).logpdf(data[own][:, s])
                for share, mean, covariance in zip(*parts(found), strict=True)
            ]
            total += logsumexp(each, axis=0).sum()
        return total / 200

    assert log_likelihood() == pytest.approx(found.log_likelihood(torch.tensor(data), given).mean().item(), abs=1e-10)
    found.log_likelihood(torch.tensor(data), given).mean().backward()
    for parameter in found.parameters():
        assert parameter.grad.abs().max() < 3e-6
        flat = parameter.data.view(-1)
        for n in range(0, len(flat), 7):
            before = flat[n].item()
            flat[n] = before + 1e-4
            up = log_likelihood()
            flat[n] = before - 1e-4
            assert abs(up - log_likelihood()) / 2e-4 < 3e-6
            flat[n] = before


def test_learning_with_gaps_finds_the_model_behind_them():
    """The likelihood of new, whole cases approaches that of the model that generated all; filling gaps by means does not."""
    truth = model(5)
    truth.mean.data.mul_(4)
    data = truth.sample(2000, generator=torch.Generator().manual_seed(0)).numpy()
    new = truth.sample(4000, generator=torch.Generator().manual_seed(1)).numpy()
    missing = gaps(2000, share=0.3)
    found = hm.MixtureOfFactorAnalysers(UNITS, COMPONENTS, FACTORS)
    found.fit(np.where(missing, np.nan, data), given=hm.Given(missing=missing), tolerance=1e-4)
    filled = hm.MixtureOfFactorAnalysers(UNITS, COMPONENTS, FACTORS)
    seen_mean = np.where(missing, 0, data).sum(0) / (~missing).sum(0)
    filled.fit(np.where(missing, seen_mean, data), tolerance=1e-4)
    best = truth.log_likelihood(new).mean()
    assert best - 0.05 < found.log_likelihood(new).mean() < best + 0.01
    assert filled.log_likelihood(new).mean() < best - 0.5


def test_gaps_that_are_none_change_nothing():
    data, results = clusters(100), []
    for given in (hm.Given(), hm.Given(missing=np.zeros((100, 6), dtype=bool))):
        found = hm.MixtureOfFactorAnalysers(6, 2, 2)
        results.append((found.fit(data, given=given, iterations=20), found.log_likelihood(data)))
    close(results[0][0], results[1][0].numpy(), 1e-9)
    np.testing.assert_allclose(results[0][1], results[1][1], rtol=1e-8)


def test_units_of_measurement_have_no_effect():
    data, scale = clusters(200), 10.0 ** np.arange(-3, 3)
    one, other = hm.MixtureOfFactorAnalysers(6, 3, 2), hm.MixtureOfFactorAnalysers(6, 3, 2)
    a, b = one.fit(data, iterations=30), other.fit(7 + data * scale, iterations=30)
    close(a - np.log(scale).sum(), b.numpy(), 1e-6)


def test_the_floor_holds_where_cases_repeat():
    data = clusters(30)
    data = np.concatenate([data, np.repeat(data[:1], 30, axis=0)])
    found = hm.MixtureOfFactorAnalysers(6, 4, 1)
    history = found.fit(data, iterations=200, least_variance=1e-3)
    variance = found.log_variance.detach().exp().numpy()
    assert history.isfinite().all()
    assert (variance >= 0.999999e-3 * data.var(0)).all()
    assert (variance < 1.01e-3 * data.var(0)).all(1).any()


def test_a_component_without_cases_keeps_its_parameters():
    data = torch.tensor(clusters(100))
    found = hm.MixtureOfFactorAnalysers(6, 3, 1)
    found.fit(data, iterations=5)
    found.mean.data[2] = 1e6
    before = found.mean[2].clone(), found.loadings[2].clone(), found.log_variance[2].clone()
    history = found.fit(data, iterations=5, start=False)
    assert (history.diff() >= 0).all()
    for one, other in zip(before, (found.mean[2], found.loadings[2], found.log_variance[2]), strict=True):
        torch.testing.assert_close(one, other)
    assert found.responsibilities(data)[:, 2].max() == 0


def test_constant_units_and_blocks(monkeypatch):
    data = np.concatenate([clusters(90), np.full((90, 1), 3.0)], axis=1)
    one, other = hm.MixtureOfFactorAnalysers(7, 2, 2), hm.MixtureOfFactorAnalysers(7, 2, 2)
    whole = one.fit(data, iterations=20)
    assert whole.isfinite().all()
    monkeypatch.setattr(factor_cases, "NUMBERS", 500)
    close(other.fit(torch.tensor(data), iterations=20), whole.numpy(), 1e-8)
    drawn = one.complete(np.full((5, 7), np.nan), generator=torch.Generator().manual_seed(0))
    np.testing.assert_allclose(drawn[:, 6], 3, atol=1.0)


def heavy_tails(count, seed, units=20):
    """White cases of Student's t of three degrees of freedom, contrasts of which differ."""
    draw = np.random.default_rng(seed)
    return draw.normal(size=(count, units)) / np.sqrt(draw.chisquare(3, (count, 1)))


def test_every_component_begins_with_many_cases_where_tails_are_heavy(monkeypatch):
    """A tenth of an equal share at least, and after EM held-out cases are as likely as from k-means' own clusters, or more."""
    more, smallest = [], []
    for plain in (True, False):
        if plain:
            monkeypatch.setattr(factor_start, "without_small", lambda rows, labels, components: labels)
        held = []
        for seed in range(3):
            found = hm.MixtureOfFactorAnalysers(20, 5, 2)
            found.fit(heavy_tails(1500, 2 * seed), iterations=0, seed=seed)
            smallest.append(parts(found)[0].min() * 1505 - 1)  # as the start counts a case more in each
            found.fit(heavy_tails(1500, 2 * seed), iterations=15, seed=seed)
            held.append(found.log_likelihood(heavy_tails(1500, 2 * seed + 1)))
        more.append(np.concatenate(held))
        monkeypatch.undo()
    assert min(smallest[:3]) < 5
    assert min(smallest[3:]) >= 30 - 1e-9
    difference = more[1] - more[0]
    assert difference.mean() > -2 * difference.std() / np.sqrt(len(difference))


def test_small_clusters_give_way_to_halves_of_the_largest():
    """Two cases far out join the nearest other centre, and the outer half of the largest cluster begins a component."""
    ring = np.array([[0.1, 0], [-0.1, 0], [0, 0.1], [0, -0.1], [1, 0], [-1, 0], [0, 1], [0, -1]])
    rows = torch.tensor(np.concatenate([ring] * 3 + [[[9.0, 9.0]] * 6] + [[[50.0, 50.0]] * 1]))
    labels = torch.tensor([0] * 24 + [1] * 6 + [2])
    found = factor_start.without_small(rows, labels, 3)
    assert torch.equal(found, torch.tensor([0, 0, 0, 0, 2, 2, 2, 2] * 3 + [1] * 6 + [1]))
    assert torch.equal(factor_start.without_small(rows, found, 3), found)
    alike = factor_start.without_small(torch.zeros(6, 2), torch.zeros(6, dtype=torch.long), 3)
    assert sorted(torch.bincount(alike, minlength=3).tolist()) == [1, 2, 3]


def test_clusters_of_equal_weight_are_those_of_k_means():
    data = clusters(300)
    standard = torch.tensor((data - data.mean(0)) / data.std(0))
    labels = torch.tensor(KMeans(3, n_init=1, random_state=0).fit(standard.numpy()).labels_).long()
    assert torch.equal(factor_start.without_small(standard, labels, 3), labels)
    sizes, centres = factor_start.centres_of(standard, labels, 3)
    for number in range(3):
        own = standard[labels == number].numpy()
        assert sizes[number] == len(own)
        np.testing.assert_allclose(centres[number], own.mean(0), atol=1e-12)


def test_seeds():
    data = clusters(100)
    again = [hm.MixtureOfFactorAnalysers(6, 3, 2) for _ in range(3)]
    histories = [found.fit(data, iterations=10, seed=seed) for found, seed in zip(again, (4, 4, 5), strict=True)]
    assert torch.equal(histories[0], histories[1])
    assert not torch.equal(histories[0], histories[2])
    assert torch.equal(again[0].loadings, again[1].loadings)
    state = torch.random.get_rng_state()
    hm.MixtureOfFactorAnalysers(6, 3, 2, seed=1).fit(data, iterations=2)
    assert torch.equal(state, torch.random.get_rng_state())


def test_what_does_not_fit_is_refused():
    with pytest.raises(ValueError, match="at least one visible unit and one component"):
        hm.MixtureOfFactorAnalysers(3, 0, 1)
    with pytest.raises(ValueError, match="as many as there are visible units, found factors=4"):
        hm.MixtureOfFactorAnalysers(3, 2, 4)
    with pytest.raises(ValueError, match="each, shared, found 'own'"):
        hm.MixtureOfFactorAnalysers(3, 2, 1, noise="own")
    found, data = model(), cases()
    kept = [parameter.clone() for parameter in found.parameters()]
    with pytest.raises(ValueError, match=r"rows of shape \(cases, 5\).*\(40, 4\)"):
        found.fit(data[:, :4])
    with pytest.raises(ValueError, match=r"found 2 NaN or infinite values: mark .*Given\(missing="):
        found.fit(np.where(np.isin(data, data[:2, 0]), np.nan, data))
    with pytest.raises(ValueError, match="1 NaN or infinite value: mark"):
        found.log_likelihood(np.where(data == data[0, 0], np.inf, data))
    with pytest.raises(ValueError, match=r"takes given=Given\(missing=.* alone, found present"):
        found.log_likelihood(data, hm.Given(present=np.ones((40, 5), dtype=bool)))
    with pytest.raises(ValueError, match=r"mask missing must have the shape of the data, \(40, 5\), found \(40, 4\)"):
        found.log_likelihood(data, hm.Given(missing=np.ones((40, 4), dtype=bool)))
    with pytest.raises(ValueError, match="booleans, or ones and zeros"):
        found.complete(data, np.full((40, 5), 2))
    with pytest.raises(ValueError, match="at least one case for each of 3 components, found 2 cases"):
        found.fit(data[:2])
    with pytest.raises(ValueError, match="unit 3 is missing in every case"):
        found.fit(data, given=hm.Given(missing=np.arange(5) == 3))
    with pytest.raises(ValueError, match="expected cases that differ"):
        found.fit(np.ones((10, 5)))
    with pytest.raises(ValueError, match="of finite variance"):
        found.fit(data * 1e200)
    with pytest.raises(ValueError, match="least_variance between 0 and 1"):
        found.fit(data, least_variance=0)
    assert all(torch.equal(one, other) for one, other in zip(kept, found.parameters(), strict=True))


@pytest.mark.parametrize("kind", [torch.float32, torch.float64])
def test_files(tmp_path, kind):
    found = model(noise="shared").to(kind)
    hm.save(found, tmp_path / "model")
    again = hm.load(tmp_path / "model")
    assert type(again) is hm.MixtureOfFactorAnalysers
    assert again.mean.dtype == kind
    assert torch.equal(again.log_likelihood(torch.tensor(cases())), found.log_likelihood(torch.tensor(cases())))


def test_data_of_other_forms():
    found, v = model(), cases(10)
    assert isinstance(found.log_likelihood(v), np.ndarray)
    expected = found.log_likelihood(torch.tensor(v))
    np.testing.assert_allclose(found.log_likelihood(v.tolist()), expected.detach(), rtol=1e-12)
    np.testing.assert_allclose(found.log_likelihood(torch.tensor(v).float()).detach(), expected.detach(), rtol=1e-5)
    assert found.log_likelihood(np.eye(5, dtype=np.uint8)).shape == (5,)
    assert found.float().sample(3, generator=torch.Generator().manual_seed(0)).dtype == torch.float32
