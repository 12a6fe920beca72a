"""scikit-learn's own checks of every estimator."""

from typing import Any

import pytest
from sklearn.utils.estimator_checks import parametrize_with_checks

from harmonium.sklearn import DBNClassifier, DBNRegressor, DBNTransformer, RBMDensity, RBMImputer, RBMTransformer

FEW: dict[str, Any] = {"updates": 20}
ESTIMATORS = [
    RBMTransformer(4, **FEW),
    RBMDensity(4, **FEW),
    RBMImputer(4, **FEW),
    DBNTransformer((4, 3), **FEW),
    DBNClassifier((20,), updates=100, fine_tuning_updates=600),
    DBNRegressor((20,), updates=100, fine_tuning_updates=600),
]


@parametrize_with_checks(ESTIMATORS)
def test_scikit_learns_checks(estimator: Any, check: Any) -> None:
    check(estimator)


def test_every_estimator_is_checked() -> None:
    import harmonium.sklearn

    assert {type(each).__name__ for each in ESTIMATORS} == set(harmonium.sklearn.__all__)
    assert pytest
