"""Fantasies with a clamped label, judged by a classifier that has met real digits alone."""

import numpy as np
from sklearn.datasets import load_digits
from sklearn.svm import SVC

from tests.gallery.scripts import run


def test_generating() -> None:
    found = run("plot_10_generating")
    assert found["figures"] == ["generating"]
    fantasies, classes = found["fantasies"].numpy(), found["classes"].numpy()
    assert fantasies.shape == (100, 64)

    real, labels = load_digits(return_X_y=True)
    judge = SVC(C=5, gamma=1 / 32).fit(real[:1400] / 16, labels[:1400])
    assert judge.score(real[1400:] / 16, labels[1400:]) > 0.9
    right = judge.predict(fantasies) == classes
    # Chance is 0.1; five standard errors of 100 draws at 0.79 are 0.2.
    assert right.mean() > 0.59
    assert (right.reshape(10, -1).sum(1) >= 2).all()  # of every class, not of the easy ones alone

    # Different ones, and no copies: distances written out here.
    train = found["digits"].train_images.numpy() / 255
    gaps = np.sqrt(((fantasies[:, None] - train) ** 2).sum(2))
    np.testing.assert_allclose(gaps.min(1), found["distance"], atol=1e-3)
    assert np.median(gaps.min(1)) > 0.5
    for chains in fantasies.reshape(10, -1, 64):
        between = np.sqrt(((chains[:, None] - chains) ** 2).sum(2))
        assert between[~np.eye(len(chains), dtype=bool)].mean() > 1
    assert abs((found["digits"].train_labels.numpy()[gaps.argmin(1)] == classes).mean() - found["nearest_share"]) < 0.011
    assert min(found["own_share"], found["nearest_share"]) > 0.5
    assert max(found["own_share"], found["nearest_share"]) < 1
    real = found["digits"].test_images.numpy() / 255
    assert gaps.min(1).mean() > np.sqrt(((real[:, None] - train) ** 2).sum(2)).min(1).mean()
