import os
from pathlib import Path

import pytest
import torch

from harmonium.data import orl_faces


def write(folder, person, number, pixels=None, header=b"P5\n92 112\n255\n"):
    path = folder / "att_faces" / f"s{person}" / f"{number}.pgm"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(header + (bytes([person]) * (92 * 112) if pixels is None else pixels))
    return path


@pytest.fixture(scope="module")
def archive(tmp_path_factory):
    """Photographs of one grey level, the person's number; but for the second row of the third of the seventh."""
    folder = tmp_path_factory.mktemp("orl")
    for person in range(1, 41):
        for number in range(1, 11):
            write(folder, person, number)
    write(folder, 7, 3, bytes([7]) * 92 + bytes([200]) * 92 + bytes([7]) * (92 * 110))
    return folder


def test_photographs_in_their_order_row_by_row(archive):
    images, people = orl_faces.load(archive)
    assert (images.shape, images.dtype, people.dtype) == ((400, 10304), torch.uint8, torch.int64)
    assert torch.equal(images[:, 0].long(), people + 1)
    assert (images == 200).nonzero()[:, 0].unique().tolist() == [62]
    assert (images[62] == 200).nonzero().flatten().tolist() == list(range(92, 184))


FAULTS = {
    "another size": ({"header": b"P5\n112 92\n255\n"}, r"is not ORL's: expected \(112, 92\) uint8 grey levels, found \(92, 112\)"),
    "cut off": ({"pixels": b"\0" * 50}, "is not a readable image"),
    "another format": ({"header": b"", "pixels": b"GIF99"}, "is not a readable image"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_file_that_is_not_what_its_name_says_is_named(archive, fault):
    content, says = FAULTS[fault]
    path = write(archive, 1, 2, **content)
    try:
        with pytest.raises(ValueError, match=says) as caught:
            orl_faces.load(archive)
    finally:
        write(archive, 1, 2)
    assert str(caught.value).startswith(str(path))


def test_what_is_missing_is_named(tmp_path, monkeypatch):
    monkeypatch.setenv("HARMONIUM_CACHE", str(tmp_path / "cache"))
    with pytest.raises(FileNotFoundError, match=r"put att_faces/s1/1\.pgm into a folder"):
        orl_faces.load(tmp_path)
    write(tmp_path, 1, 1)
    with pytest.raises(FileNotFoundError, match=r"lacks 399 of the 400 photographs, the first is .*2\.pgm"):
        orl_faces.load(tmp_path)


def real_files():
    folder = os.environ.get("HARMONIUM_DATA")
    return folder and (Path(folder) / "orl-faces" / "att_faces").is_dir()


@pytest.mark.skipif(not real_files(), reason="HARMONIUM_DATA is not set, or has no orl-faces/att_faces")
def test_the_real_files():
    """Photographs of one person are more alike than those of several."""
    images, people = orl_faces.load()
    assert images[0, :4].tolist() == list((Path(os.environ["HARMONIUM_DATA"]) / "orl-faces/att_faces/s1/1.pgm").read_bytes()[-10304:][:4])
    distance = torch.cdist(images.float(), images.float())
    same = people[:, None] == people
    assert distance[same].mean() * 400 / 360 < 0.8 * distance[~same].mean()
