"""The 1,797 handwritten digits, 8 x 8, of scikit-learn: real data without a download."""

import numpy as np
import torch

from harmonium.data.dataset import Dataset

TEST_CASES = 300


def load() -> Dataset:
    """Loads 1,497 training and 300 test images of handwritten digits.

    The original grey levels 0 to 16 are rescaled, 255 x / 16 to the nearest integer. No split was published with this copy. The split is
    this package's own: shuffled, stratified by class, and always the same.

    Returns
    -------
    Dataset
        (cases, 64) uint8, grey from 0 (ground) to 255 (ink), ten classes.

    Notes
    -----
    Alpaydin & Kaynak, "Optical recognition of handwritten digits", UCI machine learning repository (1998), its test part.

    Examples
    --------
    >>> import harmonium as hm
    >>> digits = hm.data.digits.load()
    >>> digits.train_images.shape, digits.test_images.shape
    (torch.Size([1497, 64]), torch.Size([300, 64]))
    """
    from sklearn.datasets import load_digits  # here, so that importing the package does not wait for scikit-learn
    from sklearn.model_selection import train_test_split

    values, classes = load_digits(return_X_y=True)
    images = torch.from_numpy(np.rint(values * 255 / 16).astype(np.uint8))
    labels = torch.from_numpy(classes.astype(np.int64))
    train, test = train_test_split(np.arange(len(labels)), test_size=TEST_CASES, stratify=classes, random_state=0)
    return Dataset("digits", images[train], labels[train], images[test], labels[test], image_shape=(8, 8), classes=10)
