"""Data sets, each in a module with a `load`, and what makes binary data of grey images."""

from harmonium.data import digits, mnist
from harmonium.data.binarise import Resampled, binarise
from harmonium.data.dataset import Dataset
from harmonium.data.idx import read_idx

__all__ = ["Dataset", "Resampled", "binarise", "digits", "mnist", "read_idx"]
