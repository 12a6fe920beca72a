"""Data sets, each a module with a `load`; binary data from grey images; patches of images, whitening, noise and distortions; speech."""

from harmonium.data import (
    alphadigits,
    binary_density,
    cbcl_faces,
    cifar10,
    curves,
    digits,
    documents,
    eth80,
    fsdd,
    lfw_pairs,
    librispeech,
    midi,
    mnist,
    mnist_variations,
    motion,
    music,
    natural_images,
    newsgroups,
    nips_papers,
    noise,
    norb,
    omniglot,
    orl_faces,
    ratings,
    speech,
    speechocean,
    timit,
    toy_objects,
)
from harmonium.data.binarise import Resampled, binarise
from harmonium.data.columns import Column
from harmonium.data.dataset import Dataset
from harmonium.data.elastic import Distorted, elastic
from harmonium.data.frames import past_frames
from harmonium.data.idx import read_idx
from harmonium.data.mixed_table import Table, from_frame
from harmonium.data.patches import patches, without_mean
from harmonium.data.shifted import Shifted
from harmonium.data.stacked_frames import StackedFrames
from harmonium.data.standardise import Standardising, standardise
from harmonium.data.verification import ImagePairs, VerificationFold, verification_folds
from harmonium.data.whitening import Whitening, whiten

__all__ = [
    "Column",
    "Dataset",
    "Distorted",
    "ImagePairs",
    "Resampled",
    "Shifted",
    "StackedFrames",
    "Standardising",
    "Table",
    "VerificationFold",
    "Whitening",
    "alphadigits",
    "binarise",
    "binary_density",
    "cbcl_faces",
    "cifar10",
    "curves",
    "digits",
    "documents",
    "elastic",
    "eth80",
    "from_frame",
    "fsdd",
    "lfw_pairs",
    "librispeech",
    "midi",
    "mnist",
    "mnist_variations",
    "motion",
    "music",
    "natural_images",
    "newsgroups",
    "nips_papers",
    "noise",
    "norb",
    "omniglot",
    "orl_faces",
    "past_frames",
    "patches",
    "ratings",
    "read_idx",
    "speech",
    "speechocean",
    "standardise",
    "timit",
    "toy_objects",
    "verification_folds",
    "whiten",
    "without_mean",
]
