"""Mixtures against scikit-learn, EM against its promise, and phones that are found again where they were put."""

import itertools

import numpy as np
import pytest
import torch
from sklearn.mixture import GaussianMixture

from harmonium.sequence import GMMHMM, GaussianMixtures, PhoneHMM, align, em_step, flat_start, train_phones

PHONES = ("sil", "a", "b", "c")


def spoken(utterances: int, seed: int, states: int = 2, dims: int = 3):
    """Features of random phones, each state with a mean of its own; the transcripts, with marks; and the true states."""
    draw = np.random.default_rng(seed)
    means = np.random.default_rng(97).normal(size=(len(PHONES) * states, dims)) * 3
    features, transcripts, truth = [], [], []
    for _ in range(utterances):
        phones = draw.integers(1, 4, size=draw.integers(3, 6))
        said, marked = [0, *phones[:2], *([0] if draw.random() < 0.5 else []), *phones[2:]], ["|", *(PHONES[p] for p in phones[:2]), "|"]
        marked += [*(PHONES[p] for p in phones[2:]), "|"]
        path = [p * states + k for p in said for k in range(states) for _ in range(draw.integers(2, 5))]
        features.append(torch.tensor(means[path] + draw.normal(size=(len(path), dims))))
        transcripts.append(marked)
        truth.append(torch.tensor(path))
    return features, transcripts, truth


def mixtures(states: int = 3, components: int = 2, dims: int = 4, seed: int = 0) -> GaussianMixtures:
    draw = torch.Generator().manual_seed(seed)
    weights = torch.rand(states, components, dtype=torch.float64, generator=draw)
    means = torch.randn(states, components, dims, dtype=torch.float64, generator=draw)
    variances = torch.rand(states, components, dims, dtype=torch.float64, generator=draw) + 0.2
    return GaussianMixtures(weights / weights.sum(1, keepdim=True), means, variances)


def test_log_likelihoods_are_scikit_learns():
    found, x = mixtures(), torch.randn(50, 4, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    for state in range(3):
        other = GaussianMixture(2, covariance_type="diag")
        other.weights_, other.means_, other.covariances_ = (each[state].numpy() for each in (found.weights, found.means, found.variances))
        other.precisions_cholesky_ = 1 / np.sqrt(other.covariances_)
        np.testing.assert_allclose(found(x)[:, state], other.score_samples(x.numpy()), atol=1e-10)
    close = GaussianMixtures(*(each.float() for each in (found.weights, found.means, found.variances)))
    np.testing.assert_allclose(close(x.float()), found(x), atol=1e-4)


def test_a_step_of_em_is_scikit_learns():
    found, x = mixtures(states=1), torch.randn(200, 4, dtype=torch.float64, generator=torch.Generator().manual_seed(2))
    after = found.learnt(found.statistics(x, torch.ones(200, 1)), torch.zeros(4))
    weights, means, variances = found.weights[0].numpy(), found.means[0].numpy(), found.variances[0].numpy()
    other = GaussianMixture(2, covariance_type="diag", max_iter=1, reg_covar=0, weights_init=weights, means_init=means)
    other.set_params(precisions_init=1 / variances)
    with pytest.warns(UserWarning, match="converge"):
        other.fit(x.numpy())
    np.testing.assert_allclose(after.weights[0], other.weights_, atol=1e-10)
    np.testing.assert_allclose(after.means[0], other.means_, atol=1e-10)
    np.testing.assert_allclose(after.variances[0], other.covariances_, atol=1e-10)


def test_components_with_few_frames_are_not_divided_and_a_division_hardly_changes_the_density():
    before = mixtures()
    after = before.split(torch.tensor([[100.0, 3.0], [100.0, 100.0], [1.0, 1.0]]), least=40, apart=0.0)
    x = torch.randn(20, 4, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    np.testing.assert_allclose(after(x), before(x), atol=1e-12)
    assert (after.weights > 0).sum(1).tolist() == [3, 4, 2]
    assert after.weights.sum(1).tolist() == pytest.approx([1, 1, 1])
    after = before.split(torch.full((3, 2), 100.0), apart=0.5)
    np.testing.assert_allclose((after.means[:, 2:] - after.means[:, :2]) / before.variances.sqrt(), 1.0)


@pytest.mark.parametrize("soft", [True, False])
def test_em_never_lowers_the_likelihood(soft):
    features, transcripts, _ = spoken(6, 1)
    hmm = PhoneHMM.alike(PHONES, states=2, silence="sil")
    start = flat_start(hmm, features, transcripts)
    model = GMMHMM(hmm, start.mixtures.split(torch.full((hmm.count, 1), 100.0)))
    floor = 0.01 * torch.cat(features).var(0, correction=0)
    values = []
    for _ in range(8):
        model, value, _ = em_step(model, features, transcripts, floor=floor, soft=soft)
        values.append(value)
    assert all(after >= before - 1e-10 for before, after in itertools.pairwise(values))
    assert values[-1] > values[0] + 0.1


def test_the_loops_of_em_are_a_maximum():
    """At the fixed point of EM no loop can be moved to a higher likelihood."""
    features, transcripts, _ = spoken(4, 2)
    hmm = PhoneHMM.alike(PHONES, states=2, silence="sil")
    model = train_phones(hmm, features, transcripts, components=1, first_iterations=40, soft=True)
    floor = torch.zeros(3)
    best = em_step(model, features, transcripts, floor=floor).log_likelihood
    for state in range(2, 8):
        for factor in (0.97, 1.02):
            loops = model.hmm.loops.flatten().clone()
            loops[state] = (loops[state] * factor).clamp(max=0.999)
            moved = GMMHMM(PhoneHMM(PHONES, loops.view(4, 2), "sil"), model.mixtures)
            assert em_step(moved, features, transcripts, floor=floor).log_likelihood < best


@pytest.mark.parametrize(("soft", "least"), [(True, 0.98), (False, 0.85)])
def test_phones_are_found_where_they_were_put(soft, least):
    features, transcripts, truth = spoken(40, 3)
    hmm = PhoneHMM.alike(PHONES, states=2, silence="sil")
    model = train_phones(hmm, features, transcripts, components=2, soft=soft, iterations=3)
    found = align(model.hmm, [model.mixtures(each) for each in features], transcripts)
    right = torch.cat([each.states == states for each, states in zip(found, truth, strict=True)]).double().mean()
    assert right > least


def test_states_without_frames_stay_and_float32_is_enough():
    features, transcripts, _ = spoken(6, 1)
    hmm = PhoneHMM.alike((*PHONES, "never"), states=2, silence="sil")
    alike = [train_phones(hmm, [each.to(kind) for each in features], transcripts, components=2) for kind in (torch.float32, torch.float64)]
    assert alike[0].mixtures.means.dtype == torch.float32
    np.testing.assert_allclose(alike[0].mixtures.means, alike[1].mixtures.means, atol=1e-3)
    np.testing.assert_allclose(alike[1].mixtures.means[-1, 0], torch.cat(features).mean(0))
    with pytest.raises(ValueError, match="a power of two, found components=3"):
        train_phones(hmm, features, transcripts, components=3)
    constant = [torch.cat([each, torch.ones(len(each), 1)], 1) for each in features]
    assert train_phones(hmm, constant, transcripts, components=1).mixtures(constant[0]).isfinite().all()
