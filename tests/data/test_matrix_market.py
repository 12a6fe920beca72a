"""Matrix Market files, against SciPy's writer; and files that kill SciPy's reader."""

from pathlib import Path

import numpy as np
import pytest
import scipy.io
import scipy.sparse

from harmonium.data.matrix_market import read_matrix

RANDOM = scipy.sparse.random(7, 5, 0.4, random_state=0)
SQUARE = np.arange(16.0).reshape(4, 4)
MATRICES = {
    "real": RANDOM,
    "integer": (10 * RANDOM).astype(np.int64),
    "empty": scipy.sparse.coo_matrix((4, 3)),
    "symmetric": scipy.sparse.coo_matrix(SQUARE + SQUARE.T),
    "skew": scipy.sparse.coo_matrix(SQUARE - SQUARE.T),
    "array": SQUARE[:3],
    "symmetric array": SQUARE + SQUARE.T,
    "skew array": SQUARE - SQUARE.T,
    "integer array": SQUARE.astype(np.int64),
}


@pytest.mark.parametrize("name", MATRICES)
def test_what_scipy_writes(name: str, tmp_path: Path) -> None:
    symmetry = {"symmetric": "symmetric", "skew": "skew-symmetric"}.get(name.split()[0], "general")
    scipy.io.mmwrite(tmp_path / "a.mtx", MATRICES[name], comment="words", symmetry=symmetry)
    found, expected = read_matrix(tmp_path / "a.mtx"), MATRICES[name]
    assert scipy.sparse.issparse(found) == scipy.sparse.issparse(expected)
    dense = [each.toarray() if scipy.sparse.issparse(each) else each for each in (found, expected)]
    assert dense[0].dtype == dense[1].dtype
    assert np.allclose(*dense, rtol=1e-15, atol=0)


def test_a_pattern(tmp_path: Path) -> None:
    (tmp_path / "a.mtx").write_text("%%MatrixMarket matrix coordinate pattern symmetric\n3 3 2\n1 1\n3 2\n")
    assert read_matrix(tmp_path / "a.mtx").toarray().tolist() == [[1, 0, 0], [0, 0, 1], [0, 1, 0]]


HEAD = "%%MatrixMarket matrix "
CRAFTED = {
    "no line end, and a byte that is no text": HEAD + "array integer general\n2 2\n1\n2\n3\n4\x1a",
    "sizes beyond memory": HEAD + "array real general\n1000000 1000000\n1\n",
    "rows beyond memory": HEAD + "coordinate real general\n1000000000 2 1\n1 1 1\n",
    "more entries than lines": HEAD + "coordinate real general\n2 2 900000000\n1 1 1\n",
    "an entry outside": HEAD + "coordinate real general\n2 2 1\n3 1 1\n",
    "an entry between": HEAD + "coordinate real general\n2 2 1\n1.5 1 1\n",
    "NaN as a place": HEAD + "coordinate real general\n2 2 1\nnan 1 1\n",
    "complex numbers": HEAD + "coordinate complex general\n2 2 1\n1 1 1 1\n",
    "not square": HEAD + "coordinate real symmetric\n2 3 1\n1 1 1\n",
    "nothing": "",
}


@pytest.mark.parametrize("name", CRAFTED)
def test_crafted_files_are_refused(name: str, tmp_path: Path) -> None:
    (tmp_path / "a.mtx").write_text(CRAFTED[name])
    with pytest.raises(ValueError, match=r"a\.mtx"):
        read_matrix(tmp_path / "a.mtx")
