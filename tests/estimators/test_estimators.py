"""What the estimators learn, keep and refuse, beside the library's own functions and scikit-learn's machine."""

import pickle
from typing import Any

import joblib
import numpy as np
import pytest
import torch
from scipy import sparse
from sklearn.base import clone
from sklearn.compose import ColumnTransformer
from sklearn.datasets import load_breast_cancer, load_digits, load_wine
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder

import harmonium as hm
from harmonium.sklearn import DBNClassifier, DBNRegressor, DBNTransformer, RBMDensity, RBMImputer, RBMTransformer
from harmonium.sklearn.kinds import UNITS, kind_of, unit_of
from harmonium.sklearn.rates import rate_of

DIGITS, LABELS = load_digits(return_X_y=True)
X = (DIGITS[:300] / 16).astype(np.float32)
Y = LABELS[:300]
BITS = (X > 0.5).astype(np.float32)
QUICK: dict[str, Any] = {"updates": 20, "random_state": 0}


def test_features_are_those_of_the_librarys_own_calls() -> None:
    found = RBMTransformer(10, visible="binary", learning_rate=0.05, batch_size=30, updates=20, random_state=3)
    features = found.fit_transform(BITS)
    rows = BITS[np.lexsort(BITS.astype(int).T[::-1])]  # bytes of zeros and ones sort as the numbers do
    rbm = hm.RBM(64, 10, seed=found.seed_)
    sgd = lambda groups: hm.MomentumSGD(groups, lr=0.05, momentum=0.9)  # noqa: E731
    hm.fit(rbm, rows, epochs=2, batch_size=30, optimizer=sgd, seed=found.seed_, progress=False)
    assert np.array_equal(found.components_, rbm.coupling.weight.detach().numpy().T)
    assert np.allclose(features, 1 / (1 + np.exp(-BITS @ found.components_.T - found.intercept_hidden_)), atol=1e-5)


@pytest.mark.parametrize("kind", [np.float32, np.float64])
def test_the_type_of_the_data_is_kept(kind: Any) -> None:
    rbm = RBMTransformer(5, **QUICK).fit(X.astype(kind))
    assert rbm.transform(X.astype(kind)).dtype == rbm.components_.dtype == kind
    assert rbm.inverse_transform(np.ones((2, 5))).dtype == rbm.sample(2, steps=3).dtype == kind


def test_bytes_are_grey_levels() -> None:
    grey = (DIGITS[:300] / 16 * 255).astype(np.uint8)
    rbm = RBMTransformer(5, **QUICK).fit(grey)
    same = RBMTransformer(5, **QUICK).fit((grey / np.float32(255)).astype(np.float32))
    assert rbm.model_.visible.values == "probabilities"
    assert abs(rbm.components_.mean() - same.components_.mean()) < 0.01  # other bytes sort in another order


def test_neither_order_nor_repetition_matters() -> None:
    weights = np.random.default_rng(0).integers(0, 3, 300)
    order = np.random.default_rng(1).permutation(300)
    plain = RBMTransformer(5, **QUICK).fit(np.repeat(X, weights, axis=0)).components_
    assert np.array_equal(plain, RBMTransformer(5, **QUICK).fit(X[order], sample_weight=weights[order]).components_)
    odd = RBMTransformer(5, **QUICK).fit(X, sample_weight=weights + 0.5).components_
    assert not np.array_equal(plain, odd)


def test_sparse_rows_give_what_dense_ones_give() -> None:
    words = sparse.random(200, 30, density=0.1, format="csr", random_state=0, data_rvs=np.ones).astype(np.float32)
    found = RBMTransformer(5, **QUICK).fit(words)
    assert found.model_.visible.values == "probabilities"
    assert np.allclose(found.transform(words), found.transform(words.toarray()))


def test_learning_in_parts_goes_on() -> None:
    parts = RBMTransformer(5, random_state=0)
    for start in range(0, 300, 70):
        parts.partial_fit(X[start : start + 70])
    assert parts.state_.epoch == 5
    again = pickle.loads(pickle.dumps(parts))
    assert np.array_equal(again.partial_fit(X[:70]).components_, parts.partial_fit(X[:70]).components_)


def test_fair_coins_in_odd_parts_stay_fair() -> None:
    """Persistent chains, parts of odd sizes: no bias of the visible units drifts away from that of the coins."""
    coins = (np.random.default_rng(0).random((2000, 8)) < 0.5).astype(np.float32)
    rbm = RBMTransformer(4, rule=hm.PersistentCD(20), learning_rate=0.01, random_state=0)
    for _ in range(5):
        for start in range(0, 2000, 137):
            rbm.partial_fit(coins[start : start + 137])
    mean = rbm.sample(4000, steps=50).mean(0)
    errors = np.sqrt(0.25 / 4000 + 0.25 / 2000)  # of the draws, and of the coins themselves
    assert (np.abs(mean - 0.5) < 3 * errors + 0.02).all()


@pytest.mark.parametrize(("part", "rule"), [(7, hm.ContrastiveDivergence()), (137, hm.PersistentCD(10))])
def test_biases_of_fair_coins_in_odd_parts_stay_within_three_standard_errors(part: int, rule: hm.Rule) -> None:
    """Of 16 coins: no common drift, and no more spread than the noise of learning gives.

    A bias that leaves zero is pulled back with slope 1/4 by its own samples, so its variance is 2 · rate · s² where that of its gradient is
    s². Where the halves of the gradient are divided by other counts than their own, biases drift: scikit-learn's reach 13 here with parts
    of 137.
    """
    coins, rbm = np.random.default_rng(0), RBMTransformer(1, rule=rule, learning_rate=0.2, momentum=0, batch_size=part, random_state=0)
    for _ in range(150):
        rbm.partial_fit((coins.random((part, 16)) < 0.5).astype(np.float32))
    biases = rbm.intercept_visible_
    deviation = np.sqrt(2 * 0.2 * (0.25 / part + 0.25 / (part if rule.paired else 10)))
    assert abs(biases.mean()) < 3 * deviation / 4
    assert np.sqrt((biases**2).mean()) < 2 * deviation


def test_warm_start_goes_on_and_another_width_is_refused() -> None:
    rbm = RBMTransformer(5, warm_start=True, **QUICK)
    first = rbm.fit(X).state_.step
    assert rbm.fit(X).state_.step == 2 * first
    with pytest.raises(ValueError, match="warm_start goes on with 64 features, found 10"):
        rbm.fit(X[:, :10])


def test_density_is_exact_or_estimated_once() -> None:
    small = RBMDensity(5, **QUICK).fit(BITS)
    expected = hm.likelihood.log_likelihood(small.model_, torch.from_numpy(BITS), log_z=hm.likelihood.exact_log_z(small.model_))
    assert small.log_z_estimate_ is None
    assert np.allclose(small.score_samples(BITS), expected.numpy(), atol=1e-4)
    large = RBMDensity(30, **QUICK).fit(BITS)
    estimate = large.log_z_estimate_
    assert estimate is not None
    assert abs(large.log_z_ - hm.likelihood.ais(large.model_, chains=200, betas=3000, seed=9).log_z) < 0.2
    assert large.score(BITS) == pickle.loads(pickle.dumps(large)).score(BITS)
    assert large.log_z_estimate_ is estimate


def test_two_modes_are_learnt_as_such() -> None:
    """All eight bits on or all off, each half of the time: -log 2 nats at best, -8 log 2 for independent bits."""
    twins = (np.random.default_rng(0).random((500, 1)) < 0.5).repeat(8, axis=1).astype(np.float32)
    for seed in range(3):
        assert RBMDensity(2, random_state=seed).fit(twins).score(twins) > -1.6


def test_averaged_parameters_are_judged_and_the_others_go_on() -> None:
    found = RBMDensity(5, **QUICK).fit(BITS)
    assert found.state_ is not None
    assert found.model_ is not found.state_.model
    first = found.log_z_
    found.partial_fit(BITS)
    assert found.log_z_ != first
    assert found.state_.epoch == 8  # of three updates, at least twenty, and one more


@pytest.mark.filterwarnings("ignore::harmonium.Advice")
def test_density_of_real_numbers() -> None:
    real = np.random.default_rng(0).normal([0, 5], [1, 0.1], size=(2000, 2))
    found = RBMDensity(3, updates=2000, random_state=0).fit(real)
    truth = -np.log(2 * np.pi) - 0.5 * 2 - np.log(0.1)
    assert found.score(real) == pytest.approx(truth, abs=0.1)


def test_gaps_are_filled_better_than_by_means() -> None:
    rng = np.random.default_rng(0)
    holes = X.copy()
    gaps = rng.random(X.shape) < 0.2
    holes[gaps] = np.nan
    filled = RBMImputer(30, updates=400, random_state=0).fit_transform(holes)
    assert np.array_equal(filled[~gaps], X[~gaps])
    means = np.broadcast_to(np.nanmean(holes, axis=0), X.shape)
    assert ((filled - X)[gaps] ** 2).mean() < 0.8 * ((means - X)[gaps] ** 2).mean()


def test_stacks_classify_and_regress() -> None:
    quick = {"updates": 100, "fine_tuning_updates": 500, "random_state": 0}
    net = DBNClassifier((50,), **quick).fit(X[:200], np.array(list("abcdefghij"))[Y[:200]])
    assert (net.predict(X[200:]) == np.array(list("abcdefghij"))[Y[200:]]).mean() > 0.8
    assert np.allclose(net.predict_proba(X).sum(1), 1)
    again = joblib.hash(pickle.loads(pickle.dumps(net)).predict_proba(X))
    assert again == joblib.hash(net.predict_proba(X))
    two = np.stack([X.mean(1), 100 * X[:, 20:40].mean(1)], axis=1)
    found = DBNRegressor((50,), **quick).fit(X[:200], two[:200])
    assert found.predict(X[200:]).shape == (100, 2)
    assert found.score(X[200:], two[200:]) > 0.5
    assert DBNTransformer((8, 4), **QUICK).fit_transform(X).shape == (300, 4)


@pytest.mark.parametrize("load", [load_wine, load_breast_cancer])
@pytest.mark.filterwarnings("ignore::harmonium.Advice")
def test_features_of_any_unit_are_classified_by_default(load: Any) -> None:
    """Measured in their own units, some in thousands: without standardising, the net has the commonest class alone."""
    rows, labels = load(return_X_y=True)
    scores = []
    for seed in range(3):
        order = np.random.default_rng(seed).permutation(len(rows))
        train, test = order[: 2 * len(rows) // 3], order[2 * len(rows) // 3 :]
        net = DBNClassifier(updates=200, fine_tuning_updates=300, random_state=seed).fit(rows[train], labels[train])
        scores.append(net.score(rows[test], labels[test]))
    assert np.mean(scores) > 0.9


def test_searches_and_pipelines_take_them() -> None:
    pandas = pytest.importorskip("pandas", reason="pandas is not installed")
    pipeline = make_pipeline(RBMTransformer(10, **QUICK), LogisticRegression(max_iter=300))
    found = GridSearchCV(pipeline, {"rbmtransformer__n_components": [2, 30]}, cv=2).fit(X, Y)
    assert found.best_params_ == {"rbmtransformer__n_components": 30}
    assert cross_val_score(clone(pipeline), X, Y, cv=2).shape == (2,)  # in two processes: the guide's page, which runs as a test
    frame = pandas.DataFrame({"a": X[:, 20], "b": X[:, 30], "kind": np.where(Y > 4, "high", "low")})
    columns = ColumnTransformer([("numbers", RBMTransformer(3, **QUICK), ["a", "b"]), ("kind", OneHotEncoder(), ["kind"])])
    features = RBMTransformer(3, **QUICK).set_output(transform="pandas").fit_transform(frame[["a", "b"]])
    assert list(features.columns) == ["rbmtransformer0", "rbmtransformer1", "rbmtransformer2"]
    assert columns.fit_transform(frame).shape == (300, 5)


def test_units_by_name_by_layer_and_by_function() -> None:
    for name in UNITS:
        assert np.prod(unit_of(name, 6).shape) == 6, name
    layer = hm.Gaussian(64, learn_variance=True)
    rbm = RBMTransformer(5, visible=layer, hidden=hm.NoisyReLU, **QUICK).fit(X)
    assert rbm.model_.visible is not layer
    assert isinstance(rbm.model_.hidden, hm.NoisyReLU)
    assert (layer.bias == 0).all()
    with pytest.raises(ValueError, match="the layer has 64 units, and 10 are needed"):
        clone(rbm).fit(X[:, :10])
    with pytest.raises(ValueError, match=r"units are one of bernoulli, .* found 'boolean'"):
        RBMTransformer(5, visible="boolean").fit(X)


def test_the_kind_is_read_from_the_data() -> None:
    assert kind_of(X) == "bernoulli"
    assert kind_of(X * 2) == kind_of(X - 1) == "gaussian"
    assert kind_of(np.array([[np.nan, 1.0]])) == "bernoulli"
    assert kind_of(BITS, states=True) == "binary"
    assert kind_of(X, states=True) == "gaussian"


def test_the_rate_falls_with_the_norm_of_the_data() -> None:
    layers = hm.Bernoulli(64), hm.Bernoulli(5)
    assert rate_of(np.ones((10, 64), np.float32), layers) == pytest.approx(0.3 / 8)
    assert rate_of(np.full((10, 64), 255, np.uint8), layers) == pytest.approx(0.3 / 8)
    assert rate_of(sparse.csr_array(np.ones((10, 64))), layers) == pytest.approx(0.3 / 8)
    assert rate_of(np.zeros((10, 64)), layers) == 0.1
    assert rate_of(np.ones((10, 64)), (hm.Gaussian(64), hm.Bernoulli(5))) is None
    for batch, share in ((1, 0.1), (25, 0.5), (100, 1.0), (500, 1.0)):
        assert rate_of(np.ones((10, 64)), layers, batch) == pytest.approx(share * 0.3 / 8)
    given, found = (
        RBMTransformer(3, batch_size=25, learning_rate=rate, updates=1, random_state=0).fit(np.ones((40, 64))) for rate in (0.15 / 8, None)
    )
    np.testing.assert_array_equal(given.components_, found.components_)


@pytest.mark.parametrize(
    ("estimator", "message"),
    [
        (RBMTransformer(0), "n_components is the number of hidden units"),
        (RBMTransformer(5, updates=0), "at least one update"),
        (DBNTransformer(()), "layers are the numbers of hidden units"),
        (DBNTransformer(5), "layers are the numbers of hidden units.* found 5"),  # type: ignore[arg-type]
        (DBNTransformer((5, 2.5)), "layers are the numbers of hidden units"),  # type: ignore[arg-type]
        (RBMTransformer(4.0), "n_components is the number of hidden units.* found 4.0"),  # type: ignore[arg-type]
        (RBMTransformer(4, hidden=3), "units are one of bernoulli, .* found 3"),  # type: ignore[arg-type]
    ],
)
def test_settings_are_refused_by_a_sentence(estimator: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        estimator.fit(X)
    with pytest.raises(NotFittedError):
        estimator.transform(X)
