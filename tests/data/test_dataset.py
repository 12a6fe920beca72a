import pytest
import torch

from harmonium.data import Dataset


def toy():
    images = torch.arange(20, dtype=torch.uint8).reshape(5, 4)
    return Dataset("toy", images, torch.arange(5), images[:2], torch.arange(2), image_shape=(2, 2), classes=5)


def test_the_last_cases_are_held_out():
    images, labels, held_images, held_labels = toy().hold_out(2)
    assert labels.tolist() == [0, 1, 2]
    assert held_labels.tolist() == [3, 4]
    assert images[:, 0].tolist() == [0, 4, 8]
    assert held_images.tolist() == [[12, 13, 14, 15], [16, 17, 18, 19]]


def test_held_out_images_are_views():
    data = toy()
    data.hold_out(2)[2][0, 0] = 99
    assert data.train_images[3, 0] == 99


@pytest.mark.parametrize("count", [-1, 0, 0.2, 5, 6])
def test_a_silly_count_is_refused(count):
    with pytest.raises(ValueError, match=f"{count} of toy's 5 training cases cannot be held out: expected 1 to 4"):
        toy().hold_out(count)
