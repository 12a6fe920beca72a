"""Files that the recipes read, and a run of one of them, made once."""

import sys
from pathlib import Path

import pytest

from harmonium import cli
from harmonium.data import mnist
from tests.data.idx_files import write_blank_images, write_labels


@pytest.fixture(scope="session")
def grey_mnist(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of MNIST's four files, in its format and size, with images all of the same grey."""
    folder = tmp_path_factory.mktemp("mnist")
    names = [name.removesuffix(".gz") for name in mnist.FILES]
    for at, counts in ((0, mnist.TRAIN_COUNTS), (2, mnist.TEST_COUNTS)):
        write_blank_images(folder / names[at], sum(counts), pixel=100)
        write_labels(folder / names[at + 1], counts)
    return folder


@pytest.fixture(scope="session")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a finished smoke run of the digits, to be copied by who changes it."""
    folder = tmp_path_factory.mktemp("runs") / "digits"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "argv", ["harmonium", "run", "digits", "--smoke", "--threads", "1", "--out", str(folder)])
        cli.main()
    return folder
