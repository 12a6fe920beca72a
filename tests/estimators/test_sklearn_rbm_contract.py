"""What scikit-learn's own tests hold BernoulliRBM to, asked of RBMTransformer and RBMDensity; scikit-learn's code judges the numbers.

`docs/guide/scikit-learn.md` says which of its tests these stand for, and which do not apply.
"""

from typing import Any

import numpy as np
import pytest
import torch
from scipy import sparse
from scipy.special import expit
from sklearn.datasets import load_digits
from sklearn.neural_network import BernoulliRBM

import harmonium as hm
from harmonium.sklearn import RBMDensity, RBMTransformer

DIGITS = load_digits(return_X_y=True)[0] / 16
COLUMNS = [sparse.csc_matrix, sparse.csc_array]
ROWS = [sparse.csr_matrix, sparse.csr_array]
LISTS = [sparse.lil_matrix, sparse.lil_array]
GOOD_ENOUGH = -22.5  # scikit-learn's tests ask for -21, to no decimal place; we may be better


def theirs(ours: Any) -> BernoulliRBM:
    """scikit-learn's machine with our parameters."""
    rbm = BernoulliRBM(ours.n_components, random_state=0)
    rbm.components_, rbm.intercept_hidden_, rbm.intercept_visible_ = ours.components_, ours.intercept_hidden_, ours.intercept_visible_
    rbm.n_features_in_, rbm._n_features_out = ours.n_features_in_, ours.n_components
    return rbm


def few(**settings: Any) -> RBMTransformer:
    return RBMTransformer(**{"n_components": 16, "updates": 20, "random_state": 42, **settings})


def close_in_standard_errors(draws: np.ndarray, means: np.ndarray, errors: float = 4.5) -> bool:
    """Whether means of binary draws, (draws, ...), are those expected."""
    scale = np.sqrt(means * (1 - means) / len(draws))
    return bool((np.abs(draws.mean(0) - means) <= errors * scale + 1e-6).all())


def test_seven_epochs_of_digits_reach_their_pseudo_likelihood_and_leave_the_data_alone() -> None:
    X = DIGITS.astype(np.float32)
    before = X.copy()
    ours = RBMTransformer(64, learning_rate=0.1, momentum=0, batch_size=10, updates=7 * 180, random_state=9).fit(X)
    assert ours.state_.epoch == 7
    assert theirs(ours).score_samples(X).mean() > GOOD_ENOUGH
    assert np.array_equal(X, before)


def test_so_do_passes_by_partial_fit() -> None:
    X = DIGITS.astype(np.float32)
    before, ours = X.copy(), RBMTransformer(64, random_state=9)
    for _ in range(3):
        for part in np.array_split(X, 90):
            ours.partial_fit(part)
    assert ours.state_.step == 270
    assert theirs(ours).score_samples(X).mean() > GOOD_ENOUGH
    assert np.array_equal(X, before)


def test_fit_leaves_a_sparse_matrix_alone() -> None:
    X = sparse.csr_array(DIGITS[:20])
    X.indices[:2], X.data[:2] = X.indices[1::-1].copy(), X.data[1::-1].copy()
    X.has_sorted_indices = False
    before = X.indices.copy()
    few().fit(X)
    assert np.array_equal(X.indices, before)


def test_features_are_the_hidden_probabilities() -> None:
    """By the formula, by scikit-learn's machine of the same parameters, and by the model itself."""
    X = DIGITS[:100]
    ours = few().fit(X)
    found = ours.transform(X)
    assert found.shape == (100, 16)
    assert ((found > 0) & (found < 1)).all()
    np.testing.assert_allclose(found, expit(X @ ours.components_.T + ours.intercept_hidden_), rtol=1e-12)
    np.testing.assert_allclose(found, theirs(ours).transform(X), rtol=1e-12)
    np.testing.assert_array_equal(found, ours.model_.hidden_mean(torch.from_numpy(X)).detach().numpy())


@pytest.mark.parametrize("container", ROWS + COLUMNS + LISTS)
def test_four_sparse_rows_are_enough(container: Any) -> None:
    found = RBMTransformer(updates=20, random_state=0).fit_transform(container(DIGITS[:4]))
    assert found.shape == (4, 100)
    assert np.array_equal(found, RBMTransformer(updates=20, random_state=0).fit_transform(container(DIGITS[:4])))


@pytest.mark.parametrize("container", ROWS + COLUMNS)
def test_sparse_parts_teach_what_dense_parts_teach(container: Any) -> None:
    """To rounding; scikit-learn asks for equal pseudo-likelihoods to no decimal place."""
    X = DIGITS[:100]
    found = [RBMTransformer(64, learning_rate=0.1, random_state=9) for _ in range(2)]
    for start in range(0, 100, 30):
        found[0].partial_fit(container(X[start : start + 30]))
        found[1].partial_fit(X[start : start + 30])
    np.testing.assert_allclose(found[0].components_, found[1].components_, rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(found[0].intercept_visible_, found[1].intercept_visible_, rtol=1e-9, atol=1e-12)


def test_draws_of_hidden_units_have_their_probabilities_and_repeat_with_the_seed() -> None:
    ours = few(n_components=2).fit(DIGITS[:100])
    row = torch.from_numpy(DIGITS[:1]).expand(4000, -1)
    draws = [ours.model_.sample_hidden(row, generator=torch.Generator().manual_seed(seed)).numpy() for seed in (0, 0, 1)]
    assert np.array_equal(draws[0], draws[1])
    assert not np.array_equal(draws[0], draws[2])
    assert close_in_standard_errors(draws[0], theirs(ours)._mean_hiddens(DIGITS[:1])[0])


@pytest.mark.parametrize("container", [np.array, *COLUMNS])
def test_one_sweep_of_gibbs_sampling_has_its_exact_distribution(container: Any) -> None:
    """Of a single unit that is 0 or 1; their test asks for the values of one seed after 42 epochs.

    p(v' = 1 | v) is a sum over the four states of two hidden units.
    """
    ours = few(n_components=2, updates=42, batch_size=2).fit(container([[0.0], [1.0]]))
    v = np.repeat([[0.0], [1.0]], 2000, axis=0)
    draws = np.stack([ours.gibbs(container(v)) for _ in range(3)]).reshape(3, 2, 2000)
    states = np.array([[0, 0], [0, 1], [1, 0], [1, 1]])
    for value in (0, 1):
        mean = ours.transform([[float(value)]])[0]
        weights = np.prod(np.where(states == 1, mean, 1 - mean), axis=1)
        expected = weights @ expit(states @ ours.components_[:, 0] + ours.intercept_visible_[0])
        assert close_in_standard_errors(draws[:, value].ravel(), np.array(expected))


def test_sparse_and_dense_rows_of_two_states_teach_the_same() -> None:
    found = [few(n_components=2, updates=42, batch_size=2).fit(kind([[0.0], [1.0]])) for kind in (np.array, *COLUMNS)]
    for other in found[1:]:
        np.testing.assert_allclose(other.components_, found[0].components_, rtol=1e-9)


def test_two_calls_of_gibbs_are_finite_and_differ_in_every_row() -> None:
    X = DIGITS.astype(np.float32)
    ours = RBMTransformer(42, updates=200, random_state=42).fit(X)
    first, second = ours.gibbs(X), ours.gibbs(X)
    assert first.shape == X.shape
    assert np.isin(first, (0, 1)).all()
    assert (first != second).any(axis=1).all()
    repeated = RBMTransformer(42, updates=200, random_state=42).fit(X)
    assert np.array_equal(first, repeated.gibbs(X))


def settled(bias: float) -> RBMDensity:
    """1,000 visible units whose biases all are `bias`, without any weight: log p is known."""
    density = RBMDensity(10, visible="binary", updates=2, random_state=42).fit(np.vstack([np.zeros(1000), np.ones(1000)]))
    for parameter in density.model_.parameters():
        parameter.data.zero_()
    density.model_.visible.bias.data.fill_(bias)
    density._forget()
    return density


def test_log_likelihoods_are_not_clipped_and_stay_finite() -> None:
    """log p of zeros and of ones under independent units: -n log(1 + e^b) and n b more, thousands of nats apart."""
    X = np.vstack([np.zeros(1000), np.ones(1000)])
    for bias in (3.0, -40.0, 500.0):
        expected = np.array([-1000 * np.logaddexp(0, bias), 1000 * bias - 1000 * np.logaddexp(0, bias)])
        np.testing.assert_allclose(settled(bias).score_samples(X), expected, rtol=1e-9, atol=1e-6)


@pytest.mark.parametrize("container", LISTS)
def test_scores_are_the_same_of_sparse_rows_and_at_every_call(container: Any) -> None:
    X = (np.random.default_rng(0).random((50, 100)) < 0.3).astype(np.float64)
    density = RBMDensity(10, updates=50, random_state=42).fit(X)
    scores = density.score_samples(X)
    np.testing.assert_allclose(density.score_samples(container(X)), scores, rtol=1e-12)
    assert np.array_equal(density.score_samples(X), scores)


def test_what_is_no_state_has_no_score() -> None:
    """scikit-learn scores it, to a finite number without a meaning."""
    with pytest.raises(ValueError, match="found values from 0 to 99900"):
        settled(3.0).score_samples([np.arange(1000) * 100])


def test_the_pseudo_likelihood_is_theirs_and_is_not_clipped() -> None:
    """Both estimate it from one unit of each row; over many draws the means agree. Of improbable rows it is far below -300."""
    X = (DIGITS > 0.5).astype(np.float64)[:50]
    ours = RBMTransformer(10, visible="binary", updates=100, random_state=0).fit(X)
    rows, peer, generator = torch.from_numpy(X), theirs(ours), torch.Generator().manual_seed(0)
    peer.random_state = np.random.RandomState(0)
    found = np.stack([hm.likelihood.pseudo_likelihood(ours.model_, rows, generator=generator).numpy() for _ in range(400)])
    wanted = np.stack([peer.score_samples(X) for _ in range(400)])
    error = np.sqrt((found.var() + wanted.var()) / found.size)
    assert abs(found.mean() - wanted.mean()) < 4 * error
    sure = settled(40.0).model_
    known = hm.likelihood.pseudo_likelihood(sure, torch.zeros(3, 1000, dtype=torch.float64), generator=generator)
    np.testing.assert_allclose(known.numpy(), -40_000, rtol=1e-9)


@pytest.mark.parametrize("container", [np.array, *COLUMNS])
def test_verbose_tells_of_epochs(container: Any, capsys: pytest.CaptureFixture[str]) -> None:
    few(updates=2, batch_size=2).fit(container([[0.0], [1.0]]))
    assert capsys.readouterr() == ("", "")
    few(updates=2, batch_size=2, verbose=True).fit(container([[0.0], [1.0]]))
    said = capsys.readouterr()
    assert said.out == ""  # what a program prints stays its own
    assert "learning: epoch 1/2" in said.err
    assert "learning: epoch 2/2" in said.err


@pytest.mark.parametrize(("given", "kept"), [(np.float32, np.float32), (np.float64, np.float64), (int, np.float64)])
def test_features_have_the_type_of_the_data(given: Any, kept: Any) -> None:
    assert few().fit_transform(DIGITS[:100].astype(given)).dtype == kept


def test_float32_and_float64_learn_the_same() -> None:
    """By a rule that draws nothing, in full batches; the draws of other rules are those of the data's type."""
    found = []
    for kind in (np.float64, np.float32):
        ours = few(n_components=4, rule=hm.ExactGradient(), learning_rate=0.1, updates=15)
        found.append((ours.fit_transform(DIGITS[:100].astype(kind)), ours))
    (wide, double), (narrow, single) = found
    np.testing.assert_allclose(wide, narrow, rtol=1e-5)
    for name in ("components_", "intercept_hidden_", "intercept_visible_"):
        np.testing.assert_allclose(getattr(double, name), getattr(single, name), rtol=1e-3, atol=1e-6)


@pytest.mark.parametrize("method", ["fit", "partial_fit"])
def test_names_of_features(method: str) -> None:
    ours = getattr(few(n_components=10), method)(DIGITS[:100])
    assert ours.get_feature_names_out().tolist() == [f"rbmtransformer{i}" for i in range(10)]
