"""Documents of one's own: texts counted here word by word, sparse matrices, and everything that is no document."""

from pathlib import Path

import numpy as np
import pytest
from scipy import sparse

from harmonium.data import documents


def test_a_text_is_counted_line_by_line(tmp_path: Path) -> None:
    path = tmp_path / "lines.txt"
    path.write_text("\ufeffÄpfel, äpfel und 7 Birnen\nbirnen the x\n", encoding="utf-8")
    found = documents.load(path, stop_words=None)
    expected = {"äpfel": [2, 0], "und": [1, 0], "birnen": [1, 1], "the": [0, 1]}
    assert {word: found.counts[:, [place]].toarray().ravel().tolist() for place, word in enumerate(found.vocabulary)} == expected
    assert "the" not in documents.load(path).vocabulary


def test_the_most_frequent_words_are_kept(tmp_path: Path) -> None:
    (tmp_path / "lines.txt").write_text("tree tree tree house\ntree house house\ntree river\n")
    found = documents.load(tmp_path / "lines.txt", words=2)
    assert found.vocabulary == ["house", "tree"]
    assert found.counts.toarray().tolist() == [[1, 3], [2, 1], [0, 1]]


@pytest.mark.parametrize("kind", [sparse.csr_array, sparse.csc_array, sparse.coo_matrix])
def test_a_sparse_matrix_with_and_without_names(tmp_path: Path, kind: type) -> None:
    rows = np.array([[0, 2.0, 1], [3, 0, 0]])
    sparse.save_npz(tmp_path / "counts.npz", kind(rows))
    found = documents.load(tmp_path / "counts.npz")
    assert (found.counts.toarray().tolist(), found.counts.dtype) == (rows.tolist(), np.int32)
    assert found.vocabulary == ["word 0", "word 1", "word 2"]
    (tmp_path / "counts.txt").write_text("cat\ndog\nmouse\n")
    assert documents.load(tmp_path / "counts.npz").vocabulary == ["cat", "dog", "mouse"]


TEXTS = {
    "an empty line": ("tree house\n\nhouse\n", "in row 2: keep more words or drop the line"),
    "rare words alone": ("tree tree\nriver\ntree house house\nlake\n", r"has none of the 2 counted words in row 2 \(and in 1 others\)"),
    "stop words alone": ("the\nand\n", "holds no words to count"),
    "nothing": ("", "holds no words to count"),
}


@pytest.mark.parametrize("fault", TEXTS)
def test_texts_that_are_no_documents(tmp_path: Path, fault: str) -> None:
    text, says = TEXTS[fault]
    path = tmp_path / "lines.txt"
    path.write_text(text)
    with pytest.raises(ValueError, match=says) as caught:
        documents.load(path, words=2)
    assert str(caught.value).startswith(str(path))


MATRICES = {
    "negative": ([[1, 2], [0, 1], [3, -4]], "has -4 in row 3, where counts"),
    "fractions": ([[1, 2], [0.5, 1]], "has 0.5 in row 2, where counts"),
    "not finite": ([[np.nan, 2]], "has nan in row 1, where counts"),
    "an empty row": ([[1, 2], [0, 0]], "has none of the 2 counted words in row 2: drop the row"),
}


@pytest.mark.parametrize("fault", MATRICES)
def test_matrices_that_are_no_documents(tmp_path: Path, fault: str) -> None:
    rows, says = MATRICES[fault]
    path = tmp_path / "counts.npz"
    sparse.save_npz(path, sparse.csr_array(np.array(rows, dtype=float)))
    with pytest.raises(ValueError, match=says) as caught:
        documents.load(path)
    assert str(caught.value).startswith(str(path))


def test_rows_that_run_backwards_are_refused_before_they_are_sorted(tmp_path: Path) -> None:
    path, columns = tmp_path / "counts.npz", np.zeros(3, np.int64)
    members = {"format": np.array(b"csr"), "shape": np.array([2, 2]), "data": np.ones(3), "indices": columns}
    np.savez(path, **members, indptr=np.array([0, 2**62, 0]))
    with pytest.raises(ValueError, match="is no sparse matrix"):
        documents.load(path)


def test_files_that_are_neither(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="there is no file"):
        documents.load(tmp_path / "none.txt")
    (tmp_path / "counts.npz").write_bytes(b"GIF89a")
    with pytest.raises(ValueError, match="is no sparse matrix"):
        documents.load(tmp_path / "counts.npz")
    (tmp_path / "latin.txt").write_bytes("Äpfel\n".encode("latin-1"))
    with pytest.raises(ValueError, match="is no text in UTF-8"):
        documents.load(tmp_path / "latin.txt")
    sparse.save_npz(tmp_path / "two.npz", sparse.csr_array(np.eye(2)))
    (tmp_path / "two.txt").write_text("cat\n")
    with pytest.raises(ValueError, match="one word for each of the 2 columns"):
        documents.load(tmp_path / "two.npz")
