"""Elastic distortions: the field's statistics in closed form, the distorted images by scipy.ndimage."""

import math
from functools import partial

import numpy as np
import pytest
import torch
from scipy import ndimage

import harmonium as hm
from harmonium.data import Distorted, elastic
from harmonium.data.elastic import displacements

GREY = torch.from_numpy(np.random.default_rng(0).integers(256, size=(9, 12 * 15), dtype=np.uint8))
SHAPE = (12, 15)


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


@pytest.mark.parametrize("images", [GREY, GREY.float() / 255, GREY.double() / 255, (GREY.float() / 255).half()], ids=lambda x: str(x.dtype))
def test_without_strength_images_stay_as_they_are(images):
    found = elastic(images, alpha=0, shape=SHAPE)
    assert torch.equal(found, images)
    assert found.data_ptr() != images.data_ptr()
    moved = elastic(images, alpha=20, shape=SHAPE)
    assert (moved.dtype, moved.shape) == (images.dtype, images.shape)
    assert not torch.equal(moved, images)
    slight = elastic(images, alpha=1e-4, sigma=2, shape=SHAPE)
    assert (slight.double() - images.double()).abs().max() < 1e-3 * (255 if images.dtype == torch.uint8 else 1)


@pytest.mark.parametrize(("sigma", "alpha"), [(1.0, 3.0), (2.0, 10.0), (4.0, 34.0)])
def test_the_standard_deviation_and_the_smoothness_of_displacements(sigma, alpha):
    """By the autocorrelation of a Gaussian kernel; exactly by the kernel wrapped round the image, and nearly by the stated formula."""
    side, cases = 40, 400
    u, v = displacements(torch.zeros(cases, side, side), alpha, sigma, generator()).double()
    kernel = ndimage.gaussian_filter(np.eye(1, side * side).reshape(side, side), sigma, mode="wrap")
    exact = alpha * np.sqrt((kernel**2).sum() / 3)
    assert exact == pytest.approx(alpha / (2 * sigma * math.sqrt(3 * math.pi)), rel=0.005)
    independent = cases * side**2 / (4 * math.pi * sigma**2)  # about so many smooth patches
    for field in (u, v):
        assert field.std() == pytest.approx(exact, rel=4 / math.sqrt(2 * independent))
        assert field.mean().abs() < 4 * exact / math.sqrt(independent)
        edges, inner = field[:, 0], field[:, side // 2]
        assert edges.std() == pytest.approx(inner.std().item(), rel=0.15)  # the edges move as far
    for apart in (1, 3, 6):
        together = (u * u.roll(apart, 2)).mean() / exact**2
        assert together == pytest.approx(math.exp(-(apart**2) / (4 * sigma**2)), abs=6 / math.sqrt(independent))
    assert (u * v).mean().abs() / exact**2 < 5 / math.sqrt(independent)
    assert (u[0] * u[1]).mean().abs() / exact**2 < 12 / math.sqrt(independent / cases)  # each image has a field of its own


def test_the_default_moves_pixels_as_far_as_stated():
    found = displacements(torch.zeros(200, 28, 28), 34.0, 4.0, generator())
    assert found.std().item() == pytest.approx(1.38, abs=0.03)


def test_distorted_images_are_scipys():
    images = GREY.double() / 255
    found = elastic(images, alpha=15, sigma=2, shape=SHAPE, seed=3).reshape(-1, *SHAPE).numpy()
    down, across = displacements(images.reshape(-1, *SHAPE), 15, 2, generator(3)).numpy()
    assert np.abs(down).max() > 2
    rows, columns = np.mgrid[: SHAPE[0], : SHAPE[1]]
    for case, image in enumerate(images.reshape(-1, *SHAPE).numpy()):
        expected = ndimage.map_coordinates(image, (rows + down[case], columns + across[case]), order=1, mode="grid-constant")
        np.testing.assert_allclose(found[case], expected, atol=1e-9)
    grey = elastic(GREY, alpha=15, sigma=2, shape=SHAPE, seed=3)
    single = elastic(GREY.float() / 255, alpha=15, sigma=2, shape=SHAPE, seed=3)
    assert (grey.float() / 255 - single).abs().max() <= 0.5 / 255 + 1e-5


def test_a_field_is_scipys_smoothed_noise():
    """The numbers that are smoothed are uniform from -1 to 1, and smoothed as scipy.ndimage does it on a periodic image."""
    like = torch.zeros(500, 9, 7, dtype=torch.float64)
    field = displacements(like, 1.0, 1e-3, generator(1))  # hardly smoothed
    assert (field.min(), field.max()) == (pytest.approx(-1, abs=1e-3), pytest.approx(1, abs=1e-3))
    assert field.square().mean().item() == pytest.approx(1 / 3, abs=0.01)
    smooth = displacements(like, 2.5, 1.3, generator(1)).numpy()
    np.testing.assert_allclose(smooth, 2.5 * ndimage.gaussian_filter(field.numpy(), (0, 0, 1.3, 1.3), mode="wrap"), atol=1e-9)


def test_draws_are_the_generators_alone():
    before = torch.random.get_rng_state()
    first = elastic(GREY, shape=SHAPE, seed=5)
    assert torch.equal(first, elastic(GREY, shape=SHAPE, generator=generator(5)))
    assert not torch.equal(first, elastic(GREY, shape=SHAPE, seed=6))
    source = Distorted(GREY, shape=SHAPE)
    assert (len(source), source.shape) == (9, (9, 180))
    draws = generator(7)
    rows = [source.rows(torch.tensor([4, 4, 0]), draws) for _ in range(2)]
    assert rows[0].dtype == torch.float32
    assert not torch.equal(rows[0][0], rows[0][1])
    assert not torch.equal(*rows)
    assert torch.equal(source.rows(torch.tensor([4, 4, 0]), draws.manual_seed(7)), rows[0])
    assert torch.equal(torch.random.get_rng_state(), before)


def test_a_source_of_no_strength_is_the_images():
    rows = Distorted(GREY, alpha=0, shape=SHAPE).rows(torch.tensor([3, 1]), generator())
    assert (rows - GREY[[3, 1]].float() / 255).abs().max() < 1e-5


def test_learning_from_distorted_images_resumes_to_the_same_bits(tmp_path):
    source = Distorted(GREY, alpha=10, sigma=2, shape=SHAPE)

    def learn(epochs, **more):
        rbm = hm.RBM(hm.Bernoulli(180, values="probabilities"), hm.Bernoulli(5), seed=1)
        steady = partial(hm.MomentumSGD, lr=0.05)
        return hm.fit(rbm, source, epochs=epochs, batch_size=4, optimizer=steady, seed=2, progress=False, **more)

    whole = learn(4)
    learn(2, checkpoint=tmp_path / "half.safetensors")
    resumed = learn(4, checkpoint=tmp_path / "half.safetensors")
    assert resumed.step == whole.step == 12
    assert torch.equal(resumed.generator.get_state(), whole.generator.get_state())
    for found, expected in zip(resumed.model.parameters(), whole.model.parameters(), strict=True):
        assert torch.equal(found, expected)


REFUSED = {
    "booleans": (GREY > 100, {}, TypeError, "have values between them, not torch.bool"),
    "integers": (GREY.long(), {}, TypeError, "not torch.int64"),
    "no images": (None, {}, TypeError, "expected numbers"),
    "another shape": (GREY, {"shape": (28, 28)}, ValueError, r"found \(9, 180\); shape= says"),
    "images with sides": (GREY.reshape(9, 12, 15), {}, ValueError, r"images of shape \(12, 15\) are \(cases, height x width\)"),
    "no cases": (GREY[:0], {}, ValueError, "at least one case"),
    "NaN": (torch.full((1, 180), torch.nan), {}, ValueError, "must be finite"),
    "negative strength": (GREY, {"alpha": -1.0}, ValueError, "alpha of at least 0 and sigma above 0"),
    "no smoothness": (GREY, {"sigma": 0.0}, ValueError, "found alpha=34.0 and sigma=0.0"),
}


@pytest.mark.parametrize("make", [elastic, Distorted])
@pytest.mark.parametrize("case", REFUSED)
def test_what_cannot_be_distorted_is_refused(make, case):
    images, more, error, says = REFUSED[case]
    with pytest.raises(error, match=says):
        make(images, **{"shape": SHAPE, **more})
