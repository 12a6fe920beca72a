import os
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from harmonium.data import lfw_pairs


def write(folder, changed=None, heading="10\t300"):
    """Ten folds of 300 pairs of one person, with images 1 and 2, then 300 of two people, images 3 and 12."""
    lines = [heading]
    for fold in range(10):
        lines += [f"Person_{fold}_{number:03}\t1\t2" for number in range(300)]
        lines += [f"Person_{fold}_{number:03}\t3\tOther_{fold}_{number:03}\t12" for number in range(300)]
    for number, line in (changed or {}).items():
        lines[number - 1] = line
    path = folder / "pairs.txt"
    path.write_text("".join(f"{line}\n" for line in lines if line is not None))
    return path


def test_pairs_in_their_order(tmp_path):
    write(tmp_path)
    found = lfw_pairs.load(tmp_path)
    assert len(found.names) == 10 * 300 * 4
    assert found.names == sorted(found.names)
    assert [found.names[place] for place in found.images[601].tolist()] == [
        "Person_1_001/Person_1_001_0001.jpg",
        "Person_1_001/Person_1_001_0002.jpg",
    ]
    assert [found.names[place] for place in found.images[301].tolist()] == [
        "Person_0_001/Person_0_001_0003.jpg",
        "Other_0_001/Other_0_001_0012.jpg",
    ]
    assert found.same.tolist() == ([1] * 300 + [0] * 300) * 10
    assert found.folds.tolist() == [fold for fold in range(10) for _ in range(600)]


FAULTS = {
    "cut off": ({6001: None}, r"cut off or another file: .* 6000 lines of pairs, found \['10\\t300'\] and 5999 lines"),
    "the other kind": ({4: "A\t1\tB\t2"}, "expected a name and two numbers, apart by tabs, in line 4, found 'A"),
    "one image": ({4: "A\t2\t2"}, "expected a name and two numbers, apart by tabs, in line 4"),
    "one person": ({302: "A\t1\tA\t2"}, "expected two names, each with its number, apart by tabs, in line 302"),
    "spaces": ({302: "A 1 B 2"}, "in line 302"),
    "no number": ({302: "A\t1\tB\ttwo"}, "in line 302"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_list_that_is_not_what_its_name_says_is_named(tmp_path, fault):
    changed, says = FAULTS[fault]
    path = write(tmp_path, changed)
    with pytest.raises(ValueError, match=says) as caught:
        lfw_pairs.load(tmp_path)
    assert str(caught.value).startswith(str(path))


def test_another_list_and_none(tmp_path, monkeypatch):
    monkeypatch.setenv("HARMONIUM_CACHE", str(tmp_path / "cache"))
    with pytest.raises(FileNotFoundError, match=r"put pairs\.txt into a folder"):
        lfw_pairs.load(tmp_path)
    write(tmp_path, heading="5\t300")
    with pytest.raises(ValueError, match="another file: expected '10"):
        lfw_pairs.load(tmp_path)
    (tmp_path / "pairs.txt").write_bytes(b"\xff\xfe")
    with pytest.raises(ValueError, match="is no text in UTF-8"):
        lfw_pairs.load(tmp_path)


def photograph(folder, name, size=(250, 250), seed=0):
    """A smooth image of 250 x 250, which JPEG changes by little, and its pixels as they are decoded."""
    path = folder / "lfw" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    draw = np.random.default_rng(seed)
    Image.fromarray(draw.integers(0, 256, (6, 6, 3), dtype=np.uint8)).resize(size).save(path, quality=95)
    return np.asarray(Image.open(path))


def test_the_middle_of_each_image_by_means_of_areas(tmp_path):
    names = ["Some_Body/Some_Body_0001.jpg", "Some_Body/Some_Body_0010.jpg"]
    pixels = [photograph(tmp_path, name, seed=seed) for seed, name in enumerate(names)]
    found = lfw_pairs.read_images(names[::-1], tmp_path, middle=144, side=36).reshape(2, 3, 36, 36)
    for image, planes in zip(pixels[::-1], found, strict=True):
        means = image[53:197, 53:197].reshape(36, 4, 36, 4, 3).mean((1, 3))
        off = np.abs(planes.numpy() - means.transpose(2, 0, 1))
        assert off.max() <= 1  # rounded down, and across
        assert off.mean() < 0.4
    assert lfw_pairs.read_images(names, tmp_path).shape == (2, 3 * 32 * 32)


def test_images_that_are_missing_or_another_size_are_named(tmp_path, monkeypatch):
    names = ["A/A_0001.jpg", "B/B_0001.jpg"]
    photograph(tmp_path, names[0])
    with pytest.raises(FileNotFoundError, match=r"1 of 2 images of LFW, the first is B/B_0001\.jpg, are not on this machine"):
        lfw_pairs.read_images(names, tmp_path)
    photograph(tmp_path, names[1], size=(250, 249))
    with pytest.raises(ValueError, match="is not LFW's: expected 250 x 250 pixels, found 249 x 250"):
        lfw_pairs.read_images(names, tmp_path)
    (tmp_path / "lfw" / names[1]).write_bytes(b"GIF89a")
    with pytest.raises(ValueError, match=r"B_0001\.jpg is not a readable image"):
        lfw_pairs.read_images(names, tmp_path)
    with pytest.raises(ValueError, match="found middle=20 and side=32"):
        lfw_pairs.read_images(names, tmp_path, middle=20)


def real_files():
    folder = os.environ.get("HARMONIUM_DATA")
    return folder and (Path(folder) / "lfw-pairs" / "pairs.txt").is_file()


@pytest.mark.skipif(not real_files(), reason="HARMONIUM_DATA is not set, or has no lfw-pairs/pairs.txt")
def test_the_real_list():
    """7,701 images of 4,281 people, nobody in two folds."""
    found = lfw_pairs.load()
    owners = np.array([name.split("/")[0] for name in found.names])
    assert (len(found.names), len(set(owners))) == (7701, 4281)
    of_fold = [set(owners[found.images[found.folds == fold]].flatten()) for fold in range(10)]
    assert sum(map(len, of_fold)) == 4281
    assert torch.equal(torch.from_numpy(owners[found.images[:, 0]] == owners[found.images[:, 1]]).long(), found.same)
    assert found.names[found.images[0, 0]] == "Abel_Pacheco/Abel_Pacheco_0001.jpg"
