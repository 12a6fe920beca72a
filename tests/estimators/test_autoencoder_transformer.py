"""Codes of an autoencoder in scikit-learn's form: the library's own calls, better than PCA, and back in the units of the data."""

from functools import partial
from typing import Any

import numpy as np
import pytest
import torch
from sklearn.datasets import load_digits
from sklearn.decomposition import PCA
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MinMaxScaler

import harmonium as hm
from harmonium.sklearn import AutoencoderTransformer

X = (load_digits(return_X_y=True)[0] / 16).astype(np.float32)
QUICK: dict[str, Any] = {"updates": 10, "fine_tuning_updates": 20, "random_state": 0}


def test_two_numbers_say_more_than_two_principal_components() -> None:
    net = AutoencoderTransformer((50, 2), updates=200, fine_tuning_updates=600, fine_tuning_rate=0.01, random_state=0).fit(X[:1200])
    pca = PCA(2).fit(X[:1200])
    errors = [((each.inverse_transform(each.transform(X[1200:])) - X[1200:]) ** 2).sum(1).mean() for each in (net, pca)]
    assert errors[0] < 0.85 * errors[1]


def test_the_steps_are_those_of_the_library() -> None:
    """Of rows in the estimator's own order; the type of the data is kept."""
    rows = X[:100].astype(np.float64)
    net = AutoencoderTransformer((8, 3), **QUICK).fit(rows)
    seed = int(np.random.RandomState(0).randint(np.iinfo(np.int32).max))
    ordered = torch.from_numpy(rows[np.argsort([row.tobytes() for row in rows], kind="stable")])
    units = [hm.Bernoulli(64, values="probabilities"), hm.Bernoulli(8, values="probabilities"), hm.Gaussian(3)]
    dbn = hm.greedy(ordered, [unit.double() for unit in units], epochs=10, batch_size=100, seed=seed, progress=False)
    own = hm.nets.autoencoder(dbn)
    falling = partial(hm.Schedule, lr=lambda epoch: 1 - epoch / 20)
    usual = {"epochs": 20, "batch_size": 100, "optimizer": partial(torch.optim.Adam, lr=0.002), "seed": seed, "progress": False}
    hm.fine_tune(own, ordered, ordered, loss=own.loss, schedule=falling, **usual)
    codes = net.transform(rows)
    assert codes.dtype == np.float64
    np.testing.assert_allclose(codes, own.encode(torch.from_numpy(rows)).detach(), rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(net.inverse_transform(codes), own.reconstruct(torch.from_numpy(rows)).detach(), rtol=1e-9, atol=1e-12)


def test_real_numbers_come_back_in_their_own_units() -> None:
    """Another origin and unit of measurement of each feature change what comes back in the same way."""
    draw = np.random.default_rng(0)
    x = draw.normal(size=(200, 2)) @ draw.normal(size=(2, 6)) + 0.1 * draw.normal(size=(200, 6))
    scale, shift = np.array([1, 10, 100, 1e-2, 1, 5.0]), np.array([0, 50, -3, 0, 1e3, 0.0])
    learnt = {"learning_rate": 1e-4, "updates": 10, "fine_tuning_updates": 500, "fine_tuning_rate": 0.03, "random_state": 0}
    plain, scaled = (AutoencoderTransformer((2,), **learnt).fit(rows) for rows in (x, x * scale + shift))
    found = scaled.inverse_transform(scaled.transform(x * scale + shift))
    np.testing.assert_allclose((found - shift) / scale, plain.inverse_transform(plain.transform(x)), atol=1e-4)
    assert np.sqrt((((found - shift) / scale - x) ** 2).mean()) < 0.1  # that of the noise


def test_bytes_frames_and_pipelines() -> None:
    bytes_ = np.rint(X[:200] * 255).astype(np.uint8)
    net = AutoencoderTransformer((8, 3), code="bernoulli", **QUICK).fit(bytes_)
    codes = net.transform(bytes_)
    assert codes.dtype == np.float32
    assert ((codes > 0) & (codes < 1)).all()
    assert net.inverse_transform(codes).max() <= 1
    assert net.get_feature_names_out().tolist() == ["autoencodertransformer0", "autoencodertransformer1", "autoencodertransformer2"]
    pipeline = make_pipeline(MinMaxScaler(), AutoencoderTransformer((8, 3), **QUICK)).fit(16 * X[:200])
    assert pipeline.inverse_transform(pipeline.transform(16 * X[:200])).max() <= 16


def test_wrong_settings_and_codes_are_refused_by_a_sentence() -> None:
    with pytest.raises(ValueError, match="layers are the numbers of hidden units"):
        AutoencoderTransformer(()).fit(X)
    with pytest.raises(ValueError, match="units are one of"):
        AutoencoderTransformer((3,), code="linear").fit(X)
    with pytest.raises(ValueError, match="codes have 3 numbers each, found 2"):
        AutoencoderTransformer((8, 3), **QUICK).fit(X[:100]).inverse_transform(np.zeros((1, 2)))
