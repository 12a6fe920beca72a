"""Patches of images whose pixels say where they are."""

import numpy as np
import pytest
import torch

from harmonium.data import patches, without_mean


def test_patches_are_windows_drawn_evenly():
    """Of images whose pixel says where it is: 1000 · image + 20 · row + column."""
    place = torch.arange(6)[:, None] * 20 + torch.arange(11)
    images = [place, 1000 + place[:, :5]]
    found = patches(images, 3, 6000, seed=0)
    assert (found.shape, found.dtype) == ((6000, 9), torch.int64)
    window = (torch.arange(3)[:, None] * 20 + torch.arange(3)).flatten()
    corner = found[:, 0]
    assert torch.equal(found, corner[:, None] + window)
    which, row, column = corner // 1000, corner % 1000 // 20, corner % 20
    assert which.bincount().tolist() == pytest.approx([3000, 3000], abs=4 * np.sqrt(1500))
    assert row.bincount(minlength=4).tolist() == pytest.approx([1500] * 4, abs=4 * np.sqrt(1500))
    assert column[which == 0].bincount(minlength=9).tolist() == pytest.approx([333] * 9, abs=80)
    assert set(column[which == 1].tolist()) == {0, 1, 2}
    again = patches(images, 3, 6000, seed=0)
    assert torch.equal(found, again)


@pytest.mark.parametrize("size", [0, 6])
def test_patches_that_do_not_fit_are_refused(size):
    with pytest.raises(ValueError, match="expected a size from 1 to 5"):
        patches([torch.zeros(6, 5)], size, 3)


def test_patches_of_colour_images_are_windows_of_every_channel():
    place = torch.arange(6)[:, None] * 20 + torch.arange(11)
    found = patches(torch.stack([torch.stack([place, place + 1000, place + 2000])] * 2), 3, 50, seed=1).reshape(50, 3, 3, 3)
    assert torch.equal(found[:, 1], found[:, 0] + 1000)
    assert torch.equal(found[:, 2], found[:, 0] + 2000)
    assert torch.equal(found[:, 0].flatten(1) - found[:, 0, :1, 0], (place[:3, :3].flatten()).expand(50, 9))


def test_images_that_do_not_go_together_are_refused():
    for images in ([torch.zeros(6, 5), torch.zeros(3, 6, 5)], [torch.zeros(6, 5), torch.zeros(6, 5).byte()], [], [torch.zeros(6)]):
        with pytest.raises(ValueError, match="of one type and number of channels"):
            patches(images, 2, 3)


def test_channels_last_and_no_patches_are_refused():
    with pytest.raises(ValueError, match=r"from 1 to 3; for images with channels last use image\.permute"):
        patches([np.zeros((20, 30, 3))], 8, 5)
    for count in (0, -5):
        with pytest.raises(ValueError, match=f"at least one patch, found count={count}"):
            patches([torch.zeros(6, 5)], 2, count)
    with pytest.raises(ValueError, match=r"expected rows of shape \(cases, \.\.\.\), found \(3,\)"):
        without_mean([1.0, 2.0, 3.0])


def test_the_mean_of_each_case_is_gone():
    images = np.random.default_rng(0).integers(0, 256, (4, 3, 5, 5)).astype(np.uint8)
    np.testing.assert_allclose(without_mean(images), images - images.mean((1, 2, 3), keepdims=True), rtol=1e-4, atol=1e-4)
