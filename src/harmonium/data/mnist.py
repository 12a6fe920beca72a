"""MNIST: handwritten digits, 28 x 28 (LeCun, Bottou, Bengio & Haffner, Proceedings of the IEEE 86, 1998)."""

from pathlib import Path

import numpy as np
import torch

from harmonium.data.dataset import Dataset
from harmonium.data.fetch import locate
from harmonium.data.idx import read_idx

FILES = {
    "train-images-idx3-ubyte.gz": "440fcabf73cc546fa21475e81ea370265605f56be210a4024d2ca8f203523609",
    "train-labels-idx1-ubyte.gz": "3552534a0a558bbed6aed32b30c495cca23d567ec52cac8be1a0730e8010255c",
    "t10k-images-idx3-ubyte.gz": "8d422c7b0a1c1c79245a5bcf07fe86e33eeafee792b84584aec276f5a2dbc4e6",
    "t10k-labels-idx1-ubyte.gz": "f7ae60f92e00ec6debd23a6088c31dbd2371eca3ffa0defaefb259924204aec6",
}
URLS = ("https://ossci-datasets.s3.amazonaws.com/mnist/", "https://storage.googleapis.com/cvdf-datasets/mnist/")
# The cases of each digit, which distinguish MNIST from other data sets with the same four file names.
TRAIN_COUNTS = (5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949)
TEST_COUNTS = (980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009)


def load(data_dir: str | Path | None = None) -> Dataset:
    """Loads MNIST's 60,000 training and 10,000 test images of handwritten digits.

    The four files of the original distribution are looked for in `data_dir` or else in HARMONIUM_DATA, then in the cache, then downloaded
    (see `harmonium.data.fetch.locate`). Order and split are the original's.

    Parameters
    ----------
    data_dir : str or pathlib.Path, optional
        The user's own folder.

    Returns
    -------
    Dataset
        (cases, 784) uint8, grey from 0 (ground) to 255 (ink), ten classes.

    Raises
    ------
    FileNotFoundError
        For files that are neither on this machine nor can be downloaded.
    ValueError
        For a file that is damaged, or that is not the one its name says.

    Notes
    -----
    LeCun, Bottou, Bengio & Haffner (1998), doi:10.1109/5.726791.

    Examples
    --------
    >>> import harmonium as hm
    >>> mnist = hm.data.mnist.load()
    >>> mnist.train_images.shape
    torch.Size([60000, 784])
    """
    paths = list(locate("mnist", FILES, URLS, data_dir).values())
    train_images, train_labels = _read(paths[0], paths[1], TRAIN_COUNTS)
    test_images, test_labels = _read(paths[2], paths[3], TEST_COUNTS)
    return Dataset("mnist", train_images, train_labels, test_images, test_labels, image_shape=(28, 28), classes=10)


def _read(images_path: Path, labels_path: Path, counts: tuple[int, ...]) -> tuple[torch.Tensor, torch.Tensor]:
    images = read_idx(images_path, dimensions=3)
    labels = read_idx(labels_path, dimensions=1)
    for path, array, shape in ((images_path, images, (sum(counts), 28, 28)), (labels_path, labels, (sum(counts),))):
        if array.shape != shape or array.dtype != np.uint8:
            raise ValueError(f"{path} is not MNIST's: expected {shape} uint8 values, found {array.shape} of {array.dtype}")
    if labels.max() > 9:
        raise ValueError(f"{labels_path} is not MNIST's: expected labels from 0 to 9, found {labels.max()}")
    found = tuple(np.bincount(labels, minlength=10).tolist())
    if found != counts:
        raise ValueError(f"{labels_path} is not MNIST's: expected {counts} cases of the digits 0 to 9, found {found}")
    return torch.from_numpy(images.reshape(len(images), -1)), torch.from_numpy(labels.astype(np.int64))
