"""Weights of rows in the estimators of stacks: a row of weight two is the row twice, one of weight zero is not there."""

from typing import Any

import numpy as np
import pytest
from scipy import sparse
from sklearn import config_context
from sklearn.datasets import load_digits
from sklearn.model_selection import GridSearchCV, cross_validate
from sklearn.pipeline import make_pipeline
from sklearn.utils.estimator_checks import check_sample_weight_equivalence_on_dense_data, check_sample_weight_equivalence_on_sparse_data

from harmonium.sklearn import AutoencoderTransformer, DBNClassifier, DBNRegressor, DBNTransformer, RBMTransformer, row_order

DIGITS, LABELS = load_digits(return_X_y=True)
X = (DIGITS[:120] / 16).astype(np.float64)
X[100:] = X[:20]  # rows that occur with several labels
Y = LABELS[:120]
REAL = 16 * X - 5
INK = np.stack([DIGITS[:120].mean(1), 100 * DIGITS[:120, 20:40].mean(1)], axis=1)
WHOLE = np.random.default_rng(0).integers(0, 4, 120)
QUICK: dict[str, Any] = {"updates": 10, "batch_size": 30, "random_state": 0}
TUNED: dict[str, Any] = {**QUICK, "fine_tuning_updates": 20}
CASES = {
    "transformer": (DBNTransformer((8, 5), **QUICK), X, None),
    "autoencoder": (AutoencoderTransformer((8, 5), **TUNED), X, None),
    "autoencoder of real numbers": (AutoencoderTransformer((8, 5), **TUNED), REAL, None),
    "classifier": (DBNClassifier((8, 5), **TUNED), X, Y),
    "words": (DBNClassifier((8,), **TUNED), X, np.array(list("abcdefghij"))[Y]),
    "real numbers": (DBNClassifier((8,), **TUNED), REAL, Y),
    "regressor": (DBNRegressor((8, 5), **TUNED), X, INK),
    "sparse": (DBNClassifier((8, 5), **TUNED), sparse.csr_array(X), Y),
}


def found(estimator: Any, rows: Any) -> np.ndarray:
    for method in ("transform", "predict_proba", "predict"):
        if hasattr(estimator, method):
            return np.asarray(getattr(estimator, method)(rows))
    raise AssertionError(estimator)


def outcome(estimator: Any, rows: Any) -> list[np.ndarray]:
    """What an estimator answers, and the visible biases of its layers."""
    return [found(estimator, rows), *(rbm.visible.bias.detach().numpy().copy() for rbm in estimator.model_.rbms)]


@pytest.mark.parametrize("name", CASES)
def test_a_row_of_weight_two_is_the_row_twice_to_the_last_bit_in_every_order(name: str) -> None:
    estimator, rows, y = CASES[name]
    repeated = np.repeat(np.arange(120), WHOLE)
    order = np.random.default_rng(1).permutation(120)
    pick = lambda numbers: None if y is None else y[numbers]  # noqa: E731
    twice = found(estimator.fit(rows[repeated], pick(repeated)), rows)
    weighted = found(estimator.fit(rows[order], pick(order), sample_weight=WHOLE[order]), rows)
    plain = found(estimator.fit(rows, y), rows)
    assert np.array_equal(twice, weighted)
    assert not np.array_equal(twice, plain)


@pytest.mark.parametrize("name", CASES)
def test_weights_count_in_full_batches_as_rows_repeated(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """To rounding, where rows keep their weights; nothing is drawn, since the layers learn at rate zero.

    Layers begin at the base rates of the weighted rows, and means, scales and fine-tuning are those of weighted rows too.
    """
    estimator, rows, y = CASES[name]
    settings = {"learning_rate": 0.0, "updates": 1, "batch_size": 1000}
    estimator = type(estimator)(**{**estimator.get_params(), **settings})
    repeated = np.repeat(np.arange(120), WHOLE)
    expected = outcome(estimator.fit(rows[repeated], None if y is None else y[repeated]), rows)
    monkeypatch.setattr(row_order, "MOST_REPEATED", 0)
    for value, wanted in zip(outcome(estimator.fit(rows, y, sample_weight=WHOLE), rows), expected, strict=True):
        np.testing.assert_allclose(value, wanted, rtol=1e-6, atol=1e-9)


def test_means_and_scales_are_those_of_the_weighted_rows() -> None:
    weights = WHOLE / 2 + 0.25
    net = DBNRegressor((4,), **TUNED).fit(REAL, INK, sample_weight=weights)
    np.testing.assert_allclose(net.mean_, np.average(INK, axis=0, weights=weights))
    np.testing.assert_allclose(net.scale_, np.sqrt(np.cov(INK.T, aweights=weights, ddof=0).diagonal()))
    np.testing.assert_allclose(net.scaler_.mean_, np.average(REAL, axis=0, weights=weights))


@pytest.mark.parametrize("estimator", [DBNTransformer((4, 3), updates=20), DBNClassifier((4,), **TUNED), DBNRegressor((4,), **TUNED)])
def test_scikit_learns_own_check_of_equivalence(estimator: Any) -> None:
    name = type(estimator).__name__
    check_sample_weight_equivalence_on_dense_data(name, estimator)
    check_sample_weight_equivalence_on_sparse_data(name, estimator)


def test_weights_are_routed_through_pipelines_searches_and_cross_validation() -> None:
    with config_context(enable_metadata_routing=True):
        first = RBMTransformer(8, **QUICK).set_fit_request(sample_weight=True)
        net = DBNClassifier((5,), **TUNED).set_fit_request(sample_weight=True).set_score_request(sample_weight=True)
        routed = make_pipeline(first, net).fit(X, Y, sample_weight=WHOLE).predict_proba(X)
        features = RBMTransformer(8, **QUICK).fit(X, sample_weight=WHOLE).transform(X)
        assert np.array_equal(routed, DBNClassifier((5,), **TUNED).fit(features, Y, sample_weight=WHOLE).predict_proba(features))
        search = GridSearchCV(net, {"fine_tuning_rate": [0.1]}, cv=2).fit(X, Y, sample_weight=WHOLE)
        assert np.array_equal(search.predict_proba(X), DBNClassifier((5,), **TUNED).fit(X, Y, sample_weight=WHOLE).predict_proba(X))
        scores = [cross_validate(net, X, Y, cv=2, params={"sample_weight": weights})["test_score"] for weights in (WHOLE + 1, WHOLE**2 + 1)]
        assert not np.array_equal(*scores)


@pytest.mark.parametrize("name", CASES)
def test_no_weight_at_all_is_refused(name: str) -> None:
    estimator, rows, y = CASES[name]
    with pytest.raises(ValueError, match=r"weight.*zero"):
        estimator.fit(rows, y, sample_weight=np.zeros(120))


def test_classes_without_weight_are_not_there() -> None:
    net = DBNClassifier((5,), **TUNED).fit(X, Y, sample_weight=(Y < 3).astype(float))
    assert net.classes_.tolist() == [0, 1, 2]
    with pytest.raises(ValueError, match="at least two classes, found one class: 3"):
        net.fit(X, Y, sample_weight=(Y == 3) * 0.5)
