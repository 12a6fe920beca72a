"""The papers' counts: a small file in their format, and the real one where it is."""

import os
from pathlib import Path

import numpy as np
import pytest

from harmonium.data import nips_papers

NPZ = "nips_bow.npz"


def counts(**changed: np.ndarray) -> dict[str, np.ndarray]:
    """Training: 5 of word 7604 in paper 0, 2 of word 1 in the last. Test: 7 of word 0 in paper 1."""
    ends, test_ends = np.ones(1351, np.int32), np.ones(151, np.int32)
    ends[0], ends[-1], test_ends[:2] = 0, 2, 0
    return {
        "train_indptr": ends,
        "train_indices": np.array([7604, 1], np.uint16),
        "train_counts": np.array([5, 2], np.uint16),
        "test_indptr": test_ends,
        "test_indices": np.array([0], np.uint16),
        "test_counts": np.array([7], np.uint16),
        "vocabulary": np.array([f"word{n}" for n in range(7605)]),
    } | changed


def test_counts_in_their_format(tmp_path: Path) -> None:
    np.savez_compressed(tmp_path / NPZ, **counts())
    found = nips_papers.load(tmp_path)
    assert (found.train.shape, found.test.shape) == ((1350, 7605), (150, 7605))
    assert (int(found.train[0, 7604]), int(found.train[1349, 1]), int(found.train.sum())) == (5, 2, 7)
    assert (int(found.test[1, 0]), found.vocabulary[-1]) == (7, "word7604")


@pytest.mark.parametrize(
    ("changed", "says"),
    [
        ({"vocabulary": np.array(["cat"])}, "expected 7605 words, found 1"),
        ({"test_indptr": np.array([0, 1])}, "expected 150 documents in its test part, found 1$"),
        ({"train_indices": np.array([7605, 0])}, "expected words from 0 to 7604"),
        ({"train_counts": np.array([0, 1])}, "counts above 0 in its train part"),
    ],
)
def test_other_files_are_named(tmp_path: Path, changed: dict[str, np.ndarray], says: str) -> None:
    np.savez(tmp_path / NPZ, **counts(**changed))
    with pytest.raises(ValueError, match=says):
        nips_papers.load(tmp_path)


FOLDER = os.environ.get("HARMONIUM_DATA")


@pytest.mark.skipif(not FOLDER or not (Path(FOLDER) / "nips-bow" / NPZ).is_file(), reason="HARMONIUM_DATA is not set, or has no nips-bow")
def test_the_real_papers() -> None:
    found = nips_papers.load()
    assert (int(found.train.sum()), int(found.test.sum())) == (1_683_117, 187_589)
    assert (found.train.nnz, found.test.nnz, int(found.train.max())) == (637_909, 71_568, 132)
    share = found.train[:, [found.vocabulary.index("network")]].sum(1) > 0
    assert np.mean(share) > 0.5
