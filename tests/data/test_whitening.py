"""Whitening, against closed forms and scikit-learn."""

from dataclasses import fields

import numpy as np
import pytest
import torch
from sklearn.decomposition import PCA

import harmonium as hm
from harmonium.data import Whitening, whiten


def correlated(cases=500, size=6):
    draw = np.random.default_rng(0)
    return draw.normal(size=(cases, size)) @ draw.normal(size=(size, size)) + 5


def test_zca_is_the_inverse_root_of_the_covariance():
    """The only symmetric positive matrix that whitens: of all whitenings it changes the data least."""
    data = correlated()
    white, whitening = whiten(data, regularisation=0.0)
    np.testing.assert_allclose(np.cov(white.numpy().T, bias=True), np.eye(6), atol=1e-9)
    values, vectors = np.linalg.eigh(np.cov(data.T, bias=True))
    root = vectors @ np.diag(values**-0.5) @ vectors.T
    np.testing.assert_allclose(white, (data - data.mean(0)) @ root, atol=1e-9)
    assert white.dtype == torch.float64
    np.testing.assert_allclose(whitening.inverse(white), data, atol=1e-9)


@pytest.mark.parametrize("components", [2, 6])
def test_pca_is_scikit_learns(components):
    data = correlated()
    white, whitening = whiten(data, kind="pca", components=components, regularisation=0.0)
    other = PCA(components, whiten=True, svd_solver="full").fit(data)
    theirs = other.transform(data) * np.sqrt(len(data) / (len(data) - 1))
    signs = np.sign((white.numpy() * theirs).sum(0))
    np.testing.assert_allclose(white.numpy() * signs, theirs, atol=1e-9)
    back = other.inverse_transform(other.transform(data))
    np.testing.assert_allclose(whitening.inverse(white), back, atol=1e-9)
    held = correlated(20) + 1
    np.testing.assert_allclose(whitening(held).numpy() * signs, other.transform(held) * np.sqrt(500 / 499), atol=1e-9)
    largest = whitening.directions.abs().argmax(0)
    assert bool((whitening.directions[largest, torch.arange(components)] > 0).all())


@pytest.mark.parametrize("kind", ["pca", "zca"])
def test_of_fewer_cases_than_values_the_components_are_the_same(kind):
    """Against the covariance itself; with cases that are there twice, of which too few differ, too."""
    data = correlated(cases=20, size=30)
    for rows, components in ((data, 7), (np.repeat(data[:6], 3, axis=0), 7)):
        white, whitening = whiten(rows, kind=kind, components=components, regularisation=0.3)
        values, vectors = np.linalg.eigh(np.cov(rows.T, bias=True))
        scale = np.sqrt(values[::-1][:components].clip(0) + 0.3 * values.mean())
        np.testing.assert_allclose(whitening.scale, scale, atol=1e-9)
        directions = whitening.directions.numpy()
        np.testing.assert_allclose(directions.T @ directions, np.eye(components), atol=1e-9)
        found = (rows - rows.mean(0)) @ vectors[:, ::-1][:, :5] / scale[:5]
        mine = (white.numpy() @ directions if kind == "zca" else white.numpy())[:, :5]
        np.testing.assert_allclose(np.abs(mine), np.abs(found), atol=1e-9)


def test_zca_of_some_components_is_pca_turned_back():
    data = correlated()
    white, whitening = whiten(data, components=3, regularisation=0.2)
    components, pca = whiten(data, kind="pca", components=3, regularisation=0.2)
    np.testing.assert_allclose(white, components @ pca.directions.T, atol=1e-9)
    np.testing.assert_allclose(whitening.inverse(white), pca.inverse(components), atol=1e-9)


def test_regularisation_is_added_to_each_directions_variance():
    data = hm.data.without_mean(correlated())
    variances = np.linalg.eigvalsh(np.cov(data.numpy().T, bias=True))
    assert variances[0] == pytest.approx(0, abs=1e-12)
    white, whitening = whiten(data, regularisation=0.1)
    found = np.linalg.eigvalsh(np.cov(white.numpy().T, bias=True))
    np.testing.assert_allclose(np.sort(found), np.sort(variances / (variances + 0.1 * variances.mean())), atol=1e-9)
    np.testing.assert_allclose(whitening.inverse(white), data, atol=1e-9)


def test_colour_images_keep_their_shape_and_bytes_become_floats():
    images = torch.from_numpy(correlated(400, 12) * 20).clamp(0, 255).to(torch.uint8).reshape(400, 3, 2, 2)
    white, whitening = whiten(images)
    flat, _ = whiten(images.flatten(1).double())
    assert (white.shape, white.dtype, whitening.shape) == ((400, 3, 2, 2), torch.float32, (3, 2, 2))
    np.testing.assert_allclose(white.flatten(1), flat, atol=1e-5)
    np.testing.assert_allclose(whitening.inverse(white), images, atol=1e-3)


def test_a_saved_one_is_the_same(tmp_path):
    data = correlated()
    _, whitening = whiten(data, kind="pca", components=4)
    whitening.save(tmp_path / "white.safetensors")
    again = Whitening.load(tmp_path / "white.safetensors")
    assert again.kind == "pca"
    assert all(torch.equal(getattr(again, each.name), getattr(whitening, each.name)) for each in fields(again) if each.name != "kind")
    assert torch.equal(again(data), whitening(data))
    hm.save(hm.RBM(2, 3), tmp_path / "rbm.safetensors")
    with pytest.raises(ValueError, match="holds no whitening"):
        Whitening.load(tmp_path / "rbm.safetensors")


def test_large_data_are_read_in_blocks_with_the_same_result():
    data = correlated(5000)
    np.testing.assert_allclose(
        whiten(data)[1].scale, np.sqrt(np.linalg.eigvalsh(np.cov(data.T, bias=True))[::-1] + 0.1 * data.var(0).mean()), rtol=1e-9
    )


@pytest.mark.parametrize(
    ("rows", "settings", "message"),
    [
        (np.ones((1, 3)), {}, "at least two cases"),
        (np.array([[1.0, np.nan], [0, 1]]), {}, "NaN or infinite"),
        (np.eye(3), {"kind": "both"}, '"zca" or "pca"'),
        (np.eye(3), {"components": 4}, "from 1 to 3"),
        (np.eye(3), {"regularisation": -1}, "at least 0"),
        (np.eye(3), {"regularisation": 0.0}, "vary in only 2 of 3 directions.*components=2"),
    ],
)
def test_what_cannot_be_whitened_is_refused(rows, settings, message):
    with pytest.raises(ValueError, match=message):
        whiten(rows, **settings)


def test_rows_of_another_shape_are_refused():
    white, whitening = whiten(correlated(), kind="pca", components=2)
    for function, rows, expected in ((whitening, white, "cases, 6"), (whitening.inverse, np.zeros((2, 6)), "cases, 2")):
        with pytest.raises(ValueError, match=rf"expected rows of shape \({expected}\)"):
            function(rows)


def test_values_that_are_not_finite_are_refused_when_it_is_applied():
    _, whitening = whiten(correlated())
    rows = correlated(4)
    rows[2, 1] = np.nan
    for change in (whitening, whitening.inverse):
        with pytest.raises(ValueError, match="expected finite values"):
            change(rows)
