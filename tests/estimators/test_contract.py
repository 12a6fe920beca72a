"""scikit-learn's own checks of every estimator."""

from typing import Any

from sklearn.utils.estimator_checks import parametrize_with_checks

from harmonium.sklearn import (
    AutoencoderTransformer,
    DBNClassifier,
    DBNRegressor,
    DBNTransformer,
    RBMDensity,
    RBMImputer,
    RBMTransformer,
)

FEW: dict[str, Any] = {"updates": 20}
ESTIMATORS = [
    RBMTransformer(4, **FEW),
    RBMDensity(4, **FEW),
    RBMImputer(4, **FEW),
    DBNTransformer((4, 3), **FEW),
    AutoencoderTransformer((4, 3), updates=10, fine_tuning_updates=20),
    DBNClassifier((10,), updates=10, fine_tuning_rate=0.5, fine_tuning_updates=150),
    DBNRegressor((10,), updates=10, fine_tuning_updates=300),
]


@parametrize_with_checks(ESTIMATORS)
def test_scikit_learns_checks(estimator: Any, check: Any) -> None:
    check(estimator)


def test_every_estimator_is_checked() -> None:
    import harmonium.sklearn

    assert {type(each).__name__ for each in ESTIMATORS} == set(harmonium.sklearn.__all__)
