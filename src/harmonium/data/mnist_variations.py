"""Digits with many factors of variation, rectangles and convex sets (Larochelle, Erhan, Courville, Bergstra & Bengio, ICML 2007).

Two ways to the same eight data sets: their original files, and new images by the published procedure.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor

from harmonium.data import convex_sets, rectangles
from harmonium.data.amat import member_of, read_amat
from harmonium.data.varied_digits import SIDE, digits, over_noise, over_photographs, turned

FOLDER = "mnist-variations"
Folder = str | Path | None
Maker = Callable[[int, int, Folder], tuple[Tensor, Tensor]]


class Cases(NamedTuple):
    """Images and their labels.

    Attributes
    ----------
    images : Tensor
        (cases, 784) float32, grey from 0 (ground) to 1 (ink), each image of 28 x 28 row by row.
    labels : Tensor
        (cases,) int64.
    """

    images: Tensor
    labels: Tensor


@dataclass(frozen=True, eq=False)
class Variation:
    """One of the eight data sets.

    Parameters
    ----------
    name : str
        Its name, with ", generated" where its images are.
    description : str
        What its images are, and whether they are the published ones.
    train, valid, test : Cases
        The training, validation and test cases.
    classes : int
        The number of classes.
    generated : bool
        Whether the images were made by `generate`, and are not the published ones.
    """

    name: str
    description: str
    train: Cases
    valid: Cases
    test: Cases
    classes: int
    generated: bool


class Kind(NamedTuple):
    """What is known of a set: what its images are, its original files in their archive, its sizes, and how it is made anew."""

    images: str
    archive: str
    files: tuple[str, str]
    cases: tuple[int, int, int]
    classes: int
    make: Maker


def _digits_over(turn: bool, background: Callable[[Tensor, int, Folder], Tensor] | None) -> Maker:
    def make(count: int, seed: int, data_dir: Folder) -> tuple[Tensor, Tensor]:
        images, labels = digits(count, seed, data_dir)
        images = turned(images, seed) if turn else images
        return (images if background is None else background(images, seed, data_dir)), labels

    return make


DIGITS = (10_000, 2_000, 50_000)
KINDS = {
    "basic": Kind("handwritten digits", "mnist.zip", ("mnist_train.amat", "mnist_test.amat"), DIGITS, 10, _digits_over(False, None)),
    "rot": Kind(
        "handwritten digits, turned by any angle",
        "mnist_rotation_new.zip",
        ("mnist_all_rotation_normalized_float_train_valid.amat", "mnist_all_rotation_normalized_float_test.amat"),
        DIGITS,
        10,
        _digits_over(True, None),
    ),
    "bg-rand": Kind(
        "handwritten digits over uniform noise",
        "mnist_background_random.zip",
        ("mnist_background_random_train.amat", "mnist_background_random_test.amat"),
        DIGITS,
        10,
        _digits_over(False, lambda images, seed, data_dir: over_noise(images, seed)),
    ),
    "bg-img": Kind(
        "handwritten digits over patches of photographs",
        "mnist_background_images.zip",
        ("mnist_background_images_train.amat", "mnist_background_images_test.amat"),
        DIGITS,
        10,
        _digits_over(False, over_photographs),
    ),
    "rot-bg-img": Kind(
        "handwritten digits, turned by any angle, over patches of photographs",
        "mnist_rotation_back_image_new.zip",
        (
            "mnist_all_background_images_rotation_normalized_train_valid.amat",
            "mnist_all_background_images_rotation_normalized_test.amat",
        ),
        DIGITS,
        10,
        _digits_over(True, over_photographs),
    ),
    "rect": Kind(
        "outlines of rectangles, wide or tall",
        "rectangles.zip",
        ("rectangles_train.amat", "rectangles_test.amat"),
        (1_000, 200, 50_000),
        2,
        lambda count, seed, data_dir: rectangles.outlines(count, seed),
    ),
    "rect-img": Kind(
        "rectangles, wide or tall, one patch of a photograph inside and another outside",
        "rectangles_images.zip",
        ("rectangles_im_train.amat", "rectangles_im_test.amat"),
        DIGITS,
        2,
        rectangles.filled,
    ),
    "convex": Kind(
        "white regions, convex or not",
        "convex.zip",
        ("convex_train.amat", "convex_test.amat"),
        (6_000, 2_000, 50_000),
        2,
        lambda count, seed, data_dir: convex_sets.regions(count, seed),
    ),
}
NAMES = tuple(KINDS)
"""The names of the eight sets, as later papers abbreviate them."""


def load(name: str, data_dir: str | Path | None = None) -> Variation:
    """Loads one data set from its original files.

    The two files in the format `.amat`, or the zip archive that has them as it was published, are looked for in `data_dir` or else in
    HARMONIUM_DATA, there or in a folder `mnist-variations`; the files also in a folder of the archive's name. They cannot be downloaded
    from here, because their checksums are not known. `generate` makes images of the same kind.

    Parameters
    ----------
    name : str
        One of `NAMES`.
    data_dir : str or pathlib.Path, optional
        The user's own folder.

    Returns
    -------
    Variation
        The set in its published split: the last 2,000 cases of the training file are for validation (of "rect": 200). Pixels come in the
        files' order.

    Raises
    ------
    FileNotFoundError
        For files that are not on this machine.
    ValueError
        For another name, and for a file that is damaged or not the one its name says.

    Examples
    --------
    >>> import harmonium as hm
    >>> hm.data.mnist_variations.NAMES
    ('basic', 'rot', 'bg-rand', 'bg-img', 'rot-bg-img', 'rect', 'rect-img', 'convex')
    """
    kind = _kind(name)
    (learn, learn_member), (judge, judge_member) = (_find(file, kind.archive, data_dir) for file in kind.files)
    train, valid, test = kind.cases
    images, labels = read_amat(learn, train + valid, SIDE**2, kind.classes, learn_member)
    judged = Cases(*read_amat(judge, test, SIDE**2, kind.classes, judge_member))
    parts = Cases(images[:train], labels[:train]), Cases(images[train:], labels[train:]), judged
    return Variation(name, f"{kind.images}: the published images", *parts, classes=kind.classes, generated=False)


def generate(name: str, *, seed: int = 0, cases: tuple[int, int, int] | None = None, data_dir: str | Path | None = None) -> Variation:
    """Makes new images of one data set by the procedure that was published.

    - Digits are MNIST's (see `hm.data.mnist`), drawn from all 70,000 without repetition; with one seed the same in all five sets. They are
      turned by an angle that is uniform from 0 to 2π, bilinearly interpolated. Over a background each pixel is the brighter one of digit
      and background: pixels of uniform noise, or a patch at a random place of a photograph of `hm.data.natural_images`. Patches of low
      variance are left out.
    - Rectangles have sides uniform from 1 to 28 pixels that differ by at least 3, anywhere in the image. Outlines are 1 pixel thick.
      With patches inside and outside, sides have at least 10 pixels and differ by at least 5, and a rectangle is 25 to 75 % of the image.
      Label 1 is wide, 0 is tall.
    - Convex regions (label 1) are intersections of random half-planes. The others are unions of such intersections, and not convex.

    What the publication leaves open is chosen here: the photographs (its own 20 are not distributed), the least standard deviation of a
    patch (0.1), how a digit is laid over a background, the numbers of half-planes and of intersections. So errors on generated images are
    like the published ones, and not the same.

    Parameters
    ----------
    name : str
        One of `NAMES`.
    seed : int, default 0
        Seed of all draws.
    cases : tuple of int, optional
        The numbers of training, validation and test cases. By default the published ones: 10,000, 2,000 and 50,000; of "rect" 1,000, 200
        and 50,000; of "convex" 6,000, 2,000 and 50,000.
    data_dir : str or pathlib.Path, optional
        The user's own folder, where MNIST and the photographs are, if not in HARMONIUM_DATA or the cache.

    Returns
    -------
    Variation
        Its name ends in ", generated".

    Raises
    ------
    FileNotFoundError
        Where MNIST or the photographs are needed and cannot be had.
    ValueError
        For another name, for a part without cases, and for more digits than MNIST has.

    Notes
    -----
    Larochelle, Erhan, Courville, Bergstra & Bengio (2007), doi:10.1145/1273496.1273556.

    Examples
    --------
    >>> import harmonium as hm
    >>> rect = hm.data.mnist_variations.generate("rect", cases=(100, 20, 50))
    >>> rect.name, rect.train.images.shape, rect.test.labels.unique()
    ('rect, generated', torch.Size([100, 784]), tensor([0, 1]))
    """
    kind = _kind(name)
    sizes = list(kind.cases if cases is None else cases) if isinstance(cases, Sequence | None) else []
    if len(sizes) != 3 or not all(isinstance(size, int) and size >= 1 for size in sizes):
        raise ValueError(f"expected cases= as three numbers of at least 1, for training, validation and test, found {cases!r}")
    images, labels = kind.make(sum(sizes), seed, data_dir)
    train, valid, test = map(Cases, torch.split(images.flatten(1), sizes), torch.split(labels, sizes))
    return Variation(
        f"{name}, generated",
        f"{kind.images}: not the published images, but new ones, generated by the published procedure with seed {seed}",
        train,
        valid,
        test,
        classes=kind.classes,
        generated=True,
    )


def _kind(name: str) -> Kind:
    if name not in KINDS:
        raise ValueError(f"{name!r} is none of the eight data sets: expected one of {', '.join(NAMES)}")
    return KINDS[name]


def _find(file: str, archive: str, data_dir: Folder) -> tuple[Path, str | None]:
    """Where a file is, and its name in that place if it is an archive."""
    chosen = data_dir if data_dir is not None else os.environ.get("HARMONIUM_DATA")
    if not chosen:
        raise FileNotFoundError(f"name the folder that holds {file}, or {archive}, by data_dir=, --data-dir or HARMONIUM_DATA")
    folder = Path(chosen).expanduser()
    for place in (folder / FOLDER, folder):
        unpacked = place / archive.removesuffix(".zip")
        for path in (each / name for each in (place, unpacked) for name in (file, f"50k/{file}")):
            if path.is_file():
                return path, None
        if (place / archive).is_file():
            return place / archive, member_of(place / archive, file)
    raise FileNotFoundError(
        f"{file} is neither in {folder} nor in {folder / FOLDER}, nor is {archive} that has it: put one of them there, or generate images "
        "of the same kind by hm.data.mnist_variations.generate"
    )
