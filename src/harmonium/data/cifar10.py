"""CIFAR-10: small colour photographs of ten classes (Krizhevsky 2009), from the binary version, a part of it, or JPEG files."""

from __future__ import annotations

import zipfile
from collections.abc import Mapping, Sequence
from io import BytesIO
from pathlib import Path
from typing import Any, Literal, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from harmonium.data.fetch import locate, of_user
from harmonium.data.pictures import decoded

NAMES = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")
SHAPE = (3, 32, 32)  # planes of red, green and blue
PIXELS = 3 * 32 * 32
RECORD = 1 + PIXELS  # bytes: the label, then the planes
TRAIN, TEST = tuple(f"data_batch_{number}.bin" for number in range(1, 6)), "test_batch.bin"
OF_A_BATCH = 10_000  # images of one file of the original
FOLDER = "cifar-10-batches-bin"  # of the original archive
PICKLED = ("data_batch_1", "cifar-10-batches-py/data_batch_1", "cifar-10-python.tar.gz")
PART = {
    "data_batch_1_first4000.bin": "0993cf8b8e43bc207603aef9787006995746513f5e3fa5a52e06d1b069926330",
    "test_batch_first1000.bin": "8314c96d7cd65618193bab23acdd5d4c4af15bf6dd00a1781d55beedf3be1ef5",
}
OF_PART = (4_000, 1_000)
ORDER = "train_labels_50000.bin"
JPEG = {
    ORDER: "2b7cd2f24487317614016b72ffd53071c3062f592f0eb300c18a770d41ae1253",
    "jpeg/train/airplane.zip": "f726e68d6b63c52bdb956085f2a8b5f7cc465d7c7adee0bc7b56dff5f91ea66c",
    "jpeg/train/automobile.zip": "3656590c716e4d178138705a8e2d573cec1c6f0f2ca30cf92feeb29b01b8fdd8",
    "jpeg/train/bird.zip": "8338e1bcb646728ca10f1dd315b1d1653129dbbd6779853baec2a6f1380dc99a",
    "jpeg/train/cat.zip": "6fee5036201fb52ea03bcc9cdba5f9150d94d2bca84df341323ed30949a49333",
    "jpeg/train/deer.zip": "4cae44f59ae8c83b2932598896b228c192278ad27871a2a4028142a3682b8692",
    "jpeg/train/dog.zip": "8c1aae34c67623197c7d81d29161715f0c08cf7c55a7384c7c775c357c0bba36",
    "jpeg/train/frog.zip": "22ec44354c4a9a41e76213ded645d8f3df74e43e3795a4b533876c16f0bff7fb",
    "jpeg/train/horse.zip": "9ef446b0fb47d15042e39119eadc13fd26b544b80199414e67e124f5c95f226b",
    "jpeg/train/ship.zip": "3a541f68904be3da3aa3067b3d252f2a17592393b12e226926718da0f3b12af6",
    "jpeg/train/truck.zip": "ffbaf9a980de1d124231305f5fdb668f4af1d0544b6fa2ba239b5a99e968ef4d",
    "jpeg/test/airplane.zip": "31b4f295aeb436c52d6d2d8a8c41f69266bdc98cf19115f52cc35cc38458d70a",
    "jpeg/test/automobile.zip": "afed1f82ef0c454f4dd4ab18d1edc2cf715d6db71ad8a36faf2715df92c2b2e5",
    "jpeg/test/bird.zip": "df6e26b8cec352c2db713a5ab233d977f0cd23527e4d732d87ff1b86d7375059",
    "jpeg/test/cat.zip": "744c0ab525908d4b00df054c9f7770f0792c72bcb2df5473ca3192b5e65c6aa5",
    "jpeg/test/deer.zip": "988979ea3600c0412ee91671276721bf8c2144e410f48c3a0aeca56fe73f3209",
    "jpeg/test/dog.zip": "ede4b82f1bd547b904cd97aba14f1a7a4c7196827d6d16bf18dda191b540593f",
    "jpeg/test/frog.zip": "47ffc1433850364b205479ef1f85318c58745f9ac48699dd7ba409702090c52a",
    "jpeg/test/horse.zip": "7f21155a73c2acf32c600702304062669bceabcb0e4ed4fe9605600d8748bb19",
    "jpeg/test/ship.zip": "84189884277cff8f097a21e684e992c2dee2eca5776d157cf30ff627e77b8765",
    "jpeg/test/truck.zip": "89a353dee26ed87c23055fcdbe534c7a4630694e58d1a064af42083e7a8895f5",
}
OF_A_CLASS = {"train": 5_000, "test": 1_000}
LARGEST = 10_000  # bytes of one JPEG file; those of the set have about a thousand

Form = Literal["original", "part", "jpeg"]
Array = NDArray[np.uint8]


class Cifar10(NamedTuple):
    """Colour images in the published split.

    Attributes
    ----------
    train_images, test_images : Tensor
        (cases, 3072) uint8 from 0 to 255: the red plane of 32 x 32 row by row, then the green and the blue one.
    train_labels, test_labels : Tensor
        (cases,) int64, places in `NAMES`.
    lossy : bool
        True of the JPEG form: its pixels are not those of the original.
    """

    train_images: Tensor
    train_labels: Tensor
    test_images: Tensor
    test_labels: Tensor
    lossy: bool


def load(form: Form = "original", data_dir: str | Path | None = None) -> Cifar10:
    """Load CIFAR-10 from files on this machine; nothing is downloaded.

    The files are looked for in `data_dir` or else in HARMONIUM_DATA, there or in a folder `cifar-10`; those of the last two forms also in
    the cache (see `harmonium.data.fetch.locate`).

    Parameters
    ----------
    form : {"original", "part", "jpeg"}
        - "original": the binary version, 50,000 training and 10,000 test images, in `data_batch_1.bin` to `data_batch_5.bin` and
          `test_batch.bin`, there or in the archive's folder `cifar-10-batches-bin`. The Python version is a pickle, and is refused.
        - "part": the first 4,000 training and the first 1,000 test images, without loss, in `data_batch_1_first4000.bin` and
          `test_batch_first1000.bin`, whose records are those of the original.
        - "jpeg": all 60,000 images, **lossy**: they were stored as JPEG files, and results are not comparable with those on the original.
          The files are `jpeg/train/airplane.zip` to `jpeg/test/truck.zip`, and `train_labels_50000.bin`, by which the training images have
          their original order. Test images come class by class.
    data_dir : str or pathlib.Path, optional
        The user's own folder.

    Returns
    -------
    Cifar10
        Images in planes and their labels.

    Raises
    ------
    FileNotFoundError
        If files are not on this machine.
    ValueError
        For another form, for the Python version, and for files that are damaged or not what their names say.

    Notes
    -----
    Krizhevsky, "Learning multiple layers of features from tiny images" (2009), who asks to be cited.

    Examples
    --------
    >>> import harmonium as hm
    >>> def first_in_colour(folder):
    ...     found = hm.data.cifar10.load("part", folder)
    ...     return found.train_images[0].reshape(hm.data.cifar10.SHAPE), hm.data.cifar10.NAMES[found.train_labels[0]]
    >>> hm.data.cifar10.NAMES[:3], hm.data.cifar10.SHAPE
    (('airplane', 'automobile', 'bird'), (3, 32, 32))
    """
    if form == "original":
        return _original(data_dir)
    if form == "part":
        train, test = (
            _records([path], cases) for path, cases in zip(locate("cifar-10", PART, (), data_dir).values(), OF_PART, strict=True)
        )
        return Cifar10(*train, *test, lossy=False)
    if form == "jpeg":
        return _jpeg(locate("cifar-10", JPEG, (), data_dir))
    raise ValueError(f'CIFAR-10 has the forms "original", "part" and "jpeg", found {form!r}')


def _original(data_dir: str | Path | None) -> Cifar10:
    names = (*TRAIN, TEST)
    chosen, own = of_user("cifar-10", [f"{folder}{name}" for name in names for folder in ("", f"{FOLDER}/")], data_dir)
    paths = {name: path for name in names if (path := own.get(name) or own.get(f"{FOLDER}/{name}")) is not None}
    missing = [name for name in names if name not in paths]
    if missing:
        pickled = list(of_user("cifar-10", PICKLED, data_dir)[1].values())
        if pickled:
            raise ValueError(f"{pickled[0]} is of the Python version, a pickle, which could run any code: get the binary version instead")
        looked = "no folder was named" if chosen is None else f"not found in {chosen} or in its folders cifar-10 and {FOLDER}"
        raise FileNotFoundError(
            f"CIFAR-10's file {missing[0]} is not on this machine ({looked}): get the binary version from its author, unpack it, and name "
            "its folder by --data-dir, data_dir= or HARMONIUM_DATA"
        )
    train, test = _records([paths[name] for name in TRAIN], OF_A_BATCH), _records([paths[TEST]], OF_A_BATCH)
    for part, (_, labels) in (("training", train), ("test", test)):
        counts = torch.bincount(labels, minlength=len(NAMES)).tolist()
        if len(set(counts)) > 1:
            each = len(labels) // len(NAMES)
            raise ValueError(f"CIFAR-10's {part} files are not the original ones: expected {each} images of each class, found {counts}")
    return Cifar10(*train, *test, lossy=False)


def _records(paths: Sequence[Path], cases: int) -> tuple[Tensor, Tensor]:
    """The images and labels of files of so many records each."""
    found = []
    for path in paths:
        size = path.stat().st_size
        if size != cases * RECORD:
            raise ValueError(
                f"{path} is cut off or another file: expected {cases} records of {RECORD} bytes, {cases * RECORD}, found {size}"
            )
        records = np.fromfile(path, dtype=np.uint8).reshape(cases, RECORD)
        _check_labels(path, records[:, 0])
        found.append(records)
    labels = np.concatenate([records[:, 0] for records in found])
    images = np.concatenate([records[:, 1:] for records in found])
    return torch.from_numpy(images), torch.from_numpy(labels.astype(np.int64))


def _check_labels(path: Path, labels: Array) -> None:
    if labels.max() >= len(NAMES):
        case = int((labels >= len(NAMES)).argmax())
        raise ValueError(f"{path} is damaged: expected labels from 0 to {len(NAMES) - 1}, found {labels[case]} of image {case}")


def _jpeg(paths: Mapping[str, Path]) -> Cifar10:
    order = np.fromfile(paths[ORDER], dtype=np.uint8)
    if len(order) != len(NAMES) * OF_A_CLASS["train"]:
        raise ValueError(
            f"{paths[ORDER]} is another file: expected {len(NAMES) * OF_A_CLASS['train']} labels of a byte, found {len(order)}"
        )
    _check_labels(paths[ORDER], order)
    if (np.bincount(order) != OF_A_CLASS["train"]).any():
        raise ValueError(f"{paths[ORDER]} is another file: expected {OF_A_CLASS['train']} labels of each class")
    by_class = {part: np.concatenate([_read(paths[f"jpeg/{part}/{name}.zip"], part, name) for name in NAMES]) for part in OF_A_CLASS}
    # The n-th image of a class is the n-th of its label, and a stable sort keeps that order.
    train = np.empty_like(by_class["train"])
    train[np.argsort(order, kind="stable")] = by_class["train"]
    of_test = torch.arange(len(NAMES)).repeat_interleave(OF_A_CLASS["test"])
    return Cifar10(
        torch.from_numpy(train), torch.from_numpy(order.astype(np.int64)), torch.from_numpy(by_class["test"]), of_test, lossy=True
    )


def _read(path: Path, part: str, name: str) -> Array:
    """The images of a class, (cases, 3072)."""
    wanted = [f"{part}/{name}/{number:04}.jpg" for number in range(OF_A_CLASS[part])]
    try:
        with zipfile.ZipFile(path) as archive:
            if sorted(each for each in archive.namelist() if not each.endswith("/")) != wanted:
                raise ValueError(f"{path} is another file: expected the {len(wanted)} images {wanted[0]} to {wanted[-1]}")
            return np.stack([_decoded(path, archive, each) for each in wanted])
    except (zipfile.BadZipFile, NotImplementedError) as fault:
        raise ValueError(f"{path} is not a readable zip archive: {fault}") from fault


def _decoded(path: Path, archive: zipfile.ZipFile, name: str) -> NDArray[Any]:
    try:
        if archive.getinfo(name).file_size > LARGEST:
            raise ValueError(f"it has {archive.getinfo(name).file_size} bytes")
        image = decoded(BytesIO(archive.read(name)), ("JPEG",))
    except Exception as fault:  # the readers may raise any exception, depending on the bytes
        raise ValueError(f"{name} in {path} is not a readable image: {fault}") from fault
    if image.shape != (*SHAPE[1:], SHAPE[0]) or image.dtype != np.uint8:
        raise ValueError(f"{name} in {path} is another image: expected 32 x 32 pixels of three bytes, found {image.shape} of {image.dtype}")
    return np.moveaxis(image, -1, 0).reshape(-1)
