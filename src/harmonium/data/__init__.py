"""Data sets, each in a module with a `load`, what makes binary data of grey images, and noise to put on them."""

from harmonium.data import binary_density, cbcl_faces, digits, mnist, natural_images, noise
from harmonium.data.binarise import Resampled, binarise
from harmonium.data.dataset import Dataset
from harmonium.data.frames import past_frames
from harmonium.data.idx import read_idx

__all__ = [
    "Dataset",
    "Resampled",
    "binarise",
    "binary_density",
    "cbcl_faces",
    "digits",
    "mnist",
    "natural_images",
    "noise",
    "past_frames",
    "read_idx",
]
