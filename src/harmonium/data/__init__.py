"""Data sets, each a module with a `load`; binary data from grey images; and noise for images."""

from harmonium.data import binary_density, cbcl_faces, digits, mnist, natural_images, noise
from harmonium.data.binarise import Resampled, binarise
from harmonium.data.columns import Column
from harmonium.data.dataset import Dataset
from harmonium.data.frames import past_frames
from harmonium.data.idx import read_idx
from harmonium.data.mixed_table import Table, from_frame

__all__ = [
    "Column",
    "Dataset",
    "Resampled",
    "Table",
    "binarise",
    "binary_density",
    "cbcl_faces",
    "digits",
    "from_frame",
    "mnist",
    "natural_images",
    "noise",
    "past_frames",
    "read_idx",
]
