"""Data sets, each a module with a `load`; binary data from grey images; patches of images, whitening, and noise."""

from harmonium.data import (
    alphadigits,
    binary_density,
    cbcl_faces,
    curves,
    digits,
    mnist,
    motion,
    music,
    natural_images,
    newsgroups,
    noise,
    omniglot,
    orl_faces,
)
from harmonium.data.binarise import Resampled, binarise
from harmonium.data.columns import Column
from harmonium.data.dataset import Dataset
from harmonium.data.frames import past_frames
from harmonium.data.idx import read_idx
from harmonium.data.mixed_table import Table, from_frame
from harmonium.data.patches import patches, without_mean
from harmonium.data.whitening import Whitening, whiten

__all__ = [
    "Column",
    "Dataset",
    "Resampled",
    "Table",
    "Whitening",
    "alphadigits",
    "binarise",
    "binary_density",
    "cbcl_faces",
    "curves",
    "digits",
    "from_frame",
    "mnist",
    "motion",
    "music",
    "natural_images",
    "newsgroups",
    "noise",
    "omniglot",
    "orl_faces",
    "past_frames",
    "patches",
    "read_idx",
    "whiten",
    "without_mean",
]
