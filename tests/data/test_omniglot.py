import os
import zipfile
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from harmonium.data import omniglot

NAME = "images_background_small1.zip"


def png(array=None):
    """A drawing, white but for its first pixel."""
    if array is None:
        array = np.ones((105, 105), bool)
        array[0, 0] = False
    written = BytesIO()
    Image.fromarray(array).save(written, format="PNG")
    return written.getvalue()


def write(folder, characters=136, drawings=20, **changed):
    """An archive in the original's form, its members in disorder; `changed` replaces the content of some."""
    plain = png()
    members = [(c, w) for c in range(1, characters + 1) for w in range(1, drawings + 1)]
    with zipfile.ZipFile(folder / NAME, "w") as archive:
        archive.writestr("images_background_small1/README.txt", "no drawing")
        for c, w in reversed(members):
            alphabet, character = divmod(c - 1, 34)
            content, name = changed.get(f"p{c}_{w}", plain), f"{'ABCD'[alphabet]}/character{character + 1:02}/{c:04}_{w:02}.png"
            archive.writestr(f"images_background_small1/{name}", content)
    return folder / NAME


def test_drawings_in_order_with_ink_true(tmp_path):
    odd = np.ones((105, 105), bool)
    odd[2, 7:9] = False
    write(tmp_path, p40_4=png(odd))
    images, characters, writers, names = omniglot.load(1, tmp_path)
    assert (images.shape, images.dtype, characters.dtype) == ((2720, 11025), torch.bool, torch.int64)
    place = 39 * 20 + 3
    assert images[place].nonzero().flatten().tolist() == [2 * 105 + 7, 2 * 105 + 8]
    assert images.sum() == 2720 + 1
    assert (int(writers[place]), names[characters[place]]) == (3, "B/character06")
    assert characters.bincount().tolist() == [20] * 136


FAULTS = {
    "fewer": ({"characters": 100}, r"is another file: expected 136 characters with 20 drawings each, found 100 with 2000 in all"),
    "drawings": ({"drawings": 19}, "found 136 with 2584 in all"),
    "another size": ({"p1_1": png(np.ones((28, 28), bool))}, r"expected \(105, 105\) of black and white, found \(28, 28\)"),
    "grey": ({"p1_1": png(np.full((105, 105), 128, np.uint8))}, "is another image: expected .* black and white"),
    "no image": ({"p1_1": b"GIF89a"}, "is not a readable drawing"),
    "large": ({"p1_1": b"\0" * 20_000}, "is not a readable drawing: it has 20000 bytes"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_file_that_is_not_what_its_name_says_is_named(tmp_path, fault):
    content, says = FAULTS[fault]
    path = write(tmp_path, **content)
    with pytest.raises(ValueError, match=says) as caught:
        omniglot.load(1, tmp_path)
    assert str(path) in str(caught.value)


def test_a_file_of_another_format_and_another_part_are_named(tmp_path):
    (tmp_path / NAME).write_bytes(b"P5 20 16 255\n" * 40)
    with pytest.raises(ValueError, match="is not a readable zip archive"):
        omniglot.load(1, tmp_path)
    with pytest.raises(ValueError, match="the small sets are 1 and 2, found part=3"):
        omniglot.load(3, tmp_path)


def real_file():
    folder = os.environ.get("HARMONIUM_DATA")
    return folder and (Path(folder) / "omniglot-small" / NAME).is_file()


@pytest.mark.skipif(not real_file(), reason=f"HARMONIUM_DATA is not set, or has no omniglot-small/{NAME}")
def test_the_real_file():
    images, characters, writers, names = omniglot.load()
    assert images.any(1).all()
    assert images.float().mean() < 0.1  # ink, not paper
    assert (names[0], names[-1], len(names)) == ("Balinese/character01", "Latin/character26", 136)
    assert [int(each.max()) for each in (characters, writers)] == [135, 19]
